//! `bgctl pause` and `bgctl resume`: their arguments.

use super::{ChosenArgs, CommonArgs};
use clap::Args;

/// `bgctl pause`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl pause build
  bgctl pause --all
  bgctl pause --label nightly --status queued

A queued job gets no slot until it is resumed. A running one keeps its slot; all its processes are stopped, and its
time with them. Names and @ mean jobs of this terminal; ids work from anywhere.")]
pub struct PauseArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl resume`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl resume build
  bgctl resume --all

Names and @ mean jobs of this terminal; ids work from anywhere.")]
pub struct ResumeArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
