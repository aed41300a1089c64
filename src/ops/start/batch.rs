//! The lines of a batch: which jobs they ask for.
//!
//! A line is a command line for a shell, byte for byte, or an object with the fields of a submission. What a line does not
//! say is as the flags say.

use super::fields::{BadField, Fields};
use super::given::Request;
use std::ffi::OsString;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStringExt;

/// Longest line: more than a shell can be given as its command (`execve(2)`, `MAX_ARG_STRLEN`), and room for an object
/// with many arguments.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What editors of some systems put before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line that asks for a job.
#[derive(Debug)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Shell(OsString),
    /// With what the flags say where it says nothing.
    Object(Box<Request>),
}

impl Line {
    /// What it asks for, with these flags.
    pub fn request(&self, flags: &Request) -> Request {
        match &self.job {
            Job::Shell(line) => Request { shell: Some(line.clone()), ..flags.clone() },
            Job::Object(request) => (**request).clone(),
        }
    }
}

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadBatch {
    /// A line is wrong.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        why: BadLine,
    },
    /// It has more jobs than this.
    #[error("more than {0} jobs")]
    TooMany(usize),
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    /// It has no end in sight.
    #[error("longer than 1 MiB")]
    TooLong,
    /// What begins as an object is none.
    #[error("{0}")]
    Object(#[from] BadField),
}

/// Reads the lines, no more than `jobs_max` that ask for a job. `told` learns the number of each line, and how many bytes
/// were read with it.
pub fn read(
    mut from: impl BufRead,
    flags: &Request,
    jobs_max: usize,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Line>, BadBatch> {
    let mut lines = Vec::new();
    let (mut number, mut bytes) = (0, 0);
    let mut text = Vec::new();
    loop {
        text.clear();
        let count = from.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut text)?;
        if count == 0 {
            return Ok(lines);
        }
        number += 1;
        bytes += count as u64;
        if count > LINE_BYTES_MAX {
            return Err(BadBatch::Line { line: number, why: BadLine::TooLong });
        }
        let job = job(&text, number == 1, flags)
            .map_err(|error| BadBatch::Line { line: number, why: error.into() })?;
        if let Some(job) = job {
            if lines.len() == jobs_max {
                return Err(BadBatch::TooMany(jobs_max));
            }
            lines.push(Line { number, job });
        }
        told(number, bytes);
    }
}

/// The job that a line asks for; `None` for an empty line and for a comment.
fn job(text: &[u8], is_first: bool, flags: &Request) -> Result<Option<Job>, BadField> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    // A shell would take it for a part of the last word, which nobody means.
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let text = if is_first { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
    Ok(match text.trim_ascii_start() {
        [] | [b'#', ..] => None,
        object @ [b'{', ..] => Some(Job::Object(Box::new(Fields::parse(object)?.applied_to(flags)?))),
        _ => Some(Job::Shell(OsString::from_vec(text.to_vec()))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn parse(text: &[u8]) -> Result<Vec<Line>, BadBatch> {
        read(text, &Request::default(), 5, &mut |_, _| {})
    }

    fn shells(text: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let lines = parse(text).unwrap();
        let shell = |line: &Line| line.request(&Request::default()).shell.unwrap().as_bytes().to_vec();
        lines.iter().map(|line| (line.number, shell(line))).collect()
    }

    #[test]
    fn a_line_is_a_command_byte_for_byte() {
        let lines = shells(b"make -j4 \n\n  # not this\n  echo '\xff' | wc # but this\nlast");
        let wanted: Vec<(u64, Vec<u8>)> = vec![
            (1, b"make -j4 ".to_vec()),
            (4, b"  echo '\xff' | wc # but this".to_vec()),
            (5, b"last".to_vec()),
        ];
        assert_eq!(lines, wanted);
        assert!(shells(b"").is_empty());
        assert!(shells(b"\n \t\n#\n").is_empty());
    }

    #[test]
    fn what_other_systems_put_around_lines_is_no_part_of_them() {
        assert_eq!(shells(b"\xef\xbb\xbfone\r\n\r\ntwo\r"), [(1, b"one".to_vec()), (3, b"two".to_vec())]);
        assert_eq!(shells(b"a\rb\n"), [(1, b"a\rb".to_vec())]);
    }

    #[test]
    fn what_a_line_does_not_say_is_as_the_flags_say() {
        let flags = Request { name: Some("all".into()), timeout: Some(Some(5)), ..Request::default() };
        let text = b"make\n{\"argv\":[\"true\"],\"name\":\"one\"}\n";
        let lines = read(&text[..], &flags, 5, &mut |_, _| {}).unwrap();
        let requests: Vec<Request> = lines.iter().map(|line| line.request(&flags)).collect();
        assert_eq!(requests[0].name.as_deref(), Some("all"));
        assert_eq!((requests[1].name.as_deref(), requests[1].timeout), (Some("one"), Some(Some(5))));
        assert_eq!((&requests[1].argv[..], &requests[1].shell), (&["true".into()][..], &None));
    }

    #[test]
    fn a_line_has_a_longest_length_and_a_batch_a_largest_size() {
        let mut long = vec![b'x'; LINE_BYTES_MAX - 1];
        long.push(b'\n');
        assert_eq!(parse(&long).unwrap().len(), 1);
        long.insert(0, b'x');
        long.splice(0..0, *b"one\n");
        let Err(BadBatch::Line { line: 2, why: BadLine::TooLong }) = parse(&long) else { panic!() };
        assert_eq!(parse(b"1\n2\n3\n\n4\n5\n#6\n").unwrap().len(), 5);
        // Lines come without end, and are not all read.
        let endless = io::BufReader::new(io::repeat(b'\n').chain(io::empty()));
        let many = io::BufReader::new(&b"1\n2\n3\n4\n5\n6\n"[..]).chain(endless);
        assert!(matches!(read(many, &Request::default(), 5, &mut |_, _| {}), Err(BadBatch::TooMany(5))));
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number() {
        let said = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(said("one\n\n{\"argv\": [}\n"), "line 3: column 11: expected value");
        assert!(said("{ echo a; echo b; }\n").starts_with("line 1: column 3: "));
    }
}
