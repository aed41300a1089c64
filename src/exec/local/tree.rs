//! The processes of a job: who belongs to it, and how all of them are ended.
//!
//! A watcher is its job's subreaper, so every descendant stays below it whatever it does (`setsid`, double forks,
//! cleared environments): the kernel itself says when none is left. Only an adopter, which is nobody's parent, has to
//! look for the job's mark in environments.

use super::{
    WATCH_COMMAND,
    alarm::{self, ALARM_COMMAND},
    hook::EVENT_MARK,
    poller::{self, POLL_COMMAND},
    record::Record,
    runner::{self, RUNNER_COMMAND},
};
use crate::model::{id::JobId, outcome::Leftover};
use crate::os::{
    folder::Folder,
    process::{self, Identity, Process},
};
use crate::store::root::{locate, record_name};
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that marks a job's processes.
pub const MARK: &str = "BG_JOB_ID";

/// What the kernel calls a detached process of ours: the last part of `/proc/self/exe`, from where it was executed.
const DETACHED_NAME: &str = "exe";

/// A watcher that has not yet written down who it is may be this young.
const YOUNG_WATCHER_MAX: Duration = Duration::from_secs(5);

/// Who belongs to a job, and where its run files are.
#[derive(Clone, Copy, Debug)]
pub struct Tree<'a> {
    /// The job; none where they are those of a hook, which is part of no job.
    pub id: Option<&'a JobId>,
    /// The folder of run files.
    pub runs: &'a Folder,
}

impl Tree<'_> {
    /// The living processes below a watcher that are its job's. `own` is the watcher's pid.
    ///
    /// Watchers of other jobs, and processes of jobs that were started inside this one, are not: a job started inside a
    /// job is independent, even where its own watcher died and its processes fell to this one.
    pub fn members_below(&self, own: i32) -> io::Result<Vec<Process>> {
        Ok(self.below(own, &process::all()?))
    }

    /// The same of these processes, which are all that there were a moment ago.
    pub fn below(&self, own: i32, all: &[Process]) -> Vec<Process> {
        let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
        for process in all {
            children.entry(process.parent).or_default().push(process);
        }
        let mut found = Vec::new();
        let mut open = vec![own];
        while let Some(parent) = open.pop() {
            for process in children.get(&parent).into_iter().flatten() {
                if self.is_of_another_job(process) {
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
    pub fn members_among(&self, children: &[i32]) -> io::Result<Vec<Process>> {
        let mut found = Vec::new();
        for pid in children {
            let living = process::look(*pid)?.filter(|process| !process.zombie);
            found.extend(living.filter(|process| !self.is_of_another_job(process)));
        }
        Ok(found)
    }

    /// The living processes that carry the job's mark, are in its main process's session, or descend from one of these.
    pub fn members_by_mark(&self, main: Option<Identity>) -> io::Result<Vec<Process>> {
        Ok(self.by_mark(main, &process::all()?))
    }

    /// The same of these processes, which are all that there were a moment ago.
    pub fn by_mark(&self, main: Option<Identity>, all: &[Process]) -> Vec<Process> {
        let own = std::process::id().cast_signed();
        let is_marked = |process: &Process| {
            process::variable(process.identity.pid, MARK)
                .is_some_and(|value| self.id.is_some_and(|id| value == id.as_str().as_bytes()))
        };
        // A session keeps its number from others. Where another process has it now, the session is that one's; and 0
        // is what the kernel's own processes show, and those whose session is in another namespace.
        let is_others = |main: Identity| {
            main.pid <= 1 || all.iter().any(|one| one.identity.pid == main.pid && one.identity != main)
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
            for process in all {
                if members.contains(&process.parent) && !self.is_of_another_job(process) {
                    members.insert(process.identity.pid);
                }
            }
            if members.len() == known {
                break;
            }
        }
        all.iter()
            .filter(|process| members.contains(&process.identity.pid) && !process.zombie)
            .filter(|process| process.identity.pid != own && !self.is_of_another_job(process))
            .cloned()
            .collect()
    }

    /// Whether a process is another job's or nobody's: a watcher, the alarm, the runner of hooks or one of these, or marked
    /// as one of its processes.
    pub fn is_of_another_job(&self, process: &Process) -> bool {
        let pid = process.identity.pid;
        is_watcher(process) || self.has_mark_of_another_job(pid) || (self.id.is_some() && is_of_hook(pid))
    }

    /// Whether a process carries the mark of another job that has a record: in our own root, or in the one that its
    /// environment names.
    fn has_mark_of_another_job(&self, pid: i32) -> bool {
        let variable = |name: &str| process::variable(pid, name).map(OsString::from_vec);
        let Some(mark) = variable(MARK) else { return false };
        let Some(other) = mark.to_str().and_then(|mark| JobId::parse(mark).ok()) else { return false };
        if self.id == Some(&other) {
            return false;
        }
        let has = |runs: &Folder| runs.has(&record_name(&other)).unwrap_or(false);
        has(self.runs)
            || locate(variable, Path::new("/"))
                .ok()
                .and_then(|(root, _)| Folder::open(&root.join("runs")).ok().flatten())
                .is_some_and(|runs| has(&runs))
    }
}

/// Sends a signal to each; says which could not be reached for lack of permission.
pub fn signal_all(processes: &[Process], signal: i32) -> Vec<Process> {
    processes
        .iter()
        .filter(|process| {
            process::signal(process.identity, signal)
                .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        })
        .cloned()
        .collect()
}

/// A process as the index names it.
pub fn leftover(process: &Process) -> Leftover {
    Leftover { pid: process.identity.pid, start: process.identity.start, name: process.name.clone() }
}

/// Whether a process belongs to a hook: it has the mark of an event, and that of no job. A job that a hook started has both.
fn is_of_hook(pid: i32) -> bool {
    process::variable(pid, MARK).is_none() && process::variable(pid, EVENT_MARK).is_some()
}

/// Whether a process is a watcher, the alarm, the runner of hooks or who asks GitHub: it calls itself one, and the record it names agrees, or
/// it is too young to have written there.
pub(super) fn is_watcher(process: &Process) -> bool {
    let Some(arguments) = process::arguments(process.identity.pid) else { return false };
    // One that is just leaving has let go of its arguments, and of everything else that it could do.
    if process.name == DETACHED_NAME && arguments.iter().all(Vec::is_empty) {
        return true;
    }
    if let [_, command, root, ..] = &arguments[..] {
        let recorded = match command {
            command if command == ALARM_COMMAND.as_bytes() => Some(alarm::recorded as Recorded),
            command if command == RUNNER_COMMAND.as_bytes() => Some(runner::recorded as Recorded),
            command if command == POLL_COMMAND.as_bytes() => Some(poller::recorded as Recorded),
            _ => None,
        };
        if let Some(recorded) = recorded {
            return is_recorded(process, root, recorded);
        }
    }
    let [_, command, root, id, ..] = &arguments[..] else { return false };
    if command != WATCH_COMMAND.as_bytes() {
        return false;
    }
    let root = PathBuf::from(OsString::from_vec(root.clone()));
    let Some(id) = std::str::from_utf8(id).ok().and_then(|id| JobId::parse(id).ok()) else { return false };
    // A watcher goes on with other jobs after the one that it was started for, whose record retention may have removed.
    let Ok(runs) = Folder::open(&root.join("runs")) else { return false };
    let recorded = match runs.map_or(Ok(None), |runs| Record::open(&runs, &id)) {
        Ok(None) => true,
        Ok(Some(record)) => record
            .attempts()
            .is_ok_and(|all| all.iter().any(|attempt| attempt.watcher == Some(process.identity))),
        Err(_) => false,
    };
    recorded || is_young(process)
}

/// Whether a process watches a job: what is below it runs inside of that.
pub fn is_job_watcher(process: &Process) -> bool {
    let arguments = process::arguments(process.identity.pid).unwrap_or_default();
    arguments.get(1).is_some_and(|command| command == WATCH_COMMAND.as_bytes()) && is_watcher(process)
}

/// Who wrote himself down in a lock of a root last.
type Recorded = fn(&Folder) -> io::Result<Option<Identity>>;

/// Whether a process that calls itself the alarm or the runner of a root is the one that holds its lock, or too young to have
/// taken it.
fn is_recorded(process: &Process, root: &[u8], recorded: Recorded) -> bool {
    let root = PathBuf::from(OsString::from_vec(root.to_vec()));
    let folder = Folder::open(&root).ok().flatten();
    let recorded = folder.and_then(|folder| recorded(&folder).ok().flatten());
    recorded == Some(process.identity) || is_young(process)
}

fn is_young(process: &Process) -> bool {
    process::age(process.identity).is_some_and(|age| age < YOUNG_WATCHER_MAX)
}
