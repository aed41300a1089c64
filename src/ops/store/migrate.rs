//! Giving the index its other form.

use super::Fault;
use crate::model::{config::StoreType, state::Status};
use crate::ops::{
    fault::Code,
    home::{BrokenConfig, Home},
};
use crate::os::clock::Clock;
use crate::store::{file::index, rebuild};
use std::path::PathBuf;
use std::time::Duration;

/// What came of it.
#[derive(Debug)]
pub struct Migrated {
    /// The index as it is now.
    pub path: PathBuf,
    /// The form that it had.
    pub from: StoreType,
    /// The form that it has.
    pub to: StoreType,
    /// How many jobs it has.
    pub jobs: usize,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Gives the index that form, with all that it says. Not while jobs run: their watchers would go on with the other one.
///
/// Doing it again does what may have been left undone.
pub fn migrate(to: StoreType) -> Result<Migrated, Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let wait_max = Duration::from_secs(home.config.store.lock_seconds_max);
    let (mut from, mut jobs) = (to, 0);
    rebuild::put(&home.root, wait_max, home.clock.now(), to, |form, facts| -> Result<_, Fault> {
        let running = facts.count(Status::Running);
        if running > 0 && form != to {
            let message =
                format!("{running} of its jobs run, and the index changes its form only while none does");
            return Err(Fault::new(Code::WrongState, message)
                .hint("bgctl pause --status queued lets nothing more start; bgctl wait --status running waits for what runs"));
        }
        (from, jobs) = (form, facts.len());
        Ok(())
    })?;
    Ok(Migrated { path: index::path(&home.root), from, to, jobs, warnings: home.warnings })
}
