//! Everything about a job.

use super::{
    fault::Fault,
    find::{find, home_of},
    list::{Row, observe},
};
use crate::exec::local::meta::Meta;
use crate::model::outcome::Leftover;
use crate::os::{clock::Clock, process::Identity};
use crate::plan::pick::{self, Waits};
use crate::store::{
    Store,
    root::{log_name, meta_name},
};
use std::path::PathBuf;

const META_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A job in full.
#[derive(Debug)]
pub struct Report {
    /// The job and what was seen of it.
    pub row: Row,
    /// Why it waits, while it is queued.
    pub waits: Option<Waits>,
    /// Its log.
    pub log: PathBuf,
    /// The log's size; `None` where there is none.
    pub log_bytes: Option<u64>,
    /// Its execution snapshot, once there is one.
    pub meta: Option<Meta>,
    /// Leftovers that were left running and still do.
    pub still_running: Vec<Leftover>,
}

/// Reports on jobs, in the order asked.
pub fn status(jobs: &[String]) -> Result<(Vec<Report>, Vec<String>), Fault> {
    let home = home_of(jobs)?;
    let facts = home.store().read()?;
    let mut reports = Vec::new();
    for text in jobs {
        let id = find(&facts, text)?;
        let Some(job) = facts.job(&id)? else { continue };
        let log = home.root.run_file(&log_name(&id)).ok().flatten();
        let log_bytes = log.and_then(|file| Some(file.metadata().ok()?.len()));
        let runs = home.root.existing_runs()?;
        let meta = runs.and_then(|runs| runs.read(&meta_name(&id), META_BYTES_MAX).ok().flatten());
        let waits = pick::why_it_waits(&facts, &id, home.clock.now(), &home.config, &home.site)?;
        let left = job.end().and_then(|end| end.outcome.as_ref()).filter(|outcome| outcome.leftovers_left);
        let lives = |left: &&Leftover| Identity { pid: left.pid, start: left.start }.is_alive();
        let still_running = left.map(|outcome| outcome.leftovers.iter().filter(lives).cloned().collect());
        reports.push(Report {
            row: Row { observed: observe(&home, &job), job },
            waits,
            log: home.root.run_file_path(&log_name(&id)),
            log_bytes,
            meta: meta.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
            still_running: still_running.unwrap_or_default(),
        });
    }
    Ok((reports, home.warnings.clone()))
}
