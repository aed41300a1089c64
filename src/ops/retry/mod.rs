//! Repeating ended jobs: each becomes a new job, all of them in one write of the index or none.

pub mod edit;
mod repeat;

use super::{
    fault::{Code, Fault},
    find::{Among, find_all, no_such_job},
    home::{BrokenConfig, Home},
    list::places,
    start::{
        self, Submitted, WhenFull,
        environment::{TOKENS, tokens_left_out},
        submit::{self, Entry, Placed, Submission, has_its_key, submit},
        submitted_job, tell_why_it_waits, wait_for_room,
    },
};
use crate::exec::local::start::JOB_VARIABLES;
use crate::model::{
    dependency::{Dependency, Until},
    facts::Facts,
    id::JobId,
    job::Job,
    state::Status,
};
use crate::os::{
    clock::{Clock, SystemClock},
    inherited::Inherited,
    session,
};
use crate::pass::{Decided, Pass};
use crate::plan::{
    Action,
    admit::{Full, Holders},
};
use crate::store::Store;
use edit::Edited;
use repeat::Repetition;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which jobs.
    pub which: Which,
    /// What takes the place of the command; for a single job.
    pub edited: Option<Edited>,
    /// What happens when the queue is full.
    pub when_full: WhenFull,
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that these texts name.
    Named(Vec<String>),
    /// Every dead letter that has all these labels.
    Dead {
        /// Labels.
        labels: Vec<String>,
    },
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Retried {
    /// The new jobs, in the order of those that they repeat.
    pub jobs: Vec<Repeated>,
    /// Dead letters that stay as they are, because another job has their key.
    pub left: Vec<Left>,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// One new job.
#[derive(Debug)]
pub struct Repeated {
    /// The job that it repeats.
    pub original: JobId,
    /// Whether that is a dead letter no more.
    pub was_dead_letter: bool,
    /// Whether it runs with the environment of that job; otherwise with its submitter's.
    pub has_its_environment: bool,
    /// Jobs that repeat the same one, and have not ended.
    pub others: Vec<(JobId, Status)>,
    /// The new job as it was submitted.
    pub submitted: Submitted,
}

/// A dead letter that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub id: JobId,
    /// The job that has its key: one that has not ended, or a later dead letter.
    pub holder: JobId,
}

/// Repeats jobs. `waiting` is told why nothing is submitted yet, before each wait for room.
pub fn retry(request: &Request, waiting: &mut dyn FnMut(&Full)) -> Result<Retried, Fault> {
    let Some(home) = home_of(request)? else { return Ok(Retried::default()) };
    let deadline = request.when_full.deadline();
    loop {
        let Prepared { facts, repetitions, caller, left } = prepare(&home, request)?;
        if repetitions.is_empty() {
            return Ok(Retried { left, warnings: home.warnings.clone(), ..Retried::default() });
        }
        let left_out = tokens_left_out(&start::Request::default(), &caller);
        let mut submission = submission(&repetitions, caller);
        let store = home.store();
        let executor = home.local();
        let pass = home.pass(&store, &executor);
        match submit(&home, &pass, &mut submission)? {
            submit::Submitted::Stands(placed, decided) => {
                let mut retried = told(&home, &pass, &facts, repetitions, &placed, decided)?;
                retried.warnings.extend(left_out);
                return Ok(Retried { left, ..retried });
            }
            submit::Submitted::NoGroup { fault, .. } => return Err(fault),
            submit::Submitted::Full(full, decided) => {
                pass.act(&decided.actions)?;
                wait_for_room(&home, &full, request.when_full, deadline, waiting).map_err(|fault| {
                    let ways =
                        "--when-full wait waits for room, queue.max_size in config.toml raises the limit";
                    if fault.reason.is_some() { fault.hint(ways) } else { fault }
                })?;
            }
        }
    }
}

/// What would come of it.
#[derive(Debug, Default)]
pub struct Foreseen {
    /// What would be submitted, each with the job that it repeats.
    pub jobs: Vec<(JobId, Job)>,
    /// Dead letters that would stay as they are, because another job has their key.
    pub left: Vec<Left>,
}

/// What would be submitted. Changes nothing.
pub fn foresee(request: &Request) -> Result<Foreseen, Fault> {
    let Some(home) = home_of(request)? else { return Ok(Foreseen::default()) };
    let Prepared { repetitions, left, .. } = prepare(&home, request)?;
    let id =
        JobId::parse("bg_00000000_dryrun").map_err(|error| Fault::new(Code::Failed, error.to_string()))?;
    let now = home.clock.now();
    let job = |one: Repetition| (one.original, Job::new(id.clone(), one.entry.spec, now));
    Ok(Foreseen { jobs: repetitions.into_iter().map(job).collect(), left })
}

/// The job that is to be edited, which has to have ended.
pub fn to_edit(text: &str) -> Result<Job, Fault> {
    let which = Which::Named(vec![text.to_owned()]);
    let request = Request { which, edited: None, when_full: WhenFull::Refuse };
    let home = home_of(&request)?.ok_or_else(|| no_such_job(text))?;
    let facts = home.store().read()?;
    let (mut jobs, _) = chosen(&home, &facts, &request)?;
    jobs.pop().ok_or_else(|| no_such_job(text))
}

/// Opens the root. `None`: there is none, and so no dead letter. What starts now must run under the settings that its user
/// wrote down.
fn home_of(request: &Request) -> Result<Option<Home>, Fault> {
    let home = Home::open_existing(BrokenConfig::Stops)?;
    match &request.which {
        Which::Named(texts) if home.is_none() => match texts.first() {
            Some(text) => Err(no_such_job(text)),
            None => Ok(None),
        },
        _ => Ok(home),
    }
}

/// What is to be submitted: everything checked, nothing changed.
struct Prepared {
    facts: Rc<Facts>,
    repetitions: Vec<Repetition>,
    caller: Inherited,
    left: Vec<Left>,
}

fn prepare(home: &Home, request: &Request) -> Result<Prepared, Fault> {
    let facts = home.store().read()?;
    let (originals, left) = chosen(home, &facts, request)?;
    let on_github = |job: &Job| job.spec.gate.as_ref().is_some_and(|gate| gate.on.github().is_some());
    // As at a submission: what waits for GitHub could answer with them, and one environment is for all.
    let is_on_github = originals.iter().any(on_github);
    let caller =
        Inherited::capture(|name| JOB_VARIABLES.contains(&name) || (is_on_github && TOKENS.contains(&name)));
    let mut kept: HashMap<String, Inherited> = HashMap::new();
    let mut repetitions = Vec::with_capacity(originals.len());
    for original in originals {
        let id = original.id.clone();
        let repetition =
            repeat::repetition(home, &facts, original, request.edited.as_ref(), &caller, &mut kept);
        repetitions.push(repetition.map_err(|fault| {
            let names_it = fault.message.contains(id.as_str());
            let message = format!("could not retry {id}: {}", fault.message);
            if names_it { fault } else { Fault { message, ..fault } }
        })?);
    }
    Ok(Prepared { facts, repetitions, caller, left })
}

/// The jobs that are meant, all of which have ended; and the dead letters among them that another job's key keeps from it.
fn chosen(home: &Home, facts: &Facts, request: &Request) -> Result<(Vec<Job>, Vec<Left>), Fault> {
    let jobs = match &request.which {
        Which::Named(texts) => {
            let session = session::terminal();
            let mut jobs = Vec::new();
            for id in find_all(facts, texts, Among::Session(session.as_deref()))? {
                jobs.extend(facts.job(&id)?);
            }
            jobs
        }
        Which::Dead { labels } => {
            let mut jobs = facts.jobs(|head| head.dead_letter)?;
            jobs.retain(|job| labels.iter().all(|label| job.spec.labels.contains(label)));
            jobs
        }
    };
    if let Some(job) = jobs.iter().find(|job| !job.status().has_ended()) {
        return Err(has_not_ended(job));
    }
    let left = held_back(home, facts, &jobs);
    if matches!(request.which, Which::Named(_)) {
        return match left.first() {
            Some(Left { id, holder }) if jobs.iter().any(|job| job.id == *holder) => {
                let message =
                    format!("{id} and {holder} have the same key, which is one job's; nothing was started");
                let hint = format!("bgctl retry {holder} starts the later one again");
                Err(Fault::new(Code::WrongState, message).hint(hint))
            }
            Some(Left { id, holder }) => Err(has_its_key(id, holder)),
            None => Ok((jobs, left)),
        };
    }
    let stays = |job: &Job| left.iter().any(|one| one.id == job.id);
    Ok((jobs.into_iter().filter(|job| !stays(job)).collect(), left))
}

/// The jobs whose key another one has: a job that has not ended, or of these the last one of that key.
fn held_back(home: &Home, facts: &Facts, jobs: &[Job]) -> Vec<Left> {
    let now = home.clock.now();
    let mut last: HashMap<&str, &JobId> = HashMap::new();
    for job in jobs {
        last.extend(job.spec.key.as_ref().map(|key| (key.text.as_str(), &job.id)));
    }
    let holders = Holders::of(facts, now);
    let holder = |job: &Job| -> Option<JobId> {
        let key = &job.spec.key.as_ref()?.text;
        let active =
            holders.of_key(key).filter(|id| facts.head(id).is_some_and(|head| !head.status.has_ended()));
        let holder = active.or_else(|| last.get(key.as_str()).copied())?;
        (*holder != job.id).then(|| holder.clone())
    };
    jobs.iter().filter_map(|job| Some(Left { id: job.id.clone(), holder: holder(job)? })).collect()
}

fn has_not_ended(job: &Job) -> Fault {
    let id = &job.id;
    let (message, hint) = match job.status() {
        Status::Running if job.is_being_ended() => (
            format!("{id} is being ended; only what has ended can be retried"),
            format!("bgctl wait {id}, and then bgctl retry {id}"),
        ),
        Status::Running => (
            format!("{id} is running; only what has ended can be retried"),
            format!("bgctl cancel {id} ends it first"),
        ),
        Status::Queued if job.attempt > 0 => (
            format!("{id} is queued for its next attempt; only what has ended can be retried"),
            format!("bgctl status {id} says when it comes; bgctl cancel {id} ends it first"),
        ),
        status => (
            format!(
                "{id} {}; only what has ended can be retried",
                match status {
                    Status::Queued => "is queued and has not run yet",
                    _ => "waits for approval",
                }
            ),
            format!("bgctl status {id} says what it waits for; bgctl cancel {id} ends it first"),
        ),
    };
    Fault::new(Code::WrongState, message).hint(hint)
}

/// All new jobs as one submission. Several count as one entry of the queue, as a batch does.
fn submission(repetitions: &[Repetition], caller: Inherited) -> Submission {
    // What is repeated together waits for each other as it did.
    let place_of = |id: &JobId| repetitions.iter().position(|one| one.original == *id);
    let entry = |one: &Repetition| Entry {
        after: one.awaited.iter().filter_map(|dep| Some((place_of(&dep.id)?, dep.until))).collect(),
        ..one.entry.clone()
    };
    let dead = repetitions.iter().filter(|one| one.is_dead_letter).map(|one| one.original.clone());
    Submission {
        entries: repetitions.iter().map(entry).collect(),
        inherited: caller,
        not_before: None,
        is_batch: repetitions.len() > 1,
        makes_groups: false,
        retried: dead.collect(),
    }
}

/// A failure that the original waited for, and that its repetition does not wait for: somebody may count on it.
fn not_awaited(before: &Facts, one: &Repetition, all: &[Repetition]) -> Option<String> {
    let failed = |dependency: &&Dependency| {
        dependency.until == Until::Completed
            && before.head(&dependency.id).is_some_and(|head| head.status != Status::Completed)
            && all.iter().all(|other| other.original != dependency.id)
    };
    let other = &one.awaited.iter().find(failed)?.id;
    let id = &one.original;
    Some(format!(
        "{id} waited for {other}, which has not completed, and its retry does not wait for it; bgctl retry {other} {id} \
        repeats both in their order"
    ))
}

/// Acts upon what was decided, and tells how the new jobs stand. They are on disk: whatever goes wrong is a warning.
fn told(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    before: &Facts,
    repetitions: Vec<Repetition>,
    placed: &[Placed],
    mut decided: Decided,
) -> Result<Retried, Fault> {
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings.iter().cloned());
    warnings.extend(repetitions.iter().filter_map(|one| not_awaited(before, one, &repetitions)));
    match pass.act(&decided.actions) {
        Ok(told) => warnings.extend(told),
        Err(error) => warnings.push(error.to_string()),
    }
    let launched: HashSet<&JobId> = decided
        .actions
        .iter()
        .filter_map(|action| if let Action::Launch { id } = action { Some(id) } else { None })
        .collect();
    let waits = placed.iter().any(|one| !launched.contains(&one.id));
    if waits && let Err(error) = pass.advance_if_due(&mut decided) {
        warnings.push(error.to_string());
    }
    let after = if waits { home.store().read().ok() } else { None };
    let in_line = after
        .as_ref()
        .map(|facts| places(facts, placed.iter().map(|one| &one.id), home.clock.now()))
        .unwrap_or_default();
    let mut others = others(before, &repetitions)?;
    let is_one = placed.len() == 1;
    let mut jobs = Vec::with_capacity(placed.len());
    for (repetition, placed) in repetitions.into_iter().zip(placed) {
        let id = &placed.id;
        let now = after.as_ref().and_then(|facts| facts.job(id).ok().flatten());
        let mut submitted = Submitted {
            job: now.map_or_else(|| submitted_job(&decided, id), Ok)?,
            created: true,
            differs: false,
            waits: None,
            place: in_line.get(id).copied(),
            holders: Vec::new(),
            decided: Decided::default(),
            warnings: Vec::new(),
        };
        // Of many, the reasons would be a page.
        if is_one && waits && submitted.job.status() == Status::Queued {
            tell_why_it_waits(home, &mut submitted, None)?;
        }
        jobs.push(Repeated {
            was_dead_letter: repetition.is_dead_letter,
            has_its_environment: repetition.has_its_environment,
            others: others.remove(&repetition.original).unwrap_or_default(),
            original: repetition.original,
            submitted,
        });
    }
    Ok(Retried { jobs, left: Vec::new(), decided, warnings })
}

/// The jobs that repeat these already, and have not ended.
fn others(facts: &Facts, repetitions: &[Repetition]) -> Result<HashMap<JobId, Vec<(JobId, Status)>>, Fault> {
    let originals: HashSet<&JobId> = repetitions.iter().map(|one| &one.original).collect();
    let mut found: HashMap<JobId, Vec<(JobId, Status)>> = HashMap::new();
    for job in facts.jobs(|head| !head.status.has_ended())? {
        let status = job.status();
        if let Some(original) = job.spec.retry_of.filter(|id| originals.contains(id)) {
            found.entry(original).or_default().push((job.id, status));
        }
    }
    Ok(found)
}
