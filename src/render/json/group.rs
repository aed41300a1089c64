//! Groups, as JSON.

use crate::ops::group::{GroupResult, Standing};
use serde_json::{Value, json};

/// How groups stand, and what became of the one that was added or removed.
pub fn groups(standings: &[Standing], result: Option<GroupResult>) -> Value {
    let result = result.map(|result| match result {
        GroupResult::Added => "added",
        GroupResult::Changed => "changed",
        GroupResult::WasSo => "unchanged",
        GroupResult::Removed => "removed",
    });
    json!({ "groups": standings.iter().map(group).collect::<Vec<_>>(), "result": result })
}

/// How a group stands.
pub fn group(one: &Standing) -> Value {
    let slots_from = one.slots.map(|_| if one.by_settings { "config" } else { "index" });
    json!({
        "name": one.name,
        "slots": one.slots,
        "slots_from": slots_from,
        "held": one.held,
        "running": one.running,
        "queued": one.queued,
        "paused_at": one.paused_at,
    })
}
