//! A job whose entry is lost, made anew from its run files.
//!
//! The run record has the entry as its watcher saw it, who watches it and how it ended; the snapshot has the command and
//! the attempts. What the stream told last decides between what both leave open. Nothing starts that is not known to have
//! been about to, and no exit code is made up.

use super::told::Told;
use crate::exec::local::{
    meta::{self, Meta},
    record::{Attempt, Record},
};
use crate::model::{
    Timestamp,
    approval::{On, Request},
    bytes::Bytes,
    claim::{Claim, ExecutorName, Relation, Site},
    id::JobId,
    job::Job,
    outcome::{Ending, Exit, Outcome, Why},
    spec::{Command, JobSpec},
    state::{Change, Status},
};
use crate::ops::home::Home;
use crate::os::{clock::Clock, folder::Folder, process};
use crate::plan::retry;
use crate::store::environments;

/// What is said of an end of which nothing but the loss is known.
const LOST: &str = "its entry in the index was lost";

/// Whose run files a folder has: the part of each name before its first dot.
pub fn ids(runs: &Folder) -> Vec<JobId> {
    let names = runs.names().unwrap_or_default();
    let id = |name: &std::ffi::OsString| JobId::parse(name.to_str()?.split('.').next()?).ok();
    let mut ids: Vec<JobId> = names.iter().filter_map(id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Whether somebody watches a job.
pub fn is_watched(runs: &Folder, id: &JobId) -> bool {
    let held = Record::open(runs, id).and_then(|record| record.map_or(Ok(false), |record| record.is_held()));
    held.unwrap_or(false)
}

/// The job as it can be told; `None` where its files do not say what it was.
pub fn remake(home: &Home, runs: &Folder, id: &JobId, told: Option<&Told>) -> Option<Job> {
    let record = Record::open(runs, id).ok().flatten();
    let attempts = record.as_ref().and_then(|record| record.attempts().ok()).unwrap_or_default();
    // What cannot be asked is not taken for unwatched.
    let is_held = record.as_ref().is_some_and(|record| record.is_held().unwrap_or(true));
    let snapshot = meta::read(runs, id).filter(|meta| meta.id == id.as_str());
    let mut last = last_attempt(&attempts, snapshot.as_ref());
    last.outcome = last.outcome.or_else(|| told.and_then(|told| told.outcome.clone()));
    let mut job = claimed(home, id, &attempts, snapshot.as_ref(), &last)?;
    if !is_held {
        settle(home, &mut job, &last, told.map(|told| (told.status, told.at)));
    }
    Some(job)
}

/// The latest attempt that the files know.
fn last_attempt(attempts: &[Attempt], snapshot: Option<&Meta>) -> Attempt {
    let mut last = attempts.last().cloned().unwrap_or_default();
    if let Some(ended) = snapshot.and_then(|meta| meta.attempts.last())
        && ended.execution() >= last.number
    {
        if ended.execution() > last.number {
            last = Attempt { number: ended.execution(), taken_at: ended.started_at, ..Attempt::default() };
        }
        last.started = true;
        last.outcome = last.outcome.or_else(|| Some(ended.outcome.clone()));
        last.ending = last.ending.or_else(|| ended.ending.clone());
    }
    last.number = last.number.max(1);
    last
}

/// The job as running in that attempt.
fn claimed(
    home: &Home,
    id: &JobId,
    attempts: &[Attempt],
    snapshot: Option<&Meta>,
    last: &Attempt,
) -> Option<Job> {
    let noted = attempts.iter().rev().find_map(Attempt::entry);
    let noted = noted.filter(|job| job.id == *id && job.run().is_some());
    if let Some(job) = noted.clone().filter(|job| job.execution() == last.number) {
        return Some(job);
    }
    let mut job =
        noted.or_else(|| of_snapshot(id, snapshot?, last.taken_at)).or_else(|| of_process(id, last))?;
    let claim = job.run().and_then(|run| run.claim.clone()).map(|claim| claim.site);
    let host = snapshot.map_or_else(|| home.site.host.clone(), |meta| meta.host.clone());
    let mut site = claim.unwrap_or_else(|| Site { host, ..home.site.clone() });
    if !last.boot.is_empty() {
        site.boot.clone_from(&last.boot);
    } else if last.outcome.is_some() {
        // Nobody wrote down in which boot it ran; what has ended needs none.
        site.boot = String::new();
    }
    job.change(&Change::GiveBack);
    job.interruptions = job.interruptions.min(last.number.saturating_sub(1));
    job.attempt = last.number.saturating_sub(1).saturating_sub(job.interruptions);
    let at = last.taken_at.unwrap_or(job.created_at);
    job.change(&Change::Claim { at, claim: Claim { site, executor: ExecutorName::Local } });
    Some(job)
}

fn of_snapshot(id: &JobId, snapshot: &Meta, taken_at: Option<Timestamp>) -> Option<Job> {
    if snapshot.argv.is_empty() {
        return None;
    }
    let mut spec = JobSpec::new(Command::Argv(snapshot.argv.clone()), snapshot.cwd.clone());
    spec.display.clone_from(&snapshot.command);
    spec.limits.timeout.seconds = snapshot.timeout_seconds;
    spec.limits.grace.seconds = snapshot.grace_seconds;
    let first = snapshot.attempts.first();
    let at = first.map(|first| first.started_at.unwrap_or(first.ended_at)).or(taken_at)?;
    Some(Job::new(id.clone(), spec, at))
}

/// What its living main process says: the only trace of a job that an older program started and that runs its first
/// attempt.
fn of_process(id: &JobId, last: &Attempt) -> Option<Job> {
    let main = last.process.filter(|main| main.is_alive())?;
    let argv = process::arguments(main.pid)?;
    let argv = argv.strip_suffix(&[Vec::new()]).unwrap_or(&argv);
    let argv: Vec<Bytes> = argv.iter().filter_map(|word| Bytes::new(word.clone()).ok()).collect();
    if argv.is_empty() {
        return None;
    }
    let cwd = process::working_folder(main.pid).and_then(|cwd| Bytes::new(cwd).ok())?;
    Some(Job::new(id.clone(), JobSpec::new(Command::Argv(argv), cwd), last.taken_at?))
}

/// Brings a job that nobody watches to the state in which it was, as far as that is known.
fn settle(home: &Home, job: &mut Job, last: &Attempt, told: Option<(Status, Timestamp)>) {
    let site = job.run().and_then(|run| run.claim.as_ref()).map(|claim| home.site.relation(&claim.site));
    let status = told.map(|(status, _)| status);
    match (&last.outcome, status) {
        // Its end was not in the index yet, and the next pass puts it there; nothing of it has begun, and it is to; or it can
        // be judged by whoever looks next.
        (_, Some(Status::Running)) => {}
        (Some(outcome), _) => end(home, job, outcome.clone(), last.ending.clone(), told),
        (None, _) if site == Some(Relation::Other) && !status.is_some_and(Status::has_ended) => {}
        (None, _) if !last.started => hold_back(home, job, told),
        (None, _) if site == Some(Relation::Same) && lives(home, job, last) => {}
        (None, _) => {
            let at = told.map_or_else(|| home.clock.now(), |(_, at)| at);
            let outcome = Outcome::bare(Exit::Unknown { reason: LOST.to_owned() }, at);
            end(home, job, outcome, last.ending.clone(), told);
        }
    }
}

fn lives(home: &Home, job: &Job, last: &Attempt) -> bool {
    last.process.is_some_and(process::Identity::is_alive)
        || home.local().marked(&job.id, last.process).map_or(true, |marked| !marked.is_empty())
}

/// Nothing of its last attempt had begun.
fn hold_back(home: &Home, job: &mut Job, told: Option<(Status, Timestamp)>) {
    let now = home.clock.now();
    job.change(&Change::GiveBack);
    match told {
        Some((Status::Queued, _)) => {}
        Some((status, at)) if status.has_ended() => cancel(job, at),
        // Whether it is to start at all is not known: somebody has to say so.
        _ => drop(job.change(&Change::Pause { at: now })),
    }
}

fn cancel(job: &mut Job, at: Timestamp) {
    let ending = Ending { why: Why::Cancel, at, signal: None, note: None };
    job.change(&Change::Decide { ending });
}

/// Its last attempt had ended so.
fn end(
    home: &Home,
    job: &mut Job,
    outcome: Outcome,
    ending: Option<Ending>,
    told: Option<(Status, Timestamp)>,
) {
    if let Some(ending) = ending {
        job.change(&Change::Decide { ending });
    }
    if told.is_some_and(|(status, _)| status == Status::WaitingApproval) {
        // What it asked stands in no file but the index, unless its watcher noted it: who had to approve it before it ran has to
        // do so again.
        let at = outcome.at;
        let unsaid = || Request { on: On::Local, at, ttl_seconds: None, reason: None, hash: String::new() };
        let request = job.spec.gate.as_ref().map_or_else(unsaid, |gate| gate.request(at));
        job.change(&Change::AskApproval { request: Box::new(request) });
    }
    let wanted = retry::retry_at(job, &outcome);
    let retry_at = match told {
        Some((Status::Queued, _)) => wanted.or(Some(outcome.at)),
        // Between two attempts.
        Some((Status::Cancelled, _)) if job.ending().is_none() => Some(outcome.at),
        _ => None,
    };
    let mut summary = retry::summarize(job, &outcome, retry_at.is_some());
    if told.is_none() && wanted.is_some() {
        let open = format!("{LOST}, and with it whether it was to be tried again");
        summary = Some(summary.map_or_else(|| open.clone(), |summary| format!("{summary}; {open}")));
    }
    // Somebody dealt with a dead letter whose environment is gone.
    let has_environment =
        job.spec.env.as_ref().is_none_or(|name| environments::load(&home.root, name).is_ok());
    let dead_letter = job.spec.retry.attempts_max > 1 && has_environment;
    job.change(&Change::End { outcome, retry_at, summary, dead_letter });
    if let Some((Status::Cancelled, at)) = told
        && !job.status().has_ended()
    {
        cancel(job, at);
    }
}
