//! What works in the background: ticks and the alarm.

use super::super::scene::{Planted, Role, Scene, Set, WITNESS};
use super::{
    again,
    changing::{held, let_go},
    states,
};
use crate::support::{User, is_alive, kill, until};
use bgctl::model::{
    calendar::Rhythm,
    schedule::{DefinedBy, Definition, Missed, Overlap, Task},
};
use bgctl::plan::recur;
use chrono::TimeDelta;
use rustix::process::Signal;

/// A tick finds a job that has a slot and no watcher, and two that are queued.
pub const TICK: Scene = Scene::new("a tick", Role::Changer, || {
    let user = User::new();
    let planted = Planted::of(&user);
    let jobs: Vec<_> = [WITNESS; 3].iter().map(|script| planted.job(planted.spec(script), None)).collect();
    planted.commit(&jobs, |draft| planted.claim(draft, &jobs[0].id));
    Set::new(user, &["tick"])
});

/// A tick finds a job that runs without its watcher.
pub const TICK_OF_ORPHAN: Scene = Scene {
    then: |user| let_go(user).into_iter().collect(),
    // What it exited with is known to nobody but its parent, which is gone.
    ends: &["failed"],
    ..Scene::new("a tick with an orphan", Role::Changer, || {
        let (user, id) = held();
        let watcher = user.recorded_pid(&id, "watcher");
        kill(watcher, Signal::KILL);
        until("its watcher is gone", || !is_alive(watcher));
        Set::new(user, &["tick"])
    })
};

/// A tick starts what a schedule has due.
pub const TICK_OF_SCHEDULE: Scene = Scene {
    at_last: |user| {
        let ran = std::fs::read_to_string(user.path("ran")).unwrap_or_default();
        if ran.lines().count() == 1 {
            return Vec::new();
        }
        vec![format!("what was due once ran {} times: {:?}", ran.lines().count(), states(user))]
    },
    ..Scene::new("a tick with a schedule", Role::Changer, || {
        let user = scheduled(TimeDelta::hours(25));
        Set::new(user, &["tick"])
    })
};

/// A schedule is run out of turn.
pub const SCHEDULE_RUN: Scene = Scene {
    then: |user| {
        if states(user).is_empty() { again(user, &["schedule", "run", "daily"]) } else { Vec::new() }
    },
    at_last: TICK_OF_SCHEDULE.at_last,
    ..Scene::new("a run of a schedule", Role::Submitter, || {
        Set::new(scheduled(TimeDelta::hours(1)), &["schedule", "run", "daily"])
    })
};

/// A user with a daily schedule that was set up that long ago.
fn scheduled(ago: TimeDelta) -> User {
    let user = User::new();
    let planted = Planted::of(&user);
    let definition = Definition {
        rhythm: Rhythm::Every { seconds: 24 * 3_600 },
        task: Task::Run(Box::new(planted.spec(WITNESS))),
        overlap: Overlap::Skip,
        missed: Missed::Once,
        jitter_seconds: 0,
        restarts: true,
        source: DefinedBy::Command,
    };
    let defined_at = planted.now - ago;
    planted.commit(&[], |draft| {
        recur::put(draft, "daily", &definition, defined_at).unwrap();
    });
    user
}

/// The alarm starts what comes due while it is there, and leaves.
pub const ALARM: Scene = Scene::new("the alarm", Role::Worker, || {
    let user = User::new();
    let planted = Planted::of(&user);
    let due_at = planted.now + TimeDelta::milliseconds(100);
    let jobs: Vec<_> =
        [WITNESS; 2].iter().map(|script| planted.job(planted.spec(script), Some(due_at))).collect();
    planted.commit(&jobs, |_| {});
    let root = user.root().display().to_string();
    Set::new(user, &["__alarm", &root])
});
