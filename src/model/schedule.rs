//! Schedules: what runs again and again, when, and what has become of it.

use super::{
    Timestamp,
    calendar::Rhythm,
    group::{BadGroupName, check_name},
    health::{Health, LastRun, RunResult},
    id::JobId,
    job::Job,
    spec::JobSpec,
    state::End,
    unknown::Unknown,
};
use serde::{Deserialize, Serialize};

/// The recurring job that forgets idempotency keys whose time is over.
pub const IDEMPOTENCY_CLEANUP: &str = "idempotency_cleanup";
/// The recurring job that removes ended jobs whose time is over.
pub const RETENTION: &str = "retention";
/// The recurring job that renews sessions; each session has one of its own, named with this and a dot in front.
pub const SESSION_REFRESH: &str = "session_refresh";

/// Most schedules: each pass looks at all of them.
pub const SCHEDULES_MAX: usize = 1_000;

/// What recurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// When.
    pub rhythm: Rhythm,
    /// What.
    pub task: Task,
    /// What happens to a run that is due while the one before it has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens to times at which nobody looked.
    #[serde(default)]
    pub missed: Missed,
    /// Each run comes up to so much later, by chance.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_seconds: u64,
    /// Whether a run that failed is followed by others before its rhythm says so.
    #[serde(default = "yes")]
    pub restarts: bool,
    /// Who defined it.
    #[serde(default)]
    pub source: DefinedBy,
}

/// What a schedule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Each run is a job like this one.
    Run(Box<JobSpec>),
    /// See [`IDEMPOTENCY_CLEANUP`]; done within a pass.
    IdempotencyCleanup,
    /// See [`RETENTION`]; done beside a pass.
    Retention,
}

/// What happens to a run that is due while the one before it has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is left out.
    #[default]
    Skip,
    /// It waits for that end; only one does.
    Queue,
    /// The one before it is cancelled.
    Replace,
}

/// What happens to times at which nobody looked, because the machine was off or nothing ticked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// They pass.
    None,
    /// One run makes up for all of them.
    #[default]
    Once,
}

/// Who defined a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinedBy {
    /// `schedule add`.
    #[default]
    Command,
    /// The settings file.
    File,
    /// This program.
    BuiltIn,
}

/// A schedule of the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What was asked.
    #[serde(flatten)]
    pub definition: Definition,
    /// When it was defined so; intervals are counted from here.
    pub added_at: Timestamp,
    /// Since when it is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// The next time of its rhythm; none where nobody knows yet, or where none comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// After a failure: when it runs next, whatever its rhythm says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Timestamp>,
    /// Until when the session that it renews is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// How it has gone so far.
    #[serde(default)]
    pub health: Health,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Schedule {
    /// One that is defined now and has no past.
    pub fn new(definition: Definition, added_at: Timestamp) -> Self {
        Self {
            definition,
            added_at,
            paused_at: None,
            next_at: None,
            restart_at: None,
            valid_until: None,
            health: Health::default(),
            unknown: Unknown::default(),
        }
    }

    /// Takes a run into account that has just ended. A success leads back to the rhythm, of which nothing was missed meanwhile.
    pub fn count_end(&mut self, job: &Job, end: &End) {
        self.health.add_job(job, end);
        let succeeded = RunResult::of(end) == RunResult::Succeeded;
        if succeeded && self.restart_at.take().is_some() {
            let next_at = end.at.and_then(|at| self.definition.rhythm.next_after(at, self.added_at));
            self.next_at = next_at.or(self.next_at);
        }
    }

    /// What its runs are like, where they are jobs.
    pub fn spec(&self) -> Option<&JobSpec> {
        if let Task::Run(spec) = &self.definition.task { Some(spec) } else { None }
    }

    /// The captured environment of its runs.
    pub fn env(&self) -> Option<&str> {
        self.spec()?.env.as_deref()
    }

    /// Whether each of its runs has to be approved.
    pub fn is_gated(&self) -> bool {
        self.spec().is_some_and(|spec| spec.gate.is_some())
    }
}

/// What can be done to a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ScheduleChange {
    /// It is defined, anew or otherwise than before; how it has gone so far stays.
    Put {
        /// When.
        at: Timestamp,
        /// What is asked.
        definition: Box<Definition>,
        /// Its first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Timestamp>,
    },
    /// It is there no more. Its runs stay.
    Remove,
    /// None of its runs starts any more.
    Pause {
        /// When.
        at: Timestamp,
    },
    /// It goes on.
    Resume {
        /// Its next time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Timestamp>,
    },
    /// A time of it has come.
    Due {
        /// Which, without its jitter.
        due_at: Timestamp,
        /// What became of it.
        #[serde(flatten)]
        fate: Fate,
        /// Times before it that passed without a run.
        #[serde(default, skip_serializing_if = "is_zero")]
        missed: u64,
        /// Its next time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Timestamp>,
    },
    /// Its next time is another one, because the clock was set.
    Moved {
        /// The next time of its rhythm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_at: Option<Timestamp>,
    },
    /// Its run failed, and the next one comes then.
    Restart {
        /// When.
        restart_at: Timestamp,
    },
    /// What is known of the session that it renews: until when it is valid.
    Renewed {
        /// Until when.
        valid_until: Timestamp,
        /// When it is renewed next.
        next_at: Timestamp,
    },
    /// What a pass did for it.
    Did {
        /// How that went.
        run: LastRun,
        /// How long it took.
        took_ms: u64,
    },
}

/// What became of a time that has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// A run was submitted.
    Submitted {
        /// Which.
        id: JobId,
    },
    /// The run before it has not ended.
    Overlapped {
        /// That run.
        id: JobId,
    },
    /// It was too late for it.
    Missed,
    /// Another job has its key.
    KeyTaken {
        /// That job.
        id: JobId,
    },
    /// The pass does it itself.
    Begun,
}

/// The name of the schedule that renews a session.
pub fn refresh_of(session: &str) -> String {
    format!("{SESSION_REFRESH}.{session}")
}

/// The session that a schedule of this name renews; `None` where it is another schedule.
pub fn session_of(schedule: &str) -> Option<&str> {
    schedule.strip_prefix(SESSION_REFRESH)?.strip_prefix('.')
}

/// Why a text is no name of a schedule.
pub type BadName = BadGroupName;

/// Checks the name of a schedule that somebody defines. The names of the built-in ones are taken.
pub fn check_own_name(name: &str) -> Result<(), String> {
    check_name(name).map_err(|_| {
        "a schedule's name is made of letters, digits, '-', '_' and '.', begins with a letter or a digit, and has at most 64 characters"
            .to_owned()
    })?;
    let stem = name.split('.').next().unwrap_or(name);
    if [IDEMPOTENCY_CLEANUP, RETENTION, SESSION_REFRESH].contains(&stem) {
        return Err(format!("{stem} is the name of a built-in recurring job"));
    }
    Ok(())
}

/// Changes a schedule. `None`: it is gone, or was not there. `Err`: that cannot be done, for this reason.
pub fn change(schedule: Option<Schedule>, change: &ScheduleChange) -> Result<Option<Schedule>, &'static str> {
    const NONE: &str = "there is no such schedule";
    if let ScheduleChange::Put { at, definition, next_at } = change {
        let put = match schedule {
            // Who changes how a run looks does not move its times. Of a session that is refreshed in another way nobody knows
            // how long it is valid.
            Some(was)
                if was.definition.rhythm == definition.rhythm
                    && !matches!(definition.rhythm, Rhythm::BeforeExpiry { .. }) =>
            {
                Schedule { definition: (**definition).clone(), ..was }
            }
            Some(was) => Schedule {
                paused_at: was.paused_at,
                next_at: *next_at,
                health: was.health,
                unknown: was.unknown,
                ..Schedule::new((**definition).clone(), *at)
            },
            None => Schedule { next_at: *next_at, ..Schedule::new((**definition).clone(), *at) },
        };
        return Ok(Some(put));
    }
    let mut schedule = schedule.ok_or(NONE)?;
    match change {
        ScheduleChange::Put { .. } => {}
        ScheduleChange::Remove => return Ok(None),
        ScheduleChange::Pause { at } => schedule.paused_at = schedule.paused_at.or(Some(*at)),
        ScheduleChange::Resume { next_at } => {
            if schedule.paused_at.take().is_some() {
                schedule.next_at = *next_at;
                schedule.restart_at = None;
            }
        }
        ScheduleChange::Due { fate, missed, next_at, .. } => {
            schedule.next_at = *next_at;
            schedule.restart_at = None;
            let health = &mut schedule.health;
            health.missed = health.missed.saturating_add(*missed);
            match fate {
                Fate::Overlapped { .. } => health.overlapped = health.overlapped.saturating_add(1),
                Fate::Missed => health.missed = health.missed.saturating_add(1),
                Fate::Submitted { .. } | Fate::KeyTaken { .. } | Fate::Begun => {}
            }
        }
        ScheduleChange::Moved { next_at } => schedule.next_at = *next_at,
        ScheduleChange::Restart { restart_at } => schedule.restart_at = Some(*restart_at),
        ScheduleChange::Renewed { valid_until, next_at } => {
            schedule.valid_until = Some(*valid_until);
            schedule.next_at = Some(*next_at);
            // The wait after a failure may be longer than what it is valid for now.
            schedule.restart_at = None;
        }
        ScheduleChange::Did { run, took_ms } => schedule.health.add(run.clone(), Some(*took_ms)),
    }
    Ok(Some(schedule))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn yes() -> bool {
    true
}
