//! What is wrong with a command line, said in the form of every other error.
//!
//! The library that reads the line knows what is wrong and where; the sentences are ours. Nothing here shows the value of an
//! option of `start`: it may be the value of a variable that came to the wrong place.

use super::args::{self, NESTED, SUBCOMMANDS, subcommand_words};
use super::verbs;
use crate::model::nearest::nearest_word;
use crate::ops::fault::{Code, Fault};
use crate::render::safe;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error;
use std::ffi::OsString;

/// The flags of every subcommand that may stand before it, too.
const COMMON: [&str; 3] = ["--json", "--quiet", "--verbose"];
const COMMON_SHORT: [char; 2] = ['q', 'v'];

/// The line with the flags that stand before a subcommand behind it, and with `help` as the option that it means.
pub fn straightened(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let before = arguments.iter().skip(1).take_while(|word| is_common(word)).count();
    let place = 1 + before;
    let Some(word) = arguments.get(place) else { return arguments };
    if word == "help" {
        arguments.remove(place);
        let asked = arguments.get(place).map_or(0, |word| {
            let has_own = NESTED.iter().any(|name| word == name);
            if has_own && arguments.len() > place + 1 { 2 } else { 1 }
        });
        arguments.insert(place + asked, "--help".into());
    }
    let is_subcommand = |word: &OsString| subcommand_words().any(|name| word == name);
    if before > 0 && arguments.get(place).is_some_and(is_subcommand) {
        arguments[1..=place].rotate_right(1);
    }
    arguments
}

fn is_common(word: &OsString) -> bool {
    let Some(word) = word.to_str() else { return false };
    let letters = word.strip_prefix('-').filter(|rest| !rest.is_empty());
    COMMON.contains(&word) || letters.is_some_and(|rest| rest.chars().all(|one| COMMON_SHORT.contains(&one)))
}

/// The subcommand that a line is for, be it known or not; flags alone are the overview's.
pub fn command_of(arguments: &[OsString]) -> String {
    let word = arguments.get(1).map(|word| name_only(&word.to_string_lossy()).to_owned());
    word.filter(|word| !word.starts_with('-')).unwrap_or_else(|| verbs::OVERVIEW.to_owned())
}

/// What is wrong, what was perhaps meant, and where help is.
pub fn fault(error: &clap::Error, arguments: &[OsString]) -> Fault {
    let mut whole = args::command();
    whole.build();
    let (mut command, mut name) = (&whole, String::new());
    for word in arguments.iter().skip(1).filter(|word| !is_common(word)) {
        let Some(known) = command.find_subcommand(word) else { break };
        name = if name.is_empty() {
            known.get_name().to_owned()
        } else {
            format!("{name} {}", known.get_name())
        };
        command = known;
    }
    let hides_values = ["start", "schedule add"].contains(&name.as_str());
    let line = Line { error, name: &name, command, hides_values };
    let (message, hint) = line.said();
    let help = match line.name {
        "" => "bgctl --help says what there is".to_owned(),
        name => format!("bgctl {name} --help says what it takes"),
    };
    let hint = hint.map_or(help.clone(), |hint| format!("{hint}\n{help}"));
    Fault::new(Code::Usage, message).hint(hint)
}

/// A line of a subcommand that is wrong in a way that the library cannot tell.
pub fn refused(name: &str, message: &str) -> Fault {
    Fault::new(Code::Usage, message).hint(format!("bgctl {name} --help says what it takes"))
}

struct Line<'a> {
    error: &'a clap::Error,
    /// The subcommand; empty for the overview.
    name: &'a str,
    command: &'a Command,
    hides_values: bool,
}

impl Line<'_> {
    fn said(&self) -> (String, Option<String>) {
        let argument = self.text(ContextKind::InvalidArg).unwrap_or_default();
        let called = called(&argument);
        match self.error.kind() {
            ErrorKind::InvalidSubcommand => self.unknown_subcommand(),
            ErrorKind::UnknownArgument => self.unknown_argument(name_only(&argument)),
            ErrorKind::InvalidValue => self.unknown_value(&called),
            ErrorKind::ValueValidation => {
                let why = self.error.source().map(ToString::to_string).unwrap_or_default();
                let form =
                    (called == "SIGNAL").then(|| "bgctl signal JOB SIGNAL: the signal comes last".to_owned());
                (format!("{}: {}", self.with_value(&called), safe::line(&why)), form)
            }
            ErrorKind::TooManyValues => (format!("{called} takes no value"), None),
            ErrorKind::ArgumentConflict => (self.conflict(&called), None),
            ErrorKind::MissingRequiredArgument => self.missing(),
            _ => (self.first_line(), None),
        }
    }

    fn unknown_subcommand(&self) -> (String, Option<String>) {
        let word = self.text(ContextKind::InvalidSubcommand).unwrap_or_default();
        let word = name_only(&word);
        let near = |near| format!("did you mean {near}?");
        if self.name.is_empty() {
            let found = nearest_word(word, SUBCOMMANDS.iter().map(|(name, ..)| *name));
            return (format!("there is no command {word:?}"), found.map(near));
        }
        let known: Vec<&str> = self.command.get_subcommands().map(Command::get_name).collect();
        let found = nearest_word(word, known.iter().copied()).map(near);
        let hint = found.unwrap_or_else(|| format!("one of: {}", known.join(", ")));
        (format!("bgctl {} knows no {word:?}", self.name), Some(hint))
    }

    fn unknown_argument(&self, word: &str) -> (String, Option<String>) {
        let whose = if self.name.is_empty() { "bgctl".to_owned() } else { format!("bgctl {}", self.name) };
        if !word.starts_with('-') {
            let hint = (self.name == "schedule add").then(|| "the command stands behind --".to_owned());
            return (format!("{whose} takes no argument {word:?}"), hint);
        }
        let known = self.command.get_arguments().filter_map(|arg| arg.get_long());
        let near = nearest_word(word.trim_start_matches('-'), known);
        (
            format!("{whose} has no option {}", safe::line(word)),
            near.map(|near| format!("did you mean --{near}?")),
        )
    }

    fn unknown_value(&self, called: &str) -> (String, Option<String>) {
        let value = self.text(ContextKind::InvalidValue).unwrap_or_default();
        let known = self.words(ContextKind::ValidValue);
        let all = Some(known.join(", ")).filter(|all| !all.is_empty()).map(|all| format!("one of: {all}"));
        if value.is_empty() {
            return (format!("{called} needs a value"), all);
        }
        let near = nearest_word(&value, known.iter().map(String::as_str));
        let hint = near.map(|near| format!("did you mean {near}?")).or(all);
        (format!("{}: there is no such value", self.with_value(called)), hint)
    }

    fn conflict(&self, called: &str) -> String {
        let others: Vec<String> =
            self.words(ContextKind::PriorArg).iter().map(|other| self::called(other)).collect();
        if others.is_empty() || others.iter().any(|other| other == called) {
            return format!("{called} can be given only once");
        }
        format!("{called} cannot be used with {}", others.join(" and "))
    }

    fn missing(&self) -> (String, Option<String>) {
        const JOB: &str = "a job is named by its id, its name, or @ for the newest; bgctl list shows them";
        let missing = self.words(ContextKind::InvalidArg);
        // A group of which one is wanted.
        let groups: Vec<&String> = missing.iter().filter(|one| one.contains('|')).collect();
        let lacks = |what: &str| missing.iter().any(|one| called(one) == what);
        let lacks_job = lacks("JOB");
        match self.name {
            name if lacks("SCHEDULE") => {
                (format!("bgctl {name}: which schedule?"), Some("bgctl schedule list shows them".to_owned()))
            }
            "schedule add" if lacks("NAME") => (
                "bgctl schedule add: under which name?".to_owned(),
                Some("bgctl schedule add NAME --every 15m -- COMMAND".to_owned()),
            ),
            "start" | "schedule add" if lacks("--approval") => {
                ("--approval-ttl and --keep-token need --approval".to_owned(), None)
            }
            "schedule add" => (
                "there is no command to run".to_owned(),
                Some("bgctl schedule add NAME --every 15m -- COMMAND".to_owned()),
            ),
            "schedule run" => ("--within needs --wait".to_owned(), None),
            "start" if groups.is_empty() => {
                ("there is no command to run".to_owned(), Some("bgctl start -- make -j4".to_owned()))
            }
            "cancel" | "wait" | "logs" | "pause" | "resume" if lacks_job => {
                let all = "or choose with --label LABEL, --status STATE, --group NAME or --all";
                (format!("bgctl {}: which jobs?", self.name), Some(format!("{JOB}\n{all}")))
            }
            "init" => {
                let known = self.command.get_positionals().flat_map(clap::Arg::get_possible_values);
                let known: Vec<String> = known.map(|one| one.get_name().to_owned()).collect();
                ("bgctl init: for whom?".to_owned(), Some(format!("one of: {}", known.join(", "))))
            }
            "send" if !lacks_job => {
                let hint = "a TEXT, - for standard input, or --eof to close its input";
                ("bgctl send: what?".to_owned(), Some(hint.to_owned()))
            }
            "signal" if !lacks_job => {
                let hint = "one such as HUP, USR1 or TERM: bgctl signal JOB SIGNAL";
                ("bgctl signal: which signal?".to_owned(), Some(hint.to_owned()))
            }
            "retry" if lacks_job => (
                "bgctl retry: which jobs?".to_owned(),
                Some(format!("{JOB}\nor every dead letter with --dead")),
            ),
            name if lacks_job => (format!("bgctl {name}: which job?"), Some(JOB.to_owned())),
            "set" => {
                let options = groups.iter().map(|group| options(group).join(", ")).collect::<String>();
                ("bgctl set: there is nothing to change".to_owned(), Some(format!("one of: {options}")))
            }
            // The longest wait is the only one that needs another.
            "start" => {
                let options = groups.iter().map(|group| options(group).join(" or ")).collect::<String>();
                (format!("--within needs {options}"), None)
            }
            _ => (self.first_line(), None),
        }
    }

    /// The option and the value that it was given, unless that might be a secret.
    fn with_value(&self, called: &str) -> String {
        match self.text(ContextKind::InvalidValue).filter(|_| !self.hides_values) {
            Some(value) => format!("{called} {value:?}"),
            None => called.to_owned(),
        }
    }

    fn text(&self, kind: ContextKind) -> Option<String> {
        match self.error.get(kind)? {
            ContextValue::String(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn words(&self, kind: ContextKind) -> Vec<String> {
        match self.error.get(kind) {
            Some(ContextValue::String(text)) => vec![text.clone()],
            Some(ContextValue::Strings(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// What the library says, up to its tips and its usage.
    fn first_line(&self) -> String {
        let text = self.error.render().to_string();
        let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        safe::line(said.join(" ").trim_start_matches("error: "))
    }
}

/// A word up to its equals sign: what follows may be the value of a variable.
fn name_only(word: &str) -> &str {
    word.split('=').next().unwrap_or_default()
}

/// An argument as a sentence calls it: `--name <NAME>` is `--name`, `[JOB]...` is `JOB`.
fn called(argument: &str) -> String {
    let word = argument.split(' ').next().unwrap_or_default();
    word.trim_end_matches("...").trim_matches(['<', '>', '[', ']']).to_owned()
}

/// The options of a group such as `<--wait|--ready <REGEX>>`.
fn options(group: &str) -> Vec<String> {
    group.trim_start_matches('<').split('|').map(called).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn straight(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        straightened(words).iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn flags_before_a_subcommand_are_its_own() {
        assert_eq!(straight("bgctl --json list --all"), "bgctl list --json --all");
        assert_eq!(straight("bgctl -qv --json start -- a --json"), "bgctl start -qv --json -- a --json");
        for as_it_is in ["bgctl --json", "bgctl --json nope", "bgctl -x list", "bgctl list --json", "bgctl"] {
            assert_eq!(straight(as_it_is), as_it_is);
        }
    }

    #[test]
    fn help_is_a_command_too() {
        assert_eq!(straight("bgctl help"), "bgctl --help");
        assert_eq!(straight("bgctl help list"), "bgctl list --help");
        assert_eq!(straight("bgctl help schedule"), "bgctl schedule --help");
        assert_eq!(straight("bgctl help schedule add"), "bgctl schedule add --help");
        assert_eq!(straight("bgctl start help"), "bgctl start help");
    }
}
