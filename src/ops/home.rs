//! What every use case stands on: the root, the settings, the site and the clocks of this process.

use super::fault::{Code, Fault, bad_config};
use crate::exec::{Executor, dry_run::DryRun, local::Local};
use crate::model::{
    claim::{ExecutorName, Relation, Site},
    config::Config,
    job::Job,
};
use crate::os::{clock::SystemClock, site};
use crate::pass::Pass;
use crate::store::{
    json::JsonStore,
    root::{CONFIG, Root, locate},
};
use std::path::{Path, PathBuf};

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
}

/// Where the root of this process is.
pub fn root_path() -> Result<PathBuf, Fault> {
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
        let config = match read_config(&root) {
            Ok(config) => config,
            Err(fault) if broken == BrokenConfig::Stops => return Err(fault),
            Err(fault) => {
                warnings.push(format!("the built-in settings hold until this is mended: {}", fault.message));
                Config::default()
            }
        };
        let site = site::here().map_err(|error| {
            Fault::new(Code::Failed, format!("could not tell this machine and boot: {error}"))
        })?;
        Ok(Self { root, config, site, clock: SystemClock, warnings })
    }

    /// The settings as the file has them now; a broken file leaves those that were read before.
    pub fn current_config(&self) -> Config {
        read_config(&self.root).unwrap_or_else(|_| self.config.clone())
    }

    /// How the site of a running job's claim relates to this one; `None` where nobody claimed it.
    pub fn relation(&self, job: &Job) -> Option<Relation> {
        job.run()?.claim.as_ref().map(|claim| self.site.relation(&claim.site))
    }

    /// The index.
    pub fn store(&self) -> JsonStore<'_> {
        JsonStore::new(&self.root)
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
    pub fn pass<'a>(&'a self, store: &'a JsonStore<'a>, executor: &'a dyn Executor) -> Pass<'a, SystemClock> {
        Pass { store, executor, clock: &self.clock, config: &self.config }
    }
}

fn read_config(root: &Root) -> Result<Config, Fault> {
    let path = root.path().join(CONFIG);
    let failed = |error: &dyn std::fmt::Display| {
        Fault::new(Code::Config, format!("could not read {}: {error}", path.display()))
    };
    let Some(bytes) = root.folder().read(CONFIG, CONFIG_BYTES_MAX).map_err(|error| failed(&error))? else {
        return Ok(Config::default());
    };
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8"))?;
    Config::parse(&text).map_err(|error| bad_config(&path, &error))
}
