//! What is: jobs, their states, the events that change them, and the facts a decision needs.
//!
//! Pure data and pure functions. This room reads no clock, draws no random number, opens no file and knows
//! no process; instants, ids and texts arrive as arguments. It never decides what ought to happen: that is
//! the room `plan`.

pub mod approval;
pub mod bytes;
pub mod calendar;
pub mod claim;
pub mod config;
pub mod dependency;
pub mod edit;
pub mod event;
pub mod facts;
pub mod group;
pub mod health;
pub mod hook;
pub mod id;
pub mod job;
pub mod key;
pub mod limit;
pub mod nearest;
pub mod outcome;
pub mod priority;
pub mod retry;
pub mod schedule;
pub mod spec;
pub mod state;
pub mod stream;
pub mod tables;
pub mod unknown;
pub mod wire;

/// An instant, in coordinated universal time.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
