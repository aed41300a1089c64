//! Times and what is told of many of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Times of the same work.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Whether there is none: the work was not asked of this one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The time that half of them do not exceed, in milliseconds.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The time that so many of a hundred do not exceed, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut times = self.0.clone();
        times.sort_unstable();
        let place = (times.len().saturating_sub(1) * percent + 50) / 100;
        times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    }
}

/// How long a command takes from its launch to its end.
///
/// # Panics
///
/// When it fails: what fails is not measured.
pub fn time(command: &mut Command) -> Duration {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status();
    let took = begun.elapsed();
    match status {
        Ok(status) if status.success() => took,
        other => panic!("{command:?} failed: {other:?}"),
    }
}

/// What a command prints.
pub fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
