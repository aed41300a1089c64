//! Executors: what runs a job's command and can say what became of it.
//!
//! Nothing above this room assumes that a job is a process of this machine. The local executor forks processes
//! under a watcher; the dry-run executor does everything but the execution.

pub mod dry_run;
pub mod local;

use crate::model::{
    bytes::Bytes,
    claim::{ExecutorName, Site},
    id::JobId,
    job::Job,
    outcome::{Leftover, Outcome},
};
use crate::plan::census::Sighting;
use crate::store::StoreError;
use serde::Serialize;
use std::io;
use std::os::fd::OwnedFd;

/// What runs jobs. One that has no processes need not say anything of them.
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
    fn poke(&self, id: &JobId) -> Result<bool, ExecError> {
        let _ = id;
        Ok(false)
    }

    /// Something to poll that becomes readable when whoever watches the job goes away. `None`: nobody does, or the
    /// system has no such thing.
    fn attend(&self, id: &JobId) -> Result<Option<OwnedFd>, ExecError> {
        let _ = id;
        Ok(None)
    }

    /// The living processes of a running job, as far as they can be seen; the main process first, each before those
    /// that it made.
    fn processes(&self, job: &Job) -> Result<Vec<LiveProcess>, ExecError> {
        let _ = job;
        Ok(Vec::new())
    }

    /// What the living processes of each of these jobs use together, in the order asked; `None` where none is seen.
    /// Looking at many costs little more than looking at one.
    fn usage(&self, jobs: &[&Job]) -> Vec<Option<LiveUse>> {
        vec![None; jobs.len()]
    }

    /// The processes of an ended job that were left running and still live, as far as that can be told here.
    fn left_processes(&self, job: &Job) -> Vec<Leftover> {
        let _ = job;
        Vec::new()
    }

    /// Sees to it that a pass is made when the next thing is due, even if nobody calls. Repeating it does no harm.
    fn arm(&self) -> Result<(), ExecError> {
        Ok(())
    }

    /// Sees to it that somebody runs the hooks that lines of the stream are for. Repeating it does no harm.
    fn run_hooks(&self) -> Result<(), ExecError> {
        Ok(())
    }

    /// Sees to it that somebody asks GitHub for the answers that jobs wait for. Repeating it does no harm.
    fn run_poll(&self) -> Result<(), ExecError> {
        Ok(())
    }

    /// Sends a signal to a running job's processes as they are seen now: to its main one, or to all, each before those that
    /// it made.
    fn signal(&self, job: &Job, signal: i32, whom: Whom) -> Result<Signalled, ExecError> {
        let _ = (job, signal, whom);
        Ok(Signalled::default())
    }

    /// Takes the job away from a watcher that is silent.
    fn evict(&self, id: &JobId) -> Result<(), ExecError> {
        let _ = id;
        Ok(())
    }
}

/// Which processes of a job a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All.
    All,
    /// The one that executed the command.
    Main,
}

/// Whom a signal reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signalled {
    /// How many.
    pub reached: usize,
    /// Those that this user may not signal.
    pub refused: Vec<Leftover>,
}

/// A living process of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveProcess {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub start: u64,
    /// Its parent's process id.
    pub parent: i32,
    /// How deep it is below the main process, or below one whose parent has left; 0 for these.
    pub depth: usize,
    /// The program's name (`/proc/PID/comm`).
    pub name: String,
    /// Its arguments, where they can be read.
    pub argv: Vec<Bytes>,
    /// Whether it is stopped.
    pub stopped: bool,
    /// Processor time so far, that of its reaped children included, milliseconds.
    pub cpu_ms: u64,
    /// Resident memory, KiB.
    pub memory_kib: u64,
}

/// What the living processes of a job use together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LiveUse {
    /// How many they are.
    pub processes: usize,
    /// Processor time so far, that of children which they have let go included, milliseconds.
    pub cpu_ms: u64,
    /// Resident memory, KiB; what they share counts for each.
    pub memory_kib: u64,
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
    /// Nobody could be launched who waits for what comes due.
    #[error("could not start the alarm: {0}")]
    Alarm(io::Error),
    /// Nobody could be launched who runs hooks.
    #[error("could not start what runs hooks: {0}")]
    Hooks(io::Error),
    /// Nobody could be launched who asks GitHub.
    #[error("could not start what asks GitHub: {0}")]
    Poll(io::Error),
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
