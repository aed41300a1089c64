//! A submission.

use super::words::waiting_named;
use crate::model::{Timestamp, job::Job};
use crate::ops::start::Submitted;
use crate::render::safe;

/// Why a submitted job does not run at once.
pub fn place(submitted: &Submitted, now: Timestamp) -> Option<String> {
    submitted.waits.as_ref().map(|waits| format!("queued: {}", waiting_named(waits, &submitted.holders, now)))
}

/// What would be submitted.
pub fn foreseen(job: &Job) -> String {
    let limits = job.spec.limits;
    let mut text = format!("would start: {}\n", safe::line(&job.spec.display));
    text.push_str(&format!("  in {}\n", safe::line(&job.spec.cwd.to_text())));
    text.push_str(&format!(
        "  timeout {}, stale after {}, grace {}, log at most {}\n",
        limits.timeout, limits.stale_after, limits.grace, limits.log
    ));
    if job.spec.service {
        text.push_str("  a service: outside the slots, until it is cancelled\n");
    }
    if !job.spec.variables.is_empty() {
        let names: Vec<String> = job.spec.variables.iter().map(|name| safe::line(name)).collect();
        text.push_str(&format!("  with {} set\n", names.join(", ")));
    }
    text
}
