//! The store on disk: the index is a file that a person can read, in one of two forms ([`index`]).
//!
//! A change is fsynced before anybody is told; of a file that was replaced, the folder is fsynced after the lock is released, or
//! before, where something goes that the older one names. Jobs that a
//! change does not touch are copied, not parsed.

pub mod index;

use super::{
    Commit, Decide, Follow, Store, StoreError, Untold, environments, lock, root,
    root::Root,
    stream::{self, Telling},
};
use crate::model::{
    Timestamp,
    config::StoreType,
    event::Event,
    facts::{Damage, Draft, Facts, JOBS_MAX, Unreadable},
    hook::HooksSet,
    id::JobId,
    schedule::{ScheduleChange, Task},
    state::{Change, Status},
    stream::{Line, Note},
};
use crate::os::{doorbell::Doorbell, inherited::Inherited};
use index::{Index, Refused, Written};
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// How long a submission that failed waits for the lock before it leaves its traces to others.
const FORGET_WAIT_MAX: Duration = Duration::from_millis(100);

/// How long somebody who has nothing to change waits for the lock to say so.
const NOTE_WAIT_MAX: Duration = Duration::from_secs(1);

/// The index as a file in a root folder.
#[derive(Debug)]
pub struct FileStore<'a> {
    root: &'a Root,
    waiting: Waiting,
    keeping: Keeping,
    hooks: HooksSet,
}

/// In which form the index is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// That of an index that is not there yet.
    pub form: StoreType,
    /// One of lines is begun anew when so many were added.
    pub lines_max: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { form: StoreType::Json, lines_max: StoreType::LINES_MAX }
    }
}

/// How long it waits, and how often it looks meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Longest wait for the lock.
    pub lock_max: Duration,
    /// How often who follows is woken where the system cannot tell of changes.
    pub poll_interval: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { lock_max: lock::WAIT_MAX, poll_interval: Duration::from_secs(1) }
    }
}

impl<'a> FileStore<'a> {
    /// The store of that root.
    pub fn new(root: &'a Root) -> Self {
        Self { root, waiting: Waiting::default(), keeping: Keeping::default(), hooks: HooksSet::default() }
    }

    /// The same store where these hooks are set: the stream says for which of them a line is.
    #[must_use]
    pub fn hooking(self, hooks: HooksSet) -> Self {
        Self { hooks, ..self }
    }

    /// The same store whose index is kept like this.
    #[must_use]
    pub fn keeping(self, keeping: Keeping) -> Self {
        Self { keeping, ..self }
    }

    /// The same store for somebody who waits otherwise.
    #[must_use]
    pub fn waiting(self, waiting: Waiting) -> Self {
        Self { waiting, ..self }
    }

    fn unreadable(&self, reason: impl Into<Unreadable>) -> StoreError {
        StoreError::Unreadable { path: index::path(self.root), reason: reason.into() }
    }

    fn system(&self, doing: &'static str, error: io::Error) -> StoreError {
        StoreError::System { doing, path: index::path(self.root), error }
    }

    fn index(&self) -> Result<Index, StoreError> {
        index::read(self.root).map_err(|refused| match refused {
            Refused::Index(name, reason) => {
                StoreError::Unreadable { path: self.root.path().join(name), reason }
            }
            Refused::System(name, error) => {
                StoreError::System { doing: "read", path: self.root.path().join(name), error }
            }
        })
    }

    /// Decides and writes, under the lock.
    fn decide_and_write(&self, now: Timestamp, decide: &mut Decide<'_>) -> Result<Changed, StoreError> {
        let (facts, writer) = self.index()?.into_parts(self.root);
        facts.writable().map_err(|reason| self.unreadable(reason))?;
        let mut draft = Draft::new(facts);
        decide(&mut draft).map_err(|damage| self.unreadable(damage))?;
        let steps = draft.steps().to_vec();
        let (mut facts, events) = draft.into_parts();
        if events.is_empty() {
            return Ok(Changed { facts: Rc::new(facts), ..Changed::default() });
        }
        for name in environments_to_keep(&facts, &events).map_err(|damage| self.unreadable(damage))? {
            environments::make_durable(self.root, &name)?;
        }
        self.root.make_records_durable(records_to_keep(&facts, &events))?;
        let mut telling = Telling::begin(self.root, facts.last_event(), now, self.hooks);
        for (event, step) in events.iter().zip(steps) {
            let job = event.job().and_then(|id| facts.parsed(id));
            telling.event(event, step, job, job.and_then(|job| facts.tables().health_of(job)));
        }
        facts.set_last_event(telling.last());
        if facts.has_too_many() {
            let error = io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it would have more than {JOBS_MAX} jobs"),
            );
            return Err(self.system("write", error));
        }
        self.has_room_for(&events).map_err(|error| self.system("write", error))?;
        let keeping = (self.keeping.form, self.keeping.lines_max);
        let (facts, mut written) =
            writer.write(self.root, facts, now, keeping).map_err(|error| self.system("write", error))?;
        let untold = telling.finish();
        self.let_go(&environments_let_go(&facts, &events), &mut written);
        Ok(Changed { events, facts, written: Some(written), untold })
    }

    /// Where the disk is full, the index can often be written all the same, in blocks that it has: good for an end, but a new job would
    /// find no room for its record.
    fn has_room_for(&self, events: &[Event]) -> io::Result<()> {
        let has_new = events.iter().any(|event| matches!(event, Event::Submitted { .. }));
        if has_new && self.root.folder().is_full()? {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
        }
        Ok(())
    }

    /// Removes environments that no job needs any more, with the lock held: nobody comes to need one again meanwhile. What cannot be
    /// removed now goes with the next sweep.
    fn let_go(&self, names: &[String], written: &mut Written) {
        // Only then: after a power cut, an index that still names them must find them.
        if !names.is_empty() && written.sync(self.root.folder()).is_ok() {
            for name in names {
                let _ = environments::remove(self.root, name);
            }
        }
    }

    /// Writes an environment down, if it is not there yet; where that fails, nothing of it stays.
    pub fn save_environment(&self, inherited: &Inherited) -> Result<environments::Saved, StoreError> {
        environments::save(self.root, inherited)
            .inspect_err(|_| self.forget(&environments::name_of(inherited)))
    }

    /// Removes an environment that was written down for a job that did not come to stand. What cannot be removed now goes
    /// with the next sweep.
    pub fn forget(&self, name: &str) {
        let _ = lock::locked(self.root.folder(), FORGET_WAIT_MAX, || {
            let is_needed = match self.read() {
                Ok(facts) => environments::is_needed(&facts, name),
                // That it cannot be read now says nothing.
                Err(StoreError::System { .. }) => true,
                // In an index that is none, nothing stands that this submission could have named.
                Err(_) => false,
            };
            if !is_needed {
                let _ = environments::remove(self.root, name);
            }
        });
    }

    /// What was written could not be made durable. What stands is found by reading, never by trying again:
    /// a repeated fsync can succeed without having written anything (`fsync(2)`).
    fn after_failed_sync(
        &self,
        written: &Written,
        commit: Commit,
        error: io::Error,
    ) -> Result<Commit, StoreError> {
        let stands = written.stands(self.root).map_err(|error| self.system("read", error))?
            || self.carries(&commit.events)?;
        if !stands {
            return Err(self.system("make durable", error));
        }
        let warning = format!(
            "{} stands, but the disk could not make it durable ({error}): it may not survive a power cut",
            index::path(self.root).display()
        );
        Ok(Commit { warning: Some(warning), ..commit })
    }

    /// Whether the index, perhaps changed by others since, carries these events.
    fn carries(&self, events: &[Event]) -> Result<bool, StoreError> {
        let facts = self.read()?;
        let stands = |event: &Event| match event {
            Event::Submitted { job } => Some(facts.head(&job.id).is_some()),
            Event::Changed { id, .. } | Event::Edited { id, .. } => Some(facts.head(id).is_some()),
            Event::Removed { id } => Some(facts.head(id).is_none()),
            // A group or a schedule is written whole with whatever came with it; alone it can be asked for again.
            Event::Grouped { .. } | Event::Scheduled { .. } | Event::KeyExpired { .. } => None,
        };
        let told: Vec<bool> = events.iter().filter_map(stands).collect();
        Ok(!told.is_empty() && told.iter().all(|stands| *stands))
    }
}

impl Store for FileStore<'_> {
    fn read(&self) -> Result<Rc<Facts>, StoreError> {
        self.index().map(|index| index.facts)
    }

    fn transact(&self, now: Timestamp, decide: &mut Decide<'_>) -> Result<Commit, StoreError> {
        let folder = self.root.folder();
        let Changed { events, facts, written, untold } =
            lock::locked(folder, self.waiting.lock_max, || self.decide_and_write(now, decide))??;
        let commit = Commit { events, facts, warning: untold };
        let Some(mut written) = written else { return Ok(commit) };
        match written.sync(folder) {
            Ok(()) => Ok(commit),
            Err(error) => {
                let error = io::Error::new(error.kind(), error.to_string());
                self.after_failed_sync(&written, commit, error)
            }
        }
    }

    fn note(&self, now: Timestamp, note: &Note) -> Result<(), Untold> {
        let counted = || self.read().map_or(0, |facts| facts.last_event());
        let told = lock::locked(self.root.folder(), NOTE_WAIT_MAX, || {
            stream::note(self.root, (now, self.hooks), note, counted)
        });
        match told {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Untold { warning: self.root.once_untold(&error) }),
            Err(error) => Err(Untold { warning: Some(error.to_string()) }),
        }
    }

    fn told(&self, after: u64) -> Result<Vec<Line>, StoreError> {
        stream::told_after(self.root, after)
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        index::make_durable(self.root).map_err(|error| self.system("make durable", error))
    }

    fn follow(&self) -> Result<Box<dyn Follow>, StoreError> {
        Ok(Box::new(Doorbell::on_renames_and(self.root.folder(), root::LINES, self.waiting.poll_interval)))
    }
}

/// What a change came to.
#[derive(Default)]
struct Changed {
    events: Vec<Event>,
    facts: Rc<Facts>,
    written: Option<Written>,
    /// What the user should be told where the stream does not tell of it.
    untold: Option<String>,
}

/// The environments that these events make needed after a power cut: those of jobs that wait, or may be tried again, and of
/// schedules.
fn environments_to_keep(facts: &Facts, events: &[Event]) -> Result<Vec<String>, Damage> {
    let changed: HashSet<&JobId> = events.iter().filter_map(Event::job).collect();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for event in events {
        if let Event::Scheduled { change: ScheduleChange::Put { definition, .. }, .. } = event
            && let Task::Run(spec) = &definition.task
        {
            names.extend(spec.env.as_deref());
        }
        if matches!(event, Event::Removed { .. } | Event::Edited { .. } | Event::KeyExpired { .. }) {
            continue;
        }
        let Some(head) = event.job().and_then(|id| facts.head(id)) else { continue };
        let waits = matches!(head.status, Status::Queued | Status::WaitingApproval);
        let may_wait = head.belongs.retries
            && facts.job(&head.id)?.is_some_and(|job| {
                job.status() == Status::Running && job.attempt < job.spec.retry.attempts_max
            });
        names.extend(head.belongs.env.as_deref().filter(|_| waits || head.dead_letter || may_wait));
    }
    // What waited before these events with the same environment has made it durable.
    for head in facts.heads() {
        if names.is_empty() {
            break;
        }
        if head.status == Status::Queued
            && let Some(name) = head.belongs.env.as_deref().filter(|name| names.contains(name))
            && !changed.contains(&head.id)
        {
            names.remove(name);
        }
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The jobs that have ended an attempt with these events, and may begin another: were the record lost then and the log not,
/// that would look like an attempt whose record somebody removed, and nothing would be started.
fn records_to_keep<'a>(facts: &'a Facts, events: &'a [Event]) -> impl Iterator<Item = &'a JobId> {
    events.iter().filter_map(|event| {
        let Event::Changed { id, change: Change::End { .. } } = event else { return None };
        facts.head(id).filter(|head| !head.status.has_ended()).map(|_| id)
    })
}

/// The environments that no job needs any more since these events.
fn environments_let_go(facts: &Facts, events: &[Event]) -> Vec<String> {
    let changed = events.iter().filter_map(Event::job).filter_map(|id| facts.head(id));
    let ended = changed.filter(|head| head.status.has_ended());
    let mut names: Vec<&str> = ended.filter_map(|head| head.belongs.env.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter(|name| !environments::is_needed(facts, name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
