//! Logs under their caps, with the real program writing them.

use crate::log_cap::file_systems;
use crate::support::{BGCTL, User, is_alive, kill, until};
use rustix::process::Signal;
use std::os::unix::fs::MetadataExt;

/// A user whose home is on this file system.
fn user_on(place: &std::path::Path, settings: &str) -> User {
    let user = User::on(place);
    user.make_root();
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    user
}

/// Writes numbered lines until there are so many bytes. In the midst of them, it makes the file `half` and waits
/// for a line from the pipe `go`.
const WRITER: &str = r#"awk 'BEGIN { while (bytes < BYTES) { line = ++n " of a long log that goes on and on"; bytes += length(line) + 1; print line; if (!halfway && bytes > BYTES / 2) { halfway = 1; fflush(); print "" > "half"; close("half"); getline < "go" } } print "the end" }'"#;

#[test]
fn a_writer_of_far_more_than_its_log_may_have_runs_on_and_fills_no_disk() {
    const MIB: u64 = 1 << 20;
    for place in file_systems() {
        let user = user_on(&place, "[log]\nmax_bytes = \"1MiB\"\n");
        // A fast machine would write all of it before the watcher's first look.
        let go = user.fifo("go");
        let id = user.start_sh(&WRITER.replace("BYTES", "300000000"));
        let log = user.root().join(format!("runs/{id}.log"));
        let bytes = || std::fs::metadata(&log).map_or(0, |data| data.blocks() * 512);
        until("half of it is written", || user.path("half").exists());
        until("the middle of that is gone", || bytes() < 50_000_000);
        std::fs::write(go, "\n").unwrap();
        let mut most = 0;
        until("it has ended", || {
            most = most.max(bytes());
            user.job(&id)["ended_at"].is_string()
        });
        assert_eq!(user.wait(&id), 0);
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.len() as u64 <= MIB, "{}: {} bytes", place.display(), text.len());
        assert!(text.starts_with("1 of a long log that goes on and on\n2 of a"));
        assert!(text.ends_with(" of a long log that goes on and on\nthe end\n"));
        assert_eq!(text.lines().filter(|line| line.starts_with("--- ")).count(), 1);
        let numbers: Vec<u64> = text
            .lines()
            .filter_map(|line| line.strip_suffix(" of a long log that goes on and on")?.parse().ok())
            .collect();
        let gaps = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert_eq!(
            (numbers.len() + 2, gaps),
            (text.lines().count(), 1),
            "every line is whole, and one place has a gap"
        );
        // What can be written between two looks comes on top.
        assert!(most < 300_000_000, "{}: the file took {most} bytes", place.display());
        let meta: serde_json::Value =
            serde_json::from_slice(&std::fs::read(user.root().join(format!("runs/{id}.meta.json"))).unwrap())
                .unwrap();
        assert!(meta["attempts"][0]["log_to"].as_u64().unwrap() > 300_000_000, "what was written is counted");
    }
}

#[test]
fn the_logs_of_jobs_that_ended_first_go_when_all_together_are_too_large() {
    let user = user_on(&std::env::temp_dir(), "[log]\nmax_bytes = \"1MiB\"\ntotal_bytes_max = \"1MiB\"\n");
    let ids: Vec<String> = (0..3)
        .map(|_| {
            let id = user.start_sh("head -c 500000 /dev/zero | tr '\\0' x");
            assert_eq!(user.wait(&id), 0);
            id
        })
        .collect();
    let log = |id: &str| std::fs::read_to_string(user.root().join(format!("runs/{id}.log"))).unwrap();
    until("the first log is let go", || log(&ids[0]).len() < 1_000);
    let said = log(&ids[0]);
    assert!(said.starts_with("--- 488.3 KiB of output removed on 20"), "{said}");
    assert!(said.ends_with(": all logs together are limited to 1 MiB (log.total_bytes_max) ---\n"), "{said}");
    assert_eq!([log(&ids[1]).len(), log(&ids[2]).len()], [500_000, 500_000]);
    assert_eq!(user.status(&ids[0]), "completed", "its entry stays");
    user.all_gone();
    let before = said;
    user.ok(["tick"]);
    assert_eq!(log(&ids[0]), before, "and nothing is removed twice");
}

#[test]
fn a_tick_says_whose_logs_it_would_empty_and_empties_them() {
    let user = user_on(&std::env::temp_dir(), "");
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let id = user.start_sh("head -c 500000 /dev/zero | tr '\\0' x");
            assert_eq!(user.wait(&id), 0);
            id
        })
        .collect();
    user.all_gone();
    std::fs::write(user.root().join("config.toml"), "[log]\ntotal_bytes_max = \"600KiB\"\n").unwrap();
    let log = |id: &str| std::fs::metadata(user.root().join(format!("runs/{id}.log"))).unwrap().len();
    let foreseen = user.ok(["tick", "--dry-run"]);
    assert_eq!(foreseen, format!("would empty the log of {}: all logs together are too large\n", ids[0]));
    assert_eq!(log(&ids[0]), 500_000);
    let done = user.run(["tick", "--json"]).json();
    assert_eq!(done["emptied_logs"], serde_json::json!([ids[0]]));
    assert!(log(&ids[0]) < 1_000);
    assert_eq!(log(&ids[1]), 500_000, "that of the job that ended last stays");
}

#[test]
fn who_is_killed_while_it_empties_a_log_leaves_one_that_says_so() {
    if !crate::sweeps::can_trace() {
        return;
    }
    let user = user_on(&std::env::temp_dir(), "");
    let [id, _] = [(); 2].map(|()| {
        let id = user.start_sh("head -c 500000 /dev/zero | tr '\\0' x");
        assert_eq!(user.wait(&id), 0);
        id
    });
    user.all_gone();
    std::fs::write(user.root().join("config.toml"), "[log]\ntotal_bytes_max = \"600KiB\"\n").unwrap();
    let log = || std::fs::read_to_string(user.root().join(format!("runs/{id}.log"))).unwrap();
    let mut strace = user.command("strace");
    strace.args(["-o", "/dev/null", "-e", "trace=ftruncate", "-e", "inject=ftruncate:signal=KILL"]);
    let killed = strace.args([BGCTL, "tick"]).output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(9), "{killed:?}");
    let begin = "--- 488.3 KiB of output removed on 20";
    assert!(log().starts_with(begin) && log().len() == 500_000, "{}", log().len());
    user.ok(["tick"]);
    assert!(log().starts_with(begin) && log().lines().count() == 1, "{}", log().len());
}

#[test]
fn a_log_that_cannot_be_created_is_a_failed_job_with_that_reason() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 1\n").unwrap();
    let gate = user.fifo("gate");
    let held = user.start_sh(&format!("read word < '{}'", gate.display()));
    let id = user.start(["true"]);
    // Something that is no file stands where the log would be; beside a record, so that no attempt seems to be lost.
    std::fs::write(user.root().join(format!("runs/{id}.lock")), "{\"line\":\"note\",\"text\":\"\"}\n")
        .unwrap();
    std::fs::create_dir(user.root().join(format!("runs/{id}.log"))).unwrap();
    std::fs::write(gate, "go\n").unwrap();
    assert_eq!((user.wait(&held), user.wait(&id)), (0, 1));
    assert_eq!(user.status(&id), "failed");
    let summary = user.job(&id)["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("could not start: its log could not be created: "), "{summary}");
}

#[test]
fn a_limit_that_was_lifted_cuts_nothing_at_the_end() {
    let user = User::new();
    let gate = user.fifo("gate");
    let script = format!("read word < '{}'; head -c 300000 /dev/zero | tr '\\0' x", gate.display());
    let id = user.start(["--log-max", "64KiB", "--", "sh", "-c", &script]);
    user.ok(["set", &id, "--log-max", "none", "--timeout", "7h"]);
    std::fs::write(gate, "go\n").unwrap();
    assert_eq!(user.wait(&id), 0);
    assert_eq!(std::fs::metadata(user.root().join(format!("runs/{id}.log"))).unwrap().len(), 300_000);
    let meta = std::fs::read_to_string(user.root().join(format!("runs/{id}.meta.json"))).unwrap();
    assert!(meta.contains("\"timeout_seconds\": 25200"), "{meta}");
}

#[test]
fn the_log_of_a_job_that_nobody_watched_is_kept_within_its_limit_too() {
    let user = User::new();
    let gate = user.fifo("gate");
    let script = format!("read word < '{}'; head -c 300000 /dev/zero | tr '\\0' x", gate.display());
    let id = user.start(["--log-max", "64KiB", "--", "sh", "-c", &script]);
    let watcher = user.recorded_pid(&id, "watcher");
    let job = user.recorded_pid(&id, "process");
    until("its command runs", || user.record(&id).iter().any(|line| line["line"] == "started"));
    kill(watcher, Signal::KILL);
    until("the watcher is gone", || !is_alive(watcher));
    std::fs::write(gate, "go\n").unwrap();
    until("the job is gone", || !is_alive(job));
    until("its end is judged", || {
        user.ok(["tick"]);
        user.status(&id) == "failed"
    });
    assert!(std::fs::metadata(user.root().join(format!("runs/{id}.log"))).unwrap().len() <= 64 * 1024);
}
