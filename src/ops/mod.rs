//! Use cases: one file a subcommand. Typed requests in, typed outcomes or a [`fault::Fault`] out; nothing is printed
//! here and nothing asked, and no clap type comes this far down.

pub mod alarm;
pub mod attend;
pub mod called;
pub mod cancel;
pub mod config;
pub mod dead;
pub mod events;
pub mod fault;
pub mod find;
pub mod given;
pub mod group;
pub mod home;
pub mod hooks;
pub mod init;
pub mod inside;
pub mod known;
pub mod list;
pub mod logs;
pub mod overview;
pub mod pause;
pub mod prune;
pub mod ready;
pub mod retry;
pub mod schedule;
pub mod select;
pub mod send;
pub mod set;
pub mod signal;
pub mod start;
pub mod status;
pub mod tick;
pub mod wait;
pub mod watch;
pub mod when;
