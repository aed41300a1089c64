//! What went wrong, for whom, and which exit code says so. The one table of exit codes is here.

use crate::exec::ExecError;
use crate::model::{
    facts::Unreadable,
    id::JobId,
    job::Job,
    stream::{Note, Refusal},
};
use crate::os::folder::FolderError;
use crate::pass::PassError;
use crate::plan::admit::Full;
use crate::store::{
    StoreError,
    root::{INDEX, Nowhere},
};
use std::fmt;

/// The exit codes of all commands but `wait` and `start --wait`, which give the job's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It failed; the message says what and what next.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No such job, group or key, or several jobs.
    NotFound = 3,
    /// The job's state does not allow that.
    WrongState = 4,
    /// The index is damaged, from a newer version, or not ours; nothing was written.
    Index = 5,
    /// Not now; trying again later can work.
    NotNow = 75,
    /// The settings are wrong.
    Config = 78,
    /// The command cannot be executed.
    NotExecutable = 126,
    /// The command is not found.
    CommandNotFound = 127,
}

impl Code {
    /// The code's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::WrongState => "wrong_state",
            Self::Index => "index",
            Self::NotNow => "not_now",
            Self::Config => "config",
            Self::NotExecutable => "not_executable",
            Self::CommandNotFound => "command_not_found",
        }
    }
}

/// Something that went wrong: what happened, and what to do next.
#[derive(Debug)]
pub struct Fault {
    /// Its exit code.
    pub code: Code,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The jobs that may have been meant, where several may.
    pub candidates: Vec<Job>,
    /// The job it is about, where that was submitted before it went wrong.
    pub id: Option<JobId>,
    /// The reason for programs, where it has numbers.
    pub reason: Option<Box<Reason>>,
    /// The kind of the system's error, where that is all it was.
    pub cause: Option<std::io::ErrorKind>,
}

/// A reason with numbers, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The queue takes no more.
    QueueFull {
        /// How full it is.
        full: Full,
        /// After how many seconds trying again may work.
        retry_after_seconds: u64,
    },
}

impl Fault {
    /// A fault without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            candidates: Vec::new(),
            id: None,
            reason: None,
            cause: None,
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the submitted job that it is about, so that its id is not lost.
    #[must_use]
    pub fn of(self, id: &JobId) -> Self {
        Self { id: Some(id.clone()), ..self }
    }
}

impl Reason {
    /// The same as the stream tells it.
    pub fn note(&self) -> Note {
        let Self::QueueFull { full: Full { waiting, threshold, jobs_max, .. }, .. } = *self;
        Note::Refused { reason: Refusal::QueueFull, waiting, threshold, max_size: jobs_max }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// What to do about a full disk. Pruning removes files before it writes.
const NO_SPACE: &str =
    "nothing was changed; free some space first, with bgctl prune or by emptying a log: : > FILE";

/// The system's error in words: the library adds its number.
pub fn without_number(message: &str) -> String {
    match message.rfind(" (os error ") {
        Some(place) => message[..place].to_owned(),
        None => message.to_owned(),
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Folder(FolderError::System { error, .. }) | StoreError::System { error, .. } => {
                let fault = Self::new(Code::Failed, without_number(&message));
                if error.kind() == std::io::ErrorKind::StorageFull { fault.hint(NO_SPACE) } else { fault }
            }
            StoreError::Folder(_) => Self::new(Code::Index, message),
            // A good index of a newer program is not in the way: this program is too old.
            StoreError::Unreadable { reason: Unreadable::Newer(_) | Unreadable::Requires(_), .. } => {
                Self::new(Code::Index, message)
            }
            StoreError::Unreadable { path, reason: Unreadable::NotAFile(_) } => Self::new(Code::Index, message)
                .hint(format!(
                    "move it away to begin a new one: mv {0} {0}.damaged; bgctl store rebuild then makes one of the run files",
                    path.display()
                )),
            StoreError::Unreadable { .. } => Self::new(Code::Index, message).hint(
                "bgctl store rebuild makes it anew of what can be read, and keeps the damaged one; with --dry-run it says what would come of it",
            ),
            StoreError::Locked { .. } => {
                Self::new(Code::NotNow, message).hint("try again; nothing was changed")
            }
        }
    }
}

impl From<ExecError> for Fault {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Store(error) => error.into(),
            ExecError::System { .. } | ExecError::Alarm(_) | ExecError::Hooks(_) | ExecError::Poll(_) => {
                Self::new(Code::Failed, error.to_string())
            }
        }
    }
}

impl From<PassError> for Fault {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Store(error) => error.into(),
            PassError::Exec(error) => error.into(),
        }
    }
}

impl From<crate::model::facts::Damage> for Fault {
    fn from(damage: crate::model::facts::Damage) -> Self {
        let index = super::home::root_path().map_or_else(|_| INDEX.into(), |root| root.join(INDEX));
        StoreError::Unreadable { path: index, reason: damage.into() }.into()
    }
}

impl From<Nowhere> for Fault {
    fn from(error: Nowhere) -> Self {
        Self::new(Code::Config, error.to_string())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self { cause: Some(error.kind()), ..Self::new(Code::Failed, without_number(&error.to_string())) }
    }
}
