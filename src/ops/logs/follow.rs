//! Output as it comes, of one job or several, through all attempts until the end.
//!
//! Nobody is woken while nothing comes: one bell rings for all logs, and the index's own for the jobs' ends.

use super::{
    Note, Part, Sink, Wanted, gone, lines, part,
    reader::{BLOCK_BYTES, Block, LogReader},
    there,
};
use crate::model::{facts::Facts, id::JobId, job::Job};
use crate::ops::{attend::Attendance, fault::Fault, home::Home};
use crate::os::{
    doorbell::{Doorbell, POLL_INTERVAL},
    folder::Folder,
};
use crate::store::root::log_name;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How much of one log is given before the others have their turn.
const TURN_BLOCKS: usize = 16;

/// One job that is followed.
struct Followed<'a> {
    id: JobId,
    log: Option<LogReader<'a>>,
    /// Where it goes on; `None` until what is wanted has begun.
    at: Option<u64>,
    job: Option<Job>,
    ended: bool,
}

/// How a turn ended.
#[derive(PartialEq, Eq)]
enum Turn {
    /// There is more already.
    More,
    /// Everything that is there was given.
    Empty,
    /// What is wanted is complete.
    Complete,
}

/// Gives output as it comes, until all jobs have ended, or the attempt that is wanted. `reader_gone` is readable once
/// nobody reads any more. Gives the jobs as they were at the end, in the order of `ids`.
pub fn follow(
    home: &Home,
    attendance: &mut Attendance<'_>,
    ids: &[JobId],
    wanted: Wanted,
    reader_gone: Option<BorrowedFd<'_>>,
    sink: &mut dyn Sink,
) -> Result<Vec<Job>, Fault> {
    let runs = home.root.runs()?;
    let new = |id: &JobId| Followed { id: id.clone(), log: None, at: None, job: None, ended: false };
    let mut all: Vec<Followed<'_>> = ids.iter().map(new).collect();
    let mut bell = Bell::new();
    let mut buffer = vec![0_u8; BLOCK_BYTES];
    loop {
        // Read in this order: what was written before the end is there once the end is.
        let facts = attendance.read()?;
        for one in all.iter_mut().filter(|one| one.log.is_none() && !one.ended) {
            one.log = LogReader::open(runs, &one.id)?;
        }
        // A log that came before a new bell was hung rings on none, so that is looked at once more.
        let mut more =
            bell.attach(runs, all.iter().filter(|one| !one.ended).map(|one| (&one.id, one.log.is_some())));
        for (place, one) in all.iter_mut().enumerate().filter(|(_, one)| !one.ended) {
            let turn = one.turn(home, &facts, place, wanted, &mut buffer, sink)?;
            more |= turn == Turn::More;
            if turn == Turn::Complete {
                sink.end(place)?;
                one.ended = true;
            }
        }
        sink.flush()?;
        if all.iter().all(|one| one.ended) {
            return Ok(all.into_iter().filter_map(|one| one.job).collect());
        }
        if more {
            continue;
        }
        let waiting: Vec<JobId> = all.iter().filter(|one| !one.ended).map(|one| one.id.clone()).collect();
        if bell.wait(attendance, &facts, &waiting, reader_gone, None)? {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
    }
}

impl Followed<'_> {
    /// Gives what is new.
    fn turn(
        &mut self,
        home: &Home,
        facts: &Facts,
        place: usize,
        wanted: Wanted,
        buffer: &mut [u8],
        sink: &mut dyn Sink,
    ) -> Result<Turn, Fault> {
        let job = there(facts.job(&self.id)?, &self.id)?;
        let has_ended = job.end().is_some();
        let wanted_part = match wanted.attempt {
            Some(number) => part(home, &job, number)?,
            None => Some(Part { from: 0, to: None }),
        };
        let is_over = has_ended || wanted.attempt.is_some_and(|number| number < job.attempt);
        let had_log = super::did_run(&job);
        let job = self.job.insert(job);
        let (Some(log), Some(part)) = (&mut self.log, wanted_part) else {
            if is_over && had_log && self.log.is_none() {
                return Err(gone(&self.id));
            }
            return Ok(if is_over { Turn::Complete } else { Turn::Empty });
        };
        let mut at = match (self.at, wanted.lines) {
            (Some(at), _) => at,
            (None, None) => part.from,
            (None, Some(count)) => {
                let end = log.end()?.min(part.to.unwrap_or(u64::MAX));
                lines::last(log, &(part.from.min(end)..end), count)?
            }
        };
        let mut to = part.to.unwrap_or(u64::MAX);
        let mut turn = Turn::More;
        for _ in 0..TURN_BLOCKS {
            let size = usize::try_from(to.saturating_sub(at)).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
            let block = if size == 0 { Block::End } else { log.read_at(at, &mut buffer[..size])? };
            match block {
                Block::Bytes(count) => {
                    // The next attempt is written down before it writes: asked now, all of its output is told apart.
                    if let Some(number) = wanted.attempt.filter(|_| to == u64::MAX) {
                        to = part_end(home, job, number)?;
                    }
                    let own = usize::try_from(to.saturating_sub(at)).unwrap_or(count).min(count);
                    sink.output(place, &buffer[..own])?;
                    at += own as u64;
                }
                Block::LeftOut { goes_on } => {
                    sink.note(place, &Note::LeftOut { bytes: goes_on.min(to) - at })?;
                    at = goes_on;
                }
                Block::Emptied { end } if !is_over => {
                    sink.note(place, &Note::Emptied)?;
                    // An emptied log is read from its new beginning; where a middle was left out, places mean nothing.
                    at = if log.left_out()?.is_some() { end } else { 0 };
                }
                Block::Emptied { .. } | Block::End => {
                    turn = if is_over { Turn::Complete } else { Turn::Empty };
                    break;
                }
            }
        }
        self.at = Some(at);
        Ok(turn)
    }
}

/// Where an attempt's output ends, as far as that is known.
fn part_end(home: &Home, job: &Job, number: u32) -> Result<u64, Fault> {
    Ok(part(home, job, number)?.and_then(|part| part.to).unwrap_or(u64::MAX))
}

/// One bell for several logs. It is hung anew when a log begins or is done with.
#[derive(Debug)]
pub struct Bell {
    doorbell: Option<Doorbell>,
    /// Whose logs it is on, and whether a log is still to come.
    on: (Vec<String>, bool),
}

impl Bell {
    /// A bell on nothing.
    pub const fn new() -> Self {
        Self { doorbell: None, on: (Vec::new(), false) }
    }

    /// From now on it rings for these logs, and for the first bytes of those that are not there yet. To be called
    /// after a log was opened and before it is read, so that nothing is missed. Gives whether it was hung anew: what
    /// came before that did not ring.
    pub fn attach<'a>(&mut self, runs: &Folder, logs: impl Iterator<Item = (&'a JobId, bool)>) -> bool {
        let (mut there, mut missing) = (Vec::new(), false);
        for (id, is_there) in logs {
            if is_there {
                there.push(log_name(id));
            }
            missing |= !is_there;
        }
        let on = (there, missing);
        if self.doorbell.is_some() && on == self.on {
            return false;
        }
        // The old bell goes first: there are few of them for a user.
        self.doorbell = None;
        self.doorbell = Some(Doorbell::on_growth_in(runs, &on.0, on.1));
        self.on = on;
        true
    }

    /// Waits for a log to grow, for the index to change, for a watcher to go, for a log that is missing, or for the
    /// time to be over. Gives whether `other` is readable.
    pub fn wait(
        &self,
        attendance: &mut Attendance<'_>,
        facts: &Facts,
        ids: &[JobId],
        other: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> Result<bool, Fault> {
        let own = self.doorbell.as_ref().and_then(Doorbell::descriptor);
        let limit =
            if own.is_some() { limit } else { Some(limit.unwrap_or(Duration::MAX).min(POLL_INTERVAL)) };
        let fds: Vec<BorrowedFd<'_>> = other.into_iter().chain(own).collect();
        let readable = attendance.wait(facts, ids, &fds, limit)?;
        if own.is_some()
            && readable.last() == Some(&true)
            && let Some(doorbell) = &self.doorbell
        {
            doorbell.take_rings();
        }
        Ok(other.is_some() && readable.first() == Some(&true))
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}
