//! Many at once: every submission stands, every job runs once, slots are kept and handed on.

use super::program;
use crate::support::{User, ended, until};
use std::collections::BTreeSet;

#[test]
fn of_64_starts_at_once_each_has_its_own_id_and_runs_once_and_never_more_than_2_run() {
    const STARTS: usize = 64;
    let user = User::new();
    // A job takes one of two places; a third would find none. mkdir is atomic.
    let script = "mkdir place-1 2>/dev/null && place=1 || { mkdir place-2 2>/dev/null && place=2; } || echo $BG_JOB_ID >> crowded
        echo $BG_JOB_ID $BG_ATTEMPT >> ran; rmdir place-$place";
    let mut starts: Vec<_> = (0..STARTS)
        .map(|_| {
            let mut start = user.bgctl(["start", "--", "sh", "-c", script]);
            start.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut ids = BTreeSet::new();
    for start in &mut starts {
        let mut id = String::new();
        std::io::Read::read_to_string(start.stdout.as_mut().unwrap(), &mut id).unwrap();
        assert_eq!(ended(start), 0);
        ids.insert(id.trim_end().to_owned());
    }
    assert_eq!(ids.len(), STARTS, "all ids are distinct");
    // No tick: the slots are handed on by those that leave them.
    until("all have ended", || {
        user.index()["jobs"].as_array().unwrap().iter().filter(|job| job["status"] == "completed").count()
            == STARTS
    });
    let index = user.index();
    let indexed: BTreeSet<String> =
        index["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(indexed, ids);
    let ran = user.line_in("ran");
    assert_eq!(ran.lines().count(), STARTS, "each ran once");
    let once: BTreeSet<String> =
        ran.lines().map(|line| line.strip_suffix(" 1").unwrap().to_owned()).collect();
    assert_eq!(once, ids);
    assert!(!user.path("crowded").exists(), "more than two ran at once");
    user.all_gone();
}

#[test]
fn two_jobs_run_at_once() {
    let user = User::new();
    // Each waits for the other.
    user.fifo("meet");
    let first = user.start_sh("echo here > meet");
    let second = user.start_sh("read line < meet");
    assert_eq!((user.wait(&first), user.wait(&second)), (0, 0));
    user.all_gone();
}

#[test]
fn one_watcher_goes_on_with_the_next_queued_job() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let go = user.fifo("go");
    let first = user.start(["--", "cat", go.to_str().unwrap()]);
    let rest: Vec<String> = (1..=3).map(|code| user.start_sh(&format!("exit {code}"))).collect();
    std::fs::write(go, "").unwrap();
    // Only the index is read: nobody looks after them.
    for id in &rest {
        user.until_indexed_as(id, "failed");
    }
    let watcher = user.recorded_pid(&first, "watcher");
    for (id, code) in rest.iter().zip(1..) {
        assert_eq!(user.indexed(id)["exit_code"], code);
        assert_eq!(user.recorded_pid(id, "watcher"), watcher);
    }
    user.all_gone();
}

#[test]
fn the_next_job_is_claimed_in_the_write_that_ends_the_one_before() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let go = user.fifo("go");
    let first = user.start(["--", "cat", go.to_str().unwrap()]);
    let next = user.start(["--", "cat", go.to_str().unwrap()]);
    std::fs::write(&go, "").unwrap();
    user.until_indexed_as(&first, "completed");
    assert_eq!(user.indexed(&next)["status"], "running");
    until("it has begun", || user.record(&next).iter().any(|line| line["line"] == "started"));
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&next), 0);
    user.all_gone();
}

#[test]
fn a_raised_number_of_slots_is_used_by_the_next_pass() {
    let user = User::new();
    user.make_root();
    let config = user.root().join("config.toml");
    std::fs::write(&config, "[queue]\nmax_concurrent = 1\n").unwrap();
    let go = user.fifo("go");
    let ids: Vec<String> = (0..4).map(|_| user.start(["--", "cat", go.to_str().unwrap()])).collect();
    std::fs::write(&config, "[queue]\nmax_concurrent = 4\n").unwrap();
    user.ok(["tick"]);
    for id in &ids {
        until("it has begun", || user.record(id).iter().any(|line| line["line"] == "started"));
    }
    user.ok(std::iter::once("cancel").chain(ids.iter().map(String::as_str)));
    user.all_gone();
}

#[test]
fn a_job_that_is_submitted_inside_a_job_records_its_parent() {
    let user = User::new();
    let outer = user.start_sh(&format!("{} start -- sh -c 'echo $BG_JOB_ID > inner'", program().display()));
    assert_eq!(user.wait(&outer), 0);
    let inner = user.line_in("inner").trim_end().to_owned();
    assert_ne!(inner, outer, "the variables of a job are its own");
    assert_eq!(user.wait(&inner), 0);
    assert_eq!(user.job(&inner)["parent"], outer);
    assert!(user.ok(["status", &inner]).contains(&outer));
    user.all_gone();
}
