//! Writing over an index that is damaged: the only place that does. What stood there is kept beside it.

use super::{StoreError, lock, root, root::Root};
use crate::model::{Timestamp, facts::Unreadable};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Largest index that is read.
const INDEX_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most copies that may be kept within one second.
const COPIES_MAX: u32 = 100;

/// Reads the index as it stands, be it damaged; `None` where there is none.
pub fn read(root: &Root) -> Result<Option<Vec<u8>>, StoreError> {
    let path = || root.path().join(root::INDEX);
    root.folder().read(root::INDEX, INDEX_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            StoreError::Unreadable { path: path(), reason: Unreadable::NotAFile(error.to_string()) }
        }
        _ => StoreError::System { doing: "read", path: path(), error },
    })
}

/// Puts another index in the place of the one that stands there, under the lock. `make` gives its text from the text that
/// stands there, or `None` to leave that alone. Gives where a copy of it is kept; `None` where there was none.
///
/// The copy is durable before the new index takes the place: there is no instant without an index, which would be taken
/// for an empty one.
pub fn replace<E: From<StoreError>>(
    root: &Root,
    wait_max: Duration,
    now: Timestamp,
    make: impl FnOnce(Option<Vec<u8>>) -> Result<Option<String>, E>,
) -> Result<Option<PathBuf>, E> {
    lock::locked(root.folder(), wait_max, || {
        let damaged = read(root)?;
        let Some(text) = make(damaged.clone())? else { return Ok(None) };
        let kept = damaged.map(|damaged| keep(root, now, &damaged)).transpose()?;
        let failed =
            |error| StoreError::System { doing: "write", path: root.path().join(root::INDEX), error };
        root.folder()
            .replace(root::INDEX, root::INDEX_TEMPORARY, text.as_bytes(), true)
            .and_then(|()| root.folder().sync())
            .map_err(failed)?;
        Ok(kept.map(|name| root.path().join(name)))
    })?
}

/// Copies what stands there.
fn keep(root: &Root, now: Timestamp, damaged: &[u8]) -> Result<String, StoreError> {
    let stamp = now.format("%Y%m%d-%H%M%S");
    let mut name = format!("{}{stamp}", root::DAMAGED);
    for number in 2.. {
        match root.folder().create_file(&name) {
            Ok(mut file) => {
                let written = file
                    .write_all(damaged)
                    .and_then(|()| file.sync_all())
                    .and_then(|()| root.folder().sync());
                return written.map(|()| name.clone()).map_err(|error| {
                    let _ = root.folder().remove(&name);
                    StoreError::System { doing: "write", path: root.path().join(&name), error }
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number <= COPIES_MAX => {
                name = format!("{}{stamp}-{number}", root::DAMAGED);
            }
            Err(error) => {
                return Err(StoreError::System { doing: "write", path: root.path().join(&name), error });
            }
        }
    }
    Ok(name)
}
