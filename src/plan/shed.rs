//! Shedding: which logs go when all together are too large.

use crate::model::{Timestamp, id::JobId, limit::BytesMax};

/// A log and the space it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSize {
    /// Whose.
    pub id: JobId,
    /// Whether its job has ended; the logs of others stay.
    pub has_ended: bool,
    /// When its job ended; an end that nobody wrote down was long ago.
    pub ended_at: Option<Timestamp>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// A log of so few bytes is not worth removing: what tells that it was removed takes as much.
const BYTES_MIN: u64 = 4_096;

/// The part of the limit that the logs of ended jobs have, however large those of running jobs are.
const SHARE_DIVISOR: u64 = 4;

/// The logs that go so that all take at most `bytes_max` together: those of the jobs that ended first.
///
/// The log of the job that ended last stays: whoever waited for it comes to read it. And where running jobs alone take
/// too much, those of ended jobs keep a quarter of the limit, because taking it from them would not help.
pub fn shed(logs: &[LogSize], bytes_max: BytesMax) -> Vec<JobId> {
    let Some(bytes_max) = bytes_max else { return Vec::new() };
    let sum = |has_ended: bool| -> u64 {
        logs.iter().filter(|log| log.has_ended == has_ended).map(|log| log.bytes).sum()
    };
    let room = bytes_max.saturating_sub(sum(false)).max(bytes_max / SHARE_DIVISOR);
    let mut ended: Vec<&LogSize> = logs.iter().filter(|log| log.has_ended && log.bytes > BYTES_MIN).collect();
    ended.sort_by_key(|log| log.ended_at);
    ended.pop();
    let mut total = sum(true);
    let mut gone = Vec::new();
    for log in ended {
        if total <= room {
            break;
        }
        total -= log.bytes;
        gone.push(log.id.clone());
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(random: &str, minute: Option<u32>, bytes: u64) -> LogSize {
        let at = |minute: u32| format!("2026-02-13T10:{minute:02}:00Z").parse().unwrap();
        let id = JobId::parse(&format!("bg_20260213_{random}")).unwrap();
        LogSize { id, has_ended: minute.is_some(), ended_at: minute.map(at), bytes }
    }

    fn gone(logs: &[LogSize], bytes_max: BytesMax) -> Vec<String> {
        shed(logs, bytes_max).iter().map(|id| id.random_part().to_owned()).collect()
    }

    #[test]
    fn the_logs_of_jobs_that_ended_first_go_until_the_others_fit() {
        let logs = [
            log("bbbbbb", Some(2), 50_000),
            log("aaaaaa", Some(1), 50_000),
            log("cccccc", Some(3), 50_000),
            log("rrrrrr", None, 100_000),
        ];
        assert_eq!(gone(&logs, Some(250_000)), Vec::<String>::new());
        assert_eq!(gone(&logs, Some(249_999)), ["aaaaaa"]);
        assert_eq!(gone(&logs, Some(160_000)), ["aaaaaa", "bbbbbb"]);
        assert_eq!(
            gone(&logs, Some(0)),
            ["aaaaaa", "bbbbbb"],
            "those of the running and of the last job stay"
        );
        assert_eq!(gone(&logs, None), Vec::<String>::new());
    }

    #[test]
    fn a_running_job_that_takes_too_much_does_not_take_all_from_the_others() {
        let logs =
            [log("aaaaaa", Some(1), 50_000), log("bbbbbb", Some(2), 50_000), log("rrrrrr", None, 900_000)];
        assert_eq!(gone(&logs, Some(400_000)), Vec::<String>::new());
        assert_eq!(gone(&logs, Some(399_996)), ["aaaaaa"]);
    }

    #[test]
    fn a_log_that_was_removed_is_not_removed_again() {
        assert_eq!(
            gone(&[log("aaaaaa", Some(1), 4_096), log("rrrrrr", None, 500_000)], Some(1)),
            Vec::<String>::new()
        );
    }
}
