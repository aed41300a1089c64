//! What is said of a change whose folder could not be made durable: what stands is found by reading.

use super::*;
use crate::model::{
    bytes::Bytes,
    group::GroupChange,
    job::Job,
    outcome::{Ending, Why},
    spec::{Command, JobSpec},
};

fn now() -> Timestamp {
    "2026-02-13T10:00:00Z".parse().unwrap()
}

fn id(random: &str) -> JobId {
    JobId::parse(&format!("bg_20260213_{random}")).unwrap()
}

fn submitted(random: &str) -> Event {
    let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
    Event::Submitted { job: Box::new(Job::new(id(random), spec, now())) }
}

fn cancelled(random: &str) -> Event {
    let ending = Ending { why: Why::Cancel, at: now(), signal: None, note: None };
    Event::Changed { id: id(random), change: Change::Decide { ending } }
}

fn removed(random: &str) -> Event {
    Event::Removed { id: id(random) }
}

fn grouped() -> Event {
    Event::Grouped { group: "gpu".to_owned(), change: GroupChange::Slots { slots: 2 } }
}

fn root() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_or_create(&dir.path().join("root")).unwrap();
    (dir, root)
}

/// The forms of an index: lines are begun anew with each change, or never.
const FORMS: [Keeping; 3] = [
    Keeping { form: StoreType::Json, lines_max: 1 },
    Keeping { form: StoreType::Lines, lines_max: 1 },
    Keeping { form: StoreType::Lines, lines_max: 1_000 },
];

fn change(root: &Root, form: Keeping, events: &[Event]) -> (Commit, Written) {
    let push = |draft: &mut Draft, event: &Event| draft.push(event.clone()).map(drop);
    let changed = FileStore::new(root)
        .keeping(form)
        .decide_and_write(now(), &mut |draft| events.iter().try_for_each(|event| push(draft, event)))
        .unwrap();
    (Commit { events: changed.events, facts: changed.facts, warning: None }, changed.written.unwrap())
}

/// What is said of a change whose sync failed, where others changed the index in between.
fn after_others(form: Keeping, events: &[Event], others: &[Event]) -> Result<Commit, StoreError> {
    let (_dir, root) = root();
    change(&root, form, &[submitted("old222"), submitted("old333"), cancelled("old333")]);
    let (commit, written) = change(&root, form, events);
    if !others.is_empty() {
        change(&root, form, others);
    }
    let error = io::Error::other("as planned");
    FileStore::new(&root).after_failed_sync(&written, commit, error)
}

#[test]
fn what_stands_as_it_was_written_stands_with_a_warning_whatever_it_is() {
    for events in [vec![submitted("aaaaaa")], vec![grouped()]] {
        for form in FORMS {
            let commit = after_others(form, &events, &[]).unwrap();
            assert_eq!(commit.events, events);
            let warning = commit.warning.unwrap();
            assert!(
                warning.contains("stands, but the disk could not make it durable (as planned)"),
                "{warning}"
            );
        }
    }
}

#[test]
fn what_others_built_on_stands_as_well() {
    let others = [submitted("others")];
    for events in [
        vec![submitted("aaaaaa"), cancelled("aaaaaa")],
        vec![cancelled("old222")],
        vec![removed("old333")],
        vec![grouped(), submitted("aaaaaa")],
    ] {
        for form in FORMS {
            let commit = after_others(form, &events, &others).unwrap();
            assert_eq!((commit.events, commit.warning.is_some()), (events.clone(), true), "{form:?}");
        }
    }
}

#[test]
fn what_cannot_be_found_again_is_an_error() {
    let others = [submitted("others")];
    for (events, others) in [
        (vec![grouped()], &others[..]),
        (vec![submitted("aaaaaa"), cancelled("aaaaaa")], &[removed("aaaaaa")]),
        (vec![removed("old333")], &[submitted("old333")]),
    ] {
        for form in &FORMS[..2] {
            let error = after_others(*form, &events, others).unwrap_err().to_string();
            assert!(error.contains("make durable") && error.contains("as planned"), "{error}");
        }
        // What was added stands where it was put, whatever came behind it.
        assert!(after_others(FORMS[2], &events, others).unwrap().warning.is_some());
    }
}

/// Edits the index in place, so that nothing but their content and the time of the change tells.
fn edit(root: &Root, old: &str, new: &str) {
    use std::os::unix::fs::MetadataExt;
    let path = index::path(root);
    let changed = || std::fs::metadata(&path).map(|data| (data.ctime(), data.ctime_nsec())).unwrap();
    let (before, text) = (changed(), std::fs::read_to_string(&path).unwrap());
    assert!(text.contains(old), "{text}");
    // The clock of files may be a coarse one.
    while changed() == before {
        std::fs::write(&path, text.replace(old, new)).unwrap();
    }
}

#[test]
fn what_is_edited_in_place_is_seen_by_who_keeps_what_he_has_read() {
    for form in [FORMS[0], FORMS[2]] {
        let (_dir, root) = root();
        root.set_kept(true);
        let store = FileStore::new(&root).keeping(form);
        change(&root, form, &[submitted("aaaaaa"), submitted("bbbbbb")]);
        let command = || store.read().unwrap().job(&id("aaaaaa")).unwrap().unwrap().spec.display;
        assert_eq!(command(), "true");
        assert!(root.has_kept());
        edit(
            &root,
            "aaaaaa\",\"status\":\"queued\",\"command\":\"true\"",
            "aaaaaa\",\"status\":\"queued\",\"command\":\"make\"",
        );
        assert_eq!(command(), "make", "of the same length");
        edit(&root, "\"make\"", "\"make  it\"");
        assert_eq!(command(), "make  it", "longer by less than a line");
        change(&root, form, &[cancelled("bbbbbb")]);
        assert_eq!(command(), "make  it");
        assert!(store.read().unwrap().is_as_written(), "and the next change seals it");
    }
}

#[test]
fn what_one_writer_replaces_another_who_keeps_what_he_has_read_sees() {
    let (_dir, root) = root();
    let other = Root::open_or_create(root.path()).unwrap();
    other.set_kept(true);
    let store = FileStore::new(&other);
    let count = || store.read().unwrap().len();
    assert_eq!(count(), 0);
    change(&root, FORMS[0], &[submitted("aaaaaa")]);
    assert_eq!(count(), 1);
    change(&other, FORMS[0], &[submitted("bbbbbb"), cancelled("bbbbbb")]);
    assert!(other.has_kept(), "what it wrote itself, too");
    change(&other, FORMS[0], &[submitted("cccccc"), removed("bbbbbb")]);
    change(&root, FORMS[0], &[submitted("dddddd"), cancelled("aaaaaa")]);
    change(&other, FORMS[0], &[removed("aaaaaa")]);
    let read = FileStore::new(&root).read().unwrap();
    assert_eq!((read.len(), count()), (2, 2));
    assert_eq!(read.heads().collect::<Vec<_>>(), store.read().unwrap().heads().collect::<Vec<_>>());
    std::fs::remove_file(index::path(&root)).unwrap();
    assert_eq!(count(), 0);
}

#[test]
fn what_one_writer_adds_another_who_keeps_what_he_has_read_sees() {
    let (_dir, root) = root();
    let other = Root::open_or_create(root.path()).unwrap();
    other.set_kept(true);
    let store = FileStore::new(&other).keeping(FORMS[2]);
    let count = || store.read().unwrap().len();
    change(&root, FORMS[2], &[submitted("aaaaaa")]);
    assert_eq!(count(), 1);
    change(&root, FORMS[2], &[submitted("bbbbbb")]);
    assert_eq!(count(), 2);
    change(&root, FORMS[1], &[submitted("cccccc")]);
    assert_eq!(count(), 3, "the file was begun anew");
    change(&other, FORMS[2], &[submitted("dddddd")]);
    change(&root, FORMS[2], &[cancelled("dddddd"), removed("dddddd")]);
    assert_eq!(count(), 3);
}
