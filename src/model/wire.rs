//! The form of a job in the index and in events: flat, every field of version 1 always there, the others only
//! when they say something. Parsing happens here and nowhere else; inside, values are valid.

use super::{
    Timestamp,
    bytes::Bytes,
    claim::Claim,
    dependency::{Dependency, Until},
    group,
    id::JobId,
    job::Job,
    key::{KEY_BYTES_MAX, Key},
    limit::{ByteLimit, BytesMax, LOG_BYTES_MIN, Limit, Limits, SECONDS_MAX, Seconds, Source},
    outcome::{Ending, Exit, Leftover, Outcome, Usage},
    priority::Priority,
    retry::{Codes, Retry},
    spec::{Command, Input, JobSpec, LeftoverPolicy, display},
    state::{End, Run, State, Status, Verdict},
    unknown::Unknown,
};
use chrono::SubsecRound;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Longest name or label, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

#[derive(Serialize, Deserialize)]
struct Wire {
    id: JobId,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argv: Option<Vec<Bytes>>,
    #[serde(default)]
    cwd: Option<Bytes>,
    created_at: Timestamp,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    ended_at: Option<Timestamp>,
    #[serde(default)]
    exit_code: Option<i32>,
    // Absent: the default. Null: switched off.
    #[serde(default, deserialize_with = "present")]
    timeout_seconds: Option<Seconds>,
    #[serde(default, deserialize_with = "present")]
    stale_after_seconds: Option<Seconds>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    grace_seconds: Option<Seconds>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    log_max_bytes: Option<BytesMax>,
    #[serde(default, deserialize_with = "labels")]
    labels: Vec<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default, skip_serializing_if = "Sources::are_default")]
    limits_from: Sources,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempt: u32,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    max_attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_delay_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_max_delay_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_on: Option<Codes>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default_priority")]
    priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero_seconds")]
    key_ttl_seconds: u64,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    after: Vec<JobId>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    after_end: Vec<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    array_index: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_of: Option<JobId>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    dead_letter: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ending: Option<Ending>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    asked_approval: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<Exit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<Leftover>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    leftovers_left: bool,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    best_effort: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin: Option<Bytes>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    stdin_pipe: bool,
    #[serde(default, skip_serializing_if = "is_default_policy")]
    on_leftovers: LeftoverPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<JobId>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    service: bool,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    env_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin_closed_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sources {
    #[serde(default)]
    timeout: Source,
    #[serde(default)]
    stale_after: Source,
    #[serde(default)]
    grace: Source,
    #[serde(default)]
    log: Source,
}

impl Sources {
    fn are_default(&self) -> bool {
        *self == Self::default()
    }
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<BytesMax>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// A hand-made index may have null where nothing is said.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Labels are a list; a hand-made index may have an object (`k=v` each) or null.
fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Labels {
        List(Vec<String>),
        Pairs(Map<String, Value>),
        None(()),
    }
    let labels = Labels::deserialize(from)
        .map_err(|_| serde::de::Error::custom("labels: expected a list of strings"))?;
    Ok(match labels {
        Labels::List(list) => list,
        Labels::Pairs(pairs) => pairs
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}={text}"),
                other => format!("{key}={other}"),
            })
            .collect(),
        Labels::None(()) => Vec::new(),
    })
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_zero_seconds(seconds: &u64) -> bool {
    *seconds == 0
}

fn is_default_priority(priority: &Priority) -> bool {
    *priority == Priority::default()
}

fn one() -> u32 {
    1
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_default_policy(policy: &LeftoverPolicy) -> bool {
    *policy == LeftoverPolicy::End
}

/// An instant with the precision of the index: milliseconds.
pub fn to_milliseconds(at: Timestamp) -> Timestamp {
    at.trunc_subsecs(3)
}

impl From<&Job> for Wire {
    fn from(job: &Job) -> Self {
        let Limits { timeout, stale_after, grace, log } = job.spec.limits;
        let spec = job.spec.clone();
        let mut wire = Self {
            id: job.id.clone(),
            status: job.status(),
            name: spec.name,
            command: Some(spec.display),
            argv: if let Command::Argv(argv) = spec.command { Some(argv) } else { None },
            cwd: Some(spec.cwd),
            created_at: job.created_at,
            started_at: job.started_at(),
            ended_at: job.ended_at(),
            exit_code: None,
            timeout_seconds: Some(timeout.seconds),
            stale_after_seconds: Some(stale_after.seconds),
            grace_seconds: (grace != Limits::default().grace).then_some(grace.seconds),
            log_max_bytes: (log != Limits::default().log).then_some(log.bytes),
            labels: spec.labels,
            summary: job.summary().map(str::to_owned),
            limits_from: Sources {
                timeout: timeout.source,
                stale_after: stale_after.source,
                grace: grace.source,
                log: log.source,
            },
            attempt: job.attempt,
            max_attempts: spec.retry.attempts_max,
            retry_delay_seconds: unless(spec.retry.delay_seconds, Retry::default().delay_seconds),
            retry_max_delay_seconds: unless(spec.retry.delay_seconds_max, Retry::default().delay_seconds_max),
            retry_on: spec.retry.codes,
            priority: spec.priority,
            key_ttl_seconds: spec.key.as_ref().map_or(0, |key| key.ttl_seconds),
            key: spec.key.map(|key| key.text),
            after: waited_for(&spec.after, Until::Completed),
            after_end: waited_for(&spec.after, Until::Ended),
            group: spec.group,
            batch: spec.batch,
            array_index: spec.array_index,
            retry_of: spec.retry_of,
            dead_letter: job.end().is_some_and(|end| end.dead_letter),
            not_before: None,
            claim: None,
            ending: None,
            asked_approval: false,
            signal: None,
            exit: None,
            usage: None,
            leftovers: Vec::new(),
            leftovers_left: false,
            best_effort: false,
            notes: Vec::new(),
            env: spec.env,
            stdin_pipe: spec.stdin == Input::Pipe,
            stdin: if let Input::File(path) = spec.stdin { Some(path) } else { None },
            on_leftovers: spec.leftovers,
            parent: spec.parent,
            service: spec.service,
            env_names: spec.variables,
            session: spec.session,
            paused_at: job.paused_at(),
            stdin_closed_at: None,
            unknown: job.unknown.clone(),
        };
        wire.set_state(&job.state);
        wire
    }
}

/// A value, unless it is the usual one.
fn unless(seconds: u64, usual: u64) -> Option<u64> {
    (seconds != usual).then_some(seconds)
}

fn waited_for(after: &[Dependency], until: Until) -> Vec<JobId> {
    after.iter().filter(|one| one.until == until).map(|one| one.id.clone()).collect()
}

/// The two lists of an entry as one: first the jobs that must complete.
pub fn dependencies(after: Vec<JobId>, after_end: Vec<JobId>) -> Vec<Dependency> {
    let completed = after.into_iter().map(|id| Dependency { id, until: Until::Completed });
    let ended = after_end.into_iter().map(|id| Dependency { id, until: Until::Ended });
    completed.chain(ended).collect()
}

impl Wire {
    fn set_state(&mut self, state: &State) {
        match state {
            State::Queued { not_before, paused_at: _ } => self.not_before = *not_before,
            State::WaitingApproval => {}
            State::Running(run) => {
                self.claim.clone_from(&run.claim);
                self.ending.clone_from(&run.ending);
                self.asked_approval = run.asked_approval;
                self.stdin_closed_at = run.stdin_closed_at;
            }
            State::Ended(end) => {
                self.claim.clone_from(&end.claim);
                self.ending.clone_from(&end.ending);
                if let Some(outcome) = end.outcome.clone() {
                    self.set_outcome(outcome);
                }
            }
        }
    }

    fn set_outcome(&mut self, outcome: Outcome) {
        match outcome.exit {
            Exit::Code(code) => self.exit_code = Some(code),
            Exit::Signal(signal) => self.signal = Some(signal),
            other => self.exit = Some(other),
        }
        self.usage = outcome.usage;
        self.leftovers = outcome.leftovers;
        self.leftovers_left = outcome.leftovers_left;
        self.best_effort = outcome.best_effort;
        self.notes = outcome.notes;
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        let exit = match (self.exit.take(), self.signal, self.exit_code) {
            (Some(exit), _, _) => exit,
            (None, Some(signal), _) => Exit::Signal(signal),
            (None, None, Some(code)) => Exit::Code(code),
            (None, None, None) => return None,
        };
        Some(Outcome {
            exit,
            at: self.ended_at.unwrap_or(self.created_at),
            usage: self.usage,
            leftovers: std::mem::take(&mut self.leftovers),
            leftovers_left: self.leftovers_left,
            best_effort: self.best_effort,
            notes: std::mem::take(&mut self.notes),
        })
    }

    fn take_state(&mut self) -> State {
        let verdict = match self.status {
            Status::Queued => {
                return State::Queued { not_before: self.not_before, paused_at: self.paused_at };
            }
            Status::WaitingApproval => return State::WaitingApproval,
            Status::Running => {
                return State::Running(Run {
                    started_at: self.started_at.unwrap_or(self.created_at),
                    claim: self.claim.take(),
                    ending: self.ending.take(),
                    asked_approval: self.asked_approval,
                    paused_at: self.paused_at,
                    stdin_closed_at: self.stdin_closed_at,
                });
            }
            Status::Completed => Verdict::Completed,
            Status::Failed => Verdict::Failed,
            Status::Cancelled => Verdict::Cancelled,
        };
        State::Ended(End {
            verdict,
            at: self.ended_at,
            started_at: self.started_at,
            claim: self.claim.take(),
            outcome: self.take_outcome(),
            ending: self.ending.take(),
            summary: self.summary.take(),
            dead_letter: self.dead_letter && verdict == Verdict::Failed,
        })
    }

    fn take_retry(&mut self) -> Result<Retry, String> {
        let usual = Retry::default();
        let seconds = |given: Option<u64>, usual: u64, field: &str| match given {
            Some(seconds) if seconds > SECONDS_MAX => Err(format!("{field}: longer than ten years")),
            given => Ok(given.unwrap_or(usual)),
        };
        if self.max_attempts == 0 {
            return Err("max_attempts: must be at least 1".to_owned());
        }
        Ok(Retry {
            attempts_max: self.max_attempts,
            delay_seconds: seconds(self.retry_delay_seconds, usual.delay_seconds, "retry_delay_seconds")?,
            delay_seconds_max: seconds(
                self.retry_max_delay_seconds,
                usual.delay_seconds_max,
                "retry_max_delay_seconds",
            )?,
            codes: self.retry_on.take(),
        })
    }

    fn take_key(&mut self) -> Result<Option<Key>, String> {
        let Some(text) = self.key.take() else { return Ok(None) };
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            return Err(format!("key: expected 1 to {KEY_BYTES_MAX} bytes"));
        }
        Ok(Some(Key { text, ttl_seconds: self.key_ttl_seconds }))
    }

    fn take_group(&mut self) -> Result<Option<String>, String> {
        let group = self.group.take().filter(|name| name != group::DEFAULT);
        group
            .map(|name| match group::check_name(&name) {
                Ok(()) => Ok(name),
                Err(error) => Err(format!("group: {error}")),
            })
            .transpose()
    }

    fn take_command(&mut self) -> Result<(Command, String), String> {
        let command = match (self.argv.take(), &self.command) {
            (Some(argv), _) if argv.is_empty() => return Err("argv: is empty".to_owned()),
            (Some(argv), _) => Command::Argv(argv),
            (None, Some(line)) if line.contains('\0') => {
                return Err("command: contains a NUL byte".to_owned());
            }
            (None, Some(line)) => Command::Line(line.clone()),
            (None, None) => return Err("neither argv nor command is given".to_owned()),
        };
        let shown = self.command.take().unwrap_or_else(|| display(&command));
        Ok((command, shown))
    }
}

fn limit(seconds: Option<Seconds>, default: Limit, source: Source, field: &str) -> Result<Limit, String> {
    match seconds {
        None => Ok(default),
        Some(Some(seconds)) if seconds > SECONDS_MAX => Err(format!("{field}: longer than ten years")),
        Some(seconds) => Ok(Limit { seconds, source }),
    }
}

fn input(path: Option<Bytes>, is_pipe: bool) -> Result<Input, String> {
    match (path, is_pipe) {
        (Some(_), true) => Err("stdin: there is a file beside stdin_pipe".to_owned()),
        (None, true) => Ok(Input::Pipe),
        (path, false) => Ok(path.map_or(Input::Nothing, Input::File)),
    }
}

impl TryFrom<Wire> for Job {
    type Error = String;

    fn try_from(mut wire: Wire) -> Result<Self, String> {
        let defaults = Limits::default();
        let from = wire.limits_from;
        let limits = Limits {
            timeout: limit(wire.timeout_seconds, defaults.timeout, from.timeout, "timeout_seconds")?,
            stale_after: limit(
                wire.stale_after_seconds,
                defaults.stale_after,
                from.stale_after,
                "stale_after_seconds",
            )?,
            grace: limit(wire.grace_seconds, defaults.grace, from.grace, "grace_seconds")?,
            log: wire.log_max_bytes.map_or(defaults.log, |bytes| ByteLimit {
                bytes: bytes.map(|bytes| bytes.max(LOG_BYTES_MIN)),
                source: from.log,
            }),
        };
        if let Some(name) = wire.env.as_deref().filter(|name| !is_environment_name(name)) {
            return Err(format!("env: {:?} is not the name of a captured environment", excerpt(name)));
        }
        let (command, shown) = wire.take_command()?;
        let (retry, key, group) = (wire.take_retry()?, wire.take_key()?, wire.take_group()?);
        let state = wire.take_state();
        let spec = JobSpec {
            command,
            display: shown,
            cwd: wire.cwd.unwrap_or_else(|| Bytes::new(*b"/").unwrap_or_default()),
            name: wire.name,
            labels: wire.labels,
            limits,
            env: wire.env,
            stdin: input(wire.stdin, wire.stdin_pipe)?,
            leftovers: wire.on_leftovers,
            retry,
            priority: wire.priority,
            key,
            after: dependencies(wire.after, wire.after_end),
            group,
            batch: wire.batch,
            array_index: wire.array_index,
            retry_of: wire.retry_of,
            parent: wire.parent,
            service: wire.service,
            variables: wire.env_names,
            session: wire.session,
        };
        // An end has taken it along.
        let Wire { id, created_at, attempt, summary: note, unknown, .. } = wire;
        Ok(Self { id, spec, created_at, attempt, state, note, unknown })
    }
}

/// Whether a text is the name of a captured environment: 64 hexadecimal digits, so never a path.
pub fn is_environment_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

impl Serialize for Job {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Wire::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Job {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(Wire::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAND_MADE: &str = r#"{
        "id": "bg_20260213_abc123", "command": "echo hi | wc -c", "cwd": "/tmp",
        "created_at": "2026-02-13T10:00:00Z", "started_at": null, "ended_at": null, "status": "queued",
        "exit_code": null, "timeout_seconds": 60, "stale_after_seconds": null, "labels": ["a"], "summary": null,
        "colour": {"of": "paint"}
    }"#;

    #[test]
    fn a_hand_made_entry_is_read_and_its_unknown_fields_are_kept() {
        let job: Job = serde_json::from_str(HAND_MADE).unwrap();
        assert_eq!(job.spec.command, Command::Line("echo hi | wc -c".into()));
        assert_eq!(job.spec.limits.timeout.seconds, Some(60));
        assert_eq!(job.spec.limits.stale_after.seconds, None);
        assert_eq!(job.spec.limits.grace.seconds, Some(10));
        let written = serde_json::to_value(&job).unwrap();
        assert_eq!(written["colour"]["of"], "paint");
        assert_eq!(written["argv"], Value::Null, "a line stays a line");
        assert_eq!(serde_json::from_value::<Job>(written).unwrap(), job);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, said) in [
            ("\"cwd\": \"/tmp\"", "\"argv\": []", "argv: is empty"),
            (
                "\"timeout_seconds\": 60",
                "\"timeout_seconds\": 99999999999",
                "timeout_seconds: longer than ten years",
            ),
            ("\"timeout_seconds\": 60", "\"timeout_seconds\": -1", "invalid value"),
            ("\"cwd\": \"/tmp\"", "\"env\": \"../../etc/passwd\"", "not the name of a captured environment"),
            (
                "\"cwd\": \"/tmp\"",
                "\"stdin\": \"/f\", \"stdin_pipe\": true",
                "stdin: there is a file beside stdin_pipe",
            ),
            ("bg_20260213_abc123", "../../etc", "is not a job id"),
            ("\"status\": \"queued\"", "\"status\": \"done\"", "unknown variant"),
        ] {
            let error = serde_json::from_str::<Job>(&HAND_MADE.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn labels_may_be_pairs_or_null() {
        let pairs = HAND_MADE.replace("[\"a\"]", "{\"k\": \"v\", \"n\": 1}");
        assert_eq!(serde_json::from_str::<Job>(&pairs).unwrap().spec.labels, ["k=v", "n=1"]);
        let null = HAND_MADE.replace("[\"a\"]", "null");
        assert!(serde_json::from_str::<Job>(&null).unwrap().spec.labels.is_empty());
    }
}
