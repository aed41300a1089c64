//! The root, or the folder above it, is swapped while a command works: the command goes on in the folder that it has checked,
//! and the one that stands there now is left alone.
//!
//! strace stops the command right after one of its system calls on the root; the test swaps the folder and lets it go on.

use super::victim::Victim;
use crate::proof::is_long;
use crate::support::{BGCTL, User, ended, kill, until};
use crate::sweeps::can_trace;
use rustix::process::Signal;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

const ENDED: &str = "bg_20260213_aaaaaa";
const DEAD: &str = "bg_20260213_bbbbbb";

/// Where a command is stopped: the name of a system call, and the how many-eth one of that name on the root.
const POINTS: [(&str, usize); 13] = [
    ("open", 1),
    ("openat", 1),
    ("fstat", 1),
    ("openat", 2),
    ("openat", 3),
    ("openat", 5),
    ("openat", 8),
    ("flock", 1),
    ("renameat", 1),
    ("fsync", 1),
    ("unlinkat", 1),
    ("unlinkat", 2),
    ("mkdirat", 1),
];

/// How the folder is swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swap {
    /// A link to the victim stands where the root was.
    Root,
    /// A link to a folder, in which the victim has the root's name, stands where the folder above was.
    Parent,
}

const BOTH: [Swap; 2] = [Swap::Root, Swap::Parent];

struct Scene {
    user: User,
    victim: Victim,
}

impl Scene {
    /// A root below a folder of its own, and a victim that has the same files with other contents.
    fn new(index: &str) -> Self {
        let user = User::new();
        let fill = |root: &Path, said: &str, index: &str| {
            std::fs::create_dir_all(root.join("runs")).unwrap();
            std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700)).unwrap();
            std::fs::write(root.join("jobs.json"), index).unwrap();
            for id in [ENDED, DEAD] {
                std::fs::write(root.join(format!("runs/{id}.log")), format!("{said}\n")).unwrap();
            }
            // It looks as if a crash had left it long ago.
            let old = root.join("jobs.json.tmp");
            std::fs::write(&old, said).unwrap();
            let file = std::fs::File::options().append(true).open(&old).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        fill(&user.path("above/bg"), "own output", index);
        let victim = Victim::with(user.path("other"), |folder| {
            fill(&folder.join("bg"), "VICTIM", &index.replace("\"true\"", "\"false\""));
        });
        Self { user, victim }
    }

    fn root(&self) -> PathBuf {
        self.user.path("above/bg")
    }

    /// Where the root is after the swap.
    fn moved(&self, swap: Swap) -> PathBuf {
        self.user.path(if swap == Swap::Root { "above/aside" } else { "aside/bg" })
    }

    fn swap(&self, swap: Swap) {
        match swap {
            Swap::Root => {
                std::fs::rename(self.root(), self.user.path("above/aside")).unwrap();
                symlink(self.victim.folder.join("bg"), self.root()).unwrap();
            }
            Swap::Parent => {
                std::fs::rename(self.user.path("above"), self.user.path("aside")).unwrap();
                symlink(&self.victim.folder, self.user.path("above")).unwrap();
            }
        }
    }

    /// A command that strace stops at that point, with strace's own process.
    fn traced(&self, arguments: &[&str], (call, nth): (&str, usize)) -> Child {
        let mut command = self.user.command("strace");
        command.arg("-o").arg(self.user.path("trace")).arg("-P").arg(self.root());
        command.args([
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={call}:signal=STOP:when={nth}"),
        ]);
        command.arg(BGCTL).args(arguments).env("BG_HOME", self.root());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// An index with an ended job and a dead letter.
fn index() -> String {
    let job = |id: &str, status: &str, code: i32, is_dead: bool| {
        json!({ "id": id, "status": status, "command": "true", "cwd": "/", "exit_code": code, "attempt": 1,
            "created_at": "2026-02-13T10:00:00Z", "ended_at": "2026-02-13T10:00:05Z", "dead_letter": is_dead })
    };
    json!({ "version": 1, "updated_at": "2026-02-13T10:00:05Z",
        "jobs": [job(ENDED, "completed", 0, false), job(DEAD, "failed", 1, true)] })
    .to_string()
}

/// The child of strace, once there is one.
fn traced_pid(strace: &Child) -> Option<i32> {
    let id = strace.id();
    let text = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether the traced process stands still because of the signal, as strace's log says; between two calls it does so for an
/// instant, too, which `/proc` does not tell apart.
fn is_stopped(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains("stopped by SIGSTOP"))
}

/// Runs one command with one swap. `None`: it has no such point.
fn swapped(arguments: &[&str], point: (&str, usize), swap: Swap) -> Option<Vec<String>> {
    // A sound index is not rebuilt.
    let index = if arguments[0] == "store" { index() + "torn" } else { index() };
    let scene = Scene::new(&index);
    let mut strace = scene.traced(arguments, point);
    let mut is_held = false;
    until("the command is stopped, or over", || {
        is_held = is_stopped(&scene.user.path("trace"));
        is_held || strace.try_wait().unwrap().is_some()
    });
    if !is_held {
        return None;
    }
    let pid = traced_pid(&strace)?;
    scene.swap(swap);
    until("it ends", || {
        kill(pid, Signal::CONT);
        strace.try_wait().unwrap().is_some()
    });
    let output = strace.wait_with_output().unwrap();
    let mut troubles = scene.victim.changes();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if said.contains("VICTIM") || said.contains("panicked") {
        troubles.push(said);
    }
    if !scene.moved(swap).join("jobs.json").exists() {
        troubles.push("the folder that was checked lost its index".to_owned());
    }
    Some(troubles.into_iter().map(|one| format!("{arguments:?} at {point:?}, {swap:?}: {one}")).collect())
}

/// Every point of these commands with these swaps.
///
/// A command that looks at the root once to ask or to check, and once more to act, checks it anew and acts on what it finds
/// then. With a link above it, that is whatever root of ours stands there, so that [`Swap::Parent`] is for the others.
#[track_caller]
fn leaves_the_victim_alone(commands: &[&[&str]], swaps: &[Swap]) {
    if !can_trace() {
        return;
    }
    let (mut met, mut troubles) = (0, Vec::new());
    for arguments in commands {
        for (number, point) in POINTS.into_iter().enumerate() {
            for (place, swap) in swaps.iter().copied().enumerate() {
                // The quick form takes every point with one of the swaps.
                if !is_long() && number % swaps.len() != place {
                    continue;
                }
                if let Some(found) = swapped(arguments, point, swap) {
                    met += 1;
                    troubles.extend(found);
                }
            }
        }
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    assert!(met >= 3 * commands.len(), "only {met} points were met");
}

#[test]
fn a_swapped_root_is_not_pruned() {
    leaves_the_victim_alone(&[&["prune", "--all"]], &BOTH);
    leaves_the_victim_alone(&[&["dead", "clear", "--all", "--yes"]], &[Swap::Root]);
}

#[test]
fn a_swapped_root_is_not_ticked() {
    leaves_the_victim_alone(&[&["tick"]], &BOTH);
}

#[test]
fn a_swapped_root_is_not_read() {
    leaves_the_victim_alone(&[&["logs", ENDED], &["list", "--all", "--format", "{id} {command}"]], &BOTH);
}

#[test]
fn nothing_is_submitted_to_a_swapped_root() {
    leaves_the_victim_alone(&[&["start", "--delay", "1h", "--", "echo", "x"]], &BOTH);
}

#[test]
fn a_swapped_root_is_neither_mended_nor_rebuilt() {
    leaves_the_victim_alone(&[&["store", "rebuild"]], &BOTH);
    leaves_the_victim_alone(&[&["doctor", "--fix"]], &[Swap::Root]);
}

#[test]
fn a_watcher_goes_on_in_the_root_that_it_opened() {
    for swap in BOTH {
        let scene = Scene::new(&index());
        let gate = scene.user.fifo("gate");
        let start = |script: &str| {
            let mut command = scene.user.bgctl(["start", "--quiet", "--", "sh", "-c", script]);
            let ran = command.env("BG_HOME", scene.root()).output().unwrap();
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            String::from_utf8(ran.stdout).unwrap().trim_end().to_owned()
        };
        let first = start(&format!("read x < {}; echo after", gate.display()));
        let log = |root: &Path| root.join(format!("runs/{first}.log"));
        let record = scene.root().join(format!("runs/{first}.lock"));
        until("the job runs", || {
            std::fs::read_to_string(&record).is_ok_and(|text| text.contains("\"started\""))
        });
        scene.swap(swap);
        std::fs::write(&gate, "go\n").unwrap();
        let moved = scene.moved(swap);
        until("the end is in the index of the folder that was checked", || {
            let text = std::fs::read_to_string(moved.join("jobs.json")).unwrap_or_default();
            let index: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let jobs = index["jobs"].as_array().cloned().unwrap_or_default();
            jobs.iter().any(|job| job["id"] == first.as_str() && job["status"] == "completed")
        });
        assert_eq!(std::fs::read_to_string(log(&moved)).unwrap(), "after\n");
        scene.user.all_gone();
        assert_eq!(scene.victim.changes(), Vec::<String>::new(), "{swap:?}");
    }
}

/// Somebody who may write in the folder above puts a link in the place of the folder that is just being made.
#[test]
fn a_root_that_is_swapped_while_it_is_made_gives_its_mode_to_nobody_else() {
    if !can_trace() {
        return;
    }
    let user = User::new();
    std::fs::create_dir(user.path("above")).unwrap();
    let victim = Victim::with(user.path("other"), |folder| {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    });
    let root = user.path("above/bg");
    let mut command = user.command("strace");
    command.arg("-o").arg(user.path("trace")).args(["-e", "trace=mkdir,mkdirat", "-P"]).arg(&root);
    command.args(["-e", "inject=mkdir,mkdirat:signal=STOP:when=1", BGCTL, "start", "--delay", "1h", "true"]);
    let mut strace =
        command.env("BG_HOME", &root).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the folder is made", || root.exists());
    until("its maker is stopped", || is_stopped(&user.path("trace")));
    let pid = traced_pid(&strace).unwrap();
    std::fs::remove_dir(&root).unwrap();
    symlink(&victim.folder, &root).unwrap();
    until("it goes on", || {
        kill(pid, Signal::CONT);
        strace.try_wait().unwrap().is_some()
    });
    assert_eq!(ended(&mut strace), 5);
    assert_eq!(victim.changes(), Vec::<String>::new());
}
