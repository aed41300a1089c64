//! Many jobs in one submission.

use super::job;
use crate::ops::start::{
    Foreseen,
    many::{Place, Started},
};
use serde_json::{Value, json};

/// What became of them, in the order asked.
pub fn started_many(started: &Started) -> Value {
    let jobs: Vec<Value> = started
        .jobs
        .iter()
        .map(|(place, placed)| {
            let (line, array_index) = match place {
                Place::Line(line) => (Some(line), None),
                Place::Number(number) => (None, Some(number)),
            };
            json!({ "line": line, "array_index": array_index, "id": placed.id, "created": placed.created })
        })
        .collect();
    json!({ "dry_run": false, "jobs": jobs })
}

/// What would be submitted.
pub fn foreseen_many(foreseen: &Foreseen) -> Value {
    let jobs: Vec<Value> = foreseen
        .jobs
        .iter()
        .map(|one| {
            let mut value = job(one);
            value["id"] = Value::Null;
            value
        })
        .collect();
    let existing: Vec<_> = foreseen.existing.iter().map(|one| one.as_ref().map(|job| &job.id)).collect();
    json!({
        "dry_run": true,
        "jobs": jobs,
        "existing": existing,
        "waits_for_room": foreseen.full.is_some(),
    })
}

/// What came of the wait for their ends.
pub fn waited_many(mut waited: Value) -> Value {
    waited["dry_run"] = false.into();
    waited
}
