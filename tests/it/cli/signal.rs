//! `bgctl signal`

use super::{Held, ago, completed, elsewhere, entry, hold_both_slots, index_of};
use crate::support::{User, until};
use serde_json::json;

/// A job whose main process and child each note the signal that they get. Gives its id once both are ready.
#[track_caller]
fn family(user: &User, signal: &str) -> String {
    user.fifo("never");
    let script = |name: &str, first: &str| {
        let text = format!(
            "trap 'echo > {name}.{signal}' {signal}\n{first}\necho > {name}.ready\n\
             while :; do read line < never; done\n"
        );
        std::fs::write(user.path(name), text).unwrap();
    };
    script("child", "");
    script("main", "sh child &");
    let id = user.start(["sh", "main"]);
    for name in ["main", "child"] {
        user.line_in(&format!("{name}.ready"));
    }
    id
}

#[test]
fn all_processes_of_a_job_get_the_signal() {
    let user = User::new();
    let id = family(&user, "USR1");
    assert_eq!(user.ok(["signal", &id, "USR1"]), format!("{id}: SIGUSR1 sent to 2 processes\n"));
    user.line_in("main.USR1");
    user.line_in("child.USR1");
    assert_eq!(user.status(&id), "running");
}

#[test]
fn the_main_process_alone_gets_it_on_request() {
    let user = User::new();
    let id = family(&user, "HUP");
    assert_eq!(user.ok(["signal", "--main", &id, "1"]), format!("{id}: SIGHUP sent to 1 process\n"));
    user.line_in("main.HUP");
    user.ok(["signal", &id, "sighup"]);
    user.line_in("child.HUP");
}

#[test]
fn a_job_that_dies_of_a_signal_has_failed_and_was_not_cancelled() {
    let user = User::new();
    for (signal, number) in [("KILL", 9), ("TERM", 15)] {
        let held = Held::start(&user, signal);
        user.ok(["signal", &held.id, signal]);
        assert_eq!(user.wait(&held.id), 128 + number);
        let job = user.job(&held.id);
        assert_eq!((&job["status"], &job["signal"]), (&json!("failed"), &json!(number)));
        assert!(job["ending"].is_null());
    }
}

#[test]
fn a_signal_that_is_sent_right_after_the_start_reaches_the_command() {
    let user = User::new();
    for _ in 0..5 {
        let id = user.start(["sleep", "1000"]);
        user.ok(["signal", &id, "INT"]);
        assert_eq!(user.wait(&id), 130);
        assert_eq!(user.job(&id)["signal"], 2);
    }
}

#[test]
fn several_jobs_get_it_and_the_first_that_cannot_decides_the_exit_code() {
    let user = User::new();
    let ended = user.start(["true"]);
    user.wait(&ended);
    let [one, two] = ["one", "two"].map(|name| Held::start(&user, name));
    let ran = user.run(["signal", &one.id, &ended, &two.id, "TERM"]);
    assert_eq!(ran.code, 4);
    assert_eq!(ran.out.lines().count(), 2);
    assert_eq!(ran.err, format!("bgctl: {ended} has ended (completed), so that no signal can reach it\n"));
    assert_eq!((user.wait(&one.id), user.wait(&two.id)), (143, 143));
}

#[test]
fn what_does_not_run_takes_no_signal() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    let ran = user.run(["signal", &queued, "TERM"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("is queued and does not run yet"), "{}", ran.err);
    for held in &held {
        held.let_go(0);
    }
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 60), entry("bbbbbb", "waiting_approval", &json!({}))]));
    assert_eq!(user.run(["signal", "aa", "TERM"]).code, 4);
    assert_eq!(user.run(["signal", "bb", "TERM"]).code, 4);
    assert_eq!(user.run(["signal", "cc", "TERM"]).code, 3);
}

#[test]
fn a_job_of_another_machine_takes_no_signal_from_here() {
    let user = User::new();
    let running = json!({ "started_at": ago(60), "claim": elsewhere() });
    user.write_index(&index_of(&[entry("aaaaaa", "running", &running)]));
    let ran = user.run(["signal", "aa", "TERM"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("runs on there; only there can it be sent a signal"), "{}", ran.err);
}

#[test]
fn a_paused_job_does_not_go_on_by_a_signal() {
    let user = User::new();
    let held = Held::start(&user, "held");
    user.ok(["pause", &held.id]);
    let ran = user.run(["signal", &held.id, "CONT"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains(&format!("is paused; bgctl resume {} lets it go on", held.id)), "{}", ran.err);
    let ran = user.run(["signal", &held.id, "TERM"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("takes SIGTERM once it goes on"), "{}", ran.err);
    assert_eq!(user.status(&held.id), "running");
    user.ok(["resume", &held.id]);
    assert_eq!(user.wait(&held.id), 143);
}

#[test]
fn who_stops_a_job_by_a_signal_is_told_of_pause() {
    let user = User::new();
    let held = Held::start(&user, "held");
    let main = user.recorded_pid(&held.id, "process");
    let stopped = || bgctl::os::process::look(main).unwrap().is_some_and(|process| process.stopped);
    let ran = user.run(["signal", &held.id, "STOP"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains(&format!("bgctl pause {} lets that stand still, too", held.id)), "{}", ran.err);
    until("it is stopped", stopped);
    assert_eq!(user.run(["signal", &held.id, "CONT"]).err, "");
    until("it goes on", || !stopped());
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn a_signal_that_there_is_not_is_a_mistake_on_the_line() {
    let user = User::new();
    for (typed, said) in [
        ("USR3", "there is no such signal; did you mean USR1?"),
        ("SIGTREM", "there is no such signal; did you mean TERM?"),
        ("0", "expected a signal such as TERM"),
        ("99", "expected a signal such as TERM"),
    ] {
        let ran = user.run(["signal", "build", typed]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    let ran = user.run(["signal", "build"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("bgctl signal JOB SIGNAL"), "{}", ran.err);
}

#[test]
fn what_became_of_a_signal_is_told_to_programs() {
    let user = User::new();
    let held = Held::start_with(&user, "held", "trap '' USR2; echo deaf", &["--ready", "deaf"]);
    let told = user.run(["signal", "--json", &held.id, "USR2"]).json();
    assert_eq!(told["signal"], 12);
    let job = &told["jobs"][0];
    assert_eq!((&job["id"], &job["result"], &job["processes"]), (&json!(held.id), &json!("sent"), &json!(1)));
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    let told = user.run(["signal", "--json", &held.id, "USR2"]);
    assert_eq!((told.code, &told.json()["jobs"][0]["result"]), (4, &json!("not_running")));
}
