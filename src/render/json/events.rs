//! The stream of changes, as JSON.

use crate::ops::events::{Kept, Told};
use crate::render::safe;
use serde_json::{Value, json};

/// What is kept of the stream, and the number from which whoever comes back goes on.
pub fn events(kept: &Kept) -> Value {
    let all: Vec<Value> = kept.told.iter().map(event).collect();
    json!({ "events": all, "last": kept.last, "left_out": kept.left_out })
}

fn event(told: &Told) -> Value {
    match told {
        Told::Line { fields, .. } => Value::Object(fields.clone()),
        Told::Gap { from, to } => json!({ "event": "gap", "from": from, "to": to }),
    }
}

/// A line of the stream, which says what it says there, or a gap.
pub fn event_line(told: &Told) -> String {
    safe::json(match told {
        Told::Line { text, .. } => text.clone(),
        Told::Gap { .. } => event(told).to_string(),
    })
}
