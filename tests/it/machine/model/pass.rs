//! What follows from every command: what was lost is judged, what is late ends, what is due comes, what waits in vain goes,
//! and free slots go to those whose turn it is.

use super::super::step::Launching;
use super::whole::{Model, code_of, retry_wait};
use super::{About, Ms, Run, Sight, State, Told};
use bgctl::model::outcome::{Exit, Why};

/// How far a pass looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At the slots.
    Slots,
    /// At everything, and what is built in is done.
    Tick,
}

impl Model {
    /// A pass, what was decided before it included. Gives whether it is written.
    pub(super) fn pass(&mut self, look: Look) -> bool {
        let mut launches = Vec::new();
        let mut cleans_up = false;
        if look == Look::Tick {
            self.rescue(&mut launches);
            self.end_what_is_stale(&mut launches);
            self.fail_what_nobody_approved();
            cleans_up = self.begin_chores();
        }
        self.recur();
        self.cancel_in_vain();
        self.fill_slots(&mut launches);
        if !self.write() {
            return false;
        }
        for number in launches {
            self.launch(number);
        }
        if cleans_up {
            self.remove_what_is_old();
        }
        true
    }

    /// Judges what is seen of running jobs.
    fn rescue(&mut self, launches: &mut Vec<usize>) {
        for number in self.numbers(|job| job.run().is_some()) {
            match self.sight(number) {
                Sight::Watched | Sight::Silent => {}
                Sight::NotStarted => {
                    self.mark("a claim that nobody began");
                    launches.push(number);
                }
                Sight::Orphaned => {
                    self.mark("an orphan");
                    launches.push(number);
                }
                Sight::Recorded { exit, at } => {
                    self.mark("an end that was written down");
                    self.attempt_ends(number, exit, at);
                }
                Sight::Vanished | Sight::Rebooted => {
                    self.mark("an end that nobody saw");
                    self.attempt_ends(number, Exit::Unknown { reason: String::new() }, self.now);
                }
            }
        }
    }

    fn end_what_is_stale(&mut self, launches: &mut Vec<usize>) {
        for number in self.numbers(|job| job.run().is_some()) {
            if self.sight(number) == Sight::Silent {
                self.mark("a silent watcher");
                self.tell(number, Why::Stale, false);
                // Its watcher is ended, and another one carries it out.
                launches.push(number);
            }
        }
    }

    fn fail_what_nobody_approved(&mut self) {
        for number in self.numbers(|job| matches!(job.state, State::Waiting { until: Some(_) })) {
            self.expire(number);
        }
    }

    /// Fails a job that waits for a person, where the time for an answer is over.
    pub(super) fn expire(&mut self, number: usize) -> bool {
        let now = self.now;
        let is_over =
            matches!(self.index.jobs[&number].state, State::Waiting { until: Some(until) } if until <= now);
        if is_over {
            self.mark("an approval that nobody gave in time");
            self.has_ended(number, State::Failed, now);
        }
        is_over
    }

    fn cancel_in_vain(&mut self) {
        let waits = |model: &Self| {
            model.numbers(|job| {
                matches!(job.state, State::Queued | State::Waiting { .. }) && model.waits_in_vain(job)
            })
        };
        let mut vain = waits(self);
        while let Some(number) = vain.first() {
            self.mark("a job that waited in vain");
            self.has_ended(*number, State::Cancelled, self.now);
            vain = waits(self);
        }
    }

    /// Gives the free slots away.
    fn fill_slots(&mut self, launches: &mut Vec<usize>) {
        let line: Vec<usize> = self.in_line().iter().map(|job| job.number).collect();
        for number in line {
            let asked = &self.index.jobs[&number].asked;
            let has_room =
                self.slots(asked.group).is_some_and(|slots| slots > self.holders(asked.group).len());
            if !asked.is_service && !has_room {
                continue;
            }
            let job = self.job_mut(number);
            job.state = State::Running(Run::default());
            job.attempts += 1;
            job.not_before = None;
            let is_again = job.attempts > 1;
            self.sights.remove(&number);
            if is_again {
                self.mark("another attempt");
            }
            launches.push(number);
        }
    }

    fn launch(&mut self, number: usize) {
        self.launched.push(number);
        let sight = self.sight(number);
        if sight == Sight::Silent {
            self.sights.insert(number, Sight::Orphaned);
        }
        match self.launching {
            Launching::Works => drop(self.sights.insert(number, Sight::Watched)),
            Launching::IsLost => {}
            Launching::Fails if sight == Sight::NotStarted => self.give_back(number),
            Launching::Fails => {}
        }
    }

    /// Nothing had run: it is queued again, or gone where it was told to end meanwhile.
    fn give_back(&mut self, number: usize) {
        if self.before.is_some() {
            // That cannot be written either: the next pass launches it.
            return;
        }
        self.mark("a slot that was given back");
        let job = self.job_mut(number);
        job.attempts -= 1;
        match job.run().and_then(|run| run.told) {
            None => job.state = State::Queued,
            Some(Told { why: Why::Timeout, at, .. }) => self.has_ended(number, State::Failed, at),
            Some(Told { at, .. }) => self.has_ended(number, State::Cancelled, at),
        }
    }

    /// A running job is told to end. The first reason stands, and can be sharpened; but what timed out may be tried again,
    /// and what somebody wants gone may not.
    pub(super) fn tell(&mut self, number: usize, why: Why, kills: bool) {
        let at = self.now;
        let Some(run) = self.job_mut(number).run_mut() else { return };
        let is_wish = matches!(why, Why::Cancel | Why::Replace);
        run.told = Some(match run.told {
            None => Told { why, kills, at },
            Some(first) if first.why == Why::Timeout && is_wish => {
                Told { why, kills: kills || first.kills, at }
            }
            Some(first) => Told { kills: kills || first.kills, ..first },
        });
    }

    /// The attempt of a running job has ended.
    pub(super) fn attempt_ends(&mut self, number: usize, exit: Exit, at: Ms) {
        let job = self.job_mut(number);
        let Some(Run { told, asked }) = job.run().cloned() else { return };
        let told = told.map(|told| told.why);
        let code = code_of(&exit, told);
        if told.is_some_and(|why| why != Why::Timeout) {
            job.exit = Some(exit);
            let is_failure = told == Some(Why::Stale);
            self.has_ended_as_run(number, State::Cancelled, at, is_failure);
        } else if told.is_none() && code == 0 {
            if let Some(asks) = asked {
                job.state = State::Waiting { until: asks.until(at) };
                job.is_paused = false;
                self.sights.remove(&number);
                self.mark("a job that asked");
            } else {
                job.exit = Some(exit);
                self.has_ended(number, State::Completed, at);
            }
        } else if job.attempts < job.asked.attempts_max
            && (!job.asked.is_choosy || [75, 124, 137].contains(&code))
        {
            job.state = State::Queued;
            job.not_before = Some(About::after(at, retry_wait(job)));
            self.sights.remove(&number);
            self.mark("a wait for the next attempt");
        } else {
            job.exit = Some(exit);
            job.is_dead_letter = job.asked.attempts_max > 1;
            if job.is_dead_letter {
                self.mark("a dead letter");
            }
            self.has_ended(number, State::Failed, at);
        }
    }

    /// A job has ended.
    pub(super) fn has_ended(&mut self, number: usize, state: State, at: Ms) {
        let is_failure = state == State::Failed;
        self.has_ended_as_run(number, state, at, is_failure);
    }

    fn has_ended_as_run(&mut self, number: usize, state: State, at: Ms, is_failure: bool) {
        let is_success = state == State::Completed;
        let job = self.job_mut(number);
        job.state = state;
        job.ended_at = Some(at);
        job.is_paused = false;
        job.not_before = None;
        let schedule = job.schedule.clone();
        self.sights.remove(&number);
        if let Some(schedule) = schedule.and_then(|name| self.index.schedules.get_mut(&name)) {
            schedule.last = Some((at, is_failure));
            if is_failure {
                schedule.failures += 1;
            }
            if is_success {
                schedule.failures = 0;
                // A success brings the rhythm back.
                if schedule.restart_at.take().is_some() {
                    schedule.next_at = schedule.next_after(at);
                }
            }
        }
    }
}
