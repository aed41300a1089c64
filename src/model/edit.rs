//! Changes of what was asked, for jobs that have not ended.

use super::{
    dependency::Dependency,
    limit::{ByteLimit, Limit},
    priority::Priority,
    spec::JobSpec,
};
use serde::{Deserialize, Serialize};

/// New values of what may be changed after a submission; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The name, or that it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Option<String>>,
    /// All labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Run time of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Limit>,
    /// Silence of its watcher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Limit>,
    /// Time to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Limit>,
    /// Size of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<ByteLimit>,
    /// How urgent it is; for a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// All jobs whose ends it waits for; for a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Vec<Dependency>>,
    /// The group whose slots it takes, or that it is the default group; for a job that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Option<String>>,
}

impl Edit {
    /// Whether it changes what has no meaning any more once a job has its slot.
    pub fn is_for_queued_only(&self) -> bool {
        self.priority.is_some() || self.after.is_some() || self.group.is_some()
    }

    /// Makes the change. `false`: it was so already.
    pub fn apply(&self, spec: &mut JobSpec) -> bool {
        let before = spec.clone();
        let Self { name, labels, timeout, stale_after, grace, log, priority, after, group } = self;
        set(&mut spec.name, name.as_ref());
        set(&mut spec.labels, labels.as_ref());
        set(&mut spec.limits.timeout, timeout.as_ref());
        set(&mut spec.limits.stale_after, stale_after.as_ref());
        set(&mut spec.limits.grace, grace.as_ref());
        set(&mut spec.limits.log, log.as_ref());
        set(&mut spec.priority, priority.as_ref());
        set(&mut spec.after, after.as_ref());
        set(&mut spec.group, group.as_ref());
        *spec != before
    }
}

fn set<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}
