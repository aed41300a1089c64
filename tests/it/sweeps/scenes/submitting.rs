//! What submits jobs.

use super::super::scene::{Role, Scene, Set, WITNESS, configure};
use super::{again, states};
use crate::support::User;

const START: [&str; 5] = ["start", "--", "sh", "-c", WITNESS];

/// The very first submission: there is no root yet.
pub const FIRST_START: Scene =
    Scene::new("the first start", Role::Submitter, || Set::new(User::new(), &START));

/// A submission into a root that has a job, its environment known.
pub const NEXT_START: Scene = Scene::new("a start", Role::Submitter, || {
    let user = User::new();
    let id = user.start_sh(WITNESS);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    Set::new(user, &START)
});

/// A submission that has to wait.
pub const QUEUED_START: Scene = Scene {
    then: |user| again(user, &["resume", "--group", "default"]),
    ..Scene::new("a start that waits", Role::Submitter, || {
        let user = User::new();
        user.ok(["pause", "--group", "default"]);
        Set::new(user, &START)
    })
};

/// Three jobs at once, one more than there are slots.
pub const BATCH: Scene = Scene {
    answered: |user, traced| {
        let printed = traced.ran.out.lines().count();
        let is_whole = traced.ran.code != 0 || (printed == 3 && states(user).len() == 3);
        if is_whole { Vec::new() } else { vec![format!("{printed} ids of a batch of 3 were printed")] }
    },
    at_last: |user| {
        let jobs = states(user).len();
        // Two more are submitted by whoever looks at the aftermath.
        if [2, 5].contains(&jobs) { Vec::new() } else { vec![format!("a part of a batch is there: {jobs}")] }
    },
    ..Scene::new("a batch", Role::Submitter, || {
        let user = User::new();
        std::fs::write(user.path("lines"), format!("{WITNESS}\n").repeat(3)).unwrap();
        Set::new(user, &["start", "--batch", "lines"])
    })
};

/// A job that failed is tried again, as a new one.
pub const RETRY: Scene = Scene {
    then: |user| {
        if states(user).iter().any(|(_, status)| status == "completed") {
            return Vec::new();
        }
        let failed = states(user)[0].0.clone();
        // What was submitted may still be about to run: then it is not done twice.
        if states(user).len() > 1 { Vec::new() } else { again(user, &["retry", &failed]) }
    },
    ends: &["failed"],
    at_last: |user| {
        let right = states(user).iter().filter(|(_, status)| status == "failed").count() == 1;
        if right { Vec::new() } else { vec![format!("only the first job failed: {:?}", states(user))] }
    },
    ..Scene::new("a retry", Role::Submitter, || {
        let user = User::new();
        configure(&user, "");
        let id = user.start_sh(&format!("{WITNESS}; test -e good"));
        assert_eq!(user.wait(&id), 1);
        user.all_gone();
        std::fs::write(user.path("good"), "").unwrap();
        Set::new(user, &["retry", &id])
    })
};
