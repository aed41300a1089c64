//! Jobs' output on standard output: as it is, made safe, with the names of several jobs, or kept for a JSON object.

use super::{
    human::{screen, words},
    safe,
    stream::{RESET, SafeStream},
};
use crate::model::job::Job;
use crate::ops::logs::{Note, Sink};
use bytesize::ByteSize;
use std::io::{self, Write};

/// Longest line that is put together before it is printed; a longer one is broken here.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Longest name before a line.
const NAME_CHARS_MAX: usize = 24;
/// Foreground colours in an order in which neighbours are easily told apart.
const COLOURS: [&str; 6] = ["\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[31m"];

/// How output is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether what a terminal would obey is shown instead.
    pub safe: bool,
    /// Whether there may be colours.
    pub colours: bool,
}

/// A note as a line without its end.
pub fn note(note: &Note) -> String {
    match note {
        Note::LeftOut { bytes } => format!("[bg: left out here: {}]", size(*bytes)),
        Note::Between { bytes, lines: Some(1) } => format!("[bg: not shown: 1 line, {}]", size(*bytes)),
        Note::Between { bytes, lines: Some(lines) } => {
            format!("[bg: not shown: {lines} lines, {}]", size(*bytes))
        }
        Note::Between { bytes, lines: None } => format!("[bg: not shown: {}]", size(*bytes)),
        Note::Emptied => "[bg: the log was emptied here]".to_owned(),
    }
}

fn size(bytes: u64) -> String {
    let exact = words::bytes(bytes);
    if bytes < 1024 { exact } else { format!("{exact} ({})", ByteSize::b(bytes)) }
}

/// The output of one job.
#[derive(Debug)]
pub struct Plain<W> {
    to: W,
    safe: Option<SafeStream>,
    shown: Vec<u8>,
    /// Whether what was printed last is an unfinished line.
    in_line: bool,
}

impl<W: Write> Plain<W> {
    /// Prints to `to`.
    pub fn new(to: W, manner: Manner) -> Self {
        let safe = manner.safe.then(|| SafeStream::new(manner.colours));
        Self { to, safe, shown: Vec::new(), in_line: false }
    }
}

impl<W: Write> Sink for Plain<W> {
    fn output(&mut self, _job: usize, bytes: &[u8]) -> io::Result<()> {
        let bytes = match &mut self.safe {
            Some(stream) => {
                self.shown.clear();
                stream.push(bytes, &mut self.shown);
                self.shown.as_slice()
            }
            None => bytes,
        };
        if let Some(last) = bytes.last() {
            self.in_line = *last != b'\n';
        }
        self.to.write_all(bytes)
    }

    fn note(&mut self, job: usize, said: &Note) -> io::Result<()> {
        self.end(job)?;
        if self.in_line {
            self.to.write_all(b"\n")?;
        }
        self.in_line = false;
        writeln!(self.to, "{}", note(said))
    }

    fn end(&mut self, _job: usize) -> io::Result<()> {
        let Some(stream) = &mut self.safe else { return Ok(()) };
        self.shown.clear();
        stream.finish(&mut self.shown);
        if let Some(last) = self.shown.strip_suffix(RESET).unwrap_or(&self.shown).last() {
            self.in_line = *last != b'\n';
        }
        self.to.write_all(&self.shown)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The output of several jobs: whole lines, each with its job's name before it.
#[derive(Debug)]
pub struct Prefixed<W> {
    to: W,
    jobs: Vec<Lines>,
    manner: Manner,
}

/// The lines of one job.
#[derive(Debug)]
struct Lines {
    prefix: String,
    safe: SafeStream,
    /// A line whose end has not come.
    begun: Vec<u8>,
}

impl<W: Write> Prefixed<W> {
    /// Prints to `to`.
    pub fn new(to: W, jobs: &[Job], manner: Manner) -> Self {
        let names = names(jobs);
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let jobs = names.iter().enumerate().map(|(place, name)| {
            let padded = format!("{name:width$} | ");
            let prefix = if manner.colours {
                format!("{}{padded}\x1b[0m", COLOURS[place % COLOURS.len()])
            } else {
                padded
            };
            Lines { prefix, safe: SafeStream::new(manner.colours), begun: Vec::new() }
        });
        Self { to, jobs: jobs.collect(), manner }
    }

    fn add(&mut self, job: usize, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let begun = &mut self.jobs[job].begun;
            let Some(line) = piece.strip_suffix(b"\n") else {
                begun.extend_from_slice(piece);
                if begun.len() > LINE_BYTES_MAX {
                    self.print_begun(job)?;
                }
                continue;
            };
            begun.extend_from_slice(line);
            self.print_begun(job)?;
        }
        Ok(())
    }

    fn print_begun(&mut self, job: usize) -> io::Result<()> {
        let lines = &mut self.jobs[job];
        self.to.write_all(lines.prefix.as_bytes())?;
        self.to.write_all(&lines.begun)?;
        // A job's colours end with its line: the next may be another job's.
        if (self.manner.safe || self.manner.colours) && lines.begun.contains(&0x1b) {
            self.to.write_all(RESET)?;
        }
        lines.begun.clear();
        self.to.write_all(b"\n")
    }
}

impl<W: Write> Sink for Prefixed<W> {
    fn output(&mut self, job: usize, bytes: &[u8]) -> io::Result<()> {
        if !self.manner.safe {
            return self.add(job, bytes);
        }
        let mut shown = Vec::with_capacity(bytes.len());
        self.jobs[job].safe.push(bytes, &mut shown);
        self.add(job, &shown)
    }

    fn note(&mut self, job: usize, said: &Note) -> io::Result<()> {
        self.end(job)?;
        writeln!(self.to, "{}{}", self.jobs[job].prefix, note(said))
    }

    fn end(&mut self, job: usize) -> io::Result<()> {
        if self.manner.safe {
            let mut shown = Vec::new();
            self.jobs[job].safe.finish(&mut shown);
            // Each line ends its own colours.
            self.add(job, shown.strip_suffix(RESET).unwrap_or(&shown))?;
            if is_colour_alone(&self.jobs[job].begun) {
                self.jobs[job].begun.clear();
            }
        }
        if self.jobs[job].begun.is_empty() { Ok(()) } else { self.print_begun(job) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether there is nothing to see but a change of colour, such as many programs leave after their last line.
fn is_colour_alone(text: &[u8]) -> bool {
    let mut seen = Vec::new();
    SafeStream::new(false).push(text, &mut seen);
    seen.is_empty()
}

/// What each job is called before its lines: its name, or, where it has none or another has the same, the random part
/// of its id.
fn names(jobs: &[Job]) -> Vec<String> {
    let same = |name: &str| jobs.iter().filter(|job| job.spec.name.as_deref() == Some(name)).count() > 1;
    let name = |job: &Job| match &job.spec.name {
        Some(name) if !same(name) => screen::fit(&safe::line(name), NAME_CHARS_MAX),
        _ => job.id.random_part().to_owned(),
    };
    jobs.iter().map(name).collect()
}

/// The output of jobs, kept.
#[derive(Debug)]
pub struct Kept {
    /// Of each job.
    pub output: Vec<Vec<u8>>,
    /// How many bytes of each are not in it because they are no longer there.
    pub left_out: Vec<u64>,
}

impl Kept {
    /// For so many jobs.
    pub fn new(jobs: usize) -> Self {
        Self { output: vec![Vec::new(); jobs], left_out: vec![0; jobs] }
    }
}

impl Sink for Kept {
    fn output(&mut self, job: usize, bytes: &[u8]) -> io::Result<()> {
        self.output[job].extend_from_slice(bytes);
        Ok(())
    }

    fn note(&mut self, job: usize, said: &Note) -> io::Result<()> {
        if let Note::LeftOut { bytes } = said {
            self.left_out[job] += bytes;
        }
        let text = &mut self.output[job];
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        writeln!(text, "{}", note(said))
    }

    fn end(&mut self, _job: usize) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        bytes::Bytes,
        id::JobId,
        spec::{Command, JobSpec},
    };

    fn jobs(named: &[(&str, Option<&str>)]) -> Vec<Job> {
        let job = |(random, name): &(&str, Option<&str>)| {
            let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
            spec.name = name.map(str::to_owned);
            let id = JobId::parse(&format!("bg_20260213_{random}")).unwrap();
            Job::new(id, spec, "2026-02-13T10:00:00Z".parse().unwrap())
        };
        named.iter().map(job).collect()
    }

    const SAFE: Manner = Manner { safe: true, colours: true };

    #[test]
    fn jobs_are_called_by_name_where_that_tells_them_apart() {
        let jobs = jobs(&[
            ("aaaaaa", Some("a\nb")),
            ("bbbbbb", Some("same")),
            ("cccccc", Some("same")),
            ("dddddd", None),
        ]);
        assert_eq!(names(&jobs), ["a\\nb", "bbbbbb", "cccccc", "dddddd"]);
    }

    #[test]
    fn several_jobs_lines_come_whole_and_aligned() {
        let mut sink =
            Prefixed::new(Vec::new(), &jobs(&[("aaaaaa", Some("web")), ("bbbbbb", None)]), Manner::default());
        sink.output(0, b"on").unwrap();
        sink.output(1, b"two\nthr").unwrap();
        sink.output(0, b"e\n\n").unwrap();
        sink.note(1, &Note::LeftOut { bytes: 7 }).unwrap();
        sink.output(1, b"e").unwrap();
        sink.end(1).unwrap();
        sink.end(0).unwrap();
        let wanted = "bbbbbb | two\nweb    | one\nweb    | \nbbbbbb | thr\nbbbbbb | [bg: left out here: 7 bytes]\nbbbbbb | e\n";
        assert_eq!(String::from_utf8(sink.to).unwrap(), wanted);
    }

    #[test]
    fn colours_of_a_line_end_with_it() {
        let mut sink = Prefixed::new(Vec::new(), &jobs(&[("aaaaaa", Some("a"))]), SAFE);
        sink.output(0, b"\x1b[31mred\nplain\rforged\r\nend\x1b[3").unwrap();
        sink.end(0).unwrap();
        let prefix = "\x1b[36ma | \x1b[0m";
        let wanted =
            format!("{prefix}\x1b[31mred\x1b[0m\n{prefix}plain\n{prefix}forged\n{prefix}end\\u{{1b}}[3\n");
        assert_eq!(String::from_utf8(sink.to).unwrap(), wanted);
    }

    #[test]
    fn a_line_without_end_is_printed_in_pieces() {
        let mut sink = Prefixed::new(io::sink(), &jobs(&[("aaaaaa", None)]), SAFE);
        for _ in 0..1_000 {
            sink.output(0, &[b'x'; 4_096]).unwrap();
            assert!(sink.jobs[0].begun.len() <= LINE_BYTES_MAX + 4_096);
        }
    }

    #[test]
    fn a_note_begins_a_line_of_its_own() {
        let mut sink = Plain::new(Vec::new(), Manner::default());
        sink.output(0, b"half").unwrap();
        sink.note(0, &Note::Between { bytes: 5, lines: Some(1) }).unwrap();
        sink.note(0, &Note::Between { bytes: 2_048, lines: None }).unwrap();
        sink.output(0, b"more\n").unwrap();
        assert_eq!(
            String::from_utf8(sink.to).unwrap(),
            "half\n[bg: not shown: 1 line, 5 bytes]\n[bg: not shown: 2048 bytes (2.0 KiB)]\nmore\n"
        );
    }
}
