//! Silent watchers: stopped, as by a debugger or a bug, they hold their lock and do nothing.

use super::{Lair, stop};
use crate::support::{User, is_alive, until};

#[test]
fn a_cancel_replaces_a_watcher_that_is_silent_and_ends_the_job() {
    let user = User::new();
    let lair = Lair::new(&user);
    let id = user.start(["--grace", "0s", "--", "sh", "-c", &format!("setsid {0} & exec {0}", lair.stay)]);
    lair.inhabitants(2);
    let watcher = user.recorded_pid(&id, "watcher");
    stop(watcher);
    lair.cancel(&id);
    assert!(!is_alive(watcher));
    user.all_gone();
}

#[test]
fn a_cancel_does_not_replace_a_watcher_that_is_at_work() {
    let user = User::new();
    let lair = Lair::new(&user);
    // The grace is longer than a silence may be.
    let id = user.start(["--grace", "7s", "--", &lair.deaf]);
    lair.inhabitants(1);
    lair.cancel(&id);
    let watchers = user.record(&id).iter().filter(|line| line["line"] == "watcher").count();
    assert_eq!(watchers, 1);
    user.all_gone();
}

#[test]
fn the_stale_guard_cancels_a_job_whose_watcher_is_silent_and_ends_its_processes() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("setsid {0} & exec {0}", lair.stay);
    let id = user.start(["--stale-after", "1s", "--grace", "1s", "--", "sh", "-c", &script]);
    lair.inhabitants(2);
    let watcher = user.recorded_pid(&id, "watcher");
    stop(watcher);
    until("a tick finds it stale", || {
        user.ok(["tick"]);
        user.indexed(&id)["status"] != "running" || !user.indexed(&id)["ending"].is_null()
    });
    user.until_indexed_as(&id, "cancelled");
    assert_eq!(lair.living(), [] as [i32; 0], "cancelled, and yet these live");
    assert!(!is_alive(watcher));
    let summary = user.job(&id)["summary"].as_str().unwrap().to_owned();
    assert!(summary.starts_with("stale: no sign of life for "), "{summary}");
    user.all_gone();
}

#[test]
fn a_watcher_gives_signs_of_life_often_enough_for_its_stale_guard() {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start(["--stale-after", "6s", "--", "cat", go.to_str().unwrap()]);
    let beats = || user.record(&id).iter().filter(|line| line["line"] == "beat").count();
    until("it gives signs of life", || {
        user.ok(["tick"]);
        beats() >= 3
    });
    assert_eq!((user.status(&id), user.observed(&id)), ("running".into(), "alive".into()));
    std::fs::write(go, "").unwrap();
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}
