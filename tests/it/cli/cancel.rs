//! `bgctl cancel`

use super::{
    Held, ago, configure, entry, hears_interrupts, hold_both_slots, index_of, interruptible,
    terminal::{Talk, in_terminal},
};
use crate::support::{BGCTL, User, ended, is_alive, until};
use serde_json::{Value, json};
use std::process::Stdio;

#[test]
fn a_running_job_is_ended_with_all_its_processes() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "sleep 1000 & echo $! > pid", &[]);
    let child: i32 = user.line_in("pid").trim().parse().unwrap();
    let ran = user.run(["cancel", &held.id]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, format!("{} cancelled\n", held.id).as_str(), "")
    );
    assert!(!is_alive(child), "gone when cancel returns");
    let job = user.job(&held.id);
    assert_eq!((&job["status"], &job["signal"]), (&json!("cancelled"), &json!(15)), "the real end is kept");
    assert_eq!(job["summary"], "cancelled; killed by SIGTERM");
    user.all_gone();
}

#[test]
fn a_queued_job_never_runs() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start_sh("touch ran");
    assert_eq!(user.ok(["cancel", &queued]), format!("{queued} cancelled\n"));
    let job = user.job(&queued);
    assert_eq!((&job["status"], &job["summary"]), (&json!("cancelled"), &json!("cancelled before it ran")));
    assert_eq!(job["started_at"], Value::Null);
    for one in &held {
        one.let_go(0);
    }
    user.all_gone();
    assert!(!user.path("ran").exists());
}

#[test]
fn cancelling_what_has_ended_does_nothing_succeeds_and_says_so() {
    let user = User::new();
    let id = user.start_sh("exit 3");
    user.wait(&id);
    user.all_gone();
    let before = std::fs::read(user.root().join("jobs.json")).unwrap();
    for _ in 0..2 {
        let ran = user.run(["cancel", &id]);
        assert_eq!((ran.code, ran.out), (0, format!("{id} had ended already (failed); nothing was done\n")));
    }
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), before);
}

#[test]
fn a_slot_that_a_cancel_frees_goes_to_the_next() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    user.ok(["cancel", &held[0].id]);
    assert_eq!(user.wait(&queued), 0);
}

#[test]
fn cancel_need_not_wait_for_the_end() {
    let user = User::new();
    // It ends when the test lets it, whatever it is told.
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    assert_eq!(user.ok(["cancel", "--no-wait", &held.id]), format!("{} is told to end\n", held.id));
    assert_eq!(user.status(&held.id), "running", "the truth: it has not ended yet");
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 125, "the intent decides, whatever code it ends with");
}

#[test]
fn the_signal_can_be_chosen() {
    let user = User::new();
    let script = "trap 'echo INT > told; exit 5' INT; trap 'echo TERM > told; exit 6' TERM; echo > ready; while :; do sleep 0.01; done";
    for (flag, heard, code) in
        [("INT", "INT\n", 5), ("sigint", "INT\n", 5), ("2", "INT\n", 5), ("TERM", "TERM\n", 6)]
    {
        let id = user.start_sh(script);
        user.line_in("ready");
        std::fs::remove_file(user.path("ready")).unwrap();
        user.ok(["cancel", "--signal", flag, &id]);
        assert_eq!(user.line_in("told"), heard);
        let job = user.job(&id);
        assert_eq!((&job["status"], &job["exit_code"]), (&json!("cancelled"), &json!(code)));
    }
}

#[test]
fn kill_ends_at_once_what_ignores_everything_else() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM INT", &["--grace", "none"]);
    user.ok(["cancel", "--signal", "KILL", &held.id]);
    assert_eq!(user.job(&held.id)["signal"], 9);
}

#[test]
fn a_second_cancel_can_sharpen_the_first() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    user.ok(["cancel", "--no-wait", &held.id]);
    assert_eq!(user.status(&held.id), "running");
    user.ok(["cancel", "--signal", "KILL", &held.id]);
    assert_eq!(user.status(&held.id), "cancelled");
}

#[test]
fn after_the_grace_what_ignores_the_signal_is_killed() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "0"]);
    user.ok(["cancel", &held.id]);
    assert_eq!(user.job(&held.id)["signal"], 9);
}

#[test]
fn an_unknown_signal_is_usage() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for signal in ["NOPE", "0", "-1", "99", ""] {
        assert_eq!(user.run(["cancel", &format!("--signal={signal}"), &held.id]).code, 2, "{signal}");
    }
    assert_eq!(user.status(&held.id), "running");
}

#[test]
fn several_are_cancelled_and_told_in_the_order_asked() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let done = user.start(["true"]);
    let ran = user.run(["cancel", &two.id, &done, &one.id]);
    let wanted = format!("{} cancelled\n{done} cancelled\n{} cancelled\n", two.id, one.id);
    assert_eq!((ran.code, ran.out), (0, wanted));
}

#[test]
fn the_same_job_twice_is_cancelled_once() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let ran = user.run(["cancel", &held.id, "--", &held.id]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(user.status(&held.id), "cancelled");
}

#[test]
fn one_unknown_job_among_several_cancels_none() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let ran = user.run(["cancel", &held.id, "nobody"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert_eq!(user.status(&held.id), "running");
    assert!(user.job(&held.id)["ending"].is_null());
}

#[test]
fn whoever_waits_learns_of_a_cancel() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let mut child = interruptible(&user, &["wait", &held.id]).stderr(Stdio::null()).spawn().unwrap();
    until("it waits", || hears_interrupts(child.id()));
    user.ok(["cancel", &held.id]);
    assert_eq!(ended(&mut child), 125);
}

#[test]
fn the_events_of_a_cancel_can_be_seen() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let ran = user.run(["cancel", "--verbose", &held.id]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.err.contains("event: {\"event\":\"changed\"") && ran.err.contains("\"why\":\"cancel\""),
        "{}",
        ran.err
    );
}

#[test]
fn all_with_a_label_are_cancelled_in_one_write() {
    let user = User::new();
    let one = Held::start_with(&user, "one", "", &["--label", "nightly"]);
    let other = Held::start(&user, "two");
    let queued = [1, 2, 3].map(|_| user.start(["--label", "nightly", "--", "touch", "ran"]));
    let ran = user.run(["cancel", "--label", "nightly"]);
    let wanted: String =
        std::iter::once(&one.id).chain(&queued).map(|id| format!("{id} cancelled\n")).collect();
    assert_eq!((ran.code, ran.out), (0, wanted));
    assert_eq!(ran.err, "4 jobs: 4 cancelled\n");
    assert_eq!(user.status(&other.id), "running");
    assert!(!user.path("ran").exists(), "no slot went to one that was cancelled with it");
    let ran = user.run(["cancel", "--label", "nobody"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "there is no such active job\n"));
}

#[test]
fn a_script_says_that_it_wants_to_cancel_all() {
    let user = User::new();
    assert_eq!(user.run(["cancel", "--all"]).code, 0, "nothing to do needs no answer");
    let held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    for flags in [["--all"].as_slice(), &["--status", "running,queued"]] {
        let ran = user.run(["cancel"].iter().chain(flags));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert_eq!(
            ran.err,
            "bgctl: this would cancel 3 jobs, and nobody can be asked here\n  --yes says that it is wanted\n"
        );
    }
    assert_eq!(user.status(&queued), "queued");
    assert_eq!(user.ok(["cancel", "--status", "queued", "-y"]), format!("{queued} cancelled\n"));
    assert_eq!(user.status(&held[0].id), "running");
    user.ok(["cancel", "--all", "--yes"]);
    assert_eq!(
        (user.status(&held[0].id), user.status(&held[1].id)),
        ("cancelled".into(), "cancelled".into())
    );
    assert_eq!(user.run(["cancel", "--status", "failed", "--yes"]).code, 2);
    assert_eq!(user.run(["cancel", "--all", &queued]).code, 2);
    assert_eq!(user.run(["cancel"]).code, 2);
}

#[test]
fn a_person_is_asked_before_all_are_cancelled() {
    let user = User::new();
    let held = [Held::start_with(&user, "one", "", &["--name", "build"]), Held::start(&user, "two")];
    let short = |held: &Held| held.id[12..15].to_owned();
    let asked = format!("cancel build {} and {}? [y/N] ", short(&held[0]), short(&held[1]));
    for answer in ["\n", "n\n", "yo\n"] {
        let ran = in_terminal(&user, "$BGCTL cancel --all", answer, Talk::Shown);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.contains(&asked), "{}", ran.err);
        assert!(ran.err.contains("nothing was cancelled"), "{}", ran.err);
    }
    assert_eq!(user.status(&held[0].id), "running");
    for _ in 0..2 {
        user.start(["true"]);
    }
    let ran = in_terminal(&user, "$BGCTL cancel --all", "n\n", Talk::Shown);
    assert!(ran.err.contains("cancel 4 jobs? [y/N] "), "too many to be named: {}", ran.err);
    let ran = in_terminal(&user, "$BGCTL cancel --all", "Y\n", Talk::Shown);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 4), "{}", ran.err);
    user.all_gone();
}

#[test]
fn jobs_started_inside_are_cancelled_too_where_that_is_asked_for() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    let inner = "$BGCTL start -- sleep 1000 > innermost; exec sleep 1000";
    let script = format!("{BGCTL} start --env BGCTL={BGCTL} -- sh -c '{inner}' > inner; exec sleep 1000");
    let outer = user.start_sh(&script);
    let [inner, innermost] = ["inner", "innermost"].map(|name| user.line_in(name).trim_end().to_owned());
    let ran = user.run(["cancel", "--nested", &outer]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.out, format!("{outer} cancelled\n{inner} cancelled\n{innermost} cancelled\n"));
    user.all_gone();
}

#[test]
fn what_cannot_be_reached_is_said_whoever_wants_quiet() {
    let user = User::new();
    let claim = json!({ "host": "faraway", "machine": "other", "boot": "b", "pid_namespace": 1 });
    let running = json!({ "started_at": ago(60), "claim": claim });
    user.write_index(&index_of(&[entry("aaaaaa", "running", &running)]));
    let ran = user.run(["cancel", "--quiet", "aa"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("bgctl: bg_20260213_aaaaaa runs on faraway;"), "{}", ran.err);
}

#[test]
fn jobs_inside_one_that_has_ended_are_found() {
    let user = User::new();
    let outer = user.start_sh(&format!("{BGCTL} start -- sleep 1000"));
    assert_eq!(user.wait(&outer), 0);
    let inner = user.ok(["logs", &outer]).trim_end().to_owned();
    let ran = user.run(["cancel", "--nested", "--json", &outer]).json();
    let results: Vec<&Value> = ran["jobs"].as_array().unwrap().iter().map(|job| &job["result"]).collect();
    assert_eq!(results, [&json!("had_ended"), &json!("cancelled")]);
    assert_eq!(user.status(&inner), "cancelled");
}

#[test]
fn a_job_that_is_started_while_its_outer_one_is_being_ended_is_cancelled_too() {
    let user = User::new();
    let first = format!("trap '{BGCTL} start -- sleep 1000 > late; exit 0' TERM; echo > ready");
    let script = format!("{first}; while :; do sleep 0.01; done");
    let outer = user.start_sh(&script);
    user.line_in("ready");
    let ran = user.run(["cancel", "--nested", &outer]);
    let late = user.line_in("late").trim_end().to_owned();
    assert_eq!((ran.code, ran.out), (0, format!("{outer} cancelled\n{late} cancelled\n")));
    user.all_gone();
}

#[test]
fn a_cancel_tells_of_the_jobs_that_waited_for_what_it_ends() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let earlier = user.start(["--after", &held.id, "--", "true"]);
    user.ok(["cancel", &earlier]);
    let first = user.start(["--after", &held.id, "--", "true"]);
    let second = user.start(["--after", &first, "--", "true"]);
    let third = user.start(["--after", &second, "--", "true"]);
    user.start(["--after-end", &third, "--", "true"]);
    let waiting = user.run(["cancel", &second]);
    assert_eq!(waiting.out, format!("{second} cancelled\n"));
    assert_eq!(waiting.err, "1 job that waited for it was cancelled, too\n");
    let fourth = user.start(["--after", &first, "--", "true"]);
    let running = user.run(["cancel", "--json", &held.id]).json();
    assert_eq!(running["dependants"], json!([first, fourth]));
    let again = user.run(["cancel", "--json", &held.id]).json();
    assert_eq!(again["dependants"], json!([]));
    let held = Held::start(&user, "other");
    for _ in 0..2 {
        user.start(["--after", &held.id, "--", "true"]);
    }
    let running = user.run(["cancel", &held.id]);
    assert_eq!(running.err, "2 jobs that waited for it were cancelled, too\n");
}
