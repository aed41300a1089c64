//! The index: what is read is written as it was, what is planned over it holds, and of a damaged one nothing is made up.

use super::{Target, mutate::Corpus};
use crate::proof;
use bgctl::model::{
    Timestamp,
    claim::{Claim, ExecutorName, Site},
    config::Config,
    facts::{Damage, Draft, Facts, Head, Unreadable, salvage},
    id::JobId,
    job::Job,
    outcome::{Exit, Outcome},
    state::Status,
    unknown::on_one_line,
};
use bgctl::ops::list::{Entry, Row};
use bgctl::plan::{
    self, Inputs, NewIds, Scope,
    census::{Census, Sighting},
};
use bgctl::render::{column::Column, json, template::Template};
use chrono::TimeDelta;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;

#[test]
fn an_index_is_written_as_it_was_read_planned_over_and_never_made_up() {
    let corpus = Corpus::of_files("index");
    let lines = entry_lines(&corpus);
    Target { name: "fuzz.index", corpus: &corpus, cases: proof::cases(2_000, 25_000) }.run(|bytes| {
        let whole = std::str::from_utf8(bytes).ok().and_then(read);
        salvages(bytes, whole.as_ref(), &lines);
        whole.is_some()
    });
}

pub fn now() -> Timestamp {
    "2026-02-13T11:58:13Z".parse().unwrap()
}

/// Reads a text as an index; `None` where it is none.
fn read(text: &str) -> Option<Facts> {
    let facts = match Facts::parse(text.to_owned()) {
        Ok(facts) => facts,
        Err(Unreadable::Damaged(damage)) => {
            is_in(&damage, text);
            return None;
        }
        Err(_) => return None,
    };
    comes_back(&facts);
    is_kept(text, &facts.to_text(now()));
    if facts.writable().is_ok() {
        is_planned_over(&facts);
    }
    is_shown(&facts);
    Some(facts)
}

/// Damage is named with a place of the text.
fn is_in(damage: &Damage, text: &str) {
    let lines = text.split('\n').count();
    assert!((1..=lines).contains(&damage.line) && damage.column >= 1, "{damage}: of {lines} lines");
    let line = text.split('\n').nth(damage.line - 1).unwrap_or_default();
    assert!(damage.column <= line.len() + 2, "{damage}: of {} columns", line.len());
    assert!(!damage.message.is_empty());
}

/// The fields of untouched entries, and those that nobody knows, are written as they stood, on one line each.
fn is_kept(before: &str, after: &str) {
    const OWN: [&str; 10] = [
        "version",
        "checksum",
        "updated_at",
        "requires",
        "last_event",
        "groups",
        "schedules",
        "names",
        "totals",
        "jobs",
    ];
    type Values = BTreeMap<String, String>;
    let fields = |text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text).unwrap();
    let values = |text| -> Values {
        fields(text).into_iter().map(|(name, value)| (name, on_one_line(value.get()))).collect()
    };
    let entries = |text| -> Vec<Values> {
        let entries: Vec<&RawValue> = serde_json::from_str(fields(text)["jobs"].get()).unwrap();
        entries.into_iter().map(|entry| values(entry.get())).collect()
    };
    assert_eq!(entries(before), entries(after));
    let after = values(after);
    for (name, value) in values(before).iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        assert_eq!(Some(value), after.get(name), "{name}");
    }
}

/// What is written says what was read, job by job, and writing it again changes nothing.
fn comes_back(facts: &Facts) {
    let text = facts.to_text(now());
    let again = Facts::parse(text.clone()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(heads(facts), heads(&again));
    assert_eq!(facts.tables(), again.tables());
    assert_eq!(facts.last_event(), again.last_event());
    assert_eq!(again.to_text(now()), text);
    for head in facts.heads() {
        let (one, other) = (facts.job(&head.id), again.job(&head.id));
        match (one, other) {
            (Ok(Some(job)), Ok(other)) => {
                assert_eq!(Some(&job), other.as_ref());
                job_comes_back(&job, head);
            }
            (Err(one), Err(other)) => assert_eq!(one.message, other.message),
            (one, other) => panic!("{one:?} came back as {other:?}"),
        }
    }
}

/// A job that was changed is written from what it is: that says the same, fields that nobody knows among them.
fn job_comes_back(job: &Job, head: &Head) {
    assert_eq!((&job.id, job.status()), (&head.id, head.status), "a head is that of its job");
    is_a_file_name(job.id.as_str());
    let text = serde_json::to_string(job).unwrap();
    let mut again: Job = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    again.unknown.take_from(text.as_bytes()).unwrap();
    assert_eq!(*job, again, "{text}");
}

/// What a job is called becomes part of the names of files.
pub fn is_a_file_name(id: &str) {
    assert!(id.starts_with("bg_") && id.len() <= 64, "{id}");
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{id}");
}

/// A tick over it decides something that can be written and read, and changes nothing that has ended.
fn is_planned_over(facts: &Facts) {
    let is_sound = facts.check().is_ok();
    for (now, scope) in [(now(), Scope::Slots), (now() + TimeDelta::hours(2), Scope::Tick)] {
        let (after, _) = planned(facts, now, scope).into_parts();
        let text = after.to_text(now);
        let read = Facts::parse(text.clone()).unwrap_or_else(|error| panic!("{error}: {text}"));
        if is_sound {
            read.check().unwrap_or_else(|error| panic!("{error}: {text}"));
        }
        for head in facts.heads().filter(|head| head.status.has_ended()) {
            assert_eq!(read.head(&head.id).map(|head| head.status), Some(head.status));
        }
    }
}

/// What is decided over it on this desk.
fn planned(facts: &Facts, now: Timestamp, scope: Scope) -> Draft {
    let inputs = Inputs {
        census: &census(facts),
        now,
        config: &Config::default(),
        site: &site("desk"),
        executor: ExecutorName::Local,
        ids: &Numbered::default(),
        definitions: None,
        polled_at: None,
    };
    let mut draft = Draft::new(facts.clone());
    plan::advance(&mut draft, &inputs, scope);
    draft
}

/// What is seen of the running jobs: of each something else, as its id says.
fn census(facts: &Facts) -> Census {
    let mut census = Census::new();
    for job in facts.running() {
        let kind = job.id.as_str().bytes().fold(0_u8, u8::wrapping_add) % 9;
        let sighting = match kind {
            0 => Sighting::Watched { silent_seconds: 5, over: false, pausing: false },
            1 => Sighting::Watched { silent_seconds: 1_000_000, over: false, pausing: true },
            2 => Sighting::NotStarted,
            3 => Sighting::Orphaned,
            4 => Sighting::Vanished,
            5 => Sighting::Ended { outcome: Outcome::bare(Exit::Code(3), now()), ending: None },
            6 => Sighting::Rebooted,
            7 => Sighting::Unseen { last_sign: job.started_at().unwrap_or(job.created_at) },
            _ => Sighting::NeverExecuted,
        };
        census.note(job, sighting);
    }
    census
}

fn site(host: &str) -> Site {
    Site { host: host.into(), machine: "m".into(), boot: "b".into(), pid_namespace: 1 }
}

#[derive(Debug, Default)]
struct Numbered(Cell<u32>);

impl NewIds for Numbered {
    fn new_id(&self, now: Timestamp) -> JobId {
        self.0.set(self.0.get() + 1);
        JobId::new(now, &format!("{:06}", self.0.get())).unwrap()
    }
}

/// Every job can be shown, on one line where that is promised.
fn is_shown(facts: &Facts) {
    let now = now();
    let template =
        Template::parse("{id} {status} {name} {age} {time} {exit} {labels} {summary} {live}").unwrap();
    for head in facts.heads() {
        let Ok(Some(job)) = facts.job(&head.id) else { continue };
        let entry = Entry { row: Row { job, observed: None }, live: None, place: None };
        json::entry(&entry);
        for (name, column, ..) in Column::ALL {
            let shown = [column.words(&entry, now), column.value(&entry, now).unwrap_or_default()];
            assert!(!shown.iter().any(|text| text.contains(char::is_control)), "{name}: {shown:?}");
        }
        let line = template.line(&entry, now);
        let line = line.strip_suffix('\n').expect("a line ends");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn heads(facts: &Facts) -> Vec<&Head> {
    facts.heads().collect()
}

/// The entries of the seeds: each line with its id.
fn entry_lines(corpus: &Corpus) -> BTreeMap<String, JobId> {
    let mut lines = BTreeMap::new();
    for seed in &corpus.seeds {
        for line in String::from_utf8_lossy(seed).lines() {
            let line = line.strip_suffix(',').unwrap_or(line);
            if let Ok(job) = serde_json::from_str::<Job>(line) {
                lines.insert(line.to_owned(), job.id);
            }
        }
    }
    assert!(lines.len() >= 15, "{}", lines.len());
    lines
}

/// What a rebuild would take from it: each entry stands there as it is, none that stands there undamaged is missed, and the index
/// made of them is sound.
fn salvages(bytes: &[u8], whole: Option<&Facts>, lines: &BTreeMap<String, JobId>) {
    let salvaged = match salvage(bytes) {
        Ok(salvaged) => salvaged,
        Err(Unreadable::Newer(_) | Unreadable::Requires(_)) => return,
        Err(other) => panic!("{other}"),
    };
    let mut ids: Vec<&JobId> = salvaged.entries.iter().map(|(job, _)| &job.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "each job once");
    let text = String::from_utf8_lossy(bytes);
    for (job, raw) in &salvaged.entries {
        assert!(text.contains(raw.as_str()), "{raw} was made up");
        assert!(!salvaged.torn.contains(&job.id));
    }
    // What became a field of another entry is that one's.
    let is_within = |line: &str| salvaged.entries.iter().any(|(_, raw)| raw.contains(line));
    let stands = |line: &str| {
        let is_whole = text.contains(&format!("\n{line}\n")) || text.contains(&format!("\n{line},\n"));
        is_whole && !is_within(line)
    };
    let is_plain = whole.is_none_or(|facts| facts.check().is_err());
    if let Some(id) = lines.iter().find(|(line, id)| is_plain && stands(line) && !ids.contains(id)) {
        panic!("{id:?} stands there and was missed");
    }
    if let Some(facts) = whole.filter(|facts| facts.check().is_ok()) {
        let missing = facts.heads().find(|head| !ids.contains(&&head.id));
        assert!(missing.is_none(), "{missing:?} of a sound index was missed");
    }
    let salvaged_ids: Vec<JobId> = ids.into_iter().cloned().collect();
    let facts = salvaged.into_facts(Vec::new(), 0).unwrap();
    facts.check().unwrap();
    facts.writable().unwrap();
    let mut made: Vec<JobId> = facts.heads().map(|head| head.id.clone()).collect();
    made.sort();
    assert_eq!(made, salvaged_ids);
    comes_back(&facts);
}

#[test]
fn a_claim_that_a_plan_makes_is_of_a_job_that_waited() {
    // What the target's plans are worth: over the seeds they start something.
    let corpus = Corpus::of_files("index");
    let started =
        corpus.seeds.iter().filter_map(|seed| Facts::parse(String::from_utf8_lossy(seed).into_owned()).ok());
    let claims: usize = started
        .map(|facts| {
            let draft = planned(&facts, now() + TimeDelta::hours(2), Scope::Tick);
            let site = site("desk");
            let is_new = |job: &&Job| facts.head(&job.id).is_none_or(|head| head.status == Status::Queued);
            let of_site = |job: &&Job| {
                job.run().and_then(|run| run.claim.as_ref()).is_some_and(|claim: &Claim| claim.site == site)
            };
            draft.facts().running().filter(is_new).filter(of_site).count()
        })
        .sum();
    assert!(claims >= 3, "{claims}");
}
