//! `--ready` of `start` and `wait`.

use super::{Held, hears_interrupts, hold_both_slots, interruptible, retried};
use crate::support::{Ran, User, ended, kill, until};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn a_start_returns_once_the_output_shows_the_line() {
    let user = User::new();
    // A gate each: a reader that comes while a writer of the same one leaves would find its end.
    let [line, end] = ["line", "end"].map(|name| user.fifo(name));
    let script = format!(
        "echo starting; read x < '{}'; echo listening on :80; read x < '{}'",
        line.display(),
        end.display()
    );
    let mut child = user
        .bgctl(["start", "--ready", "^listening on :[0-9]+$", "--", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut id = String::new();
    out.read_line(&mut id).unwrap();
    let id = id.trim_end().to_owned();
    until("it begins", || user.ok(["logs", &id]) == "starting\n");
    assert!(child.try_wait().unwrap().is_none(), "the id comes first, and the line has not");
    std::fs::write(line, "\n").unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), ended(&mut child)), ("", 0));
    assert_eq!(user.status(&id), "running");
    assert_eq!(user.run(["wait", "--ready", "listening", &id]).code, 0, "what is there already counts");
    std::fs::write(end, "\n").unwrap();
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn a_line_whose_end_has_not_come_counts() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "printf 'password: '", &[]);
    let ran = user.run(["wait", "--ready", "^password: $", &held.id]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn a_job_that_ends_first_gives_its_code_and_that_is_said() {
    let user = User::new();
    for code in [0, 7] {
        let script = format!("echo other; exit {code}");
        let ran = user.run(["start", "--ready", "line", "--", "sh", "-c", &script]);
        let id = ran.out.trim_end();
        assert_eq!(ran.code, code);
        assert!(ran.err.starts_with(&format!("{id} ended before its log showed the line\n")), "{}", ran.err);
        assert_eq!(ran.err.contains("exit code 7"), code == 7, "{}", ran.err);
        let ran = user.run(["wait", "--ready", "line", "--quiet", id]);
        assert_eq!((ran.code, ran.err.as_str()), (code, ""));
    }
    let never = user.run(["start", "--ready", "x", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(never.code, 137);
}

#[test]
fn a_job_that_shows_the_line_and_ends_was_ready() {
    let user = User::new();
    let ran = user.run(["start", "--ready", "ready", "--", "sh", "-c", "echo ready; exit 3"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = ran.out.trim_end();
    user.wait(id);
    let ran = user.run(["wait", "--ready", "ready", id]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.err, format!("its log showed the line, and then it ended: {id} failed: exit code 3\n"));
}

#[test]
fn a_wait_has_its_time() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for time in ["0", "1s"] {
        let ran = user.run(["wait", "--ready", "never", "--within", time, &held.id]);
        assert_eq!((ran.code, ran.out.as_str()), (121, ""));
        assert_eq!(ran.err, format!("the time is over, and its log has not shown the line: {}\n", held.id));
    }
    let busy =
        ["start", "--ready", "never", "--within", "1s", "--", "sh", "-c", "while :; do echo busy; done"];
    let ran = user.run(busy);
    assert_eq!(ran.code, 121, "a job that never stops writing holds nobody: {}", ran.err);
    user.ok(["cancel", ran.out.trim_end()]);
    held.let_go(0);
}

#[test]
fn a_start_that_waits_for_the_end_has_its_time_too() {
    let user = User::new();
    let ran = user.run(["start", "--wait", "--within", "1s", "--", "sleep", "1000"]);
    let id = ran.out.trim_end();
    assert_eq!(ran.code, 121);
    assert_eq!(ran.err, format!("the time is over, and it still goes on: {id}\n"));
    user.ok(["cancel", id]);
    assert_eq!(user.run(["start", "--wait", "--within", "1m", "--", "sh", "-c", "exit 4"]).code, 4);
    assert_eq!(user.run(["start", "--within", "1m", "--", "true"]).code, 2, "there is nothing to wait for");
    assert_eq!(user.run(["start", "--wait", "--ready", "x", "--", "true"]).code, 2);
    assert_eq!(user.run(["start", "--follow", "--ready", "x", "--", "true"]).code, 2);
}

#[test]
fn a_pattern_that_is_wrong_shows_where_and_starts_nothing() {
    let user = User::new();
    let ran = user.run(["start", "--ready", "a(b", "--", "true"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("      a(b\n       ^\n") && ran.err.contains("unclosed group"), "{}", ran.err);
    assert!(!user.root().exists());
    let id = user.start(["true"]);
    let ran = user.run(["wait", "--ready", "[z-a]", "--json", &id]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (2, &json!("usage")));
}

#[test]
fn a_queued_job_is_waited_for() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start_sh("echo at last; read x < gate");
    let gate = user.fifo("gate");
    let mut child = interruptible(&user, &["wait", "--ready", "last", &queued]).spawn().unwrap();
    until("it waits", || hears_interrupts(child.id()));
    held[0].let_go(0);
    assert_eq!(ended(&mut child), 0);
    assert_eq!(user.status(&queued), "running");
    std::fs::write(gate, "\n").unwrap();
}

#[test]
fn only_the_present_attempt_counts() {
    let user = User::new();
    let id = retried(&user, "running");
    assert_eq!(user.run(["wait", "--ready", "two", &id]).code, 0);
    assert_eq!(user.run(["wait", "--ready", "one", "--within", "0", &id]).code, 121);
}

#[test]
fn several_are_all_waited_for_or_the_first() {
    let user = User::new();
    let ready = Held::start_with(&user, "ready", "echo ready", &[]);
    let other = Held::start(&user, "other");
    let both = ["wait", "--ready", "ready", &ready.id, &other.id];
    let ran = user.run(both.into_iter().chain(["--within", "1s"]));
    assert_eq!(ran.code, 121);
    assert!(ran.err.ends_with(&format!("the line: {}\n", other.id)), "{}", ran.err);
    let ran = user.run(both.into_iter().chain(["--any"]));
    assert_eq!((ran.code, ran.out), (0, format!("{}\n", ready.id)));
    other.let_go(9);
    assert_eq!(user.run(both).code, 9);
}

#[test]
fn json_says_whether_it_is_ready() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "echo ready", &[]);
    let said = user.run(["wait", "--ready", "ready", "--json", &held.id]).json();
    assert_eq!(
        (&said["ready"], &said["jobs"][0]["ready"], &said["exit_code"]),
        (&json!(true), &json!(true), &json!(0))
    );
    let said = user.run(["wait", "--ready", "never", "--within", "0", "--json", &held.id]).json();
    assert_eq!(
        (&said["ready"], &said["time_is_over"], &said["exit_code"]),
        (&json!(false), &json!(true), &json!(121))
    );
    let said = user.run(["start", "--ready", "never", "--json", "--", "true"]).json();
    assert_eq!(
        (&said["ready"], &said["jobs"][0]["ready"], &said["exit_code"]),
        (&json!(false), &json!(false), &json!(0))
    );
    assert!(said["jobs"][0]["id"].is_string());
}

#[test]
fn an_interrupt_leaves_the_job_running_and_says_so() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let child =
        interruptible(&user, &["wait", "--ready", "never", &held.id]).stderr(Stdio::piped()).spawn().unwrap();
    until("it waits", || hears_interrupts(child.id()));
    kill(child.id().cast_signed(), rustix::process::Signal::INT);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130);
    assert!(ran.err.contains(&format!("{} goes on", held.id)), "{}", ran.err);
    assert_eq!(user.status(&held.id), "running");
}

#[test]
fn what_does_not_exist_cannot_become_ready() {
    assert_eq!(User::new().run(["wait", "--ready", "x", "nobody"]).code, 122);
}
