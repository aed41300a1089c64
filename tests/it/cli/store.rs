//! `bgctl store`: how the index stands, whether it is sound, and making a damaged one anew.

use super::{Held, completed, configure, contents, entry, has_started, index_of};
use crate::support::{User, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const LATER: &str = "2126-01-01T00:00:00Z";

fn index_path(user: &User) -> PathBuf {
    user.root().join("jobs.json")
}

fn read(user: &User) -> Vec<u8> {
    std::fs::read(index_path(user)).unwrap()
}

/// Puts a text into the place of the index as a fault would: whatever it is.
fn damage(user: &User, text: impl AsRef<[u8]>) {
    let beside = user.path("damaged");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, index_path(user)).unwrap();
}

/// The copies that were kept.
fn kept(user: &User) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(user.root()).unwrap().flatten().map(|entry| entry.path());
    let is_kept = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jobs.json.damaged-"))
    };
    entries.filter(is_kept).collect()
}

fn ids(index: &Value) -> BTreeSet<String> {
    let jobs = index["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

/// What an index as bgctl writes it has, of which nothing starts or ends by itself.
fn settled_index(user: &User) -> Vec<u8> {
    let queued =
        |random: &str| entry(random, "queued", &json!({ "not_before": LATER, "labels": ["a", "b"] }));
    let entries: Vec<Value> = (2..8)
        .flat_map(|number| [completed(&format!("cmpl{number}2"), 7_200), queued(&format!("qued{number}2"))])
        .collect();
    let text = index_of(&entries).replacen(
        "\"jobs\":[",
        "\n\"last_event\":41,\n\"theme\":{\"a\":1},\n\"groups\":{\"gpu\":{\"slots\":2}},\n\"jobs\":[",
        1,
    );
    user.write_index(&text);
    text.into_bytes()
}

#[test]
fn show_tells_where_the_index_is_and_what_it_has() {
    let user = User::new();
    let shown = user.ok(["store"]);
    assert!(shown.contains("jobs.json (not there yet)"), "{shown}");
    assert_eq!(user.run(["store", "--json"]).json()["bytes"], Value::Null);
    assert!(!user.root().exists(), "looking makes nothing");
    let length = settled_index(&user).len();
    let shown = user.ok(["store", "show"]);
    assert!(shown.contains("6 queued, 6 completed") && shown.contains("events    41"), "{shown}");
    let object = user.run(["store", "show", "--json"]).json();
    assert_eq!((&object["counts"]["queued"], &object["bytes"]), (&json!(6), &json!(length)));
    user.write_index("{");
    assert_eq!(user.run(["store", "show", "--json"]).code, 5);
}

#[test]
fn an_index_that_is_sound_missing_newer_or_foreign_is_left_alone() {
    let user = User::new();
    assert_eq!(user.run(["store", "rebuild"]).code, 4, "there is no root");
    assert!(!user.root().exists());
    user.make_root();
    let ran = user.run(["store", "rebuild", "--json"]);
    assert_eq!((ran.code, ran.json()["error"]["code"].as_str().unwrap()), (4, "wrong_state"));
    let sound = String::from_utf8(settled_index(&user)).unwrap();
    let newer = sound.replacen("\"version\":1", "\"version\":9", 1);
    let foreign = sound.replacen("\"last_event\"", "\"requires\":[\"wings\"],\n\"last_event\"", 1);
    let foreign_and_torn = foreign[..foreign.len() - 200].to_owned();
    for (text, code) in [(sound.clone(), 4), (newer, 5), (foreign, 5), (foreign_and_torn, 5)] {
        damage(&user, &text);
        let ran = user.run(["store", "rebuild"]);
        assert_eq!((ran.code, read(&user) == text.as_bytes()), (code, true), "{}", ran.err);
        assert!(kept(&user).is_empty());
    }
    assert_eq!(user.run(["store", "show", "--dry-run"]).code, 2);
}

#[test]
fn a_damaged_index_points_to_the_rebuild_which_says_beforehand_what_would_come_of_it() {
    let user = User::new();
    let sound = settled_index(&user);
    damage(&user, &sound[..sound.len() / 2]);
    let before = contents(&user.root());
    let listed = user.run(["list"]);
    assert_eq!(listed.code, 5);
    assert!(listed.err.contains("bgctl store rebuild"), "{}", listed.err);
    let foreseen = user.ok(["store", "rebuild", "--dry-run"]);
    assert!(foreseen.contains("would be taken as they stood"), "{foreseen}");
    assert!(foreseen.ends_with("nothing was written\n"), "{foreseen}");
    assert!(contents(&user.root()) == before);
    let check = user.run(["store", "check", "--json"]);
    assert_eq!((check.code, check.json()["verdict"].as_str().unwrap()), (1, "problem"));
    let object = user.run(["store", "rebuild", "--json"]).json();
    assert_eq!(ids(&user.index()).len() as u64, object["salvaged"].as_u64().unwrap());
    assert_eq!(user.run(["store", "check"]).code, 0);
    let copies = kept(&user);
    assert_eq!(copies.len(), 1);
    assert_eq!(std::fs::read(&copies[0]).unwrap(), sound[..sound.len() / 2]);
    assert_eq!(copies[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_index_cut_off_anywhere_keeps_every_entry_that_is_whole() {
    let user = User::new();
    let sound = settled_index(&user);
    for part in 0..20 {
        let text = &sound[..sound.len() * part / 20];
        damage(&user, text);
        let ran = user.run(["store", "rebuild", "--json"]);
        assert_eq!(ran.code, 0, "{part}: {}", ran.err);
        let lines = String::from_utf8_lossy(text);
        let is_whole = |line: &&str| {
            let line = line.strip_suffix(',').unwrap_or(line);
            line.starts_with("{\"id\"") && serde_json::from_str::<Value>(line).is_ok()
        };
        let whole = lines.lines().filter(is_whole).count();
        let index = user.index();
        assert_eq!(ids(&index).len(), whole, "{part}");
        if part > 3 {
            assert_eq!((&index["groups"]["gpu"]["slots"], &index["theme"]["a"]), (&json!(2), &json!(1)));
        }
        assert_eq!(user.run(["list", "--all"]).code, 0);
    }
    assert_eq!(kept(&user).len(), 20, "each is kept, within one second too");
}

#[test]
fn bytes_flipped_anywhere_cost_at_most_the_entries_in_which_they_are() {
    let user = User::new();
    let sound = settled_index(&user);
    let all = ids(&user.index());
    // A fixed row of places and bits (Knuth's multiplier).
    let mut place: u64 = 20_260_213;
    let mut rebuilt = 0;
    for _ in 0..200 {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(place >> 33).unwrap() % sound.len();
        let bit = (place >> 25) as u8 & 7;
        let mut text = sound.clone();
        text[at] ^= 1 << bit;
        damage(&user, &text);
        let ran = user.run(["store", "rebuild", "--json"]);
        match ran.code {
            0 => rebuilt += 1,
            // What the flip did follows the rules, or makes it a newer one's.
            4 | 5 => {
                assert_eq!(read(&user), text, "{at} {bit}");
                continue;
            }
            code => panic!("{at} {bit}: {code} {}", ran.err),
        }
        let left = ids(&user.index());
        assert!(all.difference(&left).count() <= 1, "{at} {bit}: {:?}", all.difference(&left));
        let sound_lines = String::from_utf8_lossy(&sound).into_owned();
        let now = String::from_utf8_lossy(&read(&user)).into_owned();
        let unhurt = sound_lines.lines().filter(|line| {
            line.starts_with("{\"id\"") && {
                let begin = sound_lines.find(line).unwrap();
                !(begin..=begin + line.len()).contains(&at)
            }
        });
        // The fields of one that was made by hand may have got another order.
        let value = |line: &str| serde_json::from_str::<Value>(line.trim_end_matches(',')).ok();
        let written: Vec<Value> = now.lines().filter_map(value).collect();
        for line in unhurt {
            assert!(value(line).is_some_and(|entry| written.contains(&entry)), "{at} {bit}: {line}");
        }
        assert_eq!(user.run(["list"]).code, 0, "{at} {bit}");
        for path in kept(&user) {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(rebuilt > 60, "{rebuilt} of 200 were damage");
}

/// Every way to lose an index.
fn ways(sound: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let mut torn = sound.to_vec();
    let begin = sound.windows(6).position(|part| part == b"{\"id\":").unwrap() + 60;
    torn.drain(begin..begin + 200);
    vec![
        ("empty", Some(Vec::new())),
        ("all zero", Some(vec![0; sound.len()])),
        ("missing", None),
        ("half", Some(sound[..sound.len() / 2].to_vec())),
        ("torn in the middle", Some(torn)),
        ("another file", Some(b"\x7fELF\xff\xfe\0\0 what is this".to_vec())),
    ]
}

#[test]
fn whatever_became_of_the_index_what_runs_is_still_watched_and_ends_with_its_code() {
    for number in 0..6 {
        let user = User::new();
        let runs_once = |name: &str| format!("echo x >> {}", user.path(format!("{name}.ran")).display());
        let done = user.start(["--name", "done", "--", "sh", "-c", "exit 3"]);
        assert_eq!(user.wait(&done), 3);
        let one = Held::start_with(&user, "one", &runs_once("one"), &["--label", "l", "--timeout", "2h"]);
        let two = Held::start_with(&user, "two", &runs_once("two"), &[]);
        let waiting = user.start(["--name", "waits", "--", "true"]);
        let (what, text) = ways(&read(&user)).swap_remove(number);
        match &text {
            Some(text) => damage(&user, text),
            None => std::fs::remove_file(index_path(&user)).unwrap(),
        }
        // It ends while its end cannot be written.
        two.let_go(5);
        until("its record has the end", || user.record(&two.id).iter().any(|line| line["line"] == "outcome"));
        let ran = user.run(["store", "rebuild", "--json"]);
        assert_eq!(ran.code, 0, "{what}: {}{}", ran.out, ran.err);
        let object = ran.json();
        let there = ids(&user.index());
        for id in [&done, &one.id, &two.id] {
            assert!(there.contains(id), "{what}: {id} in {object}");
        }
        if !there.contains(&waiting) {
            assert_eq!(
                object["lost"],
                json!([{ "id": waiting, "name": "waits", "status": "queued" }]),
                "{what}"
            );
        }
        let job = user.job(&one.id);
        assert_eq!((&job["status"], &job["labels"]), (&json!("running"), &json!(["l"])), "{what}");
        assert_eq!(job["timeout_seconds"], 7_200, "{what}");
        assert_eq!(user.job(&done)["exit_code"], 3, "{what}");
        assert_eq!(user.wait(&two.id), 5, "{what}");
        user.ok(["tick"]);
        one.let_go(9);
        assert_eq!(user.wait(&one.id), 9, "{what}");
        for name in ["one", "two"] {
            assert_eq!(std::fs::read_to_string(user.path(format!("{name}.ran"))).unwrap(), "x\n", "{what}");
        }
        let copies = kept(&user);
        assert_eq!(copies.len(), usize::from(text.is_some()), "{what}");
        if let Some(text) = text {
            assert_eq!(std::fs::read(&copies[0]).unwrap(), text, "{what}");
        }
        if there.contains(&waiting) {
            assert_eq!(user.wait(&waiting), 0);
        }
        user.all_gone();
    }
}

#[test]
fn a_change_of_a_running_job_is_in_what_is_made_anew() {
    let user = User::new();
    let held = Held::start(&user, "it");
    user.ok(["set", &held.id, "--timeout", "3h", "--name", "renamed"]);
    until("its watcher has noted it", || {
        user.record(&held.id).iter().any(|line| line["entry"]["name"] == "renamed")
    });
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    let job = user.job(&held.id);
    assert_eq!((&job["name"], &job["timeout_seconds"]), (&json!("renamed"), &json!(10_800)));
    user.ok(["cancel", &held.id]);
    assert_eq!(user.status(&held.id), "cancelled");
}

#[test]
fn a_job_whose_watcher_died_too_is_adopted_and_no_code_is_made_up() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let gone = Held::start(&user, "gone");
    for id in [&held.id, &gone.id] {
        kill(user.recorded_pid(id, "watcher"), Signal::KILL);
    }
    kill(user.recorded_pid(&gone.id, "process"), Signal::KILL);
    until("they are gone", || {
        ![(&held.id, "watcher"), (&gone.id, "process")]
            .iter()
            .any(|(id, line)| crate::support::is_alive(user.recorded_pid(id, line)))
    });
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    user.ok(["tick"]);
    held.let_go(0);
    user.wait(&held.id);
    for id in [&held.id, &gone.id] {
        let job = user.job(id);
        assert!(job["status"] != "running" && job["best_effort"] != Value::Null, "{job}");
    }
    let lost = user.job(&gone.id);
    assert_eq!((&lost["status"], &lost["exit_code"]), (&json!("failed"), &Value::Null));
    user.all_gone();
}

#[test]
fn what_was_cancelled_between_two_attempts_stays_so_and_what_was_to_be_tried_again_is() {
    let user = User::new();
    let start = |name: &str| {
        let script = format!("echo x >> {}; exit 4", user.path(format!("{name}.ran")).display());
        let id =
            user.start(["--name", name, "--attempts", "3", "--retry-delay", "1h", "--", "sh", "-c", &script]);
        until("it waits for its next attempt", || {
            user.job(&id)["status"] == "queued" && user.job(&id)["attempt"] == 1
        });
        id
    };
    let (cancelled, waiting) = (start("cancelled"), start("waiting"));
    user.ok(["cancel", &cancelled]);
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    assert_eq!(user.status(&cancelled), "cancelled");
    let job = user.job(&waiting);
    assert_eq!((&job["status"], &job["attempt"]), (&json!("queued"), &json!(1)));
    assert!(job["not_before"].is_string());
    // Without the stream nobody knows: nothing starts by itself.
    std::fs::remove_file(user.root().join("events.jsonl")).unwrap();
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    let job = user.job(&waiting);
    assert_eq!(
        (&job["status"], &job["exit_code"], &job["dead_letter"]),
        (&json!("failed"), &json!(4), &json!(true))
    );
    assert!(job["summary"].as_str().unwrap().contains("its entry in the index was lost"), "{job}");
    user.ok(["tick"]);
    assert_eq!(std::fs::read_to_string(user.path("waiting.ran")).unwrap(), "x\n");
}

#[test]
fn a_job_of_an_older_program_is_made_of_its_snapshot() {
    let user = User::new();
    let id = user.start(["--timeout", "5m", "--", "sh", "-c", "exit 6"]);
    assert_eq!(user.wait(&id), 6);
    until("its snapshot is there", || user.root().join(format!("runs/{id}.meta.json")).exists());
    std::fs::remove_file(user.root().join(format!("runs/{id}.lock"))).unwrap();
    std::fs::remove_file(user.root().join("events.jsonl")).unwrap();
    damage(&user, "{\"version\":1,\"jobs\":[\n{\"id\":\"");
    user.ok(["store", "rebuild"]);
    let job = user.job(&id);
    assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &json!(6)));
    assert_eq!((&job["argv"], &job["timeout_seconds"]), (&json!(["sh", "-c", "exit 6"]), &json!(300)));
}

#[test]
fn a_running_job_of_an_older_program_stays_running() {
    let user = User::new();
    let held = Held::start(&user, "it");
    // As a record looks in which nobody noted the entry: the lock belongs to the open file, so it is written in place.
    let path = user.root().join(format!("runs/{}.lock", held.id));
    let text = std::fs::read_to_string(&path).unwrap().replace("\"line\":\"entry\"", "\"line\":\"other\"");
    std::fs::write(&path, text).unwrap();
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    let job = user.job(&held.id);
    assert_eq!((&job["status"], &job["observed"]), (&json!("running"), &json!("alive")), "{job}");
    held.let_go(8);
    assert_eq!(user.wait(&held.id), 8);
}

#[test]
fn a_job_that_runs_and_is_missing_from_a_sound_index_is_put_back() {
    let user = User::new();
    let held = Held::start(&user, "it");
    std::fs::remove_file(index_path(&user)).unwrap();
    let other = user.start(["--", "true"]);
    assert_eq!(user.wait(&other), 0);
    let check = user.run(["store", "check"]);
    assert_eq!(check.code, 1, "{}", check.out);
    assert!(check.out.contains(&held.id), "{}", check.out);
    user.ok(["store", "rebuild"]);
    assert_eq!(ids(&user.index()), BTreeSet::from([held.id.clone(), other]));
    held.let_go(2);
    assert_eq!(user.wait(&held.id), 2);
    assert_eq!(user.run(["store", "rebuild"]).code, 4);
}

#[test]
fn what_was_removed_does_not_come_back() {
    let user = User::new();
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    let record = user.root().join(format!("runs/{id}.lock"));
    let text = std::fs::read(&record).unwrap();
    user.ok(["prune", "--all"]);
    // As a crash may leave it.
    std::fs::write(&record, text).unwrap();
    damage(&user, "");
    user.ok(["store", "rebuild"]);
    assert!(ids(&user.index()).is_empty());
}

#[test]
fn an_entry_that_is_damaged_inside_is_made_anew_from_its_record() {
    let user = User::new();
    let id = user.start(["--name", "it", "--", "sh", "-c", "exit 7"]);
    assert_eq!(user.wait(&id), 7);
    let text = String::from_utf8(read(&user)).unwrap().replace("\"labels\":[]", "\"labels\":7");
    damage(&user, text);
    user.ok(["store", "rebuild"]);
    let job = user.job(&id);
    assert_eq!((&job["name"], &job["exit_code"], &job["labels"]), (&json!("it"), &json!(7), &json!([])));
}

#[test]
fn many_writers_wait_for_a_rebuild_and_lose_nothing() {
    let user = User::new();
    settled_index(&user);
    let mut text = read(&user);
    text.truncate(text.len() - 4);
    damage(&user, &text);
    user.ok(["store", "rebuild"]);
    let started: BTreeSet<String> = (0..3).map(|_| user.start(["--", "true"])).collect();
    for id in &started {
        assert_eq!(user.wait(id), 0);
        assert!(has_started(&user, id));
    }
    assert!(ids(&user.index()).is_superset(&started));
    assert_eq!(ids(&user.index()).len(), 15);
}

#[test]
fn a_schedule_that_is_lost_is_named_and_one_of_the_settings_comes_back() {
    let user = User::new();
    configure(&user, "[schedules.of_file]\nevery = \"1d\"\nargv = [\"true\"]\n");
    user.ok(["tick"]);
    user.ok(["schedule", "add", "by_hand", "--every", "1d", "--", "true"]);
    user.ok(["schedule", "add", "gone", "--every", "1d", "--", "true"]);
    user.ok(["schedule", "remove", "gone"]);
    user.ok(["start", "--wait", "--", "true"]);
    damage(&user, "");
    let ran = user.run(["store", "rebuild", "--json", "--dry-run"]);
    assert_eq!(ran.json()["lost_schedules"], json!(["by_hand"]));
    let text = user.ok(["store", "rebuild"]);
    assert!(text.contains("1 schedule lost: by_hand\n"), "{text}");
    user.ok(["tick"]);
    assert_eq!(user.index()["schedules"]["of_file"]["source"], "file");
}

#[test]
fn a_job_that_had_to_be_approved_before_it_ran_waits_for_the_same_people_after_a_rebuild() {
    let user = User::new();
    configure(&user, "[approval]\nlocal = \"anyone\"");
    let script = format!("{} approval request --reason why", crate::support::BGCTL);
    let id = user.start(["--approval", "local", "--approval-ttl", "2h", "--", "sh", "-c", &script]);
    user.ok(["approve", &id]);
    until("it has asked", || user.status(&id) == "waiting_approval");
    user.all_gone();
    let asked = user.job(&id)["approval"].clone();
    std::fs::remove_file(index_path(&user)).unwrap();
    user.ok(["store", "rebuild"]);
    let approval = &user.job(&id)["approval"];
    assert_eq!(user.status(&id), "waiting_approval");
    for name in ["on", "hash", "ttl_seconds"] {
        assert_eq!(approval[name], asked[name], "{name}");
    }
}
