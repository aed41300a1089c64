//! The plain model: what docs/states.md, docs/queue.md, docs/schedules.md and docs/approvals.md promise, and nothing of
//! how the program does it. It borrows words of the program (a priority, an exit, a reason to end), never a decision.
//!
//! Of chance it knows the bounds alone: a wait that is moved by up to a tenth is over [`About`] then. Time never stands
//! within such bounds ([`Model::wait`]), so that the model always knows what is due.

mod command;
mod pass;
mod recur;
mod removal;
mod whole;

pub use whole::Model;

use super::step::{Asks, Recurs, Shape};
use bgctl::model::{
    outcome::{Exit, Why},
    schedule::Overlap,
};
use std::collections::BTreeMap;

/// Milliseconds.
pub type Ms = i64;
pub const SECOND: Ms = 1_000;

/// The settings that this part gives the program.
pub mod settings {
    use super::{Ms, SECOND};

    pub const SLOTS: usize = 2;
    /// Slots of the group `g`, which the settings define.
    pub const SLOTS_OF_G: usize = 1;
    pub const QUEUE_MAX: usize = 5;
    pub const THRESHOLD_PERCENT: usize = 80;
    /// With more than this many entries waiting, nothing more is taken: 80 % of 5.
    pub const THRESHOLD: usize = 4;
    pub const STALE_SECONDS: u64 = 300;
    pub const JOBS_KEPT: usize = 4;
    pub const AGE_MAX: Ms = 40_000 * SECOND;
    pub const AGE_MIN: Ms = 3_600 * SECOND;
    pub const DEAD_KEPT: usize = 2;
    pub const DEAD_AGE_MAX: Ms = 80_000 * SECOND;
    pub const RUNS_KEPT: usize = 3;
    pub const RESTART: (Ms, i64, Ms) = (10 * SECOND, 2, 3_600 * SECOND);
    /// How often what is built in is done.
    pub const CHORES_EVERY: Ms = 3_600 * SECOND;
    /// What is due within this time has somebody who waits for it.
    pub const IN_TIME: Ms = 90 * SECOND;
}

/// An instant of which only the bounds are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct About {
    pub from: Ms,
    pub to: Ms,
}

impl About {
    pub fn exactly(at: Ms) -> Self {
        Self { from: at, to: at }
    }

    /// After a wait that chance moves by up to a tenth.
    pub fn after(at: Ms, wait: Ms) -> Self {
        Self { from: at + wait * 9 / 10, to: at + wait * 11 / 10 }
    }

    pub fn has_come(self, now: Ms) -> bool {
        assert!(now < self.from || now >= self.to, "nobody knows whether {self:?} has come at {now}");
        now >= self.to
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub number: usize,
    pub asked: Shape,
    pub batch: Option<usize>,
    pub schedule: Option<String>,
    pub retry_of: Option<usize>,
    pub state: State,
    pub attempts: u32,
    pub is_paused: bool,
    pub not_before: Option<About>,
    /// How its last execution ended, once it has.
    pub exit: Option<Exit>,
    pub is_dead_letter: bool,
    pub ended_at: Option<Ms>,
}

/// Where a job is in its life.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    Queued,
    Running(Run),
    /// For a person, until then; afterwards it does not start before its own time.
    Waiting {
        until: Option<Ms>,
    },
    Completed,
    Failed,
    Cancelled,
}

/// What is true while a job runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// That it is to end, and since when.
    pub told: Option<Told>,
    /// It asked for approval.
    pub asked: Option<Asks>,
}

/// That a running job is to end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    pub why: Why,
    pub kills: bool,
    pub at: Ms,
}

impl Job {
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Completed | State::Failed | State::Cancelled)
    }

    pub fn run(&self) -> Option<&Run> {
        if let State::Running(run) = &self.state { Some(run) } else { None }
    }

    pub fn run_mut(&mut self) -> Option<&mut Run> {
        if let State::Running(run) = &mut self.state { Some(run) } else { None }
    }

    pub fn is_told(&self) -> bool {
        self.run().is_some_and(|run| run.told.is_some())
    }
}

/// What is seen of a running job.
#[derive(Clone, Debug, PartialEq)]
pub enum Sight {
    Watched,
    /// Its watcher has said nothing for longer than is allowed.
    Silent,
    /// It was claimed, and nobody has begun.
    NotStarted,
    Orphaned,
    Vanished,
    /// Its watcher wrote down how it ended, then, and has gone.
    Recorded {
        exit: Exit,
        at: Ms,
    },
    Rebooted,
}

impl Asks {
    /// Until when an answer can be given, by who begins to wait then.
    pub fn until(self, since: Ms) -> Option<Ms> {
        self.ttl_seconds.map(|seconds| since + seconds.cast_signed() * SECOND)
    }
}

/// A group, as far as the index knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub slots: Option<usize>,
    pub is_paused: bool,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub asked: Recurs,
    pub added_at: Ms,
    pub next_at: Ms,
    /// After a failure: when it runs next, whatever its rhythm says.
    pub restart_at: Option<Ms>,
    pub is_paused: bool,
    pub failures: u32,
    /// When the last run ended, and whether it failed.
    pub last: Option<(Ms, bool)>,
}

impl Schedule {
    pub fn every(&self) -> Ms {
        self.asked.every_seconds.cast_signed() * SECOND
    }

    /// Its first time after an instant.
    pub fn next_after(&self, at: Ms) -> Ms {
        self.added_at + ((at - self.added_at).div_euclid(self.every()) + 1) * self.every()
    }

    pub fn due_at(&self) -> Option<Ms> {
        (!self.is_paused).then(|| self.restart_at.unwrap_or(self.next_at))
    }

    /// How many runs may be there for another to be submitted.
    pub fn runs_max(&self) -> usize {
        match self.asked.overlap {
            Overlap::Skip => 0,
            Overlap::Queue => 1,
            Overlap::Replace => usize::MAX,
        }
    }
}

/// What is built in and done by a tick, once it had something to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Chore {
    pub added_at: Ms,
    pub next_at: Ms,
}

/// What an index keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    pub jobs: BTreeMap<usize, Job>,
    pub next: usize,
    pub groups: BTreeMap<String, Group>,
    pub schedules: BTreeMap<String, Schedule>,
    pub chores: BTreeMap<&'static str, Chore>,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// It was done; a word for each job, where it is about jobs.
    Did(Vec<&'static str>),
    Refused(Refusal),
    /// The store could not write.
    NotWritten,
}

/// Why a command was refused: the exit codes of docs/cli.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    Usage,
    NotFound,
    WrongState,
    NotNow,
}
