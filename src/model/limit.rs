//! Durations as people type them, and the limits of a job.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest duration that is accepted: ten years. Beyond it a typing mistake is likelier than a wish.
pub const SECONDS_MAX: u64 = 10 * 365 * 24 * 3600;

/// A duration in whole seconds, or `None` where the limit is switched off.
pub type Seconds = Option<u64>;

/// Why a text is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Below zero.
    #[error("a duration cannot be negative")]
    Negative,
    /// Not in a form we read.
    #[error("expected a duration such as 90, 30s, 15m, 1h30m")]
    Form,
    /// A fraction of a second.
    #[error("durations are whole seconds here")]
    Fraction,
    /// Zero, where that would end everything at once.
    #[error("at least 1 second; 'none' switches a limit off")]
    Zero,
    /// Longer than [`SECONDS_MAX`].
    #[error("longer than ten years; 'none' switches a limit off")]
    TooLong,
}

/// Reads `90` (seconds), `30s`, `15m`, `1h30m`, `2d`; whole seconds only.
pub fn parse_seconds(text: &str) -> Result<u64, BadDuration> {
    let text = text.trim();
    if text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
        return Err(BadDuration::Negative);
    }
    let seconds = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| BadDuration::TooLong)?
    } else {
        // The library reads a capital M as months; who types 15M means minutes more often, and should say so.
        if text.contains('M') {
            return Err(BadDuration::Form);
        }
        let duration = humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::NumberOverflow => BadDuration::TooLong,
            _ => BadDuration::Form,
        })?;
        if duration.subsec_nanos() != 0 {
            return Err(BadDuration::Fraction);
        }
        duration.as_secs()
    };
    if seconds > SECONDS_MAX { Err(BadDuration::TooLong) } else { Ok(seconds) }
}

/// Reads a duration, or `none`, which switches the limit off.
pub fn parse_limit(text: &str) -> Result<Seconds, BadDuration> {
    if text.trim().eq_ignore_ascii_case("none") { Ok(None) } else { parse_seconds(text).map(Some) }
}

/// Reads a limit that must leave some time: not zero.
pub fn parse_nonzero_limit(text: &str) -> Result<Seconds, BadDuration> {
    match parse_limit(text)? {
        Some(0) => Err(BadDuration::Zero),
        limit => Ok(limit),
    }
}

/// Seconds as people read them: `45s`, `30m`, `1h30m`, `2d`.
pub fn format_seconds(seconds: u64) -> String {
    let parts = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut text = String::new();
    for (size, unit) in parts {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Who set a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The built-in value.
    #[default]
    Default,
    /// The settings file.
    Config,
    /// A flag of the submission, or a later change.
    Flag,
    /// The job is a service, which runs until it is ended.
    Service,
}

/// A limit and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Whole seconds, or switched off.
    pub seconds: Seconds,
    /// Who set it.
    pub source: Source,
}

impl Limit {
    /// A limit with its built-in value.
    pub const fn default_of(seconds: u64) -> Self {
        Self { seconds: Some(seconds), source: Source::Default }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.seconds.map_or_else(|| "none".to_owned(), format_seconds))
    }
}

/// A size in bytes, or `None` where the limit is switched off.
pub type BytesMax = Option<u64>;

/// A limit in bytes and who set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteLimit {
    /// Bytes, or switched off.
    pub bytes: BytesMax,
    /// Who set it.
    pub source: Source,
}

impl fmt::Display for ByteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.bytes.map_or_else(|| "none".to_owned(), format_bytes))
    }
}

/// Why a text is not a size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// Not in a form we read.
    #[error("expected a size such as 64MiB, 2GB or 1000000")]
    Form,
    /// Below what leaves room for a beginning and an end.
    #[error("at least {}; 'none' switches a limit off", format_bytes(LOG_BYTES_MIN))]
    TooSmall,
}

/// Smallest limit of a log: room for a beginning, an end, and the line between them.
pub const LOG_BYTES_MIN: u64 = 64 * 1024;

/// Reads the limit of a log: `64MiB` (1024), `64MB` (1000), a number of bytes, or `none`.
pub fn parse_bytes_limit(text: &str) -> Result<BytesMax, BadSize> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() < LOG_BYTES_MIN => Err(BadSize::TooSmall),
        Ok(size) => Ok(Some(size.as_u64())),
        Err(_) => Err(BadSize::Form),
    }
}

/// Bytes as people read them: `64 MiB`, `1.5 GiB`, `12 B`.
pub fn format_bytes(bytes: u64) -> String {
    let text = bytesize::ByteSize::b(bytes).display().iec().to_string();
    text.replace(".0 ", " ")
}

/// What bounds one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Run time of one attempt; past it the tree is ended and the attempt has failed.
    pub timeout: Limit,
    /// Silence of its watcher; past it the job is cancelled as stale.
    pub stale_after: Limit,
    /// Time between asking the tree to end and killing it.
    pub grace: Limit,
    /// Size of its log; past it the middle goes.
    pub log: ByteLimit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Limit::default_of(1_800),
            stale_after: Limit::default_of(3_600),
            grace: Limit::default_of(10),
            log: ByteLimit { bytes: Some(64 * 1024 * 1024), source: Source::Default },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_type_them() {
        for (text, seconds) in
            [("90", 90), ("30s", 30), ("15m", 900), ("1h30m", 5_400), ("2d", 172_800), ("0", 0)]
        {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        assert_eq!(parse_limit("none"), Ok(None));
    }

    #[test]
    fn absurd_durations_are_refused_with_their_reason() {
        assert_eq!(parse_seconds("-5"), Err(BadDuration::Negative));
        assert_eq!(parse_seconds("500ms"), Err(BadDuration::Fraction));
        assert_eq!(parse_seconds("soon"), Err(BadDuration::Form));
        assert_eq!(parse_seconds("15M"), Err(BadDuration::Form));
        assert_eq!(parse_nonzero_limit("0s"), Err(BadDuration::Zero));
        assert_eq!(parse_nonzero_limit("none"), Ok(None));
        assert_eq!(parse_seconds(""), Err(BadDuration::Form));
        assert_eq!(parse_seconds("99999999999999999999999"), Err(BadDuration::TooLong));
        assert_eq!(parse_seconds("900y"), Err(BadDuration::TooLong));
    }

    #[test]
    fn sizes_are_read_as_people_type_them_and_shown_so() {
        assert_eq!(parse_bytes_limit("64MiB"), Ok(Some(64 << 20)));
        assert_eq!(parse_bytes_limit("2 GB"), Ok(Some(2_000_000_000)));
        assert_eq!(parse_bytes_limit("1000000"), Ok(Some(1_000_000)));
        assert_eq!(parse_bytes_limit("none"), Ok(None));
        assert_eq!(parse_bytes_limit("much"), Err(BadSize::Form));
        assert_eq!(parse_bytes_limit("-1"), Err(BadSize::Form));
        assert_eq!(BadSize::TooSmall.to_string(), "at least 64 KiB; 'none' switches a limit off");
        assert_eq!(parse_bytes_limit("1KiB"), Err(BadSize::TooSmall));
        assert_eq!(format_bytes(64 << 20), "64 MiB");
        assert_eq!(format_bytes(3 << 29), "1.5 GiB");
        assert_eq!(format_bytes(12), "12 B");
    }

    #[test]
    fn formatted_durations_read_back_as_themselves() {
        for seconds in [0, 1, 59, 60, 61, 3_600, 5_400, 86_400, 90_061] {
            assert_eq!(parse_seconds(&format_seconds(seconds)), Ok(seconds));
        }
    }
}
