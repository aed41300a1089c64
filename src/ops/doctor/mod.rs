//! The installation, looked at: one check a file. Looking changes nothing; asked to, a check makes the mends that are safe
//! and says what it did.

mod files;
mod filesystem;
mod github;
mod hooks;
mod index;
mod kernel;
mod lingering;
mod old_program;
mod permissions;
mod program;
mod references;
mod settings;
mod shell;
mod ticking;
mod watchers;

use super::{
    fault::Fault,
    home::{BrokenConfig, Home, root_path},
    store::{Condition, condition_of},
};
use crate::model::facts::Facts;
use crate::os::folder::FolderError;
use crate::store::{StoreError, root::Root};
use std::path::{Path, PathBuf};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Fine,
    /// Good to know; nothing has to be done.
    Note,
    /// Something may go wrong.
    Warning,
    /// Something is wrong.
    Problem,
}

impl Grade {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// How serious it is, mended or not.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// Each of the things that were found, where they are several.
    pub details: Vec<String>,
    /// What mends it: a command, or a sentence.
    pub mend: Option<String>,
    /// What was done about it.
    pub mended: Option<String>,
}

impl Finding {
    fn new(check: &'static str, grade: Grade, found: impl Into<String>) -> Self {
        Self { check, grade, found: found.into(), details: Vec::new(), mend: None, mended: None }
    }

    fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    fn details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// What came of trying to mend it.
    fn tried(mut self, result: Result<String, String>) -> Self {
        match result {
            Ok(done) => self.mended = Some(done),
            Err(why) => self.found = format!("{}; it could not be mended: {why}", self.found),
        }
        self
    }

    /// Whether somebody has to do something about it.
    pub fn is_open(&self) -> bool {
        self.grade >= Grade::Warning && self.mended.is_none()
    }
}

/// What the checks stand on.
struct Ground {
    path: PathBuf,
    /// The root; none where there is none.
    home: Option<Home>,
    /// Why the root cannot be used.
    refused: Option<Fault>,
    condition: Option<Result<Condition, Fault>>,
    /// Whether safe mends are to be made.
    fixes: bool,
}

impl Ground {
    fn new(path: PathBuf, fixes: bool) -> Self {
        let (home, refused) = match Home::open_existing(BrokenConfig::Warns) {
            Ok(home) => (home, None),
            Err(fault) => (None, Some(fault)),
        };
        let condition = home.as_ref().map(|home| condition_of(&home.root));
        Self { path, home, refused, condition, fixes }
    }

    /// The facts of a sound index.
    fn facts(&self) -> Option<&Facts> {
        match self.condition.as_ref()? {
            Ok(Condition::Sound(facts)) => Some(facts),
            _ => None,
        }
    }
}

/// What was found.
#[derive(Debug)]
pub struct Examined {
    /// The root.
    pub root: PathBuf,
    /// By check, in their order.
    pub findings: Vec<Finding>,
}

impl Examined {
    /// The most serious of what nobody has mended yet.
    pub fn worst(&self) -> Grade {
        let open = self.findings.iter().filter(|finding| finding.mended.is_none());
        open.map(|finding| finding.grade).max().unwrap_or(Grade::Fine)
    }
}

type Check = fn(&Ground) -> Vec<Finding>;

/// The checks of the whole installation, in the order in which they are told. Who the root belongs to comes first: a mend of
/// that lets the others look.
const CHECKS: [Check; 14] = [
    program::check,
    shell::check,
    ticking::check,
    filesystem::check,
    kernel::check,
    lingering::check,
    settings::check,
    index::check,
    references::check,
    watchers::check,
    hooks::check,
    github::check,
    old_program::check,
    files::check,
];

/// The checks of the index and of the files that belong to its jobs.
const STORE_CHECKS: [Check; 3] = [index::check, references::check, files::check];

/// Looks at the whole installation; `fixes` makes the mends that are safe.
pub fn examine(fixes: bool) -> Result<Examined, Fault> {
    let path = root_path()?;
    let mut findings = permissions::of_root(&path, fixes);
    let ground = Ground::new(path, fixes);
    findings.extend(permissions::inside(&ground));
    // After the program and the shell, which a person looks for first.
    let mut all = Vec::new();
    for (number, check) in CHECKS.iter().enumerate() {
        if number == 3 {
            all.append(&mut findings);
        }
        all.extend(check(&ground));
    }
    Ok(Examined { root: ground.path, findings: all })
}

/// Looks at the index, what it refers to, and the run files. Changes nothing.
pub fn examine_store() -> Result<Examined, Fault> {
    let ground = Ground::new(root_path()?, false);
    if let Some(fault) = ground.refused {
        return Err(fault);
    }
    let findings = STORE_CHECKS.iter().flat_map(|check| check(&ground)).collect();
    Ok(Examined { root: ground.path, findings })
}

/// Why a root is refused, and what mends that.
fn refusal(path: &Path) -> Option<(String, Option<String>, bool)> {
    let error = match Root::open(path) {
        Ok(_) => return None,
        Err(StoreError::Folder(error)) => error,
        Err(error) => return Some((error.to_string(), None, false)),
    };
    let message = error.to_string();
    Some(match error {
        FolderError::Open { mode, .. } => (
            format!("{} is open to others (mode {:03o})", path.display(), mode.as_raw_mode()),
            Some(format!("chmod 700 {}", crate::model::spec::quote(&path.to_string_lossy()))),
            true,
        ),
        // The message ends with what mends it.
        FolderError::Link(_) | FolderError::Foreign { .. } => match message.split_once("; ") {
            Some((what, mend)) => (what.to_owned(), Some(mend.to_owned()), false),
            None => (message, None, false),
        },
        FolderError::NotAFolder(_) => {
            (message, Some("move it away, or set BG_HOME to a folder of yours".to_owned()), false)
        }
        FolderError::Unusable { .. } | FolderError::System { .. } => (message, None, false),
    })
}

/// A count with its noun.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
