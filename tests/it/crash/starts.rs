//! A power cut at any instant of a submission, until its submitter has left.

use super::operation::{Operation, What};
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
fn a_power_cut_at_any_instant_of_a_start_that_adds_lines_leaves_the_old_or_the_new_index() {
    if can_trace() {
        let scene = Scene::start(Before::Lines(2, 1_000));
        scene.explore(scene.submission()).assert_well("crash.lines");
    }
}

#[test]
fn a_power_cut_at_any_instant_of_a_start_that_begins_a_file_of_lines_anew_leaves_the_old_or_the_new_index() {
    if can_trace() {
        let scene = Scene::start(Before::Lines(2, 1));
        scene.explore(scene.submission()).assert_well("crash.lines_anew");
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

/// The submitter of the key's job stands still between its rename and its fsync, and another is told that job's id.
#[test]
fn an_id_that_is_printed_for_its_key_is_durable_even_if_its_own_submitter_has_not_come_to_that() {
    if !can_trace() {
        return;
    }
    let script = "mkfifo go\n\
        $B start --key one -- sh -c \"read line < go; $J\" >> printed\n\
        $B start --key one -- sh -c \"read line < go; $J\" >> printed\n\
        echo > go";
    let scene = Scene::play(Before::Slots(2), script);
    let operations = &scene.recording.operations;
    let (renamed, _, root) = scene.commits()[0];
    let first = operations[renamed].pid;
    let is_print = |one: &&Operation| matches!(one.what, What::Print { .. });
    let second = operations.iter().filter(is_print).nth(1).unwrap().pid;
    assert_ne!(first, second);
    let synced =
        operations.iter().position(|one| matches!(&one.what, What::Sync { node, .. } if *node == root));
    let synced = synced.unwrap();
    let order: Vec<Operation> = operations[..synced]
        .iter()
        .filter(|one| one.pid == first)
        .chain(operations.iter().filter(|one| one.pid == second))
        .cloned()
        .collect();
    scene.explore_planted(&order, None).assert_well("crash.key");
}
