//! A job's standard input: nothing, a file, or a pipe into which others write while it runs.
//!
//! The pipe has a name among the run files while the attempt runs. The job has its only reading end. Its watcher keeps a
//! writing end open, so that the job does not see the end of its input between two that write, and drops it once the
//! index says that nothing more comes. A watcher that dies takes its end along: a job that just then waits for input
//! sees the end of it, one that does not goes on with the end that the next watcher opens.

use crate::model::{bytes::Bytes, id::JobId, job::Job, spec};
use crate::os::folder::Folder;
use crate::store::root::pipe_name;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// An open input.
#[derive(Debug)]
pub struct Input {
    /// What the job reads.
    pub reader: File,
    /// What keeps a pipe open.
    pub pipe: Option<OwnedFd>,
}

impl Input {
    /// Opens what a job reads; on failure, tells what that is.
    pub fn open(runs: &Folder, job: &Job) -> Result<Self, (String, io::Error)> {
        match &job.spec.stdin {
            spec::Input::Nothing => Self::open_file(Path::new("/dev/null")),
            spec::Input::File(path) => Self::open_file(Bytes::as_path(path)),
            spec::Input::Pipe => {
                let made = runs.make_pipe(&pipe_name(&job.id));
                let (reader, pipe) = made.map_err(|error| ("pipe".to_owned(), error))?;
                Ok(Self { reader, pipe: (!is_closed(job)).then_some(pipe) })
            }
        }
    }

    /// A pipe without a writer would hold the watcher before it could be told anything: it is opened without waiting, and
    /// the job gets it as it would from a shell.
    fn open_file(path: &Path) -> Result<Self, (String, io::Error)> {
        use crate::os::uninterrupted::open;
        use rustix::fs::{Mode, OFlags, fcntl_setfl};
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty())
            .and_then(|fd| fcntl_setfl(&fd, OFlags::empty()).map(|()| File::from(fd)))
            .map(|reader| Self { reader, pipe: None })
            .map_err(|error| (path.display().to_string(), error.into()))
    }
}

/// Whether nothing more is to come through the pipe of a running job.
pub fn is_closed(job: &Job) -> bool {
    job.run().is_some_and(|run| run.stdin_closed_at.is_some())
}

/// Keeps the pipe open of a job that runs already, for a watcher that adopts it. `None`: there is none to be kept open, or
/// the job reads it no more.
pub fn reopen(runs: &Folder, job: &Job) -> Option<OwnedFd> {
    let is_wanted = job.spec.stdin == spec::Input::Pipe && !is_closed(job);
    if is_wanted { runs.open_pipe(&pipe_name(&job.id)).ok().flatten() } else { None }
}

/// Opens the pipe of a running job to write, without ever waiting. `None`: it is not there; `BrokenPipe`: nobody reads it.
pub fn open_to_write(runs: &Folder, id: &JobId) -> io::Result<Option<OwnedFd>> {
    runs.open_pipe(&pipe_name(id))
}

/// Removes the pipe of an attempt that is over.
pub fn remove(runs: &Folder, job: &Job) {
    if job.spec.stdin == spec::Input::Pipe {
        let _ = runs.remove(&pipe_name(&job.id));
    }
}
