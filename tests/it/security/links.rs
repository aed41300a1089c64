//! What is no plain file of ours where one of our files belongs: links to a victim and to nowhere, another name of the
//! victim's file, pipes, devices, sockets, folders. Whatever stands there, every command answers in time, and the victim is
//! neither read out nor touched.

use super::measured::{Bounds, run};
use super::victim::{CONTENT, Victim};
use crate::proof::{Proof, cases, seed};
use crate::support::User;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

/// An ended job with all its files.
const ENDED: &str = "bg_20260213_aaaaaa";
/// A queued job with an environment and a pipe, which starts at the first pass and says [`SAID`].
const QUEUED: &str = "bg_20260213_bbbbbb";
/// A job that seems to run, though this machine was started again since: the first pass judges it.
const RUNNING: &str = "bg_20260213_cccccc";

/// What the queued job puts into its log.
const SAID: &str = "SAID-by-the-queued-job";

/// Each command has to be over by then, however busy the machine is.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), bytes: 1 << 30 };

/// The places in the root, those of the jobs among them.
const PLACES: [&str; 43] = [
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
    "runs/QUEUED.meta.json.tmp",
    "runs/QUEUED.cut",
    "runs/QUEUED.in",
    "runs/QUEUED.stdin",
    "runs/RUNNING.log",
    "runs/RUNNING.lock",
];

/// Those that a starting job opens to write. A link to a file in one of them is tried in every run.
const STARTED: [&str; 4] =
    ["runs/QUEUED.log", "runs/QUEUED.lock", "runs/QUEUED.meta.json.tmp", "runs/QUEUED.stdin"];

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
const COMMANDS: [&[&str]; 25] = [
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
    &["send", RUNNING, "text"],
    &["start", "--stdin", "pipe", "--on-end", "true", "--", "true"],
    &["tick"],
    &["wait", "--within", "5", QUEUED],
    &["logs", QUEUED],
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
        // A captured environment: a job of the index that is written below needs it, so that it stays.
        user.ok(["group", "add", "held", "--slots", "1"]);
        user.ok(["pause", "--group", "held"]);
        user.start(["--quiet", "--group", "held", "--", "true"]);
        let env = user.index()["jobs"][0]["env"].as_str().unwrap().to_owned();
        assert!(user.root().join("env").join(format!("{env}.json")).exists());
        let _ = std::fs::create_dir(user.root().join("runs"));
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
        running["claim"] = serde_json::to_value(bgctl::os::site::here().unwrap()).unwrap();
        running["claim"]["boot"] = "another".into();
        let mut queued = job(QUEUED, "queued");
        queued["argv"] = json!(["sh", "-c", format!("test -p /dev/stdin && echo {SAID}")]);
        queued["stdin_pipe"] = true.into();
        let mut index = json!({ "version": 1, "jobs": [ended, queued, running] });
        index["updated_at"] = "2026-02-13T10:00:05Z".into();
        user.write_index(&index.to_string());
        for (id, text) in [(ENDED, "its output\n"), (RUNNING, "so far\n")] {
            std::fs::write(user.root().join(format!("runs/{id}.log")), text).unwrap();
        }
        let begun = json!({ "line": "watcher", "attempt": 1, "pid": 1, "start": 1, "boot": "another",
            "at": "2026-02-13T10:00:05Z", "monotonic_ms": 1 });
        std::fs::write(user.root().join(format!("runs/{RUNNING}.lock")), format!("{begun}\n")).unwrap();
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

/// What is wrong after all commands, a line each; `None` where that cannot stand there on this machine.
fn troubles(place: &str, stranger: Stranger) -> Option<Vec<String>> {
    let scene = Scene::new();
    let path = scene.place(place);
    if !scene.put(&path, stranger) {
        return None;
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
            return Some(troubles);
        }
    }
    // What was started goes on for a moment, and may still write.
    scene.user.all_gone();
    if stranger != Stranger::SecondName {
        let late = scene.victim.changes().into_iter();
        troubles.extend(late.map(|change| format!("{stranger:?} as {place}: afterwards: {change}")));
        assert_eq!(std::fs::read_to_string(scene.victim.file()).unwrap(), CONTENT);
    }
    Some(troubles)
}

/// All combinations in an order of this seed: first those that are tried in every run.
fn combinations(seed: usize) -> Vec<(&'static str, Stranger)> {
    let mut all: Vec<_> = PLACES
        .iter()
        .flat_map(|place| STRANGERS.iter().map(move |one| (*place, *one)))
        .filter(|(place, one)| !(STARTED.contains(place) && *one == Stranger::LinkToFile))
        .collect();
    let total = all.len();
    all.rotate_left(seed % total);
    // A stride without a common divisor with their number takes each once; so many numbers on end have such a one.
    let least = seed % 1_000 + 1;
    let stride = (least..least + total).find(|stride| common_divisor(*stride, total) == 1).unwrap();
    let always = STARTED.iter().map(|place| (*place, Stranger::LinkToFile));
    always.chain((0..total).map(|number| all[number * stride % total])).collect()
}

fn common_divisor(one: usize, other: usize) -> usize {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

#[test]
fn with_no_stranger_the_queued_job_starts_and_the_running_one_is_judged() {
    let scene = Scene::new();
    for command in COMMANDS.iter().take_while(|command| command[0] != "cancel") {
        assert_eq!(run(&scene.user, command, BOUNDS).trouble(), None, "{command:?}");
    }
    let state = |id: &str| scene.user.status(id);
    assert_eq!([state(QUEUED), state(RUNNING)], ["completed", "failed"]);
    // It had its environment, its pipe, its record and its log.
    assert_eq!(scene.user.ok(["logs", QUEUED]), format!("{SAID}\n"));
    let record = scene.user.record(QUEUED);
    assert!(record.iter().any(|line| line["line"] == "process"), "{record:?}");
    let summary = scene.user.job(RUNNING)["summary"].clone();
    assert!(summary.as_str().unwrap().contains("the machine was started again"), "{summary}");
}

#[test]
fn each_combination_comes_once() {
    for seed in [0, 1, 7, 20, 999, usize::MAX / 2] {
        let all = combinations(seed);
        let names: std::collections::BTreeSet<String> = all.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!((all.len(), names.len()), (PLACES.len() * STRANGERS.len(), all.len()), "{seed}");
    }
}

#[test]
fn whatever_stands_where_a_file_of_ours_belongs_nothing_of_a_victim_is_read_or_touched() {
    let seed = seed();
    let mut all = combinations(seed as usize);
    let total = all.len();
    all.truncate(cases(24, usize::MAX));
    let found = std::sync::Mutex::new(Vec::new());
    let untried = std::sync::Mutex::new(Vec::new());
    let (odd, even): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(number, _)| number % 2 == 1);
    std::thread::scope(|threads| {
        for half in [odd, even] {
            let (found, untried) = (&found, &untried);
            threads.spawn(move || {
                for (_, (place, stranger)) in half {
                    match troubles(place, *stranger) {
                        None => untried.lock().unwrap().push(*stranger),
                        Some(troubles) if troubles.is_empty() => {}
                        Some(troubles) => found.lock().unwrap().push(troubles.join("\n")),
                    }
                }
            });
        }
    });
    let (found, untried) = (found.into_inner().unwrap(), untried.into_inner().unwrap());
    let tried = all.len() - untried.len();
    let mut remark = format!("{} commands each, of {total} combinations; seed {seed}", COMMANDS.len());
    if !untried.is_empty() {
        let kinds = STRANGERS.iter().filter(|one| untried.contains(one));
        let kinds: Vec<String> = kinds.map(|one| format!("{one:?}")).collect();
        let _ = write!(remark, "; {} could not be made here: {}", untried.len(), kinds.join(", "));
    }
    Proof { name: "security.links", cases: tried, failures: found.len(), remark }.tell();
    assert!(tried > 0, "nothing was tried");
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
