//! What was put in its place, or taken away.

use crate::ops::init::install::{Installed, Outcome};
use serde_json::{Value, json};

/// What was done.
pub fn installed(installed: &Installed, dry_run: bool) -> Value {
    let result = match installed.outcome {
        Outcome::Added => "added",
        Outcome::Replaced => "replaced",
        Outcome::Unchanged => "unchanged",
        Outcome::Removed => "removed",
        Outcome::WasNotThere => "was_not_there",
    };
    json!({
        "text": installed.text,
        "dry_run": dry_run,
        "result": result,
        "path": installed.path.as_ref().map(|path| path.to_string_lossy()),
        "commands": installed.commands,
    })
}
