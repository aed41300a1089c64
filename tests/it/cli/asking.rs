//! `bgctl approval request`: jobs that ask while they run, and what their environment has.

use super::approval::{ANYONE, user_with};
use super::{Held, has_started};
use crate::support::{BGCTL, User, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A script that asks in its first part, and says so in both.
const ASKS: &str = "echo \"part ${BG_APPROVED:-0} of attempt $BG_ATTEMPT\"
[ \"$BG_APPROVED\" = 1 ] || \"$0\" approval request --quiet --reason 'see the log'";

/// Starts a job that asks; gives its id once it waits.
#[track_caller]
fn asked(user: &User, flags: &[&str]) -> String {
    let id = user.start([&["--quiet"], flags, &["--", "sh", "-c", ASKS, BGCTL]].concat());
    until_it_waits(user, &id);
    id
}

#[track_caller]
fn until_it_waits(user: &User, id: &str) {
    until("it waits for approval", || user.status(id) == "waiting_approval");
}

#[test]
fn a_job_that_asked_waits_once_it_has_exited_and_goes_on_as_the_same_attempt() {
    let user = user_with(ANYONE);
    let id = asked(&user, &[]);
    let job = user.job(&id);
    assert_eq!((&job["attempt"], &job["interruptions"], &job["gate"]), (&json!(1), &json!(0), &Value::Null));
    assert_eq!(
        (&job["approval"]["reason"], &job["approval"]["on"]),
        (&json!("see the log"), &json!("local"))
    );
    let status = user.ok(["status", &id]);
    assert!(status.contains("    reason  see the log\n"), "{status}");
    assert!(user.ok(["approve", &id]).starts_with(&format!("{id} approved (")));
    assert_eq!(user.wait(&id), 0);
    let job = user.job(&id);
    assert_eq!(
        (&job["status"], &job["attempt"], &job["interruptions"]),
        (&json!("completed"), &json!(1), &json!(1))
    );
    let attempts: Vec<&Value> =
        job["attempts"].as_array().unwrap().iter().map(|one| &one["attempt"]).collect();
    assert_eq!(attempts, [&json!(1), &json!(1)]);
    let status = user.ok(["status", &id]);
    assert_eq!(status.matches("1 of 1: ").count(), 2, "{status}");
    assert!(status.contains("    answer  approved by "), "{status}");
    let both = "part 0 of attempt 1\npart 1 of attempt 1\n";
    assert_eq!(user.ok(["logs", &id]), both);
    assert_eq!(user.ok(["logs", "--attempt", "1", &id]), both);
    assert_eq!(user.run(["logs", "--attempt", "2", &id]).code, 4);
    crate::schema::check_events(&user.root());
    let events = user.ok(["events"]);
    for text in ["asks for approval: see the log", "waits for approval", "approved by "] {
        assert!(events.contains(text), "{text} in {events}");
    }
}

#[test]
fn while_it_waits_its_slot_is_free() {
    let user = user_with(&format!("{ANYONE}[queue]\nmax_concurrent = 1\n"));
    let first = asked(&user, &[]);
    let held = Held::start(&user, "it");
    assert_eq!(user.ok(["approve", &first]), format!("{first} approved (queued)\n"));
    held.let_go(0);
    assert_eq!(user.wait(&first), 0);
}

#[test]
fn what_is_queued_starts_as_soon_as_the_job_that_asked_has_exited() {
    let user = user_with(&format!("{ANYONE}[queue]\nmax_concurrent = 1\n"));
    let gate = user.fifo("gate");
    let script = format!("{ASKS}; read x < '{}'", gate.display());
    let id = user.start(["--quiet", "--", "sh", "-c", &script, BGCTL]);
    until("it has asked", || user.job(&id)["approval"].is_object());
    let next = user.start(["--quiet", "--", "true"]);
    assert_eq!((user.status(&id), user.status(&next)), ("running".into(), "queued".into()));
    assert!(user.ok(["status", &id]).contains("     asked  for approval of what comes next, "));
    assert!(user.ok(["approval"]).contains("runs"));
    let refused = user.run(["approve", &id]);
    assert_eq!(refused.code, 4);
    assert!(
        refused.err.contains("it is still running, and waits once it has exited with 0"),
        "{}",
        refused.err
    );
    std::fs::write(&gate, "x\n").unwrap();
    assert_eq!(user.wait(&next), 0);
    assert_eq!(user.status(&id), "waiting_approval");
}

#[test]
fn a_job_that_fails_after_it_has_asked_has_failed() {
    let user = user_with(ANYONE);
    let id = user.start(["--quiet", "--", "sh", "-c", "\"$0\" approval request; exit 3", BGCTL]);
    assert_eq!(user.wait(&id), 3);
    let job = user.job(&id);
    assert_eq!(
        (&job["status"], &job["approval"], &job["answers"]),
        (&json!("failed"), &Value::Null, &json!([]))
    );
}

#[test]
fn a_job_that_times_out_after_it_has_asked_has_failed() {
    let user = user_with(ANYONE);
    let script = "\"$0\" approval request; sleep 1000";
    let id = user.start(["--quiet", "--timeout", "2s", "--", "sh", "-c", script, BGCTL]);
    assert_eq!(user.wait(&id), 124);
    assert_eq!((&user.job(&id)["status"], &user.job(&id)["approval"]), (&json!("failed"), &Value::Null));
}

#[test]
fn a_job_that_is_cancelled_after_it_has_asked_is_cancelled() {
    let user = user_with(ANYONE);
    let id = asked(&user, &[]);
    assert_eq!(user.ok(["cancel", &id]), format!("{id} cancelled\n"));
    assert_eq!(user.job(&id)["summary"], "cancelled while it waited for approval");
    let declined = asked(&user, &[]);
    user.ok(["decline", &declined]);
    let job = user.job(&declined);
    assert_eq!(
        (&job["status"], &job["attempt"], job["attempts"].as_array().unwrap().len()),
        (&json!("cancelled"), &json!(1), 1)
    );
    assert_eq!(user.ok(["logs", "--attempt", "1", &declined]), "part 0 of attempt 1\n");
}

#[test]
fn asking_twice_asks_once() {
    let user = user_with(ANYONE);
    let script = "[ \"$BG_APPROVED\" = 1 ] || { \"$0\" approval request --quiet --json --reason one; \"$0\" approval request --quiet --json --reason two --on github:o/r; }";
    let id = user.start(["--quiet", "--", "sh", "-c", script, BGCTL]);
    until_it_waits(&user, &id);
    let lines = user.ok(["logs", &id]);
    let created: Vec<Value> = lines
        .lines()
        .map(|line| {
            crate::schema::check(&user.root(), &["approval", "--json"], line);
            serde_json::from_str::<Value>(line).unwrap()["created"].clone()
        })
        .collect();
    assert_eq!(created, [json!(true), json!(false)]);
    let approval = &user.job(&id)["approval"];
    assert_eq!((&approval["reason"], &approval["on"]), (&json!("one"), &json!("local")));
}

#[test]
fn a_job_says_whom_it_asks_and_for_how_long() {
    let user = user_with(ANYONE);
    let script = "\"$0\" approval request --on github:acme/infra#3 --ttl 2h";
    let id = user.start(["--quiet", "--", "sh", "-c", script, BGCTL]);
    until_it_waits(&user, &id);
    let approval = &user.job(&id)["approval"];
    assert_eq!((&approval["on"], &approval["ttl_seconds"]), (&json!("github:acme/infra#3"), &json!(7_200)));
    assert_eq!(user.run(["approve", &id]).code, 4);
    user.ok(["decline", &id]);
    user.all_gone();
}

#[test]
fn a_gated_job_asks_where_it_was_approved_unless_it_says_otherwise() {
    let user = user_with(ANYONE);
    let script = "\"$0\" approval request";
    let flags = ["--quiet", "--approval", "local", "--approval-ttl", "3h", "--", "sh", "-c", script, BGCTL];
    let id = user.start(flags);
    user.ok(["approve", &id]);
    until_it_waits(&user, &id);
    let job = user.job(&id);
    assert_eq!((&job["approval"]["ttl_seconds"], &job["attempt"]), (&json!(10_800), &json!(1)));
    assert_eq!(job["answers"].as_array().unwrap().len(), 1);
}

#[test]
fn only_a_running_job_can_ask() {
    let user = user_with(ANYONE);
    let ran = user.run(["approval", "request", "--reason", "x"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("is for a running job to ask with, and this is none"), "{}", ran.err);
    assert_eq!(user.run(["approval", "request", "--json"]).json()["error"]["code"], "usage");
    let ended = user.start(["--quiet", "--", "true"]);
    user.wait(&ended);
    let mut command = user.bgctl(["approval", "request"]);
    let output = command.env("BG_JOB_ID", &ended).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let output = user.bgctl(["approval", "request"]).env("BG_JOB_ID", "bg_20260213_aaaaaa").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let long = "x".repeat(1_001);
    for reason in ["", " ", &long] {
        assert_eq!(user.run(["approval", "request", "--reason", reason]).code, 2);
    }
}

#[test]
fn what_a_job_asked_is_not_lost_with_its_watcher() {
    let user = user_with(ANYONE);
    let gate = user.fifo("gate");
    let script = format!("{ASKS}; read x < '{}'", gate.display());
    let id = user.start(["--quiet", "--", "sh", "-c", &script, BGCTL]);
    until("it has asked", || user.job(&id)["approval"].is_object());
    let watcher = user.recorded_pid(&id, "watcher");
    kill(watcher, Signal::KILL);
    until("its watcher is gone", || !is_alive(watcher));
    user.ok(["tick", "--quiet"]);
    until("somebody watches it again", || user.recorded_pid(&id, "watcher") != watcher);
    assert_eq!(user.job(&id)["approval"]["reason"], "see the log");
    std::fs::write(&gate, "x\n").unwrap();
    until("it has ended or waits", || user.status(&id) != "running");
    let job = user.job(&id);
    // Where the kernel does not tell an adopter how it exited, nobody knows that this was 0.
    if job["status"] == "waiting_approval" {
        user.ok(["approve", &id]);
        std::fs::write(&gate, "x\n").unwrap();
        assert_eq!(user.wait(&id), 0);
    } else {
        assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &Value::Null));
    }
}

#[test]
fn what_a_job_asked_is_not_lost_where_nobody_saw_its_end() {
    let user = user_with(ANYONE);
    let gate = user.fifo("gate");
    let script = format!("{ASKS}; read x < '{}'", gate.display());
    let id = user.start(["--quiet", "--", "sh", "-c", &script, BGCTL]);
    until("it has asked", || user.job(&id)["approval"].is_object());
    // A watcher that stands still can write nothing down; what it then finds is the end of its job.
    let watcher = user.recorded_pid(&id, "watcher");
    kill(watcher, Signal::STOP);
    let process = user.recorded_pid(&id, "process");
    std::fs::write(&gate, "x\n").unwrap();
    until("its process has ended", || !is_alive(process));
    assert_eq!(user.status(&id), "running");
    kill(watcher, Signal::CONT);
    until_it_waits(&user, &id);
    assert_eq!(user.job(&id)["approval"]["reason"], "see the log");
}

#[test]
fn a_later_attempt_can_ask_too() {
    let user = user_with(ANYONE);
    let script = "echo \"attempt $BG_ATTEMPT, approved ${BG_APPROVED:-0}\"
        [ \"$BG_ATTEMPT\" = 2 ] || exit 3
        [ \"$BG_APPROVED\" = 1 ] || \"$0\" approval request --quiet";
    let id =
        user.start(["--quiet", "--attempts", "3", "--retry-delay", "0", "--", "sh", "-c", script, BGCTL]);
    until_it_waits(&user, &id);
    assert_eq!(user.job(&id)["attempt"], 2);
    user.ok(["approve", &id]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", "--attempt", "1", &id]), "attempt 1, approved 0\n");
    assert_eq!(user.ok(["logs", "--attempt", "2", &id]), "attempt 2, approved 0\nattempt 2, approved 1\n");
    assert_eq!(user.job(&id)["attempt"], 2);
}

#[test]
fn what_fails_after_it_was_approved_is_tried_again_as_the_next_attempt() {
    let user = user_with(ANYONE);
    let script = "echo \"attempt $BG_ATTEMPT, approved ${BG_APPROVED:-0}\"
        [ \"$BG_APPROVED\" = 1 ] || exec \"$0\" approval request --quiet
        [ \"$BG_ATTEMPT\" = 2 ]";
    let id =
        user.start(["--quiet", "--attempts", "2", "--retry-delay", "0", "--", "sh", "-c", script, BGCTL]);
    until_it_waits(&user, &id);
    user.ok(["approve", &id]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", "--attempt", "1", &id]), "attempt 1, approved 0\nattempt 1, approved 1\n");
    assert_eq!(user.ok(["logs", "--attempt", "2", &id]), "attempt 2, approved 1\n");
}

/// What a job sees of tokens, and whether any captured environment has one.
#[track_caller]
fn tokens(user: &User, flags: &[&str]) -> (String, bool, String) {
    let mut command = user.bgctl([&["start"], flags, &["--", "env"]].concat());
    let output = command.env("GH_TOKEN", "ghp_secret").env("GITHUB_TOKEN", "ghs_secret").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    let kept = std::fs::read_dir(user.root().join("env"))
        .unwrap()
        .flatten()
        .any(|file| std::fs::read_to_string(file.path()).unwrap().contains("_secret"));
    (id, kept, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_waits_for_github_has_no_token_to_approve_itself_with() {
    let user = user_with(ANYONE);
    let (id, kept, said) = tokens(&user, &["--approval", "github:acme/infra"]);
    assert!(!kept, "no file has it");
    assert!(said.contains("GH_TOKEN and GITHUB_TOKEN are left out of the environment"), "{said}");
    assert!(!said.contains("_secret"), "{said}");
    user.ok(["decline", &id]);
    // Whoever retries it has a token, too.
    let output = user.bgctl(["retry", &id]).env("GH_TOKEN", "ghp_secret").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("GH_TOKEN is left out of the environment"));
    let again = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    assert_eq!(user.status(&again), "waiting_approval");
    for file in std::fs::read_dir(user.root().join("env")).unwrap().flatten() {
        assert!(!std::fs::read_to_string(file.path()).unwrap().contains("_secret"));
    }
    user.ok(["decline", &again]);
    user.all_gone();
}

#[test]
fn a_token_that_is_wanted_is_kept() {
    for flags in [
        &["--approval", "github:acme/infra", "--keep-token"][..],
        &["--approval", "github:acme/infra", "--env", "GH_TOKEN=ghp_secret"],
        &["--approval", "github:acme/infra", "--env", "GITHUB_TOKEN"],
    ] {
        let user = user_with(ANYONE);
        let (id, kept, _) = tokens(&user, flags);
        assert!(kept, "{flags:?}");
        user.ok(["decline", &id]);
    }
    let user = user_with(ANYONE);
    let (id, kept, said) = tokens(&user, &["--approval", "local"]);
    assert!(kept && !said.contains("left out"), "a person answers: {said}");
    user.ok(["approve", &id]);
    user.wait(&id);
    let seen = user.ok(["logs", &id]);
    assert!(seen.contains("GH_TOKEN=ghp_secret\n") && seen.contains("GITHUB_TOKEN=ghs_secret\n"), "{seen}");
    assert!(!seen.contains("BG_APPROVED"), "it has not asked itself: {seen}");
}

#[test]
fn one_line_that_waits_for_github_leaves_all_lines_without_a_token() {
    let user = user_with(ANYONE);
    std::fs::write(user.path("lines"), "env\n{\"argv\":[\"true\"],\"approval\":\"github:acme/infra\"}\n")
        .unwrap();
    let mut command = user.bgctl(["start", "--batch", "lines"]);
    let output = command.env("GH_TOKEN", "ghp_secret").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("GH_TOKEN is left out"), "{said}");
    let ids: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(user.wait(&ids[0]), 0);
    assert!(!user.ok(["logs", &ids[0]]).contains("GH_TOKEN"));
    user.ok(["decline", &ids[1]]);
    user.all_gone();
}

#[test]
fn a_job_started_inside_a_job_is_asked_about_on_its_own() {
    let user = user_with(ANYONE);
    let script = "\"$0\" start --quiet --approval local --name inner -- true";
    let outer = user.start(["--quiet", "--", "sh", "-c", script, BGCTL]);
    assert_eq!(user.wait(&outer), 0);
    let inner = user.job("inner");
    assert_eq!((&inner["status"], &inner["parent"]), (&json!("waiting_approval"), &json!(outer)));
    assert!(!has_started(&user, inner["id"].as_str().unwrap()));
}
