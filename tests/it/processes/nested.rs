//! Jobs that are started inside a job are independent: they survive its end, and end truly.

use super::{Lair, end_by_force, program, zoo::Hopper};
use crate::support::{User, is_alive, until};

/// An outer job that starts an inner one and stays. The inner one exits with 5 once somebody writes to `go`.
struct Nest {
    outer: String,
    inner: String,
}

impl Nest {
    fn new(user: &User, lair: &Lair<'_>, rest: &str) -> Self {
        Self::with(user, lair, "", rest)
    }

    /// The same with flags for the inner one's start.
    fn with(user: &User, lair: &Lair<'_>, flags: &str, rest: &str) -> Self {
        let go = user.fifo("go");
        let inner = user.script("inner", &format!("#!/bin/sh\nread line < {}\nexit 5\n", go.display()));
        let script = format!(
            "{} start {flags} -- {inner} {} > inner-id; {rest} exec {}",
            program().display(),
            user.root().display(),
            lair.stay
        );
        let outer = user.start(["--grace", "0s", "--", "sh", "-c", &script]);
        let inner = user.line_in("inner-id").trim_end().to_owned();
        until("the inner job runs", || user.record(&inner).iter().any(|line| line["line"] == "started"));
        lair.inhabitants(1);
        Self { outer, inner }
    }

    fn let_go(user: &User) {
        std::fs::write(user.path("go"), "go\n").unwrap();
    }
}

#[test]
fn an_inner_job_survives_the_cancel_of_the_outer_one() {
    let user = User::new();
    let lair = Lair::new(&user);
    let nest = Nest::new(&user, &lair, "");
    let (watcher, main) =
        (user.recorded_pid(&nest.inner, "watcher"), user.recorded_pid(&nest.inner, "process"));
    lair.cancel(&nest.outer);
    assert!(is_alive(watcher) && is_alive(main), "the inner job and its watcher live");
    assert_eq!((user.status(&nest.inner), user.observed(&nest.inner)), ("running".into(), "alive".into()));
    Nest::let_go(&user);
    assert_eq!(user.wait(&nest.inner), 5);
    assert_eq!(user.job(&nest.inner)["parent"], nest.outer);
    user.all_gone();
}

#[test]
fn an_inner_job_is_no_leftover_of_the_outer_one() {
    let user = User::new();
    let go = user.fifo("go");
    let script = format!("{} start -- cat {}", program().display(), go.display());
    let outer = user.start_sh(&script);
    assert_eq!(user.wait(&outer), 0);
    assert_eq!(user.job(&outer)["summary"], serde_json::Value::Null);
    let inner = user.ok(["logs", &outer]).trim_end().to_owned();
    assert_eq!(user.status(&inner), "running");
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&inner), 0);
    user.all_gone();
}

#[test]
fn processes_of_an_inner_job_that_lost_its_watcher_survive_the_outer_cancel_and_a_tick_adopts_them() {
    let user = User::new();
    let lair = Lair::new(&user);
    let nest = Nest::new(&user, &lair, "");
    let main = user.recorded_pid(&nest.inner, "process");
    let lost = user.lose_watcher(&nest.inner);
    lair.cancel(&nest.outer);
    assert!(is_alive(main), "the inner job's process lives");
    assert_eq!(user.observed(&nest.inner), "unwatched");
    user.ok(["tick"]);
    until("another watcher is on it", || user.recorded_pid(&nest.inner, "watcher") != lost);
    Nest::let_go(&user);
    let code = user.wait(&nest.inner);
    let job = user.job(&nest.inner);
    assert!(code == 5 || (code == 125 && job["exit"]["unknown"].is_object()), "{job}");
    user.all_gone();
}

#[test]
fn processes_of_an_inner_job_with_a_clean_environment_survive_the_outer_cancel_without_their_watcher() {
    let user = User::new();
    let lair = Lair::new(&user);
    let nest = Nest::with(&user, &lair, "--clean-env", "");
    let main = user.recorded_pid(&nest.inner, "process");
    user.lose_watcher(&nest.inner);
    lair.cancel(&nest.outer);
    assert!(is_alive(main), "the inner job's process lives");
    user.ok(["cancel", &nest.inner]);
    assert!(!is_alive(main));
    user.all_gone();
}

#[test]
fn an_inner_job_of_another_root_that_lost_its_watcher_survives_the_outer_cancel() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (go, other) = (user.fifo("go"), user.path("other"));
    let script = format!(
        "BG_HOME={} {} start -- cat {} > inner-id; exec {}",
        other.display(),
        program().display(),
        go.display(),
        lair.stay
    );
    let outer = user.start(["--grace", "0s", "--", "sh", "-c", &script]);
    lair.inhabitants(1);
    let inner = user.line_in("inner-id").trim_end().to_owned();
    let record = other.join("runs").join(format!("{inner}.lock"));
    let pid = |line: &str| {
        let text = std::fs::read_to_string(&record).unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.find(|one| one["line"] == line).map(|one| one["pid"].as_i64().unwrap() as i32)
    };
    until("the inner job runs", || pid("process").is_some());
    let main = pid("process").unwrap();
    end_by_force(pid("watcher").unwrap());
    lair.cancel(&outer);
    assert!(is_alive(main), "the inner job's process lives");
    std::fs::write(go, "").unwrap();
    until("it has ended", || !is_alive(main));
    user.all_gone();
}

#[test]
fn an_orphaned_inner_job_is_no_leftover_of_an_outer_one_that_ends_by_itself() {
    let user = User::new();
    let lair = Lair::new(&user);
    let nest = Nest::new(&user, &lair, "");
    let main = user.recorded_pid(&nest.inner, "process");
    user.lose_watcher(&nest.inner);
    end_by_force(lair.inhabitants(1)[0]);
    assert_eq!(user.wait(&nest.outer), 137);
    assert_eq!(user.job(&nest.outer)["summary"], "killed by SIGKILL");
    assert!(is_alive(main), "the inner job's process lives");
    user.ok(["cancel", &nest.inner]);
    assert!(!is_alive(main));
    user.all_gone();
}

#[test]
fn a_hopping_process_is_ended_although_an_inner_job_lives_on() {
    let user = User::new();
    let lair = Lair::new(&user);
    let hopper = Hopper::new(&user);
    let nest = Nest::new(&user, &lair, &format!("{};", hopper.program));
    user.line_in("hops");
    lair.cancel(&nest.outer);
    assert!(hopper.is_gone());
    assert_eq!(user.status(&nest.inner), "running");
    Nest::let_go(&user);
    assert_eq!(user.wait(&nest.inner), 5);
    user.all_gone();
}
