//! Times as people type them, and as programs print them.

use super::schedule::zone;
use crate::model::Timestamp;
use chrono::{DateTime, Datelike, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::OffsetName;

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTime {
    /// Not in a form we read.
    Form,
    /// The clocks were put forward then.
    Skipped,
}

/// What is said of a local time that does not exist.
pub const SKIPPED: &str = "the clocks were put forward then: there is no such local time";

/// Reads RFC 3339, a local time (`2026-11-21 14:30`), or a day (`2026-11-21`), which is its first instant.
pub fn parse_time(text: &str) -> Result<Timestamp, BadTime> {
    let text = text.trim();
    let at = match DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.to_utc(),
        Err(_) => parse_local_time(text)?,
    };
    if (0..=YEAR_MAX).contains(&at.year()) { Ok(at) } else { Err(BadTime::Form) }
}

fn parse_local_time(text: &str) -> Result<Timestamp, BadTime> {
    let local = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
        .ok_or(BadTime::Form)?;
    utc(local)
}

/// Reads a time as programs print it: what [`parse_time`] reads, seconds since 1970 (`date +%s`), and the forms of `date`,
/// `date -R` and `openssl x509 -enddate`. What can be read in two ways, such as 02/03/26, is no time; nor is a time of day in
/// a zone that is not this machine's, but for UTC.
pub fn parse_printed_time(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_matches('"');
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let text = text.split_once('=').filter(|(name, _)| is_word(name)).map_or(text, |(_, value)| value).trim();
    let at = epoch(text)
        .or_else(|| parse_time(text).ok())
        .or_else(|| DateTime::parse_from_rfc2822(text).ok().map(|at| at.to_utc()))
        .or_else(|| with_offset(text))
        .or_else(|| with_zone(text))?;
    (0..=YEAR_MAX).contains(&at.year()).then_some(at)
}

/// Later years are no times that anybody meant.
const YEAR_MAX: i32 = 9_999;

/// Seconds since 1970, with a fraction where there is one; with 13 digits they are thousandths. Fewer than 9 digits may mean
/// anything.
fn epoch(text: &str) -> Option<Timestamp> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    match whole.len() {
        9..=11 => DateTime::from_timestamp(whole.parse().ok()?, 0),
        13 => DateTime::from_timestamp_millis(whole.parse().ok()?),
        _ => None,
    }
}

fn with_offset(text: &str) -> Option<Timestamp> {
    let forms = ["%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%dT%H:%M:%S%.f%z"];
    forms.into_iter().find_map(|form| DateTime::parse_from_str(text, form).ok()).map(|at| at.to_utc())
}

/// A time with the short name of its zone somewhere, or without one.
fn with_zone(text: &str) -> Option<Timestamp> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const FORMS: [&str; 8] = [
        "%B %d %H:%M:%S %Y",
        "%B %d %I:%M:%S %p %Y",
        "%d %B %Y %H:%M:%S",
        "%d %B %Y %I:%M:%S %p",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let is_zone =
        |word: &&str| (3..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let glued = ["UTC", "GMT"].into_iter().find(|zone| text.ends_with(zone));
    let text = glued.map_or_else(|| text.to_owned(), |zone| format!("{} {zone}", &text[..text.len() - 3]));
    let words = text.split_whitespace().filter(|word| !DAYS.iter().any(|day| word.starts_with(day)));
    let (zones, words): (Vec<&str>, Vec<&str>) = words.partition(is_zone);
    let text = words.join(" ");
    let naive = FORMS.into_iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())?;
    match zones[..] {
        [] => utc(naive).ok(),
        ["UTC" | "GMT"] => Some(naive.and_utc()),
        [name] => {
            let zone: chrono_tz::Tz = zone::local().parse().ok()?;
            let here = zone.from_local_datetime(&naive);
            let both = [here.earliest(), here.latest()].into_iter().flatten();
            both.into_iter().find(|at| at.offset().abbreviation() == Some(name)).map(|at| at.to_utc())
        }
        _ => None,
    }
}

fn utc(local: NaiveDateTime) -> Result<Timestamp, BadTime> {
    Local.from_local_datetime(&local).earliest().map(|at| at.to_utc()).ok_or(BadTime::Skipped)
}

/// Reads a time that is to come: those of [`parse_time`], or a time of day (`15:00`), which is the next one.
pub fn parse_coming_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    const FORMS: &str =
        "expected a time such as 15:00, '2026-11-21 14:30', 2026-11-21 or 2026-11-21T14:30:00Z";
    let say = |bad| match bad {
        BadTime::Form => FORMS.to_owned(),
        BadTime::Skipped => SKIPPED.to_owned(),
    };
    let of_day =
        ["%H:%M", "%H:%M:%S"].into_iter().find_map(|form| NaiveTime::parse_from_str(text.trim(), form).ok());
    if let Some(time) = of_day {
        let today = now.with_timezone(&Local).date_naive();
        let coming = (0..3).filter_map(|days| {
            let day = today.checked_add_signed(TimeDelta::days(days))?;
            utc(day.and_time(time)).ok()
        });
        return coming.into_iter().find(|at| *at > now).ok_or_else(|| FORMS.to_owned());
    }
    let at = parse_time(text).map_err(say)?;
    if at <= now { Err("that time has passed; leave --at away to start now".to_owned()) } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_that_nobody_means_is_no_time() {
        for text in ["+262142-12-31 23:59", "-262143-01-01", "-0001-01-01 00:00", "+10000-01-01"] {
            assert_eq!(parse_time(text), Err(BadTime::Form), "{text}");
        }
        assert_eq!(parse_time("9999-12-31T23:59:59-01:00"), Err(BadTime::Form));
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let now = Local.with_ymd_and_hms(2026, 6, 10, 14, 0, 0).unwrap().to_utc();
        let at = |text: &str| {
            parse_coming_time(text, now).map(|at| at.with_timezone(&Local).format("%d %H:%M:%S").to_string())
        };
        assert_eq!(at("15:00").unwrap(), "10 15:00:00");
        assert_eq!(at("14:00").unwrap(), "11 14:00:00");
        assert_eq!(at("9:30").unwrap(), "11 09:30:00");
        assert_eq!(at("2026-06-11 08:00").unwrap(), "11 08:00:00");
        assert_eq!(at("2026-06-11").unwrap(), "11 00:00:00");
    }

    #[test]
    fn times_are_read_as_programs_print_them() {
        for text in [
            "2026-02-13T10:00:00Z",
            "2026-02-13T11:00:00+01:00",
            "2026-02-13T11:00:00+0100",
            "2026-02-13 11:00:00 +0100",
            "2026-02-13 10:00:00.000000000 +0000",
            "2026-02-13T10:00:00.123Z",
            "\"2026-02-13T10:00:00Z\"",
            "2026-02-13T10:00:00UTC",
            "2026-02-13 10:00 UTC",
            "1770976800",
            "@1770976800",
            "1770976800.25",
            "1770976800000",
            "Fri, 13 Feb 2026 10:00:00 +0000",
            "Fri, 13 Feb 2026 10:00:00 GMT",
            "Fri Feb 13 10:00:00 UTC 2026",
            "Fri Feb 13 10:00:00 AM UTC 2026",
            "Fri 13 Feb 2026 10:00:00 AM UTC",
            "Friday 13 February 2026 10:00:00 UTC",
            "notAfter=Feb 13 10:00:00 2026 GMT",
            " 2026-02-13T10:00:00Z\n",
        ] {
            let at = parse_printed_time(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(at.timestamp(), 1_770_976_800, "{text}");
        }
        let local = Local.with_ymd_and_hms(2026, 2, 13, 10, 0, 0).unwrap().to_utc();
        for text in ["2026-02-13 10:00", "2026-02-13 10:00:00", "Fri Feb 13 10:00:00 2026"] {
            assert_eq!(parse_printed_time(text), Some(local), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_or_may_be_two_is_not_read() {
        for text in [
            "",
            "soon",
            "10",
            "20260213",
            "-1",
            "1e9",
            "02/13/2026 10:00:00",
            "02/03/26 10:00",
            "10:00:00",
            "99999999999999",
            "2026-02-30 10:00",
            "Fri Feb 13 10:00:00 XYZ 2026",
            "2026-02-13T10:00:00Z\n2026-02-13T11:00:00Z",
            "=",
            "\"",
            "💥",
        ] {
            assert_eq!(parse_printed_time(text), None, "{text}");
        }
    }

    #[test]
    fn what_has_passed_and_what_is_no_time_is_refused() {
        let now = "2026-06-10T14:00:00Z".parse().unwrap();
        assert!(parse_coming_time("2020-01-01", now).unwrap_err().contains("has passed"));
        for bad in ["soon", "25:00", "2026-13-01", "", "10", "-5"] {
            assert!(parse_coming_time(bad, now).unwrap_err().starts_with("expected"), "{bad}");
        }
    }
}
