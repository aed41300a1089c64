//! A pass from outside: what cron calls every minute, and all the supervision there is.

use super::{
    fault::Fault,
    health,
    home::{BrokenConfig, Home},
    report::{Reporter, Told},
    schedule::file,
};
use crate::model::{
    claim::ExecutorName,
    event::Event,
    health::{LastRun, RunResult},
    schedule::{RETENTION, ScheduleChange},
};
use crate::os::clock::Clock;
use crate::pass::{Decided, PassError};
use crate::plan::{Action, Scope};
use crate::store::{Store, environments, root::LAST_TICK};

/// Makes a whole pass with what recurs, or says what it would do.
pub fn tick(executor: ExecutorName, dry_run: bool) -> Result<Decided, Fault> {
    // Where there is no root, there is nothing to do.
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Decided::default()) };
    let mut decided = tick_at(&home, executor, dry_run)?;
    decided.warnings.splice(0..0, home.warnings.iter().cloned());
    Ok(decided)
}

/// A tick, and what failed for good since the last report.
#[derive(Debug, Default)]
pub struct Ticked {
    /// What the tick did.
    pub decided: Decided,
    /// What failed.
    pub told: Vec<Told>,
}

/// Makes a tick, and has told what failed for good since the last report; what stands in the way is said once a day only,
/// so that a mail for each tick does not hide the others. `tell` says whether that could be told: else it is told again.
pub fn tick_and_report(
    executor: ExecutorName,
    tell: &mut dyn FnMut(&Ticked) -> Result<(), Fault>,
) -> Result<(), Unwell> {
    let Some(home) = Home::open_existing(BrokenConfig::Warns).map_err(Unwell::told)? else {
        return tell(&Ticked::default()).map_err(Unwell::told);
    };
    let reporter = Reporter::open(&home).map_err(Unwell::told)?;
    // Somebody else reports: what is told now would be told twice.
    let Some(mut reporter) = reporter else {
        let mut decided = tick_at(&home, executor, false).map_err(Unwell::told)?;
        decided.warnings.clear();
        return tell(&Ticked { decided, told: Vec::new() }).map_err(Unwell::told);
    };
    let looked = tick_at(&home, executor, false).and_then(|mut decided| {
        decided.warnings.splice(0..0, home.warnings.iter().cloned());
        let (told, notes) = reporter.look(&home)?;
        decided.warnings.extend(notes);
        Ok(Ticked { decided, told })
    });
    let now = home.clock.now();
    match looked {
        Ok(mut ticked) => {
            ticked.decided.warnings = reporter.unsaid(&ticked.decided.warnings, now);
            tell(&ticked).map_err(Unwell::told)?;
            reporter.confirm(&home).map_err(Unwell::told)
        }
        Err(fault) => {
            let is_new = !reporter.unsaid(std::slice::from_ref(&fault.message), now).is_empty();
            let _ = reporter.confirm(&home);
            Err(Unwell { fault, is_new })
        }
    }
}

/// A tick that failed.
#[derive(Debug)]
pub struct Unwell {
    /// Why.
    pub fault: Fault,
    /// Whether that was not said a short while ago.
    pub is_new: bool,
}

impl Unwell {
    fn told(fault: Fault) -> Self {
        Self { fault, is_new: true }
    }
}

/// The same for whoever has the root open.
pub fn tick_at(home: &Home, executor: ExecutorName, dry_run: bool) -> Result<Decided, Fault> {
    let store = home.store();
    let executor = home.executor(executor);
    // What cannot be defined is no reason to leave the rest alone.
    let defined = if dry_run { file::foreseen(home) } else { file::definitions(home) };
    let (definitions, mut warnings) = match defined {
        Ok((definitions, warnings)) => (home.has_sound_config().then_some(definitions), warnings),
        Err(error) => (None, vec![error.to_string()]),
    };
    if let Some(definitions) = &definitions {
        warnings.extend(file::replaced(&*store.read()?, definitions));
    }
    let pass =
        crate::pass::Pass { definitions: definitions.as_ref(), ..home.pass(&store, executor.as_ref()) };
    let mut decided = if dry_run { pass.foresee()? } else { pass.advance(Scope::Tick, &mut |_| Ok(()))? };
    if dry_run {
        if decided.actions.contains(&Action::Retain) {
            let ids = pass.retained_no_longer()?;
            decided.events.extend(ids.into_iter().map(|id| Event::Removed { id }));
        }
        decided.emptied_logs = pass.too_much(&home.root)?;
    } else {
        if let Err(error) = file::keep(home, &decided.events) {
            decided.warnings.push(error.to_string());
        }
        if decided.actions.contains(&Action::Retain)
            && let Err(fault) = retain(home, &mut decided)
        {
            decided.warnings.push(fault.message);
        }
        // Logs of jobs that stay; those of jobs that went are gone.
        match pass.shed(&home.root) {
            Ok(ids) => decided.emptied_logs = ids,
            Err(error) => decided.warnings.push(error.to_string()),
        }
        let tidied =
            store.read().and_then(|facts| environments::tidy(&home.root, &store, &facts, home.clock.now()));
        decided.warnings.extend(tidied.err().map(|error| error.to_string()));
        note_tick(home);
        match health::tell(home) {
            Ok(warning) => decided.warnings.extend(warning),
            Err(fault) => decided.warnings.push(fault.message),
        }
        decided.warnings.extend(super::hooks::see_to(home));
    }
    warnings.append(&mut decided.warnings);
    decided.warnings = warnings;
    Ok(decided)
}

/// Lets go what retention lets go, and says what came of it.
pub fn retain(home: &Home, decided: &mut Decided) -> Result<(), Fault> {
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let began = home.clock.monotonic();
    let removed = pass
        .retained_no_longer()
        .and_then(|ids| if ids.is_empty() { Ok(Decided::default()) } else { pass.remove(&home.root, &ids) });
    let took_ms = home.clock.monotonic().saturating_sub(began).as_millis().try_into().unwrap_or(u64::MAX);
    let run = run_of(home, &removed);
    let change = ScheduleChange::Did { run, took_ms };
    let told = store.transact(home.clock.now(), &mut |draft| {
        draft.push(Event::Scheduled { schedule: RETENTION.to_owned(), change: change.clone() }).map(drop)
    });
    let removed = removed?;
    decided.events.extend(removed.events);
    decided.warnings.extend(removed.warnings);
    let told = told?;
    decided.events.extend(told.events);
    decided.warnings.extend(told.warning);
    Ok(())
}

fn run_of(home: &Home, removed: &Result<Decided, PassError>) -> LastRun {
    let (result, note) = match removed {
        Ok(removed) => {
            let count = removed.events.iter().filter(|event| matches!(event, Event::Removed { .. })).count();
            let jobs = if count == 1 { "job" } else { "jobs" };
            (RunResult::Succeeded, format!("{count} ended {jobs} removed"))
        }
        Err(error) => (RunResult::Failed, error.to_string()),
    };
    LastRun { id: None, at: home.clock.now(), result, note: Some(note) }
}

/// Leaves a trace of this tick, for whoever asks whether anything ticks. It costs no write of the index.
fn note_tick(home: &Home) {
    let _ = home.root.folder().touch(LAST_TICK);
}
