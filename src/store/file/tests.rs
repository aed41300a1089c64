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

fn change(root: &Root, events: &[Event]) -> Commit {
    let push = |draft: &mut Draft, event: &Event| draft.push(event.clone()).map(drop);
    JsonStore::new(root)
        .transact(now(), &mut |draft| events.iter().try_for_each(|event| push(draft, event)))
        .unwrap()
}

/// What is said of a change whose sync failed, where others changed the index in between.
fn after_others(events: &[Event], others: &[Event]) -> Result<Commit, StoreError> {
    let (_dir, root) = root();
    change(&root, &[submitted("old222"), submitted("old333"), cancelled("old333")]);
    let commit = change(&root, events);
    let text = std::fs::read(root.path().join(root::INDEX)).unwrap();
    change(&root, others);
    let error = io::Error::other("as planned");
    JsonStore::new(&root).after_failed_sync(&text, commit, &error)
}

#[test]
fn what_stands_as_it_was_written_stands_with_a_warning_whatever_it_is() {
    for events in [vec![submitted("aaaaaa")], vec![grouped()]] {
        let commit = after_others(&events, &[]).unwrap();
        assert_eq!(commit.events, events);
        let warning = commit.warning.unwrap();
        assert!(warning.contains("stands, but the disk could not make it durable (as planned)"), "{warning}");
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
        let commit = after_others(&events, &others).unwrap();
        assert_eq!((commit.events, commit.warning.is_some()), (events, true));
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
        let error = after_others(&events, others).unwrap_err().to_string();
        assert!(error.contains("make durable") && error.contains("as planned"), "{error}");
    }
}
