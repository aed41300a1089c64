//! `bgctl status`

use super::{DAY, HOUR, Held, ago, entry, hold_both_slots, index_of};
use crate::support::User;
use serde_json::json;
use snapbox::{assert_data_eq, str};

#[test]
fn everything_about_an_ended_job_is_shown() {
    let user = User::new();
    let changes = json!({
        "command": "make -j4", "cwd": "/srv/build", "name": "build", "labels": ["nightly", "big"],
        "created_at": "2026-02-13T10:00:00Z", "started_at": "2026-02-13T10:00:05Z",
        "ended_at": "2026-02-13T11:30:05Z", "exit_code": 2, "summary": "exit code 2",
        "timeout_seconds": null, "parent": "bg_20260213_outer2",
        "usage": { "memory_peak_kib": 2048, "cpu_user_ms": 1500, "cpu_system_ms": 250 },
    });
    user.write_index(&index_of(&[entry("faaled", "failed", &changes)]));
    let ran = user.run(["status", "build"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_data_eq!(
        ran.out,
        str![[r"
      id  bg_20260213_faaled
  status  failed
 summary  exit code 2
    name  build
  labels  nightly, big
 command  make -j4
     cwd  /srv/build
 created  2026-02-13 10:00:00 +00:00 ([..] ago)
 started  2026-02-13 10:00:05 +00:00 ([..] ago)
   ended  2026-02-13 11:30:05 +00:00 ([..] ago)
run time  1h30m
    exit  2
  limits  timeout none, stale after 1h, grace 10s
    used  1.75 s of processor time, 2048 KiB at most
  parent  bg_20260213_outer2
     log  [..]/runs/bg_20260213_faaled.log (none yet)

"]]
    );
}

#[test]
fn a_queued_job_shows_how_many_are_ahead() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let first = user.start(["true"]);
    let second = user.start(["true"]);
    for (id, place) in [(first, "it is next"), (second, "1 job is ahead of it")] {
        let text = user.ok(["status", &id]);
        assert!(text.lines().any(|line| line.trim() == "status  queued"), "{text}");
        let waits = format!("waits  2 jobs hold the slots, {place}");
        assert!(text.lines().any(|line| line.trim() == waits), "{text}");
    }
}

#[test]
fn a_running_job_shows_its_log_as_it_grows() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "echo 12345", &[]);
    crate::support::until("it wrote", || user.ok(["status", &held.id]).contains(".log (6 bytes)"));
    let text = user.ok(["status", &held.id]);
    assert!(text.lines().any(|line| line.trim() == "status  running"), "{text}");
}

#[test]
fn several_jobs_come_in_the_order_asked_with_a_line_between() {
    let user = User::new();
    let later = json!({ "created_at": ago(DAY), "ended_at": ago(HOUR) });
    user.write_index(&index_of(&[
        entry("aaaaaa", "queued", &json!({})),
        entry("bbbbbb", "cancelled", &later),
    ]));
    let text = user.ok(["status", "bb", "aa"]);
    let ids: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("id  ")).collect();
    assert_eq!(ids, ["bg_20260213_bbbbbb", "bg_20260213_aaaaaa"]);
    assert!(text.contains("\n\n"), "{text}");
}

#[test]
fn one_unknown_job_among_several_is_an_error_and_nothing_is_shown() {
    let user = User::new();
    user.write_index(&index_of(&[entry("aaaaaa", "queued", &json!({}))]));
    let ran = user.run(["status", "aa", "zz"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert_eq!(user.run(["status"]).code, 2);
}

#[test]
fn a_lost_job_never_shows_as_plain_running() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let mut claim = user.index()["jobs"][0]["claim"].clone();
    let started = json!({ "started_at": ago(60), "attempt": 1 });
    let running = |random: &str, claim: &serde_json::Value| {
        let mut changes = started.clone();
        changes["claim"] = claim.clone();
        entry(random, "running", &changes)
    };
    let here = claim.clone();
    claim["boot"] = "11111111-2222-3333-4444-555555555555".into();
    user.write_index(&index_of(&[running("rebted", &claim), running("ununun", &here)]));
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    assert!(user.ok(["status", "rebted"]).contains("status  running (rebooted)"));
    // Claimed, and nobody began: its watcher is about to, or the next pass gives the claim back.
    assert!(user.ok(["status", "ununun"]).contains("status  running (starting)"));
    assert!(user.ok(["list"]).contains("running (rebooted)"));
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before, "looking changes nothing");
}

#[test]
fn control_characters_are_shown_and_not_sent_to_the_terminal() {
    let user = User::new();
    let id = user.start([
        "--name",
        "na\x1b]0;me\x07",
        "--label",
        "la\rbel",
        "--",
        "printf",
        "a\x1b[2J\nb\u{9b}\u{202e}",
    ]);
    user.wait(&id);
    for text in [user.ok(["list"]), user.ok(["status", &id])] {
        let harmful: Vec<char> =
            text.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
        assert!(harmful.is_empty(), "{harmful:?} in {text:?}");
        assert!(text.contains(r"na\u{1b}]0;me\u{7}"), "{text}");
        assert!(text.contains(r"\nb\u{9b}\u{202e}"), "{text}");
    }
    assert!(user.ok(["status", &id]).contains(r"la\rbel"));
    let prune = user.ok(["start", "--dry-run", "--", "printf", "\x1b[2J"]);
    assert!(!prune.contains('\x1b'), "{prune}");
}
