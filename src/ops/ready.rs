//! Waiting until a job's log shows a line, or until the job has ended without it.

use super::{
    attend::Attendance,
    fault::{Code, Fault},
    home::Home,
    logs::{BLOCK_BYTES, Bell, Block, LogReader, present_part},
    wait::{Left, STILL_GOING_ON, exit_code},
};
use crate::model::{facts::Facts, id::JobId, job::Job};
use regex::bytes::Regex;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Longest part of a line that is searched at once.
const LINE_BYTES_MAX: usize = 256 * 1024;
/// How much of a longer line is searched again with what follows it: no longer match is missed at such a place.
const OVERLAP_BYTES: usize = 64 * 1024;
/// How much of one log is searched before the others have their turn.
const TURN_BLOCKS: usize = 16;

/// What a line has to match.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The jobs.
    pub ids: &'a [JobId],
    /// What a line has to match.
    pub pattern: &'a Pattern,
    /// Longest wait.
    pub within: Option<Duration>,
    /// Whether the first that is ready or has ended is enough.
    pub any: bool,
    /// Becomes readable once nobody wants to hear of them any more.
    pub reader_gone: Option<BorrowedFd<'a>>,
}

/// What has become of the jobs.
#[derive(Debug)]
pub struct Readied {
    /// In the order asked.
    pub jobs: Vec<Looked>,
    /// Whether the time was over before enough of them were ready or had ended.
    pub time_is_over: bool,
    /// The exit code: the first that is not 0, in the order asked.
    pub code: i32,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// A job and what its log showed.
#[derive(Clone, Debug)]
pub struct Looked {
    /// As it was when that was decided, or now.
    pub job: Job,
    /// Whether its log showed the line. `None`: not yet.
    pub ready: Option<bool>,
}

/// What is told while a wait lasts.
#[derive(Debug)]
pub enum News<'a> {
    /// A job is ready or has ended. Told once of each.
    Decided(&'a Looked),
    /// The others go on. Told before each sleep, and at the beginning.
    Left(Left<'a>),
}

impl Pattern {
    /// Reads a pattern in the syntax of the crate `regex`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Regex::new(text).map(Self).map_err(|error| {
            Fault::new(Code::Usage, format!("--ready: {error}"))
                .hint("a character that stands for itself is written with a backslash before it: \\(")
        })
    }
}

impl Looked {
    /// The code that stands for it; `None` while it is not decided.
    pub fn code(&self) -> Option<i32> {
        if self.ready? { Some(0) } else { exit_code(&self.job) }
    }
}

/// Waits, and tells `progress` how it goes.
pub fn wait_for(
    home: &Home,
    attendance: &mut Attendance<'_>,
    request: Request<'_>,
    progress: &mut dyn FnMut(News<'_>) -> Result<(), Fault>,
) -> Result<Readied, Fault> {
    let deadline = request.within.map(|within| Instant::now() + within);
    let runs = home.root.runs()?;
    let new = |id: &JobId| Search::new(id.clone(), request.pattern);
    let mut all: Vec<Search<'_>> = request.ids.iter().map(new).collect();
    let mut bell = Bell::new();
    let mut first_ends: Option<Vec<u64>> = None;
    let mut buffer = vec![0_u8; BLOCK_BYTES];
    let mut told = false;
    let mut is_heard = true;
    loop {
        // Read in this order: what was written before the end is there once the end is.
        let facts = attendance.read()?;
        for one in all.iter_mut().filter(|one| one.log.is_none() && !one.is_decided()) {
            one.log = LogReader::open(runs, &one.id)?;
        }
        // A log that came before a new bell was hung rings on none, so that is looked at once more.
        let open = all.iter().filter(|one| !one.is_decided());
        let mut more = bell.attach(runs, open.map(|one| (&one.id, one.log.is_some())));
        for one in all.iter_mut().filter(|one| !one.is_decided()) {
            more |= one.turn(home, &facts, &mut buffer)?;
            if let Some(looked) = one.looked.as_ref().filter(|looked| looked.ready.is_some()) {
                progress(News::Decided(looked))?;
            }
        }
        let mut decided = all.iter().map(Search::is_decided);
        let enough = if request.any { decided.any(|one| one) } else { decided.all(|one| one) };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // What was there at the beginning is searched however short the time; what came since may be too late.
        let ends = match &first_ends {
            Some(ends) => ends,
            None => first_ends.insert(all.iter_mut().map(Search::end).collect::<Result<_, _>>()?),
        };
        let searched = !more || all.iter().zip(ends).all(|(one, end)| one.has_come_to(*end));
        let time_is_over = !enough && searched && left == Some(Duration::ZERO);
        let is_left = !enough && (time_is_over || !is_heard);
        if enough || is_left {
            let jobs: Vec<Looked> = all.into_iter().filter_map(|one| one.looked).collect();
            let first = jobs.iter().filter_map(Looked::code).find(|code| *code != 0).unwrap_or(0);
            let code = if is_left { STILL_GOING_ON } else { first };
            let warnings = home.warnings.iter().chain(attendance.warnings()).cloned().collect();
            return Ok(Readied { jobs, time_is_over, code, warnings });
        }
        // A job that never stops writing lets nobody sleep.
        if !more || !told {
            told = true;
            let open = all.iter().filter(|one| !one.is_decided());
            let jobs = open.filter_map(|one| one.looked.as_ref()).map(|looked| &looked.job).collect();
            progress(News::Left(Left::new(jobs, request.ids.len(), home, &facts)))?;
        }
        if !more {
            let waiting = all.iter().filter(|one| !one.is_decided());
            let waiting: Vec<JobId> = waiting.map(|one| one.id.clone()).collect();
            is_heard = !bell.wait(attendance, &facts, &waiting, request.reader_gone, left)?;
        }
    }
}

/// The search in one job's log.
struct Search<'a> {
    id: JobId,
    log: Option<LogReader<'a>>,
    lines: LineSearch<'a>,
    /// The attempt whose output is searched, and how far.
    at: Option<(u32, u64)>,
    looked: Option<Looked>,
}

impl<'a> Search<'a> {
    fn new(id: JobId, pattern: &'a Pattern) -> Self {
        Self { id, log: None, lines: LineSearch::new(pattern), at: None, looked: None }
    }

    fn is_decided(&self) -> bool {
        self.looked.as_ref().is_some_and(|looked| looked.ready.is_some())
    }

    /// Where its log ends now.
    fn end(&mut self) -> Result<u64, Fault> {
        Ok(self.log.as_mut().map(LogReader::end).transpose()?.unwrap_or(0))
    }

    /// Whether everything before that was searched, or needs not be.
    fn has_come_to(&self, end: u64) -> bool {
        self.is_decided() || self.at.is_none_or(|(_, at)| at >= end)
    }

    /// Searches what is new. Gives whether there is more already.
    fn turn(&mut self, home: &Home, facts: &Facts, buffer: &mut [u8]) -> Result<bool, Fault> {
        let Some(job) = facts.job(&self.id)? else {
            let text = format!("{} was removed while it was waited for", self.id);
            return Err(Fault::new(Code::NotFound, text));
        };
        let found = self.search(home, &job, buffer)?;
        let ready = match found {
            Found::Line => Some(true),
            Found::Nothing if job.end().is_some() => Some(false),
            Found::Nothing | Found::More => None,
        };
        self.looked = Some(Looked { job, ready });
        Ok(found == Found::More)
    }

    fn search(&mut self, home: &Home, job: &Job, buffer: &mut [u8]) -> Result<Found, Fault> {
        // A job that waits for its next attempt has none at present.
        let present = (job.run().is_some() || job.end().is_some()) && job.execution() > 0;
        let Some(log) = self.log.as_mut().filter(|_| present) else { return Ok(Found::Nothing) };
        let mut at = match self.at {
            Some((execution, at)) if execution == job.execution() => at,
            _ => {
                let Some(part) = present_part(home, job)? else { return Ok(Found::Nothing) };
                self.lines.begin_anew();
                part.from
            }
        };
        for _ in 0..TURN_BLOCKS {
            match log.read_at(at, buffer)? {
                Block::Bytes(count) => {
                    at += count as u64;
                    if self.lines.push(&buffer[..count]) {
                        return Ok(Found::Line);
                    }
                }
                Block::LeftOut { goes_on } => {
                    self.lines.begin_anew();
                    at = goes_on;
                }
                Block::Emptied { end } if job.end().is_none() => {
                    self.lines.begin_anew();
                    at = if log.left_out()?.is_some() { end } else { 0 };
                }
                Block::Emptied { .. } | Block::End => {
                    self.at = Some((job.execution(), at));
                    return Ok(if self.lines.begun_line_matches() { Found::Line } else { Found::Nothing });
                }
            }
        }
        self.at = Some((job.execution(), at));
        Ok(Found::More)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// A line that matches.
    Line,
    /// None, and nothing more is there.
    Nothing,
    /// None so far, and there is more.
    More,
}

/// A search line by line that keeps no more than the present line, and of a long one only its end.
struct LineSearch<'a> {
    pattern: &'a Pattern,
    line: Vec<u8>,
    /// Whether what is kept of the line begins with the line.
    from_its_beginning: bool,
    /// Whether something of the line was not searched yet.
    is_new: bool,
}

impl<'a> LineSearch<'a> {
    fn new(pattern: &'a Pattern) -> Self {
        Self { pattern, line: Vec::new(), from_its_beginning: true, is_new: false }
    }

    /// What comes next has nothing to do with what came before.
    fn begin_anew(&mut self) {
        self.line.clear();
        self.from_its_beginning = true;
        self.is_new = false;
    }

    /// Adds output. Gives whether a line that ends in it matches.
    fn push(&mut self, bytes: &[u8]) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            self.line.extend_from_slice(text);
            self.is_new = true;
            if ends {
                if self.line_matches() {
                    return true;
                }
                self.begin_anew();
            } else if self.line.len() > LINE_BYTES_MAX {
                if self.line_matches() {
                    return true;
                }
                self.line.drain(..self.line.len() - OVERLAP_BYTES);
                self.from_its_beginning = false;
            }
        }
        false
    }

    /// Whether the line whose end has not come matches as it is.
    fn begun_line_matches(&mut self) -> bool {
        self.is_new && self.line_matches()
    }

    fn line_matches(&mut self) -> bool {
        self.is_new = false;
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        // The first byte of what is kept of a line is not the line's beginning: it is only looked back at.
        let from = usize::from(!self.from_its_beginning);
        from <= line.len() && self.pattern.0.is_match_at(line, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(pattern: &str, output: &str) -> bool {
        let pattern = Pattern::parse(pattern).unwrap();
        let run = |size: usize| {
            let mut search = LineSearch::new(&pattern);
            output.as_bytes().chunks(size).any(|part| search.push(part)) || search.begun_line_matches()
        };
        let whole = run(output.len().max(1));
        assert_eq!(run(7), whole, "in parts of 7 bytes");
        whole
    }

    #[test]
    fn each_line_is_searched_by_itself() {
        assert!(shows("^ready$", "a\nready\nb\n"));
        assert!(shows("^ready$", "ready\r\n"));
        assert!(shows("listening on :[0-9]+", "x listening on :80"), "a line whose end has not come counts");
        assert!(!shows("^ready$", "not ready\nready!\n"));
        assert!(!shows("a.*b|a\\sb", "a\nb\n"), "no match goes over lines");
        assert!(!shows("", ""), "without output there is no line");
        assert!(shows("^$", "\n"));
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        let pattern = Pattern::parse(r"(?-u)\xff\x00ok").unwrap();
        assert!(LineSearch::new(&pattern).push(b"\xff\0ok\n"));
    }

    #[test]
    fn an_endless_line_is_searched_in_bounded_memory() {
        let pattern = Pattern::parse("^x|needle|last$").unwrap();
        let mut search = LineSearch::new(&pattern);
        for _ in 0..100 {
            assert!(!search.push(&[b'.'; 8_191]), "nothing there is the line's beginning");
            assert!(!search.push(b"x"));
            assert!(search.line.capacity() <= 4 * LINE_BYTES_MAX);
        }
        assert!(!search.push(b"nee"));
        assert!(!search.begun_line_matches());
        search.push(b"dle");
        assert!(search.begun_line_matches());
    }

    #[test]
    fn a_match_across_the_places_where_a_long_line_is_cut_is_found() {
        for before in [LINE_BYTES_MAX - 3, LINE_BYTES_MAX, LINE_BYTES_MAX + OVERLAP_BYTES - 3] {
            let output = format!("{}needle{}", ".".repeat(before), ".".repeat(LINE_BYTES_MAX));
            assert!(shows("needle", &output));
        }
    }

    #[test]
    fn a_pattern_that_is_wrong_shows_where() {
        let fault = Pattern::parse("a(b").unwrap_err();
        assert_eq!(fault.code, Code::Usage);
        assert!(fault.message.contains("a(b\n") && fault.message.contains("^\n"), "{}", fault.message);
    }
}
