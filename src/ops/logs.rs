//! A job's output: all of it, its last lines, or as it comes.

use super::{
    attend::Attendance,
    fault::{Code, Fault},
    find::{find, home_of},
    home::Home,
};
use crate::model::{id::JobId, job::Job, outcome::Exit};
use crate::os::{doorbell::Doorbell, folder::Folder};
use crate::store::root::log_name;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How much is read at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The job as typed.
    pub job: String,
    /// Only the last lines.
    pub lines: Option<u64>,
    /// Whether to go on until the job has ended.
    pub follow: bool,
}

/// Copies a job's output to `to`. Gives the job as it was at the end.
pub fn logs(request: &Request, to: &mut dyn Write) -> Result<Job, Fault> {
    let home = home_of(std::slice::from_ref(&request.job))?;
    let attendance = Attendance::new(&home)?;
    let id = find(&attendance.read()?, &request.job)?;
    if request.follow {
        return follow(&home, attendance, &id, request.lines, to);
    }
    let facts = attendance.read()?;
    let job = job(facts.job(&id)?, &id)?;
    match home.root.run_file(&log_name(&id))? {
        Some(mut file) => {
            if let Some(lines) = request.lines {
                seek_to_last_lines(&mut file, lines)?;
            }
            io::copy(&mut file, to)?;
        }
        None if did_run(&job) => {
            return Err(Fault::new(Code::Failed, format!("the log of {id} is gone")));
        }
        None => {}
    }
    to.flush()?;
    Ok(job)
}

/// Whether a job is known to have run its command to an end: then it had a log.
fn did_run(job: &Job) -> bool {
    let outcome = job.end().and_then(|end| end.outcome.as_ref());
    outcome.is_some_and(|outcome| matches!(outcome.exit, Exit::Code(_) | Exit::Signal(_)))
}

fn job(found: Option<Job>, id: &JobId) -> Result<Job, Fault> {
    found.ok_or_else(|| Fault::new(Code::NotFound, format!("{id} is gone")))
}

/// Copies output as it comes, until the job has ended.
pub fn follow(
    home: &Home,
    mut attendance: Attendance<'_>,
    id: &JobId,
    lines: Option<u64>,
    to: &mut dyn Write,
) -> Result<Job, Fault> {
    let runs = home.root.runs()?;
    let name = log_name(id);
    let mut tail = Tail { file: None, bell: Doorbell::on_writes_in(runs), lines };
    loop {
        // Read in this order: what was written before the end is there once the end is.
        let facts = attendance.read()?;
        let job = job(facts.job(id)?, id)?;
        let grew = tail.copy(runs, &name, to)?;
        if job.end().is_some() {
            return Ok(job);
        }
        if grew {
            continue;
        }
        tail.wait(&mut attendance, &facts, id)?;
    }
}

struct Tail {
    file: Option<File>,
    bell: Doorbell,
    lines: Option<u64>,
}

impl Tail {
    /// Copies what is new. Gives whether something was.
    fn copy(&mut self, runs: &Folder, name: &str, to: &mut dyn Write) -> Result<bool, Fault> {
        if self.file.is_none() {
            let Some(mut file) = runs.open_file(name)? else { return Ok(false) };
            if let Some(lines) = self.lines {
                seek_to_last_lines(&mut file, lines)?;
            }
            self.bell = Doorbell::on_writes_to(runs, name);
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(false) };
        let copied = io::copy(file, to)?;
        to.flush()?;
        Ok(copied > 0)
    }

    /// Waits for the log to grow, for the index to change, or for the job's watcher to go.
    fn wait(
        &self,
        attendance: &mut Attendance<'_>,
        facts: &crate::model::facts::Facts,
        id: &JobId,
    ) -> Result<(), Fault> {
        let bell: Vec<BorrowedFd<'_>> = self.bell.descriptor().into_iter().collect();
        let limit = bell.is_empty().then_some(crate::os::doorbell::POLL_INTERVAL);
        let rung = attendance.wait(facts, std::slice::from_ref(id), &bell, limit.or(Some(Duration::MAX)))?;
        if rung.first() == Some(&true) {
            self.bell.take_rings();
        }
        Ok(())
    }
}

/// Sets a file to the beginning of its last lines, reading backwards from its end.
fn seek_to_last_lines(file: &mut File, lines: u64) -> io::Result<()> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut found) = (end, 0);
    let mut block = vec![0_u8; BLOCK_BYTES];
    while at > 0 {
        let size = at.min(BLOCK_BYTES as u64);
        file.seek(SeekFrom::Start(at - size))?;
        let part = &mut block[..usize::try_from(size).unwrap_or(BLOCK_BYTES)];
        file.read_exact(part)?;
        for (place, byte) in part.iter().enumerate().rev() {
            let offset = at - size + place as u64;
            // The end of the last line closes it and begins none.
            if *byte == b'\n' && offset + 1 != end {
                found += 1;
                if found == lines {
                    file.seek(SeekFrom::Start(offset + 1))?;
                    return Ok(());
                }
            }
        }
        at -= size;
    }
    file.seek(SeekFrom::Start(if lines == 0 { end } else { 0 }))?;
    Ok(())
}

/// The last lines of a job's log, for messages; empty where there is none.
pub fn last_lines(home: &Home, id: &JobId, lines: u64) -> Vec<u8> {
    const BYTES_MAX: u64 = 64 * 1024;
    let read = || -> io::Result<Vec<u8>> {
        let log = home.root.run_file(&log_name(id)).map_err(io::Error::other)?;
        let Some(mut file) = log else { return Ok(Vec::new()) };
        seek_to_last_lines(&mut file, lines)?;
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text)?;
        Ok(text)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &str, lines: u64) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        seek_to_last_lines(&mut file, lines).unwrap();
        let mut found = String::new();
        file.read_to_string(&mut found).unwrap();
        found
    }

    #[test]
    fn the_last_lines_are_found_whether_or_not_the_last_one_is_closed() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a\nb\n", 9), "a\nb\n");
        assert_eq!(tail("a\nb\n", 0), "");
        assert_eq!(tail("", 3), "");
        let long = "x".repeat(3 * BLOCK_BYTES);
        assert_eq!(tail(&format!("a\n{long}\nb\n"), 2), format!("{long}\nb\n"));
    }
}
