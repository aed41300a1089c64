//! `bgctl cancel`: its arguments.

use super::{CommonArgs, signal};
use clap::Args;

/// `bgctl cancel`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl cancel build
  bgctl cancel --signal INT ab
  bgctl cancel --no-wait ab cd

Cancelling a job that has ended does nothing and succeeds.")]
pub struct CancelArgs {
    /// Ids, beginnings of their random part, or names
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Return once the job is told, without waiting for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The signal that asks its processes to end; KILL ends them at once [default: TERM]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal)]
    pub signal: Option<i32>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
