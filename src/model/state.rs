//! The states of a job and the one function that moves it between them.
//!
//! Every (state, change) pair is decided here; `docs/states.md` is the same table for people, and a test holds
//! the two together. No other code makes a [`State`] out of another.

use super::{
    Timestamp,
    approval::{Asked, Request, Waiting},
    claim::Claim,
    outcome::{Ending, Exit, Outcome, Why},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A state without its data: the word in the index and on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a slot, a time or another job.
    Queued,
    /// Holds a slot; its command runs, is about to, or is being ended.
    Running,
    /// Waits for a person.
    WaitingApproval,
    /// Exited with 0.
    Completed,
    /// Exited otherwise, timed out, could not start, or nobody knows.
    Failed,
    /// Ended by a person, the stale guard, a newer run or a failed dependency.
    Cancelled,
}

impl Status {
    /// All states, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::WaitingApproval, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word in the index.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::WaitingApproval => "waiting_approval",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether no further change of state can come.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Reads the word of the index, or a synonym that people type.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "succeeded" => Some(Self::Completed),
            "canceled" => Some(Self::Cancelled),
            "waiting" => Some(Self::WaitingApproval),
            _ => Self::ALL.into_iter().find(|status| status.as_str() == text),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A state with the data that exists in it and only in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for a slot, not before the instant if there is one, and not while it is paused.
    Queued {
        /// The earliest start.
        not_before: Option<Timestamp>,
        /// Since when it is held back.
        paused_at: Option<Timestamp>,
    },
    /// Holds a slot.
    Running(Run),
    /// Waits for a person.
    WaitingApproval(Box<Waiting>),
    /// Has ended.
    Ended(End),
}

/// What is true of a running job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it got its slot.
    pub started_at: Timestamp,
    /// Where it runs; none in a hand-made entry, which nobody can judge.
    pub claim: Option<Claim>,
    /// The committed intent to end it.
    pub ending: Option<Ending>,
    /// What it asked while it ran: it waits for the answer once it has exited with 0.
    pub asked: Option<Box<Request>>,
    /// Since when its processes are to stand still.
    pub paused_at: Option<Timestamp>,
    /// Since when nothing more is to come through its pipe.
    pub stdin_closed_at: Option<Timestamp>,
}

/// Which of the three ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// See [`Status::Completed`].
    Completed,
    /// See [`Status::Failed`].
    Failed,
    /// See [`Status::Cancelled`].
    Cancelled,
}

/// What is true of a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Which end.
    pub verdict: Verdict,
    /// When; none in a hand-made entry that does not say.
    pub at: Option<Timestamp>,
    /// When its last attempt got its slot; none if it never ran.
    pub started_at: Option<Timestamp>,
    /// Where its last attempt ran.
    pub claim: Option<Claim>,
    /// How its last attempt ended; none if it never ran, or in a hand-made entry without an exit code.
    pub outcome: Option<Outcome>,
    /// The intent that ended it.
    pub ending: Option<Ending>,
    /// The sentence about it.
    pub summary: Option<String>,
    /// Whether it failed for good although it was allowed more than one attempt, and nobody has dealt with that yet.
    pub dead_letter: bool,
}

/// What can be done to a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// It gets a slot.
    Claim {
        /// When.
        at: Timestamp,
        /// Where.
        claim: Claim,
    },
    /// Its slot is given back: nothing had run.
    GiveBack,
    /// It is told to end; one that does not run ends at once.
    Decide {
        /// Why, when and how.
        ending: Ending,
    },
    /// Its attempt ended.
    End {
        /// How.
        outcome: Outcome,
        /// The earliest next attempt, where the retry policy grants one; only a failure uses it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
        /// The sentence about it, should this be the job's end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
        /// Whether it becomes a dead letter, should this be the job's end, and a failure.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dead_letter: bool,
    },
    /// It is a dead letter no more: somebody has dealt with it.
    ClearDeadLetter,
    /// It is to stand still: a queued one gets no slot, a running one keeps its slot and its processes are stopped.
    Pause {
        /// When.
        at: Timestamp,
    },
    /// It goes on.
    Resume,
    /// Nothing more comes through its pipe.
    CloseInput {
        /// When.
        at: Timestamp,
    },
    /// It starts no earlier than then; without an instant, as soon as it gets a slot.
    Reschedule {
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
    },
    /// While it runs, it asks for approval of what comes next.
    AskApproval {
        /// What is asked.
        request: Box<Request>,
    },
    /// The asking on GitHub has come so far.
    Ask {
        /// How far.
        asked: Asked,
    },
    /// This keeps an answer from being seen, or from counting; nothing does where nothing is said.
    Hinder {
        /// Why, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    /// It was said that the time for an answer is nearly over.
    WarnExpiry {
        /// When.
        at: Timestamp,
        /// Until when an answer can be given.
        expires_at: Timestamp,
    },
    /// A person approved.
    Approve {
        /// When, by the clock here.
        at: Timestamp,
        /// Whose account it was.
        by: String,
        /// When it was said, by the clock of where it was said, if that is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said_at: Option<Timestamp>,
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person declined.
    Decline {
        /// When, by the clock here.
        at: Timestamp,
        /// Whose account it was.
        by: String,
        /// When it was said, by the clock of where it was said, if that is another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        said_at: Option<Timestamp>,
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Nobody decided in time.
    Expire {
        /// When.
        at: Timestamp,
    },
    /// What is learnt of an ended job: an end that was missing, or a better summary.
    Enrich {
        /// Its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<Timestamp>,
        /// The sentence about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
}

/// What a change does to a state.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// The state after it.
    To(State),
    /// Nothing: it had been so, or it came too late. The reason is for people.
    NoOp(&'static str),
    /// Nothing, and asking for it was a mistake.
    Refused(&'static str),
}

/// The signal that nothing can refuse (`signal(7)`).
const KILL: i32 = 9;

const WAITS_NOT: &str = "it does not wait for approval";
const HAS_ENDED: &str = "it has ended already";
const IS_NOT_RUNNING: &str = "it is not running";
const IS_PAUSED: &str = "it is paused already";
const IS_NOT_PAUSED: &str = "it is not paused";
const HAS_NOT_ENDED: &str = "it has not ended";

/// Waits for a slot, and nothing holds it back.
pub fn queued(not_before: Option<Timestamp>) -> State {
    State::Queued { not_before, paused_at: None }
}

impl State {
    /// The word for it.
    pub fn status(&self) -> Status {
        match self {
            Self::Queued { .. } => Status::Queued,
            Self::Running(_) => Status::Running,
            Self::WaitingApproval(_) => Status::WaitingApproval,
            Self::Ended(end) => match end.verdict {
                Verdict::Completed => Status::Completed,
                Verdict::Failed => Status::Failed,
                Verdict::Cancelled => Status::Cancelled,
            },
        }
    }

    /// The transition function.
    pub fn next(&self, change: &Change) -> Decision {
        match self {
            Self::Queued { not_before, paused_at } => next_of_queued(*not_before, *paused_at, change),
            Self::Running(run) => next_of_running(run, change),
            Self::WaitingApproval(waiting) => next_of_waiting(waiting, change),
            Self::Ended(end) => next_of_ended(end, change),
        }
    }
}

fn next_of_queued(not_before: Option<Timestamp>, paused_at: Option<Timestamp>, change: &Change) -> Decision {
    match change {
        Change::Claim { .. } if paused_at.is_some() => Decision::Refused("it is paused"),
        Change::Claim { at, claim } => Decision::To(State::Running(Run {
            started_at: *at,
            claim: Some(claim.clone()),
            ending: None,
            asked: None,
            paused_at: None,
            stdin_closed_at: None,
        })),
        Change::GiveBack => Decision::NoOp("it holds no slot"),
        Change::Decide { ending } => end_what_does_not_run(ending),
        Change::End { .. } => Decision::Refused(IS_NOT_RUNNING),
        Change::Pause { .. } if paused_at.is_some() => Decision::NoOp(IS_PAUSED),
        Change::Pause { at } => Decision::To(State::Queued { not_before, paused_at: Some(*at) }),
        Change::Resume if paused_at.is_none() => Decision::NoOp(IS_NOT_PAUSED),
        Change::Resume => Decision::To(queued(not_before)),
        Change::Reschedule { not_before: then } if *then == not_before => Decision::NoOp("it is so already"),
        Change::Reschedule { not_before } => {
            Decision::To(State::Queued { not_before: *not_before, paused_at })
        }
        Change::CloseInput { .. } => Decision::Refused(IS_NOT_RUNNING),
        Change::AskApproval { .. } => Decision::Refused("only a running job asks for approval"),
        Change::Ask { .. }
        | Change::Hinder { .. }
        | Change::WarnExpiry { .. }
        | Change::Approve { .. }
        | Change::Decline { .. }
        | Change::Expire { .. } => Decision::Refused(WAITS_NOT),
        Change::Enrich { .. } | Change::ClearDeadLetter => Decision::Refused(HAS_NOT_ENDED),
    }
}

fn next_of_running(run: &Run, change: &Change) -> Decision {
    match change {
        Change::Claim { .. } => Decision::Refused("it holds a slot already"),
        // An intent that was committed meanwhile is carried out here: nothing had run, nothing will.
        Change::GiveBack => match &run.ending {
            Some(ending) => Decision::To(ended_by(ending)),
            None => Decision::To(State::Queued { not_before: None, paused_at: run.paused_at }),
        },
        Change::Decide { ending } => decide_of_running(run, ending),
        Change::End { outcome, retry_at, summary, dead_letter } => {
            end_of_running(run, outcome, *retry_at, summary.as_deref(), *dead_letter)
        }
        Change::Pause { .. } | Change::Resume if run.ending.is_some() => Decision::NoOp("it is being ended"),
        Change::Pause { .. } if run.paused_at.is_some() => Decision::NoOp(IS_PAUSED),
        Change::Pause { at } => Decision::To(State::Running(Run { paused_at: Some(*at), ..run.clone() })),
        Change::Resume if run.paused_at.is_none() => Decision::NoOp(IS_NOT_PAUSED),
        Change::Resume => Decision::To(State::Running(Run { paused_at: None, ..run.clone() })),
        Change::CloseInput { .. } if run.stdin_closed_at.is_some() => Decision::NoOp("it is closed already"),
        Change::CloseInput { at } => {
            Decision::To(State::Running(Run { stdin_closed_at: Some(*at), ..run.clone() }))
        }
        Change::Reschedule { .. } => Decision::Refused("it has begun"),
        Change::AskApproval { .. } if run.ending.is_some() => Decision::Refused("it is being ended"),
        Change::AskApproval { .. } if run.asked.is_some() => Decision::NoOp("it has asked already"),
        Change::AskApproval { request } => {
            Decision::To(State::Running(Run { asked: Some(request.clone()), ..run.clone() }))
        }
        Change::Ask { .. }
        | Change::Hinder { .. }
        | Change::WarnExpiry { .. }
        | Change::Approve { .. }
        | Change::Decline { .. }
        | Change::Expire { .. } => Decision::Refused(WAITS_NOT),
        Change::Enrich { .. } | Change::ClearDeadLetter => Decision::Refused(HAS_NOT_ENDED),
    }
}

/// The first intent stands; a later one can only sharpen its signal to KILL. But what timed out may be tried again, and what
/// somebody wants to be gone may not: that goes before a time-out.
fn decide_of_running(run: &Run, asked: &Ending) -> Decision {
    let is_wish = matches!(asked.why, Why::Cancel | Why::Replace | Why::Dependency);
    let ending = match &run.ending {
        None => asked.clone(),
        Some(first) if first.why == Why::Timeout && is_wish => {
            let signal = first.signal.filter(|signal| *signal == KILL).or(asked.signal);
            Ending { signal, ..asked.clone() }
        }
        Some(first) if asked.signal == Some(KILL) && first.signal != Some(KILL) => {
            Ending { signal: Some(KILL), ..first.clone() }
        }
        Some(_) => return Decision::NoOp("it is being ended already"),
    };
    Decision::To(State::Running(Run { ending: Some(ending), ..run.clone() }))
}

fn end_of_running(
    run: &Run,
    outcome: &Outcome,
    retry_at: Option<Timestamp>,
    summary: Option<&str>,
    dead_letter: bool,
) -> Decision {
    let intent = run.ending.as_ref().map(|ending| ending.why);
    let verdict = match (intent, &outcome.exit) {
        (Some(Why::Cancel | Why::Stale | Why::Replace | Why::Dependency), _) => Verdict::Cancelled,
        (Some(Why::Timeout), _) => Verdict::Failed,
        (None, Exit::Code(0)) if run.asked.is_some() => return wait_for_answer(run, outcome.at),
        (None, Exit::Code(0) | Exit::NotExecuted) => Verdict::Completed,
        (None, _) => Verdict::Failed,
    };
    if let (Verdict::Failed, Some(not_before)) = (verdict, retry_at) {
        return Decision::To(State::Queued { not_before: Some(not_before), paused_at: run.paused_at });
    }
    Decision::To(State::Ended(End {
        verdict,
        at: Some(outcome.at),
        started_at: Some(run.started_at),
        claim: run.claim.clone(),
        outcome: Some(outcome.clone()),
        ending: run.ending.clone(),
        summary: summary.map(str::to_owned),
        dead_letter: dead_letter && verdict == Verdict::Failed,
    }))
}

/// A job that asked has exited with 0: now somebody has to answer.
fn wait_for_answer(run: &Run, at: Timestamp) -> Decision {
    let Some(request) = &run.asked else { return Decision::Refused("it has not asked") };
    Decision::To(State::WaitingApproval(Box::new(Waiting::new((**request).clone(), at, None))))
}

fn next_of_waiting(waiting: &Waiting, change: &Change) -> Decision {
    let with = |waiting: Waiting| Decision::To(State::WaitingApproval(Box::new(waiting)));
    match change {
        Change::Claim { .. } => Decision::Refused("it waits for approval"),
        Change::GiveBack => Decision::NoOp("it holds no slot"),
        Change::Decide { ending } => end_what_does_not_run(ending),
        Change::End { .. } => Decision::Refused(IS_NOT_RUNNING),
        Change::Pause { .. } => Decision::Refused("it waits for approval"),
        Change::CloseInput { .. } => Decision::Refused(IS_NOT_RUNNING),
        Change::Resume => Decision::NoOp(IS_NOT_PAUSED),
        Change::Reschedule { .. } => Decision::Refused("it waits for approval"),
        Change::AskApproval { .. } => Decision::NoOp("it waits for approval already"),
        Change::Ask { asked } if *asked == waiting.asked => Decision::NoOp("it is so already"),
        Change::Ask { asked } => with(Waiting { asked: asked.clone(), ..waiting.clone() }),
        Change::Hinder { trouble } if *trouble == waiting.trouble => Decision::NoOp("it is so already"),
        Change::Hinder { trouble } => with(Waiting { trouble: trouble.clone(), ..waiting.clone() }),
        Change::WarnExpiry { .. } if waiting.warned_at.is_some() => Decision::NoOp("it was said already"),
        Change::WarnExpiry { at, .. } => with(Waiting { warned_at: Some(*at), ..waiting.clone() }),
        Change::Approve { .. } => Decision::To(queued(waiting.not_before)),
        Change::Decline { at, .. } => Decision::To(ended_unrun(Verdict::Cancelled, *at, "declined")),
        Change::Expire { at } => {
            Decision::To(ended_unrun(Verdict::Failed, *at, "nobody approved it in time"))
        }
        Change::Enrich { .. } | Change::ClearDeadLetter => Decision::Refused(HAS_NOT_ENDED),
    }
}

fn next_of_ended(end: &End, change: &Change) -> Decision {
    match change {
        Change::Claim { .. } | Change::AskApproval { .. } | Change::CloseInput { .. } => {
            Decision::Refused(HAS_ENDED)
        }
        Change::Pause { .. } | Change::Resume | Change::Reschedule { .. } => Decision::Refused(HAS_ENDED),
        Change::GiveBack | Change::Decide { .. } | Change::End { .. } => Decision::NoOp(HAS_ENDED),
        Change::Ask { .. }
        | Change::Hinder { .. }
        | Change::WarnExpiry { .. }
        | Change::Approve { .. }
        | Change::Decline { .. }
        | Change::Expire { .. } => Decision::Refused(HAS_ENDED),
        Change::ClearDeadLetter if !end.dead_letter => Decision::NoOp("it is no dead letter"),
        Change::ClearDeadLetter => Decision::To(State::Ended(End { dead_letter: false, ..end.clone() })),
        Change::Enrich { ended_at, summary } => {
            let enriched = End {
                at: end.at.or(*ended_at),
                summary: summary.clone().or_else(|| end.summary.clone()),
                ..end.clone()
            };
            if enriched == *end {
                Decision::NoOp("nothing new")
            } else {
                Decision::To(State::Ended(enriched))
            }
        }
    }
}

fn end_what_does_not_run(ending: &Ending) -> Decision {
    match ending.why {
        Why::Timeout | Why::Stale => Decision::Refused("only a running job times out or goes stale"),
        Why::Cancel | Why::Replace | Why::Dependency => Decision::To(ended_by(ending)),
    }
}

/// An intent is carried out on a job of which nothing ran.
fn ended_by(ending: &Ending) -> State {
    let (verdict, what) = match ending.why {
        Why::Timeout => (Verdict::Failed, "timed out before it ran"),
        Why::Cancel | Why::Stale | Why::Replace | Why::Dependency => {
            (Verdict::Cancelled, "cancelled before it ran")
        }
    };
    let mut state = ended_unrun(verdict, ending.at, ending.note.as_deref().unwrap_or(what));
    if let State::Ended(end) = &mut state {
        end.ending = Some(ending.clone());
    }
    state
}

fn ended_unrun(verdict: Verdict, at: Timestamp, summary: &str) -> State {
    State::Ended(End {
        verdict,
        at: Some(at),
        started_at: None,
        claim: None,
        outcome: None,
        ending: None,
        summary: Some(summary.to_owned()),
        dead_letter: false,
    })
}
