//! The facts a decision needs of the index, and the draft in which a decision grows.
//!
//! Facts are read from the index's text as lazily as truth allows: every entry's head (id, state, the few
//! fields that selection needs) is parsed and checked, running jobs are parsed whole, all others stay raw text
//! until somebody asks for them. What was not touched is written back as it stood.

use super::{
    Timestamp,
    event::{Applied, Event, Ledger, apply},
    id::JobId,
    job::Job,
    spec::Input,
    state::{State, Status},
    wire::or_default,
};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::{fmt, ops::Range};

/// The version of the index that this program writes, and the only one it reads.
pub const VERSION: u64 = 1;

/// Features of an index that an older program must not ignore, and that this one knows: jobs that stand still, jobs
/// that read a pipe, and jobs outside the slots. The index requires one as long as a job that has not ended has it.
const KNOWN_FEATURES: [&str; 3] = ["pause", "pipes", "services"];

/// Why a text is not an index that this program may write to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not follow the rules of version 1.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// It is no file that this program would have written.
    #[error("it {0}")]
    NotAFile(String),
    /// A newer program wrote it.
    #[error("it has version {0}, and this program knows version {VERSION} only; use the newer program")]
    Newer(u64),
    /// It says that it must not be changed by a program that does not know these features.
    #[error("it requires {}, which this program does not know; use the newer program", .0.join(", "))]
    Requires(Vec<String>),
}

/// A place in the index that breaks its rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Damage {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// What selection needs of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: JobId,
    /// Its state's word.
    pub status: Status,
    /// Its name.
    pub name: Option<String>,
    /// Its environment's name.
    pub env: Option<String>,
    /// Its earliest start.
    pub not_before: Option<Timestamp>,
    /// Its end.
    pub ended_at: Option<Timestamp>,
    /// Whether it is to stand still.
    pub paused: bool,
    /// Whether it reads a pipe.
    pub pipe: bool,
    /// Whether it runs outside the slots.
    pub service: bool,
    /// The terminal session in which it was submitted.
    pub session: Option<String>,
}

impl Head {
    fn of(job: &Job) -> Self {
        let not_before = if let State::Queued { not_before, .. } = job.state { not_before } else { None };
        Self {
            id: job.id.clone(),
            status: job.status(),
            name: job.spec.name.clone(),
            env: job.spec.env.clone(),
            not_before,
            ended_at: job.ended_at(),
            paused: job.paused_at().is_some(),
            pipe: job.spec.stdin == Input::Pipe,
            service: job.spec.service,
            session: job.spec.session.clone(),
        }
    }
}

#[derive(Clone, Debug)]
struct Entry {
    head: Head,
    /// Where it stands in the text, unless it was changed or made since.
    raw: Option<Range<usize>>,
    /// The parsed job, once somebody needed it.
    job: Option<Box<Job>>,
}

/// The jobs of an index, in the order of their submission.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    text: String,
    /// Features that the index requires of whoever writes it, and that this program does not know.
    foreign_features: Vec<String>,
    /// Top-level fields that are not the jobs' and not ours, as they stood.
    others: Vec<(String, String)>,
    entries: Vec<Option<Entry>>,
    places: HashMap<JobId, usize>,
}

impl Facts {
    /// Reads an index.
    pub fn parse(text: String) -> Result<Self, Unreadable> {
        let mut newer = None;
        let outline = {
            let mut deserializer = serde_json::Deserializer::from_str(&text);
            let outline = OutlineSeed { newer: &mut newer }.deserialize(&mut deserializer);
            match (outline, newer) {
                (_, Some(version)) => return Err(Unreadable::Newer(version)),
                (Err(error), None) => return Err(damage_at(&text, 0, &error).into()),
                (Ok(outline), None) => {
                    deserializer.end().map_err(|error| damage_at(&text, 0, &error))?;
                    outline.into_ranges(&text)
                }
            }
        };
        let unknown: Vec<String> = outline
            .requires
            .iter()
            .filter(|name| !KNOWN_FEATURES.contains(&name.as_str()))
            .cloned()
            .collect();
        let mut facts = Self {
            foreign_features: unknown,
            entries: Vec::with_capacity(outline.jobs.len()),
            places: HashMap::with_capacity(outline.jobs.len()),
            others: outline.others,
            text,
        };
        for range in outline.jobs {
            facts.read_entry(range)?;
        }
        Ok(facts)
    }

    /// Whether this program may write the index. What it does not know, it can show but must not change.
    pub fn writable(&self) -> Result<(), Unreadable> {
        if self.foreign_features.is_empty() {
            return Ok(());
        }
        Err(Unreadable::Requires(self.foreign_features.clone()))
    }

    /// An index of these jobs, in this order.
    pub fn of(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut facts = Self::default();
        for job in jobs {
            facts.insert(job);
        }
        facts
    }

    fn read_entry(&mut self, range: Range<usize>) -> Result<(), Damage> {
        let head: HeadWire<'_> = serde_json::from_str(&self.text[range.clone()])
            .map_err(|error| damage_at(&self.text, range.start, &error))?;
        let place = self.entries.len();
        if self.places.insert(head.id.clone(), place).is_some() {
            let (line, column) = position(&self.text, range.start);
            return Err(Damage { line, column, message: format!("the id {} is there twice", head.id) });
        }
        let head = Head {
            id: head.id,
            status: head.status,
            name: head.name.map(std::borrow::Cow::into_owned),
            env: head.env.map(std::borrow::Cow::into_owned),
            not_before: head.not_before,
            ended_at: head.ended_at,
            paused: head.paused_at.is_some(),
            pipe: head.stdin_pipe,
            service: head.service,
            session: head.session.map(std::borrow::Cow::into_owned),
        };
        let running = head.status == Status::Running;
        self.entries.push(Some(Entry { head, raw: Some(range.clone()), job: None }));
        if running {
            self.load(place)?;
        }
        Ok(())
    }

    fn parse_job(&self, range: &Range<usize>) -> Result<Job, Damage> {
        let text = &self.text[range.clone()];
        let parse = || -> serde_json::Result<Job> {
            let mut job: Job = serde_json::from_str(text)?;
            if !job.unknown.is_empty() {
                job.unknown.take_from(text)?;
            }
            Ok(job)
        };
        parse().map_err(|error| damage_at(&self.text, range.start, &error))
    }

    fn load(&mut self, place: usize) -> Result<Option<&mut Job>, Damage> {
        let Some(Some(entry)) = self.entries.get(place) else { return Ok(None) };
        if let (None, Some(range)) = (&entry.job, entry.raw.clone()) {
            let job = self.parse_job(&range)?;
            if let Some(Some(entry)) = self.entries.get_mut(place) {
                entry.job = Some(Box::new(job));
            }
        }
        Ok(self.entries[place].as_mut().and_then(|entry| entry.job.as_deref_mut()))
    }

    /// The heads of all jobs, in the order of submission.
    pub fn heads(&self) -> impl DoubleEndedIterator<Item = &Head> {
        self.entries.iter().flatten().map(|entry| &entry.head)
    }

    /// How many jobs are in that state.
    pub fn count(&self, status: Status) -> usize {
        self.heads().filter(|head| head.status == status).count()
    }

    /// One job.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, Damage> {
        let Some(Some(entry)) = self.places.get(id).map(|place| &self.entries[*place]) else {
            return Ok(None);
        };
        match (&entry.job, &entry.raw) {
            (Some(job), _) => Ok(Some((**job).clone())),
            (None, Some(range)) => self.parse_job(range).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The jobs whose heads are wanted, in the order of submission.
    pub fn jobs(&self, wanted: impl Fn(&Head) -> bool) -> Result<Vec<Job>, Damage> {
        let mut jobs = Vec::new();
        for head in self.heads().filter(|head| wanted(head)) {
            jobs.extend(self.job(&head.id)?);
        }
        Ok(jobs)
    }

    /// The running jobs; they are parsed already.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.entries
            .iter()
            .flatten()
            .filter(|entry| entry.head.status == Status::Running)
            .filter_map(|entry| entry.job.as_deref())
    }

    /// Parses every job: the index as a whole follows the rules.
    pub fn check(&self) -> Result<(), Damage> {
        self.jobs(|_| true).map(|_| ())
    }

    /// The index's text: one job a line, untouched jobs and unknown fields as they stood.
    pub fn to_text(&self, updated_at: Timestamp) -> String {
        let mut text = String::with_capacity(self.text.len() + 1_024);
        let stamp = updated_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        text.push_str(&format!("{{\"version\":{VERSION},\"updated_at\":\"{stamp}\""));
        let features = self.features();
        if !features.is_empty() {
            text.push_str(&format!(",\n\"requires\":{}", serde_json::json!(features)));
        }
        for (name, value) in &self.others {
            let name = serde_json::Value::from(name.as_str());
            text.push_str(&format!(",\n{name}:{value}"));
        }
        text.push_str(",\n\"jobs\":[");
        for (number, entry) in self.entries.iter().flatten().enumerate() {
            text.push_str(if number == 0 { "\n" } else { ",\n" });
            match (&entry.raw, &entry.job) {
                (Some(range), _) => text.push_str(&self.text[range.clone()]),
                (None, Some(job)) => text.push_str(&serde_json::to_string(job).unwrap_or_default()),
                (None, None) => {}
            }
        }
        text.push_str("\n]}\n");
        text
    }
}

impl Facts {
    /// What an older program must not ignore.
    fn features(&self) -> Vec<&'static str> {
        let has = |what: fn(&Head) -> bool| self.heads().any(|head| !head.status.has_ended() && what(head));
        let present = [has(|head| head.paused), has(|head| head.pipe), has(|head| head.service)];
        KNOWN_FEATURES
            .into_iter()
            .zip(present)
            .filter(|(_, is_there)| *is_there)
            .map(|(name, _)| name)
            .collect()
    }
}

impl Ledger for Facts {
    type Error = Damage;

    fn job_mut(&mut self, id: &JobId) -> Result<Option<&mut Job>, Damage> {
        match self.places.get(id).copied() {
            None => Ok(None),
            Some(place) => self.load(place),
        }
    }

    fn insert(&mut self, job: Job) {
        self.places.insert(job.id.clone(), self.entries.len());
        self.entries.push(Some(Entry { head: Head::of(&job), raw: None, job: Some(Box::new(job)) }));
    }

    fn remove(&mut self, id: &JobId) {
        if let Some(place) = self.places.remove(id) {
            self.entries[place] = None;
        }
    }
}

/// A decision in the making: each event is applied to the facts at once, so that the next policy sees its effect.
#[derive(Clone, Debug)]
pub struct Draft {
    facts: Facts,
    events: Vec<Event>,
}

impl Draft {
    /// Nothing decided yet.
    pub fn new(facts: Facts) -> Self {
        Self { facts, events: Vec::new() }
    }

    /// The facts as they are with the events so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Adds an event, if it changes something.
    pub fn push(&mut self, event: Event) -> Result<Applied, Damage> {
        let applied = apply(&event, &mut self.facts)?;
        if applied == Applied::Yes {
            if let Event::Changed { id, .. } | Event::Edited { id, .. } = &event {
                self.facts.refresh(id);
            }
            self.events.push(event);
        }
        Ok(applied)
    }

    /// The events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The facts after all events, and the events.
    pub fn into_parts(self) -> (Facts, Vec<Event>) {
        (self.facts, self.events)
    }
}

impl Facts {
    /// After a change of a job: its head follows, and its old text no longer stands for it.
    fn refresh(&mut self, id: &JobId) {
        let Some(Some(entry)) = self.places.get(id).map(|place| &mut self.entries[*place]) else { return };
        if let Some(job) = &entry.job {
            entry.head = Head::of(job);
            entry.raw = None;
        }
    }
}

#[derive(Deserialize)]
struct HeadWire<'a> {
    id: JobId,
    status: Status,
    #[serde(default, borrow)]
    name: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, borrow)]
    env: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    not_before: Option<Timestamp>,
    #[serde(default)]
    ended_at: Option<Timestamp>,
    #[serde(default)]
    paused_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    stdin_pipe: bool,
    #[serde(default, deserialize_with = "or_default")]
    service: bool,
    #[serde(default, borrow)]
    session: Option<std::borrow::Cow<'a, str>>,
}

struct Outline<'a> {
    requires: Vec<String>,
    others: Vec<(String, &'a RawValue)>,
    jobs: Vec<&'a RawValue>,
}

struct Ranges {
    requires: Vec<String>,
    others: Vec<(String, String)>,
    jobs: Vec<Range<usize>>,
}

impl Outline<'_> {
    fn into_ranges(self, text: &str) -> Ranges {
        let base = text.as_ptr() as usize;
        let range = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - base;
            start..start + raw.get().len()
        };
        Ranges {
            requires: self.requires,
            others: self.others.into_iter().map(|(name, raw)| (name, raw.get().to_owned())).collect(),
            jobs: self.jobs.into_iter().map(range).collect(),
        }
    }
}

struct OutlineSeed<'s> {
    newer: &'s mut Option<u64>,
}

impl<'de> DeserializeSeed<'de> for OutlineSeed<'_> {
    type Value = Outline<'de>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Outline<'de>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OutlineSeed<'_> {
    type Value = Outline<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with version and jobs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline<'de>, A::Error> {
        use serde::de::Error;
        let (mut version, mut jobs) = (None::<u64>, None);
        let mut outline = Outline { requires: Vec::new(), others: Vec::new(), jobs: Vec::new() };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "version" if version.is_none() => {
                    let given: u64 = map.next_value()?;
                    if given > VERSION {
                        *self.newer = Some(given);
                    }
                    if given != VERSION {
                        return Err(A::Error::custom(format!("version {given} is unknown")));
                    }
                    version = Some(given);
                }
                "jobs" if jobs.is_none() => jobs = Some(map.next_value::<Vec<&RawValue>>()?),
                "version" | "jobs" => return Err(A::Error::custom(format!("{name} is there twice"))),
                "updated_at" => drop(map.next_value::<serde::de::IgnoredAny>()?),
                "requires" => {
                    let raw: &RawValue = map.next_value()?;
                    outline.requires = serde_json::from_str(raw.get())
                        .map_err(|_| A::Error::custom("requires: expected a list of strings"))?;
                }
                _ => outline.others.push((name, map.next_value()?)),
            }
        }
        if version.is_none() {
            return Err(A::Error::missing_field("version"));
        }
        outline.jobs = jobs.ok_or_else(|| A::Error::missing_field("jobs"))?;
        Ok(outline)
    }
}

/// The place of an error that was found in the part of the text that begins at `offset`.
fn damage_at(text: &str, offset: usize, error: &serde_json::Error) -> Damage {
    let (line, column) = position(text, offset);
    let (line, column) = match error.line() {
        0 | 1 => (line, column + error.column().saturating_sub(1)),
        more => (line + more - 1, error.column().max(1)),
    };
    let message = error.to_string();
    // The library's message ends with a place that is relative to the part.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(said, _)| said).to_owned();
    Damage { line, column, message }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        claim::{Claim, ExecutorName, Site},
        state::Change,
    };

    const INDEX: &str = r#"{"version":1,"updated_at":"2026-02-13T10:00:00Z","theme":{"a":[1,  2]},
"jobs":[
{"id":"bg_20260213_aaaaaa","status":"completed","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z","exit_code":0,   "odd":1},
{"id":"bg_20260213_bbbbbb","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z"}
]}
"#;

    fn at() -> Timestamp {
        "2026-02-13T11:00:00Z".parse().unwrap()
    }

    fn claim() -> Claim {
        let site = Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 };
        Claim { site, executor: ExecutorName::Local }
    }

    #[test]
    fn what_was_not_touched_is_written_as_it_stood() {
        let mut draft = Draft::new(Facts::parse(INDEX.to_owned()).unwrap());
        let id = JobId::parse("bg_20260213_bbbbbb").unwrap();
        let change = Change::Claim { at: at(), claim: claim() };
        assert_eq!(draft.push(Event::Changed { id, change }), Ok(Applied::Yes));
        let text = draft.into_parts().0.to_text(at());
        assert!(text.contains(r#""theme":{"a":[1,  2]}"#), "{text}");
        assert!(text.contains(r#""exit_code":0,   "odd":1}"#), "{text}");
        assert!(text.contains(r#""status":"running""#), "{text}");
        Facts::parse(text).unwrap().check().unwrap();
    }

    #[test]
    fn damage_is_reported_with_its_line_and_column() {
        let broken = INDEX.replace("\"status\":\"queued\"", "\"status\":7");
        let Err(Unreadable::Damaged(damage)) = Facts::parse(broken) else { panic!() };
        assert_eq!(damage.line, 4, "{damage}");
        let cut = INDEX[..INDEX.len() - 20].to_owned();
        assert!(matches!(Facts::parse(cut), Err(Unreadable::Damaged(Damage { line: 4, .. }))));
    }

    #[test]
    fn what_we_must_not_write_to_is_told_apart_from_damage() {
        let newer = INDEX.replace("\"version\":1", "\"version\":2");
        assert!(matches!(Facts::parse(newer), Err(Unreadable::Newer(2))));
        let requires = INDEX.replace("\"theme\":{\"a\":[1,  2]}", "\"requires\":[\"moons\"]");
        let facts = Facts::parse(requires).unwrap();
        assert_eq!(facts.writable(), Err(Unreadable::Requires(vec!["moons".into()])));
        let twice = INDEX.replace("bbbbbb", "aaaaaa");
        assert!(Facts::parse(twice).unwrap_err().to_string().contains("there twice"));
    }
}
