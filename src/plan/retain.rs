//! Retention: which ended jobs go.

use crate::model::{
    Timestamp,
    config::Retention,
    facts::{Facts, Head},
    id::JobId,
};
use chrono::TimeDelta;

/// The jobs that retention lets go, oldest end first.
///
/// First the age: what ended more than the greatest age ago. Then the count: of what remains, the oldest beyond
/// the greatest count. None within the least age of its end. Active jobs are never among them.
pub fn retain(facts: &Facts, now: Timestamp, retention: &Retention) -> Vec<JobId> {
    let mut ended: Vec<&Head> = facts.heads().filter(|head| head.status.has_ended()).collect();
    // A stable sort: what ended in the same millisecond goes in the order of submission. An end that nobody
    // wrote down counts as the oldest of the count, and has no age.
    ended.sort_by_key(|head| head.ended_at);
    let (old, rest): (Vec<&Head>, Vec<&Head>) = ended
        .into_iter()
        .partition(|head| head.ended_at.is_some() && is_older_than(head, now, retention.age_seconds_max));
    let excess = rest.len().saturating_sub(retention.jobs_max);
    old.into_iter()
        .chain(rest.into_iter().take(excess))
        .filter(|head| is_older_than(head, now, Some(retention.age_seconds_min)))
        .map(|head| head.id.clone())
        .collect()
}

/// Whether it ended at least so long ago. An end that nobody wrote down was long ago; no limit is never over.
fn is_older_than(head: &Head, now: Timestamp, seconds: Option<u64>) -> bool {
    match (head.ended_at, seconds) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(at), Some(seconds)) => {
            now - at
                >= TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
                    .unwrap_or(TimeDelta::MAX)
        }
    }
}
