//! Executors: what runs a job's command and can say what became of it.
//!
//! Nothing above this room assumes that a job is a process of this machine. The local executor forks processes
//! under a watcher; the dry-run executor does everything but the execution.

pub mod dry_run;
pub mod local;

use crate::model::{
    claim::{ExecutorName, Site},
    id::JobId,
    job::Job,
    outcome::Outcome,
};
use crate::plan::census::Sighting;
use crate::store::StoreError;
use std::io;
use std::os::fd::OwnedFd;

/// What runs jobs.
pub trait Executor {
    /// Its name, as claims carry it.
    fn name(&self) -> ExecutorName;

    /// Where it runs them.
    fn site(&self) -> &Site;

    /// What can be seen of a running job. Looking changes nothing and disturbs nobody.
    fn look(&self, job: &Job) -> Result<Sighting, ExecError>;

    /// Takes the right to judge a running job that nobody watches, and looks again under it.
    /// `None`: somebody watches it. While the hold lives, nobody else judges or runs the job.
    fn hold(&self, job: &Job) -> Result<Option<(Hold, Sighting)>, ExecError>;

    /// Sees to it that a claimed job is run, adopted or judged by somebody. Repeating it does no harm.
    fn launch(&self, id: &JobId) -> Result<Launch, ExecError>;

    /// Tells whoever watches the job to look at the index. `false`: nobody does.
    fn poke(&self, id: &JobId) -> Result<bool, ExecError>;

    /// Something to poll that becomes readable when whoever watches the job goes away. `None`: nobody does, or the
    /// system has no such thing.
    fn attend(&self, id: &JobId) -> Result<Option<OwnedFd>, ExecError>;

    /// Takes the job away from a watcher that is silent.
    fn evict(&self, id: &JobId) -> Result<(), ExecError>;
}

/// What a launch came to.
#[derive(Debug, PartialEq)]
pub enum Launch {
    /// Somebody is on it.
    Watched,
    /// It is over already.
    Ended(Outcome),
}

/// The right to judge a job; it goes when this is dropped.
#[derive(Debug)]
pub struct Hold(#[expect(dead_code, reason = "held for its lock")] pub(crate) Option<local::record::Record>);

/// Why an executor cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// A file of the root cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refused.
    #[error("could not {doing} of {id}: {error}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// For which job.
        id: JobId,
        /// Why not.
        error: io::Error,
    },
}
