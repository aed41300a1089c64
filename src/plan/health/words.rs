//! What a reason says, and what mends it.

use super::{JobId, Kind, Reason, Timestamp};
use crate::model::limit::format_seconds;

/// Most jobs that a sentence names.
const NAMED_MAX: usize = 4;

impl Reason {
    /// What is the matter.
    pub fn words(&self, now: Timestamp) -> String {
        match self {
            Self::NothingTicks { what, due_at, last_tick } => {
                let last = match last_tick {
                    Some(at) => format!("the last tick was {} ago", span(*at, now)),
                    None => "there never was a tick".to_owned(),
                };
                format!("nothing ticks: {what} is due since {}, and {last}", span(*due_at, now))
            }
            Self::DiskFull => "the disk is full: nothing can be written down".to_owned(),
            Self::EndsUnwritten { jobs, is_disk_full } => {
                let why = if *is_disk_full { "the disk is full: " } else { "" };
                let (ends, it) = if jobs.len() == 1 { ("end", "it holds") } else { ("ends", "they hold") };
                format!("{why}the {ends} of {} cannot be written down, and {it} a slot", named(jobs))
            }
            Self::SessionExpired { name, at } => {
                format!("the session {name} ran out {} ago", span(*at, now))
            }
            Self::WatchersLost { jobs } => {
                let (watchers, are) = if jobs.len() == 1 { ("watcher", "is") } else { ("watchers", "are") };
                format!("the {watchers} of {} {are} gone", named(jobs))
            }
            Self::Unclear { jobs } => format!(
                "what became of {} cannot be told: the record is gone, or cannot be read",
                named(jobs)
            ),
            Self::ApprovalHindered { jobs, trouble: (trouble, alike) } => hindered(jobs, trouble, *alike),
            Self::DeadLetters { count, most } => format!("{count} dead letters, more than {most}"),
            Self::Utilisation { waiting, jobs_max } => {
                let percent = waiting.saturating_mul(100) / (*jobs_max).max(1);
                format!("the queue is {percent}% full: {waiting} of {jobs_max} wait")
            }
            Self::Backpressure { waiting, threshold } => {
                format!("submissions are refused: {waiting} wait, more than {threshold}")
            }
            Self::FailuresInRow { kind: Kind::Schedule, name, count, .. } => {
                format!("{name} failed {count} times in a row")
            }
            Self::FailuresInRow { kind: Kind::Name, name, count, .. } => {
                format!("{count} jobs called {name} failed in a row")
            }
            Self::ScheduleLate { name, due_at } => {
                format!("{name} is due since {}, and has not begun", span(*due_at, now))
            }
            Self::Settings { message } => message.clone(),
            Self::ScheduleMistake { message, .. } => format!("config.toml:{message}"),
        }
    }

    /// What to do next.
    pub fn mend(&self) -> String {
        match self {
            Self::NothingTicks { .. } => {
                "bgctl tick looks once; bgctl init cron prints the line for every minute".to_owned()
            }
            Self::DiskFull | Self::EndsUnwritten { is_disk_full: true, .. } => {
                "free some space, with bgctl prune or by emptying a log".to_owned()
            }
            Self::EndsUnwritten { .. } => {
                "bgctl tick --verbose says what is in the way of the index".to_owned()
            }
            Self::SessionExpired { name, .. } => {
                format!("bgctl health session_refresh.{name} shows its renewals")
            }
            Self::WatchersLost { .. } => "bgctl tick judges them, or gives them new ones".to_owned(),
            Self::Unclear { jobs } => match &jobs[..] {
                [only] => format!("bgctl status {only}"),
                _ => "bgctl list shows them".to_owned(),
            },
            Self::ApprovalHindered { .. } => "bgctl approval list shows what waits".to_owned(),
            Self::DeadLetters { .. } => {
                "bgctl dead lists them; bgctl retry --dead, or bgctl dead clear".to_owned()
            }
            Self::Utilisation { .. } | Self::Backpressure { .. } => {
                "bgctl list --status queued shows what waits".to_owned()
            }
            Self::FailuresInRow { last: Some(id), .. } => {
                format!("bgctl logs {id} has the output of the last")
            }
            Self::FailuresInRow { name, .. } => format!("bgctl health {name} shows how it went"),
            Self::ScheduleLate { .. } => "bgctl tick says what is in its way".to_owned(),
            Self::Settings { .. } => "bgctl config check shows every mistake".to_owned(),
            Self::ScheduleMistake { .. } => "mend that line; what was right before goes on".to_owned(),
        }
    }
}

/// Which answers cannot be seen or do not count, and why that is so of the first `alike` of them.
fn hindered(jobs: &[JobId], trouble: &str, alike: usize) -> String {
    let (alike, others) = jobs.split_at(alike.min(jobs.len()));
    let wait = if alike.len() == 1 { "waits" } else { "wait" };
    let others = match others.len() {
        0 => String::new(),
        1 => ", and 1 other job for another reason".to_owned(),
        count => format!(", and {count} other jobs for other reasons"),
    };
    format!("{} {wait} for an answer that cannot be seen or does not count: {trouble}{others}", named(alike))
}

/// How long ago, in one unit, or two for small ones.
fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = u64::try_from((to - from).num_seconds()).unwrap_or(0);
    let unit = match seconds {
        0..600 => 1,
        600..86_400 => 60,
        _ => 86_400,
    };
    format_seconds(seconds - seconds % unit)
}

/// Jobs by the random parts of their ids.
fn named(jobs: &[JobId]) -> String {
    let shown = if jobs.len() > NAMED_MAX { NAMED_MAX - 1 } else { jobs.len() };
    let mut names: Vec<String> = jobs[..shown].iter().map(|id| id.random_part().to_owned()).collect();
    if jobs.len() > shown {
        names.push(format!("{} more", jobs.len() - shown));
    }
    match names.split_last() {
        Some((last, before @ [_, ..])) => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn jobs(count: usize) -> Vec<JobId> {
        let random = ["aaaaaa", "bbbbbb", "cccccc", "dddddd", "eeeeee"];
        random[..count].iter().map(|random| JobId::parse(&format!("bg_20260213_{random}")).unwrap()).collect()
    }

    /// What is said of it at noon, and what mends it.
    fn said(reason: &Reason) -> (String, String) {
        (reason.words(at("2026-02-13T12:00:00Z")), reason.mend())
    }

    #[track_caller]
    fn assert_says(reason: &Reason, words: &str, mend: &str) {
        assert_eq!(said(reason), (words.to_owned(), mend.to_owned()));
    }

    #[test]
    fn a_session_that_ran_out_and_a_schedule_that_is_late_are_named_with_the_command_that_tells_more() {
        let (name, at) = ("mine".to_owned(), at("2026-02-13T10:30:00Z"));
        assert_says(
            &Reason::SessionExpired { name: name.clone(), at },
            "the session mine ran out 1h30m ago",
            "bgctl health session_refresh.mine shows its renewals",
        );
        assert_says(
            &Reason::ScheduleLate { name, due_at: at },
            "mine is due since 1h30m, and has not begun",
            "bgctl tick says what is in its way",
        );
    }

    #[test]
    fn the_mend_of_an_end_that_is_not_written_follows_from_whether_the_disk_is_full() {
        let unwritten = |is_disk_full| Reason::EndsUnwritten { jobs: jobs(2), is_disk_full };
        assert_says(
            &unwritten(false),
            "the ends of aaaaaa and bbbbbb cannot be written down, and they hold a slot",
            "bgctl tick --verbose says what is in the way of the index",
        );
        assert_says(
            &unwritten(true),
            "the disk is full: the ends of aaaaaa and bbbbbb cannot be written down, and they hold a slot",
            "free some space, with bgctl prune or by emptying a log",
        );
    }

    #[test]
    fn one_job_is_named_with_its_own_command_and_of_many_only_the_first() {
        let unclear = |count| Reason::Unclear { jobs: jobs(count) };
        assert_eq!(said(&unclear(1)).1, "bgctl status bg_20260213_aaaaaa");
        for (count, named) in [
            (2, "aaaaaa and bbbbbb"),
            (4, "aaaaaa, bbbbbb, cccccc and dddddd"),
            (5, "aaaaaa, bbbbbb, cccccc and 2 more"),
        ] {
            let words =
                format!("what became of {named} cannot be told: the record is gone, or cannot be read");
            assert_says(&unclear(count), &words, "bgctl list shows them");
        }
    }

    #[test]
    fn failures_without_a_last_job_point_to_the_history() {
        let failed = |last| Reason::FailuresInRow { kind: Kind::Name, name: "build".into(), count: 3, last };
        assert_eq!(said(&failed(None)).1, "bgctl health build shows how it went");
        assert_eq!(
            said(&failed(jobs(1).pop())).1,
            "bgctl logs bg_20260213_aaaaaa has the output of the last"
        );
    }
}
