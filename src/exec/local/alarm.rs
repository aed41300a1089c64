//! The alarm's lock: held, it proves that a process waits for what comes due.
//!
//! Whoever commits something that is due soon looks at the lock, never taking it, and launches an alarm if it is free. An
//! alarm that leaves lets the lock go, looks at the index once more, and takes it again if something came in between: so
//! what was committed while the lock was held is seen by its holder, and what was committed later finds it free.

use super::failed_to_arm;
use crate::exec::ExecError;
use crate::os::{detach, folder::Folder, process::Identity, record_lock};
use crate::store::root::{ALARM_LOCK, Root};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;

/// The hidden subcommand that an alarm runs as: `bgctl __alarm ROOT`.
pub const ALARM_COMMAND: &str = "__alarm";

/// Longest content of the lock that is read.
const CONTENT_BYTES_MAX: u64 = 1_024;

/// The lock, held.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its lock")] File);

/// Takes the lock, and writes down who has it. `None`: another alarm has it.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let mut file = root.folder().open_or_create_file(ALARM_LOCK, false)?;
    if !record_lock::try_lock(&file)? {
        return Ok(None);
    }
    let mut line = serde_json::to_vec(&Identity::own()?)?;
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
    let Some(file) = folder.open_file(ALARM_LOCK)? else { return Ok(None) };
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
