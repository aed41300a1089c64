//! Programs that cannot be executed: what a command starts, and what that starts, fails at `execve(2)`.
//!
//! strace counts the calls of each process by itself, and follows all of them here: the first `execve` of each fails.

use super::scene::Scene;
use super::scenes::{
    changing::APPROVE,
    submitting::{BATCH, NEXT_START, RETRY},
    watching::{WATCHER_OF_CHAIN, WATCHER_OF_RETRIED},
    working::{TICK, TICK_OF_SCHEDULE},
};
use super::strace::{Blow, Point, can_trace};
use super::sweep::at_points;
use crate::support::{BGCTL, User};

/// No processes or memory now, a broken disk, no descriptors in the whole system, no right to.
const ERRORS: [&str; 5] = ["EAGAIN", "ENOMEM", "EIO", "ENFILE", "EACCES"];

fn cannot_execute(scene: &Scene) {
    if !can_trace() {
        return;
    }
    let points: Vec<Point> = ERRORS
        .into_iter()
        .map(|errno| Point { call: "execve".to_owned(), nth: 1, blow: Blow::Fail(errno) })
        .collect();
    let tally = at_points(scene, &points);
    tally.assert_well();
    assert_eq!(tally.hits, ERRORS.len());
}

#[test]
fn a_process_that_is_killed_before_it_executes_the_command_is_not_said_to_have_started() {
    if !can_trace() {
        return;
    }
    // It alone asks who its parent is, right before it writes down who it is.
    let user = User::new();
    let mut command = user.command("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "trace=getppid", "-e", "inject=getppid:signal=SIGKILL"]);
    let output = command.args([BGCTL, "start", "--wait", "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let job = &user.index()["jobs"][0];
    let reason = job["exit"]["not_started"]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("its process (pid "), "{job}");
    assert!(reason.ends_with(") was killed before it executed the command"), "{job}");
    assert_eq!(job["status"], "failed", "{job}");
    user.all_gone();
}

/// One test a scene.
macro_rules! unexecuted {
    ($($name:ident: $scene:expr;)*) => {
        $(
            #[test]
            fn $name() {
                cannot_execute(&$scene);
            }
        )*
        /// The names of these scenes.
        pub const SCENES: &[&str] = &[$($scene.name),*];
    };
}

unexecuted! {
    a_start_whose_watcher_cannot_be_executed_answers_truly: NEXT_START;
    a_batch_whose_watchers_cannot_be_executed_answers_truly: BATCH;
    a_retry_whose_watcher_cannot_be_executed_answers_truly: RETRY;
    an_approval_whose_watcher_cannot_be_executed_answers_truly: APPROVE;
    a_tick_whose_watchers_cannot_be_executed_answers_truly: TICK;
    a_tick_with_a_schedule_whose_watcher_cannot_be_executed_answers_truly: TICK_OF_SCHEDULE;
    a_watcher_whose_command_and_next_watchers_cannot_be_executed_loses_none: WATCHER_OF_CHAIN;
    a_watcher_whose_command_cannot_be_executed_tries_it_again_or_says_why_not: WATCHER_OF_RETRIED;
}
