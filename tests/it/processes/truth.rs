//! What a look can miss: a first thread that has left, a system that does not answer, a record that was removed or
//! that another holds, a disk that takes no line. What could not be seen is never judged.

use super::{Lair, claimed_here, end_by_force, gone, job_id, monotonic_ms, now, record_of};
use crate::support::{Ran, User, is_alive, kill, until};
use bgctl::exec::local::record::{Line, Record};
use bgctl::os::{folder::Folder, process::Identity};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

// A process whose first thread has left.

/// Its first thread leaves; once the kernel shows it as a zombie, the other writes down who it is, and stays.
const HEADLESS: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *pids;

static void *stay(void *unused) {
    char state = 'R';
    while (state != 'Z') {
        char text[512];
        FILE *file = fopen("/proc/self/stat", "r");
        size_t length = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[length] = 0;
        state = strrchr(text, ')')[2];
        usleep(1000);
    }
    FILE *file = fopen(pids, "a");
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    for (;;) pause();
    return unused;
}

int main(int count, char **arguments) {
    pthread_t thread;
    if (count != 2) return 2;
    pids = arguments[1];
    if (pthread_create(&thread, NULL, stay, NULL) != 0) return 1;
    pthread_exit(NULL);
}
"#;

/// Processes that go on although their first thread has left. Dropped, they are ended: with that thread went what
/// [`User::processes`] would know them by.
struct Headless<'u> {
    user: &'u User,
    command: String,
}

impl<'u> Headless<'u> {
    /// `None`: there is no C compiler here, and that was said.
    fn new(user: &'u User) -> Option<Self> {
        let (source, program) = (user.path("headless.c"), user.path("headless"));
        std::fs::write(&source, HEADLESS).unwrap();
        let compiled = Command::new("cc").arg("-pthread").arg("-o").args([&program, &source]).output();
        let Ok(compiled) = compiled else {
            // Past the test runner, which keeps what print! prints.
            crate::support::skipped("there is no C compiler");
            return None;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let command = format!("{} {}", program.display(), user.path("headless.pids").display());
        Some(Self { user, command })
    }

    /// Its pid, once its first thread has left.
    #[track_caller]
    fn pid(&self) -> i32 {
        self.user.line_in("headless.pids").trim_end().parse().unwrap()
    }

    fn living(&self) -> Vec<i32> {
        let pids = std::fs::read_to_string(self.user.path("headless.pids")).unwrap_or_default();
        pids.lines().filter_map(|pid| pid.parse().ok()).filter(|pid| has_a_thread(*pid)).collect()
    }
}

impl Drop for Headless<'_> {
    fn drop(&mut self) {
        self.living().into_iter().for_each(|pid| kill(pid, Signal::KILL));
    }
}

/// Whether a thread of a process runs, asked of the threads themselves.
fn has_a_thread(pid: i32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let states =
        threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    let mut states = states.filter_map(|stat| stat.rsplit(')').next()?.trim_start().chars().next());
    states.any(|state| !"ZXx".contains(state))
}

#[test]
fn a_cancel_ends_a_process_whose_first_thread_has_left() {
    let user = User::new();
    let Some(headless) = Headless::new(&user) else { return };
    let script = format!("setsid {} & wait", headless.command);
    let id = user.start(["--grace", "1s", "--", "sh", "-c", &script]);
    let pid = headless.pid();
    user.ok(["cancel", "--no-wait", &id]);
    user.until_indexed_as(&id, "cancelled");
    assert!(!has_a_thread(pid), "cancelled, and yet it lives");
}

#[test]
fn a_leftover_whose_first_thread_has_left_is_ended_and_counted() {
    let user = User::new();
    let Some(headless) = Headless::new(&user) else { return };
    let go = user.fifo("go");
    let script = format!("setsid {} & read line < {}", headless.command, go.display());
    let id = user.start_sh(&script);
    let pid = headless.pid();
    std::fs::write(go, "go\n").unwrap();
    assert_eq!(user.wait(&id), 0);
    assert!(!has_a_thread(pid), "ended, and yet it lives");
    let summary = user.job(&id)["summary"].as_str().unwrap_or_default().to_owned();
    assert!(summary.contains('1'), "it is counted: {summary:?}");
}

#[test]
fn a_job_whose_first_thread_has_left_is_not_taken_for_ended_when_its_watcher_dies() {
    let user = User::new();
    let Some(headless) = Headless::new(&user) else { return };
    let id = user.start_sh(&format!("exec {}", headless.command));
    let pid = headless.pid();
    assert_eq!(user.recorded_pid(&id, "process"), pid);
    user.lose_watcher(&id);
    assert_eq!(user.observed(&id), "unwatched");
    user.ok(["tick"]);
    until("it is watched again", || user.observed(&id) == "alive");
    assert!(has_a_thread(pid), "it goes on");
    user.ok(["cancel", &id]);
    assert!(!has_a_thread(pid), "cancelled, and yet it lives");
    user.all_gone();
}

// A system that does not answer.

/// A tick that cannot look at these paths. `None`: nothing can be traced here, and that was said.
fn tick_without(user: &User, paths: &[&str]) -> Option<Ran> {
    if !crate::sweeps::can_trace() {
        return None;
    }
    let log = user.path("strace.log");
    let mut strace = user.command("strace");
    strace.arg("-o").arg(&log).args(["-e", "trace=openat", "-e", "inject=openat:error=ENFILE"]);
    for path in paths {
        strace.args(["-P", path]);
    }
    let ran = Ran::of(&strace.args([crate::support::BGCTL, "tick"]).output().unwrap());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("(INJECTED)"), "it was hit: {log}");
    assert!(!log.contains("jobs.json"), "and nothing else was: {log}");
    Some(ran)
}

#[test]
fn a_job_is_not_judged_while_the_list_of_processes_cannot_be_read() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start_sh(&format!("( setsid {0} & ) ; exec {0}", lair.stay));
    lair.inhabitants(2);
    let main = user.recorded_pid(&id, "process");
    user.lose_watcher(&id);
    end_by_force(main);
    let Some(ran) = tick_without(&user, &["/proc"]) else { return };
    assert_eq!(user.indexed(&id)["status"], "running", "{}", ran.err);
    assert!(ran.err.contains("look for the processes"), "it is told: {}", ran.err);
    assert_eq!(lair.living().len(), 1);
    user.ok(["tick"]);
    user.until_indexed_as(&id, "failed");
    assert_eq!(lair.living(), [] as [i32; 0], "the next tick took it over");
    user.all_gone();
}

#[test]
fn a_process_that_cannot_be_looked_at_is_not_taken_for_dead() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--", &lair.stay]);
    let main = lair.inhabitants(1)[0];
    user.lose_watcher(&id);
    let stat = format!("/proc/{main}/stat");
    if tick_without(&user, &[&stat]).is_none() {
        return;
    }
    assert_eq!(user.indexed(&id)["status"], "running");
    user.ok(["tick"]);
    until("it is watched again", || user.observed(&id) == "alive");
    assert!(is_alive(main));
    user.ok(["cancel", &id]);
    user.all_gone();
}

// A record that was removed.

/// A running job that exits with 5 once somebody writes to `go`, and whose record was removed.
fn without_a_record(user: &User) -> String {
    let go = user.fifo("go");
    let id = user.start_sh(&format!("echo ran >> ran; read line < {}; exit 5", go.display()));
    user.line_in("ran");
    std::fs::remove_file(user.root().join("runs").join(format!("{id}.lock"))).unwrap();
    id
}

#[test]
fn a_job_whose_record_was_removed_is_not_started_again_and_its_watcher_tells_its_end() {
    let user = User::new();
    let id = without_a_record(&user);
    for _ in 0..3 {
        user.ok(["tick"]);
    }
    assert_eq!((user.status(&id).as_str(), user.observed(&id).as_str()), ("running", "unclear"));
    std::fs::write(user.path("go"), "go\n").unwrap();
    assert_eq!(user.wait(&id), 5);
    user.all_gone();
    assert_eq!(user.line_in("ran"), "ran\n");
}

#[test]
fn a_job_whose_record_was_removed_and_of_which_nothing_lives_failed_as_unknown() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&format!("echo ran >> ran; read line < {}", go.display()));
    user.line_in("ran");
    let main = user.recorded_pid(&id, "process");
    user.lose_watcher(&id);
    end_by_force(main);
    std::fs::remove_file(user.root().join("runs").join(format!("{id}.lock"))).unwrap();
    user.ok(["tick"]);
    user.all_gone();
    let job = user.indexed(&id);
    assert_eq!((job["status"].as_str(), &job["exit_code"]), (Some("failed"), &Value::Null));
    assert_eq!(user.line_in("ran"), "ran\n");
}

// A record that another holds.

/// The record, held by this test.
fn held(user: &User, id: &str) -> Record {
    let runs = Folder::open(&user.root().join("runs")).unwrap().unwrap();
    Record::acquire(&runs, &job_id(id)).unwrap().unwrap()
}

/// A job that runs since two hours, twice as long as its watcher may be silent.
fn long_running(user: &User) -> Value {
    let mut entry = claimed_here(&user.id(), "true");
    entry["started_at"] = serde_json::to_value(now() - chrono::TimeDelta::hours(2)).unwrap();
    entry["created_at"] = entry["started_at"].clone();
    entry
}

/// Ticks leave a job alone while its record is held, and then say this of it.
#[track_caller]
fn judged_once_it_is_let_go(user: &User, record: Record, reason: &str) {
    user.ok(["tick"]);
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), &job["ending"]), (Some("running"), &Value::Null), "{job}");
    drop(record);
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!(job["status"], "failed", "{job}");
    assert!(job["summary"].as_str().unwrap().contains(reason), "{job}");
    user.all_gone();
}

#[test]
fn a_vanished_job_whose_record_another_holds_is_judged_once_it_is_let_go() {
    let user = User::new();
    user.write_jobs(&[long_running(&user)]);
    let mut lines = record_of(gone());
    if let Line::Watcher { monotonic_ms, .. } = &mut lines[0] {
        *monotonic_ms = 0;
    }
    user.write_record(&user.id(), &lines);
    long_unchanged(&user, &user.id());
    let record = held(&user, &user.id());
    judged_once_it_is_let_go(&user, record, "vanished unseen");
}

#[test]
fn a_job_of_an_earlier_boot_whose_record_another_holds_is_judged_once_it_is_let_go() {
    let user = User::new();
    let mut entry = long_running(&user);
    entry["claim"]["boot"] = "another".into();
    user.write_jobs(&[entry]);
    let mut lines = record_of(gone());
    // In this boot, another process is what its watcher was in the earlier one.
    let another = Bystander::new();
    if let Line::Watcher { identity, boot, .. } = &mut lines[0] {
        *identity = another.identity();
        "another".clone_into(boot);
    }
    user.write_record(&user.id(), &lines);
    long_unchanged(&user, &user.id());
    let record = held(&user, &user.id());
    judged_once_it_is_let_go(&user, record, "the machine was started again");
    assert!(is_alive(another.identity().pid));
}

// A disk that takes no line.

/// The record was changed two hours ago.
fn long_unchanged(user: &User, id: &str) {
    let path = user.root().join("runs").join(format!("{id}.lock"));
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
}

/// A process that stays. Dropped, it ends.
struct Bystander(Child);

impl Bystander {
    fn new() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).spawn().unwrap())
    }

    fn identity(&self) -> Identity {
        Identity::of(i32::try_from(self.0.id()).unwrap()).unwrap().unwrap()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running job whose watcher lives and has written nothing for longer than its stale guard allows.
fn without_a_line(user: &User, watcher: &Bystander) -> Record {
    const SILENT_MAX_SECONDS: u64 = 5;
    assert!(monotonic_ms() > SILENT_MAX_SECONDS * 1_000, "the machine runs long enough for this test");
    let mut entry = long_running(user);
    entry["stale_after_seconds"] = SILENT_MAX_SECONDS.into();
    user.write_jobs(&[entry]);
    let mut lines = record_of(gone());
    if let Line::Watcher { identity, monotonic_ms, .. } = &mut lines[0] {
        (*identity, *monotonic_ms) = (watcher.identity(), 0);
    }
    user.write_record(&user.id(), &lines);
    long_unchanged(user, &user.id());
    held(user, &user.id())
}

#[test]
fn a_watcher_that_writes_no_line_and_touches_its_record_is_not_silent() {
    let user = User::new();
    let watcher = Bystander::new();
    let record = without_a_line(&user, &watcher);
    record.touch().unwrap();
    user.ok(["tick"]);
    let job = user.indexed(&user.id());
    assert_eq!((job["status"].as_str(), &job["ending"]), (Some("running"), &Value::Null), "{job}");
    assert!(is_alive(watcher.identity().pid));
}

#[test]
fn a_watcher_that_neither_writes_a_line_nor_touches_its_record_is_silent() {
    let user = User::new();
    let watcher = Bystander::new();
    let identity = watcher.identity();
    let record = without_a_line(&user, &watcher);
    user.ok(["tick"]);
    drop(record);
    assert!(!identity.is_alive(), "it was evicted");
    user.until_indexed_as(&user.id(), "cancelled");
    user.all_gone();
}

#[test]
fn a_watcher_whose_disk_is_full_touches_its_record() {
    if !crate::sweeps::can_trace() {
        return;
    }
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start(["--stale-after", "2s", "--", "cat", go.to_str().unwrap()]);
    let watcher = user.recorded_pid(&id, "watcher");
    until("it runs", || user.record(&id).iter().any(|line| line["line"] == "started"));
    let path = user.root().join("runs").join(format!("{id}.lock"));
    let look = |path: &Path| {
        let data = std::fs::metadata(path).unwrap();
        (data.len(), data.modified().unwrap())
    };
    let mut strace = user.command("strace");
    strace.args(["-e", "trace=write", "-e", "inject=write:error=ENOSPC", "-o"]).arg(user.path("strace.log"));
    let mut strace = strace.args(["-p", &watcher.to_string()]).stderr(Stdio::null()).spawn().unwrap();
    let refused = || std::fs::read_to_string(user.path("strace.log")).is_ok_and(|log| log.contains("ENOSPC"));
    until("a line is refused", refused);
    let (size, changed) = look(&path);
    until("it gives another sign", || look(&path).1 > changed);
    assert_eq!(look(&path).0, size, "without a line");
    user.ok(["tick"]);
    assert_eq!(user.indexed(&id)["ending"], Value::Null);
    kill(i32::try_from(strace.id()).unwrap(), Signal::TERM);
    strace.wait().unwrap();
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}

// An index that moves on.

#[test]
fn a_wait_keeps_the_code_of_a_job_that_ended_and_was_removed() {
    let user = User::new();
    let (first, second, _stay) = (user.fifo("first"), user.fifo("second"), user.fifo("stay"));
    let failing = user.start_sh(&format!("read line < {}; exit 7", first.display()));
    let other = user.start_sh(&format!("read line < {}", second.display()));
    let said = std::fs::File::create(user.path("said")).unwrap();
    let mut wait = user.bgctl(["wait", &failing, &other]).stderr(said).spawn().unwrap();
    std::fs::write(first, "go\n").unwrap();
    until("the wait knows", || std::fs::read_to_string(user.path("said")).unwrap().contains(&failing));
    user.edit_jobs(|jobs| jobs.retain(|job| job["id"] != failing));
    std::fs::write(second, "go\n").unwrap();
    assert_eq!(crate::support::ended(&mut wait), 7);
    user.all_gone();
}

// A watcher that cannot be launched.

#[test]
fn a_job_for_which_no_watcher_could_be_launched_is_queued_again_and_the_submitter_is_told() {
    if !crate::sweeps::can_trace() {
        return;
    }
    let user = User::new();
    let mut strace = user.command("strace");
    strace.arg("-o").arg(user.path("strace.log")).args(["-e", "inject=clone,clone3,fork,vfork:error=EAGAIN"]);
    strace.args([crate::support::BGCTL, "start", "--", "sh", "-c", "echo ran >> ran"]);
    let ran = Ran::of(&strace.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = ran.out.trim_end();
    assert!(
        ran.err.contains(&format!("{id} is queued again; the next bgctl tick tries again")),
        "{}",
        ran.err
    );
    assert_eq!(user.indexed(id)["status"], "queued");
    user.ok(["tick"]);
    assert_eq!(user.wait(id), 0);
    assert_eq!(user.line_in("ran"), "ran\n");
    user.all_gone();
}

#[test]
fn an_inner_watcher_lives_although_the_record_that_it_was_started_for_was_removed() {
    let user = User::new();
    let (first, second, _stay) = (user.fifo("first"), user.fifo("second"), user.fifo("stay"));
    // The outer job holds one of the two slots, so that the second inner job waits for the first one's watcher.
    let program = super::program();
    let start = |fifo: &str| format!("{} start --quiet -- cat {fifo}", program.display());
    let outer = user.start_sh(&format!("{}; {}; cat stay", start("first"), start("second")));
    let inner = || user.ok(["logs", &outer]).lines().map(str::to_owned).collect::<Vec<_>>();
    until("both inner jobs are submitted", || inner().len() == 2);
    let inner = inner();
    let watcher = user.recorded_pid(&inner[0], "watcher");
    std::fs::write(first, "").unwrap();
    assert_eq!(user.wait(&inner[0]), 0);
    assert_eq!(user.recorded_pid(&inner[1], "watcher"), watcher, "it goes on with the second");
    std::fs::remove_file(user.root().join("runs").join(format!("{}.lock", inner[0]))).unwrap();
    user.ok(["cancel", &outer]);
    assert!(is_alive(watcher));
    assert_eq!(user.observed(&inner[1]), "alive");
    std::fs::write(second, "").unwrap();
    assert_eq!(user.wait(&inner[1]), 0);
    user.all_gone();
}

#[test]
fn a_job_that_is_over_and_cannot_be_written_down_yet_is_not_shown_as_running() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh("cat go");
    let lock = std::fs::File::open(user.root().join("jobs.lock")).unwrap();
    let mut lock = fd_lock::RwLock::new(lock);
    let held = lock.write().unwrap();
    std::fs::write(go, "").unwrap();
    until("its end is on record", || user.record(&id).iter().any(|line| line["line"] == "outcome"));
    assert_eq!(user.observed(&id), "ended");
    assert!(user.ok(["list"]).contains("running (ended)"));
    drop(held);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}

#[test]
fn a_wait_starts_nothing_beyond_the_slots_that_the_settings_have_now() {
    let user = User::new();
    let go = user.fifo("go");
    let first = user.start_sh("exec sleep 1000");
    let second = user.start_sh("echo > busy; cat go; rm busy");
    user.line_in("busy");
    // It fails if it ever runs beside the second.
    let third = user.start(["--quiet", "--", "sh", "-c", "test ! -e busy"]);
    let mut waiting = user.bgctl(["wait", &third]).spawn().unwrap();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    user.ok(["cancel", &first]);
    user.ok(["tick"]);
    assert_eq!(user.status(&third), "queued");
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&second), 0);
    assert_eq!(crate::support::ended(&mut waiting), 0);
    user.all_gone();
}
