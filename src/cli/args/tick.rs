//! `bgctl tick`: its arguments.

use super::CommonArgs;
use clap::{Args, ValueEnum};

/// `bgctl tick`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Starts what can start, judges jobs whose watcher is gone, removes what retention lets go.

Examples:
  bgctl tick
  bgctl tick --dry-run
  bgctl tick --executor dry-run"
)]
pub struct TickArgs {
    /// What runs the jobs that are started
    #[arg(long, value_enum, default_value = "local")]
    pub executor: ExecutorArg,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What runs jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecutorArg {
    /// Processes of this machine
    Local,
    /// Everything but the execution: each job completes at once
    DryRun,
}
