//! A system call that fails, at each place where one is made.

use super::scenes::{
    changing::{APPROVE, CANCEL, CANCEL_QUEUED, DECLINE, PAUSE, PRUNE, RESUME},
    submitting::{BATCH, FIRST_START, NEXT_START, QUEUED_START, RETRY},
    watching::{WATCHER_OF_CAPPED_LOG, WATCHER_OF_CHAIN, WATCHER_OF_LEFTOVER, WATCHER_OF_RETRIED},
    working::{ALARM, SCHEDULE_RUN, TICK, TICK_OF_ORPHAN, TICK_OF_SCHEDULE},
};
use super::strace::{Blow, can_trace, counts};
use super::sweep::{sweep, undisturbed};
use std::collections::BTreeSet;

/// What can fail, and how: a full or broken disk, no more descriptors, no more processes.
///
/// Names that a run does not call are passed over, and each scene asserts that its decisive ones were hit: the call
/// behind `std::fs::rename` is another than the one behind rustix's.
const FAULTS: [(&str, Blow); 66] = [
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
    // As a file system answers that cannot exchange two names.
    ("renameat2", Blow::Fail("EINVAL")),
    ("pwrite64", Blow::Fail("ENOSPC")),
    ("pwrite64", Blow::Fail("EIO")),
    ("pwrite64", Blow::Fail("EINTR")),
    ("utimensat", Blow::Fail("EIO")),
    ("fstatfs", Blow::Fail("EIO")),
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
    // What is interrupted is done again.
    ("read", Blow::Fail("EINTR")),
    ("write", Blow::Fail("EINTR")),
    ("open", Blow::Fail("EINTR")),
    ("openat", Blow::Fail("EINTR")),
    ("fsync", Blow::Fail("EINTR")),
    ("flock", Blow::Fail("EINTR")),
    ("fcntl", Blow::Fail("EINTR")),
    ("ftruncate", Blow::Fail("EINTR")),
    ("ppoll", Blow::Fail("EINTR")),
    ("poll", Blow::Fail("EINTR")),
    ("wait4", Blow::Fail("EINTR")),
    ("waitid", Blow::Fail("EINTR")),
    // What is had by nobody else is had a moment later.
    ("flock", Blow::Fail("EAGAIN")),
    ("fcntl", Blow::Fail("EAGAIN")),
    ("fallocate", Blow::Fail("ENOSPC")),
    ("fallocate", Blow::Fail("EOPNOTSUPP")),
    ("getdents64", Blow::Fail("EIO")),
    ("inotify_init1", Blow::Fail("EMFILE")),
    ("inotify_add_watch", Blow::Fail("ENOSPC")),
    ("eventfd2", Blow::Fail("EMFILE")),
    ("pidfd_open", Blow::Fail("EMFILE")),
    ("timerfd_create", Blow::Fail("EMFILE")),
    ("fcntl", Blow::Fail("EMFILE")),
];

/// What other libraries, and later versions of these, call in place of what is called here.
const UNMADE: [&str; 7] = ["eventfd2", "fdatasync", OTHER_FORK, "mkdir", "rename", "vfork", "writev"];

/// What `fork(3)` calls.
const FORK: &str = if cfg!(target_env = "musl") { "fork" } else { "clone" };

/// What another C library calls for a process or a thread.
const OTHER_FORK: &str = if cfg!(target_env = "musl") { "clone3" } else { "fork" };

/// One test a scene: how many ordinals of a call's name the quick form goes on by, and how often these calls were hit at
/// least.
macro_rules! faults {
    ($($name:ident: $scene:expr, $stride:expr, [$($met:expr),*];)*) => {$(
        #[test]
        fn $name() {
            if can_trace() {
                let tally = sweep(&$scene, &FAULTS, $stride);
                tally.assert_well();
                let met: &[(&str, usize)] = &[$($met),*];
                for (call, times) in met {
                    let hits = tally.calls.get(*call).copied().unwrap_or(0);
                    assert!(hits >= *times, "{call} was hit {hits} times: {:?}", tally.calls);
                }
            }
        }
    )*
        /// The names of these scenes.
        pub const SCENES: &[&str] = &[$($scene.name),*];

        #[test]
        fn every_call_that_is_to_fail_is_made_in_some_scene() {
            if !can_trace() {
                return;
            }
            let mut made = BTreeSet::new();
            for scene in [$($scene),*] {
                made.extend(counts(&undisturbed(&scene).log).into_keys());
            }
            let unmade: BTreeSet<&str> =
                FAULTS.iter().map(|(call, _)| *call).filter(|call| !made.contains(*call)).collect();
            assert_eq!(unmade, UNMADE.into(), "all that are made: {made:?}");
        }
    };
}

faults! {
    the_first_start_that_meets_a_fault_answers_truly: FIRST_START, 2, [("write", 6), ("fsync", 6), ("renameat", 2), ("mkdirat", 2)];
    a_start_that_meets_a_fault_answers_truly: NEXT_START, 2, [("write", 4), ("pwrite64", 2), ("fsync", 4), ("renameat2", 2)];
    a_start_that_waits_that_meets_a_fault_answers_truly: QUEUED_START, 9, [("fsync", 1)];
    a_batch_that_meets_a_fault_answers_truly: BATCH, 9, [("fsync", 1)];
    a_retry_that_meets_a_fault_answers_truly: RETRY, 9, [("fsync", 1)];
    a_watcher_with_a_chain_that_meets_a_fault_answers_truly: WATCHER_OF_CHAIN, 9, [("write", 9), ("fsync", 4), ("renameat", 4), (FORK, 1)];
    a_watcher_with_a_leftover_that_meets_a_fault_answers_truly: WATCHER_OF_LEFTOVER, 13, [("write", 5), ("fsync", 2), ("renameat", 2)];
    a_watcher_with_a_capped_log_that_meets_a_fault_answers_truly: WATCHER_OF_CAPPED_LOG, 13, [("fallocate", 1)];
    a_watcher_with_an_attempt_to_come_that_meets_a_fault_answers_truly: WATCHER_OF_RETRIED, 13, [("fsync", 1)];
    a_cancel_that_meets_a_fault_answers_truly: CANCEL, 9, [("fsync", 1)];
    a_cancel_of_a_queued_job_that_meets_a_fault_answers_truly: CANCEL_QUEUED, 9, [("fsync", 1)];
    a_pause_that_meets_a_fault_answers_truly: PAUSE, 9, [("fsync", 1)];
    a_resume_that_meets_a_fault_answers_truly: RESUME, 9, [("fsync", 1)];
    a_prune_that_meets_a_fault_answers_truly: PRUNE, 9, [("fsync", 1)];
    an_approval_that_meets_a_fault_answers_truly: APPROVE, 9, [("fsync", 1)];
    a_decline_that_meets_a_fault_answers_truly: DECLINE, 13, [("fsync", 1)];
    a_tick_that_meets_a_fault_answers_truly: TICK, 9, [("fsync", 1)];
    a_tick_with_an_orphan_that_meets_a_fault_answers_truly: TICK_OF_ORPHAN, 9, [("fsync", 1)];
    a_tick_with_a_schedule_that_meets_a_fault_answers_truly: TICK_OF_SCHEDULE, 9, [("fsync", 1)];
    a_run_of_a_schedule_that_meets_a_fault_answers_truly: SCHEDULE_RUN, 9, [("fsync", 1)];
    the_alarm_that_meets_a_fault_answers_truly: ALARM, 13, [("fsync", 1)];
}
