//! What a change of a job changed.

use super::measure::local;
use super::words::end_status;
use crate::model::{job::Job, state::State};
use crate::ops::set::{Set, SetResult};
use crate::plan::pick;
use crate::render::safe;

/// What a change of a job changed, in one line.
pub fn set(one: &Set) -> String {
    let id = &one.after.id;
    match one.result {
        SetResult::Done => format!("{id} {}", differences(&one.before, &one.after).join(", ")),
        SetResult::WasSo => format!("{id} was so already"),
        SetResult::HadEnded => {
            format!("{id} has ended ({}) and stays as it is", end_status(&one.after))
        }
        SetResult::WaitsForApproval => {
            format!(
                "{id} waits for approval and stays as it is: when it starts can be changed once it is approved"
            )
        }
        SetResult::HasBegun => {
            format!(
                "{id} has begun and stays as it is: priority, group, start and --after are for jobs that wait"
            )
        }
    }
}

fn differences(before: &Job, after: &Job) -> Vec<String> {
    let (old, new) = (&before.spec, &after.spec);
    let mut found = Vec::new();
    let mut compare = |what: &str, from: String, to: String, is_same: bool| {
        if from != to {
            found.push(format!("{what} {from} → {to}"));
        } else if !is_same {
            // Only who set it: it does not follow the settings any more.
            found.push(format!("{what} {to}, now by request"));
        }
    };
    compare("name", name(before), name(after), old.name == new.name);
    compare("labels", labels(before), labels(after), old.labels == new.labels);
    compare("priority", old.priority.to_string(), new.priority.to_string(), true);
    compare("group", group(before), group(after), true);
    compare("start", starts(before), starts(after), true);
    compare("after", waited_for(before), waited_for(after), old.after == new.after);
    let (old, new) = (&old.limits, &new.limits);
    for (what, from, to) in [
        ("timeout", old.timeout, new.timeout),
        ("stale after", old.stale_after, new.stale_after),
        ("grace", old.grace, new.grace),
    ] {
        compare(what, from.to_string(), to.to_string(), from == to);
    }
    compare("log", old.log.to_string(), new.log.to_string(), old.log == new.log);
    found
}

fn name(job: &Job) -> String {
    job.spec.name.as_deref().map_or_else(|| "none".to_owned(), safe::line)
}

fn group(job: &Job) -> String {
    pick::group_of(job.spec.group.as_deref()).to_owned()
}

fn starts(job: &Job) -> String {
    let not_before = if let State::Queued { not_before, .. } = job.state { not_before } else { None };
    not_before.map_or_else(|| "now".to_owned(), local)
}

fn waited_for(job: &Job) -> String {
    let ids: Vec<&str> = job.spec.after.iter().map(|one| one.id.as_str()).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(" ") }
}

fn labels(job: &Job) -> String {
    if job.spec.labels.is_empty() { "none".to_owned() } else { safe::line(&job.spec.labels.join(" ")) }
}
