//! All tests that need more than one module: one binary, because linking twenty takes longer than running them.
//!
//! Rules are tested in memory (`scheduling`, `states`, `conformance`); `cli` and the rest prove the wiring, with real
//! processes, real signals and real shells. Tests wait for events, never for seconds.

mod emulator;
mod proof;
mod reliability;
mod support;

mod floors;
mod schema;

mod conformance;
mod scheduling;
mod states;

mod cli;
mod faces;
#[cfg(feature = "github")]
mod github;
mod journey;
mod log_cap;
mod processes;
mod shells;

mod adoption;
mod crash;
mod crowds;
mod dependencies;
mod fuzz;
mod machine;
mod security;
mod sweeps;
