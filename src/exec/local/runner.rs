//! The runner: the one process that runs hooks.

use super::lone::{Held, Lone};
use crate::exec::ExecError;
use crate::model::hook::Cursor;
use crate::store::{
    hooked,
    root::{HOOKS_LOCK, Root},
    stream,
};
use std::io;

/// The hidden subcommand that the runner runs as: `bgctl __hooks ROOT`.
pub const RUNNER_COMMAND: &str = "__hooks";

/// The runner of a root.
pub const RUNNER: Lone = Lone { command: RUNNER_COMMAND, lock: HOOKS_LOCK };

/// Takes the lock, sees to it that there is a cursor, and writes down who has it. `None`: another runner has it.
///
/// The first cursor is before all lines: those that are for a hook say so, and none was run. One that somebody removed, or
/// that is beyond all lines, is set to the last one: rather no hook than the same twice.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let Some(mut held) = RUNNER.acquire(root)? else { return Ok(None) };
    let last = || stream::last_told(root).map_err(io::Error::other);
    match hooked::read(root).unwrap_or_default() {
        Some(cursor) if cursor.seq <= last()? => {}
        None if held.is_new()? => hooked::write(root, Cursor::default())?,
        Some(_) | None => hooked::write(root, Cursor { seq: last()?, hook: None })?,
    }
    held.sign()?;
    Ok(Some(held))
}

/// Launches the runner, unless it is there.
pub fn launch(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    RUNNER.launch(root, as_orphan).map_err(ExecError::Hooks)
}
