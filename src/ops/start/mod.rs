//! Submission: from a command line to an id that is on disk, and to a watcher where a slot is free.

mod command;
mod environment;
mod given;
mod input;
mod variables;

pub use given::Request;

use super::{
    called::{Called, called},
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
    list::places,
};
use crate::model::{
    Timestamp,
    id::JobId,
    job::Job,
    spec::{Input, JobSpec},
};
use crate::os::{
    clock::{Clock, SystemClock},
    ids::{IdSource, RandomIds},
    inherited::Inherited,
};
use crate::pass::{Decided, Pass};
use crate::plan::{
    Scope, admit,
    pick::{self, Waits},
};
use crate::store::{Store, environments};
use given::prepare;
use std::path::Path;

/// How often an id is drawn anew when one is taken. With 887 million ids a day, once is already rare.
const DRAWS_MAX: usize = 16;

/// A submitted job.
#[derive(Debug)]
pub struct Submitted {
    /// As it is in the index.
    pub job: Job,
    /// Why it does not run at once, where it has to wait.
    pub waits: Option<Waits>,
    /// Its place in the queue, from 1, where it stands in line for a slot.
    pub place: Option<usize>,
    /// What the jobs that hold the slots are called, where it waits for one.
    pub holders: Vec<Called>,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Submits a job.
pub fn start(request: &Request) -> Result<Submitted, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let (spec, inherited) = prepare(request, &home.config)?;
    let own_input = request.stdin.as_deref() == Some(Path::new(input::OWN));
    submit(&home, spec, &inherited, own_input)
}

/// What would be submitted. Changes nothing.
pub fn foresee(request: &Request) -> Result<Job, Fault> {
    let config = Home::open_existing(BrokenConfig::Stops)?.map(|home| home.config).unwrap_or_default();
    let (spec, _) = prepare(request, &config)?;
    let id =
        JobId::parse("bg_00000000_dryrun").map_err(|error| Fault::new(Code::Failed, error.to_string()))?;
    Ok(Job::new(id, spec, SystemClock.now()))
}

/// Makes the environment durable, then the job, and launches its watcher where it got a slot.
fn submit(
    home: &Home,
    mut spec: JobSpec,
    inherited: &Inherited,
    own_input: bool,
) -> Result<Submitted, Fault> {
    let mut id = draw(home.clock.now())?;
    if own_input {
        spec.stdin = Input::File(input::keep(&home.root, &id)?);
    }
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let decided = submit_as_free(home, &pass, &mut id, &mut spec, inherited, own_input);
    if decided.is_err() && own_input {
        input::forget(&home.root, &id);
    }
    launch(home, &pass, &store, &id, decided?)
}

fn draw(now: Timestamp) -> Result<JobId, Fault> {
    JobId::new(now, &RandomIds.draw()).map_err(|error| Fault::new(Code::Failed, error.to_string()))
}

/// Submits under `id`, or under another where that is taken; a kept input goes along.
fn submit_as_free(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    id: &mut JobId,
    spec: &mut JobSpec,
    inherited: &Inherited,
    own_input: bool,
) -> Result<Decided, Fault> {
    let now = home.clock.now();
    for _ in 0..DRAWS_MAX {
        if let Some(decided) = submit_as(home, pass, id, spec, inherited, now)? {
            return Ok(decided);
        }
        let other = draw(now)?;
        if own_input {
            spec.stdin = Input::File(input::rename(&home.root, id, &other)?);
        }
        *id = other;
    }
    Err(Fault::new(Code::NotNow, "could not find a free id").hint("try again"))
}

/// Submits under this id. `None`: it is taken.
fn submit_as(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    id: &JobId,
    spec: &JobSpec,
    inherited: &Inherited,
    now: Timestamp,
) -> Result<Option<Decided>, Fault> {
    // A sweep may take the file between saving and the transaction, since no job names it yet: then once more.
    for _ in 0..DRAWS_MAX {
        let (name, is_new) = environments::save(&home.root, inherited)?;
        let job = Job::new(id.clone(), JobSpec { env: Some(name.clone()), ..spec.clone() }, now);
        let (mut admitted, mut there) = (false, Ok(true));
        let decided = pass.decide(Scope::Slots, &mut |draft| {
            there = environments::has(&home.root, &name);
            if matches!(there, Ok(true)) {
                admitted = admit::admit(draft, job.clone())?;
            }
            Ok(())
        });
        let decided = match decided {
            Ok(decided) => decided,
            Err(error) => {
                // Nobody will ask for these values again.
                if is_new {
                    home.store().forget(&name);
                }
                return Err(error.into());
            }
        };
        if admitted {
            return Ok(Some(decided));
        }
        // What the same pass claimed for others must still be launched.
        pass.act(&decided.actions)?;
        if there? {
            return Ok(None);
        }
    }
    Err(Fault::new(Code::NotNow, "the captured environment was removed again and again").hint("try again"))
}

fn launch(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    store: &dyn Store,
    id: &JobId,
    decided: Decided,
) -> Result<Submitted, Fault> {
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings.iter().cloned());
    let mut job = submitted_job(&decided, id)?;
    // The id is on disk: from here on, whatever goes wrong is a warning.
    match pass.act(&decided.actions) {
        Ok(told) => warnings.extend(told),
        Err(error) => warnings.push(error.to_string()),
    }
    let claimed =
        decided.actions.iter().any(|action| matches!(action, crate::plan::Action::Launch(of) if of == id));
    let (mut waits, mut place, mut holders) = (None, None, Vec::new());
    if !claimed {
        // Slots may be held by jobs that are gone; without cron nobody else would look.
        if let Err(error) = pass.advance(Scope::Whole, &mut |_| Ok(())) {
            warnings.push(error.to_string());
        }
        if let Ok(facts) = store.read() {
            job = facts.job(id).ok().flatten().unwrap_or(job);
            place = places(&facts, home.clock.now()).get(id).copied();
            waits = pick::why_it_waits(&facts, id, home.clock.now(), &home.config, &home.site)?;
            if let Some(Waits::ForSlot { held_by, .. }) = &waits {
                holders = called(&facts, held_by);
            }
        }
    }
    Ok(Submitted { job, waits, place, holders, decided, warnings })
}

/// The job as this submission left it.
fn submitted_job(decided: &Decided, id: &JobId) -> Result<Job, Fault> {
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
