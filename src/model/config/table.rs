//! The table of settings: for each key its name, what it can be, what it does, and where its value is kept.

use super::kind::{Kind, Value};
use super::{Config, Durability, LocalApproval, StoreType};
use crate::model::{
    hook::Hook,
    limit::{ByteLimit, Limit, SECONDS_MAX, Seconds, Source},
    retry::ATTEMPTS_MAX,
};

/// The section that has one section for each group.
pub const GROUPS: &str = "groups";
/// The only key of such a section.
pub const SLOTS: Setting = Setting {
    name: "slots",
    kind: Kind::Count { least: 1, most: SLOTS_MAX },
    about: "jobs of the group that run at the same time",
    get: |_| Value::Count(1),
    set: |_, _| {},
};

/// Most slots that can be set: far beyond what a machine runs well, far below what breaks.
const SLOTS_MAX: u64 = 10_000;
/// Most jobs that can be kept or queued.
const JOBS_MAX: u64 = 1_000_000;
/// Longest time between two looks: longer, and waiting would seem to hang.
const POLL_SECONDS_MAX: u64 = 3_600;
/// Most lines that are added before the index is begun anew: more would have to be read by everybody.
const LINES_ADDED_MAX: u64 = 100_000;
/// Longest wait for the lock: whoever holds it for longer does not let go.
const LOCK_SECONDS_MAX: u64 = 3_600;

/// Longest time for a hook: those of others wait for it.
const HOOK_SECONDS_MAX: u64 = 3_600;

/// A section of the file.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Whether something reads it yet.
    pub is_used: bool,
    /// Its keys.
    pub settings: &'static [Setting],
}

/// A key of the file.
#[derive(Debug)]
pub struct Setting {
    /// Its name within its section.
    pub name: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// What it does, as half a sentence.
    pub about: &'static str,
    /// Its value.
    pub get: fn(&Config) -> Value,
    /// Puts a value that its kind allows.
    pub(super) set: fn(&mut Config, Value),
}

/// The sections with fixed keys, in the order in which they are shown.
pub const SECTIONS: [Section; 11] = [
    Section {
        name: "store",
        about: "how the index is kept",
        is_used: true,
        settings: &[
            Setting {
                name: "type",
                kind: Kind::Word(&StoreType::WORDS),
                about: "the form of one that is not there yet; store migrate changes that of one that is",
                get: |config| Value::Word(config.store.form.as_str()),
                set: |config, value| config.store.form = StoreType::parse(word(&value)),
            },
            Setting {
                name: "autosave_interval",
                kind: Kind::Count { least: 1, most: LINES_ADDED_MAX },
                about: "how many lines are added to an index of lines before it is begun anew; a quarter of its jobs, where that is more",
                get: |config| Value::Count(config.store.lines_max as u64),
                set: |config, value| config.store.lines_max = count(&value),
            },
            Setting {
                name: "durability",
                kind: Kind::Word(&Durability::WORDS),
                about: "what a change survives once it is told: a power cut, or only the death of any process, which waits for no disk; then a power cut may take the latest changes, or damage the index",
                get: |config| Value::Word(config.store.durability.as_str()),
                set: |config, value| config.store.durability = Durability::parse(word(&value)),
            },
            Setting {
                name: "lock_timeout",
                kind: Kind::Duration { least: 1, most: LOCK_SECONDS_MAX, or_none: false },
                about: "how long a change waits for the index's lock, before it gives up with exit code 75",
                get: |config| Value::Seconds(Some(config.store.lock_seconds_max)),
                set: |config, value| {
                    config.store.lock_seconds_max = seconds(&value).unwrap_or(LOCK_SECONDS_MAX);
                },
            },
        ],
    },
    Section {
        name: "queue",
        about: "how many jobs run and wait",
        is_used: true,
        settings: &[
            Setting {
                name: "max_concurrent",
                kind: Kind::Count { least: 1, most: SLOTS_MAX },
                about: "jobs that run at the same time on one machine: the slots of the default group",
                get: |config| Value::Count(config.slots as u64),
                set: |config, value| config.slots = count(&value),
            },
            Setting {
                name: "max_size",
                kind: Kind::Count { least: 1, most: JOBS_MAX },
                about: "the size of the queue",
                get: |config| Value::Count(config.queue.jobs_max as u64),
                set: |config, value| config.queue.jobs_max = count(&value),
            },
            Setting {
                name: "threshold_percent",
                kind: Kind::Count { least: 1, most: 100 },
                about: "once more than this part of it waits, start is refused with exit code 75",
                get: |config| Value::Count(config.queue.threshold_percent as u64),
                set: |config, value| config.queue.threshold_percent = count(&value),
            },
            Setting {
                name: "batch_max",
                kind: Kind::Count { least: 1, most: JOBS_MAX },
                about: "most jobs that one start can submit",
                get: |config| Value::Count(config.queue.batch_jobs_max as u64),
                set: |config, value| config.queue.batch_jobs_max = count(&value),
            },
        ],
    },
    Section {
        name: "worker",
        about: "the limits of jobs, how they are tried again, and how others wait for them",
        is_used: true,
        settings: &[
            Setting {
                name: "timeout",
                kind: Kind::SOME_TIME,
                about: "run time of a job, after which it is ended; start --timeout",
                get: |config| Value::Seconds(config.limits.timeout.seconds),
                set: |config, value| config.limits.timeout = limit(&value),
            },
            Setting {
                name: "stale_after",
                kind: Kind::SOME_TIME,
                about: "silence of a job's watcher, after which the job is cancelled; start --stale-after",
                get: |config| Value::Seconds(config.limits.stale_after.seconds),
                set: |config, value| config.limits.stale_after = limit(&value),
            },
            Setting {
                name: "grace",
                kind: Kind::ANY_TIME,
                about: "time between asking processes to end and killing them; start --grace",
                get: |config| Value::Seconds(config.limits.grace.seconds),
                set: |config, value| config.limits.grace = limit(&value),
            },
            Setting {
                name: "retry_attempts",
                kind: Kind::Count { least: 1, most: ATTEMPTS_MAX as u64 },
                about: "attempts of a job that is started with --retry; start --attempts",
                get: |config| Value::Count(config.retry.attempts_max.into()),
                set: |config, value| {
                    config.retry.attempts_max = u32::try_from(count(&value)).unwrap_or(ATTEMPTS_MAX);
                },
            },
            Setting {
                name: "retry_delay",
                kind: Kind::ANY_TIME,
                about: "wait after the first attempt, which doubles with each further one; start --retry-delay",
                get: |config| Value::Seconds(Some(config.retry.delay_seconds)),
                set: |config, value| config.retry.delay_seconds = seconds(&value).unwrap_or(0),
            },
            Setting {
                name: "retry_max_delay",
                kind: Kind::ANY_TIME,
                about: "longest wait between two attempts; start --retry-max-delay",
                get: |config| {
                    Value::Seconds(Some(config.retry.delay_seconds_max).filter(|most| *most < SECONDS_MAX))
                },
                set: |config, value| config.retry.delay_seconds_max = seconds(&value).unwrap_or(SECONDS_MAX),
            },
            Setting {
                name: "poll_interval",
                kind: Kind::Duration { least: 1, most: POLL_SECONDS_MAX, or_none: false },
                about: "how often who waits looks at the index where the system cannot tell of its changes",
                get: |config| Value::Seconds(Some(config.poll_seconds)),
                set: |config, value| config.poll_seconds = seconds(&value).unwrap_or(POLL_SECONDS_MAX),
            },
        ],
    },
    Section {
        name: "approval",
        about: "jobs that wait for a person's approval",
        is_used: true,
        settings: &[
            Setting {
                name: "local",
                kind: Kind::Word(&LocalApproval::WORDS),
                about: "who may answer with `bgctl approve`: who says so at a terminal, every process, or nobody",
                get: |config| Value::Word(config.approval.local.as_str()),
                set: |config, value| config.approval.local = LocalApproval::parse(word(&value)),
            },
            Setting {
                name: "approvers",
                kind: Kind::Accounts,
                about: "who may answer on GitHub; if empty, who may write to the repository",
                get: |config| Value::Names(config.approval.approvers.clone()),
                set: |config, value| config.approval.approvers = names(value),
            },
            Setting {
                name: "self_approval",
                kind: Kind::Flag,
                about: "whether the account that asked on GitHub may approve",
                get: |config| Value::Flag(config.approval.self_approval),
                set: |config, value| config.approval.self_approval = value == Value::Flag(true),
            },
            Setting {
                name: "approved_label",
                kind: Kind::Label,
                about: "the label that approves",
                get: |config| Value::Text(config.approval.labels.approved.clone()),
                set: |config, value| config.approval.labels.approved = text(value),
            },
            Setting {
                name: "declined_label",
                kind: Kind::Label,
                about: "the label that declines",
                get: |config| Value::Text(config.approval.labels.declined.clone()),
                set: |config, value| config.approval.labels.declined = text(value),
            },
            Setting {
                name: "waiting_label",
                kind: Kind::Label,
                about: "the label of the issues that are waited for",
                get: |config| Value::Text(config.approval.labels.waiting.clone()),
                set: |config, value| config.approval.labels.waiting = text(value),
            },
            Setting {
                name: "poll_interval",
                kind: Kind::Duration { least: 1, most: POLL_SECONDS_MAX, or_none: false },
                about: "how often GitHub is asked for an answer",
                get: |config| Value::Seconds(Some(config.approval.poll_seconds)),
                set: |config, value| {
                    config.approval.poll_seconds = seconds(&value).unwrap_or(POLL_SECONDS_MAX);
                },
            },
            Setting {
                name: "default_ttl",
                kind: Kind::SOME_TIME,
                about: "how long a job waits for an answer, before it fails",
                get: |config| Value::Seconds(config.approval.ttl_seconds),
                set: |config, value| config.approval.ttl_seconds = seconds(&value),
            },
            Setting {
                name: "expiry_warning",
                kind: Kind::ANY_TIME,
                about: "how long before that a warning is given",
                get: |config| Value::Seconds(config.approval.warning_seconds),
                set: |config, value| config.approval.warning_seconds = seconds(&value),
            },
        ],
    },
    Section {
        name: "approval.github",
        about: "how GitHub is reached",
        is_used: true,
        settings: &[
            Setting {
                name: "api_url",
                kind: Kind::Address,
                about: "where its interface is; of GitHub Enterprise `https://HOST/api/v3`",
                get: |config| Value::Text(config.approval.github.api_url.clone()),
                set: |config, value| config.approval.github.api_url = text(value),
            },
            Setting {
                name: "token_file",
                kind: Kind::Path,
                about: "a file with the token, which nobody else may read (mode 0600)",
                get: |config| Value::Path(config.approval.github.token_file.clone()),
                set: |config, value| config.approval.github.token_file = path(value),
            },
            Setting {
                name: "token_command",
                kind: Kind::Command,
                about: "a command that prints the token",
                get: |config| Value::Command(config.approval.github.token_command.clone()),
                set: |config, value| config.approval.github.token_command = command(value),
            },
        ],
    },
    Section {
        name: "dead_letters",
        about: "jobs whose attempts are used up, and which are kept to be looked at",
        is_used: true,
        settings: &[
            Setting {
                name: "max_jobs",
                kind: Kind::Count { least: 0, most: JOBS_MAX },
                about: "beyond so many dead letters, the oldest go",
                get: |config| Value::Count(config.dead_letters.jobs_max as u64),
                set: |config, value| config.dead_letters.jobs_max = count(&value),
            },
            Setting {
                name: "max_age",
                kind: Kind::ANY_TIME,
                about: "dead letters go after so long",
                get: |config| Value::Seconds(config.dead_letters.age_seconds_max),
                set: |config, value| config.dead_letters.age_seconds_max = seconds(&value),
            },
        ],
    },
    Section {
        name: "retention",
        about: "how long ended jobs are kept, with their logs",
        is_used: true,
        settings: &[
            Setting {
                name: "max_age",
                kind: Kind::ANY_TIME,
                about: "ended jobs go after so long; prune --older-than",
                get: |config| Value::Seconds(config.retention.age_seconds_max),
                set: |config, value| config.retention.age_seconds_max = seconds(&value),
            },
            Setting {
                name: "max_jobs",
                kind: Kind::Count { least: 0, most: JOBS_MAX },
                about: "beyond so many ended jobs, the oldest go; prune --keep",
                get: |config| Value::Count(config.retention.jobs_max as u64),
                set: |config, value| config.retention.jobs_max = count(&value),
            },
            Setting {
                name: "min_age",
                kind: Kind::ANY_TIME,
                about: "none goes sooner after its end",
                get: |config| Value::Seconds(Some(config.retention.age_seconds_min)),
                set: |config, value| config.retention.age_seconds_min = seconds(&value).unwrap_or(0),
            },
        ],
    },
    Section {
        name: "log",
        about: "the size of logs",
        is_used: true,
        settings: &[
            Setting {
                name: "max_bytes",
                kind: Kind::Size,
                about: "size of one job's log, beyond which its middle goes; start --log-max",
                get: |config| Value::Bytes(config.limits.log.bytes),
                set: |config, value| {
                    config.limits.log = ByteLimit { bytes: bytes(&value), source: Source::Config };
                },
            },
            Setting {
                name: "total_bytes_max",
                kind: Kind::Size,
                about: "size of all logs together, beyond which those of the jobs that ended first go",
                get: |config| Value::Bytes(config.log_bytes_total_max),
                set: |config, value| config.log_bytes_total_max = bytes(&value),
            },
        ],
    },
    Section {
        name: "recurring",
        about: "how what recurs is kept going",
        is_used: true,
        settings: &[
            Setting {
                name: "restart_delay",
                kind: Kind::Duration { least: 1, most: SECONDS_MAX, or_none: false },
                about: "wait after the first failure of a recurring job, before it runs again",
                get: |config| Value::Seconds(Some(config.recurring.restart_seconds)),
                set: |config, value| {
                    config.recurring.restart_seconds = seconds(&value).unwrap_or(SECONDS_MAX);
                },
            },
            Setting {
                name: "restart_factor",
                kind: Kind::Count { least: 1, most: 100 },
                about: "what that wait is multiplied with at each further failure in a row",
                get: |config| Value::Count(config.recurring.restart_factor),
                set: |config, value| config.recurring.restart_factor = count(&value) as u64,
            },
            Setting {
                name: "restart_max_delay",
                kind: Kind::Duration { least: 1, most: SECONDS_MAX, or_none: false },
                about: "the longest such wait",
                get: |config| Value::Seconds(Some(config.recurring.restart_seconds_max)),
                set: |config, value| {
                    config.recurring.restart_seconds_max = seconds(&value).unwrap_or(SECONDS_MAX);
                },
            },
            Setting {
                name: "restart_jitter_percent",
                kind: Kind::Count { least: 0, most: 100 },
                about: "how far such a wait is moved by chance",
                get: |config| Value::Count(config.recurring.restart_jitter_percent),
                set: |config, value| config.recurring.restart_jitter_percent = count(&value) as u64,
            },
            Setting {
                name: "keep_runs",
                kind: Kind::Count { least: 1, most: JOBS_MAX },
                about: "beyond so many ended runs of one schedule, its oldest go",
                get: |config| Value::Count(config.recurring.runs_kept as u64),
                set: |config, value| config.recurring.runs_kept = count(&value),
            },
            Setting {
                name: "idempotency_cleanup",
                kind: Kind::Duration { least: 60, most: SECONDS_MAX, or_none: false },
                about: "how often keys are forgotten whose time is over",
                get: |config| Value::Seconds(Some(config.recurring.idempotency_cleanup_seconds)),
                set: |config, value| {
                    config.recurring.idempotency_cleanup_seconds = seconds(&value).unwrap_or(SECONDS_MAX);
                },
            },
            Setting {
                name: "retention",
                kind: Kind::Duration { least: 60, most: SECONDS_MAX, or_none: false },
                about: "how often ended jobs go whose time is over",
                get: |config| Value::Seconds(Some(config.recurring.retention_seconds)),
                set: |config, value| {
                    config.recurring.retention_seconds = seconds(&value).unwrap_or(SECONDS_MAX);
                },
            },
        ],
    },
    Section {
        name: "health",
        about: "when bgctl health says degraded",
        is_used: true,
        settings: &[
            Setting {
                name: "dead_letters_max",
                kind: Kind::Count { least: 0, most: JOBS_MAX },
                about: "with more dead letters than this",
                get: |config| Value::Count(config.health.dead_letters_max as u64),
                set: |config, value| config.health.dead_letters_max = count(&value),
            },
            Setting {
                name: "utilisation_percent",
                kind: Kind::Count { least: 1, most: 100 },
                about: "when more than this part of the queue is taken",
                get: |config| Value::Count(config.health.utilisation_percent_max as u64),
                set: |config, value| config.health.utilisation_percent_max = count(&value),
            },
            Setting {
                name: "failures_in_row",
                kind: Kind::Count { least: 1, most: 1_000 },
                about: "when a recurring job, or the jobs of one name, failed so often in a row",
                get: |config| Value::Count(config.health.failures_in_row),
                set: |config, value| config.health.failures_in_row = count(&value) as u64,
            },
            Setting {
                name: "tick_within",
                kind: Kind::Duration { least: 60, most: SECONDS_MAX, or_none: false },
                about: "when something is due and nobody has looked for so long (then failing)",
                get: |config| Value::Seconds(Some(config.health.tick_seconds_max)),
                set: |config, value| config.health.tick_seconds_max = seconds(&value).unwrap_or(SECONDS_MAX),
            },
        ],
    },
    Section {
        name: "hooks",
        about: "what is run when something has happened; docs/hooks.md",
        is_used: true,
        settings: &[
            Setting {
                name: "on_end",
                kind: Kind::Command,
                about: "run when a job has ended, whatever its end",
                get: |config| command_of(config, Hook::OnEnd),
                set: |config, value| config.hooks.on_end = command(value),
            },
            Setting {
                name: "on_fail",
                kind: Kind::Command,
                about: "run when a job has failed for good",
                get: |config| command_of(config, Hook::OnFail),
                set: |config, value| config.hooks.on_fail = command(value),
            },
            Setting {
                name: "on_dead_letter",
                kind: Kind::Command,
                about: "run when a job has become a dead letter",
                get: |config| command_of(config, Hook::OnDeadLetter),
                set: |config, value| config.hooks.on_dead_letter = command(value),
            },
            Setting {
                name: "on_degraded",
                kind: Kind::Command,
                about: "run when the verdict about the whole has become degraded or failing",
                get: |config| command_of(config, Hook::OnDegraded),
                set: |config, value| config.hooks.on_degraded = command(value),
            },
            Setting {
                name: "timeout",
                kind: Kind::Duration { least: 1, most: HOOK_SECONDS_MAX, or_none: false },
                about: "how long a hook may take, start --on-end included, before all of its processes are ended",
                get: |config| Value::Seconds(Some(config.hooks.timeout_seconds)),
                set: |config, value| {
                    config.hooks.timeout_seconds = seconds(&value).unwrap_or(HOOK_SECONDS_MAX);
                },
            },
        ],
    },
];

/// The section of that name.
pub fn section(name: &str) -> Option<&'static Section> {
    const TABLE: &[Section] = &SECTIONS;
    TABLE.iter().find(|section| section.name == name)
}

/// The setting of that name, such as `queue.max_size`, and its section.
pub fn setting(key: &str) -> Option<(&'static Section, &'static Setting)> {
    let (name, key) = key.rsplit_once('.')?;
    let section = section(name)?;
    Some((section, section.settings.iter().find(|setting| setting.name == key)?))
}

// A value is of its setting's kind: whoever read it has checked that.

fn count(value: &Value) -> usize {
    if let Value::Count(count) = value { usize::try_from(*count).unwrap_or(usize::MAX) } else { 0 }
}

fn seconds(value: &Value) -> Seconds {
    if let Value::Seconds(seconds) = value { *seconds } else { None }
}

fn bytes(value: &Value) -> Option<u64> {
    if let Value::Bytes(bytes) = value { *bytes } else { None }
}

fn word(value: &Value) -> &'static str {
    if let Value::Word(word) = value { word } else { "" }
}

fn command(value: Value) -> Option<Vec<String>> {
    if let Value::Command(argv) = value { argv } else { None }
}

fn names(value: Value) -> Vec<String> {
    if let Value::Names(names) = value { names } else { Vec::new() }
}

fn text(value: Value) -> String {
    if let Value::Text(text) = value { text } else { String::new() }
}

fn path(value: Value) -> Option<String> {
    if let Value::Path(path) = value { path } else { None }
}

fn command_of(config: &Config, hook: Hook) -> Value {
    Value::Command(config.hooks.command(hook).map(<[String]>::to_vec))
}

fn limit(value: &Value) -> Limit {
    Limit { seconds: seconds(value), source: Source::Config }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limit::LOG_BYTES_MIN;

    #[test]
    fn every_setting_gives_back_what_was_put() {
        for section in SECTIONS {
            for setting in section.settings {
                let value = match setting.kind {
                    Kind::Count { most, .. } => Value::Count(most),
                    Kind::Duration { .. } => Value::Seconds(Some(77)),
                    Kind::Size => Value::Bytes(Some(LOG_BYTES_MIN + 1)),
                    Kind::Word(words) => Value::Word(words[words.len() - 1]),
                    Kind::Command => Value::Command(Some(vec!["a".to_owned()])),
                    Kind::Flag => Value::Flag(true),
                    Kind::Accounts => Value::Names(vec!["a".to_owned()]),
                    Kind::Label | Kind::Address => Value::Text("a".to_owned()),
                    Kind::Path => Value::Path(Some("/a".to_owned())),
                };
                let mut config = Config::default();
                (setting.set)(&mut config, value.clone());
                assert_eq!((setting.get)(&config), value, "{}.{}", section.name, setting.name);
                let changed = |other: &Setting| (other.get)(&config) != (other.get)(&Config::default());
                let changed =
                    SECTIONS.iter().flat_map(|one| one.settings).filter(|other| changed(other)).count();
                assert!(changed <= 1, "{}.{} changes others", section.name, setting.name);
            }
        }
    }
}
