//! The way into the queue: one or many jobs in one write of the index, all or none.

use super::input;
use crate::model::{
    Timestamp,
    config::Config,
    dependency::{Dependency, Until},
    event::Event,
    facts::{Draft, Facts},
    group::GroupChange,
    id::JobId,
    job::Job,
    nearest::nearest_word,
    spec::{Input, JobSpec},
    state::Change,
};
use crate::ops::{
    fault::{Code, Fault},
    find::no_such_job,
    home::Home,
};
use crate::os::{
    clock::{Clock, SystemClock},
    ids::{IdSource, RandomIds},
    inherited::Inherited,
};
use crate::pass::{Decided, Pass};
use crate::plan::{
    Scope,
    admit::{self, Full, Holders},
    pick,
};
use crate::store::{Store, environments};
use std::collections::HashSet;

/// How often ids are drawn anew when one is taken. With 887 million ids a day, once is already rare.
const DRAWS_MAX: usize = 16;

/// What is to be submitted.
#[derive(Debug)]
pub struct Submission {
    /// The jobs, in their order. One that names no environment gets the captured one.
    pub entries: Vec<Entry>,
    /// The captured environment.
    pub inherited: Inherited,
    /// Before when none of them starts.
    pub not_before: Option<Timestamp>,
    /// Whether they count as one in the queue, however many they are.
    pub is_batch: bool,
    /// Whether groups that are not there are made.
    pub makes_groups: bool,
    /// Dead letters that these jobs deal with.
    pub retried: Vec<JobId>,
}

/// One job that is to be submitted.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is asked.
    pub spec: JobSpec,
    /// What is kept for it to read.
    pub input: Option<KeptInput>,
    /// Others of this submission that it waits for, by their place in it, beside those that the specification names.
    pub after: Vec<(usize, Until)>,
}

/// What is kept for a job to read.
#[derive(Clone, Debug)]
pub enum KeptInput {
    /// What was read for it already, under this id, which the job gets where it is free.
    Own(JobId),
    /// What is kept for another job.
    Of(JobId),
}

/// Reads our own standard input to its end, for a job that is about to be submitted. It can be read once only: whoever
/// does not submit the job after all forgets it.
pub fn read_own(home: &Home) -> Result<JobId, Fault> {
    let id = draw(home.clock.now(), 1)?.remove(0);
    input::keep(&home.root, &id)?;
    Ok(id)
}

/// What became of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its id, or that of the job that has its key.
    pub id: JobId,
    /// Whether it was submitted; otherwise its key was taken.
    pub created: bool,
}

/// What became of a submission.
#[derive(Debug)]
pub enum Submitted {
    /// It stands.
    Stands(Vec<Placed>, Decided),
    /// The queue is too full; nothing was submitted.
    Full(Full, Decided),
    /// The group of this entry, counted from 0, is not there; nothing was submitted.
    NoGroup {
        /// Which entry.
        entry: usize,
        /// What is said of it.
        fault: Fault,
    },
}

/// Makes what the jobs need durable, then the jobs. What was decided has yet to be acted upon. What was read for a job
/// stays, whatever comes of it; copies go with what was not submitted.
pub fn submit(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    submission: &mut Submission,
) -> Result<Submitted, Fault> {
    // Said now rather than by a watcher that cannot begin: that folder is not ours.
    home.root.existing_runs()?;
    let mut ids = draw(home.clock.now(), submission.entries.len())?;
    for (entry, id) in submission.entries.iter().zip(&mut ids) {
        if let Some(KeptInput::Own(own)) = &entry.input {
            id.clone_from(own);
        }
    }
    let result =
        keep_inputs(home, submission, &ids).and_then(|()| submit_as_free(home, pass, &mut ids, submission));
    if !matches!(&result, Ok(Submitted::Stands(placed, _)) if placed.iter().all(|one| one.created)) {
        let created: HashSet<JobId> = match &result {
            Ok(Submitted::Stands(placed, _)) => {
                placed.iter().filter(|one| one.created).map(|one| one.id.clone()).collect()
            }
            _ => HashSet::new(),
        };
        let unused = |(id, entry): &(&JobId, &Entry)| {
            matches!(entry.input, Some(KeptInput::Of(_))) && !created.contains(id)
        };
        for (id, _) in ids.iter().zip(&submission.entries).filter(unused) {
            input::forget(&home.root, id);
        }
    }
    result
}

/// So many ids, no two of them alike.
fn draw(now: Timestamp, count: usize) -> Result<Vec<JobId>, Fault> {
    let mut ids = Vec::with_capacity(count);
    let mut seen = HashSet::with_capacity(count);
    while ids.len() < count {
        let id = JobId::new(now, &RandomIds.draw())
            .map_err(|error| Fault::new(Code::Failed, error.to_string()))?;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn keep_inputs(home: &Home, submission: &mut Submission, ids: &[JobId]) -> Result<(), Fault> {
    for (entry, id) in submission.entries.iter_mut().zip(ids) {
        match &entry.input {
            None => {}
            Some(KeptInput::Own(own)) => entry.spec.stdin = Input::File(input::path(&home.root, own)?),
            Some(KeptInput::Of(other)) => entry.spec.stdin = Input::File(input::copy(&home.root, other, id)?),
        }
    }
    Ok(())
}

/// Submits under these ids, or under others where one is taken; kept inputs go along.
fn submit_as_free(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    ids: &mut Vec<JobId>,
    submission: &mut Submission,
) -> Result<Submitted, Fault> {
    let now = home.clock.now();
    for _ in 0..DRAWS_MAX {
        if let Some(submitted) = submit_as(home, pass, ids, submission, now)? {
            return Ok(submitted);
        }
        let others = draw(now, ids.len())?;
        for ((entry, id), other) in submission.entries.iter_mut().zip(&*ids).zip(&others) {
            if entry.input.is_some() {
                entry.spec.stdin = Input::File(input::rename(&home.root, id, other)?);
            }
            if let Some(KeptInput::Own(own)) = &mut entry.input {
                own.clone_from(other);
            }
        }
        *ids = others;
    }
    Err(Fault::new(Code::NotNow, "could not find a free id").hint("try again"))
}

/// What a transaction found.
enum Found {
    Placed(Vec<Placed>),
    Taken,
    EnvironmentGone,
    Full(Full),
    /// A dead letter is none any more: somebody else has dealt with it.
    Settled(JobId),
    /// A job that is to be waited for was removed meanwhile.
    NoJob(JobId),
    /// The key of a job that is to be repeated is another's.
    KeyTaken {
        original: JobId,
        holder: JobId,
    },
    NoGroup {
        entry: usize,
        name: String,
        nearest: Option<String>,
    },
}

/// Submits under these ids. `None`: one of them is taken.
fn submit_as(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    ids: &[JobId],
    submission: &Submission,
    now: Timestamp,
) -> Result<Option<Submitted>, Fault> {
    // A sweep may take the file between saving and the transaction, since no job names it yet: then once more.
    for _ in 0..DRAWS_MAX {
        let captured = submission.entries.iter().any(|entry| entry.spec.env.is_none());
        let saved = captured.then(|| home.store().save_environment(&submission.inherited)).transpose()?;
        let jobs = jobs(submission, ids, saved.as_ref().map(|saved| saved.name.as_str()), now);
        let (mut found, mut there) = (Found::Taken, Ok(true));
        let decided = pass.decide(Scope::Slots, &mut |draft| {
            there = saved.as_ref().map_or(Ok(true), |saved| environments::stands(&home.root, saved));
            found = match there {
                Ok(true) => place(draft, home, submission, &jobs, now)?,
                _ => Found::EnvironmentGone,
            };
            Ok(())
        });
        let stands = matches!(&found, Found::Placed(placed) if placed.iter().any(|one| one.created));
        if let Some(saved) = saved.filter(|saved| saved.is_new && (decided.is_err() || !stands)) {
            // Nobody will ask for these values again.
            home.store().forget(&saved.name);
        }
        let decided = decided?;
        match found {
            Found::Placed(placed) => {
                if decided.events.is_empty() {
                    // Whoever submitted the jobs that have the keys may not have come to make them durable.
                    home.store().make_durable()?;
                }
                return Ok(Some(Submitted::Stands(placed, decided)));
            }
            Found::Full(full) => return Ok(Some(Submitted::Full(full, decided))),
            _ => {}
        }
        // What the same pass claimed for others must still be launched.
        pass.act(&decided.actions)?;
        match found {
            Found::NoGroup { entry, name, nearest } => {
                return Ok(Some(Submitted::NoGroup { entry, fault: no_group(&name, nearest) }));
            }
            Found::NoJob(id) => return Err(no_such_job(id.as_str())),
            Found::Settled(id) => return Err(is_settled(&id)),
            Found::KeyTaken { original, holder } => return Err(has_its_key(&original, &holder)),
            Found::EnvironmentGone => {
                there?;
            }
            _ => return Ok(None),
        }
    }
    Err(Fault::new(Code::NotNow, "the captured environment was removed again and again").hint("try again"))
}

fn jobs(submission: &Submission, ids: &[JobId], captured: Option<&str>, now: Timestamp) -> Vec<Job> {
    let job = |(entry, id): (&Entry, &JobId)| {
        let env = entry.spec.env.as_deref().or(captured).map(str::to_owned);
        let mut spec = JobSpec { env, ..entry.spec.clone() };
        let others = entry.after.iter().filter_map(|(place, until)| ids.get(*place).zip(Some(*until)));
        spec.after.extend(others.map(|(id, until)| Dependency { id: id.clone(), until }));
        Job::not_before(id.clone(), spec, now, submission.not_before)
    };
    submission.entries.iter().zip(ids).map(job).collect()
}

/// Adds the jobs to the draft, all or none.
fn place(
    draft: &mut Draft,
    home: &Home,
    submission: &Submission,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Found, crate::model::facts::Damage> {
    let facts = draft.facts();
    if jobs.iter().any(|job| facts.head(&job.id).is_some()) {
        return Ok(Found::Taken);
    }
    // What was retried twice at the same time is started once.
    let is_settled = |id: &&JobId| !facts.head(id).is_some_and(|head| head.dead_letter);
    if let Some(id) = submission.retried.iter().find(is_settled) {
        return Ok(Found::Settled(id.clone()));
    }
    let judged = judged(facts, &home.config, submission.makes_groups, jobs, now);
    let Judged { placed, missing, full } = match judged {
        Ok(judged) => judged,
        Err(found) => return Ok(found),
    };
    if let Some(full) = full {
        return Ok(Found::Full(full));
    }
    let new = || jobs.iter().zip(&placed).filter(|(_, placed)| placed.created).map(|(job, _)| job);
    for group in missing {
        draft.push(Event::Grouped { group, change: GroupChange::Slots { slots: 1 } })?;
    }
    // Named after the first that is new: another one's job is no part of it.
    let batch = new().next().filter(|_| submission.is_batch).map(|job| job.id.clone());
    for job in new() {
        let mut job = job.clone();
        job.spec.batch.clone_from(&batch);
        // Nobody else can have taken its id or its key since.
        admit::enter(draft, job)?;
    }
    for id in &submission.retried {
        draft.push(Event::Changed { id: id.clone(), change: Change::ClearDeadLetter })?;
    }
    Ok(Found::Placed(placed))
}

/// What a submission comes to where nothing forbids it.
#[derive(Debug)]
pub struct Judged {
    /// What becomes of each job.
    pub placed: Vec<Placed>,
    /// The groups that are not there and are to be made.
    pub missing: Vec<String>,
    /// Why it has to wait for room.
    pub full: Option<Full>,
}

/// What the submission of these jobs would come to, as things stand.
pub fn judge(
    facts: &Facts,
    config: &Config,
    makes_groups: bool,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Judged, Fault> {
    judged(facts, config, makes_groups, jobs, now).map_err(|found| match found {
        Found::NoGroup { name, nearest, .. } => no_group(&name, nearest),
        Found::NoJob(id) => no_such_job(id.as_str()),
        Found::KeyTaken { original, holder } => has_its_key(&original, &holder),
        _ => Fault::new(Code::Failed, "it could not be foreseen"),
    })
}

fn judged(
    facts: &Facts,
    config: &Config,
    makes_groups: bool,
    jobs: &[Job],
    now: Timestamp,
) -> Result<Judged, Found> {
    let mut holders = Holders::of(facts, now);
    let placed: Vec<Placed> = jobs
        .iter()
        .map(|job| match holders.give(job) {
            Some(id) => Placed { id, created: false },
            None => Placed { id: job.id.clone(), created: true },
        })
        .collect();
    for (job, placed) in jobs.iter().zip(&placed).filter(|(_, placed)| !placed.created) {
        if let Some(original) = &job.spec.retry_of {
            return Err(Found::KeyTaken { original: original.clone(), holder: placed.id.clone() });
        }
    }
    let new = || jobs.iter().zip(&placed).filter(|(_, placed)| placed.created).map(|(job, _)| job);
    let own: HashSet<&JobId> = jobs.iter().map(|job| &job.id).collect();
    let is_there = |id: &JobId| facts.head(id).is_some() || own.contains(id);
    if let Some(gone) = new().flat_map(|job| &job.spec.after).find(|one| !is_there(&one.id)) {
        return Err(Found::NoJob(gone.id.clone()));
    }
    let missing: Vec<String> = missing_groups(facts, config, new());
    if let Some(name) = missing.first().filter(|_| !makes_groups) {
        let known = known_groups(facts, config);
        let nearest = nearest_word(name, known.iter().map(String::as_str)).map(str::to_owned);
        let asks = |(job, placed): (&Job, &Placed)| placed.created && job.spec.group.as_ref() == Some(name);
        let entry = jobs.iter().zip(&placed).position(asks).unwrap_or_default();
        return Err(Found::NoGroup { entry, name: name.clone(), nearest });
    }
    let needs_room = new().any(|job| !job.spec.service && job.spec.gate.is_none());
    let full = if needs_room { admit::room(facts, &config.queue).err() } else { None };
    let is_gated = new().any(|job| job.spec.gate.is_some());
    let full = full.or_else(|| admit::room_for_approval(facts, &config.queue).err().filter(|_| is_gated));
    Ok(Judged { placed, missing, full })
}

/// Another job has the key of one that is to be repeated.
pub fn has_its_key(id: &JobId, holder: &JobId) -> Fault {
    let message = format!("{holder} has the key of {id}, and a key is one job's; nothing was started");
    Fault::new(Code::WrongState, message)
        .hint(format!("bgctl wait {holder}, or bgctl cancel {holder}, and then bgctl retry {id}"))
}

/// A dead letter is none any more.
pub fn is_settled(id: &JobId) -> Fault {
    let message = format!("{id} was retried or cleared by somebody else a moment ago; nothing was started");
    Fault::new(Code::NotNow, message).hint(format!("bgctl status {id} says what came of it"))
}

/// The groups of these jobs that are not there, each once.
fn missing_groups<'a>(facts: &Facts, config: &Config, jobs: impl Iterator<Item = &'a Job>) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for name in jobs.filter_map(|job| job.spec.group.as_deref()) {
        if !missing.iter().any(|known| known == name) && pick::slots(facts, config, name).is_none() {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// The names of all groups.
pub fn known_groups(facts: &Facts, config: &Config) -> Vec<String> {
    let of_index = facts.groups().iter().filter(|(_, group)| group.slots.is_some()).map(|(name, _)| name);
    let mut names: Vec<String> = config.groups.keys().chain(of_index).cloned().collect();
    names.push(crate::model::group::DEFAULT.to_owned());
    if !config.sessions.is_empty() {
        names.push(crate::model::group::SESSIONS.to_owned());
    }
    names.sort();
    names.dedup();
    names
}

/// There is no such group.
pub fn no_group(name: &str, nearest: Option<String>) -> Fault {
    let near = nearest.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Fault::new(Code::NotFound, format!("there is no group {name:?}")).hint(format!(
        "{near}--create-group makes it with one slot, bgctl group add {name} --slots N with more"
    ))
}
