//! What is compared after each step: every job, whom the executor was told to run, and what each of the others waits for.

use super::executor::Stopped;
use super::model::{self, About, Model, Ms, Said, State};
use super::place::Place;
use super::step::Step;
use super::sut::Sut;
use bgctl::model::{facts::Facts, id::JobId, job::Job, outcome::Exit, state::Status};
use bgctl::plan::pick::{self, Waits};
use std::collections::BTreeSet;

/// Everything that a model says of a job, in words that can be compared.
#[derive(Debug, PartialEq)]
struct Words {
    number: usize,
    status: Status,
    attempts: u32,
    exit: Option<String>,
    is_paused: bool,
    is_dead_letter: bool,
    is_told: bool,
    has_asked: bool,
    ended_at: Option<Ms>,
    priority: String,
    group: String,
    key: Option<String>,
    /// In no order: the index keeps none.
    after: BTreeSet<(usize, String)>,
    schedule: Option<String>,
    batch: Option<usize>,
    retry_of: Option<usize>,
    until: Option<Ms>,
    waits: Option<String>,
}

impl<P: Place> Sut<P> {
    /// Compares what came of a step with what had to come of it.
    pub fn compare(&self, step: &Step, said: &Said, model: &Model) {
        let facts = self.facts();
        facts.check().unwrap();
        self.learn(&facts);
        assert_eq!(*said, model.said, "what was said to {step:?}");
        let jobs: Vec<Words> =
            facts.jobs(|_| true).unwrap().iter().map(|job| self.tell(&facts, job)).collect();
        let expected: Vec<Words> = model.index.jobs.values().map(|job| expect(model, job)).collect();
        for (is, should) in jobs.iter().zip(&expected) {
            assert_eq!(is, should, "job {} after {step:?}", should.number);
        }
        assert_eq!(jobs.len(), expected.len(), "how many jobs there are");
        let launched: Vec<usize> = self.executor.launched.borrow().iter().map(|id| self.number(id)).collect();
        assert_eq!(launched, model.launched, "whom the executor was told to run, in this order");
        self.compare_times(&facts, model);
        Self::compare_tables(&facts, model);
    }

    fn tell(&self, facts: &Facts, job: &Job) -> Words {
        let now = Stopped::at(0);
        let number = |id: &JobId| self.number(id);
        let since = |at: bgctl::model::Timestamp| (at - now).num_milliseconds();
        Words {
            number: number(&job.id),
            status: job.status(),
            attempts: job.attempt,
            exit: job.end().and_then(|end| end.outcome.as_ref()).map(|outcome| word_of(&outcome.exit)),
            is_paused: job.paused_at().is_some(),
            is_dead_letter: job.end().is_some_and(|end| end.dead_letter),
            is_told: job.is_being_ended(),
            has_asked: job.run().is_some_and(|run| run.asked.is_some()),
            ended_at: job.ended_at().map(since),
            priority: job.spec.priority.to_string(),
            group: pick::group_of(job.spec.group.as_deref()).to_owned(),
            key: job.spec.key.as_ref().map(|key| key.text.clone()),
            after: job.spec.after.iter().map(|one| (number(&one.id), format!("{:?}", one.until))).collect(),
            schedule: job.spec.schedule.clone(),
            batch: job.spec.batch.as_ref().map(number),
            retry_of: job.spec.retry_of.as_ref().map(number),
            until: job.waiting().and_then(bgctl::model::approval::Waiting::expires_at).map(since),
            waits: self.waits(facts, &job.id),
        }
    }

    fn waits(&self, facts: &Facts, id: &JobId) -> Option<String> {
        use bgctl::exec::Executor;
        use bgctl::os::clock::Clock;
        let numbers = |ids: &[JobId]| ids.iter().map(|id| self.number(id)).collect::<Vec<_>>();
        let site = self.executor.site();
        let waits = pick::why_it_waits(facts, id, self.clock.now(), &self.config, site).unwrap()?;
        Some(match waits {
            Waits::Paused { .. } => "paused".to_owned(),
            Waits::GroupPaused { .. } => "group paused".to_owned(),
            Waits::ForJobs(_) => "for jobs".to_owned(),
            Waits::InVain => "in vain".to_owned(),
            Waits::Until(_) => "until".to_owned(),
            Waits::ForRetry { .. } => "for its next attempt".to_owned(),
            Waits::ForGroup(_) => "for its group".to_owned(),
            Waits::ForSlot { held_by, ahead } => {
                format!("for a slot of {:?} behind {:?}", numbers(&held_by), numbers(&ahead))
            }
            Waits::ForPass => "for the next pass".to_owned(),
        })
    }

    /// The times before when jobs do not start are within their bounds.
    fn compare_times(&self, facts: &Facts, model: &Model) {
        for head in facts.heads().filter(|head| head.status == Status::Queued) {
            let number = self.number(&head.id);
            let is = head.not_before.map(|at| (at - Stopped::at(0)).num_milliseconds());
            let fits = match (is, model.index.jobs[&number].not_before) {
                (None, None) => true,
                (Some(at), Some(About { from, to })) => (from..=to).contains(&at),
                _ => false,
            };
            assert!(fits, "job {number} starts at {is:?}, not {:?}", model.index.jobs[&number].not_before);
        }
    }

    fn compare_tables(facts: &Facts, model: &Model) {
        let groups: Vec<_> = facts
            .groups()
            .iter()
            .map(|(name, group)| (name.clone(), group.slots, group.paused_at.is_some()))
            .collect();
        let expected: Vec<_> = model
            .index
            .groups
            .iter()
            .map(|(name, group)| (name.clone(), group.slots, group.is_paused))
            .collect();
        assert_eq!(groups, expected, "the groups");
        let since = |at: bgctl::model::Timestamp| (at - Stopped::at(0)).num_milliseconds();
        let schedules: Vec<_> = facts
            .schedules()
            .iter()
            .filter(|(_, schedule)| schedule.spec().is_some())
            .map(|(name, schedule)| {
                let times = (schedule.next_at.map(since), schedule.restart_at.map(since));
                (name.clone(), times, schedule.paused_at.is_some(), schedule.health.failures_in_row)
            })
            .collect();
        let expected: Vec<_> = model
            .index
            .schedules
            .iter()
            .map(|(name, schedule)| {
                let times = (Some(schedule.next_at), schedule.restart_at);
                (name.clone(), times, schedule.is_paused, u64::from(schedule.failures))
            })
            .collect();
        assert_eq!(schedules, expected, "the schedules");
    }
}

fn expect(model: &Model, job: &model::Job) -> Words {
    let until = if let State::Waiting { until } = job.state { until } else { None };
    Words {
        number: job.number,
        status: status_of(&job.state),
        attempts: job.attempts,
        exit: job.exit.as_ref().map(word_of),
        is_paused: job.is_paused,
        is_dead_letter: job.is_dead_letter,
        is_told: job.is_told(),
        has_asked: job.run().is_some_and(|run| run.asked.is_some()),
        ended_at: job.ended_at,
        priority: job.asked.priority.as_str().to_owned(),
        group: job.asked.group.to_owned(),
        key: job.asked.key.map(|(key, _)| format!("key {key}")),
        after: job.asked.after.iter().map(|(other, until)| (*other, format!("{until:?}"))).collect(),
        schedule: job.schedule.clone(),
        batch: job.batch,
        retry_of: job.retry_of,
        until,
        waits: waits(model, job),
    }
}

/// What a queued job waits for, as `status` says it.
fn waits(model: &Model, job: &model::Job) -> Option<String> {
    if job.state != State::Queued {
        return None;
    }
    if let Some(word) = model.held_back(job) {
        return Some(word.to_owned());
    }
    if job.asked.is_service {
        return Some("for the next pass".to_owned());
    }
    let line = model.in_line();
    let of_group =
        line.iter().filter(|other| other.asked.group == job.asked.group && !other.asked.is_service);
    let ahead: Vec<usize> =
        of_group.map(|other| other.number).take_while(|other| *other != job.number).collect();
    let held_by = model.holders(job.asked.group);
    let slots = model.slots(job.asked.group).unwrap_or(0);
    let starts = ahead.len() + held_by.len() < slots;
    Some(if starts {
        "for the next pass".to_owned()
    } else {
        format!("for a slot of {held_by:?} behind {ahead:?}")
    })
}

pub fn status_of(state: &State) -> Status {
    match state {
        State::Queued => Status::Queued,
        State::Running(_) => Status::Running,
        State::Waiting { .. } => Status::WaitingApproval,
        State::Completed => Status::Completed,
        State::Failed => Status::Failed,
        State::Cancelled => Status::Cancelled,
    }
}

fn word_of(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::NotStarted { code, .. } => format!("not started, code {code}"),
        Exit::Unknown { .. } => "unknown".to_owned(),
        Exit::NotExecuted => "not executed".to_owned(),
    }
}
