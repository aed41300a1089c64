//! What this program needs of the kernel, tried out.

use super::{
    process::{Handle, Identity},
    record_lock,
};
use std::io;
use std::path::Path;

/// What was tried, and what the kernel said. Only what can fail on a system that runs this program at all.
pub fn trials(scratch: &Path) -> Vec<(&'static str, io::Result<()>)> {
    let mut trials = vec![
        ("hold on to a process (pidfd_open, Linux 5.3)", hold_on()),
        ("test a lock without taking it (F_OFD_GETLK)", lock(scratch)),
    ];
    trials.push(("wait for changes of a folder (inotify)", imp::inotify()));
    trials
}

fn hold_on() -> io::Result<()> {
    Handle::open(Identity::own()?)?.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn lock(scratch: &Path) -> io::Result<()> {
    record_lock::is_held(&std::fs::File::open(scratch)?).map(drop)
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::fs::inotify;
    use std::io;

    pub fn inotify() -> io::Result<()> {
        Ok(inotify::init(inotify::CreateFlags::CLOEXEC).map(drop)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    pub fn inotify() -> io::Result<()> {
        Ok(())
    }
}
