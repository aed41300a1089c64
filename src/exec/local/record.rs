//! The run record: what a watcher writes down while it watches, and whose lock proves that it lives.
//!
//! One JSON object a line, appended and never changed; a line that a crash cut short is ignored. It is not fsynced:
//! it speaks of processes, and no process survives what loses it. Only where another attempt may come, the store makes it
//! durable with the end of the one before: an empty record beside a log would look like one that somebody removed.

use crate::model::{
    Timestamp,
    id::JobId,
    job::Job,
    outcome::{Ending, Leftover, Outcome},
};
use crate::os::{folder::Folder, process::Identity, record_lock, spawn::Introduction};
use crate::store::root::record_name;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

/// Longest record that is read. A watcher adds a line a minute; ten years of them fit.
const BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Longest line that is read. The longest is that of an entry, of which the command is the most; the kernel takes fewer bytes
/// of arguments (`execve(2)`).
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many attempts are told apart, the latest; far more than a job can have.
const ATTEMPTS_MAX: usize = 10_000;

/// How the line of an entry begins.
const ENTRY_BEGINNING: &[u8] = b"{\"line\":\"entry\",";

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A watcher took the record.
    Watcher {
        /// For which attempt.
        attempt: u32,
        /// Who it is.
        #[serde(flatten)]
        identity: Identity,
        /// In which boot.
        boot: String,
        /// When.
        at: Timestamp,
        /// The same in time since boot without suspended time.
        monotonic_ms: u64,
        /// Which file this is: where the root was copied, the line says of which record this is a copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Place>,
    },
    /// The job as the index has it, should that be lost.
    Entry {
        /// The whole entry.
        entry: Box<Job>,
    },
    /// The job's process; written by itself, in one write with the next.
    Process {
        /// Who it is.
        #[serde(flatten)]
        identity: Identity,
        /// Where this attempt's output begins in the log.
        log_from: u64,
        /// When, in time since boot without suspended time.
        monotonic_ms: u64,
    },
    /// The job's process is about to execute its command.
    Started,
    /// A sign of life.
    Beat {
        /// When.
        at: Timestamp,
        /// The same in time since boot without suspended time.
        monotonic_ms: u64,
    },
    /// The watcher is about to stop the processes of the job.
    Pausing,
    /// All processes of the job stand still.
    Paused {
        /// Since when, in time since boot without suspended time.
        monotonic_ms: u64,
    },
    /// The job goes on.
    Resumed {
        /// Since when, in time since boot without suspended time.
        monotonic_ms: u64,
    },
    /// The watcher let go of the job's pipe: it sees the end of its input once whoever writes into it has done so, too.
    InputClosed,
    /// The watcher began to end the tree.
    Ending {
        /// Why.
        ending: Ending,
    },
    /// Processes that the watcher cannot end.
    Stuck {
        /// Which.
        processes: Vec<Leftover>,
    },
    /// The attempt is over.
    Outcome {
        /// How.
        outcome: Outcome,
    },
    /// What went wrong for the watcher itself.
    Note {
        /// In words.
        text: String,
    },
}

/// Where a file lies: no two files that there are have the same (`stat(2)`, `st_dev` and `st_ino`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    device: u64,
    inode: u64,
}

/// What the record says of one attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// Which.
    pub number: u32,
    /// Its latest watcher.
    pub watcher: Option<Identity>,
    /// When its first watcher took the record.
    pub taken_at: Option<Timestamp>,
    /// The boot in which that watcher lived.
    pub boot: String,
    /// The file into which it wrote.
    pub file: Option<Place>,
    /// The line with the job as the index had it when its watcher looked last. It is long, and hardly ever read.
    pub entry_line: Option<String>,
    /// The job's process.
    pub process: Option<Identity>,
    /// Whether that process was about to execute the command.
    pub started: bool,
    /// When it was spawned, in time since boot without suspended time.
    pub started_monotonic_ms: Option<u64>,
    /// Where its output begins in the log.
    pub log_from: u64,
    /// The latest sign of life.
    pub last_sign: Option<(Timestamp, u64)>,
    /// Whether processes of it may have been stopped, and have not been continued since.
    pub pausing: bool,
    /// Since when its processes stand still, in time since boot without suspended time.
    pub paused_since_ms: Option<u64>,
    /// For how long they stood still before.
    pub paused_ms: u64,
    /// Whether its watcher let go of its pipe.
    pub input_closed: bool,
    /// Why the tree is being ended.
    pub ending: Option<Ending>,
    /// What the watcher cannot end.
    pub stuck: Vec<Leftover>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// A job's record, open.
#[derive(Debug)]
pub struct Record {
    file: File,
    torn: Cell<bool>,
    /// Whether nothing stood in it when its holder took it.
    was_empty: bool,
}

impl Record {
    /// Opens a record to read; `None` where there is none.
    pub fn open(runs: &Folder, id: &JobId) -> io::Result<Option<Self>> {
        Ok(runs.open_file(&record_name(id))?.map(|file| Self {
            file,
            torn: Cell::new(false),
            was_empty: false,
        }))
    }

    /// Opens a record, making it where it is missing, and takes its lock. `None`: somebody holds it.
    pub fn acquire(runs: &Folder, id: &JobId) -> io::Result<Option<Self>> {
        let mut file = runs.open_or_create_file(&record_name(id), true)?;
        if !record_lock::try_lock(&file)? {
            return Ok(None);
        }
        // A line that a crash cut short ends here, so that it does not spoil the next one.
        let was_empty = file.metadata()?.len() == 0;
        if !was_empty {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0_u8; 1];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(Some(Self { file, torn: Cell::new(false), was_empty }))
    }

    /// Whether nothing stood in it when its holder, who asks, took it: then only what he has written does.
    pub fn was_empty(&self) -> bool {
        self.was_empty
    }

    /// Whether somebody else holds the lock.
    pub fn is_held(&self) -> io::Result<bool> {
        record_lock::is_held(&self.file)
    }

    /// Adds a line in one write. After a line that was cut short, by a full disk or in the job's own process, the next
    /// begins on a line of its own.
    pub fn append(&self, line: &Line) -> io::Result<()> {
        let mut bytes = line.to_bytes();
        if self.torn.get() {
            bytes.insert(0, b'\n');
        }
        let written = (&self.file).write_all(&bytes);
        self.torn.set(written.is_err());
        written
    }

    /// Tells that somebody else's line may have been cut short.
    pub fn may_be_torn(&self) {
        self.torn.set(true);
    }

    /// A sign of life that needs no space: the time of the last change (`futimens(2)`).
    pub fn touch(&self) -> io::Result<()> {
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
        Ok(rustix::fs::futimens(&self.file, &times)?)
    }

    /// When it was changed last, by the clock on the wall.
    pub fn changed_at(&self) -> io::Result<std::time::SystemTime> {
        self.file.metadata()?.modified()
    }

    /// Which file it is.
    pub fn place(&self) -> io::Result<Place> {
        let data = self.file.metadata()?;
        Ok(Place { device: data.dev(), inode: data.ino() })
    }

    /// The record's size, which grows with every sign of life.
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// All attempts, in their order.
    pub fn attempts(&self) -> io::Result<Vec<Attempt>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        read_lines(BufReader::new(file.take(BYTES_MAX)))
    }

    /// What it says of one attempt; empty if it says nothing.
    pub fn attempt(&self, number: u32) -> io::Result<Attempt> {
        let found = self.attempts()?.into_iter().rev().find(|attempt| attempt.number == number);
        Ok(found.unwrap_or(Attempt { number, ..Attempt::default() }))
    }

    /// The open file, for the job's process, which writes two lines of its own.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Line {
    /// The line with its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// What a job's process writes before it executes its command, in one write: that it is there, and that it starts. After a line
/// that was cut short it begins on a line of its own.
pub fn introduction(record: &Record, log_from: u64, monotonic_ms: u64) -> Introduction {
    let begin = if record.torn.get() { "\n" } else { "" };
    let mut after = format!(",\"log_from\":{log_from},\"monotonic_ms\":{monotonic_ms}}}\n").into_bytes();
    after.extend(Line::Started.to_bytes());
    Introduction {
        before_pid: format!("{begin}{{\"line\":\"process\",\"pid\":").into_bytes(),
        before_start: b",\"start\":".to_vec(),
        after,
    }
}

fn read_lines(mut from: impl BufRead) -> io::Result<Vec<Attempt>> {
    let mut attempts: VecDeque<Attempt> = VecDeque::new();
    let mut line = Vec::new();
    while from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            read_line(&line, &mut attempts);
        } else if from.skip_until(b'\n')? == 0 {
            // Cut short, or the rest of what is too long.
            break;
        }
        line.clear();
    }
    Ok(attempts.into())
}

fn read_line(line: &[u8], attempts: &mut VecDeque<Attempt>) {
    if line.starts_with(ENTRY_BEGINNING) {
        if let Some(attempt) = attempts.back_mut() {
            attempt.entry_line = Some(String::from_utf8_lossy(line).into_owned());
        }
        return;
    }
    let Ok(line) = serde_json::from_slice::<Line>(line) else { return };
    if let Line::Watcher { attempt: number, .. } = &line {
        // An adopter goes on with its attempt; everything else begins one.
        if attempts.back().is_none_or(|attempt| attempt.number != *number) {
            if attempts.len() == ATTEMPTS_MAX {
                attempts.pop_front();
            }
            attempts.push_back(Attempt { number: *number, ..Attempt::default() });
        }
    }
    if let Some(attempt) = attempts.back_mut() {
        attempt.add(line);
    }
}

impl Attempt {
    /// The job as the index had it when its watcher looked last.
    pub fn entry(&self) -> Option<Job> {
        /// The line, with the entry's own text: parsing rounds numbers that are none of ours.
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(borrow)]
            entry: &'a RawValue,
        }
        let Whole { entry } = serde_json::from_str(self.entry_line.as_deref()?).ok()?;
        let mut job: Job = serde_json::from_str(entry.get()).ok()?;
        job.unknown.take_from(entry.get().as_bytes()).ok()?;
        Some(job)
    }

    fn add(&mut self, line: Line) {
        match line {
            Line::Watcher { identity, boot, at, monotonic_ms, file, .. } => {
                self.watcher = Some(identity);
                self.taken_at = self.taken_at.or(Some(at));
                self.boot = boot;
                self.file = file;
                self.last_sign = Some((at, monotonic_ms));
            }
            Line::Entry { .. } => {}
            Line::Process { identity, log_from, monotonic_ms } => {
                self.process = Some(identity);
                self.log_from = log_from;
                self.started_monotonic_ms = Some(monotonic_ms);
            }
            Line::Started => self.started = true,
            Line::Beat { at, monotonic_ms } => self.last_sign = Some((at, monotonic_ms)),
            Line::Pausing => self.pausing = true,
            Line::Paused { monotonic_ms } => self.paused_since_ms = Some(monotonic_ms),
            Line::Resumed { monotonic_ms } => {
                self.pausing = false;
                let since = self.paused_since_ms.take().unwrap_or(monotonic_ms);
                self.paused_ms = self.paused_ms.saturating_add(monotonic_ms.saturating_sub(since));
            }
            Line::InputClosed => self.input_closed = true,
            Line::Ending { ending } => self.ending = Some(ending),
            Line::Stuck { processes } => self.stuck = processes,
            Line::Outcome { outcome } => self.outcome = Some(outcome),
            Line::Note { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::Exit;

    fn at() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    fn watcher(attempt: u32, pid: i32) -> Line {
        Line::Watcher {
            attempt,
            identity: Identity { pid, start: 1 },
            boot: "b".into(),
            at: at(),
            monotonic_ms: 5,
            file: None,
        }
    }

    fn record() -> (tempfile::TempDir, Folder, JobId) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        (dir, folder, JobId::parse("bg_20260213_aaaaaa").unwrap())
    }

    #[test]
    fn an_adopter_goes_on_with_the_attempt_and_a_retry_begins_one() {
        let (_dir, runs, id) = record();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        let process = Line::Process { identity: Identity { pid: 9, start: 1 }, log_from: 0, monotonic_ms: 6 };
        for line in [watcher(1, 2), process, Line::Started, watcher(1, 3), watcher(2, 4)] {
            record.append(&line).unwrap();
        }
        let first = record.attempt(1).unwrap();
        assert_eq!((first.watcher.unwrap().pid, first.started, first.process.unwrap().pid), (3, true, 9));
        let second = record.attempt(2).unwrap();
        assert_eq!((second.watcher.unwrap().pid, second.started, second.process), (4, false, None));
    }

    #[test]
    fn the_entry_comes_back_as_it_was_noted_last() {
        let (_dir, runs, id) = record();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        let text = r#"{"id":"bg_20260213_aaaaaa","status":"running","command":"true","created_at":"2026-02-13T10:00:00Z","odd":1.10}"#;
        let mut job: Job = serde_json::from_str(text).unwrap();
        job.unknown.take_from(text.as_bytes()).unwrap();
        record.append(&watcher(1, 2)).unwrap();
        assert_eq!(record.attempt(1).unwrap().entry(), None);
        for name in ["before", "now"] {
            job.spec.name = Some(name.to_owned());
            record.append(&Line::Entry { entry: Box::new(job.clone()) }).unwrap();
        }
        assert_eq!(record.attempt(1).unwrap().entry(), Some(job));
    }

    #[test]
    fn a_line_cut_short_is_ignored_and_does_not_spoil_the_next() {
        let (dir, runs, id) = record();
        std::fs::write(dir.path().join("runs").join(record_name(&id)), b"{\"line\":\"watc").unwrap();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        record.append(&watcher(1, 2)).unwrap();
        record.append(&Line::Outcome { outcome: Outcome::bare(Exit::Code(3), at()) }).unwrap();
        assert_eq!(record.attempt(1).unwrap().outcome.unwrap().exit, Exit::Code(3));
    }

    #[test]
    fn a_line_that_another_may_have_cut_short_does_not_spoil_the_next() {
        let (_dir, runs, id) = record();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        record.append(&watcher(1, 2)).unwrap();
        record.file().write_all(b"{\"line\":\"star").unwrap();
        record.may_be_torn();
        record.append(&Line::Outcome { outcome: Outcome::bare(Exit::Code(3), at()) }).unwrap();
        assert_eq!(record.attempt(1).unwrap().outcome.unwrap().exit, Exit::Code(3));
    }

    #[test]
    fn a_touch_changes_the_time_of_the_last_change_and_nothing_else() {
        let (_dir, runs, id) = record();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        record.append(&watcher(1, 2)).unwrap();
        let size = record.size().unwrap();
        record.file().set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(record.changed_at().unwrap(), std::time::UNIX_EPOCH);
        record.touch().unwrap();
        assert!(record.changed_at().unwrap() > std::time::UNIX_EPOCH);
        assert_eq!(record.size().unwrap(), size);
    }

    #[test]
    fn an_introduction_is_the_lines_of_a_process_that_starts() {
        let (_dir, runs, id) = record();
        let record = Record::acquire(&runs, &id).unwrap().unwrap();
        let written = || {
            let Introduction { before_pid, before_start, after } = introduction(&record, 3, 4);
            [&before_pid[..], b"2147483647", &before_start, b"18446744073709551615", &after].concat()
        };
        let identity = Identity { pid: i32::MAX, start: u64::MAX };
        let line = Line::Process { identity, log_from: 3, monotonic_ms: 4 };
        assert_eq!(written(), [line.to_bytes(), Line::Started.to_bytes()].concat());
        record.append(&watcher(1, 2)).unwrap();
        // An entry that a full disk cut short.
        record.file().write_all(b"{\"line\":\"entry\",\"entry\":{\"id\"").unwrap();
        record.may_be_torn();
        record.file().write_all(&written()).unwrap();
        let attempt = record.attempt(1).unwrap();
        assert_eq!((attempt.process, attempt.started), (Some(identity), true));
    }

    #[test]
    fn a_held_record_is_seen_as_held_and_cannot_be_acquired() {
        let (_dir, runs, id) = record();
        let holder = Record::acquire(&runs, &id).unwrap().unwrap();
        assert!(Record::open(&runs, &id).unwrap().unwrap().is_held().unwrap());
        assert!(Record::acquire(&runs, &id).unwrap().is_none());
        drop(holder);
        assert!(!Record::open(&runs, &id).unwrap().unwrap().is_held().unwrap());
    }
}
