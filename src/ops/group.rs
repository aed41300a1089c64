//! Groups: which there are and how they stand; making one, changing its slots, taking it away.

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
    start::submit::known_groups,
};
use crate::model::{
    Timestamp,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts},
    group::{self, GroupChange},
    nearest::nearest_word,
    state::Status,
};
use crate::pass::Decided;
use crate::plan::{
    Scope,
    pick::{self, group_of},
};
use crate::store::Store;
use std::collections::BTreeSet;

/// How a group stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// How many of its jobs run at the same time; `None` where it is gone and jobs still name it.
    pub slots: Option<usize>,
    /// Whether the settings say so, not the index.
    pub by_settings: bool,
    /// How many slots are held.
    pub held: usize,
    /// How many of its jobs are running, services and those of other machines included.
    pub running: usize,
    /// How many of its jobs wait.
    pub queued: usize,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
}

/// What became of a group that was added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupResult {
    /// It is new.
    Added,
    /// It was there, and has another number of slots now.
    Changed,
    /// It was so already.
    WasSo,
    /// It is there no more.
    Removed,
}

/// Every group: those of the settings, those of the index, and those that active jobs still name.
pub fn standings(facts: &Facts, home: &Home) -> Vec<Standing> {
    let mut names: BTreeSet<String> = known_groups(facts, &home.config).into_iter().collect();
    names.extend(facts.groups().keys().cloned());
    let active = facts.heads().filter(|head| !head.status.has_ended());
    names.extend(active.filter_map(|head| head.belongs.group.as_deref().map(str::to_owned)));
    let mut standings: Vec<Standing> = names.iter().map(|name| standing(facts, home, name)).collect();
    // The default group first, then from a to z.
    standings.sort_by_key(|one| one.name != group::DEFAULT);
    standings
}

fn standing(facts: &Facts, home: &Home, name: &str) -> Standing {
    let of_group = |status: Status| {
        facts
            .heads()
            .filter(|head| head.status == status && group_of(head.belongs.group.as_deref()) == name)
            .count()
    };
    let own = (name != group::DEFAULT).then_some(name);
    Standing {
        name: name.to_owned(),
        slots: pick::slots(facts, &home.config, name),
        by_settings: is_of_settings(home, name) || has_a_slot_for_each_session(facts, name),
        held: pick::holders_of(facts, &home.site, own).count(),
        running: of_group(Status::Running),
        queued: of_group(Status::Queued),
        paused_at: facts.groups().get(name).and_then(|group| group.paused_at),
    }
}

/// Whether it has as many slots as the settings have sessions.
fn has_a_slot_for_each_session(facts: &Facts, name: &str) -> bool {
    name == group::SESSIONS && facts.groups().get(name).is_none_or(|group| group.slots.is_none())
}

fn is_of_settings(home: &Home, name: &str) -> bool {
    name == group::DEFAULT || home.config.groups.contains_key(name)
}

/// Refuses a name that means no group, not even one that is gone but for its jobs.
pub fn check_known(facts: &Facts, home: &Home, name: &str) -> Result<(), Fault> {
    let is_known = pick::slots(facts, &home.config, name).is_some()
        || facts.groups().contains_key(name)
        || facts.heads().any(|head| head.belongs.group.as_deref() == Some(name));
    if is_known { Ok(()) } else { Err(no_such_group(name, &known_groups(facts, &home.config))) }
}

/// There is no such group, where none can be made.
pub fn no_such_group(name: &str, known: &[String]) -> Fault {
    let fault = Fault::new(Code::NotFound, format!("there is no group {name:?}"));
    match nearest_word(name, known.iter().map(String::as_str)) {
        Some(near) => fault.hint(format!("did you mean {near}? bgctl group list shows all")),
        None => fault.hint("bgctl group list shows all"),
    }
}

/// Looks at all groups, or at one.
pub fn list(name: Option<&str>) -> Result<(Vec<Standing>, Vec<String>), Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return match name.filter(|name| *name != group::DEFAULT) {
            Some(name) => Err(no_such_group(name, &[group::DEFAULT.to_owned()])),
            None => Ok((vec![Standing::of_nothing()], Vec::new())),
        };
    };
    let facts = home.store().read()?;
    let mut standings = standings(&facts, &home);
    if let Some(name) = name {
        check_known(&facts, &home, name)?;
        standings.retain(|one| one.name == name);
    }
    Ok((standings, home.warnings))
}

impl Standing {
    /// Of the default group of a root that is not there.
    pub fn of_nothing() -> Self {
        Self {
            name: group::DEFAULT.to_owned(),
            slots: Some(crate::model::config::Config::default().slots),
            by_settings: true,
            held: 0,
            running: 0,
            queued: 0,
            paused_at: None,
        }
    }
}

/// Makes a group, or gives it another number of slots. Its jobs that wait may start.
pub fn add(name: &str, slots: usize) -> Result<(Standing, GroupResult, Decided), Fault> {
    group::check_name(name).map_err(|error| Fault::new(Code::Usage, error.to_string()))?;
    let home = Home::open(BrokenConfig::Stops)?;
    refuse_of_settings(&home, name)?;
    change(&home, name, |facts| {
        let before = pick::slots(facts, &home.config, name);
        Ok((
            GroupChange::Slots { slots },
            if before.is_some() { GroupResult::Changed } else { GroupResult::Added },
        ))
    })
}

/// Takes a group away that no job needs.
pub fn remove(name: &str) -> Result<(Standing, GroupResult, Decided), Fault> {
    let none = || no_such_group(name, &[group::DEFAULT.to_owned()]);
    let home = Home::open_existing(BrokenConfig::Stops)?.ok_or_else(none)?;
    refuse_of_settings(&home, name)?;
    change(&home, name, |facts| {
        let is_of_index = facts.groups().contains_key(name);
        if name == group::SESSIONS && !is_of_index {
            return Err(is_of_sessions());
        }
        if pick::slots(facts, &home.config, name).is_none() && !is_of_index {
            return Err(no_such_group(name, &known_groups(facts, &home.config)));
        }
        let Standing { running, queued, .. } = standing(facts, &home, name);
        if running + queued > 0 {
            return Err(in_use(name, running, queued));
        }
        Ok((GroupChange::Remove, GroupResult::Removed))
    })
}

/// The settings file wins over the index: a change here would change nothing.
fn refuse_of_settings(home: &Home, name: &str) -> Result<(), Fault> {
    let refused = |message: String, key: &str| {
        Err(Fault::new(Code::WrongState, message).hint(format!("change {key} in config.toml")))
    };
    match home.config.groups.get(name) {
        _ if name == group::DEFAULT => refused(
            "the default group is always there, and the settings say how many slots it has".to_owned(),
            "queue.max_concurrent",
        ),
        Some(slots) => refused(
            format!(
                "the settings say how many slots the group {name} has, {slots}, and they win over the index"
            ),
            &format!("[groups.{name}]"),
        ),
        None => Ok(()),
    }
}

fn is_of_sessions() -> Fault {
    let name = group::SESSIONS;
    Fault::new(
        Code::WrongState,
        format!("the group {name} is built in: it has a slot for each session of the settings"),
    )
    .hint(format!("bgctl group add {name} --slots N gives it another number"))
}

fn in_use(name: &str, running: usize, queued: usize) -> Fault {
    let count = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let jobs: Vec<String> =
        [count(queued, "queued"), count(running, "running")].into_iter().flatten().collect();
    let last = if running + queued == 1 { "job is" } else { "jobs are" };
    Fault::new(Code::WrongState, format!("the group {name} is needed: {} {last} in it", jobs.join(" and ")))
        .hint(format!("bgctl cancel --group {name} ends them, bgctl set ID --group NAME moves queued ones"))
}

fn change(
    home: &Home,
    name: &str,
    mut decide: impl FnMut(&Facts) -> Result<(GroupChange, GroupResult), Fault>,
) -> Result<(Standing, GroupResult, Decided), Fault> {
    let store = home.store();
    let local = home.local();
    let pass = home.pass(&store, &local);
    let mut done = Ok(GroupResult::WasSo);
    // A pass: what waits may get one of the new slots.
    let mut decided = pass.decide(Scope::Slots, &mut |draft| {
        done = match decide(draft.facts()) {
            Ok((change, result)) => push(draft, name, change).map(|applied| match applied {
                Applied::Yes => Ok(result),
                Applied::NoOp(_) | Applied::Refused(_) => Ok(GroupResult::WasSo),
            })?,
            Err(fault) => Err(fault),
        };
        Ok(())
    })?;
    decided.warnings.extend(pass.act(&decided.actions.clone())?);
    let result = done?;
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    Ok((standing(&*store.read()?, home, name), result, decided))
}

fn push(draft: &mut Draft, name: &str, change: GroupChange) -> Result<Applied, Damage> {
    draft.push(Event::Grouped { group: name.to_owned(), change })
}
