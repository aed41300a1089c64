//! `bgctl logs`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl logs`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl logs build
  bgctl logs -n 20 ab
  bgctl logs -f build")]
pub struct LogsArgs {
    /// An id, the beginning of its random part, a name, or @ for the newest
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Go on until the job has ended
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub lines: Option<u64>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
