//! Everything about a job.

use super::{
    called::{Called, called},
    fault::Fault,
    find::{Among, find_all, home_of},
    home::Home,
    list::{Live, Row, observe, places},
};
use crate::exec::{
    Executor, LiveProcess,
    local::{
        cut,
        meta::{AttemptMeta, Meta},
        record::{self, Record},
    },
};
use crate::model::{
    Timestamp,
    claim::{Claim, Relation},
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    limit::Source,
    outcome::{Ending, Exit, Leftover, Outcome, summarize},
    state::Status,
};
use crate::os::{clock::Clock, process::Identity};
use crate::plan::pick::{self, Waits};
use crate::store::{
    Store,
    root::{log_name, meta_name},
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

const META_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A job in full.
#[derive(Debug)]
pub struct Report {
    /// The job and what was seen of it.
    pub row: Row,
    /// Its attempts, the present one included, in their order.
    pub attempts: Vec<Attempt>,
    /// Why it waits, while it is queued.
    pub waits: Option<Waits>,
    /// What the jobs that it waits for are called.
    pub awaited: Vec<Called>,
    /// Where the issue is on which it waits for an answer.
    pub issue_url: Option<String>,
    /// Its place in the queue, from 1, where it stands in line for a slot.
    pub place: Option<usize>,
    /// The jobs that were submitted from inside it.
    pub children: Vec<JobId>,
    /// The jobs that repeat it.
    pub retries: Vec<JobId>,
    /// What is to be said of the other jobs that this report mentions, where the index still has them.
    pub mentioned: BTreeMap<JobId, Mention>,
    /// How the place of its present or last attempt relates to this one; `None` where it never ran, or nobody says where.
    pub relation: Option<Relation>,
    /// Its living processes, while it runs here: the main process first, each before those that it made.
    pub processes: Vec<LiveProcess>,
    /// What these use together.
    pub live: Option<Live>,
    /// Its processes that live although its watcher tried to end them.
    pub stuck: Vec<Leftover>,
    /// Leftovers that were left running and still do.
    pub still_running: Vec<Leftover>,
    /// Its log.
    pub log: PathBuf,
    /// The log's size; `None` where there is none.
    pub log_bytes: Option<u64>,
    /// Bytes of its output that were left out of the log.
    pub log_left_out_bytes: u64,
    /// Its execution snapshot, once there is one.
    pub meta: Option<Meta>,
}

/// One execution of a job.
#[derive(Debug)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// When it got its slot.
    pub started_at: Option<Timestamp>,
    /// When its last process was gone; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Why it was told to end.
    pub ending: Option<Ending>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The sentence about its end.
    pub summary: Option<String>,
    /// Where its output begins and ends in the log, where its snapshot says so.
    pub log: Option<(u64, u64)>,
}

/// Another job, in few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Its name.
    pub name: Option<String>,
    /// Its state.
    pub status: Status,
}

/// Reports on jobs, each once, in the order asked.
pub fn status(jobs: &[String]) -> Result<(Vec<Report>, Vec<String>), Fault> {
    let home = home_of(jobs)?;
    let facts = home.store().read()?;
    let ids = find_all(&facts, jobs, Among::All)?;
    let heads: HashMap<&JobId, &Head> = facts.heads().map(|head| (&head.id, head)).collect();
    let (mut children, mut retries) = descendants_of(&facts, &ids);
    let places = places(&facts, &ids, home.clock.now());
    let mut warnings = home.warnings.clone();
    let mut reports = Vec::new();
    for id in ids {
        let Some(job) = facts.job(&id)? else { continue };
        let waits = pick::why_it_waits(&facts, &id, home.clock.now(), &home.config, &home.site)?;
        let children = children.remove(&id).unwrap_or_default();
        let retries = retries.remove(&id).unwrap_or_default();
        let (held_by, ahead) = match &waits {
            Some(Waits::ForSlot { held_by, ahead }) => (&held_by[..], &ahead[..]),
            _ => (&[][..], &[][..]),
        };
        let mentioned = held_by
            .iter()
            .chain(ahead)
            .chain(&children)
            .chain(&job.spec.parent)
            .chain(&retries)
            .chain(&job.spec.retry_of)
            .chain(job.spec.after.iter().map(|one| &one.id))
            .filter_map(|id| heads.get(id))
            .map(|head| {
                let name = head.name.as_deref().map(str::to_owned);
                (head.id.clone(), Mention { name, status: head.status })
            })
            .collect();
        let awaited = match &waits {
            Some(Waits::ForJobs(open)) => open.iter().map(|one| one.id.clone()).collect(),
            _ => Vec::new(),
        };
        let mut report = report(&home, job, &mut warnings)?;
        report.awaited = called(&facts, &awaited);
        (report.waits, report.children, report.mentioned) = (waits, children, mentioned);
        report.retries = retries;
        report.place = places.get(&id).copied();
        reports.push(report);
    }
    Ok((reports, warnings))
}

/// Jobs by another one that they name.
type ByOther = HashMap<JobId, Vec<JobId>>;

/// The jobs that were submitted from inside each of these, and those that repeat each. Both are submitted later, so only
/// what comes after the first of them is parsed; what cannot be parsed is nobody's here.
fn descendants_of(facts: &Facts, of: &[JobId]) -> (ByOther, ByOther) {
    let (mut children, mut retries) = (ByOther::new(), ByOther::new());
    for head in facts.heads().skip_while(|head| !of.contains(&head.id)) {
        let Ok(Some(job)) = facts.job(&head.id) else { continue };
        for (named, found) in [(job.spec.parent, &mut children), (job.spec.retry_of, &mut retries)] {
            if let Some(named) = named.filter(|named| of.contains(named)) {
                found.entry(named).or_default().push(head.id.clone());
            }
        }
    }
    (children, retries)
}

/// What is seen of the job itself: its files and its processes.
fn report(home: &Home, job: Job, warnings: &mut Vec<String>) -> Result<Report, Fault> {
    let id = &job.id;
    let log = home.root.run_file(&log_name(id)).ok().flatten();
    let runs = home.root.existing_runs()?;
    let meta = runs.and_then(|runs| runs.read(&meta_name(id), META_BYTES_MAX).ok().flatten());
    let meta: Option<Meta> = meta.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let record = runs.and_then(|runs| Record::open(runs, id).ok().flatten());
    let recorded = record.and_then(|record| record.attempts().ok()).unwrap_or_default();
    let cut = runs.and_then(|runs| cut::read(runs, id).ok().flatten());
    let relation = claim_of(&job).map(|claim| home.site.relation(&claim.site));
    let processes = processes(home, &job).unwrap_or_else(|fault| {
        warnings.push(fault.message);
        Vec::new()
    });
    let observed = observe(home, &job);
    Ok(Report {
        attempts: attempts(&job, meta.as_ref(), &recorded),
        waits: None,
        awaited: Vec::new(),
        issue_url: issue_url(home, &job),
        place: None,
        children: Vec::new(),
        retries: Vec::new(),
        mentioned: BTreeMap::new(),
        relation,
        live: Live::of(&job, &processes, home.clock.now()),
        processes,
        stuck: stuck(home, &job),
        still_running: home.local().left_processes(&job),
        log: home.root.run_file_path(&log_name(id)),
        log_bytes: log.and_then(|file| Some(file.metadata().ok()?.len())),
        log_left_out_bytes: cut.map_or(0, |cut| cut.left_out()),
        meta,
        row: Row { job, observed },
    })
}

/// Where the issue is on which a job waits for an answer.
fn issue_url(home: &Home, job: &Job) -> Option<String> {
    let waiting = job.waiting()?;
    let number = waiting.issue()?.number;
    Some(home.config.approval.github.issue_url(&waiting.request.on.github()?.repository, number))
}

/// Where its present or last attempt runs or ran.
pub fn claim_of(job: &Job) -> Option<&Claim> {
    job.run().and_then(|run| run.claim.as_ref()).or_else(|| job.end().and_then(|end| end.claim.as_ref()))
}

/// The living processes of a running job.
pub fn processes(home: &Home, job: &Job) -> Result<Vec<LiveProcess>, Fault> {
    let Some(claim) = job.run().and_then(|run| run.claim.as_ref()) else { return Ok(Vec::new()) };
    Ok(home.executor(claim.executor).processes(job)?)
}

/// The processes that a running job's watcher could not end, as far as they still live.
pub fn stuck(home: &Home, job: &Job) -> Vec<Leftover> {
    if job.run().is_none() || home.relation(job) != Some(Relation::Same) {
        return Vec::new();
    }
    let runs = home.root.existing_runs().ok().flatten();
    let record = runs.and_then(|runs| Record::open(runs, &job.id).ok().flatten());
    let named = record.and_then(|record| record.attempt(job.execution()).ok()).map(|attempt| attempt.stuck);
    named.unwrap_or_default().into_iter().filter(lives).collect()
}

fn lives(leftover: &Leftover) -> bool {
    Identity { pid: leftover.pid, start: leftover.start }.is_alive()
}

/// Attempts as their snapshot tells them, or the record where nobody was there to write one; of the present or last one
/// the index knows best.
fn attempts(job: &Job, meta: Option<&Meta>, recorded: &[record::Attempt]) -> Vec<Attempt> {
    let told = meta.map(|meta| &meta.attempts[..]).unwrap_or_default();
    let in_index = job.started_at().is_some() || job.end().is_some_and(|end| end.outcome.is_some());
    // An entry made by hand may not count its attempts.
    let last = if in_index { job.execution().max(1) } else { job.execution().saturating_add(1) };
    let mut attempts: Vec<Attempt> =
        told.iter().filter(|one| one.execution() < last).map(|one| of_snapshot(job, one)).collect();
    for (place, one) in recorded.iter().enumerate().filter(|(_, one)| one.number < last) {
        if told.iter().all(|known| known.execution() != one.number) {
            attempts.push(of_record(job, one, recorded.get(place + 1)));
        }
    }
    attempts.sort_by_key(|one| one.number);
    if in_index {
        let log = told.iter().find(|one| one.execution() == last).map(|one| (one.log_from, one.log_to));
        attempts.push(of_index(job, job.attempt.max(1), log));
    }
    attempts
}

fn of_snapshot(job: &Job, told: &AttemptMeta) -> Attempt {
    let timeout = job.spec.limits.timeout;
    let timeout = (timeout.seconds, timeout.source == Source::Default);
    Attempt {
        number: told.attempt,
        started_at: told.started_at,
        ended_at: Some(told.ended_at),
        ending: told.ending.clone(),
        summary: summarize(&told.outcome, told.ending.as_ref(), timeout),
        outcome: Some(told.outcome.clone()),
        log: Some((told.log_from, told.log_to)),
    }
}

/// An attempt that was judged, since its watcher was gone.
fn of_record(job: &Job, told: &record::Attempt, next: Option<&record::Attempt>) -> Attempt {
    let unseen = || {
        let exit = Exit::Unknown { reason: "nobody saw its end".to_owned() };
        Outcome::bare(exit, told.last_sign.map_or(job.created_at, |(at, _)| at))
    };
    let timeout = job.spec.limits.timeout;
    let outcome = told.outcome.clone().unwrap_or_else(unseen);
    Attempt {
        number: told.number,
        started_at: told.taken_at,
        ended_at: told.outcome.as_ref().map(|outcome| outcome.at),
        ending: told.ending.clone(),
        summary: summarize(
            &outcome,
            told.ending.as_ref(),
            (timeout.seconds, timeout.source == Source::Default),
        ),
        outcome: Some(outcome),
        log: next.map(|next| (told.log_from, next.log_from)),
    }
}

fn of_index(job: &Job, number: u32, log: Option<(u64, u64)>) -> Attempt {
    let end = job.end();
    Attempt {
        number,
        started_at: job.started_at(),
        ended_at: job.ended_at(),
        ending: job.run().map_or_else(|| end.and_then(|end| end.ending.clone()), |run| run.ending.clone()),
        outcome: end.and_then(|end| end.outcome.clone()),
        summary: job.end().and(job.summary()).map(str::to_owned),
        log,
    }
}
