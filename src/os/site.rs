//! This machine, this boot, this pid namespace.

use crate::model::claim::Site;
use std::io;

/// The site of this process.
///
/// An error where a part cannot be read: with a part guessed, every running job would seem another boot's.
pub fn here() -> io::Result<Site> {
    let uname = rustix::system::uname();
    Ok(Site {
        host: uname.nodename().to_string_lossy().into_owned(),
        machine: imp::machine()?,
        boot: imp::boot()?,
        pid_namespace: imp::pid_namespace()?,
    })
}

#[cfg(target_os = "linux")]
mod imp {
    use std::io;
    use std::os::unix::fs::MetadataExt;

    /// Containers may lack such a file; one that is there and cannot be read is another matter.
    fn unless_missing<T: Default>(result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            other => other,
        }
    }

    fn first_line(path: &str) -> io::Result<String> {
        unless_missing(std::fs::read_to_string(path)).map(|text| text.trim().to_owned())
    }

    /// `machine-id(5)`.
    pub fn machine() -> io::Result<String> {
        first_line("/etc/machine-id")
    }

    /// `random(4)`.
    pub fn boot() -> io::Result<String> {
        first_line("/proc/sys/kernel/random/boot_id")
    }

    /// `pid_namespaces(7)`: the inode names the namespace.
    pub fn pid_namespace() -> io::Result<u64> {
        unless_missing(std::fs::metadata("/proc/self/ns/pid").map(|data| data.ino()))
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use std::io;

    pub fn machine() -> io::Result<String> {
        Ok(String::new())
    }

    /// The time of boot in seconds names the boot well enough where there is nothing better.
    pub fn boot() -> io::Result<String> {
        Ok(sysinfo::System::boot_time().to_string())
    }

    pub fn pid_namespace() -> io::Result<u64> {
        Ok(0)
    }
}
