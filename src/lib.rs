//! `bg` runs commands in the background, remembers them, and tells the truth about them, with no daemon.
//!
//! The rooms, in reading order; each uses only rooms above it in this list, and a test keeps it so.

pub mod model;

pub mod plan;

pub mod os;

pub mod store;

pub mod exec;

pub mod github;

pub mod pass;

pub mod ops;

pub mod render;

pub mod cli;
