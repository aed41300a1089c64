//! The model as a whole: what the index would keep, what is seen of the processes, the time, and what the last step came to.

use super::super::step::{Launching, Step, Taste};
use super::{About, Index, Job, Ms, Refusal, SECOND, Said, Sight, State, settings};
use bgctl::model::{
    dependency::Until,
    outcome::{Exit, Why},
};
use std::collections::{BTreeMap, BTreeSet};

/// The model.
#[derive(Clone, Debug)]
pub struct Model {
    pub index: Index,
    /// Of the running jobs; one that is not in here has not begun.
    pub sights: BTreeMap<usize, Sight>,
    pub now: Ms,
    pub launching: Launching,
    /// What this case has more of than others.
    pub taste: Taste,
    /// What the last step came to.
    pub said: Said,
    /// Whom the executor was told to run meanwhile, in this order.
    pub launched: Vec<usize>,
    /// What was reached meanwhile that the whole run has to reach.
    pub marks: BTreeSet<&'static str>,
    /// What was before this step, while the store cannot write.
    pub(super) before: Option<Box<(Index, BTreeMap<usize, Sight>)>>,
    pub(super) is_lost: bool,
}

impl Model {
    pub fn new(taste: Taste) -> Self {
        Self {
            taste,
            index: Index::default(),
            sights: BTreeMap::new(),
            now: 0,
            launching: Launching::Works,
            said: Said::Did(Vec::new()),
            launched: Vec::new(),
            marks: BTreeSet::new(),
            before: None,
            is_lost: false,
        }
    }

    /// Does a step.
    pub fn take(&mut self, step: &Step) {
        self.launched.clear();
        self.marks.clear();
        self.is_lost = false;
        self.before = step.is_unwritten.then(|| Box::new((self.index.clone(), self.sights.clone())));
        let said = self.command(&step.command);
        self.before = None;
        self.said = match said {
            _ if self.is_lost => Said::NotWritten,
            Ok(words) => Said::Did(words),
            Err(refusal) => Said::Refused(refusal),
        };
    }

    /// What was decided is written. Where it cannot be, it was not decided, and nothing follows: `false`.
    pub(super) fn write(&mut self) -> bool {
        if let Some(before) = self.before.take() {
            if before.0 == self.index {
                self.before = Some(before);
                return true;
            }
            (self.index, self.sights) = *before;
            self.is_lost = true;
        }
        !self.is_lost
    }

    pub(super) fn mark(&mut self, what: &'static str) {
        self.marks.insert(what);
    }

    pub fn numbers(&self, is_fit: impl Fn(&Job) -> bool) -> Vec<usize> {
        self.index.jobs.values().filter(|job| is_fit(job)).map(|job| job.number).collect()
    }

    pub fn next_number(&self) -> usize {
        self.index.next
    }

    /// How many jobs have not ended.
    pub fn count(&self) -> usize {
        self.numbers(|job| !job.has_ended()).len()
    }

    pub fn sight(&self, number: usize) -> Sight {
        self.sights.get(&number).cloned().unwrap_or(Sight::NotStarted)
    }

    pub(super) fn job(&self, number: usize) -> Result<&Job, Refusal> {
        self.index.jobs.get(&number).ok_or(Refusal::NotFound)
    }

    pub(super) fn job_mut(&mut self, number: usize) -> &mut Job {
        self.index.jobs.get_mut(&number).expect("the model knows its jobs")
    }

    /// Time passes, and a little more where nobody could know what is due.
    pub(super) fn wait(&mut self, span: Ms) {
        self.now += span;
        while let Some(until) = self
            .unclear()
            .filter(|about| about.from <= self.now && self.now < about.to)
            .map(|about| about.to)
            .max()
        {
            self.now = until;
        }
    }

    /// Every instant that chance moves, those included that follow once somebody looks.
    fn unclear(&self) -> impl Iterator<Item = About> + use<> {
        let mut all: Vec<About> = self.index.jobs.values().filter_map(|job| job.not_before).collect();
        for (number, sight) in &self.sights {
            if let (Sight::Recorded { at, .. }, Some(job)) = (sight, self.index.jobs.get(number)) {
                all.push(About::after(*at, retry_wait(job)));
            }
        }
        all.into_iter()
    }

    /// How many slots a group has; `None`: it is not there. The settings win over the index.
    pub fn slots(&self, group: &str) -> Option<usize> {
        match group {
            "default" => Some(settings::SLOTS),
            "g" => Some(settings::SLOTS_OF_G),
            _ => self.index.groups.get(group)?.slots,
        }
    }

    pub fn is_group_paused(&self, group: &str) -> bool {
        self.index.groups.get(group).is_some_and(|group| group.is_paused)
    }

    /// Those that hold a slot of a group. A service needs none.
    pub fn holders(&self, group: &str) -> Vec<usize> {
        self.numbers(|job| job.run().is_some() && !job.asked.is_service && job.asked.group == group)
    }

    /// What a queued job waits for, beside a slot: docs/queue.md, 4. The first that is true is told.
    pub fn held_back(&self, job: &Job) -> Option<&'static str> {
        let has_come = |until: About| until.has_come(self.now);
        if job.is_paused {
            Some("paused")
        } else if self.is_group_paused(job.asked.group) {
            Some("group paused")
        } else if self.slots(job.asked.group).is_none() && !job.asked.is_service {
            Some("for its group")
        } else if job.asked.after.iter().any(|(other, _)| self.is_open(*other)) {
            Some("for jobs")
        } else if self.waits_in_vain(job) {
            Some("in vain")
        } else if job.not_before.is_some_and(|until| !has_come(until)) {
            Some(if job.attempts == 0 { "until" } else { "for its next attempt" })
        } else {
            None
        }
    }

    fn is_open(&self, other: usize) -> bool {
        self.index.jobs.get(&other).is_some_and(|job| !job.has_ended())
    }

    /// Whether the job can never start, because another did not complete.
    pub(super) fn waits_in_vain(&self, job: &Job) -> bool {
        job.asked.after.iter().any(|(other, until)| {
            let ended = self.index.jobs.get(other).is_none_or(Job::has_ended);
            let completed = self.index.jobs.get(other).is_some_and(|job| job.state == State::Completed);
            *until == Until::Completed && ended && !completed
        })
    }

    /// The queued jobs that nothing holds back, the next one first.
    pub fn in_line(&self) -> Vec<&Job> {
        let mut line: Vec<&Job> = self.index.jobs.values().collect();
        line.retain(|job| job.state == State::Queued && self.held_back(job).is_none());
        line.sort_by_key(|job| (urgency(job), job.number));
        line
    }

    /// Who has a key at present: a job that has not ended, else the latest that has kept it.
    pub(super) fn holder_of(&self, key: u8) -> Option<usize> {
        let has_it = |job: &&Job| job.asked.key.is_some_and(|(own, _)| own == key) && self.holds_key(job);
        let holders = || self.index.jobs.values().filter(has_it);
        let last =
            |ended: bool| holders().filter(|job| job.has_ended() == ended).map(|job| job.number).next_back();
        last(false).or_else(|| last(true))
    }

    pub(super) fn holds_key(&self, job: &Job) -> bool {
        let Some((_, kept)) = job.asked.key else { return false };
        job.ended_at.is_none_or(|at| at + kept.cast_signed() * SECOND > self.now)
    }

    /// How many entries wait for a slot; a batch is one, a service none.
    pub(super) fn waiting(&self) -> usize {
        self.entries(|job| job.state == State::Queued && !job.asked.is_service)
    }

    pub(super) fn waiting_for_approval(&self) -> usize {
        self.entries(|job| matches!(job.state, State::Waiting { .. }))
    }

    fn entries(&self, is_one: impl Fn(&Job) -> bool) -> usize {
        let jobs = self.numbers(is_one);
        let entry = |number: &usize| self.index.jobs[number].batch.unwrap_or(*number);
        jobs.iter().map(entry).collect::<BTreeSet<usize>>().len()
    }

    /// The runs of a schedule that have not ended.
    pub(super) fn runs_of(&self, schedule: &str) -> Vec<usize> {
        self.numbers(|job| !job.has_ended() && job.schedule.as_deref() == Some(schedule))
    }
}

fn urgency(job: &Job) -> usize {
    ["critical", "high", "normal", "low"]
        .iter()
        .position(|word| *word == job.asked.priority.as_str())
        .expect("there are four")
}

/// How long is waited after so many attempts, before chance moves it: docs/queue.md, 6.
pub fn retry_wait(job: &Job) -> Ms {
    let (first, most) = job.asked.retry_delay;
    let mut seconds = first;
    for _ in 1..job.attempts {
        seconds *= 2;
    }
    seconds.min(most).cast_signed() * SECOND
}

/// The code that `wait` gives for an end: docs/queue.md, 6.
pub fn code_of(exit: &Exit, told: Option<Why>) -> i32 {
    match (told, exit) {
        (Some(Why::Timeout), _) => 124,
        (_, Exit::Code(code) | Exit::NotStarted { code, .. }) => *code,
        (_, Exit::Signal(signal)) => 128 + signal,
        (_, Exit::Unknown { .. } | Exit::NotExecuted) => 125,
    }
}
