//! `bgctl wait`: its arguments.

use super::{CommonArgs, within};
use clap::Args;

/// `bgctl wait`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Exit codes:
  the job's own code, or 128+N for signal N; 127 or 126 if it could not start
  2    the command line is wrong
  121  the time of --within is over and it still goes on
  122  no such job, none named on standard input, or a failure of bgctl itself
  124  the job timed out
  125  it was cancelled, or its outcome is unknown
  130  the wait was interrupted; the job goes on
Of several jobs, the first code that is not 0, in the order of the arguments.
With --ready, 0 once the line is there; the job's own code if it ends first.

Examples:
  bgctl wait build && ./deploy.sh
  bgctl wait --within 10m ab cd
  bgctl wait --any ab cd
  bgctl wait --ready 'listening on' --within 30s web")]
pub struct WaitArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Wait no longer than this, then exit with 121: 30s, 1h30m
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub within: Option<u64>,
    /// Return when the first of them ends
    #[arg(long)]
    pub any: bool,
    /// Return once a line of the log matches, or at its end
    ///
    /// Where the job ends first, the exit code is its own.
    #[arg(long, value_name = "REGEX")]
    pub ready: Option<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
