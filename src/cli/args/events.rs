//! `bgctl events`: its arguments.

use super::{CommonArgs, count};
use crate::ops::events::{Since, parse_kind};
use clap::Args;

/// `bgctl events`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
What happened is told in events.jsonl, in the order in which it happened, a JSON object a line. Each has a number, seq. A
program that has seen everything up to 123 goes on with: bgctl events -f --json-lines --since 123. The stream is bounded:
where numbers are missing, a line says so, {\"event\":\"gap\",\"from\":…,\"to\":…}. docs/events.md tells what each line says.

Examples:
  bgctl events
  bgctl events -f
  bgctl events --since 2h build
  bgctl events --event failed --event hook_failed
  bgctl events -f --json-lines --since 123")]
pub struct EventsArgs {
    /// Only what happened to these jobs: ids, their beginnings, names
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Print what comes, too, until it is interrupted
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
    /// Only what came after event 123, or since: 2h, 2026-11-21
    ///
    /// A whole number is that of an event, and what comes after it is printed. A duration before now has its unit; a day or
    /// a time is in local time (2026-11-21, '2026-11-21 14:30'), or has its zone (2026-11-21T14:30:00Z).
    #[arg(long, value_name = "WHEN", value_parser = Since::parse, allow_hyphen_values = true)]
    pub since: Option<Since>,
    /// Of what has happened, only so many, the last ones
    ///
    /// Without it and without --since, people see the last 100.
    #[arg(long, short = 'n', value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub lines: Option<u64>,
    /// Only of this kind
    ///
    /// What a line has as its event or its change, or the state that it led to. May be given several times.
    #[arg(long, value_name = "KIND", value_parser = parse_kind, help = "Only of this kind: submitted, end, failed, hook_failed")]
    pub event: Vec<String>,
    /// Only this schedule and its runs; may be given several times
    #[arg(long, value_name = "NAME")]
    pub schedule: Vec<String>,
    /// Print a JSON object a line, as it stands in the stream
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub json_lines: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
