//! `bgctl send`: its arguments.

use super::{CommonArgs, within};
use clap::Args;
use std::ffi::OsString;

/// `bgctl send`
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Examples:
  bgctl start --stdin pipe --name worker -- bash
  bgctl send worker 'make -j4'
  bgctl send worker - < big.txt
  bgctl send worker exit --eof

A text of up to 4095 bytes arrives whole, also where several send at once. It is sent once it is in the pipe, which
holds 64 KiB; the job may read it later, or never. The end of the input comes after all that was being sent before.
Each attempt of a job has a pipe of its own. A text that begins with - stands after --.
Names and @ mean jobs of this terminal; ids work from anywhere.")]
pub struct SendArgs {
    /// An id, its beginning, a name, or @ for the newest
    #[arg(value_name = "JOB")]
    pub job: String,
    /// A line to send, without its end; - copies standard input as it is
    #[arg(value_name = "TEXT", required_unless_present = "eof")]
    pub text: Option<OsString>,
    /// Add no newline to TEXT
    #[arg(long)]
    pub no_newline: bool,
    /// Then close the input: nothing more can be sent
    #[arg(long)]
    pub eof: bool,
    /// Wait at most so long for room in the pipe [default: 10s]
    ///
    /// 90, 30s, 1h30m. Each time that the job reads, it counts anew; when it is over, the exit code is 75, and what was sent
    /// until then stays sent.
    #[arg(long, value_name = "TIME", value_parser = within, allow_hyphen_values = true)]
    pub within: Option<u64>,
    /// How to speak
    #[command(flatten)]
    pub common: CommonArgs,
}
