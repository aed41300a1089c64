//! The local executor: each job is a process tree of this machine under one watcher.
//!
//! How a job runs: its watcher takes the lock of the run record, writes down who it is, reads the index, and spawns the
//! job's process; that one writes down who it is and that it starts, and executes the command. So at each instant the
//! record tells what may have run. Only the holder of the record's lock signals, judges or ends a job.

pub mod alarm;
pub mod cut;
mod ending;
mod family;
pub mod hook;
pub mod input;
mod live;
pub mod log;
pub mod meta;
mod pause;
pub mod poller;
pub mod present;
pub mod record;
pub mod runner;
pub mod start;
pub mod supervisor;
pub mod tree;
pub mod watch;

use super::{ExecError, Executor, Hold, Launch, LiveProcess, LiveUse, Signalled, Whom};
use crate::model::{
    Timestamp,
    claim::{Claim, ExecutorName, Relation, Site},
    id::JobId,
    job::Job,
    outcome::Leftover,
};
use crate::os::{clock::Clock, descent, detach, folder::Folder, process, signal};
use crate::plan::census::Sighting;
use crate::store::root::{Root, log_name};
use record::{Attempt, Line, Record};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// The hidden subcommand that a watcher runs as: `bgctl __watch ROOT ID`.
pub const WATCH_COMMAND: &str = "__watch";

/// Longest wait for an evicted watcher to be gone.
const EVICTION_MAX: Duration = Duration::from_secs(5);

/// Processes of this machine.
#[derive(Debug)]
pub struct Local<'a, C> {
    /// Where the run files are.
    pub root: &'a Root,
    /// This machine, boot and namespace.
    pub site: &'a Site,
    /// The clocks.
    pub clock: &'a C,
    /// Whether launched watchers must not become this process's children: it watches jobs itself.
    pub orphan_watchers: bool,
}

impl<C: Clock> Executor for Local<'_, C> {
    fn name(&self) -> ExecutorName {
        ExecutorName::Local
    }

    fn site(&self) -> &Site {
        self.site
    }

    fn look(&self, job: &Job) -> Result<Sighting, ExecError> {
        let record = self
            .root
            .existing_runs()?
            .map_or(Ok(None), |runs| Record::open(runs, &job.id))
            .map_err(|error| failed("read the record", &job.id, error))?;
        let held = match &record {
            Some(record) => record.is_held().map_err(|error| failed("test the lock", &job.id, error))?,
            None => false,
        };
        self.judge(job, record.as_ref(), held)
    }

    fn hold(&self, job: &Job) -> Result<Option<(Hold, Sighting)>, ExecError> {
        let record = Record::acquire(self.root.runs()?, &job.id)
            .map_err(|error| failed("take the record", &job.id, error))?;
        let Some(record) = record else { return Ok(None) };
        meta::sweep(self.root.runs()?, &job.id);
        let sighting = self.judge(job, Some(&record), false)?;
        if sighting == Sighting::Rebooted {
            let kept = record.size().and_then(|size| if size == 0 { record.append(&lost()) } else { Ok(()) });
            kept.map_err(|error| failed("write the record", &job.id, error))?;
        }
        if matches!(sighting, Sighting::Vanished | Sighting::Ended { .. } | Sighting::Rebooted) {
            let left = matches!(&sighting, Sighting::Ended { outcome, .. } if outcome.leftovers_left);
            input::remove(self.root.runs()?, job);
            // That it could not be made tidy is no reason not to judge the job.
            let _ = log::tidy(self.root.runs()?, &job.id, job.spec.limits.log.bytes, left);
        }
        Ok(Some((Hold(Some(record)), sighting)))
    }

    fn launch(&self, id: &JobId) -> Result<Launch, ExecError> {
        let arguments =
            [WATCH_COMMAND.into(), self.root.path().as_os_str().as_bytes().to_vec(), id.as_str().into()]
                .map(|argument| CString::new(argument).unwrap_or_default());
        let spawned = if self.orphan_watchers {
            detach::spawn_as_orphan(&arguments, &[])
        } else {
            detach::spawn(&arguments, &[]).map(|_pid| ())
        };
        spawned.map_err(|error| failed("start the watcher", id, error))?;
        Ok(Launch::Watched)
    }

    fn poke(&self, id: &JobId) -> Result<bool, ExecError> {
        let Some(watcher) = self.watcher(id)? else { return Ok(false) };
        process::signal(watcher, signal::POKE).map_err(|error| failed("poke the watcher", id, error))
    }

    fn attend(&self, id: &JobId) -> Result<Option<OwnedFd>, ExecError> {
        let Some(watcher) = self.watcher(id)? else { return Ok(None) };
        let handle = process::Handle::open(watcher).map_err(|error| failed("find the watcher", id, error))?;
        Ok(handle.and_then(process::Handle::into_fd))
    }

    fn processes(&self, job: &Job) -> Result<Vec<LiveProcess>, ExecError> {
        if !self.runs_here(job) {
            return Ok(Vec::new());
        }
        let all = OnceCell::new();
        let read = || self.members(job, |watcher| near(watcher, &all));
        let (members, main) = read().map_err(|error| failed("look at the processes", &job.id, error))?;
        Ok(live::in_order(&members, main))
    }

    fn usage(&self, jobs: &[&Job]) -> Vec<Option<LiveUse>> {
        let all = OnceCell::new();
        let of = |job: &&Job| {
            let read = || self.members(job, |watcher| near(watcher, &all)).ok();
            let (members, _main) = self.runs_here(job).then(read)??;
            live::usage(&members)
        };
        jobs.iter().map(of).collect()
    }

    fn left_processes(&self, job: &Job) -> Vec<Leftover> {
        let Some(end) = job.end() else { return Vec::new() };
        let here = end.claim.as_ref().is_some_and(|claim| self.site.relation(&claim.site) == Relation::Same);
        let left = end.outcome.as_ref().filter(|outcome| here && outcome.leftovers_left);
        let lives = |one: &&Leftover| process::Identity { pid: one.pid, start: one.start }.is_alive();
        left.map_or(Vec::new(), |outcome| outcome.leftovers.iter().filter(lives).cloned().collect())
    }

    fn arm(&self) -> Result<(), ExecError> {
        alarm::arm(self.root, self.orphan_watchers)
    }

    fn run_hooks(&self) -> Result<(), ExecError> {
        runner::launch(self.root, self.orphan_watchers)
    }

    fn run_poll(&self) -> Result<(), ExecError> {
        poller::launch(self.root, self.orphan_watchers)
    }

    fn signal(&self, job: &Job, signal: i32, whom: Whom) -> Result<Signalled, ExecError> {
        if !self.runs_here(job) {
            return Ok(Signalled::default());
        }
        let read = || self.members(job, |_| process::all().map(Cow::Owned));
        let (members, main) = read().map_err(|error| failed("look at the processes", &job.id, error))?;
        let mut signalled = Signalled::default();
        for process in live::in_order(&members, main) {
            let identity = process::Identity { pid: process.pid, start: process.start };
            if whom == Whom::Main && Some(identity) != main {
                continue;
            }
            match process::signal(identity, signal) {
                Ok(reached) => signalled.reached += usize::from(reached),
                Err(_) => signalled.refused.push(Leftover {
                    pid: process.pid,
                    start: process.start,
                    name: process.name,
                }),
            }
        }
        Ok(signalled)
    }

    fn evict(&self, id: &JobId) -> Result<(), ExecError> {
        let Some(watcher) = self.watcher(id)? else { return Ok(()) };
        let handle = process::Handle::open(watcher).map_err(|error| failed("find the watcher", id, error))?;
        let Some(handle) = handle else { return Ok(()) };
        handle.signal(libc::SIGKILL).map_err(|error| failed("end the watcher", id, error))?;
        let deadline = Instant::now() + EVICTION_MAX;
        while watcher.is_alive() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl<C: Clock> Local<'_, C> {
    /// Whether a job runs on this machine, in this boot and namespace.
    fn runs_here(&self, job: &Job) -> bool {
        let here = |claim: &Claim| self.site.relation(&claim.site) == Relation::Same;
        job.run().and_then(|run| run.claim.as_ref()).is_some_and(here)
    }

    /// The living processes of a job that runs here, and which is its main one. `list` gives all processes there are, or, of a job
    /// that is watched, all that are below its watcher.
    fn members<'p>(
        &self,
        job: &Job,
        list: impl FnOnce(Option<process::Identity>) -> io::Result<Cow<'p, [process::Process]>>,
    ) -> io::Result<(Vec<process::Process>, Option<process::Identity>)> {
        let nobody = (Vec::new(), None);
        let Some(runs) = self.root.existing_runs().map_err(io::Error::other)? else { return Ok(nobody) };
        let Some(record) = Record::open(runs, &job.id)? else { return Ok(nobody) };
        let attempt = record.attempt(job.execution())?;
        let tree = tree::Tree { id: Some(&job.id), runs };
        // Below its watcher where that lives; by its mark where it does not.
        let watcher = attempt.watcher.filter(|watcher| watcher.is_alive());
        let members = match watcher {
            Some(watcher) if record.is_held()? => tree.below(watcher.pid, &list(Some(watcher))?),
            _ if is_copied(&attempt, &record, self.site)? || is_held_elsewhere(&attempt, self.site) => {
                Vec::new()
            }
            _ => tree.by_mark(attempt.process, &list(None)?),
        };
        Ok((members, attempt.process))
    }

    /// Whether a running job is another root's, of which this one is a copy: nobody can tell it anything from here.
    pub fn is_of_another_root(&self, job: &Job) -> Result<bool, ExecError> {
        let read = || -> io::Result<bool> {
            let Some(runs) = self.root.existing_runs().map_err(io::Error::other)? else { return Ok(false) };
            let Some(record) = Record::open(runs, &job.id)? else { return Ok(false) };
            if !self.runs_here(job) || record.is_held()? {
                return Ok(false);
            }
            let attempt = record.attempt(job.execution())?;
            Ok(is_copied(&attempt, &record, self.site)? || is_held_elsewhere(&attempt, self.site))
        };
        read().map_err(|error| failed("read the record", &job.id, error))
    }

    /// Who watches the job now: the record's latest watcher, if the record is held.
    fn watcher(&self, id: &JobId) -> Result<Option<process::Identity>, ExecError> {
        let read = || -> io::Result<Option<process::Identity>> {
            let Some(runs) = self.root.existing_runs().map_err(io::Error::other)? else { return Ok(None) };
            let Some(record) = Record::open(runs, id)? else { return Ok(None) };
            if !record.is_held()? {
                return Ok(None);
            }
            Ok(record.attempts()?.last().and_then(|attempt| attempt.watcher))
        };
        read().map_err(|error| failed("read the record", id, error))
    }

    fn judge(&self, job: &Job, record: Option<&Record>, held: bool) -> Result<Sighting, ExecError> {
        let started_at = job.started_at().unwrap_or(job.created_at);
        let attempt = match record {
            Some(record) => {
                record.attempt(job.execution()).map_err(|error| failed("read the record", &job.id, error))?
            }
            None => Attempt::default(),
        };
        let last_sign = attempt.last_sign.map_or(started_at, |(at, _)| at.max(started_at));
        let is_without_record = !held
            && (record
                .map_or(Ok(false), |record| is_copied(&attempt, record, self.site))
                .map_err(|error| failed("look at the record", &job.id, error))?
                || self
                    .root
                    .existing_runs()?
                    .map_or(Ok(false), |runs| has_lost_its_record(runs, &job.id, record))?);
        let Some(claim) = job.run().and_then(|run| run.claim.as_ref()) else {
            return Ok(Sighting::Unseen { last_sign });
        };
        Ok(match (self.site.relation(&claim.site), held) {
            (Relation::Other, _) => Sighting::Unseen { last_sign },
            (Relation::Same, true) => {
                let silent_seconds = self.silence(&attempt, record, started_at);
                Sighting::Watched {
                    silent_seconds,
                    over: attempt.outcome.is_some(),
                    pausing: attempt.pausing,
                }
            }
            // Whoever holds it is about to judge it.
            (Relation::Earlier, true) => {
                Sighting::Watched { silent_seconds: 0, over: false, pausing: job.paused_at().is_some() }
            }
            (_, false) if attempt.outcome.is_some() => attempt
                .outcome
                .map_or(Sighting::Vanished, |outcome| Sighting::Ended { outcome, ending: attempt.ending }),
            (Relation::Earlier, false) => Sighting::Rebooted,
            // That it lives is a sign of life, now.
            (Relation::Same, false) if is_held_elsewhere(&attempt, self.site) => {
                Sighting::Unseen { last_sign: self.clock.now() }
            }
            (Relation::Same, false) if is_without_record => self.without_record(job, last_sign)?,
            (Relation::Same, false) if !attempt.started => Sighting::NotStarted,
            (Relation::Same, false) => {
                let lives = attempt.process.is_some_and(process::Identity::is_alive)
                    || !self.marked(&job.id, attempt.process)?.is_empty();
                if lives { Sighting::Orphaned } else { Sighting::Vanished }
            }
        })
    }

    /// The living processes that carry a job's mark.
    pub fn marked(
        &self,
        id: &JobId,
        main: Option<process::Identity>,
    ) -> Result<Vec<process::Process>, ExecError> {
        let Some(runs) = self.root.existing_runs()? else { return Ok(Vec::new()) };
        tree::Tree { id: Some(id), runs }
            .members_by_mark(main)
            .map_err(|error| failed("look for the processes", id, error))
    }

    /// Somebody removed the record, or copied the root. What lives is left to whoever has the true one, to the watcher that
    /// may still be there, or to the stale guard: without a record nobody can tell whose it is to end, and nothing is started a second time.
    fn without_record(&self, job: &Job, last_sign: Timestamp) -> Result<Sighting, ExecError> {
        let lives = !self.marked(&job.id, None)?.is_empty();
        Ok(if lives { Sighting::Unseen { last_sign } } else { Sighting::Vanished })
    }

    /// Seconds since the last sign of life of a watcher: its last line, or the record's last change where a full disk
    /// takes no line. Whoever holds the record and is not its watcher is about to watch or to judge: it is not silent.
    fn silence(&self, attempt: &Attempt, record: Option<&Record>, started_at: Timestamp) -> u64 {
        if !attempt.watcher.is_some_and(process::Identity::is_alive) {
            return 0;
        }
        let by_line = match attempt.last_sign {
            Some((_, monotonic_ms)) if attempt.boot == self.site.boot => {
                self.clock.monotonic().saturating_sub(Duration::from_millis(monotonic_ms)).as_secs()
            }
            _ => u64::try_from((self.clock.now() - started_at).num_seconds()).unwrap_or(0),
        };
        let changed = record.and_then(|record| record.changed_at().ok());
        let by_change = changed.and_then(|at| std::time::SystemTime::now().duration_since(at).ok());
        by_change.map_or(by_line, |age| by_line.min(age.as_secs()))
    }
}

/// Whether an attempt that is not over has a living watcher that does not hold the record that was asked: it holds another, of
/// which this one is a copy, or which this one has replaced. So it is with a root that was copied, or restored, while jobs ran.
/// They are that watcher's to end, and nothing is started a second time.
fn is_held_elsewhere(attempt: &Attempt, site: &Site) -> bool {
    let lives =
        |watcher: process::Identity| watcher.pid != std::process::id().cast_signed() && watcher.is_alive();
    attempt.outcome.is_none() && attempt.boot == site.boot && attempt.watcher.is_some_and(lives)
}

/// Whether this record is a copy of the one into which the attempt's watcher wrote. Devices have other numbers in another boot.
fn is_copied(attempt: &Attempt, record: &Record, site: &Site) -> io::Result<bool> {
    let file = attempt.file.filter(|_| attempt.boot == site.boot);
    file.map_or(Ok(false), |file| Ok(file != record.place()?))
}

/// The processes below a watcher, where the kernel lists children; else all, which are read once.
fn near(
    watcher: Option<process::Identity>,
    all: &OnceCell<Vec<process::Process>>,
) -> io::Result<Cow<'_, [process::Process]>> {
    if let Some(Ok(Some(below))) = watcher.map(|watcher| descent::below(watcher.pid)) {
        return Ok(Cow::Owned(below));
    }
    if all.get().is_none() {
        let _ = all.set(process::all()?);
    }
    Ok(Cow::Borrowed(all.get().map_or(&[], Vec::as_slice)))
}

/// Whether a job's record was removed although an attempt had begun: a watcher makes the record before the log, so a log
/// beside an empty record, or none, tells that there was another.
fn has_lost_its_record(runs: &Folder, id: &JobId, record: Option<&Record>) -> Result<bool, ExecError> {
    let read = || -> io::Result<bool> {
        let is_empty = match record {
            Some(record) => record.size()? == 0,
            None => true,
        };
        Ok(is_empty && runs.has(&log_name(id))?)
    };
    read().map_err(|error| failed("look for the record", id, error))
}

/// What stands in a record that a power cut has emptied, so that the job's next attempt does not take it for one that somebody
/// removed.
fn lost() -> Line {
    Line::Note { text: "the machine was started again, and what was written here before is gone".to_owned() }
}

fn failed_to_arm(error: io::Error) -> ExecError {
    ExecError::Alarm(error)
}

fn failed(doing: &'static str, id: &JobId, error: io::Error) -> ExecError {
    ExecError::System { doing, id: id.clone(), error }
}
