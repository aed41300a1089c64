//! Waiting for jobs to end, and the one table of exit codes for how they did.

use super::{
    attend::Attendance,
    fault::{Code, Fault},
    home::Home,
};
use crate::model::{
    facts::Facts,
    id::JobId,
    job::Job,
    outcome::{self, NO_CODE, TIMED_OUT, Why},
    state::Verdict,
};
use crate::os::clock::Clock;
use crate::plan::pick::{self, Waits};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// `--within` is over, or nobody reads what is told, and it still goes on.
pub const STILL_GOING_ON: i32 = 121;
/// No such job, or our own failure.
pub const OWN_FAILURE: i32 = 122;

/// What has ended.
#[derive(Debug, Default)]
pub struct Waited {
    /// The jobs in the order asked, as they are now.
    pub jobs: Vec<Job>,
    /// The one that ended first, where that is enough.
    pub first: Option<JobId>,
    /// Whether the time was over before all that was asked for had ended.
    pub time_is_over: bool,
    /// The exit code: the first that is not 0, in the order asked.
    pub code: i32,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The jobs, each once.
    pub ids: &'a [JobId],
    /// Longest wait.
    pub within: Option<Duration>,
    /// Whether the first that ends is enough.
    pub any: bool,
    /// Becomes readable once nobody wants to hear of ends any more.
    pub reader_gone: Option<BorrowedFd<'a>>,
}

/// What is told while a wait lasts.
#[derive(Debug)]
pub enum News<'a> {
    /// It goes on. Told before each sleep; a sleep ends only when something may have changed.
    Left(Left<'a>),
    /// A job ended. Told once of each.
    Ended(&'a Job),
}

/// What a wait still waits for.
#[derive(Debug)]
pub struct Left<'a> {
    /// The jobs that go on.
    pub jobs: Vec<&'a Job>,
    /// Of so many that were asked for.
    pub of: usize,
    home: &'a Home,
    facts: &'a Facts,
}

impl<'a> Left<'a> {
    /// These jobs of so many.
    pub(super) fn new(jobs: Vec<&'a Job>, of: usize, home: &'a Home, facts: &'a Facts) -> Self {
        Self { jobs, of, home, facts }
    }

    /// Why a job of them waits, where it does.
    pub fn waits(&self, job: &Job) -> Option<Waits> {
        let Home { clock, config, site, .. } = self.home;
        pick::why_it_waits(self.facts, &job.id, clock.now(), config, site).ok().flatten()
    }
}

/// Waits for jobs to end, and tells `progress` how it goes.
pub fn wait_for(
    home: &Home,
    mut attendance: Attendance<'_>,
    request: Request<'_>,
    progress: &mut dyn FnMut(News<'_>) -> Result<(), Fault>,
) -> Result<Waited, Fault> {
    let Request { ids, within, any, reader_gone } = request;
    let deadline = within.map(|within| Instant::now() + within);
    let mut ended: HashMap<JobId, Job> = HashMap::new();
    let mut is_heard = true;
    loop {
        let facts = attendance.read()?;
        let jobs = jobs(&facts, ids, &ended)?;
        let is_new = |job: &&Job| job.end().is_some() && !ended.contains_key(&job.id);
        let mut new: Vec<&Job> = jobs.iter().filter(is_new).collect();
        // As they came, however many of them are found at one look.
        new.sort_by_key(|job| job.ended_at());
        for job in new {
            ended.insert(job.id.clone(), job.clone());
            progress(News::Ended(job))?;
        }
        let enough = if any { !ended.is_empty() } else { ended.len() == ids.len() };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let time_is_over = !enough && left == Some(Duration::ZERO);
        let is_left = !enough && (time_is_over || !is_heard);
        if enough || is_left {
            // Where several had ended, the one that did so first is meant.
            let first = if any {
                ended.values().min_by_key(|job| job.ended_at()).map(|job| job.id.clone())
            } else {
                None
            };
            let code = match &first {
                _ if is_left => STILL_GOING_ON,
                Some(first) => jobs.iter().find(|job| job.id == *first).and_then(exit_code).unwrap_or(0),
                None => fold(&jobs),
            };
            let warnings = home.warnings.iter().chain(attendance.warnings()).cloned().collect();
            return Ok(Waited { jobs, first, time_is_over, code, warnings });
        }
        let going = jobs.iter().filter(|job| job.end().is_none()).collect();
        progress(News::Left(Left::new(going, ids.len(), home, &facts)))?;
        let readable = attendance.wait(&facts, ids, reader_gone.as_slice(), left)?;
        is_heard = !readable.contains(&true);
    }
}

/// The jobs as they are; one that ended and was removed since, as it was.
fn jobs(facts: &Facts, ids: &[JobId], ended: &HashMap<JobId, Job>) -> Result<Vec<Job>, Fault> {
    ids.iter()
        .map(|id| {
            let job = facts.job(id)?.or_else(|| ended.get(id).cloned());
            job.ok_or_else(|| Fault::new(Code::NotFound, format!("{id} was removed while it was waited for")))
        })
        .collect()
}

/// The first code that is not 0.
fn fold(jobs: &[Job]) -> i32 {
    jobs.iter().filter_map(exit_code).find(|code| *code != 0).unwrap_or(0)
}

/// The exit code that stands for an ended job's end; `None` for one that goes on.
///
/// See [`outcome::exit_code`]; what was ended before it ran has a code too.
pub fn exit_code(job: &Job) -> Option<i32> {
    let end = job.end()?;
    let told = end.ending.as_ref().map(|ending| ending.why);
    Some(match (end.verdict, &end.outcome) {
        (Verdict::Cancelled, _) => NO_CODE,
        (Verdict::Failed, None) if told == Some(Why::Timeout) => TIMED_OUT,
        (_, Some(outcome)) => outcome::exit_code(&outcome.exit, told),
        (Verdict::Completed, None) => 0,
        (_, None) => NO_CODE,
    })
}
