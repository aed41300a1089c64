//! `bgctl init`: its arguments.

use super::CommonArgs;
use clap::{Args, ValueEnum};

/// `bgctl init`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  eval \"$(bgctl init bash)\"            in ~/.bashrc
  eval \"$(bgctl init zsh)\"             in ~/.zshrc
  bgctl init fish | source             in ~/.config/fish/config.fish
  eval \"$(bgctl init posix)\"           in ~/.profile
  (crontab -l; bgctl init cron) | crontab -")]
pub struct InitArgs {
    /// For whom
    #[arg(value_enum)]
    pub target: TargetArg,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetArg {
    /// A function for bash
    Bash,
    /// A function for zsh
    Zsh,
    /// A function for fish
    Fish,
    /// A function for dash and other POSIX shells
    Posix,
    /// A line for the crontab
    Cron,
}
