//! Events: the only currency of the store. `apply` is the only meaning of an event.

use super::{
    edit::Edit,
    group::{Group, GroupChange},
    id::JobId,
    job::Job,
    state::{Change, Decision},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One change of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A job was submitted.
    Submitted {
        /// The whole job.
        job: Box<Job>,
    },
    /// A job changed.
    Changed {
        /// Which.
        id: JobId,
        /// How.
        #[serde(flatten)]
        change: Change,
    },
    /// What was asked of a job changed.
    Edited {
        /// Which.
        id: JobId,
        /// How.
        edit: Edit,
    },
    /// A job that had ended was removed.
    Removed {
        /// Which.
        id: JobId,
    },
    /// A group changed.
    Grouped {
        /// Which.
        group: String,
        /// How.
        #[serde(flatten)]
        change: GroupChange,
    },
}

impl Event {
    /// The job that it is about.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Submitted { job } => Some(&job.id),
            Self::Changed { id, .. } | Self::Edited { id, .. } | Self::Removed { id } => Some(id),
            Self::Grouped { .. } => None,
        }
    }
}

/// What an event changes; each store has one.
pub trait Ledger {
    /// Why a job cannot be read.
    type Error;
    /// The job of that id, to be changed.
    fn job_mut(&mut self, id: &JobId) -> Result<Option<&mut Job>, Self::Error>;
    /// Adds a job behind all others. The id is new.
    fn insert(&mut self, job: Job);
    /// Forgets a job.
    fn remove(&mut self, id: &JobId);
    /// The groups, by name.
    fn groups_mut(&mut self) -> &mut BTreeMap<String, Group>;
}

/// What applying an event did.
#[derive(Debug, PartialEq, Eq)]
pub enum Applied {
    /// It changed the index.
    Yes,
    /// It changed nothing, for this reason; it must not be stored.
    NoOp(&'static str),
    /// It is a mistake, for this reason; it must not be stored.
    Refused(&'static str),
}

/// Applies an event.
pub fn apply<L: Ledger>(event: &Event, ledger: &mut L) -> Result<Applied, L::Error> {
    match event {
        Event::Submitted { job } => {
            if ledger.job_mut(&job.id)?.is_some() {
                return Ok(Applied::Refused("the id is taken"));
            }
            ledger.insert((**job).clone());
            Ok(Applied::Yes)
        }
        Event::Changed { id, change } => Ok(match ledger.job_mut(id)? {
            None => Applied::Refused("there is no such job"),
            Some(job) => match job.change(change) {
                Decision::To(_) => Applied::Yes,
                Decision::NoOp(reason) => Applied::NoOp(reason),
                Decision::Refused(reason) => Applied::Refused(reason),
            },
        }),
        Event::Edited { id, edit } => Ok(match ledger.job_mut(id)? {
            None => Applied::Refused("there is no such job"),
            Some(job) if job.status().has_ended() => Applied::Refused("it has ended already"),
            Some(job) if edit.is_for_queued_only() && job.run().is_some() => {
                Applied::Refused("it runs already")
            }
            Some(job) => {
                if edit.apply(&mut job.spec) {
                    Applied::Yes
                } else {
                    Applied::NoOp("it is so already")
                }
            }
        }),
        Event::Removed { id } => {
            let Some(job) = ledger.job_mut(id)? else { return Ok(Applied::NoOp("it is gone already")) };
            if !job.status().has_ended() {
                return Ok(Applied::Refused("it has not ended"));
            }
            ledger.remove(id);
            Ok(Applied::Yes)
        }
        Event::Grouped { group, change } => Ok(apply_to_group(group, change, ledger.groups_mut())),
    }
}

fn apply_to_group(name: &str, change: &GroupChange, groups: &mut BTreeMap<String, Group>) -> Applied {
    let before = groups.get(name).cloned().unwrap_or_default();
    let mut group = before.clone();
    match change {
        GroupChange::Slots { slots } => group.slots = Some(*slots),
        GroupChange::Pause { at } => group.paused_at = group.paused_at.or(Some(*at)),
        GroupChange::Resume => group.paused_at = None,
        GroupChange::Remove => group = Group::default(),
    }
    if group == before {
        return Applied::NoOp("it is so already");
    }
    if group.is_empty() {
        groups.remove(name);
    } else {
        groups.insert(name.to_owned(), group);
    }
    Applied::Yes
}
