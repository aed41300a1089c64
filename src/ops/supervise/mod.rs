//! The supervisor in the foreground: makes a tick whenever something can be done, and at least once a minute, until it is
//! told to leave. It is for systemd, for containers, and for whoever has no cron.
//!
//! It decides nothing that a tick does not decide, and jobs are none of its children's business: each has its own watcher,
//! which goes on without it. One is there at a time, and while it is, it stands in for the alarm. Killed, it leaves its
//! locks free: the next pass, of whoever, launches an alarm again, and the next supervisor begins with a tick.

mod manager;
mod watchers;

use super::{
    alarm::{self, CHANGES_INTERVAL, LOOK_SHARE_DIVISOR, RETRY_INTERVAL_MAX, RETRY_INTERVAL_MIN, Wanted},
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
    report::{Reporter, Told},
    tick::tick_at,
};
use crate::exec::{Executor, local::alarm as alarm_lock, local::present::Held, local::supervisor};
use crate::model::{Timestamp, claim::ExecutorName, facts::Facts, state::Status};
use crate::os::{
    clock::Clock,
    process::Identity,
    signal::{Ordered, Orders},
    timer::{Timer, wait_for_any},
};
use crate::pass::Decided;
use crate::store::{Follow, Store};
use manager::Manager;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;
use watchers::Watchers;

/// A tick is made at least so often: what needs a look now and then, such as retention, has it then.
const TICK_INTERVAL: Duration = Duration::from_mins(1);
/// How long an alarm that is there may take to leave.
const ALARM_MAX: Duration = Duration::from_secs(2);
/// How often another alarm may come in between.
const ALARMS_MAX: u32 = 8;
/// How long the lock of a supervisor that is no more may still be held.
const LOCK_MAX: Duration = Duration::from_secs(2);
/// How often it is tried meanwhile.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// What a supervisor has to say.
#[derive(Debug)]
pub enum Said<'a> {
    /// It is there, for that root.
    Here(&'a Path),
    /// What should be told, and was not told of the tick before.
    Warned(&'a [String]),
    /// A tick failed; it goes on.
    Failed(&'a Fault),
    /// What a tick did.
    Did(&'a Decided),
    /// What failed for good since the last report.
    Told(&'a [Told]),
    /// It leaves, as it was told.
    Gone,
}

/// Who hears what a supervisor says.
pub type Hear<'a> = dyn FnMut(Said<'_>) -> io::Result<()> + 'a;

/// Supervises the root that the environment names until it is told to leave; with what failed for good, if that is to be
/// reported.
pub fn supervise(reports: bool, hear: &mut Hear<'_>) -> Result<(), Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let lock = acquire(&home)?;
    // Heard before anything is begun, so that an order is never lost.
    let orders = Orders::open()?;
    // Made before the index is read, so that no change is missed.
    let follow = home.store().follow()?;
    let mut supervisor = Supervisor {
        home,
        orders,
        follow,
        reports,
        alarm: None,
        watchers: Watchers::default(),
        manager: Manager::from_environment(),
        said: Vec::new(),
        rest: RETRY_INTERVAL_MIN,
        ticked_at: None,
    };
    let done = supervisor.run(hear);
    supervisor.leave();
    drop(lock);
    done?;
    hear(Said::Gone)?;
    Ok(())
}

fn acquire(home: &Home) -> Result<Held, Fault> {
    let deadline = home.clock.monotonic() + LOCK_MAX;
    loop {
        if let Some(lock) = supervisor::acquire(&home.root)? {
            return Ok(lock);
        }
        // What a killed one was about to launch has its files open for another moment.
        let lives = supervisor::recorded(&home.root)?.is_some_and(Identity::is_alive);
        if lives || home.clock.monotonic() >= deadline {
            break;
        }
        std::thread::sleep(LOCK_INTERVAL);
    }
    let holder = supervisor::recorded(&home.root)?.map(|who| who.pid);
    let who = holder.map(|pid| format!(", process {pid}")).unwrap_or_default();
    let root = home.root.path().display();
    let fault = Fault::new(Code::NotNow, format!("a supervisor looks after {root} already{who}"));
    Err(match holder {
        Some(pid) => fault
            .hint(format!("bgctl tick makes a pass beside it; kill {pid} lets it leave and touches no job")),
        None => fault.hint("bgctl tick makes a pass beside it"),
    })
}

struct Supervisor {
    home: Home,
    orders: Orders,
    follow: Box<dyn Follow>,
    reports: bool,
    /// The alarm's lock, so that none is launched. Without it there is one more process, and no harm.
    alarm: Option<Held>,
    watchers: Watchers,
    manager: Manager,
    /// What was told of the last tick.
    said: Vec<String>,
    /// How long is waited before another tick, where one did not do what can be done.
    rest: Duration,
    ticked_at: Option<Duration>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Tick,
    Look,
    Leave,
}

impl Supervisor {
    fn run(&mut self, hear: &mut Hear<'_>) -> Result<(), Fault> {
        hear(Said::Here(self.home.root.path()))?;
        let mut turn = Turn::Tick;
        while turn != Turn::Leave {
            if self.home.root.folder().is_removed() {
                let root = self.home.root.path().display();
                return Err(Fault::new(
                    Code::Failed,
                    format!("{root} was removed; there is nothing to supervise"),
                ));
            }
            let ticks = turn == Turn::Tick;
            if ticks {
                self.stand_in_for_the_alarm(hear)?;
                self.tick(hear)?;
                self.ticked_at = Some(self.home.clock.monotonic());
                self.manager.ready();
            }
            turn = self.next(ticks);
        }
        Ok(())
    }

    /// Ends the alarm that is there, and takes its place.
    fn stand_in_for_the_alarm(&mut self, hear: &mut Hear<'_>) -> Result<(), Fault> {
        if self.alarm.is_some() {
            return Ok(());
        }
        let is_first = self.ticked_at.is_none();
        let mut failed = None;
        for _ in 0..if is_first { ALARMS_MAX } else { 1 } {
            match alarm_lock::stand_in(&self.home.root) {
                Ok(Some(held)) => {
                    self.alarm = Some(held);
                    return Ok(());
                }
                Ok(None) => match alarm_lock::end(&self.home.root, ALARM_MAX) {
                    // One that was killed in the middle of a launch holds it for another moment.
                    Ok(true) => std::thread::sleep(LOCK_INTERVAL),
                    Ok(false) => std::thread::sleep(ALARM_MAX / ALARMS_MAX),
                    Err(error) => failed = Some(error),
                },
                Err(error) => failed = Some(error),
            }
        }
        let why = failed.map(|error| format!(" ({error})")).unwrap_or_default();
        if is_first {
            let warning =
                format!("an alarm is there that cannot be ended{why}; both make passes, which does no harm");
            hear(Said::Warned(&[warning]))?;
        }
        Ok(())
    }

    /// A tick, and what it has to tell. What goes wrong now may go right the next time.
    fn tick(&mut self, hear: &mut Hear<'_>) -> Result<(), Fault> {
        self.manager.alive();
        self.home.reread();
        let mut warnings = self.home.warnings.clone();
        let mut reporter = None;
        if self.reports {
            match Reporter::open(&self.home) {
                Ok(opened) => reporter = opened,
                Err(fault) => warnings.push(fault.message),
            }
        }
        let mut failed = None;
        match tick_at(&self.home, ExecutorName::Local, false) {
            Ok(mut decided) => {
                warnings.append(&mut decided.warnings);
                hear(Said::Did(&decided))?;
            }
            Err(fault) => failed = Some(fault),
        }
        if let Some(reporter) = &mut reporter {
            match reporter.look(&self.home) {
                Ok((told, mut notes)) => {
                    warnings.append(&mut notes);
                    hear(Said::Told(&told))?;
                    warnings.extend(reporter.confirm(&self.home).err().map(|fault| fault.message));
                }
                Err(fault) => warnings.push(fault.message),
            }
        }
        let new: Vec<String> = warnings.iter().filter(|one| !self.said.contains(one)).cloned().collect();
        hear(Said::Warned(&new))?;
        if let Some(fault) = failed {
            if !self.said.contains(&fault.message) {
                hear(Said::Failed(&fault))?;
            }
            warnings.push(fault.message);
        }
        self.said = warnings;
        self.manager.alive();
        Ok(())
    }

    /// Waits until there is something to do.
    fn next(&mut self, has_just_ticked: bool) -> Turn {
        let store = self.home.store();
        let began = self.home.clock.monotonic();
        let facts = store.read();
        let took = self.home.clock.monotonic().saturating_sub(began);
        supervisor::let_go(&self.home.root, || store.read().ok());
        let mut limit = self.until_tick();
        let mut at = None;
        match &facts {
            Ok(facts) => {
                self.manager.status(&status(facts));
                let look = self.watchers.look_after(&self.home, facts);
                if look.is_lost && !has_just_ticked {
                    return Turn::Tick;
                }
                limit = limit.min(look.limit);
                match alarm::wanted(&self.home, facts) {
                    Some(Wanted::Pass) if !has_just_ticked => return Turn::Tick,
                    Some(Wanted::Pass) => {
                        limit = limit.min(self.rest);
                        self.rest = (self.rest * 2).min(RETRY_INTERVAL_MAX);
                    }
                    Some(Wanted::At(due)) => {
                        self.rest = RETRY_INTERVAL_MIN;
                        at = Some(due);
                    }
                    None => self.rest = RETRY_INTERVAL_MIN,
                }
            }
            // The tick says so; somebody may be mending it.
            Err(_) => limit = limit.min(RETRY_INTERVAL_MAX),
        }
        let ordered = self.wait(at, limit, took);
        self.manager.alive();
        if ordered.stop {
            Turn::Leave
        } else if ordered.look || self.until_tick().is_zero() {
            Turn::Tick
        } else {
            Turn::Look
        }
    }

    /// How long it is until a tick is made whatever has happened.
    fn until_tick(&self) -> Duration {
        let since = self.ticked_at.map(|at| self.home.clock.monotonic().saturating_sub(at));
        since.map_or(Duration::ZERO, |since| TICK_INTERVAL.saturating_sub(since))
    }

    /// Waits for an order, for a time, for the end of a watcher, for the limit, or until a while after the index has changed:
    /// the longer, the longer a look at it `took`.
    fn wait(&mut self, at: Option<Timestamp>, limit: Duration, took: Duration) -> Ordered {
        let timer = at.map(Timer::at);
        let mut limit = self.manager.limit(limit);
        if let (Some(at), Some(timer)) = (at, &timer) {
            limit = timer.limit(at, self.home.clock.now()).map_or(limit, |own| own.min(limit));
        }
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.orders.as_fd()];
        fds.extend(timer.as_ref().and_then(Timer::descriptor));
        let watched_from = fds.len();
        let (ids, watched): (Vec<_>, Vec<_>) = self.watchers.descriptors().unzip();
        fds.extend(watched);
        let woke = self.home.clock.monotonic();
        let readable = self.follow.wait(&fds, Some(limit)).unwrap_or_default();
        let is_over = self.home.clock.monotonic().saturating_sub(woke) >= limit;
        if !is_over && !readable.contains(&true) {
            let _ = wait_for_any(&fds, CHANGES_INTERVAL.max(took * LOOK_SHARE_DIVISOR).min(limit));
        }
        let gone = ids.iter().zip(readable.iter().skip(watched_from)).filter(|(_, readable)| **readable);
        let gone: Vec<_> = gone.map(|(id, _)| (*id).clone()).collect();
        self.watchers.are_gone(&gone);
        self.orders.drain()
    }

    /// Frees the alarm's lock. What is due soon is the business of an alarm from now on: the lock is let go first, and the
    /// index looked at afterwards, as an alarm does that leaves.
    fn leave(&mut self) {
        Manager::stopping();
        self.alarm = None;
        let facts = self.home.store().read();
        if facts.is_ok_and(|facts| alarm::wanted(&self.home, &facts).is_some()) {
            // Where it cannot be launched, the next pass does it.
            let _ = self.home.local().arm();
        }
    }
}

/// How things stand, in a line for the service manager.
fn status(facts: &Facts) -> String {
    let running = facts.count(Status::Running);
    format!(
        "{running} running, {} queued, {} schedules",
        facts.count(Status::Queued),
        facts.schedules().len()
    )
}
