//! Settings: what they are, their built-in values, and the file that changes them.
//!
//! `table` has one entry for each key: its name, what it can be and what it does. Reading, showing, documenting and
//! completing follow from it; the built-in values are those of [`Config::default`].

mod defined;
mod kind;
mod mistake;
mod read;
mod table;

pub use defined::{Defined, SCHEDULES, SESSIONS};
pub use kind::{Kind, Value};
pub use mistake::{Lines, Mistake, Mistakes};
pub use read::{Loaded, read};
pub use table::{GROUPS, SECTIONS, SLOTS, Section, Setting, section, setting};

use super::approval::Repository;
use super::hook::Hooks;
use super::limit::{Limits, Seconds};
use super::retry::{ATTEMPTS_WITH_RETRY, Retry};
use std::collections::BTreeMap;

/// Every setting, with its built-in value where the file says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How the index is kept.
    pub store: StoreSettings,
    /// Jobs that run at the same time on one machine.
    pub slots: usize,
    /// How many jobs may wait.
    pub queue: Queue,
    /// Jobs of each group that run at the same time, by its name; not that of the default group.
    pub groups: BTreeMap<String, usize>,
    /// How often, and after which time, a job is tried again whose submission asks for that and does not say how.
    pub retry: Retry,
    /// How often the index is looked at where the system cannot tell of its changes.
    pub poll_seconds: u64,
    /// How a person is asked.
    pub approval: Approval,
    /// How many dead letters are kept, and for how long.
    pub dead_letters: DeadLetters,
    /// The limits of a job whose submission does not set them.
    pub limits: Limits,
    /// How recurring jobs are kept going.
    pub recurring: Recurring,
    /// When the whole counts as degraded.
    pub health: HealthSettings,
    /// What is run when something has happened.
    pub hooks: Hooks,
    /// The schedules that the file defines, by name, as they stand there.
    pub schedules: BTreeMap<String, Defined>,
    /// The sessions that are kept alive, by name, as they stand there.
    pub sessions: BTreeMap<String, Defined>,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// Size of the logs of all jobs; beyond it, the logs of those that ended first go.
    pub log_bytes_total_max: Option<u64>,
}

/// How the index is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The form in which it is kept where there is none yet.
    pub form: StoreType,
    /// An index of lines is begun anew when so many were added.
    pub lines_max: usize,
    /// What a change survives once it is told.
    pub durability: Durability,
    /// Longest wait for the index's lock.
    pub lock_seconds_max: u64,
}

/// The form in which the index is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreType {
    /// One JSON file, replaced whole at each change.
    Json,
    /// A file to which each change adds lines.
    Lines,
}

impl StoreType {
    /// As the settings call them.
    pub const WORDS: [&str; 2] = ["json", "jsonl"];
    /// How many lines are added before a file of lines is begun anew, where nothing is said.
    pub const LINES_MAX: usize = 1_000;

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => Self::WORDS[0],
            Self::Lines => Self::WORDS[1],
        }
    }

    fn parse(word: &str) -> Self {
        if word == Self::WORDS[1] { Self::Lines } else { Self::Json }
    }
}

/// What a change of the index survives once it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: it is on the disk.
    Power,
    /// The death of any process, but not a power cut, after which the latest changes may be lost, or the index damaged.
    Process,
}

impl Durability {
    /// As the settings call them.
    pub const WORDS: [&str; 2] = ["power", "process"];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Power => Self::WORDS[0],
            Self::Process => Self::WORDS[1],
        }
    }

    fn parse(word: &str) -> Self {
        if word == Self::WORDS[1] { Self::Process } else { Self::Power }
    }
}

/// How many jobs may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The size of the queue.
    pub jobs_max: usize,
    /// Once more than this part of it is taken, a submission is refused.
    pub threshold_percent: usize,
    /// Most jobs of one batch.
    pub batch_jobs_max: usize,
}

impl Queue {
    /// How many may wait for a further submission to be taken.
    pub fn threshold(&self) -> usize {
        self.jobs_max.saturating_mul(self.threshold_percent) / 100
    }
}

/// How a person is asked whether a job may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who may answer at this machine.
    pub local: LocalApproval,
    /// How often is looked for an answer.
    pub poll_seconds: u64,
    /// How long an answer can be given; `None` is for ever.
    pub ttl_seconds: Seconds,
    /// How long before that end a warning is given; `None` gives none.
    pub warning_seconds: Seconds,
    /// The accounts that may answer on GitHub; where there is none, those that may write to the repository.
    pub approvers: Vec<String>,
    /// Whether the account that asked on GitHub may approve.
    pub self_approval: bool,
    /// The labels of issues.
    pub labels: Labels,
    /// How GitHub is reached.
    pub github: GitHub,
}

/// Who may answer at this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalApproval {
    /// Who says so at a terminal.
    Terminal,
    /// Every process of the user, outside of jobs.
    Anyone,
    /// Nobody.
    Off,
}

impl LocalApproval {
    /// As the settings call them.
    pub const WORDS: [&str; 3] = ["terminal", "anyone", "off"];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => Self::WORDS[0],
            Self::Anyone => Self::WORDS[1],
            Self::Off => Self::WORDS[2],
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "anyone" => Self::Anyone,
            "off" => Self::Off,
            _ => Self::Terminal,
        }
    }
}

/// The labels of issues on which a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Approves.
    pub approved: String,
    /// Declines.
    pub declined: String,
    /// Is on every issue on which somebody is asked, so that one request finds them all.
    pub waiting: String,
}

/// How GitHub is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitHub {
    /// Where its interface is, without a slash at the end.
    pub api_url: String,
    /// A file with the token.
    pub token_file: Option<String>,
    /// A command that prints the token.
    pub token_command: Option<Vec<String>>,
}

/// How many dead letters are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// Beyond this many, the oldest go.
    pub jobs_max: usize,
    /// Those that ended longer ago go; `None` keeps them.
    pub age_seconds_max: Seconds,
}

/// How recurring jobs are kept going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// After the first failure of a run, the next one comes after so long.
    pub restart_seconds: u64,
    /// With each further failure in a row that wait is multiplied with this.
    pub restart_factor: u64,
    /// The longest wait.
    pub restart_seconds_max: u64,
    /// Up to so many percent of the wait it is moved by chance.
    pub restart_jitter_percent: u64,
    /// Of the ended runs of a schedule, the newest so many stay.
    pub runs_kept: usize,
    /// How often keys are forgotten whose time is over.
    pub idempotency_cleanup_seconds: u64,
    /// How often ended jobs go whose time is over.
    pub retention_seconds: u64,
}

/// When the whole counts as degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// With more dead letters than this.
    pub dead_letters_max: usize,
    /// When more than this part of the queue is taken.
    pub utilisation_percent_max: usize,
    /// When something that recurs, or all jobs of a name, failed so often in a row.
    pub failures_in_row: u64,
    /// When something is due and nobody has looked for so long.
    pub tick_seconds_max: u64,
}

/// How long ended jobs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those that ended longer ago go; `None` keeps them.
    pub age_seconds_max: Seconds,
    /// Beyond this many, the oldest go.
    pub jobs_max: usize,
    /// None goes within this time of its end.
    pub age_seconds_min: u64,
}

impl GitHub {
    /// Where people see an issue: beside the interface (GitHub Enterprise Server), or on the host without `api.` (GitHub,
    /// and Enterprise Cloud with data residency).
    pub fn issue_url(&self, repository: &Repository, number: u64) -> String {
        let base = match self.api_url.strip_suffix("/api/v3") {
            Some(base) => base.to_owned(),
            None => self.api_url.replacen("://api.", "://", 1),
        };
        format!("{base}/{repository}/issues/{number}")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: StoreSettings {
                form: StoreType::Json,
                lines_max: StoreType::LINES_MAX,
                durability: Durability::Power,
                lock_seconds_max: 10,
            },
            slots: 2,
            queue: Queue { jobs_max: 100, threshold_percent: 80, batch_jobs_max: 100_000 },
            groups: BTreeMap::new(),
            retry: Retry { attempts_max: ATTEMPTS_WITH_RETRY, ..Retry::default() },
            poll_seconds: 1,
            approval: Approval {
                local: LocalApproval::Terminal,
                poll_seconds: 30,
                ttl_seconds: Some(24 * 3_600),
                warning_seconds: Some(3_600),
                approvers: Vec::new(),
                self_approval: false,
                labels: Labels {
                    approved: "bg:approved".to_owned(),
                    declined: "bg:declined".to_owned(),
                    waiting: "bg:approval".to_owned(),
                },
                github: GitHub {
                    api_url: "https://api.github.com".to_owned(),
                    token_file: None,
                    token_command: None,
                },
            },
            dead_letters: DeadLetters { jobs_max: 1_000, age_seconds_max: Some(30 * 86_400) },
            limits: Limits::default(),
            recurring: Recurring {
                restart_seconds: 10,
                restart_factor: 2,
                restart_seconds_max: 3_600,
                restart_jitter_percent: 10,
                runs_kept: 20,
                idempotency_cleanup_seconds: 3_600,
                retention_seconds: 3_600,
            },
            health: HealthSettings {
                dead_letters_max: 10,
                utilisation_percent_max: 90,
                failures_in_row: 3,
                tick_seconds_max: 300,
            },
            hooks: Hooks::default(),
            schedules: BTreeMap::new(),
            sessions: BTreeMap::new(),
            retention: Retention {
                age_seconds_max: Some(14 * 86_400),
                jobs_max: 200,
                age_seconds_min: 3_600,
            },
            log_bytes_total_max: Some(2 * 1024 * 1024 * 1024),
        }
    }
}

impl Config {
    /// Reads the settings file's text.
    pub fn parse(text: &str) -> Result<Self, Mistakes> {
        read(text).map(|loaded| loaded.config)
    }
}

#[cfg(test)]
mod tests;
