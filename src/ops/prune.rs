//! Retention by hand: what may go, goes.

use super::{
    fault::Fault,
    home::{BrokenConfig, Home},
};
use crate::model::job::Job;
use crate::store::Store;

/// What went, or would go.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The jobs, as they were.
    pub jobs: Vec<Job>,
    /// What was decided, for those who want to see it.
    pub decided: crate::pass::Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Removes what retention lets go, or says what it would remove.
pub fn prune(dry_run: bool) -> Result<Pruned, Fault> {
    // Where there is no root, there is nothing to remove.
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Pruned::default()) };
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let ids = pass.retained_no_longer()?;
    let facts = store.read()?;
    let mut jobs = Vec::new();
    for id in &ids {
        jobs.extend(facts.job(id)?);
    }
    let decided = if dry_run { crate::pass::Decided::default() } else { pass.remove(&home.root, &ids)? };
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings.iter().cloned());
    Ok(Pruned { jobs, decided, warnings })
}
