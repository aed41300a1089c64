//! Leftovers: processes that outlive their job's main process.

use super::{Lair, stop};
use crate::support::{User, is_alive, kill, until};
use rustix::process::Signal;

#[test]
fn leftovers_are_ended_before_the_job_counts_as_ended_and_the_summary_names_them() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script =
        format!("( setsid {0} & ) ; {0} & while [ \"$(wc -l < pids)\" != 2 ]; do :; done; exit 3", lair.stay);
    let id = user.start_sh(&script);
    user.until_indexed_as(&id, "failed");
    assert_eq!(lair.living(), [] as [i32; 0], "failed, and yet these live");
    let job = user.job(&id);
    assert_eq!(job["exit_code"], 3);
    assert_eq!(job["summary"], "exit code 3; 2 processes ended after it");
    let mut named: Vec<i64> =
        job["leftovers"].as_array().unwrap().iter().map(|one| one["pid"].as_i64().unwrap()).collect();
    let mut pids: Vec<i64> = lair.pids().into_iter().map(i64::from).collect();
    named.sort_unstable();
    pids.sort_unstable();
    assert_eq!(named, pids);
    user.all_gone();
}

#[test]
fn a_leftover_that_ignores_term_is_killed_after_the_grace() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("setsid {} & while [ ! -s pids ]; do :; done", lair.deaf);
    let id = user.start(["--grace", "1s", "--", "sh", "-c", &script]);
    user.until_indexed_as(&id, "completed");
    assert_eq!(lair.living(), [] as [i32; 0]);
    assert_eq!(user.job(&id)["summary"], "1 process ended after it");
    user.all_gone();
}

#[test]
fn while_leftovers_are_ended_the_job_runs_and_holds_its_slot() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let lair = Lair::new(&user);
    let script = format!("setsid {} & while [ ! -s pids ]; do :; done", lair.deaf);
    let id = user.start(["--grace", "none", "--", "sh", "-c", &script]);
    let next = user.start(["--", "true"]);
    let main = user.recorded_pid(&id, "process");
    let pid = lair.inhabitants(1)[0];
    until("the main process has ended", || !is_alive(main));
    assert_eq!((user.status(&id), user.status(&next)), ("running".into(), "queued".into()));
    kill(pid, Signal::KILL);
    assert_eq!((user.wait(&id), user.wait(&next)), (0, 0));
    user.all_gone();
}

#[test]
fn leftovers_that_are_left_free_the_slot_and_status_names_them_while_they_live() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("setsid {} & while [ ! -s pids ]; do :; done", lair.stay);
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", &script]);
    assert_eq!(user.wait(&id), 0);
    let pid = lair.inhabitants(1)[0];
    assert!(is_alive(pid));
    let job = user.job(&id);
    assert_eq!(job["summary"], "1 process was left running");
    assert_eq!(job["still_running"][0]["pid"], pid);
    assert!(user.ok(["status", &id]).contains(&format!("process {pid} ")));
    assert_eq!(user.wait(&user.start(["--", "true"])), 0, "the slot is free");
    super::end_by_force(pid);
    assert_eq!(user.job(&id)["still_running"], serde_json::json!([]));
    user.all_gone();
}

#[test]
fn leftovers_are_ended_after_a_cancel_even_where_they_would_be_left() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("setsid {0} & exec {0}", lair.stay);
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", &script]);
    lair.inhabitants(2);
    lair.cancel(&id);
    user.all_gone();
}

#[test]
fn a_cancel_that_stands_before_the_end_is_seen_ends_leftovers_that_would_be_left() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("setsid {} & while [ ! -s pids ]; do :; done; read line < never", lair.stay);
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", &script]);
    lair.inhabitants(1);
    let (watcher, main) = (user.recorded_pid(&id, "watcher"), user.recorded_pid(&id, "process"));
    stop(watcher);
    super::end_by_force(main);
    user.ok(["cancel", "--no-wait", &id]);
    kill(watcher, Signal::CONT);
    user.until_indexed_as(&id, "cancelled");
    assert_eq!(lair.living(), [] as [i32; 0], "cancelled, and yet these live");
    user.all_gone();
}

#[test]
fn a_cancel_that_comes_before_the_end_is_written_down_ends_leftovers_that_were_left() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", "sleep 1000 & cat go"]);
    let lock = std::fs::File::open(user.root().join("jobs.lock")).unwrap();
    let mut lock = fd_lock::RwLock::new(lock);
    let held = lock.write().unwrap();
    std::fs::write(go, "").unwrap();
    let outcome = || user.record(&id).into_iter().find(|line| line["line"] == "outcome");
    until("its end is on record", || outcome().is_some());
    assert_eq!(outcome().unwrap()["outcome"]["leftovers_left"], true);
    // Whoever cancels has the lock first, and commits the intent.
    let index = user.root().join("jobs.json");
    let mut text = user.index();
    text["jobs"][0]["ending"] = serde_json::json!({"why": "cancel", "at": "2026-02-13T10:00:00Z"});
    std::fs::write(user.root().join("jobs.json.new"), text.to_string()).unwrap();
    std::fs::rename(user.root().join("jobs.json.new"), index).unwrap();
    drop(held);
    assert_eq!(user.wait(&id), 125);
    user.all_gone();
}
