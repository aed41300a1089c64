//! The stream of changes as text: one line for each thing that happened, numbered, and how the end of such a text is read.
//!
//! A line is the event as JSON, with its number and its time in front, and with what tells whoever reads it about the
//! job: its name and labels, its state, and the one before. Commands, folders and settings are deliberately absent: a line
//! outlives its job, and what prune removes shall be gone.

use super::{
    Timestamp,
    event::Event,
    health::{Health, HealthStatus},
    hook::{Hook, HookRun, HooksSet, has_just_ended},
    job::Job,
    state::{State, Status},
};
use chrono::{SecondsFormat, TimeDelta};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Something that happened and changed nothing in the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Note {
    /// A submission was refused.
    Refused {
        /// Why.
        reason: Refusal,
        /// How many entries waited.
        waiting: usize,
        /// Beyond how many nothing is taken.
        threshold: usize,
        /// The size of the queue.
        max_size: usize,
    },
    /// How the whole is has changed, or there is another reason for it.
    Health {
        /// What was told last.
        was: HealthStatus,
        /// How it is.
        status: HealthStatus,
        /// Why, in words, the worst first.
        reasons: Vec<String>,
    },
    /// A hook was run for a line, and succeeded.
    Hook(HookRun),
    /// A hook that was to run for a line did not, or not well.
    HookFailed(HookRun),
}

/// Why a submission was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The queue takes no more.
    QueueFull,
}

/// For so long after a line of a refusal, further ones are only counted.
const COUNTED_FOR: TimeDelta = TimeDelta::seconds(1);

/// How an event moved its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The state before it; none for a new job, and for what is about none.
    pub was: Option<Status>,
    /// The state after it; none for a job that is gone, and for what is about none.
    pub is: Option<Status>,
}

/// A line of the stream as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The whole line.
    pub text: String,
}

/// What a line says of hooks.
#[derive(Deserialize)]
struct Marked {
    hooks: Vec<Hook>,
}

/// What every line begins with.
#[derive(Deserialize)]
struct Beginning {
    seq: u64,
    at: Timestamp,
}

impl Line {
    /// What a line has that is for hooks.
    pub const HOOKS_MARK: &str = "\"hooks\":[";

    /// The hooks that it is for, in their order.
    pub fn hooks(&self) -> Vec<Hook> {
        serde_json::from_str(&self.text).map_or_else(|_| Vec::new(), |Marked { hooks }| hooks)
    }

    /// Reads a line; `None` for one that was cut short, or is none of ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // Where in a text that is none something is wrong, nobody wants to know.
        let trimmed = text.trim_ascii();
        if !(trimmed.starts_with(b"{") && trimmed.ends_with(b"}")) {
            return None;
        }
        let Beginning { seq, at } = serde_json::from_slice(text).ok()?;
        Some(Self { seq, at, text: String::from_utf8(text.to_vec()).ok()? })
    }
}

/// Lines in the making.
#[derive(Clone, Debug)]
pub struct Lines {
    text: String,
    last: u64,
    at: Timestamp,
    hooks: HooksSet,
}

impl Lines {
    /// Lines that come after the one of this number.
    pub fn after(last: u64, at: Timestamp) -> Self {
        Self { text: String::new(), last, at, hooks: HooksSet::default() }
    }

    /// The same where these hooks are set: a line says for which of them it is.
    #[must_use]
    pub fn for_hooks(self, hooks: HooksSet) -> Self {
        Self { hooks, ..self }
    }

    /// The number of the last line.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds the line of an event. `job` is whom it is about, as it is now.
    /// `health` is how what it belongs to has gone so far.
    pub fn event(&mut self, event: &Event, step: Step, job: Option<&Job>, health: Option<&Health>) {
        let mut line = self.next();
        let told = match event {
            Event::Submitted { job } => submitted(job),
            _ => serde_json::to_value(event).unwrap_or_default(),
        };
        let Value::Object(mut told) = told else { return };
        for name in ["event", "schedule", "id", "group"] {
            if let Some(value) = told.shift_remove(name) {
                line.insert(name.to_owned(), value);
            }
        }
        for (name, status) in [("was", step.was), ("status", step.is)] {
            if let Some(status) = status.filter(|_| name == "status" || step.was != step.is) {
                line.insert(name.to_owned(), json!(status));
            }
        }
        if let Some(job) = job {
            if let Some(name) = &job.spec.name {
                line.insert("name".to_owned(), json!(name));
            }
            if !job.spec.labels.is_empty() {
                line.insert("labels".to_owned(), json!(job.spec.labels));
            }
        }
        if let Some(schedule) = job.and_then(|job| job.spec.schedule.as_ref()) {
            line.insert("schedule".to_owned(), json!(schedule));
        }
        // The time of the line stands for that of the change.
        told.shift_remove("at");
        told.shift_remove("definition");
        // The end of an attempt says what is to be should it be the job's, and what should it not.
        if step.is != Some(Status::Failed) {
            told.shift_remove("dead_letter");
        }
        if step.is != Some(Status::Queued) {
            told.shift_remove("retry_at");
        }
        if !step.is.is_some_and(Status::has_ended) {
            told.shift_remove("summary");
        }
        line.extend(told);
        let has_just_ended = has_just_ended(step.was, step.is);
        if let Some(health) = health.filter(|_| has_just_ended) {
            line.insert("health".to_owned(), told_of(health));
        }
        let hooks = job.filter(|_| has_just_ended).map(|job| self.hooks.for_end_of(job)).unwrap_or_default();
        if !hooks.is_empty() {
            line.insert("hooks".to_owned(), json!(hooks));
        }
        self.add(line);
    }

    /// Adds the line of what changed nothing. Only refusals are counted, and came so often.
    pub fn note(&mut self, note: &Note, times: u64) {
        let mut line = self.next();
        let Ok(Value::Object(told)) = serde_json::to_value(note) else { return };
        line.extend(told);
        if matches!(note, Note::Refused { .. }) {
            line.insert("times".to_owned(), json!(times));
        }
        self.add(line);
    }

    fn next(&self) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("seq".to_owned(), json!(self.last.saturating_add(1)));
        line.insert("at".to_owned(), json!(self.at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        line
    }

    fn add(&mut self, mut line: Map<String, Value>) {
        if let (Some("health"), Some(verdict)) = (text_of(&line, "event"), text_of(&line, "status")) {
            let hooks = self.hooks.for_verdict(verdict);
            if !hooks.is_empty() {
                line.insert("hooks".to_owned(), json!(hooks));
            }
        }
        self.last = self.last.saturating_add(1);
        self.text.push_str(&Value::Object(line).to_string());
        self.text.push('\n');
    }
}

fn text_of<'l>(line: &'l Map<String, Value>, field: &str) -> Option<&'l str> {
    line.get(field)?.as_str()
}

/// What the end of a run tells of those before it.
fn told_of(health: &Health) -> Value {
    let mut told = json!({"runs": health.runs, "failures_in_row": health.failures_in_row});
    if let Some(at) = health.last_success_at {
        told["last_success_at"] = json!(at);
    }
    told
}

/// What is told of a new job: whose it is, and where it belongs.
fn submitted(job: &Job) -> Value {
    let spec = &job.spec;
    let mut told = json!({"event": "submitted", "id": job.id});
    let belongs = [
        ("group", spec.group.as_ref().map(|group| json!(group))),
        ("batch", spec.batch.as_ref().map(|batch| json!(batch))),
        ("retry_of", spec.retry_of.as_ref().map(|id| json!(id))),
        ("parent", spec.parent.as_ref().map(|id| json!(id))),
        (
            "not_before",
            match job.state {
                State::Queued { not_before: Some(at), .. } => Some(json!(at)),
                _ => None,
            },
        ),
    ];
    for (name, value) in belongs {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}

/// How a text of lines ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The number of its last line.
    pub last: u64,
    /// The last refusal that is told in it.
    refused: Option<(Note, Timestamp)>,
}

impl Tail {
    /// Reads it. `None`: there is no whole line.
    pub fn of(text: &[u8]) -> Option<Self> {
        // One that only its newline was cut from is a line once the next writer begins another.
        let last = text.split(|byte| *byte == b'\n').rev().find_map(Line::parse)?.seq;
        Some(Self { last, refused: last_refusal(text) })
    }

    /// Whether a refusal that comes now is only counted, because one was told a moment ago.
    pub fn counts(&self, note: &Note, now: Timestamp) -> bool {
        let Note::Refused { reason, .. } = note else { return false };
        self.refused.as_ref().is_some_and(|(told, at)| {
            let is_told = matches!(told, Note::Refused { reason: told, .. } if told == reason);
            // A time that has not come yet is that of a clock that was set back.
            is_told && *at <= now && now - *at < COUNTED_FOR
        })
    }

    /// What was told of the last refusal. Others that came right after it may have been counted, and wait to be told.
    pub fn refused(&self) -> Option<&Note> {
        self.refused.as_ref().map(|(note, _)| note)
    }

    /// Adds the lines that tell a note, with the refusals before it that were counted and not told yet.
    pub fn tell(&self, note: &Note, counted: u64, lines: &mut Lines) {
        match (note, self.refused()) {
            (Note::Refused { .. }, _) => lines.note(note, 1 + counted),
            (_, Some(refused)) if counted > 0 => {
                lines.note(refused, counted);
                lines.note(note, 1);
            }
            _ => lines.note(note, 1),
        }
    }
}

/// The last line of a refusal.
fn last_refusal(text: &[u8]) -> Option<(Note, Timestamp)> {
    const MARK: &[u8] = b"\"event\":\"refused\"";
    let place = text.windows(MARK.len()).rposition(|part| part == MARK)?;
    let begin = text[..place].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let length = text[begin..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - begin);
    let line = &text[begin..begin + length];
    let note: Note = serde_json::from_slice(line).ok()?;
    Some((note, Line::parse(line)?.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        "2026-02-13T10:00:00Z".parse::<Timestamp>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn refused(waiting: usize) -> Note {
        Note::Refused { reason: Refusal::QueueFull, waiting, threshold: 80, max_size: 100 }
    }

    fn lines(from: u64, count: u64) -> String {
        let mut lines = Lines::after(from, at(0));
        (0..count).for_each(|_| lines.event(&Event::Removed { id: id() }, Step::default(), None, None));
        lines.text().to_owned()
    }

    fn id() -> super::super::id::JobId {
        super::super::id::JobId::parse("bg_20260213_aaaaaa").unwrap()
    }

    #[test]
    fn the_number_of_the_last_line_is_found_behind_what_was_cut_short() {
        let tail = |text: &[u8]| Tail::of(text).map(|tail| tail.last);
        assert_eq!(tail(b""), None);
        assert_eq!(tail(b"{\"seq\":3,\"at\":\"2026"), None);
        assert_eq!(tail(lines(6, 2).as_bytes()), Some(8));
        let mut torn = lines(6, 2).into_bytes();
        torn.extend(b"{\"seq\":9,\"at\":\"20");
        assert_eq!(tail(&torn), Some(8));
        torn.extend(b"\n\0\0\n\xff\n");
        assert_eq!(tail(&torn), Some(8), "what is no line does not count");
        torn.extend(lines(20, 1).bytes());
        assert_eq!(tail(&torn), Some(21));
        assert_eq!(tail(lines(6, 2).trim_end().as_bytes()), Some(8), "only the newline is missing");
    }

    #[test]
    fn a_bad_verdict_says_for_which_hook_it_is_and_a_good_one_for_none() {
        let hooks = crate::model::hook::Hooks { on_degraded: Some(vec!["x".into()]), ..Default::default() };
        let told = |verdict: &str, set: HooksSet| {
            let mut lines = Lines::after(6, at(0)).for_hooks(set);
            let mut line = lines.next();
            line.extend([("event".to_owned(), json!("health")), ("status".to_owned(), json!(verdict))]);
            lines.add(line);
            Line::parse(lines.text().trim_end().as_bytes()).unwrap().hooks()
        };
        assert_eq!(told("degraded", hooks.set()), [Hook::OnDegraded]);
        assert_eq!(told("failing", hooks.set()), [Hook::OnDegraded]);
        assert_eq!(told("ok", hooks.set()), []);
        assert_eq!(told("failing", HooksSet::default()), []);
    }

    #[test]
    fn a_line_that_begins_before_the_text_does_not_count() {
        let text = lines(6, 2);
        assert_eq!(Tail::of(&text.as_bytes()[10..]).unwrap().last, 8);
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        for begin in last + 1..text.len() {
            assert_eq!(Tail::of(&text.as_bytes()[begin..]), None);
        }
    }

    #[test]
    fn refusals_right_after_one_that_was_told_are_only_counted() {
        let mut told = Lines::after(0, at(0));
        told.note(&refused(81), 1);
        let text = told.text().to_owned() + &lines(1, 3);
        let tail = Tail::of(text.as_bytes()).unwrap();
        assert_eq!((tail.last, tail.refused()), (4, Some(&refused(81))));
        assert!(tail.counts(&refused(99), at(0)));
        assert!(!tail.counts(&refused(99), at(1)));
        assert!(!tail.counts(&refused(99), at(-5)), "the clock was set back");
        assert!(!Tail::of(lines(1, 3).as_bytes()).unwrap().counts(&refused(99), at(0)));
    }
}
