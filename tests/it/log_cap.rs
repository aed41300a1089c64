//! The cap of a log: whatever is appended while the middle is taken out, the beginning and the end stay whole.
//!
//! On two file systems: one that can take blocks out, and one that can only make holes.

use bgctl::exec::local::{cut, log::Log};
use bgctl::model::{id::JobId, limit::LOG_BYTES_MIN};
use bgctl::os::folder::Folder;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A folder of run files with one log in it.
pub struct Scene {
    _dir: tempfile::TempDir,
    runs: Folder,
    id: JobId,
    path: PathBuf,
}

/// A file system on a disk, and one in memory.
pub fn file_systems() -> Vec<PathBuf> {
    let memory = Path::new("/dev/shm");
    let disk = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    if memory.is_dir() { vec![disk, memory.to_owned()] } else { vec![disk] }
}

impl Scene {
    fn on(place: &Path) -> Self {
        let dir = tempfile::tempdir_in(place).unwrap();
        let runs = Folder::open_or_create(&dir.path().join("runs")).unwrap();
        let id = JobId::parse("bg_20260213_aaaaaa").unwrap();
        let path = runs.path().join(format!("{id}.log"));
        Self { _dir: dir, runs, id, path }
    }

    fn appender(&self) -> File {
        OpenOptions::new().create(true).append(true).open(&self.path).unwrap()
    }

    fn log(&self) -> Log<'_> {
        Log::open(&self.runs, &self.id).unwrap()
    }

    fn text(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }
}

/// Numbered lines of many lengths, the longest longer than several blocks.
fn line(number: u64) -> Vec<u8> {
    let length = match number % 97 {
        0 => 9_000,
        1 => 20_000,
        other => (other * other) % 300,
    };
    let mut line = format!("{number} ").into_bytes();
    line.resize(line.len() + length as usize, b'a' + (number % 26) as u8);
    line.push(b'\n');
    line
}

/// What a log that was cut has: the lines of its beginning, the bytes it says were left out, and the lines of its end.
struct Read {
    head: Vec<u64>,
    left_out: u64,
    tail: Vec<u64>,
}

/// Every line is whole: it is exactly the line of its number.
#[track_caller]
fn read(text: &[u8]) -> Read {
    let mut found = Read { head: Vec::new(), left_out: 0, tail: Vec::new() };
    for one in text.split_inclusive(|byte| *byte == b'\n') {
        if one.starts_with(b"--- ") {
            assert_eq!(found.left_out, 0, "one line says what was left out");
            let words = String::from_utf8(one.to_vec()).unwrap();
            let number = words.split(['(', ' ']).skip_while(|word| !word.is_empty()).nth(1).unwrap();
            found.left_out = number.parse().unwrap_or_else(|_| panic!("{words}"));
            continue;
        }
        let shown = String::from_utf8_lossy(&one[..one.len().min(60)]).into_owned();
        let number: u64 =
            shown.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("torn: {shown}"));
        assert!(one == line(number), "torn: {shown}");
        if found.left_out == 0 { found.head.push(number) } else { found.tail.push(number) }
    }
    found
}

#[track_caller]
fn assert_whole(text: &[u8], last: u64, written: u64) {
    let read = read(text);
    assert!(read.head.iter().copied().eq(0..read.head.len() as u64), "the beginning has a gap");
    let first_of_tail = *read.tail.first().expect("there is an end");
    assert!(read.tail.iter().copied().eq(first_of_tail..=last), "the end has a gap");
    let bytes = |numbers: &[u64]| numbers.iter().map(|number| line(*number).len() as u64).sum::<u64>();
    assert_eq!(bytes(&read.head) + read.left_out + bytes(&read.tail), written, "every byte is accounted for");
}

#[test]
fn lines_that_are_appended_while_the_middle_goes_are_neither_lost_nor_torn() {
    const BYTES_MAX: u64 = 1 << 20;
    for place in file_systems() {
        let scene = Scene::on(&place);
        let over = AtomicBool::new(false);
        let (mut cuts, mut most) = (0, 0);
        let (last, written) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut file = scene.appender();
                let (mut number, mut written) = (0, 0);
                while written < 64 * BYTES_MAX {
                    let line = line(number);
                    file.write_all(&line).unwrap();
                    written += line.len() as u64;
                    number += 1;
                }
                over.store(true, Ordering::SeqCst);
                (number - 1, written)
            });
            let mut log = scene.log();
            let mut now = Duration::ZERO;
            while !over.load(Ordering::SeqCst) {
                now += Duration::from_secs(1);
                log.look(Some(BYTES_MAX), now).unwrap();
                let cut = cut::read(&scene.runs, &scene.id).unwrap().unwrap_or_default();
                assert!(!cut.is_being_made());
                cuts = cuts.max(cut.sequence / 2);
                most = most.max(cut.head_end);
            }
            let result = writer.join().unwrap();
            log.finish(Some(BYTES_MAX)).unwrap();
            assert_eq!(log.written().unwrap(), result.1);
            result
        });
        assert!(cuts >= 3, "{}: {cuts} cuts", place.display());
        let text = scene.text();
        assert!(text.len() as u64 <= BYTES_MAX + 100_000, "{} bytes", text.len());
        assert!(!text.contains(&0), "an ordinary file has no hole");
        assert_whole(&text, last, written);
    }
}

#[test]
fn a_log_within_its_limit_is_not_touched() {
    for place in file_systems() {
        let scene = Scene::on(&place);
        scene.appender().write_all(b"one\ntwo\n").unwrap();
        let mut log = scene.log();
        log.look(Some(LOG_BYTES_MIN), Duration::from_secs(1)).unwrap();
        log.finish(Some(LOG_BYTES_MIN)).unwrap();
        assert_eq!(scene.text(), b"one\ntwo\n");
        assert_eq!(cut::read(&scene.runs, &scene.id).unwrap(), None);
    }
}

#[test]
fn a_log_without_a_limit_is_not_looked_at_until_it_gets_one() {
    let scene = Scene::on(&file_systems()[0]);
    let mut file = scene.appender();
    (0..2_000).for_each(|number| file.write_all(&line(number)).unwrap());
    let mut log = scene.log();
    log.look(None, Duration::from_secs(1)).unwrap();
    assert_eq!(log.next_look(), None);
    assert!(scene.text().len() as u64 > LOG_BYTES_MIN);
    log.look(Some(LOG_BYTES_MIN), Duration::from_secs(2)).unwrap();
    assert_eq!(log.next_look(), Some(Duration::from_secs(3)));
    assert!(scene.text().len() as u64 <= LOG_BYTES_MIN);
}

#[test]
fn a_log_that_grows_fast_is_looked_at_more_often() {
    let scene = Scene::on(&file_systems()[0]);
    let mut file = scene.appender();
    let mut log = scene.log();
    let mut seconds = |seconds: u64, bytes: usize| {
        file.write_all(&vec![b'\n'; bytes]).unwrap();
        let now = Duration::from_secs(seconds);
        log.look(Some(LOG_BYTES_MIN), now).unwrap();
        log.next_look().unwrap().saturating_sub(now)
    };
    assert_eq!(seconds(1, 10), Duration::from_secs(1));
    assert_eq!(seconds(2, 200_000), Duration::from_millis(50));
    assert_eq!(seconds(3, 10), Duration::from_secs(1));
}

#[test]
fn one_endless_line_is_kept_at_both_ends() {
    for place in file_systems() {
        let scene = Scene::on(&place);
        let mut file = scene.appender();
        let mut log = scene.log();
        for second in 1..=20 {
            file.write_all(&vec![b'x'; 50_000]).unwrap();
            log.look(Some(LOG_BYTES_MIN), Duration::from_secs(second)).unwrap();
        }
        log.finish(Some(LOG_BYTES_MIN)).unwrap();
        let text = String::from_utf8(scene.text()).unwrap();
        assert!(text.starts_with("xxx") && text.ends_with("xxx"));
        assert!(text.contains("left out here"));
        assert!(text.len() as u64 <= LOG_BYTES_MIN + 50_000, "{}", text.len());
    }
}

#[test]
fn a_later_attempt_goes_on_in_a_log_that_was_cut() {
    for place in file_systems() {
        let scene = Scene::on(&place);
        let (mut number, mut written) = (0, 0);
        for _attempt in 1..=3 {
            let mut file = scene.appender();
            let mut log = scene.log();
            for second in 1..=10 {
                for _ in 0..200 {
                    let line = line(number);
                    file.write_all(&line).unwrap();
                    written += line.len() as u64;
                    number += 1;
                }
                log.look(Some(LOG_BYTES_MIN * 2), Duration::from_secs(second)).unwrap();
            }
            log.finish(Some(LOG_BYTES_MIN * 2)).unwrap();
            assert_eq!(log.written().unwrap(), written);
            assert_whole(&scene.text(), number - 1, written);
        }
    }
}
