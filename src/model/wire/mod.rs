//! The form of a job in the index and in events: flat, every field of version 1 always there, the others only
//! when they say something. Parsing happens here and nowhere else; inside, values are valid.

mod read;
mod template;
mod write;

use super::{
    Timestamp,
    approval::{Answer, Asked, Gate, On, Request, Waiting},
    bytes::Bytes,
    claim::Claim,
    dependency::{Dependency, Until},
    id::JobId,
    job::Job,
    limit::{BytesMax, Seconds, Source},
    outcome::{Ending, Exit, Leftover, Usage},
    priority::Priority,
    retry::Codes,
    spec::LeftoverPolicy,
    state::Status,
    unknown::Unknown,
};
use chrono::SubsecRound;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Longest name or label, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// A job as it stands in an entry. What selection needs comes first (`facts::front`).
#[derive(Serialize, Deserialize)]
struct Wire {
    id: JobId,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    env: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default_priority")]
    priority: Priority,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    service: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    #[serde(default = "one", deserialize_with = "one_or_more", skip_serializing_if = "is_one")]
    max_attempts: u32,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    stdin_pipe: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero_seconds")]
    key_ttl_seconds: u64,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    after: Vec<JobId>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    after_end: Vec<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_end: Option<Vec<Bytes>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gate: Option<Gate>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    interruptions: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval: Option<Asking>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    dead_letter: bool,
    #[serde(default)]
    ended_at: Option<Timestamp>,
    // What comes from here on no selection needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    argv: Option<Vec<Bytes>>,
    #[serde(default)]
    cwd: Option<Bytes>,
    created_at: Timestamp,
    #[serde(default)]
    started_at: Option<Timestamp>,
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
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Sources::are_default")]
    limits_from: Sources,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_zero")]
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_delay_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_max_delay_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_on: Option<Codes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    array_index: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_of: Option<JobId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ending: Option<Ending>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<Exit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    leftovers: Vec<Leftover>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    leftovers_left: bool,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_false")]
    best_effort: bool,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin: Option<Bytes>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default_policy")]
    on_leftovers: LeftoverPolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<JobId>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    env_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stdin_closed_at: Option<Timestamp>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// What a job asks, or has asked and waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::model) struct Asking {
    #[serde(flatten)]
    pub(in crate::model) request: Request,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    // Follows from the others; for people and programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warned_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_not_asked")]
    issue: Asked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl Asking {
    /// A hand-made entry that says nothing of it waits for somebody at this machine, for ever.
    pub(in crate::model) fn unsaid(at: Timestamp) -> Self {
        Request { on: On::Local, at, ttl_seconds: None, reason: None, hash: String::new() }.into()
    }
}

impl From<&Waiting> for Asking {
    fn from(waiting: &Waiting) -> Self {
        Self {
            request: waiting.request.clone(),
            since: Some(waiting.since),
            expires_at: waiting.expires_at(),
            not_before: waiting.not_before,
            warned_at: waiting.warned_at,
            issue: waiting.asked.clone(),
            trouble: waiting.trouble.clone(),
        }
    }
}

impl From<Asking> for Waiting {
    fn from(asking: Asking) -> Self {
        let since = asking.since.unwrap_or(asking.request.at);
        Self {
            request: asking.request,
            since,
            not_before: asking.not_before,
            warned_at: asking.warned_at,
            asked: asking.issue,
            trouble: asking.trouble,
        }
    }
}

impl From<Request> for Asking {
    fn from(request: Request) -> Self {
        Self {
            request,
            since: None,
            expires_at: None,
            not_before: None,
            warned_at: None,
            issue: Asked::NotYet,
            trouble: None,
        }
    }
}

fn is_not_asked(asked: &Asked) -> bool {
    *asked == Asked::NotYet
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

/// Null, as in a hand-made index, is what is usual.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    Option::deserialize(from).map(|number| number.unwrap_or_else(one))
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

/// The two lists of an entry as one: first the jobs that must complete.
pub fn dependencies(after: Vec<JobId>, after_end: Vec<JobId>) -> Vec<Dependency> {
    let completed = after.into_iter().map(|id| Dependency { id, until: Until::Completed });
    let ended = after_end.into_iter().map(|id| Dependency { id, until: Until::Ended });
    completed.chain(ended).collect()
}

/// Whether a text is the name of a captured environment: 64 hexadecimal digits, so never a path.
pub fn is_environment_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
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
    use crate::model::spec::Command;

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
    fn null_is_nothing_where_nothing_can_be_said() {
        let nulls = HAND_MADE.replace(
            "\"labels\": [\"a\"],",
            "\"labels\": [\"a\"], \"attempt\": null, \"max_attempts\": null, \"on_leftovers\": null, \"leftovers\": null, \
            \"notes\": null, \"limits_from\": null, \"priority\": null, \"key\": null, \"after\": null, \"group\": null, \
            \"batch\": null, \"retry_of\": null, \"retry_on\": null, \"dead_letter\": null,",
        );
        assert!(nulls.contains("max_attempts"));
        let job: Job = serde_json::from_str(&nulls).unwrap();
        assert_eq!(job, serde_json::from_str(HAND_MADE).unwrap());
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
            ("\"cwd\": \"/tmp\"", "\"max_attempts\": 0", "max_attempts: must be at least 1"),
            ("\"cwd\": \"/tmp\"", "\"key\": \"\"", "key: expected 1 to 200 bytes"),
            ("echo hi", "echo \\u0000", "command: contains a NUL byte"),
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
