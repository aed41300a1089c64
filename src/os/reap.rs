//! Children: looking at those that have ended, and letting them go.

use crate::model::outcome::{Exit, Usage};
use std::io;

/// From now on, orphans among this process's descendants become its children (`PR_SET_CHILD_SUBREAPER`, `prctl(2)`),
/// or no longer do. Elsewhere than on Linux there is no such thing, and the end of a tree is best effort.
pub fn adopt_orphans(on: bool) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let own = on.then(rustix::process::getpid);
        rustix::process::set_child_subreaper(own)?;
    }
    let _ = on;
    Ok(())
}

/// A child that has ended and was not let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// This one.
    Ended(i32),
    /// There are children, and all of them run.
    Running,
    /// There are no children.
    Childless,
}

/// Looks for an ended child without letting it go (`waitid(2)` with `WNOWAIT`): its pid stays its own.
pub fn peek() -> Peek {
    imp::peek()
}

/// Whether this child has ended, or is none of ours any more; it is not let go.
pub fn has_ended(pid: i32) -> bool {
    imp::has_ended(pid)
}

/// Lets an ended child go, and gives its status as `wait(2)` does and what it used. `None`: it had not ended, or is not our child.
pub fn reap(pid: i32) -> Option<(i32, Usage)> {
    imp::reap(pid)
}

/// The pids of this process's children, ended ones included, where the kernel lists them
/// (`/proc/PID/task/TID/children`, `proc(5)`); for a process whose other threads have none. `None`: it does not.
pub fn children() -> io::Result<Option<Vec<i32>>> {
    let own = std::process::id();
    match std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")) {
        Ok(text) => Ok(Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The exit that a status of `wait(2)` describes.
pub fn exit_of(wait_status: i32) -> Exit {
    if libc::WIFSIGNALED(wait_status) {
        Exit::Signal(libc::WTERMSIG(wait_status))
    } else {
        Exit::Code(libc::WEXITSTATUS(wait_status))
    }
}

#[expect(unsafe_code, reason = "wait4 and waitid with WNOWAIT for any child are in no safe library")]
mod imp {
    use super::{Peek, Usage};

    pub fn peek() -> Peek {
        match wait_id(libc::P_ALL, 0) {
            Ok(0) => Peek::Running,
            Ok(pid) => Peek::Ended(pid),
            Err(_) => Peek::Childless,
        }
    }

    pub fn has_ended(pid: i32) -> bool {
        let Ok(pid) = u32::try_from(pid) else { return true };
        wait_id(libc::P_PID, pid).map_or_else(|error| error == libc::ECHILD, |found| found != 0)
    }

    fn wait_id(kind: libc::idtype_t, pid: libc::id_t) -> Result<i32, i32> {
        const FLAGS: i32 = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        loop {
            // SAFETY: all-zero is a valid siginfo_t, which the kernel fills in.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            // SAFETY: the pointer is to a live siginfo_t.
            if unsafe { libc::waitid(kind, pid, &raw mut info, FLAGS) } == 0 {
                // SAFETY: si_pid is valid after waitid, and 0 if no child has ended, as the struct was zeroed.
                return Ok(unsafe { info.si_pid() });
            }
            let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ECHILD);
            if error != libc::EINTR {
                return Err(error);
            }
        }
    }

    pub fn reap(pid: i32) -> Option<(i32, Usage)> {
        let mut status = 0;
        // SAFETY: all-zero is a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        loop {
            // SAFETY: both pointers are to live values.
            let found = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
            let is_interrupted =
                found < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted;
            if !is_interrupted {
                return (found == pid).then(|| (status, usage_of(&usage)));
            }
        }
    }

    fn usage_of(usage: &libc::rusage) -> Usage {
        let milliseconds = |time: libc::timeval| {
            u64::try_from(time.tv_sec).unwrap_or(0) * 1_000 + u64::try_from(time.tv_usec).unwrap_or(0) / 1_000
        };
        // Kilobytes on Linux, bytes on macOS (getrusage(2) of each).
        let unit = if cfg!(target_vendor = "apple") { 1_024 } else { 1 };
        Usage {
            memory_peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0) / unit,
            cpu_user_ms: milliseconds(usage.ru_utime),
            cpu_system_ms: milliseconds(usage.ru_stime),
        }
    }
}
