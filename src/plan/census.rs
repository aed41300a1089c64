//! What was seen of running jobs, as executors report it.

use crate::model::{Timestamp, id::JobId, outcome::Outcome};
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
    },
    /// No watcher; no attempt had begun.
    NotStarted,
    /// No watcher; processes of it live.
    Orphaned,
    /// No watcher and no process; the attempt had begun.
    Vanished,
    /// No watcher, but its record has the outcome.
    Ended(Outcome),
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

/// What was seen, by job.
pub type Census = BTreeMap<JobId, Sighting>;
