//! The cap of a job's log: past its limit the middle goes, the beginning and the end stay.
//!
//! The job writes its log itself and knows nothing of this. Its watcher looks at the size once a second, and more often
//! while it grows fast. Where the file system can, whole blocks are taken out of the middle while the job appends, and
//! the file stays an ordinary one: beginning, one line that says how much was left out, end. Elsewhere the middle becomes
//! a hole, and the hole goes when the job has ended. Lines are kept whole: the line that tells what was left out covers
//! what would be torn.
//!
//! A cut is written down before it is made (`cut.rs`), so that a watcher that adopts the job can finish it.

use super::cut::{self, Cut, CutFile, Plan, Step, Written};
use crate::model::{
    id::JobId,
    limit::{BytesMax, format_bytes},
};
use crate::os::{
    extent,
    folder::Folder,
    ids::{IdSource, RandomIds},
};
use crate::store::root::{log_name, log_temporary_name};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::Duration;

/// How often the size is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The same while the log grows by more than its limit a second.
const LOOK_INTERVAL_FAST: Duration = Duration::from_millis(50);
/// Least length of the line that says what was left out; its text is always shorter.
const MARK_BYTES: u64 = 96;
/// How much is read at once while a line's end is looked for.
const BLOCK_BYTES: u64 = 64 * 1024;

/// How the middle is taken out here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Collapse,
    Punch,
    None,
}

/// A job's log under its cap.
#[derive(Debug)]
pub struct Log<'a> {
    runs: &'a Folder,
    id: JobId,
    file: File,
    block_bytes: u64,
    way: Option<Way>,
    known: Written,
    looked: Option<(Duration, u64)>,
    next: Duration,
    /// Whether there is a limit, and a way to keep it.
    is_bounded: bool,
}

impl<'a> Log<'a> {
    /// Opens a log, and finishes a cut that a crash interrupted.
    pub fn open(runs: &'a Folder, id: &JobId) -> io::Result<Self> {
        let file = runs.open_or_create_file(&log_name(id), false)?;
        let block_bytes = extent::block_bytes(&file)?;
        let known = cut::read_whole(runs, id)?.unwrap_or_default();
        let id = id.clone();
        let mut log = Self {
            runs,
            id,
            file,
            block_bytes,
            way: None,
            known,
            looked: None,
            next: Duration::ZERO,
            is_bounded: true,
        };
        log.finish_interrupted()?;
        Ok(log)
    }

    /// Bytes that the job has written so far, be they still there or not.
    pub fn written(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len() + self.known.cut.removed)
    }

    /// When it wants to be looked at next, on the monotonic clock. `None`: not unless its limit changes.
    pub fn next_look(&self) -> Option<Duration> {
        self.is_bounded.then_some(self.next)
    }

    /// Looks at the size, if it is time, and takes the middle out where the log is larger than `bytes_max`. An error is a
    /// reason why that cannot be done.
    pub fn look(&mut self, bytes_max: BytesMax, now: Duration) -> io::Result<()> {
        self.is_bounded = bytes_max.is_some() && self.way != Some(Way::None);
        let Some(bytes_max) = bytes_max.filter(|_| self.is_bounded && now >= self.next) else {
            return Ok(());
        };
        self.next = now + LOOK_INTERVAL;
        self.finish_interrupted()?;
        let size = self.file.metadata()?.len();
        let written = size + self.known.cut.removed;
        if self.looked.is_some_and(|looked| is_fast(looked, (now, written), bytes_max)) {
            self.next = now + LOOK_INTERVAL_FAST;
        }
        self.looked = Some((now, written));
        if size.saturating_sub(self.known.hole_bytes) > bytes_max {
            self.take_out(size, bytes_max)?;
        }
        Ok(())
    }

    /// Whether it is larger than that.
    pub fn is_beyond(&self, bytes_max: BytesMax) -> io::Result<bool> {
        let Some(bytes_max) = bytes_max else { return Ok(false) };
        Ok(self.file.metadata()?.len().saturating_sub(self.known.hole_bytes) > bytes_max)
    }

    /// Makes the log of a job that has ended an ordinary file. Nobody may write to it any more.
    pub fn finish(&mut self, bytes_max: BytesMax) -> io::Result<()> {
        self.finish_interrupted()?;
        if let Some(bytes_max) = bytes_max.filter(|_| self.is_beyond(bytes_max).unwrap_or(false)) {
            self.take_out(self.file.metadata()?.len(), bytes_max)?;
        }
        if self.known.hole_bytes > 0 { self.compact() } else { Ok(()) }
    }

    fn take_out(&mut self, size: u64, bytes_max: u64) -> io::Result<()> {
        if self.way.is_none() {
            self.way = Some(probe(self.runs, &self.id, self.block_bytes)?);
        }
        let plan = match self.way {
            Some(Way::Collapse) => self.plan_collapse(size, bytes_max)?,
            Some(Way::Punch) => self.plan_punch(size, bytes_max)?,
            Some(Way::None) | None => {
                let reason = "this file system cannot take parts out of a file, so the log has no limit";
                return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
            }
        };
        let Some(plan) = plan else { return Ok(()) };
        self.begin(&plan)?;
        self.carry_out(&plan)
    }

    /// Where the beginning ends: at a line's end before a quarter of the limit, and so that the blocks that are taken out
    /// begin soon after the line that tells of it.
    fn head_end(&self, bytes_max: u64) -> io::Result<u64> {
        let known = self.known.cut.head_end;
        if known > 0 {
            return Ok(known);
        }
        let size = self.file.metadata()?.len();
        let limit = (self.down(bytes_max / 4).max(self.block_bytes) - MARK_BYTES).min(size);
        // A single line that is longer is torn: it has no end that could be kept.
        Ok(last_line_end(&self.file, limit)?.unwrap_or(limit))
    }

    /// Where the end begins, at a line's beginning, and a place before it.
    fn tail_begin(&self, size: u64, bytes_max: u64) -> io::Result<(u64, u64)> {
        let near = self.down(size.saturating_sub(bytes_max / 4));
        let begin = match next_line_begin(&self.file, near, size)? {
            Some(begin) => begin,
            None => near,
        };
        // Behind a long line it begins in a later block; something must be left behind the blocks (`fallocate(2)`).
        let block = if begin - near < self.block_bytes { near } else { self.down(begin) };
        Ok((begin, block.min(self.down(size.saturating_sub(1)))))
    }

    fn plan_collapse(&self, size: u64, bytes_max: u64) -> io::Result<Option<Plan>> {
        let head_end = self.head_end(bytes_max)?;
        let from = self.up(head_end + MARK_BYTES);
        let (begin, block) = self.tail_begin(size, bytes_max)?;
        if block <= from {
            return Ok(None);
        }
        let length = block - from;
        let cut = self.known.cut;
        let after = Cut {
            sequence: cut.sequence + 2,
            head_end,
            tail_begin: begin - length,
            removed: cut.removed + length,
        };
        let step = Step::Collapse { from, length, token: None };
        Ok(Some(Plan { step, after, hole_bytes: 0, bytes_max }))
    }

    fn plan_punch(&self, size: u64, bytes_max: u64) -> io::Result<Option<Plan>> {
        let head_end = self.head_end(bytes_max)?;
        let (begin, _) = self.tail_begin(size, bytes_max)?;
        let cut = self.known.cut;
        if begin <= (head_end + MARK_BYTES).max(cut.tail_begin) {
            return Ok(None);
        }
        let after = Cut { sequence: cut.sequence + 2, head_end, tail_begin: begin, removed: cut.removed };
        let hole_bytes = begin - head_end - MARK_BYTES;
        Ok(Some(Plan { step: Step::Punch, after, hole_bytes, bytes_max }))
    }

    /// From now on, readers know that a cut is being made. Should it fail half-way, it is finished at the next look.
    fn begin(&mut self, plan: &Plan) -> io::Result<()> {
        let cut = Cut { sequence: plan.after.sequence - 1, ..self.known.cut };
        let written = Written { cut, hole_bytes: self.known.hole_bytes, plan: Some(plan.clone()) };
        CutFile::open(self.runs, &self.id)?.write_whole(&written)?;
        self.known = written;
        Ok(())
    }

    /// Does what was begun, and tells readers what is true then. Doing it again does no harm.
    fn carry_out(&mut self, plan: &Plan) -> io::Result<()> {
        let after = plan.after;
        match &plan.step {
            Step::Collapse { from, length, token } => {
                let there = match token {
                    Some(token) => self.has_at(*from, token.as_bytes())?,
                    None => self.put_token(plan, *from, *length).map(|()| true)?,
                };
                if there && !extent::collapse(&self.file, *from, *length)? {
                    return Err(io::ErrorKind::Unsupported.into());
                }
                self.mark(&after, after.tail_begin - after.head_end, plan.bytes_max)?;
            }
            Step::Punch => {
                self.mark(&after, MARK_BYTES, plan.bytes_max)?;
                let from = after.head_end + MARK_BYTES;
                if !extent::punch(&self.file, from, after.tail_begin - from)? {
                    return Err(io::ErrorKind::Unsupported.into());
                }
            }
            Step::Compact { .. } => {}
        }
        self.end(plan)
    }

    /// Puts random bytes at the beginning of what goes: as long as they are there, it has not gone.
    fn put_token(&mut self, plan: &Plan, from: u64, length: u64) -> io::Result<()> {
        let token: String = (0..4).map(|_| RandomIds.draw()).collect();
        self.file.write_all_at(token.as_bytes(), from)?;
        self.begin(&Plan { step: Step::Collapse { from, length, token: Some(token) }, ..plan.clone() })
    }

    fn end(&mut self, plan: &Plan) -> io::Result<()> {
        self.known = Written { cut: plan.after, hole_bytes: plan.hole_bytes, plan: None };
        CutFile::open(self.runs, &self.id)?.write_whole(&self.known)
    }

    /// Writes the line that says what was left out, over `length` bytes.
    fn mark(&self, cut: &Cut, length: u64, bytes_max: u64) -> io::Result<()> {
        let left_out = cut.left_out();
        let text = format!(
            "--- {} ({left_out} bytes) left out here: the log's limit is {} ",
            format_bytes(left_out),
            format_bytes(bytes_max)
        );
        let mut line = text.into_bytes();
        line.resize(usize::try_from(length).unwrap_or(0).saturating_sub(1), b'-');
        line.push(b'\n');
        self.file.write_all_at(&line, cut.head_end)
    }

    fn has_at(&self, place: u64, bytes: &[u8]) -> io::Result<bool> {
        let mut found = vec![0; bytes.len()];
        match self.file.read_exact_at(&mut found, place) {
            Ok(()) => Ok(found == bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a watcher had begun and did not come to end.
    fn finish_interrupted(&mut self) -> io::Result<()> {
        let Some(plan) = self.known.plan.clone() else { return Ok(()) };
        if let Step::Compact { inode } = plan.step
            && self.file.metadata()?.ino() != inode
        {
            // It had not taken the log's place.
            self.known.plan = None;
            self.known.cut.sequence = plan.after.sequence;
            return CutFile::open(self.runs, &self.id)?.write_whole(&self.known);
        }
        self.carry_out(&plan)
    }

    /// Puts a file without the hole in the log's place.
    fn compact(&mut self) -> io::Result<()> {
        let name = log_temporary_name(&self.id);
        let replaced = self.without_hole(&name).and_then(|(file, plan)| {
            self.begin(&plan)?;
            self.runs.rename(&name, &log_name(&self.id))?;
            Ok((file, plan))
        });
        match replaced {
            Ok((file, plan)) => {
                self.file = file;
                self.end(&plan)
            }
            Err(error) => {
                let _ = self.runs.remove(&name);
                Err(error)
            }
        }
    }

    /// Makes the file that is to take the log's place.
    fn without_hole(&self, name: &str) -> io::Result<(File, Plan)> {
        let _ = self.runs.remove(name)?;
        let file = self.runs.open_or_create_file(name, false)?;
        let known = self.known.cut;
        let mark_end = known.head_end + MARK_BYTES;
        copy(&self.file, 0..mark_end, &file, 0)?;
        copy(&self.file, known.tail_begin..self.file.metadata()?.len(), &file, mark_end)?;
        let after = Cut {
            sequence: known.sequence + 2,
            tail_begin: mark_end,
            removed: known.removed + (known.tail_begin - mark_end),
            ..known
        };
        let step = Step::Compact { inode: file.metadata()?.ino() };
        Ok((file, Plan { step, after, hole_bytes: 0, bytes_max: 0 }))
    }

    fn down(&self, offset: u64) -> u64 {
        offset - offset % self.block_bytes
    }

    fn up(&self, offset: u64) -> u64 {
        offset.next_multiple_of(self.block_bytes)
    }
}

/// Finishes what the watcher of a job that is over had not come to do. Only for the holder of the job's record.
///
/// `others_write`: processes that were left running still write to it, so that it stays where it is.
pub fn tidy(runs: &Folder, id: &JobId, bytes_max: BytesMax, others_write: bool) -> io::Result<()> {
    if !runs.has(&log_name(id))? {
        return Ok(());
    }
    // Opened, it is what a cut that was interrupted would have made of it.
    let mut log = Log::open(runs, id)?;
    if others_write { Ok(()) } else { log.finish(bytes_max) }
}

/// Whether a log grew by more than its limit a second.
fn is_fast((then, before): (Duration, u64), (now, after): (Duration, u64), bytes_max: u64) -> bool {
    let milliseconds = now.saturating_sub(then).as_millis().max(1);
    u128::from(after.saturating_sub(before)) * 1_000 / milliseconds > u128::from(bytes_max)
}

/// What the file system can do, tried on a file of its own.
fn probe(runs: &Folder, id: &JobId, block_bytes: u64) -> io::Result<Way> {
    let name = log_temporary_name(id);
    let _ = runs.remove(&name)?;
    let file = runs.open_or_create_file(&name, false)?;
    runs.remove(&name)?;
    file.write_all_at(&vec![b'x'; usize::try_from(3 * block_bytes).unwrap_or(0)], 0)?;
    Ok(if extent::collapse(&file, block_bytes, block_bytes)? {
        Way::Collapse
    } else if extent::punch(&file, block_bytes, block_bytes)? {
        Way::Punch
    } else {
        Way::None
    })
}

/// Where the last line that ends at or before `limit` ends. `None`: none does.
fn last_line_end(file: &File, limit: u64) -> io::Result<Option<u64>> {
    let mut end = limit;
    while end > 0 {
        let begin = end.saturating_sub(BLOCK_BYTES);
        let part = read(file, begin..end)?;
        if let Some(place) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(begin + place as u64 + 1));
        }
        end = begin;
    }
    Ok(None)
}

/// Where the first line that begins at or after `from` begins. `None`: none does before `end`.
fn next_line_begin(file: &File, from: u64, end: u64) -> io::Result<Option<u64>> {
    // A line that ends right before `from` begins there.
    let mut begin = from.saturating_sub(1);
    while begin < end {
        let part = read(file, begin..end.min(begin + BLOCK_BYTES))?;
        if let Some(place) = part.iter().position(|byte| *byte == b'\n') {
            return Ok(Some(begin + place as u64 + 1));
        }
        begin += part.len().max(1) as u64;
    }
    Ok(None)
}

fn read(file: &File, range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    let mut part = vec![0; usize::try_from(range.end - range.start).unwrap_or(0)];
    file.read_exact_at(&mut part, range.start)?;
    Ok(part)
}

fn copy(from: &File, range: std::ops::Range<u64>, to: &File, mut place: u64) -> io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let part = read(from, at..range.end.min(at + BLOCK_BYTES))?;
        to.write_all_at(&part, place)?;
        at += part.len() as u64;
        place += part.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::path::Path;

    const BYTES_MAX: u64 = 1 << 20;
    const COUNT: u64 = 300_000;

    /// How far a watcher came with a cut before it was killed.
    const STAGES: [&str; 4] = ["planned", "marked for it", "taken out", "told of in the log"];

    fn lines(file: &mut File, count: u64) {
        (0..count).for_each(|number| writeln!(file, "line {number}").unwrap());
    }

    fn interrupted_at(stage: &str, log: &mut Log<'_>) {
        let size = log.file.metadata().unwrap().len();
        log.way = Some(probe(log.runs, &log.id, log.block_bytes).unwrap());
        let plan = match log.way {
            Some(Way::Collapse) => log.plan_collapse(size, BYTES_MAX),
            _ => log.plan_punch(size, BYTES_MAX),
        };
        let plan = plan.unwrap().expect("there is something to take out");
        log.begin(&plan).unwrap();
        if stage == "planned" {
            return;
        }
        if let Step::Collapse { from, length, .. } = &plan.step {
            log.put_token(&plan, *from, *length).unwrap();
            if stage == "marked for it" {
                return;
            }
            assert!(extent::collapse(&log.file, *from, *length).unwrap());
            if stage == "taken out" {
                return;
            }
            log.mark(&plan.after, plan.after.tail_begin - plan.after.head_end, BYTES_MAX).unwrap();
        } else {
            log.mark(&plan.after, MARK_BYTES, BYTES_MAX).unwrap();
            let from = plan.after.head_end + MARK_BYTES;
            if stage == "told of in the log" {
                assert!(extent::punch(&log.file, from, plan.after.tail_begin - from).unwrap());
            }
        }
    }

    fn assert_whole(text: &str, count: u64, written: u64) {
        let (head, rest) = text.split_once("--- ").expect("it says what was left out");
        let (mark, tail) = rest.split_once('\n').unwrap();
        let left_out: u64 = mark.split(['(', ' ']).nth(3).unwrap().parse().expect(mark);
        assert_eq!(head.len() as u64 + left_out + tail.len() as u64, written);
        let numbers = |text: &str| -> Vec<u64> {
            text.lines().map(|line| line.strip_prefix("line ").expect(line).parse().unwrap()).collect()
        };
        let (head, tail) = (numbers(head), numbers(tail));
        assert!(head.iter().copied().eq(0..head.len() as u64));
        assert!(tail.iter().copied().eq(tail[0]..count));
    }

    #[test]
    fn a_cut_that_a_crash_interrupted_is_finished_by_whoever_comes_next() {
        for place in [env!("CARGO_MANIFEST_DIR").to_owned() + "/target", "/dev/shm".to_owned()] {
            if !Path::new(&place).is_dir() {
                continue;
            }
            for stage in STAGES {
                let dir = tempfile::tempdir_in(&place).unwrap();
                let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
                let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
                let mut file = runs.open_for_output(&log_name(&id)).unwrap();
                lines(&mut file, COUNT);
                let written = file.metadata().unwrap().len();
                interrupted_at(stage, &mut Log::open(&runs, &id).unwrap());
                assert!(cut::read(&runs, &id).unwrap().unwrap().is_being_made(), "{place} {stage}");
                assert_read_and_mended(&runs, &id, written, &format!("{place} {stage}"));
            }
        }
    }

    /// After a crash, a reader that cannot wait any longer finds every line where it is, and whoever judges the job mends the log.
    #[track_caller]
    fn assert_read_and_mended(runs: &Folder, id: &JobId, written: u64, stage: &str) {
        let stands = cut::as_it_stands(runs, id).unwrap().unwrap();
        let text = runs.read(&log_name(id), u64::MAX).unwrap().unwrap();
        let last = format!("line {}\n", COUNT - 1);
        let place = usize::try_from(stands.place(written - last.len() as u64).unwrap()).unwrap();
        assert_eq!(text[place..], *last.as_bytes(), "{stage}");
        tidy(runs, id, None, false).unwrap();
        assert!(!cut::read(runs, id).unwrap().unwrap().is_being_made(), "{stage}");
        let text = runs.read(&log_name(id), u64::MAX).unwrap().unwrap();
        assert_whole(&String::from_utf8(text).unwrap(), COUNT, written);
    }

    /// A log with a hole in the middle, of that many bytes that were written.
    fn with_hole<'a>(runs: &'a Folder, id: &JobId) -> (Log<'a>, u64) {
        let mut file = runs.open_for_output(&log_name(id)).unwrap();
        lines(&mut file, COUNT);
        let mut log = Log::open(runs, id).unwrap();
        log.way = Some(Way::Punch);
        log.look(Some(BYTES_MAX), Duration::ZERO).unwrap();
        assert!(log.known.hole_bytes > 0, "a file system that can make holes");
        (log, file.metadata().unwrap().len())
    }

    fn scene() -> (tempfile::TempDir, Folder, JobId) {
        let dir = tempfile::tempdir().unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        (dir, runs, JobId::parse("bg_20260213_aaaaaa").unwrap())
    }

    #[test]
    fn a_file_without_the_hole_takes_the_place_of_the_log_whenever_a_crash_came() {
        for stage in ["begun", "in its place"] {
            let (_dir, runs, id) = scene();
            let (mut log, written) = with_hole(&runs, &id);
            let (_file, plan) = log.without_hole(&log_temporary_name(&id)).unwrap();
            log.begin(&plan).unwrap();
            if stage == "in its place" {
                runs.rename(&log_temporary_name(&id), &log_name(&id)).unwrap();
            }
            assert_read_and_mended(&runs, &id, written, stage);
            assert!(!runs.has(&log_temporary_name(&id)).unwrap(), "{stage}");
        }
    }

    #[test]
    fn a_file_that_cannot_take_the_place_of_the_log_leaves_it_with_its_hole() {
        let (_dir, runs, id) = scene();
        let (mut log, _) = with_hole(&runs, &id);
        std::fs::remove_file(runs.path().join(log_name(&id))).unwrap();
        std::fs::create_dir(runs.path().join(log_name(&id))).unwrap();
        log.finish(Some(BYTES_MAX)).unwrap_err();
        assert!(!runs.has(&log_temporary_name(&id)).unwrap());
        assert!(log.known.hole_bytes > 0);
    }

    #[test]
    fn where_nothing_can_be_taken_out_the_log_has_no_limit_and_that_is_said() {
        let (_dir, runs, id) = scene();
        lines(&mut runs.open_for_output(&log_name(&id)).unwrap(), COUNT);
        let mut log = Log::open(&runs, &id).unwrap();
        log.way = Some(Way::None);
        let size = log.file.metadata().unwrap().len();
        let error = log.finish(Some(BYTES_MAX)).unwrap_err().to_string();
        assert_eq!(error, "this file system cannot take parts out of a file, so the log has no limit");
        log.look(Some(BYTES_MAX), Duration::ZERO).unwrap();
        assert_eq!((log.next_look(), log.file.metadata().unwrap().len()), (None, size));
    }
}
