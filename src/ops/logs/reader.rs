//! Reading a log by written offsets, which count everything the job ever wrote: a reader keeps its place while the
//! middle of the log is left out under it.

use crate::exec::local::cut::{self, Cut};
use crate::model::id::JobId;
use crate::os::folder::Folder;
use crate::store::root::log_name;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// How much is read at once.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// How long a cut that is being made is waited for. A cut takes milliseconds; only one whose watcher died in the
/// middle of it lasts, and then what the file says is the best that is known.
const CUT_LOOKS_MAX: u32 = 500;
/// How long between two looks at such a cut.
const CUT_INTERVAL: Duration = Duration::from_millis(2);
/// How often a block is read again because the log was cut meanwhile.
const READS_MAX: u32 = 100;

/// What is at an offset of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// So many bytes, at least one.
    Bytes(usize),
    /// What is wanted was left out.
    LeftOut {
        /// Where the log goes on.
        goes_on: u64,
    },
    /// Nothing yet.
    End,
    /// The file is shorter than that although nothing was left out: somebody emptied it.
    Emptied {
        /// Where its end is now.
        end: u64,
    },
}

/// A job's log, open.
#[derive(Debug)]
pub struct LogReader<'a> {
    runs: &'a Folder,
    id: JobId,
    file: File,
    /// The cut that this file was opened under: what is left out at the job's end may make another file of the log.
    cut: Option<Cut>,
}

impl<'a> LogReader<'a> {
    /// Opens a log; `None` where there is none.
    pub fn open(runs: &'a Folder, id: &JobId) -> io::Result<Option<Self>> {
        let cut = settled_cut(runs, id, None)?;
        let file = runs.open_file(&log_name(id))?;
        Ok(file.map(|file| Self { runs, id: id.clone(), file, cut }))
    }

    /// Reads what is at a written offset, into a buffer that is not empty.
    pub fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<Block> {
        self.while_settled(|file, cut| {
            let place = match cut {
                None => at,
                Some(cut) => match cut.place(at) {
                    Some(place) => place,
                    None => return Ok(Block::LeftOut { goes_on: cut.tail_begin + cut.removed }),
                },
            };
            let room = cut.filter(|cut| place < cut.head_end).map(|cut| cut.head_end - place);
            let room = room.and_then(|room| usize::try_from(room).ok()).unwrap_or(usize::MAX);
            let size = buffer.len().min(room);
            let count = file.read_at(&mut buffer[..size], place)?;
            if count > 0 {
                return Ok(Block::Bytes(count));
            }
            let length = file.metadata()?.len();
            Ok(if length < place { Block::Emptied { end: written(cut, length) } } else { Block::End })
        })
    }

    /// The written offset of the log's present end.
    pub fn end(&mut self) -> io::Result<u64> {
        self.while_settled(|file, cut| Ok(written(cut, file.metadata()?.len())))
    }

    /// What is left out: from where to where.
    pub fn left_out(&mut self) -> io::Result<Option<(u64, u64)>> {
        self.while_settled(|_, cut| Ok(cut.map(|cut| (cut.head_end, cut.tail_begin + cut.removed))))
    }

    /// Looks at the log between two readings of the same cut, so that what is seen belongs together.
    fn while_settled<T>(
        &mut self,
        mut look: impl FnMut(&File, Option<Cut>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut reads = 0;
        loop {
            let before = settled_cut(self.runs, &self.id, self.cut)?;
            if before != self.cut {
                if let Some(file) = self.runs.open_file(&log_name(&self.id))? {
                    self.file = file;
                }
                self.cut = before;
            }
            let seen = look(&self.file, before)?;
            reads += 1;
            let after = cut::read(self.runs, &self.id)?;
            if sequence(after) == sequence(before) || reads == READS_MAX {
                return Ok(seen);
            }
        }
    }
}

/// Which state of the log it tells of.
fn sequence(cut: Option<Cut>) -> Option<u64> {
    cut.map(|cut| cut.sequence)
}

fn written(cut: Option<Cut>, place: u64) -> u64 {
    cut.map_or(place, |cut| cut.written(place))
}

/// What was left out, once no cut is being made. What is known already is not waited for again.
fn settled_cut(runs: &Folder, id: &JobId, known: Option<Cut>) -> io::Result<Option<Cut>> {
    let mut looks = 0;
    loop {
        let cut = cut::read(runs, id)?;
        looks += 1;
        if sequence(cut) == sequence(known) {
            return Ok(known);
        }
        if !cut.is_some_and(|cut| cut.is_being_made()) {
            return Ok(cut);
        }
        if looks == CUT_LOOKS_MAX {
            // Whoever made it is slow, or gone.
            return cut::as_it_stands(runs, id);
        }
        std::thread::sleep(CUT_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::local::cut::CutFile;
    use std::path::PathBuf;

    struct Scene {
        dir: tempfile::TempDir,
        runs: Folder,
        id: JobId,
    }

    impl Scene {
        fn new(log: &[u8]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
            let scene = Self { dir, runs, id: JobId::parse("bg_20260213_aaaaaa").unwrap() };
            std::fs::write(scene.log(), log).unwrap();
            scene
        }

        fn log(&self) -> PathBuf {
            self.dir.path().join("runs").join(log_name(&self.id))
        }

        fn cut(&self, cut: Cut) {
            CutFile::open(&self.runs, &self.id).unwrap().write(&cut).unwrap();
        }
    }

    fn read(reader: &mut LogReader<'_>, at: u64) -> (Block, String) {
        let mut buffer = [0_u8; 4];
        let block = reader.read_at(at, &mut buffer).unwrap();
        let count = if let Block::Bytes(count) = block { count } else { 0 };
        (block, String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    #[test]
    fn a_whole_log_is_read_to_its_end() {
        let scene = Scene::new(b"abcdef");
        let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
        assert_eq!(read(&mut reader, 0), (Block::Bytes(4), "abcd".into()));
        assert_eq!(read(&mut reader, 4), (Block::Bytes(2), "ef".into()));
        assert_eq!(read(&mut reader, 6).0, Block::End);
        assert_eq!(reader.end().unwrap(), 6);
        std::fs::write(scene.log(), b"x").unwrap();
        assert_eq!(read(&mut reader, 6).0, Block::Emptied { end: 1 });
    }

    #[test]
    fn the_line_and_the_hole_of_a_cut_are_never_read_as_output() {
        // The head "ab\n", a line, a hole, and what was written last as byte 100 and on.
        let scene = Scene::new(b"ab\n[left out]\n\0\0\0\0\0\0yz\n");
        scene.cut(Cut { sequence: 2, head_end: 3, tail_begin: 20, removed: 80 });
        let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
        assert_eq!(read(&mut reader, 0), (Block::Bytes(3), "ab\n".into()));
        for at in [3, 19, 20, 99] {
            assert_eq!(read(&mut reader, at).0, Block::LeftOut { goes_on: 100 });
        }
        assert_eq!(read(&mut reader, 100), (Block::Bytes(3), "yz\n".into()));
        assert_eq!((reader.end().unwrap(), reader.left_out().unwrap()), (103, Some((3, 100))));
    }

    #[test]
    fn a_reader_keeps_its_place_when_the_file_becomes_shorter() {
        let scene = Scene::new(b"ab\ncd\nef\ngh\n");
        let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
        assert_eq!(read(&mut reader, 6).1, "ef\ng");
        std::fs::write(scene.log(), b"ab\n--\ngh\n").unwrap();
        scene.cut(Cut { sequence: 2, head_end: 3, tail_begin: 6, removed: 3 });
        assert_eq!(read(&mut reader, 9).1, "gh\n");
        assert_eq!(read(&mut reader, 12).0, Block::End, "not emptied, only cut");
        assert_eq!(read(&mut reader, 6).0, Block::LeftOut { goes_on: 9 });
    }

    #[test]
    fn a_log_that_was_replaced_by_a_finished_one_is_opened_again() {
        let scene = Scene::new(b"ab\n--\n\0\0\0\0\0gh\n");
        scene.cut(Cut { sequence: 2, head_end: 3, tail_begin: 11, removed: 100 });
        let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
        assert_eq!(read(&mut reader, 111).1, "gh\n");
        std::fs::write(scene.dir.path().join("new"), b"ab\n--\ngh\n").unwrap();
        std::fs::rename(scene.dir.path().join("new"), scene.log()).unwrap();
        scene.cut(Cut { sequence: 4, head_end: 3, tail_begin: 6, removed: 105 });
        assert_eq!(read(&mut reader, 111).1, "gh\n");
    }

    #[test]
    fn a_cut_that_nobody_finishes_is_waited_for_once() {
        let scene = Scene::new(&b"ab\n".repeat(1_000));
        scene.cut(Cut { sequence: 1, head_end: 3, tail_begin: 3, removed: 0 });
        let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
        let begun = std::time::Instant::now();
        for at in 0..1_000 {
            assert!(matches!(read(&mut reader, at).0, Block::Bytes(_)));
        }
        assert!(begun.elapsed() < CUT_INTERVAL * CUT_LOOKS_MAX, "a thousand waits would take far longer");
    }

    #[test]
    fn a_cut_that_is_being_made_is_waited_for() {
        let scene = Scene::new(b"ab\ncd\n");
        scene.cut(Cut { sequence: 1, head_end: 3, tail_begin: 3, removed: 0 });
        let done = Cut { sequence: 2, head_end: 3, tail_begin: 3, removed: 50 };
        std::thread::scope(|threads| {
            let reading = threads.spawn(|| {
                let mut reader = LogReader::open(&scene.runs, &scene.id).unwrap().unwrap();
                read(&mut reader, 53).1
            });
            std::thread::sleep(CUT_INTERVAL);
            scene.cut(done);
            assert_eq!(reading.join().unwrap(), "cd\n");
        });
    }
}
