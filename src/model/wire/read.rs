//! From an entry to a job: what is wrong is named with its field.

use super::{Asking, Wire, dependencies, is_environment_name};
use crate::model::{
    approval::Waiting,
    bytes::Bytes,
    group,
    job::Job,
    key::{KEY_BYTES_MAX, Key},
    limit::{ByteLimit, LOG_BYTES_MIN, Limit, Limits, SECONDS_MAX, Seconds, Source},
    outcome::{Exit, Outcome},
    retry::Retry,
    spec::{Command, Input, JobSpec, display},
    state::{End, Run, State, Status, Verdict},
};

impl TryFrom<Wire> for Job {
    type Error = String;

    fn try_from(mut wire: Wire) -> Result<Self, String> {
        let defaults = Limits::default();
        let from = wire.limits_from;
        let limits = Limits {
            timeout: limit(wire.timeout_seconds, defaults.timeout, from.timeout, "timeout_seconds")?,
            stale_after: limit(
                wire.stale_after_seconds,
                defaults.stale_after,
                from.stale_after,
                "stale_after_seconds",
            )?,
            grace: limit(wire.grace_seconds, defaults.grace, from.grace, "grace_seconds")?,
            log: wire.log_max_bytes.map_or(defaults.log, |bytes| ByteLimit {
                bytes: bytes.map(|bytes| bytes.max(LOG_BYTES_MIN)),
                source: from.log,
            }),
        };
        if let Some(name) = wire.env.as_deref().filter(|name| !is_environment_name(name)) {
            return Err(format!("env: {:?} is not the name of a captured environment", excerpt(name)));
        }
        let (command, shown) = wire.take_command()?;
        let (retry, key, group) = (wire.take_retry()?, wire.take_key()?, wire.take_group()?);
        let state = wire.take_state();
        let spec = JobSpec {
            command,
            display: shown,
            cwd: wire.cwd.unwrap_or_else(|| Bytes::new(*b"/").unwrap_or_default()),
            name: wire.name,
            labels: wire.labels,
            limits,
            env: wire.env,
            stdin: input(wire.stdin, wire.stdin_pipe)?,
            leftovers: wire.on_leftovers,
            retry,
            priority: wire.priority,
            key,
            after: dependencies(wire.after, wire.after_end),
            group,
            batch: wire.batch,
            array_index: wire.array_index,
            retry_of: wire.retry_of,
            parent: wire.parent,
            service: wire.service,
            variables: wire.env_names,
            session: wire.session,
            schedule: wire.schedule,
            on_end: wire.on_end.filter(|argv| !argv.is_empty()),
            gate: wire.gate,
        };
        // An end has taken it along.
        let Wire { id, created_at, attempt, interruptions, answers, summary: note, unknown, .. } = wire;
        Ok(Self { id, spec, created_at, attempt, interruptions, answers, state, note, unknown })
    }
}

impl Wire {
    fn take_outcome(&mut self) -> Option<Outcome> {
        let exit = match (self.exit.take(), self.signal, self.exit_code) {
            (Some(exit), _, _) => exit,
            (None, Some(signal), _) => Exit::Signal(signal),
            (None, None, Some(code)) => Exit::Code(code),
            (None, None, None) => return None,
        };
        Some(Outcome {
            exit,
            at: self.ended_at.unwrap_or(self.created_at),
            usage: self.usage,
            leftovers: std::mem::take(&mut self.leftovers),
            leftovers_left: self.leftovers_left,
            best_effort: self.best_effort,
            notes: std::mem::take(&mut self.notes),
        })
    }

    fn take_state(&mut self) -> State {
        let verdict = match self.status {
            Status::Queued => {
                return State::Queued { not_before: self.not_before, paused_at: self.paused_at };
            }
            Status::WaitingApproval => return State::WaitingApproval(Box::new(self.take_waiting())),
            Status::Running => {
                return State::Running(Run {
                    started_at: self.started_at.unwrap_or(self.created_at),
                    claim: self.claim.take(),
                    ending: self.ending.take(),
                    asked: self.approval.take().map(|asking| Box::new(asking.request)),
                    paused_at: self.paused_at,
                    stdin_closed_at: self.stdin_closed_at,
                });
            }
            Status::Completed => Verdict::Completed,
            Status::Failed => Verdict::Failed,
            Status::Cancelled => Verdict::Cancelled,
        };
        State::Ended(End {
            verdict,
            at: self.ended_at,
            started_at: self.started_at,
            claim: self.claim.take(),
            outcome: self.take_outcome(),
            ending: self.ending.take(),
            summary: self.summary.take(),
            dead_letter: self.dead_letter && verdict == Verdict::Failed,
        })
    }

    fn take_waiting(&mut self) -> Waiting {
        self.approval.take().unwrap_or_else(|| Asking::unsaid(self.created_at)).into()
    }

    fn take_retry(&mut self) -> Result<Retry, String> {
        let usual = Retry::default();
        let seconds = |given: Option<u64>, usual: u64, field: &str| match given {
            Some(seconds) if seconds > SECONDS_MAX => Err(format!("{field}: longer than ten years")),
            given => Ok(given.unwrap_or(usual)),
        };
        if self.max_attempts == 0 {
            return Err("max_attempts: must be at least 1".to_owned());
        }
        Ok(Retry {
            attempts_max: self.max_attempts,
            delay_seconds: seconds(self.retry_delay_seconds, usual.delay_seconds, "retry_delay_seconds")?,
            delay_seconds_max: seconds(
                self.retry_max_delay_seconds,
                usual.delay_seconds_max,
                "retry_max_delay_seconds",
            )?,
            codes: self.retry_on.take(),
        })
    }

    fn take_key(&mut self) -> Result<Option<Key>, String> {
        let Some(text) = self.key.take() else { return Ok(None) };
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            return Err(format!("key: expected 1 to {KEY_BYTES_MAX} bytes"));
        }
        Ok(Some(Key { text, ttl_seconds: self.key_ttl_seconds }))
    }

    fn take_group(&mut self) -> Result<Option<String>, String> {
        let group = self.group.take().filter(|name| name != group::DEFAULT);
        group
            .map(|name| match group::check_name(&name) {
                Ok(()) => Ok(name),
                Err(error) => Err(format!("group: {error}")),
            })
            .transpose()
    }

    fn take_command(&mut self) -> Result<(Command, String), String> {
        let command = match (self.argv.take(), &self.command) {
            (Some(argv), _) if argv.is_empty() => return Err("argv: is empty".to_owned()),
            (Some(argv), _) => Command::Argv(argv),
            (None, Some(line)) if line.contains('\0') => {
                return Err("command: contains a NUL byte".to_owned());
            }
            (None, Some(line)) => Command::Line(line.clone()),
            (None, None) => return Err("neither argv nor command is given".to_owned()),
        };
        let shown = self.command.take().unwrap_or_else(|| display(&command));
        Ok((command, shown))
    }
}

fn limit(seconds: Option<Seconds>, default: Limit, source: Source, field: &str) -> Result<Limit, String> {
    match seconds {
        None => Ok(default),
        Some(Some(seconds)) if seconds > SECONDS_MAX => Err(format!("{field}: longer than ten years")),
        Some(seconds) => Ok(Limit { seconds, source }),
    }
}

fn input(path: Option<Bytes>, is_pipe: bool) -> Result<Input, String> {
    match (path, is_pipe) {
        (Some(_), true) => Err("stdin: there is a file beside stdin_pipe".to_owned()),
        (None, true) => Ok(Input::Pipe),
        (path, false) => Ok(path.map_or(Input::Nothing, Input::File)),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
