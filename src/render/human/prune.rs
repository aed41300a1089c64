//! What retention did.

use super::screen::{Screen, columns, pad};
use super::words::{end_status, jobs, title};
use crate::model::{job::Job, limit::format_bytes};
use crate::ops::prune::Pruned;

/// What retention did, a line a job, no wider than the screen.
pub fn pruned(pruned: &Pruned, screen: Screen) -> String {
    let statuses: Vec<String> = pruned.jobs.iter().map(|(job, _)| end_status(job)).collect();
    let width = statuses.iter().map(|status| columns(status)).max().unwrap_or(0);
    let line = |((job, _), status): (&(Job, u64), &String)| {
        let line = format!("{}  {}  {}", job.id, pad(status, width), title(job));
        format!("{}\n", screen.fit(&line, 0))
    };
    pruned.jobs.iter().zip(&statuses).map(line).collect()
}

/// What retention did, in one line.
pub fn pruned_in_all(pruned: &Pruned, dry_run: bool) -> String {
    let would = if dry_run { "would be " } else { "" };
    let bytes = match pruned.bytes() {
        0 => String::new(),
        bytes => format!(", {} {would}freed", format_bytes(bytes)),
    };
    format!("{} {would}removed{bytes}", jobs(pruned.jobs.len()))
}
