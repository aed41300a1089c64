//! `--json` in many situations: each object is held against the schema as it is printed (`User::run`).

use super::snapshots::mixed;
use super::{Held, configure, elsewhere, entry, hold_both_slots, index_of};
use crate::support::User;
use serde_json::{Value, json};

/// Runs a command with `--json`; its end.
#[track_caller]
fn object(user: &User, code: i32, arguments: &[&str]) -> Value {
    let with: Vec<&str> =
        arguments.iter().take(1).chain(&["--json"]).chain(arguments.iter().skip(1)).copied().collect();
    let ran = user.run(with);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    ran.json()
}

/// The results of a command that says one of each job.
fn results(object: &Value) -> Vec<&str> {
    object["jobs"].as_array().unwrap().iter().map(|job| job["result"].as_str().unwrap()).collect()
}

/// Jobs in every state; none of them starts.
fn user_with_all() -> User {
    let mut entries = mixed();
    for entry in entries.iter_mut().filter(|entry| entry["status"] == "queued") {
        entry["not_before"] = "2126-01-01T00:00:00Z".into();
    }
    let leftovers = json!([{ "pid": 77, "start": 5, "name": "agent" }]);
    entries.push(entry("lftvrs", "completed", &json!({ "exit_code": 0, "leftovers": leftovers, "leftovers_left": true, "best_effort": true,
        "notes": ["the limit of open files was not raised"], "usage": { "memory_peak_kib": 1, "cpu_user_ms": 2, "cpu_system_ms": 3 } })));
    entries.push(entry("unknwn", "failed", &json!({ "exit": { "unknown": { "reason": "nobody saw it" } } })));
    entries.push(entry(
        "ntstrt",
        "failed",
        &json!({ "exit": { "not_started": { "reason": "no such program", "code": 127 } } }),
    ));
    entries.push(entry(
        "hndmde",
        "completed",
        &json!({ "labels": { "k": "v" }, "colour": { "of": "paint" } }),
    ));
    let user = User::new();
    user.write_index(&index_of(&entries));
    user
}

#[test]
fn every_state_is_described_in_list_status_and_overview() {
    let user = user_with_all();
    let listed = object(&user, 0, &["list", "--all"]);
    let ids: Vec<&str> =
        listed["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 18);
    assert_eq!(user.ok(["list", "--all", "--json-lines"]).lines().count(), 18);
    let shown = object(&user, 0, &[&["status"], &ids[..]].concat());
    assert_eq!(shown["jobs"].as_array().unwrap().len(), 18);
    for object in [&listed, &shown] {
        let by_hand =
            object["jobs"].as_array().unwrap().iter().find(|job| job["id"] == "bg_20260213_hndmde").unwrap();
        assert_eq!((&by_hand["colour"], &by_hand["argv"]), (&json!({ "of": "paint" }), &Value::Null));
        assert_eq!((&by_hand["labels"], &by_hand["attempt"]), (&json!(["k=v"]), &json!(0)));
    }
    let overview = user.run(["--json"]).json();
    let kinds: Vec<&str> =
        overview["attention"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["approval", "paused"]);
    configure(&user, "odd = 1\n");
    assert!(object(&user, 0, &["list"])["warnings"][0].as_str().unwrap().contains("odd"));
    assert_eq!(user.run(["--json"]).json()["attention"][0]["kind"], "settings");
}

#[test]
fn every_result_of_a_change_is_described() {
    let user = user_with_all();
    let paused = object(&user, 4, &["pause", "next22", "pausd2", "cmpltd", "apprv2", "endng2"]);
    assert_eq!(results(&paused), ["paused", "was_paused", "had_ended", "waits_for_approval", "being_ended"]);
    assert_eq!(results(&object(&user, 1, &["pause", "bakup2"])), ["out_of_reach"]);
    let resumed = object(&user, 0, &["resume", "next22", "secnd2"]);
    assert_eq!(results(&resumed), ["resumed", "was_not_paused"]);
    let changes = [
        "set",
        "next22",
        "--name",
        "n",
        "--label",
        "big",
        "--timeout",
        "none",
        "--stale-after",
        "5",
        "--grace",
        "2",
        "--log-max",
        "none",
    ];
    let set = object(&user, 0, &changes);
    assert_eq!(set["jobs"][0]["changes"].as_object().unwrap().len(), 6);
    assert_eq!(results(&object(&user, 0, &changes)), ["unchanged"]);
    assert_eq!(results(&object(&user, 4, &["set", "cmpltd", "--name", "n"])), ["had_ended"]);
    assert_eq!(results(&object(&user, 0, &["cancel", "next22", "cmpltd"])), ["cancelled", "had_ended"]);
    assert_eq!(results(&object(&user, 1, &["cancel", "--no-wait", "devsrv"])), ["out_of_reach"]);
    assert_eq!(object(&user, 0, &["cancel", "--label", "nobody"])["jobs"], json!([]));
    let user = user_with_all();
    for arguments in [&["tick", "--dry-run"][..], &["tick"]] {
        let events = object(&user, 0, arguments)["events"].as_array().unwrap().len();
        assert!(events >= 4, "two jobs of elsewhere are stale: {events}");
    }
    assert!(object(&user, 0, &["prune", "--all"])["jobs"].as_array().unwrap().len() > 8);
}

#[test]
fn every_way_to_start_to_wait_and_to_read_is_described() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    assert_eq!(object(&user, 0, &["start", "--", "true"])["waits"]["held_by"], json!([one.id, two.id]));
    let service = object(
        &user,
        0,
        &["start", "--service", "--ready", "up", "--", "sh", "-c", "echo up; exec sleep 60"],
    );
    assert_eq!((&service["command"], &service["ready"]), (&json!("start"), &json!(true)));
    object(&user, 0, &["cancel", "@"]);
    assert_eq!(object(&user, 121, &["wait", "--within", "0", &one.id, &two.id])["ready"], Value::Null);
    assert_eq!(object(&user, 121, &["wait", "--within", "0", "--ready", "x", &one.id])["ready"], false);
    one.let_go(7);
    assert_eq!(object(&user, 7, &["wait", "--any", &one.id, &two.id])["jobs"][0]["wait_code"], 7);
    assert_eq!(object(&user, 7, &["wait", "--ready", "x", &one.id])["jobs"][0]["ready"], false);
    let binary = user.start(["--service", "--", "sh", "-c", r"printf 'a\377\000'"]);
    user.wait(&binary);
    let output = object(&user, 0, &["logs", &binary, &two.id]);
    assert_eq!(output["jobs"][0]["output"], json!({ "b64": "Yf8A" }));
    assert_eq!(object(&user, 0, &["logs", "--path", &binary, &two.id])["jobs"].as_array().unwrap().len(), 2);
    let status = object(&user, 0, &["status", &one.id, &two.id]);
    assert_eq!(status["jobs"][1]["processes"].as_array().unwrap().len(), 1);
    assert_eq!(
        object(&user, 7, &["start", "--wait", "--service", "--", "sh", "-c", "exit 7"])["exit_code"],
        7
    );
    for shell in ["bash", "zsh", "fish", "posix", "elvish", "powershell", "cron", "systemd"] {
        object(&user, 0, &["init", shell]);
    }
}

#[test]
fn a_process_that_cannot_be_ended_is_described_where_it_is_told() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let pid = user.recorded_pid(&held.id, "process");
    let start = user.record(&held.id).iter().find(|line| line["line"] == "process").unwrap()["start"]
        .as_u64()
        .unwrap();
    super::status::add_stuck(&user, &held.id, pid, start);
    assert_eq!(object(&user, 0, &["status", &held.id])["jobs"][0]["stuck"][0]["pid"], pid);
}

#[test]
fn every_kind_of_fault_is_described() {
    let user = User::new();
    let claim = elsewhere();
    user.write_index(&index_of(&[
        entry("aaaaab", "completed", &json!({ "exit_code": 0, "attempt": 1, "claim": claim })),
        entry("aaaaac", "queued", &json!({ "not_before": "2126-01-01T00:00:00Z" })),
    ]));
    std::fs::write(user.path("plain"), "").unwrap();
    for (code, name, arguments) in [
        (1, "failed", &["start", "--cwd", "nowhere", "--", "true"][..]),
        (2, "usage", &["list", "--status", "odd"]),
        (2, "usage", &["nonsense"]),
        (3, "not_found", &["status", "nobody"]),
        (3, "not_found", &["status", "aaaa"]),
        (122, "not_found", &["wait", "nobody"]),
        (4, "wrong_state", &["logs", "--attempt", "9", "aaaaab"]),
        (126, "not_executable", &["start", "--", "./plain"]),
        (127, "command_not_found", &["start", "--", "no-such-program"]),
    ] {
        let error = object(&user, code, arguments)["error"].clone();
        assert_eq!((&error["code"], &error["exit_code"]), (&json!(name), &json!(code)), "{arguments:?}");
        let candidates = if arguments.contains(&"aaaa") { 2 } else { 0 };
        assert_eq!(error["candidates"].as_array().unwrap().len(), candidates, "{error}");
    }
    configure(&user, "odd = 1\n");
    assert_eq!(object(&user, 78, &["start", "--", "true"])["error"]["code"], "config");
    user.write_index("{");
    assert_eq!(object(&user, 5, &["list"])["error"]["code"], "index");
}
