//! A power cut at any instant from when the submitter has left until everything has ended.

use super::scenes::{Before, Scene};
use crate::sweeps::strace::can_trace;
use bgctl::model::outcome::Exit;

#[test]
fn a_power_cut_at_any_instant_of_a_run_leaves_its_true_end_or_none() {
    if can_trace() {
        let scene = Scene::start(Before::Slots(2));
        scene.explore(scene.afterwards()).assert_well("crash.end");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_a_run_that_adds_lines_leaves_its_true_end_or_none() {
    if can_trace() {
        let scene = Scene::start(Before::Lines(2, 1_000));
        scene.explore(scene.afterwards()).assert_well("crash.lines_end");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_the_very_first_run_leaves_its_true_end_or_none() {
    if can_trace() {
        let scene = Scene::start(Before::Nothing);
        scene.explore(scene.afterwards()).assert_well("crash.first_end");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_a_watcher_that_goes_on_with_the_next_job_runs_none_twice() {
    if can_trace() {
        let scene = Scene::queued();
        scene.explore(scene.afterwards()).assert_well("crash.chain");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_a_job_that_is_tried_again_leaves_what_the_next_attempt_needs() {
    if can_trace() {
        let scene = Scene::retried();
        let exits: Vec<&Exit> = scene.truth.exits.values().collect();
        assert!(exits.contains(&&Exit::Code(1)) && exits.len() == 3, "{exits:?}");
        scene.explore(scene.afterwards()).assert_well("crash.retry");
    }
}
