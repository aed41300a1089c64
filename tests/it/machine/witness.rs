//! A store that looks at every change of the store behind it: what must hold of each, whatever was decided.

use bgctl::model::{
    Timestamp,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts},
    id::JobId,
    state::{Change, End, Status},
    stream::{Line, Note},
};
use bgctl::store::{Commit, Decide, Follow, Store, StoreError, Untold};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// What is remembered from one change to the next, by whichever process it was made.
#[derive(Default)]
pub struct Memory {
    /// The number of the last line of the stream.
    last_line: Cell<u64>,
    /// What the stream alone tells of the jobs that are there.
    told: RefCell<BTreeMap<JobId, String>>,
    /// Writes that were refused.
    pub refused: Cell<usize>,
    /// Writes that stand.
    pub written: Cell<usize>,
}

/// The store, and what is known of it.
pub struct Witness<'a> {
    pub store: &'a dyn Store,
    pub memory: &'a Memory,
    /// How many slots a group has.
    pub slots: &'a dyn Fn(&Facts, &str) -> Option<usize>,
    /// A job was claimed: what was seen of it before is not true of this execution.
    pub claimed: &'a dyn Fn(&JobId),
    /// Whoever decides fails once he has decided.
    pub fails: bool,
}

impl Store for Witness<'_> {
    fn read(&self) -> Result<Rc<Facts>, StoreError> {
        self.store.read()
    }

    fn transact(&self, now: Timestamp, decide: &mut Decide<'_>) -> Result<Commit, StoreError> {
        let before = self.store.read()?;
        let done = self.store.transact(now, &mut |draft| {
            decide(draft)?;
            let fails = self.fails && !draft.events().is_empty();
            if fails { Err(Damage { line: 0, column: 0, message: "as planned".into() }) } else { Ok(()) }
        });
        let after = self.store.read().expect("the index can be read after each change");
        match &done {
            // What changes nothing is not looked at: that is most of what is decided.
            Ok(commit) if commit.events.is_empty() => assert_eq!(after.last_event(), before.last_event()),
            Ok(commit) => {
                assert_eq!(commit.warning, None);
                for event in &commit.events {
                    if let Event::Changed { id, change: Change::Claim { .. } } = event {
                        (self.claimed)(id);
                    }
                }
                self.look(&before, &after, &commit.events, now);
                self.memory.written.set(self.memory.written.get() + 1);
            }
            Err(_) => {
                assert_eq!(
                    after.to_text(now),
                    before.to_text(now),
                    "a change that was refused changed something"
                );
                assert_eq!(self.store.told(self.memory.last_line.get()).unwrap(), [], "it was told");
                self.memory.refused.set(self.memory.refused.get() + 1);
            }
        }
        done
    }

    fn note(&self, now: Timestamp, note: &Note) -> Result<(), Untold> {
        self.store.note(now, note)
    }

    fn told(&self, after: u64) -> Result<Vec<Line>, StoreError> {
        self.store.told(after)
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.store.make_durable()
    }

    fn follow(&self) -> Result<Box<dyn Follow>, StoreError> {
        self.store.follow()
    }
}

impl Witness<'_> {
    fn look(&self, before: &Facts, after: &Facts, events: &[Event], now: Timestamp) {
        after.check().unwrap();
        let text = after.to_text(now);
        assert_eq!(Facts::parse(text.clone()).unwrap().to_text(now), text, "the text is not the index");
        assert_replays(before, events, after, &text, now);
        assert_nothing_ended_changes(before, after, events);
        self.assert_no_slot_was_taken_twice(after, events);
        self.assert_is_told(after, events);
    }

    /// Whoever got a slot of a group found it free.
    fn assert_no_slot_was_taken_twice(&self, after: &Facts, events: &[Event]) {
        let mut held: HashMap<&str, usize> = HashMap::new();
        for job in after.running().filter(|job| !job.spec.service) {
            *held.entry(job.spec.group.as_deref().unwrap_or("default")).or_default() += 1;
        }
        for event in events {
            let Event::Changed { id, change: Change::Claim { .. } } = event else { continue };
            let Some(job) = after.running().find(|job| job.id == *id && !job.spec.service) else { continue };
            let group = job.spec.group.as_deref().unwrap_or("default");
            let slots = (self.slots)(after, group).unwrap_or(0);
            assert!(held[group] <= slots, "{} run in {slots} slots of {group}", held[group]);
        }
    }

    /// The stream has a line for each event, in their order, and tells by itself how each job stands.
    fn assert_is_told(&self, after: &Facts, events: &[Event]) {
        let last = self.memory.last_line.get();
        let lines = self.store.told(last).unwrap();
        let numbers: Vec<u64> = lines.iter().map(|line| line.seq).collect();
        let expected: Vec<u64> = (last + 1..).take(events.len()).collect();
        assert_eq!(numbers, expected, "{lines:?}");
        self.memory.last_line.set(last + events.len() as u64);
        assert_eq!(after.last_event(), self.memory.last_line.get(), "the index numbers the events");
        let mut told = self.memory.told.borrow_mut();
        for line in lines {
            let line: serde_json::Value = serde_json::from_str(&line.text).unwrap();
            let Some(id) = line["id"].as_str().filter(|_| line["event"] != "scheduled") else { continue };
            let id = JobId::parse(id).unwrap();
            match line["status"].as_str() {
                Some(status) => drop(told.insert(id, status.to_owned())),
                None => drop(told.remove(&id)),
            }
        }
        let is: BTreeMap<JobId, String> =
            after.heads().map(|head| (head.id.clone(), head.status.to_string())).collect();
        assert_eq!(*told, is, "what the stream tells is not what is");
    }
}

/// The events are the whole change: applied to what was, they give what is.
fn assert_replays(before: &Facts, events: &[Event], after: &Facts, text: &str, now: Timestamp) {
    let mut replay = Draft::new(before.clone());
    for event in events {
        assert_eq!(replay.push(event.clone()).unwrap(), Applied::Yes, "{event:?}");
    }
    let (mut facts, _) = replay.into_parts();
    facts.set_last_event(after.last_event());
    assert_eq!(facts.to_text(now), text, "the events are not the change: {events:?}");
}

/// What has ended stays as it was, or goes as a whole; a dead letter can be dealt with, a key forgotten.
fn assert_nothing_ended_changes(before: &Facts, after: &Facts, events: &[Event]) {
    for was in before.jobs(|head| head.status.has_ended()).unwrap() {
        let Some(is) = after.job(&was.id).unwrap() else {
            assert!(events.contains(&Event::Removed { id: was.id.clone() }), "{} is gone", was.id);
            continue;
        };
        let mut expected = was.clone();
        if events.contains(&Event::Changed { id: was.id.clone(), change: Change::ClearDeadLetter }) {
            let end = was.end().unwrap();
            expected.state = bgctl::model::state::State::Ended(End { dead_letter: false, ..end.clone() });
        }
        if events.contains(&Event::KeyExpired { id: was.id.clone() }) {
            expected.spec.key = None;
        }
        assert_eq!(is, expected, "what has ended changed");
    }
    let gone = before.heads().filter(|head| after.head(&head.id).is_none());
    gone.for_each(|head| assert!(Status::has_ended(head.status), "{} is gone and had not ended", head.id));
}
