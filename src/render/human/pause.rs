//! How a pause or a resume went.

use super::words::end_status;
use crate::ops::pause::{PauseResult, Paused, Wanted};
use crate::render::safe;

/// How a pause or a resume went.
pub fn paused(one: &Paused, wanted: Wanted) -> String {
    let id = &one.job.id;
    let is_pause = wanted == Wanted::Paused;
    let done = if is_pause { "paused" } else { "resumed" };
    match &one.result {
        PauseResult::Done => format!("{id} {done}"),
        PauseResult::WasSo if is_pause => format!("{id} was paused already"),
        PauseResult::WasSo => format!("{id} was not paused"),
        PauseResult::Asked => {
            let what = if is_pause { "stopped" } else { "continued" };
            format!("{id} is told, but its processes have not been {what} yet; bgctl status {id} shows them")
        }
        PauseResult::HadEnded => {
            format!("{id} has ended ({}) and cannot be {done}", end_status(&one.job))
        }
        PauseResult::BeingEnded => format!("{id} is being ended and cannot be {done}"),
        PauseResult::WaitsForApproval => {
            format!("{id} waits for approval and cannot be {done}; nothing of it runs")
        }
        PauseResult::OutOfReach(host) => {
            format!("{id} runs on {}; it is {done} once its watcher there looks", safe::line(host))
        }
    }
}
