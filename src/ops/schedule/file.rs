//! Schedules of the settings file: from a section to a definition, or to what is wrong with it.
//!
//! A run of such a schedule has no submitter whose surroundings it could have. It starts in the home folder, with the few
//! variables that every program expects and those that the section sets, the same whoever makes the pass.

use super::{
    add::{check_jitter, rhythm},
    sessions, zone,
};
use crate::model::{
    bytes::Bytes,
    config::{Config, Defined, Mistake, SCHEDULES, SESSIONS},
    event::Event,
    facts::Facts,
    limit::parse_seconds,
    schedule::{
        DefinedBy, Definition, Missed, Overlap, SCHEDULES_MAX, ScheduleChange, Task, check_own_name,
        refresh_of, session_of,
    },
    spec::JobSpec,
};
use crate::ops::{
    fault::Fault,
    find::ARGUMENTS_FROM_INPUT,
    home::Home,
    start::{Request, fields::Fields, given::Common},
};
use crate::os::{inherited::Inherited, user};
use crate::plan::recur::Definitions;
use crate::store::{StoreError, environments};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Keys of such a section beside the fields of a job: the name, what holds where it is not there, what it can be, and
/// what it is.
pub const KEYS: [(&str, &str, &str, &str); 8] = [
    ("every", "one of both is needed", "a duration from `1s`", "the distance of the runs"),
    ("cron", "one of both is needed", "a cron expression", "the times of the runs"),
    ("tz", "that of the machine", "a time zone such as `Europe/Berlin`", "where the expression is read"),
    (
        "overlap",
        "`\"skip\"`",
        "`\"skip\"`, `\"queue\"`, `\"replace\"`",
        "what happens to a run while the one before it goes on",
    ),
    (
        "missed",
        "`\"once\"`",
        "`\"none\"`, `\"once\"`",
        "how many runs make up for times at which nobody looked",
    ),
    ("jitter", "`0`", "a duration shorter than `every`", "each run comes up to so much later, by chance"),
    (
        "restart",
        "`true`",
        "`true`, `false`",
        "whether a run that failed is followed by others before its time",
    ),
    ("env", "`{}`", "a table of texts", "variables of the runs"),
];

/// Where programs are looked for; a section can say otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// The bits that new files do not get (`umask(2)`).
const UMASK: u32 = 0o022;

/// What the settings file defines.
#[derive(Debug, Default)]
pub struct FromFile {
    /// What is right, and the environment of each.
    pub good: BTreeMap<String, (Definition, Inherited)>,
    /// What is wrong, by name of the schedule.
    pub mistakes: BTreeMap<String, Mistake>,
}

impl FromFile {
    /// What is wrong with one of them.
    pub fn mistake_of(&self, name: &str) -> Option<&Mistake> {
        self.mistakes.get(name)
    }
}

/// Whether the settings file has a section of that name, be it right or wrong.
pub fn is_of_file(home: &Home, name: &str) -> bool {
    match session_of(name) {
        Some(session) => home.config.sessions.contains_key(session),
        None => home.config.schedules.contains_key(name),
    }
}

/// The section of the settings file that defines a schedule of that name.
pub fn section_of(name: &str) -> String {
    match session_of(name) {
        Some(session) => format!("{SESSIONS}.{session}"),
        None => format!("{SCHEDULES}.{name}"),
    }
}

/// Reads the sections of the settings that belong to this root.
pub fn read(config: &Config, root: &Path) -> FromFile {
    let mut from_file = FromFile::default();
    for (name, defined) in config.schedules.iter().take(SCHEDULES_MAX) {
        match definition(config, name, defined) {
            Ok(good) => drop(from_file.good.insert(name.clone(), good)),
            Err(mistake) => drop(from_file.mistakes.insert(name.clone(), mistake)),
        }
    }
    for (name, defined) in config.sessions.iter().take(SCHEDULES_MAX) {
        match sessions::definition(config, root, name, defined) {
            Ok(Some(good)) => drop(from_file.good.insert(refresh_of(name), good)),
            // It is not renewed.
            Ok(None) => {}
            Err(mistake) => drop(from_file.mistakes.insert(refresh_of(name), mistake)),
        }
    }
    from_file
}

/// The definitions for a pass, their environments written down, and what the user should be told.
pub fn definitions(home: &Home) -> Result<(Definitions, Vec<String>), StoreError> {
    named(home, |inherited| home.store().save_environment(inherited).map(|saved| saved.name))
}

/// The same for whoever only looks: nothing is written down.
pub fn foreseen(home: &Home) -> Result<(Definitions, Vec<String>), StoreError> {
    named(home, |inherited| Ok(environments::name_of(inherited)))
}

fn named(
    home: &Home,
    name_of: impl Fn(&Inherited) -> Result<String, StoreError>,
) -> Result<(Definitions, Vec<String>), StoreError> {
    let FromFile { good, mistakes } = read(&home.config, home.root.path());
    let mut definitions = Definitions::default();
    for (name, (mut definition, inherited)) in good {
        let env = name_of(&inherited)?;
        if let Task::Run(spec) = &mut definition.task {
            spec.env = Some(env);
        }
        definitions.good.insert(name, definition);
    }
    let warnings = mistakes.values().map(|mistake| format!("config.toml:{mistake}")).collect();
    definitions.broken = mistakes.into_keys().collect::<BTreeSet<_>>();
    Ok((definitions, warnings))
}

/// Sees to it that the environments of what a pass has just taken over are there. Between their writing and that pass,
/// somebody else's sweep may have found files that no index named; from now on it names them.
pub fn keep(home: &Home, events: &[Event]) -> Result<(), StoreError> {
    let is_put = |event: &Event| {
        matches!(event, Event::Scheduled { change: ScheduleChange::Put { definition, .. }, .. }
            if definition.source == DefinedBy::File)
    };
    if events.iter().any(is_put) { definitions(home).map(drop) } else { Ok(()) }
}

/// What the user is told where the settings file takes the place of what was added by hand. It is told once: from then on
/// the file is who defines it.
pub fn replaced(facts: &Facts, definitions: &Definitions) -> Vec<String> {
    let by_hand = |name: &&String| {
        facts.schedules().get(*name).is_some_and(|known| known.definition.source == DefinedBy::Command)
    };
    let replaced = definitions.good.keys().filter(by_hand);
    replaced
        .map(|name| {
            format!("the schedule {name}, which was added by hand, is now as [{SCHEDULES}.{name}] of config.toml says")
        })
        .collect()
}

/// What is wrong, and with which key.
struct Wrong {
    key: &'static str,
    why: String,
}

/// What is wrong with a section, or with a key of it.
pub(super) fn mistake(defined: &Defined, section: &str, key: Option<&str>, why: &str) -> Mistake {
    let full = key.map_or_else(|| section.to_owned(), |key| format!("{section}.{key}"));
    Mistake {
        line: key.map_or(defined.line, |key| defined.line_of(key)),
        column: 1,
        problem: format!("{full}: {why}"),
        key: Some(full),
    }
}

fn definition(config: &Config, name: &str, defined: &Defined) -> Result<(Definition, Inherited), Mistake> {
    let full = format!("{SCHEDULES}.{name}");
    let mistake = |key: Option<&str>, why: &str| mistake(defined, &full, key, why);
    check_own_name(name).map_err(|why| mistake(None, &why))?;
    let (own, of_job) = split(&defined.fields);
    let (mut definition, env) = recurrence(&own).map_err(|Wrong { key, why }| mistake(Some(key), &why))?;
    let (inherited, variables) = surroundings(&env).map_err(|why| mistake(Some("env"), &why))?;
    let request =
        Fields::of(of_job).applied_to(&Request::default()).map_err(|bad| mistake(None, &bad.to_string()))?;
    if let Some((key, why)) = useless(&request) {
        return Err(mistake(Some(key), why));
    }
    let spec = spec(config, request, inherited.clone(), variables);
    let spec = spec.map_err(|fault| mistake(None, &fault.message))?;
    definition.task = Task::Run(Box::new(spec));
    Ok((definition, inherited))
}

/// A field of a job that makes no sense for what recurs.
fn useless(request: &Request) -> Option<(&'static str, &'static str)> {
    const NO_OTHER: &str = "a recurring job waits for no other one";
    let reads = |input: &str| request.stdin.as_deref() == Some(Path::new(input));
    if !request.after.is_empty() {
        return Some(("after", NO_OTHER));
    }
    if !request.after_end.is_empty() {
        return Some(("after_end", NO_OTHER));
    }
    let has_nobody = reads("pipe") || reads(ARGUMENTS_FROM_INPUT);
    has_nobody.then_some(("stdin", "a recurring job has nobody who sends it input; expected a file"))
}

fn split(fields: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (own, of_job): (Vec<_>, Vec<_>) = fields
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .partition(|(key, _)| KEYS.iter().any(|(own, ..)| own == key));
    (own.into_iter().collect(), of_job.into_iter().collect())
}

/// When it recurs, and the variables that are set.
fn recurrence(own: &Map<String, Value>) -> Result<(Definition, Map<String, Value>), Wrong> {
    let text = |key: &'static str| match own.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(Wrong { key, why: "expected a string".to_owned() }),
    };
    let seconds = |key: &'static str| {
        let given = own.get(key).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let read = |text: String| parse_seconds(&text).map_err(|error| Wrong { key, why: error.to_string() });
        given.map(read).transpose()
    };
    let when = if own.contains_key("cron") { "cron" } else { "every" };
    // Not that of whoever makes the pass: it would be another for cron than for a shell with another `TZ`.
    let machine = own.contains_key("cron").then(zone::of_machine);
    let zone = text("tz")?.or(machine.as_deref());
    let rhythm = rhythm(seconds("every")?, text("cron")?, zone).map_err(|why| Wrong { key: when, why })?;
    let jitter_seconds = seconds("jitter")?.unwrap_or(0);
    check_jitter(&rhythm, jitter_seconds).map_err(|why| Wrong { key: "jitter", why })?;
    let word = |key: &'static str, words: &[&str]| match text(key)? {
        Some(word) if !words.contains(&word) => {
            Err(Wrong { key, why: format!("expected one of: {}", words.join(", ")) })
        }
        word => Ok(word),
    };
    let restarts = match own.get("restart") {
        None => true,
        Some(Value::Bool(restarts)) => *restarts,
        Some(_) => return Err(Wrong { key: "restart", why: "expected true or false".to_owned() }),
    };
    let env = match own.get("env") {
        None => Map::new(),
        Some(Value::Object(env)) => env.clone(),
        Some(_) => {
            return Err(Wrong { key: "env", why: "expected a table: env = { NAME = \"value\" }".to_owned() });
        }
    };
    let definition = Definition {
        rhythm,
        // The job comes later.
        task: Task::Retention,
        overlap: match word("overlap", &["skip", "queue", "replace"])? {
            Some("queue") => Overlap::Queue,
            Some("replace") => Overlap::Replace,
            _ => Overlap::Skip,
        },
        missed: if word("missed", &["none", "once"])? == Some("none") { Missed::None } else { Missed::Once },
        jitter_seconds,
        restarts,
        source: DefinedBy::File,
    };
    Ok((definition, env))
}

/// The surroundings of a run, and the names of the variables that were set.
pub fn surroundings(env: &Map<String, Value>) -> Result<(Inherited, Vec<String>), String> {
    let mut inherited = Inherited { variables: Vec::new(), umask: UMASK, nice: 0, limits: BTreeMap::new() };
    let mut set = |name: &str, value: &str| {
        let no_null = |_| format!("{name} contains a null byte");
        let (name_bytes, value) =
            (Bytes::try_from(name).map_err(no_null)?, Bytes::try_from(value).map_err(no_null)?);
        inherited.set(name_bytes, value);
        Ok::<(), String>(())
    };
    let user = user::name();
    let home = home_folder().to_string_lossy().into_owned();
    for (name, value) in [("HOME", Some(home)), ("LOGNAME", user.clone()), ("USER", user)] {
        value.map_or(Ok(()), |value| set(name, &value))?;
    }
    set("PATH", PATH)?;
    set("SHELL", "/bin/sh")?;
    for (name, value) in env {
        let Value::String(value) = value else { return Err(format!("{name}: expected a string")) };
        if name.is_empty() || name.contains('=') {
            return Err(format!("{name:?} is no name of a variable"));
        }
        set(name, value)?;
    }
    Ok((inherited, env.keys().cloned().collect()))
}

fn home_folder() -> PathBuf {
    std::env::home_dir().filter(|home| home.is_absolute()).unwrap_or_else(|| PathBuf::from("/"))
}

/// What each run is like. That its program and its folder are there is found out by the run, whose failure is seen.
pub(super) fn spec(
    config: &Config,
    request: Request,
    inherited: Inherited,
    variables: Vec<String>,
) -> Result<JobSpec, Fault> {
    let cwd = Some(request.cwd.as_ref().map_or_else(home_folder, |given| home_folder().join(given)));
    Common::without_submitter(config, inherited, variables).spec(&Request { cwd, ..request })
}
