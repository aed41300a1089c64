//! The stream of changes on disk: `events.jsonl`, and `events.jsonl.1`, which was it before.
//!
//! It tells what happened and decides nothing: the index is the truth. Only the lock's holder writes it, after the rename
//! that makes a change stand, in one `write(2)` for all events of a change, so that lines come in the order of changes. It
//! is not fsynced, and when it cannot be written the change stands all the same.
//!
//! Who was killed between the rename and the append tells nothing of a change that stands. The index carries the number of
//! its last event, from which the next writer goes on: a number that is missing in the stream is an event that was not
//! told.
//!
//! A file that would become too large is renamed, and a new one begun. Whoever follows reads the file that it has open to
//! its end; when the name stands for another file, it reads on to the end once more, since nothing is added to a file that
//! was renamed, and opens the new one.

use super::{StoreError, follower::LINE_BYTES_MAX, root::Root};
use crate::model::{
    Timestamp,
    event::Event,
    health::Health,
    hook::HooksSet,
    job::Job,
    stream::{Line, Lines, Note, Step, Tail},
};
use rustix::process::{Resource, getrlimit};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// The stream.
pub const EVENTS: &str = "events.jsonl";
/// What was the stream before, the only one that is kept.
pub const EVENTS_BEFORE: &str = "events.jsonl.1";
/// Refusals that were counted and not told yet: a byte each.
pub const REFUSED: &str = "events.refused";

/// Size beyond which a new file is begun. The events of one change are never parted, so that one of very many jobs can
/// make it larger.
pub const EVENTS_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// So much of the end of a file is read, however long it is: sixteen times what is kept, which a change of very many jobs
/// may exceed.
pub const EVENTS_READ_BYTES_MAX: u64 = 16 * EVENTS_BYTES_MAX;

/// How much of the end is read to find the last line; sixteen times as much where that holds no line.
const TAIL_BYTES: u64 = 4 * 1024;
/// No more than this is read for it: who goes on without it counts from the index.
const TAIL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a writer is about to tell. It is begun before the index is written, which carries the number of the last event.
pub struct Telling<'a> {
    root: &'a Root,
    stream: io::Result<Stream>,
    lines: Lines,
    tells_refused: bool,
}

/// The stream, open to be added to.
struct Stream {
    file: File,
    bytes: u64,
    is_cut_short: bool,
    tail: Tail,
}

impl<'a> Telling<'a> {
    /// Goes on from what is told and what the index counts, whichever is more. What was counted only comes first.
    pub fn begin(root: &'a Root, last_event: u64, now: Timestamp, hooks: HooksSet) -> Self {
        let stream = Stream::open(root);
        let tail = stream.as_ref().map(|stream| &stream.tail);
        let told = tail.as_ref().map_or(0, |tail| tail.last);
        let mut lines = Lines::after(told.max(last_event), now).for_hooks(hooks);
        if let Some(note) = tail.ok().and_then(Tail::refused) {
            let times = count_refused(root);
            if times > 0 {
                lines.note(note, times);
            }
        }
        let tells_refused = lines.last() > told.max(last_event);
        Self { root, stream, lines, tells_refused }
    }

    /// Adds an event. `job` is whom it is about, as it is now.
    /// `health` is how what it belongs to has gone so far.
    pub fn event(&mut self, event: &Event, step: Step, job: Option<&Job>, health: Option<&Health>) {
        self.lines.event(event, step, job, health);
    }

    /// The number of the last event.
    pub fn last(&self) -> u64 {
        self.lines.last()
    }

    /// Writes it down. Gives what the user should be told where that cannot be done, once for each open root.
    pub fn finish(self) -> Option<String> {
        let written = self.stream.and_then(|stream| {
            // What is told is told once at most, whatever happens in between.
            if self.tells_refused {
                self.root.folder().remove(REFUSED)?;
            }
            stream.append(self.root, self.lines.text())
        });
        self.root.once_untold(&written.err()?)
    }
}

/// Tells what changed nothing, under the lock. `last_event` is asked only where a line is written.
pub fn note(
    root: &Root,
    (now, hooks): (Timestamp, HooksSet),
    note: &Note,
    last_event: impl FnOnce() -> u64,
) -> io::Result<()> {
    let stream = Stream::open(root)?;
    if stream.tail.counts(note, now) {
        let file = root.folder().open_or_create_file(REFUSED, true)?;
        rustix::io::write(&file, b".")?;
        return Ok(());
    }
    let mut lines = Lines::after(stream.tail.last.max(last_event()), now).for_hooks(hooks);
    stream.tail.tell(note, count_refused(root), &mut lines);
    if matches!(note, Note::Refused { .. }) || stream.tail.refused().is_some() {
        root.folder().remove(REFUSED)?;
    }
    stream.append(root, lines.text())
}

/// The lines after that number, as far as they are kept, in their order. Lines that were cut short are left out.
pub fn told_after(root: &Root, after: u64) -> Result<Vec<Line>, StoreError> {
    told_of(root, after, |_| true)
}

/// Of these, the ones that have a text in them somewhere: a look at all, which parses only these.
pub fn told_with(root: &Root, after: u64, text: &str) -> Result<Vec<Line>, StoreError> {
    told_of(root, after, |line| std::str::from_utf8(line).is_ok_and(|line| line.contains(text)))
}

/// The number of the last line; 0 where there is none.
pub fn last_told(root: &Root) -> Result<u64, StoreError> {
    Ok(Stream::open(root).map_err(|error| failed(root, EVENTS, error))?.tail.last)
}

fn told_of(root: &Root, after: u64, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Line>, StoreError> {
    // Opened first: what is renamed meanwhile is then read twice rather than missed.
    let current = open(root, EVENTS)?;
    let before = open(root, EVENTS_BEFORE)?;
    let mut told: Vec<Line> = Vec::new();
    for (name, file) in [(EVENTS_BEFORE, before), (EVENTS, current)] {
        let Some(mut file) = file else { continue };
        let text = end_of(&mut file).map_err(|error| failed(root, name, error))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let lines = text[..whole].split(|byte| *byte == b'\n');
        let fit = |line: &&[u8]| line.len() <= LINE_BYTES_MAX && is_wanted(line);
        for line in lines.filter(fit).filter_map(Line::parse) {
            if line.seq > told.last().map_or(after, |last| last.seq) {
                told.push(line);
            }
        }
    }
    Ok(told)
}

/// The end of a file, as much of it as is read; its first line may be cut short.
fn end_of(file: &mut File) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(EVENTS_READ_BYTES_MAX)))?;
    let mut text = Vec::new();
    file.take(EVENTS_READ_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

fn open(root: &Root, name: &str) -> Result<Option<File>, StoreError> {
    root.folder().open_file(name).map_err(|error| failed(root, name, error))
}

fn failed(root: &Root, name: &str, error: io::Error) -> StoreError {
    StoreError::System { doing: "read", path: root.path().join(name), error }
}

/// How many refusals were counted and not told.
fn count_refused(root: &Root) -> u64 {
    let file = root.folder().open_file(REFUSED).ok().flatten();
    file.and_then(|file| file.metadata().ok()).map_or(0, |data| data.len())
}

impl Stream {
    fn open(root: &Root) -> io::Result<Self> {
        let file = root.folder().open_or_create_file(EVENTS, true)?;
        let bytes = file.metadata()?.len();
        let (tail, is_cut_short) = tail_of(&file, bytes)?;
        let tail = match tail {
            Some(tail) => tail,
            None => match root.folder().open_file(EVENTS_BEFORE)? {
                Some(before) => tail_of(&before, before.metadata()?.len())?.0.unwrap_or_default(),
                None => Tail::default(),
            },
        };
        Ok(Self { file, bytes, is_cut_short, tail })
    }

    fn append(self, root: &Root, lines: &str) -> io::Result<()> {
        let length = lines.len() as u64 + u64::from(self.is_cut_short);
        // Beyond the limit of this process a write would end it by a signal (`setrlimit(2)`).
        let allowed = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        let (file, is_cut_short) = if self.bytes > 0 && self.bytes + length > EVENTS_BYTES_MAX.min(allowed) {
            root.folder().rename(EVENTS, EVENTS_BEFORE)?;
            (root.folder().open_or_create_file(EVENTS, true)?, false)
        } else {
            (self.file, self.is_cut_short)
        };
        if length > allowed {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file size limit (ulimit -f)"));
        }
        // What was cut short stays a line of its own, which nobody can read.
        let text = if is_cut_short { Cow::Owned(format!("\n{lines}")) } else { Cow::Borrowed(lines) };
        match rustix::io::write(&file, text.as_bytes())? {
            written if written == text.len() => Ok(()),
            _ => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}

/// What is at the end of a file, and whether its last line was cut short.
fn tail_of(file: &File, bytes: u64) -> io::Result<(Option<Tail>, bool)> {
    let mut length = TAIL_BYTES.min(bytes);
    while length > 0 {
        let mut text = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact_at(&mut text, bytes - length)?;
        let is_cut_short = text.last() != Some(&b'\n');
        let tail = Tail::of(&text);
        if tail.is_some() || length == bytes.min(TAIL_BYTES_MAX) {
            return Ok((tail, is_cut_short));
        }
        length = (length * 16).min(bytes).min(TAIL_BYTES_MAX);
    }
    Ok((None, false))
}
