//! The stream of changes as it is asked for: what is kept of it, and what comes.
//!
//! A line is given once. Numbers that are missing are told as a gap, so that whoever follows knows that something was not
//! told, or is not kept any more.

use super::{
    fault::Fault,
    home::{BrokenConfig, Home},
    list,
};
use crate::model::{Timestamp, nearest::nearest_word, stream::Line};
use crate::os::{clock::Clock, doorbell::Doorbell};
use crate::store::follower::Follower;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

/// The kinds of lines: what a line calls its event, or its change.
pub const KINDS: [&str; 44] = [
    "submitted",
    "changed",
    "edited",
    "removed",
    "grouped",
    "scheduled",
    "key_expired",
    "refused",
    "health",
    "hook",
    "hook_failed",
    "approve",
    "ask",
    "ask_approval",
    "claim",
    "clear_dead_letter",
    "close_input",
    "decide",
    "decline",
    "did",
    "due",
    "end",
    "enrich",
    "expire",
    "give_back",
    "hinder",
    "moved",
    "pause",
    "put",
    "remove",
    "renewed",
    "reschedule",
    "restart",
    "resume",
    "slots",
    "warn_expiry",
    "queued",
    "running",
    "waiting_approval",
    "completed",
    "failed",
    "cancelled",
    "degraded",
    "failing",
];

/// From where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// After the line of this number.
    Seq(u64),
    /// Not before then.
    Time(list::Since),
}

impl Since {
    /// Reads a whole number, which is that of a line, or what `list --since` takes, where a duration has its unit.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map(Self::Seq)
                .map_err(|_| "there is no line of so large a number".to_owned());
        }
        list::Since::parse(text).map(Self::Time)
    }
}

/// Reads a kind of lines.
pub fn parse_kind(text: &str) -> Result<String, String> {
    if KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(match nearest_word(text, KINDS) {
        Some(near) => format!("there is no such kind of event; did you mean {near}?"),
        None => format!("there is no such kind of event; there are {}", KINDS.join(", ")),
    })
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// From where on; everything that is kept where nothing is said.
    pub since: Option<Since>,
    /// Only about these jobs: ids, the beginnings of their random parts, names.
    pub jobs: Vec<String>,
    /// Only about these schedules and their runs.
    pub schedules: Vec<String>,
    /// Only of these kinds, or into these states.
    pub kinds: Vec<String>,
    /// Of what is kept only so many, the last.
    pub last: Option<usize>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A line.
    Line {
        /// As it stands.
        text: String,
        /// When it was written.
        at: Timestamp,
        /// What it says.
        fields: Map<String, Value>,
    },
    /// Lines are missing: they are not kept any more, or could not be written.
    Gap {
        /// The number of the first.
        from: u64,
        /// The number of the last.
        to: u64,
    },
}

/// What is kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// What was asked for, in its order.
    pub told: Vec<Told>,
    /// The number of the last line there is, be it asked for or not: from here on whoever comes back goes on.
    pub last: u64,
    /// How many more there were than were asked for.
    pub left_out: usize,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// What is kept of the stream.
pub fn kept(request: &Request) -> Result<Kept, Fault> {
    // Where there is no root, nothing has happened.
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Kept::default()) };
    let mut course = Course::new(&home, request);
    let mut follower = Follower::after(&home.root, course.after());
    course.first(&home, &mut follower)
}

/// What is kept, and then what comes, until `reader_gone` is readable. `give` gets what is kept first, be it nothing.
pub fn follow(
    request: &Request,
    reader_gone: Option<BorrowedFd<'_>>,
    give: &mut dyn FnMut(Kept) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    // Hung before the first look, so that nothing is missed.
    let doorbell = Doorbell::on_changes_in(home.root.folder());
    let mut course = Course::new(&home, request);
    let mut follower = Follower::after(&home.root, course.after());
    give(course.first(&home, &mut follower)?)?;
    let others: Vec<BorrowedFd<'_>> = reader_gone.into_iter().collect();
    loop {
        if doorbell.wait(&others, None)?.contains(&true) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        let told: Vec<Told> = follower.read()?.into_iter().flat_map(|line| course.take(line)).collect();
        if !told.is_empty() {
            give(Kept { told, last: course.last, ..Kept::default() })?;
        }
        if home.root.folder().is_removed() {
            return Ok(());
        }
    }
}

/// How far somebody has come.
struct Course<'a> {
    request: &'a Request,
    /// Nothing before then is wanted.
    not_before: Option<Timestamp>,
    /// The number of the next line, where that is known.
    next: Option<u64>,
    last: u64,
}

impl<'a> Course<'a> {
    fn new(home: &Home, request: &'a Request) -> Self {
        let not_before = match request.since {
            Some(Since::Time(since)) => Some(since.at(home.clock.now())),
            _ => None,
        };
        let next = if let Some(Since::Seq(seq)) = request.since { seq.checked_add(1) } else { None };
        Self { request, not_before, next, last: 0 }
    }

    fn after(&self) -> u64 {
        if let Some(Since::Seq(seq)) = self.request.since { seq } else { 0 }
    }

    fn first(&mut self, home: &Home, follower: &mut Follower<'_>) -> Result<Kept, Fault> {
        let mut told: VecDeque<Told> = VecDeque::new();
        for line in follower.read()? {
            told.extend(self.take(line));
        }
        let most = self.request.last.unwrap_or(usize::MAX);
        let left_out = told.len().saturating_sub(most);
        told.drain(..left_out);
        let mut warnings = home.warnings.clone();
        if self.last == 0 && self.after() > 0 {
            self.last = self.after();
            let end = Follower::after(&home.root, 0).read()?.last().map_or(0, |line| line.seq);
            if end < self.after() {
                warnings.push(format!(
                    "there is no event {} yet: the last one is {end}; if the numbers began anew, so should you, with \
                    --since 0",
                    self.after()
                ));
            }
        }
        Ok(Kept { told: told.into(), last: self.last, left_out, warnings })
    }

    /// The next line, behind the gap before it, where that was asked for.
    fn take(&mut self, line: Line) -> Vec<Told> {
        let Line { seq, at, text } = line;
        self.last = seq;
        let is_wanted_time = self.not_before.is_none_or(|then| at >= then);
        // Of what happened before the first line that is kept only the number is known.
        let next = self.next.or(self.not_before.map(|_| 1)).unwrap_or(seq);
        self.next = seq.checked_add(1);
        if !is_wanted_time {
            return Vec::new();
        }
        let mut told = Vec::new();
        if seq > next {
            told.push(Told::Gap { from: next, to: seq - 1 });
        }
        let fields: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
        if self.has(&fields) {
            told.push(Told::Line { text, at, fields });
        }
        told
    }

    fn has(&self, fields: &Map<String, Value>) -> bool {
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let Request { jobs, schedules, kinds, .. } = self.request;
        let is_any =
            |all: &[String], is_it: &dyn Fn(&str) -> bool| all.is_empty() || all.iter().any(|one| is_it(one));
        let is_job = |one: &str| {
            let id = text("id").unwrap_or_default();
            let random = id.rsplit('_').next().unwrap_or_default();
            id == one
                || text("name") == Some(one)
                || (one.len() >= RANDOM_CHARS_MIN && random.starts_with(one))
        };
        let is_new = text("event") == Some("submitted");
        let is_kind = |one: &str| {
            text("event") == Some(one)
                || text("change") == Some(one)
                || (text("status") == Some(one) && (fields.contains_key("was") || is_new))
                || (one == "queued" && is_new && text("status") != Some("waiting_approval"))
        };
        is_any(jobs, &is_job)
            && is_any(schedules, &|one| text("schedule") == Some(one))
            && is_any(kinds, &is_kind)
    }
}

/// Shortest beginning of an id's random part that stands for it.
const RANDOM_CHARS_MIN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_that_of_a_line_and_a_duration_has_its_unit() {
        assert_eq!(Since::parse("90"), Ok(Since::Seq(90)));
        assert_eq!(Since::parse("90s"), Ok(Since::Time(list::Since::Ago(90))));
        assert!(matches!(Since::parse("2026-11-21"), Ok(Since::Time(list::Since::At(_)))));
        assert!(Since::parse("99999999999999999999999").unwrap_err().contains("no line"));
        Since::parse("").unwrap_err();
        Since::parse("soon").unwrap_err();
    }

    #[test]
    fn a_mistyped_kind_is_named_with_the_nearest() {
        assert_eq!(parse_kind("end").unwrap(), "end");
        assert!(parse_kind("submited").unwrap_err().ends_with("did you mean submitted?"));
        assert!(parse_kind("zzzzzzzzzz").unwrap_err().contains("there are submitted"));
    }
}
