//! Asking another program: what it prints within some time.

use super::{
    doorbell::{POLL_INTERVAL, poll_for},
    process::{Handle, Identity},
};
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed, or the beginning of it.
    pub output: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It could not be run, or not be heard.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It had not ended in time, and was ended.
    #[error("it had not ended in time")]
    Late,
}

/// Runs a program to its end and hears what it prints, up to so many bytes. It reads nothing, and its errors go where ours
/// go. Past `limit` it is killed with its process group.
pub fn ask(command: &mut Command, limit: Duration, bytes_max: usize) -> Result<Answer, NoAnswer> {
    let deadline = Instant::now() + limit;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()?;
    let heard = hear(&mut child, deadline, bytes_max);
    if !matches!(heard, Ok(Some(_))) {
        let pid = Pid::from_child(&child);
        // Its group can be gone already; then it has ended.
        let _ = kill_process_group(pid, Signal::KILL);
        let _ = child.wait();
    }
    match heard? {
        Some((status, output)) => Ok(Answer { status, output }),
        None => Err(NoAnswer::Late),
    }
}

/// Longest wait for what another program says of itself or of the system, and the longest such text.
const SAID_WAIT_MAX: Duration = Duration::from_secs(3);
const SAID_BYTES_MAX: usize = 60 * 1_024;

/// What a program printed on standard output. `None`: it is not there, failed, or gave no answer in time.
pub fn said(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stderr(Stdio::null());
    let answer = ask(&mut command, SAID_WAIT_MAX, SAID_BYTES_MAX).ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.output).into_owned())
}

/// `None`: the time was over.
fn hear(child: &mut Child, deadline: Instant, bytes_max: usize) -> io::Result<Option<(ExitStatus, Vec<u8>)>> {
    let Some(mut pipe) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let handle = match Identity::of(child.id().cast_signed())? {
        Some(identity) => Handle::open(identity)?.and_then(Handle::into_fd),
        None => None,
    };
    let mut output = Vec::new();
    let mut is_open = true;
    loop {
        // A program that it left behind may hold the pipe: its own end counts.
        if let Some(status) = child.try_wait()? {
            while is_open && output.len() < bytes_max && is_readable(&pipe)? {
                is_open = read_some(&mut pipe, &mut output, bytes_max)?;
            }
            return Ok(Some((status, output)));
        }
        let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        else {
            return Ok(None);
        };
        let mut fds = Vec::new();
        if is_open {
            fds.push(PollFd::new(&pipe, PollFlags::IN));
        }
        if let Some(handle) = &handle {
            fds.push(PollFd::new(handle, PollFlags::IN));
        }
        let limit = if handle.is_some() { left } else { left.min(POLL_INTERVAL) };
        poll_for(&mut fds, Some(limit))?;
        let is_heard = is_open && fds.first().is_some_and(|fd| !fd.revents().is_empty());
        drop(fds);
        if is_heard {
            is_open = read_some(&mut pipe, &mut output, bytes_max)?;
        }
    }
}

fn is_readable(pipe: &ChildStdout) -> io::Result<bool> {
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    poll_for(&mut fds, Some(Duration::ZERO))?;
    Ok(!fds[0].revents().is_empty())
}

/// Reads what is there; `false` at the end. What is too much is read and left out, so that its writer can go on.
fn read_some(pipe: &mut ChildStdout, output: &mut Vec<u8>, bytes_max: usize) -> io::Result<bool> {
    let mut buffer = [0_u8; 4_096];
    match pipe.read(&mut buffer) {
        Ok(0) => Ok(false),
        Ok(count) => {
            let room = bytes_max.saturating_sub(output.len());
            output.extend_from_slice(&buffer[..count.min(room)]);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_mins(1);

    fn sh(script: &str, limit: Duration) -> Result<Answer, NoAnswer> {
        ask(Command::new("sh").args(["-c", script]), limit, 10)
    }

    #[test]
    fn what_is_printed_is_heard_with_how_it_ended() {
        let answer = sh("printf hello; exit 3", LONG).unwrap();
        assert_eq!((answer.status.code(), &answer.output[..]), (Some(3), &b"hello"[..]));
    }

    #[test]
    fn what_is_too_much_is_left_out_and_holds_nobody_up() {
        let answer = sh("yes | head -c 1000000", LONG).unwrap();
        assert_eq!(answer.output, b"y\ny\ny\ny\ny\n");
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_what_it_started() {
        let began = Instant::now();
        assert!(matches!(sh("sleep 1000 | cat", Duration::from_millis(100)), Err(NoAnswer::Late)));
        assert!(began.elapsed() < LONG);
    }

    #[test]
    fn one_that_leaves_another_behind_has_ended_with_itself() {
        let began = Instant::now();
        let answer = sh("sleep 5 & echo done", LONG).unwrap();
        assert_eq!(answer.output, b"done\n");
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_program_that_fails_or_is_not_there_says_nothing() {
        assert_eq!(said("echo", &["a", "b"]).as_deref(), Some("a b\n"));
        assert_eq!(said("false", &[]), None);
        assert_eq!(said("no-such-program-anywhere", &[]), None);
    }

    #[test]
    fn one_that_is_not_there_is_an_error() {
        let none = ask(&mut Command::new("/no/such/program"), Duration::from_secs(1), 10);
        assert!(matches!(none, Err(NoAnswer::System(_))));
    }
}
