//! The store: the index on disk (or in memory), one writer at a time, any number of readers.
//!
//! Events are its currency: a transaction reads the facts, lets its caller decide on events, and makes all of
//! them durable or none. A reader takes no lock and writes nothing. The lock is never held across a spawn, a
//! wait, a prompt or the network.
//!
//! Beside the index is the stream, which tells what happened: a line for each event, numbered in the order of changes. It
//! is bounded, and nothing depends on it. A number that is missing is an event that was not told.

pub mod environments;
pub mod file;
pub mod follower;
pub mod hooked;
pub mod lock;
pub mod logs;
pub mod memory;
pub mod polled;
pub mod rebuild;
pub mod root;
pub mod stream;
pub mod told;

use crate::model::{
    Timestamp,
    event::Event,
    facts::{Damage, Draft, Facts, Unreadable},
    stream::{Line, Note},
};
use crate::os::{doorbell::Doorbell, folder::FolderError};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// What reads and changes the index.
pub trait Store {
    /// The facts as they are.
    fn read(&self) -> Result<Rc<Facts>, StoreError>;

    /// One change: `decide` adds events to a draft of the facts, and the store makes them stand, all or none.
    ///
    /// A draft without events writes nothing. When `decide` fails, nothing is written. `now` is the instant that
    /// the index carries as that of its last change.
    fn transact(&self, now: Timestamp, decide: &mut Decide<'_>) -> Result<Commit, StoreError>;

    /// Puts into the stream what happened and changed nothing. Many at once become one line that counts them: the index is
    /// not written for them. Where it cannot be written, gives what the caller should be told and has not been told before.
    fn note(&self, now: Timestamp, note: &Note) -> Result<(), Untold>;

    /// The lines of the stream after that number, as far as they are kept, in their order.
    fn told(&self, after: u64) -> Result<Vec<Line>, StoreError>;

    /// Makes durable what can be read now, whoever wrote it.
    fn make_durable(&self) -> Result<(), StoreError>;

    /// Something that wakes after changes of the index.
    fn follow(&self) -> Result<Box<dyn Follow>, StoreError>;
}

/// The stream could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// What the caller should be told; nothing where that was said before.
    pub warning: Option<String>,
}

/// Adds events to a draft. It may be called with the lock held: it must not wait for anything.
pub type Decide<'a> = dyn FnMut(&mut Draft) -> Result<(), Damage> + 'a;

/// What a transaction did.
#[derive(Debug, Default)]
pub struct Commit {
    /// The events that stand now.
    pub events: Vec<Event>,
    /// The facts as they were with these events, when nobody else could change them.
    pub facts: Rc<Facts>,
    /// What the caller should be told although the events stand.
    pub warning: Option<String>,
}

/// Wakes after changes of the index. It may wake for nothing, and it wakes at least once after a change that came
/// after it was made.
pub trait Follow {
    /// Waits for a change, for one of `others` to be readable, or for the time to be over; `None` waits without end.
    /// Gives, for each of `others`, whether it is readable.
    fn wait(&self, others: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>>;
}

impl Follow for Doorbell {
    fn wait(&self, others: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
        Doorbell::wait(self, others, limit)
    }
}

/// Why an index is left alone, in words that go on with its path.
fn untouched(reason: &Unreadable) -> String {
    match reason {
        Unreadable::Damaged(damage) => format!("is damaged: {damage}; it was not touched"),
        other => format!("was not touched: {other}"),
    }
}

/// Why a store cannot do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The root is not ours alone.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The index cannot be read, or must not be written.
    #[error("the index {} {}", path.display(), untouched(reason))]
    Unreadable {
        /// The index.
        path: PathBuf,
        /// Why.
        reason: Unreadable,
    },
    /// Somebody held the lock for too long.
    #[error("{} has been locked for {} s{}", path.display(), waited.as_secs(), holder.as_ref().map(|who| format!(" by {who}")).unwrap_or_default())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
        /// Who holds it, where the system tells.
        holder: Option<String>,
    },
    /// The system refused.
    #[error("could not {doing} {}: {error}", path.display())]
    System {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
}
