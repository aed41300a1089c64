//! How often a job is tried, and how long is waited between attempts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Most attempts: with the shortest delay they take more than a day, and more is likelier a typing mistake than a wish.
pub const ATTEMPTS_MAX: u32 = 10_000;

/// Attempts where a retry is asked for without a number.
pub const ATTEMPTS_WITH_RETRY: u32 = 3;

/// How often, after which ends and at what distance a job is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts it may use up, at least 1.
    pub attempts_max: u32,
    /// The wait after the first attempt; it doubles with each further one.
    pub delay_seconds: u64,
    /// The longest wait.
    pub delay_seconds_max: u64,
    /// Only these ends are tried again; every failure where there is none.
    pub codes: Option<Codes>,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 1, delay_seconds: 5, delay_seconds_max: 900, codes: None }
    }
}

/// A set of exit codes, as a wait for the job would give them: 128 + N for signal N, 124 for a time-out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Codes(Vec<(u8, u8)>);

/// Why a text is no set of exit codes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected exit codes from 1 to 255, such as 75 or 1,75,100-110")]
pub struct BadCodes;

impl Codes {
    /// Reads `1,75,100-110`.
    pub fn parse(text: &str) -> Result<Self, BadCodes> {
        let code = |text: &str| text.trim().parse::<u8>().ok().filter(|code| *code > 0).ok_or(BadCodes);
        let range = |part: &str| -> Result<(u8, u8), BadCodes> {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (code(from)?, code(to)?);
            if from <= to { Ok((from, to)) } else { Err(BadCodes) }
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a code is among them.
    pub fn contains(&self, code: i32) -> bool {
        self.0.iter().any(|(from, to)| (i32::from(*from)..=i32::from(*to)).contains(&code))
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (from, to)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            if from == to { write!(f, "{comma}{from}")? } else { write!(f, "{comma}{from}-{to}")? }
        }
        Ok(())
    }
}

impl TryFrom<String> for Codes {
    type Error = BadCodes;
    fn try_from(text: String) -> Result<Self, BadCodes> {
        Self::parse(&text)
    }
}

impl From<Codes> for String {
    fn from(codes: Codes) -> Self {
        codes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_numbers_and_ranges() {
        let codes = Codes::parse("1, 75,100-110").unwrap();
        assert_eq!(codes.to_string(), "1,75,100-110");
        assert!([1, 75, 100, 105, 110].iter().all(|code| codes.contains(*code)));
        assert!([0, 2, 74, 99, 111, -1, 331].iter().all(|code| !codes.contains(*code)));
        for bad in ["", "0", "256", "a", "1,", "5-1", "-1", "1-", "1--2", "1.5"] {
            assert_eq!(Codes::parse(bad), Err(BadCodes), "{bad}");
        }
    }
}
