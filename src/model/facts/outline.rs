//! The text of an index: its version, what it requires, and where its entries stand; and why it may not be read.

use super::VERSION;
use crate::model::{tables::Tables, unknown::on_one_line};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, ops::Range};

/// Why a text is not an index that this program may write to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not follow the rules of version 1.
    #[error("{0}")]
    Damaged(#[from] Damage),
    /// It is no file that this program would have written.
    #[error("it {0}")]
    NotAFile(String),
    /// A newer program wrote it.
    #[error("it has version {0}, and this program knows version {VERSION} only; use the newer program")]
    Newer(u64),
    /// It says that it must not be changed by a program that does not know these features.
    #[error("it requires {}, which this program does not know; use the newer program", .0.join(", "))]
    Requires(Vec<String>),
}

/// A place in the index that breaks its rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Damage {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

pub(super) struct Outline<'a> {
    requires: Vec<String>,
    last_event: u64,
    others: Vec<(String, &'a RawValue)>,
    tables: Tables,
    jobs: Vec<&'a RawValue>,
}

/// A table that cannot be read: its text, and what is wrong in it.
pub(super) type TornTable<'a> = (&'a RawValue, serde_json::Error);

/// Where the parts of an index stand in its text.
pub(super) struct Ranges {
    pub(super) requires: Vec<String>,
    pub(super) last_event: u64,
    pub(super) others: Vec<(String, String)>,
    pub(super) tables: Tables,
    pub(super) jobs: Vec<Range<usize>>,
}

impl Outline<'_> {
    pub(super) fn into_ranges(self, text: &str) -> Ranges {
        let base = text.as_ptr() as usize;
        let range = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - base;
            start..start + raw.get().len()
        };
        Ranges {
            requires: self.requires,
            last_event: self.last_event,
            others: self.others.into_iter().map(|(name, raw)| (name, on_one_line(raw.get()))).collect(),
            tables: self.tables,
            jobs: self.jobs.into_iter().map(range).collect(),
        }
    }
}

/// Reads the outline of an index, and tells a newer version and a torn table apart from other damage.
pub(super) struct OutlineSeed<'s, 'de> {
    pub(super) newer: &'s mut Option<u64>,
    pub(super) torn: &'s mut Option<TornTable<'de>>,
}

impl<'de> DeserializeSeed<'de> for OutlineSeed<'_, 'de> {
    type Value = Outline<'de>;
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Outline<'de>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OutlineSeed<'_, 'de> {
    type Value = Outline<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with version and jobs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline<'de>, A::Error> {
        use serde::de::Error;
        let (mut version, mut jobs) = (None::<u64>, None);
        let mut outline = Outline {
            requires: Vec::new(),
            last_event: 0,
            others: Vec::new(),
            tables: Tables::default(),
            jobs: Vec::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "version" if version.is_none() => {
                    let given: u64 = map.next_value()?;
                    if given > VERSION {
                        *self.newer = Some(given);
                    }
                    if given != VERSION {
                        return Err(A::Error::custom(format!("version {given} is unknown")));
                    }
                    version = Some(given);
                }
                "jobs" if jobs.is_none() => jobs = Some(map.next_value::<Vec<&RawValue>>()?),
                "version" | "jobs" => return Err(A::Error::custom(format!("{name} is there twice"))),
                "updated_at" | "checksum" => drop(map.next_value::<serde::de::IgnoredAny>()?),
                "last_event" => outline.last_event = map.next_value::<Option<u64>>()?.unwrap_or(0),
                "requires" => {
                    let raw: &RawValue = map.next_value()?;
                    outline.requires = serde_json::from_str(raw.get())
                        .map_err(|_| A::Error::custom("requires: expected a list of strings"))?;
                }
                "groups" => outline.tables.groups = table(&name, map.next_value()?, self.torn)?,
                "schedules" => outline.tables.schedules = table(&name, map.next_value()?, self.torn)?,
                "names" => outline.tables.names = table(&name, map.next_value()?, self.torn)?,
                "totals" => outline.tables.totals = table(&name, map.next_value()?, self.torn)?,
                _ => outline.others.push((name, map.next_value()?)),
            }
        }
        if version.is_none() {
            return Err(A::Error::missing_field("version"));
        }
        outline.jobs = jobs.ok_or_else(|| A::Error::missing_field("jobs"))?;
        Ok(outline)
    }
}

/// Reads one of the tables beside the jobs.
fn table<'de, T: serde::de::DeserializeOwned, E: serde::de::Error>(
    name: &str,
    raw: &'de RawValue,
    torn: &mut Option<TornTable<'de>>,
) -> Result<T, E> {
    serde_json::from_str(raw.get()).map_err(|error| {
        // The place in it counts from its own beginning.
        *torn = Some((raw, error));
        E::custom(format!("{name} cannot be read"))
    })
}

/// The place of what is wrong in a table of this text.
pub(super) fn damage_in_table(text: &str, (raw, error): &TornTable<'_>) -> Damage {
    let offset = raw.get().as_ptr() as usize - text.as_ptr() as usize;
    damage_at(text.as_bytes(), offset, error)
}

/// The place of an error that was found in the part of the text that begins at `offset`.
pub(super) fn damage_at(text: &[u8], offset: usize, error: &serde_json::Error) -> Damage {
    let (line, column) = position(text, offset);
    let (line, column) = match error.line() {
        0 | 1 => (line, column + error.column().saturating_sub(1)),
        more => (line + more - 1, error.column().max(1)),
    };
    let message = error.to_string();
    // The library's message ends with a place that is relative to the part.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(said, _)| said).to_owned();
    Damage { line, column, message }
}

/// Line and column, from 1.
pub(super) fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}
