//! How the whole is: the verdict first, with what mends it, then the figures.

use super::measure::count_of;
use super::screen::{HEADING, LABEL, Screen, WARNING, colour_of, columns, pad, pad_left, wrap};
use super::words::{age, brief, listed, seconds_until, took};
use crate::model::{Timestamp, health::HealthStatus, id::JobId, limit::format_bytes, state::Status};
use crate::ops::health::{Answer, Disk};
use crate::plan::health::{Going, Late, QueueFigures, Reason, Report, Session, Verdict};
use crate::render::safe;
use anstyle::Style;

/// The width of the labels.
const LABEL_COLUMNS: usize = 11;
/// Most names in one line.
const NAMED_MAX: usize = 4;

/// The verdict, its reasons, and all figures.
pub fn health(answer: &Answer, screen: Screen) -> String {
    let mut text = verdict(&answer.verdict, answer.at, screen);
    text.push('\n');
    for (label, said) in figures(answer) {
        let said = screen.fit(&said, LABEL_COLUMNS);
        text.push_str(&format!("{}{said}\n", screen.paint(LABEL, &pad(label, LABEL_COLUMNS))));
    }
    text
}

/// The verdict in one line, for those who look at everything.
pub fn verdict_brief(verdict: &Verdict, now: Timestamp) -> String {
    let first = verdict.reasons.first().map(|reason| safe::line(&reason.words(now))).unwrap_or_default();
    let more = match verdict.reasons.len() {
        0 | 1 => String::new(),
        many => format!(", and {} more", many - 1),
    };
    // On a narrow screen the end goes.
    format!("{} (bgctl health): {first}{more}", verdict.status.as_str())
}

fn verdict(verdict: &Verdict, now: Timestamp, screen: Screen) -> String {
    let word = screen.paint(style_of(verdict.status), verdict.status.as_str());
    let mut text = match verdict.reasons.len() {
        0 => format!("{word}\n"),
        many => format!("{word}: {}\n", count_of(many, "reason", "reasons")),
    };
    let width = screen.columns.unwrap_or(usize::MAX).saturating_sub(2).max(1);
    for reason in &verdict.reasons {
        let said = format!("{}; {}", safe::lines(&reason.words(now)).replace('\n', " "), reason.mend());
        for (number, line) in wrap(&said, width).iter().enumerate() {
            let mark =
                if number == 0 { screen.paint(style_of(reason.status()), "-") } else { " ".to_owned() };
            text.push_str(&format!("{mark} {line}\n"));
        }
    }
    text
}

fn style_of(status: HealthStatus) -> Style {
    match status {
        HealthStatus::Ok => colour_of(Status::Completed),
        HealthStatus::Degraded => WARNING,
        HealthStatus::Failing => colour_of(Status::Failed),
    }
}

fn figures(answer: &Answer) -> Vec<(&'static str, String)> {
    let (report, now) = (&answer.report, answer.at);
    let mut figures = vec![("jobs", counts(report)), ("queue", queue(&report.queue))];
    if let Some(oldest) = &report.queue.oldest {
        let waits = format!("{} waits for {}", oldest.id, age(oldest.since, now));
        figures.push(("oldest", waits));
    }
    figures.push(("worker", worker(report, now)));
    figures.push(("watchers", watchers(report)));
    figures.push(("schedules", schedules(report, now)));
    figures.extend(report.sessions.iter().map(|one| ("session", session(one, now))));
    figures.push(("disk", disk(answer.disk)));
    let alarm = if report.has_alarm { ", and the alarm is set" } else { "" };
    let tick = report.last_tick.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(at, now)));
    figures.push(("last tick", format!("{tick}{alarm}")));
    figures
}

fn counts(report: &Report) -> String {
    let some = report.counts.iter().filter(|(_, count)| *count > 0);
    let words: Vec<String> =
        some.map(|(status, count)| format!("{count} {}", status.as_str().replace('_', " "))).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn queue(queue: &QueueFigures) -> String {
    let QueueFigures { waiting, jobs_max, .. } = queue;
    let refused = if queue.has_backpressure {
        format!("; submissions are refused beyond {}", queue.threshold)
    } else {
        String::new()
    };
    let letters = count_of(queue.dead_letters, "dead letter", "dead letters");
    format!("{waiting} of {jobs_max} wait ({:.0}%){refused}; {letters}", queue.utilisation() * 100.0)
}

fn worker(report: &Report, now: Timestamp) -> String {
    let totals = &report.totals;
    let Some(since) = totals.since else { return "no job has ended yet".to_owned() };
    let unknown = match totals.unknown_outcome {
        0 => String::new(),
        many => format!(" (of {many} nobody knows how they ended)"),
    };
    format!(
        "{} processed in {}: {} succeeded, {} failed, {} cancelled{unknown}",
        totals.processed(),
        age(since, now),
        totals.succeeded,
        totals.failed,
        totals.cancelled
    )
}

fn watchers(report: &Report) -> String {
    let amiss = &report.amiss;
    let told =
        [("lost", &amiss.lost), ("unclear", &amiss.unclear), ("cannot write an end", &amiss.unwritten)];
    let told: Vec<String> = told
        .into_iter()
        .filter(|(_, ids)| !ids.is_empty())
        .map(|(word, ids)| format!("{} {word}: {}", ids.len(), named(ids)))
        .collect();
    if told.is_empty() { "none lost".to_owned() } else { told.join("; ") }
}

fn named(ids: &[JobId]) -> String {
    few(ids.iter().map(|id| id.random_part().to_owned()).collect())
}

fn few(mut names: Vec<String>) -> String {
    if names.len() > NAMED_MAX {
        let more = names.len() - (NAMED_MAX - 1);
        names.truncate(NAMED_MAX - 1);
        names.push(format!("{more} more"));
    }
    listed(&names)
}

fn schedules(report: &Report, now: Timestamp) -> String {
    let paused = match report.schedules_paused {
        0 => String::new(),
        many => format!(", {many} paused"),
    };
    let late = |late: &Late| format!("{} by {}", late.name, age(late.due_at, now));
    let late = match &report.late[..] {
        [] if report.schedules == 0 => String::new(),
        [] => ", none late".to_owned(),
        some => format!(", {} late: {}", some.len(), few(some.iter().map(late).collect())),
    };
    let count = match report.schedules {
        0 => "none".to_owned(),
        many => many.to_string(),
    };
    format!("{count}{paused}{late}")
}

fn session(session: &Session, now: Timestamp) -> String {
    let valid = match session.valid_until {
        Some(at) if session.has_expired => format!("ran out {} ago", age(at, now)),
        Some(at) => format!("valid for {}", brief(seconds_until(now, at))),
        None => "nobody knows until when it is valid".to_owned(),
    };
    let refreshed = match session.health.last_success_at {
        Some(at) => format!(", renewed {} ago", age(at, now)),
        None if session.is_renewable => ", never renewed".to_owned(),
        None => ", not renewable".to_owned(),
    };
    let failed = match session.health.failures_in_row {
        0 => String::new(),
        1 => ", the last renewal failed".to_owned(),
        many => format!(", the last {many} renewals failed"),
    };
    format!("{}: {valid}{refreshed}{failed}", session.name)
}

fn disk(disk: Disk) -> String {
    let most = disk.logs_bytes_max.map(|most| format!(" of {}", format_bytes(most))).unwrap_or_default();
    let free = disk.free_bytes.map(|free| format!("; {} free", format_bytes(free))).unwrap_or_default();
    let (runs, logs) = (format_bytes(disk.runs_bytes), format_bytes(disk.logs_bytes));
    format!("run files {runs}, logs {logs}{most}{free}")
}

/// A line a schedule, and a line a name.
pub fn going(answer: &Answer, going: &[Going], screen: Screen) -> String {
    if going.is_empty() {
        return "there is no schedule, and no job with a name has ended\n".to_owned();
    }
    let now = answer.at;
    let rows: Vec<[String; COLUMNS]> = going.iter().map(|one| row(one, now)).collect();
    let widest = |column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(|column| widest(column).max(HEADINGS[column].len())).collect();
    let line = |cells: [&str; COLUMNS]| -> String {
        let cells = cells.iter().enumerate().map(|(column, cell)| {
            if AMOUNTS.contains(&column) { pad_left(cell, widths[column]) } else { pad(cell, widths[column]) }
        });
        screen.fit(cells.collect::<Vec<_>>().join("  ").trim_end(), 0)
    };
    let mut text = format!("{}\n", screen.paint(HEADING, &line(HEADINGS)));
    for (one, row) in going.iter().zip(&rows) {
        let cells = row.each_ref().map(String::as_str);
        let is_bad = answer.verdict.reasons.iter().any(|reason| is_about(reason, one));
        let style = if is_bad { WARNING } else { Style::new() };
        text.push_str(&format!("{}\n", if is_bad { screen.paint(style, &line(cells)) } else { line(cells) }));
    }
    let said =
        answer.verdict.reasons.iter().map(|reason| {
            format!("{}; {}\n", safe::lines(&reason.words(now)).replace('\n', " "), reason.mend())
        });
    let said: String = said.collect();
    if said.is_empty() { text } else { format!("{text}\n{said}") }
}

fn is_about(reason: &Reason, one: &Going) -> bool {
    reason.subject() == Some(one.name.as_str())
}

const COLUMNS: usize = 10;
const HEADINGS: [&str; COLUMNS] =
    ["NAME", "KIND", "LAST", "RUN", "SUCCESS", "FAILED", "NEXT", "MEAN", "P95", "MISSED"];
/// Columns that stand at the right.
const AMOUNTS: [usize; 4] = [5, 7, 8, 9];

fn row(one: &Going, now: Timestamp) -> [String; COLUMNS] {
    let health = &one.health;
    let nothing = || "-".to_owned();
    let ago = |at: Option<Timestamp>| at.map_or_else(nothing, |at| format!("{} ago", age(at, now)));
    let last = health.last.as_ref();
    let next = match one.next_at {
        _ if one.mistake.is_some() && one.next_at.is_none() => "mistake".to_owned(),
        _ if one.is_paused => "paused".to_owned(),
        Some(at) if at <= now => format!("due for {}", age(at, now)),
        Some(at) => format!("in {}", brief(seconds_until(now, at))),
        None => nothing(),
    };
    [
        safe::line(&one.name),
        one.kind.as_str().to_owned(),
        last.map_or_else(nothing, |last| last.result.as_str().to_owned()),
        ago(last.map(|last| last.at)),
        ago(health.last_success_at),
        health.failures_in_row.to_string(),
        next,
        health.mean_ms().map_or_else(nothing, took),
        health.p95_ms().map_or_else(nothing, took),
        health.missed.to_string(),
    ]
}
