//! What was given on the command line, checked and with its defaults: the specification of a job.

use super::{Many, command, environment, input};
use crate::model::{
    Timestamp,
    approval::{Gate, On, content_hash},
    bytes::Bytes,
    config::{Config, LocalApproval},
    id::JobId,
    key::{self, Key},
    limit::{ByteLimit, BytesMax, Limit, Seconds, Source},
    priority::Priority,
    retry::{Codes, Retry},
    spec::{Command, JobSpec, LeftoverPolicy},
};
use crate::ops::{
    fault::{Code, Fault, without_number},
    given, inside,
};
use crate::os::{inherited::Inherited, session};
use chrono::TimeDelta;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
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
    /// What is executed when it has ended; nothing where it is empty.
    pub on_end: Vec<OsString>,
    /// How urgent it is.
    pub priority: Priority,
    /// What makes a repeated submission this one.
    pub key: Option<String>,
    /// Whether the key is made of the command.
    pub unique: bool,
    /// What is added to such a key.
    pub plan_hash: Option<String>,
    /// How long the key stays taken after the end.
    pub key_ttl_seconds: Option<u64>,
    /// How often it is tried.
    pub attempts: Option<u32>,
    /// Whether it is tried as often as the settings say.
    pub retry: bool,
    /// The wait after the first attempt.
    pub retry_delay_seconds: Option<u64>,
    /// The longest wait between attempts.
    pub retry_max_delay_seconds: Option<u64>,
    /// Only these ends are tried again.
    pub retry_on: Option<Codes>,
    /// Jobs as typed, which have to complete first.
    pub after: Vec<String>,
    /// Jobs as typed, which have to end first.
    pub after_end: Vec<String>,
    /// How long it waits at least.
    pub delay_seconds: Option<u64>,
    /// Before when it does not start.
    pub at: Option<Timestamp>,
    /// The group whose slots it takes.
    pub group: Option<String>,
    /// Whether the group is made where it is not there.
    pub create_group: bool,
    /// Who has to approve it before it runs.
    pub approval: Option<On>,
    /// How long an answer can be given.
    pub approval_ttl: Option<Seconds>,
    /// Whether it keeps the tokens for GitHub that its submitter has.
    pub keep_token: bool,
    /// Whether it is many jobs at once, and which.
    pub many: Option<Many>,
}

impl Request {
    /// Before when it does not start, if it is submitted at `now`.
    pub fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let delay = |seconds| i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds);
        self.at.or_else(|| now.checked_add_signed(delay(self.delay_seconds?)?))
    }
}

/// What is to be submitted: everything checked, nothing changed.
pub fn prepare(request: &Request, config: &Config) -> Result<(JobSpec, Inherited), Fault> {
    let mut common = Common::of(request, config)?;
    let spec = common.spec(request)?;
    Ok((spec, common.inherited))
}

/// What the jobs of one submission have in common, and what was found out for one of them already.
pub struct Common<'a> {
    config: &'a Config,
    /// The environment that is captured for all of them.
    pub inherited: Inherited,
    variables: Vec<String>,
    session: Option<String>,
    parent: Option<JobId>,
    folders: HashMap<Option<PathBuf>, Bytes>,
    /// Programs that can be run, each with the folder from where.
    programs: HashSet<(Bytes, Bytes)>,
    /// Whether programs and folders have to be there now.
    is_checked: bool,
}

impl<'a> Common<'a> {
    /// What the flags say for all of them.
    pub fn of(flags: &Request, config: &'a Config) -> Result<Self, Fault> {
        let (inherited, variables) = environment::assemble(flags)?;
        Ok(Self {
            config,
            inherited,
            variables,
            session: session::terminal(),
            parent: inside::own_job(),
            folders: HashMap::new(),
            programs: HashSet::new(),
            is_checked: true,
        })
    }

    /// For jobs that nobody submits now: of no terminal and of no job, and what they need may come to be there later.
    pub fn without_submitter(config: &'a Config, inherited: Inherited, variables: Vec<String>) -> Self {
        Self {
            config,
            inherited,
            variables,
            session: None,
            parent: None,
            folders: HashMap::new(),
            programs: HashSet::new(),
            is_checked: false,
        }
    }

    /// The specification of one of them.
    pub fn spec(&mut self, request: &Request) -> Result<JobSpec, Fault> {
        let config = self.config;
        let cwd = self.folder(request.cwd.as_deref())?;
        let command = command::given(request)?;
        if self.is_checked
            && request.shell.is_none()
            && let Command::Argv(argv) = &command
        {
            self.check(argv, &cwd)?;
        }
        environment::leave_tokens_out(request, &mut self.inherited, &self.variables);
        let mut spec = JobSpec::new(command, cwd);
        spec.variables.clone_from(&self.variables);
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
        spec.on_end = on_end(&request.on_end)?;
        spec.priority = request.priority;
        spec.key = key(request, &spec)?;
        spec.retry = retry(request, config)?;
        spec.group = request.group.as_deref().map(given::group).transpose()?.flatten();
        spec.session.clone_from(&self.session);
        spec.parent.clone_from(&self.parent);
        spec.stdin = request.stdin.as_deref().map(input::given).transpose()?.unwrap_or_default();
        spec.gate = self.gate(request, &spec)?;
        Ok(spec)
    }

    /// Who has to approve it.
    fn gate(&self, request: &Request, spec: &JobSpec) -> Result<Option<Gate>, Fault> {
        let Some(on) = &request.approval else {
            return match request.approval_ttl {
                None => Ok(None),
                Some(_) => Err(Fault::new(Code::Usage, "--approval-ttl needs --approval")),
            };
        };
        can_be_asked(self.config, on)?;
        Ok(Some(Gate {
            on: on.clone(),
            ttl_seconds: request.approval_ttl.unwrap_or(self.config.approval.ttl_seconds),
            hash: self.hash(spec),
        }))
    }

    /// What is approved, with the environment as it is by now: what one job of a batch must not have, none of it has.
    pub fn hash(&self, spec: &JobSpec) -> String {
        content_hash(spec, self.inherited.names())
    }

    fn folder(&mut self, given: Option<&Path>) -> Result<Bytes, Fault> {
        if let Some(path) = given.filter(|path| !self.is_checked && path.is_absolute()) {
            return bytes(path.as_os_str().to_owned(), "the working directory");
        }
        let given = given.map(Path::to_owned);
        if let Some(known) = self.folders.get(&given) {
            return Ok(known.clone());
        }
        let folder = working_directory(given.as_deref())?;
        self.folders.insert(given, folder.clone());
        Ok(folder)
    }

    fn check(&mut self, argv: &[Bytes], cwd: &Bytes) -> Result<(), Fault> {
        let program = (argv[0].clone(), cwd.clone());
        if !self.programs.contains(&program) {
            command::check(&argv[0], argv.len(), &self.inherited, cwd)?;
            self.programs.insert(program);
        }
        Ok(())
    }
}

/// Whether anybody could answer there.
pub fn can_be_asked(config: &Config, on: &On) -> Result<(), Fault> {
    match on {
        On::Local if config.approval.local == LocalApproval::Off => Err(Fault::new(
            Code::Config,
            "nobody may approve at this machine: approval.local is off in config.toml",
        )
        .hint("--approval github:OWNER/REPO asks on an issue")),
        On::GitHub(_) if !cfg!(feature = "github") => {
            Err(Fault::new(Code::Failed, crate::github::Refusal::NotBuilt.to_string()))
        }
        _ => Ok(()),
    }
}

/// What is executed when it has ended.
fn on_end(words: &[OsString]) -> Result<Option<Vec<Bytes>>, Fault> {
    if words.last().is_some_and(|last| last.as_bytes().iter().all(u8::is_ascii_whitespace)) {
        return Err(Fault::new(Code::Usage, "what runs at the end of the job is empty")
            .hint("--on-end takes a line for a shell; leave it away to run nothing"));
    }
    let words = words.iter().map(|word| bytes(word.clone(), "what runs at the end"));
    let words: Vec<Bytes> = words.collect::<Result<_, _>>()?;
    Ok((!words.is_empty()).then_some(words))
}

/// The key that was given, or that of the command.
fn key(request: &Request, spec: &JobSpec) -> Result<Option<Key>, Fault> {
    let plan_hash = request.plan_hash.as_deref().map(given::key).transpose()?;
    let of_command = || key::of_command(&spec.command.to_argv(), &spec.cwd, plan_hash.as_deref());
    let text = match &request.key {
        Some(text) => Some(given::key(text)?),
        None => request.unique.then(of_command).map(|text| given::key(&text)).transpose()?,
    };
    Ok(text.map(|text| Key { text, ttl_seconds: request.key_ttl_seconds.unwrap_or(0) }))
}

/// How it is tried again: as it was asked, the rest as the settings say.
fn retry(request: &Request, config: &Config) -> Result<Retry, Fault> {
    let asked = if request.retry { config.retry.attempts_max } else { 1 };
    let retry = Retry {
        attempts_max: request.attempts.unwrap_or(asked),
        delay_seconds: request.retry_delay_seconds.unwrap_or(config.retry.delay_seconds),
        delay_seconds_max: request
            .retry_max_delay_seconds
            .unwrap_or_else(|| config.retry.delay_seconds_max.max(request.retry_delay_seconds.unwrap_or(0))),
        codes: request.retry_on.clone(),
    };
    let asks = request.retry_delay_seconds.is_some()
        || request.retry_max_delay_seconds.is_some()
        || request.retry_on.is_some();
    if asks && retry.attempts_max == 1 {
        return Err(Fault::new(Code::Usage, "with a single attempt there is nothing to retry")
            .hint("say how often it is tried: --attempts 5, or --retry"));
    }
    if retry.delay_seconds > retry.delay_seconds_max {
        return Err(Fault::new(Code::Usage, "--retry-delay is longer than --retry-max-delay"));
    }
    Ok(retry)
}

fn working_directory(given: Option<&Path>) -> Result<Bytes, Fault> {
    let here = std::env::current_dir().map_err(|error| {
        Fault::new(Code::Failed, format!("the working directory is gone: {error}"))
            .hint("give one with --cwd")
    })?;
    let path = given.map_or_else(|| here.clone(), |given| here.join(given));
    check_directory(&path)?;
    bytes(path.into_os_string(), "the working directory")
}

/// Whether a job can run in a folder.
pub fn check_directory(path: &Path) -> Result<(), Fault> {
    let usable = std::fs::metadata(path).and_then(|data| {
        if data.is_dir() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotADirectory)) }
    });
    usable
        .and_then(|()| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).map_err(io::Error::from))
        .map_err(|error| {
            Fault::new(
                Code::Failed,
                format!(
                    "could not use the directory {}: {}",
                    path.display(),
                    without_number(&error.to_string())
                ),
            )
        })
}

/// A text that is kept byte for byte; `what` it is, for the message.
pub fn bytes(text: OsString, what: &str) -> Result<Bytes, Fault> {
    Bytes::try_from(text).map_err(|error| Fault::new(Code::Usage, format!("{what} {error}")))
}
