//! What a job is like: the flags that `start` and `schedule add` share.

use super::{LimitArg, SizeArg, limit, nonzero_limit, size_limit, within};
use crate::model::{
    approval::On,
    priority::Priority,
    retry::{ATTEMPTS_MAX, Codes},
};
use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// What a job is like. The command itself, which stands last, is declared beside these, as `command`.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct JobArgs {
    /// A line for 'sh -c' instead of a command
    #[arg(long, value_name = "LINE", conflicts_with = "command")]
    pub shell: Option<OsString>,
    /// A name to call the job by
    #[arg(long)]
    pub name: Option<String>,
    /// A label, to choose jobs by; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// The working directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cwd: Option<PathBuf>,
    /// Set a variable; NAME alone takes over the value that it has here; may be given several times
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Environment")]
    pub env: Vec<OsString>,
    /// Set the variables of a file such as .env, or - for standard input; may be given several times
    ///
    /// Lines are NAME=VALUE or export NAME=VALUE; empty lines and what follows a # are left out. A value with spaces is
    /// quoted. Within 'single quotes' all stands for itself; otherwise \n, \\, \" and \$ are read, and ${NAME} is a
    /// variable of yours, or one from above in the file. Quoted values may go over several lines. Of several files the
    /// later one counts, and --env goes before all of them.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Environment")]
    pub env_file: Vec<PathBuf>,
    /// Leave a variable out, wherever it comes from; may be given several times
    #[arg(long, value_name = "NAME", help_heading = "Environment")]
    pub unset: Vec<OsString>,
    /// Inherit only HOME, LANG, LOGNAME, PATH, SHELL, TMPDIR, TZ and USER
    #[arg(long, help_heading = "Environment")]
    pub clean_env: bool,
    /// Standard input of the command: a file, - for that of bgctl, or pipe for 'bgctl send'; else it is empty
    ///
    /// With -, standard input is read now, to its end. With pipe, the command has an input that stays open while it runs,
    /// into which bgctl send writes. A file of that name is ./pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Environment")]
    pub stdin: Option<PathBuf>,
    /// End the job after: 90, 30s, 1h30m, none [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub timeout: Option<LimitArg>,
    /// Cancel the job when its watcher is silent for so long [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub stale_after: Option<LimitArg>,
    /// Time between asking processes to end and killing them [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub grace: Option<LimitArg>,
    /// Keep the beginning and the end of a log beyond this size: 64MiB, 2GB, none [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub log_max: Option<SizeArg>,
    /// Run outside the slots and without a time limit, until it is cancelled
    #[arg(long, help_heading = "Limits")]
    pub service: bool,
    /// What happens to processes that outlive the command
    #[arg(long, value_enum, default_value = "end", help_heading = "Limits")]
    pub leftovers: LeftoversArg,
    /// Run this line in a shell when the job has ended, whatever its end
    ///
    /// It is no part of the job and takes no slot. It gets the event as JSON on standard input and in its
    /// environment, starts in the job's working directory, has few other variables, and is
    /// ended after hooks.timeout [default: 30s]. bgctl events shows how it went.
    #[arg(long, value_name = "LINE", allow_hyphen_values = true, help_heading = "Limits")]
    pub on_end: Option<OsString>,
    /// How urgent it is: a more urgent job gets a free slot first
    #[arg(
        long,
        value_enum,
        default_value = "normal",
        hide_default_value = true,
        help = "How urgent it is: critical, high, normal, low; the more urgent gets a slot first",
        hide_possible_values = true,
        help_heading = "Queue"
    )]
    pub priority: PriorityArg,
    /// Take the slots of this group
    #[arg(long, value_name = "NAME", help_heading = "Queue")]
    pub group: Option<String>,
    /// Make the group, with one slot, where there is none of that name
    #[arg(long, help_heading = "Queue")]
    pub create_group: bool,
    /// Start nothing while a job of this key has not ended; print its id instead
    #[arg(long, value_name = "KEY", conflicts_with = "unique", help_heading = "Queue")]
    pub key: Option<String>,
    /// The same with a key made of command, arguments and working directory
    #[arg(long, help_heading = "Queue")]
    pub unique: bool,
    /// Add this to the key of --unique: what else makes two submissions different
    #[arg(long, value_name = "HASH", help_heading = "Queue")]
    pub plan_hash: Option<String>,
    /// Keep the key for so long after the job's end
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, help_heading = "Queue")]
    pub key_ttl: Option<u64>,
    /// Wait until somebody approves: local, github:OWNER/REPO or github:OWNER/REPO#ISSUE
    ///
    /// local waits for bgctl approve. github makes an issue, or comments on the one that is named, and waits for the label
    /// bg:approved or bg:declined. docs/approvals.md has a walk-through.
    #[arg(long, value_name = "WHERE", value_parser = on, help_heading = "Approval")]
    pub approval: Option<On>,
    /// Fail the job when nobody has answered after so long: 2h, none [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, requires = "approval", help_heading = "Approval")]
    pub approval_ttl: Option<LimitArg>,
    /// Let a job that waits for GitHub keep the tokens of its submitter, with which it could approve itself
    ///
    /// Without this option, the variables from which 'gh' takes a token are left out of its environment, unless --env or
    /// --env-file sets them.
    #[arg(long, requires = "approval", help_heading = "Approval")]
    pub keep_token: bool,
    /// Run the command up to so often, until it succeeds
    #[arg(long, value_name = "N", value_parser = attempts, allow_hyphen_values = true, conflicts_with = "retry", help_heading = "Retries")]
    pub attempts: Option<u32>,
    /// The same as --attempts 3
    #[arg(long, help_heading = "Retries")]
    pub retry: bool,
    /// Wait so long after the first failure, then twice as long each time [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, help_heading = "Retries")]
    pub retry_delay: Option<u64>,
    /// Wait no longer than this between attempts [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, help_heading = "Retries")]
    pub retry_max_delay: Option<u64>,
    /// Run it again only after these exit codes: 75 or 1,75,100-110 (124 timed out, 128+N signal N)
    #[arg(long, value_name = "CODES", value_parser = codes, allow_hyphen_values = true, help_heading = "Retries")]
    pub retry_on: Option<Codes>,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PriorityArg {
    /// Before everything else
    Critical,
    /// Before what is normal
    High,
    /// As usual
    #[default]
    Normal,
    /// When nothing else waits
    Low,
}

impl From<PriorityArg> for Priority {
    fn from(given: PriorityArg) -> Self {
        match given {
            PriorityArg::Critical => Self::Critical,
            PriorityArg::High => Self::High,
            PriorityArg::Normal => Self::Normal,
            PriorityArg::Low => Self::Low,
        }
    }
}

/// What happens to leftovers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LeftoversArg {
    /// They are ended before the job counts as ended
    #[default]
    End,
    /// They are left running, and 'status' names them
    Leave,
}

/// Where an answer is given.
pub fn on(text: &str) -> Result<On, String> {
    On::parse(text).map_err(|error| error.to_string())
}

fn codes(text: &str) -> Result<Codes, String> {
    Codes::parse(text).map_err(|error| error.to_string())
}

fn attempts(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {ATTEMPTS_MAX}"))
}
