//! Schedules of seconds: they keep their rhythm without cron, by the alarm alone and by the supervisor.

use super::supervise::{Loop, instant};
use crate::support::{User, until};
use serde_json::Value;

const RUNS: usize = 10;
/// How late a run may be on a machine that has nothing else to do, and in the middle on any.
const LATE_MS: i64 = 200;
/// How late one may be on a busy machine.
const LATE_BUSY_MS: i64 = 1_900;

const EVERY_TWO_SECONDS: &str = "[schedules.beat]\nevery = \"2s\"\ncommand = \"true\"\n";

/// How late each run of a schedule was submitted, in milliseconds.
fn lateness(user: &User) -> Vec<i64> {
    let late = |line: &Value| (instant(&line["at"]) - instant(&line["due_at"])).num_milliseconds();
    user.due_events().iter().take(RUNS).map(late).collect()
}

#[track_caller]
fn keeps_its_rhythm(user: &User, by: &str) {
    until("it has run so often", || user.due_events().len() >= RUNS);
    let due = user.due_events();
    for two in due[..RUNS].windows(2) {
        let between = (instant(&two[1]["due_at"]) - instant(&two[0]["due_at"])).num_milliseconds();
        assert_eq!(between, 2_000, "no time was left out: {two:?}");
    }
    let mut late = lateness(user);
    late.sort_unstable();
    let (middle, worst) = (late[RUNS / 2], late[RUNS - 1]);
    eprintln!("every 2s by {by}: {middle} ms late in the middle, {worst} ms at the worst");
    assert!(late[0] >= 0, "never early: {late:?}");
    assert!(middle <= LATE_MS && worst <= LATE_BUSY_MS, "{late:?}");
}

#[test]
fn every_two_seconds_is_kept_by_the_alarm_alone() {
    let user = User::new();
    user.configure(EVERY_TWO_SECONDS);
    user.ok(["tick"]);
    keeps_its_rhythm(&user, "the alarm");
}

#[test]
fn every_two_seconds_is_kept_by_the_supervisor() {
    let user = User::new();
    user.configure(EVERY_TWO_SECONDS);
    let mut supervisor = Loop::start(&user);
    keeps_its_rhythm(&user, "the supervisor");
    assert!(user.alarm().is_none());
    assert_eq!(supervisor.end(), 0);
    until("an alarm goes on with it", || user.alarm().is_some());
    let count = user.due_events().len();
    until("and it goes on", || user.due_events().len() > count);
}

#[test]
fn an_alarm_that_was_killed_is_there_again_with_the_next_tick() {
    let user = User::new();
    user.configure(EVERY_TWO_SECONDS);
    user.ok(["tick"]);
    until("it runs", || !user.due_events().is_empty());
    super::end_by_force(user.alarm().unwrap());
    // The end of a run is a pass too, and may have launched one.
    user.ok(["tick"]);
    until("an alarm is there", || user.alarm().is_some());
    let count = user.due_events().len();
    until("it goes on", || user.due_events().len() > count + 1);
}
