//! One run of a hook: a process tree under the runner, which ends with its main process, or with its time.
//!
//! The runner is a subreaper, as a watcher is: whatever a hook's processes do, they stay below it, and it lets go of none
//! before all have ended. A job that a hook starts is no part of it.

use super::{
    family::{Family, Main},
    tree::{Tree, signal_all},
};
use crate::model::{bytes::Bytes, outcome::Exit};
use crate::os::{
    clock::Clock,
    detach,
    pipe::{filled, pipe},
    process::{self, Identity},
    reap,
    signal::Inbox,
};
use crate::store::root::Root;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The variable that marks a hook's processes: the number of the line that it is for.
pub const EVENT_MARK: &str = "BG_EVENT_SEQ";

/// How much of what a hook prints is kept: its end.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// The bits that a hook's new files do not get (`umask(2)`).
const UMASK: rustix::fs::RawMode = 0o022;
/// How long processes have between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// What could not be killed for so long is left alone: hooks of others wait.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// How often the tree is looked at while it is ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long is waited for the rest of what a hook printed.
const OUTPUT_WAIT: Duration = Duration::from_secs(1);

/// What is to be run.
#[derive(Debug)]
pub struct Task {
    /// Program and arguments.
    pub argv: Vec<Bytes>,
    /// Where.
    pub cwd: PathBuf,
    /// All of its environment.
    pub variables: Vec<(OsString, OsString)>,
    /// What it reads.
    pub input: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// What became of it.
#[derive(Debug)]
pub struct Ran {
    /// How its main process ended.
    pub exit: Exit,
    /// Whether its time was over.
    pub timed_out: bool,
    /// How long it took.
    pub took: Duration,
    /// The end of what it printed.
    pub output: Vec<u8>,
    /// Processes that could not be ended.
    pub stuck: usize,
}

/// Runs it to its end. The calling process must be a subreaper, and hear of its children through `inbox`.
pub fn run<C: Clock>(task: &Task, root: &Root, clock: &C, inbox: &Inbox) -> io::Result<Ran> {
    let began = clock.monotonic();
    let tree = Tree { id: None, runs: root.runs().map_err(io::Error::other)? };
    let (pid, output) = match start(task) {
        Ok(started) => started,
        Err(error) => return Ok(not_started(task, &error)),
    };
    let identity = Identity::of(pid)?.ok_or(io::ErrorKind::NotFound)?;
    let family = Family::new(Main::Child(identity), tree, inbox);
    let deadline = began + task.timeout;
    let mut timed_out = false;
    while !family.main_has_ended() {
        let now = clock.monotonic();
        if now >= deadline {
            timed_out = true;
            break;
        }
        family.wait(deadline.saturating_sub(now));
    }
    let stuck = end(&family, clock);
    let exit = family.let_main_go().map_or_else(
        || Exit::Unknown { reason: "the system did not say how it ended".to_owned() },
        reap::exit_of,
    );
    let output = output.recv_timeout(OUTPUT_WAIT).unwrap_or_default();
    Ok(Ran { exit, timed_out, took: clock.monotonic().saturating_sub(began), output, stuck })
}

/// Ends the processes of a hook whose runner was killed, as far as they can be told by their mark: those of the hook for
/// that line, and of no job.
pub fn end_orphans(root: &Root, seq: u64) -> io::Result<()> {
    let has = |pid: i32, name: &str, value: &[u8]| process::variable(pid, name).is_some_and(|of| of == value);
    let place = root.path().as_os_str().as_encoded_bytes();
    let number = seq.to_string();
    for _ in 0..2 {
        let found: Vec<_> = process::all()?
            .into_iter()
            .filter(|one| !one.zombie && has(one.identity.pid, EVENT_MARK, number.as_bytes()))
            .filter(|one| has(one.identity.pid, "BG_HOME", place))
            .filter(|one| process::variable(one.identity.pid, super::tree::MARK).is_none())
            .filter(|one| !super::tree::is_watcher(one))
            .collect();
        signal_all(&found, libc::SIGKILL);
    }
    Ok(())
}

fn not_started(task: &Task, error: &io::Error) -> Ran {
    let program = task.argv.first().map(Bytes::to_text).unwrap_or_default();
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    let (reason, code) = match error.kind() {
        io::ErrorKind::NotFound if !task.cwd.is_dir() => {
            (format!("its working directory {}: {words}", task.cwd.display()), 1)
        }
        io::ErrorKind::NotFound => (format!("{program}: command not found"), 127),
        _ => (format!("{program}: {words}"), 126),
    };
    let exit = Exit::NotStarted { reason, code };
    Ran { exit, timed_out: false, took: Duration::ZERO, output: Vec::new(), stuck: 0 }
}

/// Starts it. Gives its pid, and where the end of what it prints comes from once all of it has come.
fn start(task: &Task) -> io::Result<(i32, Receiver<Vec<u8>>)> {
    let [program, arguments @ ..] = &task.argv[..] else { return Err(io::ErrorKind::InvalidInput.into()) };
    let (read, write) = pipe()?;
    let mut command = Command::new(program.as_os_str());
    command
        .args(arguments.iter().map(Bytes::as_os_str))
        .env_clear()
        .envs(task.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(&task.cwd)
        .stdin(filled(&task.input)?)
        .stdout(write.try_clone()?)
        .stderr(write);
    let pid = detach::spawn_apart(&mut command, UMASK)?;
    // Its writing ends go with it: the output ends with the last process that has it.
    drop(command);
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(end_of(File::from(read))));
    Ok((pid, told))
}

/// Reads to the end, and keeps the last of it.
fn end_of(mut output: File) -> Vec<u8> {
    let (mut kept, mut block) = (Vec::new(), [0; 8 * 1024]);
    while let Ok(count @ 1..) = output.read(&mut block) {
        kept.extend_from_slice(&block[..count]);
        if kept.len() > 2 * OUTPUT_BYTES_MAX {
            kept.drain(..kept.len() - OUTPUT_BYTES_MAX);
        }
    }
    kept.drain(..kept.len().saturating_sub(OUTPUT_BYTES_MAX));
    kept
}

/// Asks all that is left to end, kills it after the grace, and gives how many could not be ended.
fn end<C: Clock>(family: &Family<'_>, clock: &C) -> usize {
    let began = clock.monotonic();
    let mut asked = false;
    while !family.is_gone().unwrap_or(false) {
        let members = family.members().unwrap_or_default();
        let spent = clock.monotonic().saturating_sub(began);
        if spent >= GRACE + STUCK_AFTER {
            return members.len();
        }
        if spent >= GRACE {
            signal_all(&members, libc::SIGKILL);
        } else if !asked {
            asked = true;
            signal_all(&members, libc::SIGTERM);
            signal_all(&members, libc::SIGCONT);
        }
        family.wait(LOOK_INTERVAL);
    }
    0
}
