//! The logs of all jobs together, and the space they take.

use super::{
    StoreError,
    root::{Root, cut_name, log_name},
};
use crate::model::{
    Timestamp,
    facts::{Facts, Head},
    id::JobId,
    limit::format_bytes,
};
use crate::plan::shed::LogSize;
use std::io;
use std::os::unix::fs::FileExt;

/// The space that a job's log takes; 0 where there is none.
pub fn allocated_bytes(root: &Root, id: &JobId) -> u64 {
    let runs = root.existing_runs().ok().flatten();
    runs.and_then(|runs| runs.allocated_bytes(&log_name(id)).ok()).unwrap_or(0)
}

/// The space that each log takes.
pub fn sizes(root: &Root, facts: &Facts) -> Vec<LogSize> {
    let size = |head: &Head| LogSize {
        id: head.id.clone(),
        has_ended: head.status.has_ended(),
        ended_at: head.ended_at,
        bytes: allocated_bytes(root, &head.id),
    };
    facts.heads().map(size).collect()
}

/// The space that run files take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// All of them.
    pub runs_bytes: u64,
    /// The logs among them.
    pub logs_bytes: u64,
}

/// The space that run files take, those included of which the index does not know.
pub fn space(root: &Root) -> Result<Space, StoreError> {
    let mut space = Space::default();
    let Some(runs) = root.existing_runs()? else { return Ok(space) };
    let failed = |error| StoreError::System { doing: "read", path: runs.path().to_owned(), error };
    for name in runs.names().map_err(failed)? {
        let Some(name) = name.to_str() else { continue };
        // What went away meanwhile takes nothing.
        let bytes = runs.allocated_bytes(name).unwrap_or(0);
        space.runs_bytes += bytes;
        if name.strip_suffix(".log").is_some() {
            space.logs_bytes += bytes;
        }
    }
    Ok(space)
}

/// Removes what a log of an ended job says and leaves a line that tells of it. Works on a full disk.
pub fn let_go(root: &Root, id: &JobId, bytes_max: u64, now: Timestamp) -> Result<(), StoreError> {
    let runs = root.runs()?;
    let name = log_name(id);
    let failed =
        |error: io::Error| StoreError::System { doing: "remove", path: runs.path().join(&name), error };
    let file = runs.open_or_create_file(&name, false).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let text = format!(
        "--- {} of output removed on {}: all logs together are limited to {} (log.total_bytes_max) ---\n",
        format_bytes(bytes),
        now.format("%Y-%m-%d %H:%M:%SZ"),
        format_bytes(bytes_max)
    );
    let say = || file.write_all_at(text.as_bytes(), 0);
    // Written over what goes, so that nobody ever finds an empty log that does not say why. Where a full disk has no room for that
    // (it may write elsewhere), there is some as soon as the log is empty.
    say()
        .or_else(|_| file.set_len(0).and_then(|()| say()))
        .and_then(|()| file.set_len(text.len() as u64))
        .map_err(failed)?;
    runs.remove(&cut_name(id)).map_err(failed)?;
    Ok(())
}
