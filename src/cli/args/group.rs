//! `bgctl group`: its arguments.

use super::{CommonArgs, positive};
use clap::{Args, ValueEnum};

/// `bgctl group`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl group
  bgctl group add gpu --slots 1
  bgctl start --group gpu -- ./train.sh
  bgctl group list gpu --json

A group has slots of its own; the default group has queue.max_concurrent of config.toml. What add says is kept in the
index. A section [groups.NAME] of config.toml wins over it, so that add and remove refuse such a group. One that a
running or queued job needs is not removed. bgctl pause --group NAME holds a whole group back.")]
pub struct GroupArgs {
    /// What to do; without it, list
    #[arg(value_enum, default_value_t, hide_default_value = true)]
    pub action: GroupAction,
    /// The name of a group
    #[arg(value_name = "GROUP")]
    pub group: Option<String>,
    /// With add: how many of its jobs run at the same time (1)
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub slots: Option<u32>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What to do with groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GroupAction {
    /// Show all groups, or one: slots, jobs, whether it is paused
    #[default]
    List,
    /// Make a group, or give it another number of slots
    Add,
    /// Take a group away
    Remove,
}
