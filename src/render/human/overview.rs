//! How things stand, on one screen.

use super::group::group_brief;
use super::health::verdict_brief;
use super::measure::{count_of, cpu, memory};
use super::screen::{HEADING, LABEL, Screen, WARNING, colour_of, columns, fit, pad};
use super::words::{age, brief, jobs, run_time, seconds_until, special, title};
use crate::model::{Timestamp, id::JobId, job::Job, state::Status};
use crate::ops::{
    list::{Live, Observed},
    overview::{Attention, Overview, Queued, Running, Schedules},
};
use crate::plan::pick::Waits;
use crate::render::safe;

/// The height where there is no terminal that says its own.
const LINES: usize = 24;
/// Fewest lines that are filled: what is wrong comes last, and on a lower screen it is what stays.
const LINES_MIN: usize = 12;
/// The width where there is no terminal that says its own.
const COLUMNS: usize = 80;
/// Most lines of a message about the settings.
const MESSAGE_LINES_MAX: usize = 3;
/// Most ids in one line.
const IDS_MAX: usize = 4;
/// Widest title of a failed job, so that its reason has room.
const TITLE_COLUMNS_MAX: usize = 24;

/// Columns that go where they say nothing, or where the last column would have too little room.
const DISPENSABLE: [&str; 3] = ["MEMORY", "CPU TIME", "AGE"];
/// What the last column should have at the least.
const LAST_COLUMNS_MIN: usize = 24;

/// What a root without jobs says.
const GREETING: &str = "No jobs yet. Two commands to begin with:

  bgctl start -- COMMAND   run it in the background, and print its id
  bgctl list               see what became of it
";

/// How things stand. Never more lines than a screen has; wider than it only where a single word is.
pub fn overview(overview: &Overview, now: Timestamp, screen: Screen) -> String {
    let screen = Screen { columns: Some(screen.columns.unwrap_or(COLUMNS)), ..screen };
    let width = screen.columns.unwrap_or(COLUMNS);
    let mut head = Vec::new();
    if !overview.root_is_default {
        let path = safe::line(&overview.root.display().to_string());
        head.push(format!("{} {path}", screen.paint(LABEL, "jobs in")));
    }
    if overview.is_empty() {
        let attention = attention(overview, now, screen, width);
        let attention = if attention.is_empty() { String::new() } else { format!("\n{}", lines(&attention)) };
        return format!("{}{GREETING}{attention}", lines(&head));
    }
    head.extend(counts(overview, screen, width));
    head.push(fit(&slots(overview), width));
    head.extend(groups(overview).map(|text| fit(&text, width)));
    head.extend(schedules(overview, now).map(|text| fit(&text, width)));
    let attention = attention(overview, now, screen, width);
    let tables = [running(overview, now), queued(overview, now), failed(overview, now)];
    let taken = head.len() + if attention.is_empty() { 0 } else { attention.len() + 1 };
    // One line is the prompt's.
    let lines_max = (screen.lines.unwrap_or(LINES) - 1).max(LINES_MIN);
    let shown = shares(lines_max.saturating_sub(taken), &tables.each_ref().map(|table| table.rows.len()));
    let mut texts = vec![lines(&head)];
    for (table, shown) in tables.iter().zip(shown).filter(|(_, shown)| *shown > 0) {
        texts.push(table.text(shown, screen, width));
    }
    if !attention.is_empty() {
        texts.push(lines(&attention));
    }
    texts.join("\n")
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// How many rows each table may have, in turns, so that none starves; each table that has any costs two lines more.
fn shares<const N: usize>(lines_max: usize, wanted: &[usize; N]) -> [usize; N] {
    let headings = 2 * wanted.iter().filter(|wanted| **wanted > 0).count();
    let mut left = lines_max.saturating_sub(headings);
    let mut shares = [0; N];
    while left > 0 && shares != *wanted {
        for (share, wanted) in shares.iter_mut().zip(wanted) {
            if *share < *wanted && left > 0 {
                *share += 1;
                left -= 1;
            }
        }
    }
    shares
}

/// How many jobs are in each state that has any.
fn counts(overview: &Overview, screen: Screen, width: usize) -> Vec<String> {
    let mut text = vec![String::new()];
    let mut taken = 0;
    for (status, count) in overview.counts.into_iter().filter(|(_, count)| *count > 0) {
        let word = format!("{count} {}", status.as_str().replace('_', " "));
        let needed = columns(&word) + if taken > 0 { 2 } else { 0 };
        if taken > 0 && taken + needed + 1 > width {
            text.push(String::new());
            taken = 0;
        }
        if let Some(line) = text.last_mut() {
            let comma = if taken > 0 { ", " } else { "" };
            line.push_str(&format!("{comma}{}", screen.paint(colour_of(status), &word)));
        }
        taken += needed;
    }
    text
}

fn slots(overview: &Overview) -> String {
    let services = match overview.services {
        0 => String::new(),
        count => format!(", and {} outside them", count_of(count, "service", "services")),
    };
    let slots = count_of(overview.slots_max, "slot", "slots");
    format!("{} of {slots} held{services}", overview.slots_held)
}

/// How many schedules there are, and which is due next.
fn schedules(overview: &Overview, now: Timestamp) -> Option<String> {
    let Schedules { count, paused, next } = &overview.schedules;
    if *count == 0 {
        return None;
    }
    let paused = if *paused > 0 { format!(", {paused} paused") } else { String::new() };
    let next = next.as_ref().map(|(name, at)| {
        let left =
            if *at <= now { "now".to_owned() } else { format!("in {}", brief(seconds_until(now, *at))) };
        format!("; next is {} {left}", safe::line(name))
    });
    Some(format!("{}{paused}{}", count_of(*count, "schedule", "schedules"), next.unwrap_or_default()))
}

/// The groups beside the default one.
fn groups(overview: &Overview) -> Option<String> {
    let others: Vec<String> = overview.groups.iter().skip(1).map(group_brief).collect();
    (!others.is_empty()).then(|| format!("groups: {}", others.join("; ")))
}

/// Rows under a heading; the last column takes what the line has left.
struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Row>,
    /// How many there are with those that are not among the rows, and what shows them all.
    total: usize,
    all: &'static str,
}

struct Row {
    cells: Vec<String>,
    /// What is wrong with it, before its last cell.
    mark: String,
}

impl Table {
    fn text(&self, shown: usize, screen: Screen, width: usize) -> String {
        let rows = &self.rows[..shown];
        let last = self.heading.len() - 1;
        let says = |column: usize| rows.iter().any(|row| row.cells[column] != "-");
        let mut kept: Vec<usize> = (0..last)
            .filter(|column| !DISPENSABLE.contains(&self.heading[*column]) || says(*column))
            .collect();
        let room_of = |column: usize| {
            let widest = rows.iter().map(|row| columns(&row.cells[column])).max().unwrap_or(0);
            widest.max(self.heading[column].len()) + 2
        };
        let dispensable =
            DISPENSABLE.into_iter().filter_map(|name| self.heading.iter().position(|one| *one == name));
        for column in dispensable {
            if kept.iter().map(|column| room_of(*column)).sum::<usize>() + LAST_COLUMNS_MIN > width {
                kept.retain(|one| *one != column);
            }
        }
        let joined = |cells: &[&str]| -> String {
            kept.iter().map(|column| pad(cells[*column], room_of(*column))).collect()
        };
        let mut heading = format!("{}{}", joined(&self.heading), self.heading[last]);
        if shown < self.total {
            heading.push_str(&format!(" ({shown} of {}; {})", self.total, self.all));
        }
        let mut text = format!("{}\n", screen.paint(HEADING, &fit(&heading, width)));
        for row in rows {
            let cells: Vec<&str> = row.cells.iter().map(String::as_str).collect();
            let begin = fit(&joined(&cells), width);
            let room = width.saturating_sub(columns(&begin));
            let mark = fit(&row.mark, room);
            let last = fit(&row.cells[last], room.saturating_sub(columns(&mark)));
            let line = format!("{begin}{}{last}", screen.paint(WARNING, &mark));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn running(overview: &Overview, now: Timestamp) -> Table {
    let row = |running: &Running| {
        let job = &running.row.job;
        let live = |of: &dyn Fn(&Live) -> String| running.live.as_ref().map_or_else(|| "-".to_owned(), of);
        Row {
            cells: vec![
                job.id.random_part().to_owned(),
                run_time(job, now),
                live(&|live| cpu(live.sum.cpu_ms)),
                live(&|live| memory(live.sum.memory_kib)),
                title(job),
            ],
            mark: match special(&running.row, now) {
                words if words.is_empty() => String::new(),
                words => format!("({}) ", words.join(", ")),
            },
        }
    };
    Table {
        heading: vec!["RUNNING", "TIME", "CPU TIME", "MEMORY", "COMMAND"],
        rows: overview.running.iter().map(row).collect(),
        total: overview.count(Status::Running),
        all: "bgctl list",
    }
}

fn queued(overview: &Overview, now: Timestamp) -> Table {
    let row = |Queued { job, waits, .. }: &Queued| {
        let waits = match waits {
            Waits::Paused { since } => format!("paused {} ago", age(*since, now)),
            Waits::Until(at) => format!("{} to go", brief(seconds_until(now, *at))),
            Waits::ForRetry { at, .. } => format!("{} to retry", brief(seconds_until(now, *at))),
            Waits::GroupPaused { .. } => "group paused".to_owned(),
            Waits::ForGroup(_) => "no such group".to_owned(),
            Waits::InVain => "in vain".to_owned(),
            Waits::ForJobs(open) => format!("for {}", jobs(open.len())),
            Waits::ForSlot { .. } => "for a slot".to_owned(),
            Waits::ForPass => "for bgctl tick".to_owned(),
        };
        Row { cells: vec![job.id.random_part().to_owned(), waits, title(job)], mark: String::new() }
    };
    Table {
        heading: vec!["QUEUED", "WAITS", "COMMAND"],
        rows: overview.queued.iter().map(row).collect(),
        total: overview.count(Status::Queued),
        all: "bgctl list --status queued",
    }
}

fn failed(overview: &Overview, now: Timestamp) -> Table {
    let row = |job: &Job| Row {
        cells: vec![
            job.id.random_part().to_owned(),
            job.ended_at().map_or_else(|| "-".to_owned(), |at| age(at, now)),
            fit(&title(job), TITLE_COLUMNS_MAX),
            safe::line(job.summary().unwrap_or("no reason is known")),
        ],
        mark: String::new(),
    };
    Table {
        heading: vec!["FAILED", "AGE", "COMMAND", "REASON"],
        rows: overview.failed.iter().map(row).collect(),
        total: overview.count(Status::Failed),
        all: "bgctl list --all --status failed",
    }
}

/// What a person should look at, under a heading; nothing where there is nothing.
fn attention(overview: &Overview, now: Timestamp, screen: Screen, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let kind_columns = overview.attention.iter().map(|one| one.kind().len()).max().unwrap_or(0) + 2;
    for one in &overview.attention {
        let room = width.saturating_sub(kind_columns).max(1);
        let texts = match one {
            Attention::Settings(message) => wrap(&safe::lines(message), room),
            other => vec![fit(&advice(other, now), room)],
        };
        for (number, text) in texts.iter().enumerate() {
            let kind = pad(if number == 0 { one.kind() } else { "" }, kind_columns);
            lines.push(format!("{}{text}", screen.paint(WARNING, &kind)));
        }
    }
    if !lines.is_empty() {
        lines.insert(0, screen.paint(HEADING, &fit("ATTENTION", width)));
    }
    lines
}

/// Which jobs, what is the matter with them, and what to do next.
fn advice(attention: &Attention, now: Timestamp) -> String {
    if let Attention::DeadLetters(jobs) = attention {
        let count = count_of(jobs.len(), "dead letter", "dead letters");
        let shows = if jobs.len() == 1 { "shows it" } else { "lists them" };
        return format!("{}: {count}; bgctl dead {shows}", ids(jobs));
    }
    let what = match attention {
        Attention::Health(verdict) => return verdict_brief(verdict, now),
        Attention::Settings(message) => return message.clone(),
        Attention::DeadLetters(_) => "",
        Attention::GroupPaused(group) => {
            return format!("{group}: none of its jobs starts; bgctl resume --group {group}");
        }
        Attention::Seen(Observed::Lost, _) => "no watcher, no process; bgctl tick writes it down",
        Attention::Seen(Observed::Rebooted, _) => "the machine restarted; bgctl tick writes it down",
        Attention::Seen(Observed::Unwatched, _) => "the watcher died; bgctl tick starts another",
        Attention::Seen(_, _) => "the record is gone or unreadable; bgctl status ID",
        Attention::Stuck(_) => "could not be ended; bgctl status ID names the processes",
        Attention::Approval(_) => "waiting for a person's approval",
        Attention::Paused(_) => "standing still; bgctl resume ID lets it go on",
    };
    format!("{}: {what}", ids(attention.jobs().unwrap_or_default()))
}

fn ids(jobs: &[JobId]) -> String {
    let mut ids: Vec<String> = jobs.iter().take(IDS_MAX).map(|id| id.random_part().to_owned()).collect();
    if jobs.len() > IDS_MAX {
        ids.truncate(IDS_MAX - 1);
        ids.push(format!("and {} more", jobs.len() - ids.len()));
    }
    ids.join(", ")
}

/// A message in few lines, broken between words; what is too much is cut off and says so.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() == MESSAGE_LINES_MAX;
        if let Some(line) = lines.last_mut() {
            let gap = if line.is_empty() { "" } else { " " };
            if line.is_empty() || last || columns(line) + 1 + columns(word) <= width {
                line.push_str(&format!("{gap}{word}"));
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines.iter().map(|line| fit(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_shared_out_in_turns_and_never_exceed_the_screen() {
        assert_eq!(shares(20, &[2, 0, 3]), [2, 0, 3]);
        assert_eq!(shares(12, &[50, 50, 5]), [2, 2, 2]);
        assert_eq!(shares(16, &[1, 50, 5]), [1, 5, 4]);
        assert_eq!(shares(3, &[50, 50, 5]), [0, 0, 0]);
    }

    #[test]
    fn a_long_message_takes_a_few_lines_and_says_that_it_goes_on() {
        assert_eq!(wrap("a bb ccc", 10), ["a bb ccc"]);
        assert_eq!(wrap("aaaa bbbb cccc dddd", 9), ["aaaa bbbb", "cccc dddd"]);
        assert_eq!(wrap("aaaa bb cccc dd eeee ff g", 7), ["aaaa bb", "cccc dd", "eeee f…"]);
    }
}
