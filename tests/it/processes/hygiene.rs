//! What watchers and jobs inherit, and what they do not.

use super::{Lair, program, session_of, status_field};
use crate::support::{Ran, User, until};
use std::path::PathBuf;

/// A job that stays, and the pids of its watcher and its main process.
fn running(user: &User, lair: &Lair<'_>) -> (String, i32, i32) {
    let id = user.start(["--", &lair.stay]);
    lair.inhabitants(1);
    let (watcher, main) = (user.recorded_pid(&id, "watcher"), user.recorded_pid(&id, "process"));
    (id, watcher, main)
}

/// The files that a process has open, by descriptor.
fn open_files(pid: i32) -> Vec<(i32, PathBuf)> {
    let mut files: Vec<(i32, PathBuf)> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let fd = entry.file_name().to_str()?.parse().ok()?;
            Some((fd, std::fs::read_link(entry.path()).ok()?))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_watcher_has_a_session_of_its_own_and_stands_in_the_root_folder() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, watcher, main) = running(&user, &lair);
    assert_eq!(session_of(watcher), Some(watcher));
    assert_eq!(std::fs::read_link(format!("/proc/{watcher}/cwd")).unwrap(), PathBuf::from("/"));
    assert_eq!(session_of(main), Some(main), "and so has the job");
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_watcher_keeps_no_descriptor_but_its_own() {
    let user = User::new();
    let lair = Lair::new(&user);
    std::fs::write(user.path("leaked"), "").unwrap();
    // Descriptors 3 and 9 are open in the submitter, as a careless caller leaves them.
    let script = format!("exec 3>leaked; exec 9<leaked; exec {} start -- {}", program().display(), lair.stay);
    let id = Ran::of(&user.command("sh").args(["-c", &script]).output().unwrap()).out.trim_end().to_owned();
    lair.inhabitants(1);
    let (watcher, main) = (user.recorded_pid(&id, "watcher"), user.recorded_pid(&id, "process"));
    until("it watches", || status_field(watcher, "State").starts_with('S'));
    let root = user.root().canonicalize().unwrap();
    for (fd, file) in open_files(watcher) {
        let is_own = file.starts_with(&root) || file.to_str() == Some("anon_inode:[signalfd]");
        assert!(
            if fd <= 2 { file.to_str() == Some("/dev/null") } else { is_own },
            "{fd}: {}",
            file.display()
        );
    }
    let log = root.join("runs").join(format!("{id}.log"));
    // A program opens its own files, its libraries first; once it waits, it has nothing above 2 but what it reads.
    let files = || -> Vec<(i32, PathBuf)> {
        open_files(main).into_iter().filter(|(fd, file)| *fd != 0 && !file.ends_with("stay")).collect()
    };
    until("the job has its log and nothing of ours", || files() == [(1, log.clone()), (2, log.clone())]);
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_watcher_has_no_secret_of_its_submitter() {
    let user = User::new();
    let lair = Lair::new(&user);
    let start = user.bgctl(["start", "--", &lair.stay]).env("SECRET", "hush").output().unwrap();
    let id = Ran::of(&start).out.trim_end().to_owned();
    lair.inhabitants(1);
    let environment = |pid: i32| {
        let text = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    let watchers = environment(user.recorded_pid(&id, "watcher"));
    assert!(!watchers.contains("SECRET") && !watchers.contains("BG_"), "{watchers}");
    // In the midst of an exec, an environment shows as empty.
    let main = user.recorded_pid(&id, "process");
    until("the job has it", || environment(main).contains("SECRET=hush"));
    user.ok(["cancel", &id]);
    user.all_gone();
}

/// `bgctl start ARGUMENTS` from a process that ignores these signals; gives the id.
fn start_ignoring(user: &User, signals: &str, script: &str) -> String {
    let line = format!("trap '' {signals}; exec {} start -- sh -c '{script}'", program().display());
    let ran = Ran::of(&user.command("sh").args(["-c", &line]).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out.trim_end().to_owned()
}

#[test]
fn a_submitter_that_ignores_the_end_of_children_does_not_lose_the_exit_code() {
    let user = User::new();
    let id = start_ignoring(&user, "CHLD", "exit 7");
    assert_eq!(user.wait(&id), 7);
    user.all_gone();
}

#[test]
fn signals_that_the_submitter_ignores_or_blocks_are_neither_in_the_job() {
    let user = User::new();
    let id =
        start_ignoring(&user, "TERM INT HUP PIPE USR1 CHLD 34 64", "exec cat /proc/self/status > status");
    assert_eq!(user.wait(&id), 0);
    let text = user.line_in("status");
    for name in ["SigIgn", "SigBlk"] {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        let mask = u64::from_str_radix(line.split_ascii_whitespace().nth(1).unwrap(), 16).unwrap();
        // All 64: those from 32 on, too, that a C library keeps for itself and may have ignored.
        assert_eq!(mask, 0, "{line}");
    }
    user.all_gone();
}

#[test]
fn a_job_whose_submitter_ignores_term_ends_by_term() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = start_ignoring(&user, "TERM", &format!("exec {}", lair.stay));
    lair.inhabitants(1);
    lair.cancel(&id);
    assert_eq!(user.indexed(&id)["signal"], 15);
    user.all_gone();
}

#[test]
fn a_substitution_does_not_wait_for_the_job_that_it_starts() {
    let user = User::new();
    let lair = Lair::new(&user);
    // `output` reads both pipes to their end, as `$(…)` and ssh do.
    let id = user.start(["--", &lair.stay]);
    assert_eq!(user.status(&id), "running");
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_signal_to_the_submitters_group_does_not_reach_watcher_or_job() {
    let user = User::new();
    let lair = Lair::new(&user);
    let line = format!("{} start -- {}; kill -KILL 0", program().display(), lair.stay);
    let ran = Ran::of(&user.command("setsid").args(["--wait", "sh", "-c", &line]).output().unwrap());
    lair.inhabitants(1);
    let id = ran.out.trim_end();
    assert_eq!(user.observed(id), "alive");
    user.ok(["cancel", id]);
    user.all_gone();
}

#[test]
fn a_watcher_ignores_the_signals_that_end_others() {
    use rustix::process::Signal;
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, watcher, _) = running(&user, &lair);
    for signal in [Signal::HUP, Signal::INT, Signal::TERM, Signal::QUIT, Signal::PIPE, Signal::ALARM] {
        crate::support::kill(watcher, signal);
    }
    assert_eq!(user.observed(&id), "alive");
    lair.cancel(&id);
    assert_eq!(user.record(&id).iter().filter(|line| line["line"] == "watcher").count(), 1);
    user.all_gone();
}

/// All that is in the root, with its content and the time of its last change.
fn everything(user: &User) -> Vec<(PathBuf, std::time::SystemTime, Vec<u8>)> {
    let mut open = vec![user.root()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let data = std::fs::symlink_metadata(&path).unwrap();
        let content = if data.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            Vec::new()
        } else {
            std::fs::read(&path).unwrap()
        };
        found.push((path, data.modified().unwrap(), content));
    }
    found.sort();
    found
}

#[track_caller]
fn reads_change_nothing(user: &User, id: &str) {
    let before = everything(user);
    for arguments in
        [&["list"][..], &["list", "--json", "--all"], &["status", id], &["logs", id], &["tick", "--dry-run"]]
    {
        user.run(arguments);
    }
    assert!(
        everything(user) == before,
        "{:?}",
        everything(user).iter().map(|one| &one.0).collect::<Vec<_>>()
    );
}

#[test]
fn looking_at_a_lost_job_changes_nothing() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, watcher, main) = running(&user, &lair);
    super::end_by_force(watcher);
    reads_change_nothing(&user, &id);
    super::end_by_force(main);
    reads_change_nothing(&user, &id);
    user.ok(["tick"]);
    reads_change_nothing(&user, &id);
    user.all_gone();
}

#[test]
fn looking_at_an_index_made_by_hand_changes_nothing() {
    let user = User::new();
    user.write_jobs(&[super::claimed_here(&user.id(), "true")]);
    reads_change_nothing(&user, &user.id());
}
