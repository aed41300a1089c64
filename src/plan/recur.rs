//! Recurrence: which schedules are due, what becomes of each of their times, and when one that failed runs again.

use super::{
    Action, Inputs, Scope, WAKE_HORIZON,
    admit::{Admission, Holders, enter},
    chance, retain,
};
use crate::model::{
    Timestamp,
    calendar::{Rhythm, span},
    config::Recurring,
    dependency::{Dependency, Until},
    event::{Applied, Event},
    facts::{Damage, Draft, Facts, Head},
    health::{LastRun, RunResult},
    id::JobId,
    job::Job,
    outcome::{Ending, Why},
    schedule::{
        DefinedBy, Definition, Fate, IDEMPOTENCY_CLEANUP, Missed, Overlap, RETENTION, Schedule,
        ScheduleChange, Task,
    },
    spec::JobSpec,
    state::{Change, Status},
};
use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};

/// The schedules that the settings file defines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definitions {
    /// Those that are right, by name.
    pub good: BTreeMap<String, Definition>,
    /// Those with a mistake: what the index has of them goes on.
    pub broken: BTreeSet<String>,
}

/// How often an id is drawn anew when it is taken.
const DRAWS_MAX: usize = 16;

/// Takes over what the settings define, submits the runs that are due, and says when what failed runs again.
pub fn recur(
    draft: &mut Draft,
    inputs: &Inputs<'_>,
    scope: Scope,
    actions: &mut Vec<Action>,
) -> Result<(), Damage> {
    if scope.is_whole() {
        if let Some(definitions) = inputs.definitions {
            take_over(draft, inputs, definitions)?;
        }
        if scope == Scope::Tick {
            define_built_in(draft, inputs)?;
        }
        straighten(draft, inputs)?;
    }
    for name in due(draft.facts(), inputs, scope) {
        come(draft, inputs, &name, actions)?;
    }
    restart(draft, inputs)
}

/// When a schedule is due next; `None`: not by itself. A run that failed is followed by the next one when that was
/// decided, whatever the rhythm says.
pub fn due_at(name: &str, schedule: &Schedule) -> Option<Timestamp> {
    if schedule.paused_at.is_some() {
        return None;
    }
    schedule.restart_at.or_else(|| Some(with_jitter(name, schedule, schedule.next_at?)))
}

/// Whether a pass of any scope runs it; what is built in waits for a tick.
fn is_for_any_pass(schedule: &Schedule) -> bool {
    schedule.spec().is_some()
}

/// When the next schedule is due that any pass can run; of those that are due after an instant, if one is given.
pub fn next(facts: &Facts, after: Option<Timestamp>) -> Option<Timestamp> {
    let schedules = facts.schedules().iter().filter(|(_, schedule)| is_for_any_pass(schedule));
    let times = schedules.filter_map(|(name, schedule)| due_at(name, schedule));
    times.filter(|at| after.is_none_or(|after| *at > after)).min()
}

/// Whether a pass of any scope would run a schedule now.
pub fn is_any_due(facts: &Facts, now: Timestamp) -> bool {
    next(facts, None).is_some_and(|at| at <= now)
}

/// Those that are due, the one that waited longest first.
fn due(facts: &Facts, inputs: &Inputs<'_>, scope: Scope) -> Vec<String> {
    let now = inputs.now;
    let schedules = facts.schedules().iter();
    let runs = schedules.filter(|(_, schedule)| {
        is_for_any_pass(schedule)
            || (scope == Scope::Tick && has_work(facts, inputs, &schedule.definition.task))
    });
    let mut due: Vec<(Timestamp, &String)> = runs
        .filter_map(|(name, schedule)| Some((due_at(name, schedule)?, name)))
        .filter(|(at, _)| *at <= now)
        .collect();
    due.sort();
    due.into_iter().map(|(_, name)| name.clone()).collect()
}

/// A time of its rhythm with the wait that chance adds, always the same for the same time.
fn with_jitter(name: &str, schedule: &Schedule, at: Timestamp) -> Timestamp {
    let most = schedule.definition.jitter_seconds.saturating_mul(1_000);
    let wait = chance::up_to(name, at.timestamp().unsigned_abs(), most);
    let wait = i64::try_from(wait).ok().and_then(TimeDelta::try_milliseconds).unwrap_or_default();
    at.checked_add_signed(wait).unwrap_or(at)
}

/// What is defined in the settings wins over what was added by hand, and goes when it is not there any more.
fn take_over(draft: &mut Draft, inputs: &Inputs<'_>, definitions: &Definitions) -> Result<(), Damage> {
    for (name, definition) in &definitions.good {
        if draft.facts().schedules().get(name).is_none_or(|known| known.definition != *definition) {
            put(draft, name, definition, inputs.now)?;
        }
    }
    let is_gone = |(name, schedule): &(&String, &Schedule)| {
        schedule.definition.source == DefinedBy::File
            && !definitions.good.contains_key(*name)
            && !definitions.broken.contains(*name)
    };
    let gone: Vec<String> =
        draft.facts().schedules().iter().filter(is_gone).map(|(name, _)| name.clone()).collect();
    for schedule in gone {
        draft.push(Event::Scheduled { schedule, change: ScheduleChange::Remove })?;
    }
    Ok(())
}

/// The recurring jobs that are there without anybody's doing.
pub fn built_in(recurring: &Recurring) -> [(&'static str, Definition); 2] {
    let definition = |task, seconds| Definition {
        rhythm: Rhythm::Every { seconds },
        task,
        overlap: Overlap::Skip,
        missed: Missed::Once,
        jitter_seconds: 0,
        restarts: false,
        source: DefinedBy::BuiltIn,
    };
    [
        (IDEMPOTENCY_CLEANUP, definition(Task::IdempotencyCleanup, recurring.idempotency_cleanup_seconds)),
        (RETENTION, definition(Task::Retention, recurring.retention_seconds)),
    ]
}

/// Puts those of them into the index that have something to do: a tick with nothing to do writes nothing.
fn define_built_in(draft: &mut Draft, inputs: &Inputs<'_>) -> Result<(), Damage> {
    for (name, definition) in built_in(&inputs.config.recurring) {
        let is_new = draft.facts().schedules().get(name).is_none_or(|known| known.definition != definition);
        if is_new && has_work(draft.facts(), inputs, &definition.task) {
            put(draft, name, &definition, inputs.now)?;
        }
    }
    Ok(())
}

/// Whether what is built in would do anything now.
fn has_work(facts: &Facts, inputs: &Inputs<'_>, task: &Task) -> bool {
    match task {
        Task::Run(_) => true,
        Task::IdempotencyCleanup => {
            facts.heads().any(|head| head.key.is_some() && !head.holds_key(inputs.now))
        }
        Task::Retention => !retain::retain(facts, inputs.now, inputs.config).is_empty(),
    }
}

/// Defines a schedule, in the draft.
pub fn put(
    draft: &mut Draft,
    name: &str,
    definition: &Definition,
    now: Timestamp,
) -> Result<Applied, Damage> {
    let next_at = first_time(definition, now);
    let change = ScheduleChange::Put { at: now, definition: Box::new(definition.clone()), next_at };
    draft.push(Event::Scheduled { schedule: name.to_owned(), change })
}

/// The first time of what is defined now: what is built in, and what nobody knows the expiry of, is looked after at once.
fn first_time(definition: &Definition, now: Timestamp) -> Option<Timestamp> {
    match definition.rhythm {
        Rhythm::BeforeExpiry { .. } => Some(now),
        _ if definition.source == DefinedBy::BuiltIn => Some(now),
        _ => definition.rhythm.next_after(now, now),
    }
}

/// A clock that is behind by less was not set back: it was read before the lock was waited for, or a time service moved it.
/// The times that have come since are over.
const SET_BACK_MIN: TimeDelta = TimeDelta::seconds(30);

/// A time that is further away than it can be was made by a clock that was set back since.
fn straighten(draft: &mut Draft, inputs: &Inputs<'_>) -> Result<(), Damage> {
    let schedules = || draft.facts().schedules().iter();
    let moved: Vec<(String, Option<Timestamp>)> = schedules()
        .map(|(name, one)| (name, one.next_at, straightened(one, inputs.now)))
        .filter(|(_, before, next_at)| before != next_at)
        .map(|(name, _, next_at)| (name.clone(), next_at))
        .collect();
    let longest = span(inputs.config.recurring.restart_seconds_max.saturating_mul(2));
    let is_too_far = |at: Timestamp| longest.is_some_and(|longest| at - inputs.now > longest);
    let put_off: Vec<(String, u64)> = schedules()
        .filter(|(_, one)| !matches!(one.definition.rhythm, Rhythm::BeforeExpiry { .. }))
        .filter(|(_, one)| one.restart_at.is_some_and(is_too_far))
        .map(|(name, one)| (name.clone(), one.health.failures_in_row))
        .collect();
    for (schedule, next_at) in moved {
        draft.push(Event::Scheduled { schedule, change: ScheduleChange::Moved { next_at } })?;
    }
    for (name, failures) in put_off {
        push_restart(draft, inputs, &name, inputs.now, failures)?;
    }
    Ok(())
}

/// The next time of a schedule: that which it has, where it can be.
fn straightened(schedule: &Schedule, now: Timestamp) -> Option<Timestamp> {
    let rhythm = &schedule.definition.rhythm;
    let soon = now.checked_add_signed(SET_BACK_MIN).unwrap_or(now);
    // An interval that was counted from a time that has not come yet is counted from now.
    let anchor = if schedule.added_at > soon { now } else { schedule.added_at };
    let can_be =
        |next: Timestamp| next <= soon || rhythm.next_after(soon, anchor).is_none_or(|latest| next <= latest);
    if matches!(rhythm, Rhythm::BeforeExpiry { .. }) || schedule.next_at.is_some_and(can_be) {
        return schedule.next_at;
    }
    rhythm.next_after(now, anchor)
}

/// A time of a schedule has come.
fn come(draft: &mut Draft, inputs: &Inputs<'_>, name: &str, actions: &mut Vec<Action>) -> Result<(), Damage> {
    let now = inputs.now;
    let Some(schedule) = draft.facts().schedules().get(name).cloned() else { return Ok(()) };
    let rhythm = &schedule.definition.rhythm;
    let after_now = || rhythm.next_after(now, schedule.added_at);
    let Passed { due_at, missed, is_late, next_at } = match (schedule.restart_at, schedule.next_at) {
        // Times of the rhythm that passed while it failed are not missed: it was tried again instead.
        (Some(at), _) => Passed { due_at: at, missed: 0, is_late: false, next_at: after_now() },
        (None, Some(first)) => passed(name, &schedule, first, now),
        (None, None) => return Ok(()),
    };
    let fate = if is_late && schedule.definition.missed == Missed::None {
        Fate::Missed
    } else {
        begin(draft, inputs, name, &schedule, actions)?
    };
    let is_done_here = schedule.definition.task == Task::IdempotencyCleanup;
    let change = ScheduleChange::Due { due_at, fate, missed, next_at };
    draft.push(Event::Scheduled { schedule: name.to_owned(), change })?;
    if is_done_here { forget_keys(draft, name, now) } else { Ok(()) }
}

/// Which times have come.
struct Passed {
    /// The latest of them.
    due_at: Timestamp,
    /// How many there were before it.
    missed: u64,
    /// Whether nobody looked when it came.
    is_late: bool,
    /// The next one.
    next_at: Option<Timestamp>,
}

fn passed(name: &str, schedule: &Schedule, first: Timestamp, now: Timestamp) -> Passed {
    let rhythm = &schedule.definition.rhythm;
    let (count, latest) = rhythm.passed(first, now).unwrap_or((1, first));
    // What is built in passes its times while it has nothing to do.
    if !is_for_any_pass(schedule) {
        let next_at = rhythm.next_after(now, schedule.added_at);
        return Passed { due_at: latest, missed: 0, is_late: false, next_at };
    }
    // The latest may have come, and its wait by chance not be over: it is the next one then.
    if count > 1 && with_jitter(name, schedule, latest) > now {
        let is_late = count > 2 || now - with_jitter(name, schedule, first) > WAKE_HORIZON;
        return Passed { due_at: first, missed: count - 2, is_late, next_at: Some(latest) };
    }
    let is_late = now - with_jitter(name, schedule, latest) > WAKE_HORIZON;
    let is_late = is_late && !matches!(rhythm, Rhythm::BeforeExpiry { .. });
    let next_at = rhythm.next_after(now, schedule.added_at);
    Passed { due_at: latest, missed: count - 1, is_late, next_at }
}

/// Starts a run now, whatever the rhythm says, in the draft.
pub fn begin(
    draft: &mut Draft,
    inputs: &Inputs<'_>,
    name: &str,
    schedule: &Schedule,
    actions: &mut Vec<Action>,
) -> Result<Fate, Damage> {
    match &schedule.definition.task {
        Task::Run(spec) => submit(draft, inputs, (name, schedule.definition.overlap), spec, actions),
        Task::IdempotencyCleanup => Ok(Fate::Begun),
        Task::Retention => {
            actions.push(Action::Retain);
            Ok(Fate::Begun)
        }
    }
}

/// Submits a run, as the runs before it allow.
fn submit(
    draft: &mut Draft,
    inputs: &Inputs<'_>,
    (name, overlap): (&str, Overlap),
    spec: &JobSpec,
    actions: &mut Vec<Action>,
) -> Result<Fate, Damage> {
    let active: Vec<JobId> = active_runs(draft.facts(), name).map(|head| head.id.clone()).collect();
    let most = match overlap {
        Overlap::Skip => 0,
        Overlap::Queue => 1,
        Overlap::Replace => usize::MAX,
    };
    if let Some(id) = active.first().filter(|_| active.len() > most) {
        return Ok(Fate::Overlapped { id: id.clone() });
    }
    let mut spec = JobSpec { schedule: Some(name.to_owned()), ..spec.clone() };
    spec.name = spec.name.or_else(|| Some(name.to_owned()));
    spec.after.extend(active.iter().map(|id| Dependency { id: id.clone(), until: Until::Ended }));
    let job = |id: JobId| Job::new(id, spec.clone(), inputs.now);
    let mut id = inputs.ids.new_id(inputs.now);
    if let Some(holder) = Holders::of(draft.facts(), inputs.now).give(&job(id.clone())) {
        return Ok(Fate::KeyTaken { id: holder });
    }
    if overlap == Overlap::Replace {
        replace(draft, inputs, &active, actions)?;
    }
    for _ in 0..DRAWS_MAX {
        if enter(draft, job(id.clone()))? == Admission::Admitted {
            break;
        }
        id = inputs.ids.new_id(inputs.now);
    }
    Ok(Fate::Submitted { id })
}

/// Tells these runs to end: a newer one takes their place.
fn replace(
    draft: &mut Draft,
    inputs: &Inputs<'_>,
    active: &[JobId],
    actions: &mut Vec<Action>,
) -> Result<(), Damage> {
    for id in active {
        let ending = Ending { why: Why::Replace, at: inputs.now, signal: None, note: None };
        let change = Change::Decide { ending };
        let applied = draft.push(Event::Changed { id: id.clone(), change })?;
        let runs = draft.facts().head(id).is_some_and(|head| head.status == Status::Running);
        if applied == Applied::Yes && runs {
            actions.push(Action::Poke { id: id.clone() });
        }
    }
    Ok(())
}

/// The runs of a schedule that have not ended, in the order of their submission.
pub fn active_runs<'a>(facts: &'a Facts, name: &'a str) -> impl Iterator<Item = &'a Head> {
    facts
        .heads()
        .filter(move |head| !head.status.has_ended() && head.belongs.schedule.as_deref() == Some(name))
}

/// Forgets the keys whose time is over, and says how many.
pub fn forget_keys(draft: &mut Draft, name: &str, now: Timestamp) -> Result<(), Damage> {
    let keyed = || draft.facts().heads().filter(|head| head.key.is_some());
    let live = keyed().filter(|head| head.holds_key(now)).count();
    let over: Vec<JobId> = keyed().filter(|head| !head.holds_key(now)).map(|head| head.id.clone()).collect();
    let mut deleted = 0_usize;
    for id in over {
        // An entry that is damaged inside keeps its key, which nobody is given any more.
        if let Ok(Applied::Yes) = draft.push(Event::KeyExpired { id }) {
            deleted += 1;
        }
    }
    let keys = |count: usize| if count == 1 { "key" } else { "keys" };
    let note = format!("{deleted} expired {} deleted, {live} live {} kept", keys(deleted), keys(live));
    let run = LastRun { id: None, at: now, result: RunResult::Succeeded, note: Some(note) };
    let change = ScheduleChange::Did { run, took_ms: 0 };
    draft.push(Event::Scheduled { schedule: name.to_owned(), change })?;
    Ok(())
}

/// Says when what failed runs again: the wait grows with each failure in a row. So does what was to renew a session and
/// came to nothing otherwise: nobody knows another time for it.
fn restart(draft: &mut Draft, inputs: &Inputs<'_>) -> Result<(), Damage> {
    let waits_in_vain = |schedule: &Schedule| {
        matches!(schedule.definition.rhythm, Rhythm::BeforeExpiry { .. }) && schedule.next_at.is_none()
    };
    let failed = |schedule: &Schedule| {
        let has_failed = schedule.health.last.as_ref().is_some_and(|last| last.result == RunResult::Failed);
        let is_open = schedule.restart_at.is_none() && schedule.paused_at.is_none();
        let restarts = (schedule.definition.restarts && has_failed) || waits_in_vain(schedule);
        let last_at = schedule.health.last.as_ref().map_or(inputs.now, |last| last.at);
        (is_open && restarts).then_some(last_at)
    };
    let due: Vec<(String, Timestamp, u64)> = draft
        .facts()
        .schedules()
        .iter()
        .filter_map(|(name, one)| Some((name.clone(), failed(one)?, one.health.failures_in_row)))
        .filter(|(name, _, _)| active_runs(draft.facts(), name).next().is_none())
        .collect();
    for (name, failed_at, failures) in due {
        push_restart(draft, inputs, &name, failed_at, failures)?;
    }
    Ok(())
}

fn push_restart(
    draft: &mut Draft,
    inputs: &Inputs<'_>,
    name: &str,
    from: Timestamp,
    failures: u64,
) -> Result<(), Damage> {
    let wait = wait(&inputs.config.recurring, name, failures);
    // What came of it since then was no run: it is counted from now.
    let after = |from: Timestamp| from.checked_add_signed(wait).unwrap_or(from);
    let restart_at = Some(after(from)).filter(|at| *at > inputs.now).unwrap_or_else(|| after(inputs.now));
    let valid_until = draft.facts().schedules().get(name).and_then(|schedule| schedule.valid_until);
    let restart_at = match valid_until.filter(|end| *end > inputs.now) {
        Some(end) => restart_at.min(while_valid(end, inputs.now)),
        None => restart_at,
    };
    let change = ScheduleChange::Restart { restart_at };
    draft.push(Event::Scheduled { schedule: name.to_owned(), change })?;
    Ok(())
}

/// Shortest wait before a session is tried again that is about to run out.
const LAST_TRIES_APART: TimeDelta = TimeDelta::seconds(1);

/// As long as a session is valid, it is tried again in the first half of what is left: so a growing wait does not let it run
/// out while another try would have come in time.
fn while_valid(valid_until: Timestamp, now: Timestamp) -> Timestamp {
    now + ((valid_until - now) / 2).max(LAST_TRIES_APART)
}

/// The wait after so many failures in a row.
fn wait(recurring: &Recurring, name: &str, failures: u64) -> TimeDelta {
    let most = recurring.restart_seconds_max;
    let mut seconds = recurring.restart_seconds.min(most);
    for _ in 1..failures {
        if seconds >= most || recurring.restart_factor <= 1 {
            break;
        }
        seconds = seconds.saturating_mul(recurring.restart_factor).min(most);
    }
    let milliseconds = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX / 2_000);
    let percent = i64::try_from(recurring.restart_jitter_percent).unwrap_or(100);
    let moved = milliseconds / 1_000 * chance::spread(name, failures, percent * 10);
    TimeDelta::try_milliseconds(milliseconds.saturating_add(moved).max(0)).unwrap_or(TimeDelta::MAX)
}
