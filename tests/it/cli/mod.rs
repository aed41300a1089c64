//! One file a subcommand: what a user sees, and the exit code.

mod start;
