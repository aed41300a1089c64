//! The supervisor's lock, and what a supervisor that is the first process of a container owes to the dead.

use super::{
    present::{self, Held},
    record::Record,
};
use crate::model::facts::Facts;
use crate::os::{
    process::{self, Identity},
    reap,
};
use crate::store::root::{LOOP_LOCK, Root};
use std::io;
use std::rc::Rc;

/// Takes the lock, and writes down who has it. `None`: another supervisor has it.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    present::take_as(root.folder(), LOOP_LOCK, Some(Identity::own()?))
}

/// Who wrote himself down as the supervisor last.
pub fn recorded(root: &Root) -> io::Result<Option<Identity>> {
    present::recorded(root.folder(), LOOP_LOCK)
}

/// Lets those go that have ended: watchers that this process launched, and for the first process of a container everybody
/// who has no parent any more.
///
/// A job whose watcher died falls to that process too. How it ended is read by its next watcher, which is not its parent,
/// from what the system keeps of the dead; so it is let go only once that watcher has written the outcome down. `facts`
/// are read where somebody has ended only.
pub fn let_go(root: &Root, facts: impl FnOnce() -> Option<Rc<Facts>>) {
    let dead: Vec<Identity> = children()
        .into_iter()
        .filter_map(|pid| process::look(pid).ok().flatten())
        .filter(|process| process.zombie)
        .map(|process| process.identity)
        .collect();
    if dead.is_empty() {
        return;
    }
    // Where it cannot be told whose they are, they stay until the next time.
    let Some(facts) = facts() else { return };
    let awaited: Vec<Identity> = facts
        .running()
        .filter_map(|job| {
            let record = Record::open(root.existing_runs().ok()??, &job.id).ok()??;
            let attempt = record.attempt(job.execution()).ok()?;
            attempt.process.filter(|_| attempt.outcome.is_none())
        })
        .collect();
    for one in dead {
        if !awaited.contains(&one) {
            reap::reap(one.pid);
        }
    }
}

fn children() -> Vec<i32> {
    if let Ok(Some(listed)) = reap::children() {
        return listed;
    }
    let own = std::process::id().cast_signed();
    let all = process::all().unwrap_or_default();
    all.into_iter().filter(|process| process.parent == own).map(|process| process.identity.pid).collect()
}
