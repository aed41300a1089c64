//! A pass from outside: what cron calls every minute, and all the supervision there is.

use super::{
    fault::Fault,
    home::{BrokenConfig, Home},
};
use crate::model::claim::ExecutorName;
use crate::os::clock::Clock;
use crate::pass::Decided;
use crate::plan::Scope;
use crate::store::{Store, environments};

/// Makes a whole pass with retention, or says what it would do.
pub fn tick(executor: ExecutorName, dry_run: bool) -> Result<Decided, Fault> {
    // Where there is no root, there is nothing to do.
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Decided::default()) };
    let store = home.store();
    let executor = home.executor(executor);
    let pass = home.pass(&store, executor.as_ref());
    let mut decided = if dry_run { pass.foresee()? } else { pass.advance(Scope::Whole, &mut |_| Ok(()))? };
    let ids = pass.retained_no_longer()?;
    if dry_run {
        decided.events.extend(ids.into_iter().map(|id| crate::model::event::Event::Removed { id }));
    } else if !ids.is_empty() {
        let removed = pass.remove(&home.root, &ids)?;
        decided.events.extend(removed.events);
        decided.warnings.extend(removed.warnings);
    }
    // Logs of jobs that stay; those of jobs that went are gone.
    match if dry_run { pass.too_much(&home.root) } else { pass.shed(&home.root) } {
        Ok(ids) => decided.emptied_logs = ids,
        Err(error) => decided.warnings.push(error.to_string()),
    }
    if !dry_run
        && let Err(error) =
            store.read().and_then(|facts| environments::tidy(&home.root, &store, &facts, home.clock.now()))
    {
        decided.warnings.push(error.to_string());
    }
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    Ok(decided)
}
