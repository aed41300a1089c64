//! Picking: which queued jobs get the free slots. First in, first out; services need none.

use super::{Action, Inputs};
use crate::model::{
    Timestamp,
    claim::{Claim, Relation, Site},
    config::Config,
    event::Event,
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    job::Job,
    state::{Change, State, Status},
};

/// Claims a slot for each due job while there are free ones, and claims every due service.
pub fn pick(draft: &mut Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) -> Result<(), Damage> {
    let mut free = inputs.config.slots.saturating_sub(holders(draft.facts(), inputs.site).count());
    let mut next: Vec<JobId> = Vec::new();
    for head in draft.facts().heads().filter(|head| is_due(head, inputs.now)) {
        if head.service {
            next.push(head.id.clone());
        } else if free > 0 {
            free -= 1;
            next.push(head.id.clone());
        }
    }
    for id in next {
        let claim = Claim { site: inputs.site.clone(), executor: inputs.executor };
        draft.push(Event::Changed { id: id.clone(), change: Change::Claim { at: inputs.now, claim } })?;
        actions.push(Action::Launch(id));
    }
    Ok(())
}

/// The running jobs that hold a slot here. A job of another machine holds none of ours, nor does a service; one that
/// nobody claimed might be here.
pub fn holders<'a>(facts: &'a Facts, site: &'a Site) -> impl Iterator<Item = &'a Job> {
    facts.running().filter(|job| {
        let claim = job.run().and_then(|run| run.claim.as_ref());
        let here = claim.is_none_or(|claim| site.relation(&claim.site) == Relation::Same);
        here && !job.spec.service
    })
}

/// Whether a job could start now if it got a slot.
pub fn is_due(head: &Head, now: Timestamp) -> bool {
    head.status == Status::Queued && !head.paused && head.not_before.is_none_or(|at| at <= now)
}

/// Why a queued job does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Somebody paused it.
    Paused {
        /// When.
        since: Timestamp,
    },
    /// Its time has not come.
    Until(Timestamp),
    /// All slots are held.
    ForSlot {
        /// By these running jobs.
        held_by: Vec<JobId>,
        /// And these queued ones come before it, the next one first.
        ahead: Vec<JobId>,
    },
    /// Nothing holds it: the next pass starts it.
    ForPass,
}

/// Why a job waits; `None` for one that is not queued.
pub fn why_it_waits(
    facts: &Facts,
    id: &JobId,
    now: Timestamp,
    config: &Config,
    site: &Site,
) -> Result<Option<Waits>, Damage> {
    let Some(job) = facts.job(id)? else { return Ok(None) };
    let State::Queued { not_before, paused_at } = job.state else { return Ok(None) };
    if let Some(since) = paused_at {
        return Ok(Some(Waits::Paused { since }));
    }
    if let Some(at) = not_before.filter(|at| *at > now) {
        return Ok(Some(Waits::Until(at)));
    }
    let held_by: Vec<JobId> = holders(facts, site).map(|job| job.id.clone()).collect();
    let before = facts.heads().take_while(|head| head.id != *id);
    let ahead: Vec<JobId> =
        before.filter(|head| is_due(head, now) && !head.service).map(|head| head.id.clone()).collect();
    let free = config.slots.saturating_sub(held_by.len());
    let starts = job.spec.service || ahead.len() < free;
    Ok(Some(if starts { Waits::ForPass } else { Waits::ForSlot { held_by, ahead } }))
}
