//! Times as people type them.

use crate::model::Timestamp;
use chrono::{Local, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};

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
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let local = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN)))
        .ok_or(BadTime::Form)?;
    utc(local)
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
    fn what_has_passed_and_what_is_no_time_is_refused() {
        let now = "2026-06-10T14:00:00Z".parse().unwrap();
        assert!(parse_coming_time("2020-01-01", now).unwrap_err().contains("has passed"));
        for bad in ["soon", "25:00", "2026-13-01", "", "10", "-5"] {
            assert!(parse_coming_time(bad, now).unwrap_err().starts_with("expected"), "{bad}");
        }
    }
}
