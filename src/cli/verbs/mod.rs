//! One file a subcommand: from its arguments to a use case, from the outcome to words and an exit code.

mod approval;
mod ask;
mod attended;
mod cancel;
mod chosen;
mod config;
mod dead;
mod doctor;
mod editor;
mod events;
mod group;
mod health;
mod init;
mod job;
mod list;
mod logs;
mod many;
mod overview;
mod pause;
mod prune;
mod ready;
mod retry;
mod schedule;
mod send;
mod set;
mod signal;
mod start;
mod status;
mod store;
mod tick;
mod wait;

pub use overview::NAME as OVERVIEW;
pub use start::run as start;

use super::args;
use super::dispatch::run;
use clap::ArgMatches;
use std::process::ExitCode;

/// Without a subcommand: how things stand.
pub fn overview(matches: &ArgMatches) -> ExitCode {
    run(overview::NAME, matches, |common: &args::CommonArgs| *common, |_, voice| overview::run(voice))
}

/// Runs a subcommand. `None`: there is none of that name.
pub fn subcommand(name: &str, matches: &ArgMatches) -> Option<ExitCode> {
    Some(match name {
        "start" => run(name, matches, |args: &args::start::StartArgs| args.common, start::run),
        "list" => run(name, matches, |args: &args::list::ListArgs| args.common, list::run),
        "status" => run(name, matches, |args: &args::status::StatusArgs| args.common, status::run),
        "logs" => run(name, matches, |args: &args::logs::LogsArgs| args.common, logs::run),
        "cancel" => run(name, matches, |args: &args::cancel::CancelArgs| args.common, cancel::run),
        "wait" => run(name, matches, |args: &args::wait::WaitArgs| args.common, wait::run),
        "prune" => run(name, matches, |args: &args::prune::PruneArgs| args.common, prune::run),
        "set" => run(name, matches, |args: &args::set::SetArgs| args.common, set::run),
        "send" => run(name, matches, |args: &args::send::SendArgs| args.common, send::run),
        "signal" => run(name, matches, |args: &args::signal::SignalArgs| args.common, signal::run),
        "pause" => run(name, matches, |args: &args::pause::PauseArgs| args.common, pause::pause),
        "resume" => run(name, matches, |args: &args::pause::ResumeArgs| args.common, pause::resume),
        "retry" => run(name, matches, |args: &args::retry::RetryArgs| args.common, retry::run),
        "dead" => run(name, matches, |args: &args::dead::DeadArgs| args.common, dead::run),
        "approve" => {
            run(name, matches, |args: &args::approval::ApproveArgs| args.answer.common, approval::approve)
        }
        "decline" => {
            run(name, matches, |args: &args::approval::DeclineArgs| args.answer.common, approval::decline)
        }
        "approval" => run(name, matches, args::approval::ApprovalArgs::common, approval::run),
        "events" => run(name, matches, |args: &args::events::EventsArgs| args.common, events::run),
        "group" => run(name, matches, |args: &args::group::GroupArgs| args.common, group::run),
        "schedule" => run(name, matches, args::schedule::ScheduleArgs::common, schedule::run),
        "tick" => run(name, matches, |args: &args::tick::TickArgs| args.common, tick::run),
        "health" => run(name, matches, |args: &args::health::HealthArgs| args.common, health::run),
        "doctor" => run(name, matches, |args: &args::doctor::DoctorArgs| args.common, doctor::run),
        "config" => run(name, matches, |args: &args::config::ConfigArgs| args.common, config::run),
        "store" => run(name, matches, |args: &args::store::StoreArgs| args.common, store::run),
        "init" => run(name, matches, |args: &args::init::InitArgs| args.common, init::run),
        _ => return None,
    })
}
