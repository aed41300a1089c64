//! `bgctl cancel`: its arguments.

use super::{ChosenArgs, CommonArgs, signal};
use clap::Args;

/// `bgctl cancel`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl cancel build
  bgctl cancel --signal INT ab
  bgctl cancel --no-wait ab cd
  bgctl cancel --label nightly
  bgctl cancel --all --yes

Names and @ mean jobs of this terminal; ids work from anywhere.
Cancelling a job that has ended does nothing and succeeds.")]
pub struct CancelArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// Also the jobs that were started inside them
    #[arg(long)]
    pub nested: bool,
    /// Do not ask; --all and --status without --label ask on a terminal first, and need this in a script
    #[arg(long, short)]
    pub yes: bool,
    /// Return once the job is told; do not wait for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The signal that asks it to end, or KILL [default: TERM]
    ///
    /// KILL ends its processes at once.
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal)]
    pub signal: Option<i32>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
