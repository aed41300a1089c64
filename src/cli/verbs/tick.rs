//! `bgctl tick`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::tick::{ExecutorArg, TickArgs};
use crate::model::claim::ExecutorName;
use crate::ops::{fault::Fault, tick};
use crate::render::{Voice, human, json};

/// `bgctl tick`
pub fn run(args: &TickArgs, voice: Voice) -> Result<i32, Fault> {
    let executor = match args.executor {
        ExecutorArg::Local => ExecutorName::Local,
        ExecutorArg::DryRun => ExecutorName::DryRun,
    };
    let decided = tick::tick(executor, args.dry_run)?;
    voice.warn(&decided.warnings);
    voice.events(&decided.events);
    // From cron, silence means that all is well.
    let text = if args.dry_run { human::foreseen_pass(&decided) } else { String::new() };
    voice.result("tick", &text, &json::decided(&decided, args.dry_run), &decided.warnings)?;
    Ok(0)
}
