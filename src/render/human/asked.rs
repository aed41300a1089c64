//! What was asked of the queue for a job: its urgency, its key, its attempts, what it waits for.

use super::approval::gate;
use super::measure::local;
use super::words::{brief, names, seconds_until};
use crate::model::{
    Timestamp, dependency::Until, id::JobId, job::Job, key::Key, limit::format_seconds, priority::Priority,
    retry::Retry, state::State,
};
use crate::ops::called::Called;
use crate::render::safe;
use std::collections::BTreeMap;

/// A key, and how long it is kept.
pub fn key(key: &Key) -> String {
    let kept = match key.ttl_seconds {
        0 => String::new(),
        seconds => format!(" (kept {} after the end)", format_seconds(seconds)),
    };
    format!("{}{kept}", safe::line(&key.text))
}

/// How it is tried again; nothing where it is tried once.
pub fn retries(retry: &Retry) -> Option<String> {
    if retry.attempts_max <= 1 {
        return None;
    }
    let (delay, longest) = (retry.delay_seconds, retry.delay_seconds_max);
    let doubles = retry.attempts_max > 2 && delay > 0 && longest > delay;
    let doubling =
        if doubles { format!(", doubling up to {}", format_seconds(longest)) } else { String::new() };
    let codes = retry.codes.as_ref().map(|codes| format!(", after exit codes {codes}"));
    Some(format!(
        "up to {} attempts, {} after the first{doubling}{}",
        retry.attempts_max,
        format_seconds(delay),
        codes.unwrap_or_default()
    ))
}

/// What a submission asks of the queue beyond the usual, a line each. `made`: the groups that would be made.
pub fn asked(job: &Job, called: &BTreeMap<JobId, Called>, made: &[String], now: Timestamp) -> Vec<String> {
    let spec = &job.spec;
    let mut lines: Vec<String> =
        spec.gate.iter().map(|one| format!("once it is approved {}", gate(one))).collect();
    if spec.priority != Priority::Normal {
        lines.push(format!("priority {}", spec.priority));
    }
    if let Some(group) = &spec.group {
        let new = if made.contains(group) { ", which would be made with one slot" } else { "" };
        lines.push(format!("in group {}{new}", safe::line(group)));
    }
    lines.extend(retries(&spec.retry));
    lines.extend(spec.key.as_ref().map(|one| format!("key {}", key(one))));
    for (until, what) in [(Until::Completed, "completion"), (Until::Ended, "end")] {
        let all: Vec<Called> = spec
            .after
            .iter()
            .filter(|one| one.until == until)
            .map(|one| called.get(&one.id).cloned().unwrap_or_else(|| nameless(&one.id)))
            .collect();
        if !all.is_empty() {
            lines.push(format!("after the {what} of {}", names(&all)));
        }
    }
    if let State::Queued { not_before: Some(at), .. } = job.state {
        lines.push(format!("not before {}, in {}", local(at), brief(seconds_until(now, at))));
    }
    lines
}

fn nameless(id: &JobId) -> Called {
    Called { name: None, short: id.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::retry::Codes;

    #[test]
    fn a_retry_is_told_with_what_there_is_to_tell() {
        let retry = |attempts_max, delay_seconds, delay_seconds_max, codes: Option<&str>| {
            let codes = codes.map(|codes| Codes::parse(codes).unwrap());
            retries(&Retry { attempts_max, delay_seconds, delay_seconds_max, codes })
        };
        assert_eq!(retry(1, 5, 900, None), None);
        assert_eq!(retry(2, 5, 900, None).as_deref(), Some("up to 2 attempts, 5s after the first"));
        assert_eq!(
            retry(4, 3, 900, Some("7")).as_deref(),
            Some("up to 4 attempts, 3s after the first, doubling up to 15m, after exit codes 7")
        );
    }

    #[test]
    fn a_key_is_told_with_the_time_that_it_is_kept() {
        assert_eq!(key(&Key { text: "k".into(), ttl_seconds: 0 }), "k");
        assert_eq!(key(&Key { text: "k".into(), ttl_seconds: 3_600 }), "k (kept 1h after the end)");
    }
}
