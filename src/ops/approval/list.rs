//! Which jobs wait for a person, and which will.

use crate::model::{Timestamp, job::Job};
use crate::ops::{
    fault::Fault,
    home::{BrokenConfig, Home},
};
use crate::store::Store;

/// The jobs that wait for an answer, the one that waits longest first, and those that run and have asked.
#[derive(Debug, Default)]
pub struct Listed {
    /// They.
    pub jobs: Vec<Job>,
    /// When GitHub was asked last.
    pub polled_at: Option<Timestamp>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Looks. Changes nothing.
pub fn list() -> Result<Listed, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Listed::default()) };
    let facts = home.store().read()?;
    let mut jobs = facts.jobs(|head| head.waiting.is_some())?;
    jobs.sort_by_key(|job| job.waiting().map(|waiting| waiting.since));
    let asks = |job: &&Job| job.run().is_some_and(|run| run.asked.is_some());
    jobs.extend(facts.running().filter(asks).cloned());
    let is_on_github = |job: &Job| job.waiting().is_some_and(|waiting| waiting.request.on.github().is_some());
    let polled_at = home.polled_at().filter(|_| jobs.iter().any(is_on_github));
    Ok(Listed { jobs, polled_at, warnings: home.warnings })
}
