//! `bgctl list`: its arguments.

use super::{CommonArgs, positive};
use crate::ops::list::{Key, NamePattern, Since};
use crate::render::{
    column::Column,
    template::{FIELDS, Template},
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

/// `bgctl list`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = after_long_help())]
pub struct ListArgs {
    /// All ended jobs, not only the latest
    #[arg(long, short)]
    pub all: bool,
    /// Only jobs in this state; also 'active' and 'ended'
    ///
    /// May be given several times, or with commas between the states.
    #[arg(long, value_name = "STATE", help_heading = "Which jobs")]
    pub status: Vec<String>,
    /// Only dead letters: jobs whose attempts are used up
    #[arg(long, help_heading = "Which jobs")]
    pub dead: bool,
    /// Only jobs with this label; of several it must have all
    #[arg(long, value_name = "LABEL", help_heading = "Which jobs")]
    pub label: Vec<String>,
    /// Only jobs of this name, or like this pattern: 'build*'
    ///
    /// In a pattern, * is any text and ? any character. Of several names a job must have one.
    #[arg(long, value_name = "NAME", value_parser = NamePattern::parse, help_heading = "Which jobs")]
    pub name: Vec<NamePattern>,
    /// Only jobs of this group
    #[arg(long, value_name = "NAME", help_heading = "Which jobs")]
    pub group: Option<String>,
    /// Only the runs of this schedule
    #[arg(long, value_name = "SCHEDULE", help_heading = "Which jobs")]
    pub schedule: Option<String>,
    /// Only jobs submitted since: 2h, 2026-11-21
    ///
    /// A duration before now, a day or a time in local time (2026-11-21, '2026-11-21 14:30'), or a time with its zone
    /// (2026-11-21T14:30:00Z).
    #[arg(long, value_name = "TIME", value_parser = Since::parse, allow_hyphen_values = true, help_heading = "Which jobs")]
    pub since: Option<Since>,
    /// At most so many jobs, once they are sorted
    #[arg(long, value_name = "N", value_parser = positive, allow_negative_numbers = true, help_heading = "Which jobs")]
    pub limit: Option<u32>,
    /// Sort by created, started, ended, name, status, time, cpu or memory
    ///
    /// As with ls, names come from a to z, times with the latest first, amounts with the largest first. Jobs of which
    /// the key says nothing come last.
    #[arg(long, value_name = "KEY", value_parser = key(), hide_possible_values = true, help_heading = "Order")]
    pub sort: Option<Key>,
    /// Turn the order around
    #[arg(long, help_heading = "Order")]
    pub reverse: bool,
    /// Show these columns: id,name,status; --help names all
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        value_parser = column(),
        hide_possible_values = true,
        conflicts_with_all = ["format", "json", "json_lines"],
        help_heading = "Output"
    )]
    pub columns: Option<Vec<Column>>,
    /// Print a line a job in this form: '{id} {status}'
    ///
    /// A placeholder is a column or a field; both are named below. Columns give values for programs: whole seconds,
    /// percent, KiB, times in UTC, nothing where there is nothing to say. The status is the index's word; observed tells
    /// what was seen of a job that runs. {{ and }} stand for braces, \t, \n and \\ for a tab, a line end and a
    /// backslash.
    #[arg(
        long,
        value_name = "TEMPLATE",
        value_parser = Template::parse,
        conflicts_with_all = ["json", "json_lines"],
        help_heading = "Output"
    )]
    pub format: Option<Template>,
    /// Print a line a job: the JSON objects that --json has in 'jobs'
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub json_lines: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}

fn key() -> impl TypedValueParser<Value = Key> {
    let parse = |word: String| Key::ALL.into_iter().find(|(name, _)| *name == word).map(|(_, key)| key);
    PossibleValuesParser::new(Key::ALL.map(|(name, _)| name))
        .try_map(move |word| parse(word).ok_or("there is no such key"))
}

fn column() -> impl TypedValueParser<Value = Column> {
    PossibleValuesParser::new(Column::ALL.map(|(name, ..)| name))
        .try_map(|word| Column::parse(&word).ok_or("there is no such column"))
}

/// The columns, the fields and examples; the first two follow from what there is.
fn after_long_help() -> String {
    let columns: String =
        Column::ALL.into_iter().map(|(name, _, about)| format!("  {name:<10}  {about}\n")).collect();
    let mut fields = String::new();
    let mut width = 0;
    for name in FIELDS {
        let fits = width + 2 + name.len() <= 76;
        fields.push_str(match fits {
            _ if fields.is_empty() => "  ",
            true => ", ",
            false => ",\n  ",
        });
        width = if fits { width + 2 + name.len() } else { name.len() };
        fields.push_str(name);
    }
    format!(
        "Columns:\n{columns}
Unless told otherwise, id, status, age, time and command are shown, name, cpu,
memory and exit where a job has them, and as many as the terminal has room for.

Fields, for --format beside the columns:\n{fields}

Examples:
  bgctl list
  bgctl list --all --status failed --since 2d
  bgctl list --name 'build*' --sort time
  bgctl list --sort memory --limit 5 --columns id,name,memory,cpu,processes
  bgctl list --status active --format '{{id}}\\t{{name}}\\t{{time}}'
  bgctl list --label nightly --json | jq '.jobs[].id'"
    )
}
