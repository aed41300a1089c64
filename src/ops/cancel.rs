//! Cancelling: the intent is committed first, then the watcher is poked, then the end of the whole tree is waited for.

use super::{
    attend::Attendance,
    called::{Called, called},
    fault::Fault,
    find::Among,
    home::Home,
    select::Selection,
};
use crate::exec::{
    Executor,
    local::{record::Record, tree::leftover},
};
use crate::model::{
    claim::Relation,
    dependency::Until,
    event::Event,
    facts::{Damage, Facts},
    id::JobId,
    job::Job,
    limit::Seconds,
    outcome::{Ending, Leftover, Why},
    state::{Change, Status},
};
use crate::os::{clock::Clock, session};
use crate::pass::Decided;
use crate::plan::Scope;
use crate::store::Store;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

/// Beyond the grace, a watcher may take so long before it is taken for silent.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long is waited for an end that does not come although its watcher is at it.
const STUCK_MAX: Duration = Duration::from_secs(8);

/// How often jobs are looked for that were started inside cancelled ones meanwhile.
const WAVES_MAX: usize = 100;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which jobs.
    pub selection: Selection,
    /// Whether the jobs that were started inside them are cancelled too, and those inside these.
    pub nested: bool,
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

/// What became of a request.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Each job that it means.
    pub jobs: Vec<Cancelled>,
    /// Those that were removed since they were looked up, as only what has ended is.
    pub gone: Vec<JobId>,
    /// The jobs that waited for their completion, and were cancelled with them.
    pub dependants: Vec<JobId>,
    /// What was decided, with what the user should be told.
    pub told: Decided,
}

/// How a cancel went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// It has ended, by this.
    Done,
    /// It ended by itself before this could end it.
    EndedBefore,
    /// It had ended before.
    HadEnded,
    /// The intent stands; it was not waited for.
    Asked,
    /// It cannot be ended: these processes live.
    Stuck(Vec<Leftover>),
    /// It is another root's, of which this one is a copy.
    Unclear,
    /// It runs where nobody here can reach it.
    OutOfReach(String),
}

/// The active jobs that a request would end now, and what they are called.
pub fn foresee(request: &Request) -> Result<Vec<(JobId, Called)>, Fault> {
    let Some(home) = request.selection.home()? else { return Ok(Vec::new()) };
    let facts = home.store().read()?;
    let mut ids = chosen(request, &facts)?;
    if request.nested {
        ids.extend(inside(&facts, &ids)?);
    }
    let is_active = |id: &JobId| facts.head(id).is_some_and(|head| !head.status.has_ended());
    ids.retain(is_active);
    let names = called(&facts, &ids);
    Ok(ids.into_iter().zip(names).collect())
}

/// Cancels jobs, in the order asked; those inside them follow.
pub fn cancel(request: &Request) -> Result<Outcome, Fault> {
    let Some(home) = request.selection.home()? else { return Ok(Outcome::default()) };
    let facts = home.store().read()?;
    let ids = chosen(request, &facts)?;
    let had_ended: HashSet<JobId> =
        facts.heads().filter(|head| head.status.has_ended()).map(|head| head.id.clone()).collect();
    let mut told = Decided { warnings: home.warnings.clone(), ..Decided::default() };
    let (mut results, mut gone): (Vec<Cancelled>, Vec<JobId>) = Default::default();
    // All are asked before one is waited for, so that their graces run at the same time.
    let mut wave = commit(&home, &ids, request, &mut told, &mut gone)?;
    for waves in 1.. {
        follow_all(&home, &wave, request.no_wait, &mut results, &mut gone)?;
        if !request.nested || request.no_wait {
            break;
        }
        // Nothing inside a job starts another once it has ended; what it started while it was being ended is found now.
        let done: Vec<JobId> = results.iter().map(|one| one.job.id.clone()).collect();
        let mut more = inside(&*home.store().read()?, &done)?;
        more.retain(|id| !done.contains(id));
        if more.is_empty() {
            break;
        }
        if waves == WAVES_MAX {
            told.warnings.push("jobs inside go on starting others; cancel again".to_owned());
            break;
        }
        wave = commit(&home, &more, &Request { nested: false, ..request.clone() }, &mut told, &mut gone)?;
    }
    let dependants = dependants(&*home.store().read()?, &results, had_ended)?;
    Ok(Outcome { jobs: results, gone, dependants, told })
}

/// The jobs that a request means by itself.
fn chosen(request: &Request, facts: &Facts) -> Result<Vec<JobId>, Fault> {
    let session = session::terminal();
    request.selection.ids(facts, Among::Session(session.as_deref()), |_| true)
}

/// The active jobs that were started inside these, and inside those, in the order of submission.
fn inside(facts: &Facts, outer: &[JobId]) -> Result<Vec<JobId>, Damage> {
    let mut reached: HashSet<JobId> = outer.iter().cloned().collect();
    let mut found = Vec::new();
    // A job is submitted after the one in which it was: one walk finds all generations.
    for job in facts.jobs(|_| true)? {
        if job.spec.parent.as_ref().is_some_and(|parent| reached.contains(parent))
            && reached.insert(job.id.clone())
            && !job.status().has_ended()
        {
            found.push(job.id);
        }
    }
    Ok(found)
}

/// The jobs that ended because one of these was cancelled, and those that ended because of them, and so on.
fn dependants(facts: &Facts, results: &[Cancelled], had_ended: HashSet<JobId>) -> Result<Vec<JobId>, Damage> {
    let mut cancelled: Vec<&JobId> =
        results.iter().filter(|one| one.result == CancelResult::Done).map(|one| &one.job.id).collect();
    if cancelled.is_empty() {
        return Ok(Vec::new());
    }
    let mut waited: HashMap<&JobId, Vec<&JobId>> = HashMap::new();
    for head in facts.heads().filter(|head| head.status == Status::Cancelled) {
        for dependency in head.after.iter().filter(|one| one.until == Until::Completed) {
            waited.entry(&dependency.id).or_default().push(&head.id);
        }
    }
    let mut seen = had_ended;
    seen.extend(results.iter().map(|one| one.job.id.clone()));
    let mut found: HashSet<&JobId> = HashSet::new();
    while let Some(id) = cancelled.pop() {
        for other in waited.remove(id).unwrap_or_default() {
            let job = if seen.insert(other.clone()) { facts.job(other)? } else { None };
            let ending = job.as_ref().and_then(|job| job.end()).and_then(|end| end.ending.as_ref());
            if ending.is_some_and(|ending| ending.why == Why::Dependency) {
                found.insert(other);
                cancelled.push(other);
            }
        }
    }
    // In the order of submission, as everywhere.
    Ok(facts.heads().map(|head| &head.id).filter(|id| found.contains(id)).cloned().collect())
}

/// A job that was told to end.
struct Asked {
    id: JobId,
    had_ended: bool,
}

/// Commits the intents in one write, so that no slot that one of them frees goes to another, and pokes.
fn commit(
    home: &Home,
    ids: &[JobId],
    request: &Request,
    told: &mut Decided,
    gone: &mut Vec<JobId>,
) -> Result<Vec<Asked>, Fault> {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let ending = Ending { why: Why::Cancel, at: home.clock.now(), signal: request.signal, note: None };
    let mut asked = Vec::new();
    let mut missing = Vec::new();
    // A queued job's end may be another's beginning: this is a pass, not a write of its own.
    let decided = pass.decide(Scope::Slots, &mut |draft| {
        asked.clear();
        missing.clear();
        let mut all = ids.to_vec();
        if request.nested {
            all.extend(inside(draft.facts(), ids)?);
        }
        for id in all {
            let Some(job) = draft.facts().job(&id)? else {
                missing.push(id);
                continue;
            };
            let change = Change::Decide { ending: ending.clone() };
            draft.push(Event::Changed { id: id.clone(), change })?;
            asked.push(Asked { id, had_ended: job.end().is_some() });
        }
        Ok(())
    })?;
    told.events.extend(decided.events);
    told.warnings.extend(decided.warnings);
    told.warnings.extend(pass.act(&decided.actions)?);
    for one in asked.iter().filter(|one| !one.had_ended) {
        // The intent stands: a watcher that was not reached finds it by itself, within a minute.
        told.warnings.extend(executor.poke(&one.id).err().map(|error| error.to_string()));
    }
    gone.append(&mut missing);
    Ok(asked)
}

/// Follows jobs to their ends. Most of many were queued and have ended at once: one look at the index tells them, and
/// only the others are attended.
fn follow_all(
    home: &Home,
    wave: &[Asked],
    no_wait: bool,
    results: &mut Vec<Cancelled>,
    gone: &mut Vec<JobId>,
) -> Result<(), Fault> {
    let facts = home.store().read()?;
    let mut attendance = None;
    for asked in wave {
        let Some(job) = facts.job(&asked.id)? else {
            gone.push(asked.id.clone());
            continue;
        };
        if let Some(result) = result(home, &job, asked.had_ended, no_wait)? {
            results.push(Cancelled { job, result });
            continue;
        }
        let attendance = match &mut attendance {
            Some(attendance) => attendance,
            none => none.insert(Attendance::new(home)?),
        };
        match follow(home, attendance, &asked.id)? {
            Some(result) => results.push(result),
            None => gone.push(asked.id.clone()),
        }
    }
    Ok(())
}

/// How the cancel of a job went, as far as that can be told now.
fn result(home: &Home, job: &Job, had_ended: bool, no_wait: bool) -> Result<Option<CancelResult>, Fault> {
    Ok(if had_ended {
        Some(CancelResult::HadEnded)
    } else if job.end().is_some() {
        let is_cancelled = job.status() == Status::Cancelled;
        Some(if is_cancelled { CancelResult::Done } else { CancelResult::EndedBefore })
    } else if let Some(host) = elsewhere(home, job) {
        Some(CancelResult::OutOfReach(host))
    } else if no_wait {
        Some(CancelResult::Asked)
    } else {
        home.local().is_of_another_root(job)?.then_some(CancelResult::Unclear)
    })
}

/// `None`: it was removed meanwhile.
fn follow(home: &Home, attendance: &mut Attendance<'_>, id: &JobId) -> Result<Option<Cancelled>, Fault> {
    let mut patience: Option<Patience> = None;
    loop {
        let facts = attendance.read()?;
        let Some(job) = facts.job(id)? else { return Ok(None) };
        if let Some(result) = result(home, &job, false, false)? {
            return Ok(Some(Cancelled { job, result }));
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
                return Ok(Some(Cancelled { job, result: CancelResult::Stuck(processes) }));
            }
        }
        attendance.wait(&facts, std::slice::from_ref(id), &[], Some(Duration::from_secs(1)))?;
    }
}

/// The machine of a running job that cannot be reached from here.
pub fn elsewhere(home: &Home, job: &Job) -> Option<String> {
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
        let attempt = record.attempt(job.execution())?;
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
