//! This machine, this boot, this pid namespace.

use crate::model::claim::Site;

/// The site of this process.
pub fn here() -> Site {
    let uname = rustix::system::uname();
    Site {
        host: uname.nodename().to_string_lossy().into_owned(),
        machine: imp::machine(),
        boot: imp::boot(),
        pid_namespace: imp::pid_namespace(),
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::os::unix::fs::MetadataExt;

    fn first_line(path: &str) -> String {
        std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// `machine-id(5)`.
    pub fn machine() -> String {
        first_line("/etc/machine-id")
    }

    /// `random(4)`.
    pub fn boot() -> String {
        first_line("/proc/sys/kernel/random/boot_id")
    }

    /// `pid_namespaces(7)`: the inode names the namespace.
    pub fn pid_namespace() -> u64 {
        std::fs::metadata("/proc/self/ns/pid").map_or(0, |data| data.ino())
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub fn machine() -> String {
        String::new()
    }

    /// The time of boot in seconds names the boot well enough where there is nothing better.
    pub fn boot() -> String {
        sysinfo::System::boot_time().to_string()
    }

    pub fn pid_namespace() -> u64 {
        0
    }
}
