//! A submission.

use super::approval::waits_for;
use super::asked::asked;
use super::words::{end, run_time, waiting_named};
use crate::model::{
    Timestamp,
    id::JobId,
    job::Job,
    spec::{Input, LeftoverPolicy},
    state::Status,
};
use crate::ops::{
    called::Called,
    start::{Foreseen, Submitted},
};
use crate::plan::admit::Full;
use crate::render::safe;
use std::collections::BTreeMap;

/// Why a submitted job does not run at once.
pub fn place(submitted: &Submitted, now: Timestamp) -> Option<String> {
    if !submitted.created {
        return Some(format!("{}; nothing was started", existing(&submitted.job, submitted.differs, now)));
    }
    if submitted.job.status().has_ended() {
        return Some(end(&submitted.job));
    }
    if let Some(waiting) = submitted.job.waiting() {
        let id = &submitted.job.id;
        let more = waiting.request.on.github().map(|_| format!("; bgctl status {id} says how far that is"));
        return Some(format!("waits {}{}", waits_for(waiting, id), more.unwrap_or_default()));
    }
    let waits = submitted.waits.as_ref()?;
    Some(format!("queued: {}", waiting_named(waits, &submitted.holders, now)))
}

/// The key was taken.
fn existing(job: &Job, differs: bool, now: Timestamp) -> String {
    let stands = match job.status() {
        Status::Running => format!("is running, for {}", run_time(job, now)),
        Status::Queued => "is queued".to_owned(),
        Status::WaitingApproval => "waits for approval".to_owned(),
        Status::Cancelled => "was cancelled".to_owned(),
        ended => format!("has {ended}"),
    };
    let other = if differs { ", with another command" } else { "" };
    format!("{} has the key and {stands}{other}", job.id)
}

/// Why a submission waits.
pub fn full(full: &Full) -> String {
    format!("the queue is full: {} wait; this goes on when {} do", full.waiting, full.threshold)
}

/// What a wait for room would be.
pub fn would_wait(full: &Full) -> String {
    format!(
        "it would wait for room first: {} wait, and it goes on when {} do\n",
        full.waiting, full.threshold
    )
}

/// What a submission would come to. `own_input`: whether it would be given our own standard input, which is not read
/// now.
pub fn foreseen_one(foreseen: &Foreseen, own_input: bool, now: Timestamp) -> String {
    let mut text = String::new();
    for (job, there) in foreseen.jobs.iter().zip(&foreseen.existing) {
        text.push_str(&match there {
            Some(there) => {
                let differs = there.spec.display != job.spec.display;
                format!("{}; nothing would be started\n", existing(there, differs, now))
            }
            None => self::foreseen(job, own_input, &foreseen.names, &foreseen.groups, now),
        });
    }
    text.push_str(&foreseen.full.as_ref().map(would_wait).unwrap_or_default());
    text
}

/// What would be submitted. `groups`: those that would be made.
pub fn foreseen(
    job: &Job,
    own_input: bool,
    names: &BTreeMap<JobId, Called>,
    groups: &[String],
    now: Timestamp,
) -> String {
    let limits = job.spec.limits;
    let mut text = format!("would start: {}\n", safe::line(&job.spec.display));
    if let Some(name) = &job.spec.name {
        text.push_str(&format!("  named {}\n", safe::line(name)));
    }
    if !job.spec.labels.is_empty() {
        text.push_str(&format!("  labelled {}\n", safe::line(&job.spec.labels.join(", "))));
    }
    text.push_str(&format!("  in {}\n", safe::line(&job.spec.cwd.to_text())));
    match &job.spec.stdin {
        Input::File(path) => text.push_str(&format!("  reading {}\n", safe::line(&path.to_text()))),
        Input::Pipe => text.push_str("  reading a pipe, into which bgctl send writes\n"),
        Input::Nothing if own_input => {
            text.push_str("  reading what it is given on standard input, kept beside its log\n");
        }
        Input::Nothing => {}
    }
    text.push_str(&format!(
        "  timeout {}, stale after {}, grace {}, log at most {}\n",
        limits.timeout, limits.stale_after, limits.grace, limits.log
    ));
    for line in asked(job, names, groups, now) {
        text.push_str(&format!("  {line}\n"));
    }
    if job.spec.service {
        text.push_str("  a service: outside the slots, until it is cancelled\n");
    }
    if job.spec.leftovers == LeftoverPolicy::Leave {
        text.push_str("  processes that outlive it are left running\n");
    }
    if !job.spec.variables.is_empty() {
        let names: Vec<String> = job.spec.variables.iter().map(|name| safe::line(name)).collect();
        text.push_str(&format!("  with {} set\n", names.join(", ")));
    }
    text
}
