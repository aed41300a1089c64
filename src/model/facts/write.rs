//! From facts to the text of an index: one job a line, untouched jobs and unknown fields with their values as they stood.

use super::{Entry, Facts, Head, KNOWN_FEATURES, Unreadable, VERSION, find, front, head::HeadWire, seal};
use crate::model::{
    Timestamp, health::Totals, schedule::Schedule, state::Status, tables::Tables, unknown::on_one_line,
};
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// What stands before the first job, and behind the last.
pub(super) const JOBS_BEGIN: &str = ",\n\"jobs\":[";
pub(super) const JOBS_END: &str = "\n]}\n";

/// What stands between two jobs.
const BETWEEN: &str = ",\n";

impl Facts {
    /// The index's text.
    pub fn to_text(&self, updated_at: Timestamp) -> String {
        String::from_utf8_lossy(&self.to_bytes(updated_at)).into_owned()
    }

    /// The index's text, to be written.
    pub fn to_bytes(&self, updated_at: Timestamp) -> Vec<u8> {
        self.text_at(updated_at).bytes
    }

    /// The same facts, as they are read from the text that they are written as; that is their text then.
    pub fn written(mut self, updated_at: Timestamp) -> Result<Self, Unreadable> {
        let Text { bytes, jobs_at, is_sealed } = self.text_at(updated_at);
        if !is_sealed {
            return Self::parse(bytes);
        }
        // Each entry has a line of its own, with a line's end before it.
        let mut ends = find::line_ends(&bytes[jobs_at..]).map(|at| jobs_at + at);
        let mut begin = ends.next().map_or(jobs_at, |end| end + 1);
        for entry in self.entries.iter_mut().flatten() {
            let end = ends.next().unwrap_or(bytes.len());
            let is_last = bytes[end..].starts_with(JOBS_END.as_bytes());
            entry.raw = Some(begin..if is_last { end } else { end - 1 });
            if entry.head.status != Status::Running {
                entry.job = None;
            }
            begin = end + 1;
        }
        drop(ends);
        self.text = bytes;
        self.was_sealed = true;
        debug_assert!(self.is_what_is_read(), "{}", String::from_utf8_lossy(&self.text));
        Ok(self)
    }

    /// Does what [`Facts::written`] does to the text where it is, when jobs were added and nothing but the last ones changed; whether
    /// that is so. Otherwise all stays as it is.
    pub fn extend_text(&mut self, updated_at: Timestamp) -> bool {
        let is_new = |entry: &Option<Entry>| entry.as_ref().is_some_and(|entry| entry.raw.is_none());
        let new_from = self.entries.iter().position(is_new).unwrap_or(self.entries.len());
        let Some(kept) = self.kept(new_from) else { return false };
        let Layout { is_sealed: true, lines } = self.layout() else { return false };
        let mut head = Vec::new();
        seal::begin(&mut head);
        head.extend_from_slice(self.beside(updated_at).as_bytes());
        head.extend_from_slice(JOBS_BEGIN.as_bytes());
        head.push(b'\n');
        for entry in self.entries[..new_from].iter_mut().flatten() {
            let moved = |at: usize| at - kept.start + head.len();
            entry.raw = entry.raw.take().map(|raw| moved(raw.start)..moved(raw.end));
        }
        self.text.truncate(kept.end);
        self.text.splice(..kept.start, head);
        for (place, line) in lines {
            self.text.extend_from_slice(BETWEEN.as_bytes());
            let begin = self.text.len();
            self.text.extend_from_slice(line.as_bytes());
            if let Some(Some(entry)) = self.entries.get_mut(place) {
                entry.raw = Some(begin..self.text.len());
            }
        }
        self.text.extend_from_slice(JOBS_END.as_bytes());
        seal::seal(&mut self.text);
        for entry in self.entries.iter_mut().flatten().filter(|entry| entry.head.status != Status::Running) {
            entry.job = None;
        }
        debug_assert!(self.is_what_is_read(), "{}", String::from_utf8_lossy(&self.text));
        true
    }

    /// Where all entries stand before that place, one behind the other, when none of those from there on is in the text.
    fn kept(&self, new_from: usize) -> Option<Range<usize>> {
        let (before, behind) = self.entries.split_at(new_from);
        let mut all = before.iter().flatten().map(|entry| entry.raw.clone());
        let first = all.next()??;
        let kept = all.try_fold(first, |kept, raw| {
            raw.filter(|raw| raw.start == kept.end + BETWEEN.len()).map(|raw| kept.start..raw.end)
        })?;
        let is_alone = behind.iter().flatten().all(|entry| entry.raw.is_none());
        (self.was_sealed && self.lines.is_none() && is_alone).then_some(kept)
    }

    /// Whether reading their text gives the same.
    fn is_what_is_read(&self) -> bool {
        let heads = |facts: &Self| facts.heads().map(Head::in_order).collect::<Vec<_>>();
        let texts = |facts: &Self| -> Vec<Option<Vec<u8>>> {
            let raw = |entry: &Entry| entry.raw.clone().map(|raw| facts.text[raw].to_vec());
            facts.entries.iter().flatten().map(raw).collect()
        };
        Self::parse(self.text.clone())
            .is_ok_and(|read| read.was_sealed && heads(&read) == heads(self) && texts(&read) == texts(self))
    }

    fn text_at(&self, updated_at: Timestamp) -> Text {
        let Layout { is_sealed, lines } = self.layout();
        let mut text = Vec::with_capacity(self.text.len() + 1_024);
        if is_sealed {
            seal::begin(&mut text);
        } else {
            text.extend_from_slice(format!("{{\"version\":{VERSION}").as_bytes());
        }
        text.extend_from_slice(self.beside(updated_at).as_bytes());
        text.extend_from_slice(JOBS_BEGIN.as_bytes());
        let jobs_at = text.len();
        self.write_jobs(&mut text, &lines);
        text.extend_from_slice(JOBS_END.as_bytes());
        if is_sealed {
            seal::seal(&mut text);
        }
        debug_assert!(!is_sealed || is_read_back(&text), "{}", String::from_utf8_lossy(&text));
        Text { bytes: text, jobs_at, is_sealed }
    }

    /// What stands between the version and the jobs.
    fn beside(&self, updated_at: Timestamp) -> String {
        let stamp = updated_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let mut text = format!(",\"updated_at\":\"{stamp}\"");
        let features = self.features();
        if !features.is_empty() {
            text.push_str(&format!(",\n\"requires\":{}", serde_json::json!(features)));
        }
        if self.last_event > 0 {
            text.push_str(&format!(",\n\"last_event\":{}", self.last_event));
        }
        for (name, value) in &self.others {
            let name = serde_json::Value::from(name.as_str());
            text.push_str(&format!(",\n{name}:{value}"));
        }
        self.write_tables(&mut text);
        text
    }

    /// The jobs, a line each. Neighbours that nobody touched are copied at once.
    fn write_jobs(&self, text: &mut Vec<u8>, lines: &[(usize, String)]) {
        let mut lines = lines.iter().peekable();
        let mut untouched: Range<usize> = 0..0;
        let mut separator = "\n";
        let mut copy = |text: &mut Vec<u8>, what: &[u8]| {
            if !what.is_empty() {
                text.extend_from_slice(separator.as_bytes());
                text.extend_from_slice(what);
                separator = BETWEEN;
            }
        };
        for (place, entry) in self.entries.iter().enumerate() {
            let Some(entry) = entry else { continue };
            match (lines.next_if(|(of, _)| *of == place), &entry.raw) {
                (None, Some(raw)) if self.text.get(untouched.end..raw.start) == Some(BETWEEN.as_bytes()) => {
                    untouched.end = raw.end;
                }
                (None, Some(raw)) => {
                    copy(text, &self.text[std::mem::replace(&mut untouched, raw.clone())]);
                }
                (line, _) => {
                    copy(text, &self.text[std::mem::take(&mut untouched)]);
                    copy(text, line.map_or(&b"null"[..], |(_, line)| line.as_bytes()));
                }
            }
        }
        copy(text, &self.text[untouched]);
    }

    /// How the entries are written.
    pub(super) fn layout(&self) -> Layout {
        self.layout_of(|_| true)
    }

    /// How those of the entries are written.
    pub(super) fn layout_of(&self, is_wanted: impl Fn(&Entry) -> bool) -> Layout {
        let mut layout = Layout { is_sealed: true, lines: Vec::new() };
        for (place, entry) in self.entries.iter().enumerate() {
            let Some(entry) = entry.as_ref().filter(|entry| is_wanted(entry)) else { continue };
            let Entry { head, raw, job } = entry;
            let line = match (raw, job) {
                (Some(_), _) if self.was_sealed => continue,
                (Some(raw), _) => laid_out_anew(head, &self.text[raw.clone()]),
                (None, job) => serde_json::to_string(job).map(Some).map_err(|_| Unsealed),
            };
            match line {
                Ok(Some(line)) => {
                    // What is equal in memory may be written in one of two orders.
                    let written = serde_json::from_str::<HeadWire<'_>>(&line).map(Head::from);
                    layout.is_sealed &= written.is_ok_and(|head| is_line(&head, line.as_bytes()));
                    layout.lines.push((place, line));
                }
                Ok(None) => {}
                Err(Unsealed) => layout.is_sealed = false,
            }
        }
        layout
    }

    /// The tables beside the jobs, as far as they say something; a schedule and a name have a line each.
    fn write_tables(&self, text: &mut String) {
        let Tables { groups, schedules, names, totals } = &self.tables;
        if !groups.is_empty() {
            text.push_str(&format!(",\n\"groups\":{}", serde_json::json!(groups)));
        }
        write_lines(text, "schedules", schedules);
        write_lines(text, "names", names);
        if *totals != Totals::default() {
            text.push_str(&format!(",\n\"totals\":{}", serde_json::json!(totals)));
        }
    }

    /// What an older program must not ignore.
    pub(super) fn features(&self) -> Vec<&'static str> {
        let schedules = || self.schedules().values();
        let mut present = [
            schedules().any(Schedule::is_gated),
            false,
            self.groups().values().any(|group| group.paused_at.is_some()),
            false,
            false,
            false,
            schedules().any(|schedule| schedule.env().is_some()),
            false,
        ];
        for head in self.heads().filter(|head| !head.status.has_ended()) {
            let belongs = &*head.belongs;
            let has = [
                head.gated,
                head.status == Status::Queued && !head.after.is_empty(),
                belongs.group.is_some(),
                head.paused,
                belongs.pipe,
                belongs.retries,
                false,
                belongs.service,
            ];
            for (is_there, has) in present.iter_mut().zip(has) {
                *is_there |= has;
            }
        }
        let names = KNOWN_FEATURES.into_iter().zip(present);
        names.filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
    }
}

/// The text of an index.
struct Text {
    bytes: Vec<u8>,
    /// Where its jobs begin.
    jobs_at: usize,
    /// Whether it tells that it stands as it was written.
    is_sealed: bool,
}

/// How entries are written.
pub(super) struct Layout {
    /// Whether whoever reads the beginnings of the lines reads all that selection needs.
    pub(super) is_sealed: bool,
    /// Those that are not copied as they stand, with their places among all, in order.
    pub(super) lines: Vec<(usize, String)>,
}

/// An entry cannot be told by the beginning of its line.
struct Unsealed;

/// The line of an entry that somebody edited, or that a program wrote which has other fields at the beginnings; `None`: it may
/// be copied as it stands.
fn laid_out_anew(head: &Head, entry: &[u8]) -> Result<Option<String>, Unsealed> {
    let read = |entry: &[u8]| front::Reader::default().head(entry);
    if find::first(b'\n', entry).is_none() && read(entry).as_ref() == Some(head) {
        return Ok(None);
    }
    let line = laid_out(entry).filter(|line| is_line(head, line.as_bytes()));
    match line {
        Some(line) if read(line.as_bytes()).is_some() => Ok(Some(line)),
        // It says something rare, and is read whole in any case.
        _ if is_line(head, entry) => Ok(None),
        Some(line) => Ok(Some(line)),
        None => Err(Unsealed),
    }
}

/// Whether an entry is one line, and its beginning tells all that selection needs or that it has to be read whole.
fn is_line(head: &Head, entry: &[u8]) -> bool {
    let is_read = || front::Reader::default().head(entry).is_none_or(|read| read == *head);
    find::first(b'\n', entry).is_none() && is_read()
}

/// An entry on one line, with what selection needs first; each value as it stands.
fn laid_out(entry: &[u8]) -> Option<String> {
    let mut fields = serde_json::from_slice::<Fields<'_>>(entry).ok()?.0;
    let place = |name: &str| front::FIELDS.iter().position(|first| *first == name);
    fields.sort_by_cached_key(|(name, _)| place(name).unwrap_or(usize::MAX));
    let field = |(name, value): &(String, &RawValue)| {
        Some(format!("{}:{}", serde_json::to_string(name).ok()?, on_one_line(value.get())))
    };
    Some(format!("{{{}}}", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(",")))
}

/// The fields of an entry in their order.
pub(super) struct Fields<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(InOrder)
    }
}

/// Whether the short way to read a text gives what the long way does.
fn is_read_back(text: &[u8]) -> bool {
    let heads = |facts: Facts| facts.heads().cloned().collect::<Vec<_>>();
    Facts::parse(text).map(heads) == Facts::parse_with_care(text.to_owned()).map(heads)
}

fn write_lines<T: Serialize>(text: &mut String, name: &str, table: &BTreeMap<String, T>) {
    if table.is_empty() {
        return;
    }
    let line = |(name, one): (&String, &T)| {
        let (name, one) = (serde_json::to_string(name), serde_json::to_string(one));
        format!("\n{}:{}", name.unwrap_or_default(), one.unwrap_or_default())
    };
    let lines: Vec<String> = table.iter().map(line).collect();
    text.push_str(&format!(",\n\"{name}\":{{{}\n}}", lines.join(",")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        approval::{Asked, Gate, On, Request, Waiting},
        bytes::Bytes,
        dependency::{Dependency, Until},
        event::Ledger,
        group::Group,
        health::Health,
        id::JobId,
        job::Job,
        key::Key,
        priority::Priority,
        spec::{Command, Input, JobSpec},
        state::{End, State, Verdict},
    };

    fn at() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn id(random: &str) -> JobId {
        JobId::parse(&format!("bg_20260213_{random}")).unwrap()
    }

    /// Jobs that together say everything that selection needs.
    fn jobs() -> Vec<Job> {
        let mut spec = JobSpec::new(Command::Line("make".into()), Bytes::try_from("/").unwrap());
        let waits = |random, until| Dependency { id: id(random), until };
        spec.name = Some("name".into());
        spec.env = Some("a".repeat(64));
        spec.session = Some("session".into());
        spec.group = Some("group".into());
        spec.priority = Priority::High;
        spec.service = true;
        spec.batch = Some(id("bbbbbb"));
        spec.schedule = Some("schedule".into());
        spec.retry.attempts_max = 3;
        spec.stdin = Input::Pipe;
        spec.key = Some(Key { text: "key".into(), ttl_seconds: 60 });
        spec.after = vec![waits("cccccc", Until::Completed), waits("dddddd", Until::Ended)];
        let mut queued = Job::not_before(id("aaaaaa"), spec.clone(), at(), Some(at()));
        queued.state = State::Queued { not_before: Some(at()), paused_at: Some(at()) };
        let mut ended = Job::new(id("eeeeee"), spec.clone(), at());
        ended.state = State::Ended(End {
            verdict: Verdict::Failed,
            at: Some(at()),
            started_at: None,
            claim: None,
            outcome: None,
            ending: None,
            summary: None,
            dead_letter: true,
        });
        spec.on_end = Some(vec![Bytes::try_from("true").unwrap()]);
        spec.gate = Some(Gate { on: On::Local, ttl_seconds: None, hash: String::new() });
        let mut waiting = Job::new(id("ffffff"), spec, at());
        waiting.interruptions = 1;
        waiting.state = State::WaitingApproval(Box::new(Waiting {
            request: Request {
                on: On::Local,
                at: at(),
                ttl_seconds: None,
                reason: None,
                hash: String::new(),
            },
            since: at(),
            not_before: None,
            warned_at: None,
            asked: Asked::NotYet,
            trouble: None,
        }));
        vec![queued, ended, waiting]
    }

    #[test]
    fn what_selection_needs_stands_first_in_the_order_that_is_looked_for() {
        let mut seen = std::collections::BTreeSet::new();
        for job in jobs() {
            let entry = serde_json::to_string(&job).unwrap();
            assert_eq!(laid_out(entry.as_bytes()).as_ref(), Some(&entry), "{entry}");
            assert!(is_line(&Head::of(&job), entry.as_bytes()), "{entry}");
            let fields = serde_json::from_str::<Fields<'_>>(&entry).unwrap().0;
            seen.extend(fields.into_iter().map(|(name, _)| name));
        }
        let unseen: Vec<&str> = front::FIELDS.into_iter().filter(|name| !seen.contains(*name)).collect();
        assert_eq!(unseen, [""; 0], "this test says nothing of them");
    }

    /// What is read of an index, and whether the short way was taken.
    fn read(text: &str) -> (bool, Vec<Head>) {
        let facts = Facts::parse(text).unwrap();
        (facts.was_sealed, facts.heads().cloned().collect())
    }

    #[test]
    fn a_sealed_index_and_the_same_without_its_seal_say_the_same() {
        let mut facts = Facts::of(jobs());
        let sealed = facts.to_text(at());
        let unsealed = sealed.replacen("\"checksum\"", "\"another\"", 1);
        let heads: Vec<Head> = facts.heads().cloned().collect();
        assert_eq!(read(&sealed), (true, heads.clone()));
        assert_eq!(read(&unsealed), (false, heads));
        let (one, other) = (Facts::parse(sealed).unwrap(), Facts::parse(unsealed).unwrap());
        assert_eq!((one.tables(), one.last_event()), (other.tables(), other.last_event()));
        for id in jobs().iter().map(|job| &job.id) {
            assert_eq!(one.job(id).unwrap(), other.job(id).unwrap());
            facts.remove(id);
        }
        assert_eq!(read(&facts.to_text(at())), (true, Vec::new()), "an empty one, too");
    }

    #[test]
    fn facts_that_were_written_go_on_as_if_they_were_read() {
        let mut facts = Facts::of(jobs());
        for place in 0..=jobs().len() {
            let text = facts.to_text(at());
            facts = facts.written(at()).unwrap();
            assert!(facts.is_what_is_read());
            assert_eq!(
                (facts.to_text(at()), String::from_utf8_lossy(facts.text()).into_owned()),
                (text.clone(), text)
            );
            if let Some(job) = jobs().get(place) {
                facts.remove(&job.id);
            }
        }
        assert!(facts.is_empty());
    }

    #[test]
    fn a_text_that_is_extended_is_the_one_that_is_written_anew() {
        type Change<'a> = &'a dyn Fn(&mut Facts);
        let [first, second, third] = jobs().try_into().unwrap();
        let read =
            |jobs: &[&Job]| Facts::parse(Facts::of(jobs.iter().copied().cloned()).to_text(at())).unwrap();
        let id = third.id.clone();
        // What is done, and whether the text is extended by it.
        let changes: [(Change<'_>, bool); 8] = [
            (&|_| (), true),
            (&|facts| facts.insert(third.clone()), true),
            (&|facts| facts.remove(&second.id), true),
            (&|facts| facts.set_last_event(123_456_789), true),
            (
                &|facts| {
                    facts.insert(third.clone());
                    facts.remove(&id);
                },
                true,
            ),
            (
                &|facts| {
                    facts.set_last_event(7);
                    facts.load(1).unwrap();
                    facts.refresh(&second.id);
                },
                true,
            ),
            (&|facts| facts.remove(&first.id), true),
            (
                &|facts| {
                    facts.load(0).unwrap();
                    facts.refresh(&first.id);
                },
                false,
            ),
        ];
        for (number, (change, is_extended)) in changes.into_iter().enumerate() {
            for later in [at(), "2026-02-13T10:00:00.123Z".parse().unwrap()] {
                let mut facts = read(&[&first, &second]);
                change(&mut facts);
                let anew = facts.to_text(later);
                assert_eq!(facts.extend_text(later), is_extended, "change {number}");
                assert_eq!(facts.to_text(later), anew, "change {number}");
                if is_extended {
                    assert_eq!(String::from_utf8_lossy(facts.text()), anew, "change {number}");
                }
            }
        }
        let mut without_seal =
            Facts::parse(read(&[&first]).to_text(at()).replacen("\"checksum\"", "\"another\"", 1)).unwrap();
        without_seal.insert(second.clone());
        assert!(!without_seal.extend_text(at()));
        let mut empty = read(&[]);
        empty.insert(first.clone());
        assert!(!empty.extend_text(at()), "it has no line to go on from");
    }

    #[test]
    fn what_looks_like_the_beginning_of_the_jobs_is_not_taken_for_it() {
        let mut facts = Facts::of(jobs());
        let heads: Vec<Head> = facts.heads().cloned().collect();
        facts.tables.names.insert("jobs".to_owned(), Health::default());
        facts.tables.groups.insert("jobs".to_owned(), Group { slots: Some(1), ..Group::default() });
        let text = facts.to_text(at());
        let decoy = "\"theme\":{\"a\":1,\n\"jobs\":[\n{}\n]},\n\"jobs\":[\n";
        let edited = text.replacen("\"jobs\":[\n", decoy, 1);
        assert_eq!(read(&edited), (false, heads.clone()));
        let again = Facts::parse(edited).unwrap().to_text(at());
        assert_eq!(read(&again), (true, heads));
        assert!(again.contains("\"theme\":{\"a\":1,\"jobs\":[{}]}"), "{again}");
    }

    #[test]
    fn entries_in_any_form_are_read_the_short_way_once_they_were_written() {
        let entries = [
            r#"{"id": "bg_20260213_aaaaaa", "status": "queued", "command": "make", "cwd": "/", "created_at": "2026-02-13T10:00:00Z", "priority": "high"}"#,
            "{\"status\":\"failed\",\n \"command\":\"make\",\"id\":\"bg_20260213_bbbbbb\",\"cwd\":\"/\",\"created_at\":\"2026-02-13T10:00:00Z\",\"odd\":[1,\n1.50]}",
            r#"{"id":"bg_20260213_cccccc","status":"queued","command":7,"group":"gpu"}"#,
        ];
        let text = format!("{{\"version\":1,\"jobs\":[{}]}}", entries.join(","));
        let facts = Facts::parse(text).unwrap();
        let heads: Vec<Head> = facts.heads().cloned().collect();
        let text = facts.to_text(at());
        assert_eq!(read(&text), (true, heads));
        let short =
            |line: &&str| front::Reader::default().head(line.trim_end_matches(',').as_bytes()).is_some();
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"id\"")).collect();
        assert_eq!(lines.iter().map(short).collect::<Vec<_>>(), [true, true, false], "{text}");
        assert!(text.contains("\"odd\":[1,1.50]"), "{text}");
    }
}
