//! What every store must do: one suite, run over each of them. A new store gets a [`Place`] and a line here.

mod json;
mod stream;

use bgctl::model::{
    Timestamp,
    bytes::Bytes,
    claim::{Claim, ExecutorName, Site},
    config::StoreType,
    event::{Applied, Event},
    facts::{Damage, Draft},
    id::{ALPHABET, JobId},
    job::Job,
    outcome::{Exit, Outcome},
    spec::{Command, JobSpec},
    state::Change,
};
use bgctl::store::{
    Commit, Store, StoreError,
    file::{FileStore, Keeping},
    memory::MemoryStore,
    root::{INDEX, LINES, Root},
};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use crate::support::EVENT_MAX;
use stream::{
    a_new_job_is_told_by_whose_it_is_and_not_by_its_command, a_refusal_is_told_and_changes_nothing,
    how_the_whole_is_is_told_behind_the_refusals_that_were_counted, numbers_go_on_whoever_writes,
    refusals_at_once_are_counted, the_stream_tells_each_event_and_how_it_moved_its_job,
    what_comes_after_a_number_is_told, what_was_not_committed_is_not_told,
};

/// Where an index is kept. Each visit is what a process of its own would be.
trait Place: Sync {
    fn visit(&self, visitor: &mut dyn FnMut(&dyn Store));
}

#[derive(Default)]
struct InMemory(MemoryStore);

impl Place for InMemory {
    fn visit(&self, visitor: &mut dyn FnMut(&dyn Store)) {
        visitor(&self.0);
    }
}

struct InFolder {
    dir: tempfile::TempDir,
    is_kept: bool,
}

impl InFolder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), is_kept: false }
    }

    /// The same, where each visitor reads more than once and keeps what he has read.
    fn kept() -> Self {
        Self { is_kept: true, ..Self::new() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("root")
    }
}

impl Place for InFolder {
    fn visit(&self, visitor: &mut dyn FnMut(&dyn Store)) {
        let root = Root::open_or_create(&self.path()).unwrap();
        let store = FileStore::new(&root);
        if self.is_kept {
            root.set_kept(true);
            store.read().unwrap();
        }
        visitor(&store);
    }
}

/// Lines in a folder.
struct AsLines {
    folder: InFolder,
    lines_max: usize,
    is_kept: bool,
}

impl AsLines {
    fn new(lines_max: usize, is_kept: bool) -> Self {
        Self { folder: InFolder::new(), lines_max, is_kept }
    }
}

impl Place for AsLines {
    fn visit(&self, visitor: &mut dyn FnMut(&dyn Store)) {
        let root = Root::open_or_create(&self.folder.path()).unwrap();
        let store =
            FileStore::new(&root).keeping(Keeping { form: StoreType::Lines, lines_max: self.lines_max });
        root.set_kept(self.is_kept);
        store.read().unwrap();
        visitor(&store);
        let is_there = |name: &str| self.folder.path().join(name).exists();
        // Looked for in this order: others may begin it meanwhile, with the lines first.
        assert!(!is_there(INDEX) || is_there(LINES));
    }
}

/// One test a rule.
macro_rules! conformance {
    ($make:expr) => {
        conformance! { $make;
            an_index_that_was_never_written_is_empty
            what_is_submitted_is_there_for_the_next_visitor
            a_change_is_there_for_the_next_visitor
            the_committed_events_are_those_of_the_draft
            a_draft_without_events_changes_nothing
            a_decision_that_fails_changes_nothing
            jobs_stay_in_the_order_of_submission_and_keep_their_place
            a_removed_job_is_gone_and_the_others_stay
            an_event_that_is_refused_or_changes_nothing_is_not_stored
            a_transaction_stores_all_its_events_together
            facts_that_were_read_do_not_change
            unknown_fields_of_a_job_outlive_its_changes
            whoever_decides_sees_what_was_committed_before
            many_at_once_lose_nothing
            a_follower_wakes_after_a_change
            a_change_between_following_and_waiting_is_not_lost
            every_follower_wakes
            a_follower_stops_waiting_for_what_else_it_waits_for
            a_follower_that_is_gone_hinders_nobody
            the_stream_tells_each_event_and_how_it_moved_its_job
            a_new_job_is_told_by_whose_it_is_and_not_by_its_command
            what_was_not_committed_is_not_told
            numbers_go_on_whoever_writes
            what_comes_after_a_number_is_told
            a_refusal_is_told_and_changes_nothing
            refusals_at_once_are_counted
            how_the_whole_is_is_told_behind_the_refusals_that_were_counted
        }
    };
    ($make:expr; $($rule:ident)*) => { $(
        #[test]
        fn $rule() {
            super::$rule(&$make);
        }
    )* };
}

mod in_memory {
    conformance!(super::InMemory::default());
}

mod in_a_folder {
    conformance!(super::InFolder::new());
}

mod in_a_folder_and_kept {
    conformance!(super::InFolder::kept());
}

mod as_lines {
    conformance!(super::AsLines::new(1_000, false));
}

mod as_lines_that_are_begun_anew {
    conformance!(super::AsLines::new(3, false));
}

mod as_lines_that_are_kept {
    conformance!(super::AsLines::new(10, true));
}

fn now() -> Timestamp {
    "2026-02-13T10:00:00Z".parse().unwrap()
}

fn id(number: usize) -> JobId {
    let letter = |place: u32| ALPHABET[number / 31_usize.pow(place) % 31];
    JobId::new(now(), &(0..6).map(letter).collect::<String>()).unwrap()
}

fn job(number: usize) -> Job {
    Job::new(id(number), JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap()), now())
}

fn submitted(number: usize) -> Event {
    Event::Submitted { job: Box::new(job(number)) }
}

fn claimed(number: usize) -> Event {
    let site = Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 };
    let change = Change::Claim { at: now(), claim: Claim { site, executor: ExecutorName::Local } };
    Event::Changed { id: id(number), change }
}

fn ended(number: usize) -> Event {
    let outcome = Outcome::bare(Exit::Code(0), now());
    Event::Changed {
        id: id(number),
        change: Change::End { outcome, retry_at: None, summary: None, dead_letter: false },
    }
}

fn removed(number: usize) -> Event {
    Event::Removed { id: id(number) }
}

fn commit(store: &dyn Store, events: &[Event]) -> Commit {
    store.transact(now(), &mut |draft| events.iter().try_for_each(|event| push(draft, event))).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a decision returns")]
fn push(draft: &mut Draft, event: &Event) -> Result<(), Damage> {
    assert_eq!(draft.push(event.clone()), Ok(Applied::Yes));
    Ok(())
}

/// The index as a new visitor finds it: id and state, in order.
fn found(place: &dyn Place) -> Vec<(JobId, String)> {
    let mut found = Vec::new();
    place.visit(&mut |store| {
        let facts = store.read().unwrap();
        facts.check().unwrap();
        found = facts.heads().map(|head| (head.id.clone(), head.status.to_string())).collect();
    });
    found
}

fn are(wanted: &[(usize, &str)]) -> Vec<(JobId, String)> {
    wanted.iter().map(|(number, state)| (id(*number), (*state).to_owned())).collect()
}

fn an_index_that_was_never_written_is_empty(place: &dyn Place) {
    assert_eq!(found(place), []);
}

fn what_is_submitted_is_there_for_the_next_visitor(place: &dyn Place) {
    place.visit(&mut |store| drop(commit(store, &[submitted(1)])));
    place.visit(&mut |store| {
        assert_eq!(store.read().unwrap().job(&id(1)).unwrap(), Some(job(1)));
    });
}

fn a_change_is_there_for_the_next_visitor(place: &dyn Place) {
    place.visit(&mut |store| drop(commit(store, &[submitted(1)])));
    place.visit(&mut |store| drop(commit(store, &[claimed(1)])));
    place.visit(&mut |store| {
        let facts = store.read().unwrap();
        assert_eq!(facts.running().map(|job| &job.id).collect::<Vec<_>>(), [&id(1)]);
    });
    place.visit(&mut |store| drop(commit(store, &[ended(1)])));
    assert_eq!(found(place), are(&[(1, "completed")]));
}

fn the_committed_events_are_those_of_the_draft(place: &dyn Place) {
    place.visit(&mut |store| {
        let events = [submitted(1), claimed(1)];
        assert_eq!(commit(store, &events).events, events);
        assert!(commit(store, &[]).events.is_empty());
    });
}

fn a_draft_without_events_changes_nothing(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1)]);
        let before = store.read().unwrap().to_text(now());
        let later = now() + chrono::TimeDelta::hours(1);
        store.transact(later, &mut |_| Ok(())).unwrap();
        assert_eq!(store.read().unwrap().to_text(now()), before);
    });
}

fn a_decision_that_fails_changes_nothing(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1)]);
        let failed = store.transact(now(), &mut |draft| {
            push(draft, &submitted(2))?;
            Err(Damage { line: 3, column: 4, message: "as planned".into() })
        });
        let error = failed.unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains("line 3, column 4: as planned"), "{error}");
    });
    assert_eq!(found(place), are(&[(1, "queued")]));
    place.visit(&mut |store| drop(commit(store, &[submitted(3)])));
    assert_eq!(found(place), are(&[(1, "queued"), (3, "queued")]), "the store works on");
}

fn jobs_stay_in_the_order_of_submission_and_keep_their_place(place: &dyn Place) {
    for number in [5, 3, 9, 1] {
        place.visit(&mut |store| drop(commit(store, &[submitted(number)])));
    }
    place.visit(&mut |store| drop(commit(store, &[claimed(9), claimed(3), ended(3)])));
    assert_eq!(found(place), are(&[(5, "queued"), (3, "completed"), (9, "running"), (1, "queued")]));
}

fn a_removed_job_is_gone_and_the_others_stay(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1), submitted(2), submitted(3), claimed(2), ended(2)]);
        commit(store, &[removed(2)]);
        assert_eq!(store.read().unwrap().job(&id(2)).unwrap(), None);
    });
    assert_eq!(found(place), are(&[(1, "queued"), (3, "queued")]));
}

fn an_event_that_is_refused_or_changes_nothing_is_not_stored(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1), submitted(2), claimed(2), ended(2)]);
        let before = store.read().unwrap().to_text(now());
        let refused = [submitted(1), ended(1), removed(1), claimed(2), claimed(7)];
        let no_ops = [ended(2), removed(7)];
        let done = store.transact(now(), &mut |draft| {
            for event in &refused {
                assert!(matches!(draft.push(event.clone())?, Applied::Refused(_)), "{event:?}");
            }
            for event in &no_ops {
                assert!(matches!(draft.push(event.clone())?, Applied::NoOp(_)), "{event:?}");
            }
            Ok(())
        });
        assert!(done.unwrap().events.is_empty());
        assert_eq!(store.read().unwrap().to_text(now()), before);
    });
}

fn a_transaction_stores_all_its_events_together(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1), submitted(2), claimed(1)]);
        commit(store, &[ended(1), claimed(2)]);
    });
    assert_eq!(found(place), are(&[(1, "completed"), (2, "running")]));
}

fn facts_that_were_read_do_not_change(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[submitted(1)]);
        let facts = store.read().unwrap();
        commit(store, &[claimed(1), submitted(2)]);
        assert_eq!(facts.heads().count(), 1);
        assert_eq!(facts.job(&id(1)).unwrap(), Some(job(1)));
    });
}

fn unknown_fields_of_a_job_outlive_its_changes(place: &dyn Place) {
    let colour = serde_json::json!({"of": ["paint", 1.5, null]});
    place.visit(&mut |store| {
        let mut given = job(1);
        given.unknown.add("colour", &colour);
        commit(store, &[Event::Submitted { job: Box::new(given) }]);
    });
    place.visit(&mut |store| drop(commit(store, &[claimed(1)])));
    place.visit(&mut |store| drop(commit(store, &[ended(1)])));
    place.visit(&mut |store| {
        let kept = store.read().unwrap().job(&id(1)).unwrap().unwrap().unknown;
        assert_eq!(kept.get("colour"), Some(colour.to_string().as_str()));
    });
}

fn whoever_decides_sees_what_was_committed_before(place: &dyn Place) {
    place.visit(&mut |early| {
        early.read().unwrap();
        place.visit(&mut |store| drop(commit(store, &[submitted(1)])));
        early
            .transact(now(), &mut |draft| {
                assert_eq!(draft.facts().heads().count(), 1);
                Ok(())
            })
            .unwrap();
    });
}

fn many_at_once_lose_nothing(place: &dyn Place) {
    const THREADS: usize = 8;
    const EACH: usize = 20;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in (thread * EACH)..((thread + 1) * EACH) {
                    place.visit(&mut |store| drop(commit(store, &[submitted(number)])));
                    place.visit(&mut |store| drop(commit(store, &[claimed(number), ended(number)])));
                }
            });
        }
        // Readers find a whole index at any instant.
        scope.spawn(|| (0..50).for_each(|_| drop(found(place))));
    });
    let mut jobs = found(place);
    assert!(jobs.iter().all(|(_, state)| state == "completed"));
    jobs.sort();
    let mut wanted: Vec<JobId> = (0..THREADS * EACH).map(id).collect();
    wanted.sort();
    assert_eq!(jobs.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), wanted);
}

/// Waits as a follower does: it may wake for nothing, so it reads again each time.
fn wait_for_jobs(store: &dyn Store, follow: &dyn bgctl::store::Follow, count: usize) {
    let began = Instant::now();
    while store.read().unwrap().heads().count() < count {
        follow.wait(&[], Some(EVENT_MAX)).unwrap();
        assert!(began.elapsed() < EVENT_MAX, "it slept through the change");
    }
}

fn a_follower_wakes_after_a_change(place: &dyn Place) {
    let (ready, is_ready) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            place.visit(&mut |store| {
                let follow = store.follow().unwrap();
                for count in 1..=3 {
                    ready.send(()).unwrap();
                    wait_for_jobs(store, follow.as_ref(), count);
                }
            });
        });
        for number in 1..=3 {
            is_ready.recv().unwrap();
            place.visit(&mut |store| drop(commit(store, &[submitted(number)])));
        }
    });
}

fn a_change_between_following_and_waiting_is_not_lost(place: &dyn Place) {
    place.visit(&mut |store| {
        let follow = store.follow().unwrap();
        let began = Instant::now();
        for number in 1..=3 {
            place.visit(&mut |other| drop(commit(other, &[submitted(number)])));
            follow.wait(&[], Some(EVENT_MAX)).unwrap();
        }
        assert!(began.elapsed() < EVENT_MAX, "it slept through a change");
    });
}

fn every_follower_wakes(place: &dyn Place) {
    place.visit(&mut |store| {
        let follows: Vec<_> = (0..3).map(|_| store.follow().unwrap()).collect();
        let began = Instant::now();
        commit(store, &[submitted(1)]);
        for follow in &follows {
            follow.wait(&[], Some(EVENT_MAX)).unwrap();
        }
        assert!(began.elapsed() < EVENT_MAX, "one slept through the change");
    });
}

fn a_follower_stops_waiting_for_what_else_it_waits_for(place: &dyn Place) {
    use std::os::fd::AsFd;
    place.visit(&mut |store| {
        let follow = store.follow().unwrap();
        let (silent, _kept) = rustix::pipe::pipe().unwrap();
        let (ringing, bell) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&bell, b"!").unwrap();
        let others = [silent.as_fd(), ringing.as_fd()];
        assert_eq!(follow.wait(&others, Some(EVENT_MAX)).unwrap(), [false, true]);
        commit(store, &[submitted(1)]);
        assert_eq!(follow.wait(&others[..1], Some(EVENT_MAX)).unwrap(), [false], "it wakes for a change");
    });
}

fn a_follower_that_is_gone_hinders_nobody(place: &dyn Place) {
    place.visit(&mut |store| {
        drop(store.follow().unwrap());
        commit(store, &[submitted(1)]);
        let follow = store.follow().unwrap();
        commit(store, &[submitted(2)]);
        let began = Instant::now();
        follow.wait(&[], Some(EVENT_MAX)).unwrap();
        assert!(began.elapsed() < EVENT_MAX);
    });
}
