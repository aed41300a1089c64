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

/// Validators of the object, and of a line of `list --json-lines` and of `wait --json-lines`.
struct Schema {
    object: Validator,
    listed: Validator,
    waited: Validator,
    told: Validator,
    followed: Validator,
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
        let compiled = |schema: &Value| jsonschema::validator_for(schema).unwrap();
        let line = |name: &str| {
            let of = format!("#/$defs/{name}");
            compiled(&json!({ "$schema": schema["$schema"], "$ref": of, "$defs": schema["$defs"] }))
        };
        Self {
            object: compiled(schema),
            listed: line("listed_job"),
            waited: line("waited_job"),
            told: line("event_line"),
            followed: compiled(&json!({
                "$schema": schema["$schema"],
                "anyOf": [{ "$ref": "#/$defs/event_line" }, { "$ref": "#/$defs/gap" }],
                "$defs": schema["$defs"],
            })),
        }
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
    let choose = |schema: &'static Schema| match is_object {
        true => &schema.object,
        false if has("wait") => &schema.waited,
        false if flags.first() == Some(&OsStr::new("events")) => &schema.followed,
        false => &schema.listed,
    };
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

/// Holds the stream of that root against the schema.
#[track_caller]
pub fn check_events(root: &Path) {
    let text = std::fs::read_to_string(root.join("events.jsonl")).unwrap();
    let faults = faults(&CLOSED.told, &text);
    assert!(faults.is_empty(), "not as docs/schema says:\n{}\n{text}", faults.join("\n"));
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

/// What the schema says of an object.
fn is_described(object: &Value) -> bool {
    let text = object.to_string();
    faults(&CLOSED.object, &text).is_empty()
}

#[test]
fn the_schema_is_one_and_describes_every_subcommand() {
    let schema = committed();
    assert!(jsonschema::meta::is_valid(&schema));
    let described = schema["else"]["properties"]["command"]["enum"].as_array().unwrap().iter();
    let described: BTreeSet<&str> = described.filter_map(Value::as_str).collect();
    let known = bgctl::cli::args::SUBCOMMANDS.iter().map(|(name, ..)| *name).chain(["overview"]);
    assert_eq!(described, known.collect::<BTreeSet<_>>());
}

#[test]
fn every_field_and_every_kind_of_object_has_its_type() {
    fn look(schema: &Value, path: &str) {
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            for (name, of) in fields {
                assert!(of.as_object().is_some_and(|of| !of.is_empty()), "{path}/{name} may be anything");
                let is_snake = name
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
                assert!(is_snake, "{path}/{name}");
            }
        }
        match schema {
            Value::Object(parts) => {
                parts.iter().for_each(|(name, part)| look(part, &format!("{path}/{name}")));
            }
            Value::Array(parts) => parts.iter().for_each(|part| look(part, path)),
            _ => {}
        }
    }
    look(&committed(), "");
}

#[test]
fn a_renamed_a_missing_and_a_mistyped_field_are_found_in_whatever_is_printed() {
    let user = User::new();
    let id = user.start(["--name", "n", "--", "true"]);
    user.wait(&id);
    for arguments in [
        vec!["list", "--json"],
        vec!["status", "--json", &id],
        vec!["--json"],
        vec!["logs", "--json", &id],
        vec!["wait", "--json", &id],
        vec!["cancel", "--json", &id],
        vec!["start", "--json", "--dry-run", "--", "true"],
        vec!["prune", "--json", "--dry-run", "--all"],
        vec!["tick", "--json"],
        vec!["init", "--json", "fish"],
        vec!["status", "--json", "nobody"],
    ] {
        let object = user.run(&arguments).json();
        assert!(is_described(&object), "{arguments:?}");
        for place in places(&object, "") {
            let (parent, name) = place.rsplit_once('/').unwrap();
            // What the index of another version may have, and the ids under which other jobs are mentioned.
            let mut missing = object.clone();
            let fields = missing.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            let value = fields.remove(name).unwrap();
            assert!(!is_described(&missing), "{arguments:?} without {place}");
            let mut renamed = missing;
            let fields = renamed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            fields.insert(format!("{name}_x"), value);
            assert!(!is_described(&renamed), "{arguments:?} with {place}_x");
            let mut mistyped = object.clone();
            *mistyped.pointer_mut(&place).unwrap() = json!([[0.5]]);
            assert!(!is_described(&mistyped), "{arguments:?} with {place} as a list of lists");
        }
    }
}

/// The places of all fields of an object that must be there. What a file has as it stands may leave some out.
fn places(value: &Value, path: &str) -> Vec<String> {
    let below = |(name, value): (String, &Value)| places(value, &format!("{path}/{name}"));
    match value {
        Value::Object(fields) => {
            let own = fields.keys().map(|name| format!("{path}/{name}"));
            let inner = fields.iter().filter(|(name, _)| *name != "meta" && *name != "events");
            let inner = inner.flat_map(|(name, value)| below((name.clone(), value)));
            own.chain(inner).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(number, item)| below((number.to_string(), item))).collect()
        }
        _ => Vec::new(),
    }
}
