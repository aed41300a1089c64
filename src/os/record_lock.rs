//! Locks that live as long as an open file: held, they prove that their holder lives.
//!
//! On Linux open-file-description locks (`fcntl(2)`, `F_OFD_SETLK`): they belong to the open file, not to the
//! process, so that closing another descriptor of the same file does not drop them, and they can be tested
//! without being taken. Elsewhere `flock(2)`, which can only be tested by taking it for a moment.

use std::fs::File;
use std::io;

/// Takes the lock, without waiting. `false`: somebody holds it.
pub fn try_lock(file: &File) -> io::Result<bool> {
    imp::try_lock(file)
}

/// Whether somebody holds the lock, through another open of the same file.
pub fn is_held(file: &File) -> io::Result<bool> {
    imp::is_held(file)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "fcntl with OFD commands is in no safe library")]
mod imp {
    use super::{File, io};
    use std::os::fd::AsRawFd;

    fn whole_file() -> libc::flock {
        // SAFETY: all-zero is a valid value of this plain struct; l_pid must be 0 for OFD locks.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        lock.l_whence = libc::SEEK_SET as libc::c_short;
        lock
    }

    pub fn try_lock(file: &File) -> io::Result<bool> {
        let lock = whole_file();
        // SAFETY: the descriptor is open and the pointer is to a live struct that the kernel only reads.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
            0 => Ok(true),
            _ => match io::Error::last_os_error() {
                error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
                error => Err(error),
            },
        }
    }

    pub fn is_held(file: &File) -> io::Result<bool> {
        let mut lock = whole_file();
        // SAFETY: the descriptor is open and the pointer is to a live struct that the kernel fills in.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } {
            0 => Ok(lock.l_type != libc::F_UNLCK as libc::c_short),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{File, io};
    use rustix::fs::{FlockOperation, flock};
    use rustix::io::Errno;

    pub fn try_lock(file: &File) -> io::Result<bool> {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub fn is_held(file: &File) -> io::Result<bool> {
        match flock(file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                flock(file, FlockOperation::Unlock)?;
                Ok(false)
            }
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_through_another_open_and_goes_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let (holder, other) = (open(), open());
        assert!(!is_held(&other).unwrap());
        assert!(try_lock(&holder).unwrap());
        assert!(is_held(&other).unwrap());
        assert!(!try_lock(&other).unwrap());
        drop(open());
        assert!(is_held(&other).unwrap(), "closing another descriptor does not drop it");
        drop(holder);
        assert!(!is_held(&other).unwrap());
    }
}
