//! What the stream of events says, in its order: one decision after the other was made, each from what the one before left.

use crate::support::User;
use bgctl::store::stream::{EVENTS, EVENTS_BEFORE};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a test knows of what it asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// How many jobs may run at once.
    pub slots: usize,
}

/// The word with which the name of a job begins that waits for another one.
pub const CHAINED: &str = "chained";

/// What became of a job.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Its last state.
    pub status: String,
    /// How often it was given a slot.
    pub claims: usize,
    /// Its last outcome, where it has one.
    pub outcome: Value,
    /// Whether it was removed.
    pub removed: bool,
}

/// All that happened.
#[derive(Debug, Default)]
pub struct History {
    /// Each job that was submitted.
    pub courses: BTreeMap<String, Course>,
    /// How many events were never told.
    pub missing: u64,
    /// The most jobs that ran at once.
    pub most_at_once: usize,
    complaints: Vec<String>,
    last: u64,
    line: BTreeSet<Place>,
    running: BTreeSet<String>,
}

/// A job that waits for its first slot and for nothing else: what is smaller comes first.
type Place = (usize, u64, String);

/// The stream as it is on the disk, with the file that it was before it turned over.
pub fn told(user: &User) -> String {
    let text = |name: &str| std::fs::read_to_string(user.root().join(name)).unwrap_or_default();
    text(EVENTS_BEFORE) + &text(EVENTS)
}

impl History {
    /// From the lines of the stream; those of `bgctl events --json-lines` are the same.
    pub fn parse(text: &str, asked: &Asked) -> Self {
        let mut history = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(event) => history.follow(&event, asked),
                Err(error) => history.complain(format!("a line of the stream is no JSON: {error}: {line}")),
            }
        }
        history
    }

    /// What cannot have happened.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// What the index says otherwise than the stream. Only where no event is missing.
    pub fn differs(&self, index: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut left: BTreeMap<&str, &Course> = self
            .courses
            .iter()
            .filter(|(_, course)| !course.removed)
            .map(|(id, course)| (&**id, course))
            .collect();
        for job in index["jobs"].as_array().into_iter().flatten() {
            let id = job["id"].as_str().unwrap_or_default();
            match left.remove(id) {
                None => {
                    complaints.push(format!("{id} is in the index, and was never submitted or is removed"));
                }
                Some(course) if job["status"] != *course.status => complaints.push(format!(
                    "{id} is {} in the index and {} by its events",
                    job["status"], course.status
                )),
                Some(_) => {}
            }
        }
        complaints.extend(left.keys().map(|id| format!("{id} was submitted, never removed, and is lost")));
        complaints
    }

    fn complain(&mut self, text: String) {
        self.complaints.push(text);
    }

    fn follow(&mut self, event: &Value, asked: &Asked) {
        if event["event"] == "gap" {
            return;
        }
        let seq = event["seq"].as_u64().unwrap_or(0);
        if seq <= self.last {
            self.complain(format!("event {seq} comes after event {}", self.last));
        }
        self.missing += seq.saturating_sub(self.last + 1);
        self.last = seq;
        let Some(id) = event["id"].as_str() else { return };
        match event["event"].as_str().unwrap_or_default() {
            "submitted" => self.submitted(id, seq, event),
            "changed" => self.changed(id, event, asked),
            "removed" => {
                self.running.remove(id);
                match self.courses.get_mut(id) {
                    Some(course) if !course.removed && has_ended(&course.status) => course.removed = true,
                    other => {
                        let other = format!("{other:?}");
                        self.complain(format!("{id} was removed, and was {other}"));
                    }
                }
            }
            _ => {}
        }
    }

    fn submitted(&mut self, id: &str, seq: u64, event: &Value) {
        let status = event["status"].as_str().unwrap_or_default().to_owned();
        let name = event["name"].as_str().unwrap_or_default();
        if status == "queued" && !name.starts_with(CHAINED) {
            self.line.insert((rank(name), seq, id.to_owned()));
        }
        if self.courses.insert(id.to_owned(), Course { status, ..Course::default() }).is_some() {
            self.complain(format!("{id} was submitted twice"));
        }
    }

    fn changed(&mut self, id: &str, event: &Value, asked: &Asked) {
        let Some(course) = self.courses.get_mut(id) else {
            if self.missing == 0 {
                self.complain(format!("{id} was never submitted, and changed"));
            }
            return;
        };
        let before =
            std::mem::replace(&mut course.status, event["status"].as_str().unwrap_or_default().to_owned());
        if event["change"] == "claim" {
            course.claims += 1;
        }
        if event["change"] == "end" {
            course.outcome = event["outcome"].clone();
        }
        let now = course.status.clone();
        let was = event["was"].as_str().unwrap_or(&before);
        if was != before && self.missing == 0 {
            self.complain(format!("{id} was {before}, and became {now} as if it had been {was}"));
        }
        if event["change"] == "claim" {
            self.claimed(id);
        } else if now != "queued" {
            self.line.retain(|(.., one)| one != id);
        }
        if now == "running" {
            self.running.insert(id.to_owned())
        } else {
            self.running.remove(id)
        };
        self.most_at_once = self.most_at_once.max(self.running.len());
        if self.running.len() > asked.slots && self.missing == 0 {
            self.complain(format!("{} run at once, and there are {} slots", self.running.len(), asked.slots));
        }
    }

    /// Whoever gets a slot is the first of those that wait for one alone.
    fn claimed(&mut self, id: &str) {
        let Some(own) = self.line.iter().find(|(.., one)| one == id).cloned() else { return };
        self.line.remove(&own);
        if let Some((_, _, first)) = self.line.first().filter(|first| **first < own)
            && self.missing == 0
        {
            let text = format!("{id} was started before {first}, whose turn it was");
            self.complain(text);
        }
    }
}

/// The place of a job's priority, with whose word its name begins.
fn rank(name: &str) -> usize {
    let words = ["critical", "high", "normal", "low"];
    words.iter().position(|word| name.starts_with(word)).unwrap_or(2)
}

/// Whether a state is final.
pub fn has_ended(status: &str) -> bool {
    ["completed", "failed", "cancelled"].contains(&status)
}
