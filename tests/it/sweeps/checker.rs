//! The checker checked: each damage that a sweep is to find is planted once, and must be reported.
//!
//! Damage in the program itself was planted by hand while the sweeps were written; what they said is in `mod.rs`.

use super::aftermath::{Aftermath, Known};
use super::scene::WITNESS;
use super::scenes::submitting::FIRST_START;
use super::strace::{self, Blow, Point, can_trace};
use super::sweep::Tally;
use crate::support::{User, kill};
use std::time::Duration;

/// What is planted stays: there is nothing to wait for.
const PATIENCE: Duration = Duration::from_millis(200);

const ID: &str = "bg_20260213_aaaaaa";

#[track_caller]
fn assert_reported(user: &User, known: Known, what: &str) {
    let complaints = Aftermath::new(user, known, PATIENCE).complaints();
    assert!(complaints.iter().any(|complaint| complaint.contains(what)), "{what}: {complaints:?}");
}

/// A user whose one job, a witness, has ended.
fn with_a_job() -> (User, String) {
    let user = User::new();
    let id = user.start_sh(WITNESS);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    (user, id)
}

/// An index of this one entry, its fields beside the id.
fn with_an_entry(fields: &str) -> User {
    let user = User::new();
    user.write_index(&format!(
        r#"{{"version":1,"jobs":[{{"id":"{ID}","command":"echo x >> ran","cwd":"/","created_at":"2026-02-13T10:00:00Z",{fields}}}]}}"#
    ));
    user
}

#[test]
fn nothing_is_reported_where_nothing_is_wrong() {
    let (user, id) = with_a_job();
    let known = Known { printed: vec![id], ..Known::default() };
    assert_eq!(Aftermath::new(&user, known, crate::support::EVENT_MAX).complaints(), [""; 0]);
}

#[test]
fn an_attempt_that_ran_twice_is_reported() {
    let (user, id) = with_a_job();
    std::fs::write(user.path("ran"), format!("{id} 1\n{id} 1\n")).unwrap();
    assert_reported(&user, Known::default(), "ran 2 times");
}

#[test]
fn a_completed_job_that_never_ran_is_reported() {
    let (user, _) = with_a_job();
    std::fs::remove_file(user.path("ran")).unwrap();
    assert_reported(&user, Known::default(), "is completed and never ran");
}

#[test]
fn a_job_that_ran_and_is_in_no_index_is_reported() {
    let (user, _) = with_a_job();
    std::fs::write(user.path("ran"), format!("{ID} 1\n")).unwrap();
    assert_reported(&user, Known::default(), "ran and is not in the index");
}

#[test]
fn a_job_that_is_said_to_have_never_begun_and_ran_is_reported() {
    let user = with_an_entry(
        r#""status":"failed","summary":"could not start","exit":{"not_started":{"reason":"r","code":1}}"#,
    );
    std::fs::write(user.path("ran"), format!("{ID} 1\n")).unwrap();
    let known = Known { may_fail: true, ..Known::default() };
    assert_reported(&user, known, "is said to have never begun, and ran");
}

#[test]
fn a_failure_that_nothing_explains_is_reported() {
    let user = with_an_entry(r#""status":"failed","exit_code":1,"summary":"exit code 1""#);
    assert_reported(&user, Known::default(), "for no fault of its own");
    let user = with_an_entry(r#""status":"failed","exit_code":1"#);
    let known = Known { may_fail: true, ..Known::default() };
    assert_reported(&user, known, "failed without a reason");
}

#[test]
fn a_job_that_is_falsely_running_is_reported() {
    let user = with_an_entry(
        r#""status":"running","claim":{"host":"elsewhere","machine":"m","boot":"b","pid_namespace":1},
           "stale_after_seconds":null"#,
    );
    assert_reported(&user, Known::default(), "is running and \"elsewhere\"");
}

#[test]
fn a_job_that_does_not_end_and_its_processes_are_reported() {
    let user = User::new();
    user.fifo("go");
    user.start_sh("read go < go");
    let complaints = Aftermath::new(&user, Known::default(), PATIENCE).complaints();
    for what in ["does not end", "processes are left"] {
        assert!(complaints.iter().any(|complaint| complaint.contains(what)), "{what}: {complaints:?}");
    }
}

#[test]
fn a_process_that_is_left_is_reported() {
    let (user, _) = with_a_job();
    let mut left = user.command("sleep").arg("1000").spawn().unwrap();
    assert_reported(&user, Known::default(), "processes are left: [\"sleep 1000 \"]");
    kill(left.id().cast_signed(), rustix::process::Signal::KILL);
    left.wait().unwrap();
}

#[test]
fn a_leaked_slot_is_reported() {
    let user = with_an_entry(r#""status":"running","stale_after_seconds":null"#);
    assert_reported(&user, Known::default(), "a further job does not start");
}

#[test]
fn a_printed_id_that_is_not_in_the_index_is_reported() {
    let (user, _) = with_a_job();
    let known = Known { printed: vec![ID.to_owned()], ..Known::default() };
    assert_reported(&user, known, "was printed and is not in the index");
}

#[test]
fn a_refused_job_that_is_in_the_index_is_reported() {
    let (user, _) = with_a_job();
    assert_reported(&user, Known { jobs_before: Some(0), ..Known::default() }, "was refused, and its job");
}

#[test]
fn a_damaged_index_is_reported() {
    let (user, _) = with_a_job();
    user.write_index("{\"version\":1,\"jobs\":[");
    assert_reported(&user, Known::default(), "the index does not parse");
    assert_reported(&user, Known::default(), "tick exits 5");
}

#[test]
fn a_temporary_file_that_outlives_the_next_write_is_reported() {
    for name in ["jobs.json.old", "env/x.1.tmp", "runs/bg_20260213_aaaaaa.log"] {
        let (user, _) = with_a_job();
        std::fs::write(user.root().join(name), "").unwrap();
        assert_reported(&user, Known::default(), "is left");
    }
}

#[test]
fn a_stream_that_is_out_of_order_or_behind_is_reported() {
    let (user, _) = with_a_job();
    let path = user.root().join("events.jsonl");
    let told = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{}\n{told}", told.lines().nth(1).unwrap())).unwrap();
    assert_reported(&user, Known::default(), "are not in order");
    let (user, _) = with_a_job();
    let path = user.root().join("events.jsonl");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_reported(&user, Known::default(), "there is no stream");
}

#[test]
#[should_panic(expected = "nothing was hit")]
fn a_sweep_that_hits_nothing_fails() {
    Tally::default().assert_well();
}

#[test]
fn a_call_that_is_not_made_does_not_count_as_hit() {
    if !can_trace() {
        return;
    }
    for (call, blow, is_met) in [
        ("rename", Blow::Fail("EIO"), false),
        ("renameat", Blow::Fail("EIO"), true),
        ("rename", Blow::Kill, false),
        ("renameat", Blow::Kill, true),
    ] {
        let set = (FIRST_START.set)();
        let point = Point { call: call.to_owned(), nth: 1, blow };
        let traced = strace::run(&set.user, &set.arguments, Some(&point));
        assert_eq!(point.was_met(&traced), is_met, "{point}: {}", strace::tail(&traced.log));
    }
}
