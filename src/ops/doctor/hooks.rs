//! Whether hooks do what they are for: nobody waits for one, so that a failure is easily missed.

use super::{Finding, Grade, Ground, count};
use crate::os::clock::Clock;
use crate::store::{root::HOOKS_LOG, stream};
use chrono::TimeDelta;

const CHECK: &str = "hooks";

/// What failed before that is past.
const RECENT: TimeDelta = TimeDelta::days(1);

/// The event of a hook that failed, as its line has it.
const FAILED: &str = "\"event\":\"hook_failed\"";

/// Counts those that failed within a day.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let Some(home) = &ground.home else { return Vec::new() };
    // A stream that cannot be read is another check's matter.
    let Ok(lines) = stream::told_with(&home.root, 0, FAILED) else { return Vec::new() };
    let now = home.clock.now();
    let failed = lines.iter().filter(|line| now - line.at < RECENT).count();
    if failed == 0 {
        return Vec::new();
    }
    let text = format!("{} failed within a day", count(failed, "hook"));
    let log = home.root.path().join(HOOKS_LOG);
    let mend = format!("bgctl events --event hook_failed says which, {} what they printed", log.display());
    vec![Finding::new(CHECK, Grade::Warning, text).mend(mend)]
}
