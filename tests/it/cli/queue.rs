//! The queue as a user meets it: priorities, keys, backpressure, retries, dependencies, times.

use super::{Held, hold_both_slots};
use crate::support::{BGCTL, Ran, User, until};
use serde_json::{Value, json};
use std::io::BufRead;
use std::process::{Command, Stdio};

/// One slot, and a small queue.
fn narrow() -> User {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\nmax_size = 5\n");
    user
}

fn configure(user: &User, text: &str) {
    user.make_root();
    std::fs::write(user.root().join("config.toml"), text).unwrap();
}

fn said(ran: &Ran) -> &str {
    ran.err.trim_end()
}

// Priorities.

#[test]
fn the_most_urgent_of_the_waiting_gets_the_next_slot() {
    let user = narrow();
    let held = Held::start(&user, "it");
    let order = user.path("order");
    let script = |name: &str| format!("echo {name} >> '{}'", order.display());
    let ids: Vec<String> =
        [("low", "l1"), ("normal", "n1"), ("critical", "c1"), ("high", "h1"), ("normal", "n2")]
            .map(|(priority, name)| user.start(["--priority", priority, "--", "sh", "-c", &script(name)]))
            .into();
    held.let_go(0);
    for id in &ids {
        assert_eq!(user.wait(id), 0);
    }
    assert_eq!(std::fs::read_to_string(order).unwrap(), "c1\nh1\nn1\nn2\nl1\n");
}

#[test]
fn a_waiting_job_is_moved_ahead_and_a_running_one_is_not() {
    let user = narrow();
    let held = Held::start(&user, "it");
    let (first, second) = (user.start(["true"]), user.start(["true"]));
    let changed = user.ok(["set", &second, "--priority", "high"]);
    assert_eq!(changed, format!("{second} priority normal → high\n"));
    let told = user.run(["set", &second, "--priority", "critical", "--after-end", &held.id, "--json"]).json();
    assert_eq!(
        told["jobs"][0]["changes"],
        json!({
            "priority": { "from": "high", "to": "critical" },
            "after_end": { "from": [], "to": [held.id] },
        })
    );
    user.ok(["set", &second, "--no-after", &held.id]);
    let waits = user.ok(["status", &first, "--json"]);
    let waits: Value = serde_json::from_str(&waits).unwrap();
    assert_eq!(waits["jobs"][0]["waits"]["ahead"], json!([second]));
    let refused = user.run(["set", &held.id, "--priority", "low"]);
    assert_eq!(refused.code, 4);
    assert!(said(&refused).contains("has begun and stays as it is"), "{}", refused.err);
    held.let_go(0);
    user.wait(&first);
}

#[test]
fn a_priority_that_is_mistyped_is_usage() {
    let user = User::new();
    let ran = user.run(["start", "--priority", "hihg", "--", "true"]);
    assert_eq!(ran.code, 2);
    assert!(said(&ran).contains("high"), "{}", ran.err);
}

#[test]
fn what_does_nothing_for_a_service_is_refused() {
    let user = User::new();
    for (flag, value) in [("--when-full", "wait"), ("--priority", "high")] {
        for more in [&[][..], &["--dry-run"]] {
            let ran = user.run([&["start", "--service", flag, value], more, &["--", "true"]].concat());
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
            assert!(said(&ran).contains(flag), "{}", ran.err);
            assert!(said(&ran).contains("does nothing with --service"), "{}", ran.err);
        }
    }
    assert!(!user.root().exists());
    user.ok(["start", "--dry-run", "--service", "--priority", "normal", "--", "true"]);
}

// Keys.

#[test]
fn a_repeat_of_a_key_prints_the_job_that_has_it_and_starts_nothing() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--key", "nightly"]);
    let again = user.run(["start", "--key", "nightly", "--", "true"]);
    assert_eq!((again.code, again.out.trim_end()), (0, held.id.as_str()));
    assert!(
        said(&again).contains("has the key and is running") && said(&again).contains("another command"),
        "{}",
        again.err
    );
    let told = user.run(["start", "--json", "--key", "nightly", "--", "true"]).json();
    assert_eq!((&told["created"], &told["id"]), (&json!(false), &json!(held.id)));
    assert_eq!(user.index()["jobs"].as_array().unwrap().len(), 1);
    held.let_go(0);
    user.wait(&held.id);
    let fresh = user.run(["start", "--json", "--key", "nightly", "--", "true"]).json();
    assert_eq!(fresh["created"], json!(true));
}

#[test]
fn a_repeat_can_wait_for_the_job_that_is_there() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--key", "k"]);
    let mut again = user.bgctl(["start", "--wait", "--key", "k", "--", "true"]);
    let mut again = again.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(again.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("has the key"), "{line}");
    held.let_go(7);
    assert_eq!(again.wait().unwrap().code(), Some(7));
}

#[test]
fn a_key_that_is_kept_gives_the_ended_job_within_its_time() {
    let user = User::new();
    let id = user.start(["--key", "k", "--key-ttl", "1h", "--", "true"]);
    user.wait(&id);
    let again = user.run(["start", "--key", "k", "--", "true"]);
    assert_eq!(again.out.trim_end(), id);
    assert!(said(&again).contains("has completed"), "{}", again.err);
}

#[test]
fn a_unique_command_is_told_apart_by_arguments_folder_and_plan() {
    let user = narrow();
    let held = Held::start(&user, "it");
    let start = |more: &[&str]| {
        let arguments = ["start", "--unique"].iter().chain(more);
        user.run(arguments).out.trim_end().to_owned()
    };
    let first = start(&["--", "echo", "a"]);
    assert_eq!(start(&["--", "echo", "a"]), first);
    let other = [
        start(&["--", "echo", "b"]),
        start(&["--cwd", "/", "--", "echo", "a"]),
        start(&["--plan-hash", "v2", "--", "echo", "a"]),
    ];
    assert!(other.iter().all(|id| *id != first), "{other:?}");
    let key = user.job(&first)["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("echo:"), "{key}");
    assert_eq!(user.job(&other[2])["key"].as_str().unwrap(), format!("{key}:v2"));
    held.let_go(0);
}

#[test]
fn a_job_is_found_by_its_key() {
    let user = User::new();
    let id = user.start(["--key", "a key with spaces", "--", "true"]);
    user.wait(&id);
    let shown = user.run(["status", "--json", "--key", "a key with spaces"]).json();
    assert_eq!(shown["jobs"][0]["id"], json!(id));
    let none = user.run(["status", "--key", "nobody's"]);
    assert_eq!(none.code, 3, "{}", none.err);
}

#[test]
fn sixty_four_that_start_one_key_at_once_make_one_job() {
    let user = User::new();
    user.make_root();
    let mut starts: Vec<_> = (0..64)
        .map(|_| {
            let mut command = user.bgctl(["start", "--key", "once", "--", "sh", "-c", "echo x >> ran"]);
            command.stdout(Stdio::piped()).stderr(Stdio::null()).current_dir(user.path(""));
            command.spawn().unwrap()
        })
        .collect();
    let mut ids: Vec<String> = Vec::new();
    for start in starts.drain(..) {
        let output = start.wait_with_output().unwrap();
        assert!(output.status.success());
        ids.push(String::from_utf8(output.stdout).unwrap());
    }
    // One that began after the first had ended makes another: who came in time got the same.
    let jobs = user.index()["jobs"].as_array().unwrap().len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), jobs);
    for id in &ids {
        user.wait(id.trim_end());
    }
    let ran = std::fs::read_to_string(user.path("ran")).unwrap();
    assert_eq!(ran.lines().count(), jobs, "each job ran once");
}

#[test]
fn sixty_four_that_start_one_key_while_it_runs_get_that_job() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--key", "once"]);
    let starts: Vec<_> = (0..64)
        .map(|_| {
            let mut command = user.bgctl(["start", "--key", "once", "--", "true"]);
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for start in starts {
        let output = start.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), held.id);
    }
    assert_eq!(user.index()["jobs"].as_array().unwrap().len(), 1);
    held.let_go(0);
}

// Backpressure.

/// Fills a queue of 5, of which 4 may wait for a further one to be taken.
fn fill(user: &User) -> Held {
    let held = Held::start(user, "it");
    for _ in 0..5 {
        user.start(["true"]);
    }
    held
}

#[test]
fn a_full_queue_refuses_with_numbers_and_the_ways_on() {
    let user = narrow();
    let held = fill(&user);
    let before = user.index();
    let refused = user.run(["start", "--", "true"]);
    assert_eq!((refused.code, refused.out.as_str()), (75, ""));
    for part in ["5 wait", "beyond 4", "80% of 5", "--when-full wait", "--batch", "queue.max_size"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    let told = user.run(["start", "--json", "--", "true"]);
    let reason = &told.json()["error"]["reason"];
    assert_eq!(
        (&reason["kind"], &reason["waiting"], &reason["threshold"], &reason["max_size"]),
        (&json!("queue_full"), &json!(5), &json!(4), &json!(5))
    );
    assert!(reason["retry_after_seconds"].as_u64().unwrap() >= 1);
    assert_eq!(user.index()["jobs"], before["jobs"], "nothing was queued");
    let service = user.run(["start", "--service", "--", "true"]);
    assert_eq!(service.code, 0, "a service never waits: {}", service.err);
    held.let_go(0);
}

#[test]
fn a_start_that_waits_for_room_gets_it() {
    let user = narrow();
    let held = fill(&user);
    let mut waiting = user.bgctl(["start", "--when-full", "wait", "--", "true"]);
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "the queue is full: 5 wait; this goes on when 4 do\n");
    held.let_go(0);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(user.wait(String::from_utf8(output.stdout).unwrap().trim_end()), 0);
}

#[test]
fn a_start_that_waits_for_room_no_longer_than_it_may_is_refused_then() {
    let user = narrow();
    let held = fill(&user);
    let ran = user.run(["start", "--when-full", "wait", "--within", "1", "--", "true"]);
    assert_eq!((ran.code, ran.out.as_str()), (75, ""));
    assert!(ran.err.contains("still full"), "{}", ran.err);
    held.let_go(0);
}

#[test]
fn a_key_that_is_there_is_told_although_the_queue_is_full() {
    let user = narrow();
    let held = Held::start_with(&user, "it", "", &["--key", "k"]);
    for _ in 0..5 {
        user.start(["true"]);
    }
    let again = user.run(["start", "--key", "k", "--", "true"]);
    assert_eq!((again.code, again.out.trim_end()), (0, held.id.as_str()));
    held.let_go(0);
}

// Retries.

#[test]
fn a_job_is_tried_again_until_it_succeeds_and_each_attempt_is_kept() {
    let user = User::new();
    let script = "echo attempt $BG_ATTEMPT; test $BG_ATTEMPT = 3 || exit 5";
    let id = user.start(["--attempts", "4", "--retry-delay", "0", "--", "sh", "-c", script]);
    assert_eq!(user.wait(&id), 0);
    let job = user.run(["status", "--json", &id]).json()["jobs"][0].clone();
    let attempts = job["attempts"].as_array().unwrap();
    let exits: Vec<&Value> = attempts.iter().map(|attempt| &attempt["outcome"]["exit"]["code"]).collect();
    assert_eq!(exits, [&json!(5), &json!(5), &json!(0)]);
    let log = user.ok(["logs", &id]);
    assert_eq!(log, "attempt 1\nattempt 2\nattempt 3\n");
    for (place, attempt) in attempts.iter().enumerate() {
        let range = (attempt["log_from"].as_u64().unwrap(), attempt["log_to"].as_u64().unwrap());
        assert_eq!(range, (place as u64 * 10, place as u64 * 10 + 10));
        assert!(attempt["started_at"].is_string() && attempt["ended_at"].is_string());
    }
    assert_eq!(job["summary"], json!(null));
}

#[test]
fn between_attempts_the_slot_is_free_and_the_job_says_when_it_comes_again() {
    let user = narrow();
    let id =
        user.start(["--retry", "--retry-delay", "1h", "--retry-max-delay", "1h", "--", "sh", "-c", "exit 9"]);
    until("the first attempt is over", || user.status(&id) == "queued");
    let shown = user.ok(["status", &id]);
    assert!(shown.contains("attempt 2 of 3 comes in"), "{shown}");
    assert!(shown.contains("summary  attempt 1 of 3: exit code 9"), "{shown}");
    assert!(user.ok(["list"]).contains("queued (again in "), "{}", user.ok(["list"]));
    let other = user.start(["true"]);
    assert_eq!(user.wait(&other), 0, "the slot is free");
    assert!(shown.contains("bgctl tick, from cron, starts it then"), "{shown}");
    assert!(user.ok(["cancel", &id]).contains("cancelled"));
    let told = user.run(["wait", &id]).err;
    assert!(
        told.starts_with(&format!("{id} cancelled: before attempt 2; attempt 1 of 3: exit code 9")),
        "{told}"
    );
}

#[test]
fn what_is_used_up_is_a_dead_letter_with_every_attempt() {
    let user = User::new();
    let id = user.start(["--attempts", "2", "--retry-delay", "0", "--", "sh", "-c", "exit 3"]);
    assert_eq!(user.wait(&id), 3);
    let job = user.job(&id);
    assert_eq!((&job["dead_letter"], &job["status"]), (&json!(true), &json!("failed")));
    assert!(user.ok(["list", "--all"]).contains("failed (dead letter)"));
    let env = job["env"].as_str().unwrap();
    assert!(user.root().join("env").join(format!("{env}.json")).exists(), "it can be retried as it was");
}

#[test]
fn only_the_asked_for_codes_are_tried_again() {
    let user = User::new();
    let start = |codes: &str, script: &str| {
        let id = user.start([
            "--attempts",
            "3",
            "--retry-delay",
            "0",
            "--retry-on",
            codes,
            "--",
            "sh",
            "-c",
            script,
        ]);
        user.wait(&id);
        user.job(&id)["attempt"].as_u64().unwrap()
    };
    assert_eq!(start("75", "exit 1"), 1);
    assert_eq!(start("70-80", "exit 75"), 3);
    assert_eq!(start("137", "kill -9 $$"), 3);
    let id = user.start([
        "--attempts",
        "2",
        "--retry-delay",
        "0",
        "--retry-on",
        "124",
        "--timeout",
        "1",
        "--grace",
        "1",
        "--",
        "sleep",
        "1000",
    ]);
    assert_eq!(user.wait(&id), 124);
    assert_eq!(user.job(&id)["attempt"], 2);
}

#[test]
fn attempts_that_cannot_be_meant_are_usage() {
    let user = User::new();
    for (arguments, part) in [
        (vec!["--attempts", "0"], "from 1 to 10000"),
        (vec!["--attempts", "1000000000"], "from 1 to 10000"),
        (vec!["--attempts", "-1"], "from 1 to 10000"),
        (vec!["--retry-delay", "5"], "--attempts 5, or --retry"),
        (vec!["--retry", "--retry-delay", "2h", "--retry-max-delay", "1h"], "longer than --retry-max-delay"),
        (vec!["--retry", "--retry-on", "256"], "exit codes from 1 to 255"),
        (vec!["--retry", "--retry-on", "0"], "exit codes from 1 to 255"),
        (vec!["--retry", "--attempts", "2"], "cannot be used with"),
        (vec!["--key", ""], "1 to 200 bytes"),
        (vec!["--key-ttl", "1h"], "--key-ttl needs --key or --unique"),
        (vec!["--plan-hash", "x"], "--plan-hash needs --unique"),
        (vec!["--at", "2001-01-01"], "has passed"),
        (vec!["--at", "noon"], "expected a time"),
        (vec!["--delay", "1h", "--at", "23:59"], "cannot be used with"),
        (vec!["--delay", "-1"], "negative"),
        (vec!["--group", "no/such"], "letters, digits"),
    ] {
        let ran = user.run(["start"].into_iter().chain(arguments.clone()).chain(["--", "true"]));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(part), "{arguments:?}: {}", ran.err);
    }
    assert!(!user.root().join("jobs.json").exists());
}

// Dependencies and times.

#[test]
fn a_job_starts_when_what_it_waits_for_has_completed() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let ran = user.run(["start", "--after", &held.id, "--", "true"]);
    let id = ran.out.trim_end().to_owned();
    assert!(said(&ran).contains("queued: it waits for the completion of "), "{}", ran.err);
    let waits = user.run(["status", "--json", &id]).json()["jobs"][0]["waits"].clone();
    assert_eq!(waits, json!({ "for": "jobs", "jobs": [{ "id": held.id, "until": "completed" }] }));
    held.let_go(0);
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn a_failure_cancels_a_chain_with_the_reason_and_after_end_goes_on() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let second = user.start(["--after", &held.id, "--", "true"]);
    let third = user.start(["--after", &second, "--", "true"]);
    let clean = user.start(["--after-end", &second, "--after-end", &held.id, "--", "true"]);
    held.let_go(2);
    assert_eq!(user.wait(&third), 125);
    assert_eq!(user.wait(&clean), 0);
    let why = |id: &str| user.job(id)["summary"].as_str().unwrap().to_owned();
    assert_eq!(why(&second), format!("{}, which it waited for, failed", held.id));
    assert_eq!(why(&third), format!("{second}, which it waited for, was cancelled"));
}

#[test]
fn what_has_failed_already_cancels_at_once_and_the_start_says_so() {
    let user = User::new();
    let failed = user.start(["false"]);
    user.wait(&failed);
    let ran = user.run(["start", "--after", &failed, "--", "true"]);
    assert_eq!(ran.code, 0);
    assert!(said(&ran).contains("cancelled") && said(&ran).contains("failed"), "{}", ran.err);
}

#[test]
fn a_start_that_waits_says_once_what_has_cancelled_it_already() {
    let user = User::new();
    let failed = user.start(["false"]);
    user.wait(&failed);
    for how in [&["--wait"][..], &["--follow"], &["--ready", "never"]] {
        let ran = user.run(["start", "--after", &failed].iter().chain(how).chain(&["--", "true"]));
        assert_eq!(ran.code, 125, "{how:?}: {}", ran.err);
        let sentence = format!("cancelled: {failed}, which it waited for, failed");
        assert_eq!(ran.err.matches(&sentence).count(), 1, "{how:?}: {}", ran.err);
    }
}

#[test]
fn unknown_jobs_and_circles_are_refused() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let unknown = user.run(["start", "--after", "bg_20260213_zzzzzz", "--", "true"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (3, ""));
    let first = user.start(["true"]);
    let second = user.start(["--after", &first, "--", "true"]);
    let third = user.start(["--after-end", &second, "--", "true"]);
    let itself = user.run(["set", &first, "--after", &first]);
    assert_eq!(itself.code, 2);
    assert!(said(&itself).contains("it would wait for itself"), "{}", itself.err);
    let circle = user.run(["set", &first, "--after", &third]);
    assert_eq!(circle.code, 2);
    let way = format!("{first} waits for {third} waits for {second} waits for {first}");
    assert!(said(&circle).contains(&way), "{}", circle.err);
    assert_eq!(user.ok(["set", &third, "--no-after", &second]), format!("{third} after {second} → none\n"));
    for held in [one, two] {
        held.let_go(0);
    }
    assert_eq!(user.wait(&third), 0);
}

#[test]
fn a_job_that_waits_for_another_is_freed_by_hand() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let id = user.start(["--after", &held.id, "--", "true"]);
    user.ok(["set", &id, "--no-after", &held.id]);
    assert_eq!(user.wait(&id), 0);
    held.let_go(0);
}

#[test]
fn a_delayed_job_starts_in_time_without_cron() {
    let user = User::new();
    let id = user.start(["--delay", "1", "--", "true"]);
    assert_eq!(user.status(&id), "queued");
    until("it has run", || user.status(&id) == "completed");
    user.all_gone();
}

#[test]
fn a_start_that_is_far_away_says_who_starts_it() {
    let user = User::new();
    let ran = user.run(["start", "--delay", "2h", "--", "true"]);
    assert!(said(&ran).contains("starts in 2h"), "{}", ran.err);
    assert!(said(&ran).contains("bgctl tick, from cron, starts it then"), "{}", ran.err);
    assert!(user.processes().is_empty(), "nobody waits for two hours");
    let id = ran.out.trim_end();
    let instant =
        user.job(id)["not_before"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let away = instant - chrono::Utc::now();
    assert!((7_100..=7_200).contains(&away.num_seconds()));
}

#[test]
fn a_group_that_is_not_there_is_refused_or_made() {
    let user = narrow();
    let refused = user.run(["start", "--group", "gpu", "--", "true"]);
    assert_eq!((refused.code, refused.out.as_str()), (3, ""));
    assert!(refused.err.contains("--create-group"), "{}", refused.err);
    let held = Held::start(&user, "it");
    let gate = Held::start_with(&user, "other", "", &["--group", "gpu", "--create-group"]);
    let typo = user.run(["start", "--group", "gpo", "--", "true"]);
    assert!(typo.err.contains("did you mean gpu?"), "{}", typo.err);
    let waiting = user.start(["--group", "gpu", "--", "true"]);
    let waits = user.run(["status", "--json", &waiting]).json()["jobs"][0]["waits"].clone();
    assert_eq!(waits, json!({ "for": "slot", "held_by": [gate.id], "ahead": [] }));
    gate.let_go(0);
    assert_eq!(user.wait(&waiting), 0, "the default group's slot is held all the time");
    held.let_go(0);
}

#[test]
fn a_job_in_a_shell_script_is_idempotent() {
    let user = User::new();
    let mut command = Command::new("sh");
    command
        .env("BG_HOME", user.root())
        .current_dir(user.path(""))
        .args(["-c", "for i in 1 2 3; do \"$0\" start --quiet --unique --key-ttl 1h -- sh -c 'echo x >> ran'; done | sort -u | wc -l", BGCTL]);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1");
}

// What a look from outside found.

#[test]
fn an_input_that_was_read_is_not_lost_while_a_start_waits_for_room() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\nmax_size = 5\nthreshold_percent = 20\n");
    let held = Held::start(&user, "it");
    let words = user.fifo("words");
    let script =
        format!("exec '{BGCTL}' start --quiet --stdin - --when-full wait -- cat < '{}'", words.display());
    let waiting = user.command("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    // It reads by now; meanwhile the queue fills.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&words).unwrap();
    until("it has begun to keep what it reads", || {
        std::fs::read_dir(user.root().join("runs"))
            .unwrap()
            .flatten()
            .any(|file| std::path::Path::new(&file.file_name()).extension().is_some_and(|end| end == "in"))
    });
    let others = [user.start(["true"]), user.start(["true"])];
    std::io::Write::write_all(&mut writer, b"precious\n").unwrap();
    drop(writer);
    held.let_go(0);
    let output = waiting.wait_with_output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    for id in others.iter().chain([&id]) {
        assert_eq!(user.wait(id), 0);
    }
    assert_eq!(user.ok(["logs", &id]), "precious\n");
}

#[test]
fn a_refused_start_keeps_nothing_of_its_input() {
    let user = narrow();
    let held = Held::start_with(&user, "it", "", &["--key", "k"]);
    let script = format!("echo text | '{BGCTL}' start --quiet --key k --stdin - -- cat");
    assert!(user.command("sh").args(["-c", &script]).status().unwrap().success());
    let kept = std::fs::read_dir(user.root().join("runs")).unwrap().flatten();
    let kept: Vec<_> = kept.filter(|file| file.file_name().to_string_lossy().ends_with(".in")).collect();
    assert!(kept.is_empty(), "{kept:?}");
    held.let_go(0);
}

#[test]
fn an_entry_that_is_damaged_inside_does_not_hold_up_the_others() {
    let user = narrow();
    let held = Held::start(&user, "it");
    let (damaged, sound) = (user.start(["true"]), user.start(["true"]));
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let entry = format!("\"id\":\"{damaged}\"");
    user.write_index(&text.replace(&entry, &format!("{entry},\"exit\":7")));
    held.let_go(0);
    assert_eq!(user.wait(&sound), 0);
    let shown = user.run(["status", &damaged]);
    assert_eq!(shown.code, 5);
    assert!(shown.err.contains("line"), "{}", shown.err);
}

#[test]
fn what_is_retried_together_waits_for_each_other_as_before() {
    let user = User::new();
    let first = user.start(["sh", "-c", "exit 3"]);
    let second = user.start(["--after", &first, "--", "true"]);
    assert_eq!(user.wait(&second), 125);
    let again = user.ok(["retry", "--quiet", &second, &first]);
    let again: Vec<&str> = again.lines().collect();
    assert_eq!(user.wait(again[1]), 3);
    assert_eq!(user.wait(again[0]), 125, "{}", user.ok(["status", again[0]]));
    let alone = user.run(["retry", &second]);
    assert!(alone.err.contains("its retry does not wait for it"), "{}", alone.err);
    assert_eq!(user.wait(alone.out.trim_end()), 0);
}

#[test]
fn what_is_waited_for_since_it_was_chosen_is_not_removed() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let dependant = user.start(["--delay", "1h", "--after", &id, "--", "true"]);
    let pruned = user.ok(["prune", "--all"]);
    assert!(!pruned.contains(&id), "{pruned}");
    assert_eq!(user.status(&id), "completed");
    user.ok(["cancel", &dependant]);
}

#[test]
fn the_next_attempt_of_what_has_failed_is_wanted_now() {
    let user = User::new();
    let id =
        user.start(["--attempts", "2", "--retry-delay", "10m", "--", "sh", "-c", "test $BG_ATTEMPT = 2"]);
    until("it waits for its second attempt", || user.status(&id) == "queued");
    let changed = user.run(["set", "--json", &id, "--delay", "0"]).json();
    assert_eq!(changed["jobs"][0]["changes"]["not_before"]["to"], Value::Null);
    assert_eq!(user.wait(&id), 0);
    let refused = user.run(["set", &id, "--delay", "1m", "--name", "late"]);
    assert_eq!(refused.code, 4);
    assert_eq!(user.job(&id)["name"], Value::Null, "nothing of it was changed");
}

#[test]
fn a_waiting_job_is_put_off_and_brought_forward() {
    let user = User::new();
    let id = user.start(["--delay", "2h", "--", "true"]);
    let put_off = user.ok(["set", &id, "--at", "2099-01-01 10:00"]);
    assert!(put_off.contains("start 20") && put_off.contains("→ 2099-01-01 10:00:00"), "{put_off}");
    user.ok(["set", &id, "--delay", "1"]);
    until("it has run", || user.status(&id) == "completed");
}
