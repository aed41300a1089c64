//! Health: what the whole comes to, in figures, and whether that is well.
//!
//! It is degraded where it goes on and somebody should look, failing where something that should happen does not until
//! somebody does something. Judging decides nothing: no event follows from it.

mod report;
mod words;

pub use report::{Going, Kind, Late, Oldest, QueueFigures, Report, Session, report};

use super::{
    admit,
    census::{Census, Sighting},
    pick, recur,
};
use crate::model::{
    Timestamp,
    claim::{Relation, Site},
    config::Config,
    facts::{Facts, Head},
    health::{Health, HealthStatus},
    id::JobId,
    job::Job,
    schedule::{DefinedBy, SESSION_REFRESH, Schedule},
    state::Status,
};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// A watcher that could not commit an end for so long is not just about to: the lock is waited for ten seconds.
pub const UNWRITTEN_SECONDS: u64 = 15;
/// A claim is without its watcher for a moment; after so long it is lost.
pub const STARTING: TimeDelta = TimeDelta::seconds(15);

/// What is seen beside the index.
#[derive(Clone, Debug)]
pub struct Sights<'a> {
    /// What was seen of running jobs. One that is not in it could not be looked at.
    pub census: &'a Census,
    /// The present.
    pub now: Timestamp,
    /// The settings in force.
    pub config: &'a Config,
    /// Where this is judged.
    pub site: &'a Site,
    /// When somebody ticked last.
    pub last_tick: Option<Timestamp>,
    /// Whether a process is there that waits for what comes due.
    pub has_alarm: bool,
    /// Whether there is no room for another index.
    pub is_disk_full: bool,
    /// What is wrong with the settings file as a whole.
    pub settings: Option<&'a str>,
    /// What is wrong with what it says of single schedules, by name.
    pub mistakes: &'a BTreeMap<String, String>,
}

/// What it comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// That of the worst reason.
    pub status: HealthStatus,
    /// The worst first.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// That of these reasons.
    pub fn of(mut reasons: Vec<Reason>) -> Self {
        // A stable sort: among equals the order in which they were found stays.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.status()));
        Self { status: reasons.first().map(Reason::status).unwrap_or_default(), reasons }
    }

    /// What it comes to beside the settings file, for whoever tells of that anyhow.
    #[must_use]
    pub fn without_settings(self) -> Self {
        Self::of(self.reasons.into_iter().filter(|one| !matches!(one, Reason::Settings { .. })).collect())
    }

    /// What it comes to for these schedules and names alone.
    #[must_use]
    pub fn about(self, names: &BTreeSet<&str>) -> Self {
        let is_about = |reason: &Reason| reason.subject().is_some_and(|name| names.contains(name));
        Self::of(self.reasons.into_iter().filter(is_about).collect())
    }
}

/// Why it is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something is due, and nobody has looked for too long.
    NothingTicks {
        /// The schedule or the job that is due.
        what: String,
        /// Since when it is due.
        due_at: Timestamp,
        /// When somebody looked last.
        last_tick: Option<Timestamp>,
    },
    /// Nothing can be written down any more.
    DiskFull,
    /// The ends of these jobs cannot be written down; they hold their slots.
    EndsUnwritten {
        /// Which.
        jobs: Vec<JobId>,
        /// Whether that is for the full disk.
        is_disk_full: bool,
    },
    /// A session has run out.
    SessionExpired {
        /// Its name.
        name: String,
        /// When.
        at: Timestamp,
    },
    /// The watchers of these running jobs are gone.
    WatchersLost {
        /// Which.
        jobs: Vec<JobId>,
    },
    /// What these running jobs do cannot be told: the record is gone or cannot be read.
    Unclear {
        /// Which.
        jobs: Vec<JobId>,
    },
    /// Answers to these jobs cannot be seen, or do not count.
    ApprovalHindered {
        /// Which.
        jobs: Vec<JobId>,
        /// What stands in the way of the first so many of them.
        trouble: (String, usize),
    },
    /// There are too many dead letters.
    DeadLetters {
        /// How many.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// The queue is nearly full.
    Utilisation {
        /// How many entries wait.
        waiting: usize,
        /// The size of the queue.
        jobs_max: usize,
    },
    /// The queue takes no more submissions.
    Backpressure {
        /// How many entries wait.
        waiting: usize,
        /// Beyond how many nothing is taken.
        threshold: usize,
    },
    /// It failed again and again.
    FailuresInRow {
        /// What.
        kind: Kind,
        /// Its name.
        name: String,
        /// How often.
        count: u64,
        /// The last run, where that was a job.
        last: Option<JobId>,
    },
    /// A schedule is due for long, although somebody looks.
    ScheduleLate {
        /// Its name.
        name: String,
        /// Since when.
        due_at: Timestamp,
    },
    /// The settings file is wrong.
    Settings {
        /// What is wrong.
        message: String,
    },
    /// What the settings file says of a schedule is wrong.
    ScheduleMistake {
        /// Its name.
        name: String,
        /// What is wrong.
        message: String,
    },
}

impl Reason {
    /// The word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NothingTicks { .. } => "nothing_ticks",
            Self::DiskFull => "disk_full",
            Self::EndsUnwritten { .. } => "ends_unwritten",
            Self::SessionExpired { .. } => "session_expired",
            Self::WatchersLost { .. } => "watchers_lost",
            Self::Unclear { .. } => "unclear",
            Self::ApprovalHindered { .. } => "approval_hindered",
            Self::DeadLetters { .. } => "dead_letters",
            Self::Utilisation { .. } => "utilisation",
            Self::Backpressure { .. } => "backpressure",
            Self::FailuresInRow { .. } => "failures_in_row",
            Self::ScheduleLate { .. } => "schedule_late",
            Self::Settings { .. } => "settings",
            Self::ScheduleMistake { .. } => "schedule_mistake",
        }
    }

    /// How bad it is.
    pub const fn status(&self) -> HealthStatus {
        match self {
            Self::NothingTicks { .. }
            | Self::DiskFull
            | Self::EndsUnwritten { .. }
            | Self::SessionExpired { .. } => HealthStatus::Failing,
            Self::WatchersLost { .. }
            | Self::Unclear { .. }
            | Self::ApprovalHindered { .. }
            | Self::DeadLetters { .. }
            | Self::Utilisation { .. }
            | Self::Backpressure { .. }
            | Self::FailuresInRow { .. }
            | Self::ScheduleLate { .. }
            | Self::Settings { .. }
            | Self::ScheduleMistake { .. } => HealthStatus::Degraded,
        }
    }

    /// The schedule, session or name of jobs that it is about; none where it is about the whole.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::SessionExpired { name, .. }
            | Self::FailuresInRow { name, .. }
            | Self::ScheduleLate { name, .. }
            | Self::ScheduleMistake { name, .. } => Some(name),
            _ => None,
        }
    }

    /// What sets it apart from other reasons, whatever its numbers are: its kind, and what it is about.
    pub fn key(&self) -> String {
        match self.subject() {
            Some(name) => format!("{} {name}", self.kind()),
            None => self.kind().to_owned(),
        }
    }

    /// The jobs that it is about.
    pub fn jobs(&self) -> &[JobId] {
        match self {
            Self::EndsUnwritten { jobs, .. }
            | Self::WatchersLost { jobs }
            | Self::Unclear { jobs }
            | Self::ApprovalHindered { jobs, .. } => jobs,
            Self::FailuresInRow { last, .. } => last.as_slice(),
            _ => &[],
        }
    }
}

/// Judges.
pub fn judge(facts: &Facts, sights: &Sights<'_>) -> Verdict {
    let mut reasons = Vec::new();
    if sights.is_disk_full {
        reasons.push(Reason::DiskFull);
    }
    let is_ticked = is_looked_after(sights);
    reasons.extend(first_due(facts, sights).filter(|_| !is_ticked));
    judge_running(facts, sights, &mut reasons);
    reasons.extend(judge_approvals(facts));
    judge_queue(facts, sights, &mut reasons);
    judge_going(facts, sights, &mut reasons);
    if is_ticked {
        let late = report::late(facts, sights).into_iter().filter(|late| !late.is_built_in);
        reasons.extend(late.map(|Late { name, due_at, .. }| Reason::ScheduleLate { name, due_at }));
    }
    let settings = sights.settings.map(|message| Reason::Settings { message: message.to_owned() });
    reasons.extend(settings);
    let mistake = |(name, message): (&String, &String)| Reason::ScheduleMistake {
        name: name.clone(),
        message: message.clone(),
    };
    reasons.extend(sights.mistakes.iter().map(mistake));
    Verdict::of(reasons)
}

/// Whether somebody is there who looks, or looked a moment ago.
fn is_looked_after(sights: &Sights<'_>) -> bool {
    let within = tick_within(sights);
    // A tick that is to come is that of a clock that was set back.
    sights.has_alarm || sights.last_tick.is_some_and(|at| sights.now - at <= within)
}

fn tick_within(sights: &Sights<'_>) -> TimeDelta {
    let seconds = i64::try_from(sights.config.health.tick_seconds_max).ok();
    seconds.and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX)
}

/// What is due for longest: a schedule of somebody's, or a job that nothing holds. What is built in harms nobody when it
/// comes later.
fn first_due(facts: &Facts, sights: &Sights<'_>) -> Option<Reason> {
    let Sights { now, config, site, last_tick, .. } = *sights;
    let schedules = facts.schedules().iter().filter(|(_, one)| !is_built_in(one));
    let schedules = schedules.filter_map(|(name, one)| Some((recur::due_at(name, one)?, name.clone())));
    let job = pick::would_start(facts, facts.heads(), now, config, site).and_then(|head| {
        let job = facts.job(&head.id).ok()??;
        let due_at = head.not_before.unwrap_or(job.created_at).max(job.created_at);
        Some((due_at, head.id.to_string()))
    });
    let due = schedules.filter(|(at, _)| *at <= now).chain(job);
    due.min().map(|(due_at, what)| Reason::NothingTicks { what, due_at, last_tick })
}

fn is_built_in(schedule: &Schedule) -> bool {
    schedule.definition.source == DefinedBy::BuiltIn && schedule.spec().is_none()
}

/// What is seen of running jobs that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amiss {
    /// Their watchers are gone.
    pub lost: Vec<JobId>,
    /// It cannot be told.
    pub unclear: Vec<JobId>,
    /// They are over, and that cannot be written down.
    pub unwritten: Vec<JobId>,
}

impl Amiss {
    /// Whether all is as it should be.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.unclear.is_empty() && self.unwritten.is_empty()
    }

    /// All of them.
    pub fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.lost.iter().chain(&self.unclear).chain(&self.unwritten)
    }
}

/// Looks at what was seen of running jobs. Those of other machines are theirs to judge.
pub fn amiss(facts: &Facts, sights: &Sights<'_>) -> Amiss {
    let mut amiss = Amiss::default();
    for job in facts.running() {
        let found = match sights.census.of(job) {
            Some(Sighting::Watched { over: true, silent_seconds, .. })
                if sights.is_disk_full || *silent_seconds >= UNWRITTEN_SECONDS =>
            {
                &mut amiss.unwritten
            }
            Some(Sighting::Watched { .. }) => continue,
            Some(Sighting::NotStarted | Sighting::NeverExecuted) if is_starting(job, sights.now) => continue,
            Some(Sighting::Unseen { .. }) if is_elsewhere(job, sights.site) => continue,
            Some(Sighting::Unseen { .. }) | None => &mut amiss.unclear,
            Some(_) => &mut amiss.lost,
        };
        found.push(job.id.clone());
    }
    amiss
}

fn is_starting(job: &Job, now: Timestamp) -> bool {
    job.started_at().is_some_and(|at| now - at < STARTING)
}

fn is_elsewhere(job: &Job, site: &Site) -> bool {
    let claim = job.run().and_then(|run| run.claim.as_ref());
    claim.is_none_or(|claim| site.relation(&claim.site) == Relation::Other)
}

fn judge_running(facts: &Facts, sights: &Sights<'_>, reasons: &mut Vec<Reason>) {
    let Amiss { lost, unclear, unwritten } = amiss(facts, sights);
    if !unwritten.is_empty() {
        reasons.push(Reason::EndsUnwritten { jobs: unwritten, is_disk_full: sights.is_disk_full });
    }
    if !lost.is_empty() {
        reasons.push(Reason::WatchersLost { jobs: lost });
    }
    if !unclear.is_empty() {
        reasons.push(Reason::Unclear { jobs: unclear });
    }
}

/// The jobs whose answer cannot be seen or does not count. That nobody has answered yet is no fault of anything.
fn judge_approvals(facts: &Facts) -> Option<Reason> {
    let trouble = |head: &Head| head.waiting.as_ref().and_then(|waiting| waiting.trouble.clone());
    let hindered: Vec<(JobId, String)> =
        facts.heads().filter_map(|head| Some((head.id.clone(), trouble(head)?))).collect();
    let first = hindered.first()?.1.clone();
    let (alike, others): (Vec<_>, Vec<_>) = hindered.into_iter().partition(|(_, trouble)| *trouble == first);
    let trouble = (first, alike.len());
    Some(Reason::ApprovalHindered {
        jobs: alike.into_iter().chain(others).map(|(id, _)| id).collect(),
        trouble,
    })
}

fn judge_queue(facts: &Facts, sights: &Sights<'_>, reasons: &mut Vec<Reason>) {
    let config = sights.config;
    let count = dead_letters(facts);
    let most = config.health.dead_letters_max;
    if count > most {
        reasons.push(Reason::DeadLetters { count, most });
    }
    let (waiting, jobs_max) = (admit::waiting(facts), config.queue.jobs_max);
    if waiting.saturating_mul(100) > jobs_max.saturating_mul(config.health.utilisation_percent_max) {
        reasons.push(Reason::Utilisation { waiting, jobs_max });
    }
    if admit::room(facts, &config.queue).is_err() {
        reasons.push(Reason::Backpressure { waiting, threshold: config.queue.threshold() });
    }
}

fn dead_letters(facts: &Facts) -> usize {
    facts.heads().filter(|head| head.dead_letter).count()
}

/// What failed again and again, and the sessions that have run out. A schedule that somebody holds back is known to him,
/// and a name whose last job was removed is history.
fn judge_going(facts: &Facts, sights: &Sights<'_>, reasons: &mut Vec<Reason>) {
    let often = |health: &Health| health.failures_in_row >= sights.config.health.failures_in_row;
    let last = |health: &Health| health.last.as_ref().and_then(|last| last.id.clone());
    let failed = |kind: Kind, name: &str, health: &Health| Reason::FailuresInRow {
        kind,
        name: name.to_owned(),
        count: health.failures_in_row,
        last: last(health).filter(|id| facts.head(id).is_some()),
    };
    for (name, one) in facts.schedules() {
        if let Some(at) = one.valid_until.filter(|at| *at <= sights.now) {
            reasons.push(Reason::SessionExpired { name: session_of(name).to_owned(), at });
        }
        if often(&one.health) && one.paused_at.is_none() {
            reasons.push(failed(Kind::Schedule, name, &one.health));
        }
    }
    for (name, health) in &facts.tables().names {
        let is_kept = last(health).is_some_and(|id| facts.head(&id).is_some());
        if often(health) && is_kept {
            reasons.push(failed(Kind::Name, name, health));
        }
    }
}

/// The name of the session that a schedule renews; that of the schedule where it renews none.
fn session_of(schedule: &str) -> &str {
    let rest = schedule.strip_prefix(SESSION_REFRESH).and_then(|rest| rest.strip_prefix('.'));
    rest.unwrap_or(schedule)
}
