//! `bgctl doctor`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl doctor`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Each check says ok, note, warning or problem, what it found, and what mends it. A note needs nothing done.
The exit code is 1 where a warning or a problem is left, else 0. Without --fix nothing is changed.

What --fix does is safe whenever it is called: it takes from others what they may do with the files, makes a pass like
bgctl tick where a job has lost its watcher, and removes what interrupted writers left and nobody needs. The rest of the
mends are commands for you. docs/doctor.md tells of each check.

Examples:
  bgctl doctor
  bgctl doctor --fix
  bgctl doctor --json | jq -r '.findings[] | select(.result == \"problem\") | .found'"
)]
pub struct DoctorArgs {
    /// Make the mends that are safe, and say what was done
    #[arg(long)]
    pub fix: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
