//! Retries.

use super::start::{foreseen, place};
use super::words::{jobs, listed};
use crate::model::{Timestamp, id::JobId, job::Job, state::Status};
use crate::ops::retry::{Foreseen, Left, Repeated, Retried};
use std::collections::BTreeMap;

/// What there is to say of new jobs, beside their ids: a line each.
pub fn retried(retried: &Retried, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &retried.jobs {
        if !one.others.is_empty() {
            let others: Vec<String> =
                one.others.iter().map(|(id, status)| format!("{id} ({status})")).collect();
            lines.push(format!("{} is being retried already, by {}", one.original, listed(&others)));
        }
    }
    let anew: Vec<&Repeated> = retried.jobs.iter().filter(|one| !one.has_its_environment).collect();
    match &anew[..] {
        [] => {}
        [one] => lines.push(format!(
            "{} {}: {} runs with the one of here",
            one.original,
            if one.was_dead_letter {
                "has no environment of its own, as it was made by hand"
            } else {
                "is no dead letter, so that its environment is not kept"
            },
            one.submitted.job.id
        )),
        many => lines.push(format!(
            "the environment is kept of dead letters only: {} run with the one of here",
            jobs(many.len())
        )),
    }
    match &retried.jobs[..] {
        [] => {}
        [one] => lines.extend(place(&one.submitted, now)),
        many => lines.push(in_all(many)),
    }
    lines
}

fn in_all(all: &[Repeated]) -> String {
    let queued = all.iter().filter(|one| one.submitted.job.status() == Status::Queued).count();
    let waiting = if queued == 0 { String::new() } else { format!(", {queued} of them queued") };
    format!("{} started again{waiting}", jobs(all.len()))
}

/// A dead letter that stays.
pub fn retry_left(left: &Left) -> String {
    format!("{} stays a dead letter: {} has its key", left.id, left.holder)
}

/// What would be submitted.
pub fn retry_foreseen(all: &Foreseen, now: Timestamp) -> String {
    let names = BTreeMap::new();
    let one = |(original, job): &(JobId, Job)| {
        let whose = if job.spec.env.is_some() { "its environment" } else { "the environment of here" };
        let would = foreseen(job, false, &names, &[], now);
        format!("{would}  as a retry of {original}, with {whose}\n")
    };
    all.jobs.iter().map(one).collect()
}
