//! Dead letters, as JSON.

use super::{entry, status::report};
use crate::model::bytes;
use crate::ops::{
    dead::{ClearResult, Cleared, Shown},
    list::Listed,
};
use serde_json::{Value, json};

/// The dead letters.
pub fn dead_list(listed: &Listed) -> Value {
    let jobs: Vec<Value> = listed.entries.iter().map(entry).collect();
    json!({ "jobs": jobs, "left_out": listed.left_out, "action": "list" })
}

/// Everything about dead letters, and the last lines of each one's output.
pub fn dead_shown(shown: &[Shown]) -> Value {
    let lines =
        |one: &Shown| json!({ "id": one.report.row.job.id, "output": bytes::to_json(&one.last_lines) });
    json!({
        "action": "show",
        "jobs": shown.iter().map(|one| report(&one.report)).collect::<Vec<_>>(),
        "last_lines": shown.iter().map(lines).collect::<Vec<_>>(),
    })
}

/// What became of each.
pub fn dead_cleared(results: &[Cleared]) -> Value {
    let one = |one: &Cleared| {
        let result = match one.result {
            ClearResult::Done => "cleared",
            ClearResult::WasNone => "was_none",
            ClearResult::HasNotEnded => "has_not_ended",
        };
        json!({ "id": one.job.id, "status": one.job.status(), "result": result })
    };
    json!({ "action": "clear", "jobs": results.iter().map(one).collect::<Vec<_>>() })
}
