//! Schedules: docs/schedules.md.

use super::super::step::Recurs;
use super::pass::Look;
use super::whole::Model;
use super::{Chore, Job, Ms, Refusal, Schedule, State, settings};
use bgctl::model::{
    dependency::Until,
    outcome::Why,
    schedule::{Missed, Overlap},
};

impl Model {
    /// What is due comes, and what failed is told when it runs again.
    pub(super) fn recur(&mut self) {
        let mut due: Vec<(Ms, String)> = self
            .index
            .schedules
            .iter()
            .filter_map(|(name, schedule)| {
                Some((schedule.due_at().filter(|at| *at <= self.now)?, name.clone()))
            })
            .collect();
        due.sort();
        for (_, name) in due {
            self.time_comes(&name);
        }
        for name in self.index.schedules.keys().cloned().collect::<Vec<_>>() {
            self.restart(&name);
        }
    }

    fn time_comes(&mut self, name: &str) {
        let now = self.now;
        let schedule = self.index.schedules[name].clone();
        // Of several times that have come the latest counts.
        let latest =
            schedule.next_at + (now - schedule.next_at).div_euclid(schedule.every()) * schedule.every();
        let is_missed = schedule.restart_at.is_none() && now - latest > settings::IN_TIME;
        if is_missed && schedule.asked.missed == Missed::None {
            self.mark("a time that was missed");
        } else {
            // What the run before it does not allow is left out.
            let _ = self.begin_run(name);
        }
        if schedule.restart_at.is_some() {
            self.mark("a restart");
        }
        let schedule = self.index.schedules.get_mut(name).expect("it is there");
        schedule.restart_at = None;
        schedule.next_at = schedule.next_after(now);
    }

    /// A run now, if those before it allow that.
    pub(super) fn begin_run(&mut self, name: &str) -> Result<(), Refusal> {
        let schedule = self.index.schedules[name].clone();
        let runs = self.runs_of(name);
        if runs.len() > schedule.runs_max() {
            self.mark("a run that was left out");
            return Err(Refusal::WrongState);
        }
        let mut asked = schedule.asked.run.clone();
        if asked.key.is_some_and(|(key, _)| self.holder_of(key).is_some()) {
            self.mark("a run whose key was taken");
            return Err(Refusal::WrongState);
        }
        asked.after.extend(runs.iter().map(|run| (*run, Until::Ended)));
        if schedule.asked.overlap == Overlap::Replace {
            for run in runs {
                self.mark("a run that was replaced");
                if self.index.jobs[&run].run().is_some() {
                    self.tell(run, Why::Replace, false);
                } else {
                    self.has_ended(run, State::Cancelled, self.now);
                }
            }
        }
        let number = self.enter(asked, None);
        self.job_mut(number).schedule = Some(name.to_owned());
        self.mark("a run");
        Ok(())
    }

    /// A run that failed is followed by another, after a wait that grows.
    fn restart(&mut self, name: &str) {
        let (now, has_runs) = (self.now, !self.runs_of(name).is_empty());
        let schedule = self.index.schedules.get_mut(name).expect("it is there");
        let Some((failed_at, true)) = schedule.last else { return };
        if !schedule.asked.restarts || schedule.is_paused || schedule.restart_at.is_some() || has_runs {
            return;
        }
        let (first, factor, most) = settings::RESTART;
        let mut wait = first;
        for _ in 1..schedule.failures {
            wait = (wait * factor).min(most);
        }
        // Where somebody held it back meanwhile, from now.
        let at = failed_at + wait;
        schedule.restart_at = Some(if at > now { at } else { now + wait });
    }

    /// Adds a job behind all others, where nothing forbids it.
    pub(super) fn enter(
        &mut self,
        asked: super::super::step::Shape,
        not_before: Option<super::About>,
    ) -> usize {
        let number = self.index.next;
        self.index.next += 1;
        let state = match asked.gate {
            None => State::Queued,
            Some(asks) => State::Waiting { until: asks.until(self.now) },
        };
        let job = Job {
            number,
            asked,
            batch: None,
            schedule: None,
            retry_of: None,
            state,
            attempts: 0,
            is_paused: false,
            not_before,
            exit: None,
            is_dead_letter: false,
            ended_at: None,
        };
        self.index.jobs.insert(number, job);
        number
    }

    pub(super) fn add_schedule(&mut self, name: &str, asked: &Recurs) -> Result<Vec<&'static str>, Refusal> {
        let now = self.now;
        let is_known = self.slots(asked.run.group).is_some();
        if is_known {
            let fresh = Schedule {
                asked: asked.clone(),
                added_at: now,
                next_at: now,
                restart_at: None,
                is_paused: false,
                failures: 0,
                last: None,
            };
            let was = self.index.schedules.get(name).cloned();
            let schedule = match was {
                // Where the rhythm is the same, its times stay.
                Some(was) if was.asked.every_seconds == asked.every_seconds => {
                    Schedule { asked: asked.clone(), ..was }
                }
                was => {
                    // The past stays in any case.
                    let past = was.unwrap_or_else(|| fresh.clone());
                    let Schedule { is_paused, failures, last, .. } = past;
                    let next_at = fresh.next_after(now);
                    Schedule { next_at, is_paused, failures, last, ..fresh }
                }
            };
            self.index.schedules.insert(name.to_owned(), schedule);
        }
        self.pass(Look::Slots);
        if is_known { Ok(Vec::new()) } else { Err(Refusal::NotFound) }
    }

    /// What holds for a command about a schedule that is there.
    pub(super) fn change_schedule(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Self, &str) -> Result<(), Refusal>,
    ) -> Result<Vec<&'static str>, Refusal> {
        if !self.index.schedules.contains_key(name) {
            return Err(Refusal::NotFound);
        }
        let done = change(self, name);
        self.pass(Look::Slots);
        done.map(|()| Vec::new())
    }

    /// What is built in and has something to do is done, once an hour. Gives whether old jobs are to be removed.
    pub(super) fn begin_chores(&mut self) -> bool {
        let forgotten = self.numbers(|job| job.asked.key.is_some() && !self.holds_key(job));
        let is_key_time = !forgotten.is_empty() && self.is_time_for("keys");
        if is_key_time {
            self.mark("keys that were forgotten");
            for number in forgotten {
                self.job_mut(number).asked.key = None;
            }
        }
        !self.old(false).is_empty() && self.is_time_for("retention")
    }

    fn is_time_for(&mut self, chore: &'static str) -> bool {
        let now = self.now;
        let chore = self.index.chores.entry(chore).or_insert(Chore { added_at: now, next_at: now });
        if chore.next_at > now {
            return false;
        }
        let hours = (now - chore.added_at) / settings::CHORES_EVERY;
        chore.next_at = chore.added_at + (hours + 1) * settings::CHORES_EVERY;
        true
    }
}
