//! `bgctl prune`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl prune`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Ended jobs go after 14 days, and the oldest beyond 200; none within an hour of its end.

Examples:
  bgctl prune --dry-run
  bgctl prune"
)]
pub struct PruneArgs {
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
