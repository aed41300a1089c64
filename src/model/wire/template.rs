//! What a schedule keeps of its runs: an entry without what only a job has, its id and what becomes of it.

use crate::model::{id::JobId, job::Job, spec::JobSpec, state::Status};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value, json};

/// The fields of an entry that are not the submitter's.
const OF_A_JOB: [&str; 9] =
    ["id", "status", "created_at", "started_at", "ended_at", "exit_code", "summary", "schedule", "approval"];

impl Serialize for JobSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let job = Job::new(any_id(), self.clone(), crate::model::Timestamp::UNIX_EPOCH);
        let entry = serde_json::to_value(&job).map_err(serde::ser::Error::custom)?;
        let Value::Object(mut fields) = entry else { return Err(serde::ser::Error::custom("no object")) };
        fields.retain(|name, _| !OF_A_JOB.contains(&name.as_str()));
        fields.serialize(to)
    }
}

impl<'de> Deserialize<'de> for JobSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(from)?;
        fields.retain(|name, _| !OF_A_JOB.contains(&name.as_str()));
        fields.insert("id".to_owned(), json!(any_id()));
        fields.insert("status".to_owned(), json!(Status::Queued));
        fields.insert("created_at".to_owned(), json!(crate::model::Timestamp::UNIX_EPOCH));
        let job: Job = serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)?;
        Ok(job.spec)
    }
}

/// An id that says nothing.
fn any_id() -> JobId {
    #[expect(clippy::expect_used, reason = "the text is an id")]
    JobId::parse("bg_19700101_222222").expect("an id")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        approval::{Gate, On},
        bytes::Bytes,
        key::Key,
        priority::Priority,
        spec::{Command, Input},
    };

    #[test]
    fn what_is_asked_of_each_run_comes_back_as_it_was() {
        let argv = ["sh", "-c", "echo \u{e4}; exit 3"].map(|word| Bytes::try_from(word).unwrap());
        let mut spec = JobSpec::new(Command::Argv(argv.to_vec()), Bytes::new(*b"/tmp/\xff").unwrap());
        spec.labels = vec!["a".into(), "b=c".into()];
        spec.priority = Priority::High;
        spec.key = Some(Key { text: "k".into(), ttl_seconds: 60 });
        spec.stdin = Input::File(Bytes::try_from("/dev/zero").unwrap());
        spec.limits.timeout.seconds = None;
        spec.on_end = Some(vec![Bytes::try_from("true").unwrap()]);
        spec.gate = Some(Gate { on: On::Local, ttl_seconds: Some(60), hash: String::new() });
        let text = serde_json::to_string(&spec).unwrap();
        assert!(!text.contains("1970") && !text.contains("status"), "{text}");
        assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), spec);
    }
}
