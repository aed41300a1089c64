//! What a setting can be, and what it is.

use crate::model::limit::{LOG_BYTES_MIN, SECONDS_MAX, Seconds, format_bytes, format_seconds};
use std::fmt;

/// What a setting can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within bounds.
    Count {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// A duration in whole seconds.
    Duration {
        /// The shortest.
        least: u64,
        /// The longest.
        most: u64,
        /// Whether it can be `none`.
        or_none: bool,
    },
    /// A size of logs, or `none`.
    Size,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A command, or nothing.
    Command,
    /// Yes or no.
    Flag,
    /// The names of accounts.
    Accounts,
    /// The name of a label.
    Label,
    /// Where a service is: `https`, or `http` on this machine.
    Address,
    /// A file by its absolute path, or nothing.
    Path,
}

impl Kind {
    /// A limit that may be nothing at all.
    pub(super) const ANY_TIME: Self = Self::Duration { least: 0, most: SECONDS_MAX, or_none: true };
    /// A limit that leaves some time.
    pub(super) const SOME_TIME: Self = Self::Duration { least: 1, most: SECONDS_MAX, or_none: true };
}

/// In words, as they stand in the reference.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { least, most } => write!(f, "whole number, {least} to {most}"),
            Self::Duration { least, most, or_none } => {
                f.write_str("duration")?;
                match (*least, *most) {
                    (0, SECONDS_MAX) => {}
                    (least, SECONDS_MAX) => write!(f, ", at least {}", format_seconds(least))?,
                    (least, most) => write!(f, ", {} to {}", format_seconds(least), format_seconds(most))?,
                }
                f.write_str(if *or_none { ", or none" } else { "" })
            }
            Self::Size => write!(f, "size, at least {}, or none", format_bytes(LOG_BYTES_MIN)),
            Self::Word(words) => f.write_str(&words.join(", ")),
            Self::Command => f.write_str("a list of words, a line for `sh -c`, or `[]` for nothing"),
            Self::Flag => f.write_str("true, false"),
            Self::Accounts => f.write_str("a list of names of accounts"),
            Self::Label => write!(f, "text of at most {LABEL_CHARS_MAX} characters, without commas"),
            Self::Address => f.write_str("address, https unless it is of this machine"),
            Self::Path => f.write_str("absolute path, or none"),
        }
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Count(u64),
    /// A duration, or none.
    Seconds(Seconds),
    /// A size, or none.
    Bytes(Option<u64>),
    /// A word.
    Word(&'static str),
    /// A command, or nothing.
    Command(Option<Vec<String>>),
    /// Yes or no.
    Flag(bool),
    /// Names.
    Names(Vec<String>),
    /// A text.
    Text(String),
    /// A path, or nothing.
    Path(Option<String>),
}

/// Longest name of a label on GitHub.
pub(super) const LABEL_CHARS_MAX: usize = 50;

/// As a person types it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Seconds(Some(seconds)) => f.write_str(&format_seconds(*seconds)),
            Self::Bytes(Some(bytes)) => f.write_str(&exact_size(*bytes)),
            Self::Seconds(None) | Self::Bytes(None) => f.write_str("none"),
            Self::Word(word) => f.write_str(word),
            Self::Command(argv) => write!(f, "{}", toml::Value::from(argv.clone().unwrap_or_default())),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Names(names) => write!(f, "{}", toml::Value::from(names.clone())),
            Self::Text(text) => f.write_str(text),
            Self::Path(path) => f.write_str(path.as_deref().unwrap_or("none")),
        }
    }
}

impl Value {
    /// As it stands in the file.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Command(_) | Self::Names(_) | Self::Flag(_) => self.to_string(),
            Self::Text(text) => toml::Value::from(text.as_str()).to_string(),
            Self::Path(Some(path)) => toml::Value::from(path.as_str()).to_string(),
            other => format!("\"{other}\""),
        }
    }
}

/// A size that reads back as itself: with the largest unit that divides it.
fn exact_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 6] = [
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "KB"),
    ];
    let unit = UNITS.into_iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(size, unit)| format!("{}{unit}", bytes / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_shown_so_that_it_reads_back_as_itself() {
        for (bytes, shown) in [
            (64 << 20, "64MiB"),
            (3 << 29, "1536MiB"),
            (2_000_000_000, "2GB"),
            (70_001, "70001"),
            (2 << 30, "2GiB"),
        ] {
            assert_eq!(Value::Bytes(Some(bytes)).to_string(), shown);
            assert_eq!(crate::model::limit::parse_bytes_limit(shown), Ok(Some(bytes)));
        }
    }
}
