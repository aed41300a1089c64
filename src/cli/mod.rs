//! The command line: arguments to requests, outcomes to exit codes.

pub mod args;
pub mod dispatch;
mod verbs;

pub use dispatch::main;
