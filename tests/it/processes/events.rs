//! The stream of changes, written by real processes: many at once, killed, without space.

use crate::schema::check_events;
use crate::support::{User, ended, until};
use crate::sweeps::strace::{Blow, Point, can_trace, run};
use serde_json::{Value, json};
use std::process::Stdio;

/// The whole lines of the stream, parsed.
fn told(user: &User) -> Vec<Value> {
    let text = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn numbers(user: &User) -> Vec<u64> {
    told(user).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

/// A user whose queue has been full since before.
fn with_a_full_queue() -> User {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_size = 1\nmax_concurrent = 1\n").unwrap();
    user.start(["--delay", "1h", "--", "true"]);
    user
}

#[test]
fn of_64_starts_at_once_every_event_is_told_and_in_order() {
    const STARTS: usize = 64;
    let user = User::new();
    let mut starts: Vec<_> = (0..STARTS)
        .map(|_| {
            let mut start = user.bgctl(["start", "--label", "crowd", "--", "true"]);
            start.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for start in &mut starts {
        assert_eq!(ended(start), 0);
    }
    user.all_gone();
    let text = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap();
    assert_eq!(text.lines().count(), told(&user).len(), "no line is torn");
    assert_eq!(numbers(&user), (1..=3 * STARTS as u64).collect::<Vec<_>>());
    assert_eq!(user.index()["last_event"], 3 * STARTS);
    let ends = told(&user).iter().filter(|line| line["status"] == "completed").count();
    assert_eq!(ends, STARTS);
    check_events(&user.root());
}

#[test]
fn what_happens_to_a_job_is_told_as_the_schema_says() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start(["--name", "it", "--label", "a", "--", "cat", go.to_str().unwrap()]);
    user.ok(["set", &id, "--timeout", "1h", "--label", "b"]);
    user.ok(["pause", &id]);
    user.ok(["resume", &id]);
    user.ok(["cancel", &id]);
    let tried = user.start(["--attempts", "2", "--retry-delay", "1", "--", "false"]);
    user.wait(&tried);
    user.all_gone();
    check_events(&user.root());
    let end = told(&user).into_iter().find(|line| line["change"] == "end").unwrap();
    assert_eq!(
        (&end["was"], &end["status"], &end["name"], &end["labels"]),
        (&json!("running"), &json!("cancelled"), &json!("it"), &json!(["a", "b"]))
    );
    let of_tried: Vec<Value> = told(&user)
        .iter()
        .filter(|line| line["id"] == json!(tried) && line["change"] == "end")
        .map(|line| json!([line["was"], line["status"], line["dead_letter"]]))
        .collect();
    assert_eq!(of_tried[0], json!(["running", "queued", null]), "it is tried again");
    assert_eq!(of_tried[1], json!(["running", "failed", true]));
}

#[test]
fn a_refused_start_is_an_event_and_is_shown_to_those_who_want_to_see_events() {
    let user = with_a_full_queue();
    let before = (user.index(), numbers(&user).len());
    let ran = user.run(["start", "--verbose", "--", "true"]);
    assert_eq!(ran.code, 75, "{}", ran.err);
    let refused =
        r#"event: {"event":"refused","reason":"queue_full","waiting":1,"threshold":0,"max_size":1}"#;
    assert!(ran.err.lines().any(|line| line == refused), "{}", ran.err);
    assert!(!user.run(["start", "--", "true"]).err.contains("event:"));
    let line = &told(&user)[before.1];
    assert_eq!((&line["event"], &line["waiting"], &line["times"]), (&json!("refused"), &json!(1), &json!(1)));
    assert_eq!(user.index(), before.0, "the index was not written");
    check_events(&user.root());
}

#[test]
fn a_start_that_waits_for_room_is_refused_only_when_its_time_is_over() {
    let user = with_a_full_queue();
    let before = numbers(&user).len();
    let ran = user.run(["start", "--when-full", "wait", "--within", "1", "--", "true"]);
    assert_eq!(ran.code, 75);
    let refused = told(&user).split_off(before);
    assert_eq!(refused.iter().map(|line| &line["event"]).collect::<Vec<_>>(), ["refused"]);
}

#[test]
fn every_refusal_of_many_at_once_is_counted() {
    const STARTS: u64 = 24;
    let user = with_a_full_queue();
    let mut starts: Vec<_> = (0..STARTS)
        .map(|_| user.bgctl(["start", "--", "true"]).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    for start in &mut starts {
        assert_eq!(ended(start), 75);
    }
    // The rest of them is told with the next change.
    user.ok(["cancel", "--all", "--yes"]);
    let told = told(&user);
    let refused: Vec<&Value> = told.iter().filter(|line| line["event"] == "refused").collect();
    assert_eq!(refused.iter().map(|line| line["times"].as_u64().unwrap()).sum::<u64>(), STARTS);
    assert!(refused.len() < 24, "not a line each");
    assert_eq!(numbers(&user), (1..=told.len() as u64).collect::<Vec<_>>());
}

/// Which of a start's writes is the one to the stream.
fn write_to_stream(user: &User, arguments: &[String]) -> usize {
    let log = run(user, arguments, None).log;
    let mut writes = log.lines().filter(|line| line.starts_with("write("));
    1 + writes.position(|line| line.contains("\"{\\\"seq\\\":")).expect("the stream is written")
}

#[test]
fn a_start_that_is_killed_or_finds_no_space_before_it_tells_leaves_a_number_out_and_nothing_else() {
    if !can_trace() {
        return;
    }
    let user = User::new();
    let arguments = ["start", "--", "true"].map(str::to_owned);
    user.start(["--", "true"]);
    user.all_gone();
    let nth = write_to_stream(&user, &arguments);
    user.all_gone();
    for (blow, told_by_next) in [(Blow::Kill, false), (Blow::Fail("ENOSPC"), true)] {
        let jobs = || user.index()["jobs"].as_array().unwrap().len();
        let (before, jobs_before) = (user.index()["last_event"].as_u64().unwrap(), jobs());
        let traced = run(&user, &arguments, Some(&Point { call: "write".into(), nth, blow }));
        assert_eq!(jobs(), jobs_before + 1, "the job stands");
        if told_by_next {
            assert_eq!(traced.ran.code, 0, "{}", traced.ran.err);
            assert_eq!(traced.ran.err.matches("warning").count(), 1, "{}", traced.ran.err);
            assert!(traced.ran.err.contains("events.jsonl"), "{}", traced.ran.err);
        } else {
            assert!(traced.killed);
        }
        user.ok(["tick"]);
        until("the job has ended", || user.index()["jobs"][jobs_before]["status"] == "completed");
        user.all_gone();
        let numbers = numbers(&user);
        assert!(!numbers.contains(&(before + 1)) && !numbers.contains(&(before + 2)), "{numbers:?}");
        assert_eq!(numbers.last().copied(), user.index()["last_event"].as_u64());
    }
}

#[test]
fn a_limit_on_the_size_of_files_ends_no_start() {
    let user = User::new();
    user.start(["--", "true"]);
    user.all_gone();
    let path = user.root().join("events.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(&"x".repeat(100_000));
    std::fs::write(&path, text).unwrap();
    let mut start = user.command("sh");
    // Blocks of 512 bytes.
    start.args(["-c", "ulimit -f 100; exec \"$0\" start -- true", crate::support::BGCTL]);
    let output = start.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    user.all_gone();
    assert!(user.root().join("events.jsonl.1").exists());
    assert_eq!(numbers(&user), [4, 5, 6]);
}

#[test]
fn a_stream_that_is_removed_while_jobs_run_is_begun_anew() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start(["--", "cat", go.to_str().unwrap()]);
    std::fs::remove_file(user.root().join("events.jsonl")).unwrap();
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&id), 0);
    assert_eq!(numbers(&user), [3]);
    user.all_gone();
}
