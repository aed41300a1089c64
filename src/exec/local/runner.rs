//! The lock of the one process that runs hooks: held, it proves that it is there.
//!
//! As with the alarm, whoever commits something for it looks at the lock, never taking it, and launches one if it is free.
//! One that leaves lets the lock go, looks once more whether a hook waits, and takes it again if one does: so what was
//! committed while the lock was held is seen by its holder, and what was committed later finds it free.

use crate::exec::ExecError;
use crate::model::hook::Cursor;
use crate::os::{detach, folder::Folder, process::Identity, record_lock};
use crate::store::{
    hooked,
    root::{HOOKS_LOCK, Root},
    stream,
};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;

/// The hidden subcommand that the runner runs as: `bgctl __hooks ROOT`.
pub const RUNNER_COMMAND: &str = "__hooks";

/// Longest content of the lock that is read.
const CONTENT_BYTES_MAX: u64 = 1_024;

/// The lock, held.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held for its lock")] File);

/// Takes the lock, sees to it that there is a cursor, and writes down who has it. `None`: another runner has it.
///
/// The first cursor is before all lines: those that are for a hook say so, and none was run. One that somebody removed, or
/// that is beyond all lines, is set to the last one: rather no hook than the same twice.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let mut file = root.folder().open_or_create_file(HOOKS_LOCK, false)?;
    if !record_lock::try_lock(&file)? {
        return Ok(None);
    }
    let is_first = file.metadata()?.len() == 0;
    let last = stream::last_told(root).map_err(io::Error::other)?;
    match hooked::read(root).unwrap_or_default() {
        Some(cursor) if cursor.seq <= last => {}
        None if is_first => hooked::write(root, Cursor::default())?,
        Some(_) | None => hooked::write(root, Cursor { seq: last, hook: None })?,
    }
    let mut line = serde_json::to_vec(&Identity::own()?)?;
    line.push(b'\n');
    file.seek(SeekFrom::Start(0))?;
    // On a full disk nothing can be written; the lock holds all the same.
    let _ = file.write_all(&line).and_then(|()| file.set_len(line.len() as u64));
    Ok(Some(Held(file)))
}

/// Who wrote himself down as the runner last.
pub fn recorded(folder: &Folder) -> io::Result<Option<Identity>> {
    let Some(file) = folder.open_file(HOOKS_LOCK)? else { return Ok(None) };
    let mut text = Vec::new();
    file.take(CONTENT_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Launches the runner, unless it is there.
pub fn launch(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    let is_there = root
        .folder()
        .open_file(HOOKS_LOCK)
        .and_then(|file| file.map_or(Ok(false), |file| record_lock::is_held(&file)));
    if is_there.map_err(ExecError::Hooks)? {
        return Ok(());
    }
    let arguments = [RUNNER_COMMAND.as_bytes(), root.path().as_os_str().as_bytes()]
        .map(|argument| CString::new(argument).unwrap_or_default());
    let spawned = if as_orphan {
        detach::spawn_as_orphan(&arguments)
    } else {
        detach::spawn(&arguments).map(|_pid| ())
    };
    spawned.map_err(ExecError::Hooks)
}
