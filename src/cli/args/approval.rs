//! `bgctl approve`, `bgctl decline` and `bgctl approval`: their arguments.

use super::{CommonArgs, LimitArg, job::on, nonzero_limit};
use crate::model::approval::On;
use clap::{Args, Subcommand};

/// `bgctl approve`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "It shows what would run, and asks at the terminal; a job cannot answer. local = \"anyone\" below [approval] in \
config.toml lets scripts answer without being asked, local = \"off\" nobody. What waits for GitHub is approved there. \
Names and @ mean jobs of this terminal; ids work from anywhere.

Examples:
  bgctl approval list
  bgctl approve deploy
  bgctl approve x7 --note 'checked with ops'"
)]
pub struct ApproveArgs {
    /// Which jobs, and why
    #[command(flatten)]
    pub answer: AnswerArgs,
}

/// `bgctl decline`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "It shows what would run, and asks at the terminal. A job that is declined is cancelled, also one that waits for GitHub. \
Names and @ mean jobs of this terminal; ids work from anywhere.

Examples:
  bgctl decline deploy
  bgctl decline x7 --note 'not on a Friday'"
)]
pub struct DeclineArgs {
    /// Which jobs, and why
    #[command(flatten)]
    pub answer: AnswerArgs,
}

/// Which jobs are answered, and why.
#[derive(Clone, Debug, Args)]
pub struct AnswerArgs {
    /// Ids, their beginnings, names, @ for the newest
    ///
    /// The beginning of an id is two characters or more of its random part.
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// Why; it stays with the job
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl approval`
#[derive(Clone, Debug, Args)]
#[command(
    disable_help_subcommand = true,
    override_usage = "bgctl approval [OPTIONS] [COMMAND]",
    after_long_help = "Without a command, what waits is listed. bgctl approve and bgctl decline answer; docs/approvals.md has a walk-through.

Examples:
  bgctl approval
  bgctl approval list --json
  bgctl approval request --reason 'the plan is in the log'"
)]
pub struct ApprovalArgs {
    /// What to do; without it, list
    #[command(subcommand)]
    pub action: Option<ApprovalAction>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ApprovalArgs {
    /// How to speak: the flags may stand on either side of the word that says what to do.
    pub fn common(&self) -> CommonArgs {
        let inner = match &self.action {
            None => CommonArgs::default(),
            Some(ApprovalAction::List(args)) => args.common,
            Some(ApprovalAction::Request(args)) => args.common,
        };
        CommonArgs {
            json: self.common.json || inner.json,
            quiet: self.common.quiet || inner.quiet,
            verbose: self.common.verbose || inner.verbose,
        }
    }
}

/// What to do about approvals.
#[derive(Clone, Debug, Subcommand)]
pub enum ApprovalAction {
    /// List what waits: for whom, since when, until when
    #[command(after_long_help = "Examples:
  bgctl approval list
  bgctl approval list --json")]
    List(ListArgs),
    /// Ask, inside a running job, for approval of what comes next
    #[command(
        after_long_help = "The job goes on. When it then exits with 0, it gives its slot back and waits; once it is approved it runs again, as \
the same attempt, with BG_APPROVED=1 in its environment. When it exits otherwise, it has failed as usual.

Examples:
  bgctl approval request --reason 'the plan is in the log'
  bgctl approval request --on github:acme/infra --ttl 2h"
    )]
    Request(RequestArgs),
}

/// `bgctl approval list`
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl approval request`
#[derive(Clone, Debug, Args)]
pub struct RequestArgs {
    /// Why; who answers reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who answers: local, or github:OWNER/REPO#ISSUE
    ///
    /// Without #ISSUE, one is made. Without this option, it is whoever 'start --approval' named, else local.
    #[arg(long, value_name = "WHERE", value_parser = on)]
    pub on: Option<On>,
    /// Fail it when nobody has answered after so long: 2h, none
    ///
    /// Without this option, it is as long as 'start --approval-ttl' said, else as the settings say: 24h, if they say nothing.
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true)]
    pub ttl: Option<LimitArg>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
