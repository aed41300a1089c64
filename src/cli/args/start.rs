//! `bgctl start`: its arguments.

use super::{CommonArgs, LimitArg, SizeArg, limit, nonzero_limit, size_limit, within};
use crate::model::{
    Timestamp,
    priority::Priority,
    retry::{ATTEMPTS_MAX, Codes},
};
use crate::ops::{start::array::Array, when::parse_coming_time};
use crate::os::clock::{Clock, SystemClock};
use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// The lines of a batch. A test holds the fields against those that are read.
const BATCH: &str = "Start a job for each line of a file, or of - for standard input

A line is a command line for a shell, as with --shell, or a JSON object, where it begins with {. Empty lines and those that \
begin with # are left out, and so is the CR that other systems write at the end of a line. The flags are for all lines, and \
an object says what is different: argv (a list of words) or shell (a line for a shell), cwd, name, labels, timeout, \
stale_after, grace, log_max, priority, key, key_ttl, group, attempts, retry_delay, retry_max_delay, retry_on, after, \
after_end, stdin, service, leftovers, on_end; the names that they have in the index and in --json, such as timeout_seconds, mean the \
same. If a line is wrong, nothing is started.";

/// The numbers of an array.
const ARRAY: &str = "Start a job for each number: 1-100, 1-100:5, 1,3,7-9; {} in the command is the number

The command finds the number in BG_ARRAY_INDEX, too. Each number counts once, in ascending order. Every {} in the command, \
--name, --label, --key, --cwd and --stdin is replaced; a shell line that needs {} itself has '{''}' there.";

/// `bgctl start`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "bgctl start [OPTIONS] [--] COMMAND [ARG]…
       bgctl start [OPTIONS] --shell LINE | --batch FILE")]
#[command(after_long_help = "Examples:
  bgctl start -- make -j4
  bgctl start --name build --timeout 2h -- cargo build --release
  bgctl start --shell 'sort big.txt | uniq -c > counts.txt'
  bgctl start --wait -- ./deploy.sh
  bgctl start --ready 'listening on' --within 30s -- ./server

Examples with an environment:
  bgctl start --env RUST_LOG=debug -- ./serve
  bgctl start --clean-env --env SSH_AUTH_SOCK -- git push
  bgctl start --env-file .env --unset DEBUG -- ./serve
  pass show deploy | bgctl start --env-file - -- ./deploy.sh
What is inherited comes first, then files, then --env, then --unset. Values are
kept in a file that only you can read, and shown nowhere; but while bgctl itself
runs, others can read its arguments, and so --env NAME=VALUE.

Examples with a queue:
  bgctl start --after build -- ./deploy.sh
  bgctl start --priority low --delay 1s -- ./train.sh
  bgctl start --retry --retry-on 75,124 -- ./deploy.sh
  bgctl start --unique --key-ttl 1h -- ./deploy.sh

Examples of long-lived jobs:
  bgctl start --service --name dev -- npm run dev
  bgctl start --timeout 8h --log-max 1GiB -- ./train.sh

Examples of many jobs, queued in one step, all or none:
  bgctl start --batch commands.txt
  ls *.wav | jq -Rc '{argv: [\"flac\", .]}' | bgctl start --batch -
  bgctl start --array 1-12 --name 'part-{}' -- ./render.sh {}
With --array, each {} in the command, --name, --label, --key, --cwd and --stdin is
the number; a shell line that needs {} itself has '{''}' there. They count as one
in the queue, and are as many as queue.batch_max says at most.

For a command that is not found, bgctl exits with 127, for one that cannot
be executed with 126; nothing is started then.")]
pub struct StartArgs {
    /// The command and its arguments, byte for byte
    #[arg(trailing_var_arg = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments, required_unless_present_any = ["shell", "batch"])]
    pub command: Vec<OsString>,
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
    /// environment, starts in the job's working directory, has a minimal environment, and is
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
    /// Start once this job has completed; if it fails or is cancelled, cancel; may be given several times
    #[arg(long, value_name = "JOB", help_heading = "Queue")]
    pub after: Vec<String>,
    /// Start once this job has ended, however; may be given several times
    #[arg(long, value_name = "JOB", help_heading = "Queue")]
    pub after_end: Vec<String>,
    /// Start no earlier than after this time: 90, 30s, 1h30m
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, conflicts_with = "at", help_heading = "Queue")]
    pub delay: Option<u64>,
    /// Start no earlier than then: 15:00, '2026-11-21 14:30'
    #[arg(long, value_name = "WHEN", value_parser = coming_time, help_heading = "Queue")]
    pub at: Option<Timestamp>,
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
    /// What to do when too many jobs wait: refuse, or wait for room (with --within, no longer than that)
    #[arg(long, value_enum, default_value = "refuse", hide_possible_values = true, help_heading = "Queue")]
    pub when_full: WhenFullArg,
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
    /// Start a job for each line of a file, or of - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, long_help = BATCH, conflicts_with_all = ["command", "shell", "array", "ready", "follow"], help_heading = "Many jobs")]
    pub batch: Option<PathBuf>,
    /// Start a job for each number: 1-100, 1-100:5, 1,3,7-9; {} in the command is the number
    #[arg(long, value_name = "NUMBERS", value_parser = array, long_help = ARRAY, allow_hyphen_values = true, conflicts_with_all = ["ready", "follow"], help_heading = "Many jobs")]
    pub array: Option<Array>,
    /// Wait for the job to end, and exit with its code
    #[arg(long, group = "waiting")]
    pub wait: bool,
    /// Return once a line of the output matches; if the job ends first, exit with its code
    #[arg(long, value_name = "REGEX", group = "waiting", conflicts_with = "follow")]
    pub ready: Option<String>,
    /// Wait no longer than this: --wait and --ready then exit with 121, --when-full wait with 75
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub within: Option<u64>,
    /// Print its output as it comes, and exit with its code
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
    /// Check everything, and start nothing
    #[arg(long, conflicts_with_all = ["wait", "ready", "follow"])]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PriorityArg {
    /// Before everything else
    Critical,
    /// Before what is normal
    High,
    /// As usual
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

/// What happens when too many jobs wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenFullArg {
    /// Nothing is queued, and the exit code is 75
    Refuse,
    /// It is queued as soon as there is room
    Wait,
}

/// Reads a time that is to come.
pub fn coming_time(text: &str) -> Result<Timestamp, String> {
    parse_coming_time(text, SystemClock.now())
}

fn array(text: &str) -> Result<Array, String> {
    Array::parse(text).map_err(|error| error.to_string())
}

fn codes(text: &str) -> Result<Codes, String> {
    Codes::parse(text).map_err(|error| error.to_string())
}

fn attempts(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {ATTEMPTS_MAX}"))
}

/// What happens to leftovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LeftoversArg {
    /// They are ended before the job counts as ended
    End,
    /// They are left running, and 'status' names them
    Leave,
}
