//! A system call that fails, at each place where the submitter or the watcher makes one.

use super::scene::Scene;
use super::strace::{Blow, can_trace};
use super::sweep::sweep;

/// What can fail, and how: a full or broken disk, no more descriptors, no more processes.
///
/// Names that a run does not call are passed over, and each scene asserts that its decisive ones were hit: the call
/// behind `std::fs::rename` is another than the one behind rustix's.
const FAULTS: [(&str, Blow); 37] = [
    ("write", Blow::Fail("ENOSPC")),
    ("write", Blow::Fail("EIO")),
    ("writev", Blow::Fail("ENOSPC")),
    ("writev", Blow::Fail("EIO")),
    ("pwrite64", Blow::Fail("ENOSPC")),
    ("pwrite64", Blow::Fail("EIO")),
    ("fsync", Blow::Fail("ENOSPC")),
    ("fsync", Blow::Fail("EIO")),
    ("fdatasync", Blow::Fail("ENOSPC")),
    ("fdatasync", Blow::Fail("EIO")),
    ("rename", Blow::Fail("ENOSPC")),
    ("rename", Blow::Fail("EIO")),
    ("renameat", Blow::Fail("ENOSPC")),
    ("renameat", Blow::Fail("EIO")),
    ("renameat2", Blow::Fail("ENOSPC")),
    ("renameat2", Blow::Fail("EIO")),
    ("ftruncate", Blow::Fail("ENOSPC")),
    ("ftruncate", Blow::Fail("EIO")),
    ("open", Blow::Fail("ENOSPC")),
    ("open", Blow::Fail("EIO")),
    ("open", Blow::Fail("EMFILE")),
    ("openat", Blow::Fail("ENOSPC")),
    ("openat", Blow::Fail("EIO")),
    ("openat", Blow::Fail("EMFILE")),
    ("mkdir", Blow::Fail("ENOSPC")),
    ("mkdir", Blow::Fail("EIO")),
    ("mkdirat", Blow::Fail("ENOSPC")),
    ("mkdirat", Blow::Fail("EIO")),
    ("unlinkat", Blow::Fail("EIO")),
    ("read", Blow::Fail("EIO")),
    ("flock", Blow::Fail("ENOLCK")),
    ("fcntl", Blow::Fail("ENOLCK")),
    ("pipe2", Blow::Fail("EMFILE")),
    ("clone", Blow::Fail("EAGAIN")),
    ("clone3", Blow::Fail("EAGAIN")),
    ("fork", Blow::Fail("EAGAIN")),
    ("vfork", Blow::Fail("EAGAIN")),
];

/// Sweeps, and asserts that each of these calls was hit at least so often.
#[track_caller]
fn sweep_and_meet(scene: Scene, met: &[(&str, usize)], stride: usize) {
    if !can_trace() {
        return;
    }
    let tally = sweep(scene, &FAULTS, stride);
    tally.assert_well();
    for (call, times) in met {
        let hits = tally.calls.get(*call).copied().unwrap_or(0);
        assert!(hits >= *times, "{call} was hit {hits} times: {:?}", tally.calls);
    }
}

#[test]
fn a_submitter_that_meets_a_fault_in_the_first_start_answers_truly() {
    sweep_and_meet(Scene::FirstStart, &[("write", 6), ("fsync", 6), ("renameat", 4), ("mkdirat", 2)], 1);
}

#[test]
fn a_submitter_that_meets_a_fault_in_a_later_start_answers_truly() {
    sweep_and_meet(Scene::NextStart, &[("write", 4), ("fsync", 4), ("renameat", 2)], 1);
}

#[test]
fn a_watcher_that_meets_a_fault_in_a_chain_of_jobs_loses_none() {
    sweep_and_meet(Scene::Watcher, &[("write", 9), ("fsync", 4), ("renameat", 4), ("clone", 1)], 2);
}

#[test]
fn a_watcher_that_meets_a_fault_while_it_ends_what_a_job_left_behind_leaves_nothing() {
    sweep_and_meet(Scene::WatcherOfLeftover, &[("write", 5), ("fsync", 2), ("renameat", 2)], 2);
}
