//! What comes due: when the next pass is needed although nothing has changed.

use super::recur;
use crate::model::{Timestamp, facts::Facts, state::Status};

/// The next instant after `now` at which something that waits for its time may go on; `None`: nothing waits for a time.
///
/// What is due already waits for something else, such as a slot, and whoever brings that makes the pass.
pub fn next(facts: &Facts, now: Timestamp) -> Option<Timestamp> {
    let waiting = facts.heads().filter(|head| head.status == Status::Queued && !head.paused);
    let jobs = waiting.filter_map(|head| head.not_before).filter(|at| *at > now).min();
    let schedules = recur::next(facts, Some(now));
    jobs.into_iter().chain(schedules).min()
}
