//! What is swept: a root in some state, and the command that is hit.

use crate::support::User;
use bgctl::model::{
    bytes::Bytes,
    claim::{Claim, ExecutorName},
    event::Event,
    id::JobId,
    job::Job,
    spec::{Command, JobSpec},
    state::Change,
};
use bgctl::os::{
    clock::{Clock, SystemClock},
    ids::{IdSource, RandomIds},
    inherited::Inherited,
    site,
};
use bgctl::store::{Store, environments, json::JsonStore, root::Root};

/// A command that tells each of its executions apart: it appends its job and attempt to the file `ran`.
pub const WITNESS: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran";
/// The same, and it leaves a process behind.
const WITNESS_WITH_LEFTOVER: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran; sleep 1000 &";

/// What is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The very first submission: there is no root yet.
    FirstStart,
    /// A submission into a root that has a job, its environment known.
    NextStart,
    /// The watcher of a claimed job, and nothing else.
    WatcherOfOne,
    /// The watcher of a claimed job. Two more are queued: at the end it goes on with one itself and starts a watcher
    /// for the other.
    Watcher,
    /// The watcher of a job that leaves a process behind, which it has to end.
    WatcherOfLeftover,
}

/// A scene that is set.
pub struct Set {
    /// Whose.
    pub user: User,
    /// The arguments of `bgctl`.
    pub arguments: Vec<String>,
}

impl Scene {
    /// Sets the scene.
    pub fn set(self) -> Set {
        let user = User::new();
        let start = ["start", "--", "sh", "-c", WITNESS].map(str::to_owned).to_vec();
        match self {
            Self::FirstStart => Set { user, arguments: start },
            Self::NextStart => {
                let id = user.start_sh(WITNESS);
                assert_eq!(user.wait(&id), 0);
                user.all_gone();
                Set { user, arguments: start }
            }
            Self::WatcherOfOne => watched(user, &[WITNESS]),
            Self::Watcher => watched(user, &[WITNESS; 3]),
            Self::WatcherOfLeftover => watched(user, &[WITNESS_WITH_LEFTOVER]),
        }
    }

    /// How many jobs the index has before the hit command.
    pub fn jobs_before(self) -> usize {
        match self {
            Self::FirstStart => 0,
            Self::NextStart | Self::WatcherOfOne | Self::WatcherOfLeftover => 1,
            Self::Watcher => 3,
        }
    }

    /// Whether the hit process is a watcher: then a job may have ended unseen. A hit submitter is no reason for a job
    /// to end otherwise than it would have.
    pub fn hits_a_watcher(self) -> bool {
        matches!(self, Self::WatcherOfOne | Self::Watcher | Self::WatcherOfLeftover)
    }
}

/// Queues these scripts, claims the first, and leaves its watcher to be run.
fn watched(user: User, scripts: &[&str]) -> Set {
    let root = Root::open_or_create(&user.root()).unwrap();
    let bytes = |text: &std::ffi::OsStr| Bytes::try_from(text.to_owned()).unwrap();
    // As after a login, and with the root, by which the test finds what is left behind.
    let mut inherited = Inherited::capture(|_| true);
    inherited.variables.clear();
    inherited.set(bytes("PATH".as_ref()), bytes("/usr/local/bin:/usr/bin:/bin".as_ref()));
    inherited.set(bytes("BG_HOME".as_ref()), bytes(user.root().as_os_str()));
    let (env, _) = environments::save(&root, &inherited).unwrap();
    let now = SystemClock.now();
    let jobs: Vec<Job> = scripts
        .iter()
        .map(|script| {
            let argv = ["sh", "-c", *script].map(|word| bytes(word.as_ref())).to_vec();
            let mut spec = JobSpec::new(Command::Argv(argv), bytes(user.path("").as_os_str()));
            spec.env = Some(env.clone());
            Job::new(JobId::new(now, &RandomIds.draw()).unwrap(), spec, now)
        })
        .collect();
    let id = jobs[0].id.clone();
    JsonStore::new(&root)
        .transact(now, &mut |draft| {
            for job in &jobs {
                draft.push(Event::Submitted { job: Box::new(job.clone()) })?;
            }
            let claim = Claim { site: site::here().unwrap(), executor: ExecutorName::Local };
            draft.push(Event::Changed { id: id.clone(), change: Change::Claim { at: now, claim } })?;
            Ok(())
        })
        .unwrap();
    let arguments = ["__watch", user.root().to_str().unwrap(), id.as_str()].map(str::to_owned).to_vec();
    Set { user, arguments }
}
