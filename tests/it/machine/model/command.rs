//! What each command does to the model, and when it is refused.

use super::super::step::{Asks, Command, Setting, Shape};
use super::pass::Look;
use super::whole::Model;
use super::{About, Job, Refusal, SECOND, Sight, State};
use bgctl::model::{dependency::Until, outcome::Why};
use std::collections::BTreeSet;

/// A word for each job that it was about, or why it was refused.
type Done = Result<Vec<&'static str>, Refusal>;

impl Model {
    pub(super) fn command(&mut self, command: &Command) -> Done {
        match command {
            Command::Start { shapes, is_batch, creates_groups } => {
                self.start(shapes, *is_batch, *creates_groups)
            }
            Command::Ends(number, exit) => {
                self.attempt_ends(*number, exit.clone(), self.now);
                self.pass(Look::Slots);
                Ok(Vec::new())
            }
            Command::TimesOut(number) => {
                self.tell(*number, Why::Timeout, false);
                self.write();
                Ok(Vec::new())
            }
            Command::Loses(number, sight) => {
                let sight = match sight {
                    Sight::Recorded { exit, .. } => Sight::Recorded { exit: exit.clone(), at: self.now },
                    other => other.clone(),
                };
                self.sights.insert(*number, sight);
                Ok(Vec::new())
            }
            Command::Launches(launching) => {
                self.launching = *launching;
                Ok(Vec::new())
            }
            Command::Cancel { numbers, kills } => self.cancel(numbers, *kills),
            Command::Pause(number) => self.pause(*number, true),
            Command::Resume(number) => self.pause(*number, false),
            Command::PauseGroup(name) => self.pause_group(name, true),
            Command::ResumeGroup(name) => self.pause_group(name, false),
            Command::Retry(numbers) => self.retry(numbers),
            Command::RetryDead => self.retry_dead(),
            Command::Prune { all } => {
                self.remove(*all);
                Ok(Vec::new())
            }
            Command::ClearDead(number) => self.clear_dead(*number),
            Command::Set(number, setting) => {
                let done = self.set(*number, setting);
                self.pass(Look::Slots);
                done.map(|word| vec![word])
            }
            Command::AddGroup(name, slots) => self.add_group(name, *slots),
            Command::RemoveGroup(name) => self.remove_group(name),
            Command::AddSchedule(name, recurs) => self.add_schedule(name, recurs),
            Command::PauseSchedule(name) => self.change_schedule(name, |model, name| {
                model.index.schedules.get_mut(name).expect("it is there").is_paused = true;
                Ok(())
            }),
            Command::ResumeSchedule(name) => self.change_schedule(name, |model, name| {
                let now = model.now;
                let schedule = model.index.schedules.get_mut(name).expect("it is there");
                // Times that pass while a schedule is paused are not missed.
                if std::mem::take(&mut schedule.is_paused) {
                    schedule.next_at = schedule.next_after(now);
                    schedule.restart_at = None;
                }
                Ok(())
            }),
            Command::RemoveSchedule(name) => self.change_schedule(name, |model, name| {
                model.index.schedules.remove(name);
                Ok(())
            }),
            Command::RunSchedule(name) => self.change_schedule(name, Self::begin_run),
            Command::Approve(number) => self.answer(*number, true),
            Command::Decline(number) => self.answer(*number, false),
            Command::Request(number, asks) => self.request(*number, *asks),
            Command::Tick => {
                self.pass(Look::Tick);
                Ok(Vec::new())
            }
            Command::Wait(span) => {
                self.wait(*span);
                Ok(Vec::new())
            }
        }
    }

    fn start(&mut self, shapes: &[Shape], is_batch: bool, creates_groups: bool) -> Done {
        for (other, _) in shapes.iter().flat_map(|shape| &shape.after) {
            self.job(*other)?;
        }
        let done = self.submit(shapes, is_batch, creates_groups);
        self.pass(Look::Slots);
        done
    }

    /// Submits all or none. Those whose key is taken are there already.
    fn submit(&mut self, shapes: &[Shape], is_batch: bool, creates_groups: bool) -> Done {
        let mut keys = BTreeSet::new();
        let is_new = |shape: &&Shape| {
            shape.key.is_none_or(|(key, _)| keys.insert(key) && self.holder_of(key).is_none())
        };
        let new: Vec<Shape> = shapes.iter().filter(is_new).cloned().collect();
        // The word of each, in their order.
        let mut seen = BTreeSet::new();
        let word = |shape: &Shape| match shape.key {
            Some((key, _)) if !seen.insert(key) || self.holder_of(key).is_some() => "is there",
            _ => "submitted",
        };
        let words: Vec<&'static str> = shapes.iter().map(word).collect();
        let missing: BTreeSet<&str> =
            new.iter().map(|shape| shape.group).filter(|group| self.slots(group).is_none()).collect();
        if !missing.is_empty() && !creates_groups {
            return Err(Refusal::NotFound);
        }
        let needs_room = new.iter().any(|shape| !shape.is_service && shape.gate.is_none());
        let is_gated = new.iter().any(|shape| shape.gate.is_some());
        if needs_room && self.waiting() > super::settings::THRESHOLD {
            self.mark("a full queue");
            return Err(Refusal::NotNow);
        }
        if is_gated && self.waiting_for_approval() > super::settings::THRESHOLD {
            self.mark("too many that wait for approval");
            return Err(Refusal::NotNow);
        }
        for group in missing {
            self.index.groups.entry(group.to_owned()).or_default().slots = Some(1);
        }
        let mut batch = None;
        for shape in new {
            let not_before = shape.delay.map(|delay| About::exactly(self.now + delay * SECOND));
            // A job that is named twice is waited for once.
            let mut named = Vec::new();
            let is_first = |one: &(usize, Until)| {
                !named.contains(one) && {
                    named.push(*one);
                    true
                }
            };
            let after = shape.after.iter().copied().filter(is_first).collect();
            let number = self.enter(Shape { after, ..shape }, not_before);
            if is_batch {
                self.job_mut(number).batch = Some(*batch.get_or_insert(number));
            }
        }
        if words.contains(&"is there") {
            self.mark("a key that was taken");
        }
        Ok(words)
    }

    fn cancel(&mut self, numbers: &[usize], kills: bool) -> Done {
        let numbers = each_once(numbers);
        for number in &numbers {
            self.job(*number)?;
        }
        let mut words = Vec::new();
        for number in numbers {
            let job = &self.index.jobs[&number];
            words.push(if job.has_ended() { "had ended" } else { "asked" });
            if job.run().is_some() {
                self.tell(number, Why::Cancel, kills);
            } else if !job.has_ended() {
                self.has_ended(number, State::Cancelled, self.now);
            }
        }
        self.pass(Look::Slots);
        Ok(words)
    }

    fn pause(&mut self, number: usize, wanted: bool) -> Done {
        let done = self.pause_one(number, wanted);
        self.pass(Look::Slots);
        done.map(|word| vec![word])
    }

    fn pause_one(&mut self, number: usize, wanted: bool) -> Result<&'static str, Refusal> {
        let job = self.job(number)?;
        Ok(match &job.state {
            _ if job.has_ended() => "had ended",
            State::Waiting { .. } if wanted => "waits for approval",
            State::Waiting { .. } => "was so",
            _ if job.is_told() => "is being ended",
            _ if job.is_paused == wanted => "was so",
            _ => {
                self.job_mut(number).is_paused = wanted;
                "done"
            }
        })
    }

    /// A group as a whole: what runs stands still. Who resumes it lets all of its jobs go on.
    fn pause_group(&mut self, name: &str, wanted: bool) -> Done {
        let is_named = self.index.jobs.values().any(|job| job.asked.group == name);
        if self.slots(name).is_none() && !self.index.groups.contains_key(name) && !is_named {
            return Err(Refusal::NotFound);
        }
        self.index.groups.entry(name.to_owned()).or_default().is_paused = wanted;
        self.forget_empty_group(name);
        let is_meant = |job: &Job| {
            let can_run = job.state == State::Queued || job.run().is_some();
            job.asked.group == name
                && can_run
                && !job.is_told()
                && job.is_paused != wanted
                && (!wanted || job.run().is_some())
        };
        for number in self.numbers(is_meant) {
            self.job_mut(number).is_paused = wanted;
        }
        self.pass(Look::Slots);
        Ok(Vec::new())
    }

    fn forget_empty_group(&mut self, name: &str) {
        if self.index.groups.get(name).is_some_and(|group| group.slots.is_none() && !group.is_paused) {
            self.index.groups.remove(name);
        }
    }

    fn retry(&mut self, numbers: &[usize]) -> Done {
        let numbers = each_once(numbers);
        for number in &numbers {
            self.job(*number)?;
        }
        if numbers.iter().any(|number| !self.index.jobs[number].has_ended()) {
            return Err(Refusal::WrongState);
        }
        if numbers.iter().any(|number| self.is_held_back_by_its_key(*number, &numbers)) {
            self.mark("a retry whose key was taken");
            return Err(Refusal::WrongState);
        }
        self.repeat(&numbers)
    }

    /// All dead letters, but for those whose key is another's.
    fn retry_dead(&mut self) -> Done {
        let all = self.numbers(|job| job.is_dead_letter);
        let numbers: Vec<usize> =
            all.iter().copied().filter(|number| !self.is_held_back_by_its_key(*number, &all)).collect();
        if numbers.len() < all.len() {
            self.mark("a retry whose key was taken");
        }
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        self.repeat(&numbers)
    }

    /// Whether another one has the key: a job that has not ended, or of these the last one.
    fn is_held_back_by_its_key(&self, number: usize, all: &[usize]) -> bool {
        let key_of = |number: &usize| self.index.jobs[number].asked.key.map(|(key, _)| key);
        let Some(key) = key_of(&number) else { return false };
        let active = self.holder_of(key).filter(|holder| !self.index.jobs[holder].has_ended());
        let last = all.iter().copied().rfind(|other| key_of(other) == Some(key));
        active.or(last).is_some_and(|holder| holder != number)
    }

    /// Each becomes a new job; several are one entry, and wait for each other as they did.
    fn repeat(&mut self, numbers: &[usize]) -> Done {
        if numbers.iter().any(|number| self.slots(self.index.jobs[number].asked.group).is_none()) {
            return Err(Refusal::NotFound);
        }
        let originals: Vec<Job> = numbers.iter().map(|number| self.index.jobs[number].clone()).collect();
        let needs_room = originals.iter().any(|job| !job.asked.is_service && job.asked.gate.is_none());
        let is_gated = originals.iter().any(|job| job.asked.gate.is_some());
        let is_full = needs_room && self.waiting() > super::settings::THRESHOLD
            || is_gated && self.waiting_for_approval() > super::settings::THRESHOLD;
        if !is_full {
            let first = self.index.next;
            for original in &originals {
                let place = |other: &(usize, Until)| {
                    let place = numbers.iter().position(|number| *number == other.0)?;
                    Some((first + place, other.1))
                };
                let after = original.asked.after.iter().filter_map(place).collect();
                let number = self.enter(Shape { after, delay: None, ..original.asked.clone() }, None);
                let job = self.job_mut(number);
                job.schedule.clone_from(&original.schedule);
                job.retry_of = Some(original.number);
                job.batch = (originals.len() > 1).then_some(first);
                self.job_mut(original.number).is_dead_letter = false;
            }
        }
        self.pass(Look::Slots);
        if is_full { Err(Refusal::NotNow) } else { Ok(vec!["submitted"; numbers.len()]) }
    }

    fn clear_dead(&mut self, number: usize) -> Done {
        let job = self.job(number)?;
        let word = match () {
            () if !job.has_ended() => "has not ended",
            () if !job.is_dead_letter => "was none",
            () => "done",
        };
        self.job_mut(number).is_dead_letter = false;
        self.write();
        Ok(vec![word])
    }

    fn set(&mut self, number: usize, setting: &Setting) -> Result<&'static str, Refusal> {
        let job = self.job(number)?.clone();
        let mut asked = job.asked.clone();
        let mut not_before = job.not_before;
        match setting {
            Setting::Priority(priority) => asked.priority = *priority,
            Setting::Group(group) => {
                self.slots(group).ok_or(Refusal::NotFound)?;
                asked.group = group;
            }
            Setting::After(other, until) => {
                self.job(*other)?;
                if !asked.after.contains(&(*other, *until)) {
                    asked.after.push((*other, *until));
                }
                if self.waits_for_itself(number, &asked.after) {
                    self.mark("a circle");
                    return Err(Refusal::Usage);
                }
            }
            Setting::NotAfter(other) => {
                self.job(*other)?;
                asked.after.retain(|(one, _)| one != other);
                if self.waits_for_itself(number, &asked.after) {
                    return Err(Refusal::Usage);
                }
            }
            Setting::Delay(0) => not_before = None,
            Setting::Delay(delay) => not_before = Some(About::exactly(self.now + delay * SECOND)),
        }
        let is_delay = matches!(setting, Setting::Delay(_));
        Ok(match &job.state {
            _ if job.has_ended() => "had ended",
            State::Running(_) => "has begun",
            State::Waiting { .. } if is_delay => "waits for approval",
            _ if asked == job.asked && not_before == job.not_before => "was so",
            _ => {
                let job = self.job_mut(number);
                (job.asked, job.not_before) = (asked, not_before);
                "done"
            }
        })
    }

    /// Whether a job that waits for these waits for itself, through whatever chain of jobs that have not ended.
    fn waits_for_itself(&self, number: usize, after: &[(usize, Until)]) -> bool {
        let mut open: Vec<usize> = after.iter().map(|(other, _)| *other).collect();
        let mut seen = BTreeSet::new();
        while let Some(other) = open.pop() {
            if other == number {
                return true;
            }
            let job = self.index.jobs.get(&other).filter(|job| !job.has_ended());
            if let Some(job) = job.filter(|_| seen.insert(other)) {
                open.extend(job.asked.after.iter().map(|(other, _)| *other));
            }
        }
        false
    }

    fn add_group(&mut self, name: &str, slots: usize) -> Done {
        if ["default", "g"].contains(&name) {
            return Err(Refusal::WrongState);
        }
        let word = match self.slots(name) {
            None => "added",
            Some(was) if was == slots => "was so",
            Some(_) => "changed",
        };
        self.index.groups.entry(name.to_owned()).or_default().slots = Some(slots);
        self.pass(Look::Slots);
        Ok(vec![word])
    }

    fn remove_group(&mut self, name: &str) -> Done {
        if ["default", "g"].contains(&name) {
            return Err(Refusal::WrongState);
        }
        let is_used = self
            .index
            .jobs
            .values()
            .any(|job| job.asked.group == name && (job.state == State::Queued || job.run().is_some()));
        let done = match self.index.groups.contains_key(name) {
            false => Err(Refusal::NotFound),
            true if is_used => Err(Refusal::WrongState),
            true => {
                self.index.groups.remove(name);
                Ok(vec!["removed"])
            }
        };
        self.pass(Look::Slots);
        done
    }

    fn answer(&mut self, number: usize, approves: bool) -> Done {
        if !matches!(self.job(number)?.state, State::Waiting { .. }) {
            return Err(Refusal::WrongState);
        }
        let is_late = self.expire(number);
        if !is_late && approves {
            let job = self.job_mut(number);
            job.state = State::Queued;
            // What asked while it ran goes on in the same attempt.
            job.attempts = job.attempts.saturating_sub(1);
        } else if !is_late {
            self.has_ended(number, State::Cancelled, self.now);
        }
        self.pass(Look::Slots);
        if is_late { Err(Refusal::WrongState) } else { Ok(vec!["done"]) }
    }

    fn request(&mut self, number: usize, asks: Asks) -> Done {
        let job = self.job(number)?;
        let Some(run) = job.run().cloned() else { return Err(Refusal::WrongState) };
        let done = match run {
            run if run.told.is_some() => Err(Refusal::WrongState),
            run if run.asked.is_some() => Ok(vec!["had asked"]),
            _ => {
                self.job_mut(number).run_mut().expect("it runs").asked = Some(asks);
                Ok(vec!["asked"])
            }
        };
        self.pass(Look::Slots);
        done
    }
}

/// In the order given.
pub fn each_once(numbers: &[usize]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    numbers.iter().copied().filter(|number| seen.insert(*number)).collect()
}
