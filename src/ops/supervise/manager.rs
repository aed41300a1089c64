//! What the service manager is told, where there is one that wants to know (`sd_notify(3)`). That it cannot be told changes
//! nothing.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// The service manager.
#[derive(Debug)]
pub struct Manager {
    is_ready: bool,
    status: String,
    /// How often it wants a sign of life: half of the time after which it gives up.
    interval: Option<Duration>,
    alive_at: Option<Instant>,
}

impl Manager {
    /// The one that the environment names.
    pub fn from_environment() -> Self {
        let interval = sd_notify::watchdog_enabled().map(|time| time / 2);
        Self { is_ready: false, status: String::new(), interval, alive_at: None }
    }

    /// Says once that all is well.
    pub fn ready(&mut self) {
        if !self.is_ready {
            self.is_ready = true;
            tell(&[NotifyState::Ready]);
        }
    }

    /// Says how things stand, where that has changed.
    pub fn status(&mut self, status: &str) {
        if self.status != status {
            status.clone_into(&mut self.status);
            tell(&[NotifyState::Status(status)]);
        }
    }

    /// Gives a sign of life, where one is due.
    pub fn alive(&mut self) {
        let Some(interval) = self.interval else { return };
        // A little early rather than a little late.
        if self.alive_at.is_none_or(|at| at.elapsed() >= interval * 9 / 10) {
            self.alive_at = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// A wait of at most `limit` that leaves time for the next sign of life.
    pub fn limit(&self, limit: Duration) -> Duration {
        let Some(interval) = self.interval else { return limit };
        let since = self.alive_at.map_or(interval, |at| at.elapsed());
        limit.min(interval.saturating_sub(since))
    }

    /// Says that this is the end.
    pub fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
