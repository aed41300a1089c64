//! The calendar: when something that recurs is due next.
//!
//! A library reads cron's expressions and knows what becomes of the two days on which clocks are changed; zones come by
//! name from the IANA database that is compiled in, so that every machine and every process gives the same answer.

use super::{
    Timestamp,
    limit::{SECONDS_MAX, format_seconds},
};
use chrono::{DateTime, Datelike, TimeDelta};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;

/// Shortest interval: below it a run would be due before a shell has started.
pub const EVERY_SECONDS_MIN: u64 = 1;

/// Longest text of an expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 256;

/// Occurrences that are counted at the most, where many were missed.
pub const COUNT_MAX: u64 = 1_000;

/// The years that a calendar has.
const YEARS: RangeInclusive<i32> = 0..=9_999;

/// The fields of an expression, in their order; the first may be left out.
const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

/// When something recurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// At a fixed distance, counted from when it was added, so that a late run does not delay those after it.
    Every {
        /// The distance.
        seconds: u64,
    },
    /// At the times of an expression (`crontab(5)`), read in a time zone.
    Cron(Calendar),
    /// So long before a session runs out; when that is, its refreshing says.
    BeforeExpiry {
        /// How long before.
        seconds: u64,
    },
}

/// An expression of cron and the zone in which it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CalendarText", into = "CalendarText")]
pub struct Calendar {
    text: CalendarText,
    cron: Box<Cron>,
    zone: Tz,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CalendarText {
    expression: String,
    zone: String,
}

/// Why a text is no calendar.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCalendar {
    /// It is no expression.
    #[error(
        "{0:?} is no cron expression: {1}; five fields are minute, hour, day of month, month, day of week"
    )]
    Expression(String, String),
    /// It never comes.
    #[error("{0:?} never comes: there is no such day")]
    Never(String),
    /// There is no such zone.
    #[error("there is no time zone {0:?}; zones have names such as Europe/Berlin or UTC")]
    Zone(String),
}

impl Calendar {
    /// Reads an expression of five fields, or of six with seconds in front, or a nickname such as `@daily`.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, BadCalendar> {
        let expression = expression.trim();
        let bad = |why: &str| BadCalendar::Expression(expression.chars().take(60).collect(), why.to_owned());
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(bad("it is too long"));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(expression).map_err(|_| bad(&why_not(&parser, expression)))?;
        let known: Tz = zone.parse().map_err(|_| BadCalendar::Zone(zone.chars().take(60).collect()))?;
        let text = CalendarText { expression: expression.to_owned(), zone: known.name().to_owned() };
        Ok(Self { text, cron: Box::new(cron), zone: known })
    }

    /// The expression, as it was given.
    pub fn expression(&self) -> &str {
        &self.text.expression
    }

    /// The name of the zone.
    pub fn zone(&self) -> &str {
        &self.text.zone
    }

    /// In words.
    pub fn describe(&self) -> String {
        self.cron.describe()
    }

    fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&self.local(at)?, true).ok().map(|last| last.to_utc())
    }

    fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&self.local(at)?, false).ok().map(|next| next.to_utc())
    }

    /// The time on the clocks of the zone; none for what a hand-made index may have, and no calendar.
    fn local(&self, at: Timestamp) -> Option<DateTime<Tz>> {
        YEARS.contains(&at.year()).then(|| at.with_timezone(&self.zone))
    }
}

/// What is wrong with an expression, in words of ours: which of its fields, where it is one.
fn why_not(parser: &CronParser, expression: &str) -> String {
    if expression.starts_with('@') {
        return "there are @hourly, @daily, @weekly, @monthly and @yearly".to_owned();
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let names = match fields.len() {
        0 => return "it is empty".to_owned(),
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        1 => return "it has one field".to_owned(),
        count => return format!("it has {count} fields"),
    };
    let alone = |place: usize| {
        let others = |other: usize| if other == place { fields[place] } else { "*" };
        (0..fields.len()).map(others).collect::<Vec<_>>().join(" ")
    };
    let wrong = (0..fields.len()).find(|place| parser.parse(&alone(*place)).is_err());
    match wrong {
        Some(place) => {
            format!("{} is no {}", fields[place].chars().take(30).collect::<String>(), names[place])
        }
        None => "its fields do not go together".to_owned(),
    }
}

impl TryFrom<CalendarText> for Calendar {
    type Error = BadCalendar;
    fn try_from(text: CalendarText) -> Result<Self, BadCalendar> {
        Self::parse(&text.expression, &text.zone)
    }
}

impl From<Calendar> for CalendarText {
    fn from(calendar: Calendar) -> Self {
        calendar.text
    }
}

impl Rhythm {
    /// The first time after `at`; `None`: never, or nobody knows yet. `anchor` is when it was added.
    pub fn next_after(&self, at: Timestamp, anchor: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every { seconds } => {
                let step = span(*seconds)?.num_milliseconds().max(1);
                let passed = (at - anchor).num_milliseconds();
                // Before its anchor an interval has no times: the first is one step behind it.
                let steps = passed.div_euclid(step).max(0).checked_add(1)?;
                anchor.checked_add_signed(TimeDelta::try_milliseconds(steps.checked_mul(step)?)?)
            }
            Self::Cron(calendar) => calendar.next_after(at),
            Self::BeforeExpiry { .. } => None,
        }
    }

    /// Of its times from `first`, which is one of them, to `now`: how many there are, at most [`COUNT_MAX`], and the
    /// latest. `None`: `first` has yet to come.
    pub fn passed(&self, first: Timestamp, now: Timestamp) -> Option<(u64, Timestamp)> {
        if first > now {
            return None;
        }
        if let Self::Every { seconds } = self
            && let Some(step) = span(*seconds).map(|step| step.num_milliseconds().max(1))
        {
            let more = (now - first).num_milliseconds() / step;
            let latest = first + TimeDelta::milliseconds(more * step);
            return Some((u64::try_from(more).unwrap_or(0).saturating_add(1).min(COUNT_MAX), latest));
        }
        let (mut count, mut latest) = (1, first);
        while let Some(next) = self.next_after(latest, first).filter(|next| *next <= now && count < COUNT_MAX)
        {
            (count, latest) = (count + 1, next);
        }
        // So many are not counted, but which was the last is known all the same.
        if let (Self::Cron(calendar), COUNT_MAX) = (self, count) {
            latest = calendar.last_until(now).unwrap_or(latest);
        }
        Some((count, latest))
    }
}

/// As a person types it.
impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every { seconds } => write!(f, "every {}", format_seconds(*seconds)),
            Self::Cron(calendar) => write!(f, "{} ({})", calendar.expression(), calendar.zone()),
            Self::BeforeExpiry { seconds } => write!(f, "{} before it runs out", format_seconds(*seconds)),
        }
    }
}

/// Seconds as a span; `None` for more than there are.
pub fn span(seconds: u64) -> Option<TimeDelta> {
    i64::try_from(seconds.min(SECONDS_MAX)).ok().and_then(TimeDelta::try_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The times after `from`, as they stand on the clocks of the zone.
    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let rhythm = Rhythm::Cron(Calendar::parse(expression, zone).unwrap());
        let zone: Tz = zone.parse().unwrap();
        let mut now = at(from);
        let mut next = || {
            now = rhythm.next_after(now, now)?;
            Some(now.with_timezone(&zone).format("%d. %H:%M %Z").to_string())
        };
        (0..count).map_while(|_| next()).collect()
    }

    #[test]
    fn five_fields_are_read_as_cron_reads_them() {
        let office = times("*/5 9-17 * * 1-5", "UTC", "2026-02-13T17:52:00Z", 3);
        assert_eq!(office, ["13. 17:55 UTC", "16. 09:00 UTC", "16. 09:05 UTC"], "a Friday, then a Monday");
        assert_eq!(
            times("0 4 1 * sun", "UTC", "2026-02-13T00:00:00Z", 2),
            ["15. 04:00 UTC", "22. 04:00 UTC"]
        );
        assert_eq!(times("@daily", "Europe/Berlin", "2026-02-13T00:00:00Z", 1), ["14. 00:00 CET"]);
        assert_eq!(times("*/20 * * * * *", "UTC", "2026-02-13T00:00:30Z", 1), ["13. 00:00 UTC"]);
    }

    #[test]
    fn an_hour_that_is_left_out_loses_no_daily_run_and_an_hour_that_is_there_twice_has_it_once() {
        // 29 March 2026: 02:00 to 03:00 is left out. 25 October 2026: it is there twice.
        let spring = times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3);
        assert_eq!(spring, ["29. 03:00 CEST", "30. 02:30 CEST", "31. 02:30 CEST"]);
        let autumn = times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn, ["25. 02:30 CEST", "26. 02:30 CET"]);
    }

    #[test]
    fn what_comes_every_few_minutes_comes_in_each_of_the_two_hours_and_in_none_that_is_left_out() {
        let autumn = times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:20:00Z", 5);
        assert_eq!(
            autumn,
            ["25. 02:30 CEST", "25. 02:00 CET", "25. 02:30 CET", "25. 03:00 CET", "25. 03:30 CET"]
        );
        let spring = times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20:00Z", 3);
        assert_eq!(spring, ["29. 01:30 CET", "29. 03:00 CEST", "29. 03:30 CEST"]);
    }

    #[test]
    fn an_interval_keeps_its_distance_whenever_it_is_looked_at() {
        let rhythm = Rhythm::Every { seconds: 900 };
        let anchor = at("2026-02-13T10:00:00Z");
        for (now, next) in [
            ("2026-02-13T10:00:00Z", "2026-02-13T10:15:00Z"),
            ("2026-02-13T10:14:59.999Z", "2026-02-13T10:15:00Z"),
            ("2026-02-13T10:15:00Z", "2026-02-13T10:30:00Z"),
            ("2026-03-29T03:07:00Z", "2026-03-29T03:15:00Z"),
            ("2026-02-13T09:00:00Z", "2026-02-13T10:15:00Z"),
        ] {
            assert_eq!(rhythm.next_after(at(now), anchor), Some(at(next)), "{now}");
        }
        let longest = Rhythm::Every { seconds: u64::MAX };
        assert!(longest.next_after(anchor, anchor).is_some_and(|next| next > anchor));
    }

    #[test]
    fn what_has_passed_is_counted_and_the_latest_is_known() {
        let first = at("2026-02-13T10:00:00Z");
        let every = Rhythm::Every { seconds: 60 };
        let cron = Rhythm::Cron(Calendar::parse("* * * * *", "UTC").unwrap());
        for rhythm in [every, cron] {
            assert_eq!(rhythm.passed(first, at("2026-02-13T09:59:59Z")), None);
            assert_eq!(rhythm.passed(first, first), Some((1, first)));
            let now = at("2026-02-13T10:10:30Z");
            assert_eq!(rhythm.passed(first, now), Some((11, at("2026-02-13T10:10:00Z"))));
            let passed = rhythm.passed(first, at("2027-02-13T10:10:30Z")).unwrap();
            assert_eq!(passed, (COUNT_MAX, at("2027-02-13T10:10:00Z")), "counting has an end");
        }
    }

    #[test]
    fn what_is_no_calendar_is_refused_with_its_reason() {
        for (expression, zone, said) in [
            ("", "UTC", "is no cron expression: it is empty; five fields are minute, hour"),
            ("* * * *", "UTC", "is no cron expression: it has 4 fields; five"),
            ("61 * * * *", "UTC", "is no cron expression: 61 is no minute; five"),
            ("99 0 9 * * *", "UTC", "is no cron expression: 99 is no second; five"),
            ("0 9 * * mon-fry", "UTC", "is no cron expression: mon-fry is no day of week; five"),
            ("0 */0 * * *", "UTC", "is no cron expression: */0 is no hour; five"),
            (
                "@reboot",
                "UTC",
                "is no cron expression: there are @hourly, @daily, @weekly, @monthly and @yearly",
            ),
            ("every day", "UTC", "is no cron expression: it has 2 fields; five"),
            ("* * * * *", "Mars/Olympus", "no time zone \"Mars/Olympus\""),
        ] {
            let error = Calendar::parse(expression, zone).unwrap_err().to_string();
            assert!(error.contains(said), "{expression}: {error}");
        }
        let long = "*,".repeat(1_000);
        assert!(Calendar::parse(&long, "UTC").unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn a_day_that_never_comes_has_no_next_time() {
        let never = Rhythm::Cron(Calendar::parse("0 0 30 2 *", "UTC").unwrap());
        assert_eq!(never.next_after(at("2026-02-13T10:00:00Z"), at("2026-02-13T10:00:00Z")), None);
    }

    #[test]
    fn a_time_that_no_calendar_has_is_followed_by_none() {
        let daily = Rhythm::Cron(Calendar::parse("@daily", "Pacific/Kiritimati").unwrap());
        for at in [Timestamp::MIN_UTC, Timestamp::MAX_UTC] {
            assert_eq!(daily.next_after(at, at), None);
            assert_eq!(daily.passed(at, at), Some((1, at)));
        }
    }
}
