//! `bgctl set`

use super::{DAY, Held, completed, hold_both_slots, index_of};
use crate::support::{User, until};
use serde_json::json;

#[test]
fn name_labels_and_limits_change_and_are_told() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--label", "old", "--label", "kept"]);
    let changed = user.ok([
        "set",
        &held.id,
        "--name",
        "build",
        "--label",
        "new",
        "--label",
        "kept",
        "--no-label",
        "old",
        "--timeout",
        "2h",
        "--stale-after",
        "none",
        "--grace",
        "1m",
        "--log-max",
        "1MiB",
    ]);
    assert_eq!(
        changed,
        format!(
            "{} name none → build, labels old kept → kept new, timeout 30m → 2h, stale after 1h → none, \
             grace 10s → 1m, log 64 MiB → 1 MiB\n",
            held.id
        )
    );
    let job = user.job("build");
    assert_eq!(job["labels"], json!(["kept", "new"]));
    assert_eq!(
        (&job["timeout_seconds"], &job["stale_after_seconds"], &job["grace_seconds"], &job["log_max_bytes"]),
        (&json!(7200), &json!(null), &json!(60), &json!(1 << 20))
    );
    assert_eq!(job["limits_from"]["timeout"], "flag");
    assert_eq!(user.ok(["set", &held.id, "--no-name"]), format!("{} name build → none\n", held.id));
    assert_eq!(user.ok(["set", &held.id, "--no-name"]), format!("{} was so already\n", held.id));
}

#[test]
fn a_default_that_is_asked_for_by_name_is_told_too() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let changed = user.ok(["set", &held.id, "--timeout", "30m"]);
    assert_eq!(changed, format!("{} timeout 30m, now by request\n", held.id));
}

#[test]
fn a_shorter_timeout_counts_at_once() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--timeout", "none"]);
    user.ok(["set", &held.id, "--timeout", "1s"]);
    assert_eq!(user.wait(&held.id), 124);
    assert_eq!(user.job(&held.id)["summary"], "timed out after 1s; killed by SIGTERM");
}

#[test]
fn a_longer_timeout_saves_a_job() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--timeout", "2s"]);
    user.ok(["set", &held.id, "--timeout", "none"]);
    let began = std::time::Instant::now();
    until("its first limit is over", || began.elapsed().as_secs() > 2);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn a_shorter_grace_counts_while_a_job_is_being_ended() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    user.ok(["cancel", "--no-wait", &held.id]);
    user.ok(["set", &held.id, "--grace", "0"]);
    assert_eq!(user.wait(&held.id), 125);
    assert_eq!(user.job(&held.id)["signal"], 9);
}

#[test]
fn a_grace_that_was_set_counts_in_a_later_end() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    user.ok(["set", &held.id, "--grace", "0"]);
    user.ok(["cancel", &held.id]);
    assert_eq!(user.job(&held.id)["signal"], 9);
}

#[test]
fn a_watcher_gives_signs_of_life_as_often_as_a_changed_guard_needs() {
    let user = User::new();
    let held = Held::start(&user, "it");
    user.ok(["set", &held.id, "--stale-after", "1s"]);
    let beats = || user.record(&held.id).iter().filter(|line| line["line"] == "beat").count();
    until("signs of life", || beats() >= 2);
    user.ok(["tick"]);
    assert_eq!(user.status(&held.id), "running");
}

#[test]
fn a_queued_job_runs_under_what_was_set() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start(["sleep", "1000"]);
    user.ok(["set", &queued, "--timeout", "1s"]);
    held[0].let_go(0);
    assert_eq!(user.wait(&queued), 124);
}

#[test]
fn what_has_ended_stays_as_it_is() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", DAY)]));
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    let ran = user.run(["set", "aa", "--name", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert_eq!(ran.err, "bgctl: bg_20260213_aaaaaa has ended (completed) and stays as it is\n");
    let quiet = user.run(["set", "--quiet", "aa", "--name", "n"]);
    assert_eq!((quiet.code, quiet.err), (4, ran.err), "a failure is no talk");
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before);
}

#[test]
fn one_that_cannot_be_changed_so_leaves_all_as_they_were() {
    let user = User::new();
    let held = Held::start(&user, "it");
    assert_eq!(user.run(["set", &held.id, "nobody", "--name", "x"]).code, 3);
    let many: Vec<String> = (0..64).flat_map(|n| ["--label".to_owned(), format!("l{n}")]).collect();
    let full = user.start(many.iter().map(String::as_str).chain(["--", "sleep", "1000"]));
    let ran = user.run(["set", &held.id, &full, "--label", "one-more"]);
    assert_eq!((ran.code, ran.err), (2, format!("bgctl: {full}: more than 64 labels\n")));
    assert_eq!((&user.job(&held.id)["name"], &user.job(&held.id)["labels"]), (&json!(null), &json!([])));
    user.ok(["cancel", &full]);
}

#[test]
fn a_set_says_what_is_to_change_and_names_are_checked_as_at_a_start() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let long = "x".repeat(201);
    for arguments in [
        [].as_slice(),
        &["--name", ""],
        &["--name", &long],
        &["--name", "@2"],
        &["--name", "x", "--no-name"],
        &["--label", ""],
        &["--timeout", "0"],
        &["--timeout", "-5"],
        &["--log-max", "1"],
    ] {
        let ran = user.run(["set", &held.id].iter().chain(arguments));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn a_change_as_json_names_the_fields_of_the_index() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let changed = user.run(["set", "--json", &held.id, "--timeout", "2h", "--name", "build"]).json();
    assert_eq!(
        changed["jobs"],
        json!([{
            "id": held.id,
            "status": "running",
            "result": "changed",
            "changes": {
                "name": { "from": null, "to": "build" },
                "timeout_seconds": { "from": 1800, "to": 7200 },
            },
        }])
    );
}
