//! The index as a file: how it stands, whether it is sound, and making a damaged one anew.

pub mod migrate;
pub mod rebuild;
pub mod remake;
pub mod told;

use super::{
    fault::{Code, Fault},
    home::{BrokenConfig, Home, root_path},
};
use crate::model::{
    Timestamp,
    config::StoreType,
    facts::{Facts, Unreadable},
    state::Status,
    wire::to_milliseconds,
};
use crate::store::{
    Store, StoreError,
    file::index::{self, file_name},
    rebuild::read,
    root::{DAMAGED, INDEX, LINES, Root},
};
use std::path::PathBuf;

/// How the index stands.
#[derive(Debug)]
pub struct Shown {
    /// Its file.
    pub path: PathBuf,
    /// In which form it is kept.
    pub form: StoreType,
    /// Its size; none where there is no such file.
    pub bytes: Option<u64>,
    /// When it was written last.
    pub modified_at: Option<Timestamp>,
    /// Jobs by state, in the order of a job's life.
    pub counts: Vec<(Status, usize)>,
    /// The number of the last event that changed it.
    pub last_event: u64,
    /// How many schedules it has.
    pub schedules: usize,
    /// Damaged ones that are kept beside it.
    pub kept: Vec<String>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// How the index stands. One that cannot be read is a fault.
pub fn show() -> Result<Shown, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return Ok(shown(root_path()?.join(INDEX), StoreType::Json, &Facts::default(), None, Vec::new()));
    };
    let facts = home.store().read()?;
    let kept = damaged_ones(&home.root);
    let form = index::form(&home.root).unwrap_or(StoreType::Json);
    let path = home.root.path().join(file_name(form));
    let mut shown = shown(path, form, &facts, Some(&home), kept);
    shown.warnings = home.warnings;
    Ok(shown)
}

fn shown(path: PathBuf, form: StoreType, facts: &Facts, home: Option<&Home>, kept: Vec<String>) -> Shown {
    let file = home.and_then(|home| home.root.folder().open_file(file_name(form)).ok().flatten());
    let data = file.and_then(|file| file.metadata().ok());
    Shown {
        path,
        form,
        bytes: data.as_ref().map(std::fs::Metadata::len),
        modified_at: data.and_then(|data| data.modified().ok()).map(|at| to_milliseconds(at.into())),
        counts: Status::ALL.map(|status| (status, facts.count(status))).to_vec(),
        last_event: facts.last_event(),
        schedules: facts.schedules().len(),
        kept,
        warnings: Vec::new(),
    }
}

/// The damaged indexes that were kept, the oldest first.
pub fn damaged_ones(root: &Root) -> Vec<String> {
    let names = root.folder().names().unwrap_or_default();
    let mut kept: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    let is_one = |name: &str, of: &str| name.strip_prefix(of).is_some_and(|rest| rest.starts_with(DAMAGED));
    kept.retain(|name| is_one(name, INDEX) || is_one(name, LINES));
    kept.sort_unstable();
    kept
}

/// What there is of an index.
#[derive(Debug)]
pub enum Condition {
    /// No file.
    Missing,
    /// Every entry can be read.
    Sound(Box<Facts>),
    /// Something cannot, for this reason.
    Damaged(String),
}

/// Looks at the index's text. An error where it is not this program's to write.
pub fn condition(root: &Root, form: StoreType, text: Option<&[u8]>) -> Result<Condition, Fault> {
    let Some(text) = text else { return Ok(Condition::Missing) };
    let path = || root.path().join(file_name(form));
    let refused = |reason| -> Fault { StoreError::Unreadable { path: path(), reason }.into() };
    let facts = match index::parse(form, text.to_owned()) {
        Ok(facts) => facts,
        Err(Unreadable::Damaged(damage)) => return Ok(Condition::Damaged(damage.to_string())),
        Err(reason) => return Err(refused(reason)),
    };
    facts.writable().map_err(refused)?;
    Ok(match facts.check() {
        Ok(()) => Condition::Sound(Box::new(facts)),
        Err(damage) => Condition::Damaged(damage.to_string()),
    })
}

/// The condition of the index of a root as it is now.
pub fn condition_of(root: &Root) -> Result<Condition, Fault> {
    let (form, text) = read(root)?;
    condition(root, form, text.as_deref())
}

/// There is nothing that could be done.
fn not_needed(message: impl Into<String>) -> Fault {
    Fault::new(Code::WrongState, message)
}
