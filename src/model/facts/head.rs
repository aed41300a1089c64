//! What selection needs of a job, read from its entry without the rest.

use crate::model::{
    Timestamp,
    approval::Waiting,
    dependency::Dependency,
    group,
    id::JobId,
    job::Job,
    key::{Key, expires_at},
    priority::Priority,
    spec::Input,
    state::{State, Status},
    wire::{Asking, dependencies, or_default},
};
use serde::Deserialize;
use std::borrow::Cow;
use std::sync::Arc;

/// What selection needs of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: JobId,
    /// Its state's word.
    pub status: Status,
    /// Its name.
    pub name: Option<Box<str>>,
    /// What jobs mostly have in common.
    pub belongs: Arc<Belongings>,
    /// Its earliest start.
    pub not_before: Option<Timestamp>,
    /// Its end.
    pub ended_at: Option<Timestamp>,
    /// Whether it is to stand still.
    pub paused: bool,
    /// What makes a repeated submission this one.
    pub key: Option<Box<Key>>,
    /// The jobs whose ends it waits for.
    pub after: Vec<Dependency>,
    /// Whether it is a dead letter.
    pub dead_letter: bool,
    /// Whether something is executed when it has ended.
    pub hooked: bool,
    /// What it waits for a person for; none while it does not.
    pub waiting: Option<Box<Waiting>>,
    /// Whether it has to be approved, or asked for that while it runs or ran: whoever does not know that would count its
    /// executions otherwise, and take the end of an earlier one for that of a later.
    pub gated: bool,
}

/// Where a job comes from and where it runs: neighbours in an index mostly say the same of that, and then have it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    /// Its environment's name.
    pub env: Option<String>,
    /// The terminal session in which it was submitted.
    pub session: Option<String>,
    /// The group whose slots it takes; none for the default group.
    pub group: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether it runs outside the slots.
    pub service: bool,
    /// The first job of the batch with which it was submitted.
    pub batch: Option<JobId>,
    /// The schedule of which it is a run.
    pub schedule: Option<String>,
    /// Whether it may be tried more than once.
    pub retries: bool,
    /// Whether it reads a pipe.
    pub pipe: bool,
}

impl Head {
    /// The same with what it waits for in one order: what is equal may be written in one of two.
    #[must_use]
    pub fn in_order(&self) -> Self {
        let mut head = self.clone();
        head.after.sort_by(|one, other| (&one.id, one.until as u8).cmp(&(&other.id, other.until as u8)));
        head
    }

    /// Whether its key is taken at `now`: until it has ended, and for the key's time after that. An end that nobody wrote
    /// down was long ago.
    pub fn holds_key(&self, now: Timestamp) -> bool {
        self.key.as_ref().is_some_and(|key| {
            let held = |at: Timestamp| expires_at(at, key.ttl_seconds) > now;
            !self.status.has_ended() || self.ended_at.is_some_and(held)
        })
    }

    pub(super) fn of(job: &Job) -> Self {
        let not_before = if let State::Queued { not_before, .. } = job.state { not_before } else { None };
        let spec = &job.spec;
        Self {
            id: job.id.clone(),
            status: job.status(),
            name: spec.name.as_deref().map(Box::from),
            belongs: Arc::new(Belongings {
                env: spec.env.clone(),
                session: spec.session.clone(),
                group: spec.group.clone(),
                priority: spec.priority,
                service: spec.service,
                batch: spec.batch.clone(),
                schedule: spec.schedule.clone(),
                retries: spec.retry.attempts_max > 1,
                pipe: spec.stdin == Input::Pipe,
            }),
            not_before,
            ended_at: job.ended_at(),
            paused: job.paused_at().is_some(),
            key: spec.key.clone().map(Box::new),
            after: spec.after.clone(),
            dead_letter: job.end().is_some_and(|end| end.dead_letter),
            hooked: spec.on_end.is_some(),
            waiting: job.waiting().cloned().map(Box::new),
            gated: spec.gate.is_some()
                || job.waiting().is_some()
                || job.run().is_some_and(|run| run.asked.is_some())
                || job.interruptions > 0,
        }
    }
}

/// A head as it stands in an entry.
#[derive(Deserialize)]
pub(super) struct HeadWire<'a> {
    pub(super) id: JobId,
    status: Status,
    #[serde(default, borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    env: Option<Cow<'a, str>>,
    #[serde(default)]
    not_before: Option<Timestamp>,
    #[serde(default)]
    ended_at: Option<Timestamp>,
    #[serde(default)]
    paused_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_default")]
    service: bool,
    #[serde(default, borrow)]
    session: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "or_default")]
    priority: Priority,
    #[serde(default, borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "or_default")]
    key_ttl_seconds: u64,
    #[serde(default, deserialize_with = "or_default")]
    after: Vec<JobId>,
    #[serde(default, deserialize_with = "or_default")]
    after_end: Vec<JobId>,
    #[serde(default, borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(default)]
    batch: Option<JobId>,
    #[serde(default)]
    max_attempts: Option<u32>,
    #[serde(default, deserialize_with = "or_default")]
    dead_letter: bool,
    #[serde(default, deserialize_with = "or_default")]
    stdin_pipe: bool,
    #[serde(default, borrow)]
    schedule: Option<Cow<'a, str>>,
    #[serde(default)]
    on_end: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    gate: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    approval: Option<Asking>,
    #[serde(default, deserialize_with = "or_default")]
    interruptions: u32,
}

impl From<HeadWire<'_>> for Head {
    fn from(head: HeadWire<'_>) -> Self {
        let waits = head.status == Status::WaitingApproval;
        let gated = waits || head.gate.is_some() || head.approval.is_some() || head.interruptions > 0;
        // When it began matters to nothing where it waits for ever.
        let asking = waits.then(|| head.approval.unwrap_or_else(|| Asking::unsaid(Timestamp::default())));
        let key = |text: Cow<'_, str>| Key { text: text.into_owned(), ttl_seconds: head.key_ttl_seconds };
        Self {
            id: head.id,
            status: head.status,
            name: head.name.as_deref().map(Box::from),
            belongs: Arc::new(Belongings {
                env: head.env.map(Cow::into_owned),
                session: head.session.map(Cow::into_owned),
                group: head.group.filter(|name| name != group::DEFAULT).map(Cow::into_owned),
                priority: head.priority,
                service: head.service,
                batch: head.batch,
                schedule: head.schedule.map(Cow::into_owned),
                retries: head.max_attempts.is_some_and(|most| most > 1),
                pipe: head.stdin_pipe,
            }),
            not_before: head.not_before,
            ended_at: head.ended_at,
            paused: head.paused_at.is_some(),
            key: head.key.map(key).map(Box::new),
            after: dependencies(head.after, head.after_end),
            dead_letter: head.dead_letter && head.status == Status::Failed,
            hooked: head.on_end.is_some(),
            gated,
            waiting: asking.map(|asking| Box::new(asking.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::front::FIELDS;
    use serde::de::{Deserializer, Error, Visitor, value::Error as Refusal};

    /// Tells which fields are asked for.
    struct Asked;

    impl<'de> Deserializer<'de> for Asked {
        type Error = Refusal;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Refusal> {
            Err(Refusal::custom(fields.join(",")))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refusal> {
            Err(Refusal::custom(""))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    #[test]
    fn whatever_a_head_needs_stands_at_the_beginning_of_an_entry() {
        let asked = HeadWire::deserialize(Asked).err().unwrap().to_string();
        assert!(asked.split(',').count() > 20, "{asked}");
        let behind: Vec<&str> = asked.split(',').filter(|name| !FIELDS.contains(name)).collect();
        assert_eq!(behind, [""; 0]);
    }
}
