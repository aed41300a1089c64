//! The index in memory: for tests, and for programs that use the library without a disk.

use super::{Commit, Decide, Follow, Store, StoreError};
use crate::model::{
    Timestamp,
    facts::{Draft, Facts, Unreadable},
};
use crate::os::{doorbell::poll_for, pipe::pipe_without_waiting};
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The index in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    facts: Mutex<Facts>,
    followers: Mutex<Vec<OwnedFd>>,
}

impl Store for MemoryStore {
    fn read(&self) -> Result<Facts, StoreError> {
        Ok(self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn transact(&self, _now: Timestamp, decide: &mut Decide<'_>) -> Result<Commit, StoreError> {
        let events = {
            let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut draft = Draft::new(facts.clone());
            decide(&mut draft).map_err(|damage| StoreError::Unreadable {
                path: PathBuf::from("memory"),
                reason: Unreadable::Damaged(damage),
            })?;
            let (changed, events) = draft.into_parts();
            *facts = changed;
            events
        };
        if !events.is_empty() {
            // A follower that is gone is forgotten; a full pipe has rung already.
            let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
            followers.retain(|bell| !matches!(rustix::io::write(bell, &[1]), Err(rustix::io::Errno::PIPE)));
        }
        Ok(Commit { events, warning: None })
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn follow(&self) -> Result<Box<dyn Follow>, StoreError> {
        let (read, write) = pipe_without_waiting().map_err(|error| StoreError::System {
            doing: "follow",
            path: PathBuf::from("memory"),
            error,
        })?;
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(write);
        Ok(Box::new(Bell(read)))
    }
}

struct Bell(OwnedFd);

impl Follow for Bell {
    fn wait(&self, others: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(others.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
        poll_for(&mut fds, limit)?;
        let readable: Vec<bool> = fds.iter().skip(1).map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let mut buffer = [0_u8; 64];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|count| count > 0) {}
        Ok(readable)
    }
}
