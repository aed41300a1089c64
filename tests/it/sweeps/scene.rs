//! What is swept: a root in some state, the command that is hit, and what must be true of it then.
//!
//! The scenes themselves are in [`super::scenes`]; what is true of every one is in [`super::aftermath`].

use super::strace::Traced;
use crate::support::User;
use bgctl::model::{
    Timestamp,
    bytes::Bytes,
    claim::{Claim, ExecutorName},
    event::Event,
    facts::Draft,
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
use bgctl::store::{Store, environments, file::FileStore, root::Root};

/// A command that tells each of its executions apart: it appends its job and attempt to the file `ran`.
pub const WITNESS: &str = "echo \"$BG_JOB_ID $BG_ATTEMPT\" >> ran";

/// What is swept.
#[derive(Clone, Copy)]
pub struct Scene {
    /// What it is called in messages.
    pub name: &'static str,
    /// What the process is that is hit.
    pub role: Role,
    /// Sets it.
    pub set: fn() -> Set,
    /// What is wrong with an answer of success, looked at before anything else happens.
    pub answered: fn(&User, &Traced) -> Vec<String>,
    /// What its user does when the command has ended, so that everything comes to rest. Where the command was refused or
    /// killed, that is giving it again. Gives what is wrong with what that came to.
    pub then: fn(&User) -> Vec<String>,
    /// How its jobs may end, beside `completed`.
    pub ends: &'static [&'static str],
    /// What is wrong in the very end, beside what is wrong anywhere.
    pub at_last: fn(&User) -> Vec<String>,
}

/// What the process is that is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It submits jobs: all or none, and what it prints is their ids.
    Submitter,
    /// It watches jobs, which may then have ended unseen.
    Watcher,
    /// It changes jobs that are there.
    Changer,
    /// It works in the background, and nobody hears it.
    Worker,
}

/// A scene that is set.
pub struct Set {
    /// Whose.
    pub user: User,
    /// The arguments of `bgctl`.
    pub arguments: Vec<String>,
}

impl Scene {
    /// A scene of which nothing special is known.
    pub const fn new(name: &'static str, role: Role, set: fn() -> Set) -> Self {
        Self {
            name,
            role,
            set,
            answered: |_, _| Vec::new(),
            then: |_| Vec::new(),
            ends: &[],
            at_last: |_| Vec::new(),
        }
    }

    /// Whether a job may have ended otherwise than by itself. A hit submitter is no reason for that.
    pub fn may_fail(&self) -> bool {
        self.role == Role::Watcher
    }
}

impl Set {
    /// `bgctl` with these arguments, as this user.
    pub fn new(user: User, arguments: &[&str]) -> Self {
        Self { user, arguments: arguments.iter().map(|one| (*one).to_owned()).collect() }
    }
}

/// Writes the settings.
pub fn configure(user: &User, settings: &str) {
    user.make_root();
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
}

/// A root that is set by way of the library: what no command could leave behind so, or not at once.
pub struct Planted {
    /// The root.
    pub root: Root,
    /// Now.
    pub now: Timestamp,
    env: String,
    cwd: Bytes,
}

impl Planted {
    /// Into this user's root.
    pub fn of(user: &User) -> Self {
        let root = Root::open_or_create(&user.root()).unwrap();
        // As after a login, and with the root, by which the test finds what is left behind.
        let mut inherited = Inherited::capture(|_| true);
        inherited.variables.clear();
        inherited.set(bytes("PATH".as_ref()), bytes("/usr/local/bin:/usr/bin:/bin".as_ref()));
        inherited.set(bytes("BG_HOME".as_ref()), bytes(user.root().as_os_str()));
        let env = environments::save(&root, &inherited).unwrap().name;
        Self { root, now: SystemClock.now(), env, cwd: bytes(user.path("").as_os_str()) }
    }

    /// What a job is that runs this script.
    pub fn spec(&self, script: &str) -> JobSpec {
        let argv = ["sh", "-c", script].map(|word| bytes(word.as_ref())).to_vec();
        let mut spec = JobSpec::new(Command::Argv(argv), self.cwd.clone());
        spec.env = Some(self.env.clone());
        spec
    }

    /// A new job that is not to start before then.
    pub fn job(&self, spec: JobSpec, not_before: Option<Timestamp>) -> Job {
        let id = JobId::new(self.now, &RandomIds.draw()).unwrap();
        Job::not_before(id, spec, self.now, not_before)
    }

    /// Makes these jobs and whatever else the draft is given.
    pub fn commit(&self, jobs: &[Job], mut more: impl FnMut(&mut Draft)) {
        let submit = |draft: &mut Draft| {
            for job in jobs {
                draft.push(Event::Submitted { job: Box::new(job.clone()) })?;
            }
            more(draft);
            Ok(())
        };
        let mut submit = submit;
        FileStore::new(&self.root).transact(self.now, &mut submit).unwrap();
    }

    /// Gives the job a slot, and no watcher.
    pub fn claim(&self, draft: &mut Draft, id: &JobId) {
        let claim = Claim { site: site::here().unwrap(), executor: ExecutorName::Local };
        draft.push(Event::Changed { id: id.clone(), change: Change::Claim { at: self.now, claim } }).unwrap();
    }
}

fn bytes(text: &std::ffi::OsStr) -> Bytes {
    Bytes::try_from(text.to_owned()).unwrap()
}
