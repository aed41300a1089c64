//! Run time that is over.

use super::{Lair, claimed_here};
use crate::support::{User, is_alive, kill};
use bgctl::os::signal::POKE;
use rustix::process::Signal;
use serde_json::{Value, json};

fn poke(watcher: i32) {
    kill(watcher, Signal::from_named_raw(POKE).unwrap());
}

#[test]
fn a_job_whose_time_is_over_has_failed_with_124_and_its_tree_is_gone() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("( setsid {0} & ) ; {0} & exec {0}", lair.stay);
    let id = user.start(["--timeout", "3s", "--", "sh", "-c", &script]);
    lair.inhabitants(3);
    user.until_indexed_as(&id, "failed");
    assert_eq!(lair.living(), [] as [i32; 0], "timed out, and yet these live");
    assert_eq!(user.wait(&id), 124);
    let job = user.job(&id);
    assert_eq!(job["summary"], "timed out after 3s; killed by SIGTERM");
    assert_eq!((&job["exit_code"], &job["signal"]), (&Value::Null, &json!(15)));
    user.all_gone();
}

#[test]
fn a_default_that_bites_says_that_it_was_nobodys_choice() {
    let user = User::new();
    let lair = Lair::new(&user);
    // An entry that does not say who set its limit has the built-in one.
    let mut entry = claimed_here(&user.id(), &lair.stay);
    entry["status"] = "queued".into();
    entry["timeout_seconds"] = 1.into();
    entry
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["claim", "attempt", "started_at"].contains(&name.as_str()));
    user.write_jobs(&[entry]);
    assert_eq!(user.wait(&user.id()), 124);
    let summary = user.job(&user.id())["summary"].as_str().unwrap().to_owned();
    assert_eq!(summary, "timed out after 1s, the default; --timeout sets another; killed by SIGTERM");
    user.all_gone();
}

#[test]
fn a_job_that_answers_the_end_of_its_time_with_0_has_failed_and_keeps_its_0() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("trap 'exit 0' TERM; {} & wait", lair.stay);
    let id = user.start(["--timeout", "1s", "--", "sh", "-c", &script]);
    assert_eq!(user.wait(&id), 124);
    let job = user.job(&id);
    assert_eq!((job["status"].as_str(), job["exit_code"].as_i64()), (Some("failed"), Some(0)));
    user.all_gone();
}

#[test]
fn a_limit_that_was_raised_meanwhile_lets_the_job_go_on() {
    let user = User::new();
    // Its end after more than the first limit shows that the limit was read again when it was over.
    let id = user.start(["--timeout", "3s", "--", "sh", "-c", "sleep 4; exit 6"]);
    user.edit(&id, |job| job["timeout_seconds"] = 3_600.into());
    assert_eq!(user.wait(&id), 6);
    user.all_gone();
}

#[test]
fn a_limit_that_was_raised_and_poked_lets_the_job_go_on() {
    let user = User::new();
    let id = user.start(["--timeout", "3s", "--", "sh", "-c", "sleep 4; exit 6"]);
    user.edit(&id, |job| job["timeout_seconds"] = Value::Null);
    poke(user.recorded_pid(&id, "watcher"));
    assert_eq!(user.wait(&id), 6);
    user.all_gone();
}

#[test]
fn a_limit_that_was_lowered_and_poked_ends_the_job() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--timeout", "1h", "--", &lair.stay]);
    lair.inhabitants(1);
    user.edit(&id, |job| job["timeout_seconds"] = 1.into());
    poke(user.recorded_pid(&id, "watcher"));
    assert_eq!(user.wait(&id), 124);
    user.all_gone();
}

#[test]
fn an_index_that_cannot_be_read_does_not_take_a_jobs_limit_from_it() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--timeout", "3s", "--", &lair.stay]);
    let pid = lair.inhabitants(1)[0];
    let index = user.root().join("jobs.json");
    let good = std::fs::read(&index).unwrap();
    std::fs::write(&index, "{").unwrap();
    crate::support::until("the limit as it was last known ends the job", || !is_alive(pid));
    std::fs::write(&index, good).unwrap();
    user.until_indexed_as(&id, "failed");
    assert_eq!(user.wait(&id), 124);
    user.all_gone();
}
