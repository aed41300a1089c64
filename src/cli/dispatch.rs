//! From the command line to a subcommand, from its answer to an exit code.

use super::args::{self, CommonArgs};
use super::{complete, help, verbs};
use crate::exec::local::WATCH_COMMAND;
use crate::model::id::JobId;
use crate::ops::{
    fault::{Code, Fault},
    wait::OWN_FAILURE,
    watch,
};
use crate::render::{Voice, print_fault};
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
    if let Some(shell) = std::env::var_os(complete::VARIABLE)
        && complete::answer(&shell, &arguments).is_some()
    {
        return ExitCode::SUCCESS;
    }
    let matches = match args::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => return show_help(&arguments),
        Err(error) => return clap_says(&error),
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
        Err(error) => clap_says(&error),
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

/// Help and version are results; the rest is usage.
fn clap_says(error: &clap::Error) -> ExitCode {
    // A reader of the help that has gone away has what it wanted.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).take_while(|word| word != "--").collect();
    // Flags without a subcommand are the overview's.
    let command = words.first().map(|word| word.to_string_lossy()).filter(|word| !word.starts_with('-'));
    if words.iter().skip(usize::from(command.is_some())).any(|word| word == "--json") {
        let text = error.render().to_string();
        // Up to the first empty line it says what is wrong; then come tips and the usage.
        let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let said = said.join(" ");
        print_fault(
            &command.unwrap_or(verbs::OVERVIEW.into()),
            &Fault::new(Code::Usage, said.trim_start_matches("error: ")),
            Code::Usage as i32,
        );
    }
    ExitCode::from(Code::Usage as u8)
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
        Err(error) => return clap_says(&error),
    };
    let CommonArgs { json, quiet, verbose } = common(&args);
    let voice = Voice { json, quiet, verbose };
    let code = action(&args, voice).unwrap_or_else(|fault| {
        // A wait answers with the job's codes, so its own failures have one that no job's should be.
        let own = name == "wait" && fault.code != Code::Usage;
        let code = if own { OWN_FAILURE } else { fault.code as i32 };
        voice.fault(name, &fault, code);
        code
    });
    ExitCode::from(u8::try_from(code).unwrap_or(Code::Failed as u8))
}
