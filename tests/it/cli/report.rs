//! `bgctl tick --report failures`: what failed for good, once.

use super::{HOUR, ago, configure, elsewhere, entry, index_of};
use crate::support::{User, kill, until};
use rustix::process::Signal;
use serde_json::json;

fn report(user: &User) -> String {
    let ran = user.run(["tick", "--report", "failures"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    ran.out
}

/// A user whose reports have begun.
fn reader() -> User {
    let user = User::new();
    user.make_root();
    assert_eq!(report(&user), "");
    user
}

#[test]
fn a_job_that_failed_is_told_once_with_what_one_needs_to_know() {
    let user = reader();
    let script = "for n in 1 2 3 4 5 6 7; do echo line $n; done; printf 'odd \\033[2J'; exit 3";
    let id = user.start(["--name", "nightly", "--", "sh", "-c", script]);
    user.wait(&id);
    let told = report(&user);
    let ended = told.lines().find(|line| line.starts_with("  ended: ")).unwrap();
    let wanted = format!(
        "{id} (nightly) failed: exit code 3\n  command: {}\n{ended}\n  \
         the last lines of its output (bgctl logs {id}):\n    line 4\n    line 5\n    line 6\n    line 7\n    \
         odd \\u{{1b}}[2J\n  start it again: bgctl retry {id}\n",
        user.job(&id)["command"].as_str().unwrap().replace('\u{1b}', "\\u{1b}")
    );
    assert_eq!(told, wanted);
    assert_eq!(report(&user), "");
}

#[test]
fn what_went_well_or_was_cancelled_is_not_told() {
    let user = reader();
    user.wait(&user.start(["--", "true"]));
    let cancelled = user.start(["--", "sleep", "600"]);
    user.ok(["cancel", &cancelled]);
    let waits = user.start(["--after", &cancelled, "--", "true"]);
    user.wait(&waits);
    assert_eq!(report(&user), "");
}

#[test]
fn a_job_that_is_tried_again_is_told_when_its_attempts_are_used_up() {
    let user = reader();
    let id = user.start(["--attempts", "2", "--retry-delay", "1s", "--", "false"]);
    until("it waits for its second attempt", || user.status(&id) == "queued");
    assert_eq!(report(&user), "");
    user.wait(&id);
    let told = report(&user);
    assert!(
        told.starts_with(&format!("{id} failed: exit code 1; that was the last of 2 attempts\n")),
        "{told}"
    );
    assert!(told.contains("(it is a dead letter)"), "{told}");
}

/// Makes what the stream tells so far a year old.
fn age_the_stream(user: &User) {
    let path = user.root().join("events.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let year: i32 = text.split("\"at\":\"").nth(1).unwrap()[..4].parse().unwrap();
    let aged = text.replace(&format!("\"at\":\"{year}"), &format!("\"at\":\"{}", year - 1));
    std::fs::write(path, aged).unwrap();
}

#[test]
fn the_first_report_tells_what_failed_just_now_and_nothing_of_a_long_past() {
    let user = User::new();
    user.wait(&user.start(["--", "false"]));
    age_the_stream(&user);
    assert_eq!(report(&user), "");
    let user = User::new();
    let old = user.start(["--", "false"]);
    user.wait(&old);
    age_the_stream(&user);
    let id = user.start(["--", "false"]);
    user.wait(&id);
    let told = report(&user);
    assert!(told.starts_with(&id) && !told.contains(&old), "{told}");
}

#[test]
fn what_the_tick_itself_finds_is_told_and_what_the_stale_guard_ended_too() {
    let user = reader();
    let changes = json!({ "started_at": ago(3 * HOUR), "attempt": 1, "claim": elsewhere() });
    user.write_index(&index_of(&[entry("staled", "running", &changes)]));
    let told = report(&user);
    assert!(told.starts_with("bg_20260213_staled failed: stale"), "{told}");
    assert_eq!(report(&user), "");
}

#[test]
fn a_schedule_is_told_of_after_three_failures_in_a_row_and_when_it_has_recovered() {
    let user = User::new();
    configure(
        &user,
        &format!(
            "[recurring]\nrestart_delay = 1\nrestart_factor = 1\nrestart_jitter_percent = 0\n\
             [schedules.beat]\nevery = \"1s\"\ncommand = \"echo no route; test -e '{}'\"\n",
            user.path("network").display()
        ),
    );
    assert_eq!(report(&user), "");
    let mut told = String::new();
    let failures = || user.index()["schedules"]["beat"]["health"]["failures_in_row"].as_u64().unwrap_or(0);
    until("it is told", || {
        let before = failures();
        told = report(&user);
        assert!(before < 4 || !told.is_empty(), "{before}");
        !told.is_empty()
    });
    assert!(told.starts_with("the schedule beat failed "), "{told}");
    assert!(told.contains(" times in a row: exit code 1\n") && told.contains("    no route\n"), "{told}");
    assert!(!told.contains("bgctl retry"), "{told}");
    let before = failures();
    until("it goes on failing", || failures() > before + 1);
    assert_eq!(report(&user), "", "no failure of it is told again");
    std::fs::write(user.path("network"), "").unwrap();
    until("it is told that all is well", || {
        told = report(&user);
        !told.is_empty()
    });
    assert_eq!(told, "the schedule beat has recovered\n");
    configure(&user, "");
    report(&user);
}

#[test]
fn a_schedule_that_does_not_try_again_by_itself_is_told_of_at_once() {
    let user = User::new();
    configure(&user, "[schedules.beat]\nevery = \"1s\"\ncommand = \"false\"\nrestart = false\n");
    let mut told = String::new();
    until("it is told", || {
        told = report(&user);
        !told.is_empty()
    });
    assert!(told.starts_with("the schedule beat failed"), "{told}");
    configure(&user, "");
    report(&user);
}

#[test]
fn what_the_stream_has_lost_is_told_from_the_index_and_the_loss_is_said() {
    let user = reader();
    let told = user.start(["--", "false"]);
    user.wait(&told);
    report(&user);
    let lost = user.start(["--", "sh", "-c", "exit 4"]);
    user.wait(&lost);
    let stream = user.root().join("events.jsonl");
    std::fs::remove_file(&stream).unwrap();
    let after = user.start(["--", "sh", "-c", "exit 5"]);
    user.wait(&after);
    let ran = user.run(["tick", "--report", "failures"]);
    assert!(ran.err.contains("are not in events.jsonl"), "{}", ran.err);
    for (id, code) in [(&lost, 4), (&after, 5)] {
        assert_eq!(ran.out.matches(&format!("{id} failed: exit code {code}")).count(), 1, "{}", ran.out);
    }
    assert!(!ran.out.contains(&told), "{}", ran.out);
    assert_eq!(report(&user), "");
}

#[test]
fn an_index_that_was_made_anew_counts_anew() {
    let user = reader();
    for _ in 0..3 {
        user.wait(&user.start(["--", "true"]));
    }
    report(&user);
    for name in ["jobs.json", "events.jsonl"] {
        std::fs::remove_file(user.root().join(name)).unwrap();
    }
    let id = user.start(["--", "false"]);
    user.wait(&id);
    let ran = user.run(["tick", "--report", "failures"]);
    assert!(ran.err.contains("numbered anew") && ran.out.starts_with(&id), "{}{}", ran.err, ran.out);
    assert_eq!(report(&user), "");
}

#[test]
fn a_file_of_reports_that_cannot_be_read_is_begun_anew_and_that_is_said() {
    let user = reader();
    user.wait(&user.start(["--", "false"]));
    age_the_stream(&user);
    std::fs::write(user.root().join("reported"), "{").unwrap();
    let ran = user.run(["tick", "--report", "failures"]);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("begin anew"), "{}", ran.err);
    assert_eq!(report(&user), "");
}

#[test]
fn what_stands_in_the_way_of_every_tick_is_said_once() {
    let user = reader();
    configure(&user, "odd = 1\n");
    assert!(user.run(["tick", "--report", "failures"]).err.contains("odd"));
    assert_eq!(report(&user), "");
    configure(&user, "");
    report(&user);
    configure(&user, "odd = 1\n");
    assert!(user.run(["tick", "--report", "failures"]).err.contains("odd"), "it is new again");
    configure(&user, "");
    user.write_index("{");
    let ran = user.run(["tick", "--report", "failures"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("was not touched"), "{}", ran.err);
}

#[test]
fn what_could_not_be_printed_is_told_again() {
    let user = reader();
    let id = user.start(["--", "false"]);
    user.wait(&id);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = user
        .bgctl(["tick", "--report", "failures"])
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    assert!(report(&user).starts_with(&id));
}

#[test]
fn while_somebody_reports_nobody_else_does() {
    let user = reader();
    let id = user.start(["--", "false"]);
    user.wait(&id);
    // Many at once tell it once, whoever comes first.
    let told: usize = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..8).map(|_| scope.spawn(|| report(&user).matches(&id[..]).count().min(1))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(told, 1);
}

#[test]
fn a_report_is_an_object_too() {
    let user = reader();
    let id = user.start(["--name", "n", "--", "sh", "-c", "echo why; exit 3"]);
    user.wait(&id);
    let object = user.run(["tick", "--report", "failures", "--json"]).json();
    assert_eq!(object["reported"][0]["kind"], "job");
    let job = &object["reported"][0]["job"];
    assert_eq!((&job["id"], &job["name"], &job["last_lines"]), (&json!(id), &json!("n"), &json!("why\n")));
    assert_eq!((&job["summary"], &job["dead_letter"]), (&json!("exit code 3"), &json!(false)));
    let object = user.run(["tick", "--report", "failures", "--json"]).json();
    assert_eq!(object["reported"], json!([]));
    assert!(user.run(["tick", "--json"]).json().get("reported").is_none());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let user = User::new();
    for arguments in [
        ["--loop", "--json"].as_slice(),
        &["--loop", "--dry-run"],
        &["--loop", "--executor", "dry-run"],
        &["--report", "failures", "--dry-run"],
        &["--report", "odd"],
    ] {
        let ran = user.run(["tick"].iter().chain(arguments));
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
    }
    assert!(!user.root().exists());
}

#[test]
fn a_report_that_is_killed_tells_again() {
    let user = reader();
    let id = user.start(["--", "false"]);
    user.wait(&id);
    let pipe = user.fifo("pipe");
    // Nobody reads the pipe: whoever reports waits before anything is told.
    let script = format!("exec '{}' tick --report failures > '{}'", crate::support::BGCTL, pipe.display());
    let mut child = user.command("sh").args(["-c", &script]).spawn().unwrap();
    kill(child.id().cast_signed(), Signal::KILL);
    child.wait().unwrap();
    assert!(report(&user).starts_with(&id));
}
