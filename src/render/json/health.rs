//! How the whole is, as JSON.

use crate::model::Timestamp;
use crate::ops::health::{Answer, Disk};
use crate::plan::health::{Going, Late, QueueFigures, Reason, Report, Session};
use serde_json::{Map, Value, json};

/// The verdict and all figures.
pub fn health(answer: &Answer) -> Value {
    let Report { counts, queue, totals, amiss, .. } = &answer.report;
    let counts: Map<String, Value> =
        counts.iter().map(|(status, count)| (status.to_string(), (*count).into())).collect();
    let report = &answer.report;
    json!({
        "status": answer.verdict.status,
        "reasons": reasons(answer),
        "counts": counts,
        "queue": self::queue(queue),
        "worker": {
            "since": totals.since,
            "processed": totals.processed(),
            "succeeded": totals.succeeded,
            "failed": totals.failed,
            "cancelled": totals.cancelled,
            "unknown_outcome": totals.unknown_outcome,
        },
        "watchers": { "lost": amiss.lost, "unclear": amiss.unclear, "unwritten": amiss.unwritten },
        "disk": disk(answer.disk),
        "schedules": {
            "count": report.schedules,
            "paused": report.schedules_paused,
            "late": report.late.iter().map(late).collect::<Vec<_>>(),
        },
        "sessions": report.sessions.iter().map(session).collect::<Vec<_>>(),
        "last_tick_at": report.last_tick.map(instant),
        "alarm": report.has_alarm,
    })
}

/// The verdict on schedules and names, and how they go.
pub fn going(answer: &Answer, going: &[Going]) -> Value {
    json!({
        "status": answer.verdict.status,
        "reasons": reasons(answer),
        "histories": going.iter().map(one_going).collect::<Vec<_>>(),
    })
}

fn reasons(answer: &Answer) -> Vec<Value> {
    let reason = |reason: &Reason| {
        json!({
            "kind": reason.kind(),
            "status": reason.status(),
            "name": reason.subject(),
            "jobs": reason.jobs(),
            "message": reason.words(answer.at),
            "mend": reason.mend(),
        })
    };
    answer.verdict.reasons.iter().map(reason).collect()
}

fn queue(queue: &QueueFigures) -> Value {
    let oldest =
        queue.oldest.as_ref().map(|oldest| json!({ "id": oldest.id, "since": instant(oldest.since) }));
    json!({
        "waiting": queue.waiting,
        "max_size": queue.jobs_max,
        "utilisation_percent": queue.utilisation() * 100.0,
        "threshold": queue.threshold,
        "backpressure": queue.has_backpressure,
        "oldest": oldest,
        "dead_letters": queue.dead_letters,
    })
}

fn disk(disk: Disk) -> Value {
    json!({
        "runs_bytes": disk.runs_bytes,
        "logs_bytes": disk.logs_bytes,
        "logs_max_bytes": disk.logs_bytes_max,
        "free_bytes": disk.free_bytes,
    })
}

fn late(late: &Late) -> Value {
    json!({ "name": late.name, "due_at": instant(late.due_at) })
}

fn session(session: &Session) -> Value {
    json!({
        "name": session.name,
        "renewable": session.is_renewable,
        "valid_until": session.valid_until.map(instant),
        "expired": session.has_expired,
        "last_refresh_at": session.health.last_success_at.map(instant),
        "failures_in_row": session.health.failures_in_row,
        "next_at": session.next_at.map(instant),
    })
}

fn one_going(going: &Going) -> Value {
    let health = &going.health;
    let last = health.last.as_ref();
    json!({
        "kind": going.kind.as_str(),
        "name": going.name,
        "last_at": last.map(|last| instant(last.at)),
        "last_status": last.map(|last| last.result),
        "last_id": last.and_then(|last| last.id.as_ref()),
        "last_note": last.and_then(|last| last.note.as_ref()),
        "last_success_at": health.last_success_at.map(instant),
        "failures_in_row": health.failures_in_row,
        "next_at": going.next_at.map(instant),
        "paused": going.is_paused,
        "mean_ms": health.mean_ms(),
        "p95_ms": health.p95_ms(),
        "runs": health.runs,
        "failed": health.failed,
        "missed": health.missed,
        "overlapped": health.overlapped,
        "mistake": going.mistake,
    })
}

fn instant(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
