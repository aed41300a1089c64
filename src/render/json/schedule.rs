//! Schedules, as JSON.

use super::{config::mistake, template};
use crate::model::{
    Timestamp,
    calendar::Rhythm,
    health::Health,
    schedule::{Definition, Fate, Task},
};
use crate::ops::schedule::{Foreseen, Listed, Ran, Standing, times};
use serde_json::{Value, json};

/// How schedules stand.
pub fn schedules(listed: &Listed, now: Timestamp) -> Value {
    json!({
        "schedules": listed.standings.iter().map(|one| standing(one, now)).collect::<Vec<_>>(),
        "result": Value::Null,
    })
}

/// What became of one that was added, changed, paused, resumed or removed.
pub fn schedule_changed(one: &Standing, result: &str, now: Timestamp) -> Value {
    json!({ "schedules": [standing(one, now)], "result": result })
}

/// What became of a run by hand.
pub fn schedule_ran(ran: &Ran, now: Timestamp) -> Value {
    let (id, result) = match &ran.fate {
        Fate::Submitted { id } => (Some(id), "started"),
        _ => (None, "done"),
    };
    json!({ "schedules": [standing(&ran.standing, now)], "result": result, "id": id })
}

/// What would be added.
pub fn schedule_foreseen(name: &str, foreseen: &Foreseen) -> Value {
    json!({
        "dry_run": true,
        "name": name,
        "definition": definition(&foreseen.definition),
        "next_times": foreseen.times,
    })
}

fn standing(one: &Standing, now: Timestamp) -> Value {
    let schedule = one.schedule.as_ref();
    let paused_at = schedule.and_then(|schedule| schedule.paused_at);
    let next_times = match (&one.definition, schedule) {
        (Some(definition), Some(schedule)) if paused_at.is_none() => {
            times(definition, schedule.added_at, now)
        }
        _ => Vec::new(),
    };
    json!({
        "name": one.name,
        "definition": one.definition.as_ref().map(definition),
        "in_index": schedule.is_some(),
        "added_at": schedule.map(|schedule| schedule.added_at),
        "paused_at": paused_at,
        "due_at": one.due_at,
        "next_times": next_times,
        "restart_at": schedule.and_then(|schedule| schedule.restart_at),
        "valid_until": schedule.and_then(|schedule| schedule.valid_until),
        "active": one.active,
        "health": schedule.map(|schedule| health(&schedule.health)),
        "mistake": one.mistake.as_ref().map(mistake),
    })
}

/// What is asked of a schedule.
fn definition(one: &Definition) -> Value {
    let (mut every_seconds, mut cron, mut tz, mut described) = (None, None, None, None);
    match &one.rhythm {
        Rhythm::Every { seconds } => every_seconds = Some(*seconds),
        Rhythm::Cron(calendar) => {
            cron = Some(calendar.expression());
            tz = Some(calendar.zone());
            described = Some(calendar.describe());
        }
        Rhythm::BeforeExpiry { .. } => {}
    }
    let (task, of_job) = match &one.task {
        Task::Run(spec) => ("run", template(spec)),
        Task::IdempotencyCleanup => ("idempotency_cleanup", Value::Null),
        Task::Retention => ("retention", Value::Null),
    };
    json!({
        "when": one.rhythm.to_string(),
        "every_seconds": every_seconds,
        "cron": cron,
        "tz": tz,
        "described": described,
        "overlap": one.overlap,
        "missed": one.missed,
        "jitter_seconds": one.jitter_seconds,
        "restarts": one.restarts,
        "from": one.source,
        "task": task,
        "job": of_job,
    })
}

/// How something that runs again and again has gone so far.
pub fn health(health: &Health) -> Value {
    let last = health
        .last
        .as_ref()
        .map(|last| json!({ "id": last.id, "at": last.at, "result": last.result, "note": last.note }));
    json!({
        "last": last,
        "last_success_at": health.last_success_at,
        "failures_in_row": health.failures_in_row,
        "runs": health.runs,
        "failed": health.failed,
        "missed": health.missed,
        "overlapped": health.overlapped,
        "mean_ms": health.mean_ms(),
        "p95_ms": health.p95_ms(),
    })
}
