//! `bgctl retry`: its arguments.

use super::{CommonArgs, start::WhenFullArg, within};
use clap::Args;

/// `bgctl retry`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Each becomes a new job with the same command, folder and settings; the new ids are printed in order. All are
submitted at once or none, and count as one entry of the queue. Of jobs that are retried together, one waits for
the other as before; else what the original waited for is not waited for again.
A dead letter runs with the environment that it had, and is a dead letter no more; of any other job the environment
is not kept, so that it runs with the one of here.

--edit opens the command in VISUAL, else EDITOR, else vi. Saved unchanged, it runs as it was; an empty file, or an
editor that fails, starts nothing.

With --wait, the exit codes are those of bgctl wait.

Examples:
  bgctl retry build
  bgctl retry --wait ab
  EDITOR=true bgctl retry --edit build
  bgctl retry --dead --label nightly"
)]
pub struct RetryArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
    #[arg(value_name = "JOB", required_unless_present = "dead", conflicts_with = "dead")]
    pub jobs: Vec<String>,
    /// Every dead letter
    #[arg(long)]
    pub dead: bool,
    /// With --dead, only those with this label
    ///
    /// May be given several times: a dead letter must then have all of these labels.
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// Change the command in your editor first
    #[arg(long, conflicts_with = "dead")]
    pub edit: bool,
    /// What to do when too many jobs wait: refuse, or wait for room (with --within, no longer than that)
    #[arg(long, value_enum, default_value = "refuse", hide_possible_values = true)]
    pub when_full: WhenFullArg,
    /// Wait for the new jobs to end, and exit with their code
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this: 90, 30s, 1h30m
    ///
    /// With --wait, the exit code is 121 then; where there was no room in the queue, it is 75.
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub within: Option<u64>,
    /// Check everything, and start nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
