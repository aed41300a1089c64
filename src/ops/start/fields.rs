//! The fields of an object that asks for a job: named as in the index and in `--json`, or as the flags are.

use super::given::Request;
use crate::model::{
    approval::On,
    bytes::Bytes,
    limit::{BadDuration, parse_bytes_limit, parse_limit, parse_nonzero_limit, parse_seconds},
    nearest::nearest_word,
    priority::Priority,
    retry::{ATTEMPTS_MAX, Codes},
};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// The fields: as the index calls them, and as the flags do where that is something else.
pub const FIELDS: [(&str, &str); 25] = [
    ("argv", "argv"),
    ("command", "shell"),
    ("cwd", "cwd"),
    ("name", "name"),
    ("labels", "labels"),
    ("timeout_seconds", "timeout"),
    ("stale_after_seconds", "stale_after"),
    ("grace_seconds", "grace"),
    ("log_max_bytes", "log_max"),
    ("priority", "priority"),
    ("key", "key"),
    ("key_ttl_seconds", "key_ttl"),
    ("group", "group"),
    ("max_attempts", "attempts"),
    ("retry_delay_seconds", "retry_delay"),
    ("retry_max_delay_seconds", "retry_max_delay"),
    ("retry_on", "retry_on"),
    ("after", "after"),
    ("after_end", "after_end"),
    ("stdin", "stdin"),
    ("service", "service"),
    ("on_leftovers", "leftovers"),
    ("on_end", "on_end"),
    ("approval", "approval"),
    ("approval_ttl_seconds", "approval_ttl"),
];

/// What is said of fields that a submission has, and a line has not.
const ELSEWHERE: [(&[&str], &str); 3] = [
    (&["keep_token"], "it is given for the whole batch, with --keep-token"),
    (
        &["env", "env_file", "env_names", "unset", "clean_env"],
        "a batch has one environment, that of its flags; a line sets variables with: env NAME=VALUE COMMAND",
    ),
    (&["delay", "at", "not_before"], "it is given for the whole batch, with --delay or --at"),
];

/// Limits, of which null means that there is none. Elsewhere null says nothing.
const LIMITS: [&str; 5] =
    ["timeout_seconds", "stale_after_seconds", "grace_seconds", "log_max_bytes", "approval_ttl_seconds"];

/// The fields of one object, in their order.
#[derive(Debug)]
pub struct Fields(Vec<(String, Value)>);

/// What is wrong with an object.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadField {
    /// It is no JSON.
    #[error("column {column}: {message}")]
    Syntax {
        /// From 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A field nobody knows.
    #[error("there is no field {name:?}; {}", match nearest {
        Some(near) => format!("did you mean {near}?"),
        None => "bgctl start --help lists them".to_owned(),
    })]
    Unknown {
        /// As written.
        name: String,
        /// The known field nearest to it.
        nearest: Option<&'static str>,
    },
    /// A field that is there twice.
    #[error("{0} is there twice")]
    Twice(String),
    /// A value of the wrong kind, or outside its bounds.
    #[error("{name}: {why}")]
    Value {
        /// The field, as written.
        name: String,
        /// What is wrong, and what is expected.
        why: String,
    },
    /// It says nothing to run.
    #[error("it says no command: argv is a list of words, shell a line for a shell")]
    NoCommand,
}

impl Fields {
    /// Those of an object that was read already.
    pub fn of(fields: serde_json::Map<String, Value>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// Reads an object.
    pub fn parse(text: &[u8]) -> Result<Self, BadField> {
        serde_json::from_slice(text).map_err(|error| {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(said, _)| said);
            BadField::Syntax { column: error.column(), message: message.to_owned() }
        })
    }

    /// What is asked: what it says, and the rest as the flags say.
    pub fn applied_to(self, flags: &Request) -> Result<Request, BadField> {
        let mut request = flags.clone();
        let mut seen = Vec::with_capacity(self.0.len());
        for (name, value) in self.0 {
            let bad = |why: String| BadField::Value { name: name.clone(), why };
            let field = known(&name)?;
            if seen.contains(&field) {
                return Err(BadField::Twice(name));
            }
            seen.push(field);
            if !value.is_null() || LIMITS.contains(&field) {
                set(&mut request, field, &value).map_err(bad)?;
            }
        }
        // As in the index, the words go before the line, which is there for people.
        if !request.argv.is_empty() {
            request.shell = None;
        }
        if request.argv.is_empty() && request.shell.is_none() {
            return Err(BadField::NoCommand);
        }
        Ok(request)
    }
}

/// The field of that name, as the index calls it.
fn known(name: &str) -> Result<&'static str, BadField> {
    if let Some((field, _)) = FIELDS.iter().find(|(field, flag)| *field == name || *flag == name) {
        return Ok(field);
    }
    if let Some((_, why)) = ELSEWHERE.iter().find(|(names, _)| names.contains(&name)) {
        return Err(BadField::Value { name: name.to_owned(), why: (*why).to_owned() });
    }
    let words = FIELDS.iter().flat_map(|(field, flag)| [*flag, *field]);
    Err(BadField::Unknown { name: name.to_owned(), nearest: nearest_word(name, words) })
}

fn set(request: &mut Request, field: &str, value: &Value) -> Result<(), String> {
    match field {
        "argv" => request.argv = words(value)?,
        "command" => request.shell = Some(bytes(value)?),
        "cwd" => request.cwd = Some(bytes(value)?.into()),
        "name" => request.name = Some(text(value)?),
        "labels" => request.labels = texts(value)?,
        "timeout_seconds" => request.timeout = Some(limit(value, parse_nonzero_limit)?),
        "stale_after_seconds" => request.stale_after = Some(limit(value, parse_nonzero_limit)?),
        "grace_seconds" => request.grace = Some(limit(value, parse_limit)?),
        "log_max_bytes" => request.log = Some(size(value)?),
        "priority" => request.priority = priority(value)?,
        "key" => request.key = Some(text(value)?),
        "key_ttl_seconds" => request.key_ttl_seconds = Some(seconds(value)?),
        "group" => request.group = Some(text(value)?),
        "max_attempts" => request.attempts = Some(attempts(value)?),
        "retry_delay_seconds" => request.retry_delay_seconds = Some(seconds(value)?),
        "retry_max_delay_seconds" => request.retry_max_delay_seconds = Some(seconds(value)?),
        "retry_on" => {
            let codes = Codes::parse(&number_or_text(value).unwrap_or_default());
            request.retry_on = Some(codes.map_err(|error| error.to_string())?);
        }
        "after" => request.after = texts(value)?,
        "after_end" => request.after_end = texts(value)?,
        "stdin" => request.stdin = Some(bytes(value)?.into()),
        "service" => request.service = value.as_bool().ok_or("expected true or false")?,
        "on_leftovers" => {
            request.leave_leftovers = match value.as_str() {
                Some("end") => false,
                Some("leave") => true,
                _ => return Err("expected \"end\" or \"leave\"".to_owned()),
            };
        }
        // A line for a shell, as the flag takes it, or words, as in the index.
        "on_end" => {
            request.on_end = if value.is_array() { words(value)? } else { shell_words(bytes(value)?) }
        }
        "approval" => {
            request.approval = Some(On::parse(&text(value)?).map_err(|error| error.to_string())?);
        }
        "approval_ttl_seconds" => request.approval_ttl = Some(limit(value, parse_nonzero_limit)?),
        _ => unreachable!("every field has a setter"),
    }
    Ok(())
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "expected a string".to_owned())
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let strings = value.as_array().map(|list| list.iter().map(text).collect());
    strings.and_then(Result::ok).ok_or_else(|| "expected a list of strings".to_owned())
}

/// A string, or `{"b64": "…"}` for what is not UTF-8, as in the index.
fn bytes(value: &Value) -> Result<OsString, String> {
    let bytes = Bytes::deserialize(value).map_err(|error| error.to_string())?;
    Ok(bytes.as_os_str().to_owned())
}

fn words(value: &Value) -> Result<Vec<OsString>, String> {
    let list = value.as_array().ok_or("expected a list of words")?;
    let words: Vec<OsString> = list.iter().map(bytes).collect::<Result<_, _>>()?;
    match words.first() {
        Some(program) if !program.as_bytes().is_empty() => Ok(words),
        _ => Err("there is no command in it".to_owned()),
    }
}

/// The words that run a line in a shell.
pub fn shell_words(line: OsString) -> Vec<OsString> {
    vec!["/bin/sh".into(), "-c".into(), line]
}

fn number_or_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// A limit; null switches it off, as in the index.
fn limit(value: &Value, parse: fn(&str) -> Result<Option<u64>, BadDuration>) -> Result<Option<u64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let text = number_or_text(value).ok_or_else(|| BadDuration::Form.to_string())?;
    parse(&text).map_err(|error| error.to_string())
}

fn seconds(value: &Value) -> Result<u64, String> {
    let text = number_or_text(value).ok_or_else(|| BadDuration::Form.to_string())?;
    parse_seconds(&text).map_err(|error| error.to_string())
}

fn size(value: &Value) -> Result<Option<u64>, String> {
    if value.is_null() {
        return Ok(None);
    }
    parse_bytes_limit(&number_or_text(value).unwrap_or_default()).map_err(|error| error.to_string())
}

fn attempts(value: &Value) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| (1..=ATTEMPTS_MAX).contains(number))
        .ok_or_else(|| format!("expected a whole number from 1 to {ATTEMPTS_MAX}"))
}

fn priority(value: &Value) -> Result<Priority, String> {
    let known = || Priority::ALL.into_iter().map(Priority::as_str);
    let word = text(value)?;
    Priority::ALL.into_iter().find(|one| one.as_str() == word).ok_or_else(|| {
        let near = nearest_word(&word, known()).map(|near| format!("did you mean {near}?"));
        let all = || format!("one of: {}", known().collect::<Vec<_>>().join(", "));
        format!("there is no such value; {}", near.unwrap_or_else(all))
    })
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

/// Keeps what is there twice, which a map would not.
struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry().map_err(A::Error::custom)? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<Request, String> {
        let fields = Fields::parse(text.as_bytes()).map_err(|error| error.to_string())?;
        fields.applied_to(&Request::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_is_set_by_the_name_of_the_index_and_by_that_of_the_flag() {
        let index = request(
            r#"{"command":"a","cwd":"/","name":"n","labels":["l"],"timeout_seconds":5,"stale_after_seconds":null,
            "grace_seconds":0,"log_max_bytes":65536,"priority":"high","key":"k","key_ttl_seconds":60,"group":"g",
            "max_attempts":2,"retry_delay_seconds":1,"retry_max_delay_seconds":9,"retry_on":"75","after":["x"],
            "after_end":["y"],"stdin":"f","service":true,"on_leftovers":"leave","on_end":["/bin/sh","-c","x"]}"#,
        );
        let flags = request(
            r#"{"shell":"a","cwd":"/","name":"n","labels":["l"],"timeout":"5s","stale_after":"none",
            "grace":"0","log_max":"64KiB","priority":"high","key":"k","key_ttl":"1m","group":"g",
            "attempts":2,"retry_delay":"1","retry_max_delay":"9s","retry_on":75,"after":["x"],
            "after_end":["y"],"stdin":"f","service":true,"leftovers":"leave","on_end":"x"}"#,
        );
        let index = index.unwrap();
        assert_eq!(format!("{index:?}"), format!("{:?}", flags.unwrap()));
        assert_eq!(
            (index.timeout, index.stale_after, index.grace),
            (Some(Some(5)), Some(None), Some(Some(0)))
        );
        assert_eq!(
            (index.key_ttl_seconds, index.attempts, index.log),
            (Some(60), Some(2), Some(Some(65_536)))
        );
    }

    #[test]
    fn words_go_before_the_line_that_shows_them() {
        let both = request(r#"{"command":"echo 'a b'","argv":["echo","a b"]}"#).unwrap();
        assert_eq!((&both.argv[..], &both.shell), (&["echo".into(), "a b".into()][..], &None));
        let odd = request(r#"{"argv":["echo",{"b64":"/w=="}]}"#).unwrap();
        assert_eq!(odd.argv[1].as_bytes(), b"\xff");
    }

    #[test]
    fn what_is_not_said_is_null_as_well() {
        let given = request(r#"{"argv":["a"],"name":null,"priority":null,"timeout":null}"#).unwrap();
        assert_eq!((given.name, given.priority, given.timeout), (None, Priority::Normal, Some(None)));
    }

    #[test]
    fn a_mistake_is_named_with_its_mend() {
        let said = |text: &str| request(text).unwrap_err();
        assert_eq!(said(r#"{"argv":["a"],"nmae":"x"}"#), r#"there is no field "nmae"; did you mean name?"#);
        assert_eq!(
            said(r#"{"argv":["a"],"timout":1}"#),
            r#"there is no field "timout"; did you mean timeout?"#
        );
        assert!(said(r#"{"argv":["a"],"zzzzzz":1}"#).ends_with("bgctl start --help lists them"));
        assert!(said(r#"{"argv":["a"],"env":{"A":"1"}}"#).starts_with("env: a batch has one environment"));
        assert!(said(r#"{"argv":["a"],"delay":5}"#).ends_with("with --delay or --at"));
        assert_eq!(said(r#"{"argv":["a"],"name":"x","name":"y"}"#), "name is there twice");
        assert_eq!(
            said(r#"{"argv":["a"],"timeout":1,"timeout_seconds":1}"#),
            "timeout_seconds is there twice"
        );
        assert_eq!(
            said(r#"{"argv":["a"],"priority":"hihg"}"#),
            "priority: there is no such value; did you mean high?"
        );
        assert_eq!(
            said(r#"{"argv":["a"],"attempts":0}"#),
            "attempts: expected a whole number from 1 to 10000"
        );
        assert_eq!(said(r#"{"argv":["a"],"timeout":-5}"#), "timeout: a duration cannot be negative");
        assert_eq!(said(r#"{"argv":["a"],"timeout":[]}"#), format!("timeout: {}", BadDuration::Form));
        assert_eq!(said(r#"{"argv":["a"],"labels":"x"}"#), "labels: expected a list of strings");
        assert_eq!(said(r#"{"argv":[]}"#), "argv: there is no command in it");
        assert_eq!(
            said(r#"{"argv":["a\u0000"]}"#),
            "argv: contains a NUL byte, which no argument, path or variable can carry"
        );
        assert!(said(r#"{"name":"x"}"#).starts_with("it says no command"));
        assert_eq!(said(r#"{"argv":["a"]} x"#), "column 16: trailing characters");
    }
}
