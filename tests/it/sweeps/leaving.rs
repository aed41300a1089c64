//! An alarm that leaves, held up in its two narrow moments while somebody commits what comes due.
//!
//! Planted once: an alarm that does not look again after it has let its lock go; the first test then waited in vain.

use super::can_trace;
use crate::support::{BGCTL, User, ended, is_alive, kill, until};
use rustix::process::Signal;
use std::process::{Child, Stdio};

/// How long strace holds a call up, in microseconds: much longer than a submission takes.
const HOLD_UP: &str = "4000000";

impl User {
    /// The alarm of this root that is not `but`, while there is one.
    fn alarm_but(&self, but: Option<i32>) -> Option<i32> {
        let root = self.root().display().to_string();
        self.processes().into_iter().filter(|pid| Some(*pid) != but).find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words.get(1) == Some(&&b"__alarm"[..]) && words.get(2) == Some(&root.as_bytes())
        })
    }

    /// An alarm under strace, which holds it up where it lets its lock go; and its pid.
    fn held_up_alarm(&self, when: &str) -> (Child, i32) {
        let mut command = self.command("strace");
        command
            .args(["-o", "/dev/null", "-P"])
            .arg(self.root().join("alarm.lock"))
            .args(["-e", "trace=close", "-e", &format!("inject=close:{when}={HOLD_UP}")])
            .args([BGCTL, "__alarm"])
            .arg(self.root());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the alarm is there", || self.alarm_but(None).is_some());
        (child, self.alarm_but(None).unwrap())
    }
}

/// Whether strace stops a process (`proc_pid_stat(5)`, state `t`), at two looks.
fn is_held_up(pid: i32) -> bool {
    let stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('t'))
    };
    let first = stopped();
    std::thread::yield_now();
    first && stopped()
}

fn nothing_is_missed(when: &str) {
    if !can_trace() {
        return;
    }
    let user = User::new();
    let first = user.start(["--delay", "2", "--", "true"]);
    // The first alarm gives way to one that can be held up.
    until("an alarm is there", || user.alarm_but(None).is_some());
    let alarm = user.alarm_but(None).unwrap();
    kill(alarm, Signal::KILL);
    until("it is gone", || !is_alive(alarm));
    let (mut strace, alarm) = user.held_up_alarm(when);
    until("the alarm has started what was due", || user.status(&first) == "completed");
    until("it is about to leave, and held up", || is_held_up(alarm));

    let second = user.start(["--delay", "1", "--", "true"]);
    until("what came in between is started too", || user.status(&second) == "completed");

    until("the alarm leaves", || !is_alive(alarm));
    ended(&mut strace);
    until("nobody stays", || user.alarm_but(None).is_none());
}

#[test]
fn what_is_committed_before_an_alarm_lets_its_lock_go_is_not_missed() {
    nothing_is_missed("delay_enter");
}

#[test]
fn what_is_committed_after_an_alarm_let_its_lock_go_is_not_missed() {
    nothing_is_missed("delay_exit");
}
