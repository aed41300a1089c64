//! What a command chose is taken away before it has the lock: it says what is so then.

use crate::support::{Ran, User, until};
use bgctl::store::{
    lock::{WAIT_MAX, locked},
    root::{INDEX, INDEX_TEMPORARY, Root},
};
use serde_json::{Value, json};
use std::process::Stdio;

#[test]
fn a_job_that_is_removed_while_its_cancel_waits_for_the_lock_is_said_to_be_gone() {
    let user = User::new();
    let id = user.start(["--wait", "--", "true"]);
    let ran = raced(&user, &["cancel", &id], Vec::clear);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert_eq!(ran.err, format!("bgctl: {id} has ended, and was removed meanwhile\n"));
}

#[test]
fn a_cancel_of_several_jobs_follows_the_others_where_one_is_removed() {
    let user = User::new();
    let first = user.start(["--", "sleep", "1000"]);
    let gone = user.start(["--delay", "1h", "--", "true"]);
    let last = user.start(["--", "sleep", "1000"]);
    let ran = raced(&user, &["cancel", "--json", &first, &gone, &last], |jobs| {
        jobs.retain(|job| job["id"] != *gone);
    });
    assert_eq!(
        (ran.code, ran.err),
        (3, format!("bgctl: {gone} has ended, and was removed meanwhile\n2 jobs: 2 cancelled\n"))
    );
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["removed"], json!([gone]));
    let ended: Vec<(&str, &str)> = told["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["id"].as_str().unwrap(), job["result"].as_str().unwrap()))
        .collect();
    assert_eq!(ended, [(first.as_str(), "cancelled"), (last.as_str(), "cancelled")]);
    user.all_gone();
}

#[test]
fn prune_tells_of_those_jobs_that_it_removed_itself() {
    let user = User::new();
    let id = user.start(["--wait", "--", "true"]);
    let (other, needed) = (user.start(["--wait", "--", "true"]), user.start(["--wait", "--", "true"]));
    let ran = raced(&user, &["prune", "--all", "--json"], |jobs| {
        jobs.retain(|job| job["id"] != *other);
        // Somebody has begun to wait for it.
        let mut waits = jobs[0].clone();
        waits["id"] = json!("bg_20260213_waits2");
        waits["status"] = json!("queued");
        waits["ended_at"] = Value::Null;
        waits["not_before"] = json!("2126-02-13T10:00:00Z");
        waits["after"] = json!([needed]);
        jobs.push(waits);
    });
    assert_eq!(ran.code, 0, "{}", ran.err);
    let pruned = ran.json();
    let told: Vec<&str> =
        pruned["jobs"].as_array().unwrap().iter().filter_map(|job| job["id"].as_str()).collect();
    assert_eq!(told, [id.as_str()], "{}", ran.out);
    let left = user.index();
    let left: Vec<&str> =
        left["jobs"].as_array().unwrap().iter().filter_map(|job| job["id"].as_str()).collect();
    assert_eq!(left, [needed.as_str(), "bg_20260213_waits2"]);
}

/// Runs a command; once it waits for the lock, the jobs of the index are changed, and it goes on.
fn raced(user: &User, arguments: &[&str], change: impl FnOnce(&mut Vec<Value>)) -> Ran {
    let root = Root::open(&user.root()).unwrap().unwrap();
    let command = locked(root.folder(), WAIT_MAX, || {
        let mut command = user.bgctl(arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("it waits for the lock", || waits_for_lock(command.id()));
        let mut index = user.index();
        change(index["jobs"].as_array_mut().unwrap());
        root.folder().replace(INDEX, INDEX_TEMPORARY, index.to_string().as_bytes(), false).unwrap();
        command
    })
    .unwrap();
    Ran::of(&command.wait_with_output().unwrap())
}

/// Whether a process waits for a lock (`proc_locks(5)`).
fn waits_for_lock(pid: u32) -> bool {
    let table = std::fs::read_to_string("/proc/locks").unwrap();
    let pid = pid.to_string();
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        matches!(fields[..], [_, "->", "FLOCK", _, _, one, ..] if one == pid)
    })
}
