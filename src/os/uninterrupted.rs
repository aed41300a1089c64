//! Calls that are made again when a signal, or a file system in a user's program or on another machine, interrupts them
//! (`EINTR`, `signal(7)`). The standard library does so for its own.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Result, retry_on_intr};
use rustix::path::Arg;

/// `open(2)`.
pub fn open(path: impl Arg + Copy, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    retry_on_intr(|| rustix::fs::open(path, flags, mode))
}

/// `openat(2)`.
pub fn openat(folder: impl AsFd, name: impl Arg + Copy, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    retry_on_intr(|| rustix::fs::openat(&folder, name, flags, mode))
}

/// `fsync(2)`; where that alone does not reach the disk, what does.
pub fn fsync(file: impl AsFd) -> Result<()> {
    #[cfg(target_vendor = "apple")]
    let sync = rustix::fs::fcntl_fullfsync;
    #[cfg(not(target_vendor = "apple"))]
    let sync = rustix::fs::fsync;
    retry_on_intr(|| sync(&file))
}
