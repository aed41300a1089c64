//! Outcomes as JSON values with stable names.

mod approval;
mod config;
mod dead;
mod doctor;
mod events;
mod group;
mod health;
mod init;
mod many;
mod overview;
mod report;
mod retry;
mod schedule;
mod status;

pub use approval::{answered, approval_asked, approvals};
pub use config::{checked_settings, settings, settings_file};
pub use dead::{dead_cleared, dead_list, dead_shown};
pub use doctor::{examined, migrated, rebuilt, store_shown};
pub use events::{event_line, events};
pub use group::groups;
pub use health::{going, health};
pub use init::installed;
pub use many::{foreseen_many, started_many, waited_many};
pub use overview::overview;
pub use report::reported;
pub use retry::{retried, retried_to_the_end, retry_foreseen};
pub use schedule::{schedule_changed, schedule_foreseen, schedule_ran, schedules};
pub use status::status;

use crate::exec::Signalled;
use crate::model::{
    Timestamp, claim::Claim, dependency::Until, id::JobId, job::Job, limit::Limits, outcome::Ending,
    spec::JobSpec, state::State,
};
use crate::ops::{
    cancel::{self, CancelResult, Cancelled},
    fault::Reason,
    list::{Entry, Listed, Live, Row},
    pause::{GroupPaused, PauseResult, Paused, Wanted},
    prune::Pruned,
    ready::{Looked, Readied},
    send::{InputState, Sent},
    set::{Set, SetResult},
    signal::{SignalResult, Told},
    start::{Foreseen, Submitted},
    status::claim_of,
    wait::{Waited, exit_code},
};
use crate::pass::Decided;
use crate::plan::{pick::Waits, retain::Kept};
use serde_json::{Map, Value, json};

/// A job with every field that the index can have: one that it leaves out where it says nothing is here all the same.
pub fn job(job: &Job) -> Value {
    let mut value = serde_json::to_value(job).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return value };
    let absent = [
        ("attempt", 0.into()),
        ("after", json!([])),
        ("after_end", json!([])),
        ("batch", Value::Null),
        ("array_index", Value::Null),
        ("retry_of", Value::Null),
        ("dead_letter", false.into()),
        ("not_before", Value::Null),
        ("interruptions", 0.into()),
        ("signal", Value::Null),
        ("exit", Value::Null),
        ("usage", Value::Null),
        ("leftovers", json!([])),
        ("leftovers_left", false.into()),
        ("best_effort", false.into()),
        ("notes", json!([])),
        ("stdin_closed_at", Value::Null),
        ("parent", Value::Null),
        ("session", Value::Null),
        ("paused_at", Value::Null),
        ("schedule", Value::Null),
    ];
    for (name, nothing) in absent {
        fields.entry(name).or_insert(nothing);
    }
    complete(fields, &job.spec);
    fields.insert("claim".to_owned(), claim_of(job).map_or(Value::Null, claim));
    fields.insert("ending".to_owned(), ending(job.ending()));
    fields.insert("approval".to_owned(), approval::asked(job));
    fields.insert("answers".to_owned(), job.answers.iter().map(approval::answer).collect());
    value
}

/// What each run of a schedule is like: the fields of a job that are its submitter's, each of them.
fn template(spec: &JobSpec) -> Value {
    let mut value = serde_json::to_value(spec).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return value };
    complete(fields, spec);
    value
}

/// Adds what the index leaves out of what was asked, where it says nothing.
fn complete(fields: &mut Map<String, Value>, spec: &JobSpec) {
    let limits = &spec.limits;
    let absent = [
        ("name", Value::Null),
        ("argv", Value::Null),
        ("grace_seconds", limits.grace.seconds.into()),
        ("log_max_bytes", limits.log.bytes.into()),
        ("max_attempts", 1.into()),
        ("retry_delay_seconds", spec.retry.delay_seconds.into()),
        ("retry_max_delay_seconds", spec.retry.delay_seconds_max.into()),
        ("retry_on", Value::Null),
        ("priority", spec.priority.as_str().into()),
        ("key", Value::Null),
        ("key_ttl_seconds", 0.into()),
        ("group", Value::Null),
        ("env", Value::Null),
        ("stdin", Value::Null),
        ("stdin_pipe", false.into()),
        ("service", false.into()),
        ("env_names", json!([])),
        ("on_end", Value::Null),
        ("gate", Value::Null),
    ];
    for (name, nothing) in absent {
        fields.entry(name).or_insert(nothing);
    }
    fields.insert("limits_from".to_owned(), limits_from(limits));
    fields.insert("on_leftovers".to_owned(), serde_json::to_value(spec.leftovers).unwrap_or_default());
}

fn limits_from(limits: &Limits) -> Value {
    json!({
        "timeout": limits.timeout.source,
        "stale_after": limits.stale_after.source,
        "grace": limits.grace.source,
        "log": limits.log.source,
    })
}

/// Where a job runs or ran last.
fn claim(claim: &Claim) -> Value {
    let site = &claim.site;
    json!({
        "host": site.host,
        "machine": site.machine,
        "boot": site.boot,
        "pid_namespace": site.pid_namespace,
        "executor": claim.executor,
    })
}

/// Why a job was told to end.
fn ending(ending: Option<&Ending>) -> Value {
    ending.map_or(
        Value::Null,
        |ending| json!({ "why": ending.why, "at": ending.at, "signal": ending.signal, "note": ending.note }),
    )
}

/// What living processes use.
fn live(live: Option<Live>) -> Value {
    live.map_or(Value::Null, |live| {
        json!({
            "processes": live.sum.processes,
            "cpu_ms": live.sum.cpu_ms,
            "cpu_percent": live.cpu_percent,
            "memory_kib": live.sum.memory_kib,
        })
    })
}

/// A reason with numbers.
pub fn reason(reason: &Reason) -> Value {
    let Reason::QueueFull { full, retry_after_seconds } = reason;
    json!({
        "kind": "queue_full",
        "waiting": full.waiting,
        "threshold": full.threshold,
        "max_size": full.jobs_max,
        "retry_after_seconds": retry_after_seconds,
    })
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
    value["live"] = live(entry.live);
    value
}

/// A list.
///
/// It is made job by job: an object of thousands takes twenty times the memory of its text.
pub fn list(listed: &Listed) -> String {
    let jobs: Vec<String> = listed.entries.iter().map(|one| entry(one).to_string()).collect();
    format!("{{\"jobs\":[{}],\"left_out\":{}}}", jobs.join(","), listed.left_out)
}

/// Why a job waits, be it for a slot or for a person.
fn waits_of(job: &Job, of_queued: Option<&Waits>) -> Value {
    job.waiting().map_or_else(
        || waits(of_queued),
        |waiting| json!({ "for": "approval", "on": waiting.on(), "until": waiting.expires_at() }),
    )
}

/// Why a queued job waits.
fn waits(waits: Option<&Waits>) -> Value {
    match waits {
        None => Value::Null,
        Some(Waits::Paused { since }) => json!({ "for": "resume", "since": since }),
        Some(Waits::GroupPaused { group, since }) => {
            json!({ "for": "group_resume", "group": group, "since": since })
        }
        Some(Waits::ForGroup(group)) => json!({ "for": "group", "group": group }),
        Some(Waits::ForJobs(open)) => json!({ "for": "jobs", "jobs": open }),
        Some(Waits::ForRetry { at, attempt, attempts_max }) => {
            json!({ "for": "retry", "until": at, "attempt": attempt, "max_attempts": attempts_max })
        }
        Some(Waits::Until(at)) => json!({ "for": "time", "until": at }),
        Some(Waits::ForSlot { held_by, ahead }) => {
            json!({ "for": "slot", "held_by": held_by, "ahead": ahead })
        }
        Some(Waits::ForPass | Waits::InVain) => json!({ "for": "pass" }),
    }
}

/// A submission.
pub fn submitted(submitted: &Submitted) -> Value {
    json!({
        "dry_run": false,
        "id": submitted.job.id,
        "status": submitted.job.status(),
        "created": submitted.created,
        "place": submitted.place,
        "waits": waits_of(&submitted.job, submitted.waits.as_ref()),
    })
}

/// What would be submitted.
pub fn foreseen(foreseen: &Foreseen) -> Value {
    let mut value = foreseen.jobs.first().map(job).unwrap_or_default();
    value["id"] = Value::Null;
    let existing = foreseen.existing.first().and_then(Option::as_ref).map(|job| &job.id);
    json!({
        "dry_run": true,
        "job": value,
        "existing": existing,
        "waits_for_room": foreseen.full.is_some(),
    })
}

/// The end of a wait.
pub fn waited(waited: &Waited) -> Value {
    json!({
        "jobs": waited.jobs.iter().map(waited_job).collect::<Vec<_>>(),
        "ready": Value::Null,
        "time_is_over": waited.time_is_over,
        "exit_code": waited.code,
    })
}

/// A job whose end was waited for.
pub fn waited_job(one: &Job) -> Value {
    let mut value = job(one);
    value["wait_code"] = exit_code(one).into();
    value["ready"] = Value::Null;
    value
}

/// A job whose line was waited for.
pub fn readied_job(one: &Looked) -> Value {
    let mut value = job(&one.job);
    value["wait_code"] = one.code().into();
    value["ready"] = (one.ready == Some(true)).into();
    value
}

/// The end of a wait for a line.
pub fn readied(readied: &Readied) -> Value {
    let jobs: Vec<Value> = readied.jobs.iter().map(readied_job).collect();
    let mut decided = readied.jobs.iter().filter_map(|one| one.ready);
    let ready = !readied.time_is_over && decided.all(|ready| ready);
    json!({ "jobs": jobs, "ready": ready, "time_is_over": readied.time_is_over, "exit_code": readied.code })
}

/// A submission whose end, or whose line, was waited for: what came of the wait, beside the id.
pub fn started(id: &JobId, mut waited: Value) -> Value {
    waited["dry_run"] = false.into();
    waited["id"] = id.as_str().into();
    waited
}

/// Cancels.
pub fn cancelled(outcome: &cancel::Outcome) -> Value {
    let result = |one: &Cancelled| match &one.result {
        CancelResult::Done => "cancelled",
        CancelResult::EndedBefore | CancelResult::HadEnded => "had_ended",
        CancelResult::Asked => "asked",
        CancelResult::Stuck(_) => "stuck",
        CancelResult::Unclear => "unclear",
        CancelResult::OutOfReach(_) => "out_of_reach",
    };
    let stuck = |one: &Cancelled| match &one.result {
        CancelResult::Stuck(processes) => serde_json::to_value(processes).unwrap_or_default(),
        _ => json!([]),
    };
    let jobs = outcome.jobs.iter().map(|one| {
        json!({ "id": one.job.id, "status": one.job.status(), "result": result(one), "stuck": stuck(one) })
    });
    json!({ "jobs": jobs.collect::<Vec<_>>(), "removed": outcome.gone, "dependants": outcome.dependants })
}

/// Pauses or resumes.
pub fn paused(group: Option<&GroupPaused>, results: &[Paused], wanted: Wanted) -> Value {
    let is_pause = wanted == Wanted::Paused;
    let of_group = |one: &GroupPaused| match one.changed {
        true if is_pause => "paused",
        true => "resumed",
        false if is_pause => "was_paused",
        false => "was_not_paused",
    };
    let group = group.map(|one| json!({ "name": one.name, "result": of_group(one), "queued": one.queued }));
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
    json!({ "group": group, "jobs": jobs })
}

/// Changes of what was asked, each by the name that the field has in the index.
pub fn set(results: &[Set]) -> Value {
    let jobs: Vec<Value> = results
        .iter()
        .map(|one| {
            let result = match one.result {
                SetResult::Done => "changed",
                SetResult::WasSo => "unchanged",
                SetResult::HadEnded => "had_ended",
                SetResult::HasBegun => "has_begun",
                SetResult::WaitsForApproval => "waits_for_approval",
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

fn not_before(job: &Job) -> Option<Timestamp> {
    if let State::Queued { not_before, .. } = job.state { not_before } else { None }
}

fn waited_for(job: &Job, until: Until) -> Vec<&JobId> {
    job.spec.after.iter().filter(|one| one.until == until).map(|one| &one.id).collect()
}

fn settable(job: &Job) -> [(&'static str, Value); 11] {
    let limits = &job.spec.limits;
    [
        ("name", json!(job.spec.name)),
        ("labels", json!(job.spec.labels)),
        ("timeout_seconds", json!(limits.timeout.seconds)),
        ("stale_after_seconds", json!(limits.stale_after.seconds)),
        ("grace_seconds", json!(limits.grace.seconds)),
        ("log_max_bytes", json!(limits.log.bytes)),
        ("priority", json!(job.spec.priority)),
        ("group", json!(job.spec.group)),
        ("not_before", json!(not_before(job))),
        ("after", json!(waited_for(job, Until::Completed))),
        ("after_end", json!(waited_for(job, Until::Ended))),
    ]
}

/// What was sent to a job.
pub fn sent(sent: &Sent) -> Value {
    let input = match sent.input {
        InputState::Open => "open",
        InputState::Closed => "closed",
        InputState::Closing => "closing",
    };
    json!({ "id": sent.id, "bytes": sent.bytes, "input": input })
}

/// What became of a signal.
pub fn signalled(told: &[Told], signal: i32) -> Value {
    let jobs: Vec<Value> = told
        .iter()
        .map(|one| {
            let nobody = Signalled::default();
            let (result, signalled) = match &one.result {
                SignalResult::Sent(sent) if sent.refused.is_empty() => ("sent", sent),
                SignalResult::Sent(sent) => ("refused", sent),
                SignalResult::Starting => ("starting", &nobody),
                SignalResult::Gone => ("gone", &nobody),
                SignalResult::NotRunning => ("not_running", &nobody),
                SignalResult::Paused => ("paused", &nobody),
                SignalResult::Unclear => ("unclear", &nobody),
                SignalResult::OutOfReach(_) => ("out_of_reach", &nobody),
            };
            json!({
                "id": one.job.id,
                "status": one.job.status(),
                "result": result,
                "processes": signalled.reached,
                "refused": signalled.refused,
            })
        })
        .collect();
    json!({ "signal": signal, "jobs": jobs })
}

/// What retention did.
pub fn pruned(pruned: &Pruned, dry_run: bool) -> Value {
    let jobs: Vec<Value> = pruned
        .jobs
        .iter()
        .map(|(job, bytes)| json!({ "id": job.id, "status": job.status(), "freed_bytes": bytes }))
        .collect();
    let why = |kept: Kept| match kept {
        Kept::DeadLetter => "dead_letter",
        Kept::Key => "key",
        Kept::Awaited => "awaited",
    };
    let kept: Vec<Value> =
        pruned.kept.iter().map(|(id, kept)| json!({ "id": id, "why": why(*kept) })).collect();
    json!({ "dry_run": dry_run, "jobs": jobs, "freed_bytes": pruned.bytes(), "kept": kept })
}

/// What a pass did.
pub fn decided(decided: &Decided, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "events": decided.events,
        "actions": decided.actions,
        "emptied_logs": decided.emptied_logs,
    })
}
