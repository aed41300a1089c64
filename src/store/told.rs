//! What the stream was told last of how the whole is: `last_health`.
//!
//! Whoever tells holds the file's lock from the comparison to the write, so that two ticks at the same time tell once. The
//! line comes first and the file second: who is killed in between tells it again at the next tick, at least once and never
//! not at all.

use super::{
    Store, Untold,
    root::{LAST_HEALTH, Root},
};
use crate::model::{Timestamp, health::HealthStatus, stream::Note};
use crate::os::record_lock;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

/// Longest content that is read.
const CONTENT_BYTES_MAX: u64 = 1024 * 1024;

/// What was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How the whole was.
    pub status: HealthStatus,
    /// What set its reasons apart.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// Tells how the whole is where that is news: it is otherwise than was told, or there is a reason that was not. That a
/// reason has gone is written down and not told. `words` are the reasons for people. Gives what the caller should be told.
pub fn tell(root: &Root, store: &dyn Store, now: Timestamp, is: &Told, words: &[String]) -> Option<String> {
    if told(root) == *is {
        return None;
    }
    tell_under_lock(root, store, now, is, words).unwrap_or_else(|error| {
        Some(format!("could not write {}: {error}", root.path().join(LAST_HEALTH).display()))
    })
}

/// What was told last; that all is well, where nothing was.
pub fn told(root: &Root) -> Told {
    let file = root.folder().open_file(LAST_HEALTH).ok().flatten();
    file.and_then(|file| read(&file).ok()).unwrap_or_default()
}

fn tell_under_lock(
    root: &Root,
    store: &dyn Store,
    now: Timestamp,
    is: &Told,
    words: &[String],
) -> io::Result<Option<String>> {
    let file = root.folder().open_or_create_file(LAST_HEALTH, false)?;
    // Somebody tells just now.
    if !record_lock::try_lock(&file)? {
        return Ok(None);
    }
    let was = read(&file).unwrap_or_default();
    let is_new = |reason: &String| !was.reasons.contains(reason);
    if is.status != was.status || is.reasons.iter().any(is_new) {
        let note = Note::Health { was: was.status, status: is.status, reasons: words.to_vec() };
        if let Err(Untold { warning }) = store.note(now, &note) {
            return Ok(warning);
        }
    }
    let mut line = serde_json::to_vec(is)?;
    line.push(b'\n');
    file.write_all_at(&line, 0)?;
    file.set_len(line.len() as u64)?;
    Ok(None)
}

/// The first line: behind it may be what a crash left of a longer one.
fn read(mut file: &File) -> io::Result<Told> {
    let mut text = Vec::new();
    file.by_ref().take(CONTENT_BYTES_MAX).read_to_end(&mut text)?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[test]
    fn what_somebody_else_tells_just_now_is_told_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open_or_create(&dir.path().join("root")).unwrap();
        let store = MemoryStore::default();
        let now = "2026-02-13T10:00:00Z".parse().unwrap();
        let is = Told { status: HealthStatus::Failing, reasons: vec!["disk_full".to_owned()] };
        let file = root.folder().open_or_create_file(LAST_HEALTH, false).unwrap();
        assert!(record_lock::try_lock(&file).unwrap());
        assert_eq!(tell(&root, &store, now, &is, &[]), None);
        assert!(store.told(0).unwrap().is_empty());
        drop(file);
        assert_eq!(tell(&root, &store, now, &is, &[]), None);
        assert_eq!((store.told(0).unwrap().len(), told(&root)), (1, is));
    }
}
