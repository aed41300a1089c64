//! One file a subcommand: what a user sees, and the exit code.

mod approval;
mod asking;
mod bad_input;
mod batch;
mod cancel;
mod config;
mod dead;
mod described;
mod doctor;
mod dry_run;
mod environment;
mod events;
mod find;
mod follow;
mod group;
mod health;
mod init;
mod json;
mod lines;
mod list;
mod logs;
mod many;
mod overview;
mod pause;
mod prune;
mod queue;
mod ready;
mod report;
mod retry;
mod schedule;
mod screen;
mod screens;
mod send;
mod sessions;
mod set;
mod signal;
pub mod snapshots;
mod start;
mod status;
mod store;
mod terminal;
mod tick;
mod usage;
mod wait;

use crate::support::{BGCTL, EVENT_MAX, Ran, User, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A job that runs until its test lets it go.
struct Held {
    id: String,
    gate: PathBuf,
}

impl Held {
    /// Starts one in a free slot, and waits until its command runs.
    #[track_caller]
    fn start(user: &User, name: &str) -> Self {
        Self::start_with(user, name, "", &[])
    }

    /// The same with something to do before it waits, and with flags.
    #[track_caller]
    fn start_with(user: &User, name: &str, first: &str, flags: &[&str]) -> Self {
        let gate = user.fifo(&format!("{name}.gate"));
        let script = format!("{first}\nread code < '{}'; exit $code", gate.display());
        let id = user.start(flags.iter().copied().chain(["--", "sh", "-c", &script]));
        until("the held job runs", || has_started(user, &id));
        Self { id, gate }
    }

    /// Lets it end with this exit code.
    #[track_caller]
    fn let_go(&self, code: i32) {
        // Opened for writing without waiting, a FIFO is refused until somebody reads it.
        let open = || OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&self.gate);
        until("the held job reads its gate", || {
            open().is_ok_and(|mut gate| writeln!(gate, "{code}").is_ok())
        });
    }
}

/// Whether a job's command has begun.
fn has_started(user: &User, id: &str) -> bool {
    user.record(id).iter().any(|line| line["line"] == "started")
}

/// Holds both slots.
#[track_caller]
fn hold_both_slots(user: &User) -> [Held; 2] {
    ["one", "two"].map(|name| Held::start(user, name))
}

/// Runs a command that must come to its end, output included: a descriptor that leaked into a job would keep it open.
#[track_caller]
fn bounded(mut command: Command) -> Ran {
    let (told, tell) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(command.output().unwrap()));
    Ran::of(&tell.recv_timeout(EVENT_MAX).expect("the command and its output end"))
}

/// Runs a shell script as the user, with the program's path in `$BGCTL`; it must come to its end.
#[track_caller]
fn shell(user: &User, script: &str) -> Ran {
    let mut command = user.command("sh");
    command.args(["-c", script]).env("BGCTL", BGCTL);
    bounded(command)
}

/// `bgctl` that heeds SIGINT although whoever runs the tests may ignore it, as what `sh` puts in the background does.
fn interruptible(user: &User, arguments: &[&str]) -> Command {
    let mut command = user.command("env");
    command.args(["--default-signal=INT", BGCTL]).args(arguments);
    command
}

/// Whether a process hears SIGINT (`proc_pid_status(5)`, `SigCgt`).
fn hears_interrupts(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(mask, 16).unwrap_or(0) & (1 << (libc::SIGINT - 1)) != 0
}

/// Every file below a folder with its mode and content; empty where there is no such folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        let mode = entry.metadata().unwrap().permissions().mode();
        if path.is_dir() {
            found.extend(contents(&path));
            found.insert(path, (mode, Vec::new()));
        } else {
            let content = std::fs::read(&path).unwrap_or_default();
            found.insert(path, (mode, content));
        }
    }
    found
}

/// Makes an executable file. Another process writes it: a file that any thread of this one has open for writing
/// when another thread forks could not be executed until that fork's child has left (`execve(2)`, ETXTBSY).
#[track_caller]
fn make_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = Command::new("cp").arg("--").arg(from.as_ref()).arg(to.as_ref()).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes the settings.
fn configure(user: &User, text: &str) {
    user.make_root();
    std::fs::write(user.root().join("config.toml"), text).unwrap();
}

/// A moment so many seconds ago, as the index writes it. All count from one instant, so that those of one index keep
/// their distances on a busy machine.
fn ago(seconds: i64) -> String {
    // Each test has a thread of its own, and its own present: that of all tests would be long ago for the last of them.
    thread_local!(static NOW: chrono::DateTime<chrono::Utc> = chrono::Utc::now());
    let at = NOW.with(|now| *now) - chrono::TimeDelta::seconds(seconds);
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// An entry of the index with exactly the fields of the model, made by hand; `changes` are put over them.
fn entry(random: &str, status: &str, changes: &Value) -> Value {
    let mut entry = json!({
        "id": format!("bg_20260213_{random}"),
        "command": "true",
        "cwd": "/",
        "created_at": ago(3 * DAY + 12 * HOUR),
        "started_at": null,
        "ended_at": null,
        "status": status,
        "exit_code": null,
        "timeout_seconds": 1800,
        "stale_after_seconds": 3600,
        "labels": [],
        "summary": null,
    });
    entry.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap_or_default());
    entry
}

/// A completed job of the hand-made index that ended so many seconds ago.
fn completed(random: &str, ended_seconds_ago: i64) -> Value {
    let changes = json!({
        "created_at": ago(ended_seconds_ago + 20),
        "started_at": ago(ended_seconds_ago + 10),
        "ended_at": ago(ended_seconds_ago),
        "exit_code": 0,
    });
    entry(random, "completed", &changes)
}

/// The text of a hand-made index.
fn index_of(entries: &[Value]) -> String {
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    format!("{{\"version\":1,\"updated_at\":\"{}\",\"jobs\":[\n{}\n]}}\n", ago(0), lines.join(",\n"))
}

/// Runs a script, with the program's path in `$BGCTL`, in a mount namespace that ends with it. `None`: it said that it cannot
/// mount here.
fn with_mounts(user: &User, script: &str) -> Option<Ran> {
    let mut command = user.command("unshare");
    command.arg(if is_root() { "-m" } else { "-rm" }).args(["sh", "-c", script]).env("BGCTL", BGCTL);
    let ran = bounded(command);
    if ran.out == "cannot mount\n" || ran.err.starts_with("unshare") {
        crate::support::skipped("needs to mount a small disk");
        return None;
    }
    Some(ran)
}

/// Whether a test runs as the superuser, who may read and write where others may not.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A job made by hand that is in, or had, its second attempt, on a machine that is not this one. Its first attempt wrote
/// `one`, its second so far `two` and `two again`. Gives its id.
#[track_caller]
fn retried(user: &User, status: &str) -> String {
    let has_ended = status == "completed";
    let mut changes = json!({ "started_at": ago(60), "attempt": 2, "claim": elsewhere() });
    if has_ended {
        changes["ended_at"] = ago(30).into();
        changes["exit_code"] = 0.into();
    }
    user.write_index(&index_of(&[entry("retryy", status, &changes)]));
    let id = "bg_20260213_retryy";
    let runs = user.root().join("runs");
    std::fs::DirBuilder::new().mode(0o700).create(&runs).unwrap();
    let write = |name: &str, text: &str| std::fs::write(runs.join(format!("{id}.{name}")), text).unwrap();
    write("log", "one\ntwo\ntwo again\n");
    let mut record = String::new();
    for (attempt, log_from) in [(1, 0), (2, 4)] {
        let watcher = json!({ "line": "watcher", "attempt": attempt, "pid": 1, "start": 1, "boot": "b", "at": ago(60), "monotonic_ms": 1 });
        let process =
            json!({ "line": "process", "pid": 2, "start": 1, "log_from": log_from, "monotonic_ms": 1 });
        record.push_str(&format!("{watcher}\n{process}\n{{\"line\":\"started\"}}\n"));
    }
    write("lock", &record);
    let attempt = |number, log_from, log_to, code| {
        let outcome = json!({ "exit": { "code": code }, "at": ago(30) });
        json!({ "attempt": number, "started_at": null, "ended_at": ago(30), "log_from": log_from, "log_to": log_to, "ending": null, "outcome": outcome })
    };
    let mut attempts = vec![attempt(1, 0, 4, 1)];
    if has_ended {
        attempts.push(attempt(2, 4, 18, 0));
    }
    let meta = json!({ "version": 1, "id": id, "command": "true", "argv": ["true"], "cwd": "/", "host": "h", "umask": null, "timeout_seconds": null, "grace_seconds": null, "attempts": attempts });
    write("meta.json", &meta.to_string());
    id.to_owned()
}

/// The claim of a machine that is not this one.
fn elsewhere() -> Value {
    json!({ "host": "there", "machine": "m", "boot": "11111111-2222-3333-4444-555555555555", "pid_namespace": 1 })
}

/// The program as somebody without rights, who can reach this test's folder. `None`: that cannot be had here.
fn as_nobody(user: &User, arguments: &[&str]) -> Option<Command> {
    if !is_root() {
        return Some(user.bgctl(arguments));
    }
    if !Path::new("/usr/bin/setpriv").exists() {
        crate::support::skipped("needs setpriv to become somebody else");
        return None;
    }
    // The build's own folder may be closed to others.
    let program = user.path("bgctl");
    if !program.exists() {
        make_program(BGCTL, &program);
    }
    std::fs::set_permissions(user.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = user.command("/usr/bin/setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program).args(arguments);
    Some(command)
}
