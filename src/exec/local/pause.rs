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

/// How long is waited before processes are looked at again that do not stand still yet: at first, and at most. Some
/// never do, such as another user's.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(1);
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// How often our own children are told to stop before all processes are looked at.
const RUSHES_MAX: u32 = 100;

/// Whether a job stands still, and for how long it has.
#[derive(Debug)]
pub struct Pause {
    motion: Motion,
    /// Time for which it stood still before.
    stood: Duration,
}

#[derive(Debug)]
enum Motion {
    Going,
    /// Told to stop. The record says so since before the first process was.
    Stopping {
        /// When it is looked at next, on the monotonic clock.
        next: Duration,
        /// Until the look after that.
        interval: Duration,
        /// Whether the last look found all standing still, and no child has ended since.
        clean: bool,
        /// Whether a child has ended since the last look.
        restless: bool,
    },
    /// All stand still since this instant of the monotonic clock.
    Standing(Duration),
    /// Should go on and could not be told so: tried again at this instant.
    Stuck(Duration),
}

impl Pause {
    /// As the record has it.
    pub fn of(history: &Attempt) -> Self {
        let motion = match history.paused_since_ms {
            Some(since) => Motion::Standing(Duration::from_millis(since)),
            None if history.pausing => Motion::Stopping {
                next: Duration::ZERO,
                interval: LOOK_INTERVAL_MIN,
                clean: false,
                restless: false,
            },
            None => Motion::Going,
        };
        Self { motion, stood: Duration::from_millis(history.paused_ms) }
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

    /// Whether processes of it may have been stopped.
    pub fn holds(&self) -> bool {
        !matches!(self.motion, Motion::Going)
    }

    /// When it wants to be looked at again, on the monotonic clock, if nothing happens.
    pub fn next_look(&self) -> Option<Duration> {
        match self.motion {
            Motion::Stopping { next, .. } | Motion::Stuck(next) => Some(next),
            Motion::Going | Motion::Standing(_) => None,
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
        match (&mut self.motion, wanted) {
            (Motion::Going | Motion::Stuck(_), true) => self.begin_to_stop(family, record, now),
            (Motion::Stopping { next, interval, clean, restless }, true) => {
                *clean &= !child_ended;
                *restless |= child_ended;
                if now >= *next {
                    // Patience is for those that cannot be stopped, not for those that are too quick.
                    let longer = (*interval * 2).min(LOOK_INTERVAL_MAX);
                    let (interval, clean) = (if *restless { LOOK_INTERVAL_MIN } else { longer }, *clean);
                    self.stop(interval, clean, family, record, now);
                }
            }
            (Motion::Stopping { .. } | Motion::Standing(_), false) => self.go_on(family, record, now),
            (Motion::Stuck(next), false) if now >= *next => self.go_on(family, record, now),
            (Motion::Going | Motion::Stuck(_), false) | (Motion::Standing(_), true) => {}
        }
    }

    /// Nothing is stopped before the record says so: whoever adopts the job must know what to continue.
    fn begin_to_stop(&mut self, family: &Family<'_>, record: &Record, now: Duration) {
        if record.append(&Line::Pausing).is_ok() {
            self.stop(LOOK_INTERVAL_MIN, false, family, record, now);
        } else {
            self.motion = Motion::Stuck(now + LOOK_INTERVAL_MAX);
        }
    }

    fn stop(&mut self, interval: Duration, clean: bool, family: &Family<'_>, record: &Record, now: Duration) {
        // What forks its like and ends is gone before a list of all processes is read: it is caught among our children.
        for _ in 0..RUSHES_MAX {
            let near = family.near().unwrap_or_default();
            let going: Vec<_> = near.into_iter().filter(|process| !process.stopped).collect();
            if going.is_empty() {
                break;
            }
            signal_all(&going, libc::SIGSTOP);
        }
        // A look that fails does not say that all stand still.
        let all_stand = family.members().is_ok_and(|members| {
            let going: Vec<_> = members.into_iter().filter(|process| !process.stopped).collect();
            signal_all(&going, libc::SIGSTOP);
            going.is_empty()
        });
        let said = || record.append(&Line::Paused { monotonic_ms: now.as_millis() as u64 }).is_ok();
        self.motion = if all_stand && clean && said() {
            Motion::Standing(now)
        } else {
            Motion::Stopping { next: now + interval, interval, clean: all_stand, restless: false }
        };
    }

    fn go_on(&mut self, family: &Family<'_>, record: &Record, now: Duration) {
        self.stood = self.stood(now);
        // Twice: a list of processes is no snapshot, and what was being stopped may have forked meanwhile.
        for _ in 0..2 {
            let Ok(members) = family.members() else {
                self.motion = Motion::Stuck(now + LOOK_INTERVAL_MAX);
                return;
            };
            signal_all(&members, libc::SIGCONT);
        }
        // That it could not be written down makes an adopter tell them once more.
        let _ = record.append(&Line::Resumed { monotonic_ms: now.as_millis() as u64 });
        self.motion = Motion::Going;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{family::Main, tree::Tree};
    use super::*;
    use crate::model::id::JobId;
    use crate::os::{folder::Folder, process::Identity, signal::Inbox};
    use std::process::{Command, Stdio};

    #[test]
    fn a_pause_that_cannot_be_written_down_stops_nobody_and_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        // Open to read alone: it takes no line, as on a full disk.
        let full = Record::open(&runs, &id).unwrap().unwrap();
        let mut child = Command::new("cat").env_clear().stdin(Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(child.id().cast_signed()).unwrap().unwrap();
        let inbox = Inbox::open().unwrap();
        let main = Main::Adopted { identity: Some(identity), handle: None };
        let family = Family::new(main, Tree { id: Some(&id), runs: &runs }, &inbox);
        let is_stopped = || identity.look().unwrap().is_some_and(|process| process.stopped);

        let mut now = Duration::from_secs(1);
        let mut pause = Pause::of(&Attempt::default());
        pause.follow(true, false, &family, &full, now);
        assert!(!is_stopped());
        assert_eq!((pause.holds(), pause.next_look()), (true, Some(now + LOOK_INTERVAL_MAX)));
        pause.follow(false, false, &family, &full, now);
        assert!(pause.holds(), "it has yet to be told to go on");
        pause.follow(false, false, &family, &full, now + LOOK_INTERVAL_MAX);
        assert!(!pause.holds());

        pause.follow(true, false, &family, &full, now);
        while !matches!(pause.motion, Motion::Standing(_)) {
            now += LOOK_INTERVAL_MAX;
            pause.follow(true, false, &family, &record, now);
        }
        assert!(is_stopped());
        pause.follow(false, false, &family, &record, now + LOOK_INTERVAL_MAX);
        assert_eq!((pause.holds(), pause.stood(now)), (false, LOOK_INTERVAL_MAX));
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "it goes on, and sees the end of its input");
    }
}
