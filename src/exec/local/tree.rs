//! The processes of a job: who belongs to it, and how all of them are ended.
//!
//! A watcher is its job's subreaper, so every descendant stays below it whatever it does (`setsid`, double forks,
//! cleared environments): the kernel itself says when none is left. Only an adopter, which is nobody's parent, has to
//! look for the job's mark in environments.

use super::{WATCH_COMMAND, record::Record};
use crate::model::{id::JobId, outcome::Leftover};
use crate::os::{
    folder::Folder,
    process::{self, Identity, Process},
};
use crate::store::root::{locate, record_name};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

/// The variable that marks a job's processes.
pub const MARK: &str = "BG_JOB_ID";

/// A watcher that has not yet written down who it is may be this young.
const YOUNG_WATCHER_MAX: Duration = Duration::from_secs(5);

/// The living processes below a watcher that are its job's. `own` is the watcher's pid.
///
/// Watchers of other jobs, and processes of jobs that were started inside this one, are not: a job started inside a
/// job is independent, even where its own watcher died and its processes fell to this one.
pub fn members_below(own: i32, id: &JobId) -> Vec<Process> {
    let all = process::all();
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    for process in &all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![own];
    while let Some(parent) = open.pop() {
        for process in children.get(&parent).into_iter().flatten() {
            if is_of_another_job(process, id) {
                continue;
            }
            open.push(process.identity.pid);
            if !process.zombie {
                found.push((*process).clone());
            }
        }
    }
    found
}

/// Of these children of a watcher, the living ones that are its job's.
pub fn members_among(children: &[i32], id: &JobId) -> Vec<Process> {
    let living = children.iter().filter_map(|pid| process::look(*pid)).filter(|process| !process.zombie);
    living.filter(|process| !is_of_another_job(process, id)).collect()
}

/// The living processes that carry a job's mark, are in its main process's session, or descend from one of these.
pub fn members_by_mark(id: &JobId, main: Option<Identity>) -> Vec<Process> {
    let all = process::all();
    let own = std::process::id().cast_signed();
    let is_marked = |process: &Process| {
        process::variable(process.identity.pid, MARK).is_some_and(|value| value == id.as_str().as_bytes())
    };
    // A session keeps its number from others. Where another process has it now, the session is that one's; and 0 is
    // what the kernel's own processes show, and those whose session is in another namespace.
    let is_others = |main: Identity| {
        main.pid <= 0 || all.iter().any(|one| one.identity.pid == main.pid && one.identity != main)
    };
    let session = main.filter(|main| !is_others(*main));
    let in_session = |process: &Process| {
        session.is_some_and(|main| process.session == main.pid && process.identity.start >= main.start)
    };
    let mut members: BTreeSet<i32> = all
        .iter()
        .filter(|process| main == Some(process.identity) || in_session(process) || is_marked(process))
        .map(|process| process.identity.pid)
        .collect();
    loop {
        let known = members.len();
        for process in &all {
            if members.contains(&process.parent) && !is_of_another_job(process, id) {
                members.insert(process.identity.pid);
            }
        }
        if members.len() == known {
            break;
        }
    }
    all.into_iter()
        .filter(|process| members.contains(&process.identity.pid) && !process.zombie)
        .filter(|process| process.identity.pid != own)
        .filter(|process| !is_of_another_job(process, id))
        .collect()
}

/// Sends a signal to each; says which could not be reached for lack of permission.
pub fn signal_all(processes: &[Process], signal: i32) -> Vec<Process> {
    processes
        .iter()
        .filter(|process| {
            process::signal(process.identity, signal)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
        })
        .cloned()
        .collect()
}

/// A process as the index names it.
pub fn leftover(process: &Process) -> Leftover {
    Leftover { pid: process.identity.pid, start: process.identity.start, name: process.name.clone() }
}

/// Whether this process lives and is another job's.
pub fn lives_for_another_job(pid: i32, id: &JobId) -> bool {
    process::look(pid).is_some_and(|process| !process.zombie && is_of_another_job(&process, id))
}

/// Whether a process is another job's: its watcher, or marked as one of its processes.
fn is_of_another_job(process: &Process, id: &JobId) -> bool {
    is_watcher(process) || mark_of_another_job(process.identity.pid, id)
}

/// Whether a process is a watcher: it calls itself one, and the record it names agrees, or it is too young to have
/// written there.
fn is_watcher(process: &Process) -> bool {
    let Some(arguments) = process::arguments(process.identity.pid) else { return false };
    let [_, command, root, id, ..] = &arguments[..] else { return false };
    if command != WATCH_COMMAND.as_bytes() {
        return false;
    }
    let root = PathBuf::from(OsString::from_vec(root.clone()));
    let Some(id) = std::str::from_utf8(id).ok().and_then(|id| JobId::parse(id).ok()) else { return false };
    let Ok(Some(runs)) = Folder::open(&root.join("runs")) else { return false };
    let recorded = Record::open(&runs, &id)
        .ok()
        .flatten()
        .and_then(|record| record.attempts().ok())
        .is_some_and(|attempts| attempts.iter().any(|attempt| attempt.watcher == Some(process.identity)));
    recorded || process::age(process.identity).is_some_and(|age| age < YOUNG_WATCHER_MAX)
}

/// Whether a process carries the mark of another job that has a record.
fn mark_of_another_job(pid: i32, id: &JobId) -> bool {
    let variable = |name: &str| process::variable(pid, name).map(OsString::from_vec);
    let Some(mark) = variable(MARK) else { return false };
    let Some(other) = mark.to_str().and_then(|mark| JobId::parse(mark).ok()) else { return false };
    if other == *id {
        return false;
    }
    let Ok(root) = locate(variable, std::path::Path::new("/")) else { return false };
    Folder::open(&root.join("runs"))
        .ok()
        .flatten()
        .is_some_and(|runs| runs.has(&record_name(&other)).unwrap_or(false))
}
