//! Following the stream as it grows: each line once, over every change of its file.
//!
//! A file that would become too large is renamed and a new one begun. Nothing is added to a file that was renamed, so that
//! what is open is read to its end, then what was begun and renamed meanwhile, then the new one.

use super::{
    StoreError,
    root::Root,
    stream::{EVENTS, EVENTS_BEFORE, EVENTS_READ_BYTES_MAX},
};
use crate::model::stream::Line;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// How much is read at once.
const BLOCK_BYTES: usize = 64 * 1024;

/// Longest line that is given.
pub(super) const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Who reads on.
#[derive(Debug)]
pub struct Follower<'a> {
    root: &'a Root,
    /// The file that is read, how far it was, and the line whose end has not come.
    open: Option<(File, u64)>,
    begun: Vec<u8>,
    /// The number of the last line that was given.
    last: u64,
}

impl<'a> Follower<'a> {
    /// Gives what comes after that number, what is kept of it first.
    pub fn after(root: &'a Root, seq: u64) -> Self {
        Self { root, open: None, begun: Vec::new(), last: seq }
    }

    /// The lines since the last look. Lines that were cut short are left out.
    pub fn read(&mut self) -> Result<Vec<Line>, StoreError> {
        let mut lines = Vec::new();
        self.read_into(&mut lines).map_err(|error| StoreError::System {
            doing: "read",
            path: self.root.path().join(EVENTS),
            error,
        })?;
        Ok(lines)
    }

    fn read_into(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        loop {
            self.read_open(lines)?;
            // Opened in this order: what is renamed meanwhile is then read twice rather than missed, and given once.
            let current = self.root.folder().open_file(EVENTS)?;
            let before = self.root.folder().open_file(EVENTS_BEFORE)?;
            let Some(current) = current else { return Ok(()) };
            let own = self.open.as_ref().map(|(file, _)| identity(file)).transpose()?;
            if own == Some(identity(&current)?) {
                return Ok(());
            }
            // What was added between the last look and the renaming.
            self.read_open(lines)?;
            if let Some(before) = before
                && own != Some(identity(&before)?)
            {
                self.go_on_with(before)?;
                self.read_open(lines)?;
            }
            self.go_on_with(current)?;
        }
    }

    fn go_on_with(&mut self, file: File) -> io::Result<()> {
        // What is before that is too much; its first line is then cut short, and left out.
        let from = file.metadata()?.len().saturating_sub(EVENTS_READ_BYTES_MAX);
        self.open = Some((file, from));
        self.begun.clear();
        Ok(())
    }

    /// Reads the open file to its end.
    fn read_open(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        let Some((file, at)) = &mut self.open else { return Ok(()) };
        // Somebody emptied it.
        if file.metadata()?.len() < *at {
            *at = 0;
            self.begun.clear();
        }
        let mut block = vec![0; BLOCK_BYTES];
        loop {
            let count = file.read_at(&mut block, *at)?;
            if count == 0 {
                return Ok(());
            }
            *at += count as u64;
            // Only what is new is searched: a line may be long.
            let Some(end) = block[..count].iter().rposition(|byte| *byte == b'\n') else {
                // Of a line that is too long only the beginning is kept, which is no line.
                let room = (LINE_BYTES_MAX + 1).saturating_sub(self.begun.len());
                self.begun.extend_from_slice(&block[..count.min(room)]);
                continue;
            };
            // Without its middle it would be another line.
            let from = if self.begun.len() <= LINE_BYTES_MAX {
                0
            } else {
                self.begun.clear();
                block[..=end].iter().position(|byte| *byte == b'\n').map_or(end, |first| first + 1)
            };
            self.begun.extend_from_slice(block.get(from..end).unwrap_or_default());
            let rest = block[end + 1..count].to_vec();
            let whole = std::mem::replace(&mut self.begun, rest);
            let fit = |line: &&[u8]| line.len() <= LINE_BYTES_MAX;
            for line in whole.split(|byte| *byte == b'\n').filter(fit).filter_map(Line::parse) {
                if line.seq > self.last {
                    self.last = line.seq;
                    lines.push(line);
                }
            }
        }
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let data = file.metadata()?;
    Ok((data.dev(), data.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::stream;
    use std::io::Write;

    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open_or_create(&dir.path().join("root")).unwrap();
        (dir, root)
    }

    /// A line of the stream with that number, and so many letters more.
    fn line(seq: u64, more: usize) -> String {
        format!("{{\"seq\":{seq},\"at\":\"2026-02-13T10:00:00Z\",\"note\":\"{}\"}}\n", "x".repeat(more))
    }

    fn add(root: &Root, text: &str) {
        root.folder().open_or_create_file(EVENTS, true).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn numbers(follower: &mut Follower<'_>) -> Vec<u64> {
        follower.read().unwrap().iter().map(|line| line.seq).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_what_follows_is_told() {
        let (_dir, root) = root();
        let mut follower = Follower::after(&root, 0);
        add(&root, &line(1, 0));
        add(&root, &line(2, LINE_BYTES_MAX));
        add(&root, &line(3, BLOCK_BYTES));
        add(&root, &line(4, 0));
        assert_eq!(numbers(&mut follower), [1, 3, 4]);
        assert_eq!(stream::told_after(&root, 0).unwrap().len(), 3, "as it is for who does not follow");
        // It may also be at the end of what is there, and come piece by piece.
        let long = line(5, 2 * LINE_BYTES_MAX);
        let (first, rest) = long.split_at(long.len() - 10);
        add(&root, first);
        assert!(numbers(&mut follower).is_empty());
        assert!(follower.begun.len() <= LINE_BYTES_MAX + 1, "no more than that is kept of it");
        add(&root, rest);
        assert!(numbers(&mut follower).is_empty());
        add(&root, &line(6, 0));
        assert_eq!(numbers(&mut follower), [6]);
    }

    #[test]
    fn a_line_of_just_the_longest_length_is_told_and_one_byte_more_is_too_much() {
        let (_dir, root) = root();
        let mut follower = Follower::after(&root, 0);
        let more = LINE_BYTES_MAX - line(1, 0).trim_end().len();
        add(&root, &(line(1, more) + &line(2, more + 1) + &line(3, 0)));
        assert_eq!(numbers(&mut follower), [1, 3]);
        assert_eq!(stream::told_after(&root, 0).unwrap().len(), 2);
    }

    #[test]
    fn a_file_that_somebody_emptied_is_read_from_its_beginning() {
        let (_dir, root) = root();
        let mut follower = Follower::after(&root, 0);
        add(&root, &(line(1, 0) + &line(2, 0) + "{\"seq\":3,"));
        assert_eq!(numbers(&mut follower), [1, 2]);
        root.folder().open_or_create_file(EVENTS, false).unwrap().set_len(0).unwrap();
        assert!(numbers(&mut follower).is_empty());
        add(&root, &(line(2, 0) + &line(3, 0)));
        assert_eq!(numbers(&mut follower), [3], "each once, and not behind what was cut short before");
    }

    #[test]
    fn what_was_renamed_meanwhile_is_told_to_its_end_before_what_is_new() {
        let (_dir, root) = root();
        let mut follower = Follower::after(&root, 1);
        add(&root, &(line(1, 0) + &line(2, 0)));
        assert_eq!(numbers(&mut follower), [2]);
        add(&root, &line(3, 0));
        root.folder().rename(EVENTS, EVENTS_BEFORE).unwrap();
        add(&root, &line(4, 0));
        root.folder().rename(EVENTS, EVENTS_BEFORE).unwrap();
        add(&root, &line(5, 0));
        assert_eq!(numbers(&mut follower), [3, 4, 5]);
    }
}
