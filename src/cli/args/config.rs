//! `bgctl config`: its arguments.

use super::CommonArgs;
use clap::{Args, ValueEnum};

/// `bgctl config`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl config
  bgctl config show queue
  bgctl config show worker.timeout
  bgctl config check
  vi \"$(bgctl config path)\" && bgctl config check

What show prints is a settings file itself: every value that holds, and in a comment who says so, the line of config.toml
or the built-in default. docs/config.md describes every setting.")]
pub struct ConfigArgs {
    /// What to do; without it, show
    #[arg(value_enum, default_value_t, hide_default_value = true)]
    pub action: ConfigAction,
    /// With show: only this setting, or this section
    #[arg(value_name = "SETTING")]
    pub setting: Option<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What to do with the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ConfigAction {
    /// Print the settings that hold, and who says so
    #[default]
    Show,
    /// Look for mistakes in config.toml, and name their lines
    Check,
    /// Print where config.toml is, or would be
    Path,
}
