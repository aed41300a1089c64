//! The lock of the one process that asks GitHub: held, it proves that it is there.
//!
//! As with the alarm, whoever finds that GitHub has to be asked looks at the lock, never taking it, and launches one if it is
//! free. Before it leaves, it looks once more whether somebody began to wait meanwhile, who found the lock taken.

use super::present::{self, Held};
use crate::exec::ExecError;
use crate::os::{detach::NETWORK_VARIABLES, folder::Folder, process::Identity};
use crate::store::root::{POLL_LOCK, Root};
use std::io;

/// The hidden subcommand that asks: `bgctl __poll ROOT`.
pub const POLL_COMMAND: &str = "__poll";

/// Takes the lock, and writes down who has it. `None`: somebody else asks.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let own = Identity::own()?;
    present::take_as(root.folder(), POLL_LOCK, Some(own))
}

/// Whether somebody asks at this moment.
pub fn is_there(folder: &Folder) -> io::Result<bool> {
    present::is_held(folder, POLL_LOCK)
}

/// Who wrote himself down last as asking.
pub fn recorded(folder: &Folder) -> io::Result<Option<Identity>> {
    present::recorded(folder, POLL_LOCK)
}

/// Launches who asks, unless somebody asks at this moment.
pub fn launch(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    present::launch(root, POLL_LOCK, POLL_COMMAND, as_orphan, &NETWORK_VARIABLES).map_err(ExecError::Poll)
}
