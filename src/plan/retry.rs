//! Retries: whether an attempt that failed is followed by another, and when.

use super::chance;
use crate::model::{
    Timestamp,
    job::Job,
    outcome::{Outcome, exit_code},
    retry::Retry,
};
use chrono::TimeDelta;

/// How far a wait is moved at random, so that what failed together does not come back together.
const JITTER_PERCENT: i64 = 10;

/// When a running job is tried again after this outcome of its attempt; `None`: never.
///
/// It speaks of failures only: whether the outcome is one, or the job was cancelled, the transition function knows.
pub fn retry_at(job: &Job, outcome: &Outcome) -> Option<Timestamp> {
    let retry = &job.spec.retry;
    // A hand-made entry may run without a number; it is at its first attempt at least.
    if job.attempt.max(1) >= retry.attempts_max || !is_worth_another(retry, job, outcome) {
        return None;
    }
    outcome.at.checked_add_signed(delay(job, job.attempt.max(1)))
}

fn is_worth_another(retry: &Retry, job: &Job, outcome: &Outcome) -> bool {
    let code = code(job, outcome);
    code != 0 && retry.codes.as_ref().is_none_or(|codes| codes.contains(code))
}

fn code(job: &Job, outcome: &Outcome) -> i32 {
    exit_code(&outcome.exit, job.ending().map(|ending| ending.why))
}

/// The wait after so many attempts: it doubles with each, up to the longest, and is moved by up to a tenth.
///
/// The move follows from the job's id and the attempt, so that the same facts always give the same plan.
fn delay(job: &Job, attempts: u32) -> TimeDelta {
    let retry = &job.spec.retry;
    let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    let seconds = retry.delay_seconds.saturating_mul(doubled).min(retry.delay_seconds_max);
    let milliseconds = i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX / 200);
    let per_mille = chance::spread(job.id.as_str(), attempts.into(), JITTER_PERCENT * 10);
    TimeDelta::try_milliseconds(milliseconds + milliseconds / 1_000 * per_mille).unwrap_or(TimeDelta::MAX)
}

/// The sentence about an attempt's outcome, with the attempt where there may be several.
pub fn summarize(job: &Job, outcome: &Outcome, is_followed: bool) -> Option<String> {
    let summary = job.summarize(outcome);
    let (number, most) = (job.attempt, job.spec.retry.attempts_max);
    let may_fail = most > 1 && code(job, outcome) != 0;
    let Some(words) = summary.filter(|_| may_fail) else { return job.summarize(outcome) };
    Some(match is_followed {
        true => format!("attempt {number} of {most}: {words}"),
        false if number >= most => format!("{words}; that was the last of {most} attempts"),
        false => format!("{words}; that was attempt {number} of {most}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        claim::{Claim, ExecutorName, Site},
        id::JobId,
        outcome::Exit,
        retry::Codes,
        spec::{Command, JobSpec},
        state::Change,
    };

    fn at() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn running(random: &str, retry: Retry, attempt: u32) -> Job {
        let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        spec.retry = retry;
        let mut job = Job::new(JobId::parse(&format!("bg_20260213_{random}")).unwrap(), spec, at());
        let site = Site { host: "h".into(), machine: String::new(), boot: "b".into(), pid_namespace: 1 };
        job.change(&Change::Claim { at: at(), claim: Claim { site, executor: ExecutorName::Local } });
        job.attempt = attempt;
        job
    }

    fn wait(job: &Job, exit: Exit) -> Option<i64> {
        retry_at(job, &Outcome::bare(exit, at())).map(|then| (then - at()).num_milliseconds())
    }

    fn retry(attempts_max: u32, delay_seconds: u64, delay_seconds_max: u64) -> Retry {
        Retry { attempts_max, delay_seconds, delay_seconds_max, codes: None }
    }

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_is_moved_by_a_tenth_at_most() {
        for (attempt, seconds) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (70, 60)] {
            let job = running("aaaaaa", retry(100, 5, 60), attempt);
            let waited = wait(&job, Exit::Code(1)).unwrap();
            let (least, most) = (seconds * 900, seconds * 1_100);
            assert!((least..=most).contains(&waited), "attempt {attempt}: {waited} ms");
        }
    }

    #[test]
    fn jobs_that_fail_together_come_back_apart_and_the_same_facts_give_the_same_plan() {
        let waits: std::collections::BTreeSet<_> = ["aaaaaa", "aaaaab", "bbbbbb", "cccccc", "dddddd"]
            .into_iter()
            .map(|random| wait(&running(random, retry(3, 5, 60), 1), Exit::Code(1)).unwrap())
            .collect();
        assert!(waits.len() >= 4, "{waits:?}");
        let job = running("aaaaaa", retry(3, 5, 60), 1);
        assert_eq!(wait(&job, Exit::Code(1)), wait(&job, Exit::Code(1)));
    }

    #[test]
    fn the_last_attempt_is_followed_by_none() {
        assert!(wait(&running("aaaaaa", retry(3, 5, 60), 2), Exit::Code(1)).is_some());
        assert_eq!(wait(&running("aaaaaa", retry(3, 5, 60), 3), Exit::Code(1)), None);
        assert_eq!(wait(&running("aaaaaa", retry(1, 5, 60), 1), Exit::Code(1)), None);
    }

    #[test]
    fn only_the_codes_that_were_asked_for_are_tried_again() {
        let codes = Some(Codes::parse("75,137").unwrap());
        let job = running("aaaaaa", Retry { codes, ..retry(3, 5, 60) }, 1);
        assert!(wait(&job, Exit::Code(75)).is_some());
        assert!(wait(&job, Exit::Signal(9)).is_some(), "128 + 9");
        assert_eq!(wait(&job, Exit::Code(1)), None);
        assert_eq!(wait(&job, Exit::Unknown { reason: "nobody saw it".into() }), None);
    }

    #[test]
    fn no_wait_is_too_long_to_be_counted() {
        let job = running("aaaaaa", retry(10_000, u64::MAX, u64::MAX), 9_999);
        assert!(wait(&job, Exit::Code(1)).is_none_or(|waited| waited > 0));
    }

    #[test]
    fn a_success_is_followed_by_none_and_needs_no_count() {
        let job = running("aaaaaa", retry(3, 5, 60), 1);
        assert_eq!(wait(&job, Exit::Code(0)), None);
        assert_eq!(wait(&job, Exit::NotExecuted), None);
        let mut outcome = Outcome::bare(Exit::Code(0), at());
        outcome.notes.push("a note".into());
        assert_eq!(summarize(&job, &outcome, false).unwrap(), "a note");
    }

    #[test]
    fn the_sentence_says_which_attempt_it_was() {
        let say = |attempts_max, attempt, followed| {
            let job = running("aaaaaa", retry(attempts_max, 5, 60), attempt);
            summarize(&job, &Outcome::bare(Exit::Code(7), at()), followed).unwrap()
        };
        assert_eq!(say(1, 1, false), "exit code 7");
        assert_eq!(say(3, 1, true), "attempt 1 of 3: exit code 7");
        assert_eq!(say(3, 3, false), "exit code 7; that was the last of 3 attempts");
        assert_eq!(say(3, 2, false), "exit code 7; that was attempt 2 of 3");
    }
}
