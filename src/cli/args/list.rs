//! `bgctl list`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl list`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl list
  bgctl list --all --status failed
  bgctl list --label nightly --json | jq '.jobs[].id'")]
pub struct ListArgs {
    /// All ended jobs, not only the latest
    #[arg(long, short)]
    pub all: bool,
    /// Only jobs in this state, 'active' or 'ended'; may be given several times
    #[arg(long, value_name = "STATE")]
    pub status: Vec<String>,
    /// Only jobs with this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
