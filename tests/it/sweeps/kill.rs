//! SIGKILL at each system call of the submitter, and of the watcher from its start to its end.

use super::scene::Scene;
use super::strace::{Blow, can_trace};
use super::sweep::{EVERY_CALL, sweep};

const KILL: [(&str, Blow); 1] = [(EVERY_CALL, Blow::Kill)];

#[test]
fn a_submitter_killed_at_any_point_of_the_first_start_loses_nothing() {
    if can_trace() {
        sweep(Scene::FirstStart, &KILL, 1).assert_well();
    }
}

#[test]
fn a_submitter_killed_at_any_point_of_a_later_start_loses_nothing() {
    if can_trace() {
        sweep(Scene::NextStart, &KILL, 1).assert_well();
    }
}

#[test]
fn a_watcher_killed_at_any_point_of_a_chain_of_jobs_loses_nothing() {
    if can_trace() {
        sweep(Scene::Watcher, &KILL, 2).assert_well();
    }
}

#[test]
fn a_watcher_killed_while_it_ends_what_a_job_left_behind_leaves_nothing() {
    if can_trace() {
        sweep(Scene::WatcherOfLeftover, &KILL, 3).assert_well();
    }
}
