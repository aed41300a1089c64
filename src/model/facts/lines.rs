//! The form of lines: an index to which each transaction adds lines, and in which a later line stands for an earlier one.
//!
//! Each line is a JSON object. An entry is one as in the other form, on a line of its own; `{"removed":ID}` says that one is gone;
//! `{"groups":…}`, `{"schedules":…}`, `{"names":…}` and `{"totals":…}` say what changed beside the jobs, with `null` for what is gone.
//! The last line of a transaction, `{"commit":…}`, has the number of its last event and a checksum over all of it. The first
//! transaction is all that there was when the file was begun.
//!
//! What stands behind the last commit was cut short, and does not count. Lines are states, not steps: they mean the same to a
//! program that takes a step differently.

use super::{
    Damage, Entry, Facts, KNOWN_FEATURES, Unreadable, VERSION, find, front,
    outline::{damage_at, position},
    read::{SPARE_ENTRIES, not_utf8, of_too_many, read_entry},
    salvage::OWN_FIELDS,
    seal,
    write::Fields,
};
use crate::model::{
    group::Group,
    health::{Health, Totals},
    id::JobId,
    schedule::Schedule,
    state::Status,
    tables::Tables,
    unknown::on_one_line,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::ops::Range;

/// What the line that ends a transaction begins with, and what one begins with that is an entry.
pub(super) const COMMIT: &[u8] = b"{\"commit\":";
pub(super) const ENTRY: &[u8] = b"{\"id\":";

/// What stands before the checksum in the line that ends a transaction, and behind it.
pub(super) const CHECKSUM_BEGIN: &[u8] = b",\"checksum\":\"";
const CHECKSUM_END: &[u8] = b"\"}";

/// What is known of an index of lines beside its facts.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The tables as the lines have them.
    pub(super) tables: Tables,
    /// The jobs that were removed since.
    pub(super) removed: Vec<JobId>,
    /// How many lines came after the first transaction.
    pub(super) added: usize,
}

/// The line that ends a transaction.
#[derive(Deserialize)]
struct Commit {
    commit: u64,
    #[serde(default)]
    requires: Vec<String>,
}

/// What a line says.
enum Said {
    Entry(Entry),
    Beside(Vec<Beside>),
}

/// What a line says that is no entry.
enum Beside {
    Removed(JobId),
    Groups(Patch<Group>),
    Schedules(Patch<Schedule>),
    Names(Patch<Health>),
    Totals(Totals),
    Other(String, String),
    Version,
}

/// What changed in a table; `None` is gone.
pub(super) type Patch<T> = BTreeMap<String, Option<T>>;

impl Facts {
    /// Reads an index of lines. What was cut short at its end is left out of [`Facts::lines_length`].
    pub fn parse_lines(text: impl Into<Vec<u8>>) -> Result<Self, Unreadable> {
        let mut facts = Self { was_sealed: true, lines: Some(Box::default()), ..Self::default() };
        facts.take_lines(text.into(), 0)?;
        if facts.text.is_empty() {
            // No file is begun without what there was. An empty index would be another than this.
            let message = "it does not begin with a whole change".to_owned();
            return Err(Damage { line: 1, column: 1, message }.into());
        }
        Ok(facts)
    }

    /// Takes into account what was added to an index of lines behind [`Facts::lines_length`]. After an error these facts are of no
    /// use any more.
    pub fn absorb(&mut self, more: &[u8]) -> Result<(), Unreadable> {
        let mut text = std::mem::take(&mut self.text);
        let from = text.len();
        text.extend_from_slice(more);
        self.take_lines(text, from)
    }

    /// How many bytes of an index of lines these facts are of.
    pub fn lines_length(&self) -> u64 {
        self.text.len() as u64
    }

    /// How many lines of it came after the first transaction.
    pub fn lines_added(&self) -> usize {
        self.lines.as_ref().map_or(0, |lines| lines.added)
    }

    /// Whether it stands as it was written.
    pub fn is_as_written(&self) -> bool {
        self.was_sealed
    }

    /// Takes the transactions of a text from there on.
    fn take_lines(&mut self, text: Vec<u8>, from: usize) -> Result<(), Unreadable> {
        let mut lines = Vec::new();
        let (mut begin, mut at) = (from, from);
        let mut running = Vec::new();
        while let Some(length) = find::first(b'\n', &text[at..]) {
            let line = at..at + length;
            at = line.end + 1;
            if !text[line.clone()].starts_with(COMMIT) {
                lines.push(line);
                continue;
            }
            match self.take_transaction(&text, begin, &lines, line, &mut running) {
                Ok(()) => {}
                // A power cut can leave a file longer than what of it had come to the disk; nobody was told that this stood.
                Err(Unreadable::Damaged(_)) if is_torn(&text[begin..at], &text[at..]) => break,
                Err(error) => return Err(error),
            }
            lines.clear();
            begin = at;
        }
        self.text = text;
        self.text.truncate(begin);
        self.tables_are_as_written();
        for place in running {
            self.load_if_running(place)?;
        }
        Ok(())
    }

    fn tables_are_as_written(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.tables.clone_from(&self.tables);
        }
    }

    fn take_transaction(
        &mut self,
        text: &[u8],
        begin: usize,
        lines: &[Range<usize>],
        end: Range<usize>,
        running: &mut Vec<usize>,
    ) -> Result<(), Unreadable> {
        let is_first = begin == 0;
        let is_sealed = is_sealed(&text[begin..end.end], end.start - begin);
        self.was_sealed &= is_sealed;
        if is_first && !lines.first().is_some_and(|line| text[line.clone()].starts_with(b"{\"version\":")) {
            let message = "expected the version".to_owned();
            return Err(Damage { line: 1, column: 1, message }.into());
        }
        let commit: Commit =
            serde_json::from_slice(&text[end.clone()]).map_err(|error| damage_at(text, end.start, &error))?;
        if is_first {
            self.entries.reserve(lines.len() + SPARE_ENTRIES);
        }
        if is_sealed {
            let mut reader = front::Reader::default();
            for line in lines {
                let said = read_line(text, line.clone(), Some(&mut reader))?;
                self.take_said(said, is_first, running);
            }
        } else {
            std::str::from_utf8(&text[begin..end.end]).map_err(|error| not_utf8(text, begin, &error))?;
            // All or nothing.
            let read = |line: &Range<usize>| read_line(text, line.clone(), None);
            let all = lines.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            for said in all {
                self.take_said(said, false, running);
            }
        }
        if self.has_too_many() {
            return Err(of_too_many(self.len()));
        }
        self.last_event = commit.commit;
        self.foreign_features = commit.requires;
        self.foreign_features.retain(|name| !KNOWN_FEATURES.contains(&name.as_str()));
        if let Some(known) = self.lines.as_mut().filter(|_| !is_first) {
            known.added += lines.len() + 1;
        }
        Ok(())
    }

    /// `is_new`: no entry is there twice, so that none is looked for.
    fn take_said(&mut self, said: Said, is_new: bool, running: &mut Vec<usize>) {
        match said {
            Said::Entry(entry) => {
                let known = if is_new { None } else { self.place(&entry.head.id) };
                let place = known.unwrap_or(self.entries.len());
                if entry.head.status == Status::Running {
                    running.push(place);
                }
                match known {
                    Some(place) => self.entries[place] = Some(entry),
                    None => self.add(entry),
                }
            }
            Said::Beside(all) => all.into_iter().for_each(|one| self.take_beside(one)),
        }
    }

    fn take_beside(&mut self, beside: Beside) {
        let tables = &mut self.tables;
        match beside {
            Beside::Removed(id) => {
                if let Some(place) = self.place(&id) {
                    self.places.remove(place, &self.entries);
                    self.entries[place] = None;
                }
            }
            Beside::Groups(patch) => apply(&mut tables.groups, patch),
            Beside::Schedules(patch) => apply(&mut tables.schedules, patch),
            Beside::Names(patch) => apply(&mut tables.names, patch),
            Beside::Totals(totals) => tables.totals = totals,
            Beside::Other(name, value) => {
                self.others.retain(|(other, _)| *other != name);
                self.others.push((name, value));
            }
            Beside::Version => {}
        }
    }
}

/// Whether a transaction, of which the last line begins at `commit`, stands as it was written.
fn is_sealed(transaction: &[u8], commit: usize) -> bool {
    let parts = transaction
        .strip_suffix(CHECKSUM_END)
        .and_then(|rest| rest.split_at_checked(rest.len().checked_sub(seal::DIGITS)?));
    parts.is_some_and(|(sealed, digits)| {
        sealed.len() > commit && sealed.ends_with(CHECKSUM_BEGIN) && seal::digits(sealed).as_bytes() == digits
    })
}

/// Whether a transaction that cannot be read is one that a power cut left: it has bytes that no index has, and none is behind it.
fn is_torn(transaction: &[u8], behind: &[u8]) -> bool {
    find::first(0, transaction).is_some() && memchr::memmem::find(behind, COMMIT).is_none()
}

pub(super) fn apply<T>(table: &mut BTreeMap<String, T>, patch: Patch<T>) {
    for (name, one) in patch {
        match one {
            Some(one) => drop(table.insert(name, one)),
            None => drop(table.remove(&name)),
        }
    }
}

/// What a line says. Only of one that stands as it was written its beginning tells what selection needs, which is what a reader
/// is for.
fn read_line<'t>(
    text: &'t [u8],
    line: Range<usize>,
    reader: Option<&mut front::Reader<'t>>,
) -> Result<Said, Unreadable> {
    let bytes = &text[line.clone()];
    if bytes.starts_with(ENTRY) {
        let head = reader.and_then(|reader| reader.head(bytes));
        let entry = match head {
            Some(head) => Entry { head, raw: Some(line), job: None },
            None => read_entry(text, line)?,
        };
        return Ok(Said::Entry(entry));
    }
    let fields: Fields<'_> =
        serde_json::from_slice(bytes).map_err(|error| damage_at(text, line.start, &error))?;
    // Somebody wrote it who has its fields in another order.
    if fields.0.iter().any(|(name, _)| name == "id") {
        return Ok(Said::Entry(read_entry(text, line)?));
    }
    let all = fields.0.iter().map(|(name, value)| beside(text, name, value));
    Ok(Said::Beside(all.collect::<Result<_, _>>()?))
}

fn beside(text: &[u8], name: &str, value: &RawValue) -> Result<Beside, Unreadable> {
    Ok(match name {
        "removed" => Beside::Removed(read(text, value)?),
        "groups" => Beside::Groups(read(text, value)?),
        "schedules" => Beside::Schedules(read(text, value)?),
        "names" => Beside::Names(read(text, value)?),
        "totals" => Beside::Totals(read(text, value)?),
        "version" => match read::<u64>(text, value)? {
            VERSION => Beside::Version,
            newer if newer > VERSION => return Err(Unreadable::Newer(newer)),
            other => {
                let (line, column) = position(text, offset(text, value));
                return Err(Damage { line, column, message: format!("version {other} is unknown") }.into());
            }
        },
        name if OWN_FIELDS.contains(&name) => {
            let (line, column) = position(text, offset(text, value));
            return Err(Damage { line, column, message: format!("{name} has no line of its own") }.into());
        }
        _ => Beside::Other(name.to_owned(), on_one_line(value.get())),
    })
}

fn read<T: DeserializeOwned>(text: &[u8], value: &RawValue) -> Result<T, Damage> {
    serde_json::from_str(value.get()).map_err(|error| damage_at(text, offset(text, value), &error))
}

/// Where a part of a text stands in it.
fn offset(text: &[u8], value: &RawValue) -> usize {
    value.get().as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Timestamp,
        bytes::Bytes,
        event::Event,
        facts::Draft,
        group::GroupChange,
        job::Job,
        outcome::{Ending, Why},
        spec::{Command, JobSpec},
        state::Change,
    };

    fn at() -> Timestamp {
        "2026-02-13T11:00:00Z".parse().unwrap()
    }

    fn cancelled() -> Ending {
        Ending { why: Why::Cancel, at: at(), signal: None, note: None }
    }

    fn id(last: &str) -> JobId {
        JobId::parse(&format!("bg_20260213_{last}")).unwrap()
    }

    fn submitted(last: &str) -> Event {
        let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        Event::Submitted { job: Box::new(Job::new(id(last), spec, at())) }
    }

    /// Adds a transaction of these events; gives the facts and the whole text.
    fn add(facts: Facts, events: Vec<Event>) -> (Facts, Vec<u8>) {
        let mut draft = Draft::new(facts);
        for event in events {
            draft.push(event).unwrap();
        }
        let mut facts = draft.into_parts().0;
        facts.set_last_event(facts.last_event() + 1);
        let addition = facts.addition(at());
        let text = [facts.text.clone(), addition.text.clone()].concat();
        facts.settle(addition);
        (facts, text)
    }

    /// All that an index says.
    fn said(facts: &Facts) -> (Vec<Job>, Tables, u64, Vec<(String, String)>) {
        (facts.jobs(|_| true).unwrap(), facts.tables().clone(), facts.last_event(), facts.others.clone())
    }

    /// The states of an index after each of a few transactions.
    fn history() -> Vec<(Facts, Vec<u8>)> {
        let began = Facts::parse_lines(Facts::of([]).to_lines(at())).unwrap();
        let text = began.text.clone();
        let slots = |group: &str, change| Event::Grouped { group: group.to_owned(), change };
        let transactions = [
            vec![submitted("aaaaaa"), submitted("bbbbbb")],
            vec![
                slots("gpu", GroupChange::Slots { slots: 2 }),
                slots("net", GroupChange::Pause { at: at() }),
            ],
            vec![
                Event::Changed { id: id("aaaaaa"), change: Change::Decide { ending: cancelled() } },
                submitted("cccccc"),
            ],
            vec![Event::Removed { id: id("aaaaaa") }, slots("net", GroupChange::Resume)],
            vec![submitted("dddddd")],
        ];
        let mut states = vec![(began, text)];
        for events in transactions {
            let (facts, _) = states.last().unwrap().clone();
            states.push(add(facts, events));
        }
        states
    }

    #[test]
    fn what_is_added_is_read_whole_and_piece_by_piece_as_it_was_meant() {
        let history = history();
        let mut follower = history[0].0.clone();
        for (facts, text) in &history {
            assert_eq!(facts.text, *text);
            let read = Facts::parse_lines(text.clone()).unwrap();
            assert!(read.is_as_written());
            assert_eq!(said(&read), said(facts));
            follower.absorb(&text[follower.text.len()..]).unwrap();
            assert_eq!(said(&follower), said(facts));
            assert_eq!(
                (follower.lines_length(), follower.lines_added()),
                (read.lines_length(), read.lines_added())
            );
            let anew = Facts::parse_lines(facts.to_lines(at())).unwrap();
            assert_eq!((said(&anew), anew.lines_added()), (said(facts), 0));
            assert_eq!(
                said(&Facts::parse(facts.to_bytes(at())).unwrap()),
                said(facts),
                "the other form says the same"
            );
        }
        assert!(said(&follower).0.len() == 3 && follower.groups().len() == 1);
    }

    #[test]
    fn whatever_is_cut_short_counts_as_not_written() {
        let history = history();
        let text = &history.last().unwrap().1;
        let ends: Vec<usize> = history.iter().map(|(_, text)| text.len()).collect();
        for length in ends[0]..=text.len() {
            let stands = ends.iter().rposition(|end| *end <= length).unwrap();
            let read = Facts::parse_lines(&text[..length]).unwrap();
            assert_eq!(read.text.len(), ends[stands], "{length}");
            assert_eq!(said(&read), said(&history[stands].0), "{length}");
            // As a power cut leaves it: of what was written last, a part did not come to the disk.
            let Some(end) = ends.iter().find(|end| **end > length) else { continue };
            let mut holed = text[..*end].to_vec();
            holed[length..=usize::midpoint(length, *end)].fill(0);
            let read = Facts::parse_lines(holed).unwrap();
            assert_eq!(read.text.len(), ends[stands], "{length}");
            assert_eq!(said(&read), said(&history[stands].0), "{length}");
        }
    }

    #[test]
    fn a_file_that_does_not_begin_with_a_whole_change_is_not_empty_but_damaged() {
        let text = history()[0].1.clone();
        for length in 0..text.len() {
            let read = Facts::parse_lines(&text[..length]);
            assert!(matches!(read, Err(Unreadable::Damaged(Damage { line: 1, .. }))), "{length}: {read:?}");
        }
        assert!(Facts::parse_lines(vec![0; 4_096]).is_err());
    }

    #[test]
    fn what_somebody_edited_counts_and_what_cannot_be_read_is_damage() {
        let text = String::from_utf8(history().pop().unwrap().1).unwrap();
        let edited = text.replace(
            "{\"id\":\"bg_20260213_cccccc\",",
            "{ \"theme\": \"dark\", \"id\":\"bg_20260213_cccccc\",",
        );
        let facts = Facts::parse_lines(edited).unwrap();
        assert!(!facts.is_as_written());
        assert!(!facts.job(&id("cccccc")).unwrap().unwrap().unknown.is_empty());
        let again = Facts::parse_lines(facts.to_lines(at())).unwrap();
        assert_eq!((said(&again), again.is_as_written()), (said(&facts), true));
        let damage = |text: String| match Facts::parse_lines(text) {
            Err(Unreadable::Damaged(damage)) => (damage.line, damage.column),
            other => panic!("{other:?}"),
        };
        let place = text.lines().position(|line| line.contains("cccccc")).unwrap() + 1;
        assert_eq!(damage(text.replace("cccccc\",\"status\":\"queued\"", "cccccc\",\"status\":7")).0, place);
        assert_eq!(damage(text.replace("{\"version\":1}", "{}")), (1, 1));
        assert_eq!(damage(text.replace("\"slots\":2", "\"slots\":-2")).0, 6);
        assert!(matches!(
            Facts::parse_lines(text.replace("{\"version\":1}", "{\"version\":2}")),
            Err(Unreadable::Newer(2))
        ));
        let mut moons = text.clone();
        moons.insert_str(text.rfind("\"updated_at\"").unwrap(), "\"requires\":[\"moons\"],");
        assert_eq!(
            Facts::parse_lines(moons).unwrap().writable(),
            Err(Unreadable::Requires(vec!["moons".into()]))
        );
    }

    #[test]
    fn what_this_program_does_not_know_is_kept() {
        let text = String::from_utf8(history().pop().unwrap().1).unwrap();
        let more = text.replace("{\"version\":1}\n", "{\"version\":1}\n{\"theme\":{\"a\":[1,  2]}}\n");
        let facts = Facts::parse_lines(more).unwrap();
        let written = String::from_utf8(facts.to_lines(at())).unwrap();
        assert!(written.contains("{\"theme\":{\"a\":[1,  2]}}\n"), "{written}");
    }
}
