//! Sessions of the settings file: what `[sessions.NAME]` says, the recurring job that renews it, and how it stands.
//!
//! A session that can be renewed is a schedule like others, so that its times, its waits after failures, its history and its
//! pausing are theirs. What each of its runs does stands in `ops/session.rs`.

use super::file::{mistake, spec, surroundings};
use crate::model::{
    Timestamp,
    bytes::Bytes,
    calendar::Rhythm,
    config::{Config, Defined, Mistake, SESSIONS},
    facts::Facts,
    group,
    health::RunResult,
    id::JobId,
    key,
    limit::{format_seconds, parse_seconds},
    nearest::nearest_word,
    priority::Priority,
    schedule::{DefinedBy, Definition, Missed, Overlap, SESSION_REFRESH, Schedule, Task, refresh_of},
    spec::{Command, display},
};
use crate::ops::{home::Home, logs, session::SESSION_COMMAND, start::Request};
use crate::os::{detach, inherited::Inherited};
use crate::plan::recur;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The keys of such a section.
pub const KEYS: [&str; 10] =
    ["refresh", "ttl", "expires", "refresh_before", "cwd", "env", "timeout", "group", "priority", "labels"];

/// How long a refresh may take, where the section does not say.
pub const TIMEOUT_SECONDS: u64 = 60;
/// How long before its end a session is renewed, where the section does not say, and at the most where it says a ttl.
const BEFORE_SECONDS: u64 = 5 * 60;
const BEFORE_SECONDS_MAX: u64 = 10 * 60;
/// Of a ttl, this part is the time in which it is renewed, where the section does not say.
const BEFORE_SHARE_DIVISOR: u64 = 4;

/// A session, as its section has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The command that renews it; none where it cannot be renewed.
    pub refresh: Option<Command>,
    /// How it is known how long it is valid; none only where it cannot be renewed.
    pub life: Option<Life>,
    /// So long before its end it is renewed.
    pub before_seconds: u64,
    /// How long one refresh may take.
    pub timeout_seconds: u64,
    /// Where its commands run; none for the home folder.
    pub cwd: Option<PathBuf>,
    /// The variables that are set for them.
    env: Map<String, Value>,
    /// The group whose slots it takes; none for that of sessions.
    group: Option<String>,
    priority: Priority,
    labels: Vec<String>,
}

/// How it is known how long a session is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// So long after it was renewed.
    Ttl {
        /// How long.
        seconds: u64,
    },
    /// Until the time that this command prints.
    Expires(Command),
}

/// What is wrong, and with which key; none for the section.
struct Wrong(Option<String>, String);

impl Session {
    /// Reads a section.
    pub fn read(name: &str, defined: &Defined) -> Result<Self, Mistake> {
        Self::of(defined).map_err(|Wrong(key, why)| mistake(defined, &section(name), key.as_deref(), &why))
    }

    fn of(defined: &Defined) -> Result<Self, Wrong> {
        let fields = &defined.fields;
        if let Some(unknown) = fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let hint = match nearest_word(unknown, KEYS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", KEYS.join(", ")),
            };
            return Err(wrong(unknown, format!("there is no such key; {hint}")));
        }
        let refresh = command(fields, "refresh")?;
        let life = match (seconds(fields, "ttl")?, command(fields, "expires")?) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "ttl",
                    "there is expires beside it; one of both says how long it is valid",
                ));
            }
            (Some(seconds), None) => Some(Life::Ttl { seconds }),
            (None, expires) => expires.map(Life::Expires),
        };
        if refresh.is_some() && life.is_none() {
            return Err(Wrong(
                None,
                "nothing says how long it is valid: ttl = \"8h\", or expires = [a command that prints a time]".to_owned(),
            ));
        }
        let before_seconds = seconds(fields, "refresh_before")?.unwrap_or(match life {
            Some(Life::Ttl { seconds }) => (seconds / BEFORE_SHARE_DIVISOR).clamp(1, BEFORE_SECONDS_MAX),
            _ => BEFORE_SECONDS,
        });
        if let Some(Life::Ttl { seconds }) = life
            && before_seconds >= seconds
        {
            let (before, ttl) = (format_seconds(before_seconds), format_seconds(seconds));
            let key = if fields.contains_key("refresh_before") { "refresh_before" } else { "ttl" };
            return Err(wrong(
                key,
                format!("renewed {before} before it runs out, a session of {ttl} is renewed all the time"),
            ));
        }
        Ok(Self {
            refresh,
            life,
            before_seconds,
            timeout_seconds: seconds(fields, "timeout")?.unwrap_or(TIMEOUT_SECONDS),
            cwd: text(fields, "cwd")?.map(PathBuf::from),
            env: match fields.get("env") {
                None => Map::new(),
                Some(Value::Object(env)) => env.clone(),
                Some(_) => {
                    return Err(wrong("env", "expected a table: env = { NAME = \"value\" }"));
                }
            },
            group: text(fields, "group")?.map(str::to_owned),
            priority: priority(fields)?,
            labels: labels(fields)?,
        })
    }
}

fn wrong(key: &str, why: impl Into<String>) -> Wrong {
    Wrong(Some(key.to_owned()), why.into())
}

fn section(name: &str) -> String {
    format!("{SESSIONS}.{name}")
}

fn text<'a>(fields: &'a Map<String, Value>, key: &'static str) -> Result<Option<&'a str>, Wrong> {
    match fields.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(wrong(key, "expected a string")),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
}

/// A list of words, or a line for a shell.
fn command(fields: &Map<String, Value>, key: &'static str) -> Result<Option<Command>, Wrong> {
    const FORMS: &str = "expected a list of words, or a string, which is a line for a shell";
    let wrong = |why: &str| wrong(key, why);
    let Some(value) = fields.get(key) else { return Ok(None) };
    if let Value::String(line) = value {
        return match line.trim() {
            "" => Err(wrong("there is no command in it")),
            _ if line.contains('\0') => Err(wrong("contains a null byte")),
            _ => Ok(Some(Command::Line(line.clone()))),
        };
    }
    let words = texts(value).ok_or_else(|| wrong(FORMS))?;
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong("there is no command in it"));
    }
    let bytes: Result<Vec<Bytes>, _> = words.iter().map(|word| Bytes::try_from(word.as_str())).collect();
    bytes.map(|argv| Some(Command::Argv(argv))).map_err(|error| wrong(&error.to_string()))
}

/// A duration of at least a second.
fn seconds(fields: &Map<String, Value>, key: &'static str) -> Result<Option<u64>, Wrong> {
    let wrong = |why: String| wrong(key, why);
    let text = match fields.get(key) {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    match parse_seconds(&text).map_err(|error| wrong(error.to_string()))? {
        0 => Err(wrong("at least 1 second".to_owned())),
        seconds => Ok(Some(seconds)),
    }
}

fn priority(fields: &Map<String, Value>) -> Result<Priority, Wrong> {
    let Some(word) = text(fields, "priority")? else { return Ok(Priority::default()) };
    Priority::ALL.into_iter().find(|one| one.as_str() == word).ok_or_else(|| {
        let known: Vec<&str> = Priority::ALL.into_iter().map(Priority::as_str).collect();
        wrong("priority", format!("expected one of: {}", known.join(", ")))
    })
}

fn labels(fields: &Map<String, Value>) -> Result<Vec<String>, Wrong> {
    let Some(value) = fields.get("labels") else { return Ok(Vec::new()) };
    texts(value).ok_or_else(|| wrong("labels", "expected a list of strings"))
}

/// The recurring job that renews a session, and its environment; none for one that is not renewed.
pub fn definition(
    config: &Config,
    root: &Path,
    name: &str,
    defined: &Defined,
) -> Result<Option<(Definition, Inherited)>, Mistake> {
    let session = Session::read(name, defined)?;
    let mistake = |key: Option<&str>, why: &str| mistake(defined, &section(name), key, why);
    check_name(name).map_err(|why| mistake(None, &why))?;
    let (inherited, variables) = surroundings(&session.env).map_err(|why| mistake(Some("env"), &why))?;
    let Some(refresh) = &session.refresh else { return Ok(None) };
    let words = [SESSION_COMMAND.into(), root.into(), name.into(), fingerprint(defined).into()];
    let program = detach::program_path().map_err(|error| mistake(None, &error.to_string()))?;
    let labels = std::iter::once(format!("session:{name}")).chain(session.labels.iter().cloned());
    let request = Request {
        argv: std::iter::once(program.into()).chain(words).collect::<Vec<OsString>>(),
        name: Some(refresh_of(name)),
        labels: labels.collect(),
        cwd: session.cwd.clone(),
        timeout: Some(Some(session.timeout_seconds)),
        group: Some(session.group.clone().unwrap_or_else(|| group::SESSIONS.to_owned())),
        priority: session.priority,
        ..Request::default()
    };
    let spec = spec(config, request, inherited.clone(), variables);
    let mut spec = spec.map_err(|fault| mistake(None, &fault.message))?;
    // People see what it does for them.
    spec.display = display(refresh);
    let definition = Definition {
        rhythm: Rhythm::BeforeExpiry { seconds: session.before_seconds },
        task: Task::Run(Box::new(spec)),
        overlap: Overlap::Skip,
        missed: Missed::Once,
        jitter_seconds: 0,
        restarts: true,
        source: DefinedBy::File,
    };
    Ok(Some((definition, inherited)))
}

fn check_name(name: &str) -> Result<(), String> {
    group::check_name(&refresh_of(name)).and_then(|()| group::check_name(name)).map_err(|_| {
        let most = group::GROUP_BYTES_MAX - SESSION_REFRESH.len() - 1;
        format!(
            "a session's name is made of letters, digits, '-', '_' and '.', begins with a letter or a digit, and has at most {most} characters"
        )
    })
}

/// What the section says but for the values of its variables, so that another section is another job. Those make the
/// environment another one.
fn fingerprint(defined: &Defined) -> String {
    let mut parts = vec![];
    for (key, value) in defined.fields.iter().filter(|(key, _)| *key != "env") {
        parts.extend([key.clone().into_bytes(), value.to_string().into_bytes()]);
    }
    key::hash_of(parts.iter().map(Vec::as_slice))
}

/// A session that is not renewed, because its section does not say how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// The line of its section.
    pub line: usize,
}

/// The sessions that are not renewed.
pub fn skipped(config: &Config) -> Vec<Skipped> {
    let sessions = config.sessions.iter();
    let without = sessions.filter(|(_, defined)| !defined.fields.contains_key("refresh"));
    without.map(|(name, defined)| Skipped { name: name.clone(), line: defined.line }).collect()
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Whether its section says how it is renewed.
    pub is_renewable: bool,
    /// Until when it is valid, as far as that is known.
    pub valid_until: Option<Timestamp>,
    /// When it was last renewed, or found to be valid for long enough.
    pub last_refresh_at: Option<Timestamp>,
    /// Refreshes that failed since.
    pub failures_in_row: u64,
    /// When it is refreshed next; none while it is being refreshed, and for one that is not.
    pub next_refresh_at: Option<Timestamp>,
    /// Since when its refreshing is held back.
    pub paused_at: Option<Timestamp>,
    /// The job of the refresh that goes on.
    pub active: Option<JobId>,
    /// The job of the last refresh.
    pub last: Option<JobId>,
    /// What is wrong: with its section, or with its last refresh.
    pub problem: Option<String>,
}

/// How the sessions of the settings file stand, by name.
pub fn list(home: &Home, facts: &Facts) -> Vec<Standing> {
    home.config.sessions.iter().map(|(name, defined)| standing(home, facts, name, defined)).collect()
}

fn standing(home: &Home, facts: &Facts, name: &str, defined: &Defined) -> Standing {
    let refresh = refresh_of(name);
    let schedule = facts.schedules().get(&refresh);
    let health = schedule.map(|schedule| &schedule.health);
    let mistake =
        definition(&home.config, home.root.path(), name, defined).err().map(|mistake| mistake.problem);
    Standing {
        name: name.to_owned(),
        is_renewable: defined.fields.contains_key("refresh"),
        valid_until: schedule.and_then(|schedule| schedule.valid_until),
        last_refresh_at: health.and_then(|health| health.last_success_at),
        failures_in_row: health.map_or(0, |health| health.failures_in_row),
        next_refresh_at: schedule.and_then(|schedule| recur::due_at(&refresh, schedule)),
        paused_at: schedule.and_then(|schedule| schedule.paused_at),
        active: recur::active_runs(facts, &refresh).map(|head| head.id.clone()).next(),
        last: health.and_then(|health| health.last.as_ref()?.id.clone()),
        problem: mistake.or_else(|| last_problem(home, name, schedule?)),
    }
}

/// Why the last refresh failed: what its job says, and what was said in its log.
fn last_problem(home: &Home, name: &str, schedule: &Schedule) -> Option<String> {
    /// How far back in a log is looked.
    const LINES: u64 = 5;
    let last = schedule.health.last.as_ref().filter(|last| last.result == RunResult::Failed)?;
    let log = last.id.as_ref().map(|id| logs::last_lines(home, id, LINES)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let prefix = crate::ops::session::prefix(name);
    let said = log.lines().rev().find_map(|line| line.strip_prefix(&prefix));
    let parts: Vec<&str> = last.note.as_deref().into_iter().chain(said).collect();
    Some(if parts.is_empty() { "it failed".to_owned() } else { parts.join(": ") })
}
