//! What ought to happen: from facts, what was seen alive, and the time, to events and actions.
//!
//! Pure. One policy a file, named by its noun or verb; [`advance`] is the order in which they apply. A policy
//! reads the draft as the policies before it left it, adds events, and names the actions that follow once the
//! events are stored. Nothing is done here.

pub mod admit;
pub mod approve;
pub mod census;
pub mod chance;
pub mod depend;
pub mod due;
pub mod expire;
pub mod health;
pub mod hook;
pub mod pick;
pub mod recur;
pub mod rescue;
pub mod retain;
pub mod retry;
pub mod shed;
pub mod verdict;

use crate::model::{
    Timestamp,
    claim::{ExecutorName, Site},
    config::Config,
    facts::{Damage, Draft},
    id::JobId,
};
use census::Census;
use chrono::TimeDelta;
use recur::Definitions;
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
    /// Where the ids of runs come from.
    pub ids: &'a dyn NewIds,
    /// What the settings file defines; none where nobody looked.
    pub definitions: Option<&'a Definitions>,
    /// When GitHub was asked last.
    pub polled_at: Option<Timestamp>,
}

/// Where ids come from.
pub trait NewIds: std::fmt::Debug {
    /// An id for a job that is submitted then; it may be taken.
    fn new_id(&self, now: Timestamp) -> JobId;
}

/// What follows once the events are stored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// See that a watcher is on the job: one that starts it, adopts it, or finds another there and leaves.
    Launch {
        /// Which.
        id: JobId,
    },
    /// Tell its watcher to look at the index.
    Poke {
        /// Of which job.
        id: JobId,
    },
    /// End its watcher, which is silent, and launch another.
    Evict {
        /// Of which job.
        id: JobId,
    },
    /// See that somebody makes a pass when the next thing is due.
    Wake {
        /// When that is.
        at: Timestamp,
    },
    /// Remove the ended jobs whose time is over, and say what came of it.
    Retain,
    /// See that somebody runs the hooks that these events are for.
    Hook,
    /// See that somebody asks GitHub for answers.
    Poll,
}

/// Which policies apply beside those that always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Slots only: after a submission or an end.
    Slots,
    /// Everything that can be judged.
    Whole,
    /// That, and the recurring jobs that are built in: a tick.
    Tick,
    /// Everything that can be judged, right after GitHub was asked.
    Poll,
}

impl Scope {
    /// Whether everything is judged that can be.
    pub fn is_whole(self) -> bool {
        self != Self::Slots
    }
}

/// What ought to happen beside the events of the draft.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What follows once the events are stored.
    pub actions: Vec<Action>,
    /// Policies that could not do all of their part, and why. The others did theirs.
    pub warnings: Vec<String>,
}

impl Plan {
    /// An error of one policy is its own: what it has decided so far stands, and the others go on.
    fn heed(&mut self, doing: &str, decided: Result<(), Damage>) {
        if let Err(damage) = decided {
            self.warnings.push(format!("could not {doing}: the index is damaged at {damage}"));
        }
    }
}

/// How long before something is due somebody has to be there who waits for it. What is due later, a pass from outside
/// looks after in time: cron makes one every minute.
pub const WAKE_HORIZON: TimeDelta = TimeDelta::seconds(90);

/// Lets every policy add its part: rescue what was lost, expire what is late, see to what waits for approval, submit what recurs, cancel what waits in vain,
/// pick what runs next, and see that what is due soon is not forgotten, nor a hook that an end is for.
///
/// Retention is apart ([`retain`]): files go before the entries that name them.
pub fn advance(draft: &mut Draft, inputs: &Inputs<'_>, scope: Scope) -> Plan {
    let mut plan = Plan::default();
    let mut actions = Vec::new();
    if scope.is_whole() {
        plan.heed("rescue what was lost", rescue::rescue(draft, inputs, &mut actions));
        plan.heed("end what is silent", expire::expire(draft, inputs, &mut actions));
    }
    plan.heed("see to approvals", approve::approve(draft, inputs, scope));
    plan.heed("start what recurs", recur::recur(draft, inputs, scope, &mut actions));
    plan.heed("cancel what waits in vain", depend::depend(draft, inputs));
    plan.heed("start what waits", pick::pick(draft, inputs, &mut actions));
    approve::ask(draft, inputs, scope, &mut actions);
    if let Some(at) = due::next(draft.facts(), inputs.config, inputs.polled_at, inputs.now)
        .filter(|at| *at - inputs.now <= WAKE_HORIZON)
    {
        actions.push(Action::Wake { at });
    }
    hook::hook(draft, inputs, &mut actions);
    plan.actions = actions;
    plan
}
