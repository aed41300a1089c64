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

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn damaged(text: &str) -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open_or_create(&dir.path().join("root")).unwrap();
        std::fs::write(root.path().join(root::INDEX), text).unwrap();
        (dir, root)
    }

    fn rebuild(root: &Root) -> Result<Option<PathBuf>, StoreError> {
        replace(root, lock::WAIT_MAX, now(), |_| Ok(Some("new".to_owned())))
    }

    fn index(root: &Root) -> String {
        std::fs::read_to_string(root.path().join(root::INDEX)).unwrap()
    }

    #[test]
    fn each_copy_has_a_name_of_its_own_and_where_there_is_no_name_left_the_index_stays() {
        let (_dir, root) = damaged("0");
        for number in 1..=COPIES_MAX {
            std::fs::write(root.path().join(root::INDEX), number.to_string()).unwrap();
            let kept = rebuild(&root).unwrap().unwrap();
            assert_eq!(std::fs::read_to_string(kept).unwrap(), number.to_string());
        }
        std::fs::write(root.path().join(root::INDEX), "one more").unwrap();
        let error = rebuild(&root).unwrap_err().to_string();
        assert!(error.contains("jobs.json.damaged-20260213-100000-100"), "{error}");
        assert_eq!(index(&root), "one more");
    }

    #[test]
    fn an_index_that_is_no_file_is_not_replaced() {
        let (_dir, root) = damaged("");
        std::fs::remove_file(root.path().join(root::INDEX)).unwrap();
        std::fs::create_dir(root.path().join(root::INDEX)).unwrap();
        assert!(matches!(read(&root), Err(StoreError::Unreadable { reason: Unreadable::NotAFile(_), .. })));
        assert!(rebuild(&root).is_err());
        assert!(root.path().join(root::INDEX).is_dir());
    }

    #[test]
    fn an_index_that_cannot_be_written_stays_and_its_copy_too() {
        let (_dir, root) = damaged("old");
        // Nothing takes the place of a folder that is not empty.
        std::fs::create_dir_all(root.path().join(root::INDEX_TEMPORARY).join("x")).unwrap();
        let error = rebuild(&root).unwrap_err().to_string();
        assert!(error.contains(root::INDEX), "{error}");
        assert_eq!(index(&root), "old");
    }
}
