//! How something that runs again and again has gone so far, how many jobs there were altogether, and the words for how
//! the whole is.

use super::{
    Timestamp,
    id::JobId,
    job::Job,
    outcome::{Exit, Why},
    state::{End, Verdict},
    unknown::Unknown,
};
use serde::{Deserialize, Serialize};

/// How many of the latest runs mean and percentile are made of.
pub const RECENT_RUNS: usize = 50;

/// The history of a schedule, or of all jobs of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The run that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// When a run last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success_at: Option<Timestamp>,
    /// Failures since then, or since the first run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures_in_row: u64,
    /// Runs that ended, those that were cancelled included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub runs: u64,
    /// Of these, those that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Times that passed without a run because nobody looked, or because the settings of then let them pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// Times that passed without a run because the one before it had not ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub overlapped: u64,
    /// How long the latest runs took, in milliseconds, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_ms: Vec<u64>,
}

/// The end of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its job; none for what a pass does itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub result: RunResult,
    /// What came of it, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Well.
    Succeeded,
    /// Not well; a run that the stale guard ended is one.
    Failed,
    /// Somebody ended it, or a newer run took its place: neither well nor not.
    Cancelled,
}

/// How the whole is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// All is well.
    #[default]
    Ok,
    /// It goes on, and somebody should look.
    Degraded,
    /// Something that should happen does not, until somebody does something.
    Failing,
}

impl HealthStatus {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Degraded, Self::Failing];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
        }
    }
}

impl RunResult {
    /// The word in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// That of a job's end.
    pub fn of(end: &End) -> Self {
        let is_stale = end.ending.as_ref().is_some_and(|ending| ending.why == Why::Stale);
        match end.verdict {
            Verdict::Completed => Self::Succeeded,
            Verdict::Failed => Self::Failed,
            Verdict::Cancelled if is_stale => Self::Failed,
            Verdict::Cancelled => Self::Cancelled,
        }
    }
}

impl Health {
    /// Adds a run that took so long.
    pub fn add(&mut self, run: LastRun, took_ms: Option<u64>) {
        self.runs = self.runs.saturating_add(1);
        match run.result {
            RunResult::Succeeded => {
                self.last_success_at = Some(run.at);
                self.failures_in_row = 0;
            }
            RunResult::Failed => {
                self.failed = self.failed.saturating_add(1);
                self.failures_in_row = self.failures_in_row.saturating_add(1);
            }
            RunResult::Cancelled => {}
        }
        if let Some(took_ms) = took_ms.filter(|_| run.result != RunResult::Cancelled) {
            self.recent_ms.push(took_ms);
            let excess = self.recent_ms.len().saturating_sub(RECENT_RUNS);
            self.recent_ms.drain(..excess);
        }
        self.last = Some(run);
    }

    /// Adds a job that has ended. One that never ran took no time.
    pub fn add_job(&mut self, job: &Job, end: &End) {
        let Some(at) = end.at else { return };
        let took = end.started_at.and_then(|started| u64::try_from((at - started).num_milliseconds()).ok());
        let note = end.summary.clone();
        self.add(LastRun { id: Some(job.id.clone()), at, result: RunResult::of(end), note }, took);
    }

    /// How long the latest runs took on average, in milliseconds.
    pub fn mean_ms(&self) -> Option<u64> {
        let count = u64::try_from(self.recent_ms.len()).ok().filter(|count| *count > 0)?;
        Some(self.recent_ms.iter().fold(0_u64, |sum, ms| sum.saturating_add(*ms)) / count)
    }

    /// What 95 of 100 of the latest runs did not take longer than, in milliseconds (nearest rank).
    pub fn p95_ms(&self) -> Option<u64> {
        let mut sorted = self.recent_ms.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 95).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

/// How many jobs ended, ever since somebody counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Those that exited with 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub succeeded: u64,
    /// Those that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Those that were cancelled.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cancelled: u64,
    /// Of all these, those of which nobody knows how they ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown_outcome: u64,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Totals {
    /// Counts a job that has ended.
    pub fn add(&mut self, end: &End) {
        let count = match end.verdict {
            Verdict::Completed => &mut self.succeeded,
            Verdict::Failed => &mut self.failed,
            Verdict::Cancelled => &mut self.cancelled,
        };
        *count = count.saturating_add(1);
        let exit = end.outcome.as_ref().map(|outcome| &outcome.exit);
        if matches!(exit, Some(Exit::Unknown { .. })) {
            self.unknown_outcome = self.unknown_outcome.saturating_add(1);
        }
        self.since = self.since.or(end.started_at).or(end.at);
    }

    /// All that ended.
    pub fn processed(&self) -> u64 {
        self.succeeded.saturating_add(self.failed).saturating_add(self.cancelled)
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(result: RunResult) -> LastRun {
        LastRun { id: None, at: "2026-02-13T10:00:00Z".parse().unwrap(), result, note: None }
    }

    #[test]
    fn failures_are_counted_until_a_success_and_a_cancelled_run_is_neither() {
        let mut health = Health::default();
        for result in [RunResult::Failed, RunResult::Cancelled, RunResult::Failed] {
            health.add(run(result), Some(1));
        }
        assert_eq!((health.failures_in_row, health.runs, health.failed), (2, 3, 2));
        assert_eq!(health.last_success_at, None);
        health.add(run(RunResult::Succeeded), Some(1));
        assert_eq!((health.failures_in_row, health.runs, health.failed), (0, 4, 2));
        assert!(health.last_success_at.is_some());
    }

    #[test]
    fn mean_and_percentile_are_those_of_the_latest_runs() {
        let mut health = Health::default();
        assert_eq!((health.mean_ms(), health.p95_ms()), (None, None));
        health.add(run(RunResult::Succeeded), Some(40));
        assert_eq!((health.mean_ms(), health.p95_ms()), (Some(40), Some(40)));
        for ms in 1..=100 {
            health.add(run(RunResult::Succeeded), Some(ms));
        }
        assert_eq!(health.recent_ms.len(), RECENT_RUNS);
        assert_eq!((health.mean_ms(), health.p95_ms()), (Some(75), Some(98)), "51 to 100");
    }
}
