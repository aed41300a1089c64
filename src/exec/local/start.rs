//! Making a job's process ready: from its entry in the index to a process that executes its command.

use super::record::{Record, introduction};
use super::tree::MARK;
use super::{cut, input::Input};
use crate::model::{bytes::Bytes, job::Job, outcome::Exit};
use crate::os::{
    clock::Clock,
    inherited::Inherited,
    process::Identity,
    spawn::{Prepared, Spawned, Stage},
};
use crate::store::{
    environments,
    root::{Root, log_name},
};
use rustix::fs::RawMode;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// The variables that describe a job to itself; never those of whoever submitted it.
pub const JOB_VARIABLES: [&str; 4] = [MARK, "BG_ATTEMPT", "BG_APPROVED", "BG_ARRAY_INDEX"];

/// A job's process that runs.
#[derive(Debug)]
pub struct Started {
    /// Who it is.
    pub identity: Identity,
    /// Where its output begins in what is written to the log.
    pub log_from: u64,
    /// The bits that its new files do not get.
    pub umask: RawMode,
    /// The end of its pipe that keeps it open, where it reads one.
    pub pipe: Option<OwnedFd>,
    /// What could not be done as asked.
    pub notes: Vec<String>,
}

/// Why a job's process did not start.
#[derive(Debug)]
pub struct NotStarted {
    /// The process, if there was one; it has to be let go.
    pub pid: Option<i32>,
    /// What to say.
    pub exit: Exit,
}

impl NotStarted {
    fn because(what: &str, error: impl std::fmt::Display) -> Self {
        Self { pid: None, exit: Exit::NotStarted { reason: format!("{what}: {error}"), code: 1 } }
    }
}

/// Starts a job's process under the eyes of the record.
pub fn start(root: &Root, record: &Record, job: &Job, clock: &impl Clock) -> Result<Started, NotStarted> {
    let inherited = match &job.spec.env {
        Some(name) => {
            environments::load(root, name).map_err(|error| NotStarted::because("its environment", error))?
        }
        None => environments::fallback(),
    };
    let runs = root.runs().map_err(|error| NotStarted::because("its files", error))?;
    let log = runs
        .open_for_output(&log_name(&job.id))
        .map_err(|error| NotStarted::because("its log could not be created", error))?;
    // Counted with what was left out of it, so that it stays what it is.
    let left_out = cut::read(runs, &job.id).ok().flatten().unwrap_or_default();
    let log_from = log.metadata().map_or(0, |data| data.len() + left_out.removed);
    let input = Input::open(runs, job)
        .map_err(|(what, error)| NotStarted::because(&format!("its input {what}"), error))?;
    let argv = job.spec.command.to_argv();
    let limits = inherited.known_limits();
    let prepared = Prepared {
        programs: candidates(&argv[0], &inherited, &job.spec.cwd),
        arguments: argv.iter().map(c_string).collect(),
        environment: environment(&inherited, job),
        cwd: c_string(&job.spec.cwd),
        umask: inherited.umask,
        nice: inherited.nice,
        limits: limits.clone(),
        input: input.reader.as_fd(),
        output: log.as_fd(),
        record: record.file().as_fd(),
        introduction: introduction(record, log_from, clock.monotonic().as_millis() as u64),
    };
    let unintroduced = record.size().ok();
    let spawned = prepared.spawn().map_err(|error| NotStarted::because("no process could be made", error))?;
    // From here on the job alone reads it: should it close its input, whoever writes is told.
    drop(input.reader);
    let pid = spawned.pid;
    if let Some((stage, errno)) = spawned.stopped {
        if stage == Stage::Record {
            record.may_be_torn();
        }
        return Err(NotStarted { pid: Some(pid), exit: stopped_at(stage, errno, job) });
    }
    // Nobody executes the command who has not written down who he is.
    if unintroduced.is_some() && record.size().ok() == unintroduced {
        let reason = format!("its process (pid {pid}) was killed before it executed the command");
        return Err(NotStarted { pid: Some(pid), exit: Exit::NotStarted { reason, code: 1 } });
    }
    // Whoever ended before it could tell is still to be seen, as a child that nobody has let go.
    let Some(identity) = spawned.identity.or_else(|| Identity::of(pid).ok().flatten()) else {
        let unknown = NotStarted::because("its process", "could not be identified");
        return Err(NotStarted { pid: Some(pid), ..unknown });
    };
    let notes = notes(&spawned, &limits);
    Ok(Started { identity, log_from, umask: inherited.umask, pipe: input.pipe, notes })
}

fn stopped_at(stage: Stage, errno: i32, job: &Job) -> Exit {
    let error = std::io::Error::from_raw_os_error(errno);
    // The library adds the number; people need the words.
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    let program = job.spec.command.to_argv().first().map(Bytes::to_text).unwrap_or_default();
    let (reason, code) = match stage {
        Stage::Files | Stage::Limit | Stage::Known => {
            (format!("its files could not be connected: {words}"), 1)
        }
        Stage::Cwd => (format!("its working directory {}: {words}", job.spec.cwd.to_text()), 1),
        Stage::Identity => (format!("its process could not be identified: {words}"), 1),
        Stage::Record => (format!("its start could not be recorded: {words}"), 1),
        Stage::Exec if errno == libc::ENOENT => (format!("{program}: command not found"), 127),
        Stage::Exec => (format!("{program}: {words}"), 126),
    };
    Exit::NotStarted { reason, code }
}

fn notes(
    spawned: &Spawned,
    limits: &[(&'static str, rustix::process::Resource, rustix::process::Rlimit)],
) -> Vec<String> {
    spawned
        .unset_limits
        .iter()
        .map(|place| match usize::try_from(*place).ok().and_then(|place| limits.get(place)) {
            Some((name, ..)) => format!("its resource limit {name} could not be set as at its submission"),
            None => "its nice value could not be set as at its submission".to_owned(),
        })
        .collect()
}

/// Where a program may be: as the shell looks for it, with the job's own path and directory.
pub fn candidates(program: &Bytes, inherited: &Inherited, cwd: &Bytes) -> Vec<CString> {
    if program.as_slice().contains(&b'/') {
        return vec![c_string(program)];
    }
    let path = inherited.get("PATH").map_or(&b"/usr/local/bin:/usr/bin:/bin"[..], Bytes::as_slice);
    path.split(|byte| *byte == b':')
        .map(|folder| {
            // An empty entry means the working directory (POSIX, PATH), as does a relative one.
            let folder = if folder.is_empty() { cwd.as_slice() } else { folder };
            CString::new([folder, b"/", program.as_slice()].concat()).unwrap_or_default()
        })
        .collect()
}

fn environment(inherited: &Inherited, job: &Job) -> Vec<CString> {
    let entry = |name: &[u8], value: &[u8]| CString::new([name, b"=", value].concat()).unwrap_or_default();
    let own = |name: &[u8]| JOB_VARIABLES.iter().any(|own| own.as_bytes() == name);
    let number = job.spec.array_index.map(|number| entry(b"BG_ARRAY_INDEX", number.to_string().as_bytes()));
    inherited
        .variables
        .iter()
        .filter(|(name, _)| !own(name.as_slice()))
        .map(|(name, value)| entry(name.as_slice(), value.as_slice()))
        .chain([
            entry(MARK.as_bytes(), job.id.as_str().as_bytes()),
            entry(b"BG_ATTEMPT", job.attempt.to_string().as_bytes()),
        ])
        .chain(number)
        // It asked while it ran, and goes on. Who had to approve it before it ran at all is not what its script asks.
        .chain((job.interruptions > 0 && job.was_approved()).then(|| entry(b"BG_APPROVED", b"1")))
        .collect()
}

fn c_string(bytes: &Bytes) -> CString {
    CString::new(bytes.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        id::JobId,
        spec::{Command, JobSpec},
    };

    #[test]
    fn what_kept_a_job_from_its_start_is_said_with_what_was_tried() {
        let argv = vec![Bytes::try_from("make").unwrap()];
        let spec = JobSpec::new(Command::Argv(argv), Bytes::try_from("/there").unwrap());
        let at = "2026-02-13T10:00:00Z".parse().unwrap();
        let job = Job::new(JobId::parse("bg_20260213_aaaaaa").unwrap(), spec, at);
        for (stage, errno, said, expected) in [
            (Stage::Files, libc::EBADF, "its files could not be connected: Bad file descriptor", 1),
            (Stage::Limit, libc::EPERM, "its files could not be connected: Operation not permitted", 1),
            (Stage::Cwd, libc::ENOENT, "its working directory /there: No such file or directory", 1),
            (
                Stage::Identity,
                libc::ENOENT,
                "its process could not be identified: No such file or directory",
                1,
            ),
            (Stage::Record, libc::ENOSPC, "its start could not be recorded: No space left on device", 1),
            (Stage::Exec, libc::ENOENT, "make: command not found", 127),
            (Stage::Exec, libc::EACCES, "make: Permission denied", 126),
        ] {
            let exit = Exit::NotStarted { reason: said.to_owned(), code: expected };
            assert_eq!(stopped_at(stage, errno, &job), exit);
        }
    }

    #[test]
    fn a_limit_that_could_not_be_set_is_named() {
        let limit = rustix::process::Rlimit { current: None, maximum: None };
        let limits = [("nofile", rustix::process::Resource::Nofile, limit)];
        let spawned = Spawned { pid: 1, identity: None, stopped: None, unset_limits: vec![0, -1] };
        let said = [
            "its resource limit nofile could not be set as at its submission",
            "its nice value could not be set as at its submission",
        ];
        assert_eq!(notes(&spawned, &limits), said);
    }
}
