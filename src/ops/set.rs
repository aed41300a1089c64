//! Changing what was asked of jobs that have not ended: name, labels, limits; of those that wait, also their place.

use super::{
    fault::{Code, Fault},
    find::{Among, find_all, home_of},
    given,
    group::no_such_group,
    home::Home,
    start::{submit::known_groups, waited_for},
};
use crate::exec::Executor;
use crate::model::{
    Timestamp,
    dependency::Dependency,
    edit::Edit,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts},
    id::JobId,
    job::Job,
    limit::{ByteLimit, BytesMax, Limit, Seconds, Source},
    priority::Priority,
    spec::JobSpec,
    state::Change,
};
use crate::os::session;
use crate::pass::Decided;
use crate::plan::{Scope, depend, pick};

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
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// The group whose slots it takes.
    pub group: Option<String>,
    /// Jobs as typed, which have to complete first too.
    pub after: Vec<String>,
    /// Jobs as typed, which have to end first too.
    pub after_end: Vec<String>,
    /// Jobs as typed, which it waits for no more.
    pub after_lost: Vec<String>,
    /// Before when it does not start, or that nothing but a slot is waited for.
    pub not_before: Option<Option<Timestamp>>,
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
    /// It has its slot, and what was asked has a meaning before that only.
    HasBegun,
    /// It waits for approval, and has no time to start before that.
    WaitsForApproval,
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
    let store = home.store();
    let local = home.local();
    let pass = home.pass(&store, &local);
    // A pass: what waited for another job, or stood in another group's line, may start now.
    let decided = pass.decide(Scope::Slots, &mut |draft| {
        // All or none: whoever mistyped the second job has not changed the first.
        results = match edits(draft, &request, &home, session.as_deref())? {
            Ok(edits) => Ok(apply(draft, edits, &request)?),
            Err(fault) => Err(fault),
        };
        Ok(())
    })?;
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings);
    warnings.extend(pass.act(&decided.actions)?);
    let results: Vec<Set> = results?;
    for one in results.iter().filter(|one| one.result == SetResult::Done && one.after.run().is_some()) {
        // A watcher that was not reached looks by itself, before it ends a job for time and at least once a minute.
        warnings.extend(local.poke(&one.after.id).err().map(|error| error.to_string()));
    }
    Ok((results, Decided { events: decided.events, warnings, ..Decided::default() }))
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
    home: &Home,
    session: Option<&str>,
) -> Result<Result<Vec<(Job, Edit)>, Fault>, Damage> {
    let ids = match find_all(draft.facts(), &request.jobs, Among::Session(session)) {
        Ok(ids) => ids,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut edits = Vec::new();
    for id in &ids {
        let Some(job) = draft.facts().job(id)? else { continue };
        match edit(request, &job, draft.facts(), home) {
            Ok(edit) => edits.push((job, edit)),
            Err(fault) => {
                let message = format!("{id}: {}", fault.message);
                return Ok(Err(Fault { message, ..fault }));
            }
        }
    }
    Ok(Ok(edits))
}

fn edit(request: &Request, job: &Job, facts: &Facts, home: &Home) -> Result<Edit, Fault> {
    let spec = &job.spec;
    let limit = |seconds: Seconds| Limit { seconds, source: Source::Flag };
    let changes_labels = !(request.labels.is_empty() && request.labels_lost.is_empty());
    Ok(Edit {
        name: request.name.clone(),
        labels: changes_labels.then(|| labels(request, spec)).transpose()?,
        timeout: request.timeout.map(limit),
        stale_after: request.stale_after.map(limit),
        grace: request.grace.map(limit),
        log: request.log_bytes_max.map(|bytes| ByteLimit { bytes, source: Source::Flag }),
        priority: request.priority,
        after: after(request, job, facts)?,
        group: request.group.as_deref().map(|name| group(name, facts, home)).transpose()?,
    })
}

/// All jobs that it waits for, where that is to change.
fn after(request: &Request, job: &Job, facts: &Facts) -> Result<Option<Vec<Dependency>>, Fault> {
    let Request { after, after_end, after_lost, .. } = request;
    if after.is_empty() && after_end.is_empty() && after_lost.is_empty() {
        return Ok(None);
    }
    let lost = waited_for(facts, after_lost, &[])?;
    let mut all = job.spec.after.clone();
    all.retain(|dependency| !lost.iter().any(|lost| lost.id == dependency.id));
    for dependency in waited_for(facts, after, after_end)? {
        if !all.contains(&dependency) {
            all.push(dependency);
        }
    }
    if let Some(circle) = depend::circle(facts, &job.id, &all) {
        let ids: Vec<&str> = circle.iter().map(JobId::as_str).collect();
        let message = match &ids[..] {
            [_, _] => "it would wait for itself".to_owned(),
            _ => format!("it would wait for itself: {}", ids.join(" waits for ")),
        };
        return Err(Fault::new(Code::Usage, message));
    }
    Ok(Some(all))
}

/// The group of that name; none for the default group.
fn group(name: &str, facts: &Facts, home: &Home) -> Result<Option<String>, Fault> {
    let group = given::group(name)?;
    if pick::slots(facts, &home.config, name).is_none() {
        let fault = no_such_group(name, &known_groups(facts, &home.config));
        let hint = fault.hint.clone().unwrap_or_default();
        return Err(fault.hint(format!("{hint}; bgctl group add {name} --slots N makes one")));
    }
    Ok(group)
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

fn apply(draft: &mut Draft, edits: Vec<(Job, Edit)>, request: &Request) -> Result<Vec<Set>, Damage> {
    let mut results = Vec::new();
    for (before, edit) in edits {
        // First what only a job that waits can bear: one that has begun is then not changed in part.
        let reschedule = request.not_before.map(|not_before| Change::Reschedule { not_before });
        let moved = match reschedule {
            Some(change) => Some(draft.push(Event::Changed { id: before.id.clone(), change })?),
            None => None,
        };
        let applied = match moved {
            Some(refused @ Applied::Refused(_)) => refused,
            moved => {
                let applied = draft.push(Event::Edited { id: before.id.clone(), edit })?;
                if moved == Some(Applied::Yes) { Applied::Yes } else { applied }
            }
        };
        let after = draft.facts().job(&before.id)?.unwrap_or_else(|| before.clone());
        let result = match applied {
            Applied::Yes => SetResult::Done,
            Applied::NoOp(_) => SetResult::WasSo,
            Applied::Refused(_) if after.status().has_ended() => SetResult::HadEnded,
            Applied::Refused(_) if after.waiting().is_some() => SetResult::WaitsForApproval,
            // An edit is refused for nothing else.
            Applied::Refused(_) => SetResult::HasBegun,
        };
        results.push(Set { before, after, result });
    }
    Ok(results)
}
