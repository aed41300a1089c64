//! One program under two names: `bg` for a prompt whose shell sends it here, `bgctl` for everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgctl::cli::main()
}
