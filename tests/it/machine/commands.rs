//! Each command as `ops` does it, with a clock, a store and an executor of the test's own: what is checked before, what is
//! decided in the write, and what follows. Selection by name, environments, inputs and waiting are left out.

use super::model::Refusal;
use super::place::Place;
use super::step::{Asks, Command, Recurs, Setting, Shape};
use super::sut::{Fault, Sut, Visit};
use bgctl::model::{
    approval::{On, Request},
    calendar::Rhythm,
    dependency::Until,
    edit::Edit,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts},
    group::GroupChange,
    health::{LastRun, RunResult},
    id::JobId,
    job::Job,
    outcome::{Ending, Exit, Outcome, Why},
    schedule::{DefinedBy, Definition, Fate, RETENTION, ScheduleChange, Task},
    spec::JobSpec,
    state::{Change, Status},
};
use bgctl::ops::{
    fault::Code,
    find::{Among, find_all},
    start::{submit::judge, waited_for},
};
use bgctl::os::clock::Clock;
use bgctl::pass::PassError;
use bgctl::plan::{
    Action, Inputs, Scope, admit, approve, depend,
    pick::{self, group_of},
    recur, rescue,
    retain::{self, Wish},
};
use bgctl::store::StoreError;
use std::rc::Rc;

type Done = Result<Vec<&'static str>, Fault>;

/// What becomes of a group, and the word for it.
type DecideOfGroup<'a> = dyn Fn(&Facts) -> Result<(GroupChange, &'static str), Refusal> + 'a;

impl From<PassError> for Fault {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Store(error) => error.into(),
            PassError::Exec(error) => panic!("{error}"),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<bgctl::ops::fault::Fault> for Fault {
    fn from(fault: bgctl::ops::fault::Fault) -> Self {
        Self::Refused(match fault.code {
            Code::Usage => Refusal::Usage,
            Code::NotFound => Refusal::NotFound,
            Code::WrongState => Refusal::WrongState,
            Code::NotNow => Refusal::NotNow,
            other => panic!("{}: {}", other.name(), fault.message),
        })
    }
}

impl<P: Place> Sut<P> {
    pub fn command(&self, visit: &Visit<'_>, command: &Command) -> Done {
        match command {
            Command::Start { shapes, is_batch, creates_groups } => {
                self.start(visit, shapes, *is_batch, *creates_groups)
            }
            Command::Ends(number, exit) => self.ends(visit, *number, exit),
            Command::TimesOut(number) => {
                let change = Change::Decide { ending: self.ending(Why::Timeout, false) };
                let event = Event::Changed { id: self.id(*number), change };
                visit.store.transact(self.clock.now(), &mut |draft| draft.push(event.clone()).map(drop))?;
                Ok(Vec::new())
            }
            Command::Cancel { numbers, kills } => self.cancel(visit, numbers, *kills),
            Command::Pause(number) => self.pause(visit, *number, true),
            Command::Resume(number) => self.pause(visit, *number, false),
            Command::PauseGroup(name) => self.pause_group(visit, name, true),
            Command::ResumeGroup(name) => self.pause_group(visit, name, false),
            Command::Retry(numbers) => {
                let facts = visit.store.read()?;
                let ids = find_all(&facts, &self.texts(numbers), Among::All)?;
                let jobs: Vec<Job> = ids.iter().map(|id| facts.job(id).unwrap().unwrap()).collect();
                if jobs.iter().any(|job| !job.status().has_ended()) {
                    return Err(Refusal::WrongState.into());
                }
                if jobs.iter().any(|job| self.is_held_back(&facts, job, &jobs)) {
                    return Err(Refusal::WrongState.into());
                }
                self.repeat(visit, &facts, &jobs)
            }
            Command::RetryDead => {
                let facts = visit.store.read()?;
                let dead = facts.jobs(|head| head.dead_letter).unwrap();
                let free = dead.iter().filter(|job| !self.is_held_back(&facts, job, &dead));
                let free: Vec<Job> = free.cloned().collect();
                if free.is_empty() { Ok(Vec::new()) } else { self.repeat(visit, &facts, &free) }
            }
            Command::Prune { all } => {
                let wish = Wish { all: *all, ..Wish::default() };
                let gone =
                    retain::by_hand(&*visit.store.read()?, self.clock.now(), &self.config, &wish, |_| true);
                visit.pass.remove(visit.root, &gone.ids)?;
                Ok(Vec::new())
            }
            Command::ClearDead(number) => self.clear_dead(visit, *number),
            Command::Set(number, setting) => self.set(visit, *number, setting),
            Command::AddGroup(name, slots) => self.change_group(visit, name, &|facts| {
                let is_there = pick::slots(facts, &self.config, name).is_some();
                Ok((GroupChange::Slots { slots: *slots }, if is_there { "changed" } else { "added" }))
            }),
            Command::RemoveGroup(name) => self.change_group(visit, name, &|facts| {
                let is_of_index = facts.groups().contains_key(*name);
                if pick::slots(facts, &self.config, name).is_none() && !is_of_index {
                    return Err(Refusal::NotFound);
                }
                let is_needed = |head: &bgctl::model::facts::Head| {
                    matches!(head.status, Status::Queued | Status::Running)
                        && group_of(head.belongs.group.as_deref()) == *name
                };
                if facts.heads().any(is_needed) {
                    return Err(Refusal::WrongState);
                }
                Ok((GroupChange::Remove, "removed"))
            }),
            Command::AddSchedule(name, recurs) => self.add_schedule(visit, name, recurs),
            Command::PauseSchedule(name) => {
                self.change_schedule(visit, name, &|now, _| ScheduleChange::Pause { at: now })
            }
            Command::ResumeSchedule(name) => self.change_schedule(visit, name, &|now, schedule| {
                let rhythm = &schedule.definition.rhythm;
                ScheduleChange::Resume {
                    next_at: rhythm.next_after(now, schedule.added_at).or(schedule.next_at),
                }
            }),
            Command::RemoveSchedule(name) => {
                self.change_schedule(visit, name, &|_, _| ScheduleChange::Remove)
            }
            Command::RunSchedule(name) => Self::run_schedule(visit, name),
            Command::Approve(number) => self.answer(visit, *number, true),
            Command::Decline(number) => self.answer(visit, *number, false),
            Command::Request(number, asks) => self.request(visit, *number, *asks),
            Command::Tick => self.tick(visit),
            Command::Loses(..) | Command::Launches(_) | Command::Wait(_) => {
                unreachable!("no process does it")
            }
        }
    }

    fn texts(&self, numbers: &[usize]) -> Vec<String> {
        numbers.iter().map(|number| self.id(*number).as_str().to_owned()).collect()
    }

    fn texts_of(&self, after: &[(usize, Until)], wanted: Until) -> Vec<String> {
        let of = after.iter().filter(|(_, until)| *until == wanted).map(|(number, _)| *number);
        self.texts(&of.collect::<Vec<_>>())
    }

    /// `ops::start`, `ops::start::many` and `ops::start::submit`.
    fn start(&self, visit: &Visit<'_>, shapes: &[Shape], is_batch: bool, creates_groups: bool) -> Done {
        let facts = visit.store.read()?;
        let now = self.clock.now();
        let mut jobs = Vec::new();
        for shape in shapes {
            let mut spec = Self::spec(shape);
            spec.after = waited_for(
                &facts,
                &self.texts_of(&shape.after, Until::Completed),
                &self.texts_of(&shape.after, Until::Ended),
            )?;
            let not_before = shape.delay.map(|delay| now + chrono::TimeDelta::seconds(delay));
            jobs.push(Job::not_before(self.draw(), spec, now, not_before));
        }
        self.submit(visit, &jobs, is_batch, creates_groups, &[])
    }

    fn submit(
        &self,
        visit: &Visit<'_>,
        jobs: &[Job],
        is_batch: bool,
        creates_groups: bool,
        retried: &[JobId],
    ) -> Done {
        let now = self.clock.now();
        let mut done = Ok(Vec::new());
        let mut decide = |draft: &mut Draft| {
            let judged = match judge(draft.facts(), &self.config, creates_groups, jobs, now) {
                Ok(judged) => judged,
                Err(fault) => {
                    done = Err(fault.into());
                    return Ok(());
                }
            };
            if judged.full.is_some() {
                done = Err(Refusal::NotNow.into());
                return Ok(());
            }
            for group in judged.missing {
                draft.push(Event::Grouped { group, change: GroupChange::Slots { slots: 1 } })?;
            }
            let new = || jobs.iter().zip(&judged.placed).filter(|(_, placed)| placed.created);
            let batch = new().next().filter(|_| is_batch).map(|(job, _)| job.id.clone());
            for (job, _) in new() {
                let mut job = job.clone();
                job.spec.batch.clone_from(&batch);
                admit::enter(draft, job)?;
            }
            for id in retried {
                draft.push(Event::Changed { id: id.clone(), change: Change::ClearDeadLetter })?;
            }
            let word = |created: bool| if created { "submitted" } else { "is there" };
            done = Ok(judged.placed.iter().map(|placed| word(placed.created)).collect());
            Ok(())
        };
        visit.pass.advance(Scope::Slots, &mut decide)?;
        done
    }

    /// `ops::retry`: whether another one has the key.
    fn is_held_back(&self, facts: &Facts, job: &Job, all: &[Job]) -> bool {
        let Some(key) = &job.spec.key else { return false };
        let has_it = |other: &&Job| other.spec.key.as_ref().is_some_and(|own| own.text == key.text);
        let active = admit::holder_of_key(facts, &key.text, self.clock.now());
        let active = active.filter(|head| !head.status.has_ended()).map(|head| head.id.clone());
        let last = all.iter().rfind(has_it).map(|other| other.id.clone());
        active.or(last).is_some_and(|holder| holder != job.id)
    }

    fn repeat(&self, visit: &Visit<'_>, facts: &Facts, originals: &[Job]) -> Done {
        let is_there =
            |job: &Job| pick::slots(facts, &self.config, group_of(job.spec.group.as_deref())).is_some();
        if !originals.iter().all(is_there) {
            return Err(Refusal::NotFound.into());
        }
        let ids: Vec<JobId> = originals.iter().map(|_| self.draw()).collect();
        let place = |id: &JobId| originals.iter().position(|original| original.id == *id);
        let again = |(original, id): (&Job, &JobId)| {
            let mut spec =
                JobSpec { batch: None, retry_of: Some(original.id.clone()), ..original.spec.clone() };
            spec.after.retain_mut(|one| {
                let other = place(&one.id).map(|place| ids[place].clone());
                other.map(|other| one.id = other).is_some()
            });
            Job::new(id.clone(), spec, self.clock.now())
        };
        let jobs: Vec<Job> = originals.iter().zip(&ids).map(again).collect();
        let is_dead = |job: &&Job| job.end().is_some_and(|end| end.dead_letter);
        let dead: Vec<JobId> = originals.iter().filter(is_dead).map(|job| job.id.clone()).collect();
        self.submit(visit, &jobs, jobs.len() > 1, false, &dead)
    }

    fn ending(&self, why: Why, kills: bool) -> Ending {
        Ending { why, at: self.clock.now(), signal: kills.then_some(9), note: None }
    }

    /// `ops::watch`: a watcher commits the end, and whoever is next is claimed in the same write.
    fn ends(&self, visit: &Visit<'_>, number: usize, exit: &Exit) -> Done {
        let (id, outcome) = (self.id(number), Outcome::bare(exit.clone(), self.clock.now()));
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let job = draft.facts().job(&id)?.expect("it runs");
            rescue::end_under(draft, &job, outcome.clone(), None)
        })?;
        Ok(Vec::new())
    }

    /// `ops::cancel`.
    fn cancel(&self, visit: &Visit<'_>, numbers: &[usize], kills: bool) -> Done {
        let ids = find_all(&*visit.store.read()?, &self.texts(numbers), Among::All)?;
        let mut words = Vec::new();
        visit.pass.advance(Scope::Slots, &mut |draft| {
            words.clear();
            for id in &ids {
                let had_ended = draft.facts().job(id)?.is_none_or(|job| job.end().is_some());
                let change = Change::Decide { ending: self.ending(Why::Cancel, kills) };
                let applied = draft.push(Event::Changed { id: id.clone(), change })?;
                assert!(!matches!(applied, Applied::Refused(_)), "{applied:?}");
                words.push(if had_ended { "had ended" } else { "asked" });
            }
            Ok(())
        })?;
        Ok(words)
    }

    /// `ops::pause`.
    fn pause(&self, visit: &Visit<'_>, number: usize, wanted: bool) -> Done {
        let texts = self.texts(&[number]);
        let mut done = Ok(Vec::new());
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let id = match find_all(draft.facts(), &texts, Among::All) {
                Ok(mut ids) => ids.remove(0),
                Err(fault) => {
                    done = Err(fault.into());
                    return Ok(());
                }
            };
            let job = draft.facts().job(&id)?.expect("it was found");
            let word = match draft.push(self.pausing(id, wanted))? {
                Applied::Yes => "done",
                Applied::NoOp(_) if job.is_being_ended() => "is being ended",
                Applied::NoOp(_) => "was so",
                Applied::Refused(_) if job.end().is_some() => "had ended",
                Applied::Refused(_) => "waits for approval",
            };
            done = Ok(vec![word]);
            Ok(())
        })?;
        done
    }

    fn pausing(&self, id: JobId, wanted: bool) -> Event {
        let change = if wanted { Change::Pause { at: self.clock.now() } } else { Change::Resume };
        Event::Changed { id, change }
    }

    /// `ops::group::check_known` and `ops::pause` for a whole group.
    fn pause_group(&self, visit: &Visit<'_>, name: &str, wanted: bool) -> Done {
        let facts = visit.store.read()?;
        let is_known = pick::slots(&facts, &self.config, name).is_some()
            || facts.groups().contains_key(name)
            || facts.heads().any(|head| head.belongs.group.as_deref() == Some(name));
        if !is_known {
            return Err(Refusal::NotFound.into());
        }
        let change = if wanted { GroupChange::Pause { at: self.clock.now() } } else { GroupChange::Resume };
        visit.pass.advance(Scope::Slots, &mut |draft| {
            draft.push(Event::Grouped { group: name.to_owned(), change: change.clone() })?;
            for job in draft.facts().jobs(|head| !head.status.has_ended())? {
                let is_fit = matches!(job.status(), Status::Queued | Status::Running)
                    && !job.is_being_ended()
                    && job.paused_at().is_some() != wanted
                    && (!wanted || job.run().is_some());
                if group_of(job.spec.group.as_deref()) == name && is_fit {
                    draft.push(self.pausing(job.id, wanted))?;
                }
            }
            Ok(())
        })?;
        Ok(Vec::new())
    }

    /// `ops::dead`: a write, no pass.
    fn clear_dead(&self, visit: &Visit<'_>, number: usize) -> Done {
        let texts = self.texts(&[number]);
        let mut done = Ok(Vec::new());
        visit.store.transact(self.clock.now(), &mut |draft| {
            done = match find_all(draft.facts(), &texts, Among::All) {
                Ok(mut ids) => {
                    let event = Event::Changed { id: ids.remove(0), change: Change::ClearDeadLetter };
                    Ok(vec![match draft.push(event)? {
                        Applied::Yes => "done",
                        Applied::NoOp(_) => "was none",
                        Applied::Refused(_) => "has not ended",
                    }])
                }
                Err(fault) => Err(fault.into()),
            };
            Ok(())
        })?;
        done
    }

    /// `ops::set`.
    fn set(&self, visit: &Visit<'_>, number: usize, setting: &Setting) -> Done {
        let texts = self.texts(&[number]);
        let mut done = Ok(Vec::new());
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let edit = find_all(draft.facts(), &texts, Among::All)
                .map_err(Fault::from)
                .and_then(|mut ids| Ok((ids[0].clone(), self.edit(draft.facts(), &ids.remove(0), setting)?)));
            done = match edit {
                Ok((id, edit)) => Ok(vec![self.apply_edit(draft, &id, edit, setting)?]),
                Err(fault) => Err(fault),
            };
            Ok(())
        })?;
        done
    }

    fn edit(&self, facts: &Facts, id: &JobId, setting: &Setting) -> Result<Edit, Fault> {
        let job = facts.job(id).unwrap().expect("it was found");
        let mut after = job.spec.after;
        match setting {
            Setting::Priority(priority) => return Ok(Edit { priority: Some(*priority), ..Edit::default() }),
            Setting::Group(name) => {
                pick::slots(facts, &self.config, name).ok_or(Refusal::NotFound)?;
                let group = (*name != "default").then(|| (*name).to_owned());
                return Ok(Edit { group: Some(group), ..Edit::default() });
            }
            Setting::Delay(_) => return Ok(Edit::default()),
            Setting::After(other, until) => {
                let one = [(*other, *until)];
                let (first, second) =
                    (self.texts_of(&one, Until::Completed), self.texts_of(&one, Until::Ended));
                for one in waited_for(facts, &first, &second)? {
                    if !after.contains(&one) {
                        after.push(one);
                    }
                }
            }
            Setting::NotAfter(other) => {
                let lost = waited_for(facts, &self.texts(&[*other]), &[])?;
                after.retain(|one| !lost.iter().any(|lost| lost.id == one.id));
            }
        }
        if depend::circle(facts, id, &after).is_some() {
            return Err(Refusal::Usage.into());
        }
        Ok(Edit { after: Some(after), ..Edit::default() })
    }

    fn apply_edit(
        &self,
        draft: &mut Draft,
        id: &JobId,
        edit: Edit,
        setting: &Setting,
    ) -> Result<&'static str, Damage> {
        let mut moved = None;
        if let Setting::Delay(delay) = setting {
            let later = self.clock.now() + chrono::TimeDelta::seconds(*delay);
            let not_before = (*delay > 0).then_some(later);
            moved = Some(
                draft.push(Event::Changed { id: id.clone(), change: Change::Reschedule { not_before } })?,
            );
        }
        let applied = match moved {
            Some(refused @ Applied::Refused(_)) => refused,
            moved => {
                let applied = draft.push(Event::Edited { id: id.clone(), edit })?;
                if moved == Some(Applied::Yes) { Applied::Yes } else { applied }
            }
        };
        let after = draft.facts().job(id)?.expect("it was found");
        Ok(match applied {
            Applied::Yes => "done",
            Applied::NoOp(_) => "was so",
            Applied::Refused(_) if after.status().has_ended() => "had ended",
            Applied::Refused(_) if after.waiting().is_some() => "waits for approval",
            Applied::Refused(_) => "has begun",
        })
    }

    /// `ops::group`.
    fn change_group(&self, visit: &Visit<'_>, name: &str, decide: &DecideOfGroup<'_>) -> Done {
        if name == "default" || self.config.groups.contains_key(name) {
            return Err(Refusal::WrongState.into());
        }
        let mut done = Ok(Vec::new());
        visit.pass.advance(Scope::Slots, &mut |draft| {
            done = match decide(draft.facts()) {
                Ok((change, word)) => {
                    let applied = draft.push(Event::Grouped { group: name.to_owned(), change })?;
                    Ok(vec![if applied == Applied::Yes { word } else { "was so" }])
                }
                Err(refusal) => Err(refusal.into()),
            };
            Ok(())
        })?;
        done
    }

    /// `ops::schedule::add`.
    fn add_schedule(&self, visit: &Visit<'_>, name: &str, recurs: &Recurs) -> Done {
        let Recurs { every_seconds, overlap, missed, restarts, run } = recurs;
        let definition = Definition {
            rhythm: Rhythm::Every { seconds: *every_seconds },
            task: Task::Run(Box::new(Self::spec(run))),
            overlap: *overlap,
            missed: *missed,
            jitter_seconds: 0,
            restarts: *restarts,
            source: DefinedBy::Command,
        };
        let mut done = Ok(Vec::new());
        visit.pass.advance(Scope::Slots, &mut |draft| {
            if pick::slots(draft.facts(), &self.config, run.group).is_none() {
                done = Err(Refusal::NotFound.into());
                return Ok(());
            }
            recur::put(draft, name, &definition, self.clock.now()).map(drop)
        })?;
        done
    }

    /// `ops::schedule::change`.
    fn change_schedule(
        &self,
        visit: &Visit<'_>,
        name: &str,
        change: &dyn Fn(bgctl::model::Timestamp, &bgctl::model::schedule::Schedule) -> ScheduleChange,
    ) -> Done {
        if !visit.store.read()?.schedules().contains_key(name) {
            return Err(Refusal::NotFound.into());
        }
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let change = change(self.clock.now(), &draft.facts().schedules()[name]);
            draft.push(Event::Scheduled { schedule: name.to_owned(), change }).map(drop)
        })?;
        Ok(Vec::new())
    }

    /// `ops::schedule::run`.
    fn run_schedule(visit: &Visit<'_>, name: &str) -> Done {
        if !visit.store.read()?.schedules().contains_key(name) {
            return Err(Refusal::NotFound.into());
        }
        let mut fate = None;
        let mut begin = |draft: &mut Draft, inputs: &Inputs<'_>| {
            let schedule = draft.facts().schedules()[name].clone();
            let mut actions = Vec::new();
            fate = Some(recur::begin(draft, inputs, name, &schedule, &mut actions)?);
            Ok(actions)
        };
        let decided = visit.pass.decide_with(Scope::Slots, &mut begin)?;
        visit.pass.act(&decided.actions)?;
        match fate {
            Some(Fate::Submitted { .. }) => Ok(Vec::new()),
            _ => Err(Refusal::WrongState.into()),
        }
    }

    /// `ops::approval::decide`, after the person was asked.
    fn answer(&self, visit: &Visit<'_>, number: usize, approves: bool) -> Done {
        let facts = visit.store.read()?;
        let id = find_all(&facts, &self.texts(&[number]), Among::All)?.remove(0);
        let asked = facts.job(&id).unwrap().filter(|job| job.waiting().is_some());
        let asked = asked.ok_or(Refusal::WrongState)?;
        let mut applied = false;
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let (at, by) = (self.clock.now(), "ann".to_owned());
            let change = if approves {
                Change::Approve { at, by, said_at: None, note: None }
            } else {
                Change::Decline { at, by, said_at: None, note: None }
            };
            let present = draft.facts().job(&id)?;
            applied = present.is_some_and(|present| approve::still_asks(&present, &asked))
                && approve::answer(draft, &id, change, at)? == Applied::Yes;
            Ok(())
        })?;
        if applied { Ok(vec!["done"]) } else { Err(Refusal::WrongState.into()) }
    }

    /// `ops::approval::request`.
    fn request(&self, visit: &Visit<'_>, number: usize, Asks { ttl_seconds }: Asks) -> Done {
        let id = find_all(&*visit.store.read()?, &self.texts(&[number]), Among::All)?.remove(0);
        if visit.store.read()?.running().all(|job| job.id != id) {
            return Err(Refusal::WrongState.into());
        }
        let at = self.clock.now();
        let request = Request { on: On::Local, at, ttl_seconds, reason: None, hash: "hash".to_owned() };
        let mut done = Ok(Vec::new());
        visit.pass.advance(Scope::Slots, &mut |draft| {
            let change = Change::AskApproval { request: Box::new(request.clone()) };
            done = match draft.push(Event::Changed { id: id.clone(), change })? {
                Applied::Yes => Ok(vec!["asked"]),
                Applied::NoOp(_) => Ok(vec!["had asked"]),
                Applied::Refused(_) => Err(Refusal::WrongState.into()),
            };
            Ok(())
        })?;
        done
    }

    /// `ops::tick`.
    fn tick(&self, visit: &Visit<'_>) -> Done {
        let decided = visit.pass.advance(Scope::Tick, &mut |_| Ok(()))?;
        if decided.actions.contains(&Action::Retain) {
            let ids = visit.pass.retained_no_longer()?;
            if !ids.is_empty() {
                visit.pass.remove(visit.root, &ids)?;
            }
            let run = LastRun { id: None, at: self.clock.now(), result: RunResult::Succeeded, note: None };
            let change = ScheduleChange::Did { run, took_ms: 0 };
            let event = Event::Scheduled { schedule: RETENTION.to_owned(), change };
            visit.store.transact(self.clock.now(), &mut |draft| draft.push(event.clone()).map(drop))?;
        }
        Ok(Vec::new())
    }

    /// The index as it is, by whoever opens it now.
    pub fn facts(&self) -> Rc<Facts> {
        let mut facts = None;
        self.visit(false, &mut |visit| facts = Some(visit.store.read().unwrap()));
        facts.expect("there was a visit")
    }
}
