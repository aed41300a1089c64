//! Files of variables, such as `.env`: read by a library that reads what others do, with the line numbers that it
//! does not give.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Largest file of variables: beyond what the kernel hands to a program (`execve(2)`), it is some other file.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What some editors put before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The variables of a file: line, name and value of each.
pub struct Variables {
    entries: dotenvy::Iter<Lines>,
    ended: Rc<Cell<usize>>,
}

/// A line that is no variable. Its text is not kept: it may be somebody's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1; the first of those that a quote joins.
    pub line: usize,
}

impl Variables {
    /// Reads a file to its end.
    pub fn read(from: impl Read) -> io::Result<Self> {
        let mut text = Vec::new();
        from.take(BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > BYTES_MAX {
            return Err(io::Error::other(format!("it has more than {BYTES_MAX} bytes")));
        }
        // The parser takes blanks before the end of the text for an entry that goes on.
        text.push(b'\n');
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let ended = Rc::default();
        let lines = Lines { text, at, ended: Rc::clone(&ended) };
        Ok(Self { entries: dotenvy::from_read_iter(lines), ended })
    }
}

impl Iterator for Variables {
    type Item = Result<(usize, String, String), BadLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        let last = self.ended.get();
        Some(match entry {
            Ok((name, value)) => Ok((last, name, value)),
            // Only the lines of the text are counted.
            Err(dotenvy::Error::LineParse(text, _)) => {
                Err(BadLine { line: (last + 1).saturating_sub(text.lines().count()).max(1) })
            }
            // Not UTF-8: the text is in memory, and nothing else can go wrong.
            Err(_) => Err(BadLine { line: last }),
        })
    }
}

/// A text that is given out a line at a time, so that its reader is never ahead of the line it is at.
struct Lines {
    text: Vec<u8>,
    at: usize,
    ended: Rc<Cell<usize>>,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.text[self.at..];
        let fitting = &rest[..rest.len().min(buffer.len())];
        let end = fitting.iter().position(|byte| *byte == b'\n').map_or(fitting.len(), |end| end + 1);
        let given = &fitting[..end];
        buffer[..given.len()].copy_from_slice(given);
        self.at += given.len();
        if given.ends_with(b"\n") {
            self.ended.set(self.ended.get() + 1);
        }
        Ok(given.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(text: &str) -> Result<Vec<(usize, String, String)>, usize> {
        Variables::read(text.as_bytes()).unwrap().map(|one| one.map_err(|bad| bad.line)).collect()
    }

    #[test]
    fn variables_come_with_their_lines() {
        let text = "\u{feff}A=1 # one\n\n# no\nexport B='x $A'\nC=\"two\nlines\"\r\nD=${A}2\nE=\nF=a\\ b ";
        let wanted = [
            (1, "A", "1"),
            (4, "B", "x $A"),
            (6, "C", "two\nlines"),
            (7, "D", "12"),
            (8, "E", ""),
            (9, "F", "a b"),
        ];
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(line, name, value)| (*line, (*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(variables(text), Ok(wanted));
        assert_eq!(variables(""), Ok(Vec::new()));
    }

    #[test]
    fn a_bad_line_is_told_by_its_number() {
        for (text, line) in [
            ("A=1\nnothing here\n", 2),
            ("A=1\n\n# c\nB=a b\nC=1\n", 4),
            ("A=1\nB='not closed\nC=1\nD=2", 2),
            ("A=1\nB=\"x\ny\" z\nC=1\n", 2),
            ("A=1\n2B=1", 2),
            ("=x", 1),
        ] {
            assert_eq!(variables(text), Err(line), "{text:?}");
        }
        let long = format!("A={}\nB=1\n-\n", "x".repeat(100_000));
        assert_eq!(variables(&long), Err(3));
        let odd = Variables::read(&b"A=1\nB=\xff\n"[..]).unwrap().last();
        assert_eq!(odd, Some(Err(BadLine { line: 2 })));
    }
}
