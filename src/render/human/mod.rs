//! Outcomes as text for people, one file a subcommand.

mod cancel;
mod candidates;
mod list;
mod pause;
mod prune;
mod set;
mod start;
mod status;
mod tick;
pub mod words;

pub use cancel::{cancelled, cancelled_in_all};
pub use candidates::candidates;
pub use list::{left_out, list};
pub use pause::paused;
pub use prune::{pruned, pruned_in_all};
pub use set::set;
pub use start::{foreseen, place};
pub use status::status;
pub use tick::foreseen_pass;
pub use words::{NONE_NAMED, end, jobs, nothing_was_executed};
