//! Jobs among which somebody has to choose.

use super::screen::fit;
use super::words::{age, end_status};
use crate::model::{Timestamp, job::Job};
use crate::render::safe;

/// Most characters of a name and of a command: enough to tell jobs apart, and few enough for most lines.
const NAME_CHARS_MAX: usize = 20;
const COMMAND_CHARS_MAX: usize = 40;

/// A line a job: its id, state, age, name and command.
pub fn candidates(jobs: &[Job], now: Timestamp) -> String {
    let rows: Vec<[String; 5]> = jobs
        .iter()
        .map(|job| {
            [
                job.id.to_string(),
                end_status(job),
                age(job.created_at, now),
                job.spec.name.as_deref().map_or_else(String::new, |name| shown(name, NAME_CHARS_MAX)),
                shown(&job.spec.display, COMMAND_CHARS_MAX),
            ]
        })
        .collect();
    let widths = std::array::from_fn::<usize, 5, _>(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let line: String = cells.map(|(cell, width)| format!("  {cell:width$}")).collect();
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

fn shown(text: &str, chars_max: usize) -> String {
    fit(&safe::line(text), chars_max)
}
