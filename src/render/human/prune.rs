//! What retention did.

use super::screen::fit;
use super::words::{end_status, jobs, title};
use crate::model::limit::format_bytes;
use crate::ops::prune::Pruned;

/// What retention did, a line a job.
pub fn pruned(pruned: &Pruned) -> String {
    pruned
        .jobs
        .iter()
        .map(|(job, _)| format!("{}  {}  {}\n", job.id, end_status(job), fit(&title(job), 80)))
        .collect()
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
