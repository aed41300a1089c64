//! `bgctl dead`

use super::screen::on_terminal;
use super::{DAY, HOUR, Held, ago, contents, entry, index_of};
use crate::support::{User, until};
use serde_json::{Value, json};

/// A dead letter made by hand that failed so many seconds ago; `changes` are put over it.
pub fn letter(random: &str, ended_seconds_ago: i64, changes: &Value) -> Value {
    let mut of_all = json!({
        "created_at": ago(ended_seconds_ago + 60),
        "started_at": ago(ended_seconds_ago + 5),
        "ended_at": ago(ended_seconds_ago),
        "exit_code": 7,
        "attempt": 3,
        "max_attempts": 3,
        "dead_letter": true,
        "summary": "exit code 7; that was the last of 3 attempts",
    });
    of_all.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap());
    entry(random, "failed", &of_all)
}

/// Starts a job with these flags whose two attempts fail, and waits until it is a dead letter.
#[track_caller]
pub fn dead_letter(user: &User, flags: &[&str], script: &str) -> String {
    let id =
        user.start([&["--attempts", "2", "--retry-delay", "0"], flags, &["--", "sh", "-c", script]].concat());
    assert_ne!(user.wait(&id), 0);
    assert_eq!(user.job(&id)["dead_letter"], true);
    id
}

/// How many environments are kept.
pub fn environments(user: &User) -> usize {
    contents(&user.root().join("env")).len()
}

fn ids(listed: &str) -> Vec<&str> {
    listed.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect()
}

#[test]
fn dead_letters_are_listed_with_when_and_why_the_latest_first() {
    let user = User::new();
    user.write_index(&index_of(&[
        letter("older2", 2 * HOUR, &json!({ "labels": ["nightly"], "name": "build" })),
        letter("later2", HOUR, &json!({})),
        entry("failed", "failed", &json!({ "ended_at": ago(60), "exit_code": 1 })),
    ]));
    let listed = user.ok(["dead"]);
    assert_eq!(ids(&listed), ["bg_20260213_later2", "bg_20260213_older2"]);
    let heading: Vec<&str> = listed.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["ID", "NAME", "ENDED", "ATTEMPT", "COMMAND", "SUMMARY"]);
    assert!(listed.contains("build") && listed.contains("exit code 7; that was the last of 3 attempts"));
    for same in [&["dead", "list"][..], &["dlq"], &["dlq", "list"]] {
        assert_eq!(user.ok(same), listed, "{same:?}");
    }
    assert_eq!(ids(&user.ok(["dead", "--label", "nightly"])), ["bg_20260213_older2"]);
    let one = user.run(["dead", "--limit", "1"]);
    assert_eq!(ids(&one.out), ["bg_20260213_later2"]);
    assert_eq!(one.err, "1 more; a larger --limit shows them\n");
    assert_eq!(ids(&user.ok(["list", "--dead"])), ["bg_20260213_later2", "bg_20260213_older2"]);
    let json = user.run(["dlq", "--json"]).json();
    assert_eq!((&json["command"], &json["action"]), (&json!("dead"), &json!("list")));
    assert_eq!(json["jobs"][1]["id"], "bg_20260213_older2");
}

#[test]
fn where_there_are_none_that_is_said_and_is_no_failure() {
    for has_root in [false, true] {
        let user = User::new();
        if has_root {
            user.write_index(&index_of(&[entry("failed", "failed", &json!({ "exit_code": 1 }))]));
        }
        for arguments in
            [&["dead"][..], &["dead", "clear"], &["dead", "clear", "--all"], &["retry", "--dead"]]
        {
            let ran = user.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{arguments:?}");
            assert_eq!(ran.err, "there are no dead letters\n", "{arguments:?}");
        }
        assert_eq!(user.run(["dead", "clear", "--label", "x"]).err, "no dead letter is like that\n");
        assert_eq!(user.run(["dead", "--json"]).json()["jobs"], json!([]));
        assert_eq!(user.run(["dead", "clear", "--all", "--json"]).json()["jobs"], json!([]));
        assert_eq!(user.root().exists(), has_root, "looking makes nothing");
    }
}

#[test]
fn a_dead_letter_is_shown_with_each_attempt_and_the_end_of_its_output() {
    let user = User::new();
    let id =
        dead_letter(&user, &["--name", "it"], "echo attempt $BG_ATTEMPT; printf 'a\\033[2Jb\\n'; exit 4");
    let shown = user.ok(["dead", "show", "it"]);
    for part in [
        "failed (dead letter)",
        "1 of 2: ",
        "2 of 2: ",
        "exit code 4",
        "LAST LINES OF ITS OUTPUT\nattempt 1\n",
        "attempt 2\na\\u{1b}[2Jb\n",
        &format!("bgctl retry {id} runs it again; bgctl dead clear {id} lets it go"),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = user.run(["dead", "show", "--json", &id]).json();
    assert_eq!(json["jobs"][0]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(json["jobs"][0]["attempts"][0]["outcome"]["exit"], json!({ "code": 4 }));
    assert_eq!(json["last_lines"][0]["output"], "attempt 1\na\u{1b}[2Jb\nattempt 2\na\u{1b}[2Jb\n");
    assert!(user.ok(["status", &id]).contains("bgctl dead clear"), "status says the ways on, too");
    let overview = user.ok(["status"]);
    assert!(overview.contains("1 dead letter; bgctl dead shows it"), "{overview}");
    let attention = user.run(["--json"]).json()["attention"].clone();
    assert_eq!(attention, json!([{ "kind": "dead", "jobs": [id], "message": null }]));
}

#[test]
fn only_dead_letters_are_shown_so() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let ran = user.run(["dead", "show", &id]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert_eq!(ran.err, format!("bgctl: {id} is no dead letter (completed)\n  bgctl status {id} shows it\n"));
    assert_eq!(user.run(["dead", "show", "nobody"]).code, 3);
}

#[test]
fn the_environment_of_a_dead_letter_stays_until_it_is_cleared() {
    let user = User::new();
    let id = dead_letter(&user, &["--env", "TOKEN=swordfish"], "exit 1");
    user.ok(["tick"]);
    user.ok(["prune", "--all"]);
    assert_eq!(environments(&user), 1);
    let cleared = user.ok(["dead", "clear", &id]);
    assert_eq!(cleared, format!("{id} cleared\n"));
    assert_eq!(environments(&user), 0, "its values go with it");
    let job = user.job(&id);
    assert_eq!((&job["status"], &job["dead_letter"]), (&json!("failed"), &json!(false)));
    assert_eq!(user.run(["dead"]).err, "there are no dead letters\n");
    user.ok(["prune", "--all"]);
    assert_eq!(user.run(["status", &id]).code, 3, "an ordinary failed job under ordinary retention");
}

#[test]
fn an_environment_that_another_job_still_has_stays_when_a_dead_letter_is_cleared() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let id = dead_letter(&user, &[], "exit 1");
    assert_eq!(environments(&user), 1, "both have the same");
    user.ok(["dead", "clear", &id]);
    assert_eq!(environments(&user), 1);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    until("it goes with the last job", || environments(&user) == 0);
}

#[test]
fn clearing_again_does_nothing_and_what_goes_on_is_refused() {
    let user = User::new();
    user.write_index(&index_of(&[letter("letter", HOUR, &json!({}))]));
    user.ok(["dead", "clear", "letter"]);
    let again = user.run(["dead", "clear", "letter"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    assert_eq!(again.out, "bg_20260213_letter is no dead letter (failed); nothing was done\n");
    let held = Held::start(&user, "it");
    let ran = user.run(["dead", "clear", &held.id]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("it has not ended (running)"), "{}", ran.err);
    let json = user.run(["dead", "clear", "--json", &held.id, "letter"]).json();
    let results: Vec<&Value> = json["jobs"].as_array().unwrap().iter().map(|one| &one["result"]).collect();
    assert_eq!(results, [&json!("has_not_ended"), &json!("was_none")]);
}

#[test]
fn all_are_cleared_once_somebody_says_that_this_is_wanted() {
    let user = User::new();
    let index = index_of(&[
        letter("aaaaa2", HOUR, &json!({ "name": "one", "labels": ["nightly"] })),
        letter("bbbbb2", HOUR, &json!({ "labels": ["nightly"] })),
        letter("ccccc2", HOUR, &json!({})),
    ]);
    user.write_index(&index);
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    let ran = user.run(["dead", "clear", "--all"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("would clear 3 jobs") && ran.err.contains("--yes"), "{}", ran.err);
    let bare = user.run(["dead", "clear"]);
    assert_eq!((bare.code, bare.out.as_str()), (2, ""));
    assert!(bare.err.contains("which jobs?"), "{}", bare.err);
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before);
    assert_eq!(user.ok(["dead", "clear", "--label", "nightly"]).lines().count(), 2, "a label is a choice");
    assert_eq!(user.ok(["dead", "clear", "--all", "--yes"]), "bg_20260213_ccccc2 cleared\n");
}

#[test]
fn each_action_takes_what_has_a_meaning_for_it() {
    let user = User::new();
    for arguments in [
        &["dead", "nonsense"][..],
        &["dead", "list", "ab"],
        &["dead", "list", "--all"],
        &["dead", "show"],
        &["dead", "show", "ab", "--label", "x"],
        &["dead", "clear", "ab", "--all"],
        &["dead", "clear", "--label", "x", "--all"],
        &["dead", "clear", "--limit", "3", "ab"],
        &["dead", "--limit", "0"],
    ] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("--help"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_list_of_dead_letters_fits_the_terminal() {
    let user = User::new();
    user.write_index(&index_of(&[letter("aaaaa2", HOUR, &json!({ "command": "long ".repeat(40) }))]));
    let text = on_terminal(user.bgctl(["dead"]), 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn prune_keeps_dead_letters_and_says_how_many_and_the_ways_on() {
    let user = User::new();
    user.write_index(&index_of(&[
        letter("oldest", 31 * DAY, &json!({})),
        letter("middle", 20 * DAY, &json!({})),
        letter("latest", 2 * HOUR, &json!({})),
        entry("failed", "failed", &json!({ "ended_at": ago(20 * DAY), "exit_code": 1 })),
    ]));
    let ran = user.run(["prune", "--dry-run"]);
    assert!(ran.err.starts_with("2 jobs would be removed\n1 dead letter stays: "), "{}", ran.err);
    assert!(ran.err.contains("bgctl retry") && ran.err.contains("bgctl dead clear"), "{}", ran.err);
    for arguments in [&["prune", "--all"][..], &["prune", "--older-than", "1h"], &["prune", "--keep", "0"]] {
        let ran = user.run(arguments);
        assert!(ran.err.contains("2 dead letters stay: "), "{arguments:?}: {}", ran.err);
        assert_eq!(ids(&user.ok(["dead"])).len(), 2, "{arguments:?}");
    }
    let kept = user.run(["prune", "--json", "--all"]).json()["kept"].clone();
    assert_eq!(
        kept,
        json!([
            { "id": "bg_20260213_middle", "why": "dead_letter" },
            { "id": "bg_20260213_latest", "why": "dead_letter" },
        ])
    );
}

#[test]
fn prune_keeps_live_keys_and_what_others_wait_for() {
    let user = User::new();
    let ended = |random: &str, changes: Value| {
        let mut of_all = json!({ "ended_at": ago(2 * HOUR), "exit_code": 0 });
        of_all.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap());
        entry(random, "completed", &of_all)
    };
    user.write_index(&index_of(&[
        ended("keykey", json!({ "key": "k", "key_ttl_seconds": 3 * HOUR })),
        ended("keyold", json!({ "key": "l", "key_ttl_seconds": HOUR })),
        ended("awaitd", json!({})),
        entry(
            "waits2",
            "queued",
            &json!({ "after": ["bg_20260213_awaitd"], "not_before": "2126-01-01T00:00:00Z" }),
        ),
    ]));
    let ran = user.run(["prune", "--all"]);
    assert_eq!(ran.out, "bg_20260213_keyold  completed  true\n");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.err);
    assert!(lines[1].starts_with("1 job stays: a key") && lines[2].starts_with("1 job stays: others wait"));
    let again = user.run(["prune", "--all"]);
    assert!(again.err.starts_with("0 jobs removed\n"), "{}", again.err);
}
