//! A submission.

use super::words::{end, run_time, waiting_named};
use crate::model::{
    Timestamp,
    job::Job,
    spec::{Input, LeftoverPolicy},
    state::Status,
};
use crate::ops::start::Submitted;
use crate::plan::admit::Full;
use crate::render::safe;

/// Why a submitted job does not run at once.
pub fn place(submitted: &Submitted, now: Timestamp) -> Option<String> {
    if !submitted.created {
        return Some(existing(submitted, now));
    }
    if submitted.job.status().has_ended() {
        return Some(end(&submitted.job));
    }
    let waits = submitted.waits.as_ref()?;
    Some(format!("queued: {}", waiting_named(waits, &submitted.holders, now)))
}

/// The key was taken.
fn existing(submitted: &Submitted, now: Timestamp) -> String {
    let job = &submitted.job;
    let stands = match job.status() {
        Status::Running => format!("is running, for {}", run_time(job, now)),
        Status::Queued => "is queued".to_owned(),
        Status::WaitingApproval => "waits for approval".to_owned(),
        Status::Cancelled => "was cancelled".to_owned(),
        ended => format!("has {ended}"),
    };
    let other = if submitted.differs { ", with another command" } else { "" };
    format!("{} has the key and {stands}{other}; nothing was started", job.id)
}

/// Why a submission waits.
pub fn full(full: &Full) -> String {
    format!("the queue is full: {} wait; this goes on when {} do", full.waiting, full.threshold)
}

/// What would be submitted. `own_input`: whether it would be given our own standard input, which is not read now.
pub fn foreseen(job: &Job, own_input: bool) -> String {
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
