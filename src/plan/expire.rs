//! Expiry: run time that is over, and watchers that are silent for too long.

use super::{Action, Inputs, census::Sighting, rescue};
use crate::model::{
    Timestamp,
    event::Event,
    facts::{Damage, Draft},
    job::Job,
    limit::{Limits, format_seconds},
    outcome::{Ending, Exit, Outcome, Why},
    state::Change,
};

/// Seconds until the attempt's time is over, from the seconds it has run; `None` without a limit.
///
/// The watcher asks again, with the limits as they then are, before it ends a tree.
pub fn seconds_left(limits: &Limits, ran_seconds: u64) -> Option<u64> {
    limits.timeout.seconds.map(|limit| limit.saturating_sub(ran_seconds))
}

/// For how many seconds an unseen job has given no sign of life; `None` as long as it may be silent.
pub fn stale_for(job: &Job, last_sign: Timestamp, now: Timestamp) -> Option<u64> {
    let limit = job.spec.limits.stale_after.seconds?;
    let silent = u64::try_from((now - last_sign).num_seconds()).unwrap_or(0);
    (silent >= limit).then_some(silent)
}

/// The stale guard.
pub fn expire(draft: &mut Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) -> Result<(), Damage> {
    let running: Vec<Job> = draft.facts().running().cloned().collect();
    for job in running {
        let Some(limit) = job.spec.limits.stale_after.seconds else { continue };
        match inputs.census.of(&job) {
            Some(Sighting::Watched { silent_seconds, .. }) if *silent_seconds >= limit => {
                decide(draft, &job, inputs.now, *silent_seconds)?;
                actions.push(Action::Evict { id: job.id });
            }
            Some(Sighting::Unseen { last_sign }) => {
                if let Some(silent) = stale_for(&job, *last_sign, inputs.now) {
                    decide(draft, &job, inputs.now, silent)?;
                    end_unseen(draft, &job, inputs.now)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn decide(draft: &mut Draft, job: &Job, now: Timestamp, silent_seconds: u64) -> Result<(), Damage> {
    let note = format!("stale: no sign of life for {}", format_seconds(silent_seconds));
    let ending = Ending { why: Why::Stale, at: now, signal: None, note: Some(note) };
    draft.push(Event::Changed { id: job.id.clone(), change: Change::Decide { ending } })?;
    Ok(())
}

fn end_unseen(draft: &mut Draft, job: &Job, now: Timestamp) -> Result<(), Damage> {
    let reason = match job.run().and_then(|run| run.claim.as_ref()) {
        Some(claim) => format!("it may still run on {}", claim.site.host),
        None => "nobody claimed it".to_owned(),
    };
    let outcome = Outcome::bare(Exit::Unknown { reason }, now);
    // The intent is in the draft now, and the summary tells it.
    rescue::end_under(draft, job, outcome, None)
}
