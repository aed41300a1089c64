//! An index of lines: what is added to it, what a crash leaves of it, and the way from one form to the other.

use super::{Held, configure};
use crate::support::{Ran, User, until};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A user whose index is kept as lines.
fn user(more: &str) -> User {
    let user = User::new();
    configure(&user, &format!("[store]\ntype = \"jsonl\"\n{more}"));
    user
}

fn lines(user: &User) -> PathBuf {
    user.root().join("jobs.jsonl")
}

fn text(user: &User) -> String {
    std::fs::read_to_string(lines(user)).unwrap()
}

fn add(user: &User, more: &[u8]) {
    std::fs::OpenOptions::new().append(true).open(lines(user)).unwrap().write_all(more).unwrap();
}

/// All that is said of all jobs.
fn listed(user: &User) -> Value {
    user.run(["list", "--all", "--json"]).json()["jobs"].clone()
}

#[track_caller]
fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}", ran.err);
    assert!(ran.err.contains(said), "{}", ran.err);
}

#[test]
fn a_new_index_has_the_form_that_the_settings_say_and_jobs_run_from_it() {
    let user = user("");
    let id = user.start_sh("exit 3");
    assert_eq!(user.wait(&id), 3);
    assert_eq!(user.status(&id), "failed");
    let text = text(&user);
    assert!(text.starts_with("{\"version\":1}\n"), "{text}");
    assert_eq!(
        text.lines().filter(|line| line.contains(&id)).count(),
        2,
        "its submission and its end: {text}"
    );
    assert!(text.lines().last().unwrap().starts_with("{\"commit\":"), "{text}");
    let shown = user.run(["store", "--json"]).json();
    assert_eq!((&shown["type"], &shown["counts"]["failed"]), (&json!("jsonl"), &json!(1)));
    assert!(user.ok(["store"]).contains("lines of JSON"));
    assert_eq!(user.run(["store", "check"]).code, 0);
    // The settings say it for a new one only.
    configure(&user, "");
    user.start(["--wait", "--", "true"]);
    assert_eq!(listed(&user).as_array().unwrap().len(), 2);
    assert!(lines(&user).exists());
}

#[test]
fn a_program_that_knows_only_the_other_form_must_not_write() {
    let user = user("");
    user.start(["--wait", "--", "true"]);
    assert_eq!(user.index(), json!({ "version": 1, "requires": ["jsonl"], "jobs": [] }));
}

#[test]
fn the_index_changes_its_form_and_back_with_all_that_it_says() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\n");
    user.ok(["group", "add", "gpu", "--slots", "2"]);
    user.ok(["schedule", "add", "--every", "1h", "hourly", "--", "true"]);
    user.start(["--name", "one", "--wait", "--", "true"]);
    user.run(["start", "--name", "two", "--label", "a", "--wait", "--", "false"]);
    user.ok(["start", "--delay", "1h", "--key", "k", "--priority", "high", "--", "true"]);
    let said = || (listed(&user), user.ok(["group"]), user.ok(["schedule", "show", "hourly", "--json"]));
    let before = said();
    let there = user.run(["store", "migrate", "jsonl", "--json"]).json();
    assert_eq!(
        (&there["from"], &there["type"], &there["jobs"]),
        (&json!("json"), &json!("jsonl"), &json!(3))
    );
    assert_eq!(said(), before);
    let again = user.ok(["store", "migrate", "jsonl"]);
    assert!(again.contains("has that form already"), "{again}");
    assert_eq!(said(), before);
    user.start(["--wait", "--", "true"]);
    user.ok(["prune", "--all", "--status", "completed"]);
    let before = said();
    assert_eq!(user.run(["store", "migrate", "json", "--json"]).json()["from"], "jsonl");
    assert!(!lines(&user).exists());
    assert_eq!(said(), before);
    assert_eq!(user.index()["jobs"].as_array().unwrap().len(), 2);
}

#[test]
fn the_form_is_not_changed_while_a_job_runs() {
    let user = User::new();
    let held = Held::start(&user, "held");
    let ran = user.run(["store", "migrate", "jsonl"]);
    refused(&ran, 4, "1 of its jobs run");
    assert!(!lines(&user).exists());
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    user.ok(["store", "migrate", "jsonl"]);
    refused(&user.run(["store", "migrate"]), 2, "needs the form");
    refused(&user.run(["store", "show", "jsonl"]), 2, "only migrate takes a form");
}

#[test]
fn what_a_crash_left_at_the_end_does_not_count_and_goes_with_the_next_change() {
    let user = user("");
    let id = user.start(["--wait", "--", "true"]);
    let torn = text(&user).lines().find(|line| line.contains(&id)).unwrap().replace("queued", "runn");
    for left in [torn.as_bytes(), b"{\"removed\":\"", format!("{torn}\n").as_bytes(), &[0; 5_000]] {
        let before = listed(&user);
        add(&user, left);
        assert_eq!(listed(&user), before);
        user.start(["--wait", "--", "true"]);
        let text = text(&user);
        assert!(!text.contains('\0') && text.lines().last().unwrap().starts_with("{\"commit\":"), "{text}");
        user.ok(["prune", "--keep", "1"]);
        assert_eq!(user.run(["store", "check"]).code, 0);
        user.ok(["tick"]);
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_line_and_made_anew() {
    let user = user("");
    let ids = [user.start(["--wait", "--", "true"]), user.start(["--wait", "--", "true"])];
    let sound = text(&user);
    let line = sound.lines().position(|line| line.contains("completed") && line.contains(&ids[0])).unwrap();
    std::fs::write(lines(&user), sound.replacen("\"completed\"", "\"compl", 1)).unwrap();
    let listed_now = user.run(["list", "--all"]);
    refused(&listed_now, 5, &format!("jobs.jsonl is damaged: line {}", line + 1));
    refused(&user.run(["start", "--", "true"]), 5, "damaged");
    let rebuilt = user.run(["store", "rebuild", "--json"]).json();
    assert_eq!((&rebuilt["salvaged"], &rebuilt["lost"]), (&json!(1), &json!([])), "{rebuilt}");
    assert!(rebuilt["kept"].as_str().unwrap().contains("jobs.jsonl.damaged-"), "{rebuilt}");
    for id in &ids {
        assert_eq!(user.status(id), "completed");
    }
    assert!(user.ok(["store"]).contains("kept      jobs.jsonl.damaged-"));
    // Emptied, as a power cut may do where nothing waits for the disk, it is damaged, and not an index without jobs.
    std::fs::write(lines(&user), "").unwrap();
    refused(&user.run(["list"]), 5, "does not begin with a whole change");
    refused(&user.run(["start", "--", "true"]), 5, "does not begin with a whole change");
    user.ok(["store", "rebuild"]);
    assert_eq!(user.status(&ids[1]), "completed");
    // All of it is gone.
    std::fs::remove_file(lines(&user)).unwrap();
    refused(&user.run(["list"]), 5, "is not there, although jobs.json says that it is the index");
    refused(&user.run(["store", "migrate", "json"]), 5, "is not there, although jobs.json says");
    user.ok(["store", "rebuild"]);
    assert_eq!(user.status(&ids[1]), "completed");
    assert!(lines(&user).exists());
}

#[test]
fn what_somebody_edits_holds_and_is_kept() {
    let user = user("");
    let id = user.start(["--name", "one", "--wait", "--", "true"]);
    std::fs::write(lines(&user), text(&user).replace("\"name\":\"one\"", "\"name\": \"other\"")).unwrap();
    assert_eq!(user.job(&id)["name"], "other");
    user.start(["--wait", "--", "true"]);
    assert_eq!(user.job(&id)["name"], "other");
}

#[test]
fn the_file_is_begun_anew_when_much_was_added() {
    let user = user("autosave_interval = 10\n");
    user.start(["--wait", "--", "true"]);
    let first = std::fs::metadata(lines(&user)).unwrap().ino();
    let mut begun = 0;
    for _ in 0..12 {
        user.start(["--wait", "--", "true"]);
        begun += usize::from(std::fs::metadata(lines(&user)).unwrap().ino() != first);
    }
    assert!(begun > 0);
    let count = text(&user).lines().count();
    assert!(count < 13 * 4, "{count} lines");
    assert_eq!(listed(&user).as_array().unwrap().len(), 13);
}

#[test]
fn whoever_waits_is_woken_by_what_is_added_and_by_a_file_that_is_begun_anew() {
    for interval in [1, 1_000] {
        let user = user(&format!("autosave_interval = {interval}\n"));
        let held = Held::start(&user, "held");
        let mut waiting = user.bgctl(["wait", &held.id]).spawn().unwrap();
        user.start(["--wait", "--", "true"]);
        held.let_go(0);
        assert_eq!(crate::support::ended(&mut waiting), 0);
    }
}

#[test]
fn many_short_jobs_run_once_each_whatever_their_watchers_keep_of_the_index() {
    let user = user("autosave_interval = 50\n[queue]\nmax_concurrent = 2\nmax_size = 1000\n");
    let batch = user.path("batch");
    std::fs::write(&batch, "echo $BG_JOB_ID >> ran\n".repeat(120)).unwrap();
    user.ok(["start", "--batch", batch.to_str().unwrap()]);
    // Others change it meanwhile.
    for _ in 0..5 {
        user.ok(["start", "--delay", "1h", "--", "true"]);
    }
    until("all have run", || {
        listed(&user).as_array().unwrap().iter().filter(|job| job["status"] == "completed").count() == 120
    });
    let ran = std::fs::read_to_string(user.path("ran")).unwrap();
    let mut ids: Vec<&str> = ran.lines().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), ran.lines().count()), (120, 120));
    assert_eq!(user.run(["store", "check"]).code, 0);
}
