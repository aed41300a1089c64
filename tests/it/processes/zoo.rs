//! The cancel zoo: whatever a process does to leave its job, a cancel ends it, and says so only then.

use super::{Lair, status_field};
use crate::support::{User, is_alive, until};

/// Starts what `script` says, waits for `count` processes that stay, cancels, and looks whether anything is left.
#[track_caller]
fn cancelled(script: impl FnOnce(&Lair<'_>) -> String, count: usize) -> serde_json::Value {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = script(&lair);
    let id = user.start(["--grace", "1s", "--", "sh", "-c", &script]);
    lair.inhabitants(count);
    lair.cancel(&id);
    user.all_gone();
    user.indexed(&id)
}

#[test]
fn a_process_in_a_session_of_its_own_is_ended() {
    let job = cancelled(|Lair { stay, .. }| format!("setsid {stay} & exec {stay}"), 2);
    assert_eq!((&job["signal"], &job["exit_code"]), (&15.into(), &serde_json::Value::Null));
}

#[test]
fn a_double_forked_daemon_is_ended() {
    cancelled(|Lair { stay, .. }| format!("( setsid {stay} & ) ; ( ( {stay} & ) & ) ; exec {stay}"), 3);
}

#[test]
fn what_ignores_term_is_killed_after_the_grace() {
    let job = cancelled(|Lair { deaf, .. }| format!("setsid {deaf} & exec {deaf}"), 2);
    assert_eq!(job["signal"], 9);
}

#[test]
fn a_process_without_descriptors_is_ended() {
    let script =
        |Lair { stay, .. }: &Lair<'_>| format!("setsid {stay} <&- >&- 2>&- & exec {stay} <&- >&- 2>&-");
    cancelled(script, 2);
}

#[test]
fn a_process_with_a_cleared_environment_is_ended() {
    let script = |Lair { stay, .. }: &Lair<'_>| {
        format!("( env -i setsid {stay} & ) ; env -i setsid {stay} & exec env -i {stay}")
    };
    cancelled(script, 3);
}

#[test]
fn a_stopped_tree_is_ended() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start_sh(&format!("{0} & exec {0}", lair.stay));
    let pids = lair.inhabitants(2);
    for pid in pids {
        super::stop(pid);
    }
    lair.cancel(&id);
    // TERM reached them, as CONT followed: they had not to be killed.
    assert_eq!(user.indexed(&id)["signal"], 15);
    user.all_gone();
}

/// A job that forks up to 200 processes, each in a session of its own, and goes on while it is ended.
fn forker(lair: &Lair<'_>, program: &str) -> String {
    let each = format!("setsid {program} & ( {program} & ) ;");
    let text =
        format!("#!/bin/sh\ntrap '' TERM\ni=0; while [ $i -lt 100 ]; do {each} i=$((i+1)); done\nwait\n");
    lair.user.script("forker", &text)
}

#[test]
fn a_forker_that_goes_on_to_200_is_ended() {
    let job = cancelled(|lair| format!("exec {}", forker(lair, &lair.stay)), 5);
    assert_eq!(job["signal"], 9);
}

#[test]
fn a_forker_is_killed_in_the_middle_of_it_where_there_is_no_grace() {
    let user = User::new();
    let lair = Lair::new(&user);
    let forker = forker(&lair, &lair.deaf);
    let id = user.start(["--grace", "0s", "--", &forker]);
    lair.inhabitants(5);
    lair.cancel(&id);
    let count = lair.pids().len();
    assert!(count <= 200);
    user.all_gone();
    assert_eq!(lair.pids().len(), count, "nobody came after the end");
}

#[test]
fn a_process_that_hops_from_pid_to_pid_is_ended() {
    let user = User::new();
    let lair = Lair::new(&user);
    let hopper = Hopper::new(&user);
    let script = format!("{}; exec {}", hopper.program, lair.stay);
    let id = user.start(["--grace", "0s", "--", "sh", "-c", &script]);
    user.line_in("hops");
    lair.inhabitants(1);
    lair.cancel(&id);
    assert!(hopper.is_gone());
    user.all_gone();
}

/// A process that lives for an instant only, and forks its like before it ends: no list of all processes is sure to
/// have it. It holds a lock that goes with the last of its line; by itself it ends after a while.
pub struct Hopper {
    pub program: String,
    lock: std::path::PathBuf,
}

impl Hopper {
    pub fn new(user: &User) -> Self {
        let lock = user.path("hopper.lock");
        let text = format!(
            "#!/usr/bin/perl\n# {}\nuse POSIX; use Fcntl ':flock';\nopen(my $lock, '>', '{}'); flock($lock, LOCK_EX);\n\
             exit if fork;\nPOSIX::setsid();\nopen(my $hops, '>', '{}'); print $hops \"hop\\n\"; close $hops;\n\
             my $end = time + 60;\nwhile (time < $end) {{ POSIX::_exit(0) if fork; }}\n",
            user.root().display(),
            lock.display(),
            user.path("hops").display()
        );
        Self { program: user.script("hopper", &text), lock }
    }

    pub fn is_gone(&self) -> bool {
        let lock = std::fs::File::open(&self.lock).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

#[test]
fn the_whole_zoo_is_ended_at_once() {
    let script = |lair: &Lair<'_>| {
        let Lair { stay, deaf, .. } = lair;
        let forker = forker(lair, deaf);
        format!(
            "setsid {stay} & ( setsid {stay} & ) ; setsid {deaf} & {stay} <&- >&- 2>&- & \
             ( env -i setsid {deaf} & ) ; {stay} & kill -STOP $! ; {forker} & exec {deaf}"
        )
    };
    cancelled(script, 20);
}

#[test]
fn the_real_exit_is_kept() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("trap 'exit 7' TERM; {0} & {0} & wait", lair.stay);
    let id = user.start_sh(&script);
    lair.inhabitants(2);
    lair.cancel(&id);
    let job = user.indexed(&id);
    assert_eq!((job["status"].as_str(), job["exit_code"].as_i64()), (Some("cancelled"), Some(7)));
    assert_eq!(user.wait(&id), 125);
    user.all_gone();
}

#[test]
fn an_exit_of_0_after_the_intent_is_cancelled_and_keeps_its_0() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start_sh(&format!("trap 'exit 0' TERM; {} & wait", lair.stay));
    lair.inhabitants(1);
    lair.cancel(&id);
    assert_eq!(user.indexed(&id)["exit_code"], 0);
    user.all_gone();
}

#[test]
fn the_signal_that_asks_can_be_chosen() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start_sh(&format!("trap '' TERM; trap 'exit 9' INT; {} & wait", lair.stay));
    lair.inhabitants(1);
    user.ok(["cancel", "--signal", "INT", &id]);
    assert_eq!(user.indexed(&id)["exit_code"], 9);
    user.all_gone();
}

#[test]
fn a_second_cancel_with_kill_does_not_wait_for_the_grace() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--grace", "none", "--", &lair.deaf]);
    let pid = lair.inhabitants(1)[0];
    user.ok(["cancel", "--no-wait", &id]);
    until("the watcher is at it", || user.record(&id).iter().any(|line| line["line"] == "ending"));
    assert!(is_alive(pid) && status_field(pid, "State").starts_with('S'));
    assert_eq!(user.indexed(&id)["status"], "running");
    user.ok(["cancel", "--signal", "KILL", &id]);
    assert_eq!(user.status(&id), "cancelled");
    user.all_gone();
}
