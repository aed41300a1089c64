//! A terminal that nobody sits at (`pty(7)`).

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::ffi::CString;
use std::os::fd::OwnedFd;

/// A new terminal, by its controlling side.
pub struct Terminal {
    control: OwnedFd,
    name: CString,
    /// Open until all is read: what is in a terminal whose last user has left can be lost.
    _kept_open: OwnedFd,
}

impl Terminal {
    /// With these keys typed ahead.
    #[track_caller]
    pub fn new(keys: &str) -> Self {
        let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&control).unwrap();
        unlockpt(&control).unwrap();
        rustix::io::ioctl_fionbio(&control, true).unwrap();
        let name = ptsname(&control, Vec::new()).unwrap();
        let kept_open = open(&name);
        assert_eq!(rustix::io::write(&control, keys.as_bytes()), Ok(keys.len()));
        Self { control, name, _kept_open: kept_open }
    }

    /// The end for a process.
    pub fn end(&self) -> OwnedFd {
        open(&self.name)
    }

    /// What was shown since this was asked last, the echo of the keys included.
    pub fn shown(&mut self) -> Vec<u8> {
        let (mut text, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        while let Ok(count @ 1..) = rustix::io::read(&self.control, &mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
        text
    }
}

fn open(name: &CString) -> OwnedFd {
    rustix::fs::open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap()
}
