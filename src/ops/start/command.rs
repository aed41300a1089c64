//! The command of a job, and whether it can be run.

use super::given::{Request, bytes};
use crate::exec::local::start::candidates;
use crate::model::{
    bytes::Bytes,
    spec::{Command, quote},
};
use crate::ops::fault::{Code, Fault};
use crate::os::inherited::Inherited;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The command that was given.
pub fn given(request: &Request) -> Result<Command, Fault> {
    let argv: Vec<OsString> = match &request.shell {
        Some(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        None => request.argv.clone(),
    };
    let is_empty_line = request.shell.as_ref().is_some_and(|line| line.as_bytes().trim_ascii().is_empty());
    if is_empty_line || argv.first().is_none_or(|program| program.is_empty()) {
        return Err(Fault::new(Code::Usage, "there is no command to run").hint("bgctl start -- make -j4"));
    }
    Ok(Command::Argv(argv.into_iter().map(|word| bytes(word, "the command")).collect::<Result<_, _>>()?))
}

const NOT_EXECUTABLE: &str = "may not be executed";

/// A command that cannot be run is refused now: whoever types it is still there to read why.
pub fn check(program: &Bytes, words: usize, inherited: &Inherited, cwd: &Bytes) -> Result<(), Fault> {
    let mut found = None;
    for candidate in candidates(program, inherited, cwd) {
        let path = cwd.as_path().join(OsString::from_vec(CString::into_bytes(candidate)));
        match std::fs::metadata(&path) {
            // As a shell does, a search passes folders over.
            Ok(data) if data.is_dir() && !program.as_slice().contains(&b'/') => {}
            Ok(data) if data.is_dir() => found = found.or(Some("is a directory")),
            Ok(_) if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok() => return Ok(()),
            Ok(_) => found = found.or(Some(NOT_EXECUTABLE)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found = found.or(Some("cannot be reached"));
            }
            Err(_) => {}
        }
    }
    let whole = program.to_text();
    // The value of a variable that stands in the wrong place is not for others to read.
    let variable = whole.split_once('=').map(|(name, _)| name).filter(|name| !name.contains('/'));
    if let Some(name) = variable.filter(|_| found.is_none()) {
        return Err(Fault::new(Code::CommandNotFound, format!("{name}=…: command not found"))
            .hint(format!("a variable is set with: bgctl start --env {name}=VALUE -- COMMAND")));
    }
    let shown = whole;
    if let Some(why) = found {
        let fault = Fault::new(Code::NotExecutable, format!("{shown}: {why}"));
        let hint = format!("chmod +x {shown}, or name the program that runs it");
        return Err(if why == NOT_EXECUTABLE { fault.hint(hint) } else { fault });
    }
    let fault = Fault::new(Code::CommandNotFound, format!("{shown}: command not found"));
    let is_line = words == 1 && shown.contains(char::is_whitespace);
    Err(if is_line {
        fault.hint(format!("a line for a shell is started with: bgctl start --shell {}", quote(&shown)))
    } else {
        fault
    })
}
