//! Everything about a job.

use super::approval::{answer_words, asked_while_running, waiting_entries};
use super::asked;
use super::measure::{count_of, cpu, local, memory};
use super::screen::{self, HEADING, LABEL, Screen, WARNING, columns, pad, pad_left, style_of, wrap};
use super::words::{
    age, brief, bytes, exit_words, moment, named, run_time, seconds_between, status_words, waiting_named,
};
use crate::exec::LiveProcess;
use crate::model::{
    Timestamp,
    claim::{ExecutorName, Relation},
    dependency::Until,
    id::JobId,
    job::Job,
    limit::{Source, format_bytes},
    outcome::{Ending, Exit, Leftover, Outcome, Usage, Why, signal_name},
    priority::Priority,
    spec::{Input, LeftoverPolicy, quote},
};
use crate::ops::{
    list::Live,
    status::{Attempt, Report, claim_of},
};
use crate::plan::pick::Waits;
use crate::render::safe;

/// Most other jobs that are named in one line.
const NAMED_MAX: usize = 5;
/// Longest name beside an id where other jobs are only mentioned.
const NAME_CHARS_MAX: usize = 24;

/// Fewest columns of a sentence: on a screen that has less, the terminal breaks it.
const PROSE_COLUMNS_MIN: usize = 20;

/// A label and the lines beside it.
type Entry = (&'static str, Vec<String>);

/// A job in full.
pub fn status(report: &Report, now: Timestamp, screen: Screen) -> String {
    let groups = [identity(report, now, screen), times(report, now), work(report, now), bounds(report)];
    let width = groups.iter().flatten().map(|(label, _)| label.len()).max().unwrap_or(0);
    let mut texts: Vec<String> = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| group.iter().map(|entry| shown(&wrapped(entry, width, screen), width, screen)).collect())
        .collect();
    if !report.processes.is_empty() {
        texts.push(tree(&report.processes, screen));
    }
    texts.join("\n")
}

/// An entry: the label beside its first line, the others below that.
pub(super) fn shown((label, lines): &Entry, width: usize, screen: Screen) -> String {
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let label =
            if number == 0 { screen.paint(LABEL, &pad_left(label, width)) } else { " ".repeat(width) };
        text.push_str(&format!("{label}  {line}\n"));
    }
    text
}

/// An entry whose sentences are no wider than the screen. What may be copied stays in one piece: ids, commands, paths.
fn wrapped((label, lines): &Entry, width: usize, screen: Screen) -> Entry {
    let is_prose = !matches!(
        *label,
        "id" | "status"
            | "name"
            | "schedule"
            | "key"
            | "command"
            | "cwd"
            | "stdin"
            | "log"
            | "hash"
            | "children"
            | "retry of"
            | "retried by"
    );
    let lines = match screen.columns {
        Some(columns) if is_prose => {
            let room = columns.saturating_sub(width + 2).max(PROSE_COLUMNS_MIN);
            lines.iter().flat_map(|line| wrap(line, room)).collect()
        }
        _ => lines.clone(),
    };
    (label, lines)
}

fn one(label: &'static str, value: String) -> Entry {
    (label, vec![value])
}

/// What it is.
fn identity(report: &Report, now: Timestamp, screen: Screen) -> Vec<Entry> {
    let job = &report.row.job;
    let style = style_of(&report.row);
    let status = status_words(&report.row, report.place, now);
    let mut group =
        vec![one("id", screen.paint(HEADING, job.id.as_str())), one("status", screen.paint(style, &status))];
    let mut add = |label, value: Option<String>| group.extend(value.map(|value| one(label, value)));
    add("summary", job.summary().map(safe::line));
    let id = &job.id;
    let is_dead = job.end().is_some_and(|end| end.dead_letter);
    add(
        "dead letter",
        is_dead.then(|| format!("bgctl retry {id} runs it again; bgctl dead clear {id} lets it go")),
    );
    add("name", job.spec.name.as_deref().map(safe::line));
    add(
        "labels",
        Some(&job.spec.labels).filter(|all| !all.is_empty()).map(|all| safe::line(&all.join(", "))),
    );
    add("group", job.spec.group.clone());
    let priority = Some(job.spec.priority).filter(|priority| *priority != Priority::Normal);
    add("priority", priority.map(|priority| priority.to_string()));
    add("key", job.spec.key.as_ref().map(asked::key));
    add("retries", asked::retries(&job.spec.retry));
    add("command", Some(safe::line(&job.spec.display)));
    add("cwd", Some(safe::line(&job.spec.cwd.to_text())));
    add("stdin", stdin_words(job, now));
    let variables = Some(&job.spec.variables).filter(|names| !names.is_empty());
    add("variables", variables.map(|names| format!("{} (set by hand)", safe::line(&names.join(", ")))));
    add("service", job.spec.service.then(|| "yes: it needs no slot and runs until it is ended".to_owned()));
    add("retry of", job.spec.retry_of.as_ref().map(|original| mention(report, original)));
    let first =
        |first: &JobId| if *first == job.id { "this is its first job".into() } else { first.to_string() };
    add("batch", job.spec.batch.as_ref().map(first));
    add("array index", job.spec.array_index.map(|number| number.to_string()));
    add(
        "schedule",
        job.spec.schedule.as_deref().map(|name| format!("{}: this is one of its runs", safe::line(name))),
    );
    add("parent", job.spec.parent.as_ref().map(|parent| mention(report, parent)));
    if !report.children.is_empty() {
        group.push(("children", report.children.iter().map(|child| mention(report, child)).collect()));
    }
    if !report.retries.is_empty() {
        group.push(("retried by", report.retries.iter().map(|retry| mention(report, retry)).collect()));
    }
    group
}

/// What it reads, unless that is nothing.
fn stdin_words(job: &Job, now: Timestamp) -> Option<String> {
    match &job.spec.stdin {
        Input::Nothing => None,
        Input::File(path) => Some(safe::line(&path.to_text())),
        Input::Pipe => Some(match job.run().map(|run| run.stdin_closed_at) {
            None => "a pipe".to_owned(),
            Some(None) => format!("a pipe; bgctl send {} TEXT writes a line into it", job.id),
            Some(Some(at)) => format!("a pipe, closed {}", moment(at, now)),
        }),
    }
}

/// Another job: its id, its name, its state.
fn mention(report: &Report, id: &JobId) -> String {
    match report.mentioned.get(id) {
        None => format!("{id} (no longer in the index)"),
        Some(other) => {
            let name = other.name.as_deref().map(|name| format!(" {}", safe::line(name)));
            format!("{id}{} ({})", name.unwrap_or_default(), other.status)
        }
    }
}

/// When it did what, and why it waits.
fn times(report: &Report, now: Timestamp) -> Vec<Entry> {
    let job = &report.row.job;
    let mut group = vec![one("created", moment(job.created_at, now))];
    let mut add = |label, value: Option<String>| group.extend(value.map(|value| one(label, value)));
    add("started", job.started_at().map(|at| moment(at, now)));
    add("paused", job.paused_at().map(|at| moment(at, now)));
    let run = job.run();
    add("told to end", job.ending().map(|ending| ending_words(ending, now)));
    add("ended", job.ended_at().map(|at| moment(at, now)));
    let still = run.and_then(|run| run.paused_at).map(|at| format!(", the last {} paused", age(at, now)));
    add("run time", job.started_at().map(|_| format!("{}{}", run_time(job, now), still.unwrap_or_default())));
    add("exit", job.end().map(|_| exit_words(job)));
    add("asked", run.and_then(|run| run.asked.as_ref()).map(|asked| asked_while_running(asked, now)));
    add("waits", report.waits.as_ref().map(|waits| waiting_named(waits, &report.awaited, now)));
    for (label, text) in job.waiting().map(|of| waiting_entries(of, &job.id, now)).unwrap_or_default() {
        add(label, Some(text));
    }
    add("issue", report.issue_url.clone());
    for answer in &job.answers {
        add("answer", Some(answer_words(answer, now)));
    }
    match &report.waits {
        Some(Waits::Until(at) | Waits::ForRetry { at, .. }) => add("not before", Some(local(*at))),
        Some(Waits::ForSlot { held_by, ahead }) => {
            add("held by", several(report, held_by));
            add("ahead", several(report, ahead));
        }
        _ => {}
    }
    for (label, until) in [("after", Until::Completed), ("after end", Until::Ended)] {
        let others = job.spec.after.iter().filter(|one| one.until == until);
        add(label, several(report, &others.map(|one| one.id.clone()).collect::<Vec<_>>()));
    }
    let several_attempts = job.spec.retry.attempts_max > 1 || report.attempts.len() > 1;
    if several_attempts && !report.attempts.is_empty() {
        group.push(("attempts", attempts(report, now)));
    }
    group
}

/// Other jobs in one line: the random parts by which they can be called, and their names.
fn several(report: &Report, ids: &[JobId]) -> Option<String> {
    let name = |id: &JobId| report.mentioned.get(id).and_then(|other| other.name.as_deref());
    let mut named: Vec<String> = ids.iter().take(NAMED_MAX).map(|id| called(id, name(id))).collect();
    if ids.len() > NAMED_MAX {
        named.push(format!("and {} more", ids.len() - NAMED_MAX));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

/// Each attempt: when, how long, how it ended, and what it used.
fn attempts(report: &Report, now: Timestamp) -> Vec<String> {
    let max = report.row.job.spec.retry.attempts_max;
    let mut lines = Vec::new();
    for attempt in &report.attempts {
        let begin = attempt.started_at.map_or_else(|| "at an unknown time".to_owned(), local);
        // One that is over and that nobody saw ending took nobody knows how long.
        let until = attempt.ended_at.or(attempt.outcome.is_none().then_some(now));
        let time = attempt.started_at.zip(until).map(|(from, until)| {
            let time = brief(seconds_between(from, until));
            format!(", {time}")
        });
        let head = format!("{} of {max}: {begin}{}", attempt.number, time.unwrap_or_default());
        lines.push(format!("{head}, {}", fate(attempt)));
        if let Some(usage) = attempt.outcome.as_ref().and_then(|outcome| outcome.usage) {
            lines.push(format!("  {}", used(usage).join("; ")));
        }
    }
    lines
}

fn fate(attempt: &Attempt) -> String {
    let Some(outcome) = &attempt.outcome else {
        return if attempt.ended_at.is_some() { "ended".to_owned() } else { "goes on".to_owned() };
    };
    let exit = match &outcome.exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("killed by {}", signal_name(*signal)),
        Exit::NotStarted { .. } => "could not start".to_owned(),
        Exit::Unknown { .. } => "outcome unknown".to_owned(),
        Exit::NotExecuted => "nothing was executed".to_owned(),
    };
    let summary = attempt.summary.as_deref().map(safe::line).filter(|summary| *summary != exit);
    match summary {
        Some(summary) if summary.contains(&exit) => summary,
        Some(summary) => format!("{exit}; {summary}"),
        None => exit,
    }
}

/// Where it runs, what it uses, and what it left.
fn work(report: &Report, now: Timestamp) -> Vec<Entry> {
    let job = &report.row.job;
    let outcome = job.end().and_then(|end| end.outcome.as_ref());
    let mut group = Vec::new();
    group.extend(place(report).map(|place| one("host", place)));
    if let Some(usage) = outcome.and_then(|outcome| outcome.usage) {
        let source = "by the kernel's account of each process as it was reaped".to_owned();
        group.push(("used", used(usage).into_iter().chain([source]).collect()));
    } else if outcome.is_some_and(|outcome| outcome.best_effort) {
        group.push(one("used", "not known: its watcher had died".to_owned()));
    }
    group.extend(report.live.as_ref().map(uses).map(|words| one("uses", words)));
    if !report.stuck.is_empty() {
        let since = job.ending().map(|ending| format!(" for {}", age(ending.at, now)));
        let words = format!("{} could not be ended{}", named(&report.stuck), since.unwrap_or_default());
        group.push(one("stuck", words));
    }
    let left = outcome.filter(|outcome| !outcome.leftovers.is_empty());
    group.extend(left.map(|outcome| one("leftovers", leftovers(outcome, &report.still_running))));
    group
}

/// Which processes outlived the main one, and what became of them.
fn leftovers(outcome: &Outcome, still_running: &[Leftover]) -> String {
    if !outcome.leftovers_left {
        return format!("{}: ended after it", named(&outcome.leftovers));
    }
    let each = outcome.leftovers.iter().map(|one| {
        let now = if still_running.contains(one) { "still running" } else { "gone since" };
        format!("{}: left running, {now}", named(std::slice::from_ref(one)))
    });
    each.collect::<Vec<_>>().join("; ")
}

fn place(report: &Report) -> Option<String> {
    let claim = claim_of(&report.row.job)?;
    let executor = match claim.executor {
        ExecutorName::Local => "local executor",
        ExecutorName::DryRun => "dry-run executor",
    };
    let relation = match report.relation {
        Some(Relation::Same) | None => "",
        Some(Relation::Earlier) => ", before this machine was started again",
        Some(Relation::Other) => ", another machine or container",
    };
    Some(format!("{} ({executor}{relation})", safe::line(&claim.site.host)))
}

/// What ended processes used.
fn used(usage: Usage) -> Vec<String> {
    let total = cpu(usage.cpu_user_ms.saturating_add(usage.cpu_system_ms));
    let (user, system) = (cpu(usage.cpu_user_ms), cpu(usage.cpu_system_ms));
    vec![
        format!("{total} of processor time ({user} user, {system} system)"),
        format!("{} of memory at most in one process", memory(usage.memory_peak_kib)),
    ]
}

/// What living processes use.
fn uses(live: &Live) -> String {
    let sum = live.sum;
    let count = count_of(sum.processes, "process", "processes");
    let (cpu, memory) = (cpu(sum.cpu_ms), memory(sum.memory_kib));
    format!("{cpu} of processor time so far, {memory} of memory, {count}")
}

/// What bounds it, and where its output is.
fn bounds(report: &Report) -> Vec<Entry> {
    let spec = &report.row.job.spec;
    let limits = spec.limits;
    let rows = [
        ("timeout", limits.timeout.to_string(), limits.timeout.source),
        ("stale after", limits.stale_after.to_string(), limits.stale_after.source),
        ("grace", limits.grace.to_string(), limits.grace.source),
        ("log", limits.log.to_string(), limits.log.source),
    ];
    let leftovers = match spec.leftovers {
        LeftoverPolicy::End => "processes that outlive it are ended",
        LeftoverPolicy::Leave => "processes that outlive it are left running",
    };
    let width = rows.iter().map(|(_, value, _)| columns(value)).max().unwrap_or(0);
    let limit = |(name, value, source): &(&str, String, Source)| {
        format!("{}  {}  {}", pad(name, 11), pad(value, width), source_words(*source))
    };
    let size = match (report.log_bytes, report.log_left_out_bytes) {
        (None, _) => "none yet".to_owned(),
        (Some(size), 0) => bytes(size),
        (Some(size), out) => format!("{}; {} of its middle left out", bytes(size), format_bytes(out)),
    };
    vec![
        ("limits", rows.iter().map(limit).collect()),
        one("afterwards", leftovers.to_owned()),
        one("log", format!("{} ({size})", safe::line(&report.log.display().to_string()))),
    ]
}

fn source_words(source: Source) -> &'static str {
    match source {
        Source::Default => "the default",
        Source::Config => "from config.toml",
        Source::Flag => "set for this job",
        Source::Service => "as for every service",
    }
}

/// The living processes as a tree, no line wider than the screen.
fn tree(processes: &[LiveProcess], screen: Screen) -> String {
    let rows: Vec<[String; 3]> =
        processes.iter().map(|one| [one.pid.to_string(), cpu(one.cpu_ms), memory(one.memory_kib)]).collect();
    let header = ["PID", "CPU TIME", "MEMORY"];
    let width = |column: usize| {
        rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0).max(header[column].len())
    };
    let widths = [width(0), width(1), width(2)];
    let line = |cells: [&str; 3]| -> String {
        cells.iter().zip(widths).map(|(cell, width)| format!("{}  ", pad_left(cell, width))).collect()
    };
    let taken = widths.iter().map(|width| width + 2).sum();
    let head = screen.paint(HEADING, &screen.fit(&format!("{}PROCESS", line(header)), 0));
    let mut text = format!("{head}\n");
    for (process, row) in processes.iter().zip(&rows) {
        let cells = line([&row[0], &row[1], &row[2]]);
        let mark = if process.stopped { " (stopped)" } else { "" };
        let command =
            screen.fit(&format!("{}{}", indent(process, screen, taken), words(process)), taken + mark.len());
        text.push_str(&format!("{cells}{command}{}\n", screen.paint(WARNING, mark)));
    }
    text
}

/// Two columns a level, as long as that leaves most of a line to the command.
fn indent(process: &LiveProcess, screen: Screen, taken: usize) -> String {
    let room = screen.columns.map_or(usize::MAX, |columns| columns.saturating_sub(taken) / 2);
    " ".repeat((2 * process.depth).min(room))
}

/// A process's arguments as a person would type them; its name in brackets where they cannot be read.
fn words(process: &LiveProcess) -> String {
    if process.argv.is_empty() {
        return format!("[{}]", safe::line(&process.name));
    }
    let words: Vec<String> = process.argv.iter().map(|word| quote(&word.to_text())).collect();
    safe::line(&words.join(" "))
}

/// A job as others mention it: the part of its id by which it can be called, and its name.
fn called(id: &JobId, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{} {}", id.random_part(), screen::fit(&safe::line(name), NAME_CHARS_MAX)),
        None => id.random_part().to_owned(),
    }
}

/// Why and when a job was told to end.
fn ending_words(ending: &Ending, now: Timestamp) -> String {
    let why = match ending.why {
        Why::Cancel => "by a cancel",
        Why::Timeout => "because its time was over",
        Why::Stale => "because its watcher was silent",
        Why::Replace => "because a newer run took its place",
        Why::Dependency => "because a job it waited for did not complete",
    };
    let signal = ending.signal.map(|signal| format!(", with {}", signal_name(signal))).unwrap_or_default();
    let note = ending.note.as_deref().map(|note| format!(": {}", safe::line(note))).unwrap_or_default();
    format!("{why}{signal}, {}{note}", moment(ending.at, now))
}
