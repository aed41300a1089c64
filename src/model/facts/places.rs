//! Where the entry of each id is.

use super::Entry;
use crate::model::id::JobId;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::cell::{Cell, OnceCell};
use std::hash::BuildHasher;

/// Where the entry of each id is. Who asks for one or two of them looks through all; after that a table is made. It keeps places
/// only, the ids are in the entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    table: OnceCell<HashTable<usize>>,
    /// How many entries were looked at without it.
    looked_at: Cell<usize>,
    hasher: RandomState,
}

/// So often all are looked through before a table is made, which costs as much as some looks.
const LOOKS_MAX: usize = 8;

type Entries = [Option<Entry>];

impl Places {
    /// Where the entry of an id is among these.
    pub(super) fn of(&self, id: &JobId, entries: &Entries) -> Option<usize> {
        if self.table.get().is_none() && self.looked_at.get() < LOOKS_MAX * entries.len() {
            // What was asked for is mostly the last one.
            let found =
                entries.iter().rposition(|entry| entry.as_ref().is_some_and(|entry| entry.head.id == *id));
            self.looked_at.update(|looked_at| looked_at + entries.len() - found.unwrap_or(0));
            return found;
        }
        let table = self.table.get_or_init(|| {
            let mut table = HashTable::with_capacity(entries.len());
            for place in (0..entries.len()).filter(|place| entries[*place].is_some()) {
                self.insert(&mut table, place, entries);
            }
            table
        });
        let id_hash = self.hasher.hash_one(id);
        table.find(id_hash, |place| id_at(*place, entries) == Some(id)).copied()
    }

    /// Takes into account that these entries have one more, at that place.
    pub(super) fn add(&mut self, place: usize, entries: &Entries) {
        if let Some(mut table) = self.table.take() {
            self.insert(&mut table, place, entries);
            self.table = OnceCell::from(table);
        }
    }

    /// Takes into account that the entry at a place is about to go.
    pub(super) fn remove(&mut self, place: usize, entries: &Entries) {
        let Some(id_hash) = id_at(place, entries).map(|id| self.hasher.hash_one(id)) else { return };
        if let Some(table) = self.table.get_mut()
            && let Ok(found) = table.find_entry(id_hash, |other| *other == place)
        {
            found.remove();
        }
    }

    fn insert(&self, table: &mut HashTable<usize>, place: usize, entries: &Entries) {
        let hash = |place: &usize| id_at(*place, entries).map_or(0, |id| self.hasher.hash_one(id));
        table.insert_unique(hash(&place), place, hash);
    }
}

fn id_at(place: usize, entries: &Entries) -> Option<&JobId> {
    entries.get(place)?.as_ref().map(|entry| &entry.head.id)
}

#[cfg(test)]
mod tests {
    use crate::model::{
        bytes::Bytes,
        event::Ledger,
        facts::Facts,
        id::JobId,
        job::Job,
        spec::{Command, JobSpec},
    };
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn what_came_is_found_and_what_went_is_not_in_any_order_and_in_a_copy(
            steps in proptest::collection::vec((0..40_u8, any::<bool>()), 0..200),
            copied_after in 0..200_usize,
        ) {
            let id = |number: u8| JobId::parse(&format!("bg_20260213_aaaa{number:02}")).unwrap();
            let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
            let at = "2026-02-13T10:00:00Z".parse().unwrap();
            let (mut facts, mut there) = (Facts::default(), BTreeSet::new());
            let mut copy = None;
            let as_known = |facts: &Facts, there: &BTreeSet<u8>| {
                (0..40).all(|number| {
                    facts.head(&id(number)).map(|head| head.id.clone())
                        == there.contains(&number).then(|| id(number))
                })
            };
            for (step, (number, comes)) in steps.into_iter().enumerate() {
                if step == copied_after {
                    copy = Some((facts.clone(), there.clone()));
                }
                if !comes {
                    facts.remove(&id(number));
                    there.remove(&number);
                } else if there.insert(number) {
                    facts.insert(Job::new(id(number), spec.clone(), at));
                }
                prop_assert!(as_known(&facts, &there));
            }
            if let Some((facts, there)) = copy {
                prop_assert!(as_known(&facts, &there));
            }
        }
    }
}
