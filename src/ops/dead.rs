//! Dead letters: jobs whose attempts are used up, kept with their environments until somebody deals with them.

use super::{
    called::{Called, called},
    fault::{Code, Fault},
    find::{Among, find_all, home_of},
    home::{BrokenConfig, Home},
    list::{self, Listed},
    logs,
    status::{self, Report},
};
use crate::model::{
    event::{Applied, Event},
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    state::Change,
};
use crate::os::{clock::Clock, session};
use crate::store::Store;

/// How many of the last lines of each output are shown.
const LAST_LINES: u64 = 10;

/// Which dead letters are to be cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that these texts name; what standard input named is among them.
    Named(Vec<String>),
    /// All that have all these labels.
    Labelled(Vec<String>),
}

/// What became of one job.
#[derive(Debug)]
pub struct Cleared {
    /// As it is now.
    pub job: Job,
    /// How.
    pub result: ClearResult,
}

/// How a clearing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearResult {
    /// It is a dead letter no more.
    Done,
    /// It was none.
    WasNone,
    /// It has not ended.
    HasNotEnded,
}

/// The dead letters that have all these labels, the latest first.
pub fn list(labels: &[String], limit: Option<usize>) -> Result<Listed, Fault> {
    let labels = labels.to_vec();
    list::list(&list::Request { dead: true, labels, limit, ..list::Request::default() })
}

/// A dead letter in full, and the end of its output.
#[derive(Debug)]
pub struct Shown {
    /// Everything about it.
    pub report: Report,
    /// The last lines of its output.
    pub last_lines: Vec<u8>,
}

/// Shows dead letters, each once, in the order asked. Gives also what the user should be told.
pub fn show(texts: &[String]) -> Result<(Vec<Shown>, Vec<String>), Fault> {
    let (reports, warnings) = status::status(texts)?;
    if let Some(report) = reports.iter().find(|report| !is_dead_letter(&report.row.job)) {
        let job = &report.row.job;
        return Err(Fault::new(Code::WrongState, format!("{} is no dead letter ({})", job.id, job.status()))
            .hint(format!("bgctl status {} shows it", job.id)));
    }
    let home = home_of(texts)?;
    let shown = |report: Report| Shown {
        last_lines: logs::last_lines(&home, &report.row.job.id, LAST_LINES),
        report,
    };
    Ok((reports.into_iter().map(shown).collect(), warnings))
}

/// Whether a job is a dead letter.
pub fn is_dead_letter(job: &Job) -> bool {
    job.end().is_some_and(|end| end.dead_letter)
}

/// The dead letters that a request would clear now, and what they are called.
pub fn foresee(which: &Which) -> Result<Vec<(JobId, Called)>, Fault> {
    let Some(home) = home(which)? else { return Ok(Vec::new()) };
    let facts = home.store().read()?;
    let mut ids = ids(&facts, which)?;
    ids.retain(|id| facts.head(id).is_some_and(|head| head.dead_letter));
    let names = called(&facts, &ids);
    Ok(ids.into_iter().zip(names).collect())
}

/// Clears dead letters: they stay as jobs that failed, and their environments go. Gives also what was decided, with what
/// the user should be told.
pub fn clear(which: &Which) -> Result<(Vec<Cleared>, crate::pass::Decided), Fault> {
    let Some(home) = home(which)? else { return Ok(Default::default()) };
    let store = home.store();
    let mut results = Ok(Vec::new());
    // Nothing can start for it: a write, no pass. The store lets the environments go once it is durable.
    let commit = store.transact(home.clock.now(), &mut |draft| {
        results = match ids(draft.facts(), which) {
            Ok(ids) => Ok(clear_all(draft, &ids)?),
            Err(fault) => Err(fault),
        };
        Ok(())
    })?;
    let warnings = home.warnings.iter().cloned().chain(commit.warning).collect();
    Ok((results?, crate::pass::Decided { events: commit.events, warnings, ..Default::default() }))
}

fn home(which: &Which) -> Result<Option<Home>, Fault> {
    match which {
        Which::Named(texts) if texts.is_empty() => Ok(None),
        Which::Named(texts) => home_of(texts).map(Some),
        Which::Labelled(_) => Home::open_existing(BrokenConfig::Warns),
    }
}

fn ids(facts: &Facts, which: &Which) -> Result<Vec<JobId>, Fault> {
    match which {
        Which::Named(texts) => {
            let session = session::terminal();
            find_all(facts, texts, Among::Session(session.as_deref()))
        }
        Which::Labelled(labels) => {
            let mut jobs = facts.jobs(|head: &Head| head.dead_letter)?;
            jobs.retain(|job| labels.iter().all(|label| job.spec.labels.contains(label)));
            Ok(jobs.into_iter().map(|job| job.id).collect())
        }
    }
}

fn clear_all(
    draft: &mut crate::model::facts::Draft,
    ids: &[JobId],
) -> Result<Vec<Cleared>, crate::model::facts::Damage> {
    let mut results = Vec::new();
    for id in ids {
        let result = match draft.push(Event::Changed { id: id.clone(), change: Change::ClearDeadLetter })? {
            Applied::Yes => ClearResult::Done,
            Applied::NoOp(_) => ClearResult::WasNone,
            Applied::Refused(_) => ClearResult::HasNotEnded,
        };
        results.extend(draft.facts().job(id)?.map(|job| Cleared { job, result }));
    }
    Ok(results)
}
