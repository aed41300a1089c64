//! Spawning a job's process: it writes down who it is itself, and only then executes its command.
//!
//! What never wrote its lines into the record never ran. A process whose parent has died before it writes them leaves. It has a copy
//! of the locked record until it executes or leaves, so nobody takes the record before that is settled.
//!
//! It is forked: with its parent's memory, as `vfork(2)` has it, the parent's peak would count as its own (`getrusage(2)`,
//! `ru_maxrss`). Between fork and exec it makes system calls only (`fork(2)`, `signal-safety(7)`): everything else is prepared before.

use super::{pipe::read_to_end, process::Identity};
use rustix::fs::RawMode;
use rustix::process::{Resource, Rlimit};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Everything that a process needs to become a job.
#[derive(Debug)]
pub struct Prepared<'a> {
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
    /// What it appends to the record in one write right before it executes.
    pub introduction: Introduction,
}

/// Text with two gaps, for the numbers by which a process is told apart from all others.
#[derive(Debug)]
pub struct Introduction {
    /// What comes before its pid.
    pub before_pid: Vec<u8>,
    /// What comes between that and its start time, in clock ticks since boot.
    pub before_start: Vec<u8>,
    /// What comes behind.
    pub after: Vec<u8>,
}

/// A process that was spawned.
#[derive(Debug, PartialEq, Eq)]
pub struct Spawned {
    /// Its pid: a child of this process.
    pub pid: i32,
    /// Who it is, if it came so far as to tell.
    pub identity: Option<Identity>,
    /// What kept it from executing; `None`: its command runs.
    pub stopped: Option<(Stage, i32)>,
    /// Limits that could not be set, by their place in the list, and the nice value as -1.
    pub unset_limits: Vec<i32>,
}

/// The steps of the way, and where it can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connecting standard input and output.
    Files = 1,
    /// Entering the working directory.
    Cwd = 2,
    /// Finding out who it is.
    Identity = 3,
    /// Recording that it starts.
    Record = 4,
    /// Executing the program.
    Exec = 5,
    /// Not an end: a limit could not be set.
    Limit = 6,
    /// Not an end: who it is.
    Known = 7,
}

impl Stage {
    fn of(number: i32) -> Option<Self> {
        [Self::Files, Self::Cwd, Self::Identity, Self::Record, Self::Exec, Self::Limit, Self::Known]
            .into_iter()
            .find(|stage| *stage as i32 == number)
    }
}

/// Bytes of what a process reports in one write: the stage, a number of it, and a start time.
const MESSAGE_BYTES: usize = 16;

impl Prepared<'_> {
    /// Spawns the process; comes back once it executes its command, or cannot. It must be let go of in any case.
    pub fn spawn(&self) -> io::Result<Spawned> {
        let (pid, report) = imp::spawn(self)?;
        // Also if it cannot be read: only then it is settled whether the record has its lines. Its exit tells the rest.
        let bytes = read_to_end(report);
        let mut spawned = Spawned { pid, identity: None, stopped: None, unset_limits: vec![] };
        for message in bytes.as_chunks::<MESSAGE_BYTES>().0 {
            let (numbers, _) = message.as_chunks::<4>();
            let detail = i32::from_ne_bytes(numbers[1]);
            let start = u64::from_ne_bytes(message.as_chunks::<8>().0[1]);
            match Stage::of(i32::from_ne_bytes(numbers[0])) {
                Some(Stage::Limit) => spawned.unset_limits.push(detail),
                Some(Stage::Known) => spawned.identity = Some(Identity { pid, start }),
                Some(stage) => spawned.stopped = Some((stage, detail)),
                None => {}
            }
        }
        Ok(spawned)
    }
}

#[expect(unsafe_code, reason = "fork, and the system calls before exec, are in no safe library")]
mod imp {
    use super::{
        AsRawFd, CString, File, Identity, Introduction, MESSAGE_BYTES, Prepared, RawMode, Stage, io,
    };
    use crate::os::pipe::pipe;
    use std::ptr;

    /// How many signals there are, or more.
    const SIGNALS: libc::c_int = 64;

    /// Longest introduction: its text is of our own making, and short.
    const INTRODUCTION_BYTES_MAX: usize = 512;

    /// Digits of the longest number.
    const DIGITS_MAX: usize = 20;

    /// Pointers to strings that live elsewhere, closed by a null.
    fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
        strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
    }

    /// What the child works from: plain numbers and pointers, nothing that allocates.
    struct Kit<'a> {
        parent: libc::pid_t,
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
        report: i32,
        introduction: &'a Introduction,
        #[cfg(target_os = "linux")]
        ticks_ahead: i64,
    }

    /// The pid, and where the child reports.
    pub fn spawn(prepared: &Prepared<'_>) -> io::Result<(i32, File)> {
        let (report_reader, report_writer) = pipe()?;
        let programs = pointers(&prepared.programs);
        let arguments = pointers(&prepared.arguments);
        // For a script without a first line that names its interpreter: sh, the script, its arguments.
        let mut shell_arguments: Vec<*const libc::c_char> = vec![c"sh".as_ptr(), ptr::null()];
        shell_arguments.extend(arguments.iter().skip(1));
        let environment = pointers(&prepared.environment);
        let limits: Vec<(libc::c_int, libc::rlimit)> = prepared
            .limits
            .iter()
            .map(|(_, resource, limit)| {
                let raw = |value: Option<u64>| value.unwrap_or(libc::RLIM_INFINITY);
                let limit = libc::rlimit { rlim_cur: raw(limit.current), rlim_max: raw(limit.maximum) };
                (*resource as libc::c_int, limit)
            })
            .collect();
        let mut kit = Kit {
            parent: std::process::id().cast_signed(),
            programs: &programs[..programs.len() - 1],
            arguments: &arguments,
            shell_arguments: &mut shell_arguments,
            environment: &environment,
            limits: &limits,
            cwd: prepared.cwd.as_ptr(),
            umask: prepared.umask,
            nice: prepared.nice,
            input: prepared.input.as_raw_fd(),
            output: prepared.output.as_raw_fd(),
            record: prepared.record.as_raw_fd(),
            report: report_writer.as_raw_fd(),
            introduction: &prepared.introduction,
            #[cfg(target_os = "linux")]
            ticks_ahead: crate::os::time_namespace::ticks_ahead(rustix::param::clock_ticks_per_second()),
        };
        // SAFETY: the signal sets are initialised by the calls that fill them. The child makes system calls only, from
        // the kit, and never returns. No handler of this process runs in it: all signals are blocked until it has set
        // every disposition.
        let pid = unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            let pid = match libc::fork() {
                0 => child(&mut kit),
                pid => pid,
            };
            let error = errno();
            libc::sigprocmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
            set_errno(error);
            pid
        };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((pid, File::from(report_reader)))
    }

    /// SAFETY: only in the child.
    unsafe fn child(kit: &mut Kit<'_>) -> ! {
        // SAFETY: system calls on descriptors and strings that the parent prepared and that fork copied.
        unsafe {
            libc::setsid();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            for signal in 1..=SIGNALS {
                set_default(signal);
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
            let pid = libc::getpid();
            let Some(start) = own_start(kit) else { leave(kit.report, Stage::Identity) };
            report(kit.report, Stage::Known, 0, start);
            // The next watcher starts the job anew, and sees its end.
            if libc::getppid() != kit.parent {
                libc::_exit(127);
            }
            if !introduce(kit, Identity { pid, start }) {
                leave(kit.report, Stage::Record);
            }
            set_limits(kit);
            execute(kit);
            leave(kit.report, Stage::Exec)
        }
    }

    /// Gives a signal its default disposition. The kernel is asked itself: a C library refuses those that it keeps for its threads
    /// (two or three from 32 on), and its `posix_spawn` may have them ignored. An all-zero `struct sigaction` of the kernel is the
    /// default, and its set of signals has eight bytes (`rt_sigaction(2)`).
    #[cfg(target_os = "linux")]
    unsafe fn set_default(signal: libc::c_int) {
        let default = [0_u64; 8];
        // SAFETY: the kernel reads no more than this.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null_mut::<u8>(), 8) };
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn set_default(signal: libc::c_int) {
        // SAFETY: a default disposition has no precondition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }

    /// When this process was started. The error number says why that cannot be told.
    #[cfg(target_os = "linux")]
    unsafe fn own_start(kit: &Kit<'_>) -> Option<u64> {
        let mut stat = [0_u8; crate::os::process::STAT_BYTES_MAX];
        // SAFETY: as for the child; the buffer is as long as is said.
        let count = unsafe {
            let file = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if file < 0 {
                return None;
            }
            let count = libc::read(file, stat.as_mut_ptr().cast(), stat.len());
            libc::close(file);
            count
        };
        let begun = crate::os::process::start_in(stat.get(..usize::try_from(count).ok()?)?);
        if begun.is_none() {
            set_errno(libc::EIO);
        }
        Some(begun?.saturating_add_signed(-kit.ticks_ahead))
    }

    #[cfg(not(target_os = "linux"))]
    unsafe fn own_start(_: &Kit<'_>) -> Option<u64> {
        Identity::own().ok().map(|identity| identity.start)
    }

    /// Writes the lines that prove the start; `false`: not all of them.
    unsafe fn introduce(kit: &Kit<'_>, identity: Identity) -> bool {
        let mut line = [0_u8; INTRODUCTION_BYTES_MAX];
        let mut length = 0;
        let mut add = |bytes: &[u8]| {
            if let Some(place) = line.get_mut(length..length + bytes.len()) {
                place.copy_from_slice(bytes);
            }
            length += bytes.len();
        };
        let mut digits = [0; DIGITS_MAX];
        add(&kit.introduction.before_pid);
        add(decimal(u64::from(identity.pid.unsigned_abs()), &mut digits));
        add(&kit.introduction.before_start);
        add(decimal(identity.start, &mut digits));
        add(&kit.introduction.after);
        let Some(line) = line.get(..length) else {
            set_errno(libc::EMSGSIZE);
            return false;
        };
        // SAFETY: as for the child.
        let count = unsafe { libc::write(kit.record, line.as_ptr().cast(), line.len()) };
        if count >= 0 && count != line.len().cast_signed() {
            // Cut short: the rest did not fit (`write(2)`).
            set_errno(libc::ENOSPC);
        }
        count == line.len().cast_signed()
    }

    /// A number as text.
    fn decimal(mut number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
        let mut begin = digits.len();
        loop {
            begin -= 1;
            digits[begin] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break &digits[begin..];
            }
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
                    report(kit.report, Stage::Limit, place as i32, 0);
                }
            }
            if libc::getpriority(libc::PRIO_PROCESS, 0) != kit.nice
                && libc::setpriority(libc::PRIO_PROCESS, 0, kit.nice) != 0
            {
                report(kit.report, Stage::Limit, -1, 0);
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

    unsafe fn report(fd: i32, stage: Stage, detail: i32, start: u64) {
        let mut message = [0_u8; MESSAGE_BYTES];
        message[..4].copy_from_slice(&(stage as i32).to_ne_bytes());
        message[4..8].copy_from_slice(&detail.to_ne_bytes());
        message[8..].copy_from_slice(&start.to_ne_bytes());
        // SAFETY: the descriptor is the report's pipe, which takes so few bytes whole (pipe(7)) and has room for all that is
        // reported.
        unsafe { libc::write(fd, message.as_ptr().cast(), message.len()) };
    }

    unsafe fn leave(fd: i32, stage: Stage) -> ! {
        // SAFETY: as for report; _exit runs nothing of the parent's.
        unsafe {
            report(fd, stage, errno(), 0);
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
