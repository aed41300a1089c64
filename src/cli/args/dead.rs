//! `bgctl dead`: its arguments.

use super::{CommonArgs, positive};
use clap::{Args, ValueEnum};

/// `bgctl dead`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "bgctl dead [OPTIONS] [list|show|clear] [JOB]…")]
#[command(
    after_long_help = "A job that was allowed more than one attempt and used them up is a dead letter. It keeps its environment, and
stays for 30 days, the latest 1000 of them, whatever else is removed. bgctl retry runs it again; clear makes it an
ordinary failed job, whose environment goes. bgctl dlq is another name for bgctl dead.

Examples:
  bgctl dead
  bgctl dead list --label nightly
  bgctl dead show build
  bgctl dead clear build
  bgctl dead clear --all --yes"
)]
pub struct DeadArgs {
    /// What to do [default: list]
    #[arg(value_enum, value_name = "ACTION")]
    pub action: Option<DeadAction>,
    /// For show and clear: ids, names, @ the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// For list and clear: only those with this label
    ///
    /// May be given several times: a dead letter must then have all of these labels.
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// For list: at most so many, the latest
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true)]
    pub limit: Option<u32>,
    /// For clear: every dead letter
    #[arg(long)]
    pub all: bool,
    /// Do not ask, as clear --all does
    ///
    /// On a terminal clear --all asks first; in a script it needs this.
    #[arg(long, short)]
    pub yes: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeadAction {
    /// A line a dead letter
    List,
    /// Everything about one, with each attempt and the end of its output
    Show,
    /// Let its environment go; it stays as a failed job
    Clear,
}

impl DeadAction {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Clear => "clear",
        }
    }
}
