//! What was seen of running jobs, as executors report it.

use crate::model::{
    Timestamp,
    id::JobId,
    job::Job,
    outcome::{Ending, Outcome},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What was seen of one running job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// Its watcher lives; its last sign of life is so many seconds old, not counting suspended time.
    Watched {
        /// Seconds.
        silent_seconds: u64,
        /// Whether it is over already, and its watcher has yet to commit the end.
        over: bool,
        /// Whether its processes stand still, or are being stopped.
        pausing: bool,
    },
    /// No watcher; no attempt had begun.
    NotStarted,
    /// No watcher; processes of it live.
    Orphaned,
    /// No watcher and no process; the attempt had begun.
    Vanished,
    /// No watcher, but its record has the end.
    Ended {
        /// How it ended.
        outcome: Outcome,
        /// The intent under which it was ended, should the index not have it.
        ending: Option<Ending>,
    },
    /// The machine was started again since.
    Rebooted,
    /// It belongs to another machine or container, or to nobody: it can be shown, not judged.
    Unseen {
        /// Its last sign of life.
        last_sign: Timestamp,
    },
    /// The dry-run executor claimed it and went away.
    NeverExecuted,
}

/// What was seen, by job and attempt: what is true of one attempt says nothing of the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<JobId, (u32, Sighting)>);

impl Census {
    /// Nothing was looked at.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what was seen of a job as it was then.
    pub fn note(&mut self, job: &Job, sighting: Sighting) {
        self.0.insert(job.id.clone(), (job.execution(), sighting));
    }

    /// Forgets what was seen of a job.
    pub fn forget(&mut self, id: &JobId) {
        self.0.remove(id);
    }

    /// What was seen of a job's present attempt.
    pub fn of(&self, job: &Job) -> Option<&Sighting> {
        self.0
            .get(&job.id)
            .filter(|(execution, _)| *execution == job.execution())
            .map(|(_, sighting)| sighting)
    }
}
