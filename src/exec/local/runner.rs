//! The lock of the one process that runs hooks: held, it proves that it is there.
//!
//! As with the alarm, whoever commits something for it looks at the lock, never taking it, and launches one if it is free.
//! One that leaves lets the lock go, looks once more whether a hook waits, and takes it again if one does: so what was
//! committed while the lock was held is seen by its holder, and what was committed later finds it free.

use super::present::{self, Held};
use crate::exec::ExecError;
use crate::model::hook::Cursor;
use crate::os::{folder::Folder, process::Identity};
use crate::store::{
    hooked,
    root::{HOOKS_LOCK, Root},
    stream,
};
use std::io;

/// The hidden subcommand that the runner runs as: `bgctl __hooks ROOT`.
pub const RUNNER_COMMAND: &str = "__hooks";

/// Takes the lock, sees to it that there is a cursor, and writes down who has it. `None`: another runner has it.
///
/// The first cursor is before all lines: those that are for a hook say so, and none was run. One that somebody removed, or
/// that is beyond all lines, is set to the last one: rather no hook than the same twice.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let Some(mut held) = present::take(root.folder(), HOOKS_LOCK)? else { return Ok(None) };
    let is_first = held.is_first()?;
    let last = stream::last_told(root).map_err(io::Error::other)?;
    let cursor = match hooked::read(root) {
        // What stands there is no cursor.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            None
        }
        other => other?,
    };
    match cursor {
        Some(cursor) if cursor.seq <= last => {}
        None if is_first => hooked::write(root, Cursor::default())?,
        Some(_) | None => hooked::write(root, Cursor { seq: last, hook: None })?,
    }
    held.write_down(Some(Identity::own()?))?;
    Ok(Some(held))
}

/// Who wrote himself down as the runner last.
pub fn recorded(folder: &Folder) -> io::Result<Option<Identity>> {
    present::recorded(folder, HOOKS_LOCK)
}

/// Launches the runner, unless it is there.
pub fn launch(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    present::launch(root, HOOKS_LOCK, RUNNER_COMMAND, as_orphan, &[]).map_err(ExecError::Hooks)
}
