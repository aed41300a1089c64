//! What is believed of a file or a folder in a folder of ours, and what is said of one that is not.

use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::io;
use std::sync::OnceLock;

/// The user as whom this process works, which it never changes.
pub fn own_user() -> u32 {
    static OWN: OnceLock<u32> = OnceLock::new();
    *OWN.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// What is in a folder of ours may have been put there by somebody else while the folder was open to him: it is neither
/// believed nor written. The superuser is believed, who could do anything anyway.
pub fn trusted(stat: &Stat) -> io::Result<()> {
    let (owner, you) = (stat.st_uid, own_user());
    if owner == you || owner == 0 {
        return Ok(());
    }
    let text = format!("belongs to user {owner}, not to you (user {you})");
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// Nothing but a plain file that is believed.
pub fn regular(stat: &Stat) -> io::Result<()> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is not a regular file"));
    }
    trusted(stat)
}

/// Why there is no file of ours.
pub fn no_file(error: Errno) -> io::Error {
    let what = match error {
        Errno::LOOP => "is a symbolic link",
        // A socket; or a pipe that nobody reads, opened to write.
        Errno::NXIO => "is not a regular file",
        error => return error.into(),
    };
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Why there is no folder of ours.
pub fn no_folder(error: Errno) -> io::Error {
    let what = match error {
        // With O_DIRECTORY, a link is reported as not a folder.
        Errno::LOOP | Errno::NOTDIR => "is not a folder, or a link to one",
        error => return error.into(),
    };
    io::Error::new(io::ErrorKind::InvalidData, what)
}
