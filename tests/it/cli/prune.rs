//! `bgctl prune`

use super::screen::on_terminal;
use super::{DAY, HOUR, Held, ago, completed, configure, contents, entry, index_of};
use crate::support::{User, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Makes the files that a job of that id would have.
fn make_run_files(user: &User, ids: &[&str]) {
    std::fs::create_dir_all(user.root().join("runs")).unwrap();
    for id in ids {
        for ending in ["log", "meta.json", "lock", "in"] {
            std::fs::write(user.root().join("runs").join(format!("{id}.{ending}")), "").unwrap();
        }
    }
}

/// The random parts of the ids in the index.
fn left(user: &User) -> BTreeSet<String> {
    let jobs = user.index()["jobs"].as_array().cloned().unwrap();
    jobs.iter().map(|job| job["id"].as_str().unwrap().rsplit('_').next().unwrap().to_owned()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn jobs_that_ended_14_days_ago_go_with_all_their_files() {
    let user = User::new();
    let old = ago(14 * DAY + 60);
    user.write_index(&index_of(&[
        completed("aaaaaa", 14 * DAY + 60),
        completed("bbbbbb", 14 * DAY - HOUR),
        entry("cccccc", "failed", &json!({ "ended_at": old, "exit_code": 1 })),
        entry("dddddd", "cancelled", &json!({ "ended_at": old })),
        entry("eeeeee", "queued", &json!({ "created_at": ago(20 * DAY) })),
        entry("ffffff", "running", &json!({ "created_at": ago(20 * DAY), "started_at": ago(20 * DAY) })),
        entry("gggggg", "waiting_approval", &json!({ "created_at": ago(20 * DAY) })),
    ]));
    make_run_files(&user, &["bg_20260213_aaaaaa", "bg_20260213_bbbbbb", "bg_20260213_cccccc"]);
    let ran = user.run(["prune"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "3 jobs removed\n"));
    let gone: Vec<&str> = ran.out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(gone, ["bg_20260213_aaaaaa", "bg_20260213_cccccc", "bg_20260213_dddddd"]);
    assert_eq!(left(&user), set(&["bbbbbb", "eeeeee", "ffffff", "gggggg"]));
    let runs: Vec<String> = contents(&user.root().join("runs"))
        .into_keys()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let kept = ["in", "lock", "log", "meta.json"].map(|ending| format!("bg_20260213_bbbbbb.{ending}"));
    assert_eq!(runs, kept);
    assert_eq!(user.run(["status", "aaaaaa"]).code, 3);
}

#[test]
fn of_more_than_200_the_oldest_ends_go() {
    let user = User::new();
    // Submitted in the opposite order of their ends: the end counts.
    let jobs: Vec<Value> = (0..205).map(|n| completed(&format!("aaa{n:03}"), 2 * HOUR + n * 60)).collect();
    user.write_index(&index_of(&jobs));
    assert_eq!(user.run(["prune"]).err, "5 jobs removed\n");
    let left = left(&user);
    assert_eq!(left.len(), 200);
    for n in 200..205 {
        assert!(!left.contains(&format!("aaa{n:03}")), "{n}");
    }
}

#[test]
fn the_count_comes_after_the_age() {
    let user = User::new();
    let mut jobs: Vec<Value> = (0..200).map(|n| completed(&format!("aaa{n:03}"), 2 * HOUR + n)).collect();
    jobs.extend((0..5).map(|n| completed(&format!("bbb{n:03}"), 15 * DAY)));
    user.write_index(&index_of(&jobs));
    assert_eq!(user.run(["prune"]).err, "5 jobs removed\n", "those that are too old, and then 200 are left");
    assert!(left(&user).iter().all(|name| name.starts_with("aaa")));
}

#[test]
fn nothing_goes_within_an_hour_of_its_end() {
    let user = User::new();
    let mut jobs: Vec<Value> = (0..205).map(|n| completed(&format!("aaa{n:03}"), HOUR / 2 + n)).collect();
    jobs.push(completed("oldold", 2 * HOUR));
    user.write_index(&index_of(&jobs));
    assert_eq!(user.run(["prune"]).err, "1 job removed\n");
    assert_eq!(left(&user).len(), 205);
}

#[test]
fn retention_can_be_set() {
    let user = User::new();
    configure(&user, "[retention]\nmax_age = \"1d\"\nmax_jobs = 2\nmin_age = \"1m\"\n");
    user.write_index(&index_of(&[
        completed("aaaaaa", 2 * DAY),
        completed("bbbbbb", 600),
        completed("cccccc", 500),
        completed("dddddd", 400),
    ]));
    user.ok(["prune"]);
    assert_eq!(left(&user), set(&["cccccc", "dddddd"]));
}

#[test]
fn a_dry_run_tells_what_would_go_and_changes_nothing() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 15 * DAY), completed("bbbbbb", DAY)]));
    make_run_files(&user, &["bg_20260213_aaaaaa"]);
    let before = contents(&user.root());
    let ran = user.run(["prune", "--dry-run"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "1 job would be removed\n"));
    assert_eq!(ran.out, "bg_20260213_aaaaaa  completed  true\n");
    assert!(contents(&user.root()) == before);
}

#[test]
fn a_dry_run_makes_no_root() {
    let user = User::new();
    assert_eq!(user.run(["prune", "--dry-run"]).code, 0);
    assert!(!user.root().exists());
}

#[test]
fn nothing_to_do_writes_nothing() {
    let user = User::new();
    user.write_index(&index_of(&[completed("bbbbbb", DAY)]));
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    let ran = user.run(["prune"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "0 jobs removed\n"));
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before);
}

#[test]
fn a_prune_leaves_the_environment_of_a_running_job() {
    let user = User::new();
    let id = user.start(["--env", "SECRET=of-the-old", "--", "true"]);
    user.wait(&id);
    let held = Held::start(&user, "it");
    let environments = || contents(&user.root().join("env")).len();
    until("the values of the ended job are gone", || environments() == 1);
    // The one that ended, two weeks later.
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let ended_at = user.job(&id)["ended_at"].as_str().unwrap().to_owned();
    user.write_index(&text.replace(&ended_at, &ago(15 * DAY)));
    assert!(user.run(["prune"]).err.starts_with("1 job removed, "));
    assert_eq!(environments(), 1, "that of the running job stays");
    assert_eq!(user.run(["status", &id]).code, 3);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn the_events_of_a_prune_can_be_seen() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 15 * DAY)]));
    let ran = user.run(["prune", "-v"]);
    assert!(
        ran.err.starts_with("event: {\"event\":\"removed\",\"id\":\"bg_20260213_aaaaaa\"}\n"),
        "{}",
        ran.err
    );
}

#[test]
fn an_age_that_is_asked_for_counts_within_the_hour_too() {
    let user = User::new();
    let jobs = [completed("aaaaaa", DAY), completed("bbbbbb", 1_200), completed("cccccc", 300)];
    user.write_index(&index_of(&jobs));
    user.ok(["prune", "--older-than", "10m"]);
    assert_eq!(left(&user), set(&["cccccc"]));
    assert_eq!(user.run(["prune", "--older-than=-5"]).code, 2);
    assert_eq!(user.run(["prune", "--older-than", "none"]).code, 2);
}

#[test]
fn a_count_that_is_asked_for_keeps_the_latest_ends() {
    let user = User::new();
    let jobs: Vec<Value> = (0..5).map(|n| completed(&format!("aaa{n:03}"), 2 * HOUR + n)).collect();
    user.write_index(&index_of(&jobs));
    user.ok(["prune", "--keep", "2"]);
    assert_eq!(left(&user), set(&["aaa000", "aaa001"]));
}

#[test]
fn everything_that_has_ended_goes_when_all_is_asked_for() {
    let user = User::new();
    let done = user.start(["true"]);
    user.wait(&done);
    let held = Held::start(&user, "it");
    assert_eq!(user.run(["prune"]).err, "0 jobs removed\n", "within the hour");
    let ran = user.run(["prune", "--all"]);
    assert!(ran.err.starts_with("1 job removed, ") && ran.err.ends_with(" freed\n"), "{}", ran.err);
    let jobs = user.index()["jobs"].as_array().cloned().unwrap();
    assert_eq!((jobs.len(), &jobs[0]["id"]), (1, &json!(held.id)));
    for flag in ["--keep=1", "--older-than=1d"] {
        assert_eq!(user.run(["prune", "--all", flag]).code, 2, "{flag}");
    }
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn only_a_label_or_a_state_can_be_pruned_and_is_counted_by_itself() {
    let user = User::new();
    let failed = |random: &str, seconds: i64| {
        entry(random, "failed", &json!({ "ended_at": ago(seconds), "exit_code": 1, "labels": ["nightly"] }))
    };
    user.write_index(&index_of(&[
        completed("aaaaaa", 5 * HOUR),
        failed("bbbbbb", 4 * HOUR),
        failed("cccccc", 3 * HOUR),
        completed("dddddd", 2 * HOUR),
    ]));
    user.ok(["prune", "--keep", "1", "--status", "failed"]);
    assert_eq!(left(&user), set(&["aaaaaa", "cccccc", "dddddd"]));
    user.ok(["prune", "--all", "--label", "nightly"]);
    assert_eq!(left(&user), set(&["aaaaaa", "dddddd"]));
    assert_eq!(user.run(["prune", "--status", "running"]).code, 2);
}

#[test]
fn the_bytes_of_the_files_are_told() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", DAY), completed("bbbbbb", DAY)]));
    make_run_files(&user, &["bg_20260213_aaaaaa"]);
    std::fs::write(user.root().join("runs/bg_20260213_aaaaaa.log"), vec![b'x'; 3 << 19]).unwrap();
    let ran = user.run(["prune", "--all", "--dry-run"]);
    assert_eq!(ran.err, "2 jobs would be removed, 1.5 MiB would be freed\n");
    let pruned = user.run(["prune", "--all", "--json"]).json();
    assert_eq!(pruned["freed_bytes"], 3 << 19);
    assert_eq!(
        pruned["jobs"],
        json!([
            { "id": "bg_20260213_aaaaaa", "status": "completed", "freed_bytes": 3 << 19 },
            { "id": "bg_20260213_bbbbbb", "status": "completed", "freed_bytes": 0 },
        ])
    );
}

#[test]
fn what_goes_is_a_line_a_job_that_fits_the_terminal() {
    let user = User::new();
    let long = json!({ "command": "a\nb ".repeat(50), "ended_at": ago(30 * DAY) });
    let short = json!({ "ended_at": ago(30 * DAY) });
    user.write_index(&index_of(&[entry("aaaaaa", "completed", &long), entry("bbbbbb", "failed", &short)]));
    let command = || user.bgctl(["prune", "--dry-run", "--quiet"]);
    let text = on_terminal(command(), 60);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0].chars().count(), 60, "{text}");
    assert_eq!(lines[1], "bg_20260213_bbbbbb  failed     true");
    assert!(lines[0].starts_with("bg_20260213_aaaaaa  completed  a\\nb a\\nb"), "{text}");
    let whole = user.ok(["prune", "--dry-run"]);
    assert!(whole.lines().next().unwrap().len() > 200, "off a terminal nothing is cut: {whole}");
}
