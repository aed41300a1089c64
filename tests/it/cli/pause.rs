//! `bgctl pause` and `bgctl resume`

use super::{DAY, Held, ago, completed, entry, hold_both_slots, index_of};
use crate::support::{User, until};
use bgctl::model::{event::Event, id::JobId, state::Change};
use bgctl::os::clock::{Clock, SystemClock};
use bgctl::store::{Store, file::FileStore, root::Root};
use serde_json::{Value, json};

#[test]
fn a_paused_job_gets_no_slot_until_it_is_resumed() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let [first, second] = ["first", "second"].map(|name| user.start(["touch", name]));
    assert_eq!(user.ok(["pause", &first]), format!("{first} paused\n"));
    held[0].let_go(0);
    assert_eq!(user.wait(&second), 0, "it leaves its turn to the next");
    let job = user.job(&first);
    assert_eq!((&job["status"], &job["waits"]["for"]), (&json!("queued"), &json!("resume")));
    assert!(!user.path("first").exists());
    assert_eq!(user.ok(["resume", &first]), format!("{first} resumed\n"));
    assert_eq!(user.wait(&first), 0, "a slot was free");
}

#[test]
fn a_running_job_is_paused_and_resumed_in_the_index() {
    let user = User::new();
    let held = Held::start(&user, "it");
    assert_eq!(user.ok(["pause", &held.id]), format!("{} paused\n", held.id));
    let job = user.job(&held.id);
    assert_eq!(job["status"], "running");
    assert!(job["paused_at"].is_string());
    assert_eq!(user.ok(["resume", &held.id]), format!("{} resumed\n", held.id));
    assert!(user.job(&held.id).get("paused_at").is_none_or(Value::is_null));
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn what_is_so_already_succeeds_and_says_so() {
    let user = User::new();
    let held = Held::start(&user, "it");
    assert_eq!(user.ok(["resume", &held.id]), format!("{} was not paused\n", held.id));
    user.ok(["pause", &held.id]);
    let before = user.job(&held.id)["paused_at"].clone();
    assert_eq!(user.ok(["pause", &held.id]), format!("{} was paused already\n", held.id));
    assert_eq!(user.job(&held.id)["paused_at"], before);
}

#[test]
fn what_has_ended_is_ended_or_waits_for_a_person_is_4() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", DAY), entry("bbbbbb", "waiting_approval", &json!({}))]));
    for verb in ["pause", "resume"] {
        let ran = user.run([verb, "aa"]);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""));
        let said = format!("bgctl: bg_20260213_aaaaaa has ended (completed) and cannot be {verb}d\n");
        assert_eq!(ran.err, said);
        assert_eq!(user.run([verb, "--quiet", "aa"]).err, said, "a failure is no talk");
    }
    let ran = user.run(["pause", "bb"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("waits for approval and cannot be paused"), "{}", ran.err);
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    user.ok(["cancel", "--no-wait", &held.id]);
    let ran = user.run(["pause", &held.id]);
    assert_eq!((ran.code, ran.err), (4, format!("bgctl: {} is being ended and cannot be paused\n", held.id)));
    held.let_go(0);
}

#[test]
fn a_job_of_another_machine_is_out_of_reach() {
    let user = User::new();
    let claim = json!({ "host": "faraway", "machine": "other", "boot": "b", "pid_namespace": 1 });
    let running = json!({ "started_at": ago(60), "claim": claim });
    user.write_index(&index_of(&[entry("aaaaaa", "running", &running)]));
    let ran = user.run(["pause", "aa"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("runs on faraway; it is paused once its watcher there looks"), "{}", ran.err);
    assert!(user.job("aa")["paused_at"].is_string(), "the intent stands");
}

#[test]
fn jobs_are_chosen_by_label_by_state_or_all() {
    let user = User::new();
    let held = Held::start_with(&user, "one", "", &["--label", "nightly"]);
    let other = Held::start(&user, "two");
    let queued = user.start(["--label", "nightly", "--", "true"]);
    let plain = user.start(["true"]);
    let paused = |id: &str| user.job(id)["paused_at"].is_string();
    assert_eq!(user.ok(["pause", "--label", "nightly"]), format!("{} paused\n{queued} paused\n", held.id));
    assert!(!paused(&other.id) && !paused(&plain));
    assert_eq!(
        user.ok(["pause", "--status", "queued"]),
        format!("{plain} paused\n"),
        "those that are not yet"
    );
    assert_eq!(user.ok(["pause", "--all"]), format!("{} paused\n", other.id));
    let ran = user.run(["pause", "--all"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "there is no job to pause\n"));
    assert_eq!(user.ok(["resume", "--all"]).lines().count(), 4);
    let ran = user.run(["resume", "--all"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "there is no job to resume\n"));
    for arguments in [["pause"].as_slice(), &["pause", "aa", "--all"], &["pause", "--all", "--label", "x"]] {
        assert_eq!(user.run(arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(user.run(["pause", "--status", "failed"]).code, 2);
}

#[test]
fn a_paused_queued_job_can_be_cancelled() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let queued = user.start(["touch", "ran"]);
    user.ok(["pause", &queued]);
    assert_eq!(user.ok(["cancel", &queued]), format!("{queued} cancelled\n"));
    assert!(!user.path("ran").exists());
}

#[test]
fn a_paused_running_job_can_be_cancelled() {
    let user = User::new();
    let held = Held::start(&user, "it");
    user.ok(["pause", &held.id]);
    assert_eq!(user.ok(["cancel", &held.id]), format!("{} cancelled\n", held.id));
    user.all_gone();
}

#[test]
fn a_pause_survives_the_end_of_the_watcher_and_gives_it_a_successor() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let watcher = user.recorded_pid(&held.id, "watcher");
    crate::support::kill(watcher, rustix::process::Signal::KILL);
    until("the watcher is gone", || !crate::support::is_alive(watcher));
    user.ok(["pause", &held.id]);
    until("another watcher is on it", || user.recorded_pid(&held.id, "watcher") != watcher);
    assert!(user.job(&held.id)["paused_at"].is_string());
    user.ok(["resume", &held.id]);
    held.let_go(0);
    user.wait(&held.id);
}

/// Commits what somebody does who is killed before the watcher is told.
fn commit_only(user: &User, id: &str, change: &Change) {
    let root = Root::open_or_create(&user.root()).unwrap();
    let id = JobId::parse(id).unwrap();
    let event = Event::Changed { id, change: change.clone() };
    FileStore::new(&root)
        .transact(SystemClock.now(), &mut |draft| draft.push(event.clone()).map(drop))
        .unwrap();
}

/// Whether the record says that the processes are stopped, and not continued since.
fn stands_still(user: &User, id: &str) -> bool {
    let lines = user.record(id);
    let last = lines.iter().rev().find(|line| line["line"] == "paused" || line["line"] == "resumed");
    last.is_some_and(|line| line["line"] == "paused")
}

#[test]
fn what_was_committed_and_not_told_to_the_watcher_is_done_by_saying_it_again() {
    let user = User::new();
    let held = Held::start(&user, "it");
    commit_only(&user, &held.id, &Change::Pause { at: SystemClock.now() });
    assert_eq!(user.ok(["pause", &held.id]), format!("{} paused\n", held.id));
    assert!(stands_still(&user, &held.id));
    commit_only(&user, &held.id, &Change::Resume);
    assert_eq!(user.ok(["resume", &held.id]), format!("{} resumed\n", held.id));
    assert!(!stands_still(&user, &held.id));
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn what_was_committed_and_not_told_to_the_watcher_is_done_by_a_tick() {
    let user = User::new();
    let held = Held::start(&user, "it");
    commit_only(&user, &held.id, &Change::Pause { at: SystemClock.now() });
    user.ok(["tick"]);
    until("it stands still", || stands_still(&user, &held.id));
    commit_only(&user, &held.id, &Change::Resume);
    user.ok(["tick"]);
    until("it goes on", || !stands_still(&user, &held.id));
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}
