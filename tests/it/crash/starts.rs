//! A power cut at any instant of a submission, until its submitter has left.

use super::scenes::{Before, Scene};
use crate::sweeps::strace::can_trace;

#[test]
fn a_power_cut_at_any_instant_of_the_first_start_leaves_no_job_or_all_of_it() {
    if can_trace() {
        let scene = Scene::start(Before::Nothing);
        scene.explore(scene.submission()).assert_well("crash.first");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_a_later_start_leaves_the_old_or_the_new_index() {
    if can_trace() {
        let scene = Scene::start(Before::Slots(2));
        scene.explore(scene.submission()).assert_well("crash.start");
    }
}

#[test]
fn a_power_cut_at_any_instant_leaves_a_job_that_waits_with_its_environment() {
    if can_trace() {
        let scene = Scene::queued();
        scene.explore(scene.submission()).assert_well("crash.queued");
    }
}

#[test]
fn a_power_cut_at_any_instant_leaves_all_of_a_batch_or_nothing_of_it() {
    if can_trace() {
        let script = "printf '%s\\n' \"$J\" \"$J\" \"$J\" | $B start --batch - >> printed";
        let scene = Scene::play(Before::Slots(2), script);
        assert_eq!(scene.truth.versions[1].jobs.len(), 4);
        scene.explore(scene.submission()).assert_well("crash.batch");
    }
}

#[test]
fn a_power_cut_at_any_instant_leaves_a_first_batch_that_waits_with_its_environment() {
    if can_trace() {
        let script = "printf '%s\\n' \"$J\" \"$J\" \"$J\" \"$J\" \"$J\" \"$J\" | $B start --attempts 2 --batch - >> printed";
        let scene = Scene::play(Before::Nothing, script);
        scene.explore(scene.submission()).assert_well("crash.first_batch");
    }
}

#[test]
fn a_power_cut_at_any_instant_leaves_a_job_with_the_input_that_was_kept_for_it() {
    if can_trace() {
        let script =
            "echo input > given\n$B start --stdin - -- sh -c \"grep input && $J\" < given >> printed";
        let scene = Scene::play(Before::Nothing, script);
        assert_eq!(scene.truth.inputs.len(), 1);
        scene.explore(scene.submission()).assert_well("crash.input");
    }
}
