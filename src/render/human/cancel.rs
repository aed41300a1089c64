//! How a cancel went.

use super::words::{end_status, named};
use crate::model::state::Status;
use crate::ops::cancel::{CancelResult, Cancelled};
use crate::render::safe;

/// How a cancel went.
pub fn cancelled(one: &Cancelled) -> String {
    let id = &one.job.id;
    let status = one.job.status();
    match &one.result {
        CancelResult::Done if status == Status::Cancelled => format!("{id} cancelled"),
        CancelResult::Done => format!("{id} {status}: it ended before it could be cancelled"),
        CancelResult::HadEnded => {
            format!("{id} had ended already ({}); nothing was done", end_status(&one.job))
        }
        CancelResult::Asked => format!("{id} is told to end"),
        CancelResult::Stuck(processes) => {
            format!("{id} cannot be ended and is still running: {}", named(processes))
        }
        CancelResult::OutOfReach(host) => {
            format!("{id} runs on {}; it ends when bgctl tick runs there", safe::line(host))
        }
    }
}
