//! Cancelling: the intent is committed first, then the watcher is poked, then the end of the whole tree is waited for.

use super::{
    attend::Attendance,
    fault::{Code, Fault},
    find::{find, home_of},
    home::Home,
};
use crate::exec::{
    Executor,
    local::{record::Record, tree::leftover},
};
use crate::model::{
    claim::Relation,
    event::{Applied, Event},
    id::JobId,
    job::Job,
    limit::Seconds,
    outcome::{Ending, Leftover, Why},
    state::Change,
};
use crate::os::clock::Clock;
use crate::pass::Decided;
use crate::plan::Scope;
use crate::store::Store;
use std::time::{Duration, Instant, SystemTime};

/// Beyond the grace, a watcher may take so long before it is taken for silent.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long is waited for an end that does not come although its watcher is at it.
const STUCK_MAX: Duration = Duration::from_secs(8);

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Jobs as typed.
    pub jobs: Vec<String>,
    /// Whether to return once the intent stands.
    pub no_wait: bool,
    /// The signal that asks the tree to end.
    pub signal: Option<i32>,
}

/// What became of one job.
#[derive(Debug)]
pub struct Cancelled {
    /// As it is now.
    pub job: Job,
    /// How.
    pub result: CancelResult,
}

/// How a cancel went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// It has ended, by this.
    Done,
    /// It had ended before.
    HadEnded,
    /// The intent stands; it was not waited for.
    Asked,
    /// It cannot be ended: these processes live.
    Stuck(Vec<Leftover>),
    /// It runs where nobody here can reach it.
    OutOfReach(String),
}

/// Cancels jobs, in the order asked. Gives also what was decided, with what the user should be told.
pub fn cancel(request: &Request) -> Result<(Vec<Cancelled>, Decided), Fault> {
    let home = home_of(&request.jobs)?;
    let facts = home.store().read()?;
    let ids: Vec<JobId> = request.jobs.iter().map(|text| find(&facts, text)).collect::<Result<_, _>>()?;
    let mut asked = Vec::new();
    let mut told = Decided { warnings: home.warnings.clone(), ..Decided::default() };
    // All are asked before one is waited for, so that their graces run at the same time.
    for id in ids {
        let had_ended = commit(&home, &id, request.signal, &mut told)?;
        asked.push((id, had_ended));
    }
    let mut results = Vec::new();
    for (id, had_ended) in asked {
        results.push(follow(&home, &id, had_ended, request.no_wait)?);
    }
    Ok((results, told))
}

/// Commits the intent and pokes. Gives whether the job had ended before.
fn commit(home: &Home, id: &JobId, signal: Option<i32>, told: &mut Decided) -> Result<bool, Fault> {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let ending = Ending { why: Why::Cancel, at: home.clock.now(), signal, note: None };
    let mut applied = Applied::Yes;
    let mut had_ended = false;
    // A queued job's end may be another's beginning: this is a pass, not a write of its own.
    let decided = pass.decide(Scope::Slots, &mut |draft| {
        had_ended = draft.facts().job(id)?.is_none_or(|job| job.end().is_some());
        applied = draft
            .push(Event::Changed { id: id.clone(), change: Change::Decide { ending: ending.clone() } })?;
        Ok(())
    })?;
    told.events.extend(decided.events);
    told.warnings.extend(decided.warnings);
    told.warnings.extend(pass.act(&decided.actions)?);
    if let Applied::Refused(reason) = applied {
        return Err(Fault::new(Code::WrongState, format!("could not cancel {id}: {reason}")));
    }
    if !had_ended {
        // The intent stands: a watcher that was not reached finds it by itself, within a minute.
        told.warnings.extend(executor.poke(id).err().map(|error| error.to_string()));
    }
    Ok(had_ended)
}

fn follow(home: &Home, id: &JobId, had_ended: bool, no_wait: bool) -> Result<Cancelled, Fault> {
    let mut attendance = Attendance::new(home)?;
    let mut patience: Option<Patience> = None;
    loop {
        let facts = attendance.read()?;
        let job = facts.job(id)?.ok_or_else(|| Fault::new(Code::NotFound, format!("{id} is gone")))?;
        let result = if had_ended {
            Some(CancelResult::HadEnded)
        } else if job.end().is_some() {
            Some(CancelResult::Done)
        } else if let Some(host) = elsewhere(home, &job) {
            Some(CancelResult::OutOfReach(host))
        } else if no_wait {
            Some(CancelResult::Asked)
        } else {
            None
        };
        if let Some(result) = result {
            return Ok(Cancelled { job, result });
        }
        let patience = patience.get_or_insert_with(|| Patience::new(job.spec.limits.grace.seconds));
        match patience.judge(home, &job)? {
            Judgement::Wait => {}
            Judgement::Silent => {
                let local = home.local();
                local.evict(id)?;
                local.launch(id)?;
            }
            Judgement::Stuck(processes) => {
                return Ok(Cancelled { job, result: CancelResult::Stuck(processes) });
            }
        }
        attendance.wait(&facts, std::slice::from_ref(id), &[], Some(Duration::from_secs(1)))?;
    }
}

/// The machine of a job that cannot be reached from here.
fn elsewhere(home: &Home, job: &Job) -> Option<String> {
    let claim = job.run()?.claim.as_ref();
    match (home.relation(job), claim) {
        (Some(Relation::Same | Relation::Earlier), _) => None,
        (Some(Relation::Other), Some(claim)) => Some(claim.site.host.clone()),
        (_, _) => Some("an unknown machine".to_owned()),
    }
}

/// What to make of a job that has been told to end and has not.
enum Judgement {
    Wait,
    Silent,
    Stuck(Vec<Leftover>),
}

/// How long an end is waited for. A watcher that is at work shows it in the record.
struct Patience {
    began: Instant,
    grace: Option<Duration>,
    sign: (Option<SystemTime>, Instant),
    evicted: bool,
}

impl Patience {
    fn new(grace: Seconds) -> Self {
        let now = Instant::now();
        Self { began: now, grace: grace.map(Duration::from_secs), sign: (None, now), evicted: false }
    }

    fn judge(&mut self, home: &Home, job: &Job) -> Result<Judgement, Fault> {
        let grace = self.grace.unwrap_or_default();
        let waited_enough = self.grace.is_some() && self.began.elapsed() > grace + STUCK_MAX;
        let record = home.root.existing_runs()?.map_or(Ok(None), |runs| Record::open(runs, &job.id))?;
        let Some(record) = record else {
            // Somebody removed it: nobody can be told to end the job, but what lives can be named.
            let living = if waited_enough { home.local().marked(&job.id, None)? } else { Vec::new() };
            let named: Vec<Leftover> = living.iter().map(leftover).collect();
            return Ok(if named.is_empty() { Judgement::Wait } else { Judgement::Stuck(named) });
        };
        let changed = record.changed_at()?;
        if self.sign.0 != Some(changed) {
            self.sign = (Some(changed), Instant::now());
        }
        if self.sign.1.elapsed() > grace + SILENCE_MAX && !self.evicted {
            self.evicted = true;
            return Ok(Judgement::Silent);
        }
        if !waited_enough {
            return Ok(Judgement::Wait);
        }
        let attempt = record.attempt(job.attempt)?;
        // Nobody says what it is, and nobody has done anything since the watcher was replaced: it is named itself.
        let silent = self.evicted && self.sign.1.elapsed() > grace + SILENCE_MAX + STUCK_MAX;
        let watcher = attempt.watcher.filter(|_| silent).map(|watcher| Leftover {
            pid: watcher.pid,
            start: watcher.start,
            name: "its watcher".to_owned(),
        });
        let stuck: Vec<Leftover> = attempt.stuck.into_iter().chain(watcher).collect();
        Ok(if stuck.is_empty() { Judgement::Wait } else { Judgement::Stuck(stuck) })
    }
}
