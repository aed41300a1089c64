//! Use cases: one file a subcommand. Typed requests in, typed outcomes or a [`fault::Fault`] out; nothing is printed
//! here and nothing asked, and no clap type comes this far down.

pub mod attend;
pub mod cancel;
pub mod fault;
pub mod find;
pub mod home;
pub mod init;
pub mod known;
pub mod list;
pub mod logs;
pub mod prune;
pub mod start;
pub mod status;
pub mod tick;
pub mod wait;
pub mod watch;
