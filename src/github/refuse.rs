//! What a status that is no success comes to.

use super::{Refusal, http::Answer};
use crate::model::Timestamp;
use chrono::{DateTime, TimeDelta};
use serde_json::Value;

/// How long nothing is asked where GitHub wants a pause and says no length ("Rate limits for the REST API": at least one minute).
const PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The longest pause that is believed.
const PAUSE_MAX: TimeDelta = TimeDelta::days(1);
/// So much of what GitHub says about a refusal is shown.
const SHOWN_CHARS_MAX: usize = 200;

/// What stands in the place of the token where somebody else wrote it into a text.
pub(super) const HIDDEN: &str = "…";

/// What a request wants, in words for its refusal.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// What it is about: `issue o/r#5`, `repository o/r`.
    pub subject: String,
    /// What a token needs the right to: `read issues`.
    pub right: &'static str,
}

/// Why an answer cannot be used. The secret is left out of what it says, should it be in there.
pub(super) fn refusal(answer: &Answer, wish: &Wish, now: Timestamp, secret: &str) -> Refusal {
    let subject = || wish.subject.clone();
    match answer.status {
        301 | 302 | 303 | 307 | 308 => Refusal::Moved(subject()),
        401 => Refusal::BadToken,
        403 | 429 => limited_until(answer, now)
            .map_or(Refusal::Forbidden(wish.right), |until| Refusal::Limited { until }),
        404 => Refusal::NotFound(subject()),
        410 => Refusal::Gone(subject()),
        500..=599 => Refusal::Server(answer.status),
        status => {
            let message = message(&answer.body, secret).map(|text| format!(": {text}"));
            Refusal::Odd(format!("status {status}{}", message.unwrap_or_default()))
        }
    }
}

/// Until when nothing more may be asked. `None`: it is no limit that was met.
fn limited_until(answer: &Answer, now: Timestamp) -> Option<Timestamp> {
    let is_used_up = answer.remaining.as_deref().is_some_and(|left| left.trim() == "0");
    let wanted = if let Some(seconds) = &answer.retry_after {
        seconds
            .trim()
            .parse()
            .ok()
            .and_then(TimeDelta::try_seconds)
            .map(|wait| wait.max(TimeDelta::seconds(1)))
    } else if is_used_up {
        let reset = answer.reset.as_deref().and_then(|reset| reset.trim().parse().ok());
        reset.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).map(|reset| reset - now)
    } else if answer.status == 429 || says_secondary_limit(&answer.body) {
        None
    } else {
        return None;
    };
    // A time that is over by our clock does not mean that it is over by theirs.
    let wait = wanted.filter(|wait| *wait > TimeDelta::zero()).unwrap_or(PAUSE);
    Some(now + wait.min(PAUSE_MAX))
}

fn says_secondary_limit(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).to_lowercase().contains("secondary rate limit")
}

/// What GitHub says about it, as one line.
fn message(body: &[u8], secret: &str) -> Option<String> {
    let said: Value = serde_json::from_slice(body).ok()?;
    Some(one_line(&said.get("message")?.as_str()?.replace(secret, HIDDEN)))
}

/// The beginning of a text that somebody else wrote, to be shown.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ghp_secret";

    fn now() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn answer(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    fn refused(answer: &Answer) -> Refusal {
        let wish = Wish { subject: "issue o/r#5".to_owned(), right: "read issues" };
        refusal(answer, &wish, now(), SECRET)
    }

    fn limited_for(answer: &Answer) -> Option<i64> {
        match refused(answer) {
            Refusal::Limited { until } => Some((until - now()).num_seconds()),
            _ => None,
        }
    }

    #[test]
    fn each_status_has_its_refusal() {
        let subject = || "issue o/r#5".to_owned();
        for (status, expected) in [
            (301, Refusal::Moved(subject())),
            (302, Refusal::Moved(subject())),
            (307, Refusal::Moved(subject())),
            (308, Refusal::Moved(subject())),
            (401, Refusal::BadToken),
            (403, Refusal::Forbidden("read issues")),
            (404, Refusal::NotFound(subject())),
            (410, Refusal::Gone(subject())),
            (500, Refusal::Server(500)),
            (503, Refusal::Server(503)),
            (204, Refusal::Odd("status 204".to_owned())),
            (304, Refusal::Odd("status 304".to_owned())),
            (451, Refusal::Odd("status 451".to_owned())),
        ] {
            assert_eq!(refused(&answer(status)), expected, "{status}");
        }
    }

    #[test]
    fn a_limit_lasts_as_long_as_the_answer_says() {
        for status in [403, 429] {
            let after = Answer { retry_after: Some("90".into()), ..answer(status) };
            assert_eq!(limited_for(&after), Some(90));
            let reset = Some((now().timestamp() + 600).to_string());
            let used_up = Answer { remaining: Some("0".into()), reset: reset.clone(), ..answer(status) };
            assert_eq!(limited_for(&used_up), Some(600));
            let both = Answer { retry_after: Some("5".into()), ..used_up };
            assert_eq!(limited_for(&both), Some(5));
        }
    }

    #[test]
    fn a_limit_without_a_usable_length_lasts_a_minute() {
        let body = br#"{"message": "You have exceeded a Secondary Rate Limit."}"#.to_vec();
        assert_eq!(limited_for(&Answer { body, ..answer(403) }), Some(60));
        assert_eq!(limited_for(&answer(429)), Some(60));
        assert_eq!(limited_for(&Answer { retry_after: Some("soon".into()), ..answer(403) }), Some(60));
        assert_eq!(limited_for(&Answer { remaining: Some("0".into()), ..answer(403) }), Some(60));
        let past = Answer { remaining: Some("0".into()), reset: Some("1000000000".into()), ..answer(403) };
        assert_eq!(limited_for(&past), Some(60));
    }

    #[test]
    fn a_limit_lasts_a_second_at_least_and_a_day_at_most() {
        assert_eq!(limited_for(&Answer { retry_after: Some("0".into()), ..answer(429) }), Some(1));
        for long in ["100000", "9223372036854775807"] {
            let until = limited_for(&Answer { retry_after: Some(long.into()), ..answer(429) });
            assert!([Some(86_400), Some(60)].contains(&until), "{until:?}");
        }
        let far = Answer { remaining: Some("0".into()), reset: Some("8000000000000".into()), ..answer(403) };
        assert_eq!(limited_for(&far), Some(86_400));
    }

    #[test]
    fn what_is_left_of_a_limit_makes_no_limit_of_a_missing_right() {
        let answer =
            Answer { remaining: Some("4999".into()), reset: Some("2000000000".into()), ..answer(403) };
        assert_eq!(refused(&answer), Refusal::Forbidden("read issues"));
    }

    #[test]
    fn what_github_says_of_an_odd_status_is_shown_as_one_short_line_without_the_secret() {
        let body = format!(r#"{{"message": "Validation\nFailed of {SECRET} {}"}}"#, "x".repeat(1_000));
        let Refusal::Odd(text) = refused(&Answer { body: body.into_bytes(), ..answer(422) }) else {
            panic!()
        };
        assert!(text.starts_with("status 422: Validation Failed of … x"), "{text}");
        assert!(text.len() < 300);
    }
}
