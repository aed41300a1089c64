//! `bgctl set`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::set::SetArgs;
use crate::model::Timestamp;
use crate::ops::{
    fault::{Code, Fault},
    find::given,
    set::{self, SetResult},
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, json};
use chrono::TimeDelta;

/// `bgctl set`
pub fn run(args: &SetArgs, voice: Voice) -> Result<i32, Fault> {
    let request = set::Request {
        jobs: given(&args.jobs)?,
        name: if args.no_name { Some(None) } else { args.name.clone().map(Some) },
        labels: args.label.clone(),
        labels_lost: args.no_label.clone(),
        timeout: args.timeout.map(|limit| limit.0),
        stale_after: args.stale_after.map(|limit| limit.0),
        grace: args.grace.map(|limit| limit.0),
        log_bytes_max: args.log_max.map(|limit| limit.0),
        priority: args.priority.map(Into::into),
        group: args.group.clone(),
        after: args.after.clone(),
        after_end: args.after_end.clone(),
        after_lost: args.no_after.clone(),
        not_before: args.delay.map(later).or(args.at.map(Some)),
    };
    if request.jobs.is_empty() {
        voice.say(human::NONE_NAMED);
    }
    let (results, told) = set::set(&request)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &results {
        if matches!(one.result, SetResult::Done | SetResult::WasSo) {
            text.push_str(&format!("{}\n", human::set(one)));
        } else {
            code = Code::WrongState as i32;
            voice.fail(&human::set(one));
        }
    }
    voice.result("set", &text, || json::set(&results), &told.warnings)?;
    Ok(code)
}

/// So much later than now; none for at once.
fn later(seconds: u64) -> Option<Timestamp> {
    let span = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0).and_then(TimeDelta::try_seconds);
    SystemClock.now().checked_add_signed(span?)
}
