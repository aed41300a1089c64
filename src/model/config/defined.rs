//! Sections of the settings file that define something by name: `[schedules.NAME]` and `[sessions.NAME]`.
//!
//! What they say is kept as it stands, with its lines. A mistake in one of them is that one's alone: the settings hold, and
//! so do the others.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The section that has one section for each schedule.
pub const SCHEDULES: &str = "schedules";
/// The section that has one section for each session.
pub const SESSIONS: &str = "sessions";

/// One such section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defined {
    /// The line of its heading, from 1.
    pub line: usize,
    /// What it says.
    pub fields: Map<String, Value>,
    /// The line of each of its keys.
    pub lines: BTreeMap<String, usize>,
}

impl Defined {
    /// The section at that line; `line_of` gives the line of a place.
    pub(super) fn of(table: &DeTable<'_>, line: usize, line_of: impl Fn(usize) -> usize) -> Self {
        let mut defined = Self { line, ..Self::default() };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            defined.lines.insert(name.clone(), line_of(key.span().start));
            defined.fields.insert(name, json(value));
        }
        defined
    }

    /// The line of a key; that of the heading where it is not there.
    pub fn line_of(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(self.line)
    }
}

/// A value as JSON says it. What JSON has no word for becomes the text as it stands.
fn json(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Integer(number) => {
            let text = number.as_str();
            i64::from_str_radix(text, number.radix()).map_or_else(|_| Value::from(text), Value::from)
        }
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Datetime(at) => Value::from(at.to_string()),
        DeValue::Array(list) => list.iter().map(json).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value))).collect()
        }
    }
}
