//! A command with an end to its time and its memory, both measured.

use crate::support::{Ran, User};
use rustix::process::Signal;
use std::io::Read;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

/// How much of what a command prints is kept to be looked at.
const KEPT_BYTES: u64 = 4 * 1024 * 1024;

/// What a command came to.
pub struct Measured {
    pub ran: Ran,
    /// Whether its code is one that the command is documented to end with.
    pub is_answered: bool,
    pub took: Duration,
    /// The most memory it had at one time, as far as looking every few milliseconds shows it.
    pub peak_bytes: u64,
    /// Whether it was ended because its time was over.
    pub late: bool,
}

/// What a command may take.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub time: Duration,
    /// Of its own memory (`RLIMIT_DATA`): what goes beyond it gets none, and ends by a signal.
    pub bytes: u64,
}

impl Measured {
    /// What is wrong with it as the answer of a command, if anything.
    pub fn trouble(&self) -> Option<String> {
        let said = format!("{}{}", self.ran.out, self.ran.err);
        if self.late {
            return Some(format!("not over after {:?}", self.took));
        }
        if said.contains("panicked") || !self.is_answered {
            let err: String = self.ran.err.chars().take(400).collect();
            return Some(format!("code {} with {} MiB: {err}", self.ran.code, self.peak_bytes >> 20));
        }
        None
    }
}

/// Runs `bgctl` within these bounds.
pub fn run(user: &User, arguments: &[&str], bounds: Bounds) -> Measured {
    run_with(user, arguments, &[], bounds)
}

/// The same with more variables.
pub fn run_with(user: &User, arguments: &[&str], variables: &[(&str, &str)], bounds: Bounds) -> Measured {
    let mut command = user.command("prlimit");
    command
        .arg(format!("--data={}", bounds.bytes))
        .arg("--core=0")
        .arg(crate::support::BGCTL)
        .args(arguments);
    command.envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let (out, err) = (kept(child.stdout.take().unwrap()), kept(child.stderr.take().unwrap()));
    let status = format!("/proc/{}/status", child.id());
    let (mut peak_bytes, mut late) = (0, false);
    let code = loop {
        peak_bytes = peak_bytes.max(peak(&status));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended.code().unwrap_or(-1);
        }
        if began.elapsed() > bounds.time && !late {
            late = true;
            crate::support::kill(child.id().cast_signed(), Signal::KILL);
        }
        thread::sleep(Duration::from_millis(2));
    };
    let took = began.elapsed();
    let ran = Ran { code, out: out.join().unwrap(), err: err.join().unwrap() };
    let is_answered = super::is_an_answer(arguments, code);
    Measured { ran, is_answered, took, peak_bytes, late }
}

/// Reads all, and keeps the beginning.
fn kept(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.by_ref().take(KEPT_BYTES).read_to_end(&mut text);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// The most memory that a process has had (`proc_pid_status(5)`).
fn peak(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
