//! One root and several machines or containers: each judges, counts and signals what runs on it, and shows the rest.

use super::place::{Place, observed};
use super::{
    Cases, attempts, bounded, broken_rules, differs, edit_job, entry, executions, is_stopped, let_go,
    missing, power_cut, running, state, witness,
};
use crate::proof;
use crate::support::{User, is_alive, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;

const OTHER: usize = 1;

/// What is asked elsewhere of a job that runs here, and whether it goes on unharmed.
const ASKED: [&[&str]; 12] = [
    &["tick"],
    &["status", "ID"],
    &["list"],
    &["health"],
    &["doctor"],
    &["doctor", "--fix"],
    &["logs", "ID"],
    &["signal", "ID", "TERM"],
    &["signal", "ID", "KILL"],
    &["prune", "--all"],
    &["wait", "--within", "0", "ID"],
    &["set", "ID", "--label", "seen"],
];

/// Asks all of that at `there` of a job that runs at `here`.
fn ask(user: &User, cases: &mut Cases, name: &str, there: &Place, ours: &str, main: i32) {
    for asked in ASKED {
        let arguments: Vec<&str> =
            asked.iter().map(|word| if *word == "ID" { ours } else { *word }).collect();
        there.run(user, arguments);
        let mut wrong: Vec<String> =
            differs("it", state(user, ours).as_str(), "running").into_iter().collect();
        wrong.extend(differs("its intent", entry(user, ours)["ending"].clone(), Value::Null));
        wrong.extend((!is_alive(main) || is_stopped(main)).then(|| "its process was signalled".to_owned()));
        wrong.extend(differs("what is seen there", there.observed(user, ours).as_str(), "elsewhere"));
        let watchers = user.record(ours).iter().filter(|line| line["line"] == "watcher").count();
        wrong.extend(differs("its watchers", watchers, 1));
        cases.tried(&format!("{name}: {}", asked.join(" ")), wrong);
    }
}

#[test]
fn what_is_asked_on_another_machine_harms_no_job_and_each_ends_truly_on_its_own() {
    let there = Place::machine(OTHER);
    let user = User::new();
    if !there.is_open(&user) {
        return;
    }
    let mut cases = Cases::new("adoption.sites");
    let (go, go_there) = (user.fifo("go"), user.fifo("go-there"));
    let ours = user.start_sh(&witness("cat go; exit 5"));
    let (_, main) = running(&user, &ours);
    ask(&user, &mut cases, "ours, there", &there, &ours, main);
    let theirs = there.ok(&user, ["start", "--", "sh", "-c", &witness("cat go-there; exit 6")]);
    let theirs = theirs.trim_end();
    let (_, main) = running(&user, theirs);
    ask(&user, &mut cases, "theirs, here", &Place::default(), theirs, main);
    let_go(go);
    let_go(go_there);
    let mut ended = Vec::new();
    for (id, code) in [(ours.as_str(), 5), (theirs, 6)] {
        ended.extend(missing("its end", || state(&user, id) == "failed"));
        ended.extend(differs("its exit code", entry(&user, id)["exit_code"].clone(), code.into()));
        ended.extend(differs("its attempts", attempts(&user, id), vec![1]));
    }
    cases.tried("the ends", ended.into_iter().chain(broken_rules(&user)));
    cases.tell("both ways");
    user.all_gone();
}

#[test]
fn a_cancel_from_another_machine_is_obeyed_by_its_watcher_at_its_next_sign_of_life() {
    let there = Place::machine(OTHER);
    let user = User::new();
    if !there.is_open(&user) {
        return;
    }
    let id = user.start(["--stale-after", "3s", "--", "sleep", "1000"]);
    let (_, main) = running(&user, &id);
    let ran = there.run(&user, ["cancel", &id]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    until("its watcher has ended it", || state(&user, &id) == "cancelled");
    assert!(!is_alive(main));
    user.all_gone();
}

#[test]
fn a_pause_from_another_machine_is_obeyed_by_its_watcher_at_its_next_sign_of_life() {
    let there = Place::machine(OTHER);
    let user = User::new();
    if !there.is_open(&user) {
        return;
    }
    let id = user.start(["--stale-after", "3s", "--", "sleep", "1000"]);
    let (_, main) = running(&user, &id);
    there.run(&user, ["pause", &id]);
    until("it stands still", || is_stopped(main));
    there.run(&user, ["resume", &id]);
    until("it goes on", || !is_stopped(main));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn each_machine_has_slots_of_its_own_and_its_watchers_go_on_with_what_waits() {
    let there = Place::machine(OTHER);
    let user = User::new();
    if !there.is_open(&user) {
        return;
    }
    user.configure("[queue]\nmax_concurrent = 1\n");
    let go = user.fifo("go");
    let ours = user.start_sh("exec sleep 1000");
    running(&user, &ours);
    let theirs = there.ok(&user, ["start", "--", "sh", "-c", "cat go"]);
    running(&user, theirs.trim_end());
    let waits = user.start(["--quiet", "--", "sh", "-c", &witness("true")]);
    assert_eq!(state(&user, &waits), "queued", "both slots are taken");
    let_go(go);
    until("their watcher went on with it", || state(&user, &waits) == "completed");
    assert_eq!(entry(&user, &waits)["claim"]["host"], "machine-1");
    assert_eq!(attempts(&user, &waits), [1]);
    user.ok(["cancel", &ours]);
    user.all_gone();
}

/// How many jobs.
const CROWD: (usize, usize) = (24, 400);

#[test]
fn machines_that_share_a_root_start_each_job_once() {
    let user = User::new();
    if !Place::machine(OTHER).is_open(&user) {
        return;
    }
    let count = proof::cases(CROWD.0, CROWD.1);
    user.configure("[queue]\nmax_concurrent = 2\nmax_size = 10000\n");
    let places: Vec<Place> = (1..=3).map(Place::machine).collect();
    user.ok(["group", "add", "held", "--slots", "2"]);
    user.ok(["pause", "--group", "held"]);
    // The first jobs hold their slots until several machines have some; then all of them compete for the rest.
    let script = witness("until [ -e open ]; do sleep 0.02; done");
    for _ in 0..count {
        user.start(["--quiet", "--group", "held", "--", "sh", "-c", &script]);
    }
    user.ok(["resume", "--group", "held"]);
    let tick_everywhere = || {
        let ticks: Vec<_> = places
            .iter()
            .map(|place| place.bgctl(&user, ["tick"]).stdout(Stdio::null()).spawn().unwrap())
            .collect();
        for mut tick in ticks {
            tick.wait().unwrap();
        }
    };
    // Each of them, and this one, which resumed the group.
    let hosts = || {
        let index = user.index();
        let jobs = index["jobs"].as_array().unwrap().iter();
        jobs.filter_map(|job| Some(job["claim"]["host"].as_str()?.to_owned())).collect::<BTreeSet<_>>()
    };
    let mut wrong = Vec::new();
    wrong.extend(missing("every machine has started some", || {
        tick_everywhere();
        places.iter().all(|place| hosts().contains(place.host.as_ref().unwrap()))
    }));
    std::fs::write(user.path("open"), "").unwrap();
    // Passes on all of them, until all is done.
    wrong.extend(missing("all have ended", || {
        tick_everywhere();
        let index = user.index();
        index["jobs"].as_array().unwrap().iter().all(|job| job["status"] == "completed")
    }));
    let hosts = hosts();
    wrong.extend((hosts.len() < 2).then(|| format!("only these started jobs: {hosts:?}")));
    wrong.extend(differs("executions", executions(&user).len(), count));
    wrong.extend(broken_rules(&user));
    let failures = usize::from(!wrong.is_empty());
    let remark = format!("on {} machines", hosts.len());
    proof::Proof { name: "adoption.machines", cases: count, failures, remark }.tell();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    user.all_gone();
}

#[test]
fn a_machine_that_was_renamed_is_still_this_one_as_long_as_it_runs() {
    let renamed = Place { host: Some("renamed".to_owned()), ..Place::default() };
    let user = User::new();
    if !renamed.is_open(&user) {
        return;
    }
    let id = user.start(["--", "sleep", "1000"]);
    running(&user, &id);
    assert_eq!(renamed.observed(&user, &id), "alive");
    renamed.ok(&user, ["cancel", &id]);
    assert_eq!(state(&user, &id), "cancelled");
    user.all_gone();
}

#[test]
fn a_machine_that_was_renamed_and_started_again_is_another_until_the_stale_guard_says_so() {
    let renamed = Place { host: Some("renamed".to_owned()), ..Place::boot(1) };
    let user = User::new();
    if !renamed.is_open(&user) {
        return;
    }
    let id = user.start(["--", "sleep", "1000"]);
    running(&user, &id);
    power_cut(&user);
    renamed.ok(&user, ["tick"]);
    assert_eq!((state(&user, &id).as_str(), renamed.observed(&user, &id).as_str()), ("running", "elsewhere"));
    edit_job(&user, &id, |job| job["stale_after_seconds"] = 0.into());
    renamed.ok(&user, ["tick"]);
    let summary = entry(&user, &id)["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("it may still run on"), "{summary}");
}

#[test]
fn a_job_of_this_namespace_is_shown_and_left_alone_by_a_container_on_the_same_machine() {
    let user = User::new();
    let id = user.start(["--", "sleep", "1000"]);
    let (_, main) = running(&user, &id);
    let program = crate::support::BGCTL;
    let script = format!(
        "{program} tick && {program} signal KILL {id}; {program} cancel --no-wait {id}; {program} tick; {program} status --json {id}"
    );
    let mut command = user.command("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", &script]);
    let ran = bounded(command);
    if !ran.out.contains("observed") {
        super::skipped("no pid namespace can be made here");
        return;
    }
    assert!(ran.out.contains("\"elsewhere\""), "{}{}", ran.out, ran.err);
    assert!(is_alive(main));
    assert_eq!(observed(&user, &id), "alive");
    // The intent stands, and here it is carried out.
    user.ok(["cancel", &id]);
    assert!(!is_alive(main));
    user.all_gone();
}
