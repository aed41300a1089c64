//! Knowing that nobody else has a file open: a write lease (`fcntl(2)`, "Leases"), which the kernel gives only then.

use std::fs::File;

/// While this is there, whoever opens the file waits; who asked not to wait is refused (`EAGAIN`).
#[derive(Debug)]
pub struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    /// The lease of a file of ours. `None`: somebody has it open through another open of the same file, or neither the system nor the
    /// file system can tell.
    pub fn take(file: &'a File) -> Option<Self> {
        imp::take(file).then_some(Self(file))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        imp::give_back(self.0);
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "leases are in no safe library")]
mod imp {
    use super::File;
    use std::os::fd::AsRawFd;

    /// What tells us that somebody opens the file. Ignored by default (`signal(7)`), in contrast to the `SIGIO` that would come
    /// without this: who opens it has to wait for us, and not we for him.
    const SIGNAL: libc::c_int = libc::SIGWINCH;

    /// As in `asm-generic/fcntl.h`; `libc` does not have it.
    const F_SETSIG: libc::c_int = 10;

    pub fn take(file: &File) -> bool {
        let fd = file.as_raw_fd();
        // SAFETY: the descriptor is open, and the arguments of both commands are numbers.
        unsafe {
            libc::fcntl(fd, F_SETSIG, SIGNAL) == 0 && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
        }
    }

    pub fn give_back(file: &File) {
        // SAFETY: as above.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::File;

    pub fn take(_file: &File) -> bool {
        false
    }

    pub fn give_back(_file: &File) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn it_is_given_to_who_alone_has_the_file_open_and_nobody_opens_it_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let ours = File::create(&path).unwrap();
        let reader = File::open(&path).unwrap();
        assert!(Lease::take(&ours).is_none());
        drop(reader);
        let lease = Lease::take(&ours).unwrap();
        let open = || File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
        assert_eq!(open().unwrap_err().raw_os_error(), Some(libc::EAGAIN));
        drop(lease);
        open().unwrap();
    }
}
