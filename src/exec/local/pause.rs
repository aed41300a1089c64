//! Standing still: the processes of a paused job are stopped, and its clock with them.
//!
//! The index says whether a job is to stand still, the record says since when it does. Stopping is not one act: a
//! process that forks while its like are being stopped leaves one that runs, so it is repeated until a look finds that
//! all stand still, and that none has ended since the look before: what forks its like and ends can be missing from a
//! list of processes, but not without being a child that ends. A watcher that adopts a job finds in the record how long it has stood still so far.

use super::family::Family;
use super::record::{Attempt, Line, Record};
use super::tree::signal_all;
use std::time::Duration;

/// How long is waited before processes are looked at again that do not stand still yet: at first, and at most.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(1);
const LOOK_INTERVAL_MAX: Duration = Duration::from_millis(200);

/// Whether a job stands still, and for how long it has.
#[derive(Debug)]
pub struct Pause {
    motion: Motion,
    /// Time for which it stood still before.
    stood: Duration,
    /// Whether it should go on and could not be told so.
    retries: bool,
}

#[derive(Debug)]
enum Motion {
    Going,
    /// Told to stop; looked at again after this time.
    Stopping {
        /// Until the next look.
        interval: Duration,
        /// Whether the last look found all standing still.
        clean: bool,
    },
    /// All stand still since this instant of the monotonic clock.
    Standing(Duration),
}

impl Pause {
    /// As the record has it.
    pub fn of(history: &Attempt) -> Self {
        let motion = history
            .paused_since_ms
            .map_or(Motion::Going, |since| Motion::Standing(Duration::from_millis(since)));
        Self { motion, stood: Duration::from_millis(history.paused_ms), retries: false }
    }

    /// For how long it has stood still, until `now` of the monotonic clock.
    pub fn stood(&self, now: Duration) -> Duration {
        let present = if let Motion::Standing(since) = self.motion {
            now.saturating_sub(since)
        } else {
            Duration::ZERO
        };
        self.stood + present
    }

    /// Whether its clock stands.
    pub fn stands(&self) -> bool {
        matches!(self.motion, Motion::Standing(_))
    }

    /// After how long it wants to be looked at again, if nothing happens.
    pub fn patience(&self) -> Option<Duration> {
        match self.motion {
            Motion::Stopping { interval, .. } => Some(interval),
            _ => self.retries.then_some(LOOK_INTERVAL_MAX),
        }
    }

    /// Brings it nearer to what is wanted. `child_ended`: whether a child may have ended since the last time.
    pub fn follow(
        &mut self,
        wanted: bool,
        child_ended: bool,
        family: &Family<'_>,
        record: &Record,
        now: Duration,
    ) {
        match (&self.motion, wanted) {
            (Motion::Going, true) => self.stop(LOOK_INTERVAL_MIN, false, family, record, now),
            (Motion::Stopping { interval, clean }, true) => {
                let (interval, clean) = ((*interval * 2).min(LOOK_INTERVAL_MAX), *clean && !child_ended);
                self.stop(interval, clean, family, record, now);
            }
            (Motion::Stopping { .. } | Motion::Standing(_), false) => self.go_on(family, record, now),
            (Motion::Going, false) | (Motion::Standing(_), true) => {}
        }
    }

    fn stop(&mut self, interval: Duration, clean: bool, family: &Family<'_>, record: &Record, now: Duration) {
        // A look that fails does not say that all stand still.
        let all_stand = family.members().is_ok_and(|members| {
            let going: Vec<_> = members.into_iter().filter(|process| !process.stopped).collect();
            signal_all(&going, libc::SIGSTOP);
            going.is_empty()
        });
        if all_stand && clean {
            // That it could not be written down shows in the clock of an adopter only.
            let _ = record.append(&Line::Paused { monotonic_ms: now.as_millis() as u64 });
            self.motion = Motion::Standing(now);
        } else {
            self.motion = Motion::Stopping { interval, clean: all_stand };
        }
    }

    fn go_on(&mut self, family: &Family<'_>, record: &Record, now: Duration) {
        // Twice: a list of processes is no snapshot, and what was being stopped may have forked meanwhile.
        for _ in 0..2 {
            let Ok(members) = family.members() else {
                self.retries = true;
                return;
            };
            signal_all(&members, libc::SIGCONT);
        }
        self.retries = false;
        self.stood = self.stood(now);
        self.motion = Motion::Going;
        let _ = record.append(&Line::Resumed { monotonic_ms: now.as_millis() as u64 });
    }
}
