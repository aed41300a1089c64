//! A script in a terminal of its own, as a person has one: a session with a controlling terminal.

use crate::support::{BGCTL, Ran, User, until};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
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
    let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&control).unwrap();
    unlockpt(&control).unwrap();
    rustix::io::ioctl_fionbio(&control, true).unwrap();
    let name = ptsname(&control, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = || rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    // Open until all is read: what is in a terminal whose last user has left can be lost.
    let kept_open = end();
    assert_eq!(rustix::io::write(&control, keys.as_bytes()), Ok(keys.len()));
    let mut command = user.command("setsid");
    command.args(["--ctty", "sh", "-c", script]).env("BGCTL", BGCTL);
    command.stdin(Stdio::from(end())).stdout(Stdio::piped());
    command.stderr(if talk == Talk::Shown { Stdio::from(end()) } else { Stdio::piped() });
    let mut child = command.spawn().unwrap();
    until("the script ends", || child.try_wait().unwrap().is_some());
    let mut ran = Ran::of(&child.wait_with_output().unwrap());
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = rustix::io::read(&control, &mut buffer) {
        ran.err.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    drop(kept_open);
    ran
}

/// Runs `bgctl` where there is no terminal, whoever runs the tests.
#[track_caller]
pub fn without_terminal(user: &User, arguments: &[&str]) -> Ran {
    Ran::of(&user.command("setsid").arg(BGCTL).args(arguments).output().unwrap())
}
