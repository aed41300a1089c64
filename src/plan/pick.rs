//! Picking: which queued jobs get the free slots. Within each group the most urgent first, and of equals the one that was
//! submitted first; services need no slot.

use super::{Action, Inputs, depend};
use crate::model::{
    Timestamp,
    claim::{Claim, Relation, Site},
    config::Config,
    dependency::Dependency,
    event::Event,
    facts::{Belongings, Damage, Draft, Facts, Head},
    group,
    id::JobId,
    job::Job,
    state::{Change, State, Status},
};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Claims a slot for each due job while its group has free ones, and claims every due service.
pub fn pick(draft: &mut Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) -> Result<(), Damage> {
    for id in next(draft.facts(), inputs) {
        let claim = Claim { site: inputs.site.clone(), executor: inputs.executor };
        draft.push(Event::Changed { id: id.clone(), change: Change::Claim { at: inputs.now, claim } })?;
        actions.push(Action::Launch { id });
    }
    Ok(())
}

fn next(facts: &Facts, inputs: &Inputs<'_>) -> Vec<JobId> {
    let mut free = Free::of(facts, inputs.config, inputs.site);
    let mut next = Vec::new();
    let may_start = |head: &Head| head.status == Status::Queued && free.has_room_for(head);
    for head in in_order_of(facts, inputs.now, may_start) {
        // An entry that is damaged inside must not stop the others ([`damaged`]).
        if free.has_room_for(head) && facts.job(&head.id).is_ok() {
            free.take_for(head);
            next.push(head.id.clone());
        }
    }
    next
}

/// The entries that would be started now if they could be read whole, and where they are damaged.
pub fn damaged(facts: &Facts, inputs: &Inputs<'_>) -> Vec<(JobId, Damage)> {
    let free = Free::of(facts, inputs.config, inputs.site);
    let heads = facts.heads().filter(|head| head.status == Status::Queued && free.has_room_for(head));
    let due = heads.filter(|head| is_due(facts, head, inputs.now));
    due.filter_map(|head| Some((head.id.clone(), facts.job(&head.id).err()?))).collect()
}

/// The free slots of each group, counted once for many questions.
struct Free<'a> {
    facts: &'a Facts,
    config: &'a Config,
    held: HashMap<&'a str, usize>,
    /// What was asked last, and the answer: neighbours in a queue mostly belong together.
    last: RefCell<Option<(Arc<Belongings>, bool)>>,
}

impl<'a> Free<'a> {
    fn of(facts: &'a Facts, config: &'a Config, site: &'a Site) -> Self {
        let mut held: HashMap<&str, usize> = HashMap::new();
        for job in holders(facts, site) {
            *held.entry(group_of(job.spec.group.as_deref())).or_default() += 1;
        }
        Self { facts, config, held, last: RefCell::default() }
    }

    /// Whether a job would get a slot, or needs none.
    fn has_room_for(&self, head: &Head) -> bool {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((belongs, has_room)) if Arc::ptr_eq(belongs, &head.belongs) => *has_room,
            _ => {
                let name = group_of(head.belongs.group.as_deref());
                let taken = self.held.get(name).copied().unwrap_or(0);
                let has_room =
                    head.belongs.service || slots(self.facts, self.config, name).unwrap_or(0) > taken;
                *last = Some((Arc::clone(&head.belongs), has_room));
                has_room
            }
        }
    }

    fn take_for(&mut self, head: &'a Head) {
        self.last.take();
        if !head.belongs.service {
            *self.held.entry(group_of(head.belongs.group.as_deref())).or_default() += 1;
        }
    }
}

/// The jobs that could start now if they got a slot, in the order in which they get one.
pub fn in_order(facts: &Facts, now: Timestamp) -> Vec<&Head> {
    in_order_of(facts, now, |_| true)
}

fn in_order_of(facts: &Facts, now: Timestamp, is_wanted: impl Fn(&Head) -> bool) -> Vec<&Head> {
    let wanted = facts.heads().filter(|head| is_wanted(head) && is_due(facts, head, now));
    let mut due: Vec<&Head> = wanted.collect();
    // A stable sort: among equals the order of submission stays.
    due.sort_by_key(|head| head.belongs.priority);
    due
}

/// The name of a job's group.
pub fn group_of(group: Option<&str>) -> &str {
    group.unwrap_or(group::DEFAULT)
}

/// How many jobs of a group run at the same time; `None`: there is no such group. The settings file wins over the index.
pub fn slots(facts: &Facts, config: &Config, name: &str) -> Option<usize> {
    if name == group::DEFAULT {
        return Some(config.slots);
    }
    let of_sessions = || (name == group::SESSIONS).then_some(config.sessions.len().max(1));
    config.groups.get(name).copied().or_else(|| facts.groups().get(name)?.slots).or_else(of_sessions)
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

/// Those of them that hold a slot of that group.
pub fn holders_of<'a>(
    facts: &'a Facts,
    site: &'a Site,
    group: Option<&'a str>,
) -> impl Iterator<Item = &'a Job> {
    holders(facts, site).filter(move |job| job.spec.group.as_deref() == group)
}

/// Whether a job could start now if it got a slot.
pub fn is_due(facts: &Facts, head: &Head, now: Timestamp) -> bool {
    head.status == Status::Queued
        && !head.paused
        && head.not_before.is_none_or(|at| at <= now)
        && !facts.is_group_paused(group_of(head.belongs.group.as_deref()))
        && depend::is_met(facts, head)
}

/// Whether the next pass would start one of these jobs.
pub fn would_start_any<'a>(
    facts: &'a Facts,
    heads: impl Iterator<Item = &'a Head>,
    now: Timestamp,
    config: &Config,
    site: &Site,
) -> bool {
    would_start(facts, heads, now, config, site).is_some()
}

/// The first of these jobs that the next pass could start.
pub fn would_start<'a>(
    facts: &'a Facts,
    mut heads: impl Iterator<Item = &'a Head>,
    now: Timestamp,
    config: &Config,
    site: &Site,
) -> Option<&'a Head> {
    let free = Free::of(facts, config, site);
    heads.find(|head| {
        head.status == Status::Queued
            && free.has_room_for(head)
            && is_due(facts, head, now)
            && facts.job(&head.id).is_ok()
    })
}

/// Why a queued job does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Somebody paused it.
    Paused {
        /// When.
        since: Timestamp,
    },
    /// Somebody paused its group.
    GroupPaused {
        /// Which.
        group: String,
        /// When.
        since: Timestamp,
    },
    /// The ends of other jobs have yet to come.
    ForJobs(Vec<Dependency>),
    /// A job that had to complete before it did not: the next pass cancels it.
    InVain,
    /// Its time has not come.
    Until(Timestamp),
    /// Its last attempt failed, and the time of the next one has not come.
    ForRetry {
        /// When it comes.
        at: Timestamp,
        /// Which attempt it is.
        attempt: u32,
        /// Of how many.
        attempts_max: u32,
    },
    /// There is no such group any more.
    ForGroup(String),
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

/// Why a job waits; `None` for one that is not queued. Of several reasons the one that is told is the one that lasts
/// until somebody does something, then the one that ends by itself.
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
    let name = group_of(job.spec.group.as_deref());
    if let Some(since) = facts.groups().get(name).and_then(|group| group.paused_at) {
        return Ok(Some(Waits::GroupPaused { group: name.to_owned(), since }));
    }
    let Some(slots) = slots(facts, config, name).or(job.spec.service.then_some(0)) else {
        return Ok(Some(Waits::ForGroup(name.to_owned())));
    };
    let open = depend::open(facts, &job.spec.after);
    if !open.is_empty() {
        return Ok(Some(Waits::ForJobs(open.into_iter().cloned().collect())));
    }
    if facts.head(id).is_some_and(|head| !depend::is_met(facts, head)) {
        return Ok(Some(Waits::InVain));
    }
    if let Some(at) = not_before.filter(|at| *at > now) {
        let attempts_max = job.spec.retry.attempts_max;
        return Ok(Some(match job.attempt {
            0 => Waits::Until(at),
            attempt => Waits::ForRetry { at, attempt: attempt + 1, attempts_max },
        }));
    }
    if job.spec.service {
        return Ok(Some(Waits::ForPass));
    }
    let group = job.spec.group.as_deref();
    let held_by: Vec<JobId> = holders_of(facts, site, group).map(|job| job.id.clone()).collect();
    let ahead: Vec<JobId> = line(facts, group, now)
        .into_iter()
        .take_while(|head| head.id != *id)
        .map(|head| head.id.clone())
        .collect();
    let starts = ahead.len() < slots.saturating_sub(held_by.len());
    Ok(Some(if starts { Waits::ForPass } else { Waits::ForSlot { held_by, ahead } }))
}

/// The jobs that stand in line for a slot of that group, the next one first.
pub fn line<'a>(facts: &'a Facts, group: Option<&str>, now: Timestamp) -> Vec<&'a Head> {
    in_order_of(facts, now, |head| !head.belongs.service && head.belongs.group.as_deref() == group)
}

/// The place of a job in its line, from 1; `None`: it stands in none.
pub fn place(facts: &Facts, id: &JobId, now: Timestamp) -> Option<usize> {
    let head = facts.head(id).filter(|head| is_due(facts, head, now))?;
    let line = line(facts, head.belongs.group.as_deref(), now);
    line.iter().position(|other| other.id == *id).map(|before| before + 1)
}
