//! The settings, as JSON.

use crate::model::config::{Mistake, Value as Setting};
use crate::ops::config::{Checked, File, Shown, ShownDefinition};
use serde_json::{Value, json};

/// The settings that hold: numbers, seconds, bytes, words or commands; null where a limit is switched off, and
/// where a hook has no command.
pub fn settings(shown: &Shown) -> Value {
    let all =
        shown.sections.iter().flat_map(|section| section.settings.iter().map(move |one| (section, one)));
    let settings = all.map(|(section, one)| {
        json!({
            "key": format!("{}.{}", section.name, one.name),
            "value": value(&one.value),
            "text": one.value.to_string(),
            "from": if one.line.is_some() { "config" } else { "default" },
            "line": one.line,
            "used": section.is_used,
        })
    });
    let settings: Vec<Value> = settings.collect();
    let mut object = settings_file(&shown.file);
    object["settings"] = settings.into();
    object["defined"] = shown.defined.iter().map(defined).collect::<Vec<_>>().into();
    object
}

/// A section that defines something by name.
fn defined(one: &ShownDefinition) -> Value {
    json!({
        "section": one.section,
        "line": one.line,
        "text": one.said.as_ref().ok(),
        "mistake": one.said.as_ref().err().map(mistake),
    })
}

/// What is wrong with the file, and where.
pub fn mistake(one: &Mistake) -> Value {
    json!({ "line": one.line, "column": one.column, "key": one.key, "message": one.problem })
}

fn value(value: &Setting) -> Value {
    match value {
        Setting::Count(count) => (*count).into(),
        Setting::Seconds(seconds) => (*seconds).into(),
        Setting::Bytes(bytes) => (*bytes).into(),
        Setting::Word(word) => (*word).into(),
        Setting::Command(argv) => json!(argv),
        Setting::Flag(flag) => (*flag).into(),
        Setting::Names(names) => json!(names),
        Setting::Text(text) => text.as_str().into(),
        Setting::Path(path) => json!(path),
    }
}

/// Where the settings file is.
pub fn settings_file(file: &File) -> Value {
    json!({
        "file": file.path.to_string_lossy(),
        "exists": file.exists,
        "root": file.root.to_string_lossy(),
        "root_from": file.root_from,
    })
}

/// What was found in it.
pub fn checked_settings(checked: &Checked) -> Value {
    let mistakes: Vec<Value> = checked.mistakes.iter().map(mistake).collect();
    let mut object = settings_file(&checked.file);
    let notes: Vec<Value> = checked
        .notes
        .iter()
        .map(|one| json!({ "line": one.line, "key": one.key, "message": one.message }))
        .collect();
    object["mistakes"] = mistakes.into();
    object["notes"] = notes.into();
    object
}
