//! What was given on the command line, checked and with its defaults: the specification of a job.

use super::{command, environment, input};
use crate::model::{
    bytes::Bytes,
    config::Config,
    limit::{ByteLimit, BytesMax, Limit, Seconds, Source},
    spec::{Command, JobSpec, LeftoverPolicy},
};
use crate::ops::{
    fault::{Code, Fault, without_number},
    given, inside,
};
use crate::os::{inherited::Inherited, session};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Program and arguments, unless `shell` is given.
    pub argv: Vec<OsString>,
    /// A line for `sh -c`.
    pub shell: Option<OsString>,
    /// A name.
    pub name: Option<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// The working directory, relative to the present one.
    pub cwd: Option<PathBuf>,
    /// Variables to set: `NAME=VALUE`, or `NAME` to take its present value over.
    pub env: Vec<OsString>,
    /// Files of variables to set before them; `-` is our own standard input.
    pub env_files: Vec<PathBuf>,
    /// Names of variables to leave out.
    pub unset: Vec<OsString>,
    /// Whether only the variables that every program expects are taken over.
    pub clean_env: bool,
    /// Run time.
    pub timeout: Option<Seconds>,
    /// Silence of the watcher.
    pub stale_after: Option<Seconds>,
    /// Time to end.
    pub grace: Option<Seconds>,
    /// The file to read as standard input; `-` is our own, read now to its end, and `pipe` one that stays open.
    pub stdin: Option<PathBuf>,
    /// Size of the log.
    pub log: Option<BytesMax>,
    /// Whether it runs outside the slots, until it is ended.
    pub service: bool,
    /// Whether leftovers are left running.
    pub leave_leftovers: bool,
}

/// What is to be submitted: everything checked, nothing changed.
pub fn prepare(request: &Request, config: &Config) -> Result<(JobSpec, Inherited), Fault> {
    let cwd = working_directory(request.cwd.as_deref())?;
    let (inherited, variables) = environment::assemble(request)?;
    let command = command::given(request)?;
    if request.shell.is_none()
        && let Command::Argv(argv) = &command
    {
        command::check(&argv[0], argv.len(), &inherited, &cwd)?;
    }
    let mut spec = JobSpec::new(command, cwd);
    spec.variables = variables;
    spec.service = request.service;
    if let Some(line) = &request.shell {
        spec.display = line.to_string_lossy().into_owned();
    }
    spec.name = request.name.as_deref().map(given::name).transpose()?;
    spec.labels = given::labels(&request.labels)?;
    let flag = |given: Option<Seconds>, else_: Limit| {
        given.map_or(else_, |seconds| Limit { seconds, source: Source::Flag })
    };
    let until_ended = Limit { seconds: None, source: Source::Service };
    let timeout = if request.service { until_ended } else { config.limits.timeout };
    spec.limits.timeout = flag(request.timeout, timeout);
    spec.limits.stale_after = flag(request.stale_after, config.limits.stale_after);
    spec.limits.grace = flag(request.grace, config.limits.grace);
    spec.limits.log =
        request.log.map_or(config.limits.log, |bytes| ByteLimit { bytes, source: Source::Flag });
    spec.leftovers = if request.leave_leftovers { LeftoverPolicy::Leave } else { LeftoverPolicy::End };
    spec.session = session::terminal();
    spec.parent = inside::own_job();
    spec.stdin = request.stdin.as_deref().map(input::given).transpose()?.unwrap_or_default();
    Ok((spec, inherited))
}

fn working_directory(given: Option<&Path>) -> Result<Bytes, Fault> {
    let here = std::env::current_dir().map_err(|error| {
        Fault::new(Code::Failed, format!("the working directory is gone: {error}"))
            .hint("give one with --cwd")
    })?;
    let path = given.map_or_else(|| here.clone(), |given| here.join(given));
    let usable = std::fs::metadata(&path).and_then(|data| {
        if data.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
    });
    usable
        .and_then(|()| rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).map_err(io::Error::from))
        .map_err(|error| {
            Fault::new(
                Code::Failed,
                format!(
                    "could not use the directory {}: {}",
                    path.display(),
                    without_number(&error.to_string())
                ),
            )
        })?;
    bytes(path.into_os_string(), "the working directory")
}

/// A text that is kept byte for byte; `what` it is, for the message.
pub fn bytes(text: OsString, what: &str) -> Result<Bytes, Fault> {
    Bytes::try_from(text).map_err(|error| Fault::new(Code::Usage, format!("{what} {error}")))
}
