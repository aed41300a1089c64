//! Captured environments: content-addressed, so that a thousand jobs of one shell share one file.
//!
//! A file lives as long as a job that can still run, a dead letter or a schedule names it; its values go with the last one. It is durable as soon as
//! it is needed after a power cut: before the index names it for a job that waits, or that may be tried again. A job that
//! starts at once and has no other attempt never needs it then, and its submission is not held up by the disk.

use super::{Store, StoreError, file::index, root::Root};
use crate::model::{
    Timestamp,
    bytes::Bytes,
    facts::{Facts, Head},
    wire::is_environment_name,
};
use crate::os::{detach::KEPT_VARIABLES, folder::Folder, inherited::Inherited};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{self, Write};

/// Largest environment that is read; the kernel's own limit for arguments and environment is below it (`execve(2)`).
const BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An environment that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Its name.
    pub name: String,
    /// Whether it was not there before.
    pub is_new: bool,
    bytes: u64,
}

/// Writes an environment down, if it is not there yet.
///
/// It is written under its own name: until a job names it, nobody reads it but others who are writing the same, and who replace
/// what is not whole.
pub fn save(root: &Root, inherited: &Inherited) -> Result<Saved, StoreError> {
    let content = serde_json::to_vec(inherited).unwrap_or_default();
    let name = hash(&content);
    let folder = root.environments()?;
    let file = file_name(&name);
    let failed = |error| StoreError::System { doing: "write", path: folder.path().join(&file), error };
    let is_new = match folder.create_file(&file) {
        Ok(mut created) => {
            let written = created.write_all(&content).inspect_err(|_| {
                // No values stay. The file is another's as soon as he replaces it, and goes under the lock.
                let _ = created.set_len(0);
            });
            written.map_err(failed)?;
            true
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            replace_unless_whole(folder, &name, &content).map_err(failed)?
        }
        Err(error) => return Err(failed(error)),
    };
    Ok(Saved { name, is_new, bytes: content.len() as u64 })
}

/// Gives whether it had to be replaced.
fn replace_unless_whole(folder: &Folder, name: &str, content: &[u8]) -> io::Result<bool> {
    let file = file_name(name);
    // What a crash left of it is no environment, and what somebody else is writing may never become one. What could not be read
    // may be whole, and durable because a job that waits needs it: what takes its place is so, too.
    let there = folder.read(&file, BYTES_MAX).ok().flatten();
    let is_whole = there.as_deref() == Some(content);
    if !is_whole {
        sweep_abandoned(folder)?;
        folder.replace(&file, &format!("{name}.{}.tmp", std::process::id()), content, true)?;
    }
    Ok(!is_whole)
}

/// The name under which an environment would be written down.
pub fn name_of(inherited: &Inherited) -> String {
    hash(&serde_json::to_vec(inherited).unwrap_or_default())
}

/// Makes an environment durable. One that is not there, as a hand-made entry may name it, cannot be made so; its job will
/// say that it could not start.
pub fn make_durable(root: &Root, name: &str) -> Result<(), StoreError> {
    let folder = root.environments()?;
    let file = file_name(name);
    let sync = || -> io::Result<()> {
        let Some(file) = folder.open_file(&file)? else { return Ok(()) };
        folder.sync_file(&file)?;
        folder.sync()?;
        if folder.is_new() { root.folder().sync() } else { Ok(()) }
    };
    sync().map_err(|error| StoreError::System {
        doing: "make durable",
        path: folder.path().join(&file),
        error,
    })
}

/// Removes an environment.
pub fn remove(root: &Root, name: &str) -> Result<(), StoreError> {
    let folder = root.environments()?;
    let file = file_name(name);
    let failed = |error| StoreError::System { doing: "remove", path: folder.path().join(&file), error };
    folder.remove(&file).map_err(failed)?;
    Ok(())
}

/// Whether an environment that was written down stands as it was written: a sweep may have taken it since, and somebody may have
/// begun to write it again.
pub fn stands(root: &Root, saved: &Saved) -> Result<bool, StoreError> {
    let folder = root.environments()?;
    let file = file_name(&saved.name);
    let bytes = folder.size(&file).map_err(|error| StoreError::System {
        doing: "look for",
        path: folder.path().join(&file),
        error,
    })?;
    Ok(bytes == Some(saved.bytes))
}

/// Reads an environment back, byte for byte what was captured.
pub fn load(root: &Root, name: &str) -> Result<Inherited, StoreError> {
    let folder = root.environments()?;
    let file = file_name(name);
    read(folder, name).map_err(|error| StoreError::System {
        doing: "read",
        path: folder.path().join(file),
        error,
    })
}

fn read(folder: &Folder, name: &str) -> io::Result<Inherited> {
    let content = folder.read(&file_name(name), BYTES_MAX)?.ok_or(io::ErrorKind::NotFound)?;
    if hash(&content) != name {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its content is not what its name says"));
    }
    serde_json::from_slice(&content).map_err(io::Error::other)
}

/// Whether a job that can still run, a dead letter or a schedule names an environment.
pub fn is_needed(facts: &Facts, name: &str) -> bool {
    facts.heads().any(|head| needs_its_own(head) && head.belongs.env.as_deref() == Some(name))
        || of_schedules(facts).any(|needed| needed == name)
}

/// The environments of runs that are yet to come.
fn of_schedules(facts: &Facts) -> impl Iterator<Item = &str> {
    facts.schedules().values().filter_map(|schedule| schedule.env())
}

/// Whether a job's environment is kept: it can still run, or be retried as it was.
fn needs_its_own(head: &Head) -> bool {
    !head.status.has_ended() || head.dead_letter
}

/// The files that nobody needs: environments that no job that can still run and no dead letter names, and what crashed
/// submitters left.
pub fn unneeded(root: &Root, facts: &Facts) -> Result<Vec<String>, StoreError> {
    let folder = root.environments()?;
    let failed = |error| StoreError::System { doing: "sweep", path: folder.path().to_owned(), error };
    let active = facts.heads().filter(|head| needs_its_own(head));
    let named: HashSet<&str> =
        active.filter_map(|head| head.belongs.env.as_deref()).chain(of_schedules(facts)).collect();
    let is_unneeded = |file: &str| match file.split_once('.') {
        Some((hash, "json")) => is_environment_name(hash) && !named.contains(hash),
        Some((hash, rest)) => is_environment_name(hash) && is_abandoned(rest),
        None => false,
    };
    let files = folder.names().map_err(failed)?;
    Ok(files
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|file| is_unneeded(file))
        .map(str::to_owned)
        .collect())
}

/// Looks for files that nobody needs, and removes them under the index's lock.
///
/// `facts`: as they were a moment ago.
pub fn tidy(root: &Root, store: &dyn Store, facts: &Facts, now: Timestamp) -> Result<(), StoreError> {
    if unneeded(root, facts)?.is_empty() {
        return Ok(());
    }
    let mut swept = Ok(0);
    store.transact(now, &mut |draft| {
        swept = sweep(root, draft.facts());
        Ok(())
    })?;
    swept.map(|_| ())
}

/// Removes the files that nobody needs. Gives how many went.
///
/// To be called under the index's lock: a submitter checks within its own transaction that the file is there.
pub fn sweep(root: &Root, facts: &Facts) -> Result<usize, StoreError> {
    let folder = root.environments()?;
    let failed = |error| StoreError::System { doing: "sweep", path: folder.path().to_owned(), error };
    let files = unneeded(root, facts)?;
    if !files.is_empty() {
        // Only now: after a power cut, an index that still names one must find it.
        index::make_durable(root).map_err(failed)?;
    }
    let mut gone = 0;
    for file in files {
        gone += usize::from(folder.remove(&file).map_err(failed)?);
    }
    Ok(gone)
}

/// Removes what crashed submitters left beside the environments. One that has to be replaced is rare, so that it can bear the search.
fn sweep_abandoned(folder: &Folder) -> io::Result<()> {
    for name in folder.names()? {
        let Some((hash, rest)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        if is_environment_name(hash) && is_abandoned(rest) {
            folder.remove(&format!("{hash}.{rest}"))?;
        }
    }
    Ok(())
}

/// A temporary file (`PID.tmp`) whose writer is gone.
fn is_abandoned(rest: &str) -> bool {
    rest.strip_suffix(".tmp")
        .and_then(|pid| pid.parse().ok())
        .is_some_and(|pid| matches!(crate::os::process::Identity::of(pid), Ok(None)))
}

/// What a job runs with of which no environment was captured (a hand-made entry): the variables that its launcher
/// kept, and a path if it had none.
pub fn fallback() -> Inherited {
    let mut inherited = Inherited::capture(|name| !KEPT_VARIABLES.contains(&name));
    if let (None, Ok(name), Ok(value)) =
        (inherited.get("PATH"), Bytes::try_from("PATH"), Bytes::try_from(PATH))
    {
        inherited.set(name, value);
    }
    inherited
}

/// Where programs are looked for when no path is known (`confstr(3)`, `_CS_PATH`, and what is common beside it).
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

fn file_name(name: &str) -> String {
    format!("{name}.json")
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        id::JobId,
        job::Job,
        spec::{Command, JobSpec},
    };

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open_or_create(&dir.path().join("root")).unwrap();
        (dir, root)
    }

    fn environment(value: &[u8]) -> Inherited {
        let mut inherited = Inherited::capture(|_| true);
        inherited.set(Bytes::try_from("NAME").unwrap(), Bytes::new(value).unwrap());
        inherited
    }

    #[test]
    fn the_same_environment_is_kept_once_and_read_back_byte_for_byte() {
        let (_dir, root) = root();
        let given = environment(b"\xff\xfe");
        let saved = save(&root, &given).unwrap();
        assert!(saved.is_new && stands(&root, &saved).unwrap());
        let again = save(&root, &given).unwrap();
        assert_eq!((&again.name, again.is_new), (&saved.name, false));
        let name = saved.name;
        assert_eq!(load(&root, &name).unwrap(), given);
        assert_eq!(root.environments().unwrap().names().unwrap().len(), 1);
    }

    #[test]
    fn a_changed_file_is_not_believed() {
        let (_dir, root) = root();
        let name = save(&root, &environment(b"a")).unwrap().name;
        std::fs::write(root.path().join("env").join(format!("{name}.json")), "{}").unwrap();
        assert!(load(&root, &name).unwrap_err().to_string().contains("not what its name says"));
    }

    #[test]
    fn what_a_power_cut_left_of_an_environment_is_written_anew() {
        let (_dir, root) = root();
        let given = environment(b"a");
        let saved = save(&root, &given).unwrap();
        let name = &saved.name;
        std::fs::write(root.path().join("env").join(format!("{name}.json")), "").unwrap();
        assert!(!stands(&root, &saved).unwrap());
        assert_eq!(save(&root, &given).unwrap(), saved);
        assert_eq!(load(&root, name).unwrap(), given);
    }

    #[test]
    fn what_no_job_names_is_swept_and_what_one_names_stays() {
        let (_dir, root) = root();
        let save = |value| save(&root, &environment(value)).unwrap().name;
        let (kept, unnamed) = (save(b"a"), save(b"b"));
        let folder = root.environments().unwrap();
        folder.create_file(&format!("{kept}.999999999.tmp")).unwrap();
        folder.create_file("README").unwrap();
        let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        spec.env = Some(kept.clone());
        let at = "2026-02-13T10:00:00Z".parse().unwrap();
        let facts = Facts::of([Job::new(JobId::parse("bg_20260213_aaaaaa").unwrap(), spec, at)]);
        assert_eq!(sweep(&root, &facts).unwrap(), 2);
        assert!(load(&root, &kept).is_ok() && load(&root, &unnamed).is_err());
        assert!(folder.has("README").unwrap(), "what is not ours stays");
    }
}
