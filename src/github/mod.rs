//! GitHub: the requests that approval needs, and what its answers come to.
//!
//! Everything that is said over the network is said here. This room decides nothing: whether an answer counts is for the room
//! `plan`, and what is asked when is for whoever polls. Redirects are never followed, so that the token goes to one host
//! only; it stands in no error, and in nothing that is written.

mod address;
mod client;
mod distil;
mod http;
mod refuse;
mod token;

pub use client::Client;
pub use distil::{Comment, IssueSeen, Made};
pub use token::{NoToken, Token, find};

use crate::model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Why a request has no answer that can be used. Its text says what, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This program was built without the feature `github`.
    #[error("this bgctl was built without GitHub; cargo install bgctl has it")]
    NotBuilt,
    /// 401.
    #[error("GitHub does not accept the token")]
    BadToken,
    /// 403 without a limit.
    #[error("the token has no right to {0}")]
    Forbidden(&'static str),
    /// 404: not there, or not to be seen with this token.
    #[error("GitHub has no {0}, or the token may not see it")]
    NotFound(String),
    /// 410: the issue was deleted, or its repository has no issues any more.
    #[error("{0} is gone: it was deleted, or issues were switched off there")]
    Gone(String),
    /// A redirect.
    #[error("{0} has moved; start the job again with its new name")]
    Moved(String),
    /// 403 or 429 with a limit.
    #[error("GitHub wants no more requests before {until}")]
    Limited {
        /// Until when.
        until: Timestamp,
    },
    /// 5xx.
    #[error("GitHub answered with error {0}")]
    Server(u16),
    /// No connection, no answer in time, or a cut one.
    #[error("GitHub could not be reached: {0}")]
    Unreachable(String),
    /// What is sent has to be written down before, and could not be.
    #[error("nothing was sent to GitHub, as that could not be written down: {0}")]
    Unwritten(String),
    /// An answer that is none of its documented ones.
    #[error("GitHub gave an answer that is not understood: {0}")]
    Odd(String),
}

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a request and its whole answer.
    pub answer: Duration,
    /// For finding the host and connecting to it.
    pub connect: Duration,
    /// Longest body, unpacked.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            body_bytes: 10 * 1_024 * 1_024,
        }
    }
}

/// What is kept of answers, so that asking again costs nothing while they are the same: by address, for one token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cache {
    /// Which token they were given to: the beginning of a hash of it.
    #[serde(default)]
    pub token: String,
    /// The answers.
    #[serde(default)]
    pub answers: BTreeMap<String, Cached>,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cached {
    /// Its mark (`ETag`).
    pub etag: String,
    /// The address of the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What it said, without what nobody needs.
    pub said: Value,
}
