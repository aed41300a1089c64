//! From facts to the text of an index: one job a line, untouched jobs and unknown fields as they stood.

use super::{Facts, Head, KNOWN_FEATURES, VERSION, front, seal};
use crate::model::{
    Timestamp, health::Totals, schedule::Schedule, state::Status, tables::Tables, unknown::on_one_line,
};
use memchr::memchr;
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
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
        let laid_out_anew = self.sealable();
        let is_sealed = laid_out_anew.is_some();
        let mut text = Vec::with_capacity(self.text.len() + 1_024);
        if is_sealed {
            seal::begin(&mut text);
        } else {
            text.extend_from_slice(format!("{{\"version\":{VERSION}").as_bytes());
        }
        text.extend_from_slice(self.beside(updated_at).as_bytes());
        text.extend_from_slice(JOBS_BEGIN.as_bytes());
        self.write_jobs(&mut text, &laid_out_anew.unwrap_or_default());
        text.extend_from_slice(JOBS_END.as_bytes());
        if is_sealed {
            seal::seal(&mut text);
        }
        debug_assert!(!is_sealed || is_read_back(&text), "{}", String::from_utf8_lossy(&text));
        text
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
    fn write_jobs(&self, text: &mut Vec<u8>, laid_out_anew: &HashMap<usize, String>) {
        let mut untouched: Range<usize> = 0..0;
        let mut separator = "\n";
        let mut copy = |text: &mut Vec<u8>, what: &[u8]| {
            if !what.is_empty() {
                text.extend_from_slice(separator.as_bytes());
                text.extend_from_slice(what);
                separator = BETWEEN;
            }
        };
        for entry in self.entries.iter().flatten() {
            let anew = entry.raw.as_ref().and_then(|raw| laid_out_anew.get(&raw.start));
            match (&entry.raw, anew) {
                (Some(raw), None) if self.text.get(untouched.end..raw.start) == Some(BETWEEN.as_bytes()) => {
                    untouched.end = raw.end;
                }
                (Some(raw), None) => {
                    copy(text, &self.text[std::mem::replace(&mut untouched, raw.clone())]);
                }
                (_, anew) => {
                    copy(text, &self.text[std::mem::take(&mut untouched)]);
                    let own = || entry.job.as_ref().and_then(|job| serde_json::to_string(job).ok());
                    copy(text, anew.cloned().or_else(own).unwrap_or_default().as_bytes());
                }
            }
        }
        copy(text, &self.text[untouched]);
    }

    /// Whether whoever reads the beginnings of its lines reads all that selection needs; then the entries, by their places in
    /// the text, that have to be laid out anew for that: somebody edited them, or a program wrote them that has other fields
    /// at the beginnings.
    fn sealable(&self) -> Option<HashMap<usize, String>> {
        let mut anew = HashMap::new();
        if self.was_sealed {
            return Some(anew);
        }
        for entry in self.entries.iter().flatten() {
            let Some(raw) = &entry.raw else { continue };
            let text = &self.text[raw.clone()];
            if !is_line(&entry.head, text) {
                let line = laid_out(text).filter(|line| is_line(&entry.head, line.as_bytes()))?;
                anew.insert(raw.start, line);
            }
        }
        Some(anew)
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
    fn features(&self) -> Vec<&'static str> {
        let active = || self.heads().filter(|head| !head.status.has_ended());
        let present = [
            active().any(|head| head.gated) || self.schedules().values().any(Schedule::is_gated),
            active().any(|head| head.status == Status::Queued && !head.after.is_empty()),
            active().any(|head| head.belongs.group.is_some())
                || self.groups().values().any(|group| group.paused_at.is_some()),
            active().any(|head| head.paused),
            active().any(|head| head.belongs.pipe),
            active().any(|head| head.belongs.retries),
            self.schedules().values().any(|schedule| schedule.env().is_some()),
            active().any(|head| head.belongs.service),
        ];
        KNOWN_FEATURES
            .into_iter()
            .zip(present)
            .filter(|(_, is_there)| *is_there)
            .map(|(name, _)| name)
            .collect()
    }
}

/// Whether an entry is one line that begins with what selection needs.
fn is_line(head: &Head, entry: &[u8]) -> bool {
    // What that reader does not take is read whole.
    let is_read = || front::Reader::default().head(entry).is_none_or(|read| read == *head);
    memchr(b'\n', entry).is_none() && is_read()
}

/// An entry on one line, with what selection needs first; each value as it stands.
fn laid_out(entry: &[u8]) -> Option<String> {
    let mut fields = serde_json::from_slice::<Fields<'_>>(entry).ok()?.0;
    let place = |name: &str| front::FIELDS.iter().position(|first| *first == name);
    fields.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
    let field = |(name, value): &(String, &RawValue)| {
        Some(format!("{}:{}", serde_json::to_string(name).ok()?, on_one_line(value.get())))
    };
    Some(format!("{{{}}}", fields.iter().map(field).collect::<Option<Vec<_>>>()?.join(",")))
}

/// The fields of an entry in their order.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

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

    #[test]
    fn a_sealed_index_and_the_same_without_its_seal_say_the_same() {
        let facts = Facts::of(jobs());
        let sealed = facts.to_text(at());
        assert!(seal::is_sealed(sealed.as_bytes()));
        let unsealed = sealed.replacen("\"checksum\"", "\"another\"", 1);
        let heads = |text: &str| Facts::parse(text).unwrap().heads().cloned().collect::<Vec<_>>();
        assert_eq!(heads(&sealed), heads(&unsealed));
        assert_eq!(heads(&sealed), facts.heads().cloned().collect::<Vec<_>>());
    }
}
