//! `bgctl signal`: its arguments.

use super::{CommonArgs, signal};
use clap::Args;

/// `bgctl signal`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl signal web HUP
  bgctl signal --main build USR1
  bgctl signal ab cd INT

All processes of the job get the signal, unless --main is given, and it stands for itself: a job that dies of it has
failed. To end a job, and to know that nothing of it is left, use cancel; to let it stand still, pause.
Names and @ mean jobs of this terminal; ids work from anywhere.")]
pub struct SignalArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// A name or a number: HUP, SIGUSR1, 15
    #[arg(value_name = "SIGNAL", required = true, value_parser = signal)]
    pub signal: i32,
    /// Send it only to the process that runs the command
    #[arg(long)]
    pub main: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
