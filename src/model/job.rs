//! A job: what was asked, and what has become of it.

use super::{
    Timestamp,
    approval::{ANSWERS_MAX, Answer, Verdict, Waiting},
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
    /// Attempts begun so far; the number of the present one while it runs, and while it waits for the approval that it asked
    /// for. Once it is approved, that attempt begins again.
    pub attempt: u32,
    /// How often an attempt begins again, as it was approved after it had asked.
    pub interruptions: u32,
    /// What was answered when it waited for approval, the latest last.
    pub answers: Vec<Answer>,
    /// What has become of it.
    pub state: State,
    /// A sentence about it from before its end, as a hand-made entry may have one.
    pub note: Option<String>,
    /// Fields of the index that this version does not know, kept as they are.
    pub unknown: Unknown,
}

impl Job {
    /// A job that was just submitted: it is queued, or waits for approval where it has to be approved first.
    pub fn new(id: JobId, spec: JobSpec, created_at: Timestamp) -> Self {
        Self::not_before(id, spec, created_at, None)
    }

    /// The same where it starts no earlier than then.
    pub fn not_before(
        id: JobId,
        spec: JobSpec,
        created_at: Timestamp,
        not_before: Option<Timestamp>,
    ) -> Self {
        let state = match &spec.gate {
            None => queued(not_before),
            Some(gate) => State::WaitingApproval(Box::new(Waiting::new(
                gate.request(created_at),
                created_at,
                not_before,
            ))),
        };
        Self {
            id,
            spec,
            created_at,
            attempt: 0,
            interruptions: 0,
            answers: Vec::new(),
            state,
            note: None,
            unknown: Unknown::default(),
        }
    }

    /// The number of its present or last execution, from 1: each begins with a claim, and no two have the same.
    pub fn execution(&self) -> u32 {
        self.attempt.saturating_add(self.interruptions)
    }

    /// What is true of it while it waits for approval.
    pub fn waiting(&self) -> Option<&Waiting> {
        if let State::WaitingApproval(waiting) = &self.state { Some(waiting) } else { None }
    }

    /// Whether somebody approved it, at whatever time.
    pub fn was_approved(&self) -> bool {
        self.answers.iter().any(|answer| answer.verdict == Verdict::Approved)
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
            State::WaitingApproval(_) | State::Ended(_) => None,
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
            State::Queued { .. } | State::WaitingApproval(_) => None,
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
                Change::End { .. } if state.status() == Status::WaitingApproval => {
                    // An entry made by hand may not say that this was its first attempt.
                    self.attempt = self.attempt.max(1);
                    self.note = None;
                }
                // It asked while it ran: the same attempt goes on with its next claim.
                Change::Approve { .. } if self.attempt > 0 => {
                    self.attempt = self.attempt.saturating_sub(1);
                    self.interruptions = self.interruptions.saturating_add(1);
                }
                _ => {}
            }
            if let Some((answer, summary)) = self.answer(change) {
                if let State::Ended(end) = state {
                    end.summary = Some(summary);
                }
                self.answers.push(answer);
                let surplus = self.answers.len().saturating_sub(ANSWERS_MAX);
                self.answers.drain(..surplus);
            }
            if let State::Ended(end) = state {
                self.tell_of_attempts(end);
                self.note = None;
            }
            self.state = state.clone();
        }
        decision
    }

    /// What a change answers to what it waits for, and the sentence about that.
    fn answer(&self, change: &Change) -> Option<(Answer, String)> {
        let waiting = self.waiting()?;
        let (verdict, at, by, note) = match change {
            Change::Approve { at, by, said_at, note } => {
                (Verdict::Approved, said_at.unwrap_or(*at), Some(by.clone()), note.clone())
            }
            Change::Decline { at, by, said_at, note } => {
                (Verdict::Declined, said_at.unwrap_or(*at), Some(by.clone()), note.clone())
            }
            Change::Expire { at } => (Verdict::Expired, *at, None, None),
            _ => return None,
        };
        let answer = Answer { verdict, on: waiting.on(), at, by, note };
        let mut summary = answer.summary(waiting.request.ttl_seconds);
        if let (Verdict::Expired, Some(trouble)) = (verdict, &waiting.trouble) {
            summary.push_str(&format!("; {trouble}"));
        }
        Some((answer, summary))
    }

    /// What was cancelled between two executions had run: its sentence says so, and how the last attempt went.
    fn tell_of_attempts(&self, end: &mut End) {
        let Some(Ending { note: None, .. }) = &end.ending else { return };
        let before = match &self.state {
            State::WaitingApproval(_) => "cancelled while it waited for approval".to_owned(),
            State::Queued { .. } if self.interruptions > 0 && self.note.is_none() => {
                "cancelled before it went on".to_owned()
            }
            State::Queued { .. } if self.attempt > 0 => {
                format!("cancelled before attempt {}", self.attempt + 1)
            }
            _ => return,
        };
        end.summary = Some(match &self.note {
            Some(note) => format!("{before}; {note}"),
            None => before,
        });
    }
}
