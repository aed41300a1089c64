//! Processes of which a root has one at a time, and only while there is something for it to do: the alarm, and the runner
//! of hooks.
//!
//! Its lock, held, proves that it is there. Whoever commits something for it looks at the lock, never taking it, and
//! launches one if it is free. One that leaves lets the lock go, looks once more whether there is something to do, and takes
//! it again if there is: so what was committed while the lock was held is seen by its holder, and what was committed later
//! finds it free.

use crate::os::{detach, folder::Folder, process::Identity, record_lock};
use crate::store::root::Root;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;

/// Longest content of the lock that is read.
const CONTENT_BYTES_MAX: u64 = 1_024;

/// Such a process.
#[derive(Clone, Copy, Debug)]
pub struct Lone {
    /// The hidden subcommand as which it runs: `bgctl COMMAND ROOT`.
    pub command: &'static str,
    /// Its lock.
    pub lock: &'static str,
}

/// The lock, held.
#[derive(Debug)]
pub struct Held(File);

impl Lone {
    /// Takes the lock. `None`: another one has it.
    pub fn acquire(self, root: &Root) -> io::Result<Option<Held>> {
        let file = root.folder().open_or_create_file(self.lock, false)?;
        Ok(record_lock::try_lock(&file)?.then_some(Held(file)))
    }

    /// Whether it is there.
    pub fn is_there(self, folder: &Folder) -> io::Result<bool> {
        folder.open_file(self.lock)?.map_or(Ok(false), |file| record_lock::is_held(&file))
    }

    /// Who wrote himself down as it last.
    pub fn recorded(self, folder: &Folder) -> io::Result<Option<Identity>> {
        let Some(file) = folder.open_file(self.lock)? else { return Ok(None) };
        let mut text = Vec::new();
        file.take(CONTENT_BYTES_MAX).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text).ok())
    }

    /// Launches it, unless it is there.
    pub fn launch(self, root: &Root, as_orphan: bool) -> io::Result<()> {
        if self.is_there(root.folder())? {
            return Ok(());
        }
        let arguments = [self.command.as_bytes(), root.path().as_os_str().as_bytes()]
            .map(|argument| CString::new(argument).unwrap_or_default());
        if as_orphan {
            detach::spawn_as_orphan(&arguments)
        } else {
            detach::spawn(&arguments).map(|_pid| ())
        }
    }
}

impl Held {
    /// Whether nobody ever wrote himself down in it.
    pub fn is_new(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.len() == 0)
    }

    /// Writes down who has it.
    pub fn sign(&mut self) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Identity::own()?)?;
        line.push(b'\n');
        self.0.seek(SeekFrom::Start(0))?;
        // On a full disk nothing can be written; the lock holds all the same.
        let _ = self.0.write_all(&line).and_then(|()| self.0.set_len(line.len() as u64));
        Ok(())
    }
}
