//! The dry-run executor: everything but the execution. Each job it is given completes at once, and says so.

use super::{ExecError, Executor, Hold, Launch};
use crate::model::{
    claim::{ExecutorName, Site},
    id::JobId,
    job::Job,
    outcome::{Exit, Outcome},
};
use crate::os::clock::Clock;
use crate::plan::census::Sighting;

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
}
