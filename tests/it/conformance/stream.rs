//! The stream of changes: what every store tells, and what the one on disk does when its file is not as it left it.

use super::{InFolder, Place, claimed, commit, ended, id, job, now, removed, submitted};
use bgctl::model::{
    Timestamp,
    event::Event,
    health::HealthStatus,
    stream::{Note, Refusal},
};
use bgctl::store::{
    Untold,
    root::INDEX,
    stream::{EVENTS, EVENTS_BEFORE, EVENTS_BYTES_MAX},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

fn refused(waiting: usize) -> Note {
    Note::Refused { reason: Refusal::QueueFull, waiting, threshold: 80, max_size: 100 }
}

fn after(milliseconds: i64) -> Timestamp {
    now() + TimeDelta::milliseconds(milliseconds)
}

/// The lines after that number.
fn told_after(place: &dyn Place, number: u64) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    place.visit(&mut |store| {
        let lines = store.told(number).unwrap();
        told = lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect();
        let numbers: Vec<Value> = lines.iter().map(|line| json!(line.seq)).collect();
        assert_eq!(numbers, told.iter().map(|line| line["seq"].clone()).collect::<Vec<_>>());
    });
    told
}

fn numbers(place: &dyn Place) -> Vec<u64> {
    told_after(place, 0).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

fn change(place: &dyn Place, events: &[Event]) -> Option<String> {
    let mut warning = None;
    place.visit(&mut |store| warning = commit(store, events).warning);
    warning
}

pub fn the_stream_tells_each_event_and_how_it_moved_its_job(place: &dyn Place) {
    change(place, &[submitted(1), claimed(1)]);
    change(place, &[ended(1)]);
    change(place, &[removed(1)]);
    let told = told_after(place, 0);
    let seen: Vec<Value> = told
        .iter()
        .map(|line| json!([line["seq"], line["event"], line["change"], line["was"], line["status"]]))
        .collect();
    assert_eq!(
        seen,
        [
            json!([1, "submitted", null, null, "queued"]),
            json!([2, "changed", "claim", "queued", "running"]),
            json!([3, "changed", "end", "running", "completed"]),
            json!([4, "removed", null, "completed", null]),
        ]
    );
    assert!(told.iter().all(|line| line["id"] == json!(id(1)) && line["at"] == "2026-02-13T10:00:00.000Z"));
    assert_eq!(told[2]["outcome"]["exit"], json!({"code": 0}), "{}", told[2]);
}

pub fn a_new_job_is_told_by_whose_it_is_and_not_by_its_command(place: &dyn Place) {
    let mut given = job(1);
    given.spec.name = Some("nightly".into());
    given.spec.labels = vec!["a".into(), "b".into()];
    given.spec.group = Some("gpu".into());
    given.spec.batch = Some(id(1));
    given.spec.parent = Some(id(9));
    change(place, &[Event::Submitted { job: Box::new(given) }]);
    assert_eq!(
        told_after(place, 0),
        [json!({
            "seq": 1, "at": "2026-02-13T10:00:00.000Z", "event": "submitted", "id": id(1), "group": "gpu",
            "status": "queued", "name": "nightly", "labels": ["a", "b"], "batch": id(1), "parent": id(9),
        })]
    );
}

pub fn what_was_not_committed_is_not_told(place: &dyn Place) {
    place.visit(&mut |store| {
        commit(store, &[]);
        let failed = store.transact(now(), &mut |draft| {
            draft.push(submitted(1))?;
            Err(bgctl::model::facts::Damage { line: 1, column: 1, message: "as planned".into() })
        });
        failed.unwrap_err();
    });
    assert_eq!(numbers(place), [0_u64; 0]);
}

pub fn numbers_go_on_whoever_writes(place: &dyn Place) {
    const THREADS: usize = 8;
    const EACH: usize = 20;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in (thread * EACH)..((thread + 1) * EACH) {
                    change(place, &[submitted(number)]);
                    change(place, &[claimed(number), ended(number)]);
                }
            });
        }
        scope.spawn(|| (0..10).for_each(|_| assert!(numbers(place).is_sorted())));
    });
    assert_eq!(numbers(place), (1..=(THREADS * EACH * 3) as u64).collect::<Vec<_>>());
    place.visit(&mut |store| {
        assert_eq!(store.read().unwrap().last_event(), (THREADS * EACH * 3) as u64);
    });
}

pub fn what_comes_after_a_number_is_told(place: &dyn Place) {
    (1..=5).for_each(|number| drop(change(place, &[submitted(number)])));
    let told = told_after(place, 3);
    assert_eq!(told.iter().map(|line| &line["id"]).collect::<Vec<_>>(), [&json!(id(4)), &json!(id(5))]);
    assert_eq!(told_after(place, 5), [json!(null); 0]);
}

pub fn a_refusal_is_told_and_changes_nothing(place: &dyn Place) {
    change(place, &[submitted(1)]);
    place.visit(&mut |store| {
        let before = store.read().unwrap().to_text(now());
        assert_eq!(store.note(now(), &refused(81)), Ok(()));
        assert_eq!(store.read().unwrap().to_text(now()), before);
    });
    change(place, &[submitted(2)]);
    let told = told_after(place, 1);
    assert_eq!(
        told[0],
        json!({
            "seq": 2, "at": "2026-02-13T10:00:00.000Z", "event": "refused", "reason": "queue_full",
            "waiting": 81, "threshold": 80, "max_size": 100, "times": 1,
        })
    );
    assert_eq!((&told[1]["seq"], &told[1]["event"]), (&json!(3), &json!("submitted")));
}

pub fn refusals_at_once_are_counted(place: &dyn Place) {
    let refuse = |milliseconds: i64, times: usize| {
        place.visit(&mut |store| {
            (0..times).for_each(|_| assert_eq!(store.note(after(milliseconds), &refused(90)), Ok(())));
        });
    };
    refuse(0, 50);
    refuse(999, 50);
    refuse(1_500, 3);
    change(place, &[submitted(1)]);
    change(place, &[submitted(2)]);
    refuse(9_000, 1);
    let seen: Vec<Value> =
        told_after(place, 0).iter().map(|line| json!([line["event"], line["times"]])).collect();
    assert_eq!(
        seen,
        [
            json!(["refused", 1]),
            json!(["refused", 100]),
            // The rest of them comes with the next change.
            json!(["refused", 2]),
            json!(["submitted", null]),
            json!(["submitted", null]),
            json!(["refused", 1]),
        ]
    );
    let count = numbers(place).len() as u64;
    assert_eq!(numbers(place), (1..=count).collect::<Vec<_>>());
}

pub fn how_the_whole_is_is_told_behind_the_refusals_that_were_counted(place: &dyn Place) {
    let health = Note::Health {
        was: HealthStatus::Ok,
        status: HealthStatus::Degraded,
        reasons: vec!["it is late".to_owned()],
    };
    place.visit(&mut |store| {
        (0..3).for_each(|_| assert_eq!(store.note(now(), &refused(90)), Ok(())));
        (0..2).for_each(|_| assert_eq!(store.note(now(), &health), Ok(())));
    });
    change(place, &[submitted(1)]);
    let told = told_after(place, 0);
    let seen: Vec<Value> = told.iter().map(|line| json!([line["event"], line["times"]])).collect();
    let wanted =
        [("refused", Some(1)), ("refused", Some(2)), ("health", None), ("health", None), ("submitted", None)];
    assert_eq!(seen, wanted.map(|(event, times)| json!([event, times])));
    assert_eq!(
        told[2],
        json!({
            "seq": 3, "at": "2026-02-13T10:00:00.000Z", "event": "health", "was": "ok", "status": "degraded",
            "reasons": ["it is late"],
        })
    );
}

impl InFolder {
    fn stream(&self) -> PathBuf {
        self.path().join(EVENTS)
    }

    /// Adds this to the stream, as a crash would leave it.
    fn leave(&self, text: &[u8]) {
        let mut told = std::fs::read(self.stream()).unwrap();
        told.extend(text);
        std::fs::write(self.stream(), told).unwrap();
    }

    fn note(&self, milliseconds: i64) {
        self.visit(&mut |store| assert_eq!(store.note(after(milliseconds), &refused(90)), Ok(())));
    }
}

#[test]
fn a_line_that_was_cut_short_is_left_behind_and_the_next_stands_alone() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    for torn in [
        &b"{\"seq\":2,\"at\":\"20"[..],
        b"\0\0\0\0",
        b"\n\n",
        b"\xff",
        b"{\"seq\":2,\"at\":\"2026-02-13T10:00:00Z\"",
    ] {
        place.leave(torn);
        let before = numbers(&place);
        change(&place, &[submitted(1 + before.len())]);
        assert_eq!(numbers(&place), (1..=before.len() as u64 + 1).collect::<Vec<_>>());
    }
}

#[test]
fn a_writer_that_was_killed_before_it_told_leaves_a_number_out() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    let before = std::fs::read(place.stream()).unwrap();
    change(&place, &[submitted(2), claimed(2)]);
    std::fs::write(place.stream(), before).unwrap();
    assert_eq!(numbers(&place), [1]);
    change(&place, &[submitted(3)]);
    assert_eq!(numbers(&place), [1, 4], "two events are missing, and it shows");
}

#[test]
fn numbers_go_on_when_the_stream_or_the_index_is_removed() {
    let place = InFolder::new();
    change(&place, &[submitted(1), submitted(2)]);
    std::fs::remove_file(place.stream()).unwrap();
    change(&place, &[submitted(3)]);
    assert_eq!(numbers(&place), [3]);
    std::fs::remove_file(place.path().join(INDEX)).unwrap();
    change(&place, &[submitted(4)]);
    assert_eq!(numbers(&place), [3, 4]);
}

#[test]
fn an_index_that_counts_no_events_is_continued() {
    let place = InFolder::new();
    place.visit(&mut |_| ());
    for index in [r#"{"version":1,"jobs":[]}"#, r#"{"version":1,"last_event":null,"jobs":[]}"#] {
        std::fs::write(place.path().join(INDEX), index).unwrap();
        change(&place, &[submitted(1)]);
    }
    assert_eq!(numbers(&place), [1, 2]);
    assert!(std::fs::read_to_string(place.path().join(INDEX)).unwrap().contains("\n\"last_event\":2,"));
}

#[test]
fn a_stream_that_grows_too_large_is_begun_anew_and_a_follower_misses_nothing() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    let mut follower = std::fs::File::open(place.stream()).unwrap();
    let mut read = String::new();
    // A line that nobody can read, of nearly the whole size.
    let filled = usize::try_from(EVENTS_BYTES_MAX).unwrap() - 1_000;
    place.leave(&[&vec![b'x'; filled][..], b"\n"].concat());
    for number in 2..=20 {
        change(&place, &[submitted(number)]);
        follower.read_to_string(&mut read).unwrap();
        if std::fs::metadata(place.stream()).unwrap().ino() != follower.metadata().unwrap().ino() {
            follower.read_to_string(&mut read).unwrap();
            follower = std::fs::File::open(place.stream()).unwrap();
        }
    }
    follower.read_to_string(&mut read).unwrap();
    let seen: Vec<Value> = read.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(
        seen.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>(),
        (1..=20).collect::<Vec<_>>()
    );
    assert_eq!(numbers(&place), (1..=20).collect::<Vec<_>>(), "both files are read");
    assert!(std::fs::metadata(place.path().join(EVENTS_BEFORE)).unwrap().len() <= EVENTS_BYTES_MAX);
    // A writer that was killed between renaming and writing.
    std::fs::rename(place.stream(), place.path().join(EVENTS_BEFORE)).unwrap();
    place.note(0);
    assert_eq!(numbers(&place).last(), Some(&21));
}

#[test]
fn a_refusal_after_the_last_change_keeps_its_number() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    place.note(0);
    place.note(5_000);
    change(&place, &[submitted(2)]);
    assert_eq!(numbers(&place), [1, 2, 3, 4]);
}

#[test]
fn a_flood_of_refusals_writes_neither_the_index_nor_a_line_each() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    let index = || std::fs::metadata(place.path().join(INDEX)).unwrap().ino();
    let before = index();
    (0..5_000).for_each(|number| place.note(number));
    assert_eq!(index(), before);
    let told = told_after(&place, 1);
    assert_eq!(told.len(), 5, "one a second");
    assert_eq!(told.iter().map(|line| line["times"].as_u64().unwrap()).sum::<u64>(), 4_001);
    change(&place, &[submitted(2)]);
    assert_eq!(told_after(&place, 6)[0]["times"], 999);
}

type Put = fn(&std::path::Path);

/// What is in the stream's place, and must neither be followed nor waited for.
#[test]
fn a_stream_that_cannot_be_written_fails_nothing_and_is_told_once() {
    let put: [(&str, Put); 3] = [
        ("a link", |path| symlink("/etc/passwd", path).unwrap()),
        ("a folder", |path| std::fs::create_dir(path).unwrap()),
        ("a pipe", |path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
    ];
    for (what, put) in put {
        let place = InFolder::new();
        place.visit(&mut |_| ());
        put(&place.stream());
        place.visit(&mut |store| {
            let warning = commit(store, &[submitted(1)]).warning.unwrap();
            assert!(warning.contains(EVENTS) && warning.contains("works on"), "{what}: {warning}");
            assert_eq!(commit(store, &[claimed(1)]).warning, None, "{what}: once is enough");
            assert_eq!(store.note(now(), &refused(81)), Err(Untold { warning: None }), "{what}");
            assert_eq!(store.read().unwrap().last_event(), 2, "{what}: the events are counted");
        });
    }
}

#[test]
fn the_stream_is_private() {
    let place = InFolder::new();
    change(&place, &[submitted(1)]);
    place.note(0);
    place.note(1);
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}
