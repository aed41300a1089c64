//! Waiting for a time of the clock on the wall, also when that clock is set.

use super::doorbell::{POLL_INTERVAL, poll_for};
use crate::model::Timestamp;
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Goes off at an instant, or when somebody sets the clock; where the system has no such thing, a bound for a wait that is
/// short enough to look again.
#[derive(Debug)]
pub struct Timer {
    imp: imp::Timer,
}

impl Timer {
    /// One that goes off at that time.
    pub fn at(at: Timestamp) -> Self {
        Self { imp: imp::Timer::at(at) }
    }

    /// Something to poll, where the system has it.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.imp.descriptor()
    }

    /// The longest wait beside the descriptor, from `now`.
    pub fn limit(&self, at: Timestamp, now: Timestamp) -> Option<Duration> {
        match self.descriptor() {
            Some(_) => None,
            None => Some((at - now).to_std().unwrap_or_default().min(POLL_INTERVAL)),
        }
    }
}

/// Waits for one of these to be readable, or for the time to be over.
pub fn wait_for_any(fds: &[BorrowedFd<'_>], limit: Duration) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    poll_for(&mut fds, Some(limit))
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{AsFd, BorrowedFd, Timestamp};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::OwnedFd;

    #[derive(Debug)]
    pub struct Timer(Option<OwnedFd>);

    impl Timer {
        pub fn at(at: Timestamp) -> Self {
            let make = || -> rustix::io::Result<OwnedFd> {
                let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
                let fd = timerfd_create(TimerfdClockId::Realtime, flags)?;
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                // A value of 0 would disarm it (`timerfd_settime(2)`).
                let nanoseconds = i64::from(at.timestamp_subsec_nanos()).max(1);
                let value = Timespec { tv_sec: at.timestamp().max(0), tv_nsec: nanoseconds };
                let when = Itimerspec { it_interval: zero, it_value: value };
                let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
                timerfd_settime(&fd, flags, &when)?;
                Ok(fd)
            };
            Self(make().ok())
        }

        pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
            self.0.as_ref().map(AsFd::as_fd)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{BorrowedFd, Timestamp};

    #[derive(Debug)]
    pub struct Timer;

    impl Timer {
        pub fn at(_at: Timestamp) -> Self {
            Self
        }

        pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_goes_off_at_its_time_and_at_once_where_that_has_passed() {
        let began = Instant::now();
        let past = Timer::at(chrono::Utc::now() - chrono::TimeDelta::seconds(5));
        let soon_at = chrono::Utc::now() + chrono::TimeDelta::milliseconds(50);
        let soon = Timer::at(soon_at);
        let wait = |timer: &Timer| {
            let fds: Vec<_> = timer.descriptor().into_iter().collect();
            wait_for_any(&fds, Duration::from_secs(10)).unwrap();
        };
        if past.descriptor().is_some() {
            wait(&past);
            wait(&soon);
            assert!(chrono::Utc::now() >= soon_at);
            assert!(began.elapsed() < Duration::from_secs(9));
        }
    }
}
