//! The file system on which a folder is: of what kind, how full, and what it can do.

use super::{extent, folder::Folder};
use rustix::fs::StatVfsMountFlags;
use std::io::{self, Write};

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its kind.
    pub kind: Kind,
    /// Bytes that are free for this user.
    pub free_bytes: u64,
    /// Files that can still be made; none where the system does not count them.
    pub free_files: Option<u64>,
    /// Whether nothing can be written.
    pub is_read_only: bool,
}

/// Kinds of file systems that differ in what can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On a disk of this machine, as far as is known.
    Local,
    /// Of another machine: its name.
    Network(&'static str),
    /// By a program of this machine (FUSE).
    Program,
    /// A container's layer (overlayfs).
    Overlay,
    /// In memory (tmpfs).
    Memory,
}

/// What can be taken out of a file while others append to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holes {
    /// Blocks: a file stays an ordinary file.
    Collapses,
    /// Their space only.
    Punches,
    /// Nothing.
    None,
}

/// The file system of a folder.
pub fn of(folder: &Folder) -> io::Result<Volume> {
    let stat = rustix::fs::fstatvfs(folder)?;
    Ok(Volume {
        kind: imp::kind(folder)?,
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        free_files: (stat.f_files > 0).then_some(stat.f_favail),
        is_read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// What can be taken out of a file of that folder, tried on one without a name, which leaves no trace. `None`: there are no
/// such files.
pub fn holes(folder: &Folder) -> io::Result<Option<Holes>> {
    let Some(mut file) = folder.unnamed_file()? else { return Ok(None) };
    let block = extent::block_bytes(&file)?;
    file.write_all(&vec![b'x'; usize::try_from(block * 3).unwrap_or(0)])?;
    Ok(Some(if extent::collapse(&file, block, block)? {
        Holes::Collapses
    } else if extent::punch(&file, block, block)? {
        Holes::Punches
    } else {
        Holes::None
    }))
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{Folder, Kind, io};

    /// The numbers are those of `statfs(2)`.
    pub fn kind(folder: &Folder) -> io::Result<Kind> {
        let number = rustix::fs::fstatfs(folder)?.f_type as u64 & 0xffff_ffff;
        Ok(match number {
            0x6969 => Kind::Network("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Kind::Network("SMB"),
            0x0102_1997 => Kind::Network("9P"),
            0x5346_414f => Kind::Network("AFS"),
            0x00c3_6400 => Kind::Network("Ceph"),
            0x6573_5546 => Kind::Program,
            0x794c_7630 => Kind::Overlay,
            0x0102_1994 => Kind::Memory,
            _ => Kind::Local,
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Folder, Kind, io};

    pub fn kind(_folder: &Folder) -> io::Result<Kind> {
        Ok(Kind::Local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_this_machine_has_room_and_trying_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("root")).unwrap();
        let volume = of(&folder).unwrap();
        assert!(volume.free_bytes > 0 && !volume.is_read_only);
        assert_ne!(holes(&folder).unwrap(), Some(Holes::None));
        assert!(folder.names().unwrap().is_empty());
    }
}
