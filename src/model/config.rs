//! Settings: their built-in values, and the file that changes them.

use super::limit::{
    BadDuration, BadSize, ByteLimit, Limit, Limits, SECONDS_MAX, Seconds, Source, parse_bytes_limit,
    parse_limit, parse_nonzero_limit,
};
use super::{
    group,
    nearest::nearest_word,
    retry::{ATTEMPTS_MAX, ATTEMPTS_WITH_RETRY, Retry},
};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Every setting, with its built-in value where the file says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Jobs that run at the same time on one machine.
    pub slots: usize,
    /// How many jobs may wait.
    pub queue: Queue,
    /// Jobs of each group that run at the same time, by its name; not that of the default group.
    pub groups: BTreeMap<String, usize>,
    /// How often, and after which time, a job is tried again whose submission asks for that and does not say how.
    pub retry: Retry,
    /// How many dead letters are kept, and for how long.
    pub dead_letters: DeadLetters,
    /// The limits of a job whose submission does not set them.
    pub limits: Limits,
    /// How long ended jobs are kept.
    pub retention: Retention,
    /// Size of the logs of all jobs; beyond it, the logs of those that ended first go.
    pub log_bytes_total_max: Option<u64>,
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

/// How many dead letters are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// Beyond this many, the oldest go.
    pub jobs_max: usize,
    /// Those that ended longer ago go; `None` keeps them.
    pub age_seconds_max: Seconds,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            slots: 2,
            queue: Queue { jobs_max: 100, threshold_percent: 80, batch_jobs_max: 100_000 },
            groups: BTreeMap::new(),
            retry: Retry { attempts_max: ATTEMPTS_WITH_RETRY, ..Retry::default() },
            dead_letters: DeadLetters { jobs_max: 1_000, age_seconds_max: Some(30 * 86_400) },
            limits: Limits::default(),
            retention: Retention {
                age_seconds_max: Some(14 * 86_400),
                jobs_max: 200,
                age_seconds_min: 3_600,
            },
            log_bytes_total_max: Some(2 * 1024 * 1024 * 1024),
        }
    }
}

/// Most slots that can be set: far beyond what a machine runs well, far below what breaks.
const SLOTS_MAX: i64 = 10_000;

/// Most ended jobs that can be kept.
const JOBS_MAX: i64 = 1_000_000;

/// The keys of the file, by section.
const KEYS: [(&str, &[&str]); 5] = [
    ("queue", &["max_concurrent", "max_size", "threshold_percent", "batch_max"]),
    ("worker", &["timeout", "stale_after", "grace", "retry_attempts", "retry_delay", "retry_max_delay"]),
    ("dead_letters", &["max_jobs", "max_age"]),
    ("retention", &["max_age", "max_jobs", "min_age"]),
    ("log", &["max_bytes", "total_bytes_max"]),
];

/// The section that has one section for each group.
const GROUPS: &str = "groups";

/// What is wrong with the settings file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// It is not TOML; the text names line and column.
    #[error("{0}")]
    Syntax(String),
    /// A key nobody knows.
    #[error("there is no setting {key}; {}", match nearest {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {known}"),
    })]
    UnknownKey {
        /// As written.
        key: String,
        /// The known key nearest to it.
        nearest: Option<String>,
        /// What can stand in its place: the sections, or the settings of its section.
        known: String,
    },
    /// A value of the wrong kind or outside its bounds.
    #[error("{key}: {problem}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong, and what is expected.
        problem: String,
    },
}

impl Config {
    /// Reads the settings file's text.
    pub fn parse(text: &str) -> Result<Self, BadConfig> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| BadConfig::Syntax(error.to_string().trim_end().to_owned()))?;
        let mut config = Self::default();
        for (section, value) in &table {
            if section == GROUPS {
                config.groups = groups(value)?;
                continue;
            }
            let Some((_, keys)) = KEYS.iter().find(|(name, _)| name == section) else {
                let names: Vec<String> =
                    KEYS.iter().map(|(name, _)| *name).chain([GROUPS]).map(str::to_owned).collect();
                let sections = names.iter().map(|name| format!("[{name}]")).collect::<Vec<_>>().join(", ");
                return Err(unknown(section, &names, format!("the sections {sections}")));
            };
            let Value::Table(entries) = value else {
                return Err(bad(section, "expected a section, such as [queue]"));
            };
            for (key, value) in entries {
                let full = format!("{section}.{key}");
                if !keys.contains(&key.as_str()) {
                    let names: Vec<String> = keys.iter().map(|known| format!("{section}.{known}")).collect();
                    return Err(unknown(&full, &names, names.join(", ")));
                }
                config.set(&full, value)?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), BadConfig> {
        match key {
            "queue.max_concurrent" => self.slots = count(key, value, 1, SLOTS_MAX)?,
            "queue.max_size" => self.queue.jobs_max = count(key, value, 1, JOBS_MAX)?,
            "queue.threshold_percent" => self.queue.threshold_percent = count(key, value, 1, 100)?,
            "queue.batch_max" => self.queue.batch_jobs_max = count(key, value, 1, JOBS_MAX)?,
            "worker.retry_attempts" => {
                let attempts = count(key, value, 1, ATTEMPTS_MAX.into())?;
                self.retry.attempts_max = attempts.try_into().unwrap_or(ATTEMPTS_MAX);
            }
            "worker.retry_delay" => self.retry.delay_seconds = seconds(key, value)?.unwrap_or(0),
            "worker.retry_max_delay" => {
                self.retry.delay_seconds_max = seconds(key, value)?.unwrap_or(SECONDS_MAX);
            }
            "dead_letters.max_jobs" => self.dead_letters.jobs_max = count(key, value, 0, JOBS_MAX)?,
            "dead_letters.max_age" => self.dead_letters.age_seconds_max = seconds(key, value)?,
            "worker.timeout" => self.limits.timeout = nonzero_limit(key, value)?,
            "worker.stale_after" => self.limits.stale_after = nonzero_limit(key, value)?,
            "worker.grace" => self.limits.grace = limit(key, value)?,
            "retention.max_age" => self.retention.age_seconds_max = seconds(key, value)?,
            "retention.max_jobs" => self.retention.jobs_max = count(key, value, 0, JOBS_MAX)?,
            "retention.min_age" => self.retention.age_seconds_min = seconds(key, value)?.unwrap_or(0),
            "log.max_bytes" => {
                self.limits.log = ByteLimit { bytes: bytes(key, value)?, source: Source::Config };
            }
            "log.total_bytes_max" => self.log_bytes_total_max = bytes(key, value)?,
            _ => unreachable!("every key of KEYS has a setter"),
        }
        Ok(())
    }
}

/// The slots of each group, from `[groups.NAME]`.
fn groups(value: &Value) -> Result<BTreeMap<String, usize>, BadConfig> {
    const SLOTS: &str = "slots";
    let expected = |key: &str| bad(key, "expected a section for each group, such as [groups.gpu]");
    let Value::Table(sections) = value else { return Err(expected(GROUPS)) };
    let mut groups = BTreeMap::new();
    for (name, section) in sections {
        let full = format!("{GROUPS}.{name}");
        if name == group::DEFAULT {
            return Err(bad(&full, "the slots of the default group are queue.max_concurrent"));
        }
        group::check_name(name).map_err(|error| bad(&full, &error.to_string()))?;
        let Value::Table(entries) = section else { return Err(expected(&full)) };
        let mut slots = None;
        for (key, value) in entries {
            let key = format!("{full}.{key}");
            let known = format!("{full}.{SLOTS}");
            if key != known {
                return Err(unknown(&key, std::slice::from_ref(&known), known.clone()));
            }
            slots = Some(count(&key, value, 1, SLOTS_MAX)?);
        }
        let slots = slots.ok_or_else(|| bad(&full, "says no slots; for example: slots = 1"))?;
        groups.insert(name.clone(), slots);
    }
    Ok(groups)
}

fn unknown(key: &str, names: &[String], known: String) -> BadConfig {
    let nearest = nearest_word(key, names.iter().map(String::as_str)).map(str::to_owned);
    BadConfig::UnknownKey { key: key.to_owned(), nearest, known }
}

fn bad(key: &str, problem: &str) -> BadConfig {
    BadConfig::Value { key: key.to_owned(), problem: problem.to_owned() }
}

fn count(key: &str, value: &Value, least: i64, most: i64) -> Result<usize, BadConfig> {
    value
        .as_integer()
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| bad(key, &format!("expected a whole number from {least} to {most}")))
}

fn duration(
    key: &str,
    value: &Value,
    parse: fn(&str) -> Result<Seconds, BadDuration>,
) -> Result<Seconds, BadConfig> {
    let parsed = match value {
        Value::Integer(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        _ => Err(BadDuration::Form),
    };
    parsed.map_err(|error| bad(key, &error.to_string()))
}

fn seconds(key: &str, value: &Value) -> Result<Seconds, BadConfig> {
    duration(key, value, parse_limit)
}

fn bytes(key: &str, value: &Value) -> Result<Option<u64>, BadConfig> {
    let parsed = match value {
        Value::Integer(number) => parse_bytes_limit(&number.to_string()),
        Value::String(text) => parse_bytes_limit(text),
        _ => Err(BadSize::Form),
    };
    parsed.map_err(|error| bad(key, &error.to_string()))
}

fn nonzero_limit(key: &str, value: &Value) -> Result<Limit, BadConfig> {
    Ok(Limit { seconds: duration(key, value, parse_nonzero_limit)?, source: Source::Config })
}

fn limit(key: &str, value: &Value) -> Result<Limit, BadConfig> {
    Ok(Limit { seconds: seconds(key, value)?, source: Source::Config })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_change_what_they_name_and_nothing_else() {
        let config = Config::parse(
            "[queue]\nmax_concurrent = 4\n[worker]\ntimeout = \"1h30m\"\ngrace = 3\nstale_after = \"none\"\n",
        )
        .unwrap();
        assert_eq!(config.slots, 4);
        assert_eq!(config.limits.timeout, Limit { seconds: Some(5_400), source: Source::Config });
        assert_eq!(config.limits.grace.seconds, Some(3));
        assert_eq!(config.limits.stale_after.seconds, None);
        assert_eq!(config.retention, Config::default().retention);
    }

    #[test]
    fn a_mistake_is_named_with_its_mend() {
        let said = |text: &str| Config::parse(text).unwrap_err().to_string();
        assert_eq!(
            said("[queue]\nmax_concurent = 4"),
            "there is no setting queue.max_concurent; did you mean queue.max_concurrent?"
        );
        assert_eq!(said("[que]\nx = 4"), "there is no setting que; did you mean queue?");
        assert_eq!(
            said("[limits]\nx = 4"),
            "there is no setting limits; there are the sections [queue], [worker], [dead_letters], [retention], [log], [groups]"
        );
        assert_eq!(
            said("[log]\nsize = 4"),
            "there is no setting log.size; there are log.max_bytes, log.total_bytes_max"
        );
        assert_eq!(
            said("[queue]\nmax_concurrent = 0"),
            "queue.max_concurrent: expected a whole number from 1 to 10000"
        );
        assert_eq!(said("[worker]\ntimeout = -5"), "worker.timeout: a duration cannot be negative");
        assert!(said("[queue\n").contains("line 1"));
    }
}
