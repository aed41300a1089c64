//! The tabulator key, in the real shells.

use super::{BASH, FISH, Shell, ZSH, is_installed, run, shells, terminal::Terminal};
use crate::faces::{has_only, is_fresh, project};
use crate::support::{BGCTL, User, kill, until};
use rustix::process::Signal;

#[test]
fn faces_the_committed_completions_are_fresh() {
    let files = bgctl::ops::init::completion_files();
    for (name, text) in &files {
        is_fresh(&format!("completions/{name}"), text);
    }
    has_only("completions", &files.map(|(name, _)| name.to_owned()));
}

/// What a shell is told for this line, whose last word is the one to complete.
fn offered(user: &User, shell: &str, line: &[&str]) -> Vec<String> {
    let place = (line.len() - 1).to_string();
    let ran = run(user.bgctl([&place]).args(line).env("BGCTL_COMPLETE", shell));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line:?}");
    ran.out.lines().map(str::to_owned).collect()
}

/// A job that runs until the test is over, one that waits for a slot, and one that has ended.
fn three_jobs(user: &User) -> [String; 3] {
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let ended = user.start(["--quiet", "--name", "over", "--label", "old", "--", "true"]);
    user.wait(&ended);
    let running = user.start(["--quiet", "--name", "build", "--label", "nightly", "--", "sleep", "1000"]);
    let queued = user.start(["--quiet", "--label", "nightly", "--", "sleep", "1000"]);
    [running, queued, ended]
}

#[test]
fn only_jobs_that_have_not_ended_are_offered_to_cancel() {
    let user = User::new();
    let [running, queued, _] = three_jobs(&user);
    assert_eq!(offered(&user, "bash", &["bgctl", "cancel", ""]), [&queued, "build", &running]);
}

#[test]
fn the_name_of_another_terminals_job_is_not_offered_to_change_it() {
    let user = User::new();
    let [running, queued, _] = three_jobs(&user);
    let index = user.index().to_string();
    let elsewhere = index.replacen("\"name\":\"build\"", "\"name\":\"build\",\"session\":\"7-7\"", 1);
    assert_ne!(index, elsewhere);
    user.write_index(&elsewhere);
    assert_eq!(offered(&user, "bash", &["bgctl", "cancel", ""]), [queued, running]);
    assert!(offered(&user, "bash", &["bgctl", "status", ""]).contains(&"build".to_owned()));
}

#[test]
fn running_jobs_are_offered_to_send_to_and_signals_behind_them() {
    let user = User::new();
    let [running, ..] = three_jobs(&user);
    for verb in ["send", "signal"] {
        assert_eq!(offered(&user, "bash", &["bgctl", verb, ""]), ["build", &running], "{verb}");
    }
    assert_eq!(offered(&user, "bash", &["bgctl", "signal", "build", "U"]), ["USR1", "USR2"]);
    let behind = offered(&user, "bash", &["bgctl", "signal", "build", ""]);
    assert_eq!(behind[..2], ["TERM", "INT"]);
    assert!(behind.contains(&running), "several can be meant");
}

#[test]
fn only_ended_jobs_are_offered_to_retry_and_only_dead_letters_to_dead() {
    let user = User::new();
    let [_, _, ended] = three_jobs(&user);
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let dead = "{\"id\":\"bg_20260213_letter\",\"command\":\"false\",\"cwd\":\"/\",\"status\":\"failed\",\
                \"created_at\":\"2026-02-13T10:00:00Z\",\"dead_letter\":true,\"labels\":[\"dusty\"]},";
    user.write_index(&text.replacen("\"jobs\":[", &format!("\"jobs\":[\n{dead}"), 1));
    let letter = "bg_20260213_letter";
    assert_eq!(offered(&user, "bash", &["bgctl", "retry", ""]), ["over", &ended, letter]);
    assert_eq!(offered(&user, "bash", &["bgctl", "retry", "--dead", "--label", ""]), ["dusty"]);
    assert_eq!(offered(&user, "bash", &["bgctl", "dead", ""]), ["list", "show", "clear"]);
    for line in [["bgctl", "dead", "show", ""], ["bgctl", "dead", "clear", "bg_"], ["bg", "dlq", "show", ""]]
    {
        assert_eq!(offered(&user, "bash", &line), [letter], "{line:?}");
    }
}

#[test]
fn all_jobs_are_offered_to_look_at_with_the_newest_first() {
    let user = User::new();
    let [running, queued, ended] = three_jobs(&user);
    for verb in ["status", "logs", "wait"] {
        let all = offered(&user, "bash", &["bg", verb, ""]);
        assert_eq!(all, [&queued, "build", &running, "over", &ended], "{verb}");
    }
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--label", ""]), ["nightly", "old"]);
}

#[test]
fn a_job_is_described_by_its_state_and_command_where_the_shell_shows_it() {
    let user = User::new();
    let [running, queued, _] = three_jobs(&user);
    let lines = offered(&user, "fish", &["bgctl", "cancel", ""]);
    assert_eq!(
        lines,
        [
            format!("{queued}\tqueued  sleep 1000"),
            "build\trunning  sleep 1000".to_owned(),
            format!("{running}\trunning  build: sleep 1000"),
        ]
    );
}

#[test]
fn the_random_part_of_an_id_is_enough() {
    let user = User::new();
    let [running, ..] = three_jobs(&user);
    let random = running.rsplit('_').next().unwrap();
    assert_eq!(offered(&user, "bash", &["bgctl", "cancel", &random[..5]]), [random]);
}

#[test]
fn the_keys_that_jobs_have_or_had_are_offered_to_look_at_the_newest_first() {
    let user = User::new();
    three_jobs(&user);
    for key in ["first", "second", "first"] {
        user.wait(&user.start(["--quiet", "--service", "--key", key, "--", "true"]));
    }
    assert_eq!(offered(&user, "bash", &["bgctl", "status", "--key", ""]), ["first", "second"]);
    assert_eq!(offered(&user, "fish", &["bgctl", "status", "--key", "s"]), ["second\tcompleted  true"]);
    assert!(!offered(&user, "bash", &["bgctl", "start", "--key", ""]).contains(&"first".to_owned()));
}

#[test]
fn schedules_are_offered_by_what_can_be_done_with_them_and_zones_by_their_beginning() {
    let user = User::new();
    for name in ["backup", "news"] {
        user.ok(["schedule", "add", name, "--every", "365d", "--", "true"]);
    }
    user.ok(["schedule", "pause", "news"]);
    user.wait(&user.start(["--quiet", "--", "true"]));
    user.ok(["tick"]);
    let offered_to = |verb: &str| offered(&user, "bash", &["bgctl", "schedule", verb, ""]);
    let all = ["backup", "news", "idempotency_cleanup", "retention"];
    for (verb, names) in [
        ("show", &all[..]),
        ("run", &all),
        ("list", &all),
        ("pause", &["backup", "idempotency_cleanup", "retention"]),
        ("resume", &["news"]),
        ("remove", &["backup", "news"]),
        ("add", &["backup", "news"]),
    ] {
        assert_eq!(offered_to(verb), names, "{verb}");
    }
    assert_eq!(offered(&user, "fish", &["bgctl", "schedule", "run", "b"]), ["backup\tevery 365d"]);
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--schedule", "n"]), ["news"]);
    let verbs = ["list", "show", "add", "run", "pause", "resume", "remove"];
    assert_eq!(offered(&user, "bash", &["bgctl", "schedule", ""]), verbs);
    let zones = offered(&user, "bash", &["bgctl", "schedule", "add", "x", "--tz", "Europe/Berl"]);
    assert_eq!(zones, ["Europe/Berlin"]);
    assert!(
        offered(&user, "bash", &["bgctl", "schedule", "add", "x", "--ov"]).contains(&"--overlap".to_owned())
    );
}

#[test]
fn what_stands_on_the_line_is_not_offered_again() {
    let user = User::new();
    let [running, queued, _] = three_jobs(&user);
    assert_eq!(offered(&user, "bash", &["bgctl", "cancel", "build", ""]), [queued.as_str(), &running]);
}

#[test]
fn states_are_offered_and_may_be_joined() {
    let user = User::new();
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--status", "fa"]), ["failed"]);
    assert_eq!(
        offered(&user, "bash", &["bgctl", "list", "--status=failed,ca"]),
        ["--status=failed,cancelled"]
    );
}

#[test]
fn only_states_and_labels_that_a_subcommand_can_choose_by_are_offered() {
    let user = User::new();
    let states = |name: &str| offered(&user, "bash", &["bgctl", name, "--status", ""]);
    for name in ["cancel", "wait", "logs", "pause", "resume"] {
        assert_eq!(states(name), ["queued", "running", "waiting_approval", "active"], "{name}");
    }
    assert_eq!(states("prune"), ["completed", "failed", "cancelled", "ended"]);
    assert_eq!(states("list").len(), 8);
    let over = user.start(["--quiet", "--label", "over", "--", "true"]);
    user.wait(&over);
    user.start(["--quiet", "--label", "running", "--", "sleep", "1000"]);
    assert_eq!(offered(&user, "bash", &["bgctl", "prune", "--label", ""]), ["over"]);
    for name in ["cancel", "wait", "logs"] {
        assert_eq!(offered(&user, "bash", &["bgctl", name, "--label", ""]), ["running"], "{name}");
    }
}

#[test]
fn options_are_offered_after_a_dash_or_where_there_is_nothing_else() {
    let user = User::new();
    three_jobs(&user);
    assert!(offered(&user, "bash", &["bgctl", "cancel", "--no"]).contains(&"--no-wait".to_owned()));
    assert!(offered(&user, "bash", &["bgctl", "prune", ""]).contains(&"--dry-run".to_owned()));
    assert!(!offered(&user, "bash", &["bgctl", "cancel", ""]).iter().any(|one| one.starts_with('-')));
}

#[test]
fn a_name_that_would_need_quotes_is_offered_to_shells_that_quote() {
    let user = User::new();
    let id = user.start(["--name", "two words", "--label", "$(id)", "--", "true"]);
    user.wait(&id);
    assert_eq!(offered(&user, "bash", &["bgctl", "logs", ""]), [id.as_str()]);
    assert!(offered(&user, "elvish", &["bgctl", "logs", ""])[0].starts_with("two words\tcompleted"));
    assert!(offered(&user, "zsh", &["bgctl", "logs", "two"])[0].starts_with("two words:completed"));
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--label", ""]), [""; 0]);
}

#[test]
fn the_second_word_of_another_command_is_not_completed() {
    let user = User::new();
    three_jobs(&user);
    assert_eq!(offered(&user, "bash", &["bg", "%1", ""]), [""; 0]);
    assert_eq!(offered(&user, "bash", &["bg", "nonsense", ""]), [""; 0]);
}

#[test]
fn nothing_is_said_or_made_where_there_are_no_jobs() {
    let user = User::new();
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--label", ""]), [""; 0]);
    assert!(!user.root().exists(), "looking for jobs makes no root");
    user.write_index("{ this is no index");
    assert_eq!(offered(&user, "bash", &["bgctl", "list", "--label", ""]), [""; 0]);
    let entries = std::fs::read_dir(user.root()).unwrap().count();
    assert_eq!(entries, 1, "nor anything in it");
}

#[test]
fn a_variable_that_was_left_set_changes_no_command() {
    let user = User::new();
    for value in ["bash", "nonsense", ""] {
        let ran = run(user.bgctl(["list", "--json"]).env("BGCTL_COMPLETE", value));
        assert_eq!((ran.code, ran.json()["command"].as_str()), (0, Some("list")));
    }
}

/// A start-up file that finds `bgctl` on the PATH and loads the committed file as this shell would.
fn with_the_committed_file(user: &User, shell: Shell) -> String {
    let folder = user.path("bin");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink(BGCTL, folder.join("bgctl")).unwrap();
    let folder = folder.display();
    let completions = project("completions");
    match shell.name {
        "bash" => format!("PATH={folder}:$PATH\n. {}/bgctl.bash", completions.display()),
        "zsh" => format!(
            "PATH={folder}:$PATH\nfpath=({} $fpath)\nautoload -Uz compinit\ncompinit -u -D",
            completions.display()
        ),
        _ => {
            let own = user.path("home/.config/fish/completions");
            std::fs::create_dir_all(&own).unwrap();
            std::fs::copy(completions.join("bgctl.fish"), own.join("bgctl.fish")).unwrap();
            format!("set --export PATH {folder} $PATH")
        }
    }
}

/// The line that the help of `bgctl init` asks for, after what it needs.
fn with_init(shell: Shell) -> String {
    let before = if shell.name == ZSH.name { "autoload -Uz compinit\ncompinit -u -D\n" } else { "" };
    format!("{before}{}", shell.load)
}

/// elvish has no job control: `bg` is the program itself there.
const ELVISH: Shell = Shell { name: "elvish", target: "elvish", ..BASH };

/// A job of this terminal, and so one that can be cancelled here by its name.
#[track_caller]
fn start_build(user: &User, terminal: &Terminal) {
    terminal.enter(&format!("{BGCTL} start --quiet --name build -- sleep 1000"));
    terminal.until("the job runs", || user.run(["status", "build"]).code == 0);
}

#[test]
fn a_tab_completes_a_job_in_elvish() {
    if !is_installed("elvish") {
        crate::support::skipped("elvish is not installed");
        return;
    }
    let committed = std::fs::read_to_string(project("completions/bgctl.elv")).unwrap();
    for text in [committed.as_str(), "eval (bgctl init elvish | slurp)"] {
        let user = User::new();
        let folder = user.path("bin");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(BGCTL, folder.join("bgctl")).unwrap();
        let start_up = format!("set paths = [{} $@paths]\n{text}", folder.display());
        let terminal = Terminal::open_with(&user, ELVISH, &start_up);
        start_build(&user, &terminal);
        terminal.enter("bgctl can\tbui\t");
        terminal.until("the job is cancelled", || user.status("build") == "cancelled");
    }
}

fn completing_shells() -> impl Iterator<Item = Shell> {
    shells().into_iter().filter(|shell| [BASH.name, ZSH.name, FISH.name].contains(&shell.name))
}

#[test]
fn a_tab_completes_a_job_with_the_committed_file() {
    for shell in completing_shells() {
        let user = User::new();
        let start_up = with_the_committed_file(&user, shell);
        let terminal = Terminal::open_with(&user, shell, &start_up);
        start_build(&user, &terminal);
        terminal.enter("bgctl can\tbui\t");
        terminal.until("the job is cancelled", || user.status("build") == "cancelled");
    }
}

#[test]
fn a_tab_completes_a_job_for_bg_and_for_bgctl_after_init() {
    for shell in completing_shells() {
        let user = User::new();
        let terminal = Terminal::open_with(&user, shell, &with_init(shell));
        start_build(&user, &terminal);
        terminal.enter("bg can\tbui\t> said");
        terminal.until("the job is cancelled", || user.status("build") == "cancelled");
    }
}

#[test]
fn a_tab_after_bg_still_completes_a_stopped_job_of_the_shell() {
    for shell in completing_shells() {
        let user = User::new();
        let terminal = Terminal::open_with(&user, shell, &with_init(shell));
        terminal.enter("sleep 1000");
        let sleep = terminal.foreground_is("sleep 1000");
        terminal.suspend();
        terminal.until("the sleep is stopped", || super::prompt::state(sleep) == 'T');
        let word = match shell.name {
            "fish" => sleep.to_string()[..sleep.to_string().len() - 1].to_owned(),
            _ => "%sl".to_owned(),
        };
        terminal.enter(&format!("bg {word}\t"));
        terminal.until("the sleep goes on", || super::prompt::state(sleep) == 'S');
        kill(sleep, Signal::KILL);
    }
}

#[test]
fn a_tab_after_start_and_two_dashes_completes_a_command() {
    for shell in completing_shells() {
        let user = User::new();
        std::fs::create_dir(user.path("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/true", user.path("bin/a-rather-odd-name")).unwrap();
        let path = if shell.name == "fish" { "set --export PATH bin $PATH" } else { "PATH=$PWD/bin:$PATH" };
        let path = path.replace("PATH bin", &format!("PATH {}/bin", user.path("").display()));
        let terminal = Terminal::open_with(&user, shell, &format!("{path}\n{}", with_init(shell)));
        terminal.enter("bg start --wait -- a-rather-o\t");
        until("the job is there", || {
            let jobs = user.run(["list", "--all", "--json"]);
            jobs.out.contains("a-rather-odd-name")
        });
    }
}

/// The function that bash calls, called as bash does, with what it splits at `=` and `:`.
#[test]
fn in_bash_what_stands_together_is_one_word() {
    if !is_installed("bash") {
        crate::support::skipped("bash is not installed");
        return;
    }
    let user = User::new();
    let id = user.start(["--name", "web:dev", "--label", "nightly", "--", "true"]);
    user.wait(&id);
    let text = format!(
        r#"{}
        try() {{
          COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=("${{@:3}}") COMPREPLY=()
          COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
          _bgctl bgctl "$2" ''
          printf '<%s>' "${{COMPREPLY[@]}}"
          echo
        }}
        try 'bgctl logs web:d' d bgctl logs web : d
        try 'bgctl list --label=ni' ni bgctl list --label = ni
        try 'bgctl list --label=' '' bgctl list --label =
        try 'bgctl list --status=failed,canc' failed,canc bgctl list --status = failed,canc"#,
        BASH.load
    );
    let ran = run(&mut BASH.bare_script(&user, &text));
    assert_eq!(
        (ran.out.as_str(), ran.err.as_str()),
        ("<dev>\n<nightly>\n<nightly>\n<failed,cancelled>\n", "")
    );
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_committed_file() {
    if !is_installed("shellcheck") {
        crate::support::skipped("shellcheck is not installed");
        return;
    }
    let user = User::new();
    let ran = run(user
        .command("shellcheck")
        .args(["--norc", "--shell", "bash"])
        .arg(project("completions/bgctl.bash")));
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
}
