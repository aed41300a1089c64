//! `bgctl pause` and `bgctl resume`: their arguments.

use super::{ChosenArgs, CommonArgs};
use clap::Args;

/// `bgctl pause`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl pause build
  bgctl pause --all
  bgctl pause --group gpu
  bgctl pause --label nightly --status queued

A queued job gets no slot until it is resumed. A running one keeps its slot; all its processes are stopped, and its
time with them. With --group, nothing of the group starts until it is resumed, not even what is submitted later, and its
running jobs are paused. Names and @ mean jobs of this terminal; ids work from anywhere.")]
#[command(mut_arg("group", |arg| arg.help("A whole group: all that runs, waits or comes later")))]
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
  bgctl resume --group gpu

With --group, its jobs start again, and all of them that were paused go on. Names and @ mean jobs of this terminal; ids work from anywhere.")]
#[command(mut_arg("group", |arg| arg.help("A whole group: all its jobs start again or go on")))]
pub struct ResumeArgs {
    /// Which jobs
    #[command(flatten)]
    pub chosen: ChosenArgs,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
