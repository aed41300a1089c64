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
  bgctl init cron --install            # a tick every minute, from your crontab
  bgctl init systemd --install         # or a service that stays and reacts at once")]
pub struct InitArgs {
    /// For whom
    #[arg(value_enum)]
    pub target: TargetArg,
    /// For cron and systemd: put it in its place instead of printing it
    ///
    /// Doing it again changes nothing; what an earlier version or another path of bgctl had there is replaced.
    #[arg(long, conflicts_with = "uninstall")]
    pub install: bool,
    /// For cron and systemd: take it away again
    #[arg(long)]
    pub uninstall: bool,
    /// With --install or --uninstall: say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
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
    /// A unit for systemd's user manager
    Systemd,
}
