//! A wait: what it still waits for, and how it may be in its own way.

use super::screen::fit;
use super::words::{age, jobs, listed, names};
use crate::model::{Timestamp, id::JobId, job::Job};
use crate::ops::{called::Called, inside::Circle, wait::Left};
use crate::plan::pick::Waits;
use crate::render::safe;

/// Longest name of a job beside others.
const NAME_CHARS_MAX: usize = 24;

/// Most ids that a message names; beyond, nobody would read them.
const IDS_MAX: usize = 8;

/// Most jobs that the line tells of: no line of a terminal has room for more.
const LINE_JOBS_MAX: usize = 20;

/// What is waited for in each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Its end.
    End,
    /// A line in its log.
    Line,
}

/// What a wait waits for, as it was seen last; its text changes with the time.
#[derive(Clone, Debug)]
pub struct Standing {
    of: usize,
    count: usize,
    left: Vec<One>,
}

/// One job: what it is called, what it does, since when, and what else there is to say.
#[derive(Clone, Debug)]
struct One {
    name: String,
    does: &'static str,
    since: Timestamp,
    rest: String,
}

impl Standing {
    /// What is left to wait for.
    pub fn new(left: &Left<'_>, awaited: Awaited) -> Self {
        let shown = left.jobs.iter().take(LINE_JOBS_MAX);
        Self {
            of: left.of,
            count: left.jobs.len(),
            left: shown.map(|job| One::new(job, left, awaited)).collect(),
        }
    }

    /// One line.
    pub fn text(&self, now: Timestamp) -> String {
        let left: Vec<String> = self.left.iter().map(|one| one.text(now)).collect();
        if self.of == 1 {
            return format!("waiting for {}", left.concat());
        }
        format!("waiting for {} of {} jobs: {}", self.count, self.of, left.join("; "))
    }
}

impl One {
    fn new(job: &Job, left: &Left<'_>, awaited: Awaited) -> Self {
        let name = job.spec.name.as_deref().map(|name| fit(&safe::line(name), NAME_CHARS_MAX));
        let name = name.unwrap_or_else(|| job.id.to_string());
        if let Some(waiting) = job.waiting() {
            let on = waiting.on();
            let rest = on.github().map(|_| format!(", on {on}")).unwrap_or_default();
            return Self { name, does: "waiting for approval", since: waiting.since, rest };
        }
        let Some(run) = job.run() else {
            let rest = left.waits(job).map(|waits| place(&waits)).unwrap_or_default();
            return Self { name, does: "queued", since: job.created_at, rest };
        };
        let since = job.started_at().unwrap_or(job.created_at);
        let rest = match awaited {
            _ if run.ending.is_some() => ", being ended",
            _ if run.paused_at.is_some() => ", paused",
            Awaited::Line => ", its log has not shown the line yet",
            Awaited::End => "",
        };
        Self { name, does: "running", since, rest: rest.to_owned() }
    }

    fn text(&self, now: Timestamp) -> String {
        format!("{}, {} {}{}", self.name, self.does, age(self.since, now), self.rest)
    }
}

/// What comes before a queued job.
fn place(waits: &Waits) -> String {
    match waits {
        Waits::Paused { .. } => ", paused".to_owned(),
        Waits::GroupPaused { .. } => ", its group is paused".to_owned(),
        Waits::ForGroup(_) => ", its group is gone".to_owned(),
        Waits::InVain => ", in vain".to_owned(),
        Waits::ForJobs(open) => format!(", {} before it", jobs(open.len())),
        Waits::ForRetry { .. } => ", to be tried again".to_owned(),
        Waits::Until(_) => ", its time has not come".to_owned(),
        Waits::ForPass => String::new(),
        Waits::ForSlot { ahead, .. } if ahead.is_empty() => ", next".to_owned(),
        Waits::ForSlot { ahead, .. } => format!(", {} ahead", ahead.len()),
    }
}

/// What an interrupted wait says of the jobs that it waited for; nothing where none goes on. Ids mean the same job
/// everywhere, which names and `@` do not.
pub fn goes_on(ids: &[JobId]) -> String {
    if ids.len() > IDS_MAX {
        return format!("bgctl: {} go on; bgctl list --status active shows them\n", jobs(ids.len()));
    }
    let ids: Vec<&str> = ids.iter().map(JobId::as_str).collect();
    let (go, them) = match ids.len() {
        0 => return String::new(),
        1 => ("goes", "it"),
        _ => ("go", "them"),
    };
    let (named, typed) = (listed(&ids), ids.join(" "));
    format!("bgctl: {named} {go} on; bgctl wait {typed} waits again, bgctl cancel {typed} ends {them}\n")
}

/// The ids of jobs that still go on when the time is over.
pub fn late(ids: &[&JobId]) -> String {
    let shown: Vec<&str> = ids.iter().take(IDS_MAX).map(|id| id.as_str()).collect();
    let more = ids.len() - shown.len();
    if more > 0 { format!("{} and {more} more", shown.join(" ")) } else { shown.join(" ") }
}

/// Services among what is waited for.
pub fn services(services: &[Called]) -> String {
    let (is, goes, it) = if services.len() == 1 {
        ("is a service", "goes", "it is")
    } else {
        ("are services", "go", "they are")
    };
    format!("{} {is} and {goes} on until {it} cancelled", names(services))
}

/// Why a wait inside a job may never end by itself, and the ways on.
pub fn circle(circle: &Circle) -> String {
    const WAYS_ON: &str = "bgctl start --service needs no slot, and queue.max_concurrent in config.toml allows more \
                           jobs at the same time";
    let Circle { id, held_by, own } = circle;
    let (ours, others) = held_by.split_at(*own);
    let ours = names(ours);
    let what = if others.is_empty() {
        let slots =
            if *own == 1 { "the only slot is held by the job" } else { "all slots are held by the jobs" };
        format!("{id} waits for a slot, and {slots} that would wait for it here: {ours}")
    } else {
        format!(
            "{id} waits for a slot; {ours} holds one while it waits here, and {} the others: if those wait \
             likewise, nothing goes on",
            names(others)
        )
    };
    format!("{what}; {WAYS_ON}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_jobs_are_counted_and_not_all_named() {
        let ids: Vec<JobId> =
            ('a'..='j').map(|one| JobId::parse(&format!("bg_20260213_abcde{one}")).unwrap()).collect();
        assert_eq!(goes_on(&ids), "bgctl: 10 jobs go on; bgctl list --status active shows them\n");
        assert!(goes_on(&ids[..8]).contains("bgctl wait bg_20260213_abcdea bg_20260213_abcdeb "));
        let ids: Vec<&JobId> = ids.iter().collect();
        assert!(late(&ids).ends_with(" bg_20260213_abcdeh and 2 more"));
        assert_eq!(late(&ids[..2]), "bg_20260213_abcdea bg_20260213_abcdeb");
    }
}
