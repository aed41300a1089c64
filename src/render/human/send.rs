//! What was sent to a job: text, its end, or a signal.

use super::measure::count_of;
use super::words::end_status;
use crate::model::{outcome::signal_name, state::Status};
use crate::ops::{
    send::{InputState, Sent},
    signal::{SignalResult, Told},
};
use crate::render::safe;

/// What was sent, and whether more can be.
pub fn sent(sent: &Sent) -> String {
    let id = &sent.id;
    let bytes = match sent.bytes {
        1 => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    };
    match (sent.input, sent.bytes) {
        (InputState::Open, _) => format!("{bytes} sent to {id}"),
        (InputState::Closed, 0) => format!("the input of {id} is closed"),
        (InputState::Closed, _) => format!("{bytes} sent to {id}, and its input is closed"),
        (InputState::Closing, _) => {
            format!(
                "{id} is to see the end of its input, but its watcher has not closed it yet; {bytes} sent"
            )
        }
    }
}

/// What became of a signal.
pub fn signalled(told: &Told, signal: i32) -> String {
    let id = &told.job.id;
    let name = signal_name(signal);
    match &told.result {
        SignalResult::Sent(sent) => {
            let reached = format!("{name} sent to {}", count_of(sent.reached, "process", "processes"));
            let refused: Vec<String> = sent
                .refused
                .iter()
                .map(|process| format!("{} ({})", process.pid, safe::line(&process.name)))
                .collect();
            match (sent.reached, refused.is_empty()) {
                (_, true) => format!("{id}: {reached}"),
                (0, false) => format!("{id}: you may not send {name} to {}", refused.join(", ")),
                (_, false) => format!("{id}: {reached}; you may not send it to {}", refused.join(", ")),
            }
        }
        SignalResult::Starting => format!("{id} has not run its command yet; try again"),
        SignalResult::Gone => format!("{id}: no process was left to take {name}"),
        SignalResult::NotRunning => match told.job.status() {
            Status::Queued => format!("{id} is queued and does not run yet, so that no signal can reach it"),
            Status::WaitingApproval => format!("{id} waits for approval; nothing of it runs"),
            _ => format!("{id} has ended ({}), so that no signal can reach it", end_status(&told.job)),
        },
        SignalResult::Paused => format!("{id} is paused; bgctl resume {id} lets it go on"),
        SignalResult::Unclear => {
            format!(
                "{id} was started in another folder, of which this one is a copy; only there can it be sent a signal"
            )
        }
        SignalResult::OutOfReach(host) => {
            format!("{id} runs on {}; only there can it be sent a signal", safe::line(host))
        }
    }
}

/// What else there is to know about a signal that was sent.
pub fn signal_advice(told: &Told, signal: i32) -> Option<String> {
    let id = &told.job.id;
    match (&told.result, signal_name(signal).as_str()) {
        (SignalResult::Sent(_), "SIGSTOP" | "SIGTSTP") => {
            Some(format!("its time goes on; bgctl pause {id} lets that stand still, too"))
        }
        (SignalResult::Sent(_), name) if name != "SIGKILL" && told.job.paused_at().is_some() => {
            Some(format!("it is paused, and takes {name} once it goes on: bgctl resume {id}"))
        }
        _ => None,
    }
}
