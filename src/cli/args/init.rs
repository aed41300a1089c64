//! `bgctl init`: its arguments.

use super::CommonArgs;
use clap::{Args, ValueEnum};

/// `bgctl init`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  eval \"$(bgctl init bash)\"            # in ~/.bashrc
  eval \"$(bgctl init zsh)\"             # in ~/.zshrc
  bgctl init fish | source             # in ~/.config/fish/config.fish
  eval \"$(bgctl init posix)\"           # in ~/.profile
  eval (bgctl init elvish | slurp)     # in ~/.config/elvish/rc.elv
  bgctl init powershell | Out-String | Invoke-Expression   # in $PROFILE
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
    /// A function for bash, and completion
    Bash,
    /// A function for zsh, and completion
    Zsh,
    /// A function for fish, and completion
    Fish,
    /// A function for dash and other POSIX shells
    Posix,
    /// Completion for elvish
    Elvish,
    /// Completion for PowerShell
    Powershell,
    /// A line for the crontab
    Cron,
}
