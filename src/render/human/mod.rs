//! Outcomes as text for people, one file a subcommand.

mod cancel;
mod list;
mod prune;
mod start;
mod status;
mod tick;
pub mod words;

pub use cancel::cancelled;
pub use list::{Look, left_out, list, no_jobs};
pub use prune::pruned;
pub use start::{foreseen, place};
pub use status::status;
pub use tick::foreseen_pass;
pub use words::{end, nothing_was_executed};
