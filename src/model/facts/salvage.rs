//! What can still be read of an index that is damaged.
//!
//! Entries and tables are looked for by themselves, wherever they stand: each that can be read whole is taken as it stands.
//! Nothing is guessed: of an entry that can be read in part nothing is taken but its id, so that it can be named.

use super::{Facts, Head, KNOWN_FEATURES, Unreadable, head::HeadWire};
use crate::model::{group::Group, health::Totals, id::JobId, job::Job, tables::Tables, unknown::on_one_line};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// So many times the length of the text is looked at in search of entries: each bracket may be the beginning of one, and a text
/// that nests them deeply would be looked at for days. What a crash or a slip leaves is looked at a few times.
const LOOKS_MAX: usize = 16;

/// The fields at the top that are ours. One that cannot be read is made anew: put back as it stands, it would damage the index
/// again.
pub(super) const OWN_FIELDS: [&str; 10] = [
    "version",
    "checksum",
    "updated_at",
    "requires",
    "last_event",
    "groups",
    "schedules",
    "names",
    "totals",
    "jobs",
];

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Salvaged {
    /// The entries with their text, in their order, each id once.
    pub entries: Vec<(Job, String)>,
    /// What stands beside the jobs, as far as it can be read.
    pub tables: Tables,
    /// The number of the last event; 0 where it cannot be read.
    pub last_event: u64,
    /// Top-level fields that are not ours, as they stand.
    pub others: Vec<(String, String)>,
    /// The tables of which something cannot be read.
    pub torn_tables: Vec<&'static str>,
    /// The entries of which only the id can be read.
    pub torn: Vec<JobId>,
    pub(super) requires: Vec<String>,
}

/// Reads what can be read. An error where it says that this program must not change it.
pub fn salvage(text: &[u8]) -> Result<Salvaged, Unreadable> {
    let mut reader = Reader { text, entries: Vec::new(), taken: Vec::new() };
    let mut salvaged = Salvaged { entries: reader.entries(), ..Salvaged::default() };
    match reader.field::<u64>("version") {
        Field::Read(version) if version > super::VERSION => return Err(Unreadable::Newer(version)),
        _ => {}
    }
    salvaged.requires = reader.field("requires").or_default(&mut salvaged.torn_tables, "requires");
    let foreign = salvaged.requires.iter().filter(|name| !KNOWN_FEATURES.contains(&name.as_str()));
    let foreign: Vec<String> = foreign.cloned().collect();
    if !foreign.is_empty() {
        return Err(Unreadable::Requires(foreign));
    }
    // What is counted or worked out anew is not missed.
    salvaged.torn_tables.clear();
    salvaged.last_event = reader.field("last_event").or_default(&mut Vec::new(), "last_event");
    let torn = &mut salvaged.torn_tables;
    salvaged.tables = Tables {
        groups: reader.table::<Group>("groups", torn),
        schedules: reader.table("schedules", torn),
        names: reader.table("names", torn),
        totals: reader.field::<Totals>("totals").or_default(torn, "totals"),
    };
    reader.skip("updated_at");
    reader.skip("checksum");
    salvaged.others = reader.others();
    let there: BTreeSet<&JobId> = salvaged.entries.iter().map(|(job, _)| &job.id).collect();
    salvaged.torn = reader.named().into_iter().filter(|id| !there.contains(id)).collect();
    Ok(salvaged)
}

impl Salvaged {
    /// An index of what was read and of these jobs, each where its submission puts it.
    pub fn into_facts(self, more: Vec<Job>, last_event: u64) -> Result<Facts, Unreadable> {
        let mut entries: Vec<_> =
            self.entries.into_iter().map(|(job, text)| (job.created_at, text)).collect();
        for job in more {
            let place = entries.iter().position(|(at, _)| *at > job.created_at).unwrap_or(entries.len());
            entries.insert(place, (job.created_at, serde_json::to_string(&job).unwrap_or_default()));
        }
        let entries: Vec<String> = entries.into_iter().map(|(_, text)| text).collect();
        let text = format!("{{\"version\":{},\"jobs\":[{}]}}", super::VERSION, entries.join(","));
        let mut facts = Facts::parse(text)?;
        facts.tables = self.tables;
        facts.others = self.others;
        facts.last_event = self.last_event.max(last_event);
        Ok(facts)
    }
}

/// A field at the top, looked for by its name.
enum Field<T> {
    Read(T),
    Torn,
    Missing,
}

impl<T: Default> Field<T> {
    fn or_default(self, torn: &mut Vec<&'static str>, name: &'static str) -> T {
        match self {
            Self::Read(value) => value,
            Self::Torn => {
                torn.push(name);
                T::default()
            }
            Self::Missing => T::default(),
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    /// Where entries were read, in their order.
    entries: Vec<Range<usize>>,
    /// What else has been read, or belongs to something that was looked at.
    taken: Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Every object that is an entry, wherever it begins.
    fn entries(&mut self) -> Vec<(Job, String)> {
        let mut found: Vec<(Job, String)> = Vec::new();
        let mut places: BTreeMap<JobId, usize> = BTreeMap::new();
        let mut at = 0;
        let mut looks = self.text.len().saturating_mul(LOOKS_MAX);
        while let Some(begin) = self.text[at..].iter().position(|byte| *byte == b'{').map(|place| at + place)
        {
            at = begin + 1;
            let name = self.text[at..].iter().find(|byte| !byte.is_ascii_whitespace());
            if name != Some(&b'"') {
                continue;
            }
            let (raw, end) = match look_at(self.text, begin) {
                Ok((raw, end)) => (job(raw).map(|job| (job, raw)), end),
                Err(end) => (None, end),
            };
            let Some((job, raw)) = raw else {
                looks = looks.saturating_sub(end - begin);
                if looks == 0 {
                    break;
                }
                continue;
            };
            self.entries.push(begin..end);
            at = end;
            match places.get(&job.id) {
                None => {
                    places.insert(job.id.clone(), found.len());
                    found.push((job, raw.to_owned()));
                }
                // Of two, what had gone further stands: no state goes back.
                Some(place) if progress(&job) > progress(&found[*place].0) => {
                    found[*place] = (job, raw.to_owned());
                }
                Some(_) => {}
            }
        }
        found
    }

    fn is_taken(&self, place: usize) -> bool {
        let before = self.entries.partition_point(|range| range.start <= place);
        let entry = before.checked_sub(1).and_then(|last| self.entries.get(last));
        entry.into_iter().chain(&self.taken).any(|range| range.contains(&place))
    }

    /// The places behind `"NAME":`, outside of what has been read.
    fn places(&self, name: &str) -> Vec<Range<usize>> {
        let wanted = format!("\"{name}\"").into_bytes();
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(begin) = find(&self.text[at..], &wanted).map(|place| at + place) {
            at = begin + wanted.len();
            let colon = at + blanks(&self.text[at..]);
            if self.text.get(colon) == Some(&b':') && !self.is_taken(begin) {
                found.push(begin..colon + 1);
            }
        }
        found
    }

    fn field<T: DeserializeOwned>(&mut self, name: &str) -> Field<T> {
        let places = self.places(name);
        for place in &places {
            let Some((raw, end)) = value_at(self.text, place.end) else { continue };
            if let Ok(value) = serde_json::from_str(raw) {
                self.taken.push(place.start..end);
                return Field::Read(value);
            }
        }
        if places.is_empty() { Field::Missing } else { Field::Torn }
    }

    fn skip(&mut self, name: &str) {
        let _: Field<serde::de::IgnoredAny> = self.field(name);
    }

    /// A table by name: whole, or else each of its lines by itself.
    fn table<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        torn: &mut Vec<&'static str>,
    ) -> BTreeMap<String, T> {
        match self.field(name) {
            Field::Read(table) => return table,
            Field::Missing => return BTreeMap::new(),
            Field::Torn => torn.push(name),
        }
        let mut table = BTreeMap::new();
        let Some(place) = self.places(name).into_iter().next() else { return table };
        let mut at = place.end + blanks(&self.text[place.end..]) + 1;
        while at < self.text.len() {
            at += blanks(&self.text[at..]);
            if self.text.get(at).is_none_or(|byte| *byte == b'}') || self.is_taken(at) {
                break;
            }
            if self.text[at..].starts_with(b"\"jobs\"") {
                break;
            }
            match pair_at(self.text, at) {
                Some((key, raw, end)) => {
                    if let Ok(value) = serde_json::from_str(raw) {
                        table.insert(key, value);
                    }
                    at = end;
                    at += usize::from(self.text.get(at) == Some(&b','));
                }
                None => at += line_length(&self.text[at..]),
            }
        }
        self.taken.push(place.start..at);
        table
    }

    /// Fields at the beginnings of lines that nobody has taken.
    fn others(&self) -> Vec<(String, String)> {
        let mut others = Vec::new();
        let mut at = 0;
        while at < self.text.len() {
            if self.text[at] == b'"'
                && !self.is_taken(at)
                && let Some((name, raw, _)) = pair_at(self.text, at)
                && !OWN_FIELDS.contains(&name.as_str())
            {
                others.push((name, on_one_line(raw)));
            }
            at += line_length(&self.text[at..]);
        }
        others
    }

    /// The ids of entries that begin a line.
    fn named(&self) -> Vec<JobId> {
        const BEGINNING: &[u8] = b"{\"id\":\"";
        let mut ids = Vec::new();
        let mut known = BTreeSet::new();
        let mut at = 0;
        while at < self.text.len() {
            if let Some(rest) = self.text[at..].strip_prefix(BEGINNING)
                && let Ok(id) = JobId::parse(&String::from_utf8_lossy(&rest[..id_length(rest)]))
                && known.insert(id.clone())
            {
                ids.push(id);
            }
            at += line_length(&self.text[at..]);
        }
        ids
    }
}

/// How far a job has come.
fn progress(job: &Job) -> (u32, bool, bool) {
    let head = Head::of(job);
    (job.execution(), head.status.has_ended(), job.run().is_some())
}

fn job(raw: &str) -> Option<Job> {
    serde_json::from_str::<HeadWire<'_>>(raw).ok()?;
    let mut job: Job = serde_json::from_str(raw).ok()?;
    job.unknown.take_from(raw.as_bytes()).ok()?;
    Some(job)
}

/// The value that begins there, and where it ends.
fn value_at(text: &[u8], at: usize) -> Option<(&str, usize)> {
    look_at(text, at).ok()
}

/// The same, or where it turns out that there is none.
fn look_at(text: &[u8], at: usize) -> Result<(&str, usize), usize> {
    let rest = text.get(at..).ok_or(at)?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(value)) => Ok((value.get(), at + values.byte_offset())),
        Some(Err(error)) => {
            let lines = rest.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
            Err((at + lines.map(<[u8]>::len).sum::<usize>() + error.column()).min(text.len()))
        }
        None => Err(text.len()),
    }
}

/// The name and the value that begin there, and where they end.
fn pair_at(text: &[u8], at: usize) -> Option<(String, &str, usize)> {
    let (name, end) = value_at(text, at)?;
    let name: String = serde_json::from_str(name).ok()?;
    let colon = end + blanks(&text[end..]);
    if text.get(colon) != Some(&b':') {
        return None;
    }
    let (raw, end) = value_at(text, colon + 1)?;
    Some((name, raw, end))
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn id_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

fn line_length(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |place| place + 1)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"{"version":1,"updated_at":"2026-02-13T10:00:00Z",
"last_event":7,
"theme":{"a":[1,  2]},
"groups":{"gpu":{"slots":1}},
"names":{
"one":{"runs":3},
"two":{"runs":4}
},
"totals":{"processed":9},
"jobs":[
{"id":"bg_20260213_aaaaaa","status":"completed","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z","exit_code":0,   "odd":1},
{"id":"bg_20260213_bbbbbb","status":"queued","command":"echo '{\"id\":1}'","cwd":"/","created_at":"2026-02-13T10:00:01Z"},
{"id":"bg_20260213_cccccc","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:02Z","claim":{"host":"h","boot":"b"}}
]}
"#;

    fn ids(salvaged: &Salvaged) -> Vec<&str> {
        salvaged.entries.iter().map(|(job, _)| &job.id.as_str()[12..]).collect()
    }

    #[test]
    fn a_sound_index_is_read_whole_and_comes_back_as_it_stood() {
        let salvaged = salvage(INDEX.as_bytes()).unwrap();
        assert_eq!(ids(&salvaged), ["aaaaaa", "bbbbbb", "cccccc"]);
        assert_eq!((salvaged.last_event, salvaged.torn.len(), salvaged.torn_tables.len()), (7, 0, 0));
        assert_eq!(salvaged.others, [("theme".to_owned(), "{\"a\":[1,  2]}".to_owned())]);
        let facts = salvaged.into_facts(Vec::new(), 0).unwrap();
        let at = "2026-02-13T10:00:00Z".parse().unwrap();
        assert_eq!(facts.to_text(at), Facts::parse(INDEX.to_owned()).unwrap().to_text(at));
    }

    #[test]
    fn a_torn_line_takes_only_itself_along() {
        for (torn, left) in [("aaaaaa", ["bbbbbb", "cccccc"]), ("bbbbbb", ["aaaaaa", "cccccc"])] {
            let damaged = INDEX.replace(&format!("{torn}\",\"status\""), &format!("{torn}\",\"sta"));
            let salvaged = salvage(damaged.as_bytes()).unwrap();
            assert_eq!(ids(&salvaged), left);
            assert_eq!(salvaged.torn, [JobId::parse(&format!("bg_20260213_{torn}")).unwrap()]);
            assert_eq!(salvaged.tables, Facts::parse(INDEX.to_owned()).unwrap().tables);
        }
    }

    #[test]
    fn of_a_torn_table_the_other_lines_stay() {
        let salvaged = salvage(INDEX.replace("\"one\":{\"runs\":3}", "\"one\":{\"ru").as_bytes()).unwrap();
        assert_eq!(salvaged.tables.names.keys().collect::<Vec<_>>(), ["two"]);
        assert_eq!(salvaged.torn_tables, ["names"]);
        assert_eq!((ids(&salvaged).len(), salvaged.others.len()), (3, 1));
    }

    #[test]
    fn a_field_of_ours_that_cannot_be_read_is_not_put_back() {
        for (field, torn) in [
            ("\"totals\":{\"processed\":9}", "\"totals\":{\"succeeded\":-9}"),
            ("\"last_event\":7", "\"last_event\":\"7\""),
            ("\"last_event\":7", "\"requires\":7"),
            ("\"last_event\":7", "\"last_event\":7,\n\"last_event\":-7"),
        ] {
            let damaged = INDEX.replace(field, torn);
            assert!(Facts::parse(damaged.clone()).is_err(), "{torn}");
            let facts = salvage(damaged.as_bytes()).unwrap().into_facts(Vec::new(), 0).unwrap();
            let text = facts.to_text("2026-02-13T10:00:00Z".parse().unwrap());
            Facts::parse(text.clone()).unwrap_or_else(|error| panic!("{error}: {text}")).check().unwrap();
        }
    }

    #[test]
    fn a_newer_or_foreign_index_is_not_ours_to_rebuild() {
        let newer = INDEX.replace("\"version\":1", "\"version\":2");
        assert_eq!(salvage(newer.as_bytes()).unwrap_err(), Unreadable::Newer(2));
        let foreign = INDEX.replace("\"last_event\":7", "\"requires\":[\"x\"]");
        assert_eq!(salvage(foreign.as_bytes()).unwrap_err(), Unreadable::Requires(vec!["x".into()]));
    }

    #[test]
    fn of_two_entries_of_one_job_the_later_stands() {
        let twice = INDEX.replace(
            "bg_20260213_cccccc\",\"status\":\"queued\"",
            "bg_20260213_bbbbbb\",\"status\":\"completed\"",
        );
        let salvaged = salvage(twice.as_bytes()).unwrap();
        assert_eq!(ids(&salvaged), ["aaaaaa", "bbbbbb"]);
        assert!(salvaged.entries[1].0.status().has_ended());
    }

    #[test]
    fn whatever_the_bytes_nothing_is_made_up() {
        assert!(salvage(b"").unwrap().entries.is_empty());
        assert!(salvage(&[0; 4_096]).unwrap().entries.is_empty());
        let deep = "{\"a\":".repeat(200_000);
        assert!(salvage(deep.as_bytes()).unwrap().entries.is_empty());
        assert!(salvage((deep + "1" + &"}".repeat(200_000)).as_bytes()).unwrap().entries.is_empty());
        let ends: Vec<usize> = [",\n{\"id\":\"bg_20260213_b", ",\n{\"id\":\"bg_20260213_c", "\n]}"]
            .iter()
            .map(|behind| INDEX.find(behind).unwrap())
            .collect();
        for length in 0..INDEX.len() {
            let salvaged = salvage(&INDEX.as_bytes()[..length]).unwrap();
            assert_eq!(ids(&salvaged).len(), ends.iter().filter(|end| **end <= length).count(), "{length}");
            salvaged.into_facts(Vec::new(), 0).unwrap().check().unwrap();
        }
    }
}
