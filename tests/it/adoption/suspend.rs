//! Everything of ours stands still for a while, as on a suspended machine, and goes on. That time since boot goes on meanwhile and
//! time without suspended hours does not is in `time_namespaces`.

use super::place::observed;
use super::{attempts, entry, let_go, running, state, stop, witness};
use crate::support::{User, is_alive, kill, until};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A time that comes while everything stands still. However busy the machine is, what is to stand still does so before.
const LIMIT: &str = "5s";

/// When that is over, counted from an instant after its beginning.
const BEYOND: Duration = Duration::from_millis(5_200);

/// The pid of the alarm that was set.
#[track_caller]
fn alarm_of(user: &User) -> i32 {
    let mut found = None;
    until("an alarm is there", || {
        found = user.alarm();
        found.is_some()
    });
    found.unwrap()
}

/// Lets all of these go on.
fn go_on(pids: &[i32]) {
    for pid in pids {
        kill(*pid, Signal::CONT);
    }
}

#[test]
fn a_job_and_its_watcher_that_stood_still_go_on_as_if_nothing_had_been() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&witness(&format!("cat {}; exit 5", go.display())));
    let (watcher, main) = running(&user, &id);
    let all = [watcher, main];
    for pid in all {
        stop(pid);
    }
    for _ in 0..3 {
        user.ok(["tick"]);
    }
    assert_eq!((state(&user, &id).as_str(), observed(&user, &id).as_str()), ("running", "alive"));
    go_on(&all);
    let_go(go);
    assert_eq!((user.wait(&id), attempts(&user, &id)), (5, vec![1]));
    user.all_gone();
}

#[test]
fn a_job_that_ended_while_its_watcher_stood_still_gets_its_true_end_afterwards() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start([
        "--timeout",
        LIMIT,
        "--",
        "sh",
        "-c",
        &witness(&format!("cat {}; exit 5", go.display())),
    ]);
    let (watcher, main) = running(&user, &id);
    let began = Instant::now();
    stop(watcher);
    let_go(go);
    until("it has ended", || !is_alive(main));
    // Its time would be over by now; it had ended in time.
    until("a while has gone by", || began.elapsed() > BEYOND);
    user.ok(["tick"]);
    assert_eq!(state(&user, &id), "running", "nobody else judges it");
    go_on(&[watcher]);
    assert_eq!(user.wait(&id), 5);
    user.all_gone();
}

#[test]
fn a_stop_by_a_debugger_is_no_suspend_and_the_time_of_a_job_goes_on_meanwhile() {
    let user = User::new();
    let id = user.start(["--timeout", LIMIT, "--", "sleep", "1000"]);
    let (watcher, main) = running(&user, &id);
    let began = Instant::now();
    for pid in [watcher, main] {
        stop(pid);
    }
    until("a while has gone by", || began.elapsed() > BEYOND);
    assert_eq!(entry(&user, &id)["ending"], serde_json::Value::Null);
    go_on(&[watcher]);
    assert_eq!(user.wait(&id), 124, "a stopped process is ended, too");
    user.all_gone();
}

#[test]
fn what_came_due_while_the_alarm_stood_still_is_started_once() {
    let user = User::new();
    let id = user.start(["--quiet", "--delay", LIMIT, "--", "sh", "-c", &witness("true")]);
    let alarm = alarm_of(&user);
    stop(alarm);
    until("a tick starts it", || {
        user.ok(["tick"]);
        state(&user, &id) == "completed"
    });
    go_on(&[alarm]);
    until("the alarm leaves", || !is_alive(alarm));
    assert_eq!(attempts(&user, &id), [1]);
    user.all_gone();
}

#[test]
fn an_alarm_that_stood_still_beyond_its_time_makes_its_pass_when_it_goes_on() {
    let user = User::new();
    let id = user.start(["--quiet", "--delay", LIMIT, "--", "sh", "-c", &witness("true")]);
    let began = Instant::now();
    let alarm = alarm_of(&user);
    stop(alarm);
    until("its time has gone by", || began.elapsed() > BEYOND);
    assert_eq!(state(&user, &id), "queued");
    go_on(&[alarm]);
    until("it has run", || state(&user, &id) == "completed");
    assert_eq!(attempts(&user, &id), [1]);
    user.all_gone();
}
