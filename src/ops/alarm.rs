//! The alarm's process: sleeps until the next thing is due, makes a pass, and leaves when nothing is due soon.
//!
//! It is there only while something waits for a time that is near: a retry's delay, a start that was put off. One is
//! there at a time; `exec/local/alarm.rs` tells how none is missed.

use super::home::{BrokenConfig, Home};
use crate::exec::local::alarm;
use crate::model::{Timestamp, facts::Facts};
use crate::os::{clock::Clock, detach, timer::Timer, timer::wait_for_any};
use crate::plan::{Scope, WAKE_HORIZON, due, pick};
use crate::store::{Follow, Store};
use std::path::Path;
use std::time::Duration;

/// After a change of the index, how long is waited for further ones before it is read: a busy queue changes it many
/// times a second, and nothing that comes due meanwhile is missed.
const CHANGES_INTERVAL: Duration = Duration::from_millis(100);

/// How long is waited before a pass is made again that failed, or after which what is due still waits: at first, and at
/// most.
const RETRY_INTERVAL_MIN: Duration = Duration::from_millis(100);
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(30);

/// Runs the alarm of a root. Nobody hears this process; what it cannot do, the next pass does.
pub fn run(root: &Path) {
    detach::settle();
    // A root that was removed is not made again.
    if !root.is_dir() {
        return;
    }
    let Ok(mut home) = Home::open_at(root, BrokenConfig::Warns) else { return };
    loop {
        let Ok(Some(held)) = alarm::acquire(&home.root) else { return };
        while_needed(&mut home);
        drop(held);
        // Who committed something in between found the lock taken.
        if !home.store().read().is_ok_and(|facts| wanted(&home, &facts).is_some()) {
            return;
        }
    }
}

/// What the alarm is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Something can start now.
    Pass,
    /// Something is due then, which is soon.
    At(Timestamp),
}

fn wanted(home: &Home, facts: &Facts) -> Option<Wanted> {
    let now = home.clock.now();
    let starts = |head| pick::would_start(facts, head, now, &home.config, &home.site);
    if facts.heads().any(starts) {
        return Some(Wanted::Pass);
    }
    due::next(facts, now).filter(|at| *at - now <= WAKE_HORIZON).map(Wanted::At)
}

fn while_needed(home: &mut Home) {
    let root = home.root.path().to_owned();
    // Made before the index is read, so that no change is missed.
    let Ok(follow) = home.store().follow() else { return };
    let mut rest = RETRY_INTERVAL_MIN;
    while root.is_dir() {
        home.config = home.current_config();
        let Ok(facts) = home.store().read() else {
            // Somebody may be mending it; what is due then is found then.
            let _ = follow.wait(&[], Some(rest));
            rest = (rest * 2).min(RETRY_INTERVAL_MAX);
            if rest == RETRY_INTERVAL_MAX {
                return;
            }
            continue;
        };
        match wanted(home, &facts) {
            None => return,
            Some(Wanted::At(at)) => {
                rest = RETRY_INTERVAL_MIN;
                sleep_until(home, follow.as_ref(), at);
            }
            Some(Wanted::Pass) => {
                pass(home);
                let again =
                    home.store().read().map_or(true, |facts| wanted(home, &facts) == Some(Wanted::Pass));
                if again {
                    let _ = follow.wait(&[], Some(rest));
                    rest = (rest * 2).min(RETRY_INTERVAL_MAX);
                }
            }
        }
    }
}

/// A whole pass. What it launches is nobody's child here.
fn pass(home: &Home) {
    let store = home.store();
    let mut executor = home.local();
    executor.orphan_watchers = true;
    let _ = home.pass(&store, &executor).advance(Scope::Whole, &mut |_| Ok(()));
}

/// Sleeps until that time, until the clock is set, or until a while after the index has changed.
fn sleep_until(home: &Home, follow: &dyn Follow, at: Timestamp) {
    let timer = Timer::at(at);
    let fds: Vec<_> = timer.descriptor().into_iter().collect();
    let limit = timer.limit(at, home.clock.now());
    let went_off = follow.wait(&fds, limit).map_or(true, |readable| readable.contains(&true));
    if !went_off {
        let _ = wait_for_any(&fds, CHANGES_INTERVAL);
    }
}
