//! What can still be read of an index of lines that is damaged: each line by itself.
//!
//! Of a job whose latest line cannot be read an earlier one is not taken either: it says how the job was, and not how it is.

use super::{
    KNOWN_FEATURES, Unreadable, VERSION,
    lines::{COMMIT, ENTRY, Patch, apply},
    salvage::{OWN_FIELDS, Salvaged},
    write::Fields,
};
use crate::model::{id::JobId, job::Job, unknown::on_one_line};
use memchr::memmem;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Reads what can be read. An error where it says that this program must not change it.
pub fn salvage_lines(text: &[u8]) -> Result<Salvaged, Unreadable> {
    let mut reader = Reader::default();
    for line in committed(text).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice::<Fields<'_>>(line) {
            Ok(fields) => reader.take(line, &fields)?,
            Err(_) => reader.pass_over(line),
        }
    }
    let mut salvaged = reader.salvaged;
    let foreign: Vec<String> =
        salvaged.requires.iter().filter(|name| !KNOWN_FEATURES.contains(&name.as_str())).cloned().collect();
    if !foreign.is_empty() {
        return Err(Unreadable::Requires(foreign));
    }
    salvaged.entries = reader.entries.into_iter().flatten().collect();
    salvaged.torn = reader.torn.into_iter().collect();
    Ok(salvaged)
}

/// Without what was cut short at the end. All of it where no transaction can be told.
fn committed(text: &[u8]) -> &[u8] {
    let begin = [b"\n", COMMIT].concat();
    let lines = memchr::memrchr(b'\n', text).map_or(&text[..0], |end| &text[..end]);
    let Some(last) = memmem::rfind(lines, &begin).map(|at| at + 1) else { return text };
    let length = memchr::memchr(b'\n', &lines[last..]);
    length.map_or(lines, |length| &lines[..last + length])
}

/// The job of which a line is that cannot be read.
fn named(line: &[u8]) -> Option<JobId> {
    const BEFORE: &[u8] = b"\"id\":\"";
    let from = memmem::find(line, BEFORE)? + BEFORE.len();
    let length = memchr::memchr(b'"', &line[from..])?;
    JobId::read(&line[from..from + length])
}

#[derive(Default)]
struct Reader {
    salvaged: Salvaged,
    entries: Vec<Option<(Job, String)>>,
    places: HashMap<JobId, usize>,
    torn: BTreeSet<JobId>,
}

impl Reader {
    fn take(&mut self, line: &[u8], fields: &Fields<'_>) -> Result<(), Unreadable> {
        if line.starts_with(COMMIT) {
            for (name, value) in &fields.0 {
                self.take_end(name, value);
            }
            return Ok(());
        }
        if fields.0.iter().any(|(name, _)| name == "id") {
            match (serde_json::from_slice::<Job>(line), std::str::from_utf8(line)) {
                (Ok(job), Ok(text)) => self.put(job, text),
                _ => self.lose(named(line)),
            }
            return Ok(());
        }
        for (name, value) in &fields.0 {
            self.take_beside(name, value)?;
        }
        Ok(())
    }

    fn put(&mut self, job: Job, text: &str) {
        self.torn.remove(&job.id);
        let place = *self.places.entry(job.id.clone()).or_insert(self.entries.len());
        let entry = Some((job, on_one_line(text)));
        match self.entries.get_mut(place) {
            Some(there) => *there = entry,
            None => self.entries.push(entry),
        }
    }

    fn remove(&mut self, id: &JobId) {
        self.torn.remove(id);
        if let Some(place) = self.places.remove(id) {
            self.entries[place] = None;
        }
    }

    fn lose(&mut self, id: Option<JobId>) {
        if let Some(id) = id {
            self.remove(&id);
            self.torn.insert(id);
        }
    }

    /// A field of the line that ends a transaction.
    fn take_end(&mut self, name: &str, value: &RawValue) {
        let Salvaged { last_event, requires, .. } = &mut self.salvaged;
        match name {
            "commit" => *last_event = read(value).unwrap_or(0).max(*last_event),
            "requires" => *requires = read(value).unwrap_or_default(),
            _ => {}
        }
    }

    /// A line that is no JSON.
    fn pass_over(&mut self, line: &[u8]) {
        let names = ["groups", "schedules", "names", "totals"];
        let is_of = |name: &&&str| line.starts_with(format!("{{\"{name}\"").as_bytes());
        match names.iter().find(is_of) {
            Some(name) => tear(name, &mut self.salvaged.torn_tables),
            None => self.lose(named(line).filter(|_| line.starts_with(ENTRY))),
        }
    }

    fn take_beside(&mut self, name: &str, value: &RawValue) -> Result<(), Unreadable> {
        let Salvaged { tables, torn_tables, others, .. } = &mut self.salvaged;
        match name {
            "version" => match read::<u64>(value) {
                Some(version) if version > VERSION => return Err(Unreadable::Newer(version)),
                _ => {}
            },
            "removed" => {
                if let Some(id) = read::<JobId>(value) {
                    self.remove(&id);
                }
            }
            "groups" => patch("groups", value, &mut tables.groups, torn_tables),
            "schedules" => patch("schedules", value, &mut tables.schedules, torn_tables),
            "names" => patch("names", value, &mut tables.names, torn_tables),
            "totals" => match read(value) {
                Some(totals) => tables.totals = totals,
                None => tear("totals", torn_tables),
            },
            name if OWN_FIELDS.contains(&name) => {}
            _ => {
                others.retain(|(other, _)| other != name);
                others.push((name.to_owned(), on_one_line(value.get())));
            }
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(value: &RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

/// Takes what can be read of what changed in a table.
fn patch<T: DeserializeOwned>(
    name: &'static str,
    value: &RawValue,
    table: &mut BTreeMap<String, T>,
    torn: &mut Vec<&'static str>,
) {
    let Some(changed) = read::<BTreeMap<String, Box<RawValue>>>(value) else { return tear(name, torn) };
    for (key, one) in changed {
        match read::<Option<T>>(&one) {
            Some(one) => apply(table, Patch::from([(key, one)])),
            None => tear(name, torn),
        }
    }
}

fn tear(name: &'static str, torn: &mut Vec<&'static str>) {
    if !torn.contains(&name) {
        torn.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"version":1}
{"theme":{"a":1}}
{"groups":{"gpu":{"slots":2},"net":{"slots":3}}}
{"id":"bg_20260213_aaaaaa","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z"}
{"commit":2}
{"id":"bg_20260213_bbbbbb","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:01Z"}
{"groups":{"net":null}}
{"commit":4}
{"id":"bg_20260213_aaaaaa","status":"cancelled","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z"}
{"commit":5}
{"id":"bg_20260213_cccccc","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:02Z"}
"#;

    fn said(text: &str) -> (Vec<String>, Vec<String>, Vec<&'static str>, u64) {
        let salvaged = salvage_lines(text.as_bytes()).unwrap();
        let entry = |(job, _): &(Job, String)| format!("{} {}", job.id.random_part(), job.status());
        let torn = salvaged.torn.iter().map(|id| id.random_part().to_owned()).collect();
        (salvaged.entries.iter().map(entry).collect(), torn, salvaged.torn_tables, salvaged.last_event)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_latest_line_of_each_job_is_taken_and_what_was_cut_short_is_not() {
        let (entries, torn, tables, last) = said(INDEX);
        assert_eq!(entries, ["aaaaaa cancelled", "bbbbbb queued"]);
        assert_eq!((torn, tables, last), (texts(&[]), vec![], 5));
        let salvaged = salvage_lines(INDEX.as_bytes()).unwrap();
        assert_eq!(salvaged.others, [("theme".to_owned(), "{\"a\":1}".to_owned())]);
        assert_eq!(salvaged.tables.groups.keys().collect::<Vec<_>>(), ["gpu"]);
    }

    #[test]
    fn of_a_job_whose_latest_line_is_torn_nothing_earlier_is_taken() {
        let (entries, torn, ..) = said(&INDEX.replace("\"cancelled\"", "\"canc"));
        assert_eq!((entries, torn), (texts(&["bbbbbb queued"]), texts(&["aaaaaa"])));
        let (entries, torn, ..) = said(&INDEX.replacen("\"status\":\"queued\"", "\"status\":7", 1));
        assert_eq!((entries.len(), torn), (2, texts(&[])), "it was written again since");
        let (_, _, tables, _) = said(&INDEX.replace("\"slots\":2", "\"slots\":-2"));
        assert_eq!(tables, ["groups"]);
    }

    #[test]
    fn whatever_is_cut_off_or_overwritten_what_can_be_read_is_read() {
        for length in 0..INDEX.len() {
            let salvaged = salvage_lines(&INDEX.as_bytes()[..length]).unwrap();
            assert!(salvaged.entries.len() <= 3);
            let mut other = INDEX.as_bytes().to_vec();
            other[length] = 0;
            let salvaged = salvage_lines(&other).unwrap();
            assert!(salvaged.entries.len() + salvaged.torn.len() >= 1, "{length}");
        }
    }

    #[test]
    fn what_this_program_must_not_change_is_refused() {
        let newer = INDEX.replace("\"version\":1", "\"version\":2");
        assert_eq!(salvage_lines(newer.as_bytes()).unwrap_err(), Unreadable::Newer(2));
        let foreign = INDEX.replace("\"commit\":5", "\"commit\":5,\"requires\":[\"x\"]");
        assert_eq!(salvage_lines(foreign.as_bytes()).unwrap_err(), Unreadable::Requires(vec!["x".into()]));
    }
}
