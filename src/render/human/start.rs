//! A submission.

use crate::model::{job::Job, state::Status};
use crate::ops::start::Submitted;
use crate::render::safe;

/// Why a submitted job does not run at once.
pub fn place(submitted: &Submitted) -> Option<String> {
    if submitted.job.status() != Status::Queued {
        return None;
    }
    let slots = match submitted.slots {
        0 => "no slot is free".to_owned(),
        1 => "the slot is held by a running job".to_owned(),
        held => format!("{held} jobs hold the slots"),
    };
    let ahead = match submitted.ahead {
        0 => "it is next".to_owned(),
        1 => "1 job is ahead of it".to_owned(),
        many => format!("{many} jobs are ahead of it"),
    };
    Some(format!("queued: {slots}, {ahead}"))
}

/// What would be submitted.
pub fn foreseen(job: &Job) -> String {
    let limits = job.spec.limits;
    let mut text = format!("would start: {}\n", safe::line(&job.spec.display));
    text.push_str(&format!("  in {}\n", safe::line(&job.spec.cwd.to_text())));
    text.push_str(&format!(
        "  timeout {}, stale after {}, grace {}\n",
        limits.timeout, limits.stale_after, limits.grace
    ));
    text
}
