//! `bgctl status`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl status`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl status
  bgctl status ab
  bgctl status build --json | jq '.jobs[0].exit_code'")]
pub struct StatusArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input. Without a job: the
    /// overview.
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// The job that has this key, or had it last
    #[arg(long, value_name = "KEY", conflicts_with = "jobs")]
    pub key: Option<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
