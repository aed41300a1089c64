//! Names of jobs.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The readable alphabet of an id's random part: lower-case letters and digits without look-alikes.
pub const ALPHABET: [char; 31] = [
    '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n',
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y',
];

/// Characters in the random part of a new id.
pub const RANDOM_CHARS: usize = 6;

/// Longest random part that is accepted from an index.
const RANDOM_CHARS_MAX: usize = 32;

/// What every id begins with.
const PREFIX: &str = "bg_";

/// Digits of the day.
const DAY_CHARS: usize = 8;

/// What stands before the random part.
const BEFORE_RANDOM: usize = PREFIX.len() + DAY_CHARS + 1;

/// Bytes of an id of ours.
pub(super) const OWN_BYTES: usize = BEFORE_RANDOM + RANDOM_CHARS;

/// A job's id: `bg_YYYYMMDD_xxxxxx`, the UTC day of its submission and a random part.
///
/// Ids become file names, so nothing else is ever accepted: no slash, no dot, no upper case. One of ours is short enough to be
/// kept in place: there are as many as there are jobs, and more.
#[derive(Clone, PartialEq, Eq)]
pub struct JobId(Text);

#[derive(Clone, PartialEq, Eq)]
enum Text {
    Own([u8; OWN_BYTES]),
    /// Of any other length.
    Long(Box<str>),
}

/// Why a text is not a job id.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a job id (bg_YYYYMMDD_xxxxxx)")]
pub struct NotAnId(String);

impl JobId {
    /// An id for a job submitted on `day` (UTC), with the given random part.
    pub fn new(day: super::Timestamp, random: &str) -> Result<Self, NotAnId> {
        Self::parse(&format!("{PREFIX}{}_{random}", day.format("%Y%m%d")))
    }

    /// Accepts exactly the form of an id.
    pub fn parse(text: &str) -> Result<Self, NotAnId> {
        Self::read(text.as_bytes()).ok_or_else(|| NotAnId(excerpt(text)))
    }

    /// The same for bytes.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if let Ok(own) = <[u8; OWN_BYTES]>::try_from(text) {
            return is_id(&own).then_some(Self(Text::Own(own)));
        }
        // Nothing but ASCII is accepted.
        let text = std::str::from_utf8(text).ok().filter(|_| is_id(text))?;
        Some(Self(Text::Long(text.into())))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Own(own) => std::str::from_utf8(own).unwrap_or_default(),
            Text::Long(text) => text,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Own(own) => own,
            Text::Long(text) => text.as_bytes(),
        }
    }

    /// The part after the day, by whose prefixes people name jobs.
    pub fn random_part(&self) -> &str {
        &self.as_str()[BEFORE_RANDOM..]
    }

    /// The same as bytes.
    pub fn random_bytes(&self) -> &[u8] {
        &self.as_bytes()[BEFORE_RANDOM..]
    }
}

/// Whether that is the form of an id. All of it is looked at in one go, without a branch for each character.
fn is_id(text: &[u8]) -> bool {
    let Some((day, rest)) =
        text.strip_prefix(PREFIX.as_bytes()).and_then(|rest| rest.split_first_chunk::<DAY_CHARS>())
    else {
        return false;
    };
    let Some((b'_', random)) = rest.split_first() else { return false };
    let is_random = |byte: &u8| byte.is_ascii_lowercase() | byte.is_ascii_digit();
    (RANDOM_CHARS..=RANDOM_CHARS_MAX).contains(&random.len())
        && day.iter().fold(true, |is, byte| is & byte.is_ascii_digit())
        && random.iter().fold(true, |is, byte| is & is_random(byte))
}

impl Hash for JobId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

impl PartialOrd for JobId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for JobId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Serialize for JobId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = JobId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a job id")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<JobId, E> {
                JobId::parse(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
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

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({:?})", self.as_str())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
        let long = JobId::parse("bg_20260213_abc2345").unwrap();
        assert_eq!((long.as_str(), long.random_part()), ("bg_20260213_abc2345", "abc2345"));
        assert!(id < long && long < JobId::parse("bg_20260213_abc235").unwrap());
        assert_eq!(size_of::<JobId>(), 24);
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
            "bg_20260213_abc23",
            "bg_20260213_abc23\u{e4}",
            "bg_20260213-abc234",
            "bg_2026021a_abc234",
            "xx_20260213_abc234",
        ] {
            assert!(JobId::parse(text).is_err(), "{text}");
        }
        assert!(JobId::parse(&format!("bg_20260213_{}", "a".repeat(1_000_000))).is_err());
    }
}
