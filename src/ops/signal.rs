//! Signals that a user sends to a running job, as `kill(1)` would, but to no other process.
//!
//! Nothing is decided by it and nothing written: what the job makes of the signal, its watcher sees. One that it dies of
//! makes it fail; `cancel` is what ends a job.

use super::{
    cancel::elsewhere,
    fault::Fault,
    find::{Among, find_all, home_of},
    home::Home,
};
use crate::exec::{Executor, Signalled, Whom, local::record::Record};
use crate::model::{id::JobId, job::Job, state::Status};
use crate::os::{process::Identity, session};
use crate::store::Store;
use std::time::{Duration, Instant};

/// How long is waited for a job that has its slot to execute its command.
const STARTS_WITHIN: Duration = Duration::from_secs(3);
/// How often it is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The jobs, as typed.
    pub jobs: Vec<String>,
    /// The signal.
    pub signal: i32,
    /// For whom.
    pub whom: Whom,
}

/// What became of it for one job.
#[derive(Debug)]
pub struct Told {
    /// The job.
    pub job: Job,
    /// How it went.
    pub result: SignalResult,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalResult {
    /// Some processes have it; this user may not signal the others.
    Sent(Signalled),
    /// It has its slot, but has not executed its command yet.
    Starting,
    /// Its processes, or the one that was meant, have just ended.
    Gone,
    /// It does not run.
    NotRunning,
    /// It is another root's, of which this one is a copy.
    Unclear,
    /// It would go on although it is paused.
    Paused,
    /// It runs where nobody here can reach it.
    OutOfReach(String),
}

/// Sends the signal to each of the jobs, in the order asked. Gives also what the user should be told.
pub fn signal(request: &Request) -> Result<(Vec<Told>, Vec<String>), Fault> {
    if request.jobs.is_empty() {
        return Ok(Default::default());
    }
    let home = home_of(&request.jobs)?;
    let session = session::terminal();
    let facts = home.store().read()?;
    let ids = find_all(&facts, &request.jobs, Among::Session(session.as_deref()))?;
    let mut told = Vec::new();
    for id in ids {
        if let Some(job) = facts.job(&id)? {
            told.push(tell(&home, &id, job, request)?);
        }
    }
    Ok((told, home.warnings.clone()))
}

fn tell(home: &Home, id: &JobId, mut job: Job, request: &Request) -> Result<Told, Fault> {
    let deadline = Instant::now() + STARTS_WITHIN;
    loop {
        if let Some(result) = unfit(home, &job, request) {
            return Ok(Told { job, result });
        }
        // Before it runs its command, there is a process of ours that only makes ready. It would die of what the command
        // handles, and is not counted among the job's.
        let main = main_process(home, &job)?;
        if let Some(main) = main {
            let signalled = home.local().signal(&job, request.signal, request.whom)?;
            if signalled != Signalled::default() {
                return Ok(Told { job, result: SignalResult::Sent(signalled) });
            }
            if !main.is_alive() {
                return Ok(Told { job, result: SignalResult::Gone });
            }
        }
        if main.is_some() && home.local().is_of_another_root(&job)? {
            return Ok(Told { job, result: SignalResult::Unclear });
        }
        if Instant::now() >= deadline {
            return Ok(Told { job, result: SignalResult::Starting });
        }
        std::thread::sleep(LOOK_INTERVAL);
        if let Some(now) = home.store().read()?.job(id)? {
            job = now;
        }
    }
}

/// Why a job cannot have it.
fn unfit(home: &Home, job: &Job, request: &Request) -> Option<SignalResult> {
    if job.status() != Status::Running {
        return Some(SignalResult::NotRunning);
    }
    if let Some(host) = elsewhere(home, job) {
        return Some(SignalResult::OutOfReach(host));
    }
    // It would run while everybody is told that it stands still.
    (request.signal == libc::SIGCONT && job.paused_at().is_some()).then_some(SignalResult::Paused)
}

/// The job's main process, once it was about to execute the command.
fn main_process(home: &Home, job: &Job) -> Result<Option<Identity>, Fault> {
    let Some(runs) = home.root.existing_runs()? else { return Ok(None) };
    let Some(record) = Record::open(runs, &job.id)? else { return Ok(None) };
    let attempt = record.attempt(job.execution())?;
    Ok(attempt.process.filter(|_| attempt.started))
}
