//! Waiting inside a job: it holds its slot for as long as the wait lasts, and what is waited for may need that very
//! slot.

use super::{
    attend::Attendance,
    called::{Called, called},
    fault::Fault,
    home::Home,
};
use crate::exec::local::tree::{MARK, is_job_watcher};
use crate::model::{facts::Facts, id::JobId};
use crate::os::{clock::Clock, process};
use crate::plan::pick::{self, Waits};
use std::collections::HashSet;
use std::fmt;

/// The job inside which this process runs, as its environment says.
pub fn own_job() -> Option<JobId> {
    std::env::var(MARK).ok().and_then(|id| JobId::parse(&id).ok())
}

/// How many processes are looked at on the way up.
const ANCESTORS_MAX: usize = 10_000;

/// What this process runs inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// The job whose mark it, or a process above it, carries.
    Marked(JobId),
    /// A job, as a watcher is above it; which one is not said.
    Watched,
}

impl fmt::Display for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked(id) => write!(f, "the job {id}"),
            Self::Watched => f.write_str("a job"),
        }
    }
}

/// The job inside which this process runs. Leaving the mark out of one's environment is not enough to be outside: those above
/// carry it, too, and whatever a job's process does, it stays below the job's watcher.
pub fn surrounding_job() -> Option<Surroundings> {
    if let Some(id) = own_job() {
        return Some(Surroundings::Marked(id));
    }
    let mut pid = process::look(std::process::id().cast_signed()).ok()??.parent;
    for _ in 0..ANCESTORS_MAX {
        let above = process::look(pid).ok()??;
        let value = process::variable(pid, MARK);
        if let Some(id) = value.and_then(|value| JobId::parse(std::str::from_utf8(&value).ok()?).ok()) {
            return Some(Surroundings::Marked(id));
        }
        if is_job_watcher(&above) {
            return Some(Surroundings::Watched);
        }
        pid = above.parent;
    }
    None
}

/// A wait that may never end by itself.
#[derive(Clone, Debug)]
pub struct Circle {
    /// The job that is waited for, and waits for a slot.
    pub id: JobId,
    /// What holds the slots, as it is called; first the jobs inside which this process runs.
    pub held_by: Vec<Called>,
    /// How many of those are jobs inside which this process runs.
    pub own: usize,
}

/// Whether one of these jobs waits for a slot while this process waits inside a job that holds one.
pub fn circle(home: &Home, attendance: &Attendance<'_>, ids: &[JobId]) -> Result<Option<Circle>, Fault> {
    let facts = &attendance.read()?;
    let own = running_around(facts)?;
    if own.is_empty() {
        return Ok(None);
    }
    let now = home.clock.now();
    // Of jobs of one group, the first that waits for a slot tells what any other would.
    let mut seen: HashSet<Option<&str>> = HashSet::new();
    for id in ids {
        let Some(head) = facts.head(id) else { continue };
        let waits_for_slot = pick::is_due(facts, head, now) && !head.belongs.service;
        if !waits_for_slot || !seen.insert(head.belongs.group.as_deref()) {
            continue;
        }
        let waits = pick::why_it_waits(facts, id, now, &home.config, &home.site)?;
        let Some(Waits::ForSlot { held_by, .. }) = waits else { continue };
        let (mut order, others): (Vec<JobId>, Vec<JobId>) =
            held_by.into_iter().partition(|holder| own.contains(holder));
        if order.is_empty() {
            continue;
        }
        let own = order.len();
        order.extend(others);
        return Ok(Some(Circle { id: id.clone(), held_by: called(facts, &order), own }));
    }
    Ok(None)
}

/// The running jobs inside which this process runs: its own, that one's parent, and so on.
pub fn running_around(facts: &Facts) -> Result<Vec<JobId>, Fault> {
    let mut around: Vec<JobId> = Vec::new();
    let mut next = own_job();
    while let Some(id) = next.take().filter(|id| !around.contains(id)) {
        if let Some(job) = facts.job(&id)?
            && job.run().is_some()
        {
            next.clone_from(&job.spec.parent);
            around.push(id);
        }
    }
    Ok(around)
}
