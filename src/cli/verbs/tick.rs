//! `bgctl tick`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::tick::{ExecutorArg, TickArgs};
use crate::model::claim::ExecutorName;
use crate::ops::{
    fault::Fault,
    supervise::{self, Said},
    tick,
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, json, print};

/// `bgctl tick`
pub fn run(args: &TickArgs, voice: Voice) -> Result<i32, Fault> {
    let executor = match args.executor {
        ExecutorArg::Local => ExecutorName::Local,
        ExecutorArg::DryRun => ExecutorName::DryRun,
    };
    if args.stays {
        return supervise(args.report.is_some(), voice);
    }
    if args.report.is_some() {
        return report(executor, voice);
    }
    let decided = tick::tick(executor, args.dry_run)?;
    voice.warn(&decided.warnings);
    voice.events(&decided.events);
    // From cron, silence means that all is well.
    let text = if args.dry_run { human::foreseen_pass(&decided) } else { String::new() };
    voice.result("tick", &text, || json::decided(&decided, args.dry_run), &decided.warnings)?;
    Ok(0)
}

fn report(executor: ExecutorName, voice: Voice) -> Result<i32, Fault> {
    let told = tick::tick_and_report(executor, &mut |ticked| {
        let decided = &ticked.decided;
        voice.warn(&decided.warnings);
        voice.events(&decided.events);
        let text = human::reported(&ticked.told, SystemClock.now());
        voice.result("tick", &text, || json::reported(ticked), &decided.warnings)?;
        Ok(())
    });
    match told {
        Ok(()) => Ok(0),
        // Whoever reads an object gets one each time.
        Err(unwell) if unwell.is_new || voice.json => Err(unwell.fault),
        Err(unwell) => Ok(unwell.fault.code as i32),
    }
}

fn supervise(reports: bool, voice: Voice) -> Result<i32, Fault> {
    supervise::supervise(reports, &mut |said| {
        match said {
            Said::Here(root) => voice.say(&human::supervisor_is_here(root, std::process::id())),
            Said::Warned(warnings) => voice.warn(warnings),
            Said::Failed(fault) => voice.fault("tick", fault, fault.code as i32),
            Said::Did(decided) => voice.events(&decided.events),
            Said::Told(told) => print(&human::reported(told, SystemClock.now()))?,
            Said::Gone => voice.say(human::SUPERVISOR_LEAVES),
        }
        Ok(())
    })?;
    Ok(0)
}
