//! A script in a terminal of its own, as a person has one: a session with a controlling terminal.

use crate::support::{BGCTL, Ran, User, terminal::Terminal, until};
use std::process::Stdio;

/// Where a script's talk goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// To the terminal, where the person reads it.
    Shown,
    /// Elsewhere.
    Kept,
}

/// Runs a shell script, with the program's path in `$BGCTL`, in a new terminal session with these keys typed ahead. What
/// is shown on the terminal, the echo of the keys included, counts as standard error.
#[track_caller]
pub fn in_terminal(user: &User, script: &str, keys: &str, talk: Talk) -> Ran {
    let mut terminal = Terminal::new(keys);
    let end = || Stdio::from(terminal.end());
    let mut command = user.command("setsid");
    command.args(["--ctty", "sh", "-c", script]).env("BGCTL", BGCTL);
    command.stdin(end()).stdout(Stdio::piped());
    command.stderr(if talk == Talk::Shown { end() } else { Stdio::piped() });
    let mut child = command.spawn().unwrap();
    until("the script ends", || child.try_wait().unwrap().is_some());
    let mut ran = Ran::of(&child.wait_with_output().unwrap());
    ran.err.push_str(&String::from_utf8_lossy(&terminal.shown()));
    ran
}

/// Runs `bgctl` where there is no terminal, whoever runs the tests.
#[track_caller]
pub fn without_terminal(user: &User, arguments: &[&str]) -> Ran {
    Ran::of(&user.command("setsid").arg(BGCTL).args(arguments).output().unwrap())
}
