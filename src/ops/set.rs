//! Changing what was asked of jobs that have not ended: name, labels, limits.

use super::{
    fault::Fault,
    find::{Among, find_all, home_of},
    given,
};
use crate::exec::Executor;
use crate::model::{
    edit::Edit,
    event::{Applied, Event},
    facts::{Damage, Draft},
    job::Job,
    limit::{ByteLimit, BytesMax, Limit, Seconds, Source},
    spec::JobSpec,
};
use crate::os::{clock::Clock, session};
use crate::pass::Decided;
use crate::store::Store;

/// What is asked; what is none stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Jobs as typed.
    pub jobs: Vec<String>,
    /// The name, or that it has none.
    pub name: Option<Option<String>>,
    /// Labels that it gets.
    pub labels: Vec<String>,
    /// Labels that it loses.
    pub labels_lost: Vec<String>,
    /// Run time.
    pub timeout: Option<Seconds>,
    /// Silence of the watcher.
    pub stale_after: Option<Seconds>,
    /// Time to end.
    pub grace: Option<Seconds>,
    /// Size of the log.
    pub log_bytes_max: Option<BytesMax>,
}

/// What became of one job.
#[derive(Debug)]
pub struct Set {
    /// As it was.
    pub before: Job,
    /// As it is now.
    pub after: Job,
    /// How.
    pub result: SetResult,
}

/// How a change went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetResult {
    /// It is changed.
    Done,
    /// It was so before.
    WasSo,
    /// It has ended, and stays as it is.
    HadEnded,
}

/// Changes jobs, in the order asked. Gives also what was decided, with what the user should be told.
pub fn set(request: &Request) -> Result<(Vec<Set>, Decided), Fault> {
    if request.jobs.is_empty() {
        return Ok(Default::default());
    }
    let home = home_of(&request.jobs)?;
    let request = checked(request)?;
    let session = session::terminal();
    let mut results = Ok(Vec::new());
    let commit = home.store().transact(home.clock.now(), &mut |draft| {
        // All or none: whoever mistyped the second job has not changed the first.
        results = match edits(draft, &request, session.as_deref())? {
            Ok(edits) => Ok(apply(draft, edits)?),
            Err(fault) => Err(fault),
        };
        Ok(())
    })?;
    let results: Vec<Set> = results?;
    let mut warnings = home.warnings.clone();
    warnings.extend(commit.warning);
    let local = home.local();
    for one in results.iter().filter(|one| one.result == SetResult::Done && one.after.run().is_some()) {
        // A watcher that was not reached looks by itself, before it ends a job for time and at least once a minute.
        warnings.extend(local.poke(&one.after.id).err().map(|error| error.to_string()));
    }
    Ok((results, Decided { events: commit.events, warnings, ..Decided::default() }))
}

/// The request, if names and labels can be given.
fn checked(request: &Request) -> Result<Request, Fault> {
    let name = request.name.clone().map(|name| name.as_deref().map(given::name).transpose()).transpose()?;
    let labels = given::labels(&request.labels)?;
    Ok(Request { name, labels, ..request.clone() })
}

/// The jobs that are meant, and how each is to change.
fn edits(
    draft: &Draft,
    request: &Request,
    session: Option<&str>,
) -> Result<Result<Vec<(Job, Edit)>, Fault>, Damage> {
    let ids = match find_all(draft.facts(), &request.jobs, Among::Session(session)) {
        Ok(ids) => ids,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut edits = Vec::new();
    for id in &ids {
        let Some(job) = draft.facts().job(id)? else { continue };
        match edit(request, &job.spec) {
            Ok(edit) => edits.push((job, edit)),
            Err(fault) => {
                let message = format!("{id}: {}", fault.message);
                return Ok(Err(Fault { message, ..fault }));
            }
        }
    }
    Ok(Ok(edits))
}

fn edit(request: &Request, spec: &JobSpec) -> Result<Edit, Fault> {
    let limit = |seconds: Seconds| Limit { seconds, source: Source::Flag };
    let changes_labels = !(request.labels.is_empty() && request.labels_lost.is_empty());
    Ok(Edit {
        name: request.name.clone(),
        labels: changes_labels.then(|| labels(request, spec)).transpose()?,
        timeout: request.timeout.map(limit),
        stale_after: request.stale_after.map(limit),
        grace: request.grace.map(limit),
        log: request.log_bytes_max.map(|bytes| ByteLimit { bytes, source: Source::Flag }),
    })
}

/// The labels that it keeps, and behind them those that are new.
fn labels(request: &Request, spec: &JobSpec) -> Result<Vec<String>, Fault> {
    let mut labels = spec.labels.clone();
    labels.retain(|label| !request.labels_lost.contains(label));
    for label in &request.labels {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    if labels.len() > spec.labels.len() {
        given::label_count(labels.len())?;
    }
    Ok(labels)
}

fn apply(draft: &mut Draft, edits: Vec<(Job, Edit)>) -> Result<Vec<Set>, Damage> {
    let mut results = Vec::new();
    for (before, edit) in edits {
        let applied = draft.push(Event::Edited { id: before.id.clone(), edit })?;
        let after = draft.facts().job(&before.id)?.unwrap_or_else(|| before.clone());
        let result = match applied {
            Applied::Yes => SetResult::Done,
            Applied::NoOp(_) => SetResult::WasSo,
            // An edit is refused for nothing else.
            Applied::Refused(_) => SetResult::HadEnded,
        };
        results.push(Set { before, after, result });
    }
    Ok(results)
}
