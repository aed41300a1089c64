//! The gate: a job's process is forked and made ready, but runs its command only once it is let through.
//!
//! While it is held, its watcher records who it is. If the watcher dies first, the gate closes and the process
//! leaves without having run anything. Let through, it appends one line to the record before it executes: what
//! never wrote that line never ran.
//!
//! Between fork and exec only system calls are made (`fork(2)`, `signal-safety(7)`): everything is prepared before.

use rustix::fs::RawMode;
use rustix::process::{Resource, Rlimit};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Everything that a process needs to become a job.
#[derive(Debug)]
pub struct Entrant<'a> {
    /// The program's possible paths, tried in this order (`execvp(3)`).
    pub programs: Vec<CString>,
    /// The arguments, program name first.
    pub arguments: Vec<CString>,
    /// `NAME=value` each.
    pub environment: Vec<CString>,
    /// Where it runs.
    pub cwd: CString,
    /// The bits that its new files do not get.
    pub umask: RawMode,
    /// Its nice value.
    pub nice: i32,
    /// Its resource limits.
    pub limits: Vec<(&'static str, Resource, Rlimit)>,
    /// Its standard input.
    pub input: BorrowedFd<'a>,
    /// Its standard output and error.
    pub output: BorrowedFd<'a>,
    /// The record, opened to append.
    pub record: BorrowedFd<'a>,
    /// What it appends to the record right before it executes.
    pub started_line: Vec<u8>,
}

/// A process that waits at the gate. Dropped, the gate closes and the process leaves.
#[derive(Debug)]
pub struct Held {
    /// Its pid: a child of this process.
    pub pid: i32,
    gate: File,
    report: File,
}

/// What became of a process that was let through.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// What kept it from executing; `None`: its command runs.
    pub stopped: Option<(Stage, i32)>,
    /// Limits that could not be set, by their place in the entrant's list, and the nice value as -1.
    pub unset_limits: Vec<i32>,
}

/// The steps of the way, and where it can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting standard input and output.
    Files = 1,
    /// Entering the working directory.
    Cwd = 2,
    /// Recording that it starts.
    Record = 3,
    /// Executing the program.
    Exec = 4,
    /// Not an end: a limit could not be set.
    Limit = 5,
}

impl Stage {
    fn of(number: i32) -> Option<Self> {
        [Self::Files, Self::Cwd, Self::Record, Self::Exec, Self::Limit]
            .into_iter()
            .find(|stage| *stage as i32 == number)
    }
}

impl Held {
    /// Forks a process that holds itself at the gate.
    pub fn fork(entrant: &Entrant<'_>) -> io::Result<Self> {
        imp::fork(entrant)
    }

    /// Lets it through, and tells what became of it: it executes, or cannot and why.
    pub fn let_through(self) -> io::Result<Passage> {
        let Self { mut gate, mut report, .. } = self;
        match io::Write::write_all(&mut gate, &[1]) {
            // If the process is gone already, the report says how far it got.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => drop(gate),
        }
        let mut bytes = Vec::new();
        // It has been let through: if the report cannot be read, its exit tells what became of it.
        let _ = report.read_to_end(&mut bytes);
        let mut passage = Passage::default();
        for message in bytes.chunks_exact(8) {
            let number = |at: usize| {
                i32::from_ne_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]])
            };
            match Stage::of(number(0)) {
                Some(Stage::Limit) => passage.unset_limits.push(number(4)),
                Some(stage) => passage.stopped = Some((stage, number(4))),
                None => {}
            }
        }
        Ok(passage)
    }
}

#[expect(unsafe_code, reason = "fork, and the system calls between fork and exec, are in no safe library")]
mod imp {
    use super::{AsRawFd, CString, Entrant, File, Held, RawMode, Stage, io};
    use crate::os::pipe::pipe;
    use std::ptr;

    /// Two signals that the C library keeps for its threads and refuses to set; its `posix_spawn` has them ignored in
    /// what it starts. An all-zero `struct sigaction` of the kernel is the default disposition (`rt_sigaction(2)`).
    #[cfg(target_os = "linux")]
    const OF_THE_C_LIBRARY: [libc::c_long; 2] = [32, 33];

    /// Pointers to strings that live elsewhere, closed by a null.
    fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
        strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    }

    /// What the child works from: plain numbers and pointers, nothing that allocates.
    struct Kit<'a> {
        programs: &'a [*const libc::c_char],
        arguments: &'a [*const libc::c_char],
        shell_arguments: &'a mut [*const libc::c_char],
        environment: &'a [*const libc::c_char],
        limits: &'a [(libc::c_int, libc::rlimit)],
        cwd: *const libc::c_char,
        umask: RawMode,
        nice: libc::c_int,
        input: i32,
        output: i32,
        record: i32,
        gate: i32,
        gate_writer: i32,
        report: i32,
        started_line: &'a [u8],
    }

    pub fn fork(entrant: &Entrant<'_>) -> io::Result<Held> {
        let (gate_reader, gate_writer) = pipe()?;
        let (report_reader, report_writer) = pipe()?;
        let programs = pointers(&entrant.programs);
        let arguments = pointers(&entrant.arguments);
        // For a script without a first line that names its interpreter: sh, the script, its arguments.
        let mut shell_arguments: Vec<*const libc::c_char> = vec![c"sh".as_ptr(), ptr::null()];
        shell_arguments.extend(arguments.iter().skip(1));
        let environment = pointers(&entrant.environment);
        let limits: Vec<(libc::c_int, libc::rlimit)> = entrant
            .limits
            .iter()
            .map(|(_, resource, limit)| {
                let raw = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
                let limit = libc::rlimit { rlim_cur: raw(limit.current), rlim_max: raw(limit.maximum) };
                (*resource as libc::c_int, limit)
            })
            .collect();
        let mut kit = Kit {
            programs: &programs[..programs.len() - 1],
            arguments: &arguments,
            shell_arguments: &mut shell_arguments,
            environment: &environment,
            limits: &limits,
            cwd: entrant.cwd.as_ptr(),
            umask: entrant.umask,
            nice: entrant.nice,
            input: entrant.input.as_raw_fd(),
            output: entrant.output.as_raw_fd(),
            record: entrant.record.as_raw_fd(),
            gate: gate_reader.as_raw_fd(),
            gate_writer: gate_writer.as_raw_fd(),
            report: report_writer.as_raw_fd(),
            started_line: &entrant.started_line,
        };
        // SAFETY: the child makes system calls only, from the kit, and never returns.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: this is the child.
            0 => unsafe { child(&mut kit) },
            pid => Ok(Held { pid, gate: File::from(gate_writer), report: File::from(report_reader) }),
        }
    }

    /// SAFETY: only in a freshly forked child.
    unsafe fn child(kit: &mut Kit<'_>) -> ! {
        // SAFETY: system calls on descriptors and strings that the parent prepared and that fork copied.
        unsafe {
            libc::close(kit.gate_writer);
            libc::setsid();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            #[cfg(target_os = "linux")]
            for signal in OF_THE_C_LIBRARY {
                let default = [0_u64; 8];
                libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null_mut::<u8>(), 8);
            }
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            if libc::dup2(kit.input, 0) < 0 || libc::dup2(kit.output, 1) < 0 || libc::dup2(kit.output, 2) < 0
            {
                leave(kit.report, Stage::Files);
            }
            if libc::chdir(kit.cwd) != 0 {
                leave(kit.report, Stage::Cwd);
            }
            libc::umask(kit.umask);
            let mut word = [0_u8; 1];
            let let_through = loop {
                let count = libc::read(kit.gate, word.as_mut_ptr().cast(), 1);
                if count >= 0 || errno() != libc::EINTR {
                    break count == 1;
                }
            };
            if !let_through {
                libc::_exit(127);
            }
            let line = kit.started_line;
            if libc::write(kit.record, line.as_ptr().cast(), line.len()) != line.len().cast_signed() {
                leave(kit.report, Stage::Record);
            }
            set_limits(kit);
            execute(kit);
            leave(kit.report, Stage::Exec)
        }
    }

    /// Sets what can be set and reports what cannot. Last of all, since a limit may hinder what comes after it.
    unsafe fn set_limits(kit: &Kit<'_>) {
        // SAFETY: as for the child.
        unsafe {
            let mut now: libc::rlimit = std::mem::zeroed();
            for (place, (resource, wanted)) in kit.limits.iter().enumerate() {
                let resource = *resource as _;
                let as_wanted = libc::getrlimit(resource, &raw mut now) == 0
                    && now.rlim_cur == wanted.rlim_cur
                    && now.rlim_max == wanted.rlim_max;
                if !as_wanted && libc::setrlimit(resource, wanted) != 0 {
                    report(kit.report, Stage::Limit, place as i32);
                }
            }
            if libc::getpriority(libc::PRIO_PROCESS, 0) != kit.nice
                && libc::setpriority(libc::PRIO_PROCESS, 0, kit.nice) != 0
            {
                report(kit.report, Stage::Limit, -1);
            }
        }
    }

    /// Tries each path as `execvp(3)` does; returns only if none could be executed, with the most telling error.
    unsafe fn execute(kit: &mut Kit<'_>) {
        // SAFETY: as for the child; all arrays end with a null.
        unsafe {
            let mut telling = libc::ENOENT;
            for program in kit.programs {
                libc::execve(*program, kit.arguments.as_ptr(), kit.environment.as_ptr());
                match errno() {
                    libc::ENOENT | libc::ENOTDIR => {}
                    libc::EACCES => telling = libc::EACCES,
                    libc::ENOEXEC => {
                        kit.shell_arguments[1] = *program;
                        libc::execve(
                            c"/bin/sh".as_ptr(),
                            kit.shell_arguments.as_ptr(),
                            kit.environment.as_ptr(),
                        );
                        telling = libc::ENOEXEC;
                        break;
                    }
                    other => {
                        telling = other;
                        break;
                    }
                }
            }
            set_errno(telling);
        }
    }

    unsafe fn report(fd: i32, stage: Stage, detail: i32) {
        let mut message = [0_u8; 8];
        message[..4].copy_from_slice(&(stage as i32).to_ne_bytes());
        message[4..].copy_from_slice(&detail.to_ne_bytes());
        // SAFETY: the descriptor is the report's pipe; eight bytes are written whole (pipe(7)).
        unsafe { libc::write(fd, message.as_ptr().cast(), message.len()) };
    }

    unsafe fn leave(fd: i32, stage: Stage) -> ! {
        // SAFETY: as for report; _exit runs nothing of the parent's.
        unsafe {
            report(fd, stage, errno());
            libc::_exit(127)
        }
    }

    fn errno() -> i32 {
        io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
    }

    fn set_errno(number: i32) {
        #[cfg(target_os = "linux")]
        // SAFETY: the location of this thread's error number is always valid.
        unsafe {
            *libc::__errno_location() = number;
        }
        #[cfg(target_vendor = "apple")]
        // SAFETY: as above.
        unsafe {
            *libc::__error() = number;
        }
    }
}
