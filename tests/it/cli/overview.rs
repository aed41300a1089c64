//! `bgctl` alone, and `bgctl status` without a job

use super::screen::{on_screen, on_terminal, without_colours};
use super::{DAY, HOUR, Held, ago, completed, configure, contents, entry, hold_both_slots, index_of};
use crate::support::{User, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// What a screen has, at the least.
const LINES: usize = 24;
const COLUMNS: usize = 80;

#[track_caller]
fn assert_fits(text: &str, columns: usize) {
    let lines = text.lines().count();
    assert!(lines <= LINES, "{lines} lines:\n{text}");
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= columns, "{widest} columns:\n{text}");
}

fn overview(user: &User) -> Value {
    user.run(["--json"]).json()
}

#[track_caller]
fn assert_line(text: &str, begins: &str) {
    assert!(text.lines().any(|line| line.starts_with(begins)), "{begins:?} begins no line of:\n{text}");
}

/// 50 jobs in all states, and everything that can need attention without a process.
fn crowd(user: &User) {
    let long = "x".repeat(300);
    let mut entries = Vec::new();
    for number in 0..50 {
        let random = format!("aa{number:04}");
        entries.push(match number % 5 {
            0 => completed(&random, HOUR),
            1 => {
                entry(&random, "failed", &json!({ "ended_at": ago(HOUR), "summary": long, "command": long }))
            }
            2 => entry(&random, "queued", &json!({ "command": long, "name": long })),
            3 => entry(&random, "running", &json!({ "started_at": ago(DAY), "command": long })),
            _ => entry(&random, "waiting_approval", &json!({ "command": "日本語".repeat(50) })),
        });
    }
    let claim = json!({ "host": "h", "boot": "b", "pid_namespace": 1 });
    entries.push(entry("paused", "queued", &json!({ "paused_at": ago(HOUR) })));
    entries.push(entry(
        "elsewh",
        "running",
        &json!({ "started_at": ago(DAY), "attempt": 1, "claim": claim }),
    ));
    configure(user, &format!("[queue]\n{long} = 1\n"));
    user.write_index(&index_of(&entries));
}

#[test]
fn an_empty_root_greets_with_the_two_commands_to_begin_with_and_nothing_is_made() {
    let user = User::new();
    for arguments in [&[][..], &["status"]] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.contains("bgctl start -- COMMAND") && ran.out.contains("bgctl list"), "{}", ran.out);
    }
    let object = overview(&user);
    assert_eq!((&object["running"], &object["counts"]["queued"]), (&json!([]), &json!(0)));
    assert!(!user.root().exists(), "looking makes nothing");
}

#[test]
fn a_root_without_jobs_greets_too_and_says_what_is_wrong_with_its_settings() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurent = 3\n");
    let before = contents(&user.root());
    let ran = user.run([] as [&str; 0]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("bgctl start -- COMMAND"), "{}", ran.out);
    assert_line(&ran.out, "ATTENTION");
    let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("there is no setting queue.max_concurent; did you mean queue.max_concurrent?"),
        "{said}"
    );
    assert_eq!(overview(&user)["attention"][0]["kind"], "settings");
    assert_eq!(contents(&user.root()), before);
}

#[test]
fn the_root_is_named_only_where_a_variable_says_another() {
    let user = User::new();
    let root = user.root().display().to_string();
    assert_line(&user.ok([] as [&str; 0]), &format!("jobs in {root}"));
    let mut plain = user.bgctl([] as [&str; 0]);
    plain.env_remove("BG_HOME");
    let text = String::from_utf8(plain.output().unwrap().stdout).unwrap();
    assert!(!text.contains("jobs in"), "{text}");
    assert!(!user.path("home").join(".config").exists());
}

#[test]
fn what_runs_waits_and_failed_is_shown_with_its_numbers() {
    let user = User::new();
    let failed = user.start(["--name", "broken", "--", "sh", "-c", "exit 7"]);
    user.wait(&failed);
    let [one, two] = hold_both_slots(&user);
    let next = user.start(["--name", "next", "--", "true"]);
    let text = user.ok([] as [&str; 0]);
    let random = |id: &str| id.rsplit('_').next().unwrap().to_owned();
    assert_line(&text, "1 queued, 2 running, 1 failed");
    assert_line(&text, "2 of 2 slots held");
    let running = text.lines().find(|line| line.starts_with(&random(&one.id))).unwrap();
    assert!(running.contains(" s  ") && running.contains("iB  sh -c"), "time, CPU, memory: {running}");
    assert_line(&text, &format!("{}  for a slot  next: true", random(&next)));
    let line = text.lines().find(|line| line.starts_with(&random(&failed))).unwrap();
    assert!(line.contains("broken: sh -c") && line.ends_with("exit code 7"), "{line}");
    assert!(!text.contains("ATTENTION"), "{text}");
    assert_eq!(text.matches("sh -c").count(), 3, "{text}");

    let object = overview(&user);
    assert_eq!(object["command"], "overview");
    assert_eq!(
        object["counts"],
        json!({ "queued": 1, "running": 2, "waiting_approval": 0, "completed": 0, "failed": 1, "cancelled": 0 })
    );
    assert_eq!(object["slots"], json!({ "held": 2, "max": 2, "services": 0 }));
    assert_eq!(object["running"][0]["id"], json!(one.id), "the one that began first");
    assert_eq!(object["running"][1]["id"], json!(two.id));
    assert_eq!(object["running"][0]["observed"], "alive");
    assert!(object["running"][0]["live"]["memory_kib"].as_u64().unwrap() > 0);
    assert_eq!(object["running"][0]["live"]["processes"], 1);
    assert_eq!(
        (&object["queued"][0]["id"], &object["queued"][0]["waits"]["for"]),
        (&json!(next), &json!("slot"))
    );
    assert_eq!((&object["failed"][0]["id"], &object["failed"][0]["exit_code"]), (&json!(failed), &json!(7)));
    assert_eq!(object["attention"], json!([]));
    assert_eq!(object["root"], json!(user.root()));
}

#[test]
fn status_without_a_job_is_the_same() {
    let user = User::new();
    user.write_index(&index_of(&[
        completed("aaaaaa", DAY),
        entry("bbbbbb", "failed", &json!({ "ended_at": ago(DAY), "summary": "exit code 2", "exit_code": 2 })),
    ]));
    assert_eq!(user.ok(["status"]), user.ok([] as [&str; 0]));
    let [one, two] = [user.run(["status", "--json"]), user.run(["--json"])];
    assert_eq!(one.out, two.out);
}

#[test]
fn the_latest_failures_come_first() {
    let user = User::new();
    let failed = |random: &str, seconds: i64| {
        entry(
            random,
            "failed",
            &json!({ "ended_at": ago(seconds), "summary": "exit code 1", "exit_code": 1 }),
        )
    };
    let entries: Vec<Value> =
        [("aaaaaa", 50), ("bbbbbb", 10), ("cccccc", 30), ("dddddd", 20), ("eeeeee", 60), ("ffffff", 40)]
            .map(|(random, seconds)| failed(random, seconds))
            .to_vec();
    user.write_index(&index_of(&entries));
    let text = user.ok([] as [&str; 0]);
    let shown: Vec<&str> =
        text.lines().filter(|line| line.ends_with("exit code 1")).map(|line| &line[..6]).collect();
    assert_eq!(shown, ["bbbbbb", "dddddd", "cccccc", "ffffff", "aaaaaa"]);
    assert!(text.contains("REASON (5 of 6; bgctl list --all --status failed)"), "{text}");
}

#[test]
fn those_that_come_next_stand_before_those_that_wait_for_a_time_or_a_person() {
    let user = User::new();
    let later = (chrono::Utc::now() + chrono::TimeDelta::seconds(2 * HOUR)).to_rfc3339();
    user.write_index(&index_of(&[
        entry("paused", "queued", &json!({ "paused_at": ago(HOUR) })),
        entry("laterr", "queued", &json!({ "not_before": later })),
        entry("nextup", "queued", &json!({})),
    ]));
    let text = user.ok([] as [&str; 0]);
    let shown: Vec<&str> = text.lines().filter(|line| line.ends_with("  true")).collect();
    assert!(shown[0].starts_with("nextup  for bgctl tick"), "{text}");
    assert!(shown[1].starts_with("laterr  ") && shown[1].contains(" to go"), "{text}");
    assert!(shown[2].starts_with("paused  paused 1h ago"), "{text}");
    assert_line(&text, "paused  paused: standing still; bgctl resume");
}

#[test]
fn fifty_jobs_and_everything_that_needs_attention_fit_one_screen() {
    let user = User::new();
    crowd(&user);
    let text = user.ok([] as [&str; 0]);
    assert_fits(&text, COLUMNS);
    for heading in ["RUNNING", "QUEUED", "FAILED", "ATTENTION"] {
        assert_line(&text, heading);
    }
    for kind in ["settings", "approval", "paused"] {
        assert_line(&text, kind);
    }
    assert!(
        text.contains("of 11; bgctl list)") && text.contains("aa0014, and 7 more: waiting for"),
        "{text}"
    );
}

#[test]
fn a_narrow_terminal_is_not_broken_and_a_wide_one_is_used() {
    let user = User::new();
    crowd(&user);
    for columns in [20, 40, 79, 200] {
        let text = on_terminal(user.bgctl([] as [&str; 0]), columns);
        assert!(text.contains("\x1b["), "a terminal has colours: {text}");
        let plain = without_colours(&text);
        assert!(plain.lines().count() <= LINES, "{plain}");
        let root = |line: &&str| !line.starts_with("jobs in ");
        let widest = plain.lines().filter(root).map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(columns), "{widest} of {columns}:\n{plain}");
        assert!(columns < 200 || widest > 150, "{widest} of {columns}:\n{plain}");
    }
}

#[test]
fn a_high_terminal_is_used_and_a_low_one_not_left() {
    let user = User::new();
    crowd(&user);
    let lines = |rows| on_screen(user.bgctl([] as [&str; 0]), 100, rows).lines().count();
    assert!(lines(16) < 16 && lines(24) < 24 && lines(24) > lines(16), "{} {}", lines(16), lines(24));
    assert!(lines(60) > 24 && lines(60) < 60, "{}", lines(60));
}

#[test]
fn there_are_no_colours_where_nobody_wants_them() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", DAY), entry("bbbbbb", "queued", &json!({}))]));
    let piped = user.ok([] as [&str; 0]);
    assert!(!piped.contains('\x1b'), "{piped}");
    let mut command = user.bgctl([] as [&str; 0]);
    command.env("NO_COLOR", "1");
    assert_eq!(on_terminal(command, 80), piped);
    let coloured = on_terminal(user.bgctl([] as [&str; 0]), 80);
    assert_ne!(coloured, piped);
    assert_eq!(without_colours(&coloured), piped);
}

#[test]
fn a_job_whose_watcher_died_needs_attention() {
    let user = User::new();
    let held = Held::start(&user, "it");
    kill(user.recorded_pid(&held.id, "watcher"), Signal::KILL);
    until("it is seen", || overview(&user)["attention"][0]["kind"] == "unwatched");
    assert_eq!(overview(&user)["attention"][0]["jobs"], json!([held.id]));
    let text = user.ok([] as [&str; 0]);
    assert_line(&text, "unwatched  ");
    assert!(text.contains("the watcher died; bgctl tick starts another"), "{text}");
    assert!(text.contains("(unwatched) sh -c"), "{text}");
    kill(user.recorded_pid(&held.id, "process"), Signal::KILL);
    until("it is gone", || overview(&user)["attention"][0]["kind"] == "lost");
    assert!(user.ok([] as [&str; 0]).contains("no watcher, no process; bgctl tick writes it down"));
    user.ok(["tick"]);
    until("it is written down", || user.status(&held.id) == "failed");
    assert!(!user.ok([] as [&str; 0]).contains("ATTENTION"));
}

#[test]
fn a_job_of_before_a_restart_needs_attention() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let mut claim = user.index()["jobs"][0]["claim"].clone();
    claim["boot"] = "11111111-2222-3333-4444-555555555555".into();
    let changes = json!({ "started_at": ago(60), "attempt": 1, "claim": claim });
    user.write_index(&index_of(&[entry("rebted", "running", &changes)]));
    let text = user.ok([] as [&str; 0]);
    assert_line(&text, "rebooted  rebted: the machine restarted; bgctl tick writes it down");
    assert_line(&text, "0 of 2 slots held");
}

#[test]
fn processes_that_cannot_be_ended_need_attention() {
    let user = User::new();
    let deaf = Held::start_with(&user, "deaf", "trap '' TERM", &["--grace", "none"]);
    user.ok(["cancel", "--no-wait", &deaf.id]);
    let pid = user.recorded_pid(&deaf.id, "process");
    let process = bgctl::os::process::look(pid).unwrap().unwrap();
    super::status::add_stuck(&user, &deaf.id, pid, process.identity.start);
    let text = user.ok([] as [&str; 0]);
    let random = deaf.id.rsplit('_').next().unwrap();
    assert_line(&text, &format!("stuck  {random}: could not be ended; bgctl status ID names"));
    assert!(text.contains("(being ended) sh -c"), "{text}");
}

#[test]
fn a_service_is_counted_outside_the_slots() {
    let user = User::new();
    let changes = json!({ "started_at": ago(HOUR), "service": true });
    user.write_index(&index_of(&[entry("servce", "running", &changes)]));
    assert_line(&user.ok([] as [&str; 0]), "0 of 2 slots held, and 1 service outside them");
    assert_eq!(overview(&user)["slots"], json!({ "held": 0, "max": 2, "services": 1 }));
}

#[test]
fn looking_changes_nothing() {
    let user = User::new();
    crowd(&user);
    let before = contents(&user.root());
    user.ok([] as [&str; 0]);
    user.ok(["--json"]);
    user.ok(["status"]);
    assert_eq!(contents(&user.root()), before);
}

#[test]
fn a_damaged_index_is_said_and_not_taken_for_an_empty_one() {
    let user = User::new();
    user.write_index("{");
    let ran = user.run([] as [&str; 0]);
    assert_eq!((ran.code, ran.out.as_str()), (5, ""));
    let error = user.run(["--json"]).json();
    assert_eq!((&error["command"], &error["error"]["code"]), (&json!("overview"), &json!("index")));
}

#[test]
fn its_flags_are_the_subcommands_where_there_is_one() {
    let user = User::new();
    let ran = user.run(["--json", "list"]);
    assert_eq!((ran.code, ran.json()["command"].as_str()), (0, Some("list")));
    let unknown = user.run(["--json", "--nope"]);
    assert_eq!((unknown.code, unknown.json()["command"].as_str()), (2, Some("overview")));
}

#[test]
fn schedules_have_a_line_with_the_one_that_is_due_next() {
    let user = User::new();
    user.ok(["start", "--wait", "--", "true"]);
    assert!(!user.ok([] as [&str; 0]).contains("schedule"));
    user.ok(["schedule", "add", "far", "--every", "30d", "--", "true"]);
    user.ok(["schedule", "add", "near", "--every", "5d", "--", "true"]);
    user.ok(["schedule", "pause", "far"]);
    let text = user.ok([] as [&str; 0]);
    assert_line(&text, "2 schedules, 1 paused; next is near in 5d");
    let object = user.run(["--json"]).json();
    assert_eq!(object["schedules"]["next"]["name"], "near");
}
