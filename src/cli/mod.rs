//! The command line: arguments to requests, outcomes to exit codes.

pub mod args;
mod complete;
pub mod dispatch;
pub mod help;
mod usage;
mod verbs;

pub use dispatch::main;
