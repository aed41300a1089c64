//! An executor that runs nothing: it writes down what it is told to run, and the test says what is seen of each job.

use super::model::Sight;
use super::step::Launching;
use bgctl::exec::{ExecError, Executor, Hold, Launch, dry_run::DryRun};
use bgctl::model::{
    Timestamp,
    claim::{ExecutorName, Site},
    id::JobId,
    job::Job,
    outcome::Outcome,
};
use bgctl::os::clock::Clock;
use bgctl::plan::census::Sighting;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::time::Duration;

/// A clock that stands still until it is set.
#[derive(Default)]
pub struct Stopped(Cell<i64>);

impl Stopped {
    pub fn set(&self, milliseconds: i64) {
        self.0.set(milliseconds);
    }

    /// The instant that many milliseconds after the beginning.
    pub fn at(milliseconds: i64) -> Timestamp {
        let beginning: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
        beginning + chrono::TimeDelta::milliseconds(milliseconds)
    }
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Self::at(self.0.get())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.get().unsigned_abs())
    }
}

/// The executor.
pub struct Recording {
    site: Site,
    /// What is seen of running jobs; one that is not in here has not begun.
    pub sights: RefCell<HashMap<JobId, Sight>>,
    pub launching: Cell<Launching>,
    /// Whom it was told to run, in this order.
    pub launched: RefCell<Vec<JobId>>,
}

impl Recording {
    pub fn new() -> Self {
        let site =
            Site { host: "here".into(), machine: "this one".into(), boot: "boot".into(), pid_namespace: 1 };
        Self {
            site,
            sights: RefCell::default(),
            launching: Cell::new(Launching::Works),
            launched: RefCell::default(),
        }
    }

    fn sighting(&self, job: &Job) -> Sighting {
        // Who is told stands still, or goes on, at once.
        let pausing = job.paused_at().is_some();
        let silence = super::model::settings::STALE_SECONDS;
        match self.sights.borrow().get(&job.id) {
            None | Some(Sight::NotStarted) => Sighting::NotStarted,
            Some(Sight::Watched) => Sighting::Watched { silent_seconds: 1, over: false, pausing },
            Some(Sight::Silent) => Sighting::Watched { silent_seconds: silence, over: false, pausing },
            Some(Sight::Orphaned) => Sighting::Orphaned,
            Some(Sight::Vanished) => Sighting::Vanished,
            Some(Sight::Rebooted) => Sighting::Rebooted,
            Some(Sight::Recorded { exit, at }) => {
                Sighting::Ended { outcome: Outcome::bare(exit.clone(), Stopped::at(*at)), ending: None }
            }
        }
    }
}

impl Executor for Recording {
    fn name(&self) -> ExecutorName {
        ExecutorName::Local
    }

    fn site(&self) -> &Site {
        &self.site
    }

    fn look(&self, job: &Job) -> Result<Sighting, ExecError> {
        Ok(self.sighting(job))
    }

    fn hold(&self, job: &Job) -> Result<Option<(Hold, Sighting)>, ExecError> {
        let sighting = self.sighting(job);
        if matches!(sighting, Sighting::Watched { .. }) {
            return Ok(None);
        }
        // A right to judge can only be had from an executor of the program.
        let held = DryRun { site: &self.site, clock: &Stopped::default() }.hold(job)?;
        Ok(held.map(|(hold, _)| (hold, sighting)))
    }

    fn launch(&self, id: &JobId) -> Result<Launch, ExecError> {
        self.launched.borrow_mut().push(id.clone());
        match self.launching.get() {
            Launching::Works => drop(self.sights.borrow_mut().insert(id.clone(), Sight::Watched)),
            Launching::IsLost => {}
            Launching::Fails => {
                let error = io::Error::from(io::ErrorKind::WouldBlock);
                return Err(ExecError::System { doing: "start the watcher", id: id.clone(), error });
            }
        }
        Ok(Launch::Watched)
    }

    fn evict(&self, id: &JobId) -> Result<(), ExecError> {
        self.sights.borrow_mut().insert(id.clone(), Sight::Orphaned);
        Ok(())
    }

    fn poke(&self, _id: &JobId) -> Result<bool, ExecError> {
        Ok(true)
    }
}
