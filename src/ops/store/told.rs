//! What the stream of events tells of jobs: how each stood when it was mentioned last.

use crate::model::{Timestamp, id::JobId, outcome::Outcome, state::Status, stream::Line};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How a job stood when the stream mentioned it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its state.
    pub status: Status,
    /// Since when.
    pub at: Timestamp,
    /// Its name.
    pub name: Option<String>,
    /// How its attempt ended, where that was what happened.
    pub outcome: Option<Outcome>,
}

/// What the stream tells.
#[derive(Debug, Default)]
pub struct Stream {
    /// The jobs that were not removed.
    pub jobs: BTreeMap<JobId, Told>,
    /// Those that were.
    pub removed: Vec<JobId>,
    /// The schedules that were mentioned and not removed.
    pub schedules: BTreeSet<String>,
    /// The number of its last event.
    pub last: u64,
}

#[derive(Deserialize)]
struct Said {
    event: String,
    #[serde(default)]
    id: Option<JobId>,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    change: Option<String>,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    outcome: Option<serde_json::Value>,
}

/// Reads the lines in their order.
pub fn of(lines: &[Line]) -> Stream {
    let mut stream = Stream::default();
    for line in lines {
        stream.last = line.seq;
        let Ok(said) = serde_json::from_str::<Said>(&line.text) else { continue };
        if let ("scheduled", Some(schedule)) = (said.event.as_str(), &said.schedule) {
            match said.change.as_deref() {
                Some("remove") => stream.schedules.remove(schedule),
                _ => stream.schedules.insert(schedule.clone()),
            };
            continue;
        }
        let Said { event, id: Some(id), status, name, outcome, .. } = said else { continue };
        if event == "removed" {
            stream.jobs.remove(&id);
            stream.removed.push(id);
        } else if let Some(status) = status {
            let outcome = outcome.and_then(|outcome| serde_json::from_value(outcome).ok());
            stream.jobs.insert(id, Told { status, at: line.at, name, outcome });
        }
    }
    stream
}
