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
  bgctl tick --report failures          # what bgctl init cron puts into the crontab
  bgctl tick --loop                     # for systemd and containers
  bgctl tick --executor dry-run"
)]
pub struct TickArgs {
    /// What runs the jobs that are started
    #[arg(long, value_enum, default_value = "local")]
    pub executor: ExecutorArg,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["stays", "report"])]
    pub dry_run: bool,
    /// Stay, and tick whenever anything can be done, until TERM or INT
    ///
    /// One is there at a time. HUP makes it look at once. It speaks to systemd where that asks (READY, STATUS, WATCHDOG).
    /// Jobs go on when it leaves.
    #[arg(long = "loop", conflicts_with_all = ["executor", "json"])]
    pub stays: bool,
    /// Print what failed for good since the last report, and otherwise nothing
    ///
    /// Each failure is told once. What stands in the way of every tick, such as a mistake in config.toml, is said once a day.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub report: Option<ReportArg>,
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

/// What is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportArg {
    /// Jobs that failed and are not tried again, and schedules that fail again and again
    Failures,
}
