//! What is no plain file of ours where one of our files belongs: links to a victim and to nowhere, another name of the
//! victim's file, pipes, devices, sockets, folders. Whatever stands there, every command answers in time, and the victim is
//! neither read out nor touched.

use super::measured::{Bounds, run};
use super::victim::{CONTENT, Victim};
use crate::proof::{Proof, cases, seed};
use crate::support::User;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// An ended job with all its files.
const ENDED: &str = "bg_20260213_aaaaaa";
/// A queued job with an environment.
const QUEUED: &str = "bg_20260213_bbbbbb";
/// A job that seems to run, though its machine was started again since.
const RUNNING: &str = "bg_20260213_cccccc";

/// Each command has to be over by then, however busy the machine is.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), bytes: 1 << 30 };

/// The places in the root, those of the jobs among them.
const PLACES: [&str; 40] = [
    "jobs.json",
    "jobs.json.tmp",
    "jobs.lock",
    "events.jsonl",
    "events.jsonl.1",
    "events.refused",
    "config.toml",
    "alarm.lock",
    "loop.lock",
    "last_tick",
    "last_health",
    "reported",
    "reported.tmp",
    "reported.lock",
    "hooked",
    "hooked.tmp",
    "hooks.lock",
    "hooks.log",
    "hooks.log.tmp",
    "poll.lock",
    "polled.json",
    "polled.json.tmp",
    "last_poll",
    "runs",
    "env",
    "env/ENV.json",
    "runs/ENDED.log",
    "runs/ENDED.log.tmp",
    "runs/ENDED.cut",
    "runs/ENDED.lock",
    "runs/ENDED.meta.json",
    "runs/ENDED.meta.json.tmp",
    "runs/ENDED.in",
    "runs/ENDED.stdin",
    "runs/QUEUED.log",
    "runs/QUEUED.lock",
    "runs/QUEUED.meta.json",
    "runs/QUEUED.in",
    "runs/RUNNING.log",
    "runs/RUNNING.lock",
];

/// What stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stranger {
    LinkToFile,
    LinkToFolder,
    LinkToNowhere,
    /// A second name of the victim's file, as somebody makes it who may write in both folders.
    SecondName,
    Pipe,
    Socket,
    Device,
    Folder,
}

const STRANGERS: [Stranger; 8] = [
    Stranger::LinkToFile,
    Stranger::LinkToFolder,
    Stranger::LinkToNowhere,
    Stranger::SecondName,
    Stranger::Pipe,
    Stranger::Socket,
    Stranger::Device,
    Stranger::Folder,
];

/// What is tried on it, in this order. What removes files comes last.
const COMMANDS: [&[&str]; 24] = [
    &["list", "--all"],
    &["status", ENDED],
    &["status", QUEUED],
    &["status", RUNNING],
    &["logs", ENDED],
    &["logs", "--attempt", "1", ENDED],
    &["logs", RUNNING],
    &["events"],
    &["health"],
    &["doctor"],
    &["store"],
    &["config"],
    &["approval"],
    &["dead"],
    &["tick", "--dry-run"],
    &["start", "--stdin", "pipe", "--on-end", "true", "--", "true"],
    &["tick"],
    &["wait", "--within", "0", QUEUED],
    &["send", RUNNING, "text"],
    &["cancel", QUEUED, RUNNING],
    &["retry", ENDED],
    &["doctor", "--fix"],
    &["store", "rebuild"],
    &["prune", "--all"],
];

struct Scene {
    user: User,
    victim: Victim,
    environment: String,
}

impl Scene {
    fn new() -> Self {
        let user = User::new();
        // A captured environment, with the name of its content.
        let blocker = user.start(["--delay", "1h", "--", "true"]);
        let env = user.index()["jobs"][0]["env"].as_str().unwrap().to_owned();
        user.ok(["cancel", "--quiet", &blocker]);
        let saved = user.root().join("env").join(format!("{env}.json"));
        let _ = std::fs::create_dir(user.root().join("runs"));
        if !saved.exists() {
            std::fs::write(&saved, "{}").unwrap();
        }
        let job = |id: &str, status: &str| {
            json!({ "id": id, "status": status, "command": "true", "argv": ["true"], "cwd": "/",
                "created_at": "2026-02-13T10:00:00Z", "env": env })
        };
        let mut ended = job(ENDED, "completed");
        ended["exit_code"] = 0.into();
        ended["attempt"] = 1.into();
        ended["ended_at"] = "2026-02-13T10:00:05Z".into();
        let mut running = job(RUNNING, "running");
        running["attempt"] = 1.into();
        running["started_at"] = "2026-02-13T10:00:05Z".into();
        running["claim"] = json!({ "host": "there", "boot": "b", "pid_namespace": 1 });
        let mut index = json!({ "version": 1, "jobs": [ended, job(QUEUED, "queued"), running] });
        index["updated_at"] = "2026-02-13T10:00:05Z".into();
        user.write_index(&index.to_string());
        for (id, text) in [(ENDED, "its output\n"), (RUNNING, "so far\n")] {
            std::fs::write(user.root().join(format!("runs/{id}.log")), text).unwrap();
        }
        let victim = Victim::new(user.path("victim"));
        Self { user, victim, environment: env }
    }

    fn place(&self, name: &str) -> std::path::PathBuf {
        let name = name.replace("ENDED", ENDED).replace("QUEUED", QUEUED).replace("RUNNING", RUNNING);
        self.user.root().join(name.replace("ENV", &self.environment))
    }

    /// Puts it there; `false` where this machine does not allow it.
    fn put(&self, place: &Path, stranger: Stranger) -> bool {
        if place.is_dir() {
            std::fs::remove_dir_all(place).unwrap();
        } else {
            let _ = std::fs::remove_file(place);
        }
        let node = |kind, device| mknodat(CWD, place, kind, Mode::from_raw_mode(0o600), device).is_ok();
        match stranger {
            Stranger::LinkToFile => symlink(self.victim.file(), place).is_ok(),
            Stranger::LinkToFolder => symlink(&self.victim.folder, place).is_ok(),
            Stranger::LinkToNowhere => symlink(self.victim.folder.join("new"), place).is_ok(),
            Stranger::SecondName => std::fs::hard_link(self.victim.file(), place).is_ok(),
            Stranger::Pipe => node(FileType::Fifo, 0),
            Stranger::Socket => std::os::unix::net::UnixListener::bind(place).is_ok(),
            // Without end, and for the superuser alone to make.
            Stranger::Device => node(FileType::CharacterDevice, rustix::fs::makedev(1, 5)),
            Stranger::Folder => std::fs::create_dir(place).is_ok(),
        }
    }
}

/// What is wrong after all commands, a line each.
fn troubles(place: &str, stranger: Stranger) -> Vec<String> {
    let scene = Scene::new();
    let path = scene.place(place);
    if !scene.put(&path, stranger) {
        return Vec::new();
    }
    let mut troubles = Vec::new();
    for command in COMMANDS {
        let measured = run(&scene.user, command, BOUNDS);
        let said = |what: &str| format!("{stranger:?} as {place}: {}: {what}", command.join(" "));
        troubles.extend(measured.trouble().map(|what| said(&what)));
        let printed = [&measured.ran.out, &measured.ran.err].into_iter().any(|text| text.contains("VICTIM"));
        // A second name of a file is that file; nothing tells it from a log that is ours.
        if printed && stranger != Stranger::SecondName {
            troubles.push(said("prints the victim"));
        }
        if stranger != Stranger::SecondName {
            troubles.extend(scene.victim.changes().into_iter().map(|change| said(&change)));
        }
        if !troubles.is_empty() {
            return troubles;
        }
    }
    assert!(
        stranger == Stranger::SecondName || std::fs::read_to_string(scene.victim.file()).unwrap() == CONTENT
    );
    troubles
}

#[test]
fn whatever_stands_where_a_file_of_ours_belongs_nothing_of_a_victim_is_read_or_touched() {
    let mut all: Vec<(&str, Stranger)> =
        PLACES.iter().flat_map(|place| STRANGERS.iter().map(move |one| (*place, *one))).collect();
    let seed = seed();
    // A stride without a common divisor with their number takes each once.
    let (count, total) = (cases(24, usize::MAX).min(all.len()), all.len());
    let stride = 2 * (seed as usize % 1_000) + 1;
    let stride = if stride.is_multiple_of(5) { stride + 2 } else { stride };
    all = (0..count).map(|number| all[(seed as usize % total + number * stride) % total]).collect();
    let found = std::sync::Mutex::new(Vec::new());
    let (odd, even): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(number, _)| number % 2 == 1);
    std::thread::scope(|threads| {
        for half in [odd, even] {
            let found = &found;
            threads.spawn(move || {
                for (_, (place, stranger)) in half {
                    let troubles = troubles(place, *stranger);
                    if !troubles.is_empty() {
                        found.lock().unwrap().push(troubles.join("\n"));
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    let remark = format!("{} commands each, of {total} combinations; seed {seed}", COMMANDS.len());
    Proof { name: "security.links", cases: count, failures: found.len(), remark }.tell();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_log_that_is_a_link_is_said_to_be_one() {
    let scene = Scene::new();
    scene.put(&scene.place("runs/ENDED.log"), Stranger::LinkToFile);
    let ran = scene.user.run(["logs", ENDED]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert!(ran.err.contains("is a symbolic link"), "{}", ran.err);
    assert!(scene.victim.changes().is_empty());
}
