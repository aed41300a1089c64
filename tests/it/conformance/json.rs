//! What the json store promises beside what every store must do: a file that people and older or newer programs
//! may have written is read as it stands, kept as it stands, and left alone where it cannot be understood.

use super::{InFolder, Place};
use super::{claimed, commit, found, id, now, submitted};
use bgctl::model::{
    config::Durability,
    event::{Applied, Event},
    facts::Facts,
    id::JobId,
    outcome::{Ending, Exit, Outcome, Why},
    priority::Priority,
    spec::Input,
    state::Change,
};
use bgctl::store::{
    Store, StoreError,
    file::FileStore,
    lock,
    root::{INDEX, INDEX_TEMPORARY, LOCK, Root},
    stream::EVENTS,
};
use serde_json::Value;

/// Exactly the fields of the documented schema, as a person would write them.
const HAND_MADE: &str = r#"{
  "version": 1,
  "updated_at": "2026-02-13T10:00:00Z",
  "jobs": [
    {
      "id": "bg_20260213_abc123",
      "command": "echo hi | wc -c",
      "cwd": "/tmp",
      "created_at": "2026-02-13T09:00:00Z",
      "started_at": "2026-02-13T09:00:01Z",
      "ended_at": "2026-02-13T09:00:02+00:00",
      "status": "completed",
      "exit_code": 0,
      "timeout_seconds": 1800,
      "stale_after_seconds": 3600,
      "labels": ["nightly"],
      "summary": "went well"
    },
    {
      "id": "bg_20260213_abc124",
      "command": "make all",
      "cwd": "/tmp",
      "created_at": "2026-02-13T09:30:00Z",
      "started_at": null,
      "ended_at": null,
      "status": "queued",
      "exit_code": null,
      "timeout_seconds": 60,
      "stale_after_seconds": null,
      "labels": [],
      "summary": null
    }
  ]
}
"#;

const FIELDS: [&str; 12] = [
    "id",
    "command",
    "cwd",
    "created_at",
    "started_at",
    "ended_at",
    "status",
    "exit_code",
    "timeout_seconds",
    "stale_after_seconds",
    "labels",
    "summary",
];

impl InFolder {
    /// A folder with that index.
    fn with(index: impl AsRef<[u8]>) -> Self {
        let place = Self::new();
        drop(place.root());
        std::fs::write(place.path().join(INDEX), index).unwrap();
        place
    }

    fn root(&self) -> Root {
        Root::open_or_create(&self.path()).unwrap()
    }

    fn index(&self) -> String {
        std::fs::read_to_string(self.path().join(INDEX)).unwrap()
    }

    /// What is in the folder.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn write(&self, index: &str) {
        std::fs::write(self.path().join(INDEX), index).unwrap();
    }

    fn facts(&self) -> std::rc::Rc<Facts> {
        FileStore::new(&self.root()).read().unwrap()
    }

    fn change(&self, event: &Event) {
        self.visit(&mut |store| drop(commit(store, std::slice::from_ref(event))));
    }

    /// Why neither a reader nor a writer takes the index; it must have been left as it is.
    #[track_caller]
    fn refusal(&self) -> String {
        let before = std::fs::read(self.path().join(INDEX)).unwrap();
        let mut said = Vec::new();
        self.visit(&mut |store| {
            said.push(store.read().unwrap_err());
            let mut called = false;
            let written = store.transact(now(), &mut |_| {
                called = true;
                Ok(())
            });
            said.push(written.unwrap_err());
            assert!(!called, "nobody decides on what cannot be read");
        });
        assert_eq!(std::fs::read(self.path().join(INDEX)).unwrap(), before);
        assert!(said.iter().all(|error| matches!(error, StoreError::Unreadable { .. })), "{said:?}");
        assert_eq!(said[0].to_string(), said[1].to_string());
        assert!(said[0].to_string().contains("was not touched"), "{}", said[0]);
        said[0].to_string()
    }
}

fn hand_made_id(number: u32) -> JobId {
    JobId::parse(&format!("bg_20260213_abc{number}")).unwrap()
}

fn claim_by_hand(number: u32) -> Event {
    let Event::Changed { change, .. } = claimed(1) else { unreachable!() };
    Event::Changed { id: hand_made_id(number), change }
}

fn end_by_hand(number: u32, code: i32) -> Event {
    let outcome = Outcome::bare(Exit::Code(code), now());
    let change = Change::End { outcome, retry_at: None, summary: None, dead_letter: false };
    Event::Changed { id: hand_made_id(number), change }
}

#[test]
fn a_hand_made_index_is_read_and_continued() {
    let place = InFolder::with(HAND_MADE);
    place.change(&claim_by_hand(124));
    place.change(&end_by_hand(124, 2));
    place.change(&submitted(1));
    let states: Vec<String> = found(&place).into_iter().map(|(id, state)| format!("{id}:{state}")).collect();
    let new = id(1);
    assert_eq!(
        states,
        ["bg_20260213_abc123:completed", "bg_20260213_abc124:failed", &format!("{new}:queued")]
    );
    let index: Value = serde_json::from_str(&place.index()).unwrap();
    assert_eq!((&index["version"], &index["updated_at"]), (&1.into(), &"2026-02-13T10:00:00.000Z".into()));
    for job in index["jobs"].as_array().unwrap() {
        let missing: Vec<_> = FIELDS.iter().filter(|field| job.get(**field).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} of {job}");
    }
    let changed = &index["jobs"][1];
    assert_eq!(changed["command"], "make all");
    assert_eq!((&changed["exit_code"], &changed["timeout_seconds"]), (&2.into(), &60.into()));
    assert_eq!(changed["stale_after_seconds"], Value::Null, "what was switched off stays so");
}

#[test]
fn a_hand_made_line_stays_a_line_for_the_shell() {
    let place = InFolder::with(HAND_MADE);
    place.change(&claim_by_hand(124));
    place.visit(&mut |store| {
        let facts = store.read().unwrap();
        let argv = facts.job(&hand_made_id(124)).unwrap().unwrap().spec.command.to_argv();
        let words: Vec<String> = argv.iter().map(bgctl::model::bytes::Bytes::to_text).collect();
        assert_eq!(words, ["/bin/sh", "-c", "make all"]);
    });
}

#[test]
fn the_sentence_of_a_hand_made_job_is_kept_until_its_end() {
    let place = InFolder::with(HAND_MADE.replace("\"summary\": null", "\"summary\": \"by hand\""));
    let summary = || serde_json::from_str::<Value>(&place.index()).unwrap()["jobs"][1]["summary"].clone();
    place.change(&claim_by_hand(124));
    assert_eq!(summary(), "by hand");
    place.change(&end_by_hand(124, 2));
    assert_ne!(summary(), "by hand", "the end has its own");
}

#[test]
fn a_job_that_is_not_touched_keeps_every_value_byte_for_byte() {
    let value = r#"{"of" :  ["paint", 1.50, 123456789012345678901234567890, "\u00fc"]}"#;
    let odd = format!("\"went well\",\n      \"colour\" : {value}");
    let place = InFolder::with(HAND_MADE.replace("\"went well\"", &odd));
    place.change(&submitted(1));
    let written = place.index();
    let line = written.lines().find(|line| line.contains("bg_20260213_abc123")).unwrap();
    assert!(line.contains(&format!("\"colour\":{value}")), "{line}");
    place.change(&claim_by_hand(124));
    assert!(
        place.index().lines().any(|other| other == line),
        "and stands as it was written: {}",
        place.index()
    );
}

#[test]
fn what_somebody_edits_in_a_file_of_ours_holds_and_the_next_change_seals_it() {
    let place = InFolder::with(HAND_MADE);
    place.change(&submitted(1));
    let sealed = place.index();
    assert!(sealed.starts_with("{\"version\":1,\"checksum\":\""), "{sealed}");
    let last = sealed.lines().rev().nth(1).unwrap();
    let edited = format!("{},\"priority\":\"high\"}}", last.strip_suffix('}').unwrap());
    place.write(&sealed.replace(last, &edited));
    place.change(&submitted(2));
    let again = place.index();
    let checksum = |text: &str| text.split('"').nth(5).unwrap().to_owned();
    assert_ne!(checksum(&again), checksum(&sealed));
    let id = last.split('"').nth(3).unwrap();
    let entry = again.lines().find(|line| line.contains(id)).unwrap();
    let before = |one: &str, other: &str| entry.find(one).unwrap() < entry.find(other).unwrap();
    assert!(before("\"priority\":\"high\"", "\"cwd\""), "what selection needs stands first: {entry}");
    let facts = place.facts();
    assert_eq!(facts.head(&JobId::parse(id).unwrap()).unwrap().belongs.priority, Priority::High);
}

#[test]
fn unknown_fields_at_the_top_are_kept_byte_for_byte() {
    let odd = r#"{"dark" :  true, "n": 123456789012345678901234567890, "é": "\u00e9"}"#;
    let index = HAND_MADE.replace("\"version\": 1,", &format!("\"version\": 1, \"theme\": {odd},"));
    let place = InFolder::with(index);
    place.change(&submitted(1));
    place.change(&submitted(2));
    assert!(place.index().contains(&format!("\"theme\":{odd}")), "{}", place.index());
}

#[test]
fn unknown_fields_of_a_touched_job_keep_their_value_and_order() {
    let odd = r#""z":{"b":1,"a":[1.5,null,"\"\n"]},"y":18446744073709551615,"x":-1"#;
    let place = InFolder::with(HAND_MADE.replace("\"make all\",", &format!("\"make all\",{odd},")));
    place.change(&claim_by_hand(124));
    place.change(&end_by_hand(124, 0));
    assert!(place.index().contains(odd), "{}", place.index());
}

#[test]
fn unknown_numbers_of_a_touched_job_keep_every_digit() {
    let odd = r#""n":123456789012345678901234567890,"f":1.50"#;
    let place = InFolder::with(HAND_MADE.replace("\"make all\",", &format!("\"make all\",{odd},")));
    place.change(&claim_by_hand(124));
    assert!(place.index().contains(odd), "{}", place.index());
}

#[test]
fn fields_may_come_in_any_order_and_the_version_last() {
    let place = InFolder::with(r#"{"jobs":[],"updated_at":null,"version":1}"#);
    place.change(&submitted(1));
    assert_eq!(found(&place).len(), 1);
}

#[test]
fn the_index_is_one_job_a_line() {
    let place = InFolder::new();
    (1..=3).for_each(|number| place.change(&submitted(number)));
    let index = place.index();
    let lines = index.lines().filter(|line| line.starts_with("{\"id\":\"bg_20260213_")).count();
    assert_eq!(lines, 3, "{index}");
}

#[test]
fn damage_is_told_with_its_place_and_the_file_stays_as_it_is() {
    let cut = &HAND_MADE[..HAND_MADE.len() / 2];
    let (lines, last) = (cut.lines().count(), cut.lines().last().unwrap().len());
    for (index, said) in [
        (String::new(), "line 1, column 1".to_owned()),
        ("not json".to_owned(), "line 1, column 2: expected".to_owned()),
        ("[]".to_owned(), "line 1, column".to_owned()),
        (cut.to_owned(), format!("line {lines}, column {last}: EOF")),
        (format!("{HAND_MADE}x"), "line 35, column 1: trailing characters".to_owned()),
        (HAND_MADE.replace("\"version\": 1,", ""), "missing field `version`".to_owned()),
        (HAND_MADE.replace("\"version\": 1", "\"version\": 0"), "version 0 is unknown".to_owned()),
        (HAND_MADE.replace("\"version\": 1", "\"version\": \"1\""), "line 2, column".to_owned()),
        (HAND_MADE.replace("\"jobs\"", "\"jobz\""), "missing field `jobs`".to_owned()),
        (HAND_MADE.replace("abc124", "abc123"), "line 19, column 5: the id bg_20260213_abc123 is".to_owned()),
        (HAND_MADE.replace("\"queued\"", "\"ready\""), "line 26, column".to_owned()),
        (HAND_MADE.replace("\"queued\"", "17"), "line 26, column".to_owned()),
        (HAND_MADE.replace("bg_20260213_abc124", "../../etc"), "line 20, column".to_owned()),
        (
            HAND_MADE.replace("\"version\": 1,", "\"version\": 1, \"version\": 1,"),
            "version is there twice".to_owned(),
        ),
    ] {
        let refusal = InFolder::with(&index).refusal();
        assert!(refusal.contains(&said), "{refusal}\nwanted: {said}\n{index}");
    }
}

#[test]
fn an_index_that_is_not_text_is_told_with_its_place() {
    let mut index = HAND_MADE.as_bytes().to_vec();
    let place_of_tmp = HAND_MADE.find("/tmp").unwrap();
    index[place_of_tmp] = 0xff;
    let refusal = InFolder::with(index).refusal();
    assert!(refusal.contains("line 8, column 15: is not UTF-8"), "{refusal}");
}

#[test]
fn a_damaged_running_job_is_found_when_the_index_is_read() {
    let running = HAND_MADE
        .replace("\"queued\"", "\"running\"")
        .replace("\"timeout_seconds\": 60", "\"timeout_seconds\": -60");
    let refusal = InFolder::with(running).refusal();
    assert!(refusal.contains("line 28, column"), "{refusal}");
}

#[test]
fn an_index_of_a_newer_program_is_left_alone() {
    let newer = HAND_MADE.replace("\"version\": 1", "\"version\": 2").replace("\"jobs\"", "\"tasks\"");
    let refusal = InFolder::with(newer).refusal();
    assert!(refusal.contains("it has version 2"), "{refusal}");
}

#[test]
fn an_index_that_requires_what_is_not_known_here_is_read_and_not_written() {
    let requires = "\"version\": 1, \"requires\": [\"moons\", \"tides\"],";
    let place = InFolder::with(HAND_MADE.replace("\"version\": 1,", requires));
    let before = place.index();
    place.visit(&mut |store| {
        assert_eq!(store.read().unwrap().heads().count(), 2);
        let error = store.transact(now(), &mut |draft| draft.push(submitted(1)).map(drop)).unwrap_err();
        assert!(error.to_string().contains("it requires moons, tides"), "{error}");
    });
    assert_eq!(place.index(), before);
}

#[test]
fn an_index_requires_what_its_active_jobs_have_and_an_older_program_must_not_ignore() {
    let place = InFolder::with(HAND_MADE.replace("\"version\": 1,", "\"version\": 1, \"requires\": [],"));
    place.change(&submitted(1));
    assert!(!place.index().contains("requires"), "nothing yet");
    let Event::Submitted { job } = submitted(2) else { panic!() };
    let id = job.id.clone();
    let mut service = *job;
    service.spec.service = true;
    service.spec.stdin = Input::Pipe;
    place.change(&Event::Submitted { job: Box::new(service) });
    assert!(place.index().contains("\"requires\":[\"pipes\",\"services\"]"));
    place.change(&Event::Changed { id: id.clone(), change: Change::Pause { at: now() } });
    assert!(place.index().contains("\"requires\":[\"pause\",\"pipes\",\"services\"]"));
    let ending = Ending { why: Why::Cancel, at: now(), signal: None, note: None };
    place.change(&Event::Changed { id, change: Change::Decide { ending } });
    assert!(!place.index().contains("requires"), "nobody has them any more");
}

#[test]
fn a_hand_made_entry_may_say_null_where_there_is_nothing_to_say() {
    let nothing = "\"status\": \"queued\", \"service\": null, \"env_names\": null, \"paused_at\": null,";
    let text = HAND_MADE.replacen("\"status\": \"queued\",", nothing, 1);
    assert!(text.contains("null, \"env_names\""));
    InFolder::with(text).visit(&mut |store| store.read().unwrap().check().unwrap());
}

/// Only what a decision looks at is parsed: an ended job's damage hinders whoever asks for that job, nobody else.
#[test]
fn damage_inside_a_job_that_nobody_touches_hinders_nobody_else() {
    let place = InFolder::with(HAND_MADE.replace("\"exit_code\": 0", "\"exit_code\": \"zero\""));
    place.change(&submitted(1));
    assert!(place.index().contains("\"exit_code\":\"zero\""), "it is kept as it stood");
    place.visit(&mut |store| {
        let error = store.read().unwrap().job(&hand_made_id(123)).unwrap_err();
        assert!(error.to_string().contains("invalid type"), "{error}");
        let removed = Event::Removed { id: hand_made_id(123) };
        let error = store.transact(now(), &mut |draft| draft.push(removed.clone()).map(drop)).unwrap_err();
        assert!(matches!(error, StoreError::Unreadable { .. }), "{error}");
    });
}

#[test]
fn attempts_beyond_counting_are_no_reason_to_fall_over() {
    let place = InFolder::with(HAND_MADE.replace("\"make all\",", "\"make all\", \"attempt\": 4294967295,"));
    place.change(&claim_by_hand(124));
    assert_eq!(found(&place)[1].1, "running");
}

#[test]
fn what_a_crashed_writer_left_is_written_over_by_the_next_one() {
    let place = InFolder::with(HAND_MADE);
    std::fs::write(place.path().join(INDEX_TEMPORARY), "{\"version\":1,\"jo").unwrap();
    assert_eq!(found(&place).len(), 2, "a reader does not mind it");
    place.change(&submitted(1));
    assert_eq!(place.names(), [EVENTS, INDEX, INDEX_TEMPORARY, LOCK]);
    assert_eq!(std::fs::read_to_string(place.path().join(INDEX_TEMPORARY)).unwrap(), HAND_MADE);
    assert_eq!(found(&place).len(), 3);
}

#[test]
fn a_reader_writes_nothing() {
    let place = InFolder::with(HAND_MADE);
    found(&place);
    place.visit(&mut |store| drop(store.follow().unwrap()));
    assert_eq!(place.names(), [INDEX]);
    assert_eq!(place.index(), HAND_MADE);
    let empty = InFolder::new();
    assert_eq!(found(&empty), []);
    assert!(empty.names().is_empty());
}

#[test]
fn a_reader_does_not_wait_for_the_lock() {
    let place = InFolder::with(HAND_MADE);
    let root = place.root();
    let read = lock::locked(root.folder(), lock::WAIT_MAX, || found(&place)).unwrap();
    assert_eq!(read.len(), 2);
}

#[test]
fn a_draft_without_events_leaves_the_file_untouched() {
    let place = InFolder::with(HAND_MADE);
    place.visit(&mut |store| {
        let done = store.transact(now(), &mut |draft| {
            assert!(matches!(draft.push(end_by_hand(123, 7))?, Applied::NoOp(_)));
            Ok(())
        });
        assert!(done.unwrap().events.is_empty());
    });
    assert_eq!(place.index(), HAND_MADE);
}

#[test]
fn an_index_that_somebody_has_open_is_never_written_into() {
    use std::io::Read;
    let place = InFolder::with(HAND_MADE);
    let mut opened = Vec::new();
    for number in 1..=6 {
        opened.push((std::fs::File::open(place.path().join(INDEX)).unwrap(), place.index()));
        place.change(&submitted(number));
    }
    for (mut file, before) in opened {
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, before, "whoever had opened it reads a whole index");
    }
}

#[test]
fn whoever_reads_while_it_changes_reads_a_whole_index() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const CHANGES: usize = 200;
    for durability in [Durability::Power, Durability::Process] {
        let place = InFolder::with(HAND_MADE);
        let path = place.path().join(INDEX);
        let is_over = AtomicBool::new(false);
        let jobs = std::thread::scope(|scope| {
            // As `cat` and a backup do it, a moment after another.
            let read = || {
                let mut jobs = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let text = std::fs::read(&path).unwrap();
                    let facts = Facts::parse(text).unwrap_or_else(|reason| panic!("{reason}"));
                    let now = facts.heads().count();
                    assert!(now >= jobs, "{now} jobs after {jobs}");
                    jobs = now;
                }
                jobs
            };
            let readers = [(); 3].map(|()| scope.spawn(read));
            let root = place.root();
            root.set_durability(durability);
            let store = FileStore::new(&root);
            for number in 1..=CHANGES {
                store.transact(now(), &mut |draft| draft.push(submitted(number)).map(drop)).unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
            readers.map(|reader| reader.join().unwrap())
        });
        assert!(jobs.iter().all(|jobs| *jobs <= CHANGES + 2), "{jobs:?}");
        assert_eq!(found(&place).len(), CHANGES + 2);
    }
}

#[test]
fn the_index_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = InFolder::new();
    place.change(&submitted(1));
    for name in place.names() {
        let mode = std::fs::metadata(place.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_write_that_cannot_be_made_changes_nothing_and_leaves_nothing() {
    let place = InFolder::with(HAND_MADE);
    // A folder that is not empty, where the next content should be written: it cannot be removed as a file.
    std::fs::create_dir_all(place.path().join(INDEX_TEMPORARY).join("in the way")).unwrap();
    let root = place.root();
    let store = FileStore::new(&root);
    let error = store.transact(now(), &mut |draft| draft.push(submitted(1)).map(drop)).unwrap_err();
    assert!(matches!(error, StoreError::System { doing: "write", .. }), "{error}");
    assert_eq!(place.index(), HAND_MADE);
}
