//! An end for system calls that wait and take no time limit.

pub use imp::within;
use std::time::Duration;

/// The signal that interrupts; ignored by default, so that a late one does no harm (`signal(7)`).
const SIGNAL: libc::c_int = libc::SIGURG;

/// How often it comes once the time is over: the first may be there before the call begins to wait.
const INTERVAL: Duration = Duration::from_millis(1);

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "signals to threads are in no safe library")]
mod imp {
    use super::{Duration, INTERVAL, SIGNAL, allowed};
    use std::{io, mem, ptr};

    /// Does `work`; once `limit` is over, system calls of this thread that wait return with `EINTR`, again and again until it is done.
    ///
    /// # Errors
    ///
    /// The time cannot be taken; the work was not begun.
    pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> io::Result<T> {
        allowed(|| {
            let timer = Timer::for_this_thread()?;
            timer.set(limit)?;
            Ok(work())
        })?
    }

    /// A timer whose signals one thread gets (`timer_create(2)`, `SIGEV_THREAD_ID`).
    struct Timer(libc::timer_t);

    impl Timer {
        fn for_this_thread() -> io::Result<Self> {
            // SAFETY: the struct is all-zero, which is valid, before it is filled in; both pointers are to live values.
            unsafe {
                let mut event: libc::sigevent = mem::zeroed();
                event.sigev_notify = libc::SIGEV_THREAD_ID;
                event.sigev_signo = SIGNAL;
                event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
                let mut timer: libc::timer_t = ptr::null_mut();
                match libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) {
                    0 => Ok(Self(timer)),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        }

        fn set(&self, limit: Duration) -> io::Result<()> {
            // A time of zero would switch it off.
            let limit = limit.max(INTERVAL);
            // SAFETY: the struct is all-zero, which is valid, before it is filled in, and lives during the call.
            unsafe {
                let mut time: libc::itimerspec = mem::zeroed();
                time.it_value.tv_sec = limit.as_secs().try_into().unwrap_or(i64::MAX);
                time.it_value.tv_nsec = limit.subsec_nanos().into();
                time.it_interval.tv_nsec = INTERVAL.subsec_nanos().into();
                match libc::timer_settime(self.0, 0, &raw const time, ptr::null_mut()) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            // SAFETY: it was created, and is deleted once.
            unsafe { libc::timer_delete(self.0) };
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "signals to threads are in no safe library")]
mod imp {
    use super::{Duration, INTERVAL, SIGNAL, allowed};
    use std::io;
    use std::sync::mpsc;
    use std::thread::Builder;

    /// Enough for a thread that waits.
    const STACK_BYTES: usize = 64 * 1024;

    /// A thread that gets signals; it outlives who signals it.
    struct Waiting(libc::pthread_t);

    // SAFETY: it names a thread, wherever it is.
    unsafe impl Send for Waiting {}

    impl Waiting {
        fn tell(&self) {
            // SAFETY: the thread lives on until its signaller has ended.
            unsafe { libc::pthread_kill(self.0, SIGNAL) };
        }
    }

    /// As on Linux, with a thread for a timer.
    pub fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> io::Result<T> {
        allowed(|| {
            // SAFETY: this has no precondition.
            let waiting = Waiting(unsafe { libc::pthread_self() });
            let (done, is_done) = mpsc::channel::<()>();
            let timer = Builder::new().stack_size(STACK_BYTES).spawn(move || {
                let mut wait = limit;
                while is_done.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                    waiting.tell();
                    wait = INTERVAL;
                }
            })?;
            let result = work();
            drop(done);
            let _ = timer.join();
            Ok(result)
        })?
    }
}

/// Does `work` in a thread whose system calls [`SIGNAL`] makes return with `EINTR`; before and after it, the thread blocks the
/// signals that it blocked.
#[expect(unsafe_code, reason = "signal dispositions and masks are in no safe library")]
fn allowed<T>(work: impl FnOnce() -> T) -> std::io::Result<T> {
    use std::io::Error;
    use std::{mem, ptr};

    extern "C" fn nothing(_signal: libc::c_int) {}

    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: all structs are all-zero, which is valid, before they are filled in; the handler does nothing, and without
    // SA_RESTART it makes a waiting call return.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigemptyset(&raw mut action.sa_mask);
        if libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) != 0 {
            return Err(Error::last_os_error());
        }
        let (mut signals, mut before): (libc::sigset_t, libc::sigset_t) = (mem::zeroed(), mem::zeroed());
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, SIGNAL);
        match libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, &raw mut before) {
            0 => {}
            error => return Err(Error::from_raw_os_error(error)),
        }
        let result = work();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    #[test]
    fn a_call_that_waits_for_ever_ends_with_the_time_and_one_that_need_not_wait_is_left_alone() {
        let (reader, writer) = std::io::pipe().unwrap();
        let read = || rustix::io::read(&reader, &mut [0_u8; 1][..]);
        assert_eq!(within(Duration::from_millis(20), read).unwrap(), Err(Errno::INTR));
        assert_eq!(within(Duration::ZERO, read).unwrap(), Err(Errno::INTR));
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(within(Duration::from_hours(1), read).unwrap(), Ok(1));
    }

    #[test]
    fn what_waits_afterwards_is_not_interrupted() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let read = || rustix::io::read(&reader, &mut [0_u8; 1][..]);
        assert_eq!(within(INTERVAL, read).unwrap(), Err(Errno::INTR));
        let limit = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        assert_eq!(poll(&mut [PollFd::new(&reader, PollFlags::IN)], Some(&limit)), Ok(0));
    }
}
