//! The facts a decision needs of the index, and the draft in which a decision grows.
//!
//! Facts are read from the index's text as lazily as truth allows: every entry's head (id, state, the few
//! fields that selection needs) is parsed and checked, running jobs are parsed whole, all others stay raw text
//! until somebody asks for them. What was not touched is copied.
//!
//! An index that stands as this program wrote it, which its seal tells, is read by the beginnings of its lines; any other,
//! field by field.

mod addition;
mod draft;
mod find;
mod front;
mod head;
mod lines;
mod outline;
mod places;
mod read;
mod salvage;
mod salvage_lines;
mod seal;
mod write;

pub use addition::Addition;
pub use draft::Draft;
pub use head::{Belongings, Head};
pub use outline::{Damage, Unreadable};
pub use salvage::{Salvaged, salvage};
pub use salvage_lines::salvage_lines;

use super::{
    event::Ledger, group::Group, id::JobId, job::Job, schedule::Schedule, state::Status, tables::Tables,
};
use outline::damage_at;
use places::Places;
use std::collections::BTreeMap;
use std::ops::Range;
use write::Layout;

/// The version of the index that this program writes, and the only one it reads.
pub const VERSION: u64 = 1;

/// Most jobs of an index that is read: with its size, what bounds the time and the memory of whoever reads it. The settings
/// keep no more.
pub const JOBS_MAX: usize = 1_000_000;

/// Features of an index that an older program must not ignore, and that this one knows, in order: jobs that
/// wait for a person, for others, groups, jobs that stand still, that read a pipe, that are tried again, schedules, whose environments it
/// would sweep away, and jobs that need no slot. The index requires one as long as a job that has not ended has it.
const KNOWN_FEATURES: [&str; 8] =
    ["approvals", "dependencies", "groups", "pause", "pipes", "retries", "schedules", "services"];

#[derive(Clone, Debug)]
struct Entry {
    head: Head,
    /// Where it stands in the text, unless it was changed or made since.
    raw: Option<Range<usize>>,
    /// The parsed job, once somebody needed it.
    job: Option<Box<Job>>,
}

/// The jobs of an index, in the order of their submission.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The text that was read; of a sealed one only what is read of it is known to be UTF-8.
    text: Vec<u8>,
    /// Whether the text was as this program wrote it.
    was_sealed: bool,
    /// What is known of the lines that were read; `None` where it is no index of lines.
    lines: Option<Box<lines::Known>>,
    /// Features that the index requires of whoever writes it, and that this program does not know.
    foreign_features: Vec<String>,
    /// The number of the last event that changed it; 0 where nobody has counted yet.
    last_event: u64,
    /// Top-level fields that are not the jobs' and not ours, as they stood.
    others: Vec<(String, String)>,
    /// What it says beside its jobs.
    tables: Tables,
    entries: Vec<Option<Entry>>,
    places: Places,
}

impl Facts {
    /// Whether this program may write the index. What it does not know, it can show but must not change.
    pub fn writable(&self) -> Result<(), Unreadable> {
        if self.foreign_features.is_empty() {
            return Ok(());
        }
        Err(Unreadable::Requires(self.foreign_features.clone()))
    }

    /// An index of these jobs, in this order.
    pub fn of(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut facts = Self::default();
        for job in jobs {
            facts.insert(job);
        }
        facts
    }

    fn place(&self, id: &JobId) -> Option<usize> {
        self.places.of(id, &self.entries)
    }

    fn entry(&self, id: &JobId) -> Option<&Entry> {
        self.place(id).and_then(|place| self.entries[place].as_ref())
    }

    fn parse_job(&self, range: &Range<usize>) -> Result<Job, Damage> {
        let text = &self.text[range.clone()];
        let parse = || -> serde_json::Result<Job> {
            let mut job: Job = serde_json::from_slice(text)?;
            if !job.unknown.is_empty() {
                job.unknown.take_from(text)?;
            }
            Ok(job)
        };
        parse().map_err(|error| damage_at(&self.text, range.start, &error))
    }

    fn add(&mut self, entry: Entry) {
        self.entries.push(Some(entry));
        self.places.add(self.entries.len() - 1, &self.entries);
    }

    fn load(&mut self, place: usize) -> Result<Option<&mut Job>, Damage> {
        let Some(Some(entry)) = self.entries.get(place) else { return Ok(None) };
        if let (None, Some(range)) = (&entry.job, entry.raw.clone()) {
            let job = self.parse_job(&range)?;
            if let Some(Some(entry)) = self.entries.get_mut(place) {
                entry.job = Some(Box::new(job));
            }
        }
        Ok(self.entries[place].as_mut().and_then(|entry| entry.job.as_deref_mut()))
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.heads().count()
    }

    /// Whether there are more than [`JOBS_MAX`].
    pub fn has_too_many(&self) -> bool {
        // Those that were removed have their places still.
        self.entries.len() > JOBS_MAX && self.len() > JOBS_MAX
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heads().next().is_none()
    }

    /// The text that was read; of lines, with what was added since.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The heads of all jobs, in the order of submission.
    pub fn heads(&self) -> impl DoubleEndedIterator<Item = &Head> {
        self.entries.iter().flatten().map(|entry| &entry.head)
    }

    /// The head of one job.
    pub fn head(&self, id: &JobId) -> Option<&Head> {
        self.entry(id).map(|entry| &entry.head)
    }

    /// A job that somebody needed whole.
    pub fn parsed(&self, id: &JobId) -> Option<&Job> {
        self.entry(id).and_then(|entry| entry.job.as_deref())
    }

    /// The number of the last event that changed the index. Two events never have the same.
    pub fn last_event(&self) -> u64 {
        self.last_event
    }

    /// Says how far events are counted.
    pub fn set_last_event(&mut self, number: u64) {
        self.last_event = number;
    }

    /// What the index says of groups, by name.
    pub fn groups(&self) -> &BTreeMap<String, Group> {
        &self.tables.groups
    }

    /// Its schedules, by name.
    pub fn schedules(&self) -> &BTreeMap<String, Schedule> {
        &self.tables.schedules
    }

    /// Top-level fields that are not ours, by name, as they stand.
    pub fn others(&self) -> &[(String, String)] {
        &self.others
    }

    /// What it says beside its jobs.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Whether somebody paused a group.
    pub fn is_group_paused(&self, name: &str) -> bool {
        self.groups().get(name).is_some_and(|group| group.paused_at.is_some())
    }

    /// How many jobs are in that state.
    pub fn count(&self, status: Status) -> usize {
        self.heads().filter(|head| head.status == status).count()
    }

    /// One job.
    pub fn job(&self, id: &JobId) -> Result<Option<Job>, Damage> {
        let Some(entry) = self.entry(id) else { return Ok(None) };
        match (&entry.job, &entry.raw) {
            (Some(job), _) => Ok(Some((**job).clone())),
            (None, Some(range)) => self.parse_job(range).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The jobs whose heads are wanted, in the order of submission.
    pub fn jobs(&self, wanted: impl Fn(&Head) -> bool) -> Result<Vec<Job>, Damage> {
        let mut jobs = Vec::new();
        for head in self.heads().filter(|head| wanted(head)) {
            jobs.extend(self.job(&head.id)?);
        }
        Ok(jobs)
    }

    /// The running jobs; they are parsed already.
    pub fn running(&self) -> impl Iterator<Item = &Job> {
        self.entries
            .iter()
            .flatten()
            .filter(|entry| entry.head.status == Status::Running)
            .filter_map(|entry| entry.job.as_deref())
    }

    /// Parses every job: the index as a whole follows the rules.
    pub fn check(&self) -> Result<(), Damage> {
        self.jobs(|_| true).map(|_| ())
    }
}

impl Ledger for Facts {
    type Error = Damage;

    fn job_mut(&mut self, id: &JobId) -> Result<Option<&mut Job>, Damage> {
        match self.place(id) {
            None => Ok(None),
            Some(place) => self.load(place),
        }
    }

    fn insert(&mut self, job: Job) {
        self.add(Entry { head: Head::of(&job), raw: None, job: Some(Box::new(job)) });
    }

    fn tables_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }

    fn remove(&mut self, id: &JobId) {
        if let Some(place) = self.place(id) {
            self.places.remove(place, &self.entries);
            self.entries[place] = None;
            if let Some(lines) = &mut self.lines {
                lines.removed.push(id.clone());
            }
        }
    }
}

impl Facts {
    /// After a change of a job: its head follows, and its old text no longer stands for it.
    fn refresh(&mut self, id: &JobId) {
        let Some(Some(entry)) = self.place(id).map(|place| &mut self.entries[place]) else { return };
        if let Some(job) = &entry.job {
            entry.head = Head::of(job);
            entry.raw = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Timestamp,
        claim::{Claim, ExecutorName, Site},
        event::{Applied, Event},
        state::Change,
    };

    const INDEX: &str = r#"{"version":1,"updated_at":"2026-02-13T10:00:00Z","theme":{"a":[1,  2]},
"jobs":[
{"id":"bg_20260213_aaaaaa","status":"completed","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z","exit_code":0,   "odd":1},
{"id":"bg_20260213_bbbbbb","status":"queued","command":"true","cwd":"/","created_at":"2026-02-13T10:00:00Z"}
]}
"#;

    fn at() -> Timestamp {
        "2026-02-13T11:00:00Z".parse().unwrap()
    }

    fn claim() -> Claim {
        let site = Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 };
        Claim { site, executor: ExecutorName::Local }
    }

    #[test]
    fn what_was_not_touched_is_written_as_it_stood() {
        let mut draft = Draft::new(Facts::parse(INDEX.to_owned()).unwrap());
        let id = JobId::parse("bg_20260213_bbbbbb").unwrap();
        let change = Change::Claim { at: at(), claim: claim() };
        assert_eq!(draft.push(Event::Changed { id, change }), Ok(Applied::Yes));
        let text = draft.into_parts().0.to_text(at());
        assert!(text.contains(r#""theme":{"a":[1,  2]}"#), "{text}");
        assert!(text.contains(r#""exit_code":0,   "odd":1}"#), "{text}");
        assert!(text.contains(r#""status":"running""#), "{text}");
        Facts::parse(text).unwrap().check().unwrap();
    }

    #[test]
    fn damage_is_reported_with_its_line_and_column() {
        let broken = INDEX.replace("\"status\":\"queued\"", "\"status\":7");
        let Err(Unreadable::Damaged(damage)) = Facts::parse(broken) else { panic!() };
        assert_eq!(damage.line, 4, "{damage}");
        let table = INDEX.replace(",\n\"jobs\"", ",\n\"names\":{\n\"one\":{\"runs\":-3}\n},\n\"jobs\"");
        let Err(Unreadable::Damaged(damage)) = Facts::parse(table) else { panic!() };
        assert_eq!((damage.line, damage.column), (3, 16), "{damage}");
        let cut = INDEX[..INDEX.len() - 20].to_owned();
        assert!(matches!(Facts::parse(cut), Err(Unreadable::Damaged(Damage { line: 4, .. }))));
    }

    #[test]
    fn what_we_must_not_write_to_is_told_apart_from_damage() {
        let newer = INDEX.replace("\"version\":1", "\"version\":2");
        assert!(matches!(Facts::parse(newer), Err(Unreadable::Newer(2))));
        let requires = INDEX.replace("\"theme\":{\"a\":[1,  2]}", "\"requires\":[\"moons\"]");
        let facts = Facts::parse(requires).unwrap();
        assert_eq!(facts.writable(), Err(Unreadable::Requires(vec!["moons".into()])));
        let twice = INDEX.replace("bbbbbb", "aaaaaa");
        assert!(Facts::parse(twice).unwrap_err().to_string().contains("there twice"));
    }
}
