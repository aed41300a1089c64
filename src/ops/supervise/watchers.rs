//! The watchers of the jobs that run here: the supervisor notices the end of each at once.

use crate::exec::Executor;
use crate::model::{claim::Relation, facts::Facts, id::JobId};
use crate::ops::home::Home;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a claim may have no watcher before a tick looks after it: watchers need a moment to begin. It doubles with each
/// tick that brings none.
const UNWATCHED_MAX: Duration = Duration::from_secs(1);
/// The longest such time.
const REST_MAX: Duration = Duration::from_mins(1);
/// How often such a claim is looked at meanwhile.
const UNWATCHED_INTERVAL: Duration = Duration::from_millis(100);

/// The watchers that are known.
#[derive(Debug)]
pub struct Watchers {
    known: HashMap<JobId, OwnedFd>,
    unwatched: HashMap<JobId, Instant>,
    /// Jobs whose watcher has just ended.
    bereaved: HashSet<JobId>,
    rest: Duration,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            unwatched: HashMap::new(),
            bereaved: HashSet::new(),
            rest: UNWATCHED_MAX,
        }
    }
}

/// What a look came to.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// A job has no watcher, and a tick has to find it another.
    pub is_lost: bool,
    /// After how long another look is due at the latest.
    pub limit: Duration,
}

impl Watchers {
    /// Knows a watcher of each running job, or says that one is missing.
    pub fn look_after(&mut self, home: &Home, facts: &Facts) -> Look {
        let is_here = |relation: Relation| relation != Relation::Other;
        let running: HashSet<&JobId> = facts
            .running()
            .filter(|job| home.relation(job).is_some_and(is_here))
            .map(|job| &job.id)
            .collect();
        self.known.retain(|id, _| running.contains(id));
        self.unwatched.retain(|id, _| running.contains(id));
        let local = home.local();
        let mut is_lost = false;
        for id in running {
            if self.known.contains_key(id) {
                continue;
            }
            if let Ok(Some(handle)) = local.attend(id) {
                self.known.insert(id.clone(), handle);
                self.unwatched.remove(id);
                continue;
            }
            let since = self.unwatched.entry(id.clone()).or_insert_with(Instant::now);
            is_lost |= self.bereaved.contains(id) || since.elapsed() >= self.rest;
        }
        self.bereaved.clear();
        if is_lost {
            self.unwatched.clear();
            self.rest = (self.rest * 2).min(REST_MAX);
        } else if self.unwatched.is_empty() {
            self.rest = UNWATCHED_MAX;
        }
        let limit = if self.unwatched.is_empty() && !is_lost { REST_MAX } else { UNWATCHED_INTERVAL };
        Look { is_lost, limit }
    }

    /// Something to poll for each: readable once it has ended.
    pub fn descriptors(&self) -> impl Iterator<Item = (&JobId, BorrowedFd<'_>)> {
        self.known.iter().map(|(id, fd)| (id, fd.as_fd()))
    }

    /// These have ended.
    pub fn are_gone(&mut self, ids: &[JobId]) {
        for id in ids {
            self.known.remove(id);
            self.bereaved.insert(id.clone());
        }
    }
}
