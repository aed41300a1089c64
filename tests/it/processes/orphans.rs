//! Jobs whose watcher died: what is said of them, who takes them over, and what becomes known of their end.

use super::{Lair, claimed_here, end_by_force, gone, job_id, now, record_of};
use crate::support::{User, is_alive, until};
use bgctl::exec::local::record::Line;
use bgctl::model::outcome::{Ending, Exit, Outcome, Why};
use rustix::process::Signal;
use serde_json::Value;

/// A job without a watcher. It exits with 5 once somebody writes to `go`.
fn orphan(user: &User, options: &[&str]) -> (String, i32) {
    let lair = Lair::new(user);
    user.fifo("go");
    let go = user.root().join("../go");
    let script = format!("{} & read line < {}; kill $!; wait; exit 5", lair.stay, go.display());
    let mut arguments: Vec<&str> = options.to_vec();
    arguments.extend(["--", "sh", "-c", &script]);
    let id = user.start(&arguments);
    lair.inhabitants(1);
    let main = user.recorded_pid(&id, "process");
    user.lose_watcher(&id);
    assert!(is_alive(main));
    (id, main)
}

fn let_go(user: &User) {
    std::fs::write(user.path("go"), "go\n").unwrap();
}

/// Four ticks at once.
#[track_caller]
fn four_ticks(user: &User) {
    let ticks: Vec<_> = (0..4).map(|_| user.bgctl(["tick"]).spawn().unwrap()).collect();
    for mut tick in ticks {
        assert_eq!(crate::support::ended(&mut tick), 0);
    }
}

/// The true exit code, or none and the word that it is unknown. Never another.
#[track_caller]
fn assert_true_or_unknown(job: &Value, code: i32) {
    assert_eq!(job["status"], "failed", "{job}");
    let unknown = job["exit"]["unknown"].is_object() && job["exit_code"].is_null();
    assert!(unknown || job["exit_code"] == code, "{job}");
    assert_eq!(job["best_effort"], true, "{job}");
}

#[test]
fn a_job_without_a_watcher_never_shows_as_plain_running() {
    let user = User::new();
    let (id, _) = orphan(&user, &[]);
    assert_eq!(user.observed(&id), "unwatched");
    assert!(user.listed(&id).contains("running (unwatched)"), "{}", user.listed(&id));
    assert!(user.ok(["status", &id]).contains("running (unwatched)"));
    let_go(&user);
    user.wait(&id);
    user.all_gone();
}

#[test]
fn a_tick_adopts_a_job_without_a_watcher_and_its_exit_is_true_or_unknown() {
    let user = User::new();
    let (id, main) = orphan(&user, &[]);
    user.ok(["tick"]);
    until("it is watched again", || user.observed(&id) == "alive");
    assert!(is_alive(main), "the job went on");
    let_go(&user);
    user.until_indexed_as(&id, "failed");
    assert_true_or_unknown(&user.job(&id), 5);
    user.all_gone();
}

#[test]
fn ticks_at_once_adopt_a_job_once() {
    let user = User::new();
    let (id, _) = orphan(&user, &[]);
    four_ticks(&user);
    until("it is watched again", || user.observed(&id) == "alive");
    let_go(&user);
    user.wait(&id);
    user.all_gone();
    let count = |name: &str| user.record(&id).iter().filter(|line| line["line"] == name).count();
    assert_eq!((count("started"), count("outcome")), (1, 1));
}

#[test]
fn a_wait_adopts_a_job_without_a_watcher_and_returns_though_nobody_ticks() {
    let user = User::new();
    let (id, _) = orphan(&user, &[]);
    let mut wait = user.bgctl(["wait", "--quiet", &id]).spawn().unwrap();
    until("the wait had it adopted", || user.observed(&id) == "alive");
    let_go(&user);
    let code = crate::support::ended(&mut wait);
    assert!(code == 5 || code == 125, "{code}");
    assert_true_or_unknown(&user.job(&id), 5);
    user.all_gone();
}

#[test]
fn a_wait_notices_a_watcher_that_dies_while_it_waits() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&format!("read line < {}; exit 5", go.display()));
    let watcher = user.recorded_pid(&id, "watcher");
    let mut wait = user.bgctl(["wait", "--quiet", &id]).spawn().unwrap();
    let waits = wait.id();
    // It holds the watcher's pidfd.
    until("it waits for the watcher", || {
        let Ok(fds) = std::fs::read_dir(format!("/proc/{waits}/fd")) else { return false };
        fds.flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:[pidfd]"))
    });
    end_by_force(watcher);
    until("another watches", || user.recorded_pid(&id, "watcher") != watcher);
    let_go(&user);
    let code = crate::support::ended(&mut wait);
    assert!(code == 5 || code == 125, "{code}");
    user.all_gone();
}

/// Somebody with one slot.
fn narrow() -> User {
    let user = User::new();
    user.configure("[queue]\nmax_concurrent = 1\n");
    user
}

/// A job that stays until it is ended, and its main process.
fn resident(user: &User) -> (String, i32) {
    let lair = Lair::new(user);
    let id = user.start(["--", &lair.stay]);
    (id, lair.inhabitants(1)[0])
}

#[test]
fn a_wait_for_a_queued_job_frees_the_slot_that_a_lost_job_holds() {
    let user = narrow();
    let (first, main) = resident(&user);
    let next = user.start(["--", "true"]);
    user.lose_watcher(&first);
    end_by_force(main);
    assert_eq!(user.wait(&next), 0);
    assert_eq!(user.status(&first), "failed");
    user.all_gone();
}

#[test]
fn a_submission_that_waits_frees_the_slot_that_a_lost_job_holds() {
    let user = narrow();
    let (first, main) = resident(&user);
    user.lose_watcher(&first);
    end_by_force(main);
    let next = user.start(["--", "true"]);
    assert_eq!(user.status(&first), "failed", "before anybody waits or ticks");
    assert_eq!(user.wait(&next), 0);
    user.all_gone();
}

#[test]
fn a_cancel_ends_a_job_without_a_watcher() {
    let user = User::new();
    let (id, main) = orphan(&user, &[]);
    user.ok(["cancel", &id]);
    assert!(!is_alive(main));
    assert_eq!(user.status(&id), "cancelled");
    assert!(user.job(&id)["summary"].as_str().unwrap().contains("best effort"));
    user.all_gone();
}

#[test]
fn a_cancel_ends_an_adopted_job() {
    let user = User::new();
    let (id, main) = orphan(&user, &[]);
    user.ok(["tick"]);
    until("it is watched again", || user.observed(&id) == "alive");
    user.ok(["cancel", &id]);
    assert!(!is_alive(main));
    assert_eq!(user.status(&id), "cancelled");
    user.all_gone();
}

#[test]
fn the_time_of_an_adopted_job_runs_out_counted_from_its_start() {
    let user = User::new();
    let (id, main) = orphan(&user, &["--timeout", "4s"]);
    user.ok(["tick"]);
    user.until_indexed_as(&id, "failed");
    assert!(!is_alive(main));
    assert_eq!(user.wait(&id), 124);
    user.all_gone();
}

#[test]
fn the_leftovers_of_an_adopted_job_are_ended() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start_sh(&format!("( setsid {0} & ) ; exec {0}", lair.stay));
    lair.inhabitants(2);
    let main = user.recorded_pid(&id, "process");
    user.lose_watcher(&id);
    end_by_force(main);
    assert_eq!(user.observed(&id), "unwatched", "a process of it lives");
    user.ok(["tick"]);
    user.until_indexed_as(&id, "failed");
    assert_eq!(lair.living(), [] as [i32; 0]);
    user.all_gone();
}

#[test]
fn a_watcher_that_dies_while_it_ends_the_tree_is_replaced_by_one_that_goes_on_with_it() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--grace", "1s", "--", &lair.deaf]);
    lair.inhabitants(1);
    user.ok(["cancel", "--no-wait", &id]);
    until("the watcher is at it", || user.record(&id).iter().any(|line| line["line"] == "ending"));
    user.lose_watcher(&id);
    user.ok(["tick"]);
    user.until_indexed_as(&id, "cancelled");
    assert_eq!(lair.living(), [] as [i32; 0]);
    user.all_gone();
}

#[test]
fn a_job_that_died_with_its_watcher_is_lost_and_a_tick_fails_it_without_an_exit_code() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--", &lair.stay]);
    let main = lair.inhabitants(1)[0];
    user.lose_watcher(&id);
    end_by_force(main);
    assert_eq!(user.observed(&id), "lost");
    assert!(user.listed(&id).contains("running (lost)"), "{}", user.listed(&id));
    user.ok(["tick"]);
    let job = user.indexed(&id);
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("failed"), &Value::Null));
    assert!(job["summary"].as_str().unwrap().starts_with("outcome unknown: "), "{job}");
    assert_eq!(user.wait(&id), 125);
    user.all_gone();
}

#[test]
fn an_outcome_that_only_the_record_has_is_carried_over() {
    let user = User::new();
    user.write_jobs(&[claimed_here(&user.id(), "exit 3")]);
    let mut lines = record_of(gone());
    lines.push(Line::Outcome { outcome: Outcome::bare(Exit::Code(3), now()) });
    user.write_record(&user.id(), &lines);
    assert_eq!(user.observed(&user.id()), "ended");
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), job["exit_code"].as_i64()), (Some("failed"), Some(3)));
    user.all_gone();
}

#[test]
fn an_outcome_that_only_the_record_has_is_carried_over_by_a_wait() {
    let user = User::new();
    user.write_jobs(&[claimed_here(&user.id(), "exit 0")]);
    let mut lines = record_of(gone());
    lines.push(Line::Outcome { outcome: Outcome::bare(Exit::Code(0), now()) });
    user.write_record(&user.id(), &lines);
    assert_eq!(user.wait(&user.id()), 0);
    assert_eq!(user.status(&user.id()), "completed");
}

#[test]
fn an_outcome_of_an_earlier_attempt_is_not_taken_for_this_one() {
    let user = User::new();
    let mut entry = claimed_here(&user.id(), "echo second > ran; exit 4");
    entry["attempt"] = 2.into();
    entry["cwd"] = user.path("").to_str().unwrap().into();
    user.write_jobs(&[entry]);
    let mut lines = record_of(gone());
    lines.push(Line::Outcome { outcome: Outcome::bare(Exit::Code(3), now()) });
    user.write_record(&user.id(), &lines);
    user.ok(["tick"]);
    assert_eq!(user.wait(&user.id()), 4);
    assert_eq!(user.line_in("ran"), "second\n");
    user.all_gone();
}

#[test]
fn a_time_out_that_only_the_record_has_is_carried_over_as_one() {
    let user = User::new();
    user.write_jobs(&[claimed_here(&user.id(), "sleep 9")]);
    let mut lines = record_of(gone());
    let ending = Ending { why: Why::Timeout, at: now(), signal: None, note: None };
    lines.push(Line::Ending { ending });
    lines.push(Line::Outcome { outcome: Outcome::bare(Exit::Signal(15), now()) });
    user.write_record(&user.id(), &lines);
    user.ok(["tick"]);
    assert_eq!(user.wait(&user.id()), 124);
}

#[test]
fn a_claim_without_a_watcher_is_served_once_by_a_tick() {
    let user = User::new();
    let mut entry = claimed_here(&user.id(), "echo ran >> ran");
    entry["cwd"] = user.path("").to_str().unwrap().into();
    user.write_jobs(&[entry]);
    assert_eq!(user.observed(&user.id()), "starting");
    four_ticks(&user);
    assert_eq!(user.wait(&user.id()), 0);
    user.all_gone();
    user.ok(["tick"]);
    user.all_gone();
    assert_eq!(user.line_in("ran"), "ran\n");
}

#[test]
fn a_process_that_did_not_write_that_it_starts_before_its_watcher_died_has_not_begun() {
    let user = User::new();
    let mut entry = claimed_here(&user.id(), "echo ran >> ran");
    entry["cwd"] = user.path("").to_str().unwrap().into();
    user.write_jobs(&[entry]);
    let mut lines = record_of(gone());
    assert_eq!(lines.pop(), Some(Line::Started));
    user.write_record(&user.id(), &lines);
    user.ok(["tick"]);
    assert_eq!(user.wait(&user.id()), 0);
    user.all_gone();
    assert_eq!(user.line_in("ran"), "ran\n");
}

#[test]
fn a_claimed_job_that_is_cancelled_before_anybody_serves_it_never_runs() {
    let user = User::new();
    let mut entry = claimed_here(&user.id(), "echo ran >> ran");
    entry["cwd"] = user.path("").to_str().unwrap().into();
    user.write_jobs(&[entry]);
    user.ok(["cancel", &user.id()]);
    assert_eq!(user.status(&user.id()), "cancelled");
    user.all_gone();
    assert!(!user.path("ran").exists());
}

#[test]
fn a_watcher_whose_job_left_the_index_serves_what_it_claims_next() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let go = user.fifo("go");
    let first = user.start(["--", "cat", go.to_str().unwrap()]);
    user.recorded_pid(&first, "process");
    let next = user.start_sh("echo ran >> ran");
    user.edit_jobs(|jobs| jobs.retain(|job| job["id"] != first));
    std::fs::write(go, "").unwrap();
    user.until_indexed_as(&next, "completed");
    user.all_gone();
    assert_eq!(user.line_in("ran"), "ran\n");
}

#[test]
fn a_record_that_was_cut_short_is_read_up_to_there() {
    let user = User::new();
    user.write_jobs(&[claimed_here(&user.id(), "true")]);
    user.write_record(&user.id(), &record_of(gone()));
    let path = user.root().join("runs").join(format!("{}.lock", job_id(&user.id())));
    let mut text = std::fs::read(&path).unwrap();
    text.extend(br#"{"line":"outcome","outcome":{"exit":{"code":0"#);
    std::fs::write(&path, text).unwrap();
    assert_eq!(user.observed(&user.id()), "lost");
    user.ok(["tick"]);
    assert_eq!(user.indexed(&user.id())["status"], "failed");
}

#[test]
fn a_signal_is_kept_as_the_exit_of_an_adopted_job_or_it_is_unknown() {
    let user = User::new();
    let (id, main) = orphan(&user, &[]);
    user.ok(["tick"]);
    until("it is watched again", || user.observed(&id) == "alive");
    crate::support::kill(main, Signal::KILL);
    let code = user.wait(&id);
    assert!(code == 137 || code == 125, "{code}");
    user.all_gone();
}
