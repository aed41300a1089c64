//! Ending a system call that waits in another thread.

use std::io;
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

/// The signal that interrupts; ignored by default, so that a late one does no harm (`signal(7)`).
const SIGNAL: libc::c_int = libc::SIGURG;

/// How often a thread is told again, should the signal have come before its call.
const INTERVAL: Duration = Duration::from_millis(1);

/// To be called in the thread: from now on [`interrupt`] makes its system calls return with `EINTR`.
pub fn allow() -> io::Result<()> {
    imp::allow()
}

/// Interrupts a thread until it has ended.
pub fn interrupt<T>(thread: JoinHandle<T>) {
    while !thread.is_finished() {
        imp::tell(&thread);
        sleep(INTERVAL);
    }
    let _ = thread.join();
}

#[expect(unsafe_code, reason = "signals to threads are in no safe library")]
mod imp {
    use super::{JoinHandle, SIGNAL, io};
    use std::os::unix::thread::JoinHandleExt;

    extern "C" fn nothing(_signal: libc::c_int) {}

    pub fn allow() -> io::Result<()> {
        let handler: extern "C" fn(libc::c_int) = nothing;
        // SAFETY: both structs are all-zero, which is valid, before they are filled in; the handler does nothing, and
        // without SA_RESTART it makes a waiting call return.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            libc::sigemptyset(&raw mut action.sa_mask);
            if libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let mut signals: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut signals);
            libc::sigaddset(&raw mut signals, SIGNAL);
            match libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, std::ptr::null_mut()) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    pub fn tell<T>(thread: &JoinHandle<T>) {
        // SAFETY: the handle keeps the thread's id valid until it is joined.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), SIGNAL) };
    }
}
