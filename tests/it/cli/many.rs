//! Many jobs at once: chosen by what they have in common, and in scripts with `xargs`, `while read` and `jq`.

use super::{Held, bounded, configure, hears_interrupts, hold_both_slots, interruptible, shell};
use crate::support::{BGCTL, EVENT_MAX, Ran, User, ended, until};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// `bgctl wait`, once it waits.
#[track_caller]
fn waiting(user: &User, arguments: &[&str]) -> Child {
    let mut command = interruptible(user, &[&["wait"], arguments].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it waits", || hears_interrupts(child.id()));
    child
}

/// A held job with a label.
#[track_caller]
fn held_with_label(user: &User, name: &str, label: &str) -> Held {
    Held::start_with(user, name, "", &["--name", name, "--label", label])
}

/// The lines of a program as they come.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (told, tell) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    tell
}

#[track_caller]
fn next(lines: &Receiver<String>) -> Value {
    serde_json::from_str(&lines.recv_timeout(EVENT_MAX).expect("a line comes")).unwrap()
}

/// Runs a script in each of the shells that are here, with the program's path in `$BGCTL`.
fn in_shells(user: &User, script: &str, check: impl Fn(&Ran)) {
    for name in ["sh", "bash"] {
        if !["/bin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(name).exists()) {
            crate::support::skipped(&format!("{name} is not installed"));
            continue;
        }
        let mut command = user.command(name);
        command.args(["-c", script]).env("BGCTL", BGCTL);
        check(&bounded(command));
    }
}

fn has_jq() -> bool {
    let is_here =
        ["/bin", "/usr/bin", "/usr/local/bin"].iter().any(|folder| Path::new(folder).join("jq").exists());
    if !is_here {
        crate::support::skipped("jq is not installed");
    }
    is_here
}

// Which jobs.

#[test]
fn jobs_are_waited_for_by_their_labels_and_the_first_submitted_decides() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 4\n");
    let flags = ["--label", "nightly", "--label", "big"];
    let one = Held::start_with(&user, "one", "", &flags);
    let two = Held::start_with(&user, "two", "", &flags);
    let other = held_with_label(&user, "other", "nightly");
    let mut child = waiting(&user, &["--quiet", "--label", "nightly", "--label", "big"]);
    two.let_go(5);
    assert_eq!(user.wait(&two.id), 5);
    assert!(child.try_wait().unwrap().is_none(), "one still goes on");
    one.let_go(4);
    assert_eq!(ended(&mut child), 4, "it was submitted first, although it ended last");
    assert_eq!(user.status(&other.id), "running", "it has one label of the two");
}

#[test]
fn who_is_waited_for_is_settled_when_the_wait_begins() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    let earlier = user.start(["--label", "it", "--", "sh", "-c", "exit 3"]);
    assert_eq!(user.wait(&earlier), 3);
    let held = held_with_label(&user, "held", "it");
    for flags in [["--label", "it"].as_slice(), &["--all"], &["--status", "running"]] {
        let mut child = waiting(&user, flags);
        let later = held_with_label(&user, "later", "it");
        until("it knows of both", || {
            user.run(["list", "--label", "it", "--json"]).json()["jobs"][1]["id"] == later.id.as_str()
        });
        if flags == ["--status", "running"] {
            held.let_go(0);
            assert_eq!(ended(&mut child), 0, "neither what had failed before nor what came later counts");
        } else {
            crate::support::kill(child.id().cast_signed(), rustix::process::Signal::INT);
            let said = Ran::of(&child.wait_with_output().unwrap()).err;
            assert!(said.contains(&held.id) && !said.contains(&later.id), "{said}");
        }
        user.ok(["cancel", &later.id]);
        std::fs::remove_file(user.path("later.gate")).unwrap();
    }
}

#[test]
fn where_no_job_is_active_there_is_nothing_to_wait_for() {
    let user = User::new();
    let said = "there is no such active job to wait for\n";
    for has_jobs in [false, true] {
        if has_jobs {
            let done = user.start(["--label", "it", "--", "false"]);
            assert_eq!(user.wait(&done), 1);
        }
        for flags in [["--all"].as_slice(), &["--label", "it"], &["--status", "queued", "--within", "0"]] {
            let ran = user.run(["wait"].iter().chain(flags));
            assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", said), "{flags:?}");
        }
        let ran = user.run(["wait", "--json", "--quiet", "--all"]);
        let object = ran.json();
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_eq!((&object["jobs"], &object["exit_code"]), (&json!([]), &json!(0)));
        assert_eq!(user.run(["wait", "--json-lines", "--all"]).out, "");
        assert_eq!(user.root().exists(), has_jobs, "who waits makes nothing");
    }
}

#[test]
fn of_nobody_none_is_the_first_and_none_shows_a_line() {
    let user = User::new();
    for flags in [["--any"].as_slice(), &["--ready", "listening"], &["--ready", "listening", "--any"]] {
        let ran = user.run(["wait", "--label", "it"].iter().chain(flags));
        assert_eq!((ran.code, ran.out.as_str()), (122, ""), "{flags:?}");
        assert_eq!(ran.err, "there is no such active job to wait for\n");
    }
    let ran = user.run(["wait", "--json", "--label", "it", "--ready", "listening"]);
    assert_eq!((&ran.json()["ready"], &ran.json()["exit_code"]), (&json!(false), &json!(122)));
}

#[test]
fn a_wait_for_all_inside_a_job_leaves_out_that_job_and_those_around_it() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    let held = Held::start(&user, "it");
    let inner = format!("'{BGCTL}' wait --all; echo code $?");
    let outer = user.start_sh(&format!("'{BGCTL}' start --follow -- sh -c \"{inner}\""));
    until("it waits", || {
        let mut all = user.processes().into_iter();
        all.any(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.ends_with(b"\0wait\0--all\0") && hears_interrupts(pid.cast_unsigned())
        })
    });
    held.let_go(7);
    assert_eq!(user.wait(&outer), 0);
    let log = user.ok(["logs", &outer]);
    assert!(log.contains("code 7\n"), "{log}");
}

#[test]
fn who_waits_for_all_is_told_of_services() {
    let user = User::new();
    let service = user.start(["--service", "--name", "dev", "--", "sleep", "1000"]);
    let held = Held::start(&user, "it");
    let child = waiting(&user, &["--all"]);
    held.let_go(0);
    user.wait(&held.id);
    user.ok(["cancel", &service]);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 125);
    let short = &service[12..15];
    let wanted = format!("bgctl: warning: dev {short} is a service and goes on until it is cancelled\n");
    assert!(ran.err.starts_with(&wanted), "{}", ran.err);
}

#[test]
fn logs_of_jobs_are_shown_by_what_they_have_in_common() {
    let user = User::new();
    let over = user.start(["--label", "it", "--", "echo", "before"]);
    user.wait(&over);
    let one = Held::start_with(&user, "one", "echo first; echo >said", &["--name", "one", "--label", "it"]);
    user.line_in("said");
    let two = held_with_label(&user, "two", "other");
    assert_eq!(user.ok(["logs", "--label", "it"]), "first\n", "of the active ones");
    let queued = user.start(["--label", "it", "--", "echo", "second"]);
    let mut child = user.bgctl(["logs", "-f", "--label", "it"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    assert!(lines.recv_timeout(EVENT_MAX).unwrap().ends_with("first"));
    one.let_go(0);
    assert!(lines.recv_timeout(EVENT_MAX).unwrap().ends_with("second"));
    assert_eq!(ended(&mut child), 0, "it ends with those it began with");
    assert_eq!(user.status(&queued), "completed");
    for flags in [["--label", "nobody"].as_slice(), &["--label", "nobody", "--follow"]] {
        let ran = user.run(["logs"].iter().chain(flags));
        let said = (ran.code, ran.out.as_str(), ran.err.as_str());
        assert_eq!(said, (0, "", "there is no such active job\n"));
    }
    assert_eq!(user.run(["logs", "--json", "--label", "it"]).json()["jobs"], json!([]));
    two.let_go(0);
}

#[test]
fn jobs_are_either_named_or_chosen() {
    let user = User::new();
    let id = user.start(["true"]);
    for verb in ["wait", "logs"] {
        assert_eq!(user.run([verb, "--all", &id]).code, 2);
    }
    for arguments in [
        ["--all", &id].as_slice(),
        &["--label", "it", &id],
        &["--status", "running", &id],
        &["--all", "--label", "it"],
        &["--status", "failed"],
        &["--status", "ended"],
        &["--json", "--json-lines", &id],
        &[],
    ] {
        let ran = user.run(["wait"].iter().chain(arguments));
        assert_eq!((ran.code, ran.err.starts_with("bgctl: ")), (2, true), "{arguments:?} {}", ran.err);
    }
}

#[test]
fn of_jobs_with_a_label_the_first_that_ends_is_named() {
    let user = User::new();
    let [one, two] = ["one", "two"].map(|name| held_with_label(&user, name, "it"));
    let child = waiting(&user, &["--any", "--label", "it"]);
    two.let_go(6);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out), (6, format!("{}\n", two.id)));
    assert_eq!(user.status(&one.id), "running");
}

// Lines of JSON.

#[test]
fn each_end_is_a_line_as_it_comes() {
    let user = User::new();
    let before = user.start_sh("exit 3");
    user.wait(&before);
    let [one, two] = hold_both_slots(&user);
    let mut child = waiting(&user, &["--json-lines", &one.id, &before, &two.id]);
    let lines = lines_of(child.stdout.take().unwrap());
    assert_eq!(next(&lines)["id"], before.as_str());
    two.let_go(0);
    let line = next(&lines);
    assert_eq!((&line["id"], &line["wait_code"]), (&json!(two.id), &json!(0)));
    one.let_go(6);
    assert_eq!(next(&lines)["id"], one.id.as_str());
    assert!(lines.recv_timeout(EVENT_MAX).is_err(), "a line a job, and nothing else");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 6, "as without lines: the first that is not 0, in the order asked");
    assert!(!ran.err.contains("completed"), "the line tells it: {}", ran.err);
    assert!(ran.err.contains(&format!("{} failed: exit code 6", one.id)), "{}", ran.err);
}

#[test]
fn what_had_ended_comes_in_the_order_of_its_end_as_the_objects_of_json() {
    let user = User::new();
    let ids = [3, 0, 4].map(|code| {
        let id = user.start_sh(&format!("exit {code}"));
        user.wait(&id);
        id
    });
    let ran = user.run(["wait", "-q", "--json-lines", &ids[2], &ids[0], &ids[1]]);
    assert_eq!((ran.code, ran.err.as_str()), (4, ""));
    let lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let object = user.run(["wait", "-q", "--json", &ids[0], &ids[1], &ids[2]]).json();
    assert_eq!(json!(lines), object["jobs"]);
    let ran = user.run(["wait", "-q", "--any", "--json-lines", &ids[2], &ids[0]]);
    let line: Value = serde_json::from_str(&ran.out).expect("one line: of the one that ended first");
    assert_eq!((ran.code, &line["id"]), (3, &json!(ids[0])));
}

#[test]
fn what_goes_on_when_the_time_is_over_has_no_line() {
    let user = User::new();
    let done = user.start_sh("exit 3");
    user.wait(&done);
    let held = Held::start(&user, "it");
    let ran = user.run(["wait", "--json-lines", "--within", "0", &held.id, &done]);
    assert_eq!((ran.code, ran.out.lines().count()), (121, 1));
    assert!(ran.err.contains(&format!("it still goes on: {}\n", held.id)), "{}", ran.err);
}

#[test]
fn a_line_tells_whether_the_log_showed_what_was_waited_for() {
    let user = User::new();
    let ready = user.start_sh("echo listening; sleep 1000");
    let ended = user.start_sh("exit 5");
    let ran = user.run(["wait", "-q", "--json-lines", "--ready", "listening", &ended, &ready]);
    assert_eq!(ran.code, 5);
    let mut lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["id"] != ended.as_str());
    let told = |line: &Value| (line["id"].clone(), line["ready"].clone(), line["wait_code"].clone());
    assert_eq!(told(&lines[0]), (json!(ended), json!(false), json!(5)));
    assert_eq!(told(&lines[1]), (json!(ready), json!(true), json!(0)));
}

#[test]
fn a_wait_whose_lines_nobody_reads_any_more_ends() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for flags in [["--json-lines"].as_slice(), &["--json-lines", "--ready", "never"]] {
        let mut child = waiting(&user, &[flags, &[&held.id]].concat());
        drop(child.stdout.take());
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (121, ""), "it still goes on");
    }
    assert_eq!(user.status(&held.id), "running");
    let mut child = waiting(&user, &[&held.id]);
    drop(child.stdout.take());
    held.let_go(3);
    assert_eq!(ended(&mut child), 3, "who asked for no lines waits for the end");
}

// In scripts.

#[test]
fn a_list_of_ids_is_fit_for_xargs() {
    let user = User::new();
    let script = "set -e
for n in 1 2 3; do $BGCTL start -q --label it -- sleep 1000; done > ids
$BGCTL start -q --label other -- sleep 1000 >> ids
$BGCTL list --label it --status active --format '{id}' | xargs $BGCTL cancel -q
$BGCTL list --all --status cancelled --format '{id}' | wc -l
$BGCTL list --status active --format '{labels}'
xargs -n 1 $BGCTL cancel -q < ids
$BGCTL prune --all -q > /dev/null";
    in_shells(&user, script, |ran| {
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(lines.iter().filter(|line| line.ends_with(" cancelled")).count(), 4, "{}", ran.out);
        assert!(ran.out.contains("\n3\nother\n"), "{}", ran.out);
    });
}

#[test]
fn lines_are_fit_for_while_read_and_a_loop_that_ends_all_at_the_first_failure() {
    let user = User::new();
    let script = r#"$BGCTL start -q --label it -- sleep 1000 > ids
$BGCTL start -q --label it -- sh -c 'exit 3' >> ids
$BGCTL start -q --label it -- sleep 1000 >> ids
$BGCTL wait -q --json-lines - < ids | while read -r line; do
  case $line in
  *'"wait_code":0'*) ;;
  *) printf '%s\n' "$line"; $BGCTL cancel -q --label it; break ;;
  esac
done
$BGCTL wait -q - < ids
echo "code $?""#;
    in_shells(&user, script, |ran| {
        assert_eq!(ran.code, 0, "{}", ran.err);
        let mut lines = ran.out.lines();
        let first: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(
            (&first["exit_code"], &first["labels"]),
            (&json!(3), &json!(["it"])),
            "whole, backslashes included"
        );
        assert_eq!(
            lines.next_back(),
            Some("code 125"),
            "what was cancelled, in the order asked: {}",
            ran.out
        );
        assert_eq!(lines.count(), 2, "two were ended: {}", ran.out);
    });
}

#[test]
fn lines_are_fit_for_jq() {
    if !has_jq() {
        return;
    }
    let user = User::new();
    let script = r#"$BGCTL start -q --label it --name 'a "b" \c' -- true > ids
$BGCTL start -q --label it -- sh -c 'exit 3' >> ids
$BGCTL wait -q --json-lines - < ids | jq -r .id | sort > ended
sort ids | cmp - ended && echo same
$BGCTL wait -q --json-lines - < ids | jq -r 'select(.wait_code != 0) | .exit_code'
$BGCTL list --label it --json | jq -r '.jobs[] | select(.name) | .name'
$BGCTL wait -q --json - < ids | jq .exit_code
$BGCTL prune -q --all > /dev/null"#;
    in_shells(&user, script, |ran| {
        assert_eq!((ran.code, ran.out.as_str()), (0, "same\n3\na \"b\" \\c\n3\n"), "{}", ran.err);
    });
}

#[test]
fn a_loop_over_whichever_ends_first_comes_to_an_end() {
    let user = User::new();
    let script = "for n in 1 2 3; do $BGCTL start -q --label it -- true; done > ids
until $BGCTL wait -q --any --label it > first; test $? -eq 122; do cat first; done | sort -u > firsts
$BGCTL wait -q - < ids; echo $?
sort ids | comm -13 - firsts";
    let ran = shell(&user, script);
    assert_eq!((ran.code, ran.out.as_str()), (0, "0\n"), "{}", ran.err);
}

#[test]
fn ids_of_a_list_are_waited_for_with_the_codes_that_xargs_would_hide() {
    let user = User::new();
    let script = "$BGCTL start -q --label it -- sh -c 'exit 3' > ids
$BGCTL wait -q - < ids
$BGCTL list --label it --format '{id}' | $BGCTL wait -q -; echo $?
$BGCTL list --label it --format '{id}' | xargs $BGCTL wait -q; echo $?
$BGCTL list --label it --format '{id}' | $BGCTL logs - | wc -c
$BGCTL list --label nobody --format '{id}' -q | $BGCTL cancel -; echo $?
$BGCTL prune -q --all > /dev/null";
    in_shells(&user, script, |ran| {
        assert_eq!(ran.out, "3\n123\n0\n0\n");
        assert!(ran.err.contains("no job was named"), "{}", ran.err);
    });
}
