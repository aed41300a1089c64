//! A pass from outside: what cron calls every minute, and all the supervision there is.

use super::{
    fault::Fault,
    home::{BrokenConfig, Home},
};
use crate::model::claim::ExecutorName;
use crate::pass::Decided;
use crate::plan::Scope;

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
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    Ok(decided)
}
