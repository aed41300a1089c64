//! `bgctl prune`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::prune::PruneArgs;
use crate::ops::{fault::Fault, prune};
use crate::render::{Voice, human, json};

/// `bgctl prune`
pub fn run(args: &PruneArgs, voice: Voice) -> Result<i32, Fault> {
    let pruned = prune::prune(args.dry_run)?;
    voice.events(&pruned.decided.events);
    voice.warn(&pruned.warnings);
    voice.result("prune", &human::pruned(&pruned), &json::pruned(&pruned, args.dry_run))?;
    let would = if args.dry_run { "would be " } else { "" };
    let count = pruned.jobs.len();
    voice.say(&format!("{count} {} {would}removed", if count == 1 { "job" } else { "jobs" }));
    Ok(0)
}
