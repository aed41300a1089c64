//! Taking the middle out of a file while others append to it.

use std::fs::File;
use std::io;

/// The unit in which a file system can take parts out: offset and length must be multiples of it (`fallocate(2)`). Those
/// that say more than the largest can only make holes, which need no unit.
pub fn block_bytes(file: &File) -> io::Result<u64> {
    const BYTES_MIN: u64 = 4_096;
    const BYTES_MAX: u64 = 64 * 1_024;
    Ok(rustix::fs::fstatvfs(file)?.f_bsize.clamp(BYTES_MIN, BYTES_MAX))
}

/// Takes whole blocks out, so that what came after them moves up (`FALLOC_FL_COLLAPSE_RANGE`). A process that appends
/// meanwhile loses nothing: its next write goes to the new end. `false`: this file system cannot do that.
pub fn collapse(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    imp::collapse(file, offset, length)
}

/// Gives the space of a part back (`FALLOC_FL_PUNCH_HOLE`); it reads as NULs then. `false`: this file system cannot.
pub fn punch(file: &File, offset: u64, length: u64) -> io::Result<bool> {
    imp::punch(file, offset, length)
}

#[cfg(target_os = "linux")]
mod imp {
    use super::{File, io};
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    pub fn collapse(file: &File, offset: u64, length: u64) -> io::Result<bool> {
        done(fallocate(file, FallocateFlags::COLLAPSE_RANGE, offset, length))
    }

    pub fn punch(file: &File, offset: u64, length: u64) -> io::Result<bool> {
        done(fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length))
    }

    /// A file system whose units are larger than it says answers EINVAL.
    fn done(result: Result<(), Errno>) -> io::Result<bool> {
        match result {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{File, io};

    pub fn collapse(_file: &File, _offset: u64, _length: u64) -> io::Result<bool> {
        Ok(false)
    }

    pub fn punch(_file: &File, _offset: u64, _length: u64) -> io::Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};

    #[test]
    fn what_is_taken_out_is_gone_and_what_is_appended_stays() {
        let mut file = tempfile::tempfile().unwrap();
        let block = usize::try_from(block_bytes(&file).unwrap()).unwrap();
        for letter in *b"abc" {
            file.write_all(&vec![letter; block]).unwrap();
        }
        let (offset, length) = (block as u64, block as u64);
        if collapse(&file, offset, length).unwrap() {
            assert_eq!(file.metadata().unwrap().len(), 2 * length);
        } else {
            assert!(punch(&file, offset, length).unwrap());
        }
        let mut text = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut text).unwrap();
        text.retain(|byte| *byte != 0);
        assert_eq!(text, [vec![b'a'; block], vec![b'c'; block]].concat());
    }
}
