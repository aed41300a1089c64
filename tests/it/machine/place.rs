//! Where the index is kept: a new store gets a [`Place`] here and a line in `mod.rs`. Each visit is what a process of its own
//! would be: the store is opened anew for each command.

use bgctl::model::config::StoreType;
use bgctl::store::{
    Store,
    file::{FileStore, Keeping},
    memory::MemoryStore,
    root::{INDEX_TEMPORARY, Root},
};
use std::cell::Cell;
use std::path::Path;

/// Where an index is kept.
pub trait Place: 'static {
    /// A new one; the folder is its own.
    fn new(folder: &Path) -> Self;

    fn visit(&self, root: &Root, visitor: &mut dyn FnMut(&dyn Store));

    /// From now on it cannot be written, or can again. `false`: there is no way to do that to it, and whoever decides has to fail.
    fn refuse(&self, root: &Root, refuses: bool) -> bool;
}

/// In memory.
pub struct InMemory(MemoryStore);

impl Place for InMemory {
    fn new(_folder: &Path) -> Self {
        Self(MemoryStore::default())
    }

    fn visit(&self, _root: &Root, visitor: &mut dyn FnMut(&dyn Store)) {
        visitor(&self.0);
    }

    fn refuse(&self, _root: &Root, _refuses: bool) -> bool {
        false
    }
}

/// As lines in a folder, which are begun anew now and then; every process keeps what it has read.
pub struct AsLines;

impl Place for AsLines {
    fn new(_folder: &Path) -> Self {
        Self
    }

    fn visit(&self, root: &Root, visitor: &mut dyn FnMut(&dyn Store)) {
        root.set_kept(true);
        visitor(&FileStore::new(root).keeping(Keeping { form: StoreType::Lines, lines_max: 40 }));
    }

    fn refuse(&self, _root: &Root, _refuses: bool) -> bool {
        false
    }
}

/// As a JSON file in a folder. Some of the processes keep what they have read.
pub struct InFolder {
    visits: Cell<u32>,
}

impl Place for InFolder {
    fn new(_folder: &Path) -> Self {
        Self { visits: Cell::new(0) }
    }

    fn visit(&self, root: &Root, visitor: &mut dyn FnMut(&dyn Store)) {
        /// So many visits in a row are those of one process.
        const VISITS: u32 = 6;
        self.visits.update(|visits| visits + 1);
        root.set_kept(self.visits.get() / VISITS % 2 == 1);
        visitor(&FileStore::new(root));
    }

    /// Where the new index is to be written stands a folder.
    fn refuse(&self, root: &Root, refuses: bool) -> bool {
        let path = root.path().join(INDEX_TEMPORARY);
        if refuses {
            // What was the index before the last change.
            drop(std::fs::remove_file(&path));
            std::fs::create_dir(path).unwrap();
        } else {
            std::fs::remove_dir(path).unwrap();
        }
        true
    }
}
