//! The environment of a job: its submitter's, with what was set by hand.
//!
//! A value is never shown, nor what might be one: messages have names, files and line numbers only.

use super::{Many, given::Request, variables::Variables};
use crate::exec::local::start::JOB_VARIABLES;
use crate::model::{approval::On, bytes::Bytes};
use crate::ops::fault::{Code, Fault, without_number};
use crate::os::{detach::KEPT_VARIABLES, inherited::Inherited};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The environment that is captured for a job, and the names of what was set in it by hand.
///
/// What is inherited, or the few variables of a clean environment, comes first; then the files in their order, then
/// what flags set, and last what they unset.
pub fn assemble(request: &Request) -> Result<(Inherited, Vec<String>), Fault> {
    let clean = request.clean_env;
    let inherited = Inherited::capture(|name| {
        JOB_VARIABLES.contains(&name) || (clean && !KEPT_VARIABLES.contains(&name))
    });
    let mut assembled = Assembled { inherited, names: BTreeSet::new() };
    check_standard_input(request)?;
    for path in &request.env_files {
        assembled.read_file(path)?;
    }
    for (place, entry) in request.env.iter().enumerate() {
        let which = Which { flag: "--env", place, of: request.env.len() };
        assembled.set_flag(which, entry.as_bytes())?;
    }
    for (place, name) in request.unset.iter().enumerate() {
        let which = Which { flag: "--unset", place, of: request.unset.len() };
        assembled.unset_flag(which, name.as_bytes())?;
    }
    let names = assembled.names.iter().map(Bytes::to_text).collect();
    Ok((assembled.inherited, names))
}

/// Variables with tokens for GitHub (`gh help environment`).
pub const TOKENS: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];

/// What waits for an answer on GitHub could give the answer itself, with the token of its submitter. One that was set by hand
/// is wanted.
pub fn leave_tokens_out(request: &Request, inherited: &mut Inherited, set_by_hand: &[String]) {
    let on_github = |on: Option<&On>| matches!(on, Some(On::GitHub(_)));
    if request.keep_token || !on_github(request.approval.as_ref()) {
        return;
    }
    for name in TOKENS.into_iter().filter(|name| !set_by_hand.iter().any(|set| set == name)) {
        if let Ok(name) = Bytes::try_from(name) {
            inherited.unset(&name);
        }
    }
}

/// That tokens which are here were left out of an environment, where they were.
pub fn tokens_left_out(request: &Request, inherited: &Inherited) -> Option<String> {
    let is_missing = |name: &&str| {
        std::env::var_os(name).is_some() && !inherited.names().any(|kept| kept == name.as_bytes())
    };
    let is_wanted = |name: &&str| request.unset.iter().any(|unset| unset == name);
    let missing = TOKENS.into_iter().filter(|_| !request.clean_env).filter(is_missing);
    let names: Vec<&str> = missing.filter(|name| !is_wanted(name)).collect();
    let is = match names.len() {
        0 => return None,
        1 => "is",
        _ => "are",
    };
    let names = names.join(" and ");
    Some(format!(
        "{names} {is} left out of the environment, as a job that waits for GitHub could approve itself; \
        bgctl start --keep-token keeps it"
    ))
}

/// Standard input can be read once only.
fn check_standard_input(request: &Request) -> Result<(), Fault> {
    let is_ours = |path: &Path| path == Path::new("-");
    let batch = if let Some(Many::Batch(path)) = &request.many { Some(path) } else { None };
    let files = request.env_files.iter().chain(&request.stdin).chain(batch);
    let readers = files.filter(|path| is_ours(path)).count();
    if readers <= 1 {
        return Ok(());
    }
    Err(Fault::new(Code::Usage, "standard input can be read only once, and '-' is given more than once"))
}

/// One of several flags of a kind. Its text is never shown.
#[derive(Clone, Copy)]
struct Which {
    flag: &'static str,
    place: usize,
    of: usize,
}

impl Which {
    fn refused(self, why: &str) -> Fault {
        let Self { flag, place, of } = self;
        let which = if of > 1 { format!("{flag} (number {} of {of})", place + 1) } else { flag.to_owned() };
        Fault::new(Code::Usage, format!("{which}: {why}"))
    }
}

struct Assembled {
    inherited: Inherited,
    /// What was set by hand.
    names: BTreeSet<Bytes>,
}

impl Assembled {
    fn set(&mut self, name: Bytes, value: Bytes) {
        self.names.insert(name.clone());
        self.inherited.set(name, value);
    }

    /// `NAME=VALUE`, or `NAME` for the value it has here.
    fn set_flag(&mut self, which: Which, entry: &[u8]) -> Result<(), Fault> {
        let equals = entry.iter().position(|byte| *byte == b'=');
        let name = &entry[..equals.unwrap_or(entry.len())];
        if name.is_empty() {
            return Err(which.refused("expected NAME=VALUE or NAME, and the name is missing"));
        }
        not_ours(name).map_err(|why| which.refused(&why))?;
        let value = match equals {
            Some(equals) => OsString::from_vec(entry[equals + 1..].to_vec()),
            None => std::env::var_os(OsString::from_vec(name.to_vec())).ok_or_else(|| {
                which
                    .refused(&format!(
                        "{} is not set here, so that it has no value to take over",
                        shown(name)
                    ))
                    .hint("a value is given with NAME=VALUE; NAME= gives an empty one")
            })?,
        };
        let no_null = |_| which.refused("it contains a null byte");
        self.set(Bytes::new(name).map_err(no_null)?, Bytes::try_from(value).map_err(no_null)?);
        Ok(())
    }

    fn unset_flag(&mut self, which: Which, name: &[u8]) -> Result<(), Fault> {
        if name.is_empty() || name.contains(&b'=') {
            return Err(which.refused("expected the name of a variable"));
        }
        not_ours(name).map_err(|why| which.refused(&why))?;
        let name = Bytes::new(name).map_err(|_| which.refused("it contains a null byte"))?;
        self.names.remove(&name);
        self.inherited.unset(&name);
        Ok(())
    }

    /// Sets what a file says; `-` is our own standard input.
    fn read_file(&mut self, path: &Path) -> Result<(), Fault> {
        let (variables, called) = if path == Path::new("-") {
            (Variables::read(io::stdin().lock()), "standard input".to_owned())
        } else {
            (File::open(path).and_then(Variables::read), path.display().to_string())
        };
        let variables = variables.map_err(|error| {
            Fault::new(
                Code::Failed,
                format!("could not read variables from {called}: {}", without_number(&error.to_string())),
            )
        })?;
        for variable in variables {
            let refused =
                |line: usize, why: &str| Fault::new(Code::Usage, format!("{called}, line {line}: {why}"));
            let (line, name, value) = variable.map_err(|bad| {
                refused(bad.line, "expected NAME=VALUE").hint(
                    "a value with spaces or a $ in it needs quotes: NAME='VALUE'; lines of # are comments",
                )
            })?;
            not_ours(name.as_bytes()).map_err(|why| refused(line, &why))?;
            let no_null = |_| refused(line, "it contains a null byte");
            self.set(
                Bytes::new(name.as_bytes()).map_err(no_null)?,
                Bytes::new(value.as_bytes()).map_err(no_null)?,
            );
        }
        Ok(())
    }
}

/// Each job gets its own values of these, whatever is set.
fn not_ours(name: &[u8]) -> Result<(), String> {
    match JOB_VARIABLES.iter().find(|own| own.as_bytes() == name) {
        Some(own) => Err(format!("{own} is given to each job by bgctl and cannot be set or unset")),
        None => Ok(()),
    }
}

/// A name, where it cannot be mistaken for anything else.
fn shown(name: &[u8]) -> String {
    const CHARS_MAX: usize = 64;
    let is_name = name.len() <= CHARS_MAX
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if is_name { String::from_utf8_lossy(name).into_owned() } else { "that variable".to_owned() }
}
