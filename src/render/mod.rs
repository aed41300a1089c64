//! Surfaces: typed outcomes as text for people and as JSON for programs.
//!
//! Results go to standard output, talk to standard error. Nothing here decides anything.

pub mod column;
pub mod human;
pub mod json;
pub mod logs;
pub mod progress;
pub mod prometheus;
pub mod safe;
pub mod spinner;
pub mod stream;
pub mod template;

use crate::ops::fault::{Fault, without_number};
use crate::os::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};

/// The version of every JSON object that is printed.
pub const JSON_VERSION: u32 = 1;

/// How to speak.
#[derive(Clone, Copy, Debug, Default)]
pub struct Voice {
    /// JSON instead of text on standard output.
    pub json: bool,
    /// No talk.
    pub quiet: bool,
    /// The events of each transaction, as talk.
    pub verbose: bool,
}

impl Voice {
    /// Whether text on standard output may have colours: a terminal that has them, and nobody objects (no-color.org).
    pub fn colours(self) -> bool {
        !self.json
            && io::stdout().is_terminal()
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Prints a result: text as it is, or the JSON object, which is only made then, with its version, the command's name and what
    /// the user should be told, which people read on standard error.
    pub fn result(
        self,
        command: &str,
        text: &str,
        object: impl FnOnce() -> Value,
        warnings: &[String],
    ) -> io::Result<()> {
        if !self.json {
            return print(text);
        }
        print_object(command, &object(), Some(warnings))
    }

    /// Prints a result as [`Voice::result`] does with `--json`, of an object that is text already: that of many jobs takes
    /// much more memory than its text.
    pub fn object(self, command: &str, object: &str, warnings: &[String]) -> io::Result<()> {
        print_fields(command, object, Some(warnings))
    }

    /// Says something on standard error. That it cannot be said changes nothing.
    pub fn say(self, text: &str) {
        if !self.quiet {
            tell(&format!("{text}\n"));
        }
    }

    /// Says that something failed, whoever wants quiet.
    pub fn fail(self, text: &str) {
        tell(&format!("bgctl: {text}\n"));
    }

    /// Says what the user should be told.
    pub fn warn(self, warnings: &[String]) {
        for warning in warnings {
            self.say(&format!("bgctl: warning: {}", safe::message(warning)));
        }
    }

    /// Shows the events of a transaction to those who want to see them.
    pub fn events(self, events: &[crate::model::event::Event]) {
        if self.verbose {
            for event in events {
                tell(&format!("event: {}\n", safe::json(serde_json::to_string(event).unwrap_or_default())));
            }
        }
    }

    /// Shows what happened and changed nothing to those who want to see events.
    fn note(self, note: &crate::model::stream::Note) {
        if self.verbose {
            tell(&format!("event: {}\n", safe::json(serde_json::to_string(note).unwrap_or_default())));
        }
    }

    /// Says what went wrong and what to do next, on standard error and, for programs, as an object with the exit
    /// code, which for some commands is not the fault's own.
    pub fn fault(self, command: &str, fault: &Fault, exit_code: i32) {
        if let Some(reason) = &fault.reason {
            self.note(&reason.note());
        }
        tell(&format!("bgctl: {}\n", safe::message(&fault.message)));
        tell(&human::candidates(&fault.candidates, SystemClock.now()));
        for line in fault.hint.iter().flat_map(|hint| hint.lines()) {
            tell(&format!("  {}\n", safe::line(line)));
        }
        if self.json {
            print_fault(command, fault, exit_code);
        }
    }
}

/// Says something on standard error, in one write, so that what others write there does not come in between. That it cannot
/// be said changes nothing.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints what went wrong as an object. That it cannot be printed changes nothing.
fn print_fault(command: &str, fault: &Fault, exit_code: i32) {
    let error = json!({
        "code": fault.code.name(),
        "exit_code": exit_code,
        "message": fault.message,
        "hint": fault.hint,
        "id": fault.id,
        "reason": fault.reason.as_deref().map(json::reason),
        "candidates": fault.candidates.iter().map(json::candidate).collect::<Vec<_>>(),
    });
    let _ = print_object(command, &json!({ "error": error }), None);
}

/// Puts version, command and warnings around an object's own fields, as text: a list of a thousand jobs is not copied.
fn print_object(command: &str, object: &Value, warnings: Option<&[String]>) -> io::Result<()> {
    print_fields(command, &object.to_string(), warnings)
}

fn print_fields(command: &str, object: &str, warnings: Option<&[String]>) -> io::Result<()> {
    let fields = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let comma = if fields.is_empty() { "" } else { "," };
    let warnings = warnings.map(|warnings| format!(",\"warnings\":{}", json!(warnings))).unwrap_or_default();
    print(&safe::json(format!(
        "{{\"version\":{JSON_VERSION},\"command\":{}{comma}{fields}{warnings}}}\n",
        json!(command)
    )))
}

/// Writes to standard output. A reader that has gone away has what it wanted.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("could not write the result: {}", without_number(&error.to_string())),
        )),
        Ok(()) => Ok(()),
    }
}
