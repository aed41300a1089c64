//! What failed for good.

use crate::ops::{
    report::{FailedJob, Told},
    tick::Ticked,
};
use serde_json::{Value, json};

/// A tick, with what failed for good since the last report.
pub fn reported(ticked: &Ticked) -> Value {
    let mut value = super::decided(&ticked.decided, false);
    value["reported"] = ticked.told.iter().map(told).collect();
    value
}

fn told(told: &Told) -> Value {
    match told {
        Told::Job(job) => json!({ "kind": "job", "job": failed_job(job) }),
        Told::Schedule { name, failures_in_row, next_at, run, note } => json!({
            "kind": "schedule",
            "schedule": name,
            "failures_in_row": failures_in_row,
            "next_at": next_at,
            "job": run.as_deref().map(failed_job),
            "note": note,
        }),
        Told::Recovered { name } => json!({ "kind": "recovered", "schedule": name }),
    }
}

fn failed_job(job: &FailedJob) -> Value {
    json!({
        "id": job.id,
        "name": job.name,
        "command": job.command,
        "ended_at": job.at,
        "summary": job.summary,
        "dead_letter": job.dead_letter,
        "last_lines": String::from_utf8_lossy(&job.last_lines),
    })
}
