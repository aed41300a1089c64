//! Whether processes of an earlier program are still at work: an upgrade lets them go on.

use super::{Finding, Grade, Ground, count};
use crate::exec::local::{alarm, record::Record};
use crate::os::process::{self, Identity};

const CHECK: &str = "upgrade";

/// Looks at what watchers and the alarm run.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(facts)) = (&ground.home, ground.facts()) else { return Vec::new() };
    let mut old = Vec::new();
    let is_old = |one: Identity| one.is_alive() && process::runs_replaced_program(one.pid) == Some(true);
    let runs = home.root.existing_runs().ok().flatten();
    for job in facts.running() {
        let record = runs.and_then(|runs| Record::open(runs, &job.id).ok().flatten());
        let watcher = record.and_then(|record| record.attempt(job.execution()).ok()?.watcher);
        if let Some(watcher) = watcher.filter(|watcher| is_old(*watcher)) {
            old.push(format!("process {}, the watcher of {}", watcher.pid, job.id));
        }
    }
    if alarm::is_there(home.root.folder()).unwrap_or(false)
        && let Some(one) = alarm::recorded(home.root.folder()).ok().flatten().filter(|one| is_old(*one))
    {
        old.push(format!("process {}, the alarm", one.pid));
    }
    if old.is_empty() {
        return Vec::new();
    }
    let text = format!(
        "{} run a program that was replaced since; they go on with it, which does no harm, until their jobs have ended",
        count(old.len(), "process").replace("processs", "processes")
    );
    vec![Finding::new(CHECK, Grade::Note, text).details(old)]
}
