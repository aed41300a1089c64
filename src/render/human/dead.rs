//! Dead letters.

use super::list::{Look, list};
use super::screen::{HEADING, Screen};
use super::status::status;
use super::words::end_status;
use crate::model::Timestamp;
use crate::ops::{
    dead::{ClearResult, Cleared, Shown},
    list::Listed,
};
use crate::render::{column::Column, safe};

/// The table of dead letters: when and how each failed.
pub fn dead_list(listed: &Listed, now: Timestamp, screen: Screen) -> String {
    let has_names = listed.entries.iter().any(|entry| entry.row.job.spec.name.is_some());
    let columns =
        [Column::Id, Column::Name, Column::Ended, Column::Attempt, Column::Command, Column::Summary];
    let columns = columns.into_iter().filter(|column| has_names || *column != Column::Name).collect();
    list(listed, now, &Look { columns: Some(columns), width: screen.columns, colours: screen.colours })
}

/// A dead letter in full, and the end of its output.
pub fn dead_shown(shown: &Shown, now: Timestamp, screen: Screen) -> String {
    let report = status(&shown.report, now, screen);
    if shown.last_lines.is_empty() {
        return report;
    }
    let heading = screen.paint(HEADING, "LAST LINES OF ITS OUTPUT");
    let text = safe::lines(&String::from_utf8_lossy(&shown.last_lines));
    format!("{report}\n{heading}\n{}\n", text.trim_end_matches('\n'))
}

/// How a clearing went.
pub fn dead_cleared(one: &Cleared) -> String {
    let id = &one.job.id;
    match one.result {
        ClearResult::Done => format!("{id} cleared"),
        ClearResult::WasNone => {
            format!("{id} is no dead letter ({}); nothing was done", end_status(&one.job))
        }
        ClearResult::HasNotEnded => {
            format!(
                "{id} is no dead letter: it has not ended ({}); bgctl cancel {id} ends it",
                one.job.status()
            )
        }
    }
}
