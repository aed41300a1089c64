//! What comes due: when the next pass is needed although nothing has changed.

use super::{approve, recur};
use crate::model::{Timestamp, approval::later, config::Config, facts::Facts, state::Status};

/// The next instant after `now` at which something that waits for its time may go on; `None`: nothing waits for a time.
///
/// What is due already waits for something else, such as a slot, and whoever brings that makes the pass.
///
/// `polled_at` is when GitHub was asked last. What it has to be asked now is being asked, and again a while after that.
pub fn next(
    facts: &Facts,
    config: &Config,
    polled_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    let waiting = facts.heads().filter(|head| head.status == Status::Queued && !head.paused);
    let jobs = waiting.filter_map(|head| head.not_before).filter(|at| *at > now).min();
    let schedules = recur::next(facts, Some(now));
    let approvals = approve::next(facts, &config.approval, now);
    let poll = approve::poll_at(facts, &config.approval, polled_at, now)
        .and_then(|at| if at > now { Some(at) } else { later(now, Some(config.approval.poll_seconds)) });
    jobs.into_iter().chain(schedules).chain(approvals).chain(poll).min()
}
