//! `bgctl set`: its arguments.

use super::{CommonArgs, LimitArg, SizeArg, limit, nonzero_limit, size_limit, within};
use super::{job::PriorityArg, start::coming_time};
use crate::model::Timestamp;
use clap::{ArgGroup, Args};

/// `bgctl set`
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "bgctl set [OPTIONS] <JOB>...",
    group(ArgGroup::new("changes").required(true).multiple(true).args([
        "name", "no_name", "label", "no_label", "timeout", "stale_after", "grace", "log_max", "priority", "group",
        "after", "after_end", "no_after", "delay", "at",
    ])),
    after_long_help = "Examples:
  bgctl set build --timeout 2h
  bgctl set ab --name nightly --label backup
  bgctl set @ --timeout none
  bgctl set ef --priority high --after ab

Limits of a running job count at once; the queue's options are for jobs that wait. Names and @ mean jobs of this terminal; ids work from anywhere."
)]
pub struct SetArgs {
    /// Ids, their beginnings, names, @ for the newest, - for standard input
    ///
    /// The beginning of an id is two characters or more of its random part. With -, the jobs are read from standard input.
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
    /// End it so long after its start: 30s, 1h30m, none
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub timeout: Option<LimitArg>,
    /// Cancel it when its watcher is silent for so long
    #[arg(long, value_name = "TIME", value_parser = nonzero_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub stale_after: Option<LimitArg>,
    /// Time between asking it to end and killing it
    #[arg(long, value_name = "TIME", value_parser = limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub grace: Option<LimitArg>,
    /// Size of its log, beyond which the middle goes: 64MiB, 2GB, none
    #[arg(long, value_name = "SIZE", value_parser = size_limit, allow_hyphen_values = true, help_heading = "Limits")]
    pub log_max: Option<SizeArg>,
    /// How urgent it is: critical, high, normal, low
    #[arg(long, value_enum, hide_possible_values = true, help_heading = "Queue")]
    pub priority: Option<PriorityArg>,
    /// Take the slots of this group
    #[arg(long, value_name = "NAME", help_heading = "Queue")]
    pub group: Option<String>,
    /// Let it wait for the completion of this job too; may be given several times
    #[arg(long, value_name = "JOB", help_heading = "Queue")]
    pub after: Vec<String>,
    /// Let it wait for the end of this job too; may be given several times
    #[arg(long, value_name = "JOB", help_heading = "Queue")]
    pub after_end: Vec<String>,
    /// Let it wait for this job no more; may be given several times
    #[arg(long, value_name = "JOB", help_heading = "Queue")]
    pub no_after: Vec<String>,
    /// Start it no earlier than after this time, 0 for now: also the next attempt of what has failed
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true, conflicts_with = "at", help_heading = "Queue")]
    pub delay: Option<u64>,
    /// Start it no earlier than then: 15:00, '2026-11-21 14:30'
    #[arg(long, value_name = "WHEN", value_parser = coming_time, help_heading = "Queue")]
    pub at: Option<Timestamp>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
