//! The arguments, as clap types, one file a subcommand; the doc comments are the help.

pub mod approval;
pub mod cancel;
pub mod config;
pub mod dead;
pub mod doctor;
pub mod events;
pub mod group;
pub mod health;
pub mod init;
pub mod job;
pub mod list;
pub mod logs;
pub mod pause;
pub mod prune;
pub mod retry;
pub mod schedule;
pub mod send;
pub mod set;
pub mod signal;
pub mod start;
pub mod status;
pub mod store;
pub mod tick;
pub mod wait;

use crate::model::{
    limit::{BytesMax, Seconds, parse_bytes_limit, parse_limit, parse_nonzero_limit, parse_seconds},
    nearest::nearest_word,
    outcome::{signal_names, signal_number},
};
use clap::{Args, Command};

/// A subcommand: its name, what it does, and what adds its arguments.
pub type Subcommand = (&'static str, &'static str, fn(Command) -> Command);

/// The subcommands in the order of the help: name, what it does, and its arguments, which are built only for the
/// subcommand that is called.
pub const SUBCOMMANDS: [Subcommand; 26] = [
    ("start", "Start a command in the background and print its job id", arguments::<start::StartArgs>),
    ("list", "List jobs: active ones, then the latest that ended", arguments::<list::ListArgs>),
    ("status", "Show everything about jobs; without one, how things stand", arguments::<status::StatusArgs>),
    ("logs", "Print a job's output, or follow it", arguments::<logs::LogsArgs>),
    ("cancel", "End jobs and all their processes", arguments::<cancel::CancelArgs>),
    ("wait", "Wait for jobs to end, and exit with their code", arguments::<wait::WaitArgs>),
    ("prune", "Remove old ended jobs, with their logs", arguments::<prune::PruneArgs>),
    ("set", "Change name, labels or limits of jobs that have not ended", arguments::<set::SetArgs>),
    ("send", "Write into the standard input of a running job", arguments::<send::SendArgs>),
    ("signal", "Send a signal to the processes of running jobs", arguments::<signal::SignalArgs>),
    ("pause", "Stop the processes of jobs, and hold queued ones back", arguments::<pause::PauseArgs>),
    ("resume", "Let paused jobs go on", arguments::<pause::ResumeArgs>),
    ("retry", "Start ended jobs again, as new jobs", arguments::<retry::RetryArgs>),
    ("dead", "List, show or clear jobs whose attempts are used up", arguments::<dead::DeadArgs>),
    ("approve", "Let jobs run that wait for approval", arguments::<approval::ApproveArgs>),
    ("decline", "Cancel jobs that wait for approval", arguments::<approval::DeclineArgs>),
    (
        "approval",
        "List what waits for approval, or ask for it inside a job",
        arguments::<approval::ApprovalArgs>,
    ),
    ("events", "Show what happened, or follow it as it comes", arguments::<events::EventsArgs>),
    ("group", "Show, add or remove groups of jobs with slots of their own", arguments::<group::GroupArgs>),
    (
        "schedule",
        "List, show, add, run, pause or remove what runs again and again",
        arguments::<schedule::ScheduleArgs>,
    ),
    ("tick", "Look after everything once: what cron calls every minute", arguments::<tick::TickArgs>),
    (
        "health",
        "Say whether all is well, and why not, for people and monitors",
        arguments::<health::HealthArgs>,
    ),
    ("doctor", "Look whether the installation is as it should be", arguments::<doctor::DoctorArgs>),
    ("config", "Show the settings that hold, or look for mistakes in them", arguments::<config::ConfigArgs>),
    ("store", "Show or check the index, or make a damaged one anew", arguments::<store::StoreArgs>),
    ("init", "Print what a shell, cron or systemd needs to reach bgctl", arguments::<init::InitArgs>),
];

/// Other names of subcommands.
pub const ALIASES: [(&str, &str); 1] = [("dlq", "dead")];

/// Subcommands that have subcommands of their own.
pub const NESTED: [&str; 2] = ["approval", "schedule"];

/// The words that stand for subcommands.
pub fn subcommand_words() -> impl Iterator<Item = &'static str> {
    SUBCOMMANDS.into_iter().map(|(name, ..)| name).chain(ALIASES.into_iter().map(|(alias, _)| alias))
}

/// Adds a subcommand's arguments; what it does is said in the table above, once.
fn arguments<A: Args>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    A::augment_args(command).about(about).long_about(None)
}

/// The whole command line; how its help is laid out is `super::help`'s.
pub fn command() -> Command {
    let mut command = CommonArgs::augment_args(Command::new("bgctl"))
        .about("Run commands in the background, and know the truth about them later")
        .long_about(None)
        .version(env!("CARGO_PKG_VERSION"))
        .override_usage("bgctl [OPTIONS] [COMMAND]")
        // Flags that stand before a subcommand are put behind it (`usage::straightened`), which has its own.
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true);
    for (name, about, arguments) in SUBCOMMANDS {
        let aliases = ALIASES.into_iter().filter(|(_, of)| *of == name).map(|(alias, _)| alias);
        command = command.subcommand(Command::new(name).about(about).aliases(aliases).defer(arguments));
    }
    command
}

/// How to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
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

/// Which jobs a command is for.
#[derive(Clone, Debug, Args)]
pub struct ChosenArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
    #[arg(value_name = "JOB", required_unless_present_any = ["label", "status", "group", "all"], conflicts_with_all = ["label", "status", "group", "all"])]
    pub jobs: Vec<String>,
    /// Every active job with this label; of several, with all
    ///
    /// May be given several times: a job must then have all of these labels.
    #[arg(long, value_name = "LABEL", help_heading = "Many jobs")]
    pub label: Vec<String>,
    /// Every active job in this state
    #[arg(
        long,
        value_name = "STATE",
        help = "Every active job in this state: queued, running or waiting_approval; may be given several times",
        help_heading = "Many jobs"
    )]
    pub status: Vec<String>,
    /// Every active job of this group
    #[arg(long, value_name = "NAME", help_heading = "Many jobs")]
    pub group: Option<String>,
    /// Every active job, of every terminal
    #[arg(long, conflicts_with_all = ["label", "status", "group"], help_heading = "Many jobs")]
    pub all: bool,
}

fn limit(text: &str) -> Result<LimitArg, String> {
    parse_limit(text).map(LimitArg).map_err(|error| error.to_string())
}

fn nonzero_limit(text: &str) -> Result<LimitArg, String> {
    parse_nonzero_limit(text).map(LimitArg).map_err(|error| error.to_string())
}

/// A limit that was given: seconds, or switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitArg(pub Seconds);

fn size_limit(text: &str) -> Result<SizeArg, String> {
    parse_bytes_limit(text).map(SizeArg).map_err(|error| error.to_string())
}

/// A size that was given: bytes, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeArg(pub BytesMax);

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number".to_owned())
}

fn positive(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a whole number from 1".to_owned())
}

fn within(text: &str) -> Result<u64, String> {
    parse_seconds(text).map_err(|error| error.to_string())
}

fn signal(text: &str) -> Result<i32, String> {
    signal_number(text).ok_or_else(|| {
        let upper = text.to_ascii_uppercase();
        let typed = upper.strip_prefix("SIG").unwrap_or(&upper);
        let names = signal_names();
        match nearest_word(typed, names.iter().map(String::as_str)) {
            Some(near) => format!("there is no such signal; did you mean {near}?"),
            None => "expected a signal such as TERM, INT, KILL or 15".to_owned(),
        }
    })
}
