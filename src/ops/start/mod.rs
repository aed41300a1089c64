//! Submission: from a command line to an id that is on disk, and to a watcher where a slot is free.

pub mod array;
pub mod batch;
pub(super) mod command;
pub(super) mod environment;
pub mod fields;
mod foresee;
pub mod given;
pub(super) mod input;
pub mod many;
pub mod submit;
pub mod variables;

pub use foresee::{Foreseen, foresee};
pub use given::Request;
pub use many::Many;

use super::{
    attend::Attendance,
    called::{Called, called},
    fault::{Code, Fault, Reason},
    find::{Among, find_all},
    home::{BrokenConfig, Home},
};
use crate::model::{
    Timestamp,
    dependency::{DEPENDENCIES_MAX, Dependency, Until},
    facts::Facts,
    id::JobId,
    job::Job,
};
use crate::os::{
    clock::{Clock, SystemClock},
    session,
};
use crate::pass::{Decided, Pass};
use crate::plan::{
    Action,
    admit::{self, Full},
    pick::{self, Waits},
};
use crate::store::Store;
use given::prepare;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};
use submit::{Entry, KeptInput, Placed, Submission, read_own, submit};

/// A submitted job.
#[derive(Debug)]
pub struct Submitted {
    /// As it is in the index.
    pub job: Job,
    /// Whether it was submitted now; otherwise it has the key of what was asked, and nothing was started.
    pub created: bool,
    /// Whether the job that was there runs another command than was asked.
    pub differs: bool,
    /// Why it does not run at once, where it has to wait.
    pub waits: Option<Waits>,
    /// Its place in the queue, from 1, where it stands in line for a slot.
    pub place: Option<usize>,
    /// What the jobs that it waits for are called.
    pub holders: Vec<Called>,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// What a submission does when the queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// It waits for room, no longer than this.
    Wait {
        /// For ever where nothing is said.
        within: Option<Duration>,
    },
}

impl WhenFull {
    /// Until when a submission that begins now waits; `None` without end, and for one that does not wait.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Wait { within: Some(within) } => Some(Instant::now() + within),
            Self::Wait { within: None } | Self::Refuse => None,
        }
    }
}

/// Submits a job. `waiting` is told why it is not submitted yet, before each wait for room.
pub fn start(
    request: &Request,
    when_full: WhenFull,
    waiting: &mut dyn FnMut(&Full),
) -> Result<Submitted, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let deadline = when_full.deadline();
    let mut own = None;
    let started = start_in(&home, request, (when_full, deadline), &mut own, waiting);
    // Nobody asks for it any more: it failed, or another job has the key.
    if let Some(id) = own.filter(|own| !matches!(&started, Ok(started) if started.job.id == *own)) {
        input::forget(&home.root, &id);
    }
    started
}

/// Submits a job; `own` is under which id our own standard input was read for it.
fn start_in(
    home: &Home,
    request: &Request,
    (when_full, deadline): (WhenFull, Option<Instant>),
    own: &mut Option<JobId>,
    waiting: &mut dyn FnMut(&Full),
) -> Result<Submitted, Fault> {
    let own_input = request.stdin.as_deref() == Some(Path::new(input::OWN));
    loop {
        // Who reads from a pipe is not made to say all of it before he is refused.
        if own_input && own.is_none() {
            if let Err(full) = room(home, request)? {
                wait_for_room(home, &full, when_full, deadline, waiting)?;
                continue;
            }
            prepare(request, &home.config)?;
            *own = Some(read_own(home)?);
        }
        // What is asked may change while it waits: files of variables, a folder that goes.
        let (spec, inherited) = prepare(request, &home.config)?;
        let asked = spec.display.clone();
        let after = dependencies(home, request)?;
        let spec = crate::model::spec::JobSpec { after, ..spec };
        let input = own.clone().map(KeptInput::Own);
        let mut submission = Submission {
            entries: vec![Entry { spec, input, after: Vec::new() }],
            inherited,
            not_before: request.not_before(home.clock.now()),
            is_batch: false,
            makes_groups: request.create_group,
            retried: Vec::new(),
        };
        let left_out = environment::tokens_left_out(request, &submission.inherited);
        let store = home.store();
        let executor = home.local();
        let pass = home.pass(&store, &executor);
        let submitted = submit(home, &pass, &mut submission);
        if let Some(KeptInput::Own(id)) = submission.entries.first().and_then(|entry| entry.input.as_ref()) {
            *own = Some(id.clone());
        }
        match submitted? {
            submit::Submitted::Stands(placed, decided) => {
                let Some(placed) = placed.into_iter().next() else {
                    return Err(Fault::new(Code::Failed, "nothing was submitted"));
                };
                let mut submitted = launch(home, &pass, &placed, &asked, decided)?;
                submitted.warnings.extend(left_out.filter(|_| submitted.created));
                return Ok(submitted);
            }
            submit::Submitted::NoGroup { fault, .. } => return Err(fault),
            submit::Submitted::Full(full, decided) => {
                pass.act(&decided.actions)?;
                wait_for_room(home, &full, when_full, deadline, waiting)?;
            }
        }
    }
}

/// Whether there is room for what is asked, as things stand.
fn room(home: &Home, request: &Request) -> Result<Result<(), Full>, Fault> {
    let facts = home.store().read()?;
    Ok(match (&request.approval, request.service) {
        (Some(_), _) => admit::room_for_approval(&facts, &home.config.queue),
        (None, true) => Ok(()),
        (None, false) => admit::room(&facts, &home.config.queue),
    })
}

/// Waits until the queue may have room again, or says that it is full.
pub fn wait_for_room(
    home: &Home,
    full: &Full,
    when_full: WhenFull,
    deadline: Option<Instant>,
    waiting: &mut dyn FnMut(&Full),
) -> Result<(), Fault> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if when_full == WhenFull::Refuse || left == Some(Duration::ZERO) {
        let facts = home.store().read()?;
        let refused = is_full(home, &facts, full, when_full);
        if let Some(reason) = &refused.reason {
            // That it cannot be told changes nothing: it is refused, and that is said.
            let _ = home.store().note(home.clock.now(), &reason.note());
        }
        return Err(refused);
    }
    waiting(full);
    let mut attendance = Attendance::new(home)?;
    let facts = attendance.read()?;
    // Room that came since is not waited for.
    let room = if full.for_approval { admit::room_for_approval } else { admit::room };
    if room(&facts, &home.config.queue).is_ok() {
        return Ok(());
    }
    let queued: Vec<JobId> =
        facts.heads().filter(|head| !head.status.has_ended()).map(|head| head.id.clone()).collect();
    attendance.wait(&facts, &queued, &[], left)?;
    Ok(())
}

/// The queue is too full for another submission.
pub fn is_full(home: &Home, facts: &Facts, full: &Full, when_full: WhenFull) -> Fault {
    let Full { waiting, threshold, jobs_max, for_approval } = full;
    let waited = if when_full == WhenFull::Refuse { "" } else { "still " };
    let wait = if *for_approval { "wait for approval" } else { "wait" };
    let message = format!(
        "the queue is {waited}full: {waiting} {wait}, and beyond {threshold} ({}% of {jobs_max}) nothing more is taken; \
        nothing was queued",
        home.config.queue.threshold_percent
    );
    let retry_after_seconds = retry_after_seconds(home, facts, full);
    let reason = Reason::QueueFull { full: *full, retry_after_seconds };
    let wait = if when_full == WhenFull::Refuse { "--when-full wait waits for room; " } else { "" };
    Fault { reason: Some(Box::new(reason)), ..Fault::new(Code::NotNow, message) }.hint(format!(
        "{wait}with room, --batch FILE takes many commands as one entry; queue.max_size in config.toml raises the limit"
    ))
}

/// Shortest and longest time after which trying again is proposed, and what is proposed where nothing is known.
const RETRY_AFTER_SECONDS: (i64, i64, i64) = (1, 3_600, 10);

/// How many of the latest ends are looked at for how long a job takes.
const ENDS_LOOKED_AT: usize = 20;

/// After how many seconds there may be room again: how long the latest jobs ran, as often as jobs have to leave first.
fn retry_after_seconds(home: &Home, facts: &Facts, full: &Full) -> u64 {
    let (least, most, unknown) = RETRY_AFTER_SECONDS;
    let ended = facts.heads().rev().filter(|head| head.status.has_ended()).take(ENDS_LOOKED_AT);
    let jobs = ended.filter_map(|head| facts.job(&head.id).ok().flatten());
    let times: Vec<i64> = jobs
        .filter_map(|job| job.run_time(home.clock.now()))
        .map(|time| time.num_milliseconds().max(0))
        .collect();
    let Some(count) = i64::try_from(times.len()).ok().filter(|count| *count > 0) else {
        return unknown.unsigned_abs();
    };
    let leaving = i64::try_from((full.waiting - full.threshold).div_ceil(home.config.slots)).unwrap_or(1);
    let milliseconds = times.iter().sum::<i64>() / count * leaving;
    (milliseconds / 1_000).clamp(least, most).unsigned_abs()
}

/// The jobs that are waited for, as they are called in this terminal.
fn dependencies(home: &Home, request: &Request) -> Result<Vec<Dependency>, Fault> {
    if request.after.is_empty() && request.after_end.is_empty() {
        return Ok(Vec::new());
    }
    let facts = home.store().read()?;
    waited_for(&facts, &request.after, &request.after_end)
}

/// Jobs that are waited for: those that must complete, then those that must end, each once.
pub fn waited_for(facts: &Facts, after: &[String], after_end: &[String]) -> Result<Vec<Dependency>, Fault> {
    let session = session::terminal();
    let mut all: Vec<Dependency> = Vec::new();
    for (texts, until) in [(after, Until::Completed), (after_end, Until::Ended)] {
        for id in find_all(facts, texts, Among::Session(session.as_deref()))? {
            let dependency = Dependency { id, until };
            if !all.contains(&dependency) {
                all.push(dependency);
            }
        }
    }
    if all.len() > DEPENDENCIES_MAX {
        return Err(Fault::new(Code::Usage, format!("a job waits for {DEPENDENCIES_MAX} others at most")));
    }
    Ok(all)
}

/// Acts upon what was decided, and tells how the job stands.
fn launch(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    placed: &Placed,
    asked: &str,
    decided: Decided,
) -> Result<Submitted, Fault> {
    let id = &placed.id;
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings.iter().cloned());
    // The id is on disk: from here on, whatever goes wrong is a warning.
    match pass.act(&decided.actions) {
        Ok(told) => warnings.extend(told),
        Err(error) => warnings.push(error.to_string()),
    }
    let claimed =
        decided.actions.iter().any(|action| matches!(action, Action::Launch { id: of } if of == id));
    let mut submitted = Submitted {
        job: if placed.created { submitted_job(&decided, id)? } else { existing(home, id)? },
        created: placed.created,
        differs: false,
        waits: None,
        place: None,
        holders: Vec::new(),
        decided,
        warnings,
    };
    submitted.differs = !submitted.created && submitted.job.spec.display != asked;
    if !claimed && !submitted.job.status().has_ended() && submitted.job.run().is_none() {
        // Where something was done upon the decision, it may have changed the facts.
        let has_acted = !submitted.decided.actions.is_empty();
        let known = pass.advance_if_due(&mut submitted.decided).unwrap_or_else(|error| {
            submitted.warnings.push(error.to_string());
            None
        });
        let known = known.filter(|_| !has_acted);
        tell_why_it_waits(home, &mut submitted, known)?;
    }
    Ok(submitted)
}

fn existing(home: &Home, id: &JobId) -> Result<Job, Fault> {
    let gone = || Fault::new(Code::NotNow, format!("{id}, which had the key, was removed a moment ago"));
    home.store().read()?.job(id)?.ok_or_else(|| gone().hint("try again; nothing was started"))
}

/// Why a submitted job waits, and its place; by these facts, where they are known, else by those that are read now.
pub(super) fn tell_why_it_waits(
    home: &Home,
    submitted: &mut Submitted,
    known: Option<Rc<Facts>>,
) -> Result<(), Fault> {
    let Some(facts) = known.or_else(|| home.store().read().ok()) else { return Ok(()) };
    let id = submitted.job.id.clone();
    if let Ok(Some(job)) = facts.job(&id) {
        submitted.job = job;
    }
    let now: Timestamp = home.clock.now();
    submitted.waits = pick::why_it_waits(&facts, &id, now, &home.config, &home.site)?;
    submitted.place = match &submitted.waits {
        Some(Waits::ForSlot { ahead, .. }) => Some(ahead.len() + 1),
        _ => pick::place(&facts, &id, now),
    };
    submitted.holders = match &submitted.waits {
        Some(Waits::ForSlot { held_by, .. }) => called(&facts, held_by),
        Some(Waits::ForJobs(open)) => {
            called(&facts, &open.iter().map(|one| one.id.clone()).collect::<Vec<_>>())
        }
        _ => Vec::new(),
    };
    Ok(())
}

/// The job as this submission left it.
pub(super) fn submitted_job(decided: &Decided, id: &JobId) -> Result<Job, Fault> {
    use crate::model::event::Event;
    let mut found = None;
    for event in &decided.events {
        match event {
            Event::Submitted { job } if job.id == *id => found = Some((**job).clone()),
            Event::Changed { id: of, change } if of == id => {
                if let Some(job) = &mut found {
                    job.change(change);
                }
            }
            _ => {}
        }
    }
    found.ok_or_else(|| Fault::new(Code::Failed, format!("{id} was not written")))
}
