//! Locks that prove that a process is there: the alarm, the supervisor, the runner of hooks. Each lives as long as its open
//! file, and the file says who took it last.

use crate::os::{detach, folder::Folder, process::Identity, record_lock};
use crate::store::root::Root;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Longest content of a lock that is read.
const CONTENT_BYTES_MAX: u64 = 1_024;

/// A lock, held.
#[derive(Debug)]
pub struct Held(File);

/// Takes a lock. `None`: somebody else has it.
pub fn take(folder: &Folder, name: &str) -> io::Result<Option<Held>> {
    let file = folder.open_or_create_file(name, false)?;
    Ok(if record_lock::try_lock(&file)? { Some(Held(file)) } else { None })
}

impl Held {
    /// Whether nobody has ever written himself down.
    pub fn is_first(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.len() == 0)
    }

    /// Writes down who has it; `None`: nobody.
    pub fn write_down(&mut self, who: Option<Identity>) -> io::Result<()> {
        let mut line = who.map(|who| serde_json::to_vec(&who)).transpose()?.unwrap_or_default();
        line.push(b'\n');
        self.0.seek(SeekFrom::Start(0))?;
        // On a full disk nothing can be written; the lock holds all the same.
        let _ = self.0.write_all(&line).and_then(|()| self.0.set_len(line.len() as u64));
        Ok(())
    }
}

/// Takes a lock, and writes down who has it, if anybody is to be. `None`: somebody else has it.
pub fn take_as(folder: &Folder, name: &str, who: Option<Identity>) -> io::Result<Option<Held>> {
    let Some(mut held) = take(folder, name)? else { return Ok(None) };
    held.write_down(who)?;
    Ok(Some(held))
}

/// Whether somebody holds a lock. Looking takes nothing.
pub fn is_held(folder: &Folder, name: &str) -> io::Result<bool> {
    folder.open_file(name)?.map_or(Ok(false), |file| record_lock::is_held(&file))
}

/// Who wrote himself down in a lock's file last.
pub fn recorded(folder: &Folder, name: &str) -> io::Result<Option<Identity>> {
    let Some(file) = folder.open_file(name)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Whether somebody is there who holds a lock. A child that he had just forked when he was killed has the open file, too, and
/// holds it for a moment longer; who took that for him would leave it to nobody.
fn is_somebody_there(folder: &Folder, name: &str) -> io::Result<bool> {
    let deadline = Instant::now() + GOING_MAX;
    while is_held(folder, name)? {
        let lives = recorded(folder, name)?.is_none_or(Identity::is_alive);
        // In another pid namespace he may be there, and not be seen from here.
        if lives || Instant::now() >= deadline {
            return Ok(true);
        }
        std::thread::sleep(GOING_INTERVAL);
    }
    Ok(false)
}

/// How long is waited for whoever still holds a lock although the one who took it is gone, and how often is looked.
const GOING_MAX: Duration = Duration::from_millis(100);
const GOING_INTERVAL: Duration = Duration::from_millis(2);

/// Launches a process of this program for a root, unless its lock is held. `variables` go with it beside those that always do.
pub fn launch(
    root: &Root,
    name: &str,
    subcommand: &str,
    as_orphan: bool,
    variables: &[&str],
) -> io::Result<()> {
    if is_somebody_there(root.folder(), name)? {
        return Ok(());
    }
    let arguments = [subcommand.as_bytes(), root.path().as_os_str().as_bytes()]
        .map(|argument| CString::new(argument).unwrap_or_default());
    if as_orphan {
        detach::spawn_as_orphan(&arguments, variables)
    } else {
        detach::spawn(&arguments, variables).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_whose_taker_is_gone_is_waited_for_and_one_that_nobody_signed_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("root")).unwrap();
        let there = || is_somebody_there(&folder, "some.lock").unwrap();
        assert!(!there());
        let own = Identity::own().unwrap();
        let held = take_as(&folder, "some.lock", Some(own)).unwrap().unwrap();
        assert!(there());
        drop(held);
        assert!(!there());
        let held = take_as(&folder, "some.lock", None).unwrap().unwrap();
        assert!(there(), "who stands in does not sign");
        drop(held);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = Identity { pid: i32::try_from(child.id()).unwrap(), ..own };
        child.wait().unwrap();
        let held = take_as(&folder, "some.lock", Some(gone)).unwrap().unwrap();
        std::thread::scope(|threads| {
            let looks = threads.spawn(there);
            // It may find it free at once, or wait until it is.
            std::thread::sleep(GOING_INTERVAL);
            drop(held);
            assert!(!looks.join().unwrap());
        });
    }
}
