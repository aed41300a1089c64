//! Every other file of the root, made to harm: records, snapshots, events, settings, what GitHub said. Readers answer within
//! bounds, and what cannot be read is said or made anew.

use super::measured::{Bounds, run};
use super::victim::Victim;
use crate::proof::is_long;
use crate::support::User;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

/// The same for every file: reading takes no more than this, whatever stands in it.
const BOUNDS: Bounds = Bounds { time: Duration::from_mins(2), bytes: 700 << 20 };

const ENDED: &str = "bg_20260213_aaaaaa";
const RUNNING: &str = "bg_20260213_bbbbbb";
const AT: &str = "2026-02-13T10:00:00Z";

/// What looks at these files. What changes the root comes last.
const COMMANDS: [&[&str]; 19] = [
    &["list", "--all"],
    &["status", ENDED],
    &["status", RUNNING],
    &["logs", ENDED],
    &["logs", "--attempt", "1", ENDED],
    &["logs", "-n", "2", RUNNING],
    &["events"],
    &["events", "-n", "3", "--json"],
    &["health"],
    &["config"],
    &["doctor"],
    &["store"],
    &["tick", "--report", "failures"],
    &["start", "--", "true"],
    &["tick"],
    &["store", "rebuild", "--dry-run"],
    &["cancel", RUNNING],
    &["doctor", "--fix"],
    &["prune", "--all"],
];

fn scene() -> (User, Victim) {
    let user = User::new();
    let job = |id: &str, status: &str| {
        json!({ "id": id, "status": status, "command": "true", "argv": ["true"], "cwd": "/", "created_at": AT,
            "attempt": 1, "started_at": AT })
    };
    let mut ended = job(ENDED, "completed");
    ended["ended_at"] = AT.into();
    ended["exit_code"] = 0.into();
    let mut running = job(RUNNING, "running");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    running["claim"] = json!({ "host": "h", "boot": boot.trim(), "pid_namespace": namespace() });
    user.write_index(&json!({ "version": 1, "updated_at": AT, "jobs": [ended, running] }).to_string());
    std::fs::create_dir(user.root().join("runs")).unwrap();
    for id in [ENDED, RUNNING] {
        std::fs::write(user.root().join(format!("runs/{id}.log")), "one\ntwo\nthree\n").unwrap();
    }
    let victim = Victim::new(user.path("victim"));
    (user, victim)
}

fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").unwrap().ino()
}

/// So many fit into a settings file of the size that is read.
const SECTIONS: usize = 30_000;

/// The commands that are tried on a file: in the quick form each second one, from run to run others.
fn commands() -> impl Iterator<Item = &'static [&'static str]> {
    let begin = crate::proof::seed() as usize % 2;
    let step = if is_long() { 1 } else { 2 };
    COMMANDS.into_iter().skip(if is_long() { 0 } else { begin }).step_by(step)
}

/// Writes the file and tries every command.
#[track_caller]
fn is_answered(name: &str, what: &str, write: &dyn Fn(&mut dyn Write)) {
    let (user, victim) = scene();
    let path = user.root().join(name.replace("ENDED", ENDED).replace("RUNNING", RUNNING));
    let mut file = BufWriter::new(File::create(&path).unwrap());
    write(&mut file);
    file.flush().unwrap();
    drop(file);
    let mut troubles = Vec::new();
    for command in commands() {
        let measured = run(&user, command, BOUNDS);
        let trouble = measured.trouble().into_iter().chain(victim.changes());
        troubles.extend(trouble.map(|one| format!("{name}, {what}: {}: {one}", command.join(" "))));
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// How much of a long file there is: more than a reader may have of memory, and in the long form more yet.
fn length() -> u64 {
    if is_long() { 1_200 << 20 } else { 1 << 30 }
}

/// A line without end: sparse, so that only who reads it pays.
fn without_end(path: &Path, beginning: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(beginning.as_bytes()).unwrap();
    file.set_len(length()).unwrap();
}

#[test]
fn a_file_whose_line_does_not_end_costs_its_readers_no_memory() {
    let begun = r#"{"line":"watcher","attempt":1,"pid":1,"start":1,"boot":""#;
    for (name, text) in [
        ("events.jsonl", r#"{"seq":1,"at":"2026-02-13T10:00:00Z","event":"health","note":""#),
        ("events.jsonl.1", r#"{"seq":1,"at":"2026-02-13T10:00:00Z","event":"health","note":""#),
        ("events.refused", ""),
        ("config.toml", "a = \""),
        ("last_health", "{"),
        ("hooked", "{"),
        ("reported", "{"),
        ("alarm.lock", "{"),
        ("polled.json", "{\"a\":\""),
        ("hooks.log", ""),
        ("runs/RUNNING.lock", begun),
        ("runs/ENDED.lock", begun),
        ("runs/ENDED.meta.json", "{\"version\":1,\"id\":\""),
        ("runs/ENDED.cut", "{"),
        ("runs/ENDED.log", "text"),
        ("runs/RUNNING.in", "text"),
    ] {
        let (user, victim) = scene();
        without_end(&user.root().join(name.replace("ENDED", ENDED).replace("RUNNING", RUNNING)), text);
        let mut troubles = Vec::new();
        for command in commands() {
            // The log itself is what is wanted there, and long.
            if name == "runs/ENDED.log" && command[0] == "logs" && !is_long() {
                continue;
            }
            let measured = run(&user, command, BOUNDS);
            let trouble = measured.trouble().into_iter().chain(victim.changes());
            troubles.extend(trouble.map(|one| format!("{name}: {}: {one}", command.join(" "))));
        }
        assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    }
}

#[test]
fn a_record_of_very_many_watchers_is_answered() {
    let count = if is_long() { 200_000 } else { 20_000 };
    is_answered("runs/RUNNING.lock", "watchers", &|file| {
        for number in 1..=count {
            writeln!(
                file,
                r#"{{"line":"watcher","attempt":{number},"pid":1,"start":1,"boot":"b","at":"{AT}","monotonic_ms":1}}"#
            )
            .unwrap();
        }
    });
}

#[test]
fn a_record_with_odd_numbers_is_answered() {
    let watcher = |attempt: &str, pid: &str, monotonic: &str| {
        format!(
            r#"{{"line":"watcher","attempt":{attempt},"pid":{pid},"start":18446744073709551615,"boot":"b","at":"+262142-12-31T23:59:59Z","monotonic_ms":{monotonic}}}"#
        )
    };
    let texts = [
        watcher("1", "-1", "18446744073709551615"),
        watcher("1", "0", "0"),
        watcher("4294967295", "2147483647", "18446744073709551615"),
        watcher("1", "1", "1")
            + "\n"
            + r#"{"line":"process","pid":-1,"start":0,"log_from":18446744073709551615,"monotonic_ms":18446744073709551615}"#,
        watcher("1", "1", "1")
            + "\n{\"line\":\"paused\",\"monotonic_ms\":0}\n{\"line\":\"resumed\",\"monotonic_ms\":18446744073709551615}\n{\"line\":\"paused\",\"monotonic_ms\":0}\n{\"line\":\"resumed\",\"monotonic_ms\":18446744073709551615}",
        watcher("1", "1", "1")
            + "\n"
            + r#"{"line":"outcome","outcome":{"exit":{"code":99999},"at":"-262143-01-01T00:00:00Z"}}"#,
        watcher("1", "1", "1")
            + "\n"
            + r#"{"line":"outcome","outcome":{"exit":{"signal":-2147483648},"at":"9999-12-31T23:59:59Z","usage":{"memory_peak_kib":18446744073709551615,"cpu_user_ms":18446744073709551615,"cpu_system_ms":18446744073709551615}}}"#,
        watcher("1", "1", "1") + "\n{\"line\":\"entry\",\"entry\":" + &"[".repeat(100_000) + "}",
        "[".repeat(100_000),
    ];
    for text in texts {
        let short: String = text.chars().take(200).collect();
        is_answered("runs/RUNNING.lock", &short, &|file| writeln!(file, "{text}").unwrap());
    }
}

#[test]
fn a_snapshot_and_a_cut_with_odd_numbers_are_answered() {
    const MAX: u64 = u64::MAX;
    let attempt = |number: u64, from: u64, to: u64| {
        json!({ "attempt": number, "started_at": AT, "ended_at": "+262142-12-31T23:59:59Z", "log_from": from, "log_to": to,
            "ending": null, "outcome": { "exit": { "code": 0 }, "at": AT } })
    };
    for attempts in [
        json!([attempt(1, MAX, 0)]),
        json!([attempt(1, 5, 2)]),
        json!([attempt(1, 0, MAX), attempt(1, MAX, MAX)]),
        json!(vec![attempt(1, 0, 1); 10_000]),
    ] {
        let meta = json!({ "version": 1, "id": "../../x", "command": "", "argv": [], "cwd": "/", "host": "h", "umask": 4_294_967_295_u32,
            "timeout_seconds": MAX, "grace_seconds": MAX, "attempts": attempts });
        is_answered("runs/ENDED.meta.json", "numbers", &|file| write!(file, "{meta}").unwrap());
    }
    for (sequence, head, tail, removed) in [
        (2, MAX, MAX, MAX),
        (2, 0, MAX, MAX),
        (2, 3, 1, MAX),
        (2, 100, 5, 0),
        (1, 0, MAX, MAX),
        (MAX, MAX, 0, MAX - 1),
        (2, 0, 0, MAX - 3),
    ] {
        let cut = json!({ "sequence": sequence, "head_end": head, "tail_begin": tail, "removed": removed, "hole_bytes": MAX });
        is_answered("runs/ENDED.cut", &cut.to_string(), &|file| writeln!(file, "{cut}").unwrap());
        is_answered("runs/RUNNING.cut", &cut.to_string(), &|file| writeln!(file, "{cut}").unwrap());
    }
    for step in [
        json!({ "collapse": { "from": MAX, "length": MAX, "token": "x" } }),
        json!({ "collapse": { "from": 0, "length": MAX, "token": null } }),
        json!("punch"),
        json!({ "compact": { "inode": MAX } }),
    ] {
        let after = json!({ "sequence": 2, "head_end": MAX, "tail_begin": MAX, "removed": MAX });
        let cut = json!({ "sequence": 1, "head_end": 1, "tail_begin": MAX, "removed": MAX, "hole_bytes": MAX,
            "plan": { "step": step, "after": after, "hole_bytes": MAX, "bytes_max": MAX } });
        is_answered("runs/RUNNING.cut", &cut.to_string(), &|file| writeln!(file, "{cut}").unwrap());
    }
}

#[test]
fn events_with_odd_numbers_are_answered() {
    for seq in ["18446744073709551615", "18446744073709551614", "0", "-1", "1.5", "18446744073709551616"] {
        is_answered("events.jsonl", seq, &|file| {
            for event in ["refused", "changed", "health", "hook"] {
                writeln!(
                    file,
                    r#"{{"seq":{seq},"at":"{AT}","event":"{event}","times":{seq},"hooks":["on_end"]}}"#
                )
                .unwrap();
            }
        });
    }
    is_answered("events.jsonl", "a time of long ago", &|file| {
        for at in ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z"] {
            writeln!(file, r#"{{"seq":1,"at":"{at}","event":"refused","reason":"queue_full","waiting":1,"threshold":1,"max_size":1}}"#).unwrap();
        }
    });
    is_answered("events.jsonl", "depth", &|file| {
        writeln!(file, "{{\"seq\":1,\"at\":{}", "[".repeat(100_000)).unwrap();
    });
}

#[test]
fn settings_made_to_harm_are_answered() {
    let deep = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let dotted = format!("{} = 1\n", vec!["a"; 100_000].join("."));
    let sections: String = (0..SECTIONS).map(|number| format!("[schedules.s{number}]\n")).collect();
    let groups: String = (0..SECTIONS).map(|number| format!("[groups.g{number}]\nslots=1\n")).collect();
    let keys: String = (0..2 * SECTIONS).map(|number| format!("k{number} = 1\n")).collect();
    let long = format!("[worker]\ntimeout = \"{}\"\n", "9".repeat(900_000));
    let cron = "[schedules.s]\ncommand = [\"true\"]\ncron = \"0 0 30 2 *\"\n".to_owned();
    for (what, text) in [
        ("depth", deep),
        ("dotted keys", dotted),
        ("schedules", sections),
        ("groups", groups),
        ("keys", keys),
        ("a long value", long),
        ("a time that never comes", cron),
    ] {
        is_answered("config.toml", what, &|file| file.write_all(text.as_bytes()).unwrap());
    }
}
