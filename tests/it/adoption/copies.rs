//! A root that was copied while jobs ran: the copy has the same jobs and not their watchers. It shows them and leaves them
//! alone, until the stale guard, or the end of those watchers, says that nobody knows.
//!
//! What cannot be known: a job that waits in both, or that is tried again, is run by both. Whoever copies a root has two
//! queues.

use super::place::observed;
use super::{
    Cases, attempts, bounded, differs, edit_job, end_by_force, entry, is_stopped, let_go, missing, running,
    state, witness,
};
use crate::support::{Ran, User, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

/// A copy of a user's root, used by the same user.
struct Copy<'u> {
    user: &'u User,
    root: PathBuf,
}

impl<'u> Copy<'u> {
    #[track_caller]
    fn of(user: &'u User) -> Self {
        // Below the name by which the test finds what belongs to it.
        let root = user.path("bg-copy");
        let copied = user.command("cp").arg("-a").args([user.root(), root.clone()]).status().unwrap();
        assert!(copied.success());
        Self { user, root }
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.user.bgctl(arguments);
        command.env("BG_HOME", &self.root);
        bounded(command)
    }

    fn job(&self, id: &str) -> Value {
        self.run(["status", "--json", id]).json()["jobs"][0].clone()
    }

    /// How many watchers the record of a job names.
    fn watchers(&self, id: &str) -> usize {
        let record = self.root.join("runs").join(format!("{id}.lock"));
        std::fs::read_to_string(record).unwrap().matches("\"line\":\"watcher\"").count()
    }
}

/// What is asked in a copy of a job that runs in the original.
const ASKED: [&[&str]; 9] = [
    &["tick"],
    &["tick"],
    &["signal", "ID", "KILL"],
    &["pause", "ID"],
    &["resume", "ID"],
    &["health"],
    &["doctor", "--fix"],
    &["wait", "--within", "2s", "ID"],
    &["cancel", "ID"],
];

#[test]
fn what_is_asked_in_a_copy_of_a_root_harms_no_job_of_the_original() {
    let user = User::new();
    let go = user.fifo("go");
    let script = witness("cat go; exit 5");
    let id =
        user.start(["--attempts", "2", "--retry-delay", "0", "--grace", "0s", "--", "sh", "-c", &script]);
    let (_, main) = running(&user, &id);
    let copy = Copy::of(&user);
    let mut cases = Cases::new("adoption.copies");
    for asked in ASKED {
        copy.run(asked.iter().map(|word| if *word == "ID" { id.as_str() } else { *word }));
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend((!is_alive(main) || is_stopped(main)).then(|| "its process was signalled".to_owned()));
        wrong.extend(differs("in the original", observed(&user, &id).as_str(), "alive"));
        wrong.extend(differs("in the copy", copy.job(&id)["observed"].as_str(), Some("unclear")));
        wrong.extend(differs("watchers in the copy", copy.watchers(&id), 1));
        cases.tried(&asked.join(" "), wrong);
    }
    let_go(&go);
    until("the original tries it again", || attempts(&user, &id) == [1, 2]);
    let_go(&go);
    let mut wrong: Vec<String> = missing("it fails", || state(&user, &id) == "failed").into_iter().collect();
    wrong.extend(differs("its exit code", entry(&user, &id)["exit_code"].clone(), 5.into()));
    cases.tried("the end", wrong);
    cases.tell("");
    // In the copy it was cancelled, and nobody can say how it ended.
    until("its watcher is gone", || {
        copy.run(["tick"]);
        copy.job(&id)["status"] == "cancelled"
    });
    assert_eq!(copy.job(&id)["exit_code"], Value::Null);
    assert_eq!(attempts(&user, &id), [1, 2], "and it was not run again");
    user.all_gone();
}

#[test]
fn the_stale_guard_of_a_copy_ends_no_job_whose_watcher_lives() {
    let user = User::new();
    let id = user.start(["--stale-after", "30m", "--", "sleep", "1000"]);
    let (watcher, main) = running(&user, &id);
    let copy = Copy::of(&user);
    // As if it had begun, and its watcher had given its last sign, a year ago.
    let year: i32 = chrono::Utc::now().format("%Y").to_string().parse().unwrap();
    for name in ["jobs.json".to_owned(), format!("runs/{id}.lock")] {
        let path = copy.root.join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&format!(":\"{year}-"), &format!(":\"{}-", year - 1))).unwrap();
    }
    copy.run(["tick"]);
    let job = copy.job(&id);
    assert_eq!((job["status"].as_str(), &job["summary"]), (Some("running"), &Value::Null));
    assert!(is_alive(watcher) && is_alive(main));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_job_of_a_copy_whose_watcher_died_is_lost_in_the_copy_once_nothing_of_it_lives() {
    let user = User::new();
    let id = user.start(["--", "sleep", "1000"]);
    let (watcher, main) = running(&user, &id);
    let copy = Copy::of(&user);
    kill(watcher, Signal::STOP);
    end_by_force(main);
    end_by_force(watcher);
    copy.run(["tick"]);
    assert_eq!(copy.job(&id)["status"], "failed");
    assert!(copy.job(&id)["summary"].as_str().unwrap().starts_with("outcome unknown: "));
    user.ok(["tick"]);
    user.all_gone();
}

#[test]
fn a_job_whose_watcher_died_is_adopted_in_its_own_root_and_in_no_copy() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&witness("cat go"));
    let (watcher, main) = running(&user, &id);
    let copy = Copy::of(&user);
    end_by_force(watcher);
    copy.run(["tick"]);
    assert_eq!(copy.job(&id)["observed"], "unclear");
    assert_eq!(copy.watchers(&id), 1);
    let signalled = copy.run(["signal", "--json", &id, "TERM"]);
    assert_eq!((signalled.code, &signalled.json()["jobs"][0]["result"]), (1, &"unclear".into()));
    assert!(signalled.err.contains("in another folder, of which this one is a copy"), "{}", signalled.err);
    user.ok(["tick"]);
    until("it is adopted", || observed(&user, &id) == "alive");
    copy.run(["tick"]);
    assert!(is_alive(main));
    let_go(&go);
    // Newer kernels tell its adopter the exit code, too; in the copy nobody saw it.
    until("it has ended", || !entry(&user, &id)["ended_at"].is_null());
    until("it has in the copy, too", || {
        copy.run(["tick"]);
        copy.job(&id)["status"] == "failed"
    });
    assert_eq!(attempts(&user, &id), [1]);
    user.all_gone();
}

#[test]
fn a_wait_in_a_copy_ends_with_the_stale_guard_and_a_cancel_says_whose_the_job_is() {
    let user = User::new();
    let id = user.start(["--stale-after", "3s", "--", "sleep", "1000"]);
    let (watcher, main) = running(&user, &id);
    let copy = Copy::of(&user);
    let refuses = || {
        let ran = copy.run(["cancel", &id]);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        let words = "was started in another folder, of which this one is a copy; only there can it be ended";
        assert!(ran.err.contains(words), "{}", ran.err);
    };
    let other = Copy { user: &user, root: user.path("bg-copy-2") };
    assert!(user.command("cp").arg("-a").args([&copy.root, &other.root]).status().unwrap().success());
    refuses();
    end_by_force(watcher);
    refuses();
    // Nobody asked for its end in this one, where nothing is heard of it any more.
    let ran = other.run(["wait", "--within", "1m", &id]);
    assert_eq!(ran.code, 125, "{}{}", ran.out, ran.err);
    assert!(other.job(&id)["summary"].as_str().unwrap().starts_with("stale: "), "{}", other.job(&id));
    assert!(is_alive(main));
    user.ok(["tick"]);
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_supervisor_of_a_copy_leaves_the_alarm_and_the_jobs_of_the_original_alone() {
    let user = User::new();
    let far = user.start(["--quiet", "--delay", "80", "--", "true"]);
    until("an alarm is there", || user.alarm().is_some());
    let alarm = user.alarm().unwrap();
    let id = user.start(["--", "sleep", "1000"]);
    let (watcher, main) = running(&user, &id);
    let copy = Copy::of(&user);
    let mut command = user.bgctl(["tick", "--loop"]);
    command.env("BG_HOME", &copy.root).stdout(Stdio::null()).stderr(Stdio::null());
    let mut supervisor = command.spawn().unwrap();
    let own = supervisor.id();
    let lock = copy.root.join("loop.lock");
    until("it is there", || {
        std::fs::read_to_string(&lock).is_ok_and(|text| text.contains(&format!("\"pid\":{own}")))
    });
    until("it has made its first tick", || copy.root.join("last_tick").exists());
    kill(supervisor.id().cast_signed(), Signal::TERM);
    assert_eq!(crate::support::ended(&mut supervisor), 0);
    assert!(is_alive(alarm) && is_alive(watcher) && is_alive(main));
    assert_eq!(copy.watchers(&id), 1);
    user.ok(["cancel", &id, &far]);
    copy.run(["cancel", "--all", "--yes", "--no-wait"]);
}

#[test]
fn a_watcher_that_is_called_for_in_a_copy_leaves_at_once() {
    let user = User::new();
    let id = user.start(["--", "sleep", "1000"]);
    running(&user, &id);
    let copy = Copy::of(&user);
    let root = copy.root.display().to_string();
    let before = std::fs::read(copy.root.join("jobs.json")).unwrap();
    assert_eq!(copy.run(["__watch", &root, &id]).code, 0);
    assert_eq!(copy.watchers(&id), 1);
    assert_eq!(std::fs::read(copy.root.join("jobs.json")).unwrap(), before);
    edit_job(&user, &id, |job| job["labels"] = serde_json::json!(["still mine"]));
    user.ok(["cancel", &id]);
    user.all_gone();
}
