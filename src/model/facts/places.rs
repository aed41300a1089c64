//! Where the entry of each id is.

use super::Entry;
use crate::model::id::JobId;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

/// The first so many ids are looked for by going through the entries; then a map of all is made. Whoever submits a job looks for a
/// few, and the map costs as much as thirty.
const LOOKS_MAX: u32 = 30;

/// Where the entry of each id is: made when it begins to be worth it.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    map: OnceCell<HashMap<JobId, usize>>,
    looks: Cell<u32>,
}

impl Places {
    /// Those of an index whose ids were all put into a map to see that none is there twice.
    pub(super) fn known(map: HashMap<JobId, usize>) -> Self {
        Self { map: OnceCell::from(map), looks: Cell::default() }
    }

    /// Where the entry of an id is among these.
    pub(super) fn of(&self, id: &JobId, entries: &[Option<Entry>]) -> Option<usize> {
        let looks = self.looks.get();
        if self.map.get().is_none() && looks < LOOKS_MAX {
            self.looks.set(looks + 1);
            let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.head.id == *id);
            return entries.iter().rposition(is_it);
        }
        let of = |(place, entry): (usize, &Option<Entry>)| Some((entry.as_ref()?.head.id.clone(), place));
        self.map.get_or_init(|| entries.iter().enumerate().filter_map(of).collect()).get(id).copied()
    }

    /// Takes a new entry into account.
    pub(super) fn add(&mut self, id: &JobId, place: usize) {
        if let Some(map) = self.map.get_mut() {
            map.insert(id.clone(), place);
        }
    }

    /// Takes into account that an entry is gone.
    pub(super) fn remove(&mut self, id: &JobId) {
        if let Some(map) = self.map.get_mut() {
            map.remove(id);
        }
    }
}
