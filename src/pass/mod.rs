//! The loop that everything goes through: facts, census, plan, commit, act.
//!
//! A submission, a watcher's end and a tick are the same thing with different first events and a different scope.
//! Census is taken before the lock, actions follow after it.

use crate::exec::{ExecError, Executor, Hold, Launch};
use crate::model::{
    Timestamp,
    claim::ExecutorName,
    config::Config,
    event::Event,
    facts::{Damage, Draft, Facts},
    id::JobId,
    job::Job,
    outcome::Outcome,
    state::{Change, Status},
};
use crate::os::{
    clock::Clock,
    ids::{IdSource, RandomIds},
};
use crate::plan::{
    self, Action, Inputs, NewIds, Plan, Scope,
    census::{Census, Sighting},
    pick,
    recur::Definitions,
    rescue,
    retain::{self, Keeping, Kept},
    shed,
};
use crate::store::{
    Decide, Store, StoreError, environments, logs,
    root::{INDEX, Root, run_file_names},
};
use std::rc::Rc;

/// What a pass works with.
pub struct Pass<'a, C> {
    /// The index.
    pub store: &'a dyn Store,
    /// What runs jobs.
    pub executor: &'a dyn Executor,
    /// The clocks.
    pub clock: &'a C,
    /// The settings in force.
    pub config: &'a Config,
    /// The schedules that the settings file defines; none where nobody looked.
    pub definitions: Option<&'a Definitions>,
    /// When GitHub was asked last.
    pub polled_at: Option<Timestamp>,
}

/// Ids from the system's random numbers.
#[derive(Debug)]
struct FreshIds;

impl NewIds for FreshIds {
    fn new_id(&self, now: Timestamp) -> JobId {
        loop {
            // Every text that is drawn makes an id.
            if let Ok(id) = JobId::new(now, &RandomIds.draw()) {
                return id;
            }
        }
    }
}

/// Adds events to a draft, and names actions that follow from them; called with the lock held.
pub type DecideWith<'a> = dyn FnMut(&mut Draft, &Inputs<'_>) -> Result<Vec<Action>, Damage> + 'a;

/// What was decided and stands.
#[derive(Debug, Default)]
pub struct Decided {
    /// The events.
    pub events: Vec<Event>,
    /// What follows from them.
    pub actions: Vec<Action>,
    /// The facts as they were with them, before anything was done; none where nobody decided, or it was done.
    pub facts: Option<Rc<Facts>>,
    /// The jobs whose logs were emptied because all together are too large.
    pub emptied_logs: Vec<JobId>,
    /// What the caller should be told.
    pub warnings: Vec<String>,
}

/// Why a pass could not be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The executor could not look.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl<C: Clock> Pass<'_, C> {
    /// A whole pass: decides, then acts.
    pub fn advance(&self, scope: Scope, first: &mut Decide<'_>) -> Result<Decided, PassError> {
        let mut decided = self.decide(scope, first)?;
        // What is done now may change them.
        decided.facts = None;
        let actions = decided.actions.clone();
        decided.warnings.extend(self.act(&actions)?);
        Ok(decided)
    }

    /// Takes the census if the scope asks for it, commits `first` and the plan in one write.
    pub fn decide(&self, scope: Scope, first: &mut Decide<'_>) -> Result<Decided, PassError> {
        self.decide_with(scope, &mut |draft, _| first(draft).map(|()| Vec::new()))
    }

    /// The same for whoever decides with what the plan is made from, and has actions of his own.
    pub fn decide_with(&self, scope: Scope, first: &mut DecideWith<'_>) -> Result<Decided, PassError> {
        // The holds live until the commit stands: nobody else judges these jobs meanwhile.
        let mut warnings = Vec::new();
        let (census, _holds) = if scope.is_whole() {
            self.census(&*self.store.read()?, &mut warnings)
        } else {
            (Census::new(), Vec::new())
        };
        let now = self.clock.now();
        let mut plan = Plan::default();
        let mut damaged = Vec::new();
        let commit = self.store.transact(now, &mut |draft| {
            // While the lock was waited for, somebody else may have dealt with what came due.
            let inputs = self.inputs(&census, self.clock.now());
            let own = first(draft, &inputs)?;
            plan = plan::advance(draft, &inputs, scope);
            plan.actions.splice(0..0, own);
            damaged = pick::damaged(draft.facts(), &inputs);
            Ok(())
        })?;
        let Plan { actions, warnings: trouble } = plan;
        warnings.extend(trouble);
        warnings.extend(damaged.into_iter().map(|(id, damage)| {
            format!("{id} is not started, as its entry of the index is damaged at {damage}")
        }));
        if commit.events.is_empty() && !actions.is_empty() {
            // What is launched now was claimed by somebody who may not have come to make it durable.
            self.store.make_durable()?;
        }
        warnings.extend(commit.warning);
        let facts = Some(commit.facts);
        Ok(Decided { events: commit.events, actions, facts, warnings, ..Decided::default() })
    }

    /// Makes a whole pass, unless one would find nothing to do: somebody waits, a slot may be held by a job that is gone, and
    /// without cron nobody else would look. Gives the facts that `decided` left where they still hold.
    ///
    /// What `decided` has just launched is not looked at.
    pub fn advance_if_due(&self, decided: &mut Decided) -> Result<Option<Rc<Facts>>, PassError> {
        if let Some(facts) = decided.facts.take() {
            let launched = |job: &Job| {
                let of_it = |action: &Action| matches!(action, Action::Launch { id } if *id == job.id);
                decided.actions.iter().any(of_it)
            };
            let (facts, found) = self.foresee_in(Rc::unwrap_or_clone(facts), Scope::Whole, launched);
            let is_due = |action: &Action| !matches!(action, Action::Wake { .. });
            if found.events.is_empty() && !found.actions.iter().any(is_due) {
                return Ok(Some(Rc::new(facts)));
            }
        }
        self.advance(Scope::Whole, &mut |_| Ok(()))?;
        Ok(None)
    }

    /// What a whole pass would decide now. Changes nothing.
    pub fn foresee(&self) -> Result<Decided, PassError> {
        let (_, decided) = self.foresee_in(Rc::unwrap_or_clone(self.store.read()?), Scope::Tick, |_| false);
        Ok(decided)
    }

    /// What a pass of that scope would decide of these facts; jobs that are to be left out are not judged. Gives the facts as they
    /// would be then.
    fn foresee_in(&self, facts: Facts, scope: Scope, leave_out: impl Fn(&Job) -> bool) -> (Facts, Decided) {
        let mut census = Census::new();
        let mut warnings = Vec::new();
        for job in facts.running().filter(|job| !leave_out(job)) {
            match self.look(job) {
                Ok(seen) => seen.into_iter().for_each(|seen| census.note(job, seen)),
                Err(error) => warnings.push(error.to_string()),
            }
        }
        let mut draft = Draft::new(facts);
        let inputs = self.inputs(&census, self.clock.now());
        let Plan { actions, warnings: trouble } = plan::advance(&mut draft, &inputs, scope);
        warnings.extend(trouble);
        let (facts, events) = draft.into_parts();
        (facts, Decided { events, actions, warnings, ..Decided::default() })
    }

    fn inputs<'i>(&'i self, census: &'i Census, now: Timestamp) -> Inputs<'i> {
        Inputs {
            census,
            now,
            config: self.config,
            site: self.executor.site(),
            executor: self.executor.name(),
            ids: &FreshIds,
            definitions: self.definitions,
            polled_at: self.polled_at,
        }
    }

    /// Looks at every running job. What seems to be judged without a watcher is held and looked at again, so that
    /// the judgement cannot be overtaken; what meanwhile got a watcher is left out, and what cannot be looked at too.
    fn census(&self, facts: &Facts, warnings: &mut Vec<String>) -> (Census, Vec<Hold>) {
        let mut census = Census::new();
        let mut holds = Vec::new();
        for job in facts.running() {
            let seen = match self.look(job) {
                Ok(Some(Sighting::Vanished | Sighting::Ended { .. } | Sighting::Rebooted)) => {
                    self.executor.hold(job).map(|held| {
                        held.map(|(hold, seen)| {
                            holds.push(hold);
                            seen
                        })
                    })
                }
                other => other,
            };
            match seen {
                Ok(seen) => seen.into_iter().for_each(|seen| census.note(job, seen)),
                Err(error) => warnings.push(error.to_string()),
            }
        }
        (census, holds)
    }

    /// What can be seen of a running job. `None`: another executor runs it, and this one cannot judge it.
    ///
    /// A dry run never leaves a job running by itself, so one that is seen running was left by a dry run that went
    /// away, and anybody may say so. What nobody claimed is the local executor's to show.
    fn look(&self, job: &Job) -> Result<Option<Sighting>, ExecError> {
        let claim = job.run().and_then(|run| run.claim.as_ref());
        let runs_it = claim.map_or(ExecutorName::Local, |claim| claim.executor);
        if runs_it == self.executor.name() {
            return self.executor.look(job).map(Some);
        }
        Ok((runs_it == ExecutorName::DryRun).then_some(Sighting::NeverExecuted))
    }

    /// Does what follows from a plan. Gives what the caller should be told.
    pub fn act(&self, actions: &[Action]) -> Result<Vec<String>, PassError> {
        let mut warnings = Vec::new();
        let mut actions = actions.to_vec();
        while !actions.is_empty() {
            let mut over = Vec::new();
            for action in actions.drain(..) {
                self.act_once(action, &mut over, &mut warnings);
            }
            if over.is_empty() {
                break;
            }
            let decided = self.decide(Scope::Slots, &mut |draft| {
                for (id, outcome) in &over {
                    if let Some(job) = draft.facts().job(id)? {
                        rescue::end(draft, &job, outcome.clone())?;
                    }
                }
                Ok(())
            })?;
            warnings.extend(decided.warnings);
            actions = decided.actions;
        }
        Ok(warnings)
    }

    fn act_once(&self, action: Action, over: &mut Vec<(JobId, Outcome)>, warnings: &mut Vec<String>) {
        let (launched, id) = match action {
            Action::Poke { id } => (self.executor.poke(&id).map(|_| Launch::Watched), id),
            Action::Launch { id } => (self.executor.launch(&id), id),
            Action::Evict { id } => (self.executor.evict(&id).and_then(|()| self.executor.launch(&id)), id),
            // It needs files: whoever ticks does it.
            Action::Retain => return,
            Action::Poll => {
                if let Err(error) = self.executor.run_poll() {
                    warnings.push(format!("{error}; the next bgctl tick tries again"));
                }
                return;
            }
            Action::Hook => {
                if let Err(error) = self.executor.run_hooks() {
                    warnings.push(format!("{error}; the next bgctl tick tries again"));
                }
                return;
            }
            Action::Wake { .. } => {
                if let Err(error) = self.executor.arm() {
                    warnings
                        .push(format!("{error}; what waits for its time is started by the next bgctl tick"));
                }
                return;
            }
        };
        match launched {
            Ok(Launch::Watched) => {}
            Ok(Launch::Ended(outcome)) => over.push((id, outcome)),
            Err(error) => {
                let fate = match self.give_back(&id) {
                    Ok(true) => format!("{id} is queued again; "),
                    Ok(false) => String::new(),
                    Err(error) => format!("its slot could not be given back ({error}); "),
                };
                warnings.push(format!("{error}; {fate}the next bgctl tick tries again"));
            }
        }
    }

    /// Gives back the slot of a job that nobody could be launched for, unless somebody is on it after all. Gives
    /// whether the job is queued again.
    fn give_back(&self, id: &JobId) -> Result<bool, PassError> {
        let facts = self.store.read()?;
        let Some(job) = facts.running().find(|job| job.id == *id) else { return Ok(false) };
        let Some((_hold, Sighting::NotStarted)) = self.executor.hold(job)? else { return Ok(false) };
        let mut queued = false;
        self.store.transact(self.clock.now(), &mut |draft| {
            draft.push(Event::Changed { id: id.clone(), change: Change::GiveBack })?;
            queued = draft.facts().heads().any(|head| head.id == *id && head.status == Status::Queued);
            Ok(())
        })?;
        if !queued {
            // It had been told to end meanwhile, and that was its end.
            self.executor.run_hooks()?;
        }
        Ok(queued)
    }

    /// Removes these ended jobs: first their files, then their entries, then the environments nobody names any more.
    ///
    /// In this order a crash leaves an entry without files, which the next pass removes, never files without an entry;
    /// and space is freed before the index is written, so that it works on a full disk.
    ///
    /// Where the files of some cannot be removed, these stay, the others go all the same, and the first error is given.
    ///
    /// They were chosen without the lock: what a submission has begun to wait for since, or was given as the job of its
    /// key, stays.
    pub fn remove(&self, root: &Root, ids: &[JobId]) -> Result<Decided, PassError> {
        // No file goes for an entry that this program must not remove.
        let mut going = Vec::new();
        self.store.transact(self.clock.now(), &mut |draft| {
            going = still_going(draft.facts(), ids, self.clock.now());
            Ok(())
        })?;
        self.store
            .read()?
            .writable()
            .map_err(|reason| StoreError::Unreadable { path: root.path().join(INDEX), reason })?;
        // One whose files cannot be removed stays, and keeps none of the others.
        let mut refused = None;
        going.retain(|id| match remove_files(root, id) {
            Ok(()) => true,
            Err(error) => {
                refused.get_or_insert(error);
                false
            }
        });
        let commit = self.store.transact(self.clock.now(), &mut |draft| {
            for id in still_going(draft.facts(), &going, self.clock.now()) {
                draft.push(Event::Removed { id })?;
            }
            Ok(())
        })?;
        // Only now: an index that still names them must find them.
        environments::tidy(root, self.store, &*self.store.read()?, self.clock.now())?;
        if let Some(error) = refused {
            return Err(error.into());
        }
        Ok(Decided {
            events: commit.events,
            warnings: commit.warning.into_iter().collect(),
            ..Decided::default()
        })
    }

    /// Removes the logs of the jobs that ended first, until all together are within their limit. Gives whose.
    pub fn shed(&self, root: &Root) -> Result<Vec<JobId>, PassError> {
        let Some(bytes_max) = self.config.log_bytes_total_max else { return Ok(Vec::new()) };
        let gone = self.too_much(root)?;
        for id in &gone {
            logs::let_go(root, id, bytes_max, self.clock.now())?;
        }
        Ok(gone)
    }

    /// The jobs whose logs would go now.
    pub fn too_much(&self, root: &Root) -> Result<Vec<JobId>, PassError> {
        let facts = self.store.read()?;
        // What this program must not change it does not remove files of.
        facts
            .writable()
            .map_err(|reason| StoreError::Unreadable { path: root.path().join(INDEX), reason })?;
        Ok(shed::shed(&logs::sizes(root, &facts), self.config.log_bytes_total_max))
    }

    /// The jobs that retention would let go now.
    pub fn retained_no_longer(&self) -> Result<Vec<JobId>, PassError> {
        let facts = self.store.read()?;
        let ids = retain::retain(&facts, self.clock.now(), self.config);
        Ok(self.without_living(&facts, ids).0)
    }

    /// Of these ended jobs, those that may go, and those of which processes that were left running still live: as long as
    /// they do, the entry says whose they are.
    pub fn without_living(&self, facts: &Facts, ids: Vec<JobId>) -> (Vec<JobId>, Vec<JobId>) {
        let lives = |id: &JobId| {
            facts.job(id).ok().flatten().is_some_and(|job| !self.executor.left_processes(&job).is_empty())
        };
        ids.into_iter().partition(|id| !lives(id))
    }
}

/// Removes a job's files.
fn remove_files(root: &Root, id: &JobId) -> Result<(), StoreError> {
    let runs = root.runs()?;
    for name in run_file_names(id) {
        let failed = |error| StoreError::System { doing: "remove", path: runs.path().join(&name), error };
        runs.remove(&name).map_err(failed)?;
    }
    Ok(())
}

/// Of these ended jobs, those that nothing keeps as things are now. That one is a dead letter was known to who chose it.
fn still_going(facts: &Facts, ids: &[JobId], now: Timestamp) -> Vec<JobId> {
    let keeping = Keeping::of(facts, now);
    let goes = |id: &&JobId| {
        let head = facts.head(id);
        head.is_some_and(|head| matches!(keeping.why(head), None | Some(Kept::DeadLetter)))
    };
    ids.iter().filter(goes).cloned().collect()
}
