//! The index in memory: for tests, and for programs that use the library without a disk.

use super::{Commit, Decide, Follow, Store, StoreError, Untold, stream::EVENTS_BYTES_MAX};
use crate::model::{
    Timestamp,
    facts::{Draft, Facts, Unreadable},
    stream::{Line, Lines, Note, Tail},
};
use crate::os::{doorbell::poll_for, pipe::pipe_without_waiting};
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The index in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    facts: Mutex<Facts>,
    stream: Mutex<Stream>,
    followers: Mutex<Vec<OwnedFd>>,
}

/// How much of the end of the stream is read to find the last line; none is nearly as long.
const TAIL_BYTES: usize = 64 * 1024;

/// The stream in memory.
#[derive(Debug, Default)]
struct Stream {
    text: String,
    /// Refusals that were counted and not told yet.
    refused: u64,
}

impl Stream {
    fn tail(&self) -> Tail {
        let text = self.text.as_bytes();
        Tail::of(&text[text.len().saturating_sub(TAIL_BYTES)..]).unwrap_or_default()
    }

    /// Lines behind those that are there. What was counted only comes first.
    fn begin(&mut self, last_event: u64, now: Timestamp) -> Lines {
        let tail = self.tail();
        let mut lines = Lines::after(tail.last.max(last_event), now);
        if let Some(note) = tail.refused().filter(|_| self.refused > 0) {
            lines.note(note, std::mem::take(&mut self.refused));
        }
        lines
    }

    fn add(&mut self, lines: &Lines) {
        if (self.text.len() + lines.text().len()) as u64 > EVENTS_BYTES_MAX {
            let half = self.text.len() / 2;
            let newline = self.text.as_bytes()[half..].iter().position(|byte| *byte == b'\n');
            self.text.drain(..newline.map_or(self.text.len(), |newline| half + newline + 1));
        }
        self.text.push_str(lines.text());
    }
}

impl Store for MemoryStore {
    fn read(&self) -> Result<Rc<Facts>, StoreError> {
        Ok(Rc::new(self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    fn transact(&self, now: Timestamp, decide: &mut Decide<'_>) -> Result<Commit, StoreError> {
        let (events, facts) = {
            let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut draft = Draft::new(facts.clone());
            decide(&mut draft).map_err(|damage| StoreError::Unreadable {
                path: PathBuf::from("memory"),
                reason: Unreadable::Damaged(damage),
            })?;
            let steps = draft.steps().to_vec();
            let (mut changed, events) = draft.into_parts();
            if !events.is_empty() {
                let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
                let mut lines = stream.begin(changed.last_event(), now);
                for (event, step) in events.iter().zip(steps) {
                    let job = event.job().and_then(|id| changed.parsed(id));
                    lines.event(event, step, job, job.and_then(|job| changed.tables().health_of(job)));
                }
                changed.set_last_event(lines.last());
                stream.add(&lines);
            }
            *facts = changed;
            (events, facts.clone())
        };
        if !events.is_empty() {
            // A follower that is gone is forgotten; a full pipe has rung already.
            let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
            followers.retain(|bell| !matches!(rustix::io::write(bell, &[1]), Err(rustix::io::Errno::PIPE)));
        }
        Ok(Commit { events, facts: Rc::new(facts), warning: None })
    }

    fn note(&self, now: Timestamp, note: &Note) -> Result<(), Untold> {
        let last_event = self.facts.lock().unwrap_or_else(PoisonError::into_inner).last_event();
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.tail().counts(note, now) {
            stream.refused += 1;
        } else {
            let counted = std::mem::take(&mut stream.refused);
            let mut lines = Lines::after(stream.tail().last.max(last_event), now);
            stream.tail().tell(note, counted, &mut lines);
            stream.add(&lines);
        }
        Ok(())
    }

    fn told(&self, after: u64) -> Result<Vec<Line>, StoreError> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = stream.text.lines().filter_map(|line| Line::parse(line.as_bytes()));
        Ok(lines.filter(|line| line.seq > after).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stream::Refusal;

    #[test]
    fn of_a_stream_that_would_become_too_large_the_older_half_goes_and_numbers_go_on() {
        let at: Timestamp = "2026-02-13T10:00:00Z".parse().unwrap();
        let mut lines = Lines::after(0, at);
        let note = Note::Refused { reason: Refusal::QueueFull, waiting: 9, threshold: 8, max_size: 10 };
        while (lines.text().len() as u64) < EVENTS_BYTES_MAX - 1_000 {
            lines.note(&note, 1);
        }
        let store = MemoryStore::default();
        store.stream.lock().unwrap().add(&lines);
        let last = lines.last();
        assert_eq!(store.told(0).unwrap().len() as u64, last);
        let mut more = Lines::after(last, at);
        (0..20).for_each(|_| more.note(&note, 1));
        store.stream.lock().unwrap().add(&more);
        let told: Vec<u64> = store.told(0).unwrap().iter().map(|line| line.seq).collect();
        assert_eq!(told.last(), Some(&(last + 20)));
        assert!((last / 3..last * 2 / 3).contains(&told[0]), "{} of {last}", told[0]);
        assert!(told.windows(2).all(|two| two[0] + 1 == two[1]), "no line is torn");
    }
}
