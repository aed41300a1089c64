//! What a start and a watcher may cost, in system calls, fsyncs, renames and instructions.
//!
//! Counted in the debug build, whose assertions make no system calls. The bound on all calls is what was measured
//! and some slack for the allocator and for how reads fall; whoever needs more says so here.

use super::scene::Scene;
use super::scenes::{
    submitting::{FIRST_START, NEXT_START},
    watching::WATCHER_OF_ONE,
};
use super::strace::{can_trace, counts, run};
use super::sweep::undisturbed;
use crate::support::User;
use std::collections::BTreeMap;

struct Spent(BTreeMap<String, usize>);

impl Spent {
    fn by(scene: &Scene) -> Self {
        Self(counts(&undisturbed(scene).log))
    }

    fn on(&self, call: &str) -> usize {
        self.0.get(call).copied().unwrap_or(0)
    }

    fn on_syncs(&self) -> usize {
        ["fsync", "fdatasync", "sync", "syncfs"].iter().map(|call| self.on(call)).sum()
    }

    fn on_renames(&self) -> usize {
        ["rename", "renameat", "renameat2"].iter().map(|call| self.on(call)).sum()
    }

    fn on_all(&self) -> usize {
        self.0.values().sum()
    }
}

#[test]
fn a_start_writes_the_index_once_and_syncs_the_file_and_its_folder() {
    /// Measured: 148, of which 8 write the environment down again, 8 look whose the files are that are opened, and 7 tell
    /// the stream: it is opened and looked at, its end is read, the limit on the size of files is asked, and it is written
    /// and closed. 9 write over what was the index before: it is opened and looked at, twice, leased (3 calls), written, and freed,
    /// and whether the disk is full is asked.
    const CALLS_MAX: usize = 153;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(&NEXT_START);
    // The environment, which went with the job before, is written again; no job needs it after a power cut.
    assert_eq!((spent.on_syncs(), spent.on_renames()), (2, 1), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}

#[test]
fn a_first_start_also_makes_its_folder_durable() {
    /// Measured: 150, of which 7 tell the stream, and 8 look whose the files are that are opened.
    const CALLS_MAX: usize = 155;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(&FIRST_START);
    // The index and its folder, and the folder in which the root is new.
    assert_eq!((spent.on_syncs(), spent.on_renames()), (3, 1), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}

#[test]
fn a_start_that_has_to_wait_makes_a_new_environment_durable_and_the_next_one_finds_it_so() {
    if !can_trace() {
        return;
    }
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let gate = user.fifo("gate");
    let held = user.start_sh(&format!("read word < '{}'", gate.display()));
    let syncs = |value: &str| {
        let arguments = ["start", "--env", value, "--", "true"].map(str::to_owned);
        Spent(counts(&run(&user, &arguments, None).log)).on_syncs()
    };
    // The index and its folder, the environment and its folder.
    assert_eq!(["A=1", "A=1", "A=2"].map(syncs), [4, 2, 4]);
    std::fs::write(gate, "go\n").unwrap();
    assert_eq!(user.wait(&held), 0);
    user.all_gone();
}

#[test]
fn a_watcher_of_one_job_writes_the_index_once_and_the_snapshot_once() {
    /// Measured: 252 to 261, of which 18 raise the resource limits that it inherited, and 18 look whose the files are that are
    /// opened.
    const CALLS_MAX: usize = 272;
    if !can_trace() {
        return;
    }
    let spent = Spent::by(&WATCHER_OF_ONE);
    // The snapshot is renamed into place too, and is not made durable: the index has what counts.
    assert_eq!((spent.on_syncs(), spent.on_renames()), (2, 2), "{:?}", spent.0);
    assert!(spent.on_all() <= CALLS_MAX, "{} calls: {:?}", spent.on_all(), spent.0);
}

#[test]
fn a_change_of_an_index_of_lines_adds_a_few_lines_and_syncs_once_however_many_jobs_there_are() {
    /// Two lines: an entry, and the end of the transaction.
    const BYTES_MAX: u64 = 1_024;
    if !can_trace() {
        return;
    }
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[store]\ntype = \"jsonl\"\n[queue]\nmax_size = 2000\n")
        .unwrap();
    let batch = user.path("batch");
    std::fs::write(&batch, "true\n".repeat(1_000)).unwrap();
    user.ok(["start", "--delay", "10h", "--batch", batch.to_str().unwrap()]);
    // The first that adds to the file makes its name durable, too.
    let arguments = ["start", "--delay", "10h", "--", "true"].map(str::to_owned);
    assert_eq!([(); 2].map(|()| Spent(counts(&run(&user, &arguments, None).log)).on_syncs()), [2, 1]);
    let index = user.root().join("jobs.jsonl");
    let before = std::fs::metadata(&index).unwrap();
    let spent = Spent(counts(&run(&user, &arguments, None).log));
    let after = std::fs::metadata(&index).unwrap();
    assert_eq!((spent.on_syncs(), spent.on_renames()), (1, 0), "{:?}", spent.0);
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&before), std::os::unix::fs::MetadataExt::ino(&after));
    let added = after.len() - before.len();
    assert!((1..=BYTES_MAX).contains(&added), "{added} bytes");
}

/// The instructions of a command in user mode, by `callgrind`; `None` where that is not there, which is said.
fn instructions(user: &User, arguments: &[&str]) -> Option<u64> {
    let mut command = user.command("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(crate::support::BGCTL)
        .args(arguments);
    let Ok(ran) = command.output() else {
        crate::support::skipped("valgrind is not there");
        return None;
    };
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{said}");
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    Some(counted.and_then(|(_, count)| count.trim().parse().ok()).expect(&said))
}

#[test]
fn the_commands_of_every_day_run_through_so_many_instructions() {
    /// Those of the debug build, with what it asserts: it reads again what it has written. Measured: 0.43, 3.80, 6.75 and 8.62
    /// million; the optimised start runs through 0.58.
    const INSTRUCTIONS_MAX: [(&[&str], u64); 4] = [
        (&["--version"], 500_000),
        (&["start", "--", "true"], 4_400_000),
        (&["list"], 7_800_000),
        (&["status", "--json"], 9_900_000),
    ];
    let user = User::new();
    let first = user.start(["--", "true"]);
    user.wait(&first);
    user.all_gone();
    for (arguments, most) in INSTRUCTIONS_MAX {
        let Some(count) = instructions(&user, arguments) else { return };
        assert!(count <= most, "{arguments:?}: {count}");
        user.all_gone();
    }
}

#[test]
fn what_is_done_to_many_jobs_does_not_read_the_index_for_each() {
    const JOBS: usize = 100;
    /// Measured: 40 to 60.
    const OPENED_MAX: usize = 90;
    if !can_trace() {
        return;
    }
    let user = User::new();
    user.make_root();
    let entry = |number: usize| {
        format!(
            "{{\"id\":\"bg_20260213_{number:06}\",\"status\":\"queued\",\"command\":\"true\",\"cwd\":\"/\",\
             \"created_at\":\"2026-02-13T10:00:00Z\",\"not_before\":\"2100-01-01T00:00:00Z\"}}"
        )
    };
    let entries: Vec<String> = (0..JOBS).map(entry).collect();
    user.write_index(&format!("{{\"version\":1,\"jobs\":[\n{}\n]}}", entries.join(",\n")));
    for arguments in [vec!["pause", "--all"], vec!["resume", "--all"], vec!["cancel", "--all", "--yes"]] {
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let spent = Spent(counts(&run(&user, &arguments, None).log));
        let opened = spent.on("openat") + spent.on("open");
        // A cancelled job's watcher is looked for, once each.
        let looked = if arguments[0] == "cancel" { JOBS } else { 0 };
        assert!(opened <= OPENED_MAX + looked, "{arguments:?} opened {opened} files: {:?}", spent.0);
        assert!(spent.on("inotify_init1") <= 1, "{arguments:?}: {:?}", spent.0);
    }
}
