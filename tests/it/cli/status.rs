//! `bgctl status`

use super::screen::{on_terminal, without_colours};
use super::{DAY, HOUR, Held, ago, configure, entry, hold_both_slots, index_of};
use crate::support::{User, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};
use std::io::Write;

#[test]
fn everything_about_an_ended_job_is_shown() {
    let user = User::new();
    let changes = json!({
        "command": "make -j4", "cwd": "/srv/build", "name": "build", "labels": ["nightly", "big"],
        "created_at": "2026-02-13T10:00:00Z", "started_at": "2026-02-13T10:00:05Z",
        "ended_at": "2026-02-13T11:30:05Z", "exit_code": 2, "summary": "exit code 2",
        "timeout_seconds": null, "parent": "bg_20260213_outer2",
        "usage": { "memory_peak_kib": 2048, "cpu_user_ms": 1500, "cpu_system_ms": 250 },
    });
    user.write_index(&index_of(&[entry("faaled", "failed", &changes)]));
    let ran = user.run(["status", "build"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_data_eq!(
        ran.out,
        str![[r"
        id  bg_20260213_faaled
    status  failed
   summary  exit code 2
      name  build
    labels  nightly, big
   command  make -j4
       cwd  /srv/build
    parent  bg_20260213_outer2 (no longer in the index)

   created  2026-02-13 10:00:00 +00:00 ([..] ago)
   started  2026-02-13 10:00:05 +00:00 ([..] ago)
     ended  2026-02-13 11:30:05 +00:00 ([..] ago)
  run time  1h30m
      exit  2

      used  1.75 s of processor time (1.50 s user, 0.25 s system)
            2 MiB of memory at most in one process
            by the kernel's account of each process as it was reaped

    limits  timeout      none    the default
            stale after  1h      the default
            grace        10s     the default
            log          64 MiB  the default
afterwards  processes that outlive it are ended
       log  [..]/runs/bg_20260213_faaled.log (none yet)

"]]
    );
}

#[test]
fn a_queued_job_shows_how_many_are_ahead() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let first = user.start(["true"]);
    let second = user.start(["true"]);
    for (id, number, place) in [(first, 1, "it is next"), (second, 2, "1 job is ahead of it")] {
        let text = user.ok(["status", &id]);
        let status = format!("status  queued #{number}");
        assert!(text.lines().any(|line| line.trim() == status), "{text}");
        let waits = format!("waits  2 jobs hold the slots, {place}");
        assert!(text.lines().any(|line| line.trim() == waits), "{text}");
    }
}

#[test]
fn a_running_job_shows_its_log_as_it_grows() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "echo 12345", &[]);
    until("it wrote", || user.ok(["status", &held.id]).contains(".log (6 bytes)"));
    let text = user.ok(["status", &held.id]);
    assert!(text.lines().any(|line| line.trim() == "status  running"), "{text}");
}

#[test]
fn several_jobs_come_in_the_order_asked_with_a_line_between() {
    let user = User::new();
    let later = json!({ "created_at": ago(DAY), "ended_at": ago(HOUR) });
    user.write_index(&index_of(&[
        entry("aaaaaa", "queued", &json!({})),
        entry("bbbbbb", "cancelled", &later),
    ]));
    let text = user.ok(["status", "bb", "aa"]);
    let ids: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("id  ")).collect();
    assert_eq!(ids, ["bg_20260213_bbbbbb", "bg_20260213_aaaaaa"]);
    assert!(text.contains("\n\n"), "{text}");
}

#[test]
fn one_unknown_job_among_several_is_an_error_and_nothing_is_shown() {
    let user = User::new();
    user.write_index(&index_of(&[entry("aaaaaa", "queued", &json!({}))]));
    let ran = user.run(["status", "aa", "zz"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
}

#[test]
fn a_lost_job_never_shows_as_plain_running() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let mut claim = user.index()["jobs"][0]["claim"].clone();
    let started = json!({ "started_at": ago(60), "attempt": 1 });
    let running = |random: &str, claim: &Value| {
        let mut changes = started.clone();
        changes["claim"] = claim.clone();
        entry(random, "running", &changes)
    };
    let here = claim.clone();
    claim["boot"] = "11111111-2222-3333-4444-555555555555".into();
    user.write_index(&index_of(&[running("rebted", &claim), running("ununun", &here)]));
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    assert!(user.ok(["status", "rebted"]).contains("status  running (rebooted)"));
    // Claimed, and nobody began: its watcher is about to, or the next pass gives the claim back.
    assert!(user.ok(["status", "ununun"]).contains("status  running (starting)"));
    assert!(user.ok(["list"]).contains("running (rebooted)"));
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before, "looking changes nothing");
}

#[test]
fn control_characters_are_shown_and_not_sent_to_the_terminal() {
    let user = User::new();
    let id = user.start([
        "--name",
        "na\x1b]0;me\x07",
        "--label",
        "la\rbel",
        "--",
        "printf",
        "a\x1b[2J\nb\u{9b}\u{202e}",
    ]);
    user.wait(&id);
    for text in [user.ok(["list"]), user.ok(["status", &id])] {
        let harmful: Vec<char> =
            text.chars().filter(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}').collect();
        assert!(harmful.is_empty(), "{harmful:?} in {text:?}");
        assert!(text.contains(r"na\u{1b}]0;me\u{7}"), "{text}");
        assert!(text.contains(r"\nb\u{9b}\u{202e}"), "{text}");
    }
    assert!(user.ok(["status", &id]).contains(r"la\rbel"));
    let prune = user.ok(["start", "--dry-run", "--", "printf", "\x1b[2J"]);
    assert!(!prune.contains('\x1b'), "{prune}");
}

/// Writes into a job's record that this process of it could not be ended.
pub fn add_stuck(user: &User, id: &str, pid: i32, start: u64) {
    let path = user.root().join("runs").join(format!("{id}.lock"));
    let line = json!({ "line": "stuck", "processes": [{ "pid": pid, "start": start, "name": "deaf" }] });
    let mut record = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    // In one write: the watcher writes lines of its own to it.
    record.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Whether a line of the text, without the space around it, is this.
#[track_caller]
fn assert_line(text: &str, wanted: &str) {
    assert!(text.lines().any(|line| line.trim() == wanted), "{wanted:?} is no line of:\n{text}");
}

/// The random part of an id, by which others mention it.
fn random(id: &str) -> &str {
    id.rsplit('_').next().unwrap()
}

/// A job whose shell waits beside a child that waits in a pipe.
fn family(user: &User) -> Held {
    let gate = user.fifo("child.gate");
    Held::start_with(user, "it", &format!("cat '{}' &", gate.display()), &[])
}

#[test]
fn a_running_job_shows_its_tree_with_what_each_process_uses() {
    let user = User::new();
    let held = family(&user);
    until("both run", || user.job(&held.id)["live"]["processes"] == 2);
    // A child is forked first and executes its program then.
    until("the child is cat", || user.job(&held.id)["processes"][1]["name"] == "cat");
    let job = user.job(&held.id);
    let (main, child) = (&job["processes"][0], &job["processes"][1]);
    assert_eq!((&main["depth"], &child["depth"]), (&json!(0), &json!(1)));
    assert_eq!(main["pid"], user.recorded_pid(&held.id, "process"));
    assert_eq!((&child["parent"], &child["argv"][0]), (&main["pid"], &json!("cat")));
    assert!(main["memory_kib"].as_u64().unwrap() > 0 && main["cpu_ms"].is_u64());
    let text = user.ok(["status", &held.id]);
    let tree: Vec<&str> = text.lines().skip_while(|line| !line.trim().starts_with("PID")).collect();
    assert_eq!(tree[0].split_whitespace().collect::<Vec<_>>(), ["PID", "CPU", "TIME", "MEMORY", "PROCESS"]);
    assert!(tree[1].trim_start().starts_with(&format!("{}  ", main["pid"])), "{text}");
    assert!(tree[1].contains("iB  sh -c ") && tree[2].contains("iB    cat "), "below its parent: {text}");
    assert!(text.contains("iB of memory, 2 processes"), "{text}");
}

#[test]
fn a_stopped_process_is_marked() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let pid = user.recorded_pid(&held.id, "process");
    kill(pid, Signal::STOP);
    until("it is stopped", || user.job(&held.id)["processes"][0]["stopped"] == true);
    assert!(user.ok(["status", &held.id]).trim_end().ends_with(" (stopped)"));
    kill(pid, Signal::CONT);
}

#[test]
fn on_a_terminal_the_tree_is_cut_to_its_width_and_the_state_has_its_colour() {
    let user = User::new();
    let held = family(&user);
    until("both run", || user.job(&held.id)["live"]["processes"] == 2);
    for columns in [30, 60] {
        let text = on_terminal(user.bgctl(["status", &held.id]), columns);
        assert!(text.contains("\x1b[36mrunning\x1b[0m"), "{text}");
        let plain = without_colours(&text);
        let tree: Vec<&str> = plain.lines().skip_while(|line| !line.trim().starts_with("PID")).collect();
        assert_eq!(tree.len(), 3, "{plain}");
        assert!(tree.iter().all(|line| line.chars().count() <= usize::from(columns)), "{plain}");
        assert!(tree[1].ends_with('…'), "{plain}");
    }
    let mut plain = user.bgctl(["status", &held.id]);
    plain.env("NO_COLOR", "1");
    assert!(!on_terminal(plain, 60).contains('\x1b'));
    let piped = user.ok(["status", &held.id]);
    assert!(piped.contains("read code < ") && !piped.contains('…'), "a pipe has no width: {piped}");
}

#[test]
fn a_queued_job_names_who_holds_the_slots_and_who_comes_before_it() {
    let user = User::new();
    let [one, two] = ["one", "two"].map(|name| Held::start_with(&user, name, "", &["--name", name]));
    let ahead: Vec<String> = (0..7).map(|_| user.start(["true"])).collect();
    let last = user.start(["true"]);
    let text = user.ok(["status", &last]);
    assert_line(&text, &format!("held by  {} one, {} two", random(&one.id), random(&two.id)));
    let first: Vec<&str> = ahead.iter().take(5).map(|id| random(id)).collect();
    assert_line(&text, &format!("ahead  {}, and 2 more", first.join(", ")));
    let job = user.job(&last);
    assert_eq!(job["waits"]["held_by"], json!([one.id, two.id]));
    assert_eq!((&job["waits"]["ahead"], &job["place"]), (&json!(ahead), &json!(8)));
    assert_eq!(job["mentioned"][&one.id], json!({ "name": "one", "status": "running" }));
}

#[test]
fn a_job_that_waits_for_a_time_or_a_person_says_so() {
    let user = User::new();
    let later = "2999-01-01T10:00:00Z";
    user.write_index(&index_of(&[
        entry("paused", "queued", &json!({ "paused_at": "2026-02-13T10:00:00Z" })),
        entry("laterr", "queued", &json!({ "not_before": later })),
        entry("apprvl", "waiting_approval", &json!({})),
    ]));
    assert_line(&user.ok(["status", "apprvl"]), "waits  for approval: bgctl approve bg_20260213_apprvl");
    let text = user.ok(["status", "paused"]);
    assert!(text.contains("  paused  2026-02-13 10:00:00 +00:00 ("), "{text}");
    assert!(text.contains("waits  it was paused "), "{text}");
    assert_eq!(user.job("paused")["paused_at"], "2026-02-13T10:00:00Z");
    assert_line(&user.ok(["status", "laterr"]), "not before  2999-01-01 10:00:00 +00:00");
    assert_eq!(user.job("laterr")["waits"]["for"], "time");
}

#[test]
fn each_limit_says_where_it_came_from() {
    let user = User::new();
    configure(&user, "[worker]\nstale_after = \"2h\"\n");
    let id = user.start(["--timeout", "90s", "true"]);
    user.wait(&id);
    let text = user.ok(["status", &id]);
    assert_line(&text, "limits  timeout      1m30s   set for this job");
    assert_line(&text, "stale after  2h      from config.toml");
    assert_line(&text, "grace        10s     the default");
    assert_line(&text, "log          64 MiB  the default");
    assert_eq!(
        user.job(&id)["limits"],
        json!({
            "timeout": { "seconds": 90, "source": "flag" },
            "stale_after": { "seconds": 7200, "source": "config" },
            "grace": { "seconds": 10, "source": "default" },
            "log": { "bytes": 64 << 20, "source": "default" },
        })
    );
}

#[test]
fn a_service_says_what_it_is() {
    let user = User::new();
    let changes = json!({
        "started_at": ago(HOUR), "service": true, "timeout_seconds": null, "log_max_bytes": 1 << 20,
        "limits_from": { "timeout": "service", "log": "config" },
    });
    user.write_index(&index_of(&[entry("servce", "running", &changes)]));
    let text = user.ok(["status", "servce"]);
    assert_line(&text, "service  yes: it needs no slot and runs until it is ended");
    assert_line(&text, "limits  timeout      none   as for every service");
    assert_line(&text, "log          1 MiB  from config.toml");
    assert_eq!(user.job("servce")["service"], true);
}

#[test]
fn every_attempt_is_shown_with_its_time_and_its_reason() {
    let user = User::new();
    let (first, second) = ("2026-02-13T10:00:00Z", "2026-02-13T11:00:00Z");
    let changes = json!({
        "attempt": 2, "max_attempts": 3, "started_at": second, "ended_at": "2026-02-13T11:00:07Z", "exit_code": 0,
    });
    user.write_index(&index_of(&[entry("tryagn", "completed", &changes)]));
    let usage = json!({ "memory_peak_kib": 1024, "cpu_user_ms": 2000, "cpu_system_ms": 0 });
    let outcome = |exit: Value| json!({ "exit": exit, "at": "2026-02-13T10:30:00Z", "usage": usage });
    let timed_out = json!({ "why": "timeout", "at": "2026-02-13T10:30:00Z" });
    let attempt = |number: u32, started_at: &str, ending: Value, exit: Value| {
        json!({
            "attempt": number, "started_at": started_at, "ended_at": "2026-02-13T10:30:00Z", "log_from": 0,
            "log_to": 5, "ending": ending, "outcome": outcome(exit),
        })
    };
    let meta = json!({
        "version": 1, "id": "bg_20260213_tryagn", "command": "true", "argv": ["true"], "cwd": "/", "host": "h",
        "umask": null, "timeout_seconds": 1800, "grace_seconds": 10, "attempts": [
            attempt(1, first, timed_out, json!({ "signal": 15 })),
            attempt(2, second, Value::Null, json!({ "code": 0 })),
        ],
    });
    std::fs::create_dir(user.root().join("runs")).unwrap();
    std::fs::write(user.root().join("runs/bg_20260213_tryagn.meta.json"), meta.to_string()).unwrap();
    let text = user.ok(["status", "tryagn"]);
    assert_line(
        &text,
        "attempts  1 of 3: 2026-02-13 10:00:00 +00:00, 30m, timed out after 30m, the default; --timeout sets another; \
         killed by SIGTERM",
    );
    assert_line(
        &text,
        "2.00 s of processor time (2.00 s user, 0.00 s system); 1 MiB of memory at most in one process",
    );
    assert_line(&text, "2 of 3: 2026-02-13 11:00:00 +00:00, 7s, exit code 0");
    let attempts = &user.job("tryagn")["attempts"];
    assert_eq!((&attempts[0]["attempt"], &attempts[1]["attempt"]), (&json!(1), &json!(2)));
    assert_eq!((&attempts[0]["ending"]["why"], &attempts[0]["log_to"]), (&json!("timeout"), &json!(5)));
    assert_eq!((&attempts[1]["ended_at"], &attempts[2]), (&json!("2026-02-13T11:00:07Z"), &Value::Null));
}

#[test]
fn the_present_attempt_is_among_the_attempts_and_has_no_end() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let job = user.job(&held.id);
    let attempts = job["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["attempt"]), (1, &json!(1)));
    assert_eq!((&attempts[0]["ended_at"], &attempts[0]["outcome"]), (&Value::Null, &Value::Null));
    assert_eq!((&attempts[0]["started_at"], &job["run_seconds"]), (&job["started_at"], &Value::Null));
}

#[test]
fn leftovers_are_named_with_what_became_of_them() {
    let user = User::new();
    let ended = user.start_sh("sleep 1000 & :");
    user.wait(&ended);
    let text = user.ok(["status", &ended]);
    let process = user.job(&ended)["leftovers"][0].clone();
    assert_line(
        &text,
        &format!("leftovers  process {} ({}): ended after it", process["pid"], word(&process)),
    );
    assert_line(&text, "afterwards  processes that outlive it are ended");

    let left = user.start(["--leftovers", "leave", "--", "sh", "-c", "sleep 1000 & :"]);
    user.wait(&left);
    let process = user.job(&left)["still_running"][0].clone();
    let text = user.ok(["status", &left]);
    let named = format!("process {} ({})", process["pid"], word(&process));
    assert_line(&text, &format!("leftovers  {named}: left running, still running"));
    assert_line(&text, "afterwards  processes that outlive it are left running");
    kill(i32::try_from(process["pid"].as_i64().unwrap()).unwrap(), Signal::KILL);
    until("it is gone", || user.job(&left)["still_running"] == json!([]));
    assert_line(&user.ok(["status", &left]), &format!("leftovers  {named}: left running, gone since"));
}

fn word(process: &Value) -> &str {
    process["name"].as_str().unwrap()
}

#[test]
fn what_cannot_be_ended_is_named_while_it_lives() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let pid = user.recorded_pid(&held.id, "process");
    let start = bgctl::os::process::look(pid).unwrap().unwrap().identity.start;
    add_stuck(&user, &held.id, pid, start + 1);
    assert_eq!(user.job(&held.id)["stuck"], json!([]), "another process has its number now");
    add_stuck(&user, &held.id, pid, start);
    assert_line(&user.ok(["status", &held.id]), &format!("stuck  process {pid} (deaf) could not be ended"));
    assert_eq!(user.job(&held.id)["stuck"][0]["pid"], pid);
}

#[test]
fn a_job_inside_a_job_and_the_one_around_it_name_each_other() {
    let user = User::new();
    let script = format!("'{}' start --name inner -- true > inner.id", crate::support::BGCTL);
    let outer = Held::start_with(&user, "outer", &script, &["--name", "outer"]);
    let inner = user.line_in("inner.id").trim_end().to_owned();
    user.wait(&inner);
    assert_line(&user.ok(["status", &outer.id]), &format!("children  {inner} inner (completed)"));
    assert_line(&user.ok(["status", &inner]), &format!("parent  {} outer (running)", outer.id));
    assert_eq!(user.job(&outer.id)["children"], json!([inner]));
    assert_eq!((&user.job(&inner)["parent"], &user.job(&inner)["children"]), (&json!(outer.id), &json!([])));
}

#[test]
fn variables_set_by_hand_are_named_and_a_standard_input_too() {
    let user = User::new();
    let changes = json!({ "env_names": ["TOKEN", "MODE"], "stdin": "/srv/in put" });
    user.write_index(&index_of(&[entry("byhand", "queued", &changes)]));
    let text = user.ok(["status", "byhand"]);
    assert_line(&text, "variables  TOKEN, MODE (set by hand)");
    assert_line(&text, "stdin  /srv/in put");
    assert_eq!(user.job("byhand")["env_names"], json!(["TOKEN", "MODE"]));
}

#[test]
fn the_peak_of_a_small_job_is_not_that_of_its_watcher() {
    /// What a process was forked from counts, too (`getrusage(2)`): the memory that its watcher has written to, but not the program, of
    /// which the watcher has read many times as much.
    const KIB_MAX: u64 = 5 * 1_024;
    let user = User::new();
    let id = user.start(["--", "true"]);
    user.wait(&id);
    let peak = user.job(&id)["usage"]["memory_peak_kib"].as_u64().unwrap();
    assert!((1..=KIB_MAX).contains(&peak), "{peak} KiB");
}

#[test]
fn an_ended_job_says_what_it_used_where_it_ran_and_why_it_was_told_to_end() {
    let user = User::new();
    let held = Held::start(&user, "it");
    user.ok(["cancel", "--signal", "KILL", &held.id]);
    let text = user.ok(["status", &held.id]);
    assert!(text.contains("told to end  by a cancel, with SIGKILL, 20"), "{text}");
    assert_line(&text, "by the kernel's account of each process as it was reaped");
    assert!(text.contains(" (local executor)\n"), "{text}");
    let job = user.job(&held.id);
    assert_eq!((&job["relation"], &job["claim"]["executor"]), (&json!("here"), &json!("local")));
    assert!(job["usage"]["memory_peak_kib"].as_u64().unwrap() > 0 && job["run_seconds"].is_u64());
    assert_eq!((&job["ending"]["why"], &job["ending"]["signal"]), (&json!("cancel"), &json!(9)));
    assert_eq!((&job["live"], &job["processes"]), (&Value::Null, &json!([])));
}

#[test]
fn what_another_machine_ran_is_said_to_be_of_there() {
    let user = User::new();
    let claim = json!({ "host": "other", "boot": "b", "pid_namespace": 1 });
    let changes = json!({ "started_at": ago(60), "attempt": 1, "claim": claim });
    user.write_index(&index_of(&[entry("elsewh", "running", &changes)]));
    assert_line(&user.ok(["status", "elsewh"]), "host  other (local executor, another machine or container)");
    assert_eq!(user.job("elsewh")["relation"], "elsewhere");
}

#[test]
fn what_an_adopted_job_used_is_not_guessed() {
    let user = User::new();
    let changes = json!({ "started_at": ago(60), "ended_at": ago(50), "exit_code": 0, "best_effort": true });
    user.write_index(&index_of(&[entry("adoptd", "completed", &changes)]));
    assert_line(&user.ok(["status", "adoptd"]), "used  not known: its watcher had died");
    assert_eq!(user.job("adoptd")["usage"], Value::Null);
}

#[test]
fn what_was_left_out_of_a_log_is_said() {
    let user = User::new();
    let id = user.start_sh("echo 12345");
    user.wait(&id);
    assert_eq!(user.job(&id)["log"]["left_out_bytes"], 0);
    let cut = json!({ "sequence": 2, "head_end": 2, "tail_begin": 3, "removed": (3_u64 << 30) - 1 });
    std::fs::write(user.root().join("runs").join(format!("{id}.cut")), format!("{cut}\n")).unwrap();
    let text = user.ok(["status", &id]);
    assert!(text.contains(&format!("{id}.log (6 bytes; 3 GiB of its middle left out)")), "{text}");
    assert_eq!(user.job(&id)["log"]["left_out_bytes"], 3_u64 << 30);
}

#[test]
fn a_job_that_is_named_twice_is_shown_once() {
    let user = User::new();
    let id = user.start(["--name", "n", "--", "true"]);
    user.wait(&id);
    let shown = user.run(["status", "--json", &id, "n", "@"]).json();
    assert_eq!(shown["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_job_that_waits_is_shown_with_what_was_asked_of_the_queue() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--name", "build"]);
    let other = user.start(["--name", "tidy", "--after", &held.id, "--", "true"]);
    let flags = ["--priority", "high", "--attempts", "4", "--retry-delay", "3", "--retry-on", "7"];
    let more = ["--key", "k", "--key-ttl", "1h", "--after", &held.id, "--after-end", &other];
    let id = user.start(flags.iter().chain(&more).chain(&["--", "true"]));
    let shown = user.ok(["status", &id]);
    let random = |id: &str| id[id.len() - 6..].to_owned();
    for line in [
        "priority  high".to_owned(),
        "key  k (kept 1h after the end)".to_owned(),
        "retries  up to 4 attempts, 3s after the first, doubling up to 15m, after exit codes 7".to_owned(),
        format!("after  {} build", random(&held.id)),
        format!("after end  {} tidy", random(&other)),
    ] {
        assert!(shown.lines().any(|shown| shown.trim_start() == line), "{line}: {shown}");
    }
    let plain = user.ok(["status", &held.id]);
    for label in ["priority", "key", "retries", "after"] {
        assert!(!plain.lines().any(|line| line.trim_start().starts_with(&format!("{label}  "))), "{plain}");
    }
    held.let_go(0);
    user.wait(&id);
}

#[test]
fn a_job_that_waits_for_another_names_it() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--name", "build"]);
    let started = user.run(["start", "--after", &held.id, "--", "true"]);
    let sentence = started.err.trim_end().strip_prefix("queued: ").unwrap().to_owned();
    assert!(sentence.starts_with("it waits for the completion of build "), "{sentence}");
    let shown = user.ok(["status", started.out.trim_end()]);
    assert!(shown.lines().any(|line| line.trim_start() == format!("waits  {sentence}")), "{shown}");
    held.let_go(0);
}
