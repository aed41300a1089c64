//! The watcher's process: watches a job, commits its end together with the claim of what runs next, and goes on with
//! that or leaves.

use super::home::{BrokenConfig, Home};
use crate::exec::local::watch::{Context, Watched, watch};
use crate::model::{
    facts::{Damage, Draft},
    id::JobId,
    job::Job,
};
use crate::os::{detach, doorbell::wait_readable, reap, signal::Inbox};
use crate::pass::{Decided, PassError};
use crate::plan::{Action, Scope, rescue};
use std::path::Path;
use std::time::Duration;

/// How long is waited before the end of a job is committed again when it could not be: at first, and at most.
const RETRY_INTERVAL_MIN: Duration = Duration::from_millis(100);
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// After so many jobs in a row a watcher looks after retention; it also does so when it leaves.
const JOBS_BETWEEN_RETENTIONS: u32 = 64;

/// How far beyond the greatest count of ended jobs retention is put off, as a fraction of it.
const RETENTION_SLACK_DIVISOR: usize = 4;

/// Runs the watcher of a job. Nobody hears this process: what goes wrong stays in the record, or for the next pass.
pub fn run(root: &Path, id: JobId) {
    detach::settle();
    // First of all: a poke that comes before it would end this process.
    let Ok(inbox) = Inbox::open() else { return };
    let Ok(mut home) = Home::open_at(root, BrokenConfig::Warns) else { return };
    let mut next = Some(id);
    let mut count = 0;
    while let Some(id) = next.take() {
        let context = Context {
            root: &home.root,
            store: &home.store(),
            clock: &home.clock,
            site: &home.site,
            inbox: &inbox,
        };
        let Ok(Some(watched)) = watch(&context, &id) else { break };
        // A chain of jobs can outlive many changes of the settings.
        home.config = home.current_config();
        let decided = commit(&home, &inbox, &id, &watched);
        drop(watched);
        next = launch(&home, decided);
        count += 1;
        if count % JOBS_BETWEEN_RETENTIONS == 0 {
            retain(&home);
        }
    }
    if count > 0 {
        retain(&home);
    }
}

/// Commits the end until it stands, or until the index says that somebody else ended the attempt. Either way, what
/// the same pass claimed must be launched.
fn commit(home: &Home, inbox: &Inbox, id: &JobId, watched: &Watched) -> Decided {
    let mut interval = RETRY_INTERVAL_MIN;
    loop {
        if let Ok(decided) = try_commit(home, id, watched) {
            return decided;
        }
        let _ = wait_readable(inbox, Some(interval));
        inbox.drain();
        interval = (interval * 2).min(RETRY_INTERVAL_MAX);
    }
}

/// The end and the claims of what runs next, in one write.
fn try_commit(home: &Home, id: &JobId, watched: &Watched) -> Result<Decided, PassError> {
    let store = home.store();
    let executor = home.local();
    home.pass(&store, &executor).decide(Scope::Slots, &mut |draft| end(draft, id, watched))
}

/// No effect where the attempt is not ours to end any more.
fn end(draft: &mut Draft, id: &JobId, watched: &Watched) -> Result<(), Damage> {
    let running = |job: &Job| job.run().is_some() && job.attempt == watched.attempt;
    let Some(job) = draft.facts().job(id)?.filter(running) else { return Ok(()) };
    rescue::end_under(draft, &job, watched.outcome.clone(), watched.ending.clone())
}

/// Launches watchers for what was claimed; this process itself goes on with the first, if it is nobody's parent.
fn launch(home: &Home, decided: Decided) -> Option<JobId> {
    let mut actions = decided.actions;
    let mut own = None;
    if reap::peek() == reap::Peek::Childless
        && let Some(place) = actions.iter().position(|action| matches!(action, Action::Launch(_)))
        && let Action::Launch(id) = actions.remove(place)
    {
        own = Some(id);
    }
    let store = home.store();
    let mut executor = home.local();
    executor.orphan_watchers = true;
    // Its warnings have no reader; a job that could not be launched is queued again.
    let _ = home.pass(&store, &executor).act(&actions);
    own
}

/// Without cron nobody else would: lets go what retention lets go, once it is worth a write.
fn retain(home: &Home) {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let most = home.config.retention.jobs_max;
    let Ok(facts) = crate::store::Store::read(&store) else { return };
    let ended = facts.heads().filter(|head| head.status.has_ended()).count();
    if ended > most + most / RETENTION_SLACK_DIVISOR
        && let Ok(ids) = pass.retained_no_longer()
        && !ids.is_empty()
    {
        let _ = pass.remove(&home.root, &ids);
    }
}
