//! `bgctl prune`: its arguments.

use super::{CommonArgs, within};
use clap::Args;

/// `bgctl prune`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Ended jobs go after 14 days, and the oldest beyond 200; none within an hour of its end, unless
--older-than or --all asks for it. Of the two, a flag replaces the setting of its kind, and the other one still holds.
What has not ended is never removed.

Examples:
  bgctl prune --dry-run
  bgctl prune --older-than 2d
  bgctl prune --keep 20 --status failed
  bgctl prune --all --label nightly"
)]
pub struct PruneArgs {
    /// Remove what ended at least so long ago: 90, 30s, 1h30m, 2d [default: 14d]
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub older_than: Option<u64>,
    /// Keep at most so many ended jobs [default: 200]
    #[arg(long, value_name = "COUNT")]
    pub keep: Option<usize>,
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
