//! Outcomes as text for people, one file a subcommand.

mod asked;
mod cancel;
mod candidates;
mod config;
mod dead;
mod doctor;
mod events;
mod group;
mod health;
mod init;
mod list;
mod many;
mod measure;
mod overview;
mod pause;
mod prune;
mod report;
mod retry;
mod schedule;
pub mod screen;
mod send;
mod set;
mod start;
mod status;
mod store;
mod table;
mod tick;
mod wait;
pub mod words;

pub use cancel::{cancelled, cancelled_in_all, cancelled_too, to_cancel};
pub use candidates::candidates;
pub use config::{mistake, no_mistakes, note, settings};
pub use dead::{dead_cleared, dead_list, dead_shown};
pub use doctor::examined;
pub use events::{event, events_count};
pub use group::{group_brief, group_changed, group_paused, groups};
pub use health::{going, health, verdict_brief};
pub use init::installed;
pub use list::{Look, left_out, list, no_jobs};
pub use many::{foreseen_many, stage, started_many};
pub use overview::overview;
pub use pause::paused;
pub use prune::{kept, pruned, pruned_in_all};
pub use report::{SUPERVISOR_LEAVES, reported, supervisor_is_here};
pub use retry::{retried, retry_foreseen, retry_left};
pub use schedule::{
    NO_SCHEDULES, NOBODY_TICKS, schedule, schedule_added, schedule_changed, schedule_foreseen, schedules,
};
pub use send::{sent, signal_advice, signalled};
pub use set::set;
pub use start::{foreseen, foreseen_one, full, place};
pub use status::status;
pub use store::{rebuilt, store_shown};
pub use tick::foreseen_pass;
pub use wait::{Awaited, Standing, circle, goes_on, late, services};
pub use words::{NONE_ACTIVE, NONE_NAMED, end, jobs, nothing_was_executed};
