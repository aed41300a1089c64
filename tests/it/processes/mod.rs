//! Processes: spawning, watcher, tree end, adoption, and what is said of jobs that nobody here can see.
//!
//! Every process that a test starts has the test's root in its arguments or its environment, so that
//! [`User::processes`] finds it whatever it does to hide from its job.

mod alarm;
mod cron;
mod crowd;
mod events;
#[cfg(feature = "github")]
mod github;
mod hooks;
mod hygiene;
mod kerberos;
mod leftovers;
mod logs;
mod nested;
mod orphans;
mod pause;
mod recurring;
#[cfg(feature = "github")]
mod refusals;
mod rhythm;
#[cfg(feature = "github")]
mod rounds;
mod stale;
mod strangers;
mod supervise;
mod timeout;
mod truth;
mod zoo;

use crate::support::{User, is_alive, until};
use bgctl::exec::local::record::Line;
use bgctl::model::{Timestamp, id::JobId};
use bgctl::os::process::{self, Identity};
use bgctl::store::{
    lock::{WAIT_MAX, locked},
    root::{INDEX, INDEX_TEMPORARY, Root},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Processes that stay until they are ended, and write down who they are.
struct Lair<'u> {
    user: &'u User,
    /// A program that stays.
    stay: String,
    /// A program that stays and ignores TERM.
    deaf: String,
}

impl<'u> Lair<'u> {
    fn new(user: &'u User) -> Self {
        user.make_root();
        user.fifo("never");
        let never = user.root().join("../never");
        let script = |name: &str, first: &str| {
            let pids = user.path("pids");
            // The shell's own read waits without any descriptor too, where `cat` would leave.
            let wait = format!("exec sh -c 'read line < \"$0\"' {}", never.display());
            let text = format!("#!/bin/sh\n{first}\necho $$ >> {}\n{wait}\n", pids.display());
            user.script(name, &text)
        };
        Self { user, stay: script("stay", ""), deaf: script("deaf", "trap '' TERM") }
    }

    /// The pids that were written down so far.
    fn pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.user.path("pids")).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
    }

    /// Waits until so many processes stay; gives them.
    #[track_caller]
    fn inhabitants(&self, count: usize) -> Vec<i32> {
        until("they have come", || self.pids().len() >= count);
        let pids = self.pids();
        assert!(pids.iter().all(|pid| is_alive(*pid)), "they stay");
        pids
    }

    fn living(&self) -> Vec<i32> {
        self.pids().into_iter().filter(|pid| is_alive(*pid)).collect()
    }

    /// Cancels a job; at the very moment at which the index says `cancelled`, nothing of it may live.
    #[track_caller]
    fn cancel(&self, id: &str) {
        let mut cancel = self.user.bgctl(["cancel", id]).stdout(std::process::Stdio::null()).spawn().unwrap();
        until("the job is cancelled", || self.user.indexed(id)["status"] == "cancelled");
        assert_eq!(self.living(), [] as [i32; 0], "cancelled, and yet these live");
        assert_eq!(crate::support::ended(&mut cancel), 0);
    }
}

impl User {
    /// An executable script; gives its path.
    pub fn script(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// The id of an entry that is made by hand: this test's alone, since processes carry it as their mark.
    fn id(&self) -> String {
        let name = self.path("").file_name().unwrap().to_string_lossy().to_lowercase();
        format!("bg_20260213_{}", name.trim_start_matches(".tmp"))
    }

    /// A job as it is in the index; nobody is asked and nothing is looked at.
    fn indexed(&self, id: &str) -> Value {
        let index = self.index();
        let found = index["jobs"].as_array().unwrap().iter().find(|job| job["id"] == id).cloned();
        found.unwrap_or(Value::Null)
    }

    /// Waits until the index says that a job has ended, without a command that would look after it.
    #[track_caller]
    fn until_indexed_as(&self, id: &str, status: &str) {
        until(status, || self.indexed(id)["status"] == status);
    }

    /// Changes an entry of the index, under its lock.
    fn edit(&self, id: &str, change: impl FnOnce(&mut Value)) {
        self.edit_jobs(|jobs| change(jobs.iter_mut().find(|job| job["id"] == id).unwrap()));
    }

    /// Changes the jobs of the index, under its lock.
    fn edit_jobs(&self, change: impl FnOnce(&mut Vec<Value>)) {
        let root = Root::open(&self.root()).unwrap().unwrap();
        locked(root.folder(), WAIT_MAX, || {
            let mut index = self.index();
            change(index["jobs"].as_array_mut().unwrap());
            let text = index.to_string();
            root.folder().replace(INDEX, INDEX_TEMPORARY, text.as_bytes(), false).unwrap();
        })
        .unwrap();
    }

    /// Makes an index of these jobs.
    fn write_jobs(&self, jobs: &[Value]) {
        self.write_index(&json!({ "version": 1, "updated_at": now(), "jobs": jobs }).to_string());
    }

    /// Makes a job's run record.
    fn write_record(&self, id: &str, lines: &[Line]) {
        let runs = self.root().join("runs");
        if !runs.exists() {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().mode(0o700).create(&runs).unwrap();
        }
        let text: Vec<u8> = lines.iter().flat_map(Line::to_bytes).collect();
        std::fs::write(runs.join(format!("{id}.lock")), text).unwrap();
    }

    /// What is seen of a running job.
    #[track_caller]
    fn observed(&self, id: &str) -> String {
        self.job(id)["observed"].as_str().unwrap_or("nothing").to_owned()
    }

    /// The word in the list's state column, for people.
    #[track_caller]
    fn listed(&self, id: &str) -> String {
        let list = self.ok(["list"]);
        list.lines().find(|line| line.contains(id)).unwrap_or_default().to_owned()
    }

    /// Ends a job's watcher as a crash would, and waits until it is gone.
    #[track_caller]
    fn lose_watcher(&self, id: &str) -> i32 {
        let watcher = self.recorded_pid(id, "watcher");
        end_by_force(watcher);
        watcher
    }
}

/// A running entry that was claimed here.
fn claimed_here(id: &str, script: &str) -> Value {
    json!({
        "id": id, "status": "running", "argv": ["sh", "-c", script], "command": script, "cwd": "/",
        "created_at": now(), "started_at": now(), "ended_at": null, "exit_code": null,
        "timeout_seconds": 1800, "stale_after_seconds": 3600, "labels": [], "summary": null,
        "attempt": 1, "claim": serde_json::to_value(bgctl::os::site::here().unwrap()).unwrap(),
    })
}

fn now() -> Timestamp {
    chrono::Utc::now()
}

fn job_id(id: &str) -> JobId {
    JobId::parse(id).unwrap()
}

/// The lines of a record whose watcher is gone.
fn record_of(process: Identity) -> Vec<Line> {
    vec![
        Line::Watcher {
            attempt: 1,
            identity: gone(),
            boot: bgctl::os::site::here().unwrap().boot,
            at: now(),
            monotonic_ms: monotonic_ms(),
            file: None,
        },
        Line::Process { identity: process, log_from: 0, monotonic_ms: monotonic_ms() },
        Line::Started,
    ]
}

/// A process that is no more.
fn gone() -> Identity {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let identity = Identity::of(pid).unwrap().unwrap();
    child.wait().unwrap();
    identity
}

fn monotonic_ms() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000
}

/// Kills a process of the test's own and waits until it is gone.
#[track_caller]
fn end_by_force(pid: i32) {
    crate::support::kill(pid, Signal::KILL);
    until("the killed process is gone", || !is_alive(pid));
}

/// A field of `/proc/PID/status`.
fn status_field(pid: i32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name}:"))).unwrap();
    line.split_once(':').unwrap().1.trim().to_owned()
}

/// Stops a process and waits until it is.
#[track_caller]
fn stop(pid: i32) {
    crate::support::kill(pid, Signal::STOP);
    until("it is stopped", || status_field(pid, "State").starts_with('T'));
}

fn session_of(pid: i32) -> Option<i32> {
    process::look(pid).unwrap().map(|process| process.session)
}

/// This program, for scripts.
fn program() -> PathBuf {
    PathBuf::from(crate::support::BGCTL)
}
