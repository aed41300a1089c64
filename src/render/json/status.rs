//! Everything about a job, as JSON.

use super::{ahead, row, waits};
use crate::model::{claim::Relation, limit::Limits};
use crate::ops::status::{Attempt, Live, Report, claim_of};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Reports on jobs.
pub fn status(reports: &[Report]) -> Value {
    json!({ "jobs": reports.iter().map(report).collect::<Vec<_>>() })
}

fn report(report: &Report) -> Value {
    let job = &report.row.job;
    let spec = &job.spec;
    let mut value = row(&report.row);
    let names: Map<String, Value> = report
        .mentioned
        .iter()
        .map(|(id, other)| (id.to_string(), json!({ "name": other.name, "status": other.status })))
        .collect();
    // What the index leaves out where it says nothing is always there.
    let parts = [
        ("ahead", ahead(report.waits.as_ref()).into()),
        ("waits", waits(report.waits.as_ref())),
        ("paused_at", told(&job.paused_at())),
        (
            "ending",
            told(
                &job.run()
                    .map_or_else(|| job.end().and_then(|end| end.ending.as_ref()), |run| run.ending.as_ref()),
            ),
        ),
        ("usage", told(&job.end().and_then(|end| end.outcome.as_ref()).and_then(|outcome| outcome.usage))),
        ("name", told(&spec.name)),
        ("service", spec.service.into()),
        ("env_names", told(&spec.variables)),
        ("stdin", told(&spec.stdin)),
        ("on_leftovers", told(&spec.leftovers)),
        ("max_attempts", spec.attempts_max.into()),
        ("parent", told(&spec.parent)),
        ("children", told(&report.children)),
        ("mentioned", names.into()),
        ("limits", limits(&spec.limits)),
        ("place", place(report)),
        ("run_seconds", told(&run_seconds(report))),
        ("attempts", report.attempts.iter().map(attempt).collect::<Vec<_>>().into()),
        ("live", live(Live::of(&report.processes).as_ref())),
        ("processes", told(&report.processes)),
        ("stuck", told(&report.stuck)),
        ("still_running", told(&report.still_running)),
        (
            "log",
            json!({
                "path": report.log.to_string_lossy(),
                "bytes": report.log_bytes,
                "left_out_bytes": report.log_left_out_bytes,
            }),
        ),
        ("meta", told(&report.meta)),
    ];
    for (name, part) in parts {
        value[name] = part;
    }
    value
}

fn told(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn limits(limits: &Limits) -> Value {
    json!({
        "timeout": limits.timeout,
        "stale_after": limits.stale_after,
        "grace": limits.grace,
        "log": limits.log,
    })
}

/// Where its present or last attempt runs.
fn place(report: &Report) -> Value {
    let Some(claim) = claim_of(&report.row.job) else { return Value::Null };
    let relation = report.relation.map(|relation| match relation {
        Relation::Same => "here",
        Relation::Earlier => "earlier_boot",
        Relation::Other => "elsewhere",
    });
    json!({ "host": claim.site.host, "executor": claim.executor, "relation": relation })
}

/// How long its last attempt ran, once it has ended.
fn run_seconds(report: &Report) -> Option<i64> {
    let job = &report.row.job;
    Some((job.ended_at()? - job.started_at()?).num_seconds().max(0))
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "attempt": attempt.number,
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "ending": attempt.ending,
        "outcome": attempt.outcome,
        "summary": attempt.summary,
        "log_from": attempt.log.map(|(from, _)| from),
        "log_to": attempt.log.map(|(_, to)| to),
    })
}

/// What living processes use.
pub fn live(live: Option<&Live>) -> Value {
    live.map_or(Value::Null, |live| {
        json!({ "processes": live.processes, "cpu_ms": live.cpu_ms, "resident_kib": live.resident_kib })
    })
}
