//! What selection needs of a job, read from its entry without the rest.

use crate::model::{
    Timestamp,
    id::JobId,
    job::Job,
    state::{State, Status},
    wire::or_default,
};
use serde::Deserialize;
use std::borrow::Cow;

/// What selection needs of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: JobId,
    /// Its state's word.
    pub status: Status,
    /// Its name.
    pub name: Option<String>,
    /// Its environment's name.
    pub env: Option<String>,
    /// Its earliest start.
    pub not_before: Option<Timestamp>,
    /// Its end.
    pub ended_at: Option<Timestamp>,
    /// Whether it is to stand still.
    pub paused: bool,
    /// Whether it runs outside the slots.
    pub service: bool,
    /// The terminal session in which it was submitted.
    pub session: Option<String>,
}

impl Head {
    pub(super) fn of(job: &Job) -> Self {
        let not_before = if let State::Queued { not_before, .. } = job.state { not_before } else { None };
        Self {
            id: job.id.clone(),
            status: job.status(),
            name: job.spec.name.clone(),
            env: job.spec.env.clone(),
            not_before,
            ended_at: job.ended_at(),
            paused: job.paused_at().is_some(),
            service: job.spec.service,
            session: job.spec.session.clone(),
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
}

impl From<HeadWire<'_>> for Head {
    fn from(head: HeadWire<'_>) -> Self {
        Self {
            id: head.id,
            status: head.status,
            name: head.name.map(Cow::into_owned),
            env: head.env.map(Cow::into_owned),
            not_before: head.not_before,
            ended_at: head.ended_at,
            paused: head.paused_at.is_some(),
            service: head.service,
            session: head.session.map(Cow::into_owned),
        }
    }
}
