//! Instants, sizes and counts in words.

use super::words::brief;
use crate::model::{Timestamp, limit::format_bytes};
use chrono::Local;

/// An instant in local time.
pub fn local(at: Timestamp) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Processor time: `0.25 s` below a minute, `3m5s` from there on.
pub fn cpu(milliseconds: u64) -> String {
    if milliseconds < 60_000 {
        format!("{}.{:02} s", milliseconds / 1_000, milliseconds % 1_000 / 10)
    } else {
        brief(milliseconds / 1_000)
    }
}

/// Memory as people read it.
pub fn memory(kib: u64) -> String {
    format_bytes(kib.saturating_mul(1_024))
}

/// A number of things: `1 job`, `2 jobs`.
pub fn count_of(count: usize, singular: &str, plural: &str) -> String {
    format!("{count} {}", if count == 1 { singular } else { plural })
}
