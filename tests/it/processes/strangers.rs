//! What cannot be judged from here is shown and left alone; what is not the job's is never signalled.

use super::{claimed_here, job_id, now, record_of};
use crate::support::{Ran, User, is_alive, until};
use bgctl::os::process::Identity;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// A process that has nothing to do with any job. Dropped, it ends.
struct Innocent(Child);

impl Innocent {
    fn new(program: &str, arguments: &[&str]) -> Self {
        Self(Command::new(program).args(arguments).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn identity(&self) -> Identity {
        Identity::of(i32::try_from(self.0.id()).unwrap()).unwrap().unwrap()
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running job whose process had the pid that now is the innocent's.
fn pid_reused(user: &User, innocent: &Innocent, cancel: bool) {
    let identity = innocent.identity();
    user.write_jobs(&[claimed_here(&user.id(), "true")]);
    user.write_record(&user.id(), &record_of(Identity { start: identity.start - 1, ..identity }));
    assert_eq!(user.observed(&user.id()), "lost");
    let id = user.id();
    user.ok(if cancel { vec!["cancel", &id] } else { vec!["tick"] });
    until("it has ended", || user.indexed(&user.id())["status"] != "running");
    user.all_gone();
    assert!(is_alive(identity.pid), "the innocent process lives");
    assert_eq!(user.indexed(&user.id())["exit_code"], Value::Null);
}

#[test]
fn a_process_that_got_a_jobs_pid_is_not_signalled() {
    let user = User::new();
    pid_reused(&user, &Innocent::new("cat", &[]), false);
    let user = User::new();
    pid_reused(&user, &Innocent::new("cat", &[]), true);
}

#[test]
fn a_session_that_got_a_jobs_pid_is_not_signalled() {
    let user = User::new();
    let innocent = Innocent::new("setsid", &["cat"]);
    let pid = innocent.identity().pid;
    // A child of ours leads no group, so setsid does not fork.
    until("it has its own session", || super::session_of(pid) == Some(pid));
    pid_reused(&user, &innocent, false);
    let user = User::new();
    pid_reused(&user, &innocent, true);
}

#[test]
fn a_record_that_does_not_name_its_process_leads_to_nobody() {
    let user = User::new();
    user.make_root();
    let runs = bgctl::os::folder::Folder::open(&user.root()).unwrap().unwrap();
    let id = job_id("bg_20260213_nobody");
    let tree = bgctl::exec::local::tree::Tree { id: Some(&id), runs: &runs };
    assert!(tree.members_by_mark(Some(Identity { pid: 0, start: 0 })).unwrap().is_empty());
}

#[test]
fn a_watcher_whose_pid_is_another_processs_now_is_not_signalled() {
    let user = User::new();
    let innocent = Innocent::new("cat", &[]);
    let identity = innocent.identity();
    user.write_jobs(&[claimed_here(&user.id(), "true")]);
    let mut lines = record_of(super::gone());
    if let bgctl::exec::local::record::Line::Watcher { identity: watcher, .. } = &mut lines[0] {
        *watcher = Identity { start: identity.start - 1, ..identity };
    }
    user.write_record(&user.id(), &lines);
    user.ok(["cancel", &user.id()]);
    user.all_gone();
    assert!(is_alive(identity.pid), "a poke would have ended it");
}

/// An entry claimed elsewhere, since long ago.
fn claimed_by(user: &User, change: impl FnOnce(&mut Value)) -> Value {
    let mut entry = claimed_here(&user.id(), "true");
    change(&mut entry);
    entry
}

#[test]
fn a_job_of_an_earlier_boot_is_rebooted_and_a_tick_fails_it_as_unknown() {
    let user = User::new();
    user.write_jobs(&[claimed_by(&user, |entry| entry["claim"]["boot"] = "another".into())]);
    assert_eq!(user.observed(&user.id()), "rebooted");
    assert!(user.listed(&user.id()).contains("running (rebooted)"));
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("failed"), &Value::Null));
    assert!(job["summary"].as_str().unwrap().starts_with("outcome unknown: the machine was started again"));
    assert_eq!(user.wait(&user.id()), 125);
}

#[test]
fn a_wait_for_a_job_of_an_earlier_boot_returns() {
    let user = User::new();
    user.write_jobs(&[claimed_by(&user, |entry| entry["claim"]["boot"] = "another".into())]);
    assert_eq!(user.wait(&user.id()), 125);
}

#[test]
fn a_process_of_this_boot_is_not_taken_for_one_of_an_earlier_boot() {
    let user = User::new();
    let innocent = Innocent::new("cat", &[]);
    user.write_jobs(&[claimed_by(&user, |entry| entry["claim"]["boot"] = "another".into())]);
    user.write_record(&user.id(), &record_of(innocent.identity()));
    user.ok(["tick"]);
    assert_eq!(user.status(&user.id()), "failed");
    assert!(is_alive(innocent.identity().pid));
}

fn on_another_host(entry: &mut Value) {
    entry["claim"]["host"] = "elsewhere".into();
    entry["claim"]["machine"] = "another".into();
    entry["claim"]["boot"] = "another".into();
}

#[test]
fn a_job_of_another_host_is_shown_and_never_judged() {
    let user = User::new();
    user.write_jobs(&[claimed_by(&user, on_another_host)]);
    assert_eq!(user.observed(&user.id()), "elsewhere");
    assert!(user.listed(&user.id()).contains("running (elsewhere)"));
    user.ok(["tick"]);
    user.ok(["tick"]);
    assert_eq!(user.indexed(&user.id())["status"], "running");
    assert_eq!(user.run(["wait", "--within", "0", &user.id()]).code, 121);
}

#[test]
fn a_cancel_of_a_job_of_another_host_leaves_the_intent_and_says_where_it_runs() {
    let user = User::new();
    user.write_jobs(&[claimed_by(&user, on_another_host)]);
    let ran = user.run(["cancel", &user.id()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("runs on elsewhere"), "{}", ran.err);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), job["ending"]["why"].as_str()), (Some("running"), Some("cancel")));
}

#[test]
fn a_job_of_another_host_holds_no_slot_here() {
    let user = User::new();
    let jobs: Vec<Value> = ["bg_20260213_aaaaaa", "bg_20260213_bbbbbb"]
        .map(|id| {
            claimed_by(&user, |entry| {
                on_another_host(entry);
                entry["id"] = id.into();
            })
        })
        .to_vec();
    user.write_jobs(&jobs);
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}

#[test]
fn a_job_of_another_host_goes_stale_as_unknown_and_may_still_run() {
    let user = User::new();
    user.write_jobs(&[claimed_by(&user, |entry| {
        on_another_host(entry);
        entry["started_at"] = serde_json::to_value(now() - chrono::TimeDelta::hours(2)).unwrap();
        entry["created_at"] = entry["started_at"].clone();
    })]);
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("cancelled"), &Value::Null));
    let summary = job["summary"].as_str().unwrap();
    assert!(summary.starts_with("stale: no sign of life for 2h"), "{summary}");
    assert!(summary.contains("outcome unknown: it may still run on elsewhere"), "{summary}");
}

#[test]
fn a_running_entry_that_nobody_claimed_is_shown_and_never_run() {
    let user = User::new();
    let mut entry = claimed_here(&user.id(), "echo ran >> ran");
    entry["cwd"] = user.path("").to_str().unwrap().into();
    entry.as_object_mut().unwrap().remove("claim");
    entry.as_object_mut().unwrap().remove("attempt");
    user.write_jobs(&[entry]);
    assert_eq!(user.observed(&user.id()), "elsewhere");
    user.ok(["tick"]);
    assert_eq!(user.run(["wait", "--within", "2s", &user.id()]).code, 121);
    assert_eq!(user.indexed(&user.id())["status"], "running");
    let ran = user.run(["cancel", &user.id()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    user.edit(&user.id(), |job| {
        job["started_at"] = json!(now() - chrono::TimeDelta::hours(2));
        job["ending"] = Value::Null;
    });
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("cancelled"), &Value::Null));
    assert!(job["summary"].as_str().unwrap().contains("nobody claimed it"), "{job}");
    user.all_gone();
    assert!(!user.path("ran").exists(), "it never ran");
}

/// `bgctl` in a pid namespace of its own; `None`, and a word, where this may not be.
fn in_own_namespace(user: &User, script: &str) -> Option<Ran> {
    let unshare = |script: &str| {
        let output = user
            .command("unshare")
            .args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", script])
            .output();
        output.ok().map(|output| Ran::of(&output))
    };
    if unshare("true").is_none_or(|ran| ran.code != 0) {
        crate::support::skipped("no pid namespace can be made here");
        return None;
    }
    unshare(script)
}

#[test]
fn a_job_of_another_pid_namespace_is_shown_and_never_judged() {
    let user = User::new();
    let script = format!("{} start -- true; {0} list --json", super::program().display());
    // The namespace ends at once, and with it the job and its watcher.
    let go = user.fifo("go");
    let script = script.replace("true", &format!("cat {}", go.display()));
    let Some(ran) = in_own_namespace(&user, &script) else { return };
    let id = ran.out.lines().next().unwrap().to_owned();
    assert!(ran.out.contains("\"running\""), "{}{}", ran.out, ran.err);
    assert_eq!(user.observed(&id), "elsewhere");
    user.ok(["tick"]);
    assert_eq!(user.indexed(&id)["status"], "running");
    assert_eq!(user.wait(&user.start(["--", "true"])), 0);
    assert_eq!(user.wait(&user.start(["--", "true"])), 0, "it holds no slot here");
    user.edit(&id, |job| job["stale_after_seconds"] = 0.into());
    user.ok(["tick"]);
    let job = user.indexed(&id);
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("cancelled"), &Value::Null));
    assert!(job["summary"].as_str().unwrap().contains("it may still run on"), "{job}");
    user.all_gone();
}

#[test]
fn a_job_is_run_and_ended_in_a_pid_namespace() {
    let user = User::new();
    let program = super::program();
    let script = format!(
        "id=$({0} start -- sh -c 'setsid sleep 1000 & exit 3'); {0} wait --quiet $id; echo $?; \
         id=$({0} start -- sleep 1000); {0} cancel --quiet $id && {0} list",
        program.display()
    );
    let Some(ran) = in_own_namespace(&user, &script) else { return };
    assert_eq!(ran.out.lines().next(), Some("3"), "{}", ran.err);
    assert!(ran.out.contains("cancelled"), "{}{}", ran.out, ran.err);
    user.all_gone();
}

#[test]
fn a_watcher_whose_whole_root_was_removed_leaves_when_its_job_has_ended() {
    let user = User::new();
    let gate = user.fifo("gate");
    let id = user.start_sh(&format!("read line < '{}'", gate.display()));
    until("its command runs", || user.record(&id).iter().any(|line| line["line"] == "started"));
    let watcher = user.recorded_pid(&id, "watcher");
    std::fs::remove_dir_all(user.root()).unwrap();
    std::fs::write(&gate, "go on\n").unwrap();
    until("the watcher leaves", || !is_alive(watcher));
}
