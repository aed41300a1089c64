//! The watcher's process: watches a job, commits its end together with the claim of what runs next, and goes on with
//! that or leaves.

use super::home::{BrokenConfig, Home};
use crate::exec::local::watch::{Context, Watched, end_left, watch};
use crate::model::{
    facts::{Damage, Draft},
    id::JobId,
    job::Job,
};
use crate::os::{
    clock::{Clock, SystemClock},
    detach,
    doorbell::wait_readable,
    reap,
    signal::Inbox,
};
use crate::pass::{Decided, PassError};
use crate::plan::{Action, Scope, rescue};
use crate::store::{Store, environments, file::FileStore, logs};
use std::path::Path;
use std::time::Duration;

/// How long is waited before the end of a job is committed again when it could not be: at first, and at most.
const RETRY_INTERVAL_MIN: Duration = Duration::from_millis(100);
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(5);

/// After so many jobs in a row a watcher looks after retention; it also does so when it leaves.
const JOBS_BETWEEN_RETENTIONS: u32 = 64;

/// It also does so when the logs of its jobs took more than this part of what all may take; with less it leaves the sizes
/// of all logs, which are many, to others.
const LOG_SHARE_DIVISOR: u64 = 256;

/// Bytes of logs from which on a watcher looks at the sizes of all.
fn share(home: &Home) -> u64 {
    home.config.log_bytes_total_max.map_or(u64::MAX, |most| most / LOG_SHARE_DIVISOR)
}

/// How far beyond the greatest count of ended jobs retention is put off, as a fraction of it.
const RETENTION_SLACK_DIVISOR: usize = 4;

/// Runs the watcher of a job. Nobody hears this process: what goes wrong stays in the record, or for the next pass.
pub fn run(root: &Path, id: JobId) {
    detach::settle();
    // First of all: a poke that comes before it would end this process.
    let Ok(inbox) = Inbox::open() else { return };
    let Ok(mut home) = Home::open_at(root, BrokenConfig::Warns) else { return };
    home.root.set_kept(true);
    let mut next = Some(id);
    let (mut count, mut logged) = (0, 0);
    while let Some(id) = next.take() {
        let store = home.store();
        let Ok(Some(mut watched)) = watch(&context(&home, &store, &inbox), &id) else { break };
        // A chain of jobs can outlive many changes of the settings.
        home.go_on_with(home.current_config());
        let store = home.store();
        let decided = commit(&home, &context(&home, &store, &inbox), &id, &mut watched);
        drop(watched);
        next = launch(&home, decided);
        count += 1;
        logged += logs::allocated_bytes(&home.root, &id);
        if count % JOBS_BETWEEN_RETENTIONS == 0 || logged > share(&home) {
            retain(&home, logged);
            logged = 0;
        }
    }
    if count > 0 {
        retain(&home, logged);
    }
}

fn context<'a>(home: &'a Home, store: &'a FileStore<'a>, inbox: &'a Inbox) -> Context<'a, SystemClock> {
    Context { root: &home.root, store, clock: &home.clock, site: &home.site, inbox }
}

/// Commits the end until it stands, or until the index says that somebody else ended the attempt. Either way, what
/// the same pass claimed must be launched.
fn commit(home: &Home, context: &Context<'_, SystemClock>, id: &JobId, watched: &mut Watched) -> Decided {
    let mut interval = RETRY_INTERVAL_MIN;
    loop {
        match try_commit(home, id, watched) {
            Ok((Standing::Committed, decided)) => return decided,
            Ok((Standing::ToldMeanwhile, decided)) => {
                launch_others(home, &decided.actions);
                if end_left(context, id, watched).is_ok() {
                    continue;
                }
            }
            // Where the whole root was removed nobody will ever ask: there is nothing to wait for.
            Err(_) if home.root.folder().is_removed() => return Decided::default(),
            Err(_) => {}
        }
        let _ = wait_readable(context.inbox, Some(interval));
        context.inbox.drain();
        interval = (interval * 2).min(RETRY_INTERVAL_MAX);
    }
}

/// Whether an end stands.
#[derive(Clone, Copy)]
enum Standing {
    /// It does, or the attempt is not ours to end any more.
    Committed,
    /// It cannot yet: leftovers were left running, and the job has been told to end since.
    ToldMeanwhile,
}

/// The end and the claims of what runs next, in one write.
fn try_commit(home: &Home, id: &JobId, watched: &Watched) -> Result<(Standing, Decided), PassError> {
    let store = home.store();
    let executor = home.local();
    let mut standing = Standing::Committed;
    let decided = home.pass(&store, &executor).decide(Scope::Slots, &mut |draft| {
        standing = end(draft, id, watched)?;
        Ok(())
    })?;
    Ok((standing, decided))
}

fn end(draft: &mut Draft, id: &JobId, watched: &Watched) -> Result<Standing, Damage> {
    let running = |job: &Job| job.run().is_some() && job.execution() == watched.attempt;
    let Some(job) = draft.facts().job(id)?.filter(running) else { return Ok(Standing::Committed) };
    let told = job.run().is_some_and(|run| run.ending.is_some());
    if told && watched.ending.is_none() && watched.outcome.leftovers_left {
        return Ok(Standing::ToldMeanwhile);
    }
    rescue::end_under(draft, &job, watched.outcome.clone(), watched.ending.clone())?;
    Ok(Standing::Committed)
}

/// Launches watchers for what was claimed; this process itself goes on with the first, if it is nobody's parent.
fn launch(home: &Home, decided: Decided) -> Option<JobId> {
    let mut actions = decided.actions;
    let mut own = None;
    if reap::peek() == reap::Peek::Childless
        && let Some(place) = actions.iter().position(|action| matches!(action, Action::Launch { .. }))
        && let Action::Launch { id } = actions.remove(place)
    {
        own = Some(id);
    }
    launch_others(home, &actions);
    own
}

/// Launches watchers that are nobody's children here. Warnings have no reader; a job that could not be launched is
/// queued again.
fn launch_others(home: &Home, actions: &[Action]) {
    let store = home.store();
    let mut executor = home.local();
    executor.orphan_watchers = true;
    let _ = home.pass(&store, &executor).act(actions);
}

/// Without cron nobody else would: lets go what retention lets go, once it is worth a write.
fn retain(home: &Home, logged: u64) {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let most = home.config.retention.jobs_max;
    if logged > share(home) {
        let _ = pass.shed(&home.root);
    }
    let Ok(facts) = store.read() else { return };
    let _ = environments::tidy(&home.root, &store, &facts, home.clock.now());
    let ended = facts.heads().filter(|head| head.status.has_ended()).count();
    if ended > most + most / RETENTION_SLACK_DIVISOR
        && let Ok(ids) = pass.retained_no_longer()
        && !ids.is_empty()
    {
        let _ = pass.remove(&home.root, &ids);
    }
}
