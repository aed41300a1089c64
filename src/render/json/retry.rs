//! Retries, as JSON.

use super::job;
use crate::model::{id::JobId, job::Job};
use crate::ops::retry::{Foreseen, Left, Repeated, Retried};
use serde_json::{Value, json};

/// The new jobs, in the order of those that they repeat.
pub fn retried(retried: &Retried) -> Value {
    json!({ "dry_run": false, "retries": retries(retried), "left": left(&retried.left) })
}

/// The same with the end of a wait for them.
pub fn retried_to_the_end(retried: &Retried, mut waited: Value) -> Value {
    waited["dry_run"] = false.into();
    waited["retries"] = retries(retried).into();
    waited["left"] = left(&retried.left);
    waited
}

fn retries(retried: &Retried) -> Vec<Value> {
    let one = |one: &Repeated| {
        let submitted = &one.submitted;
        json!({
            "id": submitted.job.id,
            "retry_of": one.original,
            "status": submitted.job.status(),
            "place": submitted.place,
            "environment": if one.has_its_environment { "original" } else { "caller" },
        })
    };
    retried.jobs.iter().map(one).collect()
}

/// What would be submitted.
pub fn retry_foreseen(foreseen: &Foreseen) -> Value {
    let one = |(_, foreseen): &(JobId, Job)| {
        let mut value = job(foreseen);
        value["id"] = Value::Null;
        value
    };
    json!({
        "dry_run": true,
        "jobs": foreseen.jobs.iter().map(one).collect::<Vec<_>>(),
        "left": left(&foreseen.left),
    })
}

fn left(left: &[Left]) -> Value {
    left.iter().map(|one| json!({ "id": one.id, "key_held_by": one.holder })).collect()
}
