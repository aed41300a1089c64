//! Pids that are handed out again: in a pid namespace of its own, the kernel is told which pid comes next
//! (`/proc/sys/kernel/ns_last_pid`, `proc_sys_kernel(5)`), so that a stranger really has the pid of a watcher or of a job's
//! process. It is not signalled, and nobody takes it for what had that pid before.

use super::{Cases, bounded, differs, skipped, witness};
use crate::proof::Proof;
use crate::support::{BGCTL, Ran, User, until};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};

/// A pid namespace that lasts until it is dropped.
struct Namespace<'u> {
    user: &'u User,
    child: Child,
    init: i32,
}

/// What the stranger runs, and how the kernel calls it.
const STRANGER: &str = "sleep 77777";

/// Why a test of this file tries nothing.
const NO_NAMESPACE: &str = "no pid namespace can be made here";

impl<'u> Namespace<'u> {
    /// `None`, and a word, where this may not be.
    fn new(user: &'u User) -> Option<Self> {
        user.make_root();
        let mut command = user.command("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c"]);
        // Who ignores the ends of its children has the kernel let them go.
        command.arg("echo up > up; exec env --ignore-signal=CHLD sleep 100000");
        let Ok(mut child) = command.stderr(Stdio::null()).spawn() else {
            skipped(NO_NAMESPACE);
            return None;
        };
        let up = user.path("up");
        until("the namespace is there, or cannot be", || up.exists() || child.try_wait().unwrap().is_some());
        if !up.exists() {
            skipped(NO_NAMESPACE);
            return None;
        }
        let unshare = child.id().cast_signed();
        let children = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
        let init = children.split_whitespace().next().unwrap().parse().unwrap();
        Some(Self { user, child, init })
    }

    /// A program inside.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.user.command("nsenter");
        command.args(["--target", &self.init.to_string(), "--pid", "--mount"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.args(["sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "inside"]);
        command.arg(self.user.path("")).arg(program);
        command
    }

    fn sh(&self, script: &str) -> Ran {
        Ran::of(&self.command("sh").args(["-c", script]).output().unwrap())
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.command(BGCTL);
        command.args(arguments);
        bounded(command)
    }

    #[track_caller]
    fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    /// Starts a job inside and waits until its command runs; gives its id and the pids of its watcher and its main process.
    #[track_caller]
    fn start(&self, flags: &[&str], script: &str) -> (String, i32, i32) {
        let id = self.ok([&["start", "--quiet"], flags, &["--", "sh", "-c", script]].concat());
        let id = id.trim_end().to_owned();
        let (watcher, main) = super::running(self.user, &id);
        (id, watcher, main)
    }

    fn seen(&self, id: &str) -> Value {
        self.run(["status", "--json", id]).json()["jobs"][0].clone()
    }

    /// What a pid inside stands for: the state and the program; nothing where nobody has it.
    fn who(&self, pid: i32) -> String {
        self.sh(&format!("tr '\\0' ' ' < /proc/{pid}/cmdline; cut -d' ' -f3 /proc/{pid}/stat")).out
    }

    #[track_caller]
    fn end_by_force(&self, pids: &[i32]) {
        // The watcher must not see the end of its job.
        for signal in ["STOP", "KILL"] {
            for pid in pids {
                self.sh(&format!("kill -{signal} {pid}"));
            }
        }
        until("they are gone", || pids.iter().all(|pid| self.who(*pid).is_empty()));
    }

    /// A program that gets this pid.
    #[track_caller]
    fn occupy(&self, pid: i32, program: &str) {
        let script = format!(
            "for try in 1 2 3 4 5; do echo {last} > /proc/sys/kernel/ns_last_pid; {program} & \
             [ $! = {pid} ] && exit 0; kill $!; wait $!; done; exit 1",
            last = pid - 1,
        );
        let mut command = self.command("sh");
        let status =
            command.args(["-c", &script]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{pid} was not to be had");
        until("the stranger is there", || self.who(pid).starts_with(STRANGER));
    }

    /// Complains where a stranger was harmed.
    fn harmed(&self, pid: i32) -> Option<String> {
        differs(&format!("the stranger {pid}"), self.who(pid).as_str(), &format!("{STRANGER} S\n"))
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // With its first process all others go.
        crate::support::kill(self.init, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// What is done to a job whose watcher's pid, and perhaps its own, are strangers' now.
const ACTIONS: [&[&str]; 9] = [
    &["tick"],
    &["status"],
    &["list"],
    &["health"],
    &["signal", "TERM"],
    &["pause"],
    &["resume"],
    &["wait", "--within", "20"],
    &["cancel"],
];

#[test]
fn whatever_is_done_to_a_job_that_died_the_strangers_with_its_pids_are_left_alone() {
    let mut cases = Cases::new("adoption.pids");
    for action in ACTIONS {
        let user = User::new();
        let Some(inside) = Namespace::new(&user) else {
            assert_eq!(cases.count, 0, "a namespace could be made before");
            let remark = format!("skipped: {NO_NAMESPACE}");
            Proof { name: cases.name, cases: 0, failures: 0, remark }.tell();
            return;
        };
        let (id, watcher, main) = inside.start(&[], "exec sleep 1000");
        inside.end_by_force(&[watcher, main]);
        inside.occupy(watcher, STRANGER);
        // It leads a session whose number is that of the job's.
        inside.occupy(main, &format!("setsid {STRANGER}"));
        let mut wrong: Vec<String> = Vec::new();
        wrong.extend(differs("before", inside.seen(&id)["observed"].as_str(), Some("lost")));
        let is_about_all = ["tick", "list", "health"].contains(&action[0]);
        let mut arguments = action.to_vec();
        if !is_about_all {
            arguments.insert(1, &id);
        }
        if action[0] == "signal" {
            arguments = vec!["signal", &id, "TERM"];
        }
        inside.run(arguments);
        wrong.extend([watcher, main].into_iter().filter_map(|pid| inside.harmed(pid)));
        inside.ok(["tick"]);
        wrong.extend([watcher, main].into_iter().filter_map(|pid| inside.harmed(pid)));
        let status = if action[0] == "cancel" { "cancelled" } else { "failed" };
        let job = inside.seen(&id);
        wrong.extend(differs("the state", job["status"].as_str(), Some(status)));
        wrong.extend(differs("the exit code", &job["exit_code"], &Value::Null));
        cases.tried(&action.join(" "), wrong);
    }
    cases.tell("watcher and process, each action once");
}

#[test]
fn a_job_whose_watchers_pid_is_a_strangers_is_adopted_and_ended_and_the_stranger_is_left_alone() {
    let user = User::new();
    let Some(inside) = Namespace::new(&user) else { return };
    let (id, watcher, main) = inside.start(&[], "exec sleep 1000");
    inside.end_by_force(&[watcher]);
    inside.occupy(watcher, STRANGER);
    assert_eq!(inside.seen(&id)["observed"], "unwatched");
    inside.ok(["tick"]);
    until("another watcher is on it", || inside.seen(&id)["observed"] == "alive");
    assert!(!inside.who(main).is_empty(), "it goes on");
    inside.ok(["cancel", &id]);
    assert_eq!((inside.who(main).as_str(), inside.harmed(watcher)), ("", None));
}

#[test]
fn a_new_job_whose_watcher_and_process_have_the_pids_of_a_lost_ones_is_not_taken_for_it() {
    let user = User::new();
    let Some(inside) = Namespace::new(&user) else { return };
    let (lost, watcher, main) = inside.start(&[], "exec sleep 1000");
    inside.end_by_force(&[watcher, main]);
    // The program has the pid before; it makes the watcher, and that the process.
    let script = format!(
        "echo {} > /proc/sys/kernel/ns_last_pid; exec {BGCTL} start -- sh -c 'exec sleep 1000'",
        watcher - 1
    );
    let ran = inside.sh(&script);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let next = ran.out.trim_end().to_owned();
    assert_eq!(super::running(&user, &next), (watcher, main), "the pids are theirs now");
    assert_eq!(inside.seen(&lost)["observed"], "lost");
    inside.run(["signal", &lost, "TERM"]);
    inside.ok(["tick"]);
    assert_eq!(inside.seen(&lost)["status"], "failed");
    let job = inside.seen(&next);
    assert_eq!((job["status"].as_str(), job["observed"].as_str()), (Some("running"), Some("alive")));
    assert!(inside.who(main).starts_with("sleep 1000"));
    inside.ok(["cancel", &next]);
    assert_eq!(inside.who(watcher), "");
}

#[test]
fn a_watcher_of_another_job_that_has_the_pid_of_a_lost_one_is_neither_poked_nor_evicted() {
    let user = User::new();
    let Some(inside) = Namespace::new(&user) else { return };
    let (lost, watcher, _) = inside.start(&["--grace", "0s"], "exec sleep 1000");
    inside.end_by_force(&[watcher]);
    let script = format!(
        "echo {} > /proc/sys/kernel/ns_last_pid; exec {BGCTL} start -- sh -c 'exec sleep 1000'",
        watcher - 1
    );
    let next = inside.sh(&script).out.trim_end().to_owned();
    assert_eq!(super::running(&user, &next).0, watcher);
    inside.ok(["cancel", &lost]);
    assert_eq!(inside.seen(&next)["observed"], "alive");
    assert_eq!(user.recorded_pid(&next, "watcher"), watcher);
    let watchers = user.record(&next).iter().filter(|line| line["line"] == "watcher").count();
    assert_eq!(watchers, 1);
}

#[test]
fn a_stranger_with_the_pid_of_the_alarm_is_left_alone_by_a_supervisor() {
    let user = User::new();
    let Some(inside) = Namespace::new(&user) else { return };
    inside.ok(["start", "--delay", "80", "--", "true"]);
    let recorded = || {
        let text = std::fs::read_to_string(user.root().join("alarm.lock")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).ok().and_then(|who| i32::try_from(who["pid"].as_i64()?).ok())
    };
    until("an alarm is there", || recorded().is_some());
    let alarm = recorded().unwrap();
    inside.end_by_force(&[alarm]);
    inside.occupy(alarm, STRANGER);
    let mut supervisor =
        inside.command(BGCTL).args(["tick", "--loop"]).stderr(Stdio::null()).spawn().unwrap();
    let ticked = user.root().join("loop.lock");
    until("the supervisor is there", || std::fs::metadata(&ticked).is_ok_and(|data| data.len() > 0));
    until("it has made its first tick", || user.root().join("last_tick").exists());
    assert_eq!(inside.harmed(alarm), None);
    let recorded = std::fs::read_to_string(&ticked).unwrap();
    let pid = serde_json::from_str::<Value>(&recorded).unwrap()["pid"].clone();
    inside.sh(&format!("kill {pid}"));
    assert_eq!(crate::support::ended(&mut supervisor), 0);
    assert_eq!(inside.harmed(alarm), None);
}

#[test]
fn a_stranger_with_the_pid_of_a_process_that_was_left_running_keeps_no_job_and_is_left_alone() {
    let user = User::new();
    let Some(inside) = Namespace::new(&user) else { return };
    let id = inside.ok([
        "start",
        "--quiet",
        "--leftovers",
        "leave",
        "--",
        "sh",
        "-c",
        &witness("sleep 1000 & echo $! > left"),
    ]);
    let id = id.trim_end();
    let left: i32 = user.line_in("left").trim().parse().unwrap();
    until("it has ended", || super::state(&user, id) == "completed");
    let before = inside.run(["prune", "--all"]);
    assert!(
        !super::entry(&user, id).is_null(),
        "it stays while what it left lives: {}{}",
        before.out,
        before.err
    );
    inside.end_by_force(&[left]);
    inside.occupy(left, STRANGER);
    inside.ok(["prune", "--all"]);
    assert!(super::entry(&user, id).is_null(), "nothing of it lives");
    assert_eq!(inside.harmed(left), None);
}
