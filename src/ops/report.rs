//! Reports of what failed for good, each told once, for mails by cron and logs of services.
//!
//! What ended is read from the stream of events, after the number up to which it was reported; that number is kept in a
//! file of its own. The first report goes back a little: whoever has a tick every minute, from before the first job on,
//! misses nothing, and nobody is told of a long past. What the stream does not have any more is made up for from
//! the index, as far as that has it.
//!
//! A run of a schedule is followed by others, so that its failure is not for good: the schedule itself is told of once it
//! has failed several times in a row, and again when it is well.

use super::{
    fault::{Code, Fault},
    home::Home,
    logs,
};
use crate::model::{
    Timestamp, facts::Facts, health::RunResult, id::JobId, job::Job, schedule::Schedule, stream::Line,
};
use crate::os::{clock::Clock, record_lock};
use crate::store::{
    Store,
    root::{REPORT_LOCK, REPORTED, REPORTED_TEMPORARY},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

/// A schedule is told of after so many failures in a row; one that does not try again soon by itself, after the first.
const FAILURES_IN_ROW: u64 = 3;
/// How many of the last lines of each output are told.
const LAST_LINES: u64 = 5;
/// Of how many jobs the last lines are told at most.
const WITH_LINES_MAX: usize = 20;
/// So far back goes the first report.
const FIRST_GOES_BACK: TimeDelta = TimeDelta::minutes(2);
/// What stands in the way of every tick is said again after this time.
const SAY_AGAIN_AFTER: TimeDelta = TimeDelta::days(1);
/// Largest file of what was reported that is read.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Something that is told once.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A job failed for good.
    Job(Box<FailedJob>),
    /// A schedule fails again and again.
    Schedule {
        /// Its name.
        name: String,
        /// How often in a row.
        failures_in_row: u64,
        /// When it runs next, where that is known.
        next_at: Option<Timestamp>,
        /// Its last run, where that was a job.
        run: Option<Box<FailedJob>>,
        /// What came of it, where it was none.
        note: Option<String>,
    },
    /// A schedule that was told of is well again.
    Recovered {
        /// Its name.
        name: String,
    },
}

/// A job that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedJob {
    /// Which.
    pub id: JobId,
    /// Its given name.
    pub name: Option<String>,
    /// Its command; none where it is in the index no more.
    pub command: Option<String>,
    /// When it ended.
    pub at: Timestamp,
    /// The sentence about it.
    pub summary: Option<String>,
    /// Whether it used up its attempts, and nobody has dealt with it yet.
    pub dead_letter: bool,
    /// The last lines of its output.
    pub last_lines: Vec<u8>,
}

/// How far was reported.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reported {
    version: u32,
    /// The number of the last event that was looked at.
    seq: u64,
    /// When.
    at: Timestamp,
    /// The schedules that were told of and have not recovered.
    #[serde(default)]
    failing: BTreeSet<String>,
    /// What was said beside it, and when.
    #[serde(default)]
    said: BTreeMap<String, Timestamp>,
}

const VERSION: u32 = 1;

/// Whoever reports now; nobody else does meanwhile.
#[derive(Debug)]
pub struct Reporter {
    before: Reported,
    after: Reported,
    note: Option<String>,
    _lock: File,
}

impl Reporter {
    /// Begins a report, to be opened before the pass whose failures it is to tell. `None`: somebody else reports right now.
    pub fn open(home: &Home) -> Result<Option<Self>, Fault> {
        let folder = home.root.folder();
        let path = home.root.path().join(REPORTED);
        let failed = |error: std::io::Error| {
            Fault::new(
                Code::Failed,
                format!("could not tell how far failures were reported, {}: {error}", path.display()),
            )
        };
        let lock = folder.open_or_create_file(REPORT_LOCK, false).map_err(failed)?;
        if !record_lock::try_lock(&lock).map_err(failed)? {
            return Ok(None);
        }
        let now = home.clock.now();
        let text = folder.read(REPORTED, BYTES_MAX).map_err(failed)?;
        let known: Option<Reported> = text.as_deref().and_then(|text| serde_json::from_slice(text).ok());
        let known = known.filter(|known| known.version == VERSION);
        let note = (text.is_some() && known.is_none()).then(|| {
            format!(
                "{} cannot be read; the reports begin anew, and what failed some minutes ago or earlier is not told",
                path.display()
            )
        });
        let before = match known {
            Some(known) => known,
            None => Self::first(home, now)?,
        };
        Ok(Some(Self { after: before.clone(), before, note, _lock: lock }))
    }

    /// What the first report goes on from.
    fn first(home: &Home, now: Timestamp) -> Result<Reported, Fault> {
        let at = now - FIRST_GOES_BACK;
        let store = home.store();
        let lines = store.told(0)?;
        let first = lines.iter().find(|line| line.at >= at).map(|line| line.seq.saturating_sub(1));
        let seq = match first {
            Some(seq) => seq,
            None => last(&lines).max(store.read()?.last_event()),
        };
        Ok(Reported { version: VERSION, seq, at, failing: BTreeSet::new(), said: BTreeMap::new() })
    }

    /// What failed since the last report, and what else is to be said.
    pub fn look(&mut self, home: &Home) -> Result<(Vec<Told>, Vec<String>), Fault> {
        // The time first: what ends meanwhile is told the next time.
        let now = home.clock.now();
        let store = home.store();
        let facts = store.read()?;
        let mut lines = store.told(self.before.seq)?;
        let mut newest = last(&lines).max(facts.last_event());
        if newest < self.before.seq {
            // What was told and changed nothing has a number too, which the index does not know.
            newest = newest.max(last(&store.told(0)?));
        }
        let mut notes: Vec<String> = self.note.take().into_iter().collect();
        // An index that was made anew counts anew.
        if newest < self.before.seq {
            lines = store.told(0)?;
            lines.retain(|line| line.at >= self.before.at);
            notes.push("the events were numbered anew since the last report".to_owned());
        }
        let mut told = Vec::new();
        let mut seen = BTreeSet::new();
        for line in &lines {
            let Some(ended) = Ended::of(line) else { continue };
            seen.insert(ended.id.clone());
            self.tell_end(home, &facts, &ended, &mut told);
        }
        let has_gap = gap(self.before.seq, &lines, newest);
        if let Some((from, to)) = has_gap.filter(|_| newest >= self.before.seq) {
            notes.push(format!(
                "events {from} to {to} are not in events.jsonl; of what failed then, this tells what the index still has"
            ));
        }
        if has_gap.is_some() || newest < self.before.seq {
            for job in facts.jobs(|head| head.status.has_ended()).unwrap_or_default() {
                let ended_at = job.end().and_then(|end| end.at);
                if !seen.contains(&job.id) && ended_at.is_some_and(|at| at >= self.before.at && at <= now) {
                    self.tell_end(home, &facts, &Ended::of_job(&job), &mut told);
                }
            }
        }
        self.tell_schedules(home, &facts, &mut told);
        self.after.seq = newest;
        self.after.at = now;
        Ok((told, notes))
    }

    /// Of these, what was not said a short while ago. What is not among them any more counts as not said.
    pub fn unsaid(&mut self, sentences: &[String], now: Timestamp) -> Vec<String> {
        let said = std::mem::take(&mut self.after.said);
        let is_fresh = |at: &Timestamp| *at <= now && now - *at < SAY_AGAIN_AFTER;
        let mut unsaid = Vec::new();
        for sentence in sentences {
            let at = said.get(sentence).copied().filter(is_fresh);
            if at.is_none() && !unsaid.contains(sentence) {
                unsaid.push(sentence.clone());
            }
            self.after.said.insert(sentence.clone(), at.unwrap_or(now));
        }
        unsaid
    }

    /// Writes down that it was told.
    pub fn confirm(&mut self, home: &Home) -> Result<(), Fault> {
        let text = serde_json::to_vec(&self.after).unwrap_or_default();
        let replaced = home.root.folder().replace(REPORTED, REPORTED_TEMPORARY, &text, false);
        replaced.map_err(|error| {
            let path = home.root.path().join(REPORTED);
            Fault::new(
                Code::Failed,
                format!("could not write {}: {error}; what was reported is told again", path.display()),
            )
        })
    }

    fn tell_end(&mut self, home: &Home, facts: &Facts, ended: &Ended, told: &mut Vec<Told>) {
        let job = facts.job(&ended.id).ok().flatten();
        let result = job.as_ref().and_then(Job::end).map_or(ended.result, RunResult::of);
        let Some(name) = &ended.schedule else {
            if result == RunResult::Failed {
                let lines = if told.len() < WITH_LINES_MAX { LAST_LINES } else { 0 };
                told.push(Told::Job(Box::new(failed_job(home, ended, job.as_ref(), lines))));
            }
            return;
        };
        let Some(failures_in_row) = ended.failures_in_row else { return };
        let schedule = facts.schedules().get(name);
        if failures_in_row == 0 && self.after.failing.remove(name) {
            told.push(Told::Recovered { name: name.clone() });
        } else if result == RunResult::Failed
            && failures_in_row >= threshold(schedule)
            && self.after.failing.insert(name.clone())
        {
            told.push(Told::Schedule {
                name: name.clone(),
                failures_in_row,
                next_at: schedule.and_then(|schedule| crate::plan::recur::due_at(name, schedule)),
                run: Some(Box::new(failed_job(home, ended, job.as_ref(), LAST_LINES))),
                note: None,
            });
        }
    }

    /// Those of which the stream did not tell: what is built in, and what is gone from it.
    fn tell_schedules(&mut self, home: &Home, facts: &Facts, told: &mut Vec<Told>) {
        self.after.failing.retain(|name| facts.schedules().contains_key(name));
        for (name, schedule) in facts.schedules() {
            let health = &schedule.health;
            if health.failures_in_row == 0 {
                if self.after.failing.remove(name) {
                    told.push(Told::Recovered { name: name.clone() });
                }
            } else if health.failures_in_row >= threshold(Some(schedule))
                && self.after.failing.insert(name.clone())
            {
                let last = health.last.as_ref();
                let run = last.and_then(|last| last.id.as_ref()).and_then(|id| facts.job(id).ok().flatten());
                told.push(Told::Schedule {
                    name: name.clone(),
                    failures_in_row: health.failures_in_row,
                    next_at: crate::plan::recur::due_at(name, schedule),
                    run: run
                        .map(|job| Box::new(failed_job(home, &Ended::of_job(&job), Some(&job), LAST_LINES))),
                    note: last.and_then(|last| last.note.clone()),
                });
            }
        }
    }
}

fn threshold(schedule: Option<&Schedule>) -> u64 {
    let tries_again =
        schedule.is_none_or(|schedule| schedule.definition.restarts || schedule.spec().is_none());
    if tries_again { FAILURES_IN_ROW } else { 1 }
}

fn last(lines: &[Line]) -> u64 {
    lines.last().map_or(0, |line| line.seq)
}

/// The first numbers after the last report that are missing, up to the newest.
fn gap(before: u64, lines: &[Line], newest: u64) -> Option<(u64, u64)> {
    let mut last = before;
    for seq in lines.iter().map(|line| line.seq).chain([newest.saturating_add(1)]) {
        if seq > last.saturating_add(1) {
            return Some((last + 1, seq - 1));
        }
        last = seq;
    }
    None
}

fn failed_job(home: &Home, ended: &Ended, job: Option<&Job>, lines: u64) -> FailedJob {
    let end = job.and_then(Job::end);
    FailedJob {
        id: ended.id.clone(),
        name: job.map_or_else(|| ended.name.clone(), |job| job.spec.name.clone()),
        command: job.map(|job| job.spec.display.clone()),
        at: end.and_then(|end| end.at).unwrap_or(ended.at),
        summary: end.and_then(|end| end.summary.clone()).or_else(|| ended.summary.clone()),
        dead_letter: end.map_or(ended.dead_letter, |end| end.dead_letter),
        last_lines: if lines > 0 { logs::last_lines(home, &ended.id, lines) } else { Vec::new() },
    }
}

/// The end of a job, as a line of the stream tells it.
struct Ended {
    id: JobId,
    at: Timestamp,
    name: Option<String>,
    schedule: Option<String>,
    summary: Option<String>,
    dead_letter: bool,
    result: RunResult,
    failures_in_row: Option<u64>,
}

/// The fields of such a line.
#[derive(Deserialize)]
struct EndLine {
    id: JobId,
    was: String,
    status: String,
    name: Option<String>,
    schedule: Option<String>,
    summary: Option<String>,
    #[serde(default)]
    dead_letter: bool,
    health: Option<HealthOfLine>,
}

#[derive(Deserialize)]
struct HealthOfLine {
    failures_in_row: u64,
}

impl Ended {
    /// `None`: the line tells of no end.
    fn of(line: &Line) -> Option<Self> {
        let told: EndLine = serde_json::from_str(&line.text).ok()?;
        let summary = told.summary;
        // Where the job is in the index no more, its sentence tells whether the stale guard ended it.
        let is_stale = summary.as_deref().is_some_and(|text| text.starts_with("stale"));
        let result = match told.status.as_str() {
            "completed" => RunResult::Succeeded,
            "failed" => RunResult::Failed,
            "cancelled" if is_stale => RunResult::Failed,
            "cancelled" => RunResult::Cancelled,
            _ => return None,
        };
        (told.was != told.status).then_some(Self {
            id: told.id,
            at: line.at,
            name: told.name,
            schedule: told.schedule,
            summary,
            dead_letter: told.dead_letter,
            result,
            failures_in_row: told.health.map(|health| health.failures_in_row),
        })
    }

    fn of_job(job: &Job) -> Self {
        let end = job.end();
        Self {
            id: job.id.clone(),
            at: end.and_then(|end| end.at).unwrap_or(job.created_at),
            name: job.spec.name.clone(),
            schedule: job.spec.schedule.clone(),
            summary: end.and_then(|end| end.summary.clone()),
            dead_letter: end.is_some_and(|end| end.dead_letter),
            result: end.map_or(RunResult::Cancelled, RunResult::of),
            failures_in_row: None,
        }
    }
}
