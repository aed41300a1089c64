//! `bgctl health`: its arguments.

use super::CommonArgs;
use clap::Args;

/// `bgctl health`
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "bgctl health [OPTIONS] [NAME]",
    after_long_help = "Examples:
  bgctl health
  bgctl health --quiet >/dev/null || echo look
  bgctl health --jobs
  bgctl health build --json
  bgctl health --prometheus

Exit codes, as monitors expect them:
  0  ok
  1  degraded: it goes on, and somebody should look
  2  failing: something that should happen does not, until somebody does something
  3  it could not be told: the index is damaged, or the command line is wrong

Degraded: more than 10 dead letters; more than 90% of the queue taken; submissions refused; the watcher of a running job
gone; three failures in a row of a recurring job or of the jobs of one name; a recurring job that is late; a mistake in
config.toml. Failing: no tick for five minutes while something is due; a full disk; the end of a job that cannot be
written down; a session that ran out. The section [health] of config.toml has other numbers. Looking changes nothing."
)]
pub struct HealthArgs {
    /// Only this recurring job, or the jobs of this name, as with --jobs
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How each recurring job, and the jobs of each name, have gone
    ///
    /// The last run and the last success, failures in a row, the next run, how long runs take (on average, and what 95
    /// of 100 do not exceed, of the latest 50), and how many were missed. The verdict is on these alone.
    #[arg(long)]
    pub jobs: bool,
    /// Print metrics, in the text format of Prometheus
    ///
    /// Where it could not be told, the only metric is the status, which is unknown then.
    #[arg(long, conflicts_with_all = ["name", "jobs", "json"])]
    pub prometheus: bool,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
