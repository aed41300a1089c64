//! Where the first and the last lines of a log are.
//!
//! What was left out counts as one line: the one that says so.

use super::reader::{BLOCK_BYTES, Block, LogReader};
use std::io;
use std::ops::Range;

/// How often the search begins anew because the log was cut meanwhile.
const SEARCHES_MAX: usize = 8;

/// What a search backwards found.
enum Found {
    /// The lines begin here.
    At(u64),
    /// There are only so many lines.
    Only(u64),
    /// What was to be searched was left out meanwhile.
    LeftOut,
}

/// Where the last lines of a part begin.
pub fn last(log: &mut LogReader<'_>, part: &Range<u64>, lines: u64) -> io::Result<u64> {
    if lines == 0 {
        return Ok(part.end);
    }
    for _ in 0..SEARCHES_MAX {
        let gap = log.left_out()?.filter(|(from, to)| *from < part.end && *to > part.start);
        let tail_from = gap.map_or(part.start, |(_, to)| to.min(part.end));
        let found = match backwards(log, tail_from..part.end, lines)? {
            Found::At(at) => return Ok(at),
            Found::LeftOut => continue,
            Found::Only(found) => found,
        };
        let Some((head_end, _)) = gap else { return Ok(part.start) };
        if found == lines {
            return Ok(tail_from);
        }
        if found + 1 == lines || head_end <= part.start {
            return Ok(head_end.max(part.start));
        }
        match backwards(log, part.start..head_end, lines - found - 1)? {
            Found::At(at) => return Ok(at),
            Found::Only(_) => return Ok(part.start),
            Found::LeftOut => {}
        }
    }
    Ok(part.start)
}

fn backwards(log: &mut LogReader<'_>, part: Range<u64>, lines: u64) -> io::Result<Found> {
    let mut block = vec![0_u8; BLOCK_BYTES];
    let (mut at, mut ends) = (part.end, 0);
    while at > part.start {
        let from = at.saturating_sub(BLOCK_BYTES as u64).max(part.start);
        let size = usize::try_from(at - from).unwrap_or(BLOCK_BYTES);
        let mut filled = 0;
        while filled < size {
            match log.read_at(from + filled as u64, &mut block[filled..size])? {
                Block::Bytes(count) => filled += count,
                Block::LeftOut { .. } => return Ok(Found::LeftOut),
                Block::End | Block::Emptied { .. } => break,
            }
        }
        for (place, byte) in block[..filled].iter().enumerate().rev() {
            let offset = from + place as u64;
            // The end of the last line closes it and begins none.
            if *byte == b'\n' && offset + 1 != part.end {
                ends += 1;
                if ends == lines {
                    return Ok(Found::At(offset + 1));
                }
            }
        }
        at = from;
    }
    Ok(Found::Only(ends + u64::from(part.end > part.start)))
}

/// Where the first lines of a part end.
pub fn first(log: &mut LogReader<'_>, part: &Range<u64>, lines: u64) -> io::Result<u64> {
    let mut block = vec![0_u8; BLOCK_BYTES];
    let (mut at, mut left) = (part.start, lines);
    while at < part.end && left > 0 {
        let size = usize::try_from(part.end - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        match log.read_at(at, &mut block[..size])? {
            Block::Bytes(count) => {
                for byte in &block[..count] {
                    at += 1;
                    left -= u64::from(*byte == b'\n');
                    if left == 0 {
                        return Ok(at);
                    }
                }
            }
            Block::LeftOut { goes_on } => {
                at = goes_on;
                left -= 1;
            }
            Block::End | Block::Emptied { .. } => return Ok(part.end),
        }
    }
    Ok(at.min(part.end))
}

/// How many line ends there are in a part; `None` where some of it was left out.
pub fn count(log: &mut LogReader<'_>, part: &Range<u64>) -> io::Result<Option<u64>> {
    let mut block = vec![0_u8; BLOCK_BYTES];
    let (mut at, mut ends) = (part.start, 0);
    while at < part.end {
        let size = usize::try_from(part.end - at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        match log.read_at(at, &mut block[..size])? {
            Block::Bytes(count) => {
                ends += block[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
                at += count as u64;
            }
            Block::LeftOut { .. } => return Ok(None),
            Block::End | Block::Emptied { .. } => break,
        }
    }
    Ok(Some(ends))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::local::cut::{Cut, CutFile};
    use crate::model::id::JobId;
    use crate::os::folder::Folder;
    use crate::store::root::log_name;

    fn with_log<T>(text: &str, cut: Option<Cut>, look: impl FnOnce(&mut LogReader<'_>) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
        std::fs::write(dir.path().join("runs").join(log_name(&id)), text).unwrap();
        if let Some(cut) = cut {
            CutFile::open(&runs, &id).unwrap().write(&cut).unwrap();
        }
        look(&mut LogReader::open(&runs, &id).unwrap().unwrap())
    }

    fn tail(text: &str, lines: u64) -> &str {
        let at = with_log(text, None, |log| last(log, &(0..text.len() as u64), lines).unwrap());
        &text[usize::try_from(at).unwrap()..]
    }

    fn head(text: &str, lines: u64) -> &str {
        let at = with_log(text, None, |log| first(log, &(0..text.len() as u64), lines).unwrap());
        &text[..usize::try_from(at).unwrap()]
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

    #[test]
    fn the_first_lines_are_found_whether_or_not_the_last_one_is_closed() {
        assert_eq!(head("a\nb\nc\n", 2), "a\nb\n");
        assert_eq!(head("a\nb", 2), "a\nb");
        assert_eq!(head("a\nb\n", 9), "a\nb\n");
        assert_eq!(head("a\n", 0), "");
        let long = "x".repeat(3 * BLOCK_BYTES);
        assert_eq!(head(&format!("{long}\nb\n"), 1), format!("{long}\n"));
    }

    #[test]
    fn what_was_left_out_counts_as_the_line_that_says_so() {
        // Written were 209 bytes: "1\n2\n", 200 bytes that are gone, "8\n9\n" and a tail without an end.
        let cut = Cut { sequence: 2, head_end: 4, tail_begin: 8, removed: 196 };
        let search =
            |lines| with_log("1\n2\n--\n\x008\n9\nx", Some(cut), |log| last(log, &(0..209), lines).unwrap());
        assert_eq!([1, 2, 3].map(search), [208, 206, 204]);
        assert_eq!([4, 5, 6, 7].map(search), [4, 2, 0, 0]);
        let search =
            |lines| with_log("1\n2\n--\n\x008\n9\nx", Some(cut), |log| first(log, &(0..209), lines).unwrap());
        assert_eq!([1, 2, 3, 4].map(search), [2, 4, 204, 206]);
        with_log("1\n2\n--\n\x008\n9\nx", Some(cut), |log| {
            assert_eq!(count(log, &(0..209)).unwrap(), None);
            assert_eq!(count(log, &(204..209)).unwrap(), Some(2));
        });
    }
}
