//! The command of a job, and whether it can be run.

use super::given::{Request, bytes};
use crate::exec::local::start::candidates;
use crate::model::{
    bytes::Bytes,
    spec::{Command, quote},
};
use crate::ops::fault::{Code, Fault};
use crate::os::inherited::Inherited;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

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

/// Most bytes of a script's first line that the system reads (`execve(2)`).
const FIRST_LINE_BYTES_MAX: usize = 255;

/// A script whose interpreter is not there would be called not found, which is true of the interpreter only.
fn check_interpreter(script: &Path) -> Result<(), Fault> {
    let mut begin = [0; FIRST_LINE_BYTES_MAX];
    // What cannot be read can perhaps be executed all the same.
    let count = File::open(script).and_then(|mut file| file.read(&mut begin)).unwrap_or(0);
    let Some(line) = begin[..count].strip_prefix(b"#!") else { return Ok(()) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    let word = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let interpreter = Path::new(OsStr::from_bytes(word));
    if !interpreter.is_absolute() || interpreter.exists() {
        return Ok(());
    }
    let fault = format!("{}: its interpreter {} is not there", script.display(), interpreter.display());
    Err(Fault::new(Code::NotExecutable, fault).hint("its first line names the program that runs it"))
}

/// A command that cannot be run is refused now: whoever types it is still there to read why.
pub fn check(program: &Bytes, words: usize, inherited: &Inherited, cwd: &Bytes) -> Result<(), Fault> {
    let mut found = None;
    for candidate in candidates(program, inherited, cwd) {
        let path = cwd.as_path().join(OsString::from_vec(CString::into_bytes(candidate)));
        match std::fs::metadata(&path) {
            // As a shell does, a search passes folders over.
            Ok(data) if data.is_dir() && !program.as_slice().contains(&b'/') => {}
            Ok(data) if data.is_dir() => found = found.or(Some("is a directory")),
            Ok(_) if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok() => {
                return check_interpreter(&path);
            }
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
