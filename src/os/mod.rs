//! The operating system, one noun a file: clock, ids, folders, locks, processes, signals, spawning.
//!
//! All `unsafe` code and everything that differs between systems lives here. This room knows no job and no
//! index; it hands out types that are hard to misuse.

pub mod answer;
pub mod clock;
pub mod closed;
pub mod descent;
pub mod detach;
pub mod doorbell;
pub mod extent;
pub mod folder;
pub mod ids;
pub mod inherited;
pub mod interrupt;
pub mod kernel;
pub mod lease;
pub mod memory;
pub mod pipe;
pub mod process;
pub mod reap;
pub mod record_lock;
pub mod session;
pub mod signal;
pub mod site;
pub mod spawn;
pub mod terminal;
pub mod time_namespace;
pub mod timer;
pub mod trust;
pub mod uninterrupted;
pub mod user;
pub mod volume;
