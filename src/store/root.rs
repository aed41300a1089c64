//! The folder in which everything lives, and the names of what is in it.

use super::{StoreError, file::index::Known, stream::EVENTS};
use crate::model::{config::Durability, id::JobId};
use crate::os::folder::{Folder, FolderError};
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The index.
pub const INDEX: &str = "jobs.json";
/// What was the index before the last change, and will be after the next one. One name: only the lock's holder writes it, so that what a
/// crash left there needs no search.
pub const INDEX_TEMPORARY: &str = "jobs.json.tmp";
/// What a damaged index is called that was made anew, behind its own name and before the time.
pub const DAMAGED: &str = ".damaged-";
/// The index as lines; where it is there, it is the index.
pub const LINES: &str = "jobs.jsonl";
/// The same, begun anew, until it is renamed.
pub const LINES_TEMPORARY: &str = "jobs.jsonl.tmp";
/// The single-writer lock; never deleted, never renamed.
pub const LOCK: &str = "jobs.lock";
/// The lock of the process that waits for what comes due; never deleted.
pub const ALARM_LOCK: &str = "alarm.lock";
/// The lock of the supervisor in the foreground; never deleted.
pub const LOOP_LOCK: &str = "loop.lock";
/// How far failures were reported.
pub const REPORTED: &str = "reported";
/// The same, until it is renamed.
pub const REPORTED_TEMPORARY: &str = "reported.tmp";
/// The lock of whoever reports failures; empty, never deleted.
pub const REPORT_LOCK: &str = "reported.lock";
/// The lock of the process that runs hooks; never deleted.
pub const HOOKS_LOCK: &str = "hooks.lock";
/// How far the hooks have come.
pub const HOOKED: &str = "hooked";
/// How far the hooks have come next, until it is renamed.
pub const HOOKED_TEMPORARY: &str = "hooked.tmp";
/// What the latest hooks printed.
pub const HOOKS_LOG: &str = "hooks.log";
/// What they printed without the oldest, until it is renamed.
pub const HOOKS_LOG_TEMPORARY: &str = "hooks.log.tmp";
/// The lock of the process that asks GitHub; never deleted.
pub const POLL_LOCK: &str = "poll.lock";
/// What GitHub answered, so that asking again costs nothing while that is the same.
pub const POLLED: &str = "polled.json";
/// The same, until it is renamed.
pub const POLLED_TEMPORARY: &str = "polled.json.tmp";
/// Empty; it was modified when GitHub was asked last.
pub const LAST_POLL: &str = "last_poll";
/// Empty; it was modified at the last tick.
pub const LAST_TICK: &str = "last_tick";
/// What the stream was told last of how the whole is; locked by whoever tells it.
pub const LAST_HEALTH: &str = "last_health";
/// The settings.
pub const CONFIG: &str = "config.toml";
/// The folder of run files.
const RUNS: &str = "runs";
/// The folder of captured environments.
const ENVIRONMENTS: &str = "env";

/// The root folder, open and checked.
#[derive(Debug)]
pub struct Root {
    folder: Folder,
    runs: OnceCell<Folder>,
    environments: OnceCell<Folder>,
    has_said_untold: Cell<bool>,
    /// Whether an index that was read is kept, so that only what is added has to be read.
    keeps_known: Cell<bool>,
    known: RefCell<Option<Known>>,
}

/// Why there is no root.
#[derive(Debug, thiserror::Error)]
#[error(
    "neither BG_HOME, XDG_CONFIG_HOME nor HOME says where jobs are kept; set BG_HOME to a folder of yours"
)]
pub struct Nowhere;

/// Where the root is: `$BG_HOME`, else `$XDG_CONFIG_HOME/bg`, else `$HOME/.config/bg`. Gives also the variable that says so.
///
/// A relative `BG_HOME` counts from `cwd`; a relative `XDG_CONFIG_HOME` is invalid and ignored, as the XDG Base
/// Directory Specification asks. Empty variables count as unset.
pub fn locate(
    variable: impl Fn(&str) -> Option<OsString>,
    cwd: &Path,
) -> Result<(PathBuf, &'static str), Nowhere> {
    const OWN: &str = "BG_HOME";
    const XDG: &str = "XDG_CONFIG_HOME";
    const HOME: &str = "HOME";
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = path(OWN) {
        return Ok((cwd.join(own), OWN));
    }
    if let Some(config) = path(XDG).filter(|path| path.is_absolute()) {
        return Ok((config.join("bg"), XDG));
    }
    let home = path(HOME).filter(|path| path.is_absolute()).ok_or(Nowhere)?;
    Ok((home.join(".config/bg"), HOME))
}

impl Root {
    /// Opens the root, making it where it is missing.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::of(Folder::open_or_create(path)?))
    }

    /// Opens the root; `None` where there is none, which is the same as an empty one.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        Ok(Folder::open(path)?.map(Self::of))
    }

    fn of(folder: Folder) -> Self {
        Self {
            folder,
            runs: OnceCell::new(),
            environments: OnceCell::new(),
            has_said_untold: Cell::new(false),
            keeps_known: Cell::new(false),
            known: RefCell::default(),
        }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Says what has to survive; a power cut, unless this says otherwise.
    pub fn set_durability(&self, durability: Durability) {
        let folders = [Some(&self.folder), self.runs.get(), self.environments.get()];
        folders.into_iter().flatten().for_each(|folder| folder.set_synced(durability == Durability::Power));
    }

    /// Says whether the index is read again soon: then what was read is kept, and only what has changed since is read.
    pub fn set_kept(&self, is_kept: bool) {
        self.keeps_known.set(is_kept);
        if !is_kept {
            self.keep(None);
        }
    }

    /// Whether something is kept now.
    pub fn has_kept(&self) -> bool {
        self.known.borrow().is_some()
    }

    /// Lets go of what is kept, until the index is read again.
    pub fn let_go_of_kept(&self) {
        self.keep(None);
    }

    pub(super) fn keeps_known(&self) -> bool {
        self.keeps_known.get()
    }

    pub(super) fn keep(&self, known: Option<Known>) {
        self.known.replace(known);
    }

    pub(super) fn take_known(&self) -> Option<Known> {
        self.known.take()
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What the user should be told about a stream that cannot be written; once, since it changes nothing.
    pub(super) fn once_untold(&self, error: &std::io::Error) -> Option<String> {
        let path = self.path().join(EVENTS);
        (!self.has_said_untold.replace(true)).then(|| {
            format!(
                "could not write {}: {error}; bgctl works on, but the file misses what happened",
                path.display()
            )
        })
    }

    /// The folder of run files.
    pub fn runs(&self) -> Result<&Folder, StoreError> {
        self.inner(&self.runs, RUNS)
    }

    /// The folder of run files, for those who only look: `None` where no job has run yet.
    pub fn existing_runs(&self) -> Result<Option<&Folder>, StoreError> {
        if self.runs.get().is_none() {
            let path = self.path().join(RUNS);
            let failed = |error| no_folder(path, error);
            let Some(folder) = self.folder.subfolder(RUNS, false).map_err(failed)? else { return Ok(None) };
            let _ = self.runs.set(folder);
        }
        Ok(self.runs.get())
    }

    /// Opens a run file to read; `None` where there is none.
    pub fn run_file(&self, name: &str) -> Result<Option<File>, StoreError> {
        let Some(runs) = self.existing_runs()? else { return Ok(None) };
        let failed = |error| StoreError::System { doing: "read", path: runs.path().join(name), error };
        runs.open_file(name).map_err(failed)
    }

    /// Makes the run records of these jobs durable, where there are any.
    pub fn make_records_durable<'a>(&self, ids: impl Iterator<Item = &'a JobId>) -> Result<(), StoreError> {
        let Some(runs) = self.existing_runs()? else { return Ok(()) };
        let failed = |name: &str, error| StoreError::System {
            doing: "make durable",
            path: runs.path().join(name),
            error,
        };
        let mut is_any = false;
        for name in ids.map(record_name) {
            match runs.open_file(&name) {
                Ok(Some(record)) => runs.sync_file(&record).map_err(|error| failed(&name, error))?,
                // What is no record of ours says nothing, and must not keep a job from its end.
                Err(error) if error.kind() != std::io::ErrorKind::InvalidData => {
                    return Err(failed(&name, error));
                }
                Ok(None) | Err(_) => continue,
            }
            is_any = true;
        }
        if is_any { runs.sync().map_err(|error| failed("", error)) } else { Ok(()) }
    }

    /// Where a run file is, or would be.
    pub fn run_file_path(&self, name: &str) -> PathBuf {
        self.path().join(RUNS).join(name)
    }

    /// The folder of captured environments.
    pub fn environments(&self) -> Result<&Folder, StoreError> {
        self.inner(&self.environments, ENVIRONMENTS)
    }

    fn inner<'a>(&'a self, cell: &'a OnceCell<Folder>, name: &str) -> Result<&'a Folder, StoreError> {
        if let Some(folder) = cell.get() {
            return Ok(folder);
        }
        let path = self.path().join(name);
        let folder = self
            .folder
            .subfolder(name, true)
            .and_then(|folder| folder.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(|error| no_folder(path, error))?;
        Ok(cell.get_or_init(|| folder))
    }
}

/// Why a folder in the root is not used.
fn no_folder(path: PathBuf, error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::InvalidData => FolderError::Unusable { path, why: error.to_string() }.into(),
        _ => StoreError::System { doing: "open", path, error },
    }
}

/// The name of a job's log.
pub fn log_name(id: &JobId) -> String {
    format!("{id}.log")
}

/// The name of a job's run record, whose lock proves that its watcher lives.
pub fn record_name(id: &JobId) -> String {
    format!("{id}.lock")
}

/// The name of a job's execution snapshot.
pub fn meta_name(id: &JobId) -> String {
    format!("{id}.meta.json")
}

/// The name of a job's next execution snapshot, until it is renamed.
pub fn meta_temporary_name(id: &JobId) -> String {
    format!("{id}.meta.json.tmp")
}

/// The name of a job's captured standard input.
pub fn input_name(id: &JobId) -> String {
    format!("{id}.in")
}

/// The name of the pipe that a job reads as standard input.
pub fn pipe_name(id: &JobId) -> String {
    format!("{id}.stdin")
}

/// The name of the file that says what was left out of a job's log.
pub fn cut_name(id: &JobId) -> String {
    format!("{id}.cut")
}

/// The name of a job's log without its hole, until it is renamed.
pub fn log_temporary_name(id: &JobId) -> String {
    format!("{id}.log.tmp")
}

/// The names of all files a job may have in the folder of run files.
pub fn run_file_names(id: &JobId) -> [String; 8] {
    [
        log_name(id),
        log_temporary_name(id),
        cut_name(id),
        meta_name(id),
        meta_temporary_name(id),
        input_name(id),
        pipe_name(id),
        record_name(id),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_as_documented() {
        let find = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            let variable =
                |name: &str| set.iter().find(|(key, _)| key == name).map(|(_, value)| value.into());
            locate(variable, Path::new("/cwd")).ok().map(|(path, by)| format!("{} {by}", path.display()))
        };
        let home = ("HOME", "/home/ann");
        assert_eq!(find(&[home]).unwrap(), "/home/ann/.config/bg HOME");
        assert_eq!(find(&[home, ("XDG_CONFIG_HOME", "/cfg")]).unwrap(), "/cfg/bg XDG_CONFIG_HOME");
        assert_eq!(find(&[home, ("XDG_CONFIG_HOME", "cfg")]).unwrap(), "/home/ann/.config/bg HOME");
        assert_eq!(find(&[home, ("BG_HOME", "/x"), ("XDG_CONFIG_HOME", "/cfg")]).unwrap(), "/x BG_HOME");
        assert_eq!(find(&[home, ("BG_HOME", "x")]).unwrap(), "/cwd/x BG_HOME");
        assert_eq!(find(&[home, ("BG_HOME", "")]).unwrap(), "/home/ann/.config/bg HOME");
        assert_eq!(find(&[]), None);
    }
}
