//! What watches jobs.

use super::super::scene::{Planted, Role, Scene, Set, WITNESS};
use crate::support::User;
use bgctl::model::spec::JobSpec;

/// It leaves a process behind.
const WITNESS_WITH_LEFTOVER: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran; sleep 1000 &";
/// Its first attempt fails.
const WITNESS_THAT_FAILS_FIRST: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran; test $BG_ATTEMPT -gt 1";

/// It writes some blocks more than the smallest limit of a log.
const WITNESS_THAT_WRITES: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran; head -c 300000 /dev/zero";

/// The watcher of a claimed job, and nothing else.
pub const WATCHER_OF_ONE: Scene = Scene::new("a watcher", Role::Watcher, || watched(&[WITNESS], |_| {}));

/// The watcher of a claimed job. Two more are queued: at the end it goes on with one itself and starts a watcher for the
/// other.
pub const WATCHER_OF_CHAIN: Scene =
    Scene::new("a watcher with a chain", Role::Watcher, || watched(&[WITNESS; 3], |_| {}));

/// The watcher of a job that leaves a process behind, which it has to end.
pub const WATCHER_OF_LEFTOVER: Scene =
    Scene::new("a watcher with a leftover", Role::Watcher, || watched(&[WITNESS_WITH_LEFTOVER], |_| {}));

/// The watcher of a job that fails, and is tried again at once.
pub const WATCHER_OF_RETRIED: Scene = Scene::new("a watcher with an attempt to come", Role::Watcher, || {
    watched(&[WITNESS_THAT_FAILS_FIRST], |spec| {
        spec.retry.attempts_max = 3;
        spec.retry.delay_seconds = 0;
    })
});

/// The watcher of a job that writes more than its log may have.
pub const WATCHER_OF_CAPPED_LOG: Scene = Scene::new("a watcher with a capped log", Role::Watcher, || {
    watched(&[WITNESS_THAT_WRITES], |spec| {
        spec.limits.log.bytes = Some(64 * 1024);
    })
});

/// Queues these scripts, claims the first, and leaves its watcher to be run.
fn watched(scripts: &[&str], set: impl Fn(&mut JobSpec)) -> Set {
    let user = User::new();
    let planted = Planted::of(&user);
    let jobs: Vec<_> = scripts
        .iter()
        .map(|script| {
            let mut spec = planted.spec(script);
            set(&mut spec);
            planted.job(spec, None)
        })
        .collect();
    planted.commit(&jobs, |draft| planted.claim(draft, &jobs[0].id));
    let (root, id) = (user.root().display().to_string(), jobs[0].id.as_str());
    Set::new(user, &["__watch", &root, id])
}
