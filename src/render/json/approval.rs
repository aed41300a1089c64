//! Approvals, as JSON.

use super::job;
use crate::ops::approval::{
    decide::{Answered, Wish},
    list::Listed,
    request::Asked,
};
use serde_json::{Value, json};

/// What waits for a person.
pub fn approvals(listed: &Listed) -> Value {
    json!({
        "action": "list",
        "jobs": listed.jobs.iter().map(job).collect::<Vec<_>>(),
        "polled_at": listed.polled_at,
    })
}

/// What became of answers.
pub fn answered(answered: &[Answered], wish: Wish) -> Value {
    let word = match wish {
        Wish::Approve => "approved",
        Wish::Decline => "declined",
    };
    let one = |one: &Answered| {
        json!({
            "id": one.job.id,
            "status": one.job.status(),
            "result": if one.done { word } else { "left" },
        })
    };
    json!({ "jobs": answered.iter().map(one).collect::<Vec<_>>() })
}

/// What a running job asked.
pub fn approval_asked(asked: &Asked) -> Value {
    json!({ "action": "request", "id": asked.job.id, "created": asked.created })
}
