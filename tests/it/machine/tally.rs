//! How often each command was taken and refused, how many jobs reached each state, and what else was reached: a generator that
//! no more reaches what it once did must not pass for a proof.

use super::compare::status_of;
use super::model::{Model, Said};
use super::step::{Command, Step};
use bgctl::model::state::Status;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Commands that cannot be refused, or only where nobody can write.
const NEVER_REFUSED: [&str; 8] =
    ["ends", "times out", "loses", "launches", "retry dead", "prune", "tick", "wait"];

/// What has to be reached beside commands and states.
const MARKS: [&str; 25] = [
    "a circle",
    "a claim that nobody began",
    "a dead letter",
    "a full queue",
    "a job that asked",
    "a job that waited in vain",
    "a job that went",
    "a key that was taken",
    "a restart",
    "a retry whose key was taken",
    "a run",
    "a run that was left out",
    "a run that was replaced",
    "a run whose key was taken",
    "a silent watcher",
    "a slot that was given back",
    "a time that was missed",
    "a wait for the next attempt",
    "an approval that nobody gave in time",
    "an end that nobody saw",
    "an end that was written down",
    "an orphan",
    "another attempt",
    "keys that were forgotten",
    "too many that wait for approval",
];

/// The counts of one proof.
#[derive(Debug, Default)]
pub struct Tally {
    /// By command: taken, refused, not written.
    commands: BTreeMap<&'static str, [usize; 3]>,
    states: BTreeMap<&'static str, usize>,
    marks: BTreeMap<&'static str, usize>,
    /// What the jobs of the present case have been.
    seen: BTreeSet<(usize, &'static str)>,
    pub steps: usize,
    pub written: usize,
    pub refused_writes: usize,
}

thread_local! {
    /// A proof runs in one thread, and another one in another.
    static TALLY: RefCell<Tally> = RefCell::default();
}

impl Tally {
    pub fn change(how: impl FnOnce(&mut Self)) {
        TALLY.with_borrow_mut(how);
    }

    pub fn take() -> Self {
        TALLY.take()
    }

    /// Another case begins: its jobs are others.
    pub fn begin(&mut self) {
        self.seen.clear();
    }

    pub fn count(&mut self, step: &Step, model: &Model) {
        self.steps += 1;
        let place = match model.said {
            Said::Did(_) => 0,
            Said::Refused(_) => 1,
            Said::NotWritten => 2,
        };
        self.commands.entry(name_of(&step.command)).or_default()[place] += 1;
        for mark in &model.marks {
            *self.marks.entry(mark).or_default() += 1;
        }
        for job in model.index.jobs.values() {
            let status = status_of(&job.state).as_str();
            if self.seen.insert((job.number, status)) {
                *self.states.entry(status).or_default() += 1;
            }
        }
    }

    /// What should have been reached and was not.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (name, [taken, refused, _]) in &self.commands {
            if *taken == 0 {
                missing.push(format!("{name} was never taken"));
            }
            if *refused == 0 && !NEVER_REFUSED.contains(name) {
                missing.push(format!("{name} was never refused"));
            }
        }
        let states = Status::ALL.iter().map(|status| status.as_str());
        missing.extend(
            states
                .filter(|state| !self.states.contains_key(state))
                .map(|state| format!("no job was {state}")),
        );
        missing.extend(
            MARKS
                .iter()
                .filter(|mark| !self.marks.contains_key(*mark))
                .map(|mark| format!("there was never {mark}")),
        );
        if self.commands.len() != COMMANDS {
            missing.push(format!("{} of {COMMANDS} commands were drawn", self.commands.len()));
        }
        missing
    }

    /// All counts, in a line.
    pub fn told(&self) -> String {
        let commands = self
            .commands
            .iter()
            .map(|(name, [taken, refused, unwritten])| format!("{name} {taken}/{refused}/{unwritten}"));
        let states = self.states.iter().map(|(name, count)| format!("{name} {count}"));
        let marks = self.marks.iter().map(|(name, count)| format!("{name} {count}"));
        format!(
            "{} steps, {} writes, {} refused writes; commands (taken/refused/not written): {}; states reached by jobs: {}; also: {}",
            self.steps,
            self.written,
            self.refused_writes,
            commands.collect::<Vec<_>>().join(", "),
            states.collect::<Vec<_>>().join(", "),
            marks.collect::<Vec<_>>().join(", "),
        )
    }
}

/// How many commands there are.
const COMMANDS: usize = 28;

fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Start { is_batch: false, .. } => "start",
        Command::Start { is_batch: true, .. } => "batch",
        Command::Ends(..) => "ends",
        Command::TimesOut(_) => "times out",
        Command::Loses(..) => "loses",
        Command::Launches(_) => "launches",
        Command::Cancel { .. } => "cancel",
        Command::Pause(_) => "pause",
        Command::Resume(_) => "resume",
        Command::PauseGroup(_) => "pause group",
        Command::ResumeGroup(_) => "resume group",
        Command::Retry(_) => "retry",
        Command::RetryDead => "retry dead",
        Command::Prune { .. } => "prune",
        Command::ClearDead(_) => "dead clear",
        Command::Set(..) => "set",
        Command::AddGroup(..) => "group add",
        Command::RemoveGroup(_) => "group remove",
        Command::AddSchedule(..) => "schedule add",
        Command::PauseSchedule(_) => "schedule pause",
        Command::ResumeSchedule(_) => "schedule resume",
        Command::RemoveSchedule(_) => "schedule remove",
        Command::RunSchedule(_) => "schedule run",
        Command::Approve(_) => "approve",
        Command::Decline(_) => "decline",
        Command::Request(..) => "approval request",
        Command::Tick => "tick",
        Command::Wait(_) => "wait",
    }
}
