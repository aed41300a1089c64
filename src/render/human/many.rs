//! Many jobs in one submission.

use super::{asked::asked, measure::count_of, start::full, start::would_wait};
use crate::model::{Timestamp, job::Job};
use crate::ops::start::{
    Foreseen,
    many::{Stage, Started},
};
use crate::render::safe;

/// Most jobs of a dry run that are shown.
const SHOWN_MAX: usize = 10;

/// Cells of a bar.
const BAR_CELLS: u64 = 20;

/// How far it is.
pub fn stage(stage: &Stage) -> String {
    match stage {
        Stage::Read { lines, bytes, of } => {
            let bar = of.filter(|of| *of > 0).map(|of| format!("{} ", bar(*bytes, of))).unwrap_or_default();
            format!("{bar}{} read", count_of(*lines as usize, "line", "lines"))
        }
        Stage::Check { jobs, of } => {
            format!("{} {jobs} of {} checked", bar(*jobs as u64, *of as u64), count_of(*of, "job", "jobs"))
        }
        Stage::Write { jobs } => format!("writing {}", count_of(*jobs, "job", "jobs")),
        Stage::Wait(why) => full(why),
    }
}

/// `[#####...............]  25%`
fn bar(done: u64, of: u64) -> String {
    let of = of.max(1);
    let done = done.min(of);
    let cells = (done * BAR_CELLS / of) as usize;
    let rest = BAR_CELLS as usize - cells;
    format!("[{}{}] {:3}%", "#".repeat(cells), ".".repeat(rest), done * 100 / of)
}

/// What became of them.
pub fn started_many(started: &Started) -> String {
    let new = started.jobs.iter().filter(|(_, placed)| placed.created).count();
    let there = started.jobs.len() - new;
    let mut parts = Vec::new();
    if started.starting > 0 {
        parts.push(format!("{} started", started.starting));
    }
    let queued = new.saturating_sub(started.starting).saturating_sub(started.waiting);
    if queued > 0 {
        parts.push(format!("{queued} queued"));
    }
    if started.waiting > 0 {
        let wait = if started.waiting == 1 { "waits" } else { "wait" };
        parts.push(format!("{} {wait} for approval", started.waiting));
    }
    if there > 0 {
        parts.push(format!("{there} there already, by key"));
    }
    format!("{}: {}", count_of(started.jobs.len(), "job", "jobs"), parts.join(", "))
}

/// What would be submitted.
pub fn foreseen_many(foreseen: &Foreseen, now: Timestamp) -> String {
    let all = foreseen.jobs.iter().zip(&foreseen.existing);
    let jobs: Vec<&Job> = all.filter(|(_, there)| there.is_none()).map(|(job, _)| job).collect();
    let there = foreseen.jobs.len() - jobs.len();
    let mut text = match jobs.len() {
        0 => "would start nothing\n".to_owned(),
        count => format!("would start {}:\n", count_of(count, "job", "jobs")),
    };
    for job in jobs.iter().take(SHOWN_MAX) {
        text.push_str(&format!("  {}\n", safe::line(&job.spec.display)));
    }
    if jobs.len() > SHOWN_MAX {
        text.push_str(&format!("  and {} more\n", jobs.len() - SHOWN_MAX));
    }
    if there > 0 {
        text.push_str(&format!("{} there already, by key\n", count_of(there, "job is", "jobs are")));
    }
    let common = in_common(&jobs, foreseen, now);
    if !common.is_empty() {
        text.push_str(&format!("each of them: {}\n", common.join("; ")));
    }
    text.push_str(&foreseen.full.as_ref().map(would_wait).unwrap_or_default());
    text
}

/// What is asked of the queue for all of them.
fn in_common(jobs: &[&Job], foreseen: &Foreseen, now: Timestamp) -> Vec<String> {
    let mut lines = jobs.iter().map(|job| asked(job, &foreseen.names, &foreseen.groups, now));
    let mut common = lines.next().unwrap_or_default();
    for lines in lines {
        if common.is_empty() {
            break;
        }
        common.retain(|line| lines.contains(line));
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_what_was_read() {
        assert_eq!(bar(0, 8), "[....................]   0%");
        assert_eq!(bar(2, 8), "[#####...............]  25%");
        // A file can grow while it is read.
        assert_eq!(bar(9, 8), "[####################] 100%");
    }

    #[test]
    fn each_stage_says_how_much_of_it_is_done() {
        let read = |of| stage(&Stage::Read { lines: 1, bytes: 5, of });
        assert_eq!(read(Some(10)), "[##########..........]  50% 1 line read");
        assert_eq!(read(None), "1 line read");
        let check = Stage::Check { jobs: 50_000, of: 100_000 };
        assert_eq!(stage(&check), "[##########..........]  50% 50000 of 100000 jobs checked");
        assert_eq!(stage(&Stage::Write { jobs: 100_000 }), "writing 100000 jobs");
    }
}
