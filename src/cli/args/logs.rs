//! `bgctl logs`: its arguments.

use super::{ChosenArgs, CommonArgs, count, positive};
use clap::Args;

/// `bgctl logs`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
On a terminal, colours pass, and everything else that a terminal would obey is shown instead; a pipe or a file gets the
output as it is. Of several jobs, each line begins with its job's name; a line longer than 64 KiB is broken there.
Where the middle of a log was left out, a line says how much. Following does not answer in JSON, and inside a job
--label, --status, --group and --all do not mean that job itself.

Examples:
  bgctl logs build
  bgctl logs -n 20 ab
  bgctl logs -f build
  bgctl logs -f web worker
  bgctl logs -n 3 --status running
  bgctl logs --head 5 -n 5 build
  grep -c warning \"$(bgctl logs --path build)\"")]
pub struct LogsArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// Print what comes, too, until the jobs have ended
    ///
    /// Ctrl-c ends the following, not the jobs.
    #[arg(long, short, conflicts_with_all = ["head", "path", "json"])]
    pub follow: bool,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "LINES", value_parser = count, allow_negative_numbers = true)]
    pub lines: Option<u64>,
    /// Only the first lines; with --lines, the last ones too
    ///
    /// With --lines, what stands between them is left out.
    #[arg(long, value_name = "LINES", value_parser = count, allow_negative_numbers = true)]
    pub head: Option<u64>,
    /// Only what this attempt wrote: 1 is the first
    #[arg(long, value_name = "NUMBER", value_parser = positive, allow_negative_numbers = true)]
    pub attempt: Option<u32>,
    /// Print the path of the log instead
    #[arg(long, conflicts_with_all = ["lines", "head", "attempt", "raw"])]
    pub path: bool,
    /// Print it as the job wrote it, also on a terminal
    #[arg(long)]
    pub raw: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
