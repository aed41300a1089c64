//! How far the hooks have come, and what the latest of them printed.
//!
//! Only the holder of the hooks' lock writes these. The cursor is made durable before the hook that it names begins: so a
//! hook begins at most once, whatever is killed or loses its power.

use super::root::{HOOKED, HOOKED_TEMPORARY, HOOKS_LOG, HOOKS_LOG_TEMPORARY, Root};
use crate::model::hook::Cursor;
use std::io::{self, Write};

/// Largest cursor that is read.
const CURSOR_BYTES_MAX: u64 = 1_024;

/// Size of what hooks printed beyond which the older half goes.
pub const LOG_BYTES_MAX: u64 = 256 * 1024;

/// How far the hooks have come; `None` where none was ever run, or somebody removed the file.
pub fn read(root: &Root) -> io::Result<Option<Cursor>> {
    let Some(text) = root.folder().read(HOOKED, CURSOR_BYTES_MAX)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Makes it durable.
pub fn write(root: &Root, cursor: Cursor) -> io::Result<()> {
    let mut text = serde_json::to_vec(&cursor)?;
    text.push(b'\n');
    root.folder().replace(HOOKED, HOOKED_TEMPORARY, &text, true)?;
    root.folder().sync()
}

/// Adds what a hook printed.
pub fn log(root: &Root, text: &[u8]) -> io::Result<()> {
    let folder = root.folder();
    let mut file = folder.open_or_create_file(HOOKS_LOG, true)?;
    if file.metadata()?.len() + text.len() as u64 <= LOG_BYTES_MAX {
        return file.write_all(text);
    }
    // Nobody but its owner writes there; one that is larger all the same is not ours to keep.
    let mut kept = folder.read(HOOKS_LOG, LOG_BYTES_MAX).ok().flatten().unwrap_or_default();
    let half = kept.len() / 2;
    let newline = kept[half..].iter().position(|byte| *byte == b'\n').unwrap_or(kept.len() - half);
    kept.drain(..(half + newline + 1).min(kept.len()));
    kept.extend_from_slice(text);
    folder.replace(HOOKS_LOG, HOOKS_LOG_TEMPORARY, &kept, false)
}
