//! `bgctl set`: its arguments.

use super::{CommonArgs, LimitArg, limit, nonzero_limit};
use crate::model::limit::{BytesMax, parse_bytes_limit};
use clap::{ArgGroup, Args};

/// `bgctl set`
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "bgctl set [OPTIONS] <JOB>...",
    group(ArgGroup::new("changes").required(true).multiple(true).args([
        "name", "no_name", "label", "no_label", "timeout", "stale_after", "grace", "log_max",
    ])),
    after_long_help = "Examples:
  bgctl set build --timeout 2h
  bgctl set ab --name nightly --label backup
  bgctl set @ --timeout none

Limits of a running job count at once. Names and @ mean jobs of this terminal; ids work from anywhere."
)]
pub struct SetArgs {
    /// Ids, first characters of an id's random part, names, @ for the newest, or - to read them from standard input
    #[arg(required = true, value_name = "JOB")]
    pub jobs: Vec<String>,
    /// A name to call the job by
    #[arg(long)]
    pub name: Option<String>,
    /// Take the name away
    #[arg(long, conflicts_with = "name")]
    pub no_name: bool,
    /// Add a label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub label: Vec<String>,
    /// Take a label away; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub no_label: Vec<String>,
    /// End the job after this time, counted from its start: 90, 30s, 1h30m, none
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub timeout: Option<LimitArg>,
    /// Cancel the job when its watcher is silent for so long
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub stale_after: Option<LimitArg>,
    /// Time between asking processes to end and killing them
    #[arg(long, value_name = "TIME", value_parser = limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub grace: Option<LimitArg>,
    /// Keep the beginning and the end of a log beyond this size: 64MiB, 2GB, none
    #[arg(long, value_name = "SIZE", value_parser = log_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub log_max: Option<LogLimitArg>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A limit of a log that was given: bytes, or switched off.
#[derive(Clone, Copy, Debug)]
pub struct LogLimitArg(pub BytesMax);

fn log_limit(text: &str) -> Result<LogLimitArg, String> {
    parse_bytes_limit(text).map(LogLimitArg).map_err(|error| error.to_string())
}
