//! Approval: whom a job waits for, what was asked, and what was answered.

use super::{
    Timestamp,
    bytes::Bytes,
    limit::{Seconds, format_seconds},
    spec::JobSpec,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// Longest reason or note, in bytes.
pub const NOTE_BYTES_MAX: usize = 1_000;
/// Most answers that a job keeps; beyond it, the oldest go.
pub const ANSWERS_MAX: usize = 20;

/// Longest name of an owner (accounts have up to 39 characters, and those of an enterprise a short code behind it).
const OWNER_BYTES_MAX: usize = 60;
/// Longest name of a repository.
const NAME_BYTES_MAX: usize = 100;

/// Where the answer is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum On {
    /// By `bgctl approve` and `bgctl decline`.
    Local,
    /// On an issue.
    GitHub(Place),
}

/// A repository, and an issue of it unless one is to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// The number of the issue; none where one is made for the job.
    pub issue: Option<u64>,
}

/// A repository as GitHub calls it: `OWNER/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// Whose it is: letters, digits, `-` and `_`.
    pub owner: String,
    /// Its name: letters, digits, `-`, `_` and `.`.
    pub name: String,
}

/// What is no place to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// Neither of the two forms.
    #[error("expected local, github:OWNER/REPO or github:OWNER/REPO#NUMBER")]
    Form,
    /// No name of an account.
    #[error("the owner has letters, digits and '-', at most 39: github:OWNER/REPO")]
    Owner,
    /// No name of a repository.
    #[error("the repository has letters, digits, '-', '_' and '.', at most 100: github:OWNER/REPO")]
    Name,
    /// No number.
    #[error("behind # stands the number of an issue: github:OWNER/REPO#17")]
    Number,
}

impl On {
    /// Reads `local`, `github:OWNER/REPO` or `github:OWNER/REPO#NUMBER`.
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let rest = text.strip_prefix("github:").ok_or(BadPlace::Form)?;
        let (repository, issue) = match rest.split_once('#') {
            None => (rest, None),
            Some((repository, number)) => (repository, Some(issue_number(number)?)),
        };
        let (owner, name) = repository.split_once('/').ok_or(BadPlace::Form)?;
        let is_owner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !fits(owner, OWNER_BYTES_MAX, is_owner) || owner.starts_with('-') || owner.ends_with('-') {
            return Err(BadPlace::Owner);
        }
        let is_name = |c: char| is_owner(c) || c == '.';
        if !fits(name, NAME_BYTES_MAX, is_name) || matches!(name, "." | "..") {
            return Err(BadPlace::Name);
        }
        let repository = Repository { owner: owner.to_owned(), name: name.to_owned() };
        Ok(Self::GitHub(Place { repository, issue }))
    }

    /// The place on GitHub.
    pub fn github(&self) -> Option<&Place> {
        if let Self::GitHub(place) = self { Some(place) } else { None }
    }
}

fn fits(text: &str, bytes_max: usize, allowed: impl Fn(char) -> bool) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.chars().all(allowed)
}

fn issue_number(text: &str) -> Result<u64, BadPlace> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain).ok_or(BadPlace::Number)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::GitHub(Place { repository, issue: None }) => write!(f, "github:{repository}"),
            Self::GitHub(Place { repository, issue: Some(number) }) => {
                write!(f, "github:{repository}#{number}")
            }
        }
    }
}

impl Serialize for On {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for On {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// That a job must not run before it is approved, as its submitter asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Where the answer is given.
    pub on: On,
    /// How long an answer can be given, seconds; `None` is for ever.
    #[serde(default)]
    pub ttl_seconds: Seconds,
    /// See [`content_hash`].
    pub hash: String,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where the answer is given.
    pub on: On,
    /// When it was asked.
    pub at: Timestamp,
    /// How long an answer can be given from when the job waits for it, seconds; `None` is for ever.
    #[serde(default)]
    pub ttl_seconds: Seconds,
    /// Why, in the words of who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// See [`content_hash`].
    pub hash: String,
}

impl Gate {
    /// What is asked for a job that is submitted then.
    pub fn request(&self, at: Timestamp) -> Request {
        Request {
            on: self.on.clone(),
            at,
            ttl_seconds: self.ttl_seconds,
            reason: None,
            hash: self.hash.clone(),
        }
    }
}

/// A job waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What was asked.
    pub request: Request,
    /// Since when it waits.
    pub since: Timestamp,
    /// The earliest start once it is approved.
    pub not_before: Option<Timestamp>,
    /// When it was said that the time for an answer is nearly over.
    pub warned_at: Option<Timestamp>,
    /// How far the asking on GitHub has come.
    pub asked: Asked,
    /// Why an answer could not be seen, or does not count.
    pub trouble: Option<String>,
}

/// How far the asking on GitHub has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Asked {
    /// Nothing was sent.
    #[default]
    NotYet,
    /// It may have been sent.
    Begun {
        /// When that was decided.
        at: Timestamp,
    },
    /// It stands on this issue.
    On(Issue),
}

/// The issue on which a person was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its number in the repository.
    pub number: u64,
    /// When it was asked, by GitHub's clock: what was answered earlier does not count.
    pub asked_at: Timestamp,
    /// The account that asked.
    pub asked_by: String,
    /// The hash of its title and text as they were then (see [`text_hash`]).
    pub content: String,
    /// When it was seen that these have changed: since then it cannot approve anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
}

impl Waiting {
    /// A job begins to wait.
    pub fn new(request: Request, since: Timestamp, not_before: Option<Timestamp>) -> Self {
        Self { request, since, not_before, warned_at: None, asked: Asked::NotYet, trouble: None }
    }

    /// Until when an answer can be given; `None`: for ever.
    pub fn expires_at(&self) -> Option<Timestamp> {
        later(self.since, self.request.ttl_seconds)
    }

    /// The issue on which a person was asked.
    pub fn issue(&self) -> Option<&Issue> {
        if let Asked::On(issue) = &self.asked { Some(issue) } else { None }
    }

    /// Where the answer is given, with the number of the issue where there is one by now.
    pub fn on(&self) -> On {
        match (&self.request.on, self.issue()) {
            (On::GitHub(place), Some(issue)) => {
                On::GitHub(Place { issue: Some(issue.number), ..place.clone() })
            }
            (on, _) => on.clone(),
        }
    }
}

/// So many seconds later; `None`: never.
pub fn later(at: Timestamp, seconds: Seconds) -> Option<Timestamp> {
    at.checked_add_signed(chrono::TimeDelta::try_seconds(i64::try_from(seconds?).ok()?)?)
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The job may run.
    Approved,
    /// It may not.
    Declined,
    /// Nobody said in time.
    Expired,
}

impl Verdict {
    /// The word in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

/// An answer, as it stays on the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Which.
    pub verdict: Verdict,
    /// Where it was given.
    pub on: On,
    /// When it was given, by the clock of where it was given.
    pub at: Timestamp,
    /// Whose account gave it; nobody's where it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in the words of who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Answer {
    /// As a sentence about the job.
    pub fn summary(&self, ttl_seconds: Seconds) -> String {
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let on = self.on.github().map(|_| format!(" on {}", self.on)).unwrap_or_default();
        let note = self.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        match (self.verdict, ttl_seconds) {
            (Verdict::Expired, Some(seconds)) => {
                format!("nobody approved it within {}", format_seconds(seconds))
            }
            (Verdict::Expired, None) => "nobody approved it in time".to_owned(),
            (verdict, _) => format!("{}{by}{on}{note}", verdict.as_str()),
        }
    }
}

/// What is approved: the hash (SHA-256, hexadecimal) of arguments, working directory and the names of the environment's
/// variables, each with its length before it. Values are left out: they are secrets, and an issue shows the hash to everybody.
pub fn content_hash<'a>(spec: &JobSpec, names: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut names: Vec<&[u8]> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let argv = spec.command.to_argv();
    let argv: Vec<&[u8]> = argv.iter().map(Bytes::as_slice).collect();
    let mut hash = Sha256::new();
    for part in [argv, vec![spec.cwd.as_slice()], names] {
        hash.update((part.len() as u64).to_be_bytes());
        for word in part {
            hash.update((word.len() as u64).to_be_bytes());
            hash.update(word);
        }
    }
    hexadecimal(&hash.finalize())
}

/// The hash (SHA-256, hexadecimal) of an issue's title and text.
pub fn text_hash(title: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((title.len() as u64).to_be_bytes());
    hash.update(title);
    hash.update(body);
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::Command;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        for text in ["local", "github:o/r", "github:my-org/a.b_c-d#17", "github:a_shortcode/x#1"] {
            assert_eq!(On::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place_is_refused_with_what_is_wrong() {
        let long = format!("github:o/{}", "r".repeat(101));
        for (text, error) in [
            ("", BadPlace::Form),
            ("Local", BadPlace::Form),
            ("github", BadPlace::Form),
            ("github:", BadPlace::Form),
            ("github:o", BadPlace::Form),
            ("gitlab:o/r", BadPlace::Form),
            ("https://github.com/o/r", BadPlace::Form),
            ("github:/r", BadPlace::Owner),
            ("github:-o/r", BadPlace::Owner),
            ("github:o-/r", BadPlace::Owner),
            ("github:o r/r", BadPlace::Owner),
            ("github:ö/r", BadPlace::Owner),
            ("github:o/", BadPlace::Name),
            ("github:o/..", BadPlace::Name),
            ("github:o/r/s", BadPlace::Name),
            ("github:o/r?x=1", BadPlace::Name),
            ("github:o/r%2f", BadPlace::Name),
            (&long, BadPlace::Name),
            ("github:o/r#", BadPlace::Number),
            ("github:o/r#0", BadPlace::Number),
            ("github:o/r#01", BadPlace::Number),
            ("github:o/r#+1", BadPlace::Number),
            ("github:o/r#-1", BadPlace::Number),
            ("github:o/r#1#2", BadPlace::Number),
            ("github:o/r#99999999999999999999", BadPlace::Number),
        ] {
            assert_eq!(On::parse(text), Err(error), "{text}");
        }
    }

    fn spec(argv: &[&str], cwd: &str) -> JobSpec {
        let argv = argv.iter().map(|word| Bytes::try_from(*word).unwrap()).collect();
        JobSpec::new(Command::Argv(argv), Bytes::try_from(cwd).unwrap())
    }

    #[test]
    fn the_hash_covers_arguments_folder_and_names_and_not_their_order() {
        let of = |argv: &[&str], cwd, names: &[&'static [u8]]| {
            content_hash(&spec(argv, cwd), names.iter().copied())
        };
        let usual = of(&["a", "b"], "/", &[b"HOME", b"PATH"]);
        assert_eq!(usual, of(&["a", "b"], "/", &[b"PATH", b"HOME"]));
        for other in [
            of(&["a", "c"], "/", &[b"HOME", b"PATH"]),
            of(&["ab"], "/", &[b"HOME", b"PATH"]),
            of(&["a", "b"], "/x", &[b"HOME", b"PATH"]),
            of(&["a", "b"], "/", &[b"HOME"]),
            of(&["a", "b"], "/", &[b"HOMEP", b"ATH"]),
            of(&["a"], "b", &[b"/", b"HOME", b"PATH"]),
        ] {
            assert_ne!(usual, other);
        }
    }

    #[test]
    fn an_answer_says_who_and_why() {
        let at: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
        let answer = |verdict, on: &str, by: Option<&str>| Answer {
            verdict,
            on: On::parse(on).unwrap(),
            at,
            by: by.map(str::to_owned),
            note: by.map(|_| "not today".to_owned()),
        };
        let said = |answer: Answer| answer.summary(Some(86_400));
        assert_eq!(said(answer(Verdict::Declined, "local", Some("ann"))), "declined by ann: not today");
        let on_github = answer(Verdict::Approved, "github:o/r#3", Some("ann"));
        assert_eq!(said(on_github), "approved by ann on github:o/r#3: not today");
        let expired = answer(Verdict::Expired, "local", None);
        assert_eq!(expired.summary(None), "nobody approved it in time", "the limit may be gone by then");
        assert_eq!(said(expired), "nobody approved it within 1d");
    }
}
