//! How a cancel went.

use super::words::{called, end_status, jobs, listed, named};
use crate::model::id::JobId;
use crate::ops::{
    called::Called,
    cancel::{CancelResult, Cancelled},
};
use crate::render::safe;

/// Most jobs that a question names.
const ASKED_MAX: usize = 3;

/// What would be cancelled: a few jobs by name, many by number.
pub fn to_cancel(all: &[Called]) -> String {
    if all.len() > ASKED_MAX { jobs(all.len()) } else { listed(&all.iter().map(called).collect::<Vec<_>>()) }
}

/// How a cancel went.
pub fn cancelled(one: &Cancelled) -> String {
    let id = &one.job.id;
    match &one.result {
        CancelResult::Done => format!("{id} cancelled"),
        CancelResult::EndedBefore => {
            format!("{id} {}: it ended before it could be cancelled", one.job.status())
        }
        CancelResult::HadEnded => {
            format!("{id} had ended already ({}); nothing was done", end_status(&one.job))
        }
        CancelResult::Asked => format!("{id} is told to end"),
        CancelResult::Stuck(processes) => {
            format!("{id} cannot be ended and is still running: {}", named(processes))
        }
        CancelResult::Unclear => {
            format!(
                "{id} was started in another folder, of which this one is a copy; only there can it be ended"
            )
        }
        CancelResult::OutOfReach(host) => {
            format!("{id} runs on {}; it ends when bgctl tick runs there", safe::line(host))
        }
    }
}

/// A job that was there, and is no more.
pub fn removed_meanwhile(id: &JobId) -> String {
    format!("{id} has ended, and was removed meanwhile")
}

/// What ended with them. `of` so many jobs it had waited for one.
pub fn cancelled_too(dependants: usize, of: usize) -> String {
    let (were, them) = (if dependants == 1 { "was" } else { "were" }, if of == 1 { "it" } else { "them" });
    format!("{} that waited for {them} {were} cancelled, too", jobs(dependants))
}

/// How the cancels of several jobs went, in one line.
pub fn cancelled_in_all(results: &[Cancelled]) -> String {
    let kind = |one: &Cancelled| match one.result {
        CancelResult::Done => 0,
        CancelResult::Asked => 1,
        CancelResult::EndedBefore | CancelResult::HadEnded => 2,
        CancelResult::Stuck(_) => 3,
        CancelResult::Unclear | CancelResult::OutOfReach(_) => 4,
    };
    let words = ["cancelled", "told to end", "had ended already", "cannot be ended", "out of reach"];
    let counted = words.iter().enumerate().filter_map(|(number, words)| {
        let count = results.iter().filter(|one| kind(one) == number).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    format!("{}: {}", jobs(results.len()), counted.collect::<Vec<_>>().join(", "))
}
