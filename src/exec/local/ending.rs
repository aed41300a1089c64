//! The end of a job's tree: asked, given time, killed, until nobody is left.

use super::family::Family;
use super::record::Line;
use super::tree;
use super::watch::{Turn, Watch};
use crate::model::{
    outcome::{Ending, Leftover},
    spec::LeftoverPolicy,
};
use crate::os::{clock::Clock, process::Process};
use std::time::Duration;

/// How often the watcher gives a sign of life while it ends a tree, so that nobody takes it for silent, and looks
/// whether it is told to kill: a poke may be lost with the process that should have sent it.
const BEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long is waited for killed processes before they are looked at again: at first, and at most.
const KILL_INTERVAL_MIN: Duration = Duration::from_millis(2);
const KILL_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// After so long, what does not die is named in the record.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// Processes that fork and leave are killed so often without a wait, which would give them time to fork.
const RUSHES_MAX: u32 = 1_000;

const TERM: i32 = libc::SIGTERM;
const KILL: i32 = libc::SIGKILL;

/// What became of a tree.
#[derive(Debug, Default)]
pub struct Ended {
    /// Processes that outlived the main process by themselves.
    pub leftovers: Vec<Leftover>,
    /// Whether they were left running.
    pub left: bool,
    /// The intent under which the job was ended.
    pub ending: Option<Ending>,
}

impl<C: Clock> Watch<'_, C> {
    /// Ends what is to be ended.
    pub(super) fn end(&self, family: &Family<'_>, turn: Turn) -> Ended {
        if let Turn::Told(ending) = turn {
            let _ = self.record.append(&Line::Ending { ending: ending.clone() });
            self.end_tree(family, ending.signal.unwrap_or(TERM));
            return Ended { ending: Some(ending), ..Ended::default() };
        }
        if family.is_gone().unwrap_or(false) {
            return Ended::default();
        }
        let members = family.members().unwrap_or_default();
        let leftovers: Vec<Leftover> = members.iter().map(tree::leftover).collect();
        // Nothing is left of a job that has been told to end meanwhile.
        if self.job.spec.leftovers == LeftoverPolicy::Leave && self.standing_intent().is_none() {
            if self.held.get() {
                // Nobody could let them go on later.
                tree::signal_all(&members, libc::SIGCONT);
            }
            return Ended { left: !leftovers.is_empty(), leftovers, ending: None };
        }
        self.end_tree(family, TERM);
        Ended { leftovers, left: false, ending: None }
    }

    /// Asks all processes of the job to end, kills those that have not after the grace, and returns when none is left.
    ///
    /// What cannot be ended (another user's, or stuck in the kernel) keeps this waiting, and so the job running. So does
    /// a look that fails: it does not say that nobody is left.
    fn end_tree(&self, family: &Family<'_>, signal: i32) {
        let mut course = Course::new(self.context.clock.monotonic(), self.grace(), signal);
        if !course.killing {
            let members = family.members().unwrap_or_default();
            tree::signal_all(&members, signal);
            // A stopped process hears TERM only once it continues.
            tree::signal_all(&members, libc::SIGCONT);
        }
        while !family.is_gone().unwrap_or(false) {
            let members = family.members().unwrap_or_default();
            let now = self.context.clock.monotonic();
            if course.is_killing(now) {
                let refused = tree::signal_all(&members, KILL);
                if course.is_stuck(now) {
                    self.name_stuck(if refused.is_empty() { &members } else { &refused }, &mut course);
                }
                if course.rushes(&members, &refused) {
                    continue;
                }
            }
            let beat = course.beats(now);
            if beat {
                self.beat();
            }
            self.look_at_log();
            let until_look = self
                .next_look()
                .map_or(BEAT_INTERVAL, |at| at.saturating_sub(self.context.clock.monotonic()));
            // What was read of the index for the grace is not kept for as long as that takes.
            self.context.root.let_go_of_kept();
            let arrived = family.wait(course.patience(now).min(until_look));
            if arrived.poke || beat {
                course.grace = self.grace().map(Duration::from_secs);
                course.killing |= self.is_told_to_kill();
            }
        }
    }

    fn name_stuck(&self, processes: &[Process], course: &mut Course) {
        let processes = processes.iter().map(tree::leftover).collect();
        course.stuck_named = self.record.append(&Line::Stuck { processes }).is_ok();
    }

    /// Whether the intent was sharpened since.
    fn is_told_to_kill(&self) -> bool {
        self.standing_intent().is_some_and(|ending| ending.signal == Some(KILL))
    }
}

/// How far an end has come.
struct Course {
    asked: Duration,
    grace: Option<Duration>,
    killing: bool,
    interval: Duration,
    next_beat: Duration,
    rushes_left: u32,
    stuck_named: bool,
}

impl Course {
    fn new(now: Duration, grace_seconds: Option<u64>, signal: i32) -> Self {
        Self {
            asked: now,
            grace: grace_seconds.map(Duration::from_secs),
            killing: signal == KILL,
            interval: KILL_INTERVAL_MIN,
            next_beat: now + BEAT_INTERVAL,
            rushes_left: RUSHES_MAX,
            stuck_named: false,
        }
    }

    fn is_killing(&mut self, now: Duration) -> bool {
        self.killing |= self.grace.is_some_and(|grace| now >= self.asked + grace);
        self.killing
    }

    fn is_stuck(&self, now: Duration) -> bool {
        !self.stuck_named && now >= self.asked + self.grace.unwrap_or_default() + STUCK_AFTER
    }

    /// Whether to look again at once: somebody was killed who may have forked meanwhile.
    fn rushes(&mut self, members: &[Process], refused: &[Process]) -> bool {
        let rush = members.len() > refused.len() && self.rushes_left > 0;
        self.rushes_left = self.rushes_left.saturating_sub(1);
        rush
    }

    fn beats(&mut self, now: Duration) -> bool {
        let beat = now >= self.next_beat;
        if beat {
            self.next_beat = now + BEAT_INTERVAL;
        }
        beat
    }

    /// How long to wait for something to happen.
    fn patience(&mut self, now: Duration) -> Duration {
        let until_beat = self.next_beat.saturating_sub(now);
        if self.killing {
            let interval = self.interval;
            self.interval = (interval * 2).min(KILL_INTERVAL_MAX);
            return interval.min(until_beat);
        }
        self.grace.map_or(until_beat, |grace| (self.asked + grace).saturating_sub(now).min(until_beat))
    }
}
