//! `bgctl wait`: its arguments.

use super::{ChosenArgs, CommonArgs, within};
use clap::Args;

/// `bgctl wait`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Exit codes:
  the job's own code, or 128+N for signal N; 127 or 126 if it could not start
  2    the command line is wrong
  121  the time of --within is over, or nobody reads the lines of --json-lines
       any more, and it still goes on
  122  no such job or group, none named on standard input, none that --any or
       --ready could wait for, or a failure of bgctl itself
  124  the job timed out
  125  it was cancelled, or its outcome is unknown
  130  the wait was interrupted; the job goes on
Of several jobs, the first code that is not 0, in the order of the arguments; with
--label, --status, --group or --all, in the order of submission. With --any, the code of the
one that ended first. With --ready, 0 once the line is there; the job's own code if
it ends first.

--label, --status, --group and --all mean the jobs active when the wait begins: not
what is submitted later, what had ended before, or the job inside which bgctl runs.
Where there is none, there is nothing to wait for, and that is 0.

Examples:
  bgctl wait build && ./deploy.sh
  bgctl wait --within 10m ab cd
  bgctl wait --any ab cd
  bgctl wait --label nightly --within 2h
  bgctl wait --json-lines --all | jq -r '[.id, .wait_code] | @tsv'
  bgctl wait --ready 'listening on' --within 30s web")]
pub struct WaitArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
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
    /// Print each end as it comes: one JSON object a line
    ///
    /// The objects are those that --json has in 'jobs'. With --any, that of the one that ended first; with --ready, each job as its log shows the line or it ends.
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub json_lines: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
