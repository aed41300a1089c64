//! The dry-run executor: everything but the execution. Each job it is given completes at once, and says so.

use super::{ExecError, Executor, Hold, Launch, LiveProcess, LiveUse, Signalled, Whom};
use crate::model::{
    claim::{ExecutorName, Site},
    id::JobId,
    job::Job,
    outcome::{Exit, Leftover, Outcome},
};
use crate::os::clock::Clock;
use crate::plan::census::Sighting;
use std::os::fd::OwnedFd;

/// Everything but the execution.
#[derive(Debug)]
pub struct DryRun<'a, C> {
    /// Where it pretends.
    pub site: &'a Site,
    /// When.
    pub clock: &'a C,
}

impl<C: Clock> Executor for DryRun<'_, C> {
    fn name(&self) -> ExecutorName {
        ExecutorName::DryRun
    }

    fn site(&self) -> &Site {
        self.site
    }

    /// A job of this executor that is seen running was claimed by one that went away before it could say the end.
    fn look(&self, _job: &Job) -> Result<Sighting, ExecError> {
        Ok(Sighting::NeverExecuted)
    }

    fn hold(&self, _job: &Job) -> Result<Option<(Hold, Sighting)>, ExecError> {
        Ok(Some((Hold(None), Sighting::NeverExecuted)))
    }

    fn launch(&self, _id: &JobId) -> Result<Launch, ExecError> {
        Ok(Launch::Ended(Outcome::bare(Exit::NotExecuted, self.clock.now())))
    }

    fn poke(&self, _id: &JobId) -> Result<bool, ExecError> {
        Ok(false)
    }

    fn attend(&self, _id: &JobId) -> Result<Option<OwnedFd>, ExecError> {
        Ok(None)
    }

    fn processes(&self, _job: &Job) -> Result<Vec<LiveProcess>, ExecError> {
        Ok(Vec::new())
    }

    fn usage(&self, jobs: &[&Job]) -> Vec<Option<LiveUse>> {
        vec![None; jobs.len()]
    }

    fn left_processes(&self, _job: &Job) -> Vec<Leftover> {
        Vec::new()
    }

    /// A dry run waits for nothing.
    fn arm(&self) -> Result<(), ExecError> {
        Ok(())
    }

    fn run_hooks(&self) -> Result<(), ExecError> {
        Ok(())
    }

    fn run_poll(&self) -> Result<(), ExecError> {
        Ok(())
    }

    fn signal(&self, _job: &Job, _signal: i32, _whom: Whom) -> Result<Signalled, ExecError> {
        Ok(Signalled::default())
    }

    fn evict(&self, _id: &JobId) -> Result<(), ExecError> {
        Ok(())
    }
}
