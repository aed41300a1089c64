//! Schedules: a line each, all that is known of one, and what became of it.

use super::approval::gate;
use super::asked;
use super::measure::{count_of, local};
use super::screen::{HEADING, Screen, WARNING, colour_of, wrap};
use super::status::shown;
use super::table::{Cell, Strip, table};
use super::words::{age, brief, listed, moment, seconds_until, took};
use crate::model::{
    Timestamp,
    calendar::Rhythm,
    health::{Health, LastRun, RunResult},
    id::JobId,
    limit::format_seconds,
    priority::Priority,
    schedule::{DefinedBy, Definition, Missed, Overlap, Schedule, Task},
    spec::{Input, JobSpec, LeftoverPolicy},
    state::Status,
};
use crate::ops::schedule::{Foreseen, Standing, times};
use crate::render::safe;
use anstyle::Style;

/// There is nothing to list.
pub const NO_SCHEDULES: &str = "no schedules; bgctl schedule add NAME --every 15m -- COMMAND adds one";

/// Something that recurs was added, and nothing keeps it going.
pub const NOBODY_TICKS: &str = "nobody ticks, and it does not go on for long without: bgctl init cron --install has cron do it every minute";

/// A line a schedule, and below them what is wrong with the definitions of the settings file.
pub fn schedules(standings: &[Standing], now: Timestamp, screen: Screen) -> String {
    if standings.is_empty() {
        return String::new();
    }
    let column =
        |header, cell: &dyn Fn(&Standing) -> Cell| Strip::new(header, standings.iter().map(cell).collect());
    let amount = |header, goes, cell: &dyn Fn(&Health) -> Option<String>| Strip {
        is_amount: true,
        goes: Some(goes),
        ..column(header, &|one| plain(health(one).and_then(cell)))
    };
    let failed = |one: &Standing| {
        let count = health(one).map(|health| health.failures_in_row).filter(|count| *count > 0);
        let style = count.map(|_| colour_of(Status::Failed));
        (count.map_or_else(|| "-".to_owned(), |count| count.to_string()), style)
    };
    let milliseconds = |ms: u64| took(ms);
    let all = [
        Strip { comfortable: 19, least: 8, ..column("NAME", &|one| (safe::line(&one.name), None)) },
        Strip { comfortable: 12, least: 6, ..column("WHEN", &|one| plain(when(one))) },
        column("NEXT", &|one| next(one, now)),
        column("LAST", &|one| last(one, now)),
        Strip { is_amount: true, goes: Some(5), ..column("FAILED", &failed) },
        amount("MEAN", 4, &|health| health.mean_ms().map(milliseconds)),
        amount("P95", 1, &|health| health.p95_ms().map(milliseconds)),
        amount("MISSED", 2, &|health| {
            Some(health.missed).filter(|count| *count > 0).map(|count| count.to_string())
        }),
        Strip { goes: Some(3), ..column("FROM", &|one| plain(Some(from(one).to_owned()))) },
    ];
    let can_be_missing = |strip: &Strip| strip.is_amount && strip.is_empty();
    let strips = all.into_iter().filter(|strip| !can_be_missing(strip)).collect();
    let mut text = table(strips, screen);
    let mistakes: Vec<String> = standings.iter().filter_map(mistake).collect();
    if !mistakes.is_empty() {
        text.push('\n');
    }
    for line in mistakes.iter().flat_map(|mistake| wrap(mistake, screen.columns.unwrap_or(usize::MAX))) {
        text.push_str(&format!("{}\n", screen.paint(WARNING, &line)));
    }
    text
}

fn health(one: &Standing) -> Option<&Health> {
    one.schedule.as_ref().map(|schedule| &schedule.health)
}

fn plain(text: Option<String>) -> Cell {
    (text.unwrap_or_else(|| "-".to_owned()), None)
}

fn when(one: &Standing) -> Option<String> {
    one.definition.as_ref().map(|definition| safe::line(&definition.rhythm.to_string()))
}

/// When it runs next.
fn next(one: &Standing, now: Timestamp) -> Cell {
    let Some(schedule) = &one.schedule else {
        let is_built_in = one.definition.as_ref().is_some_and(|one| one.source == DefinedBy::BuiltIn);
        return match one.mistake {
            Some(_) => ("mistake".to_owned(), Some(WARNING)),
            // It has had nothing to do yet.
            None if is_built_in => ("when needed".to_owned(), None),
            None => ("next tick".to_owned(), Some(WARNING)),
        };
    };
    if schedule.paused_at.is_some() {
        return ("paused".to_owned(), Some(WARNING));
    }
    let Some(at) = one.due_at else { return plain(None) };
    let time = if at <= now { "due".to_owned() } else { format!("in {}", brief(seconds_until(now, at))) };
    match schedule.restart_at {
        Some(_) => (format!("{time} (restart)"), Some(WARNING)),
        None => (time, None),
    }
}

fn last(one: &Standing, now: Timestamp) -> Cell {
    match health(one).and_then(|health| health.last.as_ref()) {
        None => plain(None),
        Some(last) => {
            let word = if last.result == RunResult::Succeeded { "ok" } else { last.result.as_str() };
            (format!("{word} {} ago", age(last.at, now)), Some(style_of(last.result)))
        }
    }
}

fn style_of(result: RunResult) -> Style {
    colour_of(match result {
        RunResult::Succeeded => Status::Completed,
        RunResult::Failed => Status::Failed,
        RunResult::Cancelled => Status::Cancelled,
    })
}

fn from(one: &Standing) -> &'static str {
    match one.definition.as_ref().map(|definition| definition.source) {
        Some(DefinedBy::Command) => "added",
        Some(DefinedBy::BuiltIn) => "built in",
        Some(DefinedBy::File) | None => "config.toml",
    }
}

fn mistake(one: &Standing) -> Option<String> {
    one.mistake.as_ref().map(|mistake| safe::line(&format!("config.toml:{mistake}")))
}

/// A label and the lines beside it.
type Entry = (&'static str, Vec<String>);

/// All that is known of a schedule.
pub fn schedule(one: &Standing, now: Timestamp, screen: Screen) -> String {
    let mut groups = vec![identity(one, now, screen)];
    if let Some(schedule) = &one.schedule {
        groups.push(history(one, schedule, now, screen));
    }
    if let Some(definition) = &one.definition {
        groups.push(rules(definition));
        if let Task::Run(spec) = &definition.task {
            groups.push(work(spec));
        }
    }
    let width = groups.iter().flatten().map(|(label, _)| label.len()).max().unwrap_or(0);
    let texts: Vec<String> = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| group.iter().map(|entry| shown(entry, width, screen)).collect())
        .collect();
    texts.join("\n")
}

fn entry(label: &'static str, value: Option<String>) -> Option<Entry> {
    value.map(|value| (label, vec![value]))
}

fn identity(one: &Standing, now: Timestamp, screen: Screen) -> Vec<Entry> {
    let schedule = one.schedule.as_ref();
    let paint = |text: String| screen.paint(WARNING, &text);
    let not_taken = schedule.is_none() && one.mistake.is_none();
    [
        entry("schedule", Some(screen.paint(HEADING, &safe::line(&one.name)))),
        entry("mistake", mistake(one).map(paint)),
        entry(
            "mistake",
            one.mistake.as_ref().and(schedule).map(|_| "what it said before goes on".to_owned()),
        ),
        one.definition.as_ref().map(|definition| ("when", rhythm(&definition.rhythm))),
        entry(
            "next",
            not_taken.then(|| paint("config.toml defines it; bgctl tick takes it over".to_owned())),
        ),
        schedule.and_then(|schedule| next_times(one, schedule, now)).map(|lines| ("next", lines)),
        entry(
            "paused",
            schedule.and_then(|schedule| schedule.paused_at).map(|at| {
                paint(format!(
                    "{}; bgctl schedule resume {} lets it go on",
                    moment(at, now),
                    safe::line(&one.name)
                ))
            }),
        ),
        entry("valid until", schedule.and_then(|schedule| schedule.valid_until).map(local)),
        entry("from", Some(whence(one, now))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn rhythm(rhythm: &Rhythm) -> Vec<String> {
    let mut lines = vec![safe::line(&rhythm.to_string())];
    if let Rhythm::Cron(calendar) = rhythm {
        let words = calendar.describe();
        lines.push(safe::line(words.trim_end_matches('.')));
    }
    lines
}

/// The next times, each with what remains until then. Jitter and restarts come first, as they say when it really is.
fn next_times(one: &Standing, schedule: &Schedule, now: Timestamp) -> Option<Vec<String>> {
    let due_at = one.due_at?;
    let told = |at: Timestamp| {
        let left = if at <= now {
            "due; the next tick starts it".to_owned()
        } else {
            format!("in {}", brief(seconds_until(now, at)))
        };
        format!("{} ({left})", local(at))
    };
    let times = times(&schedule.definition, schedule.added_at, now.max(due_at));
    let first = match schedule.restart_at {
        Some(_) => format!("{}, again after a failure", told(due_at)),
        None if schedule.definition.jitter_seconds > 0 => format!("{}, jitter included", told(due_at)),
        None => told(due_at),
    };
    Some(std::iter::once(first).chain(times.into_iter().take(2).map(told)).collect())
}

fn whence(one: &Standing, now: Timestamp) -> String {
    let since = one.schedule.as_ref().map(|schedule| moment(schedule.added_at, now));
    match (one.definition.as_ref().map(|definition| definition.source), since) {
        (Some(DefinedBy::Command), Some(since)) => format!("bgctl schedule add, {since}"),
        (Some(DefinedBy::BuiltIn), Some(since)) => format!("built in, there since {since}"),
        (_, Some(since)) => format!("config.toml, as it is now since {since}"),
        (_, None) => "config.toml".to_owned(),
    }
}

/// How it has gone.
fn history(one: &Standing, schedule: &Schedule, now: Timestamp, screen: Screen) -> Vec<Entry> {
    let health = &schedule.health;
    let count = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let times = |number: u64, why: &str| {
        let what = if number == 1 { "time" } else { "times" };
        count(number, &format!("{what} passed without a run, as {why}"))
    };
    let failing = count(health.failures_in_row, "in a row");
    let took = health
        .mean_ms()
        .zip(health.p95_ms())
        .map(|(mean, p95)| format!("{} on average, 95 of 100 runs no longer than {}", took(mean), took(p95)));
    let runs = match (health.runs, health.failed) {
        (0, _) => "none yet".to_owned(),
        (runs, 0) => runs.to_string(),
        (runs, failed) => format!("{runs}, of which {failed} failed"),
    };
    let active: Vec<&str> = one.active.iter().map(JobId::as_str).collect();
    [
        entry("runs now", (!active.is_empty()).then(|| listed(&active))),
        entry("last run", health.last.as_ref().map(|last| last_run(last, now, screen))),
        entry("last success", health.last_success_at.map(|at| moment(at, now))),
        entry("failures", failing.map(|text| screen.paint(colour_of(Status::Failed), &text))),
        entry("runs", Some(runs)),
        entry("took", took),
        entry("missed", times(health.missed, "nobody looked")),
        entry("left out", times(health.overlapped, "the run before it went on")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn last_run(last: &LastRun, now: Timestamp, screen: Screen) -> String {
    let result = screen.paint(style_of(last.result), last.result.as_str());
    let id = last.id.as_ref().map(|id| format!(", {id}")).unwrap_or_default();
    let note = last.note.as_deref().map(|note| format!(": {}", safe::line(note))).unwrap_or_default();
    format!("{result}, {}{id}{note}", moment(last.at, now))
}

/// What is asked of its times.
fn rules(definition: &Definition) -> Vec<Entry> {
    if !matches!(definition.task, Task::Run(_)) {
        return Vec::new();
    }
    let overlap = match definition.overlap {
        Overlap::Skip => "a run is left out while the one before it goes on",
        Overlap::Queue => "one run waits while the one before it goes on",
        Overlap::Replace => "a new run takes the place of one that goes on, which is cancelled",
    };
    let missed = match definition.missed {
        Missed::None => "times at which nobody looked pass",
        Missed::Once => "one run makes up for all times at which nobody looked",
    };
    let jitter = definition.jitter_seconds;
    [
        entry("overlap", Some(overlap.to_owned())),
        entry("missed times", Some(missed.to_owned())),
        entry("jitter", (jitter > 0).then(|| format!("up to {} later, by chance", format_seconds(jitter)))),
        entry(
            "restarts",
            (!definition.restarts).then(|| "none: a failure waits for the next time".to_owned()),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What each run is like.
fn work(spec: &JobSpec) -> Vec<Entry> {
    let limits = spec.limits;
    let stdin = match &spec.stdin {
        Input::File(path) => Some(safe::line(&path.to_text())),
        Input::Nothing | Input::Pipe => None,
    };
    let some = |texts: &[String]| (!texts.is_empty()).then(|| safe::line(&texts.join(", ")));
    let leaves = spec.leftovers == LeftoverPolicy::Leave;
    [
        entry("command", Some(safe::line(&spec.display))),
        entry("cwd", Some(safe::line(&spec.cwd.to_text()))),
        entry("stdin", stdin),
        entry("name", spec.name.as_deref().map(safe::line)),
        entry("labels", some(&spec.labels)),
        entry("group", spec.group.clone()),
        entry("priority", (spec.priority != Priority::Normal).then(|| spec.priority.to_string())),
        entry("key", spec.key.as_ref().map(asked::key)),
        entry("approval", spec.gate.as_ref().map(|one| format!("each run waits for it, {}", gate(one)))),
        entry("retries", asked::retries(&spec.retry)),
        entry("variables", some(&spec.variables).map(|names| format!("{names} (set by hand)"))),
        entry("service", spec.service.then(|| "yes: it needs no slot and has no time limit".to_owned())),
        entry(
            "limits",
            Some(format!(
                "timeout {}, stale after {}, grace {}, log at most {}",
                limits.timeout, limits.stale_after, limits.grace, limits.log
            )),
        ),
        entry("afterwards", leaves.then(|| "processes that outlive it are left running".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What would be added.
pub fn schedule_foreseen(name: &str, foreseen: &Foreseen, now: Timestamp) -> String {
    let definition = &foreseen.definition;
    let mut text = format!("would add {name}: {}\n", safe::line(&definition.rhythm.to_string()));
    let more = rhythm(&definition.rhythm);
    for line in &more[1..] {
        text.push_str(&format!("  {line}\n"));
    }
    for at in &foreseen.times {
        text.push_str(&format!("  next {} (in {})\n", local(*at), brief(seconds_until(now, *at))));
    }
    let work = if let Task::Run(spec) = &definition.task { work(spec) } else { Vec::new() };
    for (label, lines) in rules(definition).into_iter().chain(work) {
        text.push_str(&format!("  {label}: {}\n", lines.join("; ")));
    }
    text
}

/// What became of one that was added.
pub fn schedule_added(one: &Standing, is_new: bool, changed: bool, now: Timestamp) -> String {
    let name = safe::line(&one.name);
    let when = when(one).unwrap_or_default();
    let next = match (one.due_at, one.schedule.as_ref().and_then(|schedule| schedule.paused_at)) {
        (_, Some(_)) => ", paused".to_owned(),
        (Some(at), None) => format!(", next in {}", brief(seconds_until(now, at))),
        (None, None) => String::new(),
    };
    match (is_new, changed) {
        (true, _) => format!("schedule {name} added: {when}{next}"),
        (false, true) => format!("schedule {name} changed: {when}{next}"),
        (false, false) => format!("schedule {name} was so already: {when}{next}"),
    }
}

/// What became of one that was paused, resumed or removed; `was`: it was so before.
pub fn schedule_changed(one: &Standing, verb: &str, changed: bool, now: Timestamp) -> String {
    let name = safe::line(&one.name);
    let runs = match one.active.len() {
        0 => String::new(),
        count => format!("; {} on", count_of(count, "run goes", "runs go")),
    };
    match (verb, changed) {
        ("resumed", false) => format!("schedule {name} was not paused"),
        (_, false) => format!("schedule {name} was {verb} already"),
        ("resumed", true) => {
            let next = one.due_at.map(|at| format!(": next in {}", brief(seconds_until(now, at))));
            format!("schedule {name} resumed{}", next.unwrap_or_default())
        }
        (_, true) => format!("schedule {name} {verb}{runs}"),
    }
}
