//! Outcomes as text for people, one file a subcommand.

mod cancel;
mod candidates;
mod config;
mod dead;
mod group;
mod list;
mod measure;
mod overview;
mod pause;
mod prune;
mod retry;
pub mod screen;
mod send;
mod set;
mod start;
mod status;
mod tick;
mod wait;
pub mod words;

pub use cancel::{cancelled, cancelled_in_all, to_cancel};
pub use candidates::candidates;
pub use config::{mistake, no_mistakes, settings};
pub use dead::{dead_cleared, dead_list, dead_shown};
pub use group::{group_brief, group_changed, group_paused, groups};
pub use list::{Look, left_out, list, no_jobs};
pub use overview::overview;
pub use pause::paused;
pub use prune::{kept, pruned, pruned_in_all};
pub use retry::{retried, retry_foreseen, retry_left};
pub use send::{sent, signal_advice, signalled};
pub use set::set;
pub use start::{foreseen, full, place};
pub use status::status;
pub use tick::foreseen_pass;
pub use wait::{Awaited, Standing, circle, goes_on, late, services};
pub use words::{NONE_ACTIVE, NONE_NAMED, end, jobs, nothing_was_executed};
