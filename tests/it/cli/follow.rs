//! `bgctl logs --follow`: soon, whole, in bounded memory, and at no cost while nothing comes.

use super::{Held, ago, elsewhere, entry, hears_interrupts, index_of, interruptible, retried};
use crate::support::{EVENT_MAX, Ran, User, ended, until};
use bgctl::exec::local::cut::{Cut, CutFile};
use bgctl::model::id::JobId;
use bgctl::os::folder::Folder;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A command whose output is read as it comes.
struct Reading {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Reading {
    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// The rest, and the exit code.
    #[track_caller]
    fn rest(&mut self) -> (String, i32) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (rest, ended(&mut self.child))
    }
}

/// A job that repeats each line its test gives it.
struct Echo {
    id: String,
    gate: File,
}

impl Echo {
    #[track_caller]
    fn start(user: &User, name: &str) -> Self {
        let gate = user.fifo(&format!("{name}.gate"));
        let script = format!("while read -r line; do echo \"$line\"; done < '{}'", gate.display());
        let id = user.start(["--name", name, "--", "sh", "-c", &script]);
        // Opened for writing, a FIFO waits until somebody reads it.
        Self { id, gate: OpenOptions::new().write(true).open(gate).unwrap() }
    }

    fn say(&mut self, line: &str) {
        self.gate.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

fn log_path(user: &User, id: &str) -> PathBuf {
    user.root().join("runs").join(format!("{id}.log"))
}

/// Cuts a log as a watcher does: `change` changes the file meanwhile.
fn cut(user: &User, id: &str, to: Cut, change: impl FnOnce(&PathBuf)) {
    let runs = Folder::open(&user.root().join("runs")).unwrap().unwrap();
    let file = CutFile::open(&runs, &JobId::parse(id).unwrap()).unwrap();
    file.write(&Cut { sequence: to.sequence - 1, ..to }).unwrap();
    change(&log_path(user, id));
    file.write(&to).unwrap();
}

/// Writes a file's content anew, at its beginning; it ends there.
fn rewrite(path: &PathBuf, content: &[u8]) {
    std::fs::write(path, content).unwrap();
}

fn waits(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn a_line_is_shown_within_50_milliseconds() {
    let user = User::new();
    let mut job = Echo::start(&user, "it");
    let mut follower = Reading::of(user.bgctl(["logs", "-f", &job.id]));
    job.say("first");
    assert_eq!(follower.line(), "first\n");
    let mut times: Vec<Duration> = (0..41)
        .map(|number| {
            let begun = Instant::now();
            job.say(&number.to_string());
            assert_eq!(follower.line(), format!("{number}\n"));
            begun.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[20] < Duration::from_millis(50), "{times:?}");
    drop(job.gate);
    assert_eq!(follower.rest(), (String::new(), 0));
}

#[test]
fn silence_wakes_no_follower() {
    let user = User::new();
    let mut job = Echo::start(&user, "it");
    job.say("first");
    let mut followers = [
        Reading::of(user.bgctl(["logs", "-f", &job.id])),
        Reading::of(user.bgctl(["logs", "-f", "it", &job.id])),
    ];
    for follower in &mut followers {
        assert_eq!(follower.line(), "first\n");
        let pid = follower.child.id();
        let mut before = 0;
        until("it sleeps", || {
            let last = std::mem::replace(&mut before, waits(pid));
            std::thread::sleep(Duration::from_millis(200));
            last == before && last > 0
        });
        // Polling four times a second would be seen eight times.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(waits(pid), before);
    }
    job.say("second");
    assert_eq!(followers[0].line(), "second\n", "and it still hears");
    drop(job.gate);
    for follower in &mut followers {
        assert_eq!(follower.rest().1, 0);
    }
}

#[test]
fn several_jobs_lines_come_as_they_are_written_and_whole() {
    let user = User::new();
    let (mut web, mut worker) = (Echo::start(&user, "web"), Echo::start(&user, "worker"));
    let mut follower = Reading::of(user.bgctl(["logs", "-f", "web", "worker"]));
    for number in 0..5 {
        web.say(&format!("a{number}"));
        assert_eq!(follower.line(), format!("web    | a{number}\n"));
        worker.say(&format!("b{number}"));
        assert_eq!(follower.line(), format!("worker | b{number}\n"));
    }
    drop(web.gate);
    user.wait(&web.id);
    worker.say("alone");
    assert_eq!(follower.line(), "worker | alone\n");
    drop(worker.gate);
    assert_eq!(follower.rest(), (String::new(), 0));
}

#[test]
fn a_line_in_its_beginning_waits_for_its_end_where_several_are_followed() {
    let user = User::new();
    let held = Held::start_with(&user, "half", "printf half; trap 'echo ' EXIT", &["--name", "half"]);
    let mut web = Echo::start(&user, "web");
    let mut follower = Reading::of(user.bgctl(["logs", "-f", "half", "web"]));
    web.say("whole");
    assert_eq!(follower.line(), "web  | whole\n");
    held.let_go(0);
    assert_eq!(follower.line(), "half | half\n");
    drop(web.gate);
    assert_eq!(follower.rest(), (String::new(), 0));
}

#[test]
fn a_line_without_end_costs_no_memory() {
    const BYTES: u64 = 200_000_000;
    let user = User::new();
    let script = format!("head -c {BYTES} /dev/zero | tr '\\0' x");
    // A log with a limit may have lost its middle before it is read.
    let held = Held::start_with(&user, "it", &script, &["--log-max", "none"]);
    let other = Held::start(&user, "other");
    for arguments in [vec!["logs", "-f", &held.id], vec!["logs", "-f", &held.id, &other.id]] {
        let mut child = user.bgctl(&arguments).stdout(Stdio::null()).spawn().unwrap();
        let read = || {
            let text = std::fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap();
            text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse::<u64>().unwrap()
        };
        until("all is read", || read() > BYTES);
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak_kib < 40_000, "{peak}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_follower_whose_reader_goes_away_ends_although_nothing_comes() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let mut child = interruptible(&user, &["logs", "-f", &held.id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it follows", || hears_interrupts(child.id()));
    drop(child.stdout.take());
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(user.status(&held.id), "running");
}

#[test]
fn a_follower_keeps_its_place_when_the_log_becomes_shorter() {
    let user = User::new();
    let mut job = Echo::start(&user, "it");
    let mut follower = Reading::of(user.bgctl(["logs", "-f", &job.id]));
    for number in 10..20 {
        job.say(&number.to_string());
        assert_eq!(follower.line(), format!("{number}\n"));
    }
    // Of 30 bytes the first and the last three stay: 24 went, a line came.
    let shorter = Cut { sequence: 2, head_end: 3, tail_begin: 9, removed: 18 };
    cut(&user, &job.id, shorter, |path| rewrite(path, b"10\n[---]\n19\n"));
    job.say("20");
    assert_eq!(follower.line(), "20\n", "nothing twice, nothing lost");
    // The next cut leaves a hole instead: the log keeps its length.
    let hole = Cut { sequence: 4, head_end: 3, tail_begin: 12, removed: 18 };
    cut(&user, &job.id, hole, |path| rewrite(path, b"10\n[---]\n\0\0\x0020\n"));
    job.say("21");
    assert_eq!(follower.line(), "21\n");
    drop(job.gate);
    assert_eq!(follower.rest(), (String::new(), 0));
    assert_eq!(user.ok(["logs", &job.id]), "10\n[bg: left out here: 27 bytes]\n20\n21\n");
}

#[test]
fn a_follower_that_is_late_is_told_what_it_missed_and_goes_on() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "seq 1000000 1199999; trap 'echo late' EXIT", &[]);
    let written = 200_000 * 8;
    until("it wrote", || log_path(&user, &held.id).metadata().is_ok_and(|data| data.len() == written));
    for removed in [written - 80 - 16, 0] {
        // Nobody reads, so that the follower stands still somewhere in the middle.
        let mut follower = Reading::of(user.bgctl(["logs", "-f", &held.id]));
        assert_eq!(follower.line(), "1000000\n");
        let pid = follower.child.id();
        let stands =
            || std::fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("pipe"));
        let slept =
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") S "));
        until("it stands still", || stands() || slept());
        let sequence = if removed > 0 { 2 } else { 4 };
        let tail: String = (1_199_990..1_200_000).map(|number| format!("{number}\n")).collect();
        let tail_begin = written - 80 - removed;
        cut(&user, &held.id, Cut { sequence, head_end: 8, tail_begin, removed }, |path| {
            let mut log = b"1000000\n[-----]\n".to_vec();
            log.resize(usize::try_from(tail_begin).unwrap(), 0);
            log.extend_from_slice(tail.as_bytes());
            rewrite(path, &log);
        });
        let mut shown = b"1000000\n".to_vec();
        let deadline = Instant::now() + EVENT_MAX;
        while !shown.ends_with(b"1199999\n") {
            assert!(Instant::now() < deadline);
            let more = follower.out.fill_buf().unwrap();
            shown.extend_from_slice(more);
            let count = more.len();
            follower.out.consume(count);
        }
        let shown = String::from_utf8(shown).unwrap();
        let (before, after) = shown.split_once("[bg: left out here: ").expect("it says so");
        let (missed, after) = after.split_once(']').unwrap();
        let missed: u64 = missed.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(after, format!("\n{tail}"));
        // What it gave ends where it missed something; a line that was torn there was given an end.
        let given = before.len() as u64;
        let given = [given, given - 1].into_iter().find(|given| given + missed + 80 == written);
        let given = usize::try_from(given.expect("every byte is given or missed")).unwrap();
        let whole: String = (1_000_000..1_200_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(&before[..given], &whole[..given]);
        follower.child.kill().unwrap();
        follower.child.wait().unwrap();
        // For the second round, whole again.
        if removed > 0 {
            cut(&user, &held.id, Cut { sequence: 4, ..Cut::default() }, |path| {
                rewrite(path, whole.as_bytes());
            });
            std::fs::remove_file(user.root().join("runs").join(format!("{}.cut", held.id))).unwrap();
        }
    }
}

#[test]
fn a_log_that_is_cut_again_and_again_while_it_grows_loses_nothing_unsaid() {
    const BLOCK: u64 = 4_096;
    const LINES: u64 = 60_000;
    let user = User::new();
    let collapse = rustix::fs::FallocateFlags::COLLAPSE_RANGE;
    let probe = File::create(user.path("probe")).unwrap();
    probe.set_len(4 * BLOCK).unwrap();
    if rustix::fs::fallocate(&probe, collapse, BLOCK, BLOCK).is_err() {
        // Not every file system can (tmpfs cannot).
        return;
    }
    let script = format!("i=1000000; while [ $i -lt {} ]; do echo $i; i=$((i+1)); done", 1_000_000 + LINES);
    let held = Held::start_with(&user, "it", &script, &["--timeout", "none"]);
    let mut follower = Reading::of(user.bgctl(["logs", "-f", &held.id]));
    let reading = std::thread::spawn(move || follower.rest());
    // The first block but its last two lines is the head, which the line takes; the last three blocks or so stay.
    let path = log_path(&user, &held.id);
    let mut now = Cut { sequence: 0, head_end: BLOCK - 16, tail_begin: BLOCK, removed: 0 };
    let mut cuts = 0;
    until("it wrote", || {
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        let size = (length.saturating_sub(4 * BLOCK)) / BLOCK * BLOCK;
        if size > 0 {
            let next = Cut { sequence: now.sequence + 2, removed: now.removed + size, ..now };
            cut(&user, &held.id, next, |_| {
                std::os::unix::fs::FileExt::write_all_at(&file, b"[left out here]\n", BLOCK - 16).unwrap();
                rustix::fs::fallocate(&file, collapse, BLOCK, size).unwrap();
            });
            now = next;
            cuts += 1;
        }
        length + now.removed >= LINES * 8
    });
    held.let_go(0);
    let (shown, code) = reading.join().unwrap();
    assert_eq!(code, 0);
    assert!(cuts > 0);
    let mut at = 0;
    for line in shown.lines() {
        if let Some(missed) = line.strip_prefix("[bg: left out here: ") {
            at += missed.split(' ').next().unwrap().parse::<u64>().unwrap();
        } else {
            assert_eq!(line, (1_000_000 + at / 8).to_string(), "after {at} bytes");
            at += 8;
        }
    }
    assert_eq!(at, LINES * 8);
}

#[test]
fn a_log_that_somebody_empties_is_followed_from_its_new_beginning() {
    let user = User::new();
    let mut job = Echo::start(&user, "it");
    let mut follower = Reading::of(user.bgctl(["logs", "-f", &job.id]));
    job.say("a long line before");
    assert_eq!(follower.line(), "a long line before\n");
    File::create(log_path(&user, &job.id)).unwrap();
    assert_eq!(follower.line(), "[bg: the log was emptied here]\n");
    job.say("after");
    assert_eq!(follower.line(), "after\n");
    drop(job.gate);
    assert_eq!(follower.rest(), (String::new(), 0));
}

#[test]
fn following_goes_through_attempts_until_the_end() {
    let user = User::new();
    let id = retried(&user, "running");
    let mut whole = Reading::of(user.bgctl(["logs", "-f", &id]));
    let mut second = Reading::of(user.bgctl(["logs", "-f", "--attempt", "2", &id]));
    let mut third = Reading::of(user.bgctl(["logs", "-f", "--attempt", "3", &id]));
    assert_eq!([whole.line(), whole.line(), whole.line()], ["one\n", "two\n", "two again\n"]);
    assert_eq!([second.line(), second.line()], ["two\n", "two again\n"]);
    // Its attempt failed; it waits for another one, begins it, and completes.
    let replace = |status: &str, changes: &serde_json::Value| {
        std::fs::write(user.root().join("next"), index_of(&[entry("retryy", status, changes)])).unwrap();
        std::fs::rename(user.root().join("next"), user.root().join("jobs.json")).unwrap();
    };
    let later = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
    replace("queued", &json!({ "attempt": 2, "not_before": later }));
    let runs = user.root().join("runs");
    let append = |name: &str, text: &str| {
        let mut file = OpenOptions::new().append(true).open(runs.join(format!("{id}.{name}"))).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    append(
        "lock",
        &format!(
            "{}\n",
            json!({ "line": "watcher", "attempt": 3, "pid": 1, "start": 1, "boot": "b", "at": ago(1), "monotonic_ms": 1 })
        ),
    );
    append("lock", "{\"line\":\"process\",\"pid\":2,\"start\":1,\"log_from\":18,\"monotonic_ms\":1}\n");
    replace("running", &json!({ "started_at": ago(1), "attempt": 3, "claim": elsewhere() }));
    append("log", "three\n");
    assert_eq!(whole.line(), "three\n");
    assert_eq!(third.line(), "three\n");
    assert_eq!(second.rest(), (String::new(), 0), "that attempt is over");
    assert!(whole.child.try_wait().unwrap().is_none());
    replace("completed", &json!({ "started_at": ago(1), "ended_at": ago(0), "exit_code": 0, "attempt": 3 }));
    assert_eq!(whole.rest(), (String::new(), 0));
    assert_eq!(third.rest(), (String::new(), 0));
}

#[test]
fn following_does_not_answer_in_json() {
    let user = User::new();
    let id = user.start(["true"]);
    let ran = user.run(["logs", "-f", "--json", &id]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.json()["error"]["code"], "usage");
}
