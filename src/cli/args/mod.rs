//! The arguments, as clap types, one file a subcommand; the doc comments are the help.

pub mod cancel;
pub mod init;
pub mod list;
pub mod logs;
pub mod prune;
pub mod start;
pub mod status;
pub mod tick;
pub mod wait;

use crate::model::{
    limit::{Seconds, parse_limit, parse_nonzero_limit, parse_seconds},
    outcome::signal_number,
};
use clap::{Args, Command};

/// A subcommand: its name, what it does, and what adds its arguments.
pub type Subcommand = (&'static str, &'static str, fn(Command) -> Command);

/// The subcommands in the order of the help: name, what it does, and its arguments, which are built only for the
/// subcommand that is called.
pub const SUBCOMMANDS: [Subcommand; 9] = [
    ("start", "Start a command in the background and print its job id", arguments::<start::StartArgs>),
    ("list", "List jobs: active ones, then the latest that ended", arguments::<list::ListArgs>),
    ("status", "Show everything about jobs", arguments::<status::StatusArgs>),
    ("logs", "Print a job's output, or follow it", arguments::<logs::LogsArgs>),
    ("cancel", "End jobs and all their processes", arguments::<cancel::CancelArgs>),
    ("wait", "Wait for jobs to end, and exit with their code", arguments::<wait::WaitArgs>),
    ("prune", "Remove ended jobs that retention lets go", arguments::<prune::PruneArgs>),
    ("tick", "Look after everything once: what cron calls every minute", arguments::<tick::TickArgs>),
    ("init", "Print what a shell or cron needs to reach bgctl", arguments::<init::InitArgs>),
];

/// Adds a subcommand's arguments; what it does is said in the table above, once.
fn arguments<A: Args>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    A::augment_args(command).about(about).long_about(None)
}

/// The whole command line; how its help is laid out is `super::help`'s.
pub fn command() -> Command {
    let mut command = Command::new("bgctl")
        .about("Run commands in the background, and know the truth about them later")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
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
