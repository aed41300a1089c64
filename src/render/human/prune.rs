//! What retention did.

use super::words::{end_status, shorten, title};
use crate::ops::prune::Pruned;

/// What retention did, a line a job.
pub fn pruned(pruned: &Pruned) -> String {
    pruned
        .jobs
        .iter()
        .map(|job| format!("{}  {}  {}\n", job.id, end_status(job), shorten(&title(job), 80)))
        .collect()
}
