//! The alarm's process: sleeps until the next thing is due, makes a pass, and leaves when nothing is due soon.
//!
//! It is there only while something waits for a time that is near: a retry's delay, a start that was put off. One is
//! there at a time; `exec/local/alarm.rs` tells how none is missed.

use super::{
    home::{BrokenConfig, Home},
    schedule::file,
};
use crate::exec::local::{alarm, poller};
use crate::model::{Timestamp, facts::Facts};
use crate::os::{clock::Clock, detach, timer::Timer, timer::wait_for_any};
use crate::pass::Pass;
use crate::plan::{Scope, WAKE_HORIZON, approve, due, pick, recur};
use crate::store::{Follow, Store};
use std::path::Path;
use std::time::Duration;

/// After a change of the index, how long is waited for further ones before it is read: a busy queue changes it many
/// times a second, and nothing that comes due meanwhile is missed.
pub(super) const CHANGES_INTERVAL: Duration = Duration::from_millis(100);

/// An alarm looks at the index for this part of its time at the most.
pub(super) const LOOK_SHARE_DIVISOR: u32 = 10;

/// How long is waited before a pass is made again that failed, or after which what is due still waits: at first, and
/// from when on it is not waited any more.
pub(super) const RETRY_INTERVAL_MIN: Duration = Duration::from_millis(100);
pub(super) const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(30);

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
        let left = while_needed(&mut home);
        drop(held);
        if left == Left::InVain {
            return;
        }
        // Who committed something in between found the lock taken.
        if !home.store().read().is_ok_and(|facts| wanted(&home, &facts).is_some()) {
            return;
        }
    }
}

/// What the alarm is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Something can start now.
    Pass,
    /// Something is due then, which is soon.
    At(Timestamp),
}

/// Why an alarm leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nothing is due soon.
    Idle,
    /// It could not do what it is there for, again and again: the next pass from outside tries it anew.
    InVain,
}

/// What there is to do now or soon.
pub(super) fn wanted(home: &Home, facts: &Facts) -> Option<Wanted> {
    // What this program must not change it cannot start.
    if facts.writable().is_err() {
        return None;
    }
    let now = home.clock.now();
    if pick::would_start_any(facts, facts.heads(), now, &home.config, &home.site)
        || recur::is_any_due(facts, now)
    {
        return Some(Wanted::Pass);
    }
    if is_answer_due(home, facts, now) {
        return Some(Wanted::Pass);
    }
    due::next(facts, &home.config, home.polled_at(), now)
        .filter(|at| *at - now <= WAKE_HORIZON)
        .map(Wanted::At)
}

/// Whether a pass would do something about an answer that is waited for, or have GitHub asked for one.
pub(super) fn is_answer_due(home: &Home, facts: &Facts, now: Timestamp) -> bool {
    let settings = &home.config.approval;
    // Who asks GitHub at this moment leaves a while before it has to be asked again.
    let asks = || poller::is_there(home.root.folder()).unwrap_or(false);
    let is_for_poll = approve::poll_at(facts, settings, home.polled_at(), now).is_some_and(|at| at <= now);
    approve::is_any_due(facts, settings, now) || (is_for_poll && !asks())
}

fn while_needed(home: &mut Home) -> Left {
    let root = home.root.path().to_owned();
    // Made before the index is read, so that no change is missed.
    let Ok(follow) = home.store().follow() else { return Left::InVain };
    let mut rest = RETRY_INTERVAL_MIN;
    while rest < RETRY_INTERVAL_MAX {
        if !root.is_dir() {
            return Left::InVain;
        }
        home.reread();
        let began = home.clock.monotonic();
        let facts = home.store().read();
        let took = home.clock.monotonic().saturating_sub(began);
        match facts.as_ref().map(|facts| wanted(home, facts)) {
            Ok(None) => return Left::Idle,
            Ok(Some(Wanted::At(at))) => {
                rest = RETRY_INTERVAL_MIN;
                sleep_until(home, follow.as_ref(), at, took);
                continue;
            }
            Ok(Some(Wanted::Pass)) => {
                pass(home);
                let still = |facts: &Facts| wanted(home, facts) == Some(Wanted::Pass);
                if home.store().read().is_ok_and(|facts| !still(&facts)) {
                    rest = RETRY_INTERVAL_MIN;
                    continue;
                }
            }
            // Somebody may be mending it; what is due is found then.
            Err(_) => {}
        }
        let _ = follow.wait(&[], Some(rest));
        rest *= 2;
    }
    Left::InVain
}

/// A whole pass. What it launches is nobody's child here.
fn pass(home: &Home) {
    let store = home.store();
    let mut executor = home.local();
    executor.orphan_watchers = true;
    let definitions = file::definitions(home).ok().filter(|_| home.has_sound_config());
    let definitions = definitions.as_ref().map(|(definitions, _)| definitions);
    let pass = Pass { definitions, ..home.pass(&store, &executor) };
    if let Ok(decided) = pass.advance(Scope::Whole, &mut |_| Ok(())) {
        let _ = file::keep(home, &decided.events);
    }
}

/// Sleeps until that time, until the clock is set, or until a while after the index has changed: the longer, the longer a
/// look at it `took`.
fn sleep_until(home: &Home, follow: &dyn Follow, at: Timestamp, took: Duration) {
    let timer = Timer::at(at);
    let fds: Vec<_> = timer.descriptor().into_iter().collect();
    let limit = timer.limit(at, home.clock.now());
    let went_off = follow.wait(&fds, limit).map_or(true, |readable| readable.contains(&true));
    if !went_off {
        let _ = wait_for_any(&fds, CHANGES_INTERVAL.max(took * LOOK_SHARE_DIVISOR));
    }
}
