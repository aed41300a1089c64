//! Jobs' output: all of it, its first and last lines, one attempt's, or as it comes.
//!
//! Offsets are written offsets throughout (`reader`). What is printed where, and how, is a [`Sink`]'s business.

mod attempts;
mod follow;
mod lines;
mod reader;

pub use attempts::{Part, part, present_part};
pub use follow::{Bell, follow};
pub use reader::{BLOCK_BYTES, Block, LogReader};

use super::{
    fault::{Code, Fault},
    find::Among,
    home::Home,
    inside::running_around,
    select::Selection,
};
use crate::model::{id::JobId, job::Job, outcome::Exit};
use crate::store::{Store, root::log_name};
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Which part of each log is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Only the first lines.
    pub head: Option<u64>,
    /// Only the last lines.
    pub lines: Option<u64>,
    /// Only what this attempt wrote.
    pub attempt: Option<u32>,
}

/// Something to say among the output, on a line of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// So many bytes are no longer there.
    LeftOut {
        /// How many.
        bytes: u64,
    },
    /// What is between the first and the last lines.
    Between {
        /// How many bytes.
        bytes: u64,
        /// How many lines, where that can be told.
        lines: Option<u64>,
    },
    /// Somebody emptied the log while it was followed.
    Emptied,
}

/// Where output goes. Jobs are told apart by their place in the order asked.
pub trait Sink {
    /// The next bytes of a job's output.
    fn output(&mut self, job: usize, bytes: &[u8]) -> io::Result<()>;
    /// Something to say at this place of a job's output.
    fn note(&mut self, job: usize, note: &Note) -> io::Result<()>;
    /// Nothing more comes of this job.
    fn end(&mut self, job: usize) -> io::Result<()>;
    /// Nothing comes for a while: everything is to be seen.
    fn flush(&mut self) -> io::Result<()>;
}

/// The jobs that are meant, each once. Those inside which this process runs end after it, and are followed only if they are
/// named.
pub fn find_jobs(home: &Home, selection: &Selection, to_follow: bool) -> Result<Vec<Job>, Fault> {
    let facts = home.store().read()?;
    let around = if to_follow { running_around(&facts)? } else { Vec::new() };
    let ids = selection.ids(&facts, Among::All, |job| !around.contains(&job.id))?;
    ids.iter().map(|id| there(facts.job(id)?, id)).collect()
}

/// Where the logs of these jobs are, or will be; one that is gone is a fault.
pub fn paths(home: &Home, jobs: &[Job]) -> Result<Vec<PathBuf>, Fault> {
    jobs.iter()
        .map(|job| {
            let path = home.root.run_file_path(&log_name(&job.id));
            let is_gone = did_run(job) && home.root.run_file(&log_name(&job.id))?.is_none();
            if is_gone { Err(gone(&job.id)) } else { Ok(path) }
        })
        .collect()
}

/// Gives the output of jobs as it is now, one job after the other. A log that is gone keeps nobody from the others.
pub fn show(home: &Home, jobs: &[Job], wanted: Wanted, sink: &mut dyn Sink) -> Result<(), Fault> {
    let mut failed = None;
    for (place, job) in jobs.iter().enumerate() {
        match show_one(home, place, job, wanted, sink) {
            Err(fault) if fault.cause.is_none() && failed.is_none() => failed = Some(fault),
            Err(fault) if fault.cause.is_some() => return Err(fault),
            _ => {}
        }
        sink.end(place)?;
    }
    sink.flush()?;
    failed.map_or(Ok(()), Err)
}

fn show_one(home: &Home, place: usize, job: &Job, wanted: Wanted, sink: &mut dyn Sink) -> Result<(), Fault> {
    let runs = home.root.existing_runs()?;
    let mut log = runs.map(|runs| LogReader::open(runs, &job.id)).transpose()?.flatten();
    // Before the part: the next attempt is written down before it writes, so that none of its output is taken.
    let end = log.as_mut().map(LogReader::end).transpose()?.unwrap_or(0);
    let part = match wanted.attempt {
        Some(number) if number > job.attempt => {
            let fault = Fault::new(Code::WrongState, format!("{} has no attempt {number} yet", job.id));
            part(home, job, number)?.ok_or_else(|| fault.hint("--follow waits for it")).map(Some)?
        }
        Some(number) => part(home, job, number)?,
        None => Some(Part { from: 0, to: None }),
    };
    let Some(mut log) = log else {
        return if did_run(job) { Err(gone(&job.id)) } else { Ok(()) };
    };
    let Some(part) = part else { return Ok(()) };
    let part = part.from.min(end)..part.to.map_or(end, |to| to.min(end)).max(part.from.min(end));
    match (wanted.head, wanted.lines) {
        (None, None) => copy(&mut log, part, place, sink),
        (None, Some(count)) => {
            let from = lines::last(&mut log, &part, count)?;
            copy(&mut log, from..part.end, place, sink)
        }
        (Some(count), None) => {
            let to = lines::first(&mut log, &part, count)?;
            copy(&mut log, part.start..to, place, sink)
        }
        (Some(first), Some(last)) => {
            let to = lines::first(&mut log, &part, first)?;
            let from = lines::last(&mut log, &part, last)?;
            if from <= to {
                return copy(&mut log, part, place, sink);
            }
            copy(&mut log, part.start..to, place, sink)?;
            let lines = lines::count(&mut log, &(to..from))?;
            sink.note(place, &Note::Between { bytes: from - to, lines })?;
            copy(&mut log, from..part.end, place, sink)
        }
    }
}

/// Gives a part of a log. What is left out of it is said.
fn copy(log: &mut LogReader<'_>, part: Range<u64>, place: usize, sink: &mut dyn Sink) -> Result<(), Fault> {
    let mut buffer = vec![0_u8; BLOCK_BYTES];
    let mut at = part.start;
    while at < part.end {
        let size = usize::try_from(part.end - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        match log.read_at(at, &mut buffer[..size])? {
            Block::Bytes(count) => {
                sink.output(place, &buffer[..count])?;
                at += count as u64;
            }
            Block::LeftOut { goes_on } => {
                let to = goes_on.min(part.end);
                sink.note(place, &Note::LeftOut { bytes: to - at })?;
                at = goes_on;
            }
            Block::End | Block::Emptied { .. } => break,
        }
    }
    Ok(())
}

/// The last lines of a job's log, for messages; empty where there is none.
pub fn last_lines(home: &Home, id: &JobId, lines: u64) -> Vec<u8> {
    const BYTES_MAX: usize = 64 * 1024;
    let read = || -> Result<Vec<u8>, Fault> {
        let runs = home.root.existing_runs()?;
        let log = runs.map(|runs| LogReader::open(runs, id)).transpose()?.flatten();
        let Some(mut log) = log else { return Ok(Vec::new()) };
        let end = log.end()?;
        let mut at = lines::last(&mut log, &(0..end), lines)?;
        let mut text = vec![0_u8; BYTES_MAX];
        let mut filled = 0;
        while filled < BYTES_MAX {
            match log.read_at(at, &mut text[filled..])? {
                Block::Bytes(count) => {
                    filled += count;
                    at += count as u64;
                }
                Block::LeftOut { goes_on } => at = goes_on,
                Block::End | Block::Emptied { .. } => break,
            }
        }
        text.truncate(filled);
        Ok(text)
    };
    read().unwrap_or_default()
}

/// Whether a job is known to have run its command to an end: then it had a log.
fn did_run(job: &Job) -> bool {
    let outcome = job.end().and_then(|end| end.outcome.as_ref());
    outcome.is_some_and(|outcome| matches!(outcome.exit, Exit::Code(_) | Exit::Signal(_)))
}

fn gone(id: &JobId) -> Fault {
    Fault::new(Code::Failed, format!("the log of {id} is gone"))
        .hint(format!("bgctl status {id} shows what else is known of it"))
}

fn there(found: Option<Job>, id: &JobId) -> Result<Job, Fault> {
    found.ok_or_else(|| Fault::new(Code::NotFound, format!("{id} is gone")))
}
