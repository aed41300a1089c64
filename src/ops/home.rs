//! What every use case stands on: the root, the settings, the site and the clocks of this process.

use super::fault::{Code, Fault, without_number};
use crate::exec::{Executor, dry_run::DryRun, local::Local};
use crate::model::{
    Timestamp,
    claim::{ExecutorName, Relation, Site},
    config::{self, Config, Lines, Loaded, Mistake, Mistakes},
    job::Job,
};
use crate::os::{clock::SystemClock, site};
use crate::pass::Pass;
use crate::store::{
    file::{FileStore, Keeping, Waiting},
    root::{CONFIG, LAST_POLL, Root, locate},
};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::time::Duration;

/// Largest settings file that is read.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// What a broken settings file means to a use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenConfig {
    /// It stops: what starts now would run under other settings than its user wrote down.
    Stops,
    /// It is said, and the built-in values hold: what runs must go on being watched and ended.
    Warns,
}

/// What every use case stands on.
#[derive(Debug)]
pub struct Home {
    /// The root folder.
    pub root: Root,
    /// The settings in force.
    pub config: Config,
    /// This machine, boot and namespace.
    pub site: Site,
    /// The system's clocks.
    pub clock: SystemClock,
    /// What the user should be told.
    pub warnings: Vec<String>,
    /// Whether the settings file could be read; else the built-in settings hold.
    has_sound_config: bool,
}

/// Where the root of this process is.
pub fn root_path() -> Result<PathBuf, Fault> {
    Ok(root_and_variable()?.0)
}

/// Where the root of this process is, and the variable that says so.
pub fn root_and_variable() -> Result<(PathBuf, &'static str), Fault> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    Ok(locate(|name| std::env::var_os(name), &cwd)?)
}

impl Home {
    /// Opens the root that the environment names, making it where it is missing.
    pub fn open(broken: BrokenConfig) -> Result<Self, Fault> {
        Self::open_at(&root_path()?, broken)
    }

    /// Opens this root.
    pub fn open_at(path: &Path, broken: BrokenConfig) -> Result<Self, Fault> {
        Self::of(Root::open_or_create(path)?, broken)
    }

    /// Opens the root that the environment names for reading. `None`: there is none, which is the same as an empty one.
    pub fn open_existing(broken: BrokenConfig) -> Result<Option<Self>, Fault> {
        Root::open(&root_path()?)?.map(|root| Self::of(root, broken)).transpose()
    }

    fn of(root: Root, broken: BrokenConfig) -> Result<Self, Fault> {
        let mut warnings = Vec::new();
        let mut has_sound_config = true;
        let config = match settings(&root).map_err(Fault::from) {
            Ok(loaded) => loaded.config,
            Err(fault) if broken == BrokenConfig::Stops => return Err(fault),
            Err(fault) => {
                has_sound_config = false;
                warnings.push(format!("the built-in settings hold until this is mended: {}", fault.message));
                Config::default()
            }
        };
        root.set_durability(config.store.durability);
        let site = site::here().map_err(|error| {
            Fault::new(Code::Failed, format!("could not tell this machine and boot: {error}"))
        })?;
        Ok(Self { root, config, site, clock: SystemClock, warnings, has_sound_config })
    }

    /// Whether the settings are those of the file.
    pub fn has_sound_config(&self) -> bool {
        self.has_sound_config
    }

    /// The settings as the file has them now; a broken file leaves those that were read before.
    pub fn current_config(&self) -> Config {
        settings(&self.root).map_or_else(|_| self.config.clone(), |loaded| loaded.config)
    }

    /// Goes on with these settings.
    pub fn go_on_with(&mut self, config: Config) {
        self.root.set_durability(config.store.durability);
        self.config = config;
    }

    /// Reads the settings anew. Broken ones leave those that were read before, and are among the warnings.
    pub fn reread(&mut self) {
        self.warnings.clear();
        match settings(&self.root).map_err(Fault::from) {
            Ok(loaded) => self.go_on_with(loaded.config),
            Err(fault) => {
                let message = fault.message;
                self.warnings
                    .push(format!("the settings that were read before hold until this is mended: {message}"));
            }
        }
        self.has_sound_config = self.warnings.is_empty();
    }

    /// How the site of a running job's claim relates to this one; `None` where nobody claimed it.
    pub fn relation(&self, job: &Job) -> Option<Relation> {
        job.run()?.claim.as_ref().map(|claim| self.site.relation(&claim.site))
    }

    /// The index.
    pub fn store(&self) -> FileStore<'_> {
        let seconds = Duration::from_secs;
        FileStore::new(&self.root)
            .waiting(Waiting {
                lock_max: seconds(self.config.store.lock_seconds_max),
                poll_interval: seconds(self.config.poll_seconds),
            })
            .keeping(Keeping { form: self.config.store.form, lines_max: self.config.store.lines_max })
            .hooking(self.config.hooks.set())
    }

    /// When GitHub was asked last.
    pub fn polled_at(&self) -> Option<Timestamp> {
        self.root.folder().modified(LAST_POLL).ok().flatten().map(Timestamp::from)
    }

    /// What runs jobs here.
    pub fn local(&self) -> Local<'_, SystemClock> {
        Local { root: &self.root, site: &self.site, clock: &self.clock, orphan_watchers: false }
    }

    /// The executor of that name.
    pub fn executor(&self, name: ExecutorName) -> Box<dyn Executor + '_> {
        match name {
            ExecutorName::Local => Box::new(self.local()),
            ExecutorName::DryRun => Box::new(DryRun { site: &self.site, clock: &self.clock }),
        }
    }

    /// A pass over that store with that executor.
    pub fn pass<'a>(&'a self, store: &'a FileStore<'a>, executor: &'a dyn Executor) -> Pass<'a, SystemClock> {
        let polled_at = self.polled_at();
        Pass { store, executor, clock: &self.clock, config: &self.config, definitions: None, polled_at }
    }
}

/// Why the settings file cannot be used.
#[derive(Debug)]
pub struct BadSettings {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: WhyBad,
}

/// Why a settings file cannot be used.
#[derive(Debug)]
pub enum WhyBad {
    /// The system does not give it, or it is no file of ours.
    Unreadable(String),
    /// What it says is wrong.
    Wrong(Mistakes),
}

impl From<BadSettings> for Fault {
    fn from(BadSettings { path, why }: BadSettings) -> Self {
        let path = path.display();
        Self::new(
            Code::Config,
            match why {
                WhyBad::Unreadable(why) => format!("could not read {path}: {why}"),
                WhyBad::Wrong(mistakes) => format!("{path}:{mistakes}"),
            },
        )
    }
}

/// The settings as a root's file has them; the built-in ones where there is none.
pub fn settings(root: &Root) -> Result<Loaded, BadSettings> {
    let bad = |why| BadSettings { path: root.path().join(CONFIG), why };
    let read = root.folder().read(CONFIG, CONFIG_BYTES_MAX);
    let read = read.map_err(|error| bad(WhyBad::Unreadable(without_number(&error.to_string()))))?;
    let Some(bytes) = read else { return Ok(Loaded::default()) };
    let text = String::from_utf8(bytes).map_err(|error| bad(WhyBad::Wrong(not_utf8(&error))))?;
    config::read(&text).map_err(|mistakes| bad(WhyBad::Wrong(mistakes)))
}

fn not_utf8(error: &FromUtf8Error) -> Mistakes {
    let good = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..good]);
    let (line, column) = Lines::of(&before).place_of(good);
    Mistakes::one(Mistake { line, column, key: None, problem: "is not UTF-8".to_owned() })
}
