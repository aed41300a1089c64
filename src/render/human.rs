//! Outcomes as text for people.

use super::safe;
use crate::model::{
    Timestamp,
    event::Event,
    job::Job,
    limit::format_seconds,
    outcome::{Exit, Leftover},
    state::{Change, Status},
};
use crate::ops::{
    cancel::{CancelResult, Cancelled},
    list::{Listed, Observed, Row},
    prune::Pruned,
    start::Submitted,
    status::Report,
};
use crate::pass::Decided;
use crate::plan::Action;
use chrono::Local;
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

/// Narrowest command column before the table is allowed to be wider than the terminal.
const COMMAND_CHARS_MIN: usize = 16;

/// Widest text of a command where the width is unknown: output that is not a terminal is not shortened.
const COMMAND_CHARS_MAX: usize = 4_096;

/// The table of jobs.
pub fn list(listed: &Listed, now: Timestamp, width: Option<usize>, colours: bool) -> String {
    if listed.rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(["ID", "STATUS", "AGE", "TIME", "EXIT", "COMMAND"]);
    let room = command_room(listed, now, width);
    for row in &listed.rows {
        let status = status_words(row);
        let cell = Cell::new(status).fg(colour(row.job.status(), row.observed));
        table.add_row(vec![
            Cell::new(&row.job.id),
            if colours { cell } else { Cell::new(status_words(row)) },
            Cell::new(age(row.job.created_at, now)),
            Cell::new(run_time(&row.job, now)),
            Cell::new(exit_words(&row.job)),
            Cell::new(shorten(&title(&row.job), room)),
        ]);
    }
    table.column_mut(0).map(|column| column.set_padding((0, 1)));
    let text: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", text.join("\n"))
}

fn command_room(listed: &Listed, now: Timestamp, width: Option<usize>) -> usize {
    let Some(width) = width else { return COMMAND_CHARS_MAX };
    let widest = |of: &dyn Fn(&Row) -> usize, header: usize| {
        listed.rows.iter().map(of).max().unwrap_or(0).max(header) + 2
    };
    let taken = widest(&|row| row.job.id.as_str().len(), 2)
        + widest(&|row| status_words(row).chars().count(), 6)
        + widest(&|row| age(row.job.created_at, now).len(), 3)
        + widest(&|row| run_time(&row.job, now).len(), 4)
        + widest(&|row| exit_words(&row.job).len(), 4);
    width.saturating_sub(taken + 1).max(COMMAND_CHARS_MIN)
}

fn title(job: &Job) -> String {
    let command = safe::line(&job.spec.display);
    match &job.spec.name {
        Some(name) => format!("{}: {command}", safe::line(name)),
        None => command,
    }
}

fn shorten(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A lost job never prints as plain running.
fn status_words(row: &Row) -> String {
    let status = row.job.status();
    let ending = row.job.run().is_some_and(|run| run.ending.is_some());
    match row.observed {
        Some(Observed::Alive) if ending => format!("{status} (being ended)"),
        Some(Observed::Alive) | None => end_status(&row.job),
        Some(other) => format!("{status} ({})", other.as_str()),
    }
}

/// The state of a job that is not running; what only pretended to run never shows as plain completed.
fn end_status(job: &Job) -> String {
    let status = job.status();
    if nothing_was_executed(job) { format!("{status} (nothing was executed)") } else { status.to_string() }
}

/// Whether the dry-run executor completed it.
pub fn nothing_was_executed(job: &Job) -> bool {
    job.end().and_then(|end| end.outcome.as_ref()).is_some_and(|outcome| outcome.exit == Exit::NotExecuted)
}

fn colour(status: Status, observed: Option<Observed>) -> Color {
    match (status, observed) {
        (Status::Running, Some(Observed::Alive | Observed::Starting)) => Color::Cyan,
        (Status::Running | Status::WaitingApproval, _) => Color::Yellow,
        (Status::Queued, _) => Color::Blue,
        (Status::Completed, _) => Color::Green,
        (Status::Failed, _) => Color::Red,
        (Status::Cancelled, _) => Color::Magenta,
    }
}

fn age(since: Timestamp, now: Timestamp) -> String {
    brief(seconds_between(since, now))
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from((to - from).num_seconds()).unwrap_or(0)
}

/// Seconds in one unit, two for small ones: `45s`, `12m`, `3h5m`, `9d`.
fn brief(seconds: u64) -> String {
    match seconds {
        0..60 => format_seconds(seconds),
        60..3_600 => format_seconds(seconds - seconds % if seconds < 600 { 1 } else { 60 }),
        3_600..86_400 => format_seconds(seconds - seconds % 60),
        _ => format_seconds(seconds - seconds % 86_400),
    }
}

fn run_time(job: &Job, now: Timestamp) -> String {
    match (job.started_at(), job.end().map(|end| end.at)) {
        (Some(from), None) => brief(seconds_between(from, now)),
        (Some(from), Some(Some(to))) => brief(seconds_between(from, to)),
        _ => "-".to_owned(),
    }
}

fn exit_words(job: &Job) -> String {
    match job.end().map(|end| end.outcome.as_ref().map(|outcome| &outcome.exit)) {
        Some(Some(Exit::Code(code))) => code.to_string(),
        Some(Some(Exit::Signal(signal))) => crate::model::outcome::signal_name(*signal),
        Some(Some(Exit::Unknown { .. })) => "unknown".to_owned(),
        Some(Some(Exit::NotStarted { .. } | Exit::NotExecuted) | None) | None => "-".to_owned(),
    }
}

/// What was left out of a list.
pub fn left_out(count: usize) -> Option<String> {
    (count > 0).then(|| format!("{count} more ended; bgctl list --all shows them"))
}

/// Why a submitted job does not run at once.
pub fn place(submitted: &Submitted) -> Option<String> {
    if submitted.job.status() != Status::Queued {
        return None;
    }
    let slots = match submitted.slots {
        0 => "no slot is free".to_owned(),
        1 => "the slot is held by a running job".to_owned(),
        held => format!("{held} jobs hold the slots"),
    };
    let ahead = match submitted.ahead {
        0 => "it is next".to_owned(),
        1 => "1 job is ahead of it".to_owned(),
        many => format!("{many} jobs are ahead of it"),
    };
    Some(format!("queued: {slots}, {ahead}"))
}

/// What would be submitted.
pub fn foreseen(job: &Job) -> String {
    let limits = job.spec.limits;
    let mut text = format!("would start: {}\n", safe::line(&job.spec.display));
    text.push_str(&format!("  in {}\n", safe::line(&job.spec.cwd.to_text())));
    text.push_str(&format!(
        "  timeout {}, stale after {}, grace {}\n",
        limits.timeout, limits.stale_after, limits.grace
    ));
    text
}

/// How a cancel went.
pub fn cancelled(one: &Cancelled) -> String {
    let id = &one.job.id;
    let status = one.job.status();
    match &one.result {
        CancelResult::Done if status == Status::Cancelled => format!("{id} cancelled"),
        CancelResult::Done => format!("{id} {status}: it ended before it could be cancelled"),
        CancelResult::HadEnded => {
            format!("{id} had ended already ({}); nothing was done", end_status(&one.job))
        }
        CancelResult::Asked => format!("{id} is told to end"),
        CancelResult::Stuck(processes) => {
            format!("{id} cannot be ended and is still running: {}", named(processes))
        }
        CancelResult::OutOfReach(host) => {
            format!("{id} runs on {}; it ends when bgctl tick runs there", safe::line(host))
        }
    }
}

fn named(processes: &[Leftover]) -> String {
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
    let rest = rest.map(|rest| rest.trim_start_matches("; ")).filter(|rest| !rest.is_empty());
    let summary = rest.map(|rest| format!(": {}", safe::line(rest))).unwrap_or_default();
    format!("{} {}{summary}", job.id, job.status())
}

/// A job in full.
pub fn status(report: &Report, now: Timestamp) -> String {
    let job = &report.row.job;
    let mut lines: Vec<(&str, String)> = vec![("id", job.id.to_string())];
    let mut add = |name: &'static str, value: String| lines.push((name, value));
    add("status", status_words(&report.row));
    if let Some(summary) = job.summary() {
        add("summary", safe::line(summary));
    }
    if let Some(name) = &job.spec.name {
        add("name", safe::line(name));
    }
    if !job.spec.labels.is_empty() {
        add("labels", safe::line(&job.spec.labels.join(", ")));
    }
    add("command", safe::line(&job.spec.display));
    add("cwd", safe::line(&job.spec.cwd.to_text()));
    add("created", moment(job.created_at, now));
    if let Some(at) = job.started_at() {
        add("started", moment(at, now));
    }
    if let Some(at) = job.ended_at() {
        add("ended", moment(at, now));
    }
    if job.started_at().is_some() {
        add("run time", run_time(job, now));
    }
    if job.end().is_some() {
        add("exit", exit_words(job));
    }
    if let Some(ahead) = report.ahead {
        add("ahead", ahead.to_string());
    }
    let limits = job.spec.limits;
    add(
        "limits",
        format!("timeout {}, stale after {}, grace {}", limits.timeout, limits.stale_after, limits.grace),
    );
    if let Some(usage) = job.end().and_then(|end| end.outcome.as_ref()).and_then(|outcome| outcome.usage) {
        let cpu_ms = usage.cpu_user_ms + usage.cpu_system_ms;
        let cpu = format!("{}.{:02} s", cpu_ms / 1_000, cpu_ms % 1_000 / 10);
        add("used", format!("{cpu} of processor time, {} KiB at most", usage.memory_peak_kib));
    }
    if !report.still_running.is_empty() {
        add("left running", named(&report.still_running));
    }
    if let Some(parent) = &job.spec.parent {
        add("parent", parent.to_string());
    }
    add(
        "log",
        format!("{} ({})", report.log.display(), report.log_bytes.map_or("none yet".to_owned(), bytes)),
    );
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:>width$}  {value}\n")).collect()
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

fn moment(at: Timestamp, now: Timestamp) -> String {
    let local = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z");
    format!("{local} ({} ago)", age(at, now))
}

/// What retention did, a line a job.
pub fn pruned(pruned: &Pruned) -> String {
    pruned
        .jobs
        .iter()
        .map(|job| format!("{}  {}  {}\n", job.id, end_status(job), shorten(&title(job), 80)))
        .collect()
}

/// What a pass would do, a line each.
pub fn foreseen_pass(decided: &Decided) -> String {
    let mut text = String::new();
    for event in &decided.events {
        text.push_str(&format!("would {}\n", event_words(event)));
    }
    for action in &decided.actions {
        text.push_str(&match action {
            Action::Launch(id) => format!("would launch a watcher for {id}\n"),
            Action::Poke(id) => format!("would poke the watcher of {id}\n"),
            Action::Evict(id) => format!("would replace the silent watcher of {id}\n"),
        });
    }
    text
}

fn event_words(event: &Event) -> String {
    match event {
        Event::Submitted { job } => format!("submit {}", job.id),
        Event::Removed { id } => format!("remove {id}"),
        Event::Changed { id, change } => match change {
            Change::Claim { .. } => format!("start {id}"),
            Change::GiveBack => format!("queue {id} again"),
            Change::Decide { ending } => {
                let note = ending.note.as_deref().unwrap_or("told to end");
                format!("end {id}: {}", safe::line(note))
            }
            Change::End { summary, .. } => {
                let why =
                    summary.as_deref().map(|text| format!(": {}", safe::line(text))).unwrap_or_default();
                format!("write down the end of {id}{why}")
            }
            Change::AskApproval | Change::Approve | Change::Decline { .. } | Change::Expire { .. } => {
                format!("change the approval of {id}")
            }
            Change::Enrich { .. } => format!("add what is known of {id}"),
        },
    }
}
