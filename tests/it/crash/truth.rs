//! What was so while there was power, and what was promised by when: against this each state is held.

use super::disk::{Disk, Tree};
use super::operation::{Node, Operation, What};
use super::recorder::Recording;
use bgctl::model::{
    facts::{Facts, Unreadable},
    id::JobId,
    job::Job,
    outcome::Exit,
    state::Status,
};
use std::collections::{BTreeMap, BTreeSet};

/// An execution of a job: its id, and the number of the attempt.
pub type Attempt = (String, u32);

/// All of one recording.
pub struct Truth {
    /// The root, counted from the top.
    pub root: String,
    /// The indexes that there were, in their order. The first is the one before.
    pub versions: Vec<Version>,
    /// How attempts ended.
    pub exits: BTreeMap<Attempt, Exit>,
    /// The lines of the stream.
    pub lines: BTreeSet<String>,
    /// What was kept for jobs to read, by the path below the top.
    pub inputs: BTreeMap<String, Vec<u8>>,
}

/// An index.
pub struct Version {
    /// Its bytes; `None`: there was no file.
    pub text: Option<Vec<u8>>,
    /// What it says.
    pub jobs: Vec<Job>,
    /// Who wrote it.
    writer: Option<u32>,
}

/// What is owed at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Promise {
    /// The oldest index that may be read.
    pub version: usize,
    /// Why no older one.
    pub why: String,
    /// What had begun to run.
    pub started: BTreeSet<Attempt>,
    /// What was over, and written down as such.
    pub over: BTreeSet<Attempt>,
}

impl Truth {
    /// What a recording tells of the root at that place below the top.
    pub fn of(recording: &Recording, root: &str) -> Self {
        let seen = |count: usize| Disk::after(&recording.beginning, &recording.operations[..count]).seen();
        let mut versions = vec![Version::of(index(&seen(0), root), None)];
        // The file of lines is there before, and changes with each write to it.
        let are_lines = seen(0).contains_key(&format!("{root}/jobs.jsonl"));
        for (place, operation) in recording.operations.iter().enumerate() {
            let may_stand = match &operation.what {
                What::Rename { to, .. } => to == "jobs.json" || to == "jobs.jsonl",
                What::Exchange { other, .. } => other == "jobs.json",
                What::Write { .. } => are_lines,
                _ => false,
            };
            let text = if may_stand { index(&seen(place + 1), root) } else { continue };
            if !are_lines || versions.last().is_some_and(|last| last.text != text) {
                versions.push(Version::of(text, Some(operation.pid)));
            }
        }
        let end = seen(recording.operations.len());
        let (mut exits, mut inputs, mut lines) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for (path, bytes) in &end {
            let Some(bytes) = bytes else { continue };
            let name = path.rsplit('/').next().unwrap();
            if path.contains("/runs/")
                && let Some(id) = name.strip_suffix(".lock")
            {
                exits.extend(
                    outcomes(bytes).into_iter().map(|(number, exit)| ((id.to_owned(), number), exit)),
                );
            } else if path.contains("/runs/") && name.strip_suffix(".in").is_some() {
                inputs.insert(path.clone(), bytes.clone());
            } else if name == "events.jsonl" {
                lines.extend(String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned));
            }
        }
        Self { root: root.to_owned(), versions, exits, lines, inputs }
    }

    /// What is owed before the first of these operations, after it, and so on. They may be others than were recorded.
    pub fn promises(&self, operations: &[Operation]) -> Vec<Promise> {
        let records = records(operations);
        let mut written: BTreeMap<Node, Vec<u8>> = BTreeMap::new();
        let mut promise = Promise { why: "it was there before".to_owned(), ..Promise::default() };
        let mut promises = vec![promise.clone()];
        for operation in operations {
            match &operation.what {
                What::Print { text } => {
                    for id in text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()) {
                        if JobId::parse(id).is_ok() {
                            promise.raise(self.first(|job| job.id.as_str() == id), || {
                                format!("{id} was printed")
                            });
                        }
                    }
                }
                What::Exit => {
                    let own = self.versions.iter().rposition(|version| version.writer == Some(operation.pid));
                    promise.raise(own.unwrap_or(0), || "the process that wrote it has left".to_owned());
                }
                What::Write { node, data, .. } if records.contains_key(node) => {
                    let (id, record) = (&records[node], written.entry(*node).or_default());
                    record.extend(data);
                    let lines = String::from_utf8_lossy(data);
                    if lines.contains(r#"{"line":"started"}"#) {
                        let attempt = numbers(record).pop().unwrap();
                        let claimed = |job: &Job| {
                            job.id.as_str() == id && job.attempt >= attempt && job.status() != Status::Queued
                        };
                        promise.raise(self.first(claimed), || format!("attempt {attempt} of {id} has begun"));
                        promise.started.insert((id.clone(), attempt));
                    }
                    promise.over.extend(outcomes(record).into_keys().map(|number| (id.clone(), number)));
                }
                _ => {}
            }
            promises.push(promise.clone());
        }
        promises
    }

    /// The first index that has such a job.
    fn first(&self, is_wanted: impl Fn(&Job) -> bool) -> usize {
        self.versions.iter().position(|version| version.jobs.iter().any(&is_wanted)).unwrap_or(usize::MAX)
    }

    /// What a record in that state says of how attempts of that job ended.
    pub fn recorded(&self, tree: &Tree, id: &str) -> BTreeMap<u32, Exit> {
        let path = format!("{}/runs/{id}.lock", self.root);
        tree.get(&path).and_then(Option::as_ref).map(|bytes| outcomes(bytes)).unwrap_or_default()
    }
}

impl Version {
    fn of(text: Option<Vec<u8>>, writer: Option<u32>) -> Self {
        let jobs = text.as_ref().map_or(Vec::new(), |text| {
            let facts = parse(text).unwrap();
            facts.check().unwrap();
            facts.jobs(|_| true).unwrap()
        });
        Self { text, jobs, writer }
    }
}

impl Promise {
    fn raise(&mut self, version: usize, why: impl FnOnce() -> String) {
        if version > self.version {
            (self.version, self.why) = (version, why());
        }
    }
}

/// The index: of lines, as much as counts.
pub fn index(tree: &Tree, root: &str) -> Option<Vec<u8>> {
    let file = |name: &str| tree.get(&format!("{root}/{name}")).cloned().flatten();
    let Some(lines) = file("jobs.jsonl") else { return file("jobs.json") };
    Some(Facts::parse_lines(lines.clone()).map_or(lines, |facts| facts.text().to_vec()))
}

/// Reads an index of either form.
pub fn parse(text: &[u8]) -> Result<Facts, Unreadable> {
    if text.starts_with(b"{\"version\":1}\n") {
        Facts::parse_lines(text.to_vec())
    } else {
        Facts::parse(String::from_utf8_lossy(text).into_owned())
    }
}

/// The run records among the files that are made, and whose they are.
fn records(operations: &[Operation]) -> BTreeMap<Node, String> {
    let record = |operation: &Operation| {
        let What::MakeFile { name, node, .. } = &operation.what else { return None };
        let id = name.strip_suffix(".lock").filter(|id| JobId::parse(id).is_ok())?;
        Some((*node, id.to_owned()))
    };
    operations.iter().filter_map(record).collect()
}

/// The lines of a record that can be read: what is whole, and JSON.
fn lines(record: &[u8]) -> impl Iterator<Item = serde_json::Value> {
    let whole = record.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole.filter_map(|line| serde_json::from_slice(line).ok())
}

/// The attempts of which a record tells, in its order.
fn numbers(record: &[u8]) -> Vec<u32> {
    lines(record).filter_map(|line| Some(line.get("attempt")?.as_u64()? as u32)).collect()
}

/// How attempts ended, as a record says it: an outcome belongs to the attempt of the last watcher before it.
fn outcomes(record: &[u8]) -> BTreeMap<u32, Exit> {
    let (mut outcomes, mut attempt) = (BTreeMap::new(), None);
    for line in lines(record) {
        if line["line"] == "watcher" {
            attempt = line["attempt"].as_u64().map(|number| number as u32);
        }
        if let Some(number) = attempt.filter(|_| line["line"] == "outcome") {
            outcomes.insert(number, serde_json::from_value(line["outcome"]["exit"].clone()).unwrap());
        }
    }
    outcomes
}
