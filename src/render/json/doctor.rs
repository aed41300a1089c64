//! What a look at the installation found, and the index as a file, as JSON.

use crate::ops::{
    doctor::{Examined, Finding, Grade},
    store::{Shown, migrate::Migrated, rebuild::Rebuilt},
};
use serde_json::{Map, Value, json};

/// What was found.
pub fn examined(examined: &Examined) -> Value {
    let finding = |one: &Finding| {
        json!({
            "check": one.check,
            "result": one.grade.as_str(),
            "found": one.found,
            "details": one.details,
            "mend": one.mend,
            "mended": one.mended,
        })
    };
    let verdict = match examined.worst() {
        Grade::Fine | Grade::Note => "well",
        Grade::Warning => "warning",
        Grade::Problem => "problem",
    };
    json!({
        "root": examined.root.to_string_lossy(),
        "verdict": verdict,
        "findings": examined.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// How the index stands.
pub fn store_shown(shown: &Shown) -> Value {
    let counts: Map<String, Value> =
        shown.counts.iter().map(|(status, count)| (status.as_str().to_owned(), (*count).into())).collect();
    json!({
        "action": "show",
        "path": shown.path.to_string_lossy(),
        "type": shown.form.as_str(),
        "bytes": shown.bytes,
        "modified_at": shown.modified_at,
        "counts": counts,
        "schedules": shown.schedules,
        "last_event": shown.last_event,
        "kept": shown.kept,
    })
}

/// What came of giving it another form.
pub fn migrated(migrated: &Migrated) -> Value {
    json!({
        "action": "migrate",
        "path": migrated.path.to_string_lossy(),
        "from": migrated.from.as_str(),
        "type": migrated.to.as_str(),
        "jobs": migrated.jobs,
    })
}

/// What came of making it anew.
pub fn rebuilt(rebuilt: &Rebuilt) -> Value {
    let lost: Vec<Value> = rebuilt
        .lost
        .iter()
        .map(|lost| json!({ "id": lost.id, "name": lost.name, "status": lost.status }))
        .collect();
    let from_files: Vec<Value> =
        rebuilt.from_files.iter().map(|job| json!({ "id": job.id, "status": job.status() })).collect();
    json!({
        "action": "rebuild",
        "dry_run": rebuilt.dry_run,
        "path": rebuilt.path.to_string_lossy(),
        "was": rebuilt.was,
        "kept": rebuilt.kept.as_ref().map(|kept| kept.to_string_lossy()),
        "salvaged": rebuilt.salvaged,
        "from_files": from_files,
        "torn_tables": rebuilt.torn_tables,
        "lost": lost,
        "lost_schedules": rebuilt.lost_schedules,
    })
}
