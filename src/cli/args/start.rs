//! `bgctl start`: its arguments.

use super::{CommonArgs, job::JobArgs, within};
use crate::model::Timestamp;
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
after_end, stdin, service, leftovers, on_end, approval, approval_ttl; the names that they have in the index and in --json, such as \
timeout_seconds, mean the same. If a line is wrong, nothing is started.";

/// The numbers of an array.
const ARRAY: &str = "Start a job for each number: 1-100, 1-100:5, 1,3,7-9; {} in the command is the number

The command finds the number in BG_ARRAY_INDEX, too. Each number counts once, in ascending order. Every {} in the command, \
--name, --label, --key, --cwd and --stdin is replaced; a shell line that needs {} itself has '{''}' there.";

/// `bgctl start`
#[derive(Clone, Debug, Default, PartialEq, Args)]
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
    /// What the job is like
    #[command(flatten)]
    pub job: JobArgs,
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
    /// What to do when too many jobs wait: refuse, or wait for room (with --within, no longer than that)
    #[arg(long, value_enum, default_value = "refuse", hide_possible_values = true, help_heading = "Queue")]
    pub when_full: WhenFullArg,
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

/// What happens when too many jobs wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhenFullArg {
    /// Nothing is queued, and the exit code is 75
    #[default]
    Refuse,
    /// It is queued as soon as there is room
    Wait,
}

/// Reads a line that says hardly more than a command, without the grammar: that one takes longer to lay out than all else that is
/// done before the job is written down. `None`: the grammar has to say.
pub fn plain(arguments: &[OsString]) -> Option<StartArgs> {
    let mut words = arguments.iter().skip(1);
    words.next().filter(|word| *word == "start")?;
    let mut args = StartArgs::default();
    for word in words.by_ref() {
        match word.as_encoded_bytes() {
            b"--" => break,
            b"-q" | b"--quiet" if !args.common.quiet => args.common.quiet = true,
            b"--json" if !args.common.json => args.common.json = true,
            [] | [b'-', ..] => return None,
            _ => {
                args.command.push(word.clone());
                break;
            }
        }
    }
    args.command.extend(words.cloned());
    (!args.command.is_empty()).then_some(args)
}

/// Reads a time that is to come.
pub fn coming_time(text: &str) -> Result<Timestamp, String> {
    parse_coming_time(text, SystemClock.now())
}

fn array(text: &str) -> Result<Array, String> {
    Array::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args, usage};
    use clap::FromArgMatches;
    use proptest::prelude::*;

    fn by_grammar(words: &[OsString]) -> Option<StartArgs> {
        let matches = args::command().try_get_matches_from(usage::straightened(words.to_vec())).ok()?;
        StartArgs::from_arg_matches(matches.subcommand()?.1).ok()
    }

    fn line(words: &[&str]) -> Vec<OsString> {
        ["bgctl"].iter().chain(words).map(OsString::from).collect()
    }

    #[test]
    fn the_usual_lines_need_no_grammar() {
        for words in [
            &["start", "true"][..],
            &["start", "--", "make", "-j4", "--", "-q"],
            &["start", "-q", "make", "--json"],
            &["start", "--json", "--quiet", "--", "-x"],
        ] {
            assert_eq!(plain(&line(words)), by_grammar(&line(words)), "{words:?}");
            assert!(plain(&line(words)).is_some(), "{words:?}");
        }
        for words in
            [&["start"][..], &["start", "--"], &["list"], &["start", "-q", "-q", "a"], &["start", "-n"]]
        {
            assert_eq!(plain(&line(words)), None, "{words:?}");
        }
    }

    proptest! {
        #[test]
        fn a_line_that_is_read_without_the_grammar_is_read_as_by_it(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "start", "--", "-q", "--quiet", "--json", "-v", "-qv", "--name", "a", "", "-", "--wait", "-f", "help", "--help",
                    "list", "--name=b", "-x", "ü",
                ]),
                0..7,
            ),
        ) {
            for words in [line(&words), line(&[&["start"], &words[..]].concat())] {
                if let Some(args) = plain(&words) {
                    prop_assert_eq!(Some(args), by_grammar(&words));
                }
            }
        }
    }
}
