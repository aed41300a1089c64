//! Waiting for jobs without polling: on changes of the index, and on the watchers of those that run.
//!
//! Whoever waits also looks after what it waits for: a job whose watcher is gone, and a claim that nobody serves, get
//! a pass, so that a wait ends truly even where no cron ticks.

use super::{alarm::is_answer_due, fault::Fault, home::Home};
use crate::exec::{Executor, local::Local};
use crate::model::{
    claim::Relation,
    config::Config,
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    state::Status,
};
use crate::os::clock::Clock;
use crate::pass::Pass;
use crate::plan::{Scope, census::Sighting, due, expire::stale_for, pick::would_start_any};
use crate::store::{Follow, Store};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long a claim may have no watcher before a pass looks after it: watchers need a moment to begin.
const UNWATCHED_MAX: Duration = Duration::from_secs(1);
/// How often such a claim is looked at meanwhile.
const UNWATCHED_INTERVAL: Duration = Duration::from_millis(20);
/// A watcher that is there is not asked again before this; its end is noticed at once.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);

/// Waits for changes of some jobs.
pub struct Attendance<'a> {
    home: &'a Home,
    follow: Box<dyn Follow>,
    watchers: HashMap<JobId, OwnedFd>,
    unwatched: HashMap<JobId, Instant>,
    passed: Option<Instant>,
    warnings: Vec<String>,
}

impl<'a> Attendance<'a> {
    /// To be made before the index is read for the first time, so that no change is missed.
    pub fn new(home: &'a Home) -> Result<Self, Fault> {
        let follow = home.store().follow()?;
        home.root.set_kept(true);
        Ok(Self {
            home,
            follow,
            watchers: HashMap::new(),
            unwatched: HashMap::new(),
            passed: None,
            warnings: Vec::new(),
        })
    }

    /// The facts as they are.
    pub fn read(&self) -> Result<Rc<Facts>, Fault> {
        Ok(self.home.store().read()?)
    }

    /// Waits until something may have changed, one of `others` is readable, or the time is over. Gives, for each of
    /// `others`, whether it is readable. `facts` are those that were read last.
    pub fn wait(
        &mut self,
        facts: &Facts,
        ids: &[JobId],
        others: &[BorrowedFd<'_>],
        limit: Option<Duration>,
    ) -> Result<Vec<bool>, Fault> {
        let own = self.look_after(facts, ids)?;
        let limit = limit.map_or(own, |limit| limit.min(own));
        let mut fds: Vec<BorrowedFd<'_>> = others.to_vec();
        let watched: Vec<&JobId> = self.watchers.keys().collect();
        fds.extend(watched.iter().filter_map(|id| self.watchers.get(*id)).map(AsFd::as_fd));
        let readable = self.follow.wait(&fds, Some(limit))?;
        let gone: Vec<JobId> = watched
            .iter()
            .zip(readable.iter().skip(others.len()))
            .filter(|(_, readable)| **readable)
            .map(|(id, _)| (*id).clone())
            .collect();
        for id in gone {
            self.watchers.remove(&id);
        }
        Ok(readable.into_iter().take(others.len()).collect())
    }

    /// Knows a watcher of each running job, or has a pass made for those that have had none for too long. Gives how
    /// long to wait at the most before looking again.
    fn look_after(&mut self, facts: &Facts, ids: &[JobId]) -> Result<Duration, Fault> {
        let now = self.home.clock.now();
        let heads = || ids.iter().filter_map(|id| facts.head(id));
        let waiting: Vec<&Head> = heads().filter(|head| head.status == Status::Queued).collect();
        let queued = !waiting.is_empty();
        // What waits for a person, or for a job that does, goes on once nobody answered in time.
        let for_answer = queued || heads().any(|head| head.waiting.is_some());
        // A job that waits for a slot waits for whatever holds one; one that waits for another job, for that one.
        let running: Vec<&Job> = facts
            .running()
            .filter(|job| (queued || ids.contains(&job.id)) && is_here(self.home, job))
            .collect();
        self.watchers.retain(|id, _| running.iter().any(|job| job.id == *id));
        self.unwatched.retain(|id, _| running.iter().any(|job| job.id == *id));
        let local = self.home.local();
        let (mut lost, mut unclear) = (false, false);
        for job in &running {
            if self.watchers.contains_key(&job.id) {
                continue;
            }
            if let Some(handle) = local.attend(&job.id)? {
                self.watchers.insert(job.id.clone(), handle);
                self.unwatched.remove(&job.id);
                continue;
            }
            // Whoever has it does not tell here: a pass changes that only once it has been silent for too long.
            if let Ok(Sighting::Unseen { last_sign }) = local.look(job)
                && stale_for(job, last_sign, now).is_none()
            {
                unclear = true;
                continue;
            }
            let since = *self.unwatched.entry(job.id.clone()).or_insert_with(Instant::now);
            lost |= since.elapsed() >= UNWATCHED_MAX;
        }
        // The settings as they are now: a wait can outlive many changes of them.
        let config = self.home.current_config();
        // A free slot, and nobody who gave it to the queued job: its claim was given back, or never made, or its time has
        // come and nobody else waits for that.
        let site = &self.home.site;
        let idle = would_start_any(facts, waiting.into_iter(), now, &config, site)
            || (for_answer && is_answer_due(self.home, facts, now));
        // A pass that changes nothing for good, such as a launch that fails again and again, must not wake itself.
        let rested = self.passed.is_none_or(|at| at.elapsed() >= UNWATCHED_MAX);
        if (lost || idle) && rested {
            self.unwatched.clear();
            self.passed = Some(Instant::now());
            self.pass(&config);
            return Ok(UNWATCHED_INTERVAL);
        }
        if !self.unwatched.is_empty() {
            return Ok(UNWATCHED_INTERVAL);
        }
        let due = due::next(facts, &self.home.config, self.home.polled_at(), now)
            .filter(|_| for_answer)
            .and_then(|at| (at - now).to_std().ok());
        let limit = if lost || idle || unclear { UNWATCHED_MAX } else { LOOK_INTERVAL };
        Ok(due.map_or(limit, |due| limit.min(due)))
    }

    /// A whole pass. What goes wrong now may go right the next time, so that the wait goes on; it is told once.
    fn pass(&mut self, config: &Config) {
        let store = self.home.store();
        // What it launches is nobody's child here: a wait can be long, and lets no ended child go.
        let executor = Local { orphan_watchers: true, ..self.home.local() };
        let pass = Pass { config, ..self.home.pass(&store, &executor) };
        let told = match pass.advance(Scope::Whole, &mut |_| Ok(())) {
            Ok(decided) => decided.warnings,
            Err(error) => vec![error.to_string()],
        };
        for warning in told {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    /// What went wrong so far.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Whether a running job can be looked after from here.
fn is_here(home: &Home, job: &Job) -> bool {
    home.relation(job).is_some_and(|relation| relation != Relation::Other)
}
