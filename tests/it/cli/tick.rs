//! `bgctl tick`

use super::{DAY, ago, completed, contents, entry, hold_both_slots, index_of};
use crate::support::User;
use serde_json::{Value, json};

#[test]
fn a_tick_starts_what_is_queued_in_silence() {
    let user = User::new();
    let job = json!({ "command": "echo a | tr a b > made", "cwd": user.path("home") });
    user.write_index(&index_of(&[entry("queued", "queued", &job)]));
    let ran = user.run(["tick"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(user.wait("queued"), 0);
    assert_eq!(user.line_in("home/made"), "b\n");
}

#[test]
fn a_tick_starts_no_more_than_there_are_slots() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    user.ok(["tick"]);
    assert_eq!(user.status(&queued), "queued");
}

#[test]
fn a_tick_with_nothing_to_do_writes_nothing() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", DAY)]));
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    for _ in 0..2 {
        let ran = user.run(["tick"]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    }
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before);
}

#[test]
fn a_tick_prunes() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 15 * DAY), completed("bbbbbb", DAY)]));
    user.ok(["tick"]);
    assert_eq!(user.index()["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_pruned_is_told_and_stops_nothing_else_of_a_tick() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 16 * DAY), completed("bbbbbb", 15 * DAY)]));
    std::fs::create_dir_all(user.root().join("runs/bg_20260213_aaaaaa.log/in_the_way")).unwrap();
    let ran = user.run(["tick"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("could not remove"), "{}", ran.err);
    assert!(user.root().join("last_tick").exists(), "it was a tick");
    let index = user.index();
    assert_eq!(index["schedules"]["retention"]["health"]["failures_in_row"], 1);
    assert_eq!(index["jobs"].as_array().unwrap().len(), 1, "the other one goes all the same");
}

#[test]
fn a_tick_writes_down_what_a_reboot_ended() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let mut claim = user.index()["jobs"][0]["claim"].clone();
    claim["boot"] = "11111111-2222-3333-4444-555555555555".into();
    let lost = json!({ "started_at": ago(60), "claim": claim, "attempt": 1 });
    user.write_index(&index_of(&[entry("rebted", "running", &lost)]));
    assert_eq!(user.ok(["tick"]), "");
    let job = user.job("rebted");
    assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &Value::Null));
    assert!(job["summary"].as_str().unwrap().contains("outcome unknown"), "{job}");
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_changes_nothing() {
    let user = User::new();
    user.write_index(&index_of(&[
        completed("aaaaaa", 15 * DAY),
        entry("queued", "queued", &json!({ "command": "touch made", "cwd": user.path("home") })),
    ]));
    std::fs::create_dir(user.root().join("runs")).unwrap();
    let before = contents(&user.root());
    let ran = user.run(["tick", "--dry-run"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let wanted = "would start bg_20260213_queued\nwould remove bg_20260213_aaaaaa\n\
";
    assert_eq!(ran.out, wanted);
    assert!(contents(&user.root()) == before);
    assert_eq!(user.processes(), Vec::<i32>::new());
    assert!(!user.path("home/made").exists());
}

#[test]
fn a_dry_run_makes_no_root() {
    let user = User::new();
    let ran = user.run(["tick", "--dry-run"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(!user.root().exists());
}

/// Jobs that the dry-run executor completed: their command would have made a file.
fn executed_dry() -> User {
    let user = User::new();
    let jobs: Vec<Value> = ["drydra", "drydrb", "drydrc"]
        .iter()
        .map(|name| {
            entry(name, "queued", &json!({ "command": format!("touch {name}"), "cwd": user.path("home") }))
        })
        .collect();
    user.write_index(&index_of(&jobs));
    let ran = user.run(["tick", "--executor", "dry-run"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    user
}

#[test]
fn the_dry_run_executor_completes_every_job_and_executes_none() {
    let user = executed_dry();
    for job in user.index()["jobs"].as_array().unwrap() {
        assert_eq!(job["status"], "completed", "{job}");
    }
    user.all_gone();
    assert!(contents(&user.path("home")).is_empty());
    assert!(contents(&user.root().join("runs")).is_empty());
}

#[test]
fn what_was_not_executed_says_so_wherever_its_state_shows() {
    const SAID: &str = "nothing was executed";
    let user = executed_dry();
    let list = user.ok(["list"]);
    assert_eq!(list.matches(SAID).count(), 3, "{list}");
    let status = user.ok(["status", "drydra"]);
    assert!(status.contains(SAID), "{status}");
    let waited = user.run(["wait", "drydra"]);
    assert_eq!(waited.code, 0);
    assert!(waited.err.contains(SAID), "{}", waited.err);
    let cancelled = user.ok(["cancel", "drydra"]);
    assert!(cancelled.contains(SAID), "{cancelled}");
    for arguments in
        [["list", "--json"].as_slice(), &["status", "--json", "drydra"], &["wait", "--json", "drydra"]]
    {
        let job = user.run(arguments).json()["jobs"][0].clone();
        assert_eq!((&job["summary"], &job["exit"]), (&json!(SAID), &json!("not_executed")), "{arguments:?}");
        assert_eq!(job["exit_code"], Value::Null, "no exit code is made up");
    }
}

#[test]
fn what_was_not_executed_has_no_log_and_that_is_no_failure() {
    let user = executed_dry();
    let ran = user.run(["logs", "drydra"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

#[test]
fn the_events_of_a_tick_can_be_seen() {
    let user = User::new();
    user.write_index(&index_of(&[entry("queued", "queued", &json!({}))]));
    let ran = user.run(["tick", "--verbose"]);
    assert!(
        ran.err.contains("event: {\"event\":\"changed\",\"id\":\"bg_20260213_queued\",\"change\":\"claim\""),
        "{}",
        ran.err
    );
}

#[test]
fn a_hand_made_index_is_continued_and_keeps_what_it_does_not_know() {
    let user = User::new();
    let text = index_of(&[
        entry("queued", "queued", &json!({ "colour": { "of": "paint" } })),
        entry("ended2", "failed", &json!({ "odd": [1, 2] })),
    ]);
    user.write_index(&text.replacen("{\"version\":1,", "{\"version\":1,\"theme\":{\"a\":[1,  2]},", 1));
    user.ok(["tick"]);
    assert_eq!(user.wait("queued"), 0);
    let index = user.index();
    assert_eq!(index["theme"], json!({ "a": [1, 2] }));
    assert_eq!(index["jobs"][0]["colour"], json!({ "of": "paint" }));
    assert_eq!(index["jobs"][1]["odd"], json!([1, 2]));
    let new = user.start(["true"]);
    assert_eq!(user.index()["jobs"][2]["id"], json!(new), "new jobs come after");
}

#[test]
fn a_dry_run_writes_no_environment_of_what_the_settings_define() {
    let user = User::new();
    user.make_root();
    let settings = "[schedules.it]\nevery = \"1h\"\nargv = [\"true\"]\n";
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    let text = user.ok(["tick", "--dry-run"]);
    assert_eq!(text, "would define the schedule it: every 1h\n");
    let files: Vec<_> =
        std::fs::read_dir(user.root()).unwrap().flatten().map(|one| one.file_name()).collect();
    assert_eq!(files, ["config.toml"]);
}
