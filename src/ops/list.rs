//! The jobs, and what can be seen of those that run.

use super::{
    fault::{Code, Fault},
    group::{check_known, no_such_group},
    home::{BrokenConfig, Home},
    when::{BadTime, SKIPPED, parse_time},
};
use crate::exec::{LiveProcess, LiveUse};
use crate::model::{
    Timestamp,
    claim::{ExecutorName, Relation},
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    limit::parse_seconds,
    nearest::nearest_word,
    state::Status,
};
use crate::os::clock::Clock;
use crate::plan::{census::Sighting, pick};
use crate::store::Store;
use chrono::TimeDelta;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Whether ended jobs are listed without limit.
    pub all: bool,
    /// Only dead letters.
    pub dead: bool,
    /// Only these states; empty is every state.
    pub statuses: Vec<Status>,
    /// Only jobs that have all these labels.
    pub labels: Vec<String>,
    /// Only jobs that have one of these names; empty is every job.
    pub names: Vec<NamePattern>,
    /// Only jobs of this group.
    pub group: Option<String>,
    /// Only runs of this schedule, be it there or gone.
    pub schedule: Option<String>,
    /// Only jobs submitted since.
    pub since: Option<Since>,
    /// At most so many jobs, once they are sorted.
    pub limit: Option<usize>,
    /// By what they are sorted; active ones first, then the latest that ended, where nothing is said.
    pub sort: Option<Key>,
    /// Whether the order is turned round.
    pub reverse: bool,
    /// Whether the processes of running jobs are looked at.
    pub live: bool,
}

impl Request {
    /// Whether only some jobs are wanted. Who chooses wants all that he chose, not only the latest.
    pub fn chooses(&self) -> bool {
        let Self { dead, statuses, labels, names, group, schedule, since, .. } = self;
        let is_open = statuses.is_empty() && labels.is_empty() && names.is_empty() && since.is_none();
        *dead || group.is_some() || schedule.is_some() || !is_open
    }

    /// Whether it asks for a job with that head, as far as a head says it.
    fn wants_head(&self, head: &Head) -> bool {
        let belongs = &head.belongs;
        let has_group = |name: &str| pick::group_of(belongs.group.as_deref()) == name;
        let named = |name: &str| self.names.iter().any(|pattern| pattern.matches(name));
        (self.statuses.is_empty() || self.statuses.contains(&head.status))
            && self.group.as_deref().is_none_or(has_group)
            && self.schedule.as_deref().is_none_or(|name| belongs.schedule.as_deref() == Some(name))
            && (self.names.is_empty() || head.name.as_deref().is_some_and(named))
            && (head.dead_letter || !self.dead)
    }

    /// Whether more decides than heads say: then all that could be meant are read whole.
    fn needs_jobs(&self) -> bool {
        !self.labels.is_empty() || self.since.is_some() || self.sort.is_some()
    }

    fn wants(&self, job: &Job, now: Timestamp) -> bool {
        self.labels.iter().all(|label| job.spec.labels.contains(label))
            && self.since.is_none_or(|since| job.created_at >= since.at(now))
    }
}

/// How many ended jobs are listed unless more are asked for.
pub const ENDED_SHOWN: usize = 10;

/// A name, or a pattern of names with `*`, `?` and `[…]`.
#[derive(Clone, Debug)]
pub struct NamePattern {
    exact: String,
    pattern: Option<glob::Pattern>,
}

impl NamePattern {
    /// Reads one. A text without `*`, `?` and `[` is a name and nothing else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = if text.contains(['*', '?', '[']) {
            let bad = |error: glob::PatternError| format!("{} at character {}", error.msg, error.pos + 1);
            Some(glob::Pattern::new(text).map_err(bad)?)
        } else {
            None
        };
        Ok(Self { exact: text.to_owned(), pattern })
    }

    fn matches(&self, name: &str) -> bool {
        self.exact == name || self.pattern.as_ref().is_some_and(|pattern| pattern.matches(name))
    }
}

/// An instant, or how long before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So many seconds before now.
    Ago(u64),
    /// Then.
    At(Timestamp),
}

impl Since {
    /// Reads a duration (`2h`), a day (`2026-11-21`), a local time (`2026-11-21 14:30`) or RFC 3339.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str = "expected a duration such as 2h, or a time such as 2026-11-21, \
            '2026-11-21 14:30' or 2026-11-21T14:30:00Z";
        let text = text.trim();
        let is_time = text.contains(':') || text.matches('-').count() > 1;
        if !is_time {
            return parse_seconds(text).map(Self::Ago).map_err(|error| match error {
                crate::model::limit::BadDuration::Form => FORMS.to_owned(),
                other => other.to_string(),
            });
        }
        parse_time(text).map(Self::At).map_err(|bad| match bad {
            BadTime::Form => FORMS.to_owned(),
            BadTime::Skipped => SKIPPED.to_owned(),
        })
    }

    /// The instant, if it is `now`.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(seconds) => {
                let span = TimeDelta::try_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
                span.and_then(|span| now.checked_sub_signed(span)).unwrap_or(Timestamp::MIN_UTC)
            }
            Self::At(at) => at,
        }
    }
}

/// By what jobs can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// When they were submitted, the latest first.
    Created,
    /// When they began to run, the latest first.
    Started,
    /// When they ended, the latest first.
    Ended,
    /// From a to z.
    Name,
    /// Running, queued, waiting for approval, completed, failed, cancelled.
    Status,
    /// How long they run or ran, the longest first.
    Time,
    /// The share of a processor that they use now, the largest first.
    Cpu,
    /// The memory that they use now, the largest first.
    Memory,
}

impl Key {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Self); 8] = [
        ("created", Self::Created),
        ("started", Self::Started),
        ("ended", Self::Ended),
        ("name", Self::Name),
        ("status", Self::Status),
        ("time", Self::Time),
        ("cpu", Self::Cpu),
        ("memory", Self::Memory),
    ];

    /// Whether the largest comes first, as with `ls -t` and `ls -S`: amounts, and times with the latest first.
    const fn is_largest_first(self) -> bool {
        !matches!(self, Self::Name | Self::Status)
    }

    /// Whether what running jobs use decides.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }
}

/// A job and what was seen of it.
#[derive(Debug)]
pub struct Row {
    /// As it is in the index.
    pub job: Job,
    /// What was seen of it, while it runs.
    pub observed: Option<Observed>,
}

/// A job of a list.
#[derive(Debug)]
pub struct Entry {
    /// The job and what was seen of it.
    pub row: Row,
    /// What it uses now, while it runs here and that was asked.
    pub live: Option<Live>,
    /// Its place in the queue, from 1, where it stands in line for a slot.
    pub place: Option<usize>,
}

/// What a running job uses now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Live {
    /// Its living processes together.
    pub sum: LiveUse,
    /// Processor time over run time, as `ps(1)` counts it: 100 is one processor all the time.
    pub cpu_percent: f64,
}

impl Live {
    /// What these processes of a job use together; `None` where there are none.
    pub fn of(job: &Job, processes: &[LiveProcess], now: Timestamp) -> Option<Self> {
        let sum = LiveUse {
            processes: processes.len(),
            cpu_ms: processes.iter().map(|one| one.cpu_ms).sum(),
            memory_kib: processes.iter().map(|one| one.memory_kib).sum(),
        };
        (!processes.is_empty()).then(|| Self::new(job, sum, now))
    }

    fn new(job: &Job, sum: LiveUse, now: Timestamp) -> Self {
        let since = job.started_at().unwrap_or(job.created_at);
        Self { sum, cpu_percent: percent(sum.cpu_ms, now - since) }
    }
}

/// What the list shows.
#[derive(Debug)]
pub struct Listed {
    /// In the order asked.
    pub entries: Vec<Entry>,
    /// How many jobs were left out.
    pub left_out: usize,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// What is seen of a running job, beside what the index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Its watcher lives.
    Alive,
    /// Claimed, and its watcher is about to begin.
    Starting,
    /// Its processes live, its watcher does not; the next pass gives it another.
    Unwatched,
    /// Over; its watcher or the next pass writes it down.
    Ended,
    /// Neither watcher nor process; the next pass writes it down.
    Lost,
    /// The machine was started again since; the next pass writes it down.
    Rebooted,
    /// It belongs to another machine or container, or nobody claimed it.
    Elsewhere,
    /// It cannot be told: its record was removed, or cannot be read.
    Unclear,
}

impl Observed {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Starting => "starting",
            Self::Unwatched => "unwatched",
            Self::Ended => "ended",
            Self::Lost => "lost",
            Self::Rebooted => "rebooted",
            Self::Elsewhere => "elsewhere",
            Self::Unclear => "unclear",
        }
    }
}

/// Looks at a running job; `None` for one that does not run. What cannot be looked at is unclear.
pub fn observe(home: &Home, job: &Job) -> Option<Observed> {
    let claim = job.run()?.claim.as_ref();
    let executor = home.executor(claim.map(|claim| claim.executor).unwrap_or_default());
    Some(match executor.look(job) {
        Ok(Sighting::Watched { over: true, .. } | Sighting::Ended { .. }) => Observed::Ended,
        Ok(Sighting::Watched { .. }) => Observed::Alive,
        Ok(Sighting::NotStarted | Sighting::NeverExecuted) => Observed::Starting,
        Ok(Sighting::Orphaned) => Observed::Unwatched,
        Ok(Sighting::Vanished) => Observed::Lost,
        Ok(Sighting::Rebooted) => Observed::Rebooted,
        Ok(Sighting::Unseen { .. })
            if home.relation(job).is_none_or(|relation| relation == Relation::Other) =>
        {
            Observed::Elsewhere
        }
        Ok(Sighting::Unseen { .. }) | Err(_) => Observed::Unclear,
    })
}

/// Lists jobs. A root that is not there has none.
pub fn list(request: &Request) -> Result<Listed, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        let default = crate::model::group::DEFAULT;
        return match request.group.as_deref().filter(|name| *name != default) {
            Some(name) => Err(no_such_group(name, &[default.to_owned()])),
            None => Ok(Listed { entries: Vec::new(), left_out: 0, warnings: Vec::new() }),
        };
    };
    let facts = home.store().read()?;
    if let Some(name) = &request.group {
        check_known(&facts, &home, name)?;
    }
    let now = home.clock.now();
    let (mut jobs, mut left_out) = wanted(&facts, request, now)?;
    // Where what they use decides the order, all are looked at before, else only those that are shown.
    let sorts_by_use = request.sort.is_some_and(Key::is_live);
    let mut live = if sorts_by_use { look(&home, &jobs, now) } else { HashMap::new() };
    if let Some(key) = request.sort {
        sort(&mut jobs, key, request.reverse, now, &live);
    }
    left_out += cut(&mut jobs, request.limit);
    if request.live && !sorts_by_use {
        live = look(&home, &jobs, now);
    }
    let queued = jobs.iter().filter(|job| job.status() == Status::Queued).map(|job| &job.id);
    let places = places(&facts, queued, now);
    let entry = |job: Job| Entry {
        live: live.get(&job.id).copied(),
        place: places.get(&job.id).copied(),
        row: Row { observed: observe(&home, &job), job },
    };
    let entries = jobs.into_iter().map(entry).collect();
    Ok(Listed { entries, left_out, warnings: home.warnings.clone() })
}

/// The jobs that are asked for, active ones first, then the latest that ended, or the other way round; and how many of these
/// are left out. As long as heads say enough, only those that are shown are read whole.
fn wanted(facts: &Facts, request: &Request, now: Timestamp) -> Result<(Vec<Job>, usize), Fault> {
    let mut heads: Vec<&Head> = facts.heads().filter(|head| request.wants_head(head)).collect();
    let mut jobs: HashMap<&JobId, Job> = HashMap::new();
    if request.needs_jobs() {
        for head in &heads {
            let job = facts.job(&head.id)?.filter(|job| request.wants(job, now));
            jobs.extend(job.map(|job| (&head.id, job)));
        }
        heads.retain(|head| jobs.contains_key(&head.id));
    }
    let (mut shown, mut ended): (Vec<&Head>, Vec<&Head>) =
        heads.into_iter().partition(|head| !head.status.has_ended());
    shown.sort_by_key(|head| rank(head.status));
    ended.reverse();
    ended.sort_by_key(|head| Reverse(head.ended_at));
    let most = (!request.all && !request.chooses() && request.limit.is_none()).then_some(ENDED_SHOWN);
    let mut left_out = cut(&mut ended, most);
    shown.append(&mut ended);
    if request.sort.is_none() {
        if request.reverse {
            shown.reverse();
        }
        left_out += cut(&mut shown, request.limit);
    }
    let job = |head: &Head| jobs.remove(&head.id).map_or_else(|| facts.job(&head.id), |job| Ok(Some(job)));
    let shown = shown.into_iter().map(job).collect::<Result<Vec<_>, _>>()?;
    Ok((shown.into_iter().flatten().collect(), left_out))
}

/// Leaves so many of the first. Gives how many went.
fn cut<T>(list: &mut Vec<T>, most: Option<usize>) -> usize {
    let before = list.len();
    list.truncate(most.unwrap_or(usize::MAX));
    before - list.len()
}

/// States in the order in which they matter to somebody who looks.
fn rank(status: Status) -> u8 {
    match status {
        Status::Running => 0,
        Status::Queued => 1,
        Status::WaitingApproval => 2,
        Status::Completed => 3,
        Status::Failed => 4,
        Status::Cancelled => 5,
    }
}

/// Sorts jobs; those of which the key says nothing come last, whichever way round. Equal ones keep their order.
fn sort(jobs: &mut [Job], key: Key, reverse: bool, now: Timestamp, live: &HashMap<JobId, Live>) {
    let percent = |job: &Job| Some(live.get(&job.id)?.cpu_percent);
    let memory = |job: &Job| Some(live.get(&job.id)?.sum.memory_kib);
    let turned = reverse != key.is_largest_first();
    jobs.sort_by(|a, b| match key {
        Key::Created => by(Some(a.created_at), Some(b.created_at), Ord::cmp, turned),
        Key::Started => by(a.started_at(), b.started_at(), Ord::cmp, turned),
        Key::Ended => by(a.ended_at(), b.ended_at(), Ord::cmp, turned),
        Key::Name => by(a.spec.name.as_ref(), b.spec.name.as_ref(), Ord::cmp, turned),
        Key::Status => by(Some(rank(a.status())), Some(rank(b.status())), Ord::cmp, turned),
        Key::Time => by(a.run_time(now), b.run_time(now), Ord::cmp, turned),
        Key::Cpu => by(percent(a), percent(b), f64::total_cmp, turned),
        Key::Memory => by(memory(a), memory(b), Ord::cmp, turned),
    });
}

/// From the smallest to the largest, or turned round.
fn by<T>(a: Option<T>, b: Option<T>, compare: impl Fn(&T, &T) -> Ordering, turned: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if turned => compare(&b, &a),
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// What the running ones of these jobs use.
fn look(home: &Home, jobs: &[Job], now: Timestamp) -> HashMap<JobId, Live> {
    let is_local = |job: &&Job| {
        let claim = job.run().and_then(|run| run.claim.as_ref());
        claim.is_some_and(|claim| claim.executor == ExecutorName::Local)
    };
    let running: Vec<&Job> = jobs.iter().filter(is_local).collect();
    let seen = home.executor(ExecutorName::Local).usage(&running);
    let live = |(job, seen): (&Job, Option<LiveUse>)| Some((job.id.clone(), Live::new(job, seen?, now)));
    running.into_iter().zip(seen).filter_map(live).collect()
}

/// A share of run time with one digit after the point. What ran for less than a second is taken to have run for one:
/// the kernel counts processor time in ticks, and a share of one tick says nothing.
fn percent(cpu_ms: u64, run_time: TimeDelta) -> f64 {
    let run_ms = u64::try_from(run_time.num_milliseconds()).unwrap_or(0).max(1_000);
    let tenths = cpu_ms.saturating_mul(1_000) / run_ms;
    f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0
}

/// The places of those of these jobs that stand in line for a slot, as slots are given ([`pick::pick`]).
pub fn places<'a>(
    facts: &Facts,
    of: impl IntoIterator<Item = &'a JobId>,
    now: Timestamp,
) -> HashMap<JobId, usize> {
    let mut places = HashMap::new();
    // In order: whoever asks for one or a few compares less than he would compute.
    let of: BTreeSet<&JobId> = of.into_iter().collect();
    if of.is_empty() {
        return places;
    }
    let mut behind: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for head in pick::in_order(facts, now).into_iter().filter(|head| !head.belongs.service) {
        let place = behind.entry(head.belongs.group.as_deref()).or_default();
        *place += 1;
        if of.contains(&head.id) {
            places.insert(head.id.clone(), *place);
        }
    }
    places
}

/// The states that words name, each of which may be several joined by commas. One that is not accepted is refused by its
/// word.
pub fn parse_statuses(
    words: &[String],
    accepts: fn(Status) -> bool,
    refused: fn(&str) -> Fault,
) -> Result<Vec<Status>, Fault> {
    let mut statuses = Vec::new();
    for word in words.iter().flat_map(|words| words.split(',')) {
        let named = parse_status(word)?;
        if !named.iter().all(|status| accepts(*status)) {
            return Err(refused(word));
        }
        statuses.extend(named);
    }
    Ok(statuses)
}

/// No state is called that.
pub fn no_such_state(text: &str) -> Fault {
    Fault::new(Code::Usage, format!("there is no state {text:?}"))
        .hint("states: queued, running, waiting_approval, completed, failed, cancelled, active, ended")
}

/// The states that a word names: a state, a synonym, `active` or `ended`.
fn parse_status(text: &str) -> Result<Vec<Status>, Fault> {
    match text {
        "active" => Ok(Status::ALL.into_iter().filter(|status| !status.has_ended()).collect()),
        "ended" => Ok(Status::ALL.into_iter().filter(|status| status.has_ended()).collect()),
        _ => Status::parse(text).map(|status| vec![status]).ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).into_iter().chain(["active", "ended"]);
            match nearest_word(text, known) {
                Some(near) => no_such_state(text).hint(format!("did you mean {near}?")),
                None => no_such_state(text),
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Local, NaiveDate, TimeZone};

    #[test]
    fn a_name_is_matched_exactly_or_by_pattern() {
        let matches = |pattern: &str, name: &str| NamePattern::parse(pattern).unwrap().matches(name);
        assert!(matches("build", "build") && !matches("build", "builds"));
        assert!(matches("build*", "builds") && matches("*/x", "a/b/x") && matches("b?", "bü"));
        assert!(
            matches("[ab]1", "a1") && matches("[ab]1", "[ab]1"),
            "what looks like a pattern can be a name"
        );
        assert!(!matches("Build*", "build"));
        assert!(NamePattern::parse("a[").unwrap_err().contains("at character 2"));
    }

    #[test]
    fn a_moment_is_read_as_people_type_it() {
        assert_eq!(Since::parse("2h"), Ok(Since::Ago(7_200)));
        assert_eq!(Since::parse("90"), Ok(Since::Ago(90)));
        let utc = "2026-11-21T14:30:00Z".parse().unwrap();
        assert_eq!(Since::parse("2026-11-21T14:30:00Z"), Ok(Since::At(utc)));
        assert_eq!(Since::parse("2026-11-21T16:30:00+02:00"), Ok(Since::At(utc)));
        let noon = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap().and_hms_opt(12, 0, 0).unwrap();
        let noon = Local.from_local_datetime(&noon).earliest().unwrap().to_utc();
        for text in ["2026-06-01 12:00", "2026-06-01T12:00:00", " 2026-06-01T12:00 "] {
            assert_eq!(Since::parse(text), Ok(Since::At(noon)), "{text}");
        }
        assert!(Since::parse("yesterday").unwrap_err().contains("2026-11-21T14:30:00Z"));
        assert!(Since::parse("2026-13-41").unwrap_err().contains("expected"));
        assert_eq!(Since::parse("-2h").unwrap_err(), "a duration cannot be negative");
    }

    #[test]
    fn a_share_of_the_processor_counts_as_ps_does() {
        assert!((percent(1_500, TimeDelta::seconds(10)) - 15.0).abs() < 1e-9);
        assert!((percent(10, TimeDelta::milliseconds(5)) - 1.0).abs() < 1e-9, "a tick is not all there is");
        assert!((percent(10, TimeDelta::seconds(-5)) - 1.0).abs() < 1e-9, "a clock may have been put back");
    }

    #[test]
    fn what_has_nothing_to_be_sorted_by_comes_last_whichever_way_round() {
        let order = |turned| {
            let mut list = vec![None, Some(1), Some(3), None, Some(2)];
            list.sort_by(|a, b| by(*a, *b, Ord::cmp, turned));
            list
        };
        assert_eq!(order(false), [Some(1), Some(2), Some(3), None, None]);
        assert_eq!(order(true), [Some(3), Some(2), Some(1), None, None]);
    }
}
