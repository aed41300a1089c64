//! Approvals, as JSON.

use super::job;
use crate::model::{
    approval::{self as asking, Answer, Request, Waiting},
    job::Job,
};
use crate::ops::approval::{
    decide::{AnswerResult, Answered, Wish},
    list::Listed,
    request::Asked,
};
use serde_json::{Value, json};

/// What a job waits for a person for, or has asked while it runs.
pub(super) fn asked(job: &Job) -> Value {
    let told = |request: &Request, waiting: Option<&Waiting>| {
        json!({
            "on": request.on,
            "at": request.at,
            "ttl_seconds": request.ttl_seconds,
            "reason": request.reason,
            "hash": request.hash,
            "since": waiting.map(|of| of.since),
            "expires_at": waiting.and_then(Waiting::expires_at),
            "not_before": waiting.and_then(|of| of.not_before),
            "warned_at": waiting.and_then(|of| of.warned_at),
            "issue": waiting.map_or(&asking::Asked::NotYet, |of| &of.asked),
            "trouble": waiting.and_then(|of| of.trouble.as_ref()),
        })
    };
    let running = job.run().and_then(|run| run.asked.as_deref());
    match job.waiting() {
        Some(waiting) => told(&waiting.request, Some(waiting)),
        None => running.map_or(Value::Null, |request| told(request, None)),
    }
}

/// An answer, with all that could be said of it.
pub(super) fn answer(answer: &Answer) -> Value {
    let Answer { verdict, on, at, by, note } = answer;
    json!({ "verdict": verdict, "on": on, "at": at, "by": by, "note": note })
}

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
            "result": match &one.result {
                AnswerResult::Done => word,
                AnswerResult::Left => "left",
                AnswerResult::Failed(_) => "failed",
            },
            "message": match &one.result {
                AnswerResult::Failed(fault) => Some(&fault.message),
                AnswerResult::Done | AnswerResult::Left => None,
            },
        })
    };
    json!({ "jobs": answered.iter().map(one).collect::<Vec<_>>() })
}

/// What a running job asked.
pub fn approval_asked(asked: &Asked) -> Value {
    json!({ "action": "request", "id": asked.job.id, "created": asked.created })
}
