//! The program is replaced or removed while jobs run: what runs goes on with the program it has, what is typed is the new one, and
//! both keep the same index.

use super::place::observed;
use super::{attempts, bounded, broken_rules, edit, end_by_force, entry, let_go, running, state, witness};
use crate::support::{BGCTL, Ran, User, is_alive, until};
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A user with a program of his own, which can be replaced.
struct Installed {
    user: User,
    program: PathBuf,
}

impl Installed {
    fn new() -> Self {
        let user = User::new();
        let program = user.path("bgctl");
        install(&program);
        Self { user, program }
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.user.command(&self.program);
        command.args(arguments);
        bounded(command)
    }

    #[track_caller]
    fn start(&self, flags: &[&str], script: &str) -> String {
        let ran = self.run([&["start", "--quiet"], flags, &["--", "sh", "-c", script]].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.trim_end().to_owned()
    }

    /// Another program takes its place, as installers do it: written beside it, and renamed.
    fn replace(&self) {
        let new = self.user.path("bgctl.new");
        install(&new);
        std::fs::rename(new, &self.program).unwrap();
    }

    fn remove(&self) {
        std::fs::remove_file(&self.program).unwrap();
    }
}

/// Copies the program, by another process: a file that this one had open to write could be open in a child that another test
/// forks at that instant, and would be busy (`ETXTBSY` in `execve(2)`).
fn install(program: &Path) {
    assert!(Command::new("cp").arg(BGCTL).arg(program).status().unwrap().success());
}

/// Which file a process runs.
fn file_of(pid: i32) -> (u64, u64) {
    let data = std::fs::metadata(format!("/proc/{pid}/exe")).unwrap();
    (data.dev(), data.ino())
}

#[test]
fn watchers_go_on_after_an_upgrade_and_start_what_comes_next_with_the_program_that_they_run() {
    let installed = Installed::new();
    let user = &installed.user;
    user.configure("[queue]\nmax_concurrent = 1\n");
    let gates = ["one", "two", "three"].map(|name| user.fifo(name));
    let ids = ["one", "two", "three"].map(|name| installed.start(&[], &witness(&format!("cat {name}"))));
    let (watcher, _) = running(user, &ids[0]);
    let old = file_of(watcher);
    installed.replace();
    let_go(&gates[0]);
    let (second, _) = running(user, &ids[1]);
    assert_eq!((second, file_of(second)), (watcher, old), "the same watcher goes on");
    // Two slots from now on: it goes on with one job itself, and starts a watcher for another.
    user.configure("[queue]\nmax_concurrent = 2\n");
    let fourth = installed.start(&[], &witness("true"));
    let_go(&gates[1]);
    running(user, &ids[2]);
    let_go(&gates[2]);
    for id in ids.iter().chain([&fourth]) {
        until("all have completed", || state(user, id) == "completed");
        assert_eq!(attempts(user, id), [1]);
    }
    assert_eq!(broken_rules(user), [""; 0]);
    user.all_gone();
}

#[test]
fn what_the_program_started_goes_on_although_it_was_removed_retries_alarm_and_hooks_too() {
    let installed = Installed::new();
    let user = &installed.user;
    user.fifo("go");
    let retried = installed.start(
        &["--attempts", "2", "--retry-delay", "1s", "--on-end", "echo hooked >> hooked"],
        &witness("test $BG_ATTEMPT = 2 || { cat go; exit 1; }"),
    );
    running(user, &retried);
    assert!(user.alarm().is_none());
    installed.remove();
    let_go(user.path("go"));
    until("the next attempt has completed", || state(user, &retried) == "completed");
    assert_eq!(attempts(user, &retried), [1, 2]);
    let hooked = |folder: PathBuf| std::fs::read_to_string(folder.join("hooked")).is_ok();
    until("its hook has run", || hooked(user.path("")) || hooked(user.path("home")) || hooked(user.root()));
    user.all_gone();
}

#[test]
fn the_new_program_ends_adopts_and_shows_the_jobs_of_the_old_one() {
    let installed = Installed::new();
    let user = &installed.user;
    let (first, second) = (
        installed.start(&[], &witness("exec sleep 1000")),
        installed.start(&[], &witness("exec sleep 1000")),
    );
    let (watcher, main) = running(user, &first);
    let (_, other) = running(user, &second);
    let old = file_of(watcher);
    installed.replace();
    assert_eq!(observed(user, &first), "alive");
    assert!(installed.run(["doctor"]).out.contains("run a program that was replaced since"));
    end_by_force(watcher);
    assert_eq!(installed.run(["tick"]).code, 0);
    until("it is adopted", || observed(user, &first) == "alive");
    let adopter = user.recorded_pid(&first, "watcher");
    assert_ne!(file_of(adopter), old, "the new program watches it");
    assert!(is_alive(main));
    assert_eq!(installed.run(["cancel", &first, &second]).code, 0);
    assert!(!is_alive(main) && !is_alive(other));
    user.all_gone();
}

#[test]
fn a_running_program_cannot_be_written_over_and_its_removal_and_making_anew_is_an_upgrade() {
    let installed = Installed::new();
    let user = &installed.user;
    let go = user.fifo("go");
    let id = installed.start(&[], &witness("cat go; exit 5"));
    running(user, &id);
    let error = std::fs::File::options().write(true).truncate(true).open(&installed.program).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ETXTBSY), "{error}");
    installed.remove();
    install(&installed.program);
    let_go(go);
    assert_eq!(installed.run(["wait", "--quiet", &id]).code, 5);
    user.all_gone();
}

/// Something that a newer program may have put into the index.
const NEWER: [(&str, &str); 2] = [("version", "2"), ("requires", "[\"moons\"]")];

#[test]
fn a_watcher_keeps_the_end_of_its_job_while_the_index_is_a_newer_programs() {
    for (field, value) in NEWER {
        let user = User::new();
        let go = user.fifo("go");
        let id = user.start_sh(&witness("cat go; exit 5"));
        running(&user, &id);
        let before = user.index();
        edit(&user, |index| index[field] = serde_json::from_str(value).unwrap());
        let newer = std::fs::read(user.root().join("jobs.json")).unwrap();
        let_go(go);
        until("its end is on record", || user.record(&id).iter().any(|line| line["line"] == "outcome"));
        for arguments in
            [&["tick"][..], &["cancel", &id], &["start", "--", "true"], &["prune", "--all"], &["pause", &id]]
        {
            let ran = user.run(arguments);
            assert_eq!(ran.code, 5, "{field}: {arguments:?}: {}{}", ran.out, ran.err);
        }
        let shown = user.run(["list"]);
        assert_eq!(shown.code, if field == "version" { 5 } else { 0 }, "{}", shown.err);
        assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), newer, "{field}: nobody wrote it");
        // The newer program is done, or was taken away again.
        edit(&user, |index| *index = before);
        until("the watcher writes down the end", || state(&user, &id) == "failed");
        assert_eq!(entry(&user, &id)["exit_code"], 5);
        user.all_gone();
    }
}

#[test]
fn lines_of_a_run_record_that_a_newer_program_wrote_are_passed_over() {
    use std::io::Write;
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&witness("cat go; exit 5"));
    let (watcher, _) = running(&user, &id);
    end_by_force(watcher);
    let path = user.root().join("runs").join(format!("{id}.lock"));
    let mut record = std::fs::File::options().append(true).open(path).unwrap();
    let boot = bgctl::os::site::here().unwrap().boot;
    for line in [
        r#"{"line":"moon","phase":3}"#.to_owned(),
        r#"{"line":"beat","at":"2026-02-13T10:00:00Z","monotonic_ms":5,"moon":"full"}"#.to_owned(),
        r#"{"line":"outcome","outcome":{"exit":{"moon":1},"at":"2026-02-13T10:00:00Z"}}"#.to_owned(),
        format!(r#"{{"line":"watcher","attempt":1,"pid":{watcher},"start":1,"boot":"{boot}"}}"#),
    ] {
        writeln!(record, "{line}").unwrap();
    }
    assert_eq!(observed(&user, &id), "unwatched");
    user.ok(["tick"]);
    until("it is adopted", || observed(&user, &id) == "alive");
    let_go(go);
    until("it has ended", || state(&user, &id) == "failed");
    assert_eq!(attempts(&user, &id), [1]);
    user.all_gone();
}

#[test]
fn an_index_of_the_first_programs_is_read_and_what_it_has_running_here_is_not_started_again() {
    let user = User::new();
    // Without namespaces, machine ids, attempts and event numbers, and written over many lines.
    let host = bgctl::os::site::here().unwrap().host;
    let text = format!(
        r#"{{
  "version": 1,
  "jobs": [
    {{ "id": "bg_20260213_aaaaaa", "status": "running", "command": "echo ran >> ran", "created_at": "2026-02-13T10:00:00Z",
      "started_at": "2026-02-13T10:00:00Z", "stale_after_seconds": null, "claim": {{ "host": "{host}", "boot": "of then" }} }},
    {{ "id": "bg_20260213_bbbbbb", "status": "queued", "command": "echo ran >> later", "cwd": "{cwd}", "created_at": "2026-02-13T10:00:00Z" }},
    {{ "id": "bg_20260213_cccccc", "status": "completed", "command": "true", "created_at": "2026-02-13T10:00:00Z",
      "ended_at": "2026-02-13T10:00:00Z", "exit_code": 0 }}
  ]
}}"#,
        cwd = user.path("").display()
    );
    user.write_index(&text);
    user.ok(["tick"]);
    assert_eq!(user.wait("bg_20260213_bbbbbb"), 0);
    assert_eq!(user.line_in("later"), "ran\n");
    assert!(!user.path("ran").exists());
    let first = entry(&user, "bg_20260213_aaaaaa");
    assert!(first["status"] == "running" || first["exit_code"] == Value::Null, "{first}");
    user.all_gone();
}
