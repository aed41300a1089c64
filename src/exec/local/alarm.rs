//! The alarm: the one process that waits for what comes due.

use super::lone::{Held, Lone};
use crate::exec::ExecError;
use crate::store::root::{ALARM_LOCK, Root};
use std::io;

/// The hidden subcommand that an alarm runs as: `bgctl __alarm ROOT`.
pub const ALARM_COMMAND: &str = "__alarm";

/// The alarm of a root.
pub const ALARM: Lone = Lone { command: ALARM_COMMAND, lock: ALARM_LOCK };

/// Takes the lock, and writes down who has it. `None`: another alarm has it.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let Some(mut held) = ALARM.acquire(root)? else { return Ok(None) };
    held.sign()?;
    Ok(Some(held))
}

/// Launches an alarm, unless one is there.
pub fn arm(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    ALARM.launch(root, as_orphan).map_err(ExecError::Alarm)
}
