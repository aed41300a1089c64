//! `docs/schema/bgctl.schema.json`: what `--json` prints, described for programs.
//!
//! Whatever any test of this binary runs with `--json` is held against it (`support::User::run`), so that a field which is
//! renamed, missing or of another type is found wherever it shows.

use crate::faces::project;
use crate::support::User;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::LazyLock;

/// Validators of the object, and of a line of `list --json-lines`.
struct Schema {
    object: Validator,
    line: Validator,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(&committed()));

/// The same without room for fields that only the index knows.
static CLOSED: LazyLock<Schema> = LazyLock::new(|| {
    let mut schema = committed();
    for definition in schema["$defs"].as_object_mut().unwrap().values_mut() {
        if let Some(open) = definition.get_mut("unevaluatedProperties") {
            *open = json!(false);
        }
    }
    Schema::new(&schema)
});

fn committed() -> Value {
    let text = std::fs::read_to_string(project("docs/schema/bgctl.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

impl Schema {
    fn new(schema: &Value) -> Self {
        let line =
            json!({ "$schema": schema["$schema"], "$ref": "#/$defs/listed_job", "$defs": schema["$defs"] });
        let compiled = |schema| jsonschema::validator_for(schema).unwrap();
        Self { object: compiled(schema), line: compiled(&line) }
    }
}

/// What is wrong with a text that should be one object with `--json`, or such lines with `--json-lines`.
fn faults(validator: &Validator, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(value) => faults.extend(
                validator.iter_errors(&value).map(|error| format!("{}: {error:.400}", error.instance_path())),
            ),
            Err(error) => faults.push(error.to_string()),
        }
    }
    faults
}

/// Holds what a command printed against the schema, where it was asked for JSON. Only what the index of that root has in
/// its jobs may be there beside what is described.
#[track_caller]
pub fn check<S: AsRef<OsStr>>(root: &Path, arguments: &[S], text: &str) {
    let flags: Vec<&OsStr> =
        arguments.iter().map(AsRef::as_ref).take_while(|word| *word != OsStr::new("--")).collect();
    let has = |flag: &str| flags.contains(&OsStr::new(flag));
    let (is_object, is_lines) = (has("--json"), has("--json-lines"));
    // A word of a command that is given without -- in front of it is none of ours.
    if !(is_object || is_lines) || has("--help") || text.is_empty() || !text.starts_with('{') {
        return;
    }
    let choose = |schema: &'static Schema| if is_object { &schema.object } else { &schema.line };
    assert!(!is_object || text.lines().count() == 1, "one object, on one line: {text}");
    let open = faults(choose(&SCHEMA), text);
    assert!(open.is_empty(), "not as docs/schema says:\n{}\n{text}", open.join("\n"));
    if choose(&CLOSED).is_valid(&serde_json::from_str(text).unwrap_or_default()) {
        return;
    }
    let unknown = unknown(root);
    for line in text.lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        strip(&mut value, &unknown);
        let closed = faults(choose(&CLOSED), &value.to_string());
        assert!(closed.is_empty(), "not described by docs/schema:\n{}\n{text}", closed.join("\n"));
    }
}

/// The fields of the jobs of an index that are described nowhere.
fn unknown(root: &Path) -> BTreeSet<String> {
    let schema = committed();
    let known = &schema["$defs"]["job_fields"]["properties"];
    let index = std::fs::read_to_string(root.join("jobs.json")).unwrap_or_default();
    let index: Value = serde_json::from_str(&index).unwrap_or_default();
    let jobs = index["jobs"].as_array().cloned().unwrap_or_default();
    let names = jobs.iter().filter_map(Value::as_object).flat_map(|job| job.keys().cloned());
    names.filter(|name| name != "id" && known.get(name).is_none()).collect()
}

fn strip(value: &mut Value, unknown: &BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("created_at") {
                fields.retain(|name, _| !unknown.contains(name));
            }
            fields.values_mut().for_each(|value| strip(value, unknown));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| strip(value, unknown)),
        _ => {}
    }
}
