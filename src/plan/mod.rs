//! What ought to happen: from facts, what was seen alive, and the time, to events and actions.
//!
//! Pure. One policy a file, named by its noun or verb; [`advance`] is the order in which they apply. A policy
//! reads the draft as the policies before it left it, adds events, and names the actions that follow once the
//! events are stored. Nothing is done here.

pub mod admit;
pub mod census;
pub mod expire;
pub mod pick;
pub mod rescue;
pub mod retain;
pub mod shed;

use crate::model::{
    Timestamp,
    claim::{ExecutorName, Site},
    config::Config,
    facts::{Damage, Draft},
    id::JobId,
};
use census::Census;
use serde::Serialize;

/// What a plan is made from, beside the facts.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What was seen alive. A job that is not in it is not judged.
    pub census: &'a Census,
    /// The present.
    pub now: Timestamp,
    /// The settings in force.
    pub config: &'a Config,
    /// Where this plan is made.
    pub site: &'a Site,
    /// What would run the jobs that are picked.
    pub executor: ExecutorName,
}

/// What follows once the events are stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "action", content = "id", rename_all = "snake_case")]
pub enum Action {
    /// See that a watcher is on the job: one that starts it, adopts it, or finds another there and leaves.
    Launch(JobId),
    /// Tell its watcher to look at the index.
    Poke(JobId),
    /// End its watcher, which is silent, and launch another.
    Evict(JobId),
}

/// Which policies apply beside those that always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Slots only: after a submission or an end.
    Slots,
    /// Everything that can be judged.
    Whole,
}

/// Lets every policy add its part: rescue what was lost, expire what is late, pick what runs next.
///
/// Retention is apart ([`retain`]): files go before the entries that name them.
pub fn advance(draft: &mut Draft, inputs: &Inputs<'_>, scope: Scope) -> Result<Vec<Action>, Damage> {
    let mut actions = Vec::new();
    if scope == Scope::Whole {
        rescue::rescue(draft, inputs, &mut actions)?;
        expire::expire(draft, inputs, &mut actions)?;
    }
    pick::pick(draft, inputs, &mut actions)?;
    Ok(actions)
}
