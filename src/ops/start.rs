//! Submission: from a command line to an id that is on disk, and to a watcher where a slot is free.

use super::{
    fault::{Code, Fault, without_number},
    given,
    home::{BrokenConfig, Home},
};
use crate::exec::local::start::{JOB_VARIABLES, candidates};
use crate::model::{
    Timestamp,
    bytes::Bytes,
    config::Config,
    id::JobId,
    job::Job,
    limit::{Limit, Seconds, Source},
    spec::{Command, JobSpec, LeftoverPolicy, quote},
};
use crate::os::{
    clock::{Clock, SystemClock},
    detach::KEPT_VARIABLES,
    ids::{IdSource, RandomIds},
    inherited::Inherited,
    session,
};
use crate::pass::{Decided, Pass};
use crate::plan::{
    Scope, admit,
    pick::{self, Waits},
};
use crate::store::{
    Store, environments,
    root::{Root, input_name},
};
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// How often an id is drawn anew when one is taken. With 887 million ids a day, once is already rare.
const DRAWS_MAX: usize = 16;

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
    /// Variables to set: `NAME=value`.
    pub env: Vec<OsString>,
    /// Whether only the variables that every program expects are taken over.
    pub clean_env: bool,
    /// Run time.
    pub timeout: Option<Seconds>,
    /// Silence of the watcher.
    pub stale_after: Option<Seconds>,
    /// Time to end.
    pub grace: Option<Seconds>,
    /// The file to read as standard input; `-` is our own, read now to its end.
    pub stdin: Option<PathBuf>,
    /// Whether leftovers are left running.
    pub leave_leftovers: bool,
}

/// A submitted job.
#[derive(Debug)]
pub struct Submitted {
    /// As it is in the index.
    pub job: Job,
    /// Why it does not run at once, where it has to wait.
    pub waits: Option<Waits>,
    /// What was decided, for those who want to see it.
    pub decided: Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Submits a job.
pub fn start(request: &Request) -> Result<Submitted, Fault> {
    let home = Home::open(BrokenConfig::Stops)?;
    let (spec, inherited) = prepare(request, &home.config)?;
    submit(&home, spec, &inherited, request.stdin.as_deref() == Some(Path::new("-")))
}

/// What would be submitted. Changes nothing.
pub fn foresee(request: &Request) -> Result<Job, Fault> {
    let config = Home::open_existing(BrokenConfig::Stops)?.map(|home| home.config).unwrap_or_default();
    let (spec, _) = prepare(request, &config)?;
    let id =
        JobId::parse("bg_00000000_dryrun").map_err(|error| Fault::new(Code::Failed, error.to_string()))?;
    Ok(Job::new(id, spec, SystemClock.now()))
}

/// What is to be submitted: everything checked, nothing changed.
fn prepare(request: &Request, config: &Config) -> Result<(JobSpec, Inherited), Fault> {
    let cwd = working_directory(request.cwd.as_deref())?;
    let inherited = environment(request)?;
    let command = command(request)?;
    if request.shell.is_none()
        && let Command::Argv(argv) = &command
    {
        check_program(&argv[0], argv.len(), &inherited, &cwd)?;
    }
    let mut spec = JobSpec::new(command, cwd);
    if let Some(line) = &request.shell {
        spec.display = line.to_string_lossy().into_owned();
    }
    spec.name = request.name.as_deref().map(given::name).transpose()?;
    spec.labels = given::labels(&request.labels)?;
    let flag = |given: Option<Seconds>, else_: Limit| {
        given.map_or(else_, |seconds| Limit { seconds, source: Source::Flag })
    };
    spec.limits.timeout = flag(request.timeout, config.limits.timeout);
    spec.limits.stale_after = flag(request.stale_after, config.limits.stale_after);
    spec.limits.grace = flag(request.grace, config.limits.grace);
    spec.leftovers = if request.leave_leftovers { LeftoverPolicy::Leave } else { LeftoverPolicy::End };
    spec.session = session::terminal();
    spec.parent = std::env::var("BG_JOB_ID").ok().and_then(|id| JobId::parse(&id).ok());
    spec.stdin =
        request.stdin.as_deref().filter(|path| *path != Path::new("-")).map(input_file).transpose()?;
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

fn bytes(text: OsString, what: &str) -> Result<Bytes, Fault> {
    Bytes::try_from(text).map_err(|error| Fault::new(Code::Usage, format!("{what} {error}")))
}

fn environment(request: &Request) -> Result<Inherited, Fault> {
    let clean = request.clean_env;
    let mut inherited = Inherited::capture(|name| {
        JOB_VARIABLES.contains(&name) || (clean && !KEPT_VARIABLES.contains(&name))
    });
    for entry in &request.env {
        let entry = entry.as_bytes();
        let Some(place) = entry.iter().position(|byte| *byte == b'=').filter(|place| *place > 0) else {
            let shown = String::from_utf8_lossy(entry).into_owned();
            return Err(Fault::new(Code::Usage, format!("--env {shown:?}: expected NAME=value")));
        };
        let part = |range: &[u8]| bytes(OsString::from_vec(range.to_vec()), "--env");
        inherited.set(part(&entry[..place])?, part(&entry[place + 1..])?);
    }
    Ok(inherited)
}

fn command(request: &Request) -> Result<Command, Fault> {
    let argv: Vec<OsString> = match &request.shell {
        Some(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        None => request.argv.clone(),
    };
    if argv.first().is_none_or(|program| program.is_empty()) {
        return Err(Fault::new(Code::Usage, "there is no command to run").hint("bgctl start -- make -j4"));
    }
    Ok(Command::Argv(argv.into_iter().map(|word| bytes(word, "the command")).collect::<Result<_, _>>()?))
}

const NOT_EXECUTABLE: &str = "may not be executed";

/// A command that cannot be run is refused now: whoever types it is still there to read why.
fn check_program(program: &Bytes, words: usize, inherited: &Inherited, cwd: &Bytes) -> Result<(), Fault> {
    let mut found = None;
    for candidate in candidates(program, inherited, cwd) {
        let path = cwd.as_path().join(OsString::from_vec(CString::into_bytes(candidate)));
        match std::fs::metadata(&path) {
            Ok(data) if data.is_dir() => found = found.or(Some("is a directory")),
            Ok(_) if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok() => return Ok(()),
            Ok(_) => found = found.or(Some(NOT_EXECUTABLE)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found = found.or(Some("cannot be reached"));
            }
            Err(_) => {}
        }
    }
    let shown = program.to_text();
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

fn input_file(path: &Path) -> Result<Bytes, Fault> {
    let failed = |error: io::Error| {
        Fault::new(
            Code::Failed,
            format!("could not read {}: {}", path.display(), without_number(&error.to_string())),
        )
    };
    let absolute = std::path::absolute(path).map_err(failed)?;
    let kind = std::fs::metadata(&absolute).map_err(failed)?.file_type();
    if !(kind.is_file() || kind.is_char_device()) {
        return Err(Fault::new(
            Code::Failed,
            format!("{} is no file that a job can read later", path.display()),
        )
        .hint("a pipe is kept for the job with --stdin - (read now, to its end)"));
    }
    rustix::fs::access(&absolute, rustix::fs::Access::READ_OK).map_err(|error| failed(error.into()))?;
    bytes(absolute.into_os_string(), "--stdin")
}

/// Makes the environment durable, then the job, and launches its watcher where it got a slot.
fn submit(
    home: &Home,
    mut spec: JobSpec,
    inherited: &Inherited,
    own_input: bool,
) -> Result<Submitted, Fault> {
    let mut id = draw(home.clock.now())?;
    if own_input {
        spec.stdin = Some(keep_input(&home.root, &id)?);
    }
    let store = home.store();
    let executor = home.local();
    let pass = home.pass(&store, &executor);
    let decided = submit_as_free(home, &pass, &mut id, &mut spec, inherited, own_input);
    if decided.is_err() && own_input {
        forget_input(&home.root, &id);
    }
    launch(home, &pass, &store, &id, decided?)
}

fn draw(now: Timestamp) -> Result<JobId, Fault> {
    JobId::new(now, &RandomIds.draw()).map_err(|error| Fault::new(Code::Failed, error.to_string()))
}

/// Submits under `id`, or under another where that is taken; a kept input goes along.
fn submit_as_free(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    id: &mut JobId,
    spec: &mut JobSpec,
    inherited: &Inherited,
    own_input: bool,
) -> Result<Decided, Fault> {
    let now = home.clock.now();
    for _ in 0..DRAWS_MAX {
        if let Some(decided) = submit_as(home, pass, id, spec, inherited, now)? {
            return Ok(decided);
        }
        let other = draw(now)?;
        if own_input {
            spec.stdin = Some(rename_input(&home.root, id, &other)?);
        }
        *id = other;
    }
    Err(Fault::new(Code::NotNow, "could not find a free id").hint("try again"))
}

/// Submits under this id. `None`: it is taken.
fn submit_as(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    id: &JobId,
    spec: &JobSpec,
    inherited: &Inherited,
    now: Timestamp,
) -> Result<Option<Decided>, Fault> {
    // A sweep may take the file between saving and the transaction, since no job names it yet: then once more.
    for _ in 0..DRAWS_MAX {
        let name = environments::save(&home.root, inherited)?;
        let job = Job::new(id.clone(), JobSpec { env: Some(name.clone()), ..spec.clone() }, now);
        let (mut admitted, mut there) = (false, Ok(true));
        let decided = pass.decide(Scope::Slots, &mut |draft| {
            there = environments::has(&home.root, &name);
            if matches!(there, Ok(true)) {
                admitted = admit::admit(draft, job.clone())?;
            }
            Ok(())
        })?;
        if admitted {
            return Ok(Some(decided));
        }
        // What the same pass claimed for others must still be launched.
        pass.act(&decided.actions)?;
        if there? {
            return Ok(None);
        }
    }
    Err(Fault::new(Code::NotNow, "the captured environment was removed again and again").hint("try again"))
}

fn launch(
    home: &Home,
    pass: &Pass<'_, SystemClock>,
    store: &dyn Store,
    id: &JobId,
    decided: Decided,
) -> Result<Submitted, Fault> {
    let mut warnings = home.warnings.clone();
    warnings.extend(decided.warnings.iter().cloned());
    let mut job = submitted_job(&decided, id)?;
    // The id is on disk: from here on, whatever goes wrong is a warning.
    match pass.act(&decided.actions) {
        Ok(told) => warnings.extend(told),
        Err(error) => warnings.push(error.to_string()),
    }
    let claimed =
        decided.actions.iter().any(|action| matches!(action, crate::plan::Action::Launch(of) if of == id));
    let mut waits = None;
    if !claimed {
        // Slots may be held by jobs that are gone; without cron nobody else would look.
        if let Err(error) = pass.advance(Scope::Whole, &mut |_| Ok(())) {
            warnings.push(error.to_string());
        }
        if let Ok(facts) = store.read() {
            job = facts.job(id).ok().flatten().unwrap_or(job);
            waits = pick::why_it_waits(&facts, id, home.clock.now(), &home.config, &home.site)?;
        }
    }
    Ok(Submitted { job, waits, decided, warnings })
}

/// The job as this submission left it.
fn submitted_job(decided: &Decided, id: &JobId) -> Result<Job, Fault> {
    use crate::model::event::Event;
    let mut found = None;
    for event in &decided.events {
        match event {
            Event::Submitted { job } if job.id == *id => found = Some((**job).clone()),
            Event::Changed { id: of, change } if of == id => {
                if let Some(job) = &mut found {
                    job.change(change);
                }
            }
            _ => {}
        }
    }
    found.ok_or_else(|| Fault::new(Code::Failed, format!("{id} was not written")))
}

/// Reads our own standard input to its end into a file of the job's, durable before the job is. Gives its path.
fn keep_input(root: &Root, id: &JobId) -> Result<Bytes, Fault> {
    let runs = root.runs()?;
    let path = runs.path().join(input_name(id));
    let failed = |error: io::Error| {
        Fault::new(
            Code::Failed,
            format!("could not keep the input in {}: {}", path.display(), without_number(&error.to_string())),
        )
    };
    let mut file = runs.create_file(&input_name(id)).map_err(failed)?;
    let mut keep = || -> io::Result<()> {
        io::copy(&mut io::stdin().lock(), &mut file)?;
        file.sync_all()?;
        runs.sync()
    };
    keep().map_err(|error| {
        forget_input(root, id);
        failed(error)
    })?;
    bytes(path.into_os_string(), "the input's path")
}

/// Gives the kept input to another id.
fn rename_input(root: &Root, from: &JobId, to: &JobId) -> Result<Bytes, Fault> {
    let runs = root.runs()?;
    runs.rename(&input_name(from), &input_name(to))?;
    runs.sync()?;
    bytes(runs.path().join(input_name(to)).into_os_string(), "the input's path")
}

fn forget_input(root: &Root, id: &JobId) {
    if let Ok(runs) = root.runs() {
        let _ = runs.remove(&input_name(id));
    }
}
