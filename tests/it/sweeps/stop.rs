//! SIGSTOP at each system call, and SIGCONT when others have done what they can meanwhile.

use super::scenes::{
    changing::{APPROVE, CANCEL, CANCEL_QUEUED, DECLINE, PAUSE, PRUNE, RESUME},
    submitting::{BATCH, FIRST_START, NEXT_START, QUEUED_START, RETRY},
    watching::{WATCHER_OF_CAPPED_LOG, WATCHER_OF_CHAIN, WATCHER_OF_LEFTOVER, WATCHER_OF_RETRIED},
    working::{ALARM, SCHEDULE_RUN, TICK, TICK_OF_ORPHAN, TICK_OF_SCHEDULE},
};
use super::strace::{Blow, can_trace};
use super::sweep::{EVERY_CALL, sweep};

/// One test a scene, and how many ordinals of a call's name the quick form goes on by.
macro_rules! stopped {
    ($($name:ident: $scene:expr, $stride:expr;)*) => {$(
        #[test]
        fn $name() {
            if can_trace() {
                sweep(&$scene, &[(EVERY_CALL, Blow::Stop)], $stride).assert_well();
            }
        }
    )*
        /// The names of these scenes.
        pub const SCENES: &[&str] = &[$($scene.name),*];
    };
}

stopped! {
    the_first_start_that_is_stopped_at_any_call_does_nothing_twice: FIRST_START, 13;
    a_start_that_is_stopped_at_any_call_does_nothing_twice: NEXT_START, 13;
    a_start_that_waits_that_is_stopped_at_any_call_does_nothing_twice: QUEUED_START, 21;
    a_batch_that_is_stopped_at_any_call_does_nothing_twice: BATCH, 21;
    a_retry_that_is_stopped_at_any_call_does_nothing_twice: RETRY, 21;
    a_watcher_with_a_chain_that_is_stopped_at_any_call_does_nothing_twice: WATCHER_OF_CHAIN, 21;
    a_watcher_with_a_leftover_that_is_stopped_at_any_call_does_nothing_twice: WATCHER_OF_LEFTOVER, 29;
    a_watcher_with_a_capped_log_that_is_stopped_at_any_call_does_nothing_twice: WATCHER_OF_CAPPED_LOG, 29;
    a_watcher_with_an_attempt_to_come_that_is_stopped_at_any_call_does_nothing_twice: WATCHER_OF_RETRIED, 29;
    a_cancel_that_is_stopped_at_any_call_does_nothing_twice: CANCEL, 21;
    a_cancel_of_a_queued_job_that_is_stopped_at_any_call_does_nothing_twice: CANCEL_QUEUED, 21;
    a_pause_that_is_stopped_at_any_call_does_nothing_twice: PAUSE, 21;
    a_resume_that_is_stopped_at_any_call_does_nothing_twice: RESUME, 21;
    a_prune_that_is_stopped_at_any_call_does_nothing_twice: PRUNE, 21;
    an_approval_that_is_stopped_at_any_call_does_nothing_twice: APPROVE, 21;
    a_decline_that_is_stopped_at_any_call_does_nothing_twice: DECLINE, 29;
    a_tick_that_is_stopped_at_any_call_does_nothing_twice: TICK, 21;
    a_tick_with_an_orphan_that_is_stopped_at_any_call_does_nothing_twice: TICK_OF_ORPHAN, 21;
    a_tick_with_a_schedule_that_is_stopped_at_any_call_does_nothing_twice: TICK_OF_SCHEDULE, 21;
    a_run_of_a_schedule_that_is_stopped_at_any_call_does_nothing_twice: SCHEDULE_RUN, 21;
    the_alarm_that_is_stopped_at_any_call_does_nothing_twice: ALARM, 29;
}
