//! Pausing and resuming: the fact is committed, then the watcher is poked, which stops or continues the processes.

use super::{
    cancel::elsewhere,
    fault::Fault,
    find::Among,
    home::{BrokenConfig, Home},
    select::Selection,
};
use crate::exec::{Executor, local::record::Record};
use crate::model::{
    event::{Applied, Event},
    facts::{Damage, Draft, Head},
    group::GroupChange,
    id::JobId,
    job::Job,
    state::{Change, Status},
};
use crate::os::{clock::Clock, session};
use crate::pass::Decided;
use crate::plan::{Scope, pick::group_of};
use crate::store::Store;
use std::time::{Duration, Instant};

/// How long is waited for the processes to stand still or go on.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// How often they are looked at meanwhile.
const SETTLE_INTERVAL: Duration = Duration::from_millis(5);

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Stand still.
    Paused,
    /// Go on.
    Resumed,
}

/// What became of one job.
#[derive(Debug)]
pub struct Paused {
    /// As it is now.
    pub job: Job,
    /// How.
    pub result: PauseResult,
}

/// How a pause or a resume went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PauseResult {
    /// It is so now.
    Done,
    /// It was so before.
    WasSo,
    /// It stands in the index; the processes have not followed yet.
    Asked,
    /// It has ended.
    HadEnded,
    /// It is being ended.
    BeingEnded,
    /// It waits for a person, and nothing of it can run.
    WaitsForApproval,
    /// It runs where nobody here can reach it.
    OutOfReach(String),
}

/// What became of all that was to be paused or resumed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The group itself, where it was one.
    pub group: Option<GroupPaused>,
    /// Each job.
    pub jobs: Vec<Paused>,
    /// What was decided, with what the user should be told.
    pub decided: Decided,
}

/// What became of a group.
#[derive(Debug)]
pub struct GroupPaused {
    /// Its name.
    pub name: String,
    /// Whether this changed it; otherwise it was so before.
    pub changed: bool,
    /// How many of its jobs wait.
    pub queued: usize,
}

/// Pauses or resumes jobs, in the order asked. Where whole groups are asked for, they are held back themselves too.
///
/// A group holds back all its jobs that wait, and those to come; what runs of it stands still one by one. Both are one
/// change of the index. Whoever resumes it resumes all of that, and jobs of it that were paused by themselves.
pub fn pause(selection: &Selection, wanted: Wanted) -> Result<Outcome, Fault> {
    let whole = selection.whole_group();
    let home = match selection.home()? {
        Some(home) => home,
        // What comes is to be held back, although nothing was there yet.
        None if whole.is_some() => Home::open(BrokenConfig::Warns)?,
        None => return Ok(Outcome::default()),
    };
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let session = session::terminal();
    let mut told = Vec::new();
    let mut chosen = Ok(());
    let mut group = None;
    // What is resumed may get a slot, and what is paused leaves its turn to another: this is a pass.
    let mut decided = pass.decide(Scope::Slots, &mut |draft| {
        told.clear();
        let now = home.clock.now();
        let among = Among::Session(session.as_deref());
        let of_group = |job: &Job| wanted == Wanted::Resumed || job.run().is_some();
        let fit = |job: &Job| is_fit(job, wanted) && (whole.is_none() || of_group(job));
        group = whole.map(|name| tell_group(draft, name, wanted, now)).transpose()?;
        chosen = match selection.ids(draft.facts(), among, fit) {
            Ok(ids) => {
                told = tell(draft, &ids, wanted, now)?;
                Ok(())
            }
            Err(fault) => Err(fault),
        };
        Ok(())
    })?;
    decided.warnings.extend(pass.act(&decided.actions.clone())?);
    chosen?;
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    let mut unwatched = false;
    for (job, result) in &mut told {
        if job.run().is_none() || !matches!(result, PauseResult::Done | PauseResult::WasSo) {
            continue;
        }
        // Whoever said it before may have died before it told the watcher.
        if *result == PauseResult::WasSo {
            if elsewhere(&home, job).is_some() || settled(&home, job, wanted)? {
                continue;
            }
            *result = PauseResult::Done;
        }
        if let Some(host) = elsewhere(&home, job) {
            *result = PauseResult::OutOfReach(host);
            continue;
        }
        match executor.poke(&job.id) {
            Ok(reached) => unwatched |= !reached,
            Err(error) => decided.warnings.push(error.to_string()),
        }
    }
    if unwatched {
        // Its watcher died: nobody would stop or continue it before the next tick gives it another.
        decided.warnings.extend(pass.advance(Scope::Whole, &mut |_| Ok(()))?.warnings);
    }
    let deadline = Instant::now() + SETTLE_MAX;
    for (before, result) in &mut told {
        if *result == PauseResult::Done && before.run().is_some() {
            *result = wait_until_settled(&home, &before.id, wanted, deadline)?;
        }
    }
    let facts = store.read()?;
    let mut results = Vec::new();
    for (before, result) in told {
        results.push(Paused { job: facts.job(&before.id)?.unwrap_or(before), result });
    }
    Ok(Outcome { group, jobs: results, decided })
}

/// Whether a job that nobody named can be paused or resumed.
fn is_fit(job: &Job, wanted: Wanted) -> bool {
    let is_paused = job.paused_at().is_some();
    let can_run = matches!(job.status(), Status::Queued | Status::Running);
    can_run && !job.is_being_ended() && is_paused == (wanted == Wanted::Resumed)
}

/// Adds the change of a group to a draft.
fn tell_group(
    draft: &mut Draft,
    name: &str,
    wanted: Wanted,
    now: crate::model::Timestamp,
) -> Result<GroupPaused, Damage> {
    let change = match wanted {
        Wanted::Paused => GroupChange::Pause { at: now },
        Wanted::Resumed => GroupChange::Resume,
    };
    let applied = draft.push(Event::Grouped { group: name.to_owned(), change })?;
    let waits =
        |head: &&Head| head.status == Status::Queued && group_of(head.belongs.group.as_deref()) == name;
    let queued = draft.facts().heads().filter(waits).count();
    Ok(GroupPaused { name: name.to_owned(), changed: applied == Applied::Yes, queued })
}

/// Adds the changes to a draft. Gives each job as it was, and how it went.
fn tell(
    draft: &mut Draft,
    ids: &[JobId],
    wanted: Wanted,
    now: crate::model::Timestamp,
) -> Result<Vec<(Job, PauseResult)>, Damage> {
    let mut told = Vec::new();
    for id in ids {
        let Some(job) = draft.facts().job(id)? else { continue };
        let change = match wanted {
            Wanted::Paused => Change::Pause { at: now },
            Wanted::Resumed => Change::Resume,
        };
        let result = match draft.push(Event::Changed { id: id.clone(), change })? {
            Applied::Yes => PauseResult::Done,
            Applied::NoOp(_) if job.is_being_ended() => PauseResult::BeingEnded,
            Applied::NoOp(_) => PauseResult::WasSo,
            Applied::Refused(_) if job.end().is_some() => PauseResult::HadEnded,
            Applied::Refused(_) => PauseResult::WaitsForApproval,
        };
        told.push((job, result));
    }
    Ok(told)
}

/// Waits, with a bound, until a job's processes stand still or go on. Gives how it went.
fn wait_until_settled(
    home: &Home,
    id: &JobId,
    wanted: Wanted,
    deadline: Instant,
) -> Result<PauseResult, Fault> {
    loop {
        let Some(job) = home.store().read()?.job(id)? else { return Ok(PauseResult::HadEnded) };
        if job.end().is_some() {
            // What was resumed may have been about to end.
            let went_on = wanted == Wanted::Resumed;
            return Ok(if went_on { PauseResult::Done } else { PauseResult::HadEnded });
        }
        // What was queued again has no process that could still do otherwise.
        if job.run().is_none() || settled(home, &job, wanted)? {
            return Ok(PauseResult::Done);
        }
        if Instant::now() >= deadline {
            return Ok(PauseResult::Asked);
        }
        std::thread::sleep(SETTLE_INTERVAL);
    }
}

/// Whether a running job's watcher has written down that its processes stand still, or go on.
fn settled(home: &Home, job: &Job, wanted: Wanted) -> Result<bool, Fault> {
    // What has not begun was never stopped.
    let Some(runs) = home.root.existing_runs()? else { return Ok(wanted == Wanted::Resumed) };
    let Some(record) = Record::open(runs, &job.id)? else { return Ok(wanted == Wanted::Resumed) };
    let attempt = record.attempt(job.execution())?;
    Ok(match wanted {
        Wanted::Paused => attempt.paused_since_ms.is_some(),
        Wanted::Resumed => !attempt.pausing,
    })
}
