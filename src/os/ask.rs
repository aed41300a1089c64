//! Asking another program, with a bound: it may hang, and whoever asks must not.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How often is looked whether it has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Longest answer that is read; less than a pipe takes, so that nobody has to read meanwhile.
const BYTES_MAX: u64 = 60 * 1_024;

/// What a program printed on standard output. `None`: it is not there, failed, or gave no answer in time.
pub fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + ANSWER_MAX;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_INTERVAL),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let mut text = Vec::new();
    child.stdout.take()?.take(BYTES_MAX).read_to_end(&mut text).ok()?;
    status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_and_one_that_fails_or_is_not_there_gives_no_answer() {
        assert_eq!(ask("echo", &["a", "b"]).as_deref(), Some("a b\n"));
        assert_eq!(ask("false", &[]), None);
        assert_eq!(ask("no-such-program-anywhere", &[]), None);
    }
}
