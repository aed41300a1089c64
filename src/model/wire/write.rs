//! From a job to its entry.

use super::{Sources, Wire};
use crate::model::{
    dependency::{Dependency, Until},
    id::JobId,
    job::Job,
    limit::Limits,
    outcome::{Exit, Outcome},
    retry::Retry,
    spec::{Command, Input},
    state::State,
};

impl From<&Job> for Wire {
    fn from(job: &Job) -> Self {
        let Limits { timeout, stale_after, grace, log } = job.spec.limits;
        let spec = job.spec.clone();
        let mut wire = Self {
            id: job.id.clone(),
            status: job.status(),
            name: spec.name,
            command: Some(spec.display),
            argv: if let Command::Argv(argv) = spec.command { Some(argv) } else { None },
            cwd: Some(spec.cwd),
            created_at: job.created_at,
            started_at: job.started_at(),
            ended_at: job.ended_at(),
            exit_code: None,
            timeout_seconds: Some(timeout.seconds),
            stale_after_seconds: Some(stale_after.seconds),
            grace_seconds: (grace != Limits::default().grace).then_some(grace.seconds),
            log_max_bytes: (log != Limits::default().log).then_some(log.bytes),
            labels: spec.labels,
            summary: job.summary().map(str::to_owned),
            limits_from: Sources {
                timeout: timeout.source,
                stale_after: stale_after.source,
                grace: grace.source,
                log: log.source,
            },
            attempt: job.attempt,
            max_attempts: spec.retry.attempts_max,
            retry_delay_seconds: unless(spec.retry.delay_seconds, Retry::default().delay_seconds),
            retry_max_delay_seconds: unless(spec.retry.delay_seconds_max, Retry::default().delay_seconds_max),
            retry_on: spec.retry.codes,
            priority: spec.priority,
            key_ttl_seconds: spec.key.as_ref().map_or(0, |key| key.ttl_seconds),
            key: spec.key.map(|key| key.text),
            after: waited_for(&spec.after, Until::Completed),
            after_end: waited_for(&spec.after, Until::Ended),
            group: spec.group,
            batch: spec.batch,
            array_index: spec.array_index,
            retry_of: spec.retry_of,
            dead_letter: job.end().is_some_and(|end| end.dead_letter),
            not_before: None,
            claim: None,
            ending: None,
            gate: spec.gate,
            approval: None,
            answers: job.answers.clone(),
            interruptions: job.interruptions,
            signal: None,
            exit: None,
            usage: None,
            leftovers: Vec::new(),
            leftovers_left: false,
            best_effort: false,
            notes: Vec::new(),
            env: spec.env,
            stdin_pipe: spec.stdin == Input::Pipe,
            stdin: if let Input::File(path) = spec.stdin { Some(path) } else { None },
            on_leftovers: spec.leftovers,
            parent: spec.parent,
            service: spec.service,
            env_names: spec.variables,
            session: spec.session,
            schedule: spec.schedule,
            on_end: spec.on_end,
            paused_at: job.paused_at(),
            stdin_closed_at: None,
            unknown: job.unknown.clone(),
        };
        wire.set_state(&job.state);
        wire
    }
}

/// A value, unless it is the usual one.
fn unless(seconds: u64, usual: u64) -> Option<u64> {
    (seconds != usual).then_some(seconds)
}

fn waited_for(after: &[Dependency], until: Until) -> Vec<JobId> {
    after.iter().filter(|one| one.until == until).map(|one| one.id.clone()).collect()
}

impl Wire {
    fn set_state(&mut self, state: &State) {
        match state {
            State::Queued { not_before, paused_at: _ } => self.not_before = *not_before,
            State::WaitingApproval(waiting) => self.approval = Some((&**waiting).into()),
            State::Running(run) => {
                self.claim.clone_from(&run.claim);
                self.ending.clone_from(&run.ending);
                self.approval = run.asked.as_ref().map(|request| (**request).clone().into());
                self.stdin_closed_at = run.stdin_closed_at;
            }
            State::Ended(end) => {
                self.claim.clone_from(&end.claim);
                self.ending.clone_from(&end.ending);
                if let Some(outcome) = end.outcome.clone() {
                    self.set_outcome(outcome);
                }
            }
        }
    }

    fn set_outcome(&mut self, outcome: Outcome) {
        match outcome.exit {
            Exit::Code(code) => self.exit_code = Some(code),
            Exit::Signal(signal) => self.signal = Some(signal),
            other => self.exit = Some(other),
        }
        self.usage = outcome.usage;
        self.leftovers = outcome.leftovers;
        self.leftovers_left = outcome.leftovers_left;
        self.best_effort = outcome.best_effort;
        self.notes = outcome.notes;
    }
}
