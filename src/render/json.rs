//! Outcomes as JSON values with stable names.

mod overview;
mod status;

pub use overview::overview;
pub use status::status;

use crate::model::job::Job;
use crate::ops::{
    cancel::{CancelResult, Cancelled},
    list::{Entry, Listed, Row},
    pause::{PauseResult, Paused, Wanted},
    prune::Pruned,
    ready::Readied,
    set::{Set, SetResult},
    start::Submitted,
    wait::{Waited, exit_code},
};
use crate::pass::Decided;
use crate::plan::pick::Waits;
use serde_json::{Map, Value, json};

/// A job with the fields of the index.
pub fn job(job: &Job) -> Value {
    serde_json::to_value(job).unwrap_or_default()
}

/// A job that may have been meant.
pub fn candidate(job: &Job) -> Value {
    json!({
        "id": job.id,
        "status": job.status(),
        "created_at": job.created_at,
        "name": job.spec.name,
        "command": job.spec.display,
    })
}

/// A job and what was seen of it.
pub fn row(row: &Row) -> Value {
    let mut value = job(&row.job);
    value["observed"] = row.observed.map_or(Value::Null, |observed| observed.as_str().into());
    value
}

/// A job of a list.
pub fn entry(entry: &Entry) -> Value {
    let mut value = row(&entry.row);
    value["place"] = entry.place.into();
    value["live"] = entry.live.map_or(Value::Null, |live| {
        json!({
            "processes": live.sum.processes,
            "cpu_ms": live.sum.cpu_ms,
            "cpu_percent": live.cpu_percent,
            "memory_kib": live.sum.memory_kib,
        })
    });
    value
}

/// A list.
pub fn list(listed: &Listed) -> Value {
    json!({ "jobs": listed.entries.iter().map(entry).collect::<Vec<_>>(), "left_out": listed.left_out })
}

/// How many jobs come before one that waits.
fn ahead(waits: Option<&Waits>) -> Option<usize> {
    waits.map(|waits| if let Waits::ForSlot { ahead, .. } = waits { ahead.len() } else { 0 })
}

/// Why a job waits.
fn waits(waits: Option<&Waits>) -> Value {
    match waits {
        None => Value::Null,
        Some(Waits::Paused { since }) => json!({ "for": "resume", "since": since }),
        Some(Waits::Until(at)) => json!({ "for": "time", "until": at }),
        Some(Waits::ForSlot { held_by, ahead }) => {
            json!({ "for": "slot", "held_by": held_by, "ahead": ahead })
        }
        Some(Waits::ForPass) => json!({ "for": "pass" }),
    }
}

/// A submission.
pub fn submitted(submitted: &Submitted) -> Value {
    json!({
        "id": submitted.job.id,
        "status": submitted.job.status(),
        "created": true,
        "ahead": ahead(submitted.waits.as_ref()).unwrap_or(0),
        "waits": waits(submitted.waits.as_ref()),
        "warnings": submitted.warnings,
    })
}

/// What would be submitted.
pub fn foreseen(foreseen: &Job) -> Value {
    let mut value = job(foreseen);
    value["id"] = Value::Null;
    json!({ "dry_run": true, "job": value })
}

/// The end of a wait.
pub fn waited(waited: &Waited) -> Value {
    let jobs: Vec<Value> = waited
        .jobs
        .iter()
        .map(|one| {
            let mut value = job(one);
            value["wait_code"] = exit_code(one).into();
            value
        })
        .collect();
    json!({ "jobs": jobs, "time_is_over": waited.time_is_over, "exit_code": waited.code })
}

/// The end of a wait for a line.
pub fn readied(readied: &Readied) -> Value {
    let jobs: Vec<Value> = readied
        .jobs
        .iter()
        .map(|one| {
            let mut value = job(&one.job);
            value["ready"] = (one.ready == Some(true)).into();
            value["wait_code"] = one.code().into();
            value
        })
        .collect();
    let mut decided = readied.jobs.iter().filter_map(|one| one.ready);
    let ready = !readied.time_is_over && decided.all(|ready| ready);
    json!({ "jobs": jobs, "ready": ready, "time_is_over": readied.time_is_over, "exit_code": readied.code })
}

/// Cancels.
pub fn cancelled(results: &[Cancelled]) -> Value {
    let jobs: Vec<Value> = results
        .iter()
        .map(|one| {
            let (result, processes) = match &one.result {
                CancelResult::Done => ("cancelled", Value::Null),
                CancelResult::HadEnded => ("had_ended", Value::Null),
                CancelResult::Asked => ("asked", Value::Null),
                CancelResult::Stuck(processes) => {
                    ("stuck", serde_json::to_value(processes).unwrap_or_default())
                }
                CancelResult::OutOfReach(_) => ("out_of_reach", Value::Null),
            };
            let result = if one.result == CancelResult::Done && !was_cancelled(&one.job) {
                "had_ended"
            } else {
                result
            };
            json!({ "id": one.job.id, "status": one.job.status(), "result": result, "processes": processes })
        })
        .collect();
    json!({ "jobs": jobs })
}

fn was_cancelled(job: &Job) -> bool {
    job.status() == crate::model::state::Status::Cancelled
}

/// Pauses or resumes.
pub fn paused(results: &[Paused], wanted: Wanted) -> Value {
    let is_pause = wanted == Wanted::Paused;
    let result = |one: &Paused| match &one.result {
        PauseResult::Done if is_pause => "paused",
        PauseResult::Done => "resumed",
        PauseResult::WasSo if is_pause => "was_paused",
        PauseResult::WasSo => "was_not_paused",
        PauseResult::Asked => "asked",
        PauseResult::HadEnded => "had_ended",
        PauseResult::BeingEnded => "being_ended",
        PauseResult::WaitsForApproval => "waits_for_approval",
        PauseResult::OutOfReach(_) => "out_of_reach",
    };
    let jobs: Vec<Value> = results
        .iter()
        .map(|one| json!({ "id": one.job.id, "status": one.job.status(), "result": result(one) }))
        .collect();
    json!({ "jobs": jobs })
}

/// Changes of what was asked, each by the name that the field has in the index.
pub fn set(results: &[Set]) -> Value {
    let jobs: Vec<Value> = results
        .iter()
        .map(|one| {
            let result = match one.result {
                SetResult::Done => "changed",
                SetResult::WasSo => "was_so",
                SetResult::HadEnded => "had_ended",
            };
            let (before, after) = (settable(&one.before), settable(&one.after));
            let changes: Map<String, Value> = before
                .into_iter()
                .zip(after)
                .filter(|((_, from), (_, to))| from != to)
                .map(|((name, from), (_, to))| (name.to_owned(), json!({ "from": from, "to": to })))
                .collect();
            json!({
                "id": one.after.id,
                "status": one.after.status(),
                "result": result,
                "changes": changes,
            })
        })
        .collect();
    json!({ "jobs": jobs })
}

fn settable(job: &Job) -> [(&'static str, Value); 6] {
    let limits = &job.spec.limits;
    [
        ("name", json!(job.spec.name)),
        ("labels", json!(job.spec.labels)),
        ("timeout_seconds", json!(limits.timeout.seconds)),
        ("stale_after_seconds", json!(limits.stale_after.seconds)),
        ("grace_seconds", json!(limits.grace.seconds)),
        ("log_max_bytes", json!(limits.log.bytes)),
    ]
}

/// What retention did.
pub fn pruned(pruned: &Pruned, dry_run: bool) -> Value {
    let ids: Vec<&str> = pruned.jobs.iter().map(|(job, _)| job.id.as_str()).collect();
    let jobs: Vec<Value> = pruned
        .jobs
        .iter()
        .map(|(job, bytes)| json!({ "id": job.id, "status": job.status(), "bytes": bytes }))
        .collect();
    json!({ "dry_run": dry_run, "removed": ids, "jobs": jobs, "bytes": pruned.bytes() })
}

/// What a pass did.
pub fn decided(decided: &Decided, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "events": decided.events,
        "actions": decided.actions,
        "warnings": decided.warnings,
    })
}
