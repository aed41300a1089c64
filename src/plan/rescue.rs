//! Rescue: running jobs whose watcher is gone.

use super::{Action, Inputs, census::Sighting, retry};
use crate::model::{
    event::Event,
    facts::{Damage, Draft},
    job::Job,
    outcome::{Ending, Exit, Outcome},
    state::Change,
};

/// Carries recorded outcomes over, judges what cannot run any more, and launches watchers for what may.
pub fn rescue(draft: &mut Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) -> Result<(), Damage> {
    let running: Vec<Job> = draft.facts().running().cloned().collect();
    for job in running {
        let Some(sighting) = inputs.census.of(&job) else { continue };
        match sighting {
            Sighting::NotStarted | Sighting::Orphaned => actions.push(Action::Launch { id: job.id }),
            Sighting::Ended { outcome, ending } => end_under(draft, &job, outcome.clone(), ending.clone())?,
            Sighting::Vanished => {
                end(draft, &job, unknown(inputs, "its watcher and its processes vanished unseen"))?;
            }
            Sighting::Rebooted => {
                end(draft, &job, unknown(inputs, "the machine was started again meanwhile"))?;
            }
            Sighting::NeverExecuted => {
                draft.push(Event::Changed { id: job.id, change: Change::GiveBack })?;
            }
            // Whoever committed what it is to do may have died before it told its watcher.
            Sighting::Watched { over, pausing, .. }
                if job.run().is_some_and(|run| run.ending.is_some())
                    || (!over && *pausing != job.paused_at().is_some()) =>
            {
                actions.push(Action::Poke { id: job.id });
            }
            Sighting::Watched { .. } | Sighting::Unseen { .. } => {}
        }
    }
    Ok(())
}

fn unknown(inputs: &Inputs<'_>, reason: &str) -> Outcome {
    Outcome::bare(Exit::Unknown { reason: reason.to_owned() }, inputs.now)
}

/// Ends a running job with an outcome, under an intent that the index may not have yet.
pub fn end_under(
    draft: &mut Draft,
    job: &Job,
    outcome: Outcome,
    ending: Option<Ending>,
) -> Result<(), Damage> {
    if let Some(ending) = ending {
        // No effect where an intent stands already.
        draft.push(Event::Changed { id: job.id.clone(), change: Change::Decide { ending } })?;
    }
    let current = draft.facts().job(&job.id)?;
    end(draft, current.as_ref().unwrap_or(job), outcome)
}

/// Ends a running job with an outcome: for good, or until its next attempt.
pub fn end(draft: &mut Draft, job: &Job, outcome: Outcome) -> Result<(), Damage> {
    let retry_at = retry::retry_at(job, &outcome);
    let summary = retry::summarize(job, &outcome, retry_at.is_some());
    let dead_letter = job.spec.retry.attempts_max > 1;
    let change = Change::End { outcome, retry_at, summary, dead_letter };
    draft.push(Event::Changed { id: job.id.clone(), change })?;
    Ok(())
}
