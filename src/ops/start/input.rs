//! The standard input of a job: a file, a pipe, or what its submitter was given, kept beside the log.

use super::given::bytes;
use crate::model::{bytes::Bytes, id::JobId, spec::Input};
use crate::ops::fault::{Code, Fault, without_number};
use crate::store::root::{Root, input_name};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// What stands for our own standard input.
pub const OWN: &str = "-";

/// What stands for a pipe that stays open. A file of that name is `./pipe`.
const PIPE: &str = "pipe";

/// What `--stdin` means. Our own standard input is nothing yet: it is kept once the job has an id.
pub fn given(word: &Path) -> Result<Input, Fault> {
    match word.to_str() {
        Some(OWN) => Ok(Input::Nothing),
        Some(PIPE) => Ok(Input::Pipe),
        _ => checked_file(word).map(Input::File),
    }
}

/// A file that can be read when the job's turn comes.
pub fn checked_file(path: &Path) -> Result<Bytes, Fault> {
    let failed = |error: io::Error| {
        Fault::new(
            Code::Failed,
            format!("could not read {}: {}", path.display(), without_number(&error.to_string())),
        )
    };
    let absolute = std::path::absolute(path).map_err(failed)?;
    let kind = std::fs::metadata(&absolute).map_err(failed)?.file_type();
    if !(kind.is_file() || kind.is_char_device()) {
        return Err(Fault::new(
            Code::Failed,
            format!("{} is no file that a job can read later", path.display()),
        )
        .hint(
            "--stdin - reads a pipe now, to its end; --stdin pipe makes one, into which bgctl send writes",
        ));
    }
    rustix::fs::access(&absolute, rustix::fs::Access::READ_OK).map_err(|error| failed(error.into()))?;
    bytes(absolute.into_os_string(), "--stdin")
}

/// Reads our own standard input to its end into a file of the job's, durable before the job is. Gives its path.
pub fn keep(root: &Root, id: &JobId) -> Result<Bytes, Fault> {
    let runs = root.runs()?;
    let path = runs.path().join(input_name(id));
    let failed = |error: io::Error| {
        Fault::new(
            Code::Failed,
            format!("could not keep the input in {}: {}", path.display(), without_number(&error.to_string())),
        )
    };
    let mut file = runs.create_file(&input_name(id)).map_err(failed)?;
    let mut keep = || -> io::Result<()> {
        io::copy(&mut io::stdin().lock(), &mut file)?;
        runs.sync_file(&file)?;
        runs.sync()?;
        if runs.is_new() { root.folder().sync() } else { Ok(()) }
    };
    keep().map_err(|error| {
        forget(root, id);
        failed(error)
    })?;
    bytes(path.into_os_string(), "the input's path")
}

/// Where an input is kept.
pub fn path(root: &Root, id: &JobId) -> Result<Bytes, Fault> {
    bytes(root.runs()?.path().join(input_name(id)).into_os_string(), "the input's path")
}

/// Keeps for a job what is kept for another one. Gives its path.
pub fn copy(root: &Root, from: &JobId, to: &JobId) -> Result<Bytes, Fault> {
    let runs = root.runs()?;
    let path = runs.path().join(input_name(to));
    let copy = || -> io::Result<()> {
        let mut kept = runs.open_file(&input_name(from))?.ok_or(io::ErrorKind::NotFound)?;
        let mut file = runs.create_file(&input_name(to))?;
        io::copy(&mut kept, &mut file)?;
        runs.sync_file(&file)?;
        runs.sync()
    };
    copy().map_err(|error| {
        forget(root, to);
        let message = without_number(&error.to_string());
        Fault::new(Code::Failed, format!("could not keep the input of {from} for its retry: {message}"))
    })?;
    bytes(path.into_os_string(), "the input's path")
}

/// Gives the kept input to another id.
pub fn rename(root: &Root, from: &JobId, to: &JobId) -> Result<Bytes, Fault> {
    let runs = root.runs()?;
    runs.rename(&input_name(from), &input_name(to))?;
    runs.sync()?;
    bytes(runs.path().join(input_name(to)).into_os_string(), "the input's path")
}

/// Removes a kept input.
pub fn forget(root: &Root, id: &JobId) {
    if let Ok(runs) = root.runs() {
        let _ = runs.remove(&input_name(id));
    }
}
