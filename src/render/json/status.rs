//! Everything about a job, as JSON.

use super::{ending, live, row, waits_of};
use crate::model::{claim::Relation, limit::Limits, outcome::Outcome};
use crate::ops::status::{Attempt, Report};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Reports on jobs.
pub fn status(reports: &[Report]) -> Value {
    json!({ "jobs": reports.iter().map(report).collect::<Vec<_>>() })
}

/// Everything about one job.
pub(super) fn report(report: &Report) -> Value {
    let job = &report.row.job;
    let mut value = row(&report.row);
    let names: Map<String, Value> = report
        .mentioned
        .iter()
        .map(|(id, other)| (id.to_string(), json!({ "name": other.name, "status": other.status })))
        .collect();
    // What the index leaves out where it says nothing is always there.
    let parts = [
        ("place", report.place.into()),
        ("waits", waits_of(&report.row.job, report.waits.as_ref())),
        ("issue_url", told(&report.issue_url)),
        ("children", told(&report.children)),
        ("retries", told(&report.retries)),
        ("mentioned", names.into()),
        ("limits", limits(&job.spec.limits)),
        ("relation", relation(report)),
        ("run_seconds", told(&run_seconds(report))),
        ("attempts", report.attempts.iter().map(attempt).collect::<Vec<_>>().into()),
        ("live", live(report.live)),
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

/// How the place of its present or last attempt relates to this one.
fn relation(report: &Report) -> Value {
    report.relation.map_or(Value::Null, |relation| {
        Value::from(match relation {
            Relation::Same => "here",
            Relation::Earlier => "earlier_boot",
            Relation::Other => "elsewhere",
        })
    })
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
        "ending": ending(attempt.ending.as_ref()),
        "outcome": attempt.outcome.as_ref().map(outcome),
        "summary": attempt.summary,
        "log_from": attempt.log.map(|(from, _)| from),
        "log_to": attempt.log.map(|(_, to)| to),
    })
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "exit": outcome.exit,
        "at": outcome.at,
        "usage": outcome.usage,
        "leftovers": outcome.leftovers,
        "leftovers_left": outcome.leftovers_left,
        "best_effort": outcome.best_effort,
        "notes": outcome.notes,
    })
}
