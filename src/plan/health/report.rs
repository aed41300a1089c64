//! The figures.

use super::{
    Amiss, BTreeMap, Config, Facts, Head, Health, JobId, SESSION_REFRESH, Sights, Status, TimeDelta,
    Timestamp, admit, amiss, dead_letters, is_built_in, pick, recur, session_of, tick_within,
};
use crate::model::health::Totals;
use std::collections::BTreeSet;

/// All figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// How many jobs are in each state, in the order of a job's life.
    pub counts: [(Status, usize); Status::ALL.len()],
    /// The queue.
    pub queue: QueueFigures,
    /// How many jobs ended, ever since somebody counts.
    pub totals: Totals,
    /// What is seen of running jobs that is not as it should be.
    pub amiss: Amiss,
    /// How many schedules there are.
    pub schedules: usize,
    /// How many of them are held back.
    pub schedules_paused: usize,
    /// Those that are due for long.
    pub late: Vec<Late>,
    /// The sessions that are kept alive, by name.
    pub sessions: Vec<Session>,
    /// When somebody ticked last.
    pub last_tick: Option<Timestamp>,
    /// Whether a process is there that waits for what comes due.
    pub has_alarm: bool,
    /// How everything has gone that runs again and again: schedules first, then names.
    pub going: Vec<Going>,
}

/// The queue in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// How many entries wait; a batch is one, and services do not count.
    pub waiting: usize,
    /// Its size.
    pub jobs_max: usize,
    /// Once more than this wait, nothing is taken.
    pub threshold: usize,
    /// Whether that is so now.
    pub has_backpressure: bool,
    /// Of the jobs that wait for nothing but a slot, the one that waits for longest.
    pub oldest: Option<Oldest>,
    /// How many dead letters there are.
    pub dead_letters: usize,
}

impl QueueFigures {
    /// Which part of it is taken.
    #[expect(clippy::cast_precision_loss, reason = "a queue has at most a million entries")]
    pub fn utilisation(&self) -> f64 {
        if self.jobs_max == 0 { 0.0 } else { self.waiting as f64 / self.jobs_max as f64 }
    }
}

/// The job that waits for longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oldest {
    /// Which.
    pub id: JobId,
    /// Since when it could run.
    pub since: Timestamp,
}

/// A schedule that is due for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Its name.
    pub name: String,
    /// Since when.
    pub due_at: Timestamp,
    /// Whether it is one of the built-in ones, which harm nobody when they come later.
    pub is_built_in: bool,
}

/// A session that is kept alive.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// Whether the settings say how to renew it; one that they do not name any more was.
    pub is_renewable: bool,
    /// Until when it is valid, where somebody knows.
    pub valid_until: Option<Timestamp>,
    /// Whether that is over.
    pub has_expired: bool,
    /// When it is renewed next.
    pub next_at: Option<Timestamp>,
    /// How its renewals have gone.
    pub health: Health,
}

/// What runs again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A schedule.
    Schedule,
    /// The jobs of one name that belong to no schedule.
    Name,
}

impl Kind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Name => "name",
        }
    }
}

/// How something that runs again and again goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Going {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// How it has gone so far.
    pub health: Health,
    /// When it runs next, where that is known.
    pub next_at: Option<Timestamp>,
    /// Whether somebody holds it back.
    pub is_paused: bool,
    /// What is wrong with what the settings file says of it.
    pub mistake: Option<String>,
}

/// Collects the figures.
pub fn report(facts: &Facts, sights: &Sights<'_>) -> Report {
    let schedules = facts.schedules();
    Report {
        counts: Status::ALL.map(|status| (status, facts.count(status))),
        queue: queue(facts, sights),
        totals: facts.tables().totals.clone(),
        amiss: amiss(facts, sights),
        schedules: schedules.len(),
        schedules_paused: schedules.values().filter(|one| one.paused_at.is_some()).count(),
        late: late(facts, sights),
        sessions: sessions(facts, sights),
        last_tick: sights.last_tick,
        has_alarm: sights.has_alarm,
        going: going(facts, sights),
    }
}

fn queue(facts: &Facts, sights: &Sights<'_>) -> QueueFigures {
    let Config { queue, .. } = sights.config;
    QueueFigures {
        waiting: admit::waiting(facts),
        jobs_max: queue.jobs_max,
        threshold: queue.threshold(),
        has_backpressure: admit::room(facts, queue).is_err(),
        oldest: oldest(facts, sights.now),
        dead_letters: dead_letters(facts),
    }
}

/// The jobs stand in the order of their submission; one whose time came later waits since then.
fn oldest(facts: &Facts, now: Timestamp) -> Option<Oldest> {
    let is_waiting = |head: &&Head| pick::is_due(facts, head, now);
    let since = |head: &Head| {
        let job = facts.job(&head.id).ok()??;
        let since = head.not_before.map_or(job.created_at, |at| at.max(job.created_at));
        Some(Oldest { id: head.id.clone(), since })
    };
    // Of those without a time of their own, the first was there first; no other needs to be read.
    let plain = facts.heads().find(|head| head.not_before.is_none() && is_waiting(head)).and_then(since);
    let timed = facts.heads().filter(|head| head.not_before.is_some()).filter(is_waiting);
    plain.into_iter().chain(timed.filter_map(since)).min_by_key(|one| one.since)
}

/// The schedules that are due for longer than somebody should need to look, the one that waits for longest first.
pub fn late(facts: &Facts, sights: &Sights<'_>) -> Vec<Late> {
    let within: TimeDelta = tick_within(sights);
    let schedules = facts.schedules().iter();
    let mut late: Vec<Late> = schedules
        .filter_map(|(name, one)| {
            let due_at = recur::due_at(name, one)?;
            let is_built_in = is_built_in(one);
            (sights.now - due_at > within).then(|| Late { name: name.clone(), due_at, is_built_in })
        })
        .collect();
    late.sort_by(|one, other| (one.due_at, &one.name).cmp(&(other.due_at, &other.name)));
    late
}

/// The sessions of the settings, and those that are still renewed.
fn sessions(facts: &Facts, sights: &Sights<'_>) -> Vec<Session> {
    let schedules: BTreeMap<&str, _> = facts
        .schedules()
        .iter()
        .filter(|(name, _)| name.strip_prefix(SESSION_REFRESH).is_some_and(|rest| rest.starts_with('.')))
        .map(|(name, one)| (session_of(name), (name, one)))
        .collect();
    let defined = &sights.config.sessions;
    let names: BTreeSet<&str> = defined.keys().map(String::as_str).chain(schedules.keys().copied()).collect();
    let session = |name: &str| {
        let schedule = schedules.get(name);
        let valid_until = schedule.and_then(|(_, one)| one.valid_until);
        Session {
            name: name.to_owned(),
            is_renewable: schedule.is_some()
                || defined.get(name).is_some_and(|one| one.fields.contains_key("refresh")),
            valid_until,
            has_expired: valid_until.is_some_and(|at| at <= sights.now),
            next_at: schedule.and_then(|(name, one)| recur::due_at(name, one)),
            health: schedule.map(|(_, one)| one.health.clone()).unwrap_or_default(),
        }
    };
    names.into_iter().map(session).collect()
}

fn going(facts: &Facts, sights: &Sights<'_>) -> Vec<Going> {
    let mut going: Vec<Going> = facts
        .schedules()
        .iter()
        .map(|(name, one)| Going {
            kind: Kind::Schedule,
            name: name.clone(),
            health: one.health.clone(),
            next_at: recur::due_at(name, one),
            is_paused: one.paused_at.is_some(),
            mistake: sights.mistakes.get(name).cloned(),
        })
        .collect();
    let of = |kind: Kind, name: &str, health: Health, mistake: Option<String>| Going {
        kind,
        name: name.to_owned(),
        health,
        next_at: None,
        is_paused: false,
        mistake,
    };
    let never_right = sights.mistakes.iter().filter(|(name, _)| !facts.schedules().contains_key(*name));
    going.extend(
        never_right.map(|(name, mistake)| of(Kind::Schedule, name, Health::default(), Some(mistake.clone()))),
    );
    let names = facts.tables().names.iter();
    going.extend(names.map(|(name, health)| of(Kind::Name, name, health.clone(), None)));
    going.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    going
}
