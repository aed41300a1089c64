//! Groups: slots of their own, held back and let go as a whole, made and taken away.

use super::{Held, configure, entry, index_of};
use crate::support::{User, until};
use serde_json::{Value, json};

/// How a group stands, by JSON.
#[track_caller]
fn group(user: &User, name: &str) -> Value {
    let object = user.run(["group", "list", name, "--json"]).json();
    object["groups"][0].clone()
}

fn why(user: &User, id: &str) -> Value {
    user.job(id)["waits"]["for"].clone()
}

#[test]
fn each_group_has_slots_of_its_own_and_the_default_group_is_not_touched() {
    let user = User::new();
    assert_eq!(user.ok(["group", "add", "gpu", "--slots", "1"]), "group gpu added with 1 slot\n");
    let held = Held::start_with(&user, "it", "", &["--group", "gpu"]);
    let second = user.start(["--group", "gpu", "--", "true"]);
    let other = user.start(["--", "true"]);
    assert_eq!(user.wait(&other), 0, "its group has slots");
    assert_eq!(why(&user, &second), "slot");
    let gpu = group(&user, "gpu");
    assert_eq!(
        gpu,
        json!({ "name": "gpu", "slots": 1, "slots_from": "index", "held": 1, "running": 1, "queued": 1, "paused_at": null })
    );
    assert_eq!(group(&user, "default")["held"], 0);
    assert_eq!(user.ok(["group", "add", "gpu", "--slots", "2"]), "group gpu has 2 slots now\n");
    assert_eq!(user.wait(&second), 0, "a slot more is given at once");
    assert_eq!(user.ok(["group", "add", "gpu", "--slots", "2"]), "group gpu had 2 slots already\n");
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn a_paused_group_starts_nothing_and_what_runs_of_it_stands_still() {
    let user = User::new();
    user.ok(["group", "add", "gpu", "--slots", "2"]);
    let held = Held::start_with(&user, "it", "", &["--group", "gpu"]);
    let after = user.start(["--group", "gpu", "--after", &held.id, "--", "true"]);
    let paused = user.ok(["pause", "--group", "gpu"]);
    assert_eq!(
        paused,
        format!("group gpu paused: none of its jobs starts, and 1 job waits\n{} paused\n", held.id)
    );
    assert!(user.record(&held.id).iter().any(|line| line["line"] == "paused"), "its processes stand still");
    let ran = user.run(["start", "--group", "gpu", "--", "true"]);
    let new = ran.out.trim().to_owned();
    assert!(ran.err.contains("bgctl resume --group gpu lets it go on"), "{}", ran.err);
    user.ok(["tick"]);
    for id in [&after, &new] {
        assert_eq!(why(&user, id), "group_resume");
    }
    let other = user.start(["--", "true"]);
    assert_eq!(user.wait(&other), 0, "the default group goes on");
    let again = user.run(["pause", "--group", "gpu"]);
    assert_eq!((again.code, again.out.as_str()), (0, "group gpu was paused already\n"));
    assert_eq!(user.ok(["resume", "--group", "gpu"]), format!("group gpu resumed\n{} resumed\n", held.id));
    assert_eq!(user.wait(&new), 0);
    held.let_go(0);
    assert_eq!(user.wait(&after), 0);
    assert_eq!(user.ok(["resume", "--group", "gpu"]), "group gpu was not paused\n");
}

#[test]
fn the_group_and_its_running_jobs_are_paused_in_one_write() {
    let user = User::new();
    user.ok(["group", "add", "gpu"]);
    let held = Held::start_with(&user, "it", "", &["--group", "gpu"]);
    let ran = user.run(["pause", "--verbose", "--group", "gpu"]);
    let events: Vec<Value> =
        ran.err.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("event: ")?).ok()).collect();
    let told: Vec<(&str, &str)> =
        events.iter().map(|one| (one["event"].as_str().unwrap(), one["change"].as_str().unwrap())).collect();
    assert_eq!(told, [("grouped", "pause"), ("changed", "pause")], "{}", ran.err);
    // Both have one instant: they are one change.
    let index = user.index();
    assert_eq!(index["groups"]["gpu"]["paused_at"], index["jobs"][0]["paused_at"]);
    assert_eq!(index["requires"], json!(["groups", "pause"]), "an older program must not start its jobs");
    user.ok(["resume", "--group", "gpu"]);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    assert_eq!(user.index()["requires"], Value::Null);
}

#[test]
fn the_default_group_can_be_paused_too() {
    let user = User::new();
    user.ok(["group", "add", "gpu"]);
    let ran = user.run(["pause", "--group", "default", "--json"]);
    assert_eq!(ran.json()["group"], json!({ "name": "default", "result": "paused", "queued": 0 }));
    let waits = user.start(["--", "true"]);
    assert_eq!(why(&user, &waits), "group_resume");
    let other = user.start(["--group", "gpu", "--", "true"]);
    assert_eq!(user.wait(&other), 0);
    let overview = user.ok(["status"]);
    assert!(
        overview.contains("default: none of its jobs starts; bgctl resume --group default"),
        "{overview}"
    );
    assert_eq!(user.run(["--json"]).json()["attention"][0]["kind"], "group_paused");
    let ran = user.run(["resume", "--group", "default", "--json"]);
    assert_eq!(ran.json()["group"]["result"], "resumed");
    assert_eq!(user.wait(&waits), 0);
}

#[test]
fn resuming_a_group_lets_jobs_go_on_that_were_paused_by_themselves() {
    let user = User::new();
    assert_eq!(user.ok(["pause", "--group", "default"]), "group default paused: none of its jobs starts\n");
    let id = user.start(["--", "true"]);
    user.ok(["pause", &id]);
    let out = user.ok(["resume", "--group", "default"]);
    assert_eq!(out, format!("group default resumed\n{id} resumed\n"));
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn an_unknown_group_is_refused_with_the_nearest_name() {
    let user = User::new();
    for (arguments, code) in [
        (vec!["pause", "--group", "gpus"], 3),
        (vec!["list", "--group", "gpus"], 3),
        (vec!["group", "remove", "gpus"], 3),
    ] {
        let ran = user.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("bgctl group list shows all"), "{}", ran.err);
    }
    assert!(!user.root().exists());
    user.ok(["group", "add", "gpu"]);
    for (arguments, code) in [
        (vec!["pause", "--group", "gpus"], 3),
        (vec!["resume", "--group", "gpus"], 3),
        (vec!["cancel", "--group", "gpus"], 3),
        (vec!["wait", "--group", "gpus"], 122),
        (vec!["list", "--group", "gpus"], 3),
        (vec!["group", "list", "gpus"], 3),
        (vec!["group", "remove", "gpus"], 3),
        (vec!["start", "--group", "gpus", "--", "true"], 3),
    ] {
        let ran = user.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("there is no group \"gpus\"\n"), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("did you mean gpu?"), "{arguments:?}: {}", ran.err);
    }
    for arguments in [
        vec!["pause", "--group", "gpu", "--label", "x"],
        vec!["resume", "--group", "gpu", "--status", "queued"],
        vec!["pause", "--group", "gpu", "--all"],
        vec!["pause", "--group", "gpu", "@"],
        vec!["group", "add"],
        vec!["group", "remove"],
        vec!["group", "add", "-x"],
        vec!["group", "add", "a b"],
        vec!["group", "add", "x", "--slots", "0"],
        vec!["group", "add", "x", "--slots", "10001"],
        vec!["group", "add", "x", "--slots", "-1"],
        vec!["group", "list", "--slots", "1"],
    ] {
        let ran = user.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_settings_win_over_the_index_and_say_so() {
    let user = User::new();
    user.ok(["group", "add", "gpu", "--slots", "3"]);
    configure(&user, "[groups.gpu]\nslots = 1\n[groups.io]\nslots = 4\n");
    assert_eq!(
        (group(&user, "gpu")["slots"].clone(), group(&user, "gpu")["slots_from"].clone()),
        (json!(1), json!("config"))
    );
    let table = user.ok(["group"]);
    let lines: Vec<String> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "GROUP SLOTS FROM HELD QUEUED STATE",
            "default 2 queue.max_concurrent 0 0 open",
            "gpu 1 settings 0 0 open",
            "io 4 settings 0 0 open"
        ]
    );
    for arguments in [vec!["group", "add", "gpu", "--slots", "3"], vec!["group", "remove", "gpu"]] {
        let ran = user.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{arguments:?}");
        assert!(
            ran.err.contains("how many slots the group gpu has, 1, and they win")
                && ran.err.contains("[groups.gpu]"),
            "{}",
            ran.err
        );
    }
    let ran = user.run(["group", "remove", "default"]);
    assert!(ran.code == 4 && ran.err.contains("queue.max_concurrent"), "{}", ran.err);
}

#[test]
fn a_group_with_active_jobs_is_not_removed() {
    let user = User::new();
    user.ok(["group", "add", "gpu"]);
    let held = Held::start_with(&user, "it", "", &["--group", "gpu"]);
    let queued = [(); 2].map(|()| user.start(["--group", "gpu", "--", "true"]));
    let ran = user.run(["group", "remove", "gpu"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(
        ran.err.contains("the group gpu is needed: 2 queued and 1 running jobs are in it"),
        "{}",
        ran.err
    );
    assert_eq!(user.run(["cancel", "--group", "gpu", "--status", "queued", "--quiet"]).code, 0);
    held.let_go(0);
    for id in queued.iter().chain([&held.id]) {
        user.wait(id);
    }
    assert_eq!(user.ok(["group", "remove", "gpu"]), "group gpu removed\n");
    assert_eq!(user.run(["group", "remove", "gpu"]).code, 3);
    let listed = user.run(["list", "--group", "gpu", "--json"]).json();
    assert_eq!(listed["jobs"].as_array().map(Vec::len), Some(3), "what has ended still says where it was");
}

#[test]
fn jobs_of_a_group_that_is_gone_wait_and_say_so_until_it_is_there_again() {
    let user = User::new();
    configure(&user, "[groups.gpu]\nslots = 1\n");
    let held = Held::start_with(&user, "it", "", &["--group", "gpu"]);
    let id = user.start(["--group", "gpu", "--", "true"]);
    configure(&user, "");
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    user.ok(["tick"]);
    assert_eq!(why(&user, &id), "group");
    assert!(user.ok(["status", &id]).contains("there is no group gpu any more"));
    assert_eq!(group(&user, "gpu")["slots"], Value::Null);
    assert!(user.ok(["group", "list", "gpu"]).contains("gone: its jobs wait"));
    assert!(user.ok(["status"]).contains("gpu gone, 1 queued"));
    user.ok(["group", "add", "gpu"]);
    assert_eq!(user.wait(&id), 0, "the group is there again");
}

#[test]
fn a_list_has_the_jobs_of_one_group_and_shows_groups_where_there_are_any() {
    let user = User::new();
    let mut entries =
        vec![entry("aaaaaa", "queued", &json!({})), entry("bbbbbb", "queued", &json!({ "group": "gpu" }))];
    user.write_index(&index_of(&entries[..1]));
    assert!(!user.ok(["list"]).contains("GROUP"), "one group is none");
    assert!(!user.ok(["status"]).contains("groups:"));
    entries.push(entry("cccccc", "completed", &json!({ "group": "gpu", "exit_code": 0 })));
    user.write_index(&index_of(&entries));
    configure(&user, "[groups.gpu]\nslots = 2\n");
    let list = user.ok(["list"]);
    assert!(list.lines().next().unwrap().contains("GROUP"), "{list}");
    let ids = |arguments: &[&str]| -> Vec<String> {
        let jobs = user.run(arguments).json()["jobs"].clone();
        jobs.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()[12..].to_owned()).collect()
    };
    assert_eq!(ids(&["list", "--group", "gpu", "--json"]), ["bbbbbb", "cccccc"]);
    assert_eq!(ids(&["list", "--group", "default", "--json"]), ["aaaaaa"]);
    assert_eq!(ids(&["list", "--group", "gpu", "--status", "ended", "--json"]), ["cccccc"]);
    assert_eq!(user.ok(["list", "--format", "{group}"]), "default\ngpu\ngpu\n");
    let status = user.ok(["status", "bb"]);
    assert!(status.lines().any(|line| line.split_whitespace().eq(["group", "gpu"])), "{status}");
    let overview = user.ok(["status"]);
    assert!(overview.contains("groups: gpu 0 of 2 held, 1 queued\n"), "{overview}");
    let groups = user.run(["--json"]).json()["groups"].clone();
    assert_eq!((&groups[0]["name"], &groups[1]["queued"]), (&json!("default"), &json!(1)));
}

#[test]
fn jobs_of_a_group_are_cancelled_and_waited_for_together() {
    let user = User::new();
    user.ok(["group", "add", "gpu", "--slots", "2"]);
    let held = ["one", "two"].map(|name| Held::start_with(&user, name, "", &["--group", "gpu"]));
    let other = Held::start(&user, "other");
    let ran = user.run(["cancel", "--group", "gpu", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for one in &held {
        assert_eq!(user.status(&one.id), "cancelled");
    }
    assert_eq!(user.status(&other.id), "running");
    let waited = user.run(["wait", "--group", "gpu"]);
    assert_eq!(waited.code, 0, "none is active: {}", waited.err);
    other.let_go(3);
    let _ = user.run(["wait", "--group", "default"]);
    until("it has ended", || user.status(&other.id) == "failed");
}

#[test]
fn names_of_groups_are_completed_with_how_they_stand() {
    let user = User::new();
    configure(&user, "[groups.gpu]\nslots = 2\n[groups.io]\nslots = 1\n");
    let complete = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let mut command = user.bgctl(std::iter::once(index.as_str()).chain(words.iter().copied()));
        command.env("BGCTL_COMPLETE", "fish");
        super::bounded(command).out
    };
    assert_eq!(complete(&["bgctl", "pause", "--group", "g"]), "gpu\t0 of 2 held\n");
    for words in
        [["bgctl", "start", "--group", ""], ["bgctl", "list", "--group", ""], ["bgctl", "group", "list", ""]]
    {
        let found = complete(&words);
        let names: Vec<&str> = found.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(names, ["default", "gpu", "io"], "{words:?}");
    }
    assert_eq!(complete(&["bgctl", "config", "show", "groups.g"]), "groups.gpu\ngroups.gpu.slots\n");
}
