//! What a job waits for before it may start: the ends of others.

use super::id::JobId;
use serde::{Deserialize, Serialize};

/// Which end is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// A completion. Another end cancels the job that waits.
    Completed,
    /// Any end.
    Ended,
}

/// One job that another waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Which.
    pub id: JobId,
    /// For which end.
    pub until: Until,
}

/// Most jobs that one waits for.
pub const DEPENDENCIES_MAX: usize = 1_000;
