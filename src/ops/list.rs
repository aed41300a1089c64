//! The jobs, and what can be seen of those that run.

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
};
use crate::model::{claim::Relation, facts::Facts, job::Job, state::Status};
use crate::plan::census::Sighting;
use crate::store::Store;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether ended jobs are listed without limit.
    pub all: bool,
    /// Only these states; empty is every state.
    pub statuses: Vec<Status>,
    /// Only jobs that have all these labels.
    pub labels: Vec<String>,
}

/// How many ended jobs are listed unless all are asked for.
pub const ENDED_SHOWN: usize = 10;

/// A job and what was seen of it.
#[derive(Debug)]
pub struct Row {
    /// As it is in the index.
    pub job: Job,
    /// What was seen of it, while it runs.
    pub observed: Option<Observed>,
}

/// What the list shows.
#[derive(Debug)]
pub struct Listed {
    /// Active jobs first, then ended ones, the latest first.
    pub rows: Vec<Row>,
    /// How many ended jobs were left out.
    pub left_out: usize,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// What is seen of a running job, beside what the index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Its watcher lives.
    Alive,
    /// Claimed, and its watcher is about to begin.
    Starting,
    /// Its processes live, its watcher does not; the next pass gives it another.
    Unwatched,
    /// Over; its watcher or the next pass writes it down.
    Ended,
    /// Neither watcher nor process; the next pass writes it down.
    Lost,
    /// The machine was started again since; the next pass writes it down.
    Rebooted,
    /// It belongs to another machine or container, or nobody claimed it.
    Elsewhere,
    /// It cannot be told: its record was removed, or cannot be read.
    Unclear,
}

impl Observed {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Starting => "starting",
            Self::Unwatched => "unwatched",
            Self::Ended => "ended",
            Self::Lost => "lost",
            Self::Rebooted => "rebooted",
            Self::Elsewhere => "elsewhere",
            Self::Unclear => "unclear",
        }
    }
}

/// Looks at a running job; `None` for one that does not run. What cannot be looked at is unclear.
pub fn observe(home: &Home, job: &Job) -> Option<Observed> {
    let claim = job.run()?.claim.as_ref();
    let executor = home.executor(claim.map(|claim| claim.executor).unwrap_or_default());
    Some(match executor.look(job) {
        Ok(Sighting::Watched { over: true, .. } | Sighting::Ended { .. }) => Observed::Ended,
        Ok(Sighting::Watched { .. }) => Observed::Alive,
        Ok(Sighting::NotStarted | Sighting::NeverExecuted) => Observed::Starting,
        Ok(Sighting::Orphaned) => Observed::Unwatched,
        Ok(Sighting::Vanished) => Observed::Lost,
        Ok(Sighting::Rebooted) => Observed::Rebooted,
        Ok(Sighting::Unseen { .. })
            if home.relation(job).is_none_or(|relation| relation == Relation::Other) =>
        {
            Observed::Elsewhere
        }
        Ok(Sighting::Unseen { .. }) | Err(_) => Observed::Unclear,
    })
}

/// Lists jobs. A root that is not there has none.
pub fn list(request: &Request) -> Result<Listed, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return Ok(Listed { rows: Vec::new(), left_out: 0, warnings: Vec::new() });
    };
    let facts = home.store().read()?;
    let (active, mut ended) = wanted(&facts, request)?;
    let before = ended.len();
    if !request.all && request.statuses.is_empty() {
        ended.truncate(ENDED_SHOWN);
    }
    let left_out = before - ended.len();
    let rows = active
        .into_iter()
        .chain(ended)
        .map(|job| {
            let observed = observe(&home, &job);
            Row { job, observed }
        })
        .collect();
    Ok(Listed { rows, left_out, warnings: home.warnings.clone() })
}

/// Active jobs in the order of submission with running ones first, and ended ones with the latest end first.
fn wanted(facts: &Facts, request: &Request) -> Result<(Vec<Job>, Vec<Job>), Fault> {
    let jobs = facts.jobs(|head| request.statuses.is_empty() || request.statuses.contains(&head.status))?;
    let (mut active, mut ended): (Vec<Job>, Vec<Job>) = jobs
        .into_iter()
        .filter(|job| request.labels.iter().all(|label| job.spec.labels.contains(label)))
        .partition(|job| !job.status().has_ended());
    active.sort_by_key(|job| job.status() != Status::Running);
    ended.reverse();
    ended.sort_by_key(|job| std::cmp::Reverse(job.ended_at()));
    Ok((active, ended))
}

/// The states that a word names: a state, a synonym, `active` or `ended`.
pub fn parse_status(text: &str) -> Result<Vec<Status>, Fault> {
    match text {
        "active" => Ok(Status::ALL.into_iter().filter(|status| !status.has_ended()).collect()),
        "ended" => Ok(Status::ALL.into_iter().filter(|status| status.has_ended()).collect()),
        _ => Status::parse(text).map(|status| vec![status]).ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).into_iter().chain(["active", "ended"]);
            let nearest = known.max_by(|a, b| strsim::jaro(a, text).total_cmp(&strsim::jaro(b, text)));
            let fault = Fault::new(Code::Usage, format!("there is no state {text:?}"));
            match nearest {
                Some(nearest) if strsim::jaro(nearest, text) > 0.7 => {
                    fault.hint(format!("did you mean {nearest}?"))
                }
                _ => fault.hint(
                    "states: queued, running, waiting_approval, completed, failed, cancelled, active, ended",
                ),
            }
        }),
    }
}
