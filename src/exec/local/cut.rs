//! What was left out of a job's log, for readers: where its beginning ends and its end begins.
//!
//! Offsets count everything the job ever wrote, whether or not it is still there, so that they never change: a reader
//! that follows keeps its place while the file under it becomes shorter. The file `ID.cut` is there only if something
//! was left out. It has one line of fixed length, overwritten in place by the watcher; an odd sequence number says that
//! a cut is being made, and a reader that sees another number after it read the log than before reads again.

use crate::model::id::JobId;
use crate::os::folder::Folder;
use crate::store::root::{cut_name, log_name};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Longest line that is read; the line itself is shorter.
const BYTES_MAX: u64 = 4_096;
/// No offset in a file is larger, nor the sum of four (`lseek(2)`): whatever the file says, counting with it ends.
const OFFSET_MAX: u64 = i64::MAX.cast_unsigned() / 4;
/// The line's length, so that a shorter one never leaves the end of a longer one behind.
const LINE_BYTES: usize = 640;

/// What was left out of a log.
///
/// The file has `[0, head_end)` as written, then one line that says what was left out, then from `tail_begin` on what
/// was written last. Byte `p` of the file is byte `p` of what was written before `head_end`, and byte `p + removed` from
/// `tail_begin` on. Between the line and `tail_begin` there may be a hole, which reads as NULs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Odd while a cut is being made.
    pub sequence: u64,
    /// Where the beginning ends in the file.
    pub head_end: u64,
    /// Where the end begins in the file.
    pub tail_begin: u64,
    /// Bytes by which the file is shorter than what was written.
    pub removed: u64,
}

impl Cut {
    /// Whether a cut is being made at this moment.
    pub fn is_being_made(&self) -> bool {
        self.sequence % 2 == 1
    }

    /// Whether a log can be so. A file that says otherwise was not written by a watcher.
    fn is_possible(&self) -> bool {
        self.head_end <= self.tail_begin
            && [self.sequence, self.tail_begin, self.removed].into_iter().all(|number| number <= OFFSET_MAX)
    }

    /// Bytes of the job's output that are no longer there.
    pub fn left_out(&self) -> u64 {
        self.tail_begin.saturating_add(self.removed).saturating_sub(self.head_end)
    }

    /// Where a byte of what was written is in the file. `None`: it was left out.
    pub fn place(&self, written: u64) -> Option<u64> {
        if written < self.head_end {
            return Some(written);
        }
        (written >= self.tail_begin.saturating_add(self.removed)).then(|| written - self.removed)
    }

    /// Which byte of what was written is at a place of the file; for the line and the hole, the first after them.
    pub fn written(&self, place: u64) -> u64 {
        if place < self.head_end {
            return place;
        }
        // Nobody but a spoilt file says so much.
        place.max(self.tail_begin).saturating_add(self.removed)
    }
}

/// A change of the log that is being made, from which whoever comes after a crash can finish it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What is being done to the file.
    pub step: Step,
    /// What will be true after it.
    pub after: Cut,
    /// Bytes of the hole after it.
    pub hole_bytes: u64,
    /// The limit for which it is done.
    pub bytes_max: u64,
}

/// What is done to the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Blocks are taken out, and what comes after them moves up.
    Collapse {
        /// From here.
        from: u64,
        /// So many bytes.
        length: u64,
        /// Once these bytes stand at `from`, which they do until it is done.
        token: Option<String>,
    },
    /// A part becomes a hole.
    Punch,
    /// A file without the hole takes the log's place.
    Compact {
        /// That file's number.
        inode: u64,
    },
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// For readers.
    #[serde(flatten)]
    pub cut: Cut,
    /// Bytes of the hole before the tail.
    #[serde(default)]
    pub hole_bytes: u64,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

impl Written {
    fn is_possible(&self) -> bool {
        let is_offset = |number: u64| number <= OFFSET_MAX;
        let is_plan = |plan: &Plan| {
            let step = match &plan.step {
                Step::Collapse { from, length, .. } => is_offset(*from) && is_offset(*length),
                Step::Punch | Step::Compact { .. } => true,
            };
            step && plan.after.is_possible() && is_offset(plan.hole_bytes)
        };
        self.cut.is_possible() && is_offset(self.hole_bytes) && self.plan.as_ref().is_none_or(is_plan)
    }
}

/// What was left out of a job's log; `None` where it is whole.
pub fn read(runs: &Folder, id: &JobId) -> io::Result<Option<Cut>> {
    Ok(read_whole(runs, id)?.map(|written| written.cut))
}

/// What was left out as the log stands, also where a cut was begun and nobody has said that it was made.
pub fn as_it_stands(runs: &Folder, id: &JobId) -> io::Result<Option<Cut>> {
    let Some(written) = read_whole(runs, id)? else { return Ok(None) };
    let (Some(plan), Some(file)) = (&written.plan, runs.open_file(&log_name(id))?) else {
        return Ok(Some(written.cut));
    };
    let was_made = match &plan.step {
        Step::Collapse { token: None, .. } => false,
        Step::Collapse { from, token: Some(token), .. } => {
            let mut found = vec![0; token.len()];
            let there = file.read_exact_at(&mut found, *from).is_ok();
            !there || found != token.as_bytes()
        }
        // What becomes a hole is left out from now on, be it one already or not.
        Step::Punch => true,
        Step::Compact { inode } => file.metadata()?.ino() == *inode,
    };
    let stands = if was_made { plan.after } else { written.cut };
    Ok(Some(Cut { sequence: written.cut.sequence, ..stands }))
}

/// What the file says; `None` where there is none, or one that says what cannot be.
pub fn read_whole(runs: &Folder, id: &JobId) -> io::Result<Option<Written>> {
    let Some(bytes) = runs.read(&cut_name(id), BYTES_MAX)? else { return Ok(None) };
    // Empty for the moment in which the watcher makes it: nothing was left out yet.
    Ok(serde_json::from_slice(&bytes).ok().filter(Written::is_possible))
}

/// The watcher's hold on that file.
#[derive(Debug)]
pub struct CutFile(File);

impl CutFile {
    /// Opens it, making it where it is missing.
    pub fn open(runs: &Folder, id: &JobId) -> io::Result<Self> {
        runs.open_or_create_file(&cut_name(id), false).map(Self)
    }

    /// Writes what readers are to know.
    pub fn write(&self, cut: &Cut) -> io::Result<()> {
        self.write_whole(&Written { cut: *cut, ..Written::default() })
    }

    /// Writes all there is to know.
    pub fn write_whole(&self, written: &Written) -> io::Result<()> {
        let mut line = serde_json::to_vec(written)?;
        line.resize(line.len().max(LINE_BYTES - 1), b' ');
        line.push(b'\n');
        self.0.write_all_at(&line, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_before_and_after_what_was_left_out_are_found() {
        let cut = Cut { sequence: 2, head_end: 100, tail_begin: 150, removed: 1_000 };
        assert_eq!(cut.left_out(), 1_050);
        assert_eq!([cut.place(99), cut.place(100), cut.place(1_149)], [Some(99), None, None]);
        assert_eq!([cut.place(1_150), cut.place(1_200)], [Some(150), Some(200)]);
        assert_eq!([cut.written(99), cut.written(100), cut.written(150)], [99, 1_150, 1_150]);
        assert_eq!(cut.written(200), 1_200);
        let spoilt = Cut { sequence: 2, head_end: 0, tail_begin: 2, removed: u64::MAX };
        assert_eq!((spoilt.left_out(), spoilt.place(1), spoilt.written(1)), (u64::MAX, None, u64::MAX));
    }

    #[test]
    fn what_is_written_is_read_whatever_stood_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
        assert_eq!(read(&runs, &id).unwrap(), None);
        let file = CutFile::open(&runs, &id).unwrap();
        assert_eq!(read(&runs, &id).unwrap(), None);
        let long =
            Cut { sequence: OFFSET_MAX, head_end: OFFSET_MAX, tail_begin: OFFSET_MAX, removed: OFFSET_MAX };
        for cut in [long, Cut::default()] {
            file.write(&cut).unwrap();
            assert_eq!(read(&runs, &id).unwrap(), Some(cut));
        }
    }

    #[test]
    fn numbers_that_no_file_has_are_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
        let file = CutFile::open(&runs, &id).unwrap();
        let cut = |head_end, tail_begin, removed| Cut { sequence: 2, head_end, tail_begin, removed };
        for odd in [cut(5, 4, 0), cut(0, u64::MAX, 1), cut(0, 1, u64::MAX), cut(u64::MAX, u64::MAX, u64::MAX)]
        {
            file.write(&odd).unwrap();
            assert_eq!(read(&runs, &id).unwrap(), None, "{odd:?}");
        }
    }
}
