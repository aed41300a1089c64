//! Changes of what was asked, for jobs that have not ended.

use super::{
    limit::{ByteLimit, Limit},
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
}

impl Edit {
    /// Makes the change. `false`: it was so already.
    pub fn apply(&self, spec: &mut JobSpec) -> bool {
        let before = spec.clone();
        let Self { name, labels, timeout, stale_after, grace, log } = self;
        set(&mut spec.name, name.as_ref());
        set(&mut spec.labels, labels.as_ref());
        set(&mut spec.limits.timeout, timeout.as_ref());
        set(&mut spec.limits.stale_after, stale_after.as_ref());
        set(&mut spec.limits.grace, grace.as_ref());
        set(&mut spec.limits.log, log.as_ref());
        *spec != before
    }
}

fn set<T: Clone>(place: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        place.clone_from(value);
    }
}
