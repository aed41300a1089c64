//! Writing over an index that is damaged: the only place that does. What stood there is kept beside it.

use super::{
    StoreError,
    file::index::{self, file_name},
    lock, root,
    root::Root,
};
use crate::model::{
    Timestamp,
    config::{Durability, StoreType},
    facts::{Facts, Unreadable},
};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Largest index that is read.
const INDEX_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Most copies that may be kept within one second.
const COPIES_MAX: u32 = 100;

/// The index as it stands, be it damaged, and its form; no text where there is none.
pub fn read(root: &Root) -> Result<(StoreType, Option<Vec<u8>>), StoreError> {
    let form = index::form(root).map_err(|error| StoreError::System {
        doing: "look for",
        path: root.path().join(root::LINES),
        error,
    })?;
    let path = || root.path().join(file_name(form));
    let text = root.folder().read(file_name(form), INDEX_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => {
            StoreError::Unreadable { path: path(), reason: Unreadable::NotAFile(error.to_string()) }
        }
        _ => StoreError::System { doing: "read", path: path(), error },
    })?;
    Ok((form, text))
}

/// Puts another index in the place of the one that stands there, in the same form, under the lock. `make` gives it from the
/// form and the text that stands there, or `None` to leave that alone. Gives where a copy of it is kept; `None` where there was
/// none.
///
/// The copy is durable before the new index takes the place: there is no instant without an index, which would be taken
/// for an empty one.
pub fn replace<E: From<StoreError>>(
    root: &Root,
    wait_max: Duration,
    now: Timestamp,
    make: impl FnOnce(StoreType, Option<&[u8]>) -> Result<Option<Facts>, E>,
) -> Result<Option<PathBuf>, E> {
    // All of it is written anew: that survives, whatever the settings say of a change.
    root.set_durability(Durability::Power);
    lock::locked(root.folder(), wait_max, || {
        let (form, damaged) = read(root)?;
        let Some(facts) = make(form, damaged.as_deref())? else { return Ok(None) };
        let kept = damaged.map(|damaged| keep(root, form, now, &damaged)).transpose()?;
        index::put(root, form, &facts, now).map_err(|error| StoreError::System {
            doing: "write",
            path: root.path().join(file_name(form)),
            error,
        })?;
        Ok(kept.map(|name| root.path().join(name)))
    })?
}

/// Gives the index that form, under the lock, with all that it says. `allow` is told the form that it has, and may refuse. One
/// that is not there yet is made.
pub fn put<E: From<StoreError>>(
    root: &Root,
    wait_max: Duration,
    now: Timestamp,
    to: StoreType,
    allow: impl FnOnce(StoreType, &Facts) -> Result<(), E>,
) -> Result<(), E> {
    root.set_durability(Durability::Power);
    lock::locked(root.folder(), wait_max, || {
        let (form, text) = read(root)?;
        let unreadable = |reason| StoreError::Unreadable { path: root.path().join(file_name(form)), reason };
        if form == StoreType::Lines && text.is_none() {
            return Err(unreadable(index::is_gone()).into());
        }
        let facts = index::parse_or_empty(form, text).map_err(unreadable)?;
        facts.writable().map_err(unreadable)?;
        // Nothing of it may be lost, and what cannot be read whole may not be written in the other form.
        facts.check().map_err(|damage| unreadable(damage.into()))?;
        allow(form, &facts)?;
        index::put(root, to, &facts, now).map_err(|error| {
            StoreError::System { doing: "write", path: root.path().join(file_name(to)), error }.into()
        })
    })?
}

/// Copies what stands there.
fn keep(root: &Root, form: StoreType, now: Timestamp, damaged: &[u8]) -> Result<String, StoreError> {
    let plain = format!("{}{}{}", file_name(form), root::DAMAGED, now.format("%Y%m%d-%H%M%S"));
    let mut name = plain.clone();
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
                name = format!("{plain}-{number}");
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
        replace(root, lock::WAIT_MAX, now(), |_, _| Ok(Some(Facts::default())))
    }

    fn text(root: &Root) -> String {
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
        assert_eq!(text(&root), "one more");
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
        assert_eq!(text(&root), "old");
    }
}
