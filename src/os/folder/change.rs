//! How what is in a folder is changed: replaced whole, added to, and made durable where it has to be.

use super::{FILE_FLAGS, Folder, no_file, openat, regular};
use crate::os::uninterrupted::fsync;
use rustix::fs::{Mode, OFlags, fstat, renameat};
use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::Ordering;

impl Folder {
    /// Whether what this process makes durable in here survives a power cut; it does unless this says otherwise. Where it need
    /// not, nothing waits for the disk.
    pub fn set_synced(&self, is_synced: bool) {
        self.is_synced.store(is_synced, Ordering::Relaxed);
    }

    /// Puts a file's new content in its place in one step: written beside it as `temporary`, made durable if
    /// `durable`, renamed over it. The name is durable only after [`Folder::sync`].
    ///
    /// A `temporary` that a crash left behind is removed first. Only one process may do this at a time for one
    /// `temporary`. Until the rename has happened, a failure leaves nothing behind and `name` as it was.
    pub fn replace(&self, name: &str, temporary: &str, content: &[u8], durable: bool) -> io::Result<()> {
        self.replace_and_open(name, temporary, content, durable).map(drop)
    }

    /// The same, and gives the new file, open to write.
    pub fn replace_and_open(
        &self,
        name: &str,
        temporary: &str,
        content: &[u8],
        durable: bool,
    ) -> io::Result<File> {
        let put = self.write_new(temporary, content, durable).and_then(|file| {
            renameat(&self.fd, temporary, &self.fd, name)?;
            Ok(file)
        });
        if put.is_err() {
            let _ = self.remove(temporary);
        }
        put
    }

    /// A new file with this content, in the place of one that may be there.
    pub(super) fn write_new(&self, name: &str, content: &[u8], durable: bool) -> io::Result<File> {
        let mut file = match self.create_file(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.remove(name)?;
                self.create_file(name)?
            }
            other => other?,
        };
        file.write_all(content)?;
        if durable {
            self.sync_file(&file)?;
        }
        Ok(file)
    }

    /// Adds to the end of a file that is there, and `length` long: all of it, or nothing.
    pub fn append(&self, name: &str, length: u64, content: &[u8]) -> io::Result<()> {
        let fd = openat(&self.fd, name, FILE_FLAGS | OFlags::WRONLY | OFlags::APPEND, Mode::empty())
            .map_err(no_file)?;
        let stat = fstat(&fd)?;
        regular(&stat)?;
        if u64::try_from(stat.st_size).ok() != Some(length) {
            return Err(io::Error::other("somebody else has changed it meanwhile"));
        }
        let mut file = File::from(fd);
        file.write_all(content).inspect_err(|_| {
            let _ = file.set_len(length);
        })
    }

    /// Makes the names in this folder durable (`fsync(2)` of the folder), where they have to be.
    pub fn sync(&self) -> io::Result<()> {
        if self.is_synced() { Ok(fsync(&self.fd)?) } else { Ok(()) }
    }

    /// Makes the content of a file of this folder durable (`fsync(2)`), where it has to be.
    pub fn sync_file(&self, file: &File) -> io::Result<()> {
        if self.is_synced() { file.sync_all() } else { Ok(()) }
    }

    pub(super) fn is_synced(&self) -> bool {
        self.is_synced.load(Ordering::Relaxed)
    }
}
