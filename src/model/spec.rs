//! What somebody asked to have run: one type for flags, and later for batch lines, schedules and other clients.

use super::{
    approval::Gate, bytes::Bytes, dependency::Dependency, id::JobId, key::Key, limit::Limits,
    priority::Priority, retry::Retry,
};
use serde::{Deserialize, Serialize};

/// The command of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Program and arguments, byte for byte; never empty.
    Argv(Vec<Bytes>),
    /// A line for `sh -c`: an entry of a hand-made index that has `command` but no `argv`.
    Line(String),
}

impl Command {
    /// The arguments that are executed.
    pub fn to_argv(&self) -> Vec<Bytes> {
        match self {
            Self::Argv(argv) => argv.clone(),
            Self::Line(line) => {
                let line = Bytes::new(line.as_bytes()).unwrap_or_default();
                vec![
                    Bytes::new(*b"/bin/sh").unwrap_or_default(),
                    Bytes::new(*b"-c").unwrap_or_default(),
                    line,
                ]
            }
        }
    }
}

/// What a job reads as standard input.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    Nothing,
    /// A file, by its absolute path.
    File(Bytes),
    /// A pipe of each attempt's own, into which others write while it runs.
    Pipe,
}

/// What happens to processes of a job that outlive its main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeftoverPolicy {
    /// They are ended before the job's end is committed.
    #[default]
    End,
    /// They are left running, and named.
    Leave,
}

/// One command with everything that decides how it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What runs.
    pub command: Command,
    /// The command as a person would type it.
    pub display: String,
    /// Absolute working directory.
    pub cwd: Bytes,
    /// A name given by its submitter; not unique.
    pub name: Option<String>,
    /// Labels in the order given.
    pub labels: Vec<String>,
    /// What bounds it.
    pub limits: Limits,
    /// The captured environment's name (a hash); none in a hand-made entry, which runs with the launcher's.
    pub env: Option<String>,
    /// What it reads as standard input.
    pub stdin: Input,
    /// What happens to its leftovers.
    pub leftovers: LeftoverPolicy,
    /// How often it is tried.
    pub retry: Retry,
    /// How urgent it is.
    pub priority: Priority,
    /// What makes a repeated submission this one.
    pub key: Option<Key>,
    /// The jobs whose ends it waits for.
    pub after: Vec<Dependency>,
    /// The group whose slots it takes; none for the default group.
    pub group: Option<String>,
    /// The first job of the batch with which it was submitted.
    pub batch: Option<JobId>,
    /// Its number in an array.
    pub array_index: Option<u64>,
    /// The ended job that it repeats.
    pub retry_of: Option<JobId>,
    /// The job from inside which it was submitted.
    pub parent: Option<JobId>,
    /// Whether it runs outside the slots, until it is ended.
    pub service: bool,
    /// The names of variables that its submitter set by hand; never their values.
    pub variables: Vec<String>,
    /// The terminal session in which it was submitted; none without a terminal.
    pub session: Option<String>,
    /// The schedule of which it is a run.
    pub schedule: Option<String>,
    /// What is executed when it has ended, whatever its end; no part of the job.
    pub on_end: Option<Vec<Bytes>>,
    /// Who has to approve it before it runs.
    pub gate: Option<Gate>,
}

impl JobSpec {
    /// A command with nothing but defaults.
    pub fn new(command: Command, cwd: Bytes) -> Self {
        Self {
            display: display(&command),
            command,
            cwd,
            name: None,
            labels: Vec::new(),
            limits: Limits::default(),
            env: None,
            stdin: Input::Nothing,
            leftovers: LeftoverPolicy::End,
            retry: Retry::default(),
            priority: Priority::Normal,
            key: None,
            after: Vec::new(),
            group: None,
            batch: None,
            array_index: None,
            retry_of: None,
            parent: None,
            service: false,
            variables: Vec::new(),
            session: None,
            schedule: None,
            on_end: None,
            gate: None,
        }
    }
}

impl JobSpec {
    /// The line that a shell executes, where that is what it runs and what is shown of it.
    pub fn shell_line(&self) -> Option<&str> {
        let argv = self.command.to_argv();
        let is_line = matches!(&argv[..], [shell, flag, line]
            if shell.as_slice() == b"/bin/sh"
                && flag.as_slice() == b"-c"
                && line.as_slice() == self.display.as_bytes());
        is_line.then_some(&self.display)
    }

    /// The command in words that a person can rely on: a line for a shell as it was written, else the arguments themselves. What an
    /// entry made by hand calls its command can be anything.
    pub fn command_to_approve(&self) -> String {
        self.shell_line().map_or_else(|| display(&self.command), str::to_owned)
    }
}

/// A command as a person would type it in a shell.
pub fn display(command: &Command) -> String {
    match command {
        Command::Line(line) => line.clone(),
        Command::Argv(argv) => {
            let words: Vec<String> = argv.iter().map(Bytes::to_text).collect();
            words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// A word as a POSIX shell reads it back.
pub fn quote(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let argv = ["sh", "-c", "echo \"a  b\""].map(|word| Bytes::try_from(word).unwrap());
        assert_eq!(display(&Command::Argv(argv.to_vec())), "sh -c 'echo \"a  b\"'");
    }

    #[test]
    fn a_line_runs_through_the_shell() {
        let argv = Command::Line("a | b".into()).to_argv();
        assert_eq!(argv.iter().map(Bytes::to_text).collect::<Vec<_>>(), ["/bin/sh", "-c", "a | b"]);
    }
}
