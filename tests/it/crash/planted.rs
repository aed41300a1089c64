//! The harness checked: each fault that it is to find is planted in what was recorded, and must be reported.

use super::disk::{Content, Disk};
use super::operation::{Node, Operation, What};
use super::recorder::record;
use super::scenes::{Before, Scene};
use crate::support::User;
use crate::sweeps::strace::can_trace;

/// Plants a fault in a scene, and looks for what is said of it.
#[track_caller]
fn assert_found(scene: &Scene, plant: impl FnOnce(&mut Vec<Operation>), what: &str) {
    let mut operations = scene.recording.operations.clone();
    plant(&mut operations);
    assert_ne!(operations, scene.recording.operations, "nothing was planted");
    scene.explore_planted(&operations, Some(what)).assert_found(what);
}

fn is_sync(one: &Operation, of: Node) -> bool {
    matches!(&one.what, What::Sync { node, .. } if *node == of)
}

fn printed(operations: &[Operation]) -> usize {
    operations.iter().position(|one| matches!(one.what, What::Print { .. })).unwrap()
}

fn begun(operations: &[Operation]) -> usize {
    const STARTED: &[u8] = b"{\"line\":\"started\"}\n";
    operations
        .iter()
        .position(|one| matches!(&one.what, What::Write { data, .. } if data.ends_with(STARTED)))
        .unwrap()
}

/// What is said of an index that is lost after a start: where the submitter is slow, its job has begun before the id is printed.
fn first_told(operations: &[Operation]) -> &'static str {
    if begun(operations) < printed(operations) { "has begun" } else { "was printed" }
}

#[test]
fn faults_of_a_start_are_found() {
    if !can_trace() {
        return;
    }
    // Whoever ends the job makes the folder durable, too: that must not come before the id is printed.
    let script = "mkfifo go\n\
        $B start -- sh -c \"read line < go; $J\" >> printed\n\
        echo > go";
    let scene = Scene::play(Before::Slots(2), script);
    let (renamed, file, root) = scene.commits()[0];
    let submitter = scene.recording.operations[renamed].pid;
    let is_of_root = |one: &Operation| is_sync(one, root);

    let no_sync_of_the_file = |all: &mut Vec<Operation>| all.retain(|one| !is_sync(one, file));
    assert_found(&scene, no_sync_of_the_file, "the index is damaged");

    let no_sync_of_the_folder =
        |all: &mut Vec<Operation>| all.retain(|one| one.pid != submitter || !is_of_root(one));
    assert_found(&scene, no_sync_of_the_folder, first_told(&scene.recording.operations));

    let print_before_the_sync = |all: &mut Vec<Operation>| {
        let print = all.remove(printed(all));
        all.insert(renamed + 1, print);
    };
    assert_found(&scene, print_before_the_sync, "was printed");

    let print_before_the_rename = |all: &mut Vec<Operation>| {
        let print = all.remove(printed(all));
        all.insert(renamed, print);
    };
    assert_found(&scene, print_before_the_rename, "was printed");

    let unsaid = |all: &mut Vec<Operation>| {
        let says = |one: &Operation| matches!(one.what, What::Print { .. } | What::Exit);
        all.retain(|one| one.pid != submitter || !(says(one) || is_of_root(one)));
    };
    assert_found(&scene, unsaid, "has begun");
}

#[test]
fn lines_that_are_not_synced_are_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::start(Before::Lines(2, 1_000));
    let adds = |one: &Operation| match &one.what {
        What::Write { node, data, .. } if data.windows(10).any(|part| part == b"{\"commit\":") => Some(*node),
        _ => None,
    };
    let lines = scene.recording.operations.iter().find_map(adds).unwrap();
    let no_sync_of_the_lines = |all: &mut Vec<Operation>| all.retain(|one| !is_sync(one, lines));
    assert_found(&scene, no_sync_of_the_lines, first_told(&scene.recording.operations));
}

#[test]
fn a_first_start_in_folders_whose_names_are_not_durable_is_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::start(Before::Nothing);
    let (_, file, root) = scene.commits()[0];
    let no_sync_above = |all: &mut Vec<Operation>| {
        let is_above = |of: Node| of != file && of < root;
        all.retain(|one| !matches!(&one.what, What::Sync { node, .. } if is_above(*node)));
    };
    assert_found(&scene, no_sync_above, first_told(&scene.recording.operations));
}

#[test]
fn an_index_that_is_written_in_place_is_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::start(Before::Slots(2));
    let (renamed, file, root) = scene.commits()[0];
    let in_place = |all: &mut Vec<Operation>| {
        let Content::Folder(names) = &scene.recording.beginning[root] else { unreachable!() };
        let index = names["jobs.json"];
        for one in all.iter_mut() {
            match &mut one.what {
                What::Write { node, .. } | What::Sync { node, .. } if *node == file => *node = index,
                What::MakeFile { node, .. } if *node == file => {
                    one.what = What::Resize { node: index, size: 0 }
                }
                _ => {}
            }
        }
        all.remove(renamed);
    };
    assert_found(&scene, in_place, "the index is damaged");
}

#[test]
fn an_index_that_is_written_over_before_a_power_cut_cannot_bring_it_back_is_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::start(Before::Slots(2));
    let (first, _, root) = scene.commits()[0];
    let (second, former, _) = scene.commits()[1];
    let too_early = |all: &mut Vec<Operation>| {
        let sync = first + all[first..].iter().position(|one| is_sync(one, root)).unwrap();
        assert!(sync < second, "the second one was not made after the first one");
        let sync = all.remove(sync);
        let written = |one: &Operation| matches!(&one.what, What::Write { node, .. } if *node == former);
        let place = all.iter().position(written).expect("what stood before the first one is written over");
        all.insert(place + 1, sync);
    };
    assert_found(&scene, too_early, "the index is damaged");
}

#[test]
fn a_fault_of_what_a_waiting_job_needs_is_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::queued();
    let all = &scene.recording.operations;
    let made = |one: &Operation| match &one.what {
        What::MakeFile { parent, name, node }
            if name.strip_suffix(".json").is_some_and(|hash| hash.len() == 64) =>
        {
            Some((*parent, *node))
        }
        _ => None,
    };
    let (folder, file) = all.iter().filter_map(made).next_back().unwrap();
    let no_sync = |of: Node| move |all: &mut Vec<Operation>| all.retain(|one| !is_sync(one, of));
    assert_found(&scene, no_sync(file), "which is queued, is damaged");
    assert_found(&scene, no_sync(folder), "which is queued, is not there");
    let too_early = |all: &mut Vec<Operation>| {
        let removed = |one: &Operation| matches!(&one.what, What::Remove { parent, .. } if *parent == folder);
        let place = all.iter().rposition(removed).unwrap();
        let removal = all.remove(place);
        let claimed = scene.commits()[1].0;
        all.insert(claimed + 1, removal);
    };
    assert_found(&scene, too_early, "which is queued, is not there");
}

#[test]
fn faults_of_an_end_are_found() {
    if !can_trace() {
        return;
    }
    let scene = Scene::start(Before::Slots(2));
    let (renamed, file, root) = scene.commits()[1];
    let watcher = scene.recording.operations[renamed].pid;
    let no_sync_of_the_file = |all: &mut Vec<Operation>| all.retain(|one| !is_sync(one, file));
    assert_found(&scene, no_sync_of_the_file, "the index is damaged");
    let no_sync_of_the_folder =
        |all: &mut Vec<Operation>| all.retain(|one| one.pid != watcher || !is_sync(one, root));
    assert_found(&scene, no_sync_of_the_folder, "the process that wrote it has left");
    assert_found(
        &scene,
        |all| rewrite(all, r#"{"exit":{"code":0}"#, r#"{"exit":{"code":9}"#),
        "did not end with Code(9)",
    );
    assert_found(&scene, |all| rewrite(all, r#"{"seq":5,"#, r#"{"seq":1,"#), "comes after");
}

/// Replaces a text, of the same length, in all that was written beside the index.
fn rewrite(operations: &mut [Operation], old: &str, new: &str) {
    for one in operations {
        if let What::Write { data, .. } = &mut one.what
            && !data.starts_with(b"{\"version\"")
            && let Some(place) = data.windows(old.len()).position(|part| part == old.as_bytes())
        {
            data[place..place + new.len()].copy_from_slice(new.as_bytes());
        }
    }
}

#[test]
#[should_panic(expected = "not understood")]
fn a_call_that_the_recorder_does_not_understand_ends_the_test() {
    assert!(can_trace(), "not understood, as nothing can be recorded here");
    record(&User::new(), "mkdir $PWD/bg\nln -s nowhere $PWD/bg/link");
}

#[test]
fn what_is_written_is_recorded_with_its_place_and_with_what_made_it_durable() {
    if !can_trace() {
        return;
    }
    let user = User::new();
    let script =
        "mkdir $PWD/bg\nprintf one >> bg/a\nprintf two >> bg/a\nprintf three >> bg/b\nrm bg/b\nsync bg/a";
    let recording = record(&user, script);
    let disk = Disk::after(&recording.beginning, &recording.operations);
    let expected = [("bg".to_owned(), None), ("bg/a".to_owned(), Some(b"onetwo".to_vec()))];
    assert_eq!(disk.seen(), expected.into());
    // Three new names, what is in the second file, and that its name is gone: the content of the first is durable.
    assert_eq!(disk.choices().iter().map(|kept| kept.len()).collect::<Vec<_>>(), [2, 2, 2, 5, 2]);
}
