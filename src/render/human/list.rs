//! The table of jobs.

use super::words::{age, exit_words, run_time, shorten, status_words, title};
use crate::model::{Timestamp, state::Status};
use crate::ops::list::{Listed, Observed, Row};
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

/// What was left out of a list.
pub fn left_out(count: usize) -> Option<String> {
    (count > 0).then(|| format!("{count} more ended; bgctl list --all shows them"))
}
