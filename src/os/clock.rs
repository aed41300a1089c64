//! The two clocks: one for people and files, one for limits.

use super::time_namespace;
use crate::model::{Timestamp, wire::to_milliseconds};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Where instants come from; tests bring their own.
pub trait Clock {
    /// The present in coordinated universal time, to the millisecond.
    fn now(&self) -> Timestamp;
    /// Time since boot without suspended time (`CLOCK_MONOTONIC`, `clock_gettime(2)`); limits count it, so that a
    /// suspended laptop ends nothing and a clock that is set ends nothing. The machine's own, also in a time namespace.
    fn monotonic(&self) -> Duration;
}

/// The system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        to_milliseconds(chrono::Utc::now())
    }

    fn monotonic(&self) -> Duration {
        let time = clock_gettime(ClockId::Monotonic);
        let seen = Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0));
        time_namespace::monotonic(seen)
    }
}
