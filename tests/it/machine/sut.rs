//! The program under test: a real store, real passes and real decisions, with a clock that stands still and an executor that only
//! writes down what it is told.
//!
//! The commands of `ops` themselves bring the system's clock, the JSON store and the local executor along; what is theirs
//! alone, between the typed request and the pass, is done again in [`super::commands`] with the functions that they are made of.

use super::executor::{Recording, Stopped};
use super::model::{Model, Refusal, Said, Sight, settings};
use super::place::Place;
use super::step::{Asks, Command, Shape, Step};
use super::witness::{Memory, Witness};
use bgctl::model::{
    approval::{Gate, On},
    bytes::Bytes,
    config::Config,
    facts::Facts,
    id::{ALPHABET, JobId},
    key::Key,
    limit::{Limit, Source},
    retry::{Codes, Retry},
    spec::{Command as Line, JobSpec},
};
use bgctl::pass::Pass;
use bgctl::plan::pick;
use bgctl::store::{Store, root::Root};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Why a command came to nothing.
#[derive(Debug)]
pub enum Fault {
    Refused(Refusal),
    Store,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The program, and what is around it.
pub struct Sut<P> {
    pub place: P,
    root: PathBuf,
    pub clock: Stopped,
    pub executor: Recording,
    pub config: Config,
    /// The jobs by their numbers.
    pub ids: RefCell<Vec<JobId>>,
    drawn: Cell<u32>,
    pub memory: Memory,
    _folder: tempfile::TempDir,
}

/// What one command works with: what a process of its own would have.
pub struct Visit<'a> {
    pub root: &'a Root,
    pub store: &'a dyn Store,
    pub pass: Pass<'a, Stopped>,
}

impl<P: Place> Sut<P> {
    pub fn new() -> Self {
        // Where there is one, a disk that is none: a sync costs nothing there, and no power cut is tried here.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let root = folder.path().join("root");
        Self {
            place: P::new(&root),
            root,
            clock: Stopped::default(),
            executor: Recording::new(),
            config: config(),
            ids: RefCell::default(),
            drawn: Cell::default(),
            memory: Memory::default(),
            _folder: folder,
        }
    }

    /// Does a step, and gives what it came to.
    pub fn take(&self, step: &Step, model: &Model) -> Said {
        self.clock.set(model.now);
        self.executor.launching.set(model.launching);
        self.executor.launched.borrow_mut().clear();
        match &step.command {
            Command::Wait(_) | Command::Launches(_) => return Said::Did(Vec::new()),
            Command::Loses(number, sight) => {
                let sight = match sight {
                    Sight::Recorded { exit, .. } => Sight::Recorded { exit: exit.clone(), at: model.now },
                    other => other.clone(),
                };
                self.executor.sights.borrow_mut().insert(self.id(*number), sight);
                return Said::Did(Vec::new());
            }
            _ => {}
        }
        let mut said = Err(Fault::Store);
        self.visit(step.is_unwritten, &mut |visit| said = self.command(visit, &step.command));
        match said {
            Ok(words) => Said::Did(words),
            Err(Fault::Refused(refusal)) => Said::Refused(refusal),
            Err(Fault::Store) => Said::NotWritten,
        }
    }

    /// Opens the root and the store, as each process does.
    pub fn visit(&self, is_unwritten: bool, visitor: &mut dyn FnMut(&Visit<'_>)) {
        let root = Root::open_or_create(&self.root).unwrap();
        let refuses = is_unwritten && self.place.refuse(&root, true);
        self.place.visit(&root, &mut |store| {
            let slots = |facts: &Facts, group: &str| pick::slots(facts, &self.config, group);
            let fails = is_unwritten && !refuses;
            let claimed = |id: &JobId| drop(self.executor.sights.borrow_mut().remove(id));
            let store = Witness { store, memory: &self.memory, slots: &slots, claimed: &claimed, fails };
            let (executor, clock, config) = (&self.executor, &self.clock, &self.config);
            let pass = Pass { store: &store, executor, clock, config, definitions: None, polled_at: None };
            visitor(&Visit { root: &root, store: &store, pass });
        });
        if refuses {
            self.place.refuse(&root, false);
        }
    }

    /// Learns the numbers of new jobs, in the order of the index, and forgets what was seen of those that do not run.
    pub fn learn(&self, facts: &Facts) {
        let mut ids = self.ids.borrow_mut();
        let known: HashSet<JobId> = ids.iter().cloned().collect();
        ids.extend(facts.heads().map(|head| head.id.clone()).filter(|id| !known.contains(id)));
        let running: HashSet<JobId> = facts.running().map(|job| job.id.clone()).collect();
        self.executor.sights.borrow_mut().retain(|id, _| running.contains(id));
    }

    /// The id of a job; one that nobody has for a number that is none.
    pub fn id(&self, number: usize) -> JobId {
        let nobody = || JobId::parse("bg_20260101_nobody").unwrap();
        self.ids.borrow().get(number).cloned().unwrap_or_else(nobody)
    }

    pub fn number(&self, id: &JobId) -> usize {
        self.ids.borrow().iter().position(|one| one == id).expect("every job has a number")
    }

    /// An id that was not drawn before.
    pub fn draw(&self) -> JobId {
        self.drawn.set(self.drawn.get() + 1);
        let letter = |place: u32| ALPHABET[(self.drawn.get() / 31_u32.pow(place) % 31) as usize];
        JobId::new(Stopped::at(0), &(0..6).map(letter).collect::<String>()).unwrap()
    }

    /// What is submitted, but for those that it waits for.
    pub fn spec(shape: &Shape) -> JobSpec {
        let mut spec = JobSpec::new(Line::Line("true".into()), Bytes::try_from("/").unwrap());
        spec.priority = shape.priority;
        spec.group = (shape.group != "default").then(|| shape.group.to_owned());
        spec.key = shape.key.map(|(key, ttl_seconds)| Key { text: format!("key {key}"), ttl_seconds });
        let (delay_seconds, delay_seconds_max) = shape.retry_delay;
        let codes = shape.is_choosy.then(|| Codes::parse("75,124,137").unwrap());
        spec.retry = Retry { attempts_max: shape.attempts_max, delay_seconds, delay_seconds_max, codes };
        spec.service = shape.is_service;
        spec.gate = shape.gate.map(|Asks { ttl_seconds }| Gate {
            on: On::Local,
            ttl_seconds,
            hash: "hash".to_owned(),
        });
        spec.limits.stale_after = Limit { seconds: Some(settings::STALE_SECONDS), source: Source::Flag };
        spec
    }
}

/// The settings: small bounds, so that each of them is reached.
fn config() -> Config {
    let mut config = Config { slots: settings::SLOTS, ..Config::default() };
    config.groups.insert("g".to_owned(), settings::SLOTS_OF_G);
    config.queue.jobs_max = settings::QUEUE_MAX;
    config.queue.threshold_percent = settings::THRESHOLD_PERCENT;
    let seconds = |milliseconds: i64| (milliseconds / 1_000).unsigned_abs();
    config.retention.jobs_max = settings::JOBS_KEPT;
    config.retention.age_seconds_max = Some(seconds(settings::AGE_MAX));
    config.retention.age_seconds_min = seconds(settings::AGE_MIN);
    config.dead_letters.jobs_max = settings::DEAD_KEPT;
    config.dead_letters.age_seconds_max = Some(seconds(settings::DEAD_AGE_MAX));
    config.recurring.runs_kept = settings::RUNS_KEPT;
    let (first, factor, most) = settings::RESTART;
    config.recurring.restart_seconds = seconds(first);
    config.recurring.restart_factor = factor.unsigned_abs();
    config.recurring.restart_seconds_max = seconds(most);
    // Which of two schedules comes first must not be up to chance: their runs are told apart by their order.
    config.recurring.restart_jitter_percent = 0;
    config.recurring.retention_seconds = seconds(settings::CHORES_EVERY);
    config.recurring.idempotency_cleanup_seconds = seconds(settings::CHORES_EVERY);
    // A warning changes nothing that the model knows.
    config.approval.warning_seconds = None;
    config
}
