//! Run records, the stream of events and the other files of a root: what was cut short or spoilt says nothing, and what was not
//! spoilt says what it said.

use super::{Target, mutate::Corpus};
use crate::proof;
use bgctl::exec::local::{
    cut,
    meta::{self, Meta},
    record::{Attempt, Record},
};
use bgctl::model::{
    hook::{Cursor, Hook},
    id::JobId,
    stream::{Line, Tail},
};
use bgctl::ops::store::told;
use bgctl::os::folder::Folder;
use bgctl::store::{
    environments, hooked,
    root::{Root, cut_name, meta_name, record_name},
    stream,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

fn id() -> JobId {
    JobId::parse("bg_20260213_aaaaaa").unwrap()
}

/// A folder of run files.
struct Runs {
    dir: tempfile::TempDir,
    folder: Folder,
}

impl Runs {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        Self { dir, folder }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.path().join("runs").join(name), bytes).unwrap();
    }

    fn attempts(&self, bytes: &[u8]) -> Vec<Attempt> {
        self.write(&record_name(&id()), bytes);
        Record::open(&self.folder, &id()).unwrap().unwrap().attempts().unwrap()
    }
}

#[test]
fn a_record_says_what_its_whole_lines_say_and_no_outcome_is_made_up() {
    let corpus = Corpus::of_files("record");
    let runs = Runs::new();
    let target = Target { name: "fuzz.record", corpus: &corpus, cases: proof::cases(2_000, 25_000) };
    target.run(|bytes| {
        let attempts = runs.attempts(bytes);
        let whole = whole_lines(bytes);
        let values: Vec<Value> = whole.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
        are_said(&attempts, &values);
        // A line that was cut short says nothing, and neither does one of garbage.
        let length = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        assert_eq!(attempts, runs.attempts(&bytes[..length]));
        let spoilt = whole.join(&b"\n{\"line\":\"outcome\",\"outcome\":{\"exit\":{\"code\":0}\n"[..]);
        assert_eq!(attempts, runs.attempts(&[&spoilt[..], b"\n"].concat()));
        // What an earlier end of it says of an attempt is not taken back by what comes after.
        let half = runs.attempts(&bytes[..length / 2]);
        let count = half.len().saturating_sub(1);
        assert_eq!(half[..count], attempts[..count]);
        for job in attempts.iter().filter_map(Attempt::entry) {
            super::index::is_a_file_name(job.id.as_str());
        }
        attempts.iter().any(|attempt| attempt.outcome.is_some())
    });
}

fn whole_lines(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    lines.pop();
    lines
}

/// Whether a value says at least what another says. What nobody knows may stand beside it.
fn says(value: &Value, part: &Value) -> bool {
    match part.as_object() {
        Some(fields) => fields.iter().all(|(name, field)| says(&value[name], field)),
        None => value == part,
    }
}

/// What is read of the attempts stands in whole lines.
fn are_said(attempts: &[Attempt], lines: &[Value]) {
    let all = |name: &str| lines.iter().filter(|line| line["line"] == name).collect::<Vec<_>>();
    assert!(attempts.len() <= all("watcher").len());
    for attempt in attempts {
        assert!(all("watcher").iter().any(|line| line["attempt"] == attempt.number));
        assert!(!attempt.started || !all("started").is_empty());
        if let Some(outcome) = &attempt.outcome {
            let exit = serde_json::to_value(&outcome.exit).unwrap();
            assert!(all("outcome").iter().any(|line| says(&line["outcome"]["exit"], &exit)), "{exit}");
        }
        if let Some(process) = attempt.process {
            assert!(
                all("process")
                    .iter()
                    .any(|line| line["pid"] == process.pid && line["start"] == process.start)
            );
        }
        if let Some(ending) = &attempt.ending {
            let why = serde_json::to_value(ending.why).unwrap();
            assert!(all("ending").iter().any(|line| line["ending"]["why"] == why), "{why}");
        }
    }
}

#[test]
fn of_the_stream_of_events_whole_lines_count_and_numbers_only_grow() {
    let corpus = Corpus::of_files("events");
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_or_create(&dir.path().join("root")).unwrap();
    let target = Target { name: "fuzz.events", corpus: &corpus, cases: proof::cases(2_000, 25_000) };
    target.run(|bytes| {
        std::fs::write(root.path().join(stream::EVENTS), bytes).unwrap();
        let lines = stream::told_after(&root, 0).unwrap();
        assert!(lines.is_sorted_by(|one, other| one.seq < other.seq));
        let whole = whole_lines(bytes);
        for line in &lines {
            assert!(whole.contains(&line.text.as_bytes()));
            // A number that is too large may stand where nobody looks.
            let value = serde_json::from_str::<Value>(&line.text);
            assert!(value.is_err() || value.is_ok_and(|value| value["seq"] == line.seq));
            line.hooks();
        }
        let last = bytes.split(|byte| *byte == b'\n').rev().find_map(Line::parse).map(|line| line.seq);
        assert_eq!(Tail::of(bytes).map(|tail| tail.last), last);
        assert_eq!(Tail::of(&[bytes, b"\n{\"seq\":9,\"at\":\"20"].concat()).map(|tail| tail.last), last);
        let told = told::of(&lines);
        for (id, told) in &told.jobs {
            super::index::is_a_file_name(id.as_str());
            let exit = told.outcome.as_ref().map(|outcome| serde_json::to_value(&outcome.exit).unwrap());
            let says = |line: &Line| {
                serde_json::from_str(&line.text).map_or(line.text.contains(id.as_str()), |value: Value| {
                    let is_exit = exit.as_ref().is_none_or(|exit| says(&value["outcome"]["exit"], exit));
                    value["id"] == id.as_str() && is_exit
                })
            };
            assert!(lines.iter().any(says), "{id}: {exit:?}");
        }
        lines.len() >= 2
    });
}

#[test]
fn a_snapshot_is_read_whole_or_not_at_all() {
    let corpus = Corpus::of_file("files/meta.json");
    let runs = Runs::new();
    Target { name: "fuzz.meta", corpus: &corpus, cases: proof::cases(1_500, 25_000) }.run(|bytes| {
        runs.write(&meta_name(&id()), bytes);
        let Some(meta) = meta::read(&runs.folder, &id()) else { return false };
        let written = serde_json::to_vec(&meta).unwrap();
        let again: Meta = serde_json::from_slice(&written).unwrap();
        assert_eq!(format!("{again:?}"), format!("{meta:?}"));
        let Ok(given) = serde_json::from_slice::<Value>(bytes) else { return true };
        for (place, attempt) in meta.attempts.iter().enumerate() {
            let exit = serde_json::to_value(&attempt.outcome.exit).unwrap();
            assert!(says(&given["attempts"][place]["outcome"]["exit"], &exit), "{exit}");
            attempt.execution();
        }
        true
    });
}

#[test]
fn an_environment_is_believed_under_the_name_of_its_content_only() {
    let corpus = Corpus::of_file("files/env.json");
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_or_create(&dir.path().join("root")).unwrap();
    root.environments().unwrap();
    let path = |name: &str| -> PathBuf { root.path().join("env").join(format!("{name}.json")) };
    let seed = name_of(&corpus.seeds[0]);
    Target { name: "fuzz.environment", corpus: &corpus, cases: proof::cases(1_500, 25_000) }.run(|bytes| {
        let name = name_of(bytes);
        std::fs::write(path(&name), bytes).unwrap();
        let loaded = environments::load(&root, &name);
        std::fs::remove_file(path(&name)).unwrap();
        std::fs::write(path(&seed), bytes).unwrap();
        assert_eq!(environments::load(&root, &seed).is_ok(), name == seed && loaded.is_ok());
        let Ok(inherited) = loaded else { return false };
        inherited.known_limits();
        for (variable, value) in &inherited.variables {
            assert!(!variable.as_slice().contains(&0) && !value.as_slice().contains(&0));
        }
        let written = serde_json::to_string(&inherited).unwrap();
        assert_eq!(serde_json::from_str::<bgctl::os::inherited::Inherited>(&written).unwrap(), inherited);
        true
    });
}

fn name_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_hooks_are_left_of_a_line_follows_from_the_cursor() {
    const ALL: [Hook; 2] = [Hook::OnEnd, Hook::OnFail];
    let corpus = Corpus::of_files("hooked");
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_or_create(&dir.path().join("root")).unwrap();
    Target { name: "fuzz.hooked", corpus: &corpus, cases: proof::cases(1_500, 25_000) }.run(|bytes| {
        std::fs::write(root.path().join("hooked"), bytes).unwrap();
        let Ok(Some(cursor)) = hooked::read(&root) else { return false };
        assert_eq!(serde_json::from_str::<Cursor>(&serde_json::to_string(&cursor).unwrap()).unwrap(), cursor);
        assert!(cursor.left_of(cursor.seq, &ALL).len() < ALL.len());
        assert!(cursor.seq == 0 || cursor.left_of(cursor.seq - 1, &ALL).is_empty());
        true
    });
}

#[test]
fn what_is_left_out_of_a_log_is_counted_without_overflow() {
    let corpus = Corpus::of_files("cut");
    let runs = Runs::new();
    Target { name: "fuzz.cut", corpus: &corpus, cases: proof::cases(1_500, 25_000) }.run(|bytes| {
        runs.write(&cut_name(&id()), bytes);
        runs.write(&bgctl::store::root::log_name(&id()), b"AAAA");
        let stands = cut::as_it_stands(&runs.folder, &id());
        let Ok(Some(cut)) = cut::read(&runs.folder, &id()) else { return false };
        assert_eq!(stands.unwrap().map(|cut| cut.sequence), Some(cut.sequence));
        cut.left_out();
        for place in [0, 1, cut.head_end, cut.tail_begin, cut.removed, u64::MAX] {
            cut.written(place);
            assert!(cut.place(place).is_none_or(|there| there <= place));
        }
        true
    });
}
