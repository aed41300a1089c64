//! Running a program under strace, with one system call hit or none.

use crate::support::{Ran, User, ended, kill, until};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// What happens at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process is killed as it enters the call.
    Kill,
    /// The process is stopped as it enters the call, and continued when others have done what they can meanwhile.
    Stop,
    /// The call is not made and fails with this error.
    Fail(&'static str),
}

/// One system call of one process, and what happens at it.
#[derive(Clone, Debug)]
pub struct Point {
    /// The system call's name.
    pub call: String,
    /// Which call of that name, from 1.
    pub nth: usize,
    /// What happens.
    pub blow: Blow,
}

/// A run under strace that is over.
pub struct Traced {
    /// What the program printed and how it ended; -1 where a signal ended it.
    pub ran: Ran,
    /// Whether SIGKILL ended it.
    pub killed: bool,
    /// What a tick came to that was made while it was stopped.
    pub tick: Option<Ran>,
    /// The calls.
    pub log: String,
}

impl Point {
    fn expression(&self) -> String {
        let what = match self.blow {
            Blow::Kill => "signal=KILL".to_owned(),
            Blow::Stop => "signal=STOP".to_owned(),
            Blow::Fail(errno) => format!("error={errno}"),
        };
        format!("inject={}:{what}:when={}", self.call, self.nth)
    }

    /// Whether it was met: strace's own log says so.
    pub fn was_met(&self, traced: &Traced) -> bool {
        match self.blow {
            Blow::Kill => traced.killed && traced.log.contains("+++ killed by SIGKILL +++"),
            Blow::Stop => traced.log.contains(STOPPED),
            Blow::Fail(_) => traced.log.contains("(INJECTED)"),
        }
    }
}

impl Point {
    /// Whether nobody may notice: what is interrupted is done again, and what is stopped knows nothing of it. Nothing interrupts
    /// an `fcntl` that does not wait (`fcntl(2)`), and none of ours does.
    pub fn is_harmless(&self) -> bool {
        match self.blow {
            Blow::Stop => true,
            Blow::Fail("EINTR") => self.call != "fcntl",
            Blow::Fail("EAGAIN") => self.call == "flock",
            _ => false,
        }
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.blow {
            Blow::Kill => write!(f, "killed at {} #{}", self.call, self.nth),
            Blow::Stop => write!(f, "stopped at {} #{}", self.call, self.nth),
            Blow::Fail(errno) => write!(f, "{errno} at {} #{}", self.call, self.nth),
        }
    }
}

/// Whether strace is here and may trace; says it where not.
pub fn can_trace() -> bool {
    let can = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !can {
        // Past the test runner, which keeps what print! prints.
        crate::support::skipped("strace is not there, or may not trace");
    }
    can
}

/// Runs `bgctl ARGUMENTS` under strace to its end. Only this process is traced and hit, not what it starts; but where the
/// point is an `execve`, all are.
pub fn run(user: &User, arguments: &[String], point: Option<&Point>) -> Traced {
    let log = user.path("strace.log");
    let mut command = user.command("strace");
    command.arg("-o").arg(&log);
    if let Some(point) = point {
        command.arg("-e").arg(point.expression());
        // What it executes itself was executed before strace counts.
        if point.call == "execve" {
            command.arg("-f");
        }
    }
    command.arg(crate::support::BGCTL).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut tick = None;
    until("the traced program ends", || {
        let is_stopped = std::fs::read_to_string(&log).is_ok_and(|log| log.contains(STOPPED));
        if is_stopped && tick.is_none() {
            tick = Some(meanwhile(user));
            for pid in children(child.id()) {
                kill(pid, Signal::CONT);
            }
        }
        child.try_wait().unwrap().is_some()
    });
    let output = child.wait_with_output().unwrap();
    let tick = tick.map(|mut tick| {
        ended(&mut tick);
        Ran::of(&tick.wait_with_output().unwrap())
    });
    Traced {
        tick,
        ran: Ran::of(&output),
        // strace ends itself by the signal that ended its tracee.
        killed: output.status.signal() == Some(libc::SIGKILL),
        log: std::fs::read_to_string(&log).unwrap_or_default(),
    }
}

/// What strace writes of a process that was stopped.
const STOPPED: &str = "--- stopped by SIGSTOP ---";

/// What others do while a process is stopped: a list, and a tick, which ends or waits for the lock that the stopped one
/// holds.
fn meanwhile(user: &User) -> Child {
    assert_eq!(user.run(["list", "--json"]).code, 0);
    let mut tick = user.bgctl(["tick"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the tick ends, or waits for the lock", || {
        tick.try_wait().unwrap().is_some() || waits_for_a_lock(tick.id())
    });
    tick
}

/// Whether a process is blocked by a lock (`proc_locks(5)`: a line with `->`).
fn waits_for_a_lock(pid: u32) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let pid = pid.to_string();
    locks.lines().any(|line| line.contains("->") && line.split_ascii_whitespace().nth(5) == Some(&pid))
}

fn children(pid: u32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// How often each system call was made. The first `execve` is strace's own, and not counted by it either.
pub fn counts(log: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in log.lines().skip(1) {
        let name: String = line.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !name.is_empty() && line[name.len()..].starts_with('(') {
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    counts
}

/// The last lines of a log, for messages.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
