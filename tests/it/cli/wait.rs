//! `bgctl wait`

use super::{Held, configure, entry, hears_interrupts, hold_both_slots, index_of, interruptible};
use crate::support::{BGCTL, Ran, User, kill, until};
use serde_json::json;
use std::io::Write;
use std::process::Stdio;

#[test]
fn wait_gives_the_jobs_own_code() {
    let user = User::new();
    for code in [0, 1, 7, 120, 255] {
        let id = user.start_sh(&format!("exit {code}"));
        assert_eq!(user.wait(&id), code);
        assert_eq!(user.wait(&id), code, "and so again");
    }
}

#[test]
fn a_job_that_a_signal_ended_gives_128_and_its_number() {
    let user = User::new();
    for (name, number) in [("KILL", 9), ("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let id = user.start_sh(&format!("kill -{name} $$"));
        assert_eq!(user.wait(&id), 128 + number);
        assert_eq!(user.job(&id)["summary"], format!("killed by SIG{name}"));
    }
}

#[test]
fn a_failure_is_told_with_its_reason_and_its_last_ten_lines() {
    let user = User::new();
    let id = user.start_sh("seq 15; printf '\\033[2Jodd'; exit 3");
    let ran = user.run(["wait", &id]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    let mut wanted = format!("{id} failed: exit code 3\nthe last lines of its output (bgctl logs {id}):\n");
    (7..=15).for_each(|line| wanted.push_str(&format!("{line}\n")));
    wanted.push_str("\\u{1b}[2Jodd\n");
    assert_eq!(ran.err, wanted, "control characters are shown, not sent to the terminal");
    let quiet = user.run(["wait", "--quiet", &id]);
    assert_eq!((quiet.code, quiet.err.as_str()), (3, ""));
}

#[test]
fn a_success_needs_no_words() {
    let user = User::new();
    let id = user.start_sh("echo said");
    let ran = user.run(["wait", &id]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn when_the_time_is_over_it_is_121_and_the_job_goes_on() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for time in ["0", "1s"] {
        let ran = user.run(["wait", "--within", time, &held.id]);
        assert_eq!((ran.code, ran.out.as_str()), (121, ""));
        assert_eq!(ran.err, format!("the time is over, and it still goes on: {}\n", held.id));
    }
    assert_eq!(user.status(&held.id), "running");
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    assert_eq!(user.run(["wait", "--within", "0", &held.id]).code, 0, "what has ended is not late");
}

#[test]
fn a_job_that_does_not_exist_is_122() {
    let user = User::new();
    let known = user.start(["true"]);
    let ran = user.run(["wait", &known, "nobody"]);
    assert_eq!((ran.code, ran.out.as_str()), (122, ""));
    assert!(ran.err.contains("there is no job \"nobody\""), "{}", ran.err);
}

#[test]
fn a_job_that_timed_out_is_124() {
    let user = User::new();
    // Whatever code it then ends with.
    let id =
        user.start(["--timeout", "1", "--", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"]);
    let ran = user.run(["wait", &id]);
    assert_eq!(ran.code, 124);
    assert!(ran.err.contains("timed out after 1s; exit code 0"), "{}", ran.err);
}

#[test]
fn a_cancelled_job_is_125() {
    let user = User::new();
    let running = user.start(["sleep", "1000"]);
    user.ok(["cancel", &running]);
    assert_eq!(user.wait(&running), 125);
}

#[test]
fn a_job_whose_outcome_nobody_knows_is_125() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    // As a reboot leaves it: claimed here, in another boot.
    let mut claim = user.index()["jobs"][0]["claim"].clone();
    claim["boot"] = "11111111-2222-3333-4444-555555555555".into();
    let lost =
        entry("rebted", "running", &json!({ "started_at": super::ago(60), "claim": claim, "attempt": 1 }));
    user.write_index(&index_of(&[lost]));
    let ran = user.run(["wait", "rebted"]);
    assert_eq!(ran.code, 125, "{}", ran.err);
    assert!(ran.err.contains("failed") && ran.err.contains("outcome unknown"), "{}", ran.err);
}

#[test]
fn of_several_the_first_code_that_is_not_0_counts_in_the_order_of_the_arguments() {
    let user = User::new();
    let ids = [0, 3, 4].map(|code| user.start_sh(&format!("exit {code}")));
    let [zero, three, four] = ids.each_ref().map(String::as_str);
    for (order, code) in [
        (vec![zero, three, four], 3),
        (vec![four, three], 4),
        (vec![zero, zero], 0),
        (vec![three, four, three], 3),
    ] {
        assert_eq!(user.run(["wait"].into_iter().chain(order)).code, code);
    }
}

#[test]
fn several_are_all_waited_for() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let mut child = user.bgctl(["wait", &one.id, &two.id]).spawn().unwrap();
    one.let_go(5);
    user.wait(&one.id);
    assert!(child.try_wait().unwrap().is_none(), "one still goes on");
    two.let_go(6);
    assert_eq!(crate::support::ended(&mut child), 5);
}

#[test]
fn of_several_each_end_is_told_as_it_comes() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let said = std::fs::File::create(user.path("said")).unwrap();
    let mut child = user.bgctl(["wait", &one.id, &two.id]).stderr(said).spawn().unwrap();
    two.let_go(0);
    assert_eq!(user.line_in("said"), format!("{} completed\n", two.id));
    one.let_go(6);
    assert_eq!(crate::support::ended(&mut child), 6);
    assert_eq!(user.line_in("said"), format!("{} completed\n{} failed: exit code 6\n", two.id, one.id));
    let quiet = user.run(["wait", "--quiet", &one.id, &two.id]);
    assert_eq!((quiet.code, quiet.err.as_str()), (6, ""));
}

#[test]
fn off_a_terminal_a_wait_is_one_thread_and_says_nothing_of_itself() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let child = interruptible(&user, &["wait", &held.id])
        .stderr(Stdio::piped())
        .env("TERM", "xterm")
        .spawn()
        .unwrap();
    until("it waits", || hears_interrupts(child.id()));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    assert!(status.contains("\nThreads:\t1\n"), "{status}");
    held.let_go(0);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

// Inside a job.

/// A job that runs this script, in which `bgctl` is the program, and what it has said once it says something of that.
#[track_caller]
fn said_in_a_job(user: &User, flags: &[&str], script: &str, of: &str) -> String {
    let script = format!("bgctl() {{ '{BGCTL}' \"$@\"; }}\n{script}");
    let id = user.start(flags.iter().copied().chain(["--name", "outer", "--", "sh", "-c", &script]));
    let log = user.root().join("runs").join(format!("{id}.log"));
    let mut said = String::new();
    until(of, || {
        said = std::fs::read_to_string(&log).unwrap_or_default();
        said.contains(of)
    });
    user.ok(["cancel", &id]);
    said
}

const WAYS_ON: &str = "bgctl start --service needs no slot, and queue.max_concurrent in config.toml";

#[test]
fn a_wait_inside_a_job_for_the_slot_it_holds_itself_is_warned_of() {
    for script in [
        "bgctl start --wait -- true",
        "bgctl start --follow -- true",
        "bgctl start --ready x -- true",
        "bgctl wait $(bgctl start -- true)",
        "bgctl wait --ready x $(bgctl start -- true)",
        "bgctl logs --follow $(bgctl start -- true)",
    ] {
        let user = User::new();
        configure(&user, "[queue]\nmax_concurrent = 1\n");
        let said = said_in_a_job(&user, &[], script, WAYS_ON);
        let warning = said.lines().find(|line| line.starts_with("bgctl: warning: ")).expect(&said);
        let wanted =
            "waits for a slot, and the only slot is held by the job that would wait for it here: outer ";
        assert!(warning.contains(wanted), "{warning}");
    }
}

#[test]
fn a_wait_inside_a_job_while_others_hold_the_other_slots_is_warned_of_too() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--name", "other"]);
    let said = said_in_a_job(&user, &[], "bgctl start --wait -- true", WAYS_ON);
    assert!(
        said.contains("; outer ") && said.contains(" holds one while it waits here, and other "),
        "{said}"
    );
    held.let_go(0);
}

#[test]
fn jobs_within_jobs_are_all_named() {
    let user = User::new();
    let inner = format!("'{BGCTL}' start --name inner --wait -- sh -c \"'{BGCTL}' start --wait -- true\"");
    let id = user.start(["--name", "outer", "--", "sh", "-c", &inner]);
    let said = || user.ok(["logs", "inner"]);
    until("both run", || user.run(["status", "inner"]).code == 0 && said().contains(WAYS_ON));
    assert!(
        said().contains("all slots are held by the jobs that would wait for it here: outer "),
        "{}",
        said()
    );
    user.ok(["cancel", &id]);
    user.ok(["cancel", "inner"]);
}

#[test]
fn a_wait_inside_a_job_that_stands_in_nobodys_way_is_not_warned_of() {
    let user = User::new();
    let said = said_in_a_job(&user, &[], "bgctl start --wait -- true; echo done", "done");
    assert!(!said.contains("warning"), "a slot is free: {said}");
    let _held = hold_both_slots(&user);
    let said =
        said_in_a_job(&user, &["--service"], "bgctl wait --within 0 $(bgctl start true); echo done", "done");
    assert!(!said.contains("warning"), "a service holds no slot: {said}");
    let ran = user.run(["wait", "--within", "0", &user.start(["true"])]);
    assert!(!ran.err.contains("warning"), "outside of any job: {}", ran.err);
}

#[test]
fn any_returns_with_the_first_that_ends_and_names_it() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let child = user
        .bgctl(["wait", "--any", &one.id, &two.id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    two.let_go(6);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out), (6, format!("{}\n", two.id)));
    assert_eq!(user.status(&one.id), "running");
}

#[test]
fn a_queued_job_is_waited_for_too() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start_sh("exit 9");
    let mut child = interruptible(&user, &["wait", "--quiet", &queued]).spawn().unwrap();
    until("it waits", || hears_interrupts(child.id()));
    held[0].let_go(0);
    assert_eq!(crate::support::ended(&mut child), 9);
}

#[test]
fn an_interrupt_leaves_the_job_running_and_says_so() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let child = interruptible(&user, &["wait", &held.id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it waits", || hears_interrupts(child.id()));
    kill(child.id().cast_signed(), rustix::process::Signal::INT);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (130, ""));
    let id = &held.id;
    assert_eq!(
        ran.err,
        format!("\nbgctl: {id} goes on; bgctl wait {id} waits again, bgctl cancel {id} ends it\n")
    );
    assert_eq!(user.status(id), "running");
    held.let_go(0);
    assert_eq!(user.wait(id), 0);
}

/// What `bgctl` says when it is interrupted once it waits; it must leave with 130.
#[track_caller]
fn interrupted(user: &User, arguments: &[&str], input: &str) -> String {
    let mut child = interruptible(user, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    until("it waits", || hears_interrupts(child.id()));
    kill(child.id().cast_signed(), rustix::process::Signal::INT);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.err);
    ran.err
}

#[test]
fn an_interrupt_names_ids_whatever_was_typed() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "", &["--name", "a b\x1b[2J"]);
    let id = &held.id;
    let wanted = format!("\nbgctl: {id} goes on; bgctl wait {id} waits again, bgctl cancel {id} ends it\n");
    for typed in ["@", "a b\x1b[2J", "-", &id[12..]] {
        for verb in [&["wait"][..], &["wait", "--ready", "never"], &["logs", "--follow"]] {
            let arguments: Vec<&str> = verb.iter().copied().chain([typed]).collect();
            assert_eq!(interrupted(&user, &arguments, "@\n"), wanted, "{arguments:?}");
        }
    }
    held.let_go(0);
}

#[test]
fn an_interrupt_of_a_wait_for_several_names_those_that_go_on() {
    let user = User::new();
    let ended = user.start(["true"]);
    user.wait(&ended);
    let [one, two] = hold_both_slots(&user);
    let (first, second) = (&one.id, &two.id);
    let wanted = format!(
        "\nbgctl: {first} and {second} go on; bgctl wait {first} {second} waits again, \
         bgctl cancel {first} {second} ends them\n"
    );
    for verb in ["wait", "logs"] {
        let follow = if verb == "logs" { "--follow" } else { "--within=1h" };
        let said = interrupted(&user, &[verb, follow, first, second, &ended, first], "");
        assert!(said.ends_with(&wanted), "{said}");
    }
}

#[test]
fn an_interrupt_of_a_quiet_wait_says_nothing() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for verb in [&["wait"][..], &["wait", "--ready", "never"], &["logs", "--follow"]] {
        let arguments: Vec<&str> = verb.iter().copied().chain(["--quiet", &held.id]).collect();
        assert_eq!(interrupted(&user, &arguments, ""), "", "{arguments:?}");
    }
    held.let_go(0);
}

#[test]
fn nothing_to_wait_for_is_usage() {
    assert_eq!(User::new().run(["wait"]).code, 2);
}

#[test]
fn our_own_failure_is_122() {
    let user = User::new();
    user.write_index("not an index");
    let ran = user.run(["wait", "ab"]);
    assert_eq!(ran.code, 122);
    assert!(ran.err.contains("line 1"), "{}", ran.err);
}

#[test]
fn with_any_the_one_that_ended_first_is_meant_even_where_others_have_ended_since() {
    let user = User::new();
    let first = user.start(["true"]);
    assert_eq!(user.wait(&first), 0);
    let second = user.start(["sh", "-c", "exit 5"]);
    assert_eq!(user.wait(&second), 5);
    let ran = user.run(["wait", "--any", &second, &first]);
    assert_eq!((ran.code, ran.out), (0, format!("{first}\n")));
}
