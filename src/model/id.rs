//! Names of jobs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The readable alphabet of an id's random part: lower-case letters and digits without look-alikes.
pub const ALPHABET: [char; 31] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y',
];

/// Characters in the random part of a new id.
pub const RANDOM_CHARS: usize = 6;

/// Longest random part that is accepted from an index.
const RANDOM_CHARS_MAX: usize = 32;

/// A job's id: `bg_YYYYMMDD_xxxxxx`, the UTC day of its submission and a random part.
///
/// Ids become file names, so nothing else is ever accepted: no slash, no dot, no upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// Why a text is not a job id.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a job id (bg_YYYYMMDD_xxxxxx)")]
pub struct NotAnId(String);

impl JobId {
    /// An id for a job submitted on `day` (UTC), with the given random part.
    pub fn new(day: super::Timestamp, random: &str) -> Result<Self, NotAnId> {
        Self::parse(&format!("bg_{}_{random}", day.format("%Y%m%d")))
    }

    /// Accepts exactly the form of an id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        let valid =
            text.strip_prefix("bg_").and_then(|rest| rest.split_once('_')).is_some_and(|(day, random)| {
                day.len() == 8
                    && day.bytes().all(|b| b.is_ascii_digit())
                    && (RANDOM_CHARS..=RANDOM_CHARS_MAX).contains(&random.len())
                    && random.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        if valid { Ok(Self(text.to_owned())) } else { Err(NotAnId(excerpt(text))) }
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the day, by whose prefixes people name jobs.
    pub fn random_part(&self) -> &str {
        self.0.rsplit('_').next().unwrap_or(&self.0)
    }
}

/// The beginning of a text that may be hostile, short enough for a message.
fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JobId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        Self::parse(&text)
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_day_and_a_random_part() {
        let id = JobId::new("2026-02-13T10:00:00Z".parse().unwrap(), "abc234").unwrap();
        assert_eq!(id.as_str(), "bg_20260213_abc234");
        assert_eq!(id.random_part(), "abc234");
    }

    #[test]
    fn whatever_could_leave_the_folder_is_no_id() {
        for text in [
            "",
            "bg_",
            "bg_20260213_../../x",
            "bg_20260213_abc/23",
            "bg_2026021_abc234",
            "bg_20260213_ABC234",
            "bg_20260213_abc",
            "xx_20260213_abc234",
        ] {
            assert!(JobId::parse(text).is_err(), "{text}");
        }
        assert!(JobId::parse(&format!("bg_20260213_{}", "a".repeat(1_000_000))).is_err());
    }
}
