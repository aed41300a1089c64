//! Outcomes as text for people, one file a subcommand.

mod cancel;
mod list;
mod measure;
mod overview;
mod prune;
pub mod screen;
mod start;
mod status;
mod tick;
mod wait;
pub mod words;

pub use cancel::cancelled;
pub use list::{Look, left_out, list, no_jobs};
pub use overview::overview;
pub use prune::pruned;
pub use start::{foreseen, place};
pub use status::status;
pub use tick::foreseen_pass;
pub use wait::{Standing, circle};
pub use words::{end, nothing_was_executed};
