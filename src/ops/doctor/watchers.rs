//! Whether each running job is watched, and can be ended in the index.

use super::{Finding, Grade, Ground, count};
use crate::exec::Executor;
use crate::model::{claim::ExecutorName, job::Job};
use crate::ops::{home::Home, tick};
use crate::os::clock::Clock;
use crate::plan::census::Sighting;

const CHECK: &str = "watchers";

/// A watcher needs a moment to begin, and another to write an end.
const MOMENT_SECONDS: i64 = 5;
/// A watcher gives a sign of life once a minute.
const SILENT_SECONDS: u64 = 3 * 60;

/// Looks at each.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(facts)) = (&ground.home, ground.facts()) else { return Vec::new() };
    let local = home.local();
    let (mut lost, mut unwritten, mut silent, mut unseen) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for job in facts.running() {
        match local.look(job) {
            Ok(Sighting::Watched { over: true, .. }) if !is_fresh(home, job) => {
                unwritten.push(job.id.to_string());
            }
            Ok(Sighting::Watched { silent_seconds, .. }) if silent_seconds > SILENT_SECONDS => {
                silent.push(format!("{}, for {silent_seconds} s", job.id));
            }
            Ok(Sighting::Watched { .. }) => {}
            Ok(Sighting::Unseen { .. }) => unseen += 1,
            Ok(Sighting::NotStarted | Sighting::Ended { .. }) if is_fresh(home, job) => {}
            Ok(sighting) => lost.push(format!("{}: {}", job.id, said(&sighting))),
            Err(error) => lost.push(error.to_string()),
        }
    }
    let mut findings = Vec::new();
    if !lost.is_empty() {
        let text = format!("{} that should run have no watcher", count(lost.len(), "job"));
        let mut finding = Finding::new(CHECK, Grade::Problem, text)
            .mend("bgctl tick gives them another, or writes down how they ended")
            .details(lost);
        if ground.fixes {
            let ticked = tick::tick_at(home, ExecutorName::Local, false);
            finding = finding.tried(match ticked {
                Ok(_) => {
                    Ok("a pass was made: each has another watcher, or its end is written down".to_owned())
                }
                Err(fault) => Err(fault.message),
            });
        }
        findings.push(finding);
    }
    if !unwritten.is_empty() {
        let text = format!(
            "{} are over, and their watchers cannot write that into the index",
            count(unwritten.len(), "job")
        );
        findings.push(
            Finding::new(CHECK, Grade::Problem, text)
                .mend(
                    "see that there is space, and that nobody holds jobs.lock; they try again by themselves",
                )
                .details(unwritten),
        );
    }
    if !silent.is_empty() {
        let text = "watchers are silent: they hang, or the machine is very busy";
        findings.push(
            Finding::new(CHECK, Grade::Warning, text)
                .mend("the stale guard ends such jobs in time; bgctl cancel does at once")
                .details(silent),
        );
    }
    if unseen > 0 {
        let text = format!(
            "{} belong to another machine or container, and cannot be judged here",
            count(unseen, "running job")
        );
        findings.push(Finding::new(CHECK, Grade::Note, text));
    }
    if findings.is_empty() {
        let running = facts.running().count();
        let text = match running {
            0 => "no job runs".to_owned(),
            running => format!(
                "{} watched",
                if running == 1 {
                    "the job that runs is".to_owned()
                } else {
                    format!("all {running} jobs that run are")
                }
            ),
        };
        findings.push(Finding::new(CHECK, Grade::Fine, text));
    }
    findings
}

/// Whether its attempt has only begun.
fn is_fresh(home: &Home, job: &Job) -> bool {
    job.started_at().is_some_and(|at| (home.clock.now() - at).num_seconds() < MOMENT_SECONDS)
}

fn said(sighting: &Sighting) -> &'static str {
    match sighting {
        Sighting::Watched { .. } | Sighting::Unseen { .. } => "watched",
        Sighting::NotStarted => "it has its slot and has not begun",
        Sighting::Orphaned => "its processes live",
        Sighting::Vanished => "its processes are gone",
        Sighting::Ended { .. } => "it has ended, and its record says how",
        Sighting::Rebooted => "the machine was started again since",
        Sighting::NeverExecuted => "a dry run had it",
    }
}
