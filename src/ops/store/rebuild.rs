//! Making an index anew: from what can still be read of the damaged one, and from run files for the jobs whose entries
//! are lost.
//!
//! All is read and decided under the index's lock, so that no end is committed in between. A watcher that lives notices
//! nothing but that its end, which it could not write, can be written again: its job is there, running, in the same attempt.

use super::{
    Condition, condition, not_needed,
    remake::{self, remake},
    told::{self, Stream},
};
use crate::model::{
    config::StoreType,
    facts::{Facts, Salvaged, salvage, salvage_lines},
    id::JobId,
    job::Job,
    state::Status,
};
use crate::ops::{
    fault::Fault,
    home::{BrokenConfig, Home},
    schedule::file,
};
use crate::os::clock::Clock;
use crate::plan::recur;
use crate::store::{Store, StoreError, file::index, rebuild};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// What came of it.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// The index.
    pub path: PathBuf,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// What was wrong with it, in words.
    pub was: String,
    /// Where the damaged one is kept; none where there was none, or in a dry run.
    pub kept: Option<PathBuf>,
    /// How many entries were read from it.
    pub salvaged: usize,
    /// The jobs that came from run files, as they are now.
    pub from_files: Vec<Job>,
    /// The tables of which something could not be read.
    pub torn_tables: Vec<&'static str>,
    /// The jobs that are known to have been there, and of which nothing but this is left.
    pub lost: Vec<Lost>,
    /// The schedules that are known to have been there, and of which nothing is left. What the settings file defines comes back
    /// with the next tick.
    pub lost_schedules: Vec<String>,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// A job that is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Its id.
    pub id: JobId,
    /// Its name, where that is known.
    pub name: Option<String>,
    /// Its state as it was mentioned last, where that is known.
    pub status: Option<Status>,
}

/// Makes the index anew, or says what would come of it.
pub fn rebuild(dry_run: bool) -> Result<Rebuilt, Fault> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else {
        return Err(not_needed("there are no jobs here, and nothing of any: nothing to rebuild"));
    };
    let mut rebuilt = Rebuilt { dry_run, ..Rebuilt::default() };
    let now = home.clock.now();
    if dry_run {
        let (form, text) = rebuild::read(&home.root)?;
        make(&home, form, text.as_deref(), &mut rebuilt)?;
    } else {
        let wait_max = Duration::from_secs(home.config.store.lock_seconds_max);
        rebuilt.kept = rebuild::replace(&home.root, wait_max, now, |form, text| -> Result<_, Fault> {
            make(&home, form, text, &mut rebuilt).map(Some)
        })?;
    }
    rebuilt.path = index::path(&home.root);
    rebuilt.warnings = home.warnings;
    Ok(rebuilt)
}

/// The jobs that somebody watches although a sound index does not have them. What has just ended is watched for a moment
/// longer, so that the index is read after the looks.
pub fn watched_without_entry(home: &Home) -> Result<Vec<JobId>, Fault> {
    let Some(runs) = home.root.existing_runs()? else { return Ok(Vec::new()) };
    let mut ids = remake::ids(runs);
    ids.retain(|id| remake::is_watched(runs, id));
    let facts = home.store().read()?;
    ids.retain(|id| facts.head(id).is_none());
    // Whoever watched a job that has been removed since is gone in a moment.
    ids.retain(|id| remake::is_watched(runs, id));
    Ok(ids)
}

fn make(home: &Home, form: StoreType, text: Option<&[u8]>, rebuilt: &mut Rebuilt) -> Result<Facts, Fault> {
    let condition = condition(&home.root, form, text)?;
    let refused = |reason| StoreError::Unreadable { path: index::path(&home.root), reason };
    let salvage = if form == StoreType::Lines { salvage_lines } else { salvage };
    let salvaged = salvage(text.unwrap_or_default()).map_err(refused)?;
    let stream = told::of(&home.store().told(0).unwrap_or_default());
    let wanted = match &condition {
        Condition::Sound(_) => Wanted::Watched,
        Condition::Missing | Condition::Damaged(_) => Wanted::All,
    };
    let from_files = from_files(home, &salvaged, &stream, wanted)?;
    rebuilt.was = match condition {
        Condition::Sound(_) if from_files.is_empty() => {
            return Err(not_needed("the index is sound; there is nothing to rebuild")
                .hint("bgctl store check looks at it closely"));
        }
        Condition::Missing if from_files.is_empty() => {
            return Err(not_needed("there is no index, and there are no run files to make one from"));
        }
        Condition::Sound(_) => "it does not have jobs that run".to_owned(),
        Condition::Missing => "it was not there".to_owned(),
        Condition::Damaged(damage) => damage,
    };
    rebuilt.salvaged = salvaged.entries.len();
    rebuilt.torn_tables.clone_from(&salvaged.torn_tables);
    let torn = salvaged.torn.clone();
    let facts = salvaged.into_facts(from_files.clone(), stream.last).map_err(refused)?;
    if wanted == Wanted::All {
        rebuilt.lost = lost(&facts, &torn, &stream);
        rebuilt.lost_schedules = lost_schedules(home, &facts, &stream);
    }
    rebuilt.from_files = from_files;
    Ok(facts)
}

/// Which jobs are looked for in run files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Every one.
    All,
    /// Those that somebody watches. Beside a sound index, others were removed, or belong to one that was moved away.
    Watched,
}

fn from_files(
    home: &Home,
    salvaged: &Salvaged,
    stream: &Stream,
    wanted: Wanted,
) -> Result<Vec<Job>, StoreError> {
    let Some(runs) = home.root.existing_runs()? else { return Ok(Vec::new()) };
    let there: BTreeSet<&JobId> = salvaged.entries.iter().map(|(job, _)| &job.id).collect();
    let removed: BTreeSet<&JobId> = stream.removed.iter().collect();
    let mut ids = remake::ids(runs);
    ids.retain(|id| !there.contains(id) && !removed.contains(id));
    if wanted == Wanted::Watched {
        ids.retain(|id| remake::is_watched(runs, id));
    }
    let mut jobs: Vec<Job> =
        ids.iter().filter_map(|id| remake(home, runs, id, stream.jobs.get(id))).collect();
    jobs.sort_by_key(|job| job.created_at);
    Ok(jobs)
}

fn lost_schedules(home: &Home, facts: &Facts, stream: &Stream) -> Vec<String> {
    let built_in = recur::built_in(&home.config.recurring);
    let comes_back =
        |name: &str| built_in.iter().any(|(known, _)| *known == name) || file::is_of_file(home, name);
    let is_lost = |name: &&String| !facts.schedules().contains_key(*name) && !comes_back(name);
    stream.schedules.iter().filter(is_lost).cloned().collect()
}

fn lost(facts: &Facts, torn: &[JobId], stream: &Stream) -> Vec<Lost> {
    let told = stream.jobs.iter().map(|(id, told)| Lost {
        id: id.clone(),
        name: told.name.clone(),
        status: Some(told.status),
    });
    let torn = torn.iter().filter(|id| !stream.jobs.contains_key(id));
    let torn = torn.map(|id| Lost { id: id.clone(), name: None, status: None });
    told.chain(torn).filter(|lost| facts.head(&lost.id).is_none()).collect()
}
