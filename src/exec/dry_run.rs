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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{Signalled, Whom};
    use crate::model::{
        Timestamp,
        bytes::Bytes,
        spec::{Command, JobSpec},
    };
    use crate::os::clock::SystemClock;

    #[test]
    fn a_dry_run_has_no_process_to_see_to_signal_or_to_launch() {
        let site = Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 };
        let run = DryRun { site: &site, clock: &SystemClock };
        let at: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
        let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        let job = Job::new(JobId::parse("bg_20260213_aaaaaa").unwrap(), spec, at);
        let Launch::Ended(outcome) = run.launch(&job.id).unwrap() else { panic!("it was launched") };
        assert_eq!(outcome.exit, Exit::NotExecuted);
        assert!(!run.poke(&job.id).unwrap());
        assert!(run.attend(&job.id).unwrap().is_none());
        assert!(run.processes(&job).unwrap().is_empty() && run.left_processes(&job).is_empty());
        assert_eq!(run.usage(&[&job, &job]), [None, None]);
        assert_eq!(run.signal(&job, libc::SIGTERM, Whom::All).unwrap(), Signalled::default());
        run.arm().and_then(|()| run.run_hooks()).and_then(|()| run.run_poll()).unwrap();
        run.evict(&job.id).unwrap();
    }
}
