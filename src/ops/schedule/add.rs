//! Adding a schedule by hand, or changing what was added.

use super::{Standing, decide, file, standing, zone};
use crate::model::{
    Timestamp,
    calendar::{Calendar, EVERY_SECONDS_MIN, Rhythm, span},
    event::Event,
    facts::Facts,
    group::GroupChange,
    limit::format_seconds,
    schedule::{DefinedBy, Definition, Missed, Overlap, SCHEDULES_MAX, Task, check_own_name},
    spec::{Input, JobSpec},
};
use crate::ops::{
    fault::{Code, Fault},
    find::ARGUMENTS_FROM_INPUT,
    home::{BrokenConfig, Home},
    start::{Request, given, submit},
};
use crate::os::{clock::Clock, inherited::Inherited};
use crate::pass::Decided;
use crate::plan::{pick, recur};
use crate::store::{Store, environments, root::LAST_TICK};
use std::path::Path;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// The distance of its runs, in seconds; unless there is an expression.
    pub every_seconds: Option<u64>,
    /// Cron's expression of their times.
    pub cron: Option<String>,
    /// The time zone of the expression; that of this machine where none is given.
    pub zone: Option<String>,
    /// See [`Overlap`].
    pub overlap: Overlap,
    /// See [`Missed`].
    pub missed: Missed,
    /// The longest wait that chance adds.
    pub jitter_seconds: u64,
    /// Whether a run that failed waits for the next time like any other.
    pub no_restart: bool,
    /// What each run is like.
    pub job: Request,
}

/// What became of it.
#[derive(Debug)]
pub struct Added {
    /// How it stands.
    pub standing: Standing,
    /// Whether it is new; else it was there.
    pub is_new: bool,
    /// Whether anything changed.
    pub changed: bool,
    /// Whether nobody has ticked for a while, so that nothing starts it for long.
    pub nobody_ticks: bool,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
}

/// What adding it would do.
#[derive(Debug)]
pub struct Foreseen {
    /// What would be kept.
    pub definition: Definition,
    /// The next times of its rhythm, without the wait that chance adds.
    pub times: Vec<Timestamp>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// How often what was captured is written down again, should a sweep have taken it meanwhile.
const SAVES_MAX: usize = 16;

/// Adds a schedule, or changes the one that was added under this name. Its past and, where the rhythm stays, its times stay.
pub fn add(asked: &Asked) -> Result<Added, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let (mut definition, inherited) = defined(&home, asked)?;
    let name = &asked.name;
    for _ in 0..SAVES_MAX {
        let saved = home.store().save_environment(&inherited)?;
        if let Task::Run(spec) = &mut definition.task {
            spec.env = Some(saved.name.clone());
        }
        let (mut there, mut refused, mut was_there) = (Ok(true), None, false);
        let now = home.clock.now();
        let decided = decide(&home, &mut |draft, _| {
            there = environments::stands(&home.root, &saved);
            refused = refusal(draft.facts(), &home, asked);
            was_there = draft.facts().schedules().contains_key(name);
            if refused.is_some() || !matches!(there, Ok(true)) {
                return Ok(Vec::new());
            }
            if let Some(group) = &asked.job.group
                && pick::slots(draft.facts(), &home.config, group).is_none()
            {
                let change = GroupChange::Slots { slots: 1 };
                draft.push(Event::Grouped { group: group.clone(), change })?;
            }
            recur::put(draft, name, &definition, now)?;
            Ok(Vec::new())
        });
        if saved.is_new && (decided.is_err() || refused.is_some()) {
            home.store().forget(&saved.name);
        }
        let decided = decided?;
        if let Some(fault) = refused {
            return Err(fault);
        }
        if !there? {
            continue;
        }
        let facts = home.store().read()?;
        // The values that it had before go.
        environments::tidy(&home.root, &home.store(), &facts, home.clock.now())?;
        let changed = decided.events.iter().any(|event| matches!(event, Event::Scheduled { .. }));
        return Ok(Added {
            standing: standing(&facts, &home, name)?,
            is_new: !was_there,
            changed,
            nobody_ticks: nobody_ticks(&home),
            decided,
        });
    }
    Err(Fault::new(Code::NotNow, "the captured environment was removed again and again").hint("try again"))
}

fn nobody_ticks(home: &Home) -> bool {
    let last = home.root.folder().modified(LAST_TICK).ok().flatten().map(Timestamp::from);
    let within = span(home.config.health.tick_seconds_max);
    last.zip(within).is_none_or(|(at, within)| home.clock.now() - at > within)
}

/// What adding it would do. Changes nothing.
pub fn foresee(asked: &Asked) -> Result<Foreseen, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let (definition, _) = defined(&home, asked)?;
    if let Some(fault) = refusal(&*home.store().read()?, &home, asked) {
        return Err(fault);
    }
    let now = home.clock.now();
    let times = super::times(&definition, now, now);
    Ok(Foreseen { definition, times, warnings: home.warnings })
}

/// What is asked, checked and with its defaults.
fn defined(home: &Home, asked: &Asked) -> Result<(Definition, Inherited), Fault> {
    check_own_name(&asked.name).map_err(|why| Fault::new(Code::Usage, why))?;
    let rhythm = rhythm(asked.every_seconds, asked.cron.as_deref(), asked.zone.as_deref())
        .map_err(|why| Fault::new(Code::Usage, why))?;
    check_jitter(&rhythm, asked.jitter_seconds).map_err(|why| Fault::new(Code::Usage, why))?;
    if rhythm.next_after(home.clock.now(), home.clock.now()).is_none() {
        return Err(Fault::new(Code::Usage, format!("{rhythm} never comes")));
    }
    if asked.job.stdin.as_deref() == Some(Path::new(ARGUMENTS_FROM_INPUT)) {
        return Err(Fault::new(Code::Usage, "a recurring job cannot read the input of here again and again")
            .hint("--stdin takes a file that each run reads"));
    }
    let (spec, inherited) = given::prepare(&asked.job, &home.config)?;
    if spec.stdin == Input::Pipe {
        return Err(Fault::new(Code::Usage, "a recurring job has nobody who sends it input")
            .hint("--stdin takes a file that each run reads"));
    }
    // It belongs to nobody's terminal and to no job.
    let spec = JobSpec { session: None, parent: None, ..spec };
    let definition = Definition {
        rhythm,
        task: Task::Run(Box::new(spec)),
        overlap: asked.overlap,
        missed: asked.missed,
        jitter_seconds: asked.jitter_seconds,
        restarts: !asked.no_restart,
        source: DefinedBy::Command,
    };
    Ok((definition, inherited))
}

/// The rhythm that was given: a distance or an expression.
pub fn rhythm(every_seconds: Option<u64>, cron: Option<&str>, zone: Option<&str>) -> Result<Rhythm, String> {
    match (every_seconds, cron) {
        (Some(_), Some(_)) => {
            Err("there is a distance beside an expression; one of both says when".to_owned())
        }
        (None, None) => Err("nothing says when: every 15m, or a cron expression".to_owned()),
        (Some(_), None) if zone.is_some() => {
            Err("a time zone belongs to a cron expression; a distance is the same in all".to_owned())
        }
        (Some(seconds), None) if seconds < EVERY_SECONDS_MIN => {
            Err(format!("at least every {}", format_seconds(EVERY_SECONDS_MIN)))
        }
        (Some(seconds), None) => Ok(Rhythm::Every { seconds }),
        (None, Some(expression)) => {
            let zone = zone.map_or_else(zone::local, str::to_owned);
            Calendar::parse(expression, &zone).map(Rhythm::Cron).map_err(|error| error.to_string())
        }
    }
}

/// A wait by chance must not reach into the next time.
pub fn check_jitter(rhythm: &Rhythm, jitter_seconds: u64) -> Result<(), String> {
    match rhythm {
        Rhythm::Every { seconds } if jitter_seconds > 0 && jitter_seconds >= *seconds => Err(format!(
            "a jitter of {} reaches into the next run, which comes every {}",
            format_seconds(jitter_seconds),
            format_seconds(*seconds)
        )),
        _ => Ok(()),
    }
}

fn refusal(facts: &Facts, home: &Home, asked: &Asked) -> Option<Fault> {
    let name = &asked.name;
    if file::is_of_file(home, name) {
        let fault = Fault::new(
            Code::WrongState,
            format!("the settings file defines {name}, and it wins over the index"),
        );
        return Some(fault.hint(format!("change [schedules.{name}] in config.toml, or choose another name")));
    }
    if !facts.schedules().contains_key(name) && facts.schedules().len() >= SCHEDULES_MAX {
        return Some(Fault::new(
            Code::WrongState,
            format!("there are {SCHEDULES_MAX} schedules, and no more can be"),
        ));
    }
    let group = asked.job.group.as_ref().filter(|_| !asked.job.create_group)?;
    if pick::slots(facts, &home.config, group).is_some() {
        return None;
    }
    let known = submit::known_groups(facts, &home.config);
    let nearest = crate::model::nearest::nearest_word(group, known.iter().map(String::as_str));
    Some(submit::no_group(group, nearest.map(str::to_owned)))
}
