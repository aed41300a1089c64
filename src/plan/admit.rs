//! Admission: what may enter the queue, and what is there already under its key.

use crate::model::{
    Timestamp,
    config::Queue,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    job::Job,
    state::Status,
};
use std::collections::HashSet;

/// What became of one submitted job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is queued.
    Admitted,
    /// A job of its key is there already: this one.
    Existing(JobId),
    /// Its id is taken, and the submitter draws another.
    Taken,
}

/// The queue is too full for another submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many entries wait.
    pub waiting: usize,
    /// Beyond how many nothing is taken.
    pub threshold: usize,
    /// The size of the queue.
    pub jobs_max: usize,
}

/// Adds a submitted job behind all others, unless its key is taken.
pub fn admit(draft: &mut Draft, job: Job, now: Timestamp) -> Result<Admission, Damage> {
    if let Some(key) = &job.spec.key
        && let Some(holder) = holder_of_key(draft.facts(), &key.text, now)
    {
        return Ok(Admission::Existing(holder.id.clone()));
    }
    let applied = draft.push(Event::Submitted { job: Box::new(job) })?;
    Ok(if applied == Applied::Yes { Admission::Admitted } else { Admission::Taken })
}

/// The job that holds a key: one that has not ended before one that has, and of these the newest.
pub fn holder_of_key<'a>(facts: &'a Facts, key: &str, now: Timestamp) -> Option<&'a Head> {
    let of_key = |head: &&Head| head.key.as_ref().is_some_and(|its| its.text == key) && head.holds_key(now);
    let mut holders = facts.heads().rev().filter(of_key).peekable();
    let newest = holders.peek().copied();
    holders.find(|head| !head.status.has_ended()).or(newest)
}

/// Whether the queue takes another submission: a job, or a batch, which counts as one.
///
/// Services never wait for a slot, so that they neither count nor are refused; what is in the queue already always
/// comes back to it.
pub fn room(facts: &Facts, queue: &Queue) -> Result<(), Full> {
    let waiting = waiting(facts);
    let threshold = queue.threshold();
    if waiting > threshold { Err(Full { waiting, threshold, jobs_max: queue.jobs_max }) } else { Ok(()) }
}

/// How many entries wait: queued jobs, those of one batch as one.
pub fn waiting(facts: &Facts) -> usize {
    let queued = facts.heads().filter(|head| head.status == Status::Queued && !head.service);
    let mut batches: HashSet<&JobId> = HashSet::new();
    queued.filter(|head| head.batch.as_ref().is_none_or(|batch| batches.insert(batch))).count()
}
