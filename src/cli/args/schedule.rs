//! `bgctl schedule`: its subcommands and their arguments.

use super::{CommonArgs, job::JobArgs, within};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;

/// `bgctl schedule`
#[derive(Clone, Debug, Args)]
#[command(
    disable_help_subcommand = true,
    override_usage = "bgctl schedule [OPTIONS] [COMMAND]",
    after_long_help = "Without a command, the schedules are listed. bgctl tick, from cron, keeps them going; what is due within 90 seconds
comes to the second. Each run is an ordinary job: bgctl list --schedule NAME shows the runs.
A section [schedules.NAME] of config.toml defines one as well, and wins over what was added under its name.
bgctl schedule COMMAND --help says more about each.

Examples:
  bgctl schedule add backup --cron '0 3 * * *' -- ./backup.sh
  bgctl schedule
  bgctl schedule show backup
  bgctl schedule run backup"
)]
pub struct ScheduleArgs {
    /// What to do; without it, list
    #[command(subcommand)]
    pub action: Option<ScheduleAction>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ScheduleArgs {
    /// How to speak: the flags may stand on either side of the word that says what to do.
    pub fn common(&self) -> CommonArgs {
        let inner = match &self.action {
            None => CommonArgs::default(),
            Some(ScheduleAction::List(args)) => args.common,
            Some(ScheduleAction::Show(args)) => args.common,
            Some(ScheduleAction::Add(args)) => args.common,
            Some(ScheduleAction::Run(args)) => args.common,
            Some(
                ScheduleAction::Pause(args) | ScheduleAction::Resume(args) | ScheduleAction::Remove(args),
            ) => args.common,
        };
        CommonArgs {
            json: self.common.json || inner.json,
            quiet: self.common.quiet || inner.quiet,
            verbose: self.common.verbose || inner.verbose,
        }
    }
}

/// What to do with schedules.
#[derive(Clone, Debug, Subcommand)]
pub enum ScheduleAction {
    /// List schedules: when each runs, how its runs have gone
    #[command(
        after_long_help = "A line a schedule: when it runs and when next, how its last run ended, failures in a row, how long the latest runs
took (on average, and what 95 of 100 of them did not exceed), times that passed without a run, and who defined it.
On a narrow terminal, columns that matter less are left out.

Examples:
  bgctl schedule list
  bgctl schedule list backup
  bgctl schedule list --json"
    )]
    List(ListArgs),
    /// Show all that is known of a schedule
    #[command(after_long_help = "Examples:
  bgctl schedule show backup
  bgctl schedule show backup --json")]
    Show(NameArgs),
    /// Add a schedule, or change one that was added
    #[command(
        override_usage = "bgctl schedule add [OPTIONS] NAME --every TIME -- COMMAND [ARG]…
       bgctl schedule add [OPTIONS] NAME --cron EXPR -- COMMAND [ARG]…",
        after_long_help = "Each run gets the folder, the environment, the umask and the limits of here and now, whoever starts it later. Doing it
again changes nothing; with something else, it changes the schedule and keeps its past, and where the rhythm is the
same, its times too. What config.toml defines cannot be changed so.

An expression has five fields: minute, hour, day of month, month, day of week; or six, with seconds in front; or it is
@hourly, @daily, @weekly, @monthly or @yearly. It is read in the time zone of --tz, else in that of this machine; a
time that the clocks leave out on the day they are set forward comes right after the gap, and one that they have twice
comes once. What comes every few minutes or hours comes in each of the doubled hours.

A run that failed is followed by another one after 10 seconds, then after twice as long each time, up to an hour
([recurring] in config.toml), until one succeeds.

Nobody writes into the input of a run: --stdin takes a file, neither - nor pipe.

Examples:
  bgctl schedule add backup --cron '0 3 * * *' -- ./backup.sh
  bgctl schedule add news --every 15m --timeout 5m -- ./fetch.sh
  bgctl schedule add office --cron '*/5 9-17 * * 1-5' --tz Europe/Berlin -- ./fetch.sh
  bgctl schedule add sync --every 1h --jitter 10m --overlap replace --shell './fetch.sh | wc -l'
  bgctl schedule add report --cron @weekly --missed none --dry-run -- ./backup.sh"
    )]
    Add(Box<AddArgs>),
    /// Run a schedule now, and print the id of the run
    #[command(
        after_long_help = "Its next time stays as it is, and a paused schedule can be run so, too. Where the run before it has not ended, the
exit code is 4, unless the schedule lets runs wait (--overlap queue) or take its place (--overlap replace).

With --wait and --follow, the exit codes are those of bgctl wait.

Examples:
  bgctl schedule run backup
  bgctl schedule run backup --wait
  bgctl schedule run backup --follow"
    )]
    Run(RunArgs),
    /// Hold a schedule back; a run that has begun goes on
    #[command(after_long_help = "Times that pass meanwhile are not missed: they are not made up for.

Examples:
  bgctl schedule pause backup")]
    Pause(NameArgs),
    /// Let a paused schedule go on, at its next time
    #[command(after_long_help = "Examples:
  bgctl schedule resume backup")]
    Resume(NameArgs),
    /// Remove a schedule that was added; its runs stay
    #[command(
        after_long_help = "What config.toml defines goes with its section, and what is built in can only be paused.

Examples:
  bgctl schedule remove backup"
    )]
    Remove(NameArgs),
}

/// `bgctl schedule list`
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Only this one
    #[arg(value_name = "SCHEDULE")]
    pub name: Option<String>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The verbs that take a name and nothing else.
#[derive(Clone, Debug, Args)]
pub struct NameArgs {
    /// The name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub name: String,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl schedule run`
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The name of a schedule
    #[arg(value_name = "SCHEDULE")]
    pub name: String,
    /// Wait for the run to end, and exit with its code
    #[arg(long, conflicts_with = "follow")]
    pub wait: bool,
    /// With --wait, wait no longer than this, else exit with 121
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, requires = "wait")]
    pub within: Option<u64>,
    /// Print its output as it comes, and exit with its code
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `bgctl schedule add`
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// The name of the schedule; its runs are called so, too
    #[arg(value_name = "NAME")]
    pub schedule: String,
    /// The command of each run and its arguments, byte for byte
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments, required_unless_present = "shell")]
    pub command: Vec<OsString>,
    /// Run it at this distance: 30s, 15m, 1d
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, help_heading = "When")]
    pub every: Option<u64>,
    /// Run it at the times of a cron expression: '0 3 * * *'
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true, help_heading = "When")]
    pub cron: Option<String>,
    /// The time zone of --cron: Europe/Berlin [default: here]
    #[arg(long, value_name = "ZONE", help_heading = "When")]
    pub tz: Option<String>,
    /// What happens to a run that is due while the one before it goes on: skip, queue, replace
    #[arg(
        long,
        value_name = "WORD",
        value_enum,
        default_value = "skip",
        hide_possible_values = true,
        hide_default_value = true,
        help = "While a run goes on, the next: skip, queue, replace",
        long_help = "What becomes of a run that is due while the one before it goes on: skip leaves it out, unless told otherwise; queue lets one \
                     wait for that end; replace cancels the one before it",
        help_heading = "When"
    )]
    pub overlap: OverlapArg,
    /// What happens to times at which nobody looked: none, once
    #[arg(
        long,
        value_name = "WORD",
        value_enum,
        default_value = "once",
        hide_possible_values = true,
        hide_default_value = true,
        help = "For times at which the machine was off, runs: none, once",
        long_help = "What becomes of times at which nobody looked, because the machine was off or nothing ticked: once starts one run for all of \
                     them, unless told otherwise; none lets them pass",
        help_heading = "When"
    )]
    pub missed: MissedArg,
    /// Let each run come later, by chance, by up to this time
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, help_heading = "When")]
    pub jitter: Option<u64>,
    /// After a failure, wait for the next time like after a success
    #[arg(long, help_heading = "When")]
    pub no_restart: bool,
    /// What each run is like
    #[command(flatten)]
    pub job: JobArgs,
    /// Check everything, tell the next times, and add nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What happens to a run that is due while the one before it has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OverlapArg {
    /// It is left out
    Skip,
    /// It waits for that end; only one does
    Queue,
    /// The one before it is cancelled
    Replace,
}

/// What happens to times at which nobody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MissedArg {
    /// They pass
    None,
    /// One run makes up for all of them
    Once,
}
