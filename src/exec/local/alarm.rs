//! The alarm's lock: held, it proves that a process waits for what comes due.
//!
//! Whoever commits something that is due soon looks at the lock, never taking it, and launches an alarm if it is free. An
//! alarm that leaves lets the lock go, looks at the index once more, and takes it again if something came in between: so
//! what was committed while the lock was held is seen by its holder, and what was committed later finds it free.

use super::failed_to_arm;
use crate::exec::ExecError;
use crate::os::{
    detach,
    folder::Folder,
    process::{self, Handle, Identity},
    record_lock,
};
use crate::store::root::{ALARM_LOCK, Root};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// The hidden subcommand that an alarm runs as: `bgctl __alarm ROOT`.
pub const ALARM_COMMAND: &str = "__alarm";

/// Longest content of the lock that is read.
const CONTENT_BYTES_MAX: u64 = 1_024;

/// The lock, held.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its lock")] File);

/// Takes the lock, and writes down who has it. `None`: another alarm has it.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let own = Identity::own()?;
    take(root.folder(), ALARM_LOCK, Some(own))
}

/// Takes the lock in the place of an alarm, so that none is launched. Nobody is written down: whoever does that is no alarm,
/// and when he is part of a job, its end is his.
pub fn stand_in(root: &Root) -> io::Result<Option<Held>> {
    take(root.folder(), ALARM_LOCK, None)
}

/// Ends the alarm that is there, if there is one. One that is killed does no harm: what it had begun, the next pass goes on
/// with. Gives whether it is gone; one of another machine or container cannot be ended.
pub fn end(root: &Root, limit: Duration) -> io::Result<bool> {
    let Some(present) = recorded(root.folder())?.filter(|who| is_alarm(*who)) else {
        return Ok(!is_there(root.folder())?);
    };
    let Some(handle) = Handle::open(present)? else { return Ok(true) };
    handle.signal(libc::SIGTERM)?;
    if !wait_for_end(present, limit) {
        // Stopped, as by a debugger: it holds up all others.
        handle.signal(libc::SIGKILL)?;
        return Ok(wait_for_end(present, limit));
    }
    Ok(true)
}

/// Whether a recorded process is still that alarm: a record may be of another boot.
fn is_alarm(who: Identity) -> bool {
    let is_one = |words: Vec<Vec<u8>>| words.get(1).is_some_and(|word| word == ALARM_COMMAND.as_bytes());
    who.is_alive() && process::arguments(who.pid).is_some_and(is_one)
}

fn wait_for_end(who: Identity, limit: Duration) -> bool {
    const INTERVAL: Duration = Duration::from_millis(2);
    let deadline = Instant::now() + limit;
    while who.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(INTERVAL);
    }
    true
}

/// Takes a lock that lives as long as its open file, and writes down who has it. `None`: somebody else has it.
pub(super) fn take(folder: &Folder, name: &str, who: Option<Identity>) -> io::Result<Option<Held>> {
    let mut file = folder.open_or_create_file(name, false)?;
    if !record_lock::try_lock(&file)? {
        return Ok(None);
    }
    let mut line = who.map(|who| serde_json::to_vec(&who)).transpose()?.unwrap_or_default();
    line.push(b'\n');
    file.seek(SeekFrom::Start(0))?;
    // On a full disk nothing can be written; the lock holds all the same.
    let _ = file.write_all(&line).and_then(|()| file.set_len(line.len() as u64));
    Ok(Some(Held(file)))
}

/// Whether an alarm is there.
pub fn is_there(folder: &Folder) -> io::Result<bool> {
    folder.open_file(ALARM_LOCK)?.map_or(Ok(false), |file| record_lock::is_held(&file))
}

/// Who wrote himself down as the alarm last.
pub fn recorded(folder: &Folder) -> io::Result<Option<Identity>> {
    written_down(folder, ALARM_LOCK)
}

/// Who wrote himself down in a lock's file last.
pub(super) fn written_down(folder: &Folder, name: &str) -> io::Result<Option<Identity>> {
    let Some(file) = folder.open_file(name)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Launches an alarm, unless one is there.
pub fn arm(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    if is_there(root.folder()).map_err(failed_to_arm)? {
        return Ok(());
    }
    let arguments = [ALARM_COMMAND.as_bytes(), root.path().as_os_str().as_bytes()]
        .map(|argument| CString::new(argument).unwrap_or_default());
    let spawned = if as_orphan {
        detach::spawn_as_orphan(&arguments)
    } else {
        detach::spawn(&arguments).map(|_pid| ())
    };
    spawned.map_err(failed_to_arm)
}
