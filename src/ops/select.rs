//! Which jobs a change is for: those that are named, or all active ones of a kind.

use super::{
    fault::Fault,
    find::{Among, find_all, home_of},
    home::{BrokenConfig, Home},
};
use crate::model::{facts::Facts, id::JobId, job::Job, state::Status};
use crate::os::session;

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that these texts name; what standard input named is among them.
    Named(Vec<String>),
    /// Every active job that has all these labels, and one of these states unless there are none.
    Active {
        /// Labels.
        labels: Vec<String>,
        /// States.
        statuses: Vec<Status>,
    },
}

impl Default for Selection {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Selection {
    /// Opens the root. `None`: there is none, or nobody was named, so that there is nothing to do. Where jobs were named
    /// and there is no root, there is no such job.
    pub fn home(&self) -> Result<Option<Home>, Fault> {
        match self {
            Self::Named(texts) if texts.is_empty() => Ok(None),
            Self::Named(texts) => home_of(texts).map(Some),
            Self::Active { .. } => Home::open_existing(BrokenConfig::Warns),
        }
    }

    /// The jobs, each once: named ones in the order given, others in the order of submission as far as they are fit.
    pub fn ids(&self, facts: &Facts, fit: impl Fn(&Job) -> bool) -> Result<Vec<JobId>, Fault> {
        let (labels, statuses) = match self {
            Self::Named(texts) => {
                let session = session::terminal();
                return find_all(facts, texts, Among::Session(session.as_deref()));
            }
            Self::Active { labels, statuses } => (labels, statuses),
        };
        let jobs = facts.jobs(|head| {
            !head.status.has_ended() && (statuses.is_empty() || statuses.contains(&head.status))
        })?;
        let wanted = |job: &Job| labels.iter().all(|label| job.spec.labels.contains(label)) && fit(job);
        Ok(jobs.into_iter().filter(wanted).map(|job| job.id).collect())
    }
}
