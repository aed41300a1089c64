//! Adoption: what is made of jobs that ran when something changed below them. The machine was started again, a pid is another
//! process's, the root is seen from another machine or is a copy, the clock was set, everything stood still, the program was
//! replaced. Nothing is lost, nothing runs twice, nobody else is signalled, and what is said is true.
//!
//! The programs run as they are: another boot, machine or clock is a namespace with another file in the place of the
//! system's (`place`), and a pid is taken anew by telling the kernel the next one (`pids`). Both need root, or a user namespace;
//! where there is neither, a test says that it was skipped.
//!
//! Tested elsewhere: a watcher that dies and what its successor says (`processes::orphans`), entries that are written by hand
//! with another boot, host or start time (`processes::strangers`), records that were removed or are held, and what cannot be
//! looked at (`processes::truth`), silent watchers (`processes::stale`), schedules, approvals and health when the clock is set
//! (`scheduling`), standing still by `pause` (`processes::pause`).
//!
//! Faults that were planted by hand in the program while this was written, and what was reported. Whoever changes a test
//! should plant one of them again:
//!
//! | planted | caught by | as |
//! |---|---|---|
//! | a job of an earlier boot counts as one whose processes vanished | `adoption.reboot` | "lost" and not "rebooted", and what the ends say |
//! | a job of an earlier boot counts as one that has not begun | `adoption.boots`, `adoption.reboot` | a command that does not come to its end |
//! | an identity is the pid alone | `adoption.pids`, `pids` | all actions: "unclear" and not "lost", and it never ends |
//! | the pid namespace is not compared | `sites`, the container | not "elsewhere" |
//! | whoever finds a record free adopts its job, a living watcher or not (mended since) | `adoption.copies`, `copies` | 9 of 10 cases |
//! | a watcher's silence is counted by the clock on the wall | `adoption.clock` | "stale: no sign of life for 1d" |
//! | the next time of a schedule is left where a clock put it | `adoption.clock` | "its next time is in 89999 s" |
//! | times since the boot are those of the time namespace (mended since) | `adoption.suspend` | a pause from there does not reach the job |
//! | a watcher gives up when it cannot commit the end | `upgrade`, the newer index | waited in vain for the end |
//! | watchers are started by the program's path | `upgrade`, the removed program | waited in vain for the next attempt |

mod clock;
mod copies;
mod pids;
mod place;
mod reboot;
mod restored;
mod sites;
mod suspend;
mod time_namespaces;
mod upgrade;

use crate::proof::Proof;
use crate::support::{EVENT_MAX, Ran, User, is_alive, kill, until};
use bgctl::model::facts::Facts;
use bgctl::store::{
    lock::{WAIT_MAX, locked},
    root::{INDEX, INDEX_TEMPORARY, Root},
};
use rustix::process::Signal;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs a command that must come to its end.
#[track_caller]
fn bounded(mut command: Command) -> Ran {
    let (told, tell) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(command.output().unwrap()));
    Ran::of(&tell.recv_timeout(EVENT_MAX).expect("the command ends"))
}

/// A script that tells each of its executions apart: it appends its job and attempt to the file `ran`.
const WITNESS: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran";

/// The witness, and something after it.
fn witness(rest: &str) -> String {
    format!("{WITNESS}; {rest}")
}

/// What went wrong in the cases of a proof.
struct Cases {
    name: &'static str,
    count: usize,
    complaints: Vec<String>,
}

impl Cases {
    fn new(name: &'static str) -> Self {
        Self { name, count: 0, complaints: Vec::new() }
    }

    /// One case is well, or this is wrong with it.
    fn tried(&mut self, case: &str, wrong: impl IntoIterator<Item = String>) {
        self.count += 1;
        let wrong: Vec<String> = wrong.into_iter().collect();
        if !wrong.is_empty() {
            self.complaints.push(format!("{case}: {}", wrong.join("; ")));
        }
    }

    /// Tells the proof and fails where a case did.
    #[track_caller]
    fn tell(self, remark: &str) {
        let Self { name, count, complaints } = self;
        let failures = complaints.len();
        Proof { name, cases: count, failures, remark: remark.to_owned() }.tell();
        assert!(count > 0, "nothing was tried");
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}

/// Complains where two things differ.
#[expect(clippy::needless_pass_by_value, reason = "both are made where it is called")]
fn differs<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should_be: T) -> Option<String> {
    (is != should_be).then(|| format!("{what} is {is:?} and not {should_be:?}"))
}

thread_local! {
    /// How long a test waits for what must come. Once something did not, it fails, and the rest is only told.
    static PATIENCE: Cell<Duration> = const { Cell::new(EVENT_MAX) };
}

/// Complains where something that must come does not.
fn missing(what: &str, mut is_so: impl FnMut() -> bool) -> Option<String> {
    let deadline = Instant::now() + PATIENCE.get();
    while !is_so() {
        if Instant::now() >= deadline {
            PATIENCE.set(Duration::from_secs(1));
            return Some(format!("waited in vain: {what}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

/// A job as the index has it; nobody is asked and nothing is looked at.
fn entry(user: &User, id: &str) -> Value {
    let index = user.index();
    let found = index["jobs"].as_array().unwrap().iter().find(|job| job["id"] == id).cloned();
    found.unwrap_or(Value::Null)
}

/// The word for a job's state in the index.
fn state(user: &User, id: &str) -> String {
    entry(user, id)["status"].as_str().unwrap_or("gone").to_owned()
}

/// Changes the index by hand, under its lock.
fn edit(user: &User, change: impl FnOnce(&mut Value)) {
    let root = Root::open(&user.root()).unwrap().unwrap();
    locked(root.folder(), WAIT_MAX, || {
        let mut index = user.index();
        change(&mut index);
        let text = index.to_string();
        root.folder().replace(INDEX, INDEX_TEMPORARY, text.as_bytes(), false).unwrap();
    })
    .unwrap();
}

/// Changes the entry of a job by hand.
fn edit_job(user: &User, id: &str, change: impl FnOnce(&mut Value)) {
    edit(user, |index| {
        let jobs = index["jobs"].as_array_mut().unwrap();
        change(jobs.iter_mut().find(|job| job["id"] == id).unwrap());
    });
}

/// Waits until a job's command runs; gives the pids of its watcher and its main process.
#[track_caller]
fn running(user: &User, id: &str) -> (i32, i32) {
    let begun = || user.record(id).iter().any(|line| line["line"] == "started");
    until("its command runs", begun);
    (user.recorded_pid(id, "watcher"), user.recorded_pid(id, "process"))
}

/// How often each attempt of each job ran, by `ID ATTEMPT`.
fn executions(user: &User) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(user.path("ran")).unwrap_or_default();
    let mut count = BTreeMap::new();
    for line in text.lines() {
        *count.entry(line.to_owned()).or_default() += 1;
    }
    count
}

/// The attempts of a job that ran, in their order, each as often as it did.
fn attempts(user: &User, id: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(user.path("ran")).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix(id)?.trim().parse().ok()).collect()
}

/// What breaks the rules of the index, or ran more than once.
fn broken_rules(user: &User) -> Vec<String> {
    // Before the first submission there is none.
    let text = std::fs::read_to_string(user.root().join("jobs.json"));
    let damage = text.ok().and_then(|text| match Facts::parse(text) {
        Ok(facts) => facts.check().err().map(|damage| format!("the index breaks its rules: {damage}")),
        Err(error) => Some(format!("the index does not parse: {error}")),
    });
    let twice = executions(user).into_iter().filter(|(_, count)| *count > 1);
    damage.into_iter().chain(twice.map(|(what, count)| format!("{what} ran {count} times"))).collect()
}

/// Lets whoever waits for this FIFO go on; `false` while nobody does. Opened otherwise, it would be waited for without end.
fn is_let_go(gate: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(gate).is_ok()
}

/// Waits until somebody waits for this FIFO, and lets it go on.
#[track_caller]
fn let_go(gate: impl AsRef<Path>) {
    until("somebody waits for it", || is_let_go(gate.as_ref()));
}

/// Ends everything of a user in one instant, as a power cut does: nobody sees another end.
fn power_cut(user: &User) {
    loop {
        let all = user.processes();
        if all.is_empty() {
            return;
        }
        for pid in &all {
            kill(*pid, Signal::STOP);
        }
        // What was forked before its parent stood still is found by the next look.
        let more: Vec<i32> = user.processes().into_iter().filter(|pid| !all.contains(pid)).collect();
        if more.is_empty() {
            for pid in &all {
                kill(*pid, Signal::KILL);
            }
            // One that is just leaving has no arguments any more by which it would be found, and may hold its locks yet.
            until("they are gone", || !all.iter().any(|pid| is_alive(*pid)));
        }
    }
}

/// Kills a process of the test's own and waits until it is gone.
#[track_caller]
fn end_by_force(pid: i32) {
    kill(pid, Signal::KILL);
    until("the killed process is gone", || !is_alive(pid));
}

/// Stops a process and waits until it stands still.
#[track_caller]
fn stop(pid: i32) {
    kill(pid, Signal::STOP);
    until("it stands still", || is_stopped(pid));
}

fn is_stopped(pid: i32) -> bool {
    bgctl::os::process::look(pid).unwrap().is_some_and(|process| process.stopped)
}

/// Numbers that follow from a seed (`SplitMix64`).
struct Drawn(u64);

impl Drawn {
    /// One below this.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Says past the test runner, which keeps what `print!` prints, that something was left out.
fn skipped(why: &str) {
    crate::support::skipped(why);
}
