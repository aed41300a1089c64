//! From the text of an index to its facts.

use super::{
    Damage, Entry, Facts, Head, JOBS_MAX, KNOWN_FEATURES, Unreadable, find, front,
    head::HeadWire,
    outline::{OutlineSeed, Ranges, damage_at, damage_in_table, position},
    places::Places,
    seal,
    write::{JOBS_BEGIN, JOBS_END},
};
use crate::model::state::Status;
use serde::de::DeserializeSeed;
use std::collections::HashSet;
use std::ops::Range;

/// So many entries more find room without all being moved.
pub(super) const SPARE_ENTRIES: usize = 16;

impl Facts {
    /// Reads an index.
    pub fn parse(text: impl Into<Vec<u8>>) -> Result<Self, Unreadable> {
        let text = text.into();
        if seal::is_sealed(&text)
            && let Some(outline) = sealed_outline(&text)
        {
            return Self::parse_sealed(text, outline);
        }
        Self::parse_with_care(text)
    }

    /// Reads an index that anybody may have written.
    pub(super) fn parse_with_care(text: Vec<u8>) -> Result<Self, Unreadable> {
        let mut outline = {
            let text = std::str::from_utf8(&text).map_err(|error| not_utf8(&text, 0, &error))?;
            outline(text, text.as_bytes())?
        };
        let jobs = std::mem::take(&mut outline.jobs);
        let mut facts = Self::of_outline(text, outline, jobs.len())?;
        let mut ids = HashSet::with_capacity(jobs.len());
        for range in jobs {
            let place = facts.entries.len();
            let entry = read_entry(&facts.text, range.clone())?;
            if !ids.insert(entry.head.id.clone()) {
                let (line, column) = position(&facts.text, range.start);
                let message = format!("the id {} is there twice", entry.head.id);
                return Err(Damage { line, column, message }.into());
            }
            facts.entries.push(Some(entry));
            facts.load_if_running(place)?;
        }
        Ok(facts)
    }

    /// Reads an index that stands as it was written: a line is an entry.
    fn parse_sealed(text: Vec<u8>, mut outline: Ranges) -> Result<Self, Unreadable> {
        let jobs = std::mem::take(&mut outline.jobs);
        let mut facts = Self::of_outline(text, outline, jobs.len())?;
        facts.was_sealed = true;
        // It is lent out while the entries are read from it.
        let text = std::mem::take(&mut facts.text);
        let mut reader = front::Reader::default();
        for range in jobs {
            let entry = match reader.head(&text[range.clone()]) {
                Some(head) => Entry { head, raw: Some(range), job: None },
                None => read_entry(&text, range)?,
            };
            facts.entries.push(Some(entry));
        }
        drop(reader);
        facts.text = text;
        for place in 0..facts.entries.len() {
            facts.load_if_running(place)?;
        }
        Ok(facts)
    }

    fn of_outline(text: Vec<u8>, outline: Ranges, jobs: usize) -> Result<Self, Unreadable> {
        if jobs > JOBS_MAX {
            return Err(of_too_many(jobs));
        }
        let mut foreign_features = outline.requires;
        foreign_features.retain(|name| !KNOWN_FEATURES.contains(&name.as_str()));
        Ok(Self {
            foreign_features,
            entries: Vec::with_capacity(jobs + SPARE_ENTRIES),
            places: Places::default(),
            last_event: outline.last_event,
            others: outline.others,
            tables: outline.tables,
            was_sealed: false,
            lines: None,
            text,
        })
    }

    /// What runs is needed whole.
    pub(super) fn load_if_running(&mut self, place: usize) -> Result<(), Damage> {
        let runs = |entry: &Entry| entry.head.status == Status::Running;
        if self.entries[place].as_ref().is_some_and(runs) {
            self.load(place)?;
        }
        Ok(())
    }
}

pub(super) fn read_entry(text: &[u8], range: Range<usize>) -> Result<Entry, Damage> {
    let head: HeadWire<'_> =
        serde_json::from_slice(&text[range.clone()]).map_err(|error| damage_at(text, range.start, &error))?;
    Ok(Entry { head: Head::from(head), raw: Some(range), job: None })
}

/// An index of more jobs than are read.
pub(super) fn of_too_many(jobs: usize) -> Unreadable {
    Unreadable::NotAFile(format!("has {jobs} jobs, more than the {JOBS_MAX} that are read"))
}

/// A part of a text, which begins there, is not UTF-8.
pub(super) fn not_utf8(text: &[u8], from: usize, error: &std::str::Utf8Error) -> Damage {
    let (line, column) = position(text, from + error.valid_up_to());
    Damage { line, column, message: "is not UTF-8".to_owned() }
}

/// The parts of an index as `text` has them; what is damaged is named by its place in `whole`, which begins so.
fn outline(text: &str, whole: &[u8]) -> Result<Ranges, Unreadable> {
    let (mut newer, mut torn) = (None, None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = OutlineSeed { newer: &mut newer, torn: &mut torn };
    let outline = seed.deserialize(&mut deserializer);
    match (outline, newer, torn) {
        (_, Some(version), _) => Err(Unreadable::Newer(version)),
        (Err(_), None, Some(torn)) => Err(damage_in_table(text, &torn).into()),
        (Err(error), None, None) => Err(damage_at(whole, 0, &error).into()),
        (Ok(outline), None, _) => {
            deserializer.end().map_err(|error| damage_at(whole, 0, &error))?;
            Ok(outline.into_ranges(text))
        }
    }
}

/// The parts of a sealed index: what stands before its jobs is little, and each line behind that is one. `None`: it is not made
/// of lines.
fn sealed_outline(text: &[u8]) -> Option<Ranges> {
    let begin = find::line_ends(text)
        .filter_map(|end| end.checked_sub(1))
        .find(|begin| text[*begin..].starts_with(JOBS_BEGIN.as_bytes()))?;
    let end = text.strip_suffix(JOBS_END.as_bytes())?.len();
    let mut at = begin + JOBS_BEGIN.len();
    let beside = std::str::from_utf8(&text[..begin]).ok()?;
    let mut outline = outline(&format!("{beside}{JOBS_BEGIN}{JOBS_END}"), text).ok()?;
    while at < end {
        // A line feed, and behind it an entry and a comma.
        let line = at + 1;
        let length = find::first(b'\n', &text[line..end]).unwrap_or(end - line);
        let entry = &text[line..line + length];
        outline.jobs.push(line..line + entry.strip_suffix(b",").unwrap_or(entry).len());
        at = line + length;
    }
    Some(outline)
}
