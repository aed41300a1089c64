//! What a start and a watcher may cost, in system calls, fsyncs and renames.
//!
//! Counted in the debug build, whose assertions make no system calls. The bound on all calls is what was measured
//! and some slack for the allocator and for how reads fall; whoever needs more says so here.

use super::scene::Scene;
use super::strace::{can_trace, counts};
use super::sweep::undisturbed;
use std::collections::BTreeMap;

struct Spent(BTreeMap<String, usize>);

impl Spent {
    fn by(scene: Scene) -> Self {
        Self(counts(&undisturbed(scene).log))
    }

    fn on(&self, call: &str) -> usize {
        self.0.get(call).copied().unwrap_or(0)
    }

    fn on_syncs(&self) -> usize {
        ["fsync", "fdatasync", "sync", "syncfs"].iter().map(|call| self.on(call)).sum()
    }

    fn on_renames(&self) -> usize {
        ["rename", "renameat", "renameat2"].iter().map(|call| self.on(call)).sum()
    }

    fn on_all(&self) -> usize {
        self.0.values().sum()
    }
}

#[test]
fn a_start_writes_the_index_once_and_syncs_the_file_and_its_folder() {
    /// Measured: 113.
    const CALLS_MAX: usize = 120;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(Scene::NextStart);
    assert_eq!((spent.on_syncs(), spent.on_renames()), (2, 1), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}

#[test]
fn a_first_start_also_makes_the_environment_and_its_folders_durable() {
    /// Measured: 131.
    const CALLS_MAX: usize = 140;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(Scene::FirstStart);
    // The index and its folder, the environment and its folder, and the folder in which the root is new.
    assert_eq!((spent.on_syncs(), spent.on_renames()), (5, 2), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}

#[test]
fn a_watcher_of_one_job_writes_the_index_once_and_the_snapshot_once() {
    /// Measured: 239, of which 18 raise the resource limits that it inherited.
    const CALLS_MAX: usize = 250;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(Scene::WatcherOfOne);
    // The snapshot is renamed into place too, and is not made durable: the index has what counts.
    assert_eq!((spent.on_syncs(), spent.on_renames()), (2, 2), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}
