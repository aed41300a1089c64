//! Groups of jobs, each with slots of its own.

use super::{Timestamp, unknown::Unknown};
use serde::{Deserialize, Serialize};

/// The group of a job that names none. Its slots are those of the setting `queue.max_concurrent`.
pub const DEFAULT: &str = "default";

/// The group of the jobs that renew sessions, unless a session names another. It has a slot for each session, so that
/// neither long jobs nor another session make one wait until it has run out.
pub const SESSIONS: &str = super::schedule::SESSION_REFRESH;

/// Longest name, in bytes.
pub const GROUP_BYTES_MAX: usize = 64;

/// What the index says of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// How many of its jobs run at the same time, unless the settings file says otherwise; none for a group that only the
    /// file defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,
    /// Since when none of its jobs starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Group {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What can be done to a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum GroupChange {
    /// It is made, or gets another number of slots.
    Slots {
        /// How many, at least 1.
        slots: usize,
    },
    /// None of its jobs starts any more.
    Pause {
        /// When.
        at: Timestamp,
    },
    /// Its jobs start again.
    Resume,
    /// It is there no more, unless the settings file defines it.
    Remove,
}

/// Why a text is no name of a group.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a group's name is made of letters, digits, '-', '_' and '.', begins with a letter or a digit, and has at most {GROUP_BYTES_MAX} characters"
)]
pub struct BadGroupName;

/// Checks the name of a group.
pub fn check_name(name: &str) -> Result<(), BadGroupName> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins_well = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins_well && name.len() <= GROUP_BYTES_MAX && name.bytes().all(is_fine) {
        Ok(())
    } else {
        Err(BadGroupName)
    }
}
