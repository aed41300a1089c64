//! Hooks: commands that the user wants to have run when something has happened, and what became of one.
//!
//! For which hooks a line of the stream is, is decided when it is written, and stands in it. So no hook runs for what
//! happened before it was set, however late somebody comes to run it.

use super::{
    id::JobId,
    job::Job,
    outcome::Exit,
    state::{Status, Verdict},
};
use serde::{Deserialize, Serialize};

/// Which hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// The job's own: `start --on-end`.
    Job,
    /// `hooks.on_end`: a job has ended, whatever its end.
    OnEnd,
    /// `hooks.on_fail`: a job has failed for good.
    OnFail,
    /// `hooks.on_dead_letter`: a job has become a dead letter.
    OnDeadLetter,
    /// `hooks.on_degraded`: the verdict about the whole is degraded or failing.
    OnDegraded,
}

impl Hook {
    /// As the settings and the stream call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::OnEnd => "on_end",
            Self::OnFail => "on_fail",
            Self::OnDeadLetter => "on_dead_letter",
            Self::OnDegraded => "on_degraded",
        }
    }

    /// What has happened, in a word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Job | Self::OnEnd => "end",
            Self::OnFail => "fail",
            Self::OnDeadLetter => "dead_letter",
            Self::OnDegraded => "degraded",
        }
    }
}

/// The hooks that are set for all jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooks {
    /// See [`Hook::OnEnd`].
    pub on_end: Option<Vec<String>>,
    /// See [`Hook::OnFail`].
    pub on_fail: Option<Vec<String>>,
    /// See [`Hook::OnDeadLetter`].
    pub on_dead_letter: Option<Vec<String>>,
    /// See [`Hook::OnDegraded`].
    pub on_degraded: Option<Vec<String>>,
    /// How long one may take, before it is ended.
    pub timeout_seconds: u64,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { on_end: None, on_fail: None, on_dead_letter: None, on_degraded: None, timeout_seconds: 30 }
    }
}

impl Hooks {
    /// What is executed for a hook; none for one that is not set, and for a job's own.
    pub fn command(&self, hook: Hook) -> Option<&[String]> {
        match hook {
            Hook::Job => None,
            Hook::OnEnd => self.on_end.as_deref(),
            Hook::OnFail => self.on_fail.as_deref(),
            Hook::OnDeadLetter => self.on_dead_letter.as_deref(),
            Hook::OnDegraded => self.on_degraded.as_deref(),
        }
    }

    /// Which of them are set.
    pub fn set(&self) -> HooksSet {
        HooksSet {
            on_end: self.on_end.is_some(),
            on_fail: self.on_fail.is_some(),
            on_dead_letter: self.on_dead_letter.is_some(),
            on_degraded: self.on_degraded.is_some(),
        }
    }
}

/// Which hooks are set for all jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HooksSet {
    on_end: bool,
    on_fail: bool,
    on_dead_letter: bool,
    on_degraded: bool,
}

impl HooksSet {
    /// The hooks for a job that has just ended, in the order in which they run. What a dry run ended had no command
    /// executed, and is nobody's business.
    pub fn for_end_of(self, job: &Job) -> Vec<Hook> {
        let Some(end) = job.end() else { return Vec::new() };
        if end.outcome.as_ref().is_some_and(|outcome| outcome.exit == Exit::NotExecuted) {
            return Vec::new();
        }
        let wanted = [
            (Hook::Job, job.spec.on_end.is_some()),
            (Hook::OnEnd, self.on_end),
            (Hook::OnFail, self.on_fail && end.verdict == Verdict::Failed),
            (Hook::OnDeadLetter, self.on_dead_letter && end.dead_letter),
        ];
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(hook, _)| hook).collect()
    }

    /// The hooks for a new verdict about the whole.
    pub fn for_verdict(self, verdict: &str) -> Vec<Hook> {
        let is_bad = matches!(verdict, "degraded" | "failing");
        if self.on_degraded && is_bad { vec![Hook::OnDegraded] } else { Vec::new() }
    }
}

/// How far the hooks have come: up to and including this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The number of the line.
    pub seq: u64,
    /// The hook for it that was begun last; none where all of that line are done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
}

impl Cursor {
    /// The hooks of a line that were not begun yet.
    pub fn left_of(self, seq: u64, hooks: &[Hook]) -> Vec<Hook> {
        if seq > self.seq {
            return hooks.to_vec();
        }
        let begun = hooks.iter().position(|hook| seq == self.seq && Some(*hook) == self.hook);
        begun.map_or_else(Vec::new, |place| hooks[place + 1..].to_vec())
    }
}

/// What became of one run of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// The number of the line that it was for.
    pub of: u64,
    /// Which hook.
    pub hook: Hook,
    /// The job that the line is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// That job's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// In a word.
    pub result: HookResult,
    /// How it exited, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What became of a hook, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookResult {
    /// It exited with 0.
    Succeeded,
    /// It exited otherwise, or could not be started.
    Failed,
    /// Its time was over, and it was ended.
    TimedOut,
    /// Whoever ran it was killed meanwhile.
    Unknown,
    /// It was not run.
    Skipped,
}

impl HookResult {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// Whether a state is one that a job has just come to its end in.
pub fn has_just_ended(was: Option<Status>, is: Option<Status>) -> bool {
    is.is_some_and(Status::has_ended) && was != is
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_left_out_whatever_the_line_says() {
        use Hook::{Job, OnEnd, OnFail};
        let all = [Job, OnEnd, OnFail];
        let left = |seq, hook| Cursor { seq, hook }.left_of(7, &all);
        assert_eq!(left(6, Some(OnFail)), all);
        assert_eq!(left(7, Some(Job)), [OnEnd, OnFail]);
        assert_eq!(left(7, Some(OnFail)), []);
        assert_eq!(left(7, None), []);
        assert_eq!(left(8, None), []);
        assert_eq!(
            left(7, Some(Hook::OnDegraded)),
            [],
            "a number that was given twice: rather none than twice"
        );
    }

    #[test]
    fn what_is_executed_for_a_hook_is_its_own_command_and_a_job_has_its_own_elsewhere() {
        let command = |word: &str| Some(vec![word.to_owned()]);
        let hooks = Hooks {
            on_end: command("end"),
            on_fail: command("fail"),
            on_dead_letter: command("dead"),
            on_degraded: command("degraded"),
            ..Hooks::default()
        };
        let all = [Hook::Job, Hook::OnEnd, Hook::OnFail, Hook::OnDeadLetter, Hook::OnDegraded];
        let words = all.map(|hook| hooks.command(hook).map(|argv| argv[0].as_str()));
        assert_eq!(words, [None, Some("end"), Some("fail"), Some("dead"), Some("degraded")]);
        assert!(all.iter().all(|hook| Hooks::default().command(*hook).is_none()));
    }

    #[test]
    fn a_verdict_that_is_good_is_for_no_hook() {
        let set = Hooks { on_degraded: Some(vec!["x".into()]), ..Hooks::default() }.set();
        assert_eq!(set.for_verdict("failing"), [Hook::OnDegraded]);
        assert_eq!(set.for_verdict("ok"), []);
        assert_eq!(Hooks::default().set().for_verdict("failing"), []);
    }
}
