//! What `-h` and `--help` say, and that what `--help` shows as an example does what it says.

use super::{Part, built, find, parts, parts_of, paths};
use crate::support::{BGCTL, Ran, User, until};
use bgctl::cli::args::SUBCOMMANDS;
use bgctl::cli::help;
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How many lines a short help has at most.
const SHORT_LINES_MAX: usize = 10;

/// How wide its lines are at most.
const SHORT_COLUMNS_MAX: usize = 80;

#[test]
fn the_short_help_has_at_most_ten_lines() {
    let user = User::new();
    for name in std::iter::once(Vec::new()).chain(paths()) {
        let text = user.ok(name.iter().map(String::as_str).chain(["-h"]));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= SHORT_LINES_MAX, "{name:?} has {} lines:\n{text}", lines.len());
        assert!(lines.iter().all(|line| !line.is_empty()), "{name:?} wastes a line:\n{text}");
        let widest = lines.iter().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= SHORT_COLUMNS_MAX, "{name:?} is too wide: {widest}");
        let last = lines.last().unwrap();
        assert!(last.contains("--help"), "{name:?} does not say where more is said: {last}");
    }
}

#[test]
fn the_short_help_shows_the_commands_of_every_day() {
    let user = User::new();
    let text = user.ok(["-h"]);
    let shown: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(shown, ["start", "status", "list", "logs", "cancel", "wait", "prune", "tick"]);
}

#[test]
fn every_subcommand_stands_under_one_heading() {
    let mut listed: Vec<&str> = help::groups().into_iter().flat_map(|(_, names)| names).collect();
    let mut known: Vec<&str> = SUBCOMMANDS.iter().map(|(name, ..)| *name).collect();
    listed.sort_unstable();
    known.sort_unstable();
    assert_eq!(listed, known, "cli/help.rs puts each under a heading");
    let text = User::new().ok(["--help"]);
    for (heading, names) in help::groups() {
        assert!(text.contains(&format!("\n{heading}:\n")), "{heading}:\n{text}");
        assert!(names.iter().all(|name| text.contains(&format!("\n  {name} "))), "{heading}:\n{text}");
    }
}

#[test]
fn the_options_of_every_day_are_options() {
    let command = built();
    for (name, options) in help::EVERYDAY {
        let command = find(&command, &name.split(' ').collect::<Vec<_>>());
        for option in options {
            let is_there = command.get_arguments().any(|arg| arg.get_long() == Some(option));
            assert!(is_there, "{name} has no --{option}");
        }
    }
    assert_eq!(help::EVERYDAY.len(), paths().len());
}

#[test]
fn every_long_help_ends_with_examples() {
    for path in paths() {
        assert!(!examples_of(&path).is_empty(), "bgctl {path:?} --help has no examples");
    }
}

#[test]
fn help_is_asked_for_before_the_command_only() {
    let user = User::new();
    assert!(user.ok(["start", "-h", "--", "x", "--help"]).lines().count() <= SHORT_LINES_MAX);
    assert!(user.ok(["start", "--help"]).contains("\nExamples:\n"));
}

#[test]
fn a_narrow_terminal_does_not_lengthen_the_short_help() {
    let user = User::new();
    let ran = user.bgctl(["start", "-h"]).env("COLUMNS", "30").output().unwrap();
    assert!(Ran::of(&ran).out.lines().count() <= SHORT_LINES_MAX);
}

/// The lines below every heading that begins with "Examples".
fn examples_of(path: &[String]) -> Vec<String> {
    let command = built();
    let parts = parts_of(find(&command, path));
    lines_of(parts)
}

fn lines_of(parts: Vec<Part>) -> Vec<String> {
    let lines = |part| match part {
        Part::List(heading, lines) if heading.starts_with("Examples") => lines,
        _ => Vec::new(),
    };
    parts.into_iter().flat_map(lines).collect()
}

/// Subcommands whose examples mean jobs that have not ended.
const ACTIVE: [&str; 6] = ["cancel", "set", "send", "signal", "pause", "resume"];

/// Subcommands whose examples mean jobs that wait for approval.
const WAITING: [&str; 2] = ["approve", "decline"];

/// What only a running job can say.
const INSIDE: &str = "approval request";

/// The subcommand whose examples mean dead letters.
const DEAD: &str = "dead";

/// A user with what the examples speak of: jobs called `build`, `ab` and the like, and the programs that they start. All
/// of these end by themselves.
fn prepared(name: &str) -> User {
    let user = User::new();
    user.make_root();
    let settings = "[queue]\nmax_concurrent = 9\n[approval]\nlocal = \"anyone\"\n\
                    [approval.github]\napi_url = \"http://127.0.0.1:9\"\n";
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    for (program, text) in [
        ("bin/make", "echo made"),
        ("bin/cargo", "echo built"),
        ("bin/npm", "test \"$*\" = 'run dev' && echo listening on port 3000"),
        ("bin/git", "test \"$*\" = push && test -n \"$SSH_AUTH_SOCK\" && test -z \"$DEBUG\""),
        ("bin/vi", "test -f \"$1\""),
        ("bin/pass", "echo DEPLOY_KEY=secret"),
        ("bin/crontab", "if test \"$1\" = -; then cat >crontab; else cat crontab 2>/dev/null || :; fi"),
        ("bin/systemctl", ":"),
        ("bin/loginctl", "echo yes"),
        // Where there is none, what it would pick out is not looked at.
        ("bin/jq", "test ! -x /usr/bin/jq || exec /usr/bin/jq \"$@\"; cat"),
        ("deploy.sh", "echo deployed"),
        ("backup.sh", "echo kept"),
        ("fetch.sh", "echo fetched"),
        ("server", "echo listening on port 8080; sleep 1"),
        ("serve", "test -n \"$RUST_LOG$WORD\" && test -z \"$DEBUG$RUST_LOG\" || test \"$RUST_LOG\" = debug"),
        ("train.sh", "echo epoch 1"),
        ("render.sh", "test \"$1\" = \"$BG_ARRAY_INDEX\""),
        ("bin/flac", "test \"$*\" = one.wav"),
        // Where there is no jq, the name itself comes out of it.
        ("bin/one.wav", "echo encoded"),
    ] {
        write_program(&user.path(program), text);
    }
    write_program(&user.path("bin/bgctl"), &format!("exec {BGCTL} \"$@\""));
    std::fs::write(user.path("big.txt"), "b\na\nb\n").unwrap();
    std::fs::write(user.path("one.wav"), "").unwrap();
    std::fs::write(user.path("commands.txt"), "make -j4\n{\"argv\":[\"cargo\",\"build\"]}\n").unwrap();
    std::fs::write(user.path(".env"), "WORD=one\nDEBUG=1\n").unwrap();
    user.ok(["group", "add", "gpu"]);
    if name == "schedule" {
        user.ok(["schedule", "add", "backup", "--every", "1d", "--", "./backup.sh"]);
    }
    let is_active = ACTIVE.contains(&name);
    let is_dead = name == DEAD;
    for job in ["build", "ab", "cd", "web", "worker"] {
        let said = "echo warning: listening on port 8080";
        let script = match name {
            _ if is_active => format!("{said}; exec sleep 1000"),
            DEAD => format!("{said}; exit 1"),
            _ => said.to_owned(),
        };
        let tries = if is_dead { "2" } else { "1" };
        let input = if name == "send" { "pipe" } else { "/dev/null" };
        let flags = ["--quiet", "--name", job, "--label", "nightly", "--attempts", tries, "--stdin", input];
        let delay: &[&str] = if is_dead { &["--retry-delay", "0"] } else { &[] };
        let id = user.start([&flags, delay, &["--", "sh", "-c", &script]].concat());
        if is_active {
            until("it runs", || user.status(&id) == "running");
        } else {
            user.wait(&id);
        }
    }
    if is_active {
        user.start(["--quiet", "--name", "ef", "--delay", "1h", "--", "true"]);
    }
    if WAITING.contains(&name) {
        for job in ["deploy", "x7"] {
            user.start(["--quiet", "--name", job, "--approval", "local", "--", "true"]);
        }
    }
    user
}

/// Written by another process: a file that this one has open for writing while a test forks cannot be executed.
pub fn write_program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let draft = path.with_extension("draft");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&draft).unwrap();
    file.write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    drop(file);
    assert!(std::process::Command::new("cp").arg(&draft).arg(path).status().unwrap().success());
    std::fs::remove_file(draft).unwrap();
}

/// The shell that an example is written for, where that is not sh: what stands behind `#` says where the line goes.
fn shell_of(line: &str) -> &'static str {
    let places =
        [(".bashrc", "bash"), (".zshrc", "zsh"), (".fish", "fish"), (".elv", "elvish"), ("PROFILE", "pwsh")];
    places.into_iter().find(|(place, _)| line.contains(place)).map_or("sh", |(_, shell)| shell)
}

/// Runs each example of a subcommand, each in a world of its own.
fn run_examples(name: &str, lines: Vec<String>) {
    assert!(!lines.is_empty(), "{name} has examples");
    std::thread::scope(|scope| {
        // elvish and PowerShell have completion at a prompt only; `shells::completion` evaluates that line there. A
        // supervisor stays; `processes::supervise` has it.
        for line in lines
            .into_iter()
            .filter(|line| ![".elv", "$PROFILE", "tick --loop"].iter().any(|one| line.contains(one)))
        {
            scope.spawn(move || {
                let user = prepared(name);
                if line.contains("rebuild") {
                    cut_short(&user);
                }
                let shell = shell_of(&line);
                let path = format!("{}:/usr/local/bin:/usr/bin:/bin", user.path("bin").display());
                let mut command = user.command(shell);
                command.env("PATH", path).env("SSH_AUTH_SOCK", user.path("agent")).env("DEBUG", "1");
                command.env("LINE", &line);
                let Ok(output) = command.args(["-c", &bounded(&line)]).output() else {
                    crate::support::skipped(&format!("{shell} is not installed: {line}"));
                    return;
                };
                let ran = Ran::of(&output);
                assert_eq!(ran.code, 0, "{line}\n{}{}", ran.out, ran.err);
                if line.contains("rebuild --dry-run") {
                    return;
                }
                let all_end = ![&ACTIVE[..], &WAITING].concat().contains(&name) && !line.contains(INSIDE);
                if name != DEAD && all_end {
                    all_complete(&user, &line);
                }
            });
        }
    });
}

/// A damaged index of which every entry is whole.
fn cut_short(user: &User) {
    let path = user.root().join("jobs.json");
    let text = std::fs::read(&path).unwrap();
    std::fs::write(path, &text[..text.len() - 3]).unwrap();
}

/// An example that follows without end is interrupted, which is no failure of it; what only a running job can say is said by
/// one.
fn bounded(line: &str) -> String {
    if line.contains(INSIDE) {
        return "bgctl start --quiet -- sh -c \"$LINE; echo \\$? > asked\"
            until test -s asked; do sleep 0.01; done; exit $(cat asked)"
            .to_owned();
    }
    if line.contains("events -f") { format!("timeout 1 {line}; test $? = 124") } else { line.to_owned() }
}

/// What an example started comes to a good end, too.
fn all_complete(user: &User, line: &str) {
    let jobs: Value = serde_json::from_str(&user.ok(["list", "--all", "--json"])).unwrap();
    for job in jobs["jobs"].as_array().unwrap() {
        let id = job["id"].as_str().unwrap();
        assert_eq!(user.wait(id), 0, "{line}\n{}", user.ok(["logs", id]));
    }
}

#[test]
fn the_examples_of_every_long_help_can_be_run() {
    for path in paths() {
        run_examples(&path[0], examples_of(&path));
    }
}

#[test]
fn the_examples_of_the_whole_can_be_run() {
    run_examples("bgctl", lines_of(parts(&format!("Examples:\n{}", help::EXAMPLES))));
}
