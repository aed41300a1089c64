//! Schedules: which there are and how they stand; adding one, taking it away, holding it back, running it now.

mod add;
pub mod file;
pub mod sessions;
pub mod zone;

pub use add::{Added, Asked, Foreseen, add, foresee};
pub use zone::all as zones;

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
};
use crate::model::{
    Timestamp,
    config::Mistake,
    event::{Applied, Event},
    facts::{Draft, Facts},
    id::JobId,
    nearest::nearest_word,
    schedule::{DefinedBy, Definition, Fate, Schedule, ScheduleChange, Task},
};
use crate::os::clock::Clock;
use crate::pass::{Decided, Pass};
use crate::plan::{Action, Inputs, Scope, recur};
use crate::store::{Store, environments};
use file::FromFile;

/// How a schedule stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// As the index has it; none for one of the settings file that no pass has taken over yet, and for one that is built in and has had
    /// nothing to do.
    pub schedule: Option<Schedule>,
    /// What is asked of it: as the index has it, else as the settings file says; none where that is a mistake.
    pub definition: Option<Definition>,
    /// When it runs next; none for one that is paused, or of which nobody knows.
    pub due_at: Option<Timestamp>,
    /// Its runs that have not ended, in the order of their submission.
    pub active: Vec<JobId>,
    /// What is wrong with what the settings file says of it.
    pub mistake: Option<Mistake>,
}

/// All schedules, by name.
#[derive(Debug, Default)]
pub struct Listed {
    /// How each stands.
    pub standings: Vec<Standing>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// How all schedules stand, those included that are built in and have had nothing to do yet.
pub fn standings(facts: &Facts, from_file: &FromFile, home: &Home) -> Vec<Standing> {
    let of_index = facts.schedules().iter().map(|(name, schedule)| Standing {
        name: name.clone(),
        schedule: Some(schedule.clone()),
        definition: Some(schedule.definition.clone()),
        due_at: recur::due_at(name, schedule),
        active: recur::active_runs(facts, name).map(|head| head.id.clone()).collect(),
        mistake: from_file.mistake_of(name).cloned(),
    });
    let mut standings: Vec<Standing> = of_index.collect();
    for name in from_file.good.keys().chain(from_file.mistakes.keys()) {
        if !facts.schedules().contains_key(name) {
            standings.push(Standing {
                name: name.clone(),
                schedule: None,
                definition: from_file.good.get(name).map(|(definition, _)| definition.clone()),
                due_at: None,
                active: Vec::new(),
                mistake: from_file.mistake_of(name).cloned(),
            });
        }
    }
    for (name, definition) in recur::built_in(&home.config.recurring) {
        if !facts.schedules().contains_key(name) {
            standings.push(Standing {
                name: name.to_owned(),
                schedule: None,
                definition: Some(definition),
                due_at: None,
                active: Vec::new(),
                mistake: None,
            });
        }
    }
    // What is built in comes last.
    standings.sort_by(|one, other| (is_built_in(one), &one.name).cmp(&(is_built_in(other), &other.name)));
    standings
}

/// How many times are foretold.
const TIMES_FORETOLD: usize = 3;

/// The next times of a rhythm after `now`, without the wait that chance adds.
pub fn times(definition: &Definition, added_at: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut at = now;
    let next = || {
        at = definition.rhythm.next_after(at, added_at)?;
        Some(at)
    };
    std::iter::from_fn(next).take(TIMES_FORETOLD).collect()
}

fn is_built_in(one: &Standing) -> bool {
    one.definition.as_ref().is_some_and(|definition| definition.source == DefinedBy::BuiltIn)
}

/// Looks at all schedules, or at one. Changes nothing.
pub fn list(name: Option<&str>) -> Result<Listed, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return match name {
            Some(name) => Err(no_such_schedule(name, [].into_iter())),
            None => Ok(Listed::default()),
        };
    };
    let facts = home.store().read()?;
    let mut standings = standings(&facts, &file::read(&home.config, home.root.path()), &home);
    if let Some(name) = name {
        if !standings.iter().any(|one| one.name == name) {
            return Err(no_such_schedule(name, standings.iter().map(|one| one.name.as_str())));
        }
        standings.retain(|one| one.name == name);
    }
    Ok(Listed { standings, warnings: home.warnings })
}

/// There is no such schedule.
pub fn no_such_schedule<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let fault = Fault::new(Code::NotFound, format!("there is no schedule {name:?}"));
    match nearest_word(name, known) {
        Some(near) => fault.hint(format!("did you mean {near}? bgctl schedule list shows all")),
        None => fault.hint("bgctl schedule list shows all"),
    }
}

/// What is to become of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is held back.
    Paused,
    /// It goes on.
    Resumed,
    /// It is there no more.
    Removed,
}

/// What became of it.
#[derive(Debug)]
pub struct Changed {
    /// As it was before, for one that was removed; else as it is.
    pub standing: Standing,
    /// Whether anything changed.
    pub changed: bool,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
}

/// Holds a schedule back, lets it go on, or takes it away. Runs that have begun are left alone.
pub fn change(name: &str, wanted: Wanted) -> Result<Changed, Fault> {
    let none = || no_such_schedule(name, [].into_iter());
    let home = Home::open_existing(BrokenConfig::Warns)?.ok_or_else(none)?;
    let store = home.store();
    let mut before = standing(&*store.read()?, &home, name)?;
    if wanted == Wanted::Removed {
        refuse_to_remove(&before)?;
    }
    let mut warnings = Vec::new();
    if before.schedule.is_none() && !is_built_in(&before) {
        (before, warnings) = taken_over(&home, name)?;
    }
    let now = home.clock.now();
    let mut changed = false;
    let built_in =
        recur::built_in(&home.config.recurring).into_iter().find(|(built_in, _)| *built_in == name);
    let mut decided = decide(&home, &mut |draft, _| {
        if let Some((_, definition)) =
            built_in.as_ref().filter(|_| !draft.facts().schedules().contains_key(name))
        {
            recur::put(draft, name, definition, now)?;
        }
        let next_at = draft.facts().schedules().get(name).and_then(|schedule| {
            schedule.definition.rhythm.next_after(now, schedule.added_at).or(schedule.next_at)
        });
        let change = match wanted {
            Wanted::Paused => ScheduleChange::Pause { at: now },
            Wanted::Resumed => ScheduleChange::Resume { next_at },
            Wanted::Removed => ScheduleChange::Remove,
        };
        let applied = draft.push(Event::Scheduled { schedule: name.to_owned(), change })?;
        changed = applied == Applied::Yes;
        Ok(Vec::new())
    })?;
    decided.warnings.extend(warnings);
    let facts = store.read()?;
    if wanted == Wanted::Removed {
        // The values of its environment go with it.
        environments::tidy(&home.root, &store, &facts, home.clock.now())?;
        return Ok(Changed { standing: before, changed, decided });
    }
    Ok(Changed { standing: standing(&facts, &home, name)?, changed, decided })
}

fn refuse_to_remove(standing: &Standing) -> Result<(), Fault> {
    let name = &standing.name;
    match standing.definition.as_ref().map(|definition| definition.source) {
        Some(DefinedBy::Command) => Ok(()),
        Some(DefinedBy::BuiltIn) => {
            Err(Fault::new(Code::WrongState, format!("{name} is built in and cannot be removed"))
                .hint(format!("bgctl schedule pause {name} holds it back")))
        }
        Some(DefinedBy::File) | None => {
            Err(Fault::new(Code::WrongState, format!("the settings file defines {name}")).hint(format!(
                "take [{}] out of config.toml; bgctl schedule pause {name} holds it back",
                file::section_of(name)
            )))
        }
    }
}

fn standing(facts: &Facts, home: &Home, name: &str) -> Result<Standing, Fault> {
    let all = standings(facts, &file::read(&home.config, home.root.path()), home);
    let known: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    all.into_iter()
        .find(|one| one.name == name)
        .ok_or_else(|| no_such_schedule(name, known.iter().map(String::as_str)))
}

/// Takes over what the settings file defines, as a tick does, and says how that one stands then. One with a mistake is
/// refused, unless an older definition of it goes on.
fn taken_over(home: &Home, name: &str) -> Result<(Standing, Vec<String>), Fault> {
    let store = home.store();
    let local = home.local();
    let (definitions, _) = file::definitions(home)?;
    let mut warnings = file::replaced(&*store.read()?, &definitions);
    let pass = Pass { definitions: Some(&definitions), ..home.pass(&store, &local) };
    let decided = pass.advance(Scope::Whole, &mut |_| Ok(()))?;
    file::keep(home, &decided.events)?;
    warnings.extend(decided.warnings);
    let standing = standing(&*store.read()?, home, name)?;
    match (&standing.schedule, &standing.mistake) {
        (None, Some(mistake)) => {
            Err(Fault::new(Code::Config, format!("what config.toml says of {name} is wrong: {mistake}"))
                .hint("bgctl config check names every mistake"))
        }
        _ => Ok((standing, warnings)),
    }
}

/// What came of a run by hand.
#[derive(Debug)]
pub struct Ran {
    /// How the schedule stands.
    pub standing: Standing,
    /// What became of it.
    pub fate: Fate,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
}

/// Runs a schedule now, whatever its rhythm says and be it paused; its next time stays. What the run before it does not
/// allow is refused.
pub fn run(name: &str) -> Result<Ran, Fault> {
    let none = || no_such_schedule(name, [].into_iter());
    let home = Home::open_existing(BrokenConfig::Stops)?.ok_or_else(none)?;
    let store = home.store();
    standing(&*store.read()?, &home, name)?;
    // What the settings file says of it now is what runs.
    let warnings = if file::is_of_file(&home, name) { taken_over(&home, name)?.1 } else { Vec::new() };
    let from_file = file::read(&home.config, home.root.path());
    let mut fate = None;
    let mut after = None;
    let mut is_a_job = true;
    let mut decided = decide(&home, &mut |draft, inputs| {
        if let Some((_, definition)) =
            recur::built_in(&home.config.recurring).into_iter().find(|(built_in, _)| *built_in == name)
            && !draft.facts().schedules().contains_key(name)
        {
            recur::put(draft, name, &definition, inputs.now)?;
        }
        let Some(schedule) = draft.facts().schedules().get(name).cloned() else { return Ok(Vec::new()) };
        let mut actions = Vec::new();
        is_a_job = schedule.spec().is_some();
        fate = Some(recur::begin(draft, inputs, name, &schedule, &mut actions)?);
        if schedule.definition.task == Task::IdempotencyCleanup {
            recur::forget_keys(draft, name, inputs.now)?;
        }
        after = standings(draft.facts(), &from_file, &home).into_iter().find(|one| one.name == name);
        Ok(actions)
    })?;
    decided.warnings.extend(warnings);
    let fate = fate.ok_or_else(none)?;
    if !is_a_job {
        if decided.actions.contains(&Action::Retain) {
            super::tick::retain(&home, &mut decided)?;
        }
        after = Some(standing(&*store.read()?, &home, name)?);
    }
    match &fate {
        Fate::Overlapped { id } => Err(has_not_ended(name, id)),
        Fate::KeyTaken { id } => Err(Fault::new(
            Code::WrongState,
            format!("{id} has the key that the runs of {name} have; nothing was started"),
        )),
        // A job that was submitted is told of, whatever goes wrong from here on.
        _ => Ok(Ran { standing: after.ok_or_else(none)?, fate, decided }),
    }
}

fn has_not_ended(name: &str, id: &JobId) -> Fault {
    Fault::new(Code::WrongState, format!("{id}, the last run of {name}, has not ended; nothing was started"))
        .hint(format!("bgctl wait {id}, or bgctl cancel {id}; --overlap queue or replace allows another"))
}

/// What is decided of schedules, in a pass: actions of one's own come before those of the pass.
type DecideOfSchedules<'a> =
    dyn FnMut(&mut Draft, &Inputs<'_>) -> Result<Vec<Action>, crate::model::facts::Damage> + 'a;

fn decide(home: &Home, first: &mut DecideOfSchedules<'_>) -> Result<Decided, Fault> {
    let store = home.store();
    let local = home.local();
    let pass = home.pass(&store, &local);
    let mut decided = pass.decide_with(Scope::Slots, first)?;
    // What was decided stands.
    let acted = pass.act(&decided.actions).unwrap_or_else(|error| vec![error.to_string()]);
    decided.warnings.extend(acted);
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    Ok(decided)
}
