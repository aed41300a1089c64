//! The command line: arguments to requests, outcomes to exit codes.

pub mod args;
pub mod dispatch;

pub use dispatch::main;
