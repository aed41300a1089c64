//! What changes jobs that are there.

use super::super::scene::{Role, Scene, Set, WITNESS, configure};
use super::{again, first, runs, states, told_to_go};
use crate::support::{User, until};
use std::time::{Duration, Instant};

/// A running job is ended, with what it started.
pub const CANCEL: Scene = Scene {
    answered: |user, traced| {
        let is_cancelled = states(user)[0].1 == "cancelled";
        let mut wrong = Vec::new();
        if traced.ran.code == 0 && !is_cancelled {
            wrong.push(format!("it said that it is done, and the jobs are {:?}", states(user)));
        }
        if is_cancelled && runs(user, "sleep") {
            wrong.push("it is cancelled, and a process of it lives".to_owned());
        }
        wrong
    },
    then: |user| again(user, &["cancel", &first(user)]),
    ends: &["cancelled"],
    at_last: |user| {
        let ended = states(user)[0].1.clone();
        if ended == "cancelled" { Vec::new() } else { vec![format!("what was cancelled is {ended}")] }
    },
    ..Scene::new("a cancel", Role::Changer, || {
        let user = User::new();
        let id = user.start_sh(&format!("{WITNESS}; sleep 1000 & exec sleep 1000"));
        user.line_in("ran");
        Set::new(user, &["cancel", &id])
    })
};

/// A job that waits for its time is ended before it began.
pub const CANCEL_QUEUED: Scene = Scene {
    answered: CANCEL.answered,
    then: CANCEL.then,
    ends: CANCEL.ends,
    at_last: |user| {
        let mut wrong = (CANCEL.at_last)(user);
        wrong.extend(user.path("ran").exists().then(|| "what was cancelled before it began ran".to_owned()));
        wrong
    },
    ..Scene::new("a cancel of a queued job", Role::Changer, || {
        let user = User::new();
        let id = user.start(["--delay", "1h", "--", "sh", "-c", WITNESS]);
        Set::new(user, &["cancel", &id])
    })
};

/// A running job is stopped, and resumed afterwards.
pub const PAUSE: Scene = Scene {
    answered: |user, traced| {
        let is_paused = !user.job(&first(user))["paused_at"].is_null();
        if traced.ran.code == 0 && !is_paused {
            return vec!["it said that it is done, and the job is not paused".to_owned()];
        }
        if traced.ran.out.ends_with(" paused\n") && !stands_still(user) {
            return vec!["it said that it is done, and the job does not stand still".to_owned()];
        }
        Vec::new()
    },
    then: |user| {
        let id = first(user);
        // Where it was committed, the tick has had it done.
        let is_paused = !user.job(&id)["paused_at"].is_null();
        if is_paused {
            until("the tick has had it stopped", || stands_still(user));
        }
        let wrong = if is_paused { again(user, &["resume", &id]) } else { Vec::new() };
        let went_on = let_go(user);
        wrong.into_iter().chain(went_on).collect()
    },
    ..Scene::new("a pause", Role::Changer, || {
        let (user, id) = held();
        Set::new(user, &["pause", &id])
    })
};

/// A job that is stopped goes on.
pub const RESUME: Scene = Scene {
    answered: |user, traced| {
        let is_paused = !user.job(&first(user))["paused_at"].is_null();
        if traced.ran.code == 0 && is_paused {
            return vec!["it said that it is done, and the job is still paused".to_owned()];
        }
        Vec::new()
    },
    then: PAUSE.then,
    ..Scene::new("a resume", Role::Changer, || {
        let (user, id) = held();
        user.ok(["pause", &id]);
        Set::new(user, &["resume", &id])
    })
};

/// Ended jobs are removed, with their logs.
pub const PRUNE: Scene = Scene {
    answered: |user, traced| {
        if traced.ran.code == 0 && !states(user).is_empty() {
            return vec![format!("it said that it is done, and there are {:?}", states(user))];
        }
        Vec::new()
    },
    then: |user| again(user, &["prune", "--all"]),
    at_last: |user| {
        // What is left are those that were run to look at the aftermath.
        if states(user).len() <= 2 {
            Vec::new()
        } else {
            vec![format!("not all are gone: {:?}", states(user))]
        }
    },
    ..Scene::new("a prune", Role::Changer, || {
        let user = User::new();
        for _ in 0..3 {
            let id = user.start_sh("echo out");
            assert_eq!(user.wait(&id), 0);
        }
        user.all_gone();
        Set::new(user, &["prune", "--all"])
    })
};

/// A job that waits for a person's answer gets it.
pub const APPROVE: Scene = Scene {
    answered: |user, traced| {
        if traced.ran.code == 0 && states(user)[0].1 == "waiting_approval" {
            return vec!["it said that it is done, and the job still waits".to_owned()];
        }
        let asked = states(user)[0].1 == "waiting_approval";
        if asked && user.path("ran").exists() {
            return vec!["it waits for approval, and ran".to_owned()];
        }
        Vec::new()
    },
    then: |user| {
        let id = first(user);
        if states(user)[0].1 == "waiting_approval" { again(user, &["approve", &id]) } else { Vec::new() }
    },
    ..Scene::new("an approval", Role::Changer, || {
        let user = User::new();
        configure(&user, "[approval]\nlocal = \"anyone\"\n");
        let id = user.start(["--quiet", "--approval", "local", "--", "sh", "-c", WITNESS]);
        Set::new(user, &["approve", &id])
    })
};

/// A job that waits for a person's answer is declined.
pub const DECLINE: Scene = Scene {
    answered: |user, traced| {
        if traced.ran.code == 0 && states(user)[0].1 == "waiting_approval" {
            return vec!["it said that it is done, and the job still waits".to_owned()];
        }
        Vec::new()
    },
    then: |user| {
        let id = first(user);
        if states(user)[0].1 == "waiting_approval" { again(user, &["decline", &id]) } else { Vec::new() }
    },
    ends: &["failed", "cancelled"],
    at_last: |user| {
        user.path("ran").exists().then(|| "what was declined ran".to_owned()).into_iter().collect()
    },
    ..Scene::new("a decline", Role::Changer, || {
        let set = (APPROVE.set)();
        let id = set.arguments[1].clone();
        Set::new(set.user, &["decline", &id])
    })
};

/// Whether the first job's main process is stopped (`proc_pid_stat(5)`, state `T`).
fn stands_still(user: &User) -> bool {
    let pid = user.recorded_pid(&first(user), "process");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

/// A job that has begun and waits until the test lets it go.
pub fn held() -> (User, String) {
    let user = User::new();
    let go = user.fifo("go");
    let id = user.start_sh(&format!("{WITNESS}; read word < '{}'", go.display()));
    user.line_in("ran");
    (user, id)
}

/// How long at most a job takes to go on after a tick. Its watcher looks by itself only after a minute.
const TOLD_MAX: Duration = Duration::from_secs(30);

/// Lets it go. Nobody is at the other end where the job has ended already. Gives what is wrong if it stood still although
/// it should not.
pub fn let_go(user: &User) -> Option<String> {
    let began = Instant::now();
    let gate = user.path("go");
    until("the job reads, or has ended", || told_to_go(&gate) || states(user)[0].1 != "running");
    // What stands still reads nothing.
    until("it has ended, or long stood still", || {
        states(user)[0].1 != "running" || began.elapsed() > TOLD_MAX
    });
    (began.elapsed() > TOLD_MAX).then(|| "it still stands still, although it was resumed".to_owned())
}
