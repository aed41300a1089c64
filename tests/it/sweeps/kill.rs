//! SIGKILL at each system call.

use super::scenes::{
    changing::{APPROVE, CANCEL, CANCEL_QUEUED, DECLINE, PAUSE, PRUNE, RESUME},
    submitting::{BATCH, FIRST_START, NEXT_START, QUEUED_START, RETRY},
    watching::{WATCHER_OF_CAPPED_LOG, WATCHER_OF_CHAIN, WATCHER_OF_LEFTOVER, WATCHER_OF_RETRIED},
    working::{ALARM, SCHEDULE_RUN, TICK, TICK_OF_ORPHAN, TICK_OF_SCHEDULE},
};
use super::strace::{Blow, can_trace};
use super::sweep::{EVERY_CALL, sweep};

/// One test a scene, and how many ordinals of a call's name the quick form goes on by.
macro_rules! killed {
    ($($name:ident: $scene:expr, $stride:expr;)*) => {$(
        #[test]
        fn $name() {
            if can_trace() {
                sweep(&$scene, &[(EVERY_CALL, Blow::Kill)], $stride).assert_well();
            }
        }
    )*
        /// The names of these scenes.
        pub const SCENES: &[&str] = &[$($scene.name),*];
    };
}

killed! {
    the_first_start_that_is_killed_at_any_call_loses_nothing: FIRST_START, 5;
    a_start_that_is_killed_at_any_call_loses_nothing: NEXT_START, 5;
    a_start_that_waits_that_is_killed_at_any_call_loses_nothing: QUEUED_START, 11;
    a_batch_that_is_killed_at_any_call_loses_nothing: BATCH, 11;
    a_retry_that_is_killed_at_any_call_loses_nothing: RETRY, 11;
    a_watcher_with_a_chain_that_is_killed_at_any_call_loses_nothing: WATCHER_OF_CHAIN, 11;
    a_watcher_with_a_leftover_that_is_killed_at_any_call_loses_nothing: WATCHER_OF_LEFTOVER, 17;
    a_watcher_with_a_capped_log_that_is_killed_at_any_call_loses_nothing: WATCHER_OF_CAPPED_LOG, 17;
    a_watcher_with_an_attempt_to_come_that_is_killed_at_any_call_loses_nothing: WATCHER_OF_RETRIED, 17;
    a_cancel_that_is_killed_at_any_call_loses_nothing: CANCEL, 11;
    a_cancel_of_a_queued_job_that_is_killed_at_any_call_loses_nothing: CANCEL_QUEUED, 11;
    a_pause_that_is_killed_at_any_call_loses_nothing: PAUSE, 11;
    a_resume_that_is_killed_at_any_call_loses_nothing: RESUME, 11;
    a_prune_that_is_killed_at_any_call_loses_nothing: PRUNE, 11;
    an_approval_that_is_killed_at_any_call_loses_nothing: APPROVE, 11;
    a_decline_that_is_killed_at_any_call_loses_nothing: DECLINE, 17;
    a_tick_that_is_killed_at_any_call_loses_nothing: TICK, 11;
    a_tick_with_an_orphan_that_is_killed_at_any_call_loses_nothing: TICK_OF_ORPHAN, 11;
    a_tick_with_a_schedule_that_is_killed_at_any_call_loses_nothing: TICK_OF_SCHEDULE, 11;
    a_run_of_a_schedule_that_is_killed_at_any_call_loses_nothing: SCHEDULE_RUN, 11;
    the_alarm_that_is_killed_at_any_call_loses_nothing: ALARM, 17;
}
