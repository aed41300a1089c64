//! Picking: which queued jobs get the free slots. First in, first out.

use super::{Action, Inputs};
use crate::model::{
    claim::{Claim, Relation},
    event::Event,
    facts::{Damage, Draft, Facts, Head},
    id::JobId,
    state::{Change, Status},
};

/// Claims a slot for each due job while there are free ones.
pub fn pick(draft: &mut Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) -> Result<(), Damage> {
    let free = inputs.config.slots.saturating_sub(slots_held(draft.facts(), inputs));
    let next: Vec<JobId> = draft
        .facts()
        .heads()
        .filter(|head| is_due(head, inputs))
        .take(free)
        .map(|head| head.id.clone())
        .collect();
    for id in next {
        let claim = Claim { site: inputs.site.clone(), executor: inputs.executor };
        draft.push(Event::Changed { id: id.clone(), change: Change::Claim { at: inputs.now, claim } })?;
        actions.push(Action::Launch(id));
    }
    Ok(())
}

/// Slots that are held here. A job of another machine holds none of ours; one that nobody claimed might be here.
pub fn slots_held(facts: &Facts, inputs: &Inputs<'_>) -> usize {
    facts
        .running()
        .filter_map(crate::model::job::Job::run)
        .filter(|run| {
            run.claim.as_ref().is_none_or(|claim| inputs.site.relation(&claim.site) == Relation::Same)
        })
        .count()
}

fn is_due(head: &Head, inputs: &Inputs<'_>) -> bool {
    head.status == Status::Queued && head.not_before.is_none_or(|at| at <= inputs.now)
}

/// How many queued jobs come before this one.
pub fn ahead_of(facts: &Facts, id: &JobId) -> usize {
    facts.heads().take_while(|head| head.id != *id).filter(|head| head.status == Status::Queued).count()
}
