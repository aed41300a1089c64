//! What retention did.

use super::measure::count_of;
use super::screen::{Screen, columns, pad};
use super::words::{end_status, jobs, title};
use crate::model::{job::Job, limit::format_bytes};
use crate::ops::prune::Pruned;
use crate::plan::retain::Kept;

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

/// Why jobs stay although their time is over, a line a reason.
pub fn kept(pruned: &Pruned) -> Vec<String> {
    let count = |why: Kept| pruned.kept.iter().filter(|(_, kept)| *kept == why).count();
    let line = |why: Kept| {
        let (one, many, reason) = match why {
            Kept::DeadLetter => (
                "dead letter stays",
                "dead letters stay",
                "bgctl retry --dead starts dead letters again, bgctl dead clear lets them go",
            ),
            Kept::Key => ("job stays", "jobs stay", "a key is kept for some time after the end"),
            Kept::Awaited => ("job stays", "jobs stay", "others wait for it, or need to know how it ended"),
        };
        match count(why) {
            0 => None,
            number => Some(format!("{}: {reason}", count_of(number, one, many))),
        }
    };
    [Kept::DeadLetter, Kept::Key, Kept::Awaited].into_iter().filter_map(line).collect()
}
