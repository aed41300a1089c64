//! Events: the only currency of the store. `apply` is the only meaning of an event.

use super::{
    edit::Edit,
    group::GroupChange,
    id::JobId,
    job::Job,
    schedule::ScheduleChange,
    state::{Change, Decision},
    tables::{TableChange, Tables},
};
use serde::{Deserialize, Serialize};

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
    /// A schedule changed, or one of its times has come.
    Scheduled {
        /// Which.
        schedule: String,
        /// How.
        #[serde(flatten)]
        change: ScheduleChange,
    },
    /// The key of a job that has ended is forgotten: its time is over.
    KeyExpired {
        /// Which job.
        id: JobId,
    },
}

impl Event {
    /// The job that it is about.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Submitted { job } => Some(&job.id),
            Self::Changed { id, .. }
            | Self::Edited { id, .. }
            | Self::Removed { id }
            | Self::KeyExpired { id } => Some(id),
            Self::Grouped { .. } | Self::Scheduled { .. } => None,
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
    /// What it says beside its jobs.
    fn tables_mut(&mut self) -> &mut Tables;
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
        Event::Changed { id, change } => {
            let Some(job) = ledger.job_mut(id)? else { return Ok(Applied::Refused("there is no such job")) };
            let had_ended = job.status().has_ended();
            match job.change(change) {
                Decision::NoOp(reason) => return Ok(Applied::NoOp(reason)),
                Decision::Refused(reason) => return Ok(Applied::Refused(reason)),
                Decision::To(_) => {}
            }
            if !had_ended && job.status().has_ended() {
                let ended = job.clone();
                ledger.tables_mut().count_end(&ended);
            }
            Ok(Applied::Yes)
        }
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
        Event::Grouped { group, change } => Ok(ledger.tables_mut().change_group(group, change).into()),
        Event::Scheduled { schedule, change } => {
            Ok(ledger.tables_mut().change_schedule(schedule, change).into())
        }
        Event::KeyExpired { id } => Ok(match ledger.job_mut(id)? {
            None => Applied::NoOp("it is gone already"),
            Some(job) if !job.status().has_ended() => Applied::Refused("it has not ended"),
            Some(job) => match job.spec.key.take() {
                Some(_) => Applied::Yes,
                None => Applied::NoOp("it has no key"),
            },
        }),
    }
}

impl From<TableChange> for Applied {
    fn from(change: TableChange) -> Self {
        match change {
            TableChange::Made => Self::Yes,
            TableChange::WasSo => Self::NoOp("it is so already"),
            TableChange::Refused(why) => Self::Refused(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Timestamp,
        bytes::Bytes,
        facts::{Draft, Facts},
        key::Key,
        outcome::{Ending, Why},
        spec::{Command, JobSpec},
    };

    fn at() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn id(random: &str) -> JobId {
        JobId::parse(&format!("bg_20260213_{random}")).unwrap()
    }

    fn queued(random: &str, key: Option<&str>) -> Job {
        let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        spec.key = key.map(|text| Key { text: text.to_owned(), ttl_seconds: 60 });
        Job::new(id(random), spec, at())
    }

    fn cancelled(random: &str, key: Option<&str>) -> Job {
        let mut job = queued(random, key);
        let ending = Ending { why: Why::Cancel, at: at(), signal: None, note: None };
        job.change(&Change::Decide { ending });
        job
    }

    #[test]
    fn a_key_goes_once_and_only_after_the_end() {
        let jobs = [queued("aaaaaa", Some("k")), cancelled("bbbbbb", Some("l")), cancelled("cccccc", None)];
        let mut draft = Draft::new(Facts::of(jobs));
        let mut expire = |random| draft.push(Event::KeyExpired { id: id(random) }).unwrap();
        assert_eq!(expire("aaaaaa"), Applied::Refused("it has not ended"));
        assert_eq!(expire("bbbbbb"), Applied::Yes);
        assert_eq!(expire("bbbbbb"), Applied::NoOp("it has no key"));
        assert_eq!(expire("cccccc"), Applied::NoOp("it has no key"));
        assert_eq!(expire("dddddd"), Applied::NoOp("it is gone already"));
        assert_eq!(draft.events().len(), 1, "only what changed something is stored");
    }

    #[test]
    fn what_is_not_there_cannot_be_changed() {
        let mut draft = Draft::new(Facts::default());
        let pause = Change::Pause { at: at() };
        let no_job = draft.push(Event::Changed { id: id("aaaaaa"), change: pause }).unwrap();
        assert_eq!(no_job, Applied::Refused("there is no such job"));
        let edit = Edit { name: Some(None), ..Edit::default() };
        let no_job = draft.push(Event::Edited { id: id("aaaaaa"), edit }).unwrap();
        assert_eq!(no_job, Applied::Refused("there is no such job"));
        let change = ScheduleChange::Pause { at: at() };
        let no_schedule = draft.push(Event::Scheduled { schedule: "nightly".to_owned(), change }).unwrap();
        assert_eq!(no_schedule, Applied::Refused("there is no such schedule"));
        assert!(draft.events().is_empty());
    }
}
