//! A job: what was asked, and what has become of it.

use super::{
    Timestamp,
    id::JobId,
    limit::Source,
    outcome::{Ending, Outcome, summarize},
    spec::JobSpec,
    state::{Change, Decision, End, Run, State, Status, queued},
    unknown::Unknown,
};
use chrono::TimeDelta;

/// One job of the index.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name for programs.
    pub id: JobId,
    /// What was asked.
    pub spec: JobSpec,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// Executions begun so far; the number of the present one while it runs.
    pub attempt: u32,
    /// What has become of it.
    pub state: State,
    /// A sentence about it from before its end, as a hand-made entry may have one.
    pub note: Option<String>,
    /// Fields of the index that this version does not know, kept as they are.
    pub unknown: Unknown,
}

impl Job {
    /// A job that was just submitted.
    pub fn new(id: JobId, spec: JobSpec, created_at: Timestamp) -> Self {
        let state = queued(None);
        Self { id, spec, created_at, attempt: 0, state, note: None, unknown: Unknown::default() }
    }

    /// The word for its state.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// What is true of it while it runs.
    pub fn run(&self) -> Option<&Run> {
        if let State::Running(run) = &self.state { Some(run) } else { None }
    }

    /// What is true of it once it has ended.
    pub fn end(&self) -> Option<&End> {
        if let State::Ended(end) = &self.state { Some(end) } else { None }
    }

    /// Since when it is to stand still.
    pub fn paused_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Queued { paused_at, .. } => *paused_at,
            State::Running(run) => run.paused_at,
            State::WaitingApproval | State::Ended(_) => None,
        }
    }

    /// When its present or last attempt got its slot.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.run().map(|run| run.started_at).or_else(|| self.end().and_then(|end| end.started_at))
    }

    /// The intent to end it, be it carried out by now or not.
    pub fn ending(&self) -> Option<&Ending> {
        match &self.state {
            State::Running(run) => run.ending.as_ref(),
            State::Ended(end) => end.ending.as_ref(),
            State::Queued { .. } | State::WaitingApproval => None,
        }
    }

    /// Whether it runs and has been told to end.
    pub fn is_being_ended(&self) -> bool {
        self.run().is_some_and(|run| run.ending.is_some())
    }

    /// How long its present or last attempt has taken at `now`, pauses included; none if it never ran, or if nobody wrote
    /// down when it ended.
    pub fn run_time(&self, now: Timestamp) -> Option<TimeDelta> {
        let until = if self.status().has_ended() { self.ended_at()? } else { now };
        Some(until - self.started_at()?)
    }

    /// When it ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.end().and_then(|end| end.at)
    }

    /// The sentence about it.
    pub fn summary(&self) -> Option<&str> {
        self.end().map_or(self.note.as_deref(), |end| end.summary.as_deref())
    }

    /// The sentence about an outcome of this job, should it be its end.
    pub fn summarize(&self, outcome: &Outcome) -> Option<String> {
        let ending: Option<&Ending> = self.run().and_then(|run| run.ending.as_ref());
        let timeout = self.spec.limits.timeout;
        summarize(outcome, ending, (timeout.seconds, timeout.source == Source::Default))
    }

    /// Makes a change: the state is the transition function's, the count of attempts and the sentence follow from it.
    pub fn change(&mut self, change: &Change) -> Decision {
        let mut decision = self.state.next(change);
        if let Decision::To(state) = &mut decision {
            match change {
                Change::Claim { .. } => self.attempt = self.attempt.saturating_add(1),
                Change::GiveBack => self.attempt = self.attempt.saturating_sub(1),
                // It is tried again, and says why until it has ended.
                Change::End { summary, .. } if state.status() == Status::Queued => {
                    self.note.clone_from(summary);
                }
                _ => {}
            }
            if let State::Ended(end) = state {
                self.tell_of_attempts(end);
                self.note = None;
            }
            self.state = state.clone();
        }
        decision
    }

    /// What was cancelled between two attempts had run: its sentence says so, and how the last one went.
    fn tell_of_attempts(&self, end: &mut End) {
        let waited = matches!(self.state, State::Queued { .. }) && self.attempt > 0;
        let Some(Ending { note: None, .. }) = end.ending.as_ref().filter(|_| waited) else { return };
        let before = format!("cancelled before attempt {}", self.attempt + 1);
        end.summary = Some(match &self.note {
            Some(note) => format!("{before}; {note}"),
            None => before,
        });
    }
}
