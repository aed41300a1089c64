//! `bgctl logs`

use super::{Held, hears_interrupts, hold_both_slots, interruptible, shell};
use crate::support::{Ran, User, ended, kill, until};
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
fn only_one_job_is_asked_for_and_it_must_be_there() {
    let user = User::new();
    assert_eq!(user.run(["logs"]).code, 2);
    assert_eq!(user.run(["logs", "nobody"]).code, 3);
    assert!(!user.root().exists(), "reading makes nothing");
}
