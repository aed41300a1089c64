//! The arguments, as clap types; the doc comments are the help.

use crate::model::{
    limit::{Seconds, parse_limit, parse_nonzero_limit, parse_seconds},
    outcome::signal_number,
};
use clap::{Args, Command, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// A subcommand: its name, what it does, and what adds its arguments.
pub type Subcommand = (&'static str, &'static str, fn(Command) -> Command);

/// The subcommands in the order of the help: name, what it does, and its arguments, which are built only for the
/// subcommand that is called.
pub const SUBCOMMANDS: [Subcommand; 9] = [
    ("start", "Start a command in the background and print its job id", arguments::<StartArgs>),
    ("list", "List jobs: active ones, then the latest that ended", arguments::<ListArgs>),
    ("status", "Show everything about jobs", arguments::<StatusArgs>),
    ("logs", "Print a job's output, or follow it", arguments::<LogsArgs>),
    ("cancel", "End jobs and all their processes", arguments::<CancelArgs>),
    ("wait", "Wait for jobs to end, and exit with their code", arguments::<WaitArgs>),
    ("prune", "Remove ended jobs that retention lets go", arguments::<PruneArgs>),
    ("tick", "Look after everything once: what cron calls every minute", arguments::<TickArgs>),
    ("init", "Print what a shell or cron needs to reach bgctl", arguments::<InitArgs>),
];

/// Adds a subcommand's arguments; what it does is said in the table above, once.
fn arguments<A: Args>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    A::augment_args(command).about(about).long_about(None)
}

/// The exit codes, at the end of the help.
const EXIT_CODES: &str = "Exit codes:
  0 done    1 failed    2 usage    3 no such job    4 wrong state
  5 the index cannot be used    75 try again later    78 settings
  126 command not executable    127 command not found
  wait gives the job's own code; see bgctl wait --help";

/// The whole command line.
pub fn command() -> Command {
    let mut command = Command::new("bgctl")
        .about("Run commands in the background, and know the truth about them later")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(EXIT_CODES);
    for (name, about, arguments) in SUBCOMMANDS {
        command = command.subcommand(Command::new(name).about(about).defer(arguments));
    }
    command
}

/// How to speak.
#[derive(Clone, Copy, Debug, Args)]
pub struct CommonArgs {
    /// Print one JSON object on standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Say nothing on standard error but errors
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// Show the events of each change on standard error
    #[arg(long, short, help_heading = "Output")]
    pub verbose: bool,
}

fn limit(text: &str) -> Result<LimitArg, String> {
    parse_limit(text).map(LimitArg).map_err(|error| error.to_string())
}

fn nonzero_limit(text: &str) -> Result<LimitArg, String> {
    parse_nonzero_limit(text).map(LimitArg).map_err(|error| error.to_string())
}

/// A limit that was given: seconds, or switched off.
#[derive(Clone, Copy, Debug)]
pub struct LimitArg(pub Seconds);

fn within(text: &str) -> Result<u64, String> {
    parse_seconds(text).map_err(|error| error.to_string())
}

fn signal(text: &str) -> Result<i32, String> {
    signal_number(text).ok_or_else(|| "expected a signal such as TERM, INT, KILL or 15".to_owned())
}

/// `bgctl start`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl start -- make -j4
  bgctl start --name build --timeout 2h -- cargo build --release
  bgctl start --shell 'sort big.txt | uniq -c > counts.txt'
  bgctl start --wait -- ./deploy.sh

A command that is not found exits with 127, one that cannot be executed with 126; nothing is queued then.")]
pub struct StartArgs {
    /// The command and its arguments, byte for byte
    #[arg(trailing_var_arg = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments, required_unless_present = "shell")]
    pub command: Vec<OsString>,
    /// A line for 'sh -c' instead of a command
    #[arg(long, value_name = "LINE", conflicts_with = "command")]
    pub shell: Option<OsString>,
    /// A name to call the job by
    #[arg(long)]
    pub name: Option<String>,
    /// A label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// The working directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cwd: Option<PathBuf>,
    /// Set a variable; may be given several times
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Environment")]
    pub env: Vec<OsString>,
    /// Take over only HOME, LANG, LOGNAME, PATH, SHELL, TMPDIR, TZ and USER
    #[arg(long, help_heading = "Environment")]
    pub clean_env: bool,
    /// Standard input: a file, or - for our own, read now to its end
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Environment")]
    pub stdin: Option<PathBuf>,
    /// End the job after this time: 90, 30s, 1h30m, none [default: 30m]
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub timeout: Option<LimitArg>,
    /// Cancel the job when its watcher is silent for so long [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub stale_after: Option<LimitArg>,
    /// Time between asking processes to end and killing them [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub grace: Option<LimitArg>,
    /// What happens to processes that outlive the command
    #[arg(long, value_enum, default_value = "end", help_heading = "Limits")]
    pub leftovers: LeftoversArg,
    /// Wait for the job to end, and exit with its code
    #[arg(long)]
    pub wait: bool,
    /// Print the job's output as it comes, and exit with its code
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
    /// Check everything, and start nothing
    #[arg(long, conflicts_with_all = ["wait", "follow"])]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What happens to leftovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LeftoversArg {
    /// They are ended before the job counts as ended
    End,
    /// They are left running, and 'status' names them
    Leave,
}

/// `bgctl list`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl list
  bgctl list --all --status failed
  bgctl list --label nightly --json | jq '.jobs[].id'")]
pub struct ListArgs {
    /// All ended jobs, not only the latest
    #[arg(long, short)]
    pub all: bool,
    /// Only jobs in this state, 'active' or 'ended'; may be given several times
    #[arg(long, value_name = "STATE")]
    pub status: Vec<String>,
    /// Only jobs with this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl status`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl status ab
  bgctl status build --json | jq '.jobs[0].exit_code'")]
pub struct StatusArgs {
    /// Ids, beginnings of their random part (two characters or more), or names
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl logs`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl logs build
  bgctl logs -n 20 ab
  bgctl logs -f build")]
pub struct LogsArgs {
    /// An id, the beginning of its random part, or a name
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Go on until the job has ended
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last lines
    #[arg(long, short = 'n', value_name = "LINES")]
    pub lines: Option<u64>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl cancel`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl cancel build
  bgctl cancel --signal INT ab
  bgctl cancel --no-wait ab cd

Cancelling a job that has ended does nothing and succeeds.")]
pub struct CancelArgs {
    /// Ids, beginnings of their random part, or names
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Return once the job is told, without waiting for its end
    #[arg(long)]
    pub no_wait: bool,
    /// The signal that asks its processes to end; KILL ends them at once [default: TERM]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal)]
    pub signal: Option<i32>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl wait`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Exit codes:
  the job's own code, or 128+N for signal N; 127 or 126 if it could not start
  121  the time of --within is over and it still goes on
  122  no such job, or a failure of bgctl itself
  124  the job timed out
  125  it was cancelled, or its outcome is unknown
Of several jobs, the first code that is not 0, in the order of the arguments.

Examples:
  bgctl wait build && ./deploy.sh
  bgctl wait --within 10m ab cd
  bgctl wait --any ab cd")]
pub struct WaitArgs {
    /// Ids, beginnings of their random part, or names
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Longest wait: 90, 30s, 1h30m
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub within: Option<u64>,
    /// Return when the first of them ends
    #[arg(long)]
    pub any: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl prune`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Ended jobs go after 14 days, and the oldest beyond 200; none within an hour of its end.

Examples:
  bgctl prune --dry-run
  bgctl prune"
)]
pub struct PruneArgs {
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl tick`
#[derive(Clone, Debug, Args)]
#[command(
    after_long_help = "Starts what can start, judges jobs whose watcher is gone, removes what retention lets go.

Examples:
  bgctl tick
  bgctl tick --dry-run
  bgctl tick --executor dry-run"
)]
pub struct TickArgs {
    /// What runs the jobs that are started
    #[arg(long, value_enum, default_value = "local")]
    pub executor: ExecutorArg,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What runs jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExecutorArg {
    /// Processes of this machine
    Local,
    /// Everything but the execution: each job completes at once
    DryRun,
}

/// `bgctl init`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  eval \"$(bgctl init bash)\"            in ~/.bashrc
  eval \"$(bgctl init zsh)\"             in ~/.zshrc
  bgctl init fish | source             in ~/.config/fish/config.fish
  eval \"$(bgctl init posix)\"           in ~/.profile
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
    /// A function for bash
    Bash,
    /// A function for zsh
    Zsh,
    /// A function for fish
    Fish,
    /// A function for dash and other POSIX shells
    Posix,
    /// A line for the crontab
    Cron,
}
