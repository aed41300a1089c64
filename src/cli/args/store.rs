//! `bgctl store`: its arguments.

use super::CommonArgs;
use clap::{Args, ValueEnum};

/// `bgctl store`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "rebuild takes every entry of a damaged index that can be read, as it stands, and makes the others anew from
runs/: jobs that run go on being watched, ends that were written down stand, and what nobody knows is said to be unknown.
The damaged index is kept beside it. An index that is sound is left alone (exit code 4).

migrate gives the index its other form, with all that it says, while no job runs: json is one file that each change replaces,
jsonl one to which each change adds lines, which stays quick with very many jobs. Which file is there decides which form is used.

Examples:
  bgctl store
  bgctl store check
  bgctl store rebuild --dry-run
  bgctl store rebuild
  bgctl store migrate jsonl"
)]
pub struct StoreArgs {
    /// What to do; without it, show
    #[arg(value_enum, default_value_t, hide_default_value = true)]
    pub action: StoreAction,
    /// With migrate: the form that the index is to have
    #[arg(value_enum, hide_possible_values = false)]
    pub form: Option<FormArg>,
    /// With rebuild: say what would come of it, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What to do with the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StoreAction {
    /// Print where the index is, how large, and how many jobs it has
    #[default]
    Show,
    /// Look whether the index and the run files belong together
    Check,
    /// Make a damaged index anew
    Rebuild,
    /// Give the index its other form
    Migrate,
}

/// A form of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormArg {
    /// One JSON file
    Json,
    /// Lines of JSON
    Jsonl,
}
