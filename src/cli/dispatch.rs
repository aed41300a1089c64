//! From the command line to a subcommand, from its answer to an exit code.

use super::args::{self, CommonArgs};
use super::{complete, help, usage, verbs};
use crate::exec::local::{WATCH_COMMAND, alarm::ALARM_COMMAND, poller::POLL_COMMAND, runner::RUNNER_COMMAND};
use crate::model::id::JobId;
use crate::ops::{
    alarm,
    fault::{Code, Fault},
    health::COULD_NOT_TELL,
    hooks, poll,
    session::{self, SESSION_COMMAND},
    wait::OWN_FAILURE,
    watch,
};
use crate::render::{Voice, print, safe};
use clap::{ArgMatches, FromArgMatches, error::ErrorKind};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == WATCH_COMMAND) {
        return watcher(&arguments[2..]);
    }
    if arguments.get(1).is_some_and(|word| word == ALARM_COMMAND) {
        if let Some(root) = arguments.get(2) {
            alarm::run(Path::new(root));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.get(1).is_some_and(|word| word == RUNNER_COMMAND) {
        if let Some(root) = arguments.get(2) {
            hooks::run(Path::new(root));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.get(1).is_some_and(|word| word == POLL_COMMAND) {
        if let Some(root) = arguments.get(2) {
            poll::run(Path::new(root));
        }
        return ExitCode::SUCCESS;
    }
    if arguments.get(1).is_some_and(|word| word == SESSION_COMMAND) {
        return refresher(&arguments[2..]);
    }
    if let Some(shell) = std::env::var_os(complete::VARIABLE)
        && complete::answer(&shell, &arguments).is_some()
    {
        return ExitCode::SUCCESS;
    }
    if let Some(args) = args::start::plain(&arguments) {
        return answer("start", &args, args.common, verbs::start);
    }
    let arguments = usage::straightened(arguments);
    let matches = match args::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return show_help(&arguments),
        Err(error) => return clap_says(&error, &arguments),
    };
    let answered = match matches.subcommand() {
        Some((name, matches)) => verbs::subcommand(name, matches),
        None => Some(verbs::overview(&matches)),
    };
    answered.unwrap_or(ExitCode::from(Code::Usage as u8))
}

/// Reads the command line again, now with the help laid out: the short one unless the long one was asked for.
fn show_help(arguments: &[OsString]) -> ExitCode {
    let is_long = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--help");
    let lay_out = if is_long { help::long } else { help::short };
    match lay_out(args::command()).try_get_matches_from(arguments) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => clap_says(&error, arguments),
    }
}

/// The hidden subcommand of watchers: `__watch ROOT ID`.
fn watcher(arguments: &[OsString]) -> ExitCode {
    let id = arguments.get(1).and_then(|id| JobId::parse(id.to_str()?).ok());
    if let (Some(root), Some(id)) = (arguments.first(), id) {
        watch::run(Path::new(root), id);
    }
    ExitCode::SUCCESS
}

/// The hidden subcommand of jobs that renew a session: `__session ROOT NAME MARK`.
fn refresher(arguments: &[OsString]) -> ExitCode {
    let (Some(root), Some(name)) = (arguments.first(), arguments.get(1).and_then(|name| name.to_str()))
    else {
        return ExitCode::from(Code::Usage as u8);
    };
    // That nobody can read it is no reason not to renew a session.
    let mut say = |text: &str| drop(print(&format!("{}\n", safe::line(text))));
    ExitCode::from(session::run(Path::new(root), name, &mut say))
}

/// Help and version are results; the rest is usage.
fn clap_says(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let words: Vec<&OsString> = arguments.iter().skip(1).take_while(|word| *word != "--").collect();
    let command = usage::command_of(arguments);
    let voice = Voice { json: words.iter().any(|word| *word == "--json"), ..Voice::default() };
    if error.use_stderr() {
        let code = exit_code(&command, Code::Usage);
        voice.fault(&command, &usage::fault(error, arguments), code);
        return ExitCode::from(u8::try_from(code).unwrap_or(Code::Usage as u8));
    }
    let text = error.render();
    // Help is for people, also beside --json.
    let is_coloured = Voice::default().colours();
    match print(&if is_coloured { text.ansi().to_string() } else { text.to_string() }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Voice::default().fault(&command, &error.into(), Code::Failed as i32);
            ExitCode::from(Code::Failed as u8)
        }
    }
}

/// Runs a use case and says what went wrong.
pub fn run<A: FromArgMatches>(
    name: &str,
    matches: &ArgMatches,
    common: fn(&A) -> CommonArgs,
    action: fn(&A, Voice) -> Result<i32, Fault>,
) -> ExitCode {
    let args = match A::from_arg_matches(matches) {
        Ok(args) => args,
        Err(error) => return clap_says(&error, &["bgctl".into(), name.into()]),
    };
    answer(name, &args, common(&args), action)
}

fn answer<A>(
    name: &str,
    args: &A,
    common: CommonArgs,
    action: fn(&A, Voice) -> Result<i32, Fault>,
) -> ExitCode {
    let CommonArgs { json, quiet, verbose } = common;
    let voice = Voice { json, quiet, verbose };
    let code = action(args, voice).unwrap_or_else(|fault| {
        let code = exit_code(name, fault.code);
        voice.fault(name, &fault, code);
        code
    });
    ExitCode::from(u8::try_from(code).unwrap_or(Code::Failed as u8))
}

/// The exit code of a fault of that subcommand.
fn exit_code(name: &str, code: Code) -> i32 {
    match name {
        // A wait answers with the job's codes, so its own failures have one that no job's should be.
        "wait" if code != Code::Usage => OWN_FAILURE,
        // A monitor must not take a mistake in its own line for a verdict.
        "health" => COULD_NOT_TELL,
        _ => code as i32,
    }
}
