//! What a transaction adds to an index of lines, and the whole of one that is begun.

use super::{
    Facts, Layout, VERSION,
    lines::{CHECKSUM_BEGIN, COMMIT},
    seal,
};
use crate::model::{Timestamp, state::Status, tables::Tables};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a transaction adds to an index of lines.
#[derive(Debug, Default)]
pub struct Addition {
    /// The lines.
    pub text: Vec<u8>,
    /// The entries among them, by their places among all.
    entries: Vec<(usize, Range<usize>)>,
    /// Whether the beginnings of its lines tell all that selection needs.
    is_sealed: bool,
}

impl Facts {
    /// An index of lines with all of this in one transaction.
    pub fn to_lines(&self, now: Timestamp) -> Vec<u8> {
        let Layout { is_sealed, lines } = self.layout();
        let mut text = Vec::with_capacity(self.text.len() + 1_024);
        push(&mut text, format!("{{\"version\":{VERSION}}}").as_bytes());
        for (name, value) in &self.others {
            push(&mut text, format!("{{{}:{value}}}", serde_json::Value::from(name.as_str())).as_bytes());
        }
        self.push_tables(&mut text, &Tables::default());
        let mut lines = lines.iter().peekable();
        for (place, entry) in self.entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            match (lines.next_if(|(of, _)| *of == place), &entry.raw) {
                (Some((_, line)), _) => push(&mut text, line.as_bytes()),
                (None, Some(raw)) => push(&mut text, &self.text[raw.clone()]),
                (None, None) => {}
            }
        }
        self.push_commit(&mut text, now, is_sealed);
        text
    }

    /// What these facts add to the lines that they were read from.
    pub fn addition(&self, now: Timestamp) -> Addition {
        let Layout { is_sealed, lines } = self.layout_of(|entry| entry.raw.is_none());
        let mut addition = Addition { is_sealed, ..Addition::default() };
        let known = self.lines.as_deref();
        for id in known.map_or(&[][..], |known| &known.removed) {
            push(&mut addition.text, format!("{{\"removed\":\"{id}\"}}").as_bytes());
        }
        self.push_tables(&mut addition.text, known.map_or(&Tables::default(), |known| &known.tables));
        for (place, line) in lines {
            let from = addition.text.len();
            push(&mut addition.text, line.as_bytes());
            addition.entries.push((place, from..from + line.len()));
        }
        self.push_commit(&mut addition.text, now, is_sealed);
        addition
    }

    /// After these lines were added: these facts are what is read of all.
    pub fn settle(&mut self, addition: Addition) {
        let base = self.text.len();
        self.was_sealed &= addition.is_sealed;
        for (place, range) in addition.entries {
            if let Some(Some(entry)) = self.entries.get_mut(place) {
                entry.raw = Some(base + range.start..base + range.end);
                if entry.head.status != Status::Running {
                    entry.job = None;
                }
            }
        }
        self.text.extend_from_slice(&addition.text);
        if let Some(known) = &mut self.lines {
            known.added += addition.text.iter().filter(|byte| **byte == b'\n').count();
            known.removed.clear();
            known.tables.clone_from(&self.tables);
        }
    }

    fn push_tables(&self, text: &mut Vec<u8>, known: &Tables) {
        push_patch(text, "groups", &known.groups, &self.tables.groups);
        push_patch(text, "schedules", &known.schedules, &self.tables.schedules);
        push_patch(text, "names", &known.names, &self.tables.names);
        if self.tables.totals != known.totals {
            push(text, format!("{{\"totals\":{}}}", serde_json::json!(self.tables.totals)).as_bytes());
        }
    }

    /// Ends the transaction, which is all of the text.
    fn push_commit(&self, text: &mut Vec<u8>, now: Timestamp, is_sealed: bool) {
        let stamp = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        text.extend_from_slice(COMMIT);
        text.extend_from_slice(format!("{},\"updated_at\":\"{stamp}\"", self.last_event).as_bytes());
        let features = self.features();
        if !features.is_empty() {
            text.extend_from_slice(format!(",\"requires\":{}", serde_json::json!(features)).as_bytes());
        }
        if is_sealed {
            text.extend_from_slice(CHECKSUM_BEGIN);
            let checksum = seal::digits(text);
            text.extend_from_slice(checksum.as_bytes());
            text.push(b'"');
        }
        text.extend_from_slice(b"}\n");
    }
}

fn push(text: &mut Vec<u8>, line: &[u8]) {
    text.extend_from_slice(line);
    text.push(b'\n');
}

/// What is another in a table, and what is gone.
fn push_patch<T: Serialize + PartialEq>(
    text: &mut Vec<u8>,
    name: &str,
    known: &BTreeMap<String, T>,
    table: &BTreeMap<String, T>,
) {
    let changed = table.iter().filter(|(name, one)| known.get(*name) != Some(one));
    let gone = known.keys().filter(|name| !table.contains_key(*name));
    let patch: BTreeMap<&String, Option<&T>> =
        changed.map(|(name, one)| (name, Some(one))).chain(gone.map(|name| (name, None))).collect();
    if !patch.is_empty() {
        push(
            text,
            format!("{{\"{name}\":{}}}", serde_json::to_string(&patch).unwrap_or_default()).as_bytes(),
        );
    }
}
