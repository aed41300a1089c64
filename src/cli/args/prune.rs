//! `bgctl prune`: its arguments.

use super::{CommonArgs, count, within};
use clap::Args;

/// `bgctl prune`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Ended jobs go after 14 days, and the oldest beyond 200. A flag replaces the setting of its kind; the
other one still holds. What ended within the last hour stays, with --keep too; it goes with --all, with an
--older-than that is shorter, and with --keep beside any --older-than.

What something still needs stays whatever is asked: dead letters (30 days, the latest 1000; bgctl dead clear lets them
go sooner), jobs whose key still counts, and jobs that others wait for.

Examples:
  bgctl prune --dry-run
  bgctl prune --older-than 2d
  bgctl prune --keep 20 --status failed
  bgctl prune --all --label nightly"
)]
pub struct PruneArgs {
    /// Remove what ended so long ago: 30s, 1h30m, 2d
    ///
    /// It counts instead of the 14 days of the settings.
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub older_than: Option<u64>,
    /// Keep at most so many ended jobs, instead of 200
    #[arg(long, value_name = "COUNT", value_parser = count, allow_negative_numbers = true)]
    pub keep: Option<u64>,
    /// Remove everything that has ended
    #[arg(long, conflicts_with_all = ["older_than", "keep"])]
    pub all: bool,
    /// Only jobs with this label; of several, a job must have all
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// Only jobs in this state: completed, failed or cancelled; may be given several times
    #[arg(long, value_name = "STATE")]
    pub status: Vec<String>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
