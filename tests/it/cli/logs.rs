//! `bgctl logs`

use super::{Held, configure, hears_interrupts, hold_both_slots, interruptible, retried, shell};
use crate::support::{Ran, User, ended, kill, until};
use bgctl::exec::local::cut::{Cut, CutFile};
use bgctl::os::folder::Folder;
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::Stdio;

#[test]
fn the_output_comes_as_the_job_wrote_it() {
    let user = User::new();
    let id = user.start_sh("printf 'a\\n\\033[1mb\\377\\000'; printf 'c' >&2");
    user.wait(&id);
    let output = user.bgctl(["logs", &id]).output().unwrap();
    assert_eq!(output.stdout, b"a\n\x1b[1mb\xff\0c", "raw to a pipe");
    assert!(output.status.success());
}

#[test]
fn the_last_lines_can_be_asked_for() {
    let user = User::new();
    let id = user.start_sh("seq 5; printf end");
    user.wait(&id);
    for (lines, wanted) in [("0", ""), ("1", "end"), ("3", "4\n5\nend"), ("99", "1\n2\n3\n4\n5\nend")] {
        assert_eq!(user.ok(["logs", "-n", lines, &id]), wanted);
    }
    assert_eq!(user.run(["logs", "-n", "-1", &id]).code, 2);
    assert_eq!(user.run(["logs", "-n", "many", &id]).code, 2);
}

#[test]
fn following_shows_a_line_while_the_job_still_runs_and_ends_with_it() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "echo early; trap 'echo late' EXIT", &[]);
    let mut child = user.bgctl(["logs", "--follow", &held.id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!((line.as_str(), user.status(&held.id).as_str()), ("early\n", "running"));
    held.let_go(0);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), ended(&mut child)), ("late\n", 0));
}

#[test]
fn following_with_lines_begins_with_the_last_ones() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "seq 5; trap 'echo late' EXIT", &[]);
    until("it wrote", || user.ok(["logs", &held.id]).ends_with("5\n"));
    let mut child = user.bgctl(["logs", "-f", "-n", "2", &held.id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "4\n");
    held.let_go(3);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), ended(&mut child)), ("5\nlate\n", 0), "its failure is not that of logs");
}

#[test]
fn following_a_queued_job_begins_with_it() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start_sh("echo at last");
    let child = interruptible(&user, &["logs", "-f", &queued]).stdout(Stdio::piped()).spawn().unwrap();
    until("it follows", || hears_interrupts(child.id()));
    held[0].let_go(0);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (0, "at last\n"));
}

#[test]
fn following_what_has_ended_prints_all_and_ends() {
    let user = User::new();
    let id = user.start_sh("seq 3");
    user.wait(&id);
    assert_eq!(user.ok(["logs", "-f", &id]), "1\n2\n3\n");
}

#[test]
fn an_interrupt_of_following_leaves_the_job_running_and_says_so() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let child = interruptible(&user, &["logs", "-f", &held.id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it follows", || hears_interrupts(child.id()));
    kill(child.id().cast_signed(), rustix::process::Signal::INT);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130);
    assert!(ran.err.contains(&format!("{} goes on", held.id)), "{}", ran.err);
    assert_eq!(user.status(&held.id), "running");
}

#[test]
fn a_job_that_has_not_begun_has_no_output_yet() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    let ran = user.run(["logs", &queued]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    user.ok(["cancel", &queued]);
    let ran = user.run(["logs", &queued]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "cancelled before it ran, it never had any");
    assert_eq!(user.run(["logs", "-f", &queued]).code, 0);
}

#[test]
fn a_log_that_is_gone_is_said_to_be_gone() {
    let user = User::new();
    let id = user.start_sh("echo a");
    user.wait(&id);
    std::fs::remove_file(user.root().join("runs").join(format!("{id}.log"))).unwrap();
    let ran = user.run(["logs", &id]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains(&format!("the log of {id} is gone")), "{}", ran.err);
}

#[test]
fn a_reader_that_goes_away_has_what_it_wanted() {
    let user = User::new();
    let id = user.start_sh("seq 200000");
    user.wait(&id);
    let ran = shell(&user, &format!("{{ \"$BGCTL\" logs {id}; echo $? > code; }} | head -n 1"));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("1\n", ""));
    assert_eq!(user.line_in("code"), "0\n");
}

#[test]
fn a_follower_whose_reader_goes_away_ends_with_the_next_line() {
    let user = User::new();
    let id = user.start_sh("while :; do echo line; sleep 0.01; done");
    let ran = shell(&user, &format!("{{ \"$BGCTL\" logs -f {id}; echo $? > code; }} | head -n 1"));
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("line\n", ""));
    assert_eq!(user.line_in("code"), "0\n");
    assert_eq!(user.status(&id), "running");
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let user = User::new();
    let id = user.start_sh("echo a");
    user.wait(&id);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(
        &user.bgctl(["logs", &id]).stdout(full.as_fd().try_clone_to_owned().unwrap()).output().unwrap(),
    );
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
}

#[test]
fn a_job_is_asked_for_and_it_must_be_there() {
    let user = User::new();
    assert_eq!(user.run(["logs"]).code, 2);
    assert_eq!(user.run(["logs", "nobody"]).code, 3);
    assert!(!user.root().exists(), "reading makes nothing");
}

#[test]
fn the_first_lines_can_be_asked_for_and_both_ends() {
    let user = User::new();
    let id = user.start_sh("seq 9; printf end");
    user.wait(&id);
    for (lines, wanted) in [("0", ""), ("2", "1\n2\n"), ("99", "1\n2\n3\n4\n5\n6\n7\n8\n9\nend")] {
        assert_eq!(user.ok(["logs", "--head", lines, &id]), wanted);
    }
    let both = user.ok(["logs", "--head", "2", "-n", "2", &id]);
    assert_eq!(both, "1\n2\n[bg: not shown: 6 lines, 12 bytes]\n9\nend");
    let both = user.ok(["logs", "--head", "5", "-n", "5", &id]);
    assert_eq!(both, "1\n2\n3\n4\n5\n6\n7\n8\n9\nend", "nothing is between, and nothing twice");
    assert_eq!(user.run(["logs", "--head", "2", "-f", &id]).code, 2);
}

#[test]
fn a_path_is_printed_and_nothing_else() {
    let user = User::new();
    let id = user.start_sh("echo a");
    user.wait(&id);
    let path = user.root().join("runs").join(format!("{id}.log"));
    assert_eq!(user.ok(["logs", "--path", &id]), format!("{}\n", path.display()));
    let said = user.run(["logs", "--path", "--json", &id]).json();
    assert_eq!(said["jobs"], json!([{ "id": id, "path": path }]));
    assert_eq!(user.run(["logs", "--path", "--raw", &id]).code, 2);
    std::fs::remove_file(path).unwrap();
    assert_eq!(user.run(["logs", "--path", &id]).code, 1);
}

#[test]
fn several_jobs_lines_begin_with_their_names() {
    let user = User::new();
    let web = user.start(["--name", "web\x1b[2J", "--", "sh", "-c", "seq 2; printf 3"]);
    let other = user.start_sh("printf 'a\\rb\\n\\n'");
    user.wait(&web);
    user.wait(&other);
    let short = &other[other.len() - 6..];
    let wide = "web\\u{1b}[2J";
    let wanted = format!("{wide} | 1\n{wide} | 2\n{wide} | 3\n{short:12} | a\rb\n{short:12} | \n");
    assert_eq!(user.ok(["logs", &web, &other]), wanted);
    assert_eq!(user.ok(["logs", &other, &other]), "a\rb\n\n", "the same job twice is one");
    let said = user.run(["logs", "--json", &web, &other]).json();
    assert_eq!(said["jobs"][0]["output"], "1\n2\n3");
    assert_eq!(said["jobs"][1]["id"], json!(other));
}

#[test]
fn a_log_that_is_gone_does_not_hide_the_others() {
    let user = User::new();
    let [gone, there] = ["gone", "there"].map(|word| user.start_sh(&format!("echo {word}")));
    user.wait(&gone);
    user.wait(&there);
    std::fs::remove_file(user.root().join("runs").join(format!("{gone}.log"))).unwrap();
    let ran = user.run(["logs", &gone, &there]);
    assert_eq!((ran.code, ran.out), (1, format!("{} | there\n", &there[there.len() - 6..])));
    assert_eq!(
        ran.err,
        format!("bgctl: the log of {gone} is gone\n  bgctl status {gone} shows what else is known of it\n")
    );
}

#[test]
fn what_one_attempt_wrote_can_be_asked_for() {
    let user = User::new();
    let id = retried(&user, "completed");
    for (attempt, wanted) in [("1", "one\n"), ("2", "two\ntwo again\n")] {
        assert_eq!(user.ok(["logs", "--attempt", attempt, &id]), wanted);
    }
    assert_eq!(user.ok(["logs", "--attempt", "2", "-n", "1", &id]), "two again\n");
    assert_eq!(user.ok(["logs", "--attempt", "2", "--head", "1", &id]), "two\n");
    assert_eq!(user.ok(["logs", &id]), "one\ntwo\ntwo again\n");
    let ran = user.run(["logs", "--attempt", "3", &id]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert_eq!(ran.err, format!("bgctl: {id} had 2 attempts; there is no attempt 3\n"));
    assert_eq!(user.run(["logs", "--attempt", "0", &id]).code, 2);
    let runs = user.root().join("runs");
    std::fs::remove_file(runs.join(format!("{id}.meta.json"))).unwrap();
    assert_eq!(user.ok(["logs", "--attempt", "1", &id]), "one\n", "the record tells it too");
    std::fs::remove_file(runs.join(format!("{id}.lock"))).unwrap();
    let ran = user.run(["logs", "--attempt", "1", &id]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("not known any more"), "{}", ran.err);
}

#[test]
fn the_present_attempt_of_a_running_job_can_be_asked_for() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "echo now", &[]);
    until("it wrote", || user.ok(["logs", "--attempt", "1", &held.id]) == "now\n");
    let ran = user.run(["logs", "--attempt", "2", &held.id]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("has no attempt 2 yet"), "{}", ran.err);
}

#[test]
fn a_terminal_is_not_commanded_unless_asked() {
    let user = User::new();
    let wild = "printf '\\033[31mred\\033[0m\\033[2Jx\\033]0;t\\007\\377 10%%\\r20%%\\n'";
    let id = user.start_sh(wild);
    user.wait(&id);
    let safe = "\x1b[31mred\x1b[0m\\u{1b}[2Jx\\u{1b}]0;t\\u{7}\\xff 10%\r\n20%\r\n\x1b[0m";
    assert_eq!(in_terminal(&user, &["logs", &id], false), safe);
    let plain = safe.replace("\x1b[31m", "").replace("\x1b[0m", "");
    assert_eq!(in_terminal(&user, &["logs", &id], true), plain, "without colours");
    let raw = "\x1b[31mred\x1b[0m\x1b[2Jx\x1b]0;t\x07\u{fffd} 10%\r20%\r\n";
    assert_eq!(in_terminal(&user, &["logs", "--raw", &id], false), raw);
    let other = user.start_sh("printf '\\033[32mgreen\\nnext'");
    user.wait(&other);
    let said = in_terminal(&user, &["logs", "-n1", &id, &other], false);
    let second = &other[other.len() - 6..];
    let prefix = format!("\x1b[33m{second} | \x1b[0m");
    assert!(said.ends_with(&format!("{prefix}next\r\n")), "{said:?}");
    assert!(said.starts_with("\x1b[36m"), "{said:?}");
}

#[test]
fn a_middle_that_was_left_out_is_said_and_never_shown_as_output() {
    let user = User::new();
    let id = user.start_sh("seq 100 199; seq 800 899");
    user.wait(&id);
    let runs = Folder::open(&user.root().join("runs")).unwrap().unwrap();
    // As a punched log: the first 40 of 800 bytes, a line, a hole, the last 40 bytes at their old place.
    let path = user.root().join("runs").join(format!("{id}.log"));
    let mut log = std::fs::read(&path).unwrap();
    log[40..760].fill(0);
    log[40..50].copy_from_slice(b"[the line\n");
    std::fs::write(&path, log).unwrap();
    let job_id = bgctl::model::id::JobId::parse(&id).unwrap();
    let cut = Cut { sequence: 2, head_end: 40, tail_begin: 760, removed: 0 };
    CutFile::open(&runs, &job_id).unwrap().write(&cut).unwrap();
    let lines =
        |numbers: std::ops::RangeInclusive<u32>| numbers.map(|one| format!("{one}\n")).collect::<String>();
    let note = "[bg: left out here: 720 bytes]\n";
    assert_eq!(user.ok(["logs", &id]), format!("{}{note}{}", lines(100..=109), lines(890..=899)));
    assert_eq!(user.ok(["logs", "-f", &id]), format!("{}{note}{}", lines(100..=109), lines(890..=899)));
    assert_eq!(user.ok(["logs", "-n", "10", &id]), lines(890..=899));
    assert_eq!(user.ok(["logs", "-n", "12", &id]), format!("109\n{note}{}", lines(890..=899)));
    assert_eq!(user.ok(["logs", "--head", "11", &id]), format!("{}{note}", lines(100..=109)));
    let both = user.ok(["logs", "--head", "1", "-n", "1", &id]);
    assert_eq!(both, "100\n[bg: not shown: 792 bytes]\n899\n");
    let said = user.run(["logs", "--json", &id]).json();
    assert_eq!(said["jobs"][0]["left_out_bytes"], 720);
}

#[test]
fn wrong_settings_are_told_beside_the_output() {
    let user = User::new();
    let id = user.start_sh("echo a");
    user.wait(&id);
    configure(&user, "[queue]\nmax_concurrent = 0\n");
    let ran = user.run(["logs", &id]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "a\n"));
    assert!(ran.err.contains("the built-in settings hold"), "{}", ran.err);
}

/// What a terminal is sent by `bgctl`.
fn in_terminal(user: &User, arguments: &[&str], no_color: bool) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let control = openpt(flags).unwrap();
    grantpt(&control).unwrap();
    unlockpt(&control).unwrap();
    let name = ptsname(&control, Vec::new()).unwrap();
    let end = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut command = user.bgctl(arguments);
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let mut child = command.stdout(end).spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // Once the last one who has the terminal open has left, reading it fails (EIO).
    let _ = std::fs::File::from(control).read_to_end(&mut shown);
    assert_eq!(ended(&mut child), 0);
    String::from_utf8_lossy(&shown).into_owned()
}
