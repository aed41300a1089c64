//! Words that several outcomes share.

use super::screen::fit;
use crate::model::{
    Timestamp,
    dependency::Until,
    job::Job,
    limit::format_seconds,
    outcome::{Exit, Leftover, signal_name},
    priority::Priority,
    state::{State, Status},
};
use crate::ops::{
    called::Called,
    list::{Observed, Row},
};
use crate::plan::{WAKE_HORIZON, pick::Waits};
use crate::render::safe;
use chrono::{Local, TimeDelta};

/// Standard input named no job.
pub const NONE_NAMED: &str = "no job was named";
/// None has what was asked for.
pub const NONE_ACTIVE: &str = "there is no such active job";

/// A count of jobs.
pub fn jobs(count: usize) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

/// A job as it is called: its name and its command.
pub fn title(job: &Job) -> String {
    let command = safe::line(&job.spec.display);
    match &job.spec.name {
        Some(name) => format!("{}: {command}", safe::line(name)),
        None => command,
    }
}

/// A job's state, its place in the queue, and what is special about it. What is lost never shows as plain running, what
/// is paused never as plain queued.
pub fn status_words(row: &Row, place: Option<usize>, now: Timestamp) -> String {
    let place = place.map(|place| format!(" #{place}")).unwrap_or_default();
    let special = special(row, now);
    let special = if special.is_empty() { String::new() } else { format!(" ({})", special.join(", ")) };
    format!("{}{place}{special}", row.job.status())
}

/// What sets a job apart from others of its state.
pub fn special(row: &Row, now: Timestamp) -> Vec<String> {
    let job = &row.job;
    let mut special = Vec::new();
    match row.observed {
        None | Some(Observed::Alive) => {}
        Some(other) => special.push(other.as_str().to_owned()),
    }
    if job.is_being_ended() && row.observed != Some(Observed::Ended) {
        special.push("being ended".to_owned());
    }
    if let Some(at) = job.paused_at() {
        special.push(format!("paused {}", age(at, now)));
    } else if let State::Queued { not_before: Some(at), .. } = job.state
        && at > now
    {
        let what = if job.attempt > 0 { "again in" } else { "in" };
        special.push(format!("{what} {}", brief(seconds_until(now, at))));
    }
    if job.spec.priority != Priority::Normal && job.status() == Status::Queued {
        special.push(job.spec.priority.to_string());
    }
    if job.end().is_some_and(|end| end.dead_letter) {
        special.push("dead letter".to_owned());
    }
    if job.spec.service && !job.status().has_ended() {
        special.push("service".to_owned());
    }
    if nothing_was_executed(job) {
        special.push("nothing was executed".to_owned());
    }
    special
}

/// The state of a job that is not running; what only pretended to run never shows as plain completed.
pub fn end_status(job: &Job) -> String {
    let status = job.status();
    if nothing_was_executed(job) { format!("{status} (nothing was executed)") } else { status.to_string() }
}

/// Whether the dry-run executor completed it.
pub fn nothing_was_executed(job: &Job) -> bool {
    job.end().and_then(|end| end.outcome.as_ref()).is_some_and(|outcome| outcome.exit == Exit::NotExecuted)
}

/// How long ago.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    brief(seconds_between(since, now))
}

/// Whole seconds until a later instant, begun ones included: what comes in 2.9 s comes in 3 s.
pub fn seconds_until(now: Timestamp, at: Timestamp) -> u64 {
    u64::try_from((at - now).num_milliseconds()).unwrap_or(0).div_ceil(1_000)
}

/// Whole seconds from one instant to a later one.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from((to - from).num_seconds()).unwrap_or(0)
}

/// Seconds in one unit, two for small ones: `45s`, `12m`, `3h5m`, `9d`.
pub fn brief(seconds: u64) -> String {
    match seconds {
        0..60 => format_seconds(seconds),
        60..3_600 => format_seconds(seconds - seconds % if seconds < 600 { 1 } else { 60 }),
        3_600..86_400 => format_seconds(seconds - seconds % 60),
        _ => format_seconds(seconds - seconds % 86_400),
    }
}

/// How long a run took: `35ms`, `2.5s`, `12m`.
pub fn took(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds}ms"),
        1_000..10_000 => format!("{}.{}s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => brief(milliseconds / 1_000),
    }
}

/// How long its last attempt has taken. What it stood still counts: only the present pause is in the index.
pub fn run_time(job: &Job, now: Timestamp) -> String {
    let seconds = |time: TimeDelta| u64::try_from(time.num_seconds()).unwrap_or(0);
    job.run_time(now).map_or("-".to_owned(), |time| brief(seconds(time)))
}

/// How it exited.
pub fn exit_words(job: &Job) -> String {
    match job.end().map(|end| end.outcome.as_ref().map(|outcome| &outcome.exit)) {
        Some(Some(Exit::Code(code))) => code.to_string(),
        Some(Some(Exit::Signal(signal))) => signal_name(*signal),
        Some(Some(Exit::Unknown { .. })) => "unknown".to_owned(),
        Some(Some(Exit::NotStarted { .. } | Exit::NotExecuted) | None) | None => "-".to_owned(),
    }
}

/// Processes by number and name.
pub fn named(processes: &[Leftover]) -> String {
    processes
        .iter()
        .map(|process| format!("process {} ({})", process.pid, safe::line(&process.name)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The end of a job in one line.
pub fn end(job: &Job) -> String {
    // "cancelled: cancelled" would say it twice.
    let status = job.status().to_string();
    let rest = job.summary().map(|summary| summary.strip_prefix(&status).unwrap_or(summary));
    let rest = rest.map(|rest| rest.trim_start_matches([';', ' '])).filter(|rest| !rest.is_empty());
    let summary = rest.map(|rest| format!(": {}", safe::line(rest))).unwrap_or_default();
    format!("{} {}{summary}", job.id, job.status())
}

/// A count of bytes.
pub fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// An instant in local time, and how long ago it was.
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    let local = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z");
    format!("{local} ({} ago)", age(at, now))
}

/// Why a job waits, and what comes before it, with the names of what it waits for as far as they are known.
pub fn waiting_named(waits: &Waits, holders: &[Called], now: Timestamp) -> String {
    match waits {
        Waits::Paused { since } => format!("it was paused {} ago", age(*since, now)),
        Waits::GroupPaused { group, since } => {
            format!(
                "its group {group} was paused {} ago; bgctl resume --group {group} lets it go on",
                age(*since, now)
            )
        }
        Waits::ForGroup(group) => {
            format!("there is no group {group} any more; bgctl set JOB --group NAME moves it to another")
        }
        Waits::ForJobs(open) => {
            let end = if open.iter().all(|one| one.until == Until::Ended) { "end" } else { "completion" };
            let which = if holders.is_empty() { jobs(open.len()) } else { names(holders) };
            format!("it waits for the {end} of {which}")
        }
        Waits::ForRetry { at, attempt, attempts_max } => {
            let time = brief(seconds_until(now, *at));
            format!(
                "its last attempt failed, attempt {attempt} of {attempts_max} comes in {time}{}",
                by_tick(*at, now)
            )
        }
        Waits::Until(at) => {
            format!("it starts in {}, not before{}", brief(seconds_until(now, *at)), by_tick(*at, now))
        }
        Waits::ForPass => "nothing is in its way, bgctl tick starts it".to_owned(),
        Waits::InVain => "what it waits for did not complete, bgctl tick cancels it".to_owned(),
        Waits::ForSlot { held_by, ahead } => {
            let slots = match held_by.len() {
                0 => "no slot is free".to_owned(),
                1 if holders.is_empty() => "the slot is held by a running job".to_owned(),
                1 => format!("{} holds the slot", names(holders)),
                held if holders.is_empty() => format!("{held} jobs hold the slots"),
                held => format!("{held} jobs hold the slots ({})", names(holders)),
            };
            let ahead = match ahead.len() {
                0 => "it is next".to_owned(),
                1 => "1 job is ahead of it".to_owned(),
                many => format!("{many} jobs are ahead of it"),
            };
            format!("{slots}, {ahead}")
        }
    }
}

/// Nothing of ours is there for so long: a pass from outside starts it.
fn by_tick(at: Timestamp, now: Timestamp) -> &'static str {
    if at - now > WAKE_HORIZON { "; bgctl tick, from cron, starts it then" } else { "" }
}

/// Things in a sentence: `a`, `a and b`, `a, b and c`.
pub fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, before @ [_, ..])) => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// Most jobs that a sentence names.
const NAMED_MAX: usize = 4;

/// Jobs as a short sentence calls them.
pub fn names(jobs: &[Called]) -> String {
    let shown = if jobs.len() > NAMED_MAX { NAMED_MAX - 1 } else { jobs.len() };
    let mut names: Vec<String> = jobs[..shown].iter().map(called).collect();
    if jobs.len() > shown {
        names.push(format!("and {} more", jobs.len() - shown));
    }
    names.join(", ")
}

/// Longest name of a job in a sentence.
const NAME_CHARS_MAX: usize = 24;

/// A job as a short sentence calls it.
pub fn called(job: &Called) -> String {
    match &job.name {
        Some(name) => format!("{} {}", fit(&safe::line(name), NAME_CHARS_MAX), job.short),
        None => job.short.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::took;

    #[test]
    fn how_long_a_run_took_has_the_unit_that_fits() {
        let all = [(0, "0ms"), (35, "35ms"), (999, "999ms"), (2_560, "2.5s"), (61_000, "1m1s")];
        for (milliseconds, words) in all {
            assert_eq!(took(milliseconds), words);
        }
    }
}
