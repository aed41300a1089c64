//! The index as a file, in one of its two forms; which of them is there decides.
//!
//! As JSON it is one file that is replaced whole at each change. As lines it is one to which each change adds, and which is begun
//! anew when much has been added. A change is written beside the file or behind what stands in it, so that whoever reads
//! meanwhile, without a lock, reads what stood before.

use crate::model::{
    Timestamp,
    config::StoreType,
    facts::{Facts, Head, Unreadable},
};
use crate::os::folder::{Folder, SPARE_BYTES, read_whole};
use crate::store::root::{INDEX, INDEX_TEMPORARY, LINES, LINES_TEMPORARY, Root};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

/// Largest index that is read: far beyond use, small enough to be read in bounded time and memory.
pub(super) const INDEX_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// An index of lines is begun anew when to each so many of its jobs a line was added, and never sooner than the settings say: so
/// what is written for that stays a few times what changed.
const JOBS_A_LINE: usize = 4;

/// An index that was read, kept by whoever reads it again soon.
#[derive(Debug)]
pub struct Known {
    /// Open, so that no other file gets its number, and nobody writes to it.
    file: Rc<File>,
    state: State,
    facts: Rc<Facts>,
}

/// What tells a file from another one, and from itself after it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// `st_dev` and `st_ino` of `stat(2)`.
    place: (u64, u64),
    length: u64,
    /// When it was changed last (`st_ctime`), by seconds and nanoseconds.
    changed: (i64, i64),
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let data = file.metadata()?;
        Ok(Self {
            place: (data.dev(), data.ino()),
            length: data.len(),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }
}

/// Keeps what was read from this file, or written to it, where it is read again soon.
fn keep(root: &Root, file: &Rc<File>, facts: &Rc<Facts>) {
    if root.keeps_known()
        && let Ok(state) = State::of(file)
    {
        root.keep(Some(Known { file: Rc::clone(file), state, facts: Rc::clone(facts) }));
    }
}

/// So much of what is known is read again before what was added since, to see that the one still goes on from the other.
const OVERLAP_BYTES: u64 = 256;

/// The index as it was found.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) facts: Rc<Facts>,
    form: Form,
}

/// In which form it was found.
#[derive(Debug)]
enum Form {
    /// None was.
    Missing,
    Json(Rc<File>),
    Lines {
        file: Rc<File>,
        /// Whether something stands at its end that does not count.
        is_cut_short: bool,
    },
}

/// What a change wrote.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: Text,
    /// Where it stands in the file.
    pub(super) at: u64,
    pub(super) name: &'static str,
    /// Whether it is on the disk already; else the folder has to be synced.
    pub(super) synced: Option<io::Result<()>>,
    /// What stood there before, and is free then.
    pub(super) former: Option<Rc<File>>,
}

/// A text that was written.
#[derive(Debug)]
pub(super) enum Text {
    Own(Vec<u8>),
    /// That of these facts.
    Of(Rc<Facts>),
}

impl Text {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(text) => text,
            Self::Of(facts) => facts.text(),
        }
    }
}

/// Why an index is not read.
#[derive(Debug)]
pub(super) enum Refused {
    /// What stands there.
    Index(&'static str, Unreadable),
    /// The system.
    System(&'static str, io::Error),
}

/// What stands in the place of the one file where lines are the index: a program that knows only that one reads that it must not
/// write it, and sees no jobs that have moved on since.
const MOVED: &[u8] = b"{\"version\":1,\n\"requires\":[\"jsonl\"],\n\"jobs\":[\n]}\n";

/// In which form a root has its index.
pub fn form(root: &Root) -> io::Result<StoreType> {
    Ok(if root.folder().has(LINES)? || has_moved(root) { StoreType::Lines } else { StoreType::Json })
}

/// The file of an index in that form.
pub const fn file_name(form: StoreType) -> &'static str {
    match form {
        StoreType::Json => INDEX,
        StoreType::Lines => LINES,
    }
}

/// Where the index of a root is.
pub fn path(root: &Root) -> PathBuf {
    root.path().join(file_name(form(root).unwrap_or(StoreType::Json)))
}

/// Reads an index in that form.
pub fn parse(form: StoreType, text: Vec<u8>) -> Result<Facts, Unreadable> {
    match form {
        StoreType::Json => Facts::parse(text),
        StoreType::Lines => Facts::parse_lines(text),
    }
}

/// The same; where there is none, it is empty.
pub fn parse_or_empty(form: StoreType, text: Option<Vec<u8>>) -> Result<Facts, Unreadable> {
    text.map_or_else(|| Ok(Facts::default()), |text| parse(form, text))
}

/// Puts another index into the place of the one that there is, in the same form or in the other one, durable when this returns. The lock is held.
///
/// At each instant one of them is the index, whole: lines, where they are there.
pub fn put(root: &Root, form: StoreType, facts: &Facts, now: Timestamp) -> io::Result<()> {
    root.let_go_of_kept();
    let folder = root.folder();
    match form {
        StoreType::Json => {
            let text = facts.to_bytes(now);
            is_not_too_large(text.len() as u64)?;
            folder.replace(INDEX, INDEX_TEMPORARY, &text, true)?;
            folder.sync()?;
            if folder.remove(LINES)? {
                folder.sync()?;
            }
        }
        StoreType::Lines => {
            let text = facts.to_lines(now);
            is_not_too_large(text.len() as u64)?;
            if !is_read_back(&text, facts) {
                let error =
                    "it has a field at the top that cannot have a line of its own (id, removed, commit)";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
            }
            folder.replace(LINES, LINES_TEMPORARY, &text, true)?;
            folder.sync()?;
            folder.replace(INDEX, INDEX_TEMPORARY, MOVED, true)?;
            folder.sync()?;
        }
    }
    Ok(())
}

/// Reads the index.
pub(super) fn read(root: &Root) -> Result<Index, Refused> {
    let failed = |error: io::Error| refused(LINES, error);
    if let Some(file) = root.folder().open_file(LINES).map_err(failed)? {
        return read_lines(root, file);
    }
    let in_json = |error: io::Error| refused(INDEX, error);
    let Some(file) = root.folder().open_file(INDEX).map_err(in_json)? else {
        return Ok(Index { facts: Rc::default(), form: Form::Missing });
    };
    let file = Rc::new(file);
    if let Some(known) = root.take_known()
        && State::of(&file).map_err(in_json)? == known.state
    {
        let facts = Rc::clone(&known.facts);
        root.keep(Some(known));
        return Ok(Index { facts, form: Form::Json(file) });
    }
    let state = root.keeps_known().then(|| State::of(&file)).transpose().map_err(in_json)?;
    let bytes = read_whole(&file, INDEX_BYTES_MAX).map_err(in_json)?;
    if bytes == MOVED {
        // Between the two looks it may have come.
        let Some(file) = root.folder().open_file(LINES).map_err(failed)? else {
            return Err(Refused::Index(LINES, is_gone()));
        };
        return read_lines(root, file);
    }
    let facts = Rc::new(Facts::parse(bytes).map_err(|reason| Refused::Index(INDEX, reason))?);
    // Looked at before it was read: what came in between is seen by the next look.
    root.keep(state.map(|state| Known { file: Rc::clone(&file), state, facts: Rc::clone(&facts) }));
    Ok(Index { facts, form: Form::Json(file) })
}

/// The lines are not there that are said to be.
pub fn is_gone() -> Unreadable {
    Unreadable::NotAFile("is not there, although jobs.json says that it is the index".to_owned())
}

fn refused(name: &'static str, error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::InvalidData => Refused::Index(name, Unreadable::NotAFile(error.to_string())),
        _ => Refused::System(name, error),
    }
}

fn read_lines(root: &Root, file: File) -> Result<Index, Refused> {
    let failed = |error: io::Error| refused(LINES, error);
    let file = Rc::new(file);
    let known = root.take_known();
    // Looked at before it is read: what comes in between is seen by the next look.
    let state = State::of(&file).map_err(failed)?;
    let index = match known {
        Some(known) if known.state.place == state.place => read_on(known, state),
        _ => read_anew(&file, state.length),
    }?;
    if root.keeps_known() {
        root.keep(Some(Known { file: Rc::clone(&file), state, facts: Rc::clone(&index) }));
    }
    let is_cut_short = index.lines_length() < state.length;
    Ok(Index { facts: index, form: Form::Lines { file, is_cut_short } })
}

/// Reads what was added since; all of it, where somebody was at what is known.
fn read_on(known: Known, state: State) -> Result<Rc<Facts>, Refused> {
    let Known { file, facts, state: known_state } = known;
    let (from, length) = (facts.lines_length(), state.length);
    if from == length && state == known_state {
        return Ok(facts);
    }
    let overlap = OVERLAP_BYTES.min(from);
    if from < length {
        let read = read_at(&file, from - overlap, length).map_err(|error| refused(LINES, error))?;
        let (before, more) = read.split_at(usize::try_from(overlap).unwrap_or(0).min(read.len()));
        if facts.text().ends_with(before) && before.len() as u64 == overlap {
            let mut facts = Rc::unwrap_or_clone(facts);
            if facts.absorb(more).is_ok() && facts.is_as_written() {
                return Ok(Rc::new(facts));
            }
        }
    }
    read_anew(&file, length)
}

fn read_anew(file: &File, length: u64) -> Result<Rc<Facts>, Refused> {
    let facts = Facts::parse_lines(read_all(file, length)?);
    match facts {
        Ok(facts) if facts.is_as_written() => Ok(Rc::new(facts)),
        _ => read_until_it_stays(file),
    }
}

/// What does not stand as it was written is read until it is there the next time, too: a writer may be taking back what it could not
/// write whole.
fn read_until_it_stays(file: &File) -> Result<Rc<Facts>, Refused> {
    let read = || read_all(file, file.metadata().map_err(|error| refused(LINES, error))?.len());
    let mut text = read()?;
    loop {
        let again = read()?;
        if again.starts_with(&text) {
            break;
        }
        text = again;
    }
    Facts::parse_lines(text).map(Rc::new).map_err(|reason| Refused::Index(LINES, reason))
}

fn read_all(file: &File, length: u64) -> Result<Vec<u8>, Refused> {
    let failed = |error: io::Error| refused(LINES, error);
    if length > INDEX_BYTES_MAX {
        let text = format!("is {length} bytes long, more than the {INDEX_BYTES_MAX} that are read");
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, text)));
    }
    read_at(file, 0, length).map_err(failed)
}

/// The bytes from there to there, or to the end, where that comes sooner.
fn read_at(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to - from).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(length + SPARE_BYTES);
    while bytes.len() < length {
        let at = from + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Makes durable what can be read now, whoever wrote it.
pub fn make_durable(root: &Root) -> io::Result<()> {
    if let Some(file) = root.folder().open_file(LINES)? {
        root.folder().sync_file(&file)?;
    }
    root.folder().sync()
}

impl Index {
    /// The facts alone, and what it takes to write others.
    pub(super) fn into_parts(self, root: &Root) -> (Facts, Writer) {
        // Kept again when it is written.
        root.keep(None);
        (Rc::unwrap_or_clone(self.facts), Writer(self.form))
    }
}

/// What it takes to write the index.
#[derive(Debug)]
pub(super) struct Writer(Form);

impl Writer {
    /// Puts these facts in the place of those that were read. They are worth the same afterwards.
    ///
    /// The lock is held, and what was read is what there is.
    pub(super) fn write(
        self,
        root: &Root,
        facts: Facts,
        now: Timestamp,
        (kind, interval): (StoreType, usize),
    ) -> io::Result<(Rc<Facts>, Written)> {
        match self.0 {
            Form::Json(file) => replace(root, Some(file), facts, now),
            Form::Missing if kind == StoreType::Json => replace(root, None, facts, now),
            Form::Missing => begin(root, facts, now),
            Form::Lines { is_cut_short, .. }
                if is_cut_short
                    || !facts.is_as_written()
                    || facts.lines_added() >= interval.max(facts.len() / JOBS_A_LINE) =>
            {
                begin(root, facts, now)
            }
            Form::Lines { file, .. } => add(root, &file, facts, now),
        }
    }
}

fn replace(
    root: &Root,
    former: Option<Rc<File>>,
    mut facts: Facts,
    now: Timestamp,
) -> io::Result<(Rc<Facts>, Written)> {
    let is_extended = facts.extend_text(now);
    let (facts, text) = if is_extended || root.keeps_known() {
        let written = if is_extended { Ok(facts) } else { facts.written(now) };
        let facts = Rc::new(written.map_err(|error| io::Error::other(error.to_string()))?);
        (Rc::clone(&facts), Text::Of(facts))
    } else {
        let text = facts.to_bytes(now);
        (Rc::new(facts), Text::Own(text))
    };
    is_not_too_large(text.bytes().len() as u64)?;
    // What nobody touched may be damaged inside, and is copied as it stands; what we write must not be.
    debug_assert!(
        Facts::parse(text.bytes().to_vec()).is_ok_and(|read| read.check().is_ok() || facts.check().is_err()),
        "{}",
        String::from_utf8_lossy(text.bytes())
    );
    let file = Rc::new(match &former {
        Some(former) => root.folder().exchange(INDEX, INDEX_TEMPORARY, text.bytes(), former)?,
        None => root.folder().replace_and_open(INDEX, INDEX_TEMPORARY, text.bytes(), true)?,
    });
    keep(root, &file, &facts);
    Ok((facts, Written { text, at: 0, name: INDEX, synced: None, former }))
}

/// Begins a file of lines, in the place of the one that there may be.
fn begin(root: &Root, facts: Facts, now: Timestamp) -> io::Result<(Rc<Facts>, Written)> {
    let text = facts.to_lines(now);
    is_not_too_large(text.len() as u64)?;
    debug_assert!(is_read_back(&text, &facts), "{}", String::from_utf8_lossy(&text));
    root.folder().replace(LINES, LINES_TEMPORARY, &text, true)?;
    say_that_it_moved(root);
    Ok((Rc::new(facts), Written { text: Text::Own(text), at: 0, name: LINES, synced: None, former: None }))
}

/// Says in the place of the other form that lines are the index, where that is not said. Without it, all is as it should be for
/// this program.
fn say_that_it_moved(root: &Root) {
    // Not before the lines are there for sure.
    if !has_moved(root) && root.folder().sync().is_ok() {
        let _ = root.folder().replace(INDEX, INDEX_TEMPORARY, MOVED, true);
    }
}

fn has_moved(root: &Root) -> bool {
    root.folder().read(INDEX, MOVED.len() as u64).ok().flatten().as_deref() == Some(MOVED)
}

/// Adds to a file of lines what these facts have beyond it.
fn add(root: &Root, file: &Rc<File>, mut facts: Facts, now: Timestamp) -> io::Result<(Rc<Facts>, Written)> {
    let addition = facts.addition(now);
    let at = facts.lines_length();
    if at + addition.text.len() as u64 > INDEX_BYTES_MAX {
        return begin(root, facts, now);
    }
    if facts.lines_added() == 0 {
        // Whoever began the file may not have come to make its name durable.
        root.folder().sync()?;
    }
    let text = addition.text.clone();
    root.folder().append(LINES, at, &text)?;
    // Before the lock goes: what comes behind must not be on the disk where this is not.
    let synced = root.folder().sync_file(file);
    facts.settle(addition);
    debug_assert!(is_read_back(facts.text(), &facts), "{}", String::from_utf8_lossy(facts.text()));
    if synced.is_err()
        && let Ok(begun) = begin(root, facts.clone(), now)
    {
        // What the disk did not take is in no file that others go on with.
        return Ok(begun);
    }
    let facts = Rc::new(facts);
    keep(root, file, &facts);
    Ok((facts, Written { text: Text::Own(text), at, name: LINES, synced: Some(synced), former: None }))
}

/// Whether lines say what these facts do.
fn is_read_back(text: &[u8], facts: &Facts) -> bool {
    let in_order = |facts: &Facts| facts.heads().map(Head::in_order).collect::<Vec<_>>();
    Facts::parse_lines(text.to_vec()).is_ok_and(|read| {
        in_order(&read) == in_order(facts)
            && read.tables() == facts.tables()
            && read.others() == facts.others()
            && (read.check().is_ok() || facts.check().is_err())
    })
}

fn is_not_too_large(bytes: u64) -> io::Result<()> {
    if bytes <= INDEX_BYTES_MAX {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::FileTooLarge, "it would be larger than 256 MiB"))
}

impl Written {
    /// Makes it durable, where that was not done with the writing.
    pub(super) fn sync(&mut self, folder: &Folder) -> &io::Result<()> {
        self.synced.get_or_insert_with(|| {
            folder.sync().inspect(|()| {
                if let Some(former) = self.former.take() {
                    folder.free(&former);
                }
            })
        })
    }

    /// Whether it stands where it was written.
    pub(super) fn stands(&self, root: &Root) -> io::Result<bool> {
        let Some(file) = root.folder().open_file(self.name)? else { return Ok(false) };
        let length = file.metadata()?.len();
        // Nobody adds to what is replaced whole.
        let text = self.text.bytes();
        let is_whole = self.name == LINES || length == text.len() as u64;
        let to = self.at + text.len() as u64;
        Ok(is_whole && to <= length && read_at(&file, self.at, to)? == text)
    }
}
