//! Processes by identity: never a bare pid, which the system hands out again.

use serde::{Deserialize, Serialize};
use std::io;

/// A process, told apart from all that had or will have its pid in this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: i32,
    /// When the kernel started it, in clock ticks since boot (`proc_pid_stat(5)`, field 22), as the machine counts them: a time
    /// namespace sees others.
    pub start: u64,
}

/// What the system says of a process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which.
    pub identity: Identity,
    /// Its parent's pid.
    pub parent: i32,
    /// Its session's id.
    pub session: i32,
    /// Its controlling terminal's number; 0 for none, or where the system does not tell.
    pub terminal: i32,
    /// Whether it was stopped by a signal.
    pub stopped: bool,
    /// What it uses.
    pub usage: LiveUsage,
    /// Whether it has ended and only waits to be reaped.
    pub zombie: bool,
    /// Its exit as `wait(2)` would give it, where the system shows it; of use for zombies only.
    pub wait_status: Option<i32>,
    /// The program's name, at most 15 bytes on Linux.
    pub name: String,
}

/// What a living process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveUsage {
    /// Processor time of its own so far, milliseconds.
    pub cpu_ms: u64,
    /// Processor time of its children that it has let go, milliseconds.
    pub reaped_cpu_ms: u64,
    /// Memory that is resident now, KiB; what it shares with others counts for each.
    pub resident_kib: u64,
}

impl Identity {
    /// The process that has this pid now; `None` if there is none.
    pub fn of(pid: i32) -> io::Result<Option<Self>> {
        Ok(look(pid)?.map(|process| process.identity))
    }

    /// This very process.
    pub fn own() -> io::Result<Self> {
        Self::of(std::process::id().cast_signed())?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What the system says of it, if it is still there, be it as a zombie.
    pub fn look(self) -> io::Result<Option<Process>> {
        Ok(look(self.pid)?.filter(|process| process.identity == self))
    }

    /// Whether it runs. A zombie does not. What cannot be looked at is not taken for dead.
    pub fn is_alive(self) -> bool {
        self.look().map_or(true, |found| found.is_some_and(|process| !process.zombie))
    }
}

/// The process that has this pid; `None` if there is none. That it cannot be looked at is an error, not its absence.
pub fn look(pid: i32) -> io::Result<Option<Process>> {
    imp::look(pid)
}

/// How long ago a process was started, suspended time included.
pub fn age(process: Identity) -> Option<std::time::Duration> {
    imp::age(process)
}

/// All processes that can be seen; an error where it cannot be told which there are.
pub fn all() -> io::Result<Vec<Process>> {
    imp::all()
}

/// The value of a variable in a process's environment as it was at its exec; `None` also where it cannot be read.
pub fn variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    let prefix = format!("{name}=");
    imp::environment(pid)?
        .into_iter()
        .find_map(|entry| entry.strip_prefix(prefix.as_bytes()).map(<[u8]>::to_vec))
}

/// A process's arguments; `None` where they cannot be read.
pub fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
    imp::arguments(pid)
}

/// Whether a process runs a program that is no longer where it was: it was replaced or removed since; `None` where that cannot
/// be told.
pub fn runs_replaced_program(pid: i32) -> Option<bool> {
    imp::runs_replaced_program(pid)
}

/// A process's working folder; `None` where it cannot be read.
pub fn working_folder(pid: i32) -> Option<Vec<u8>> {
    imp::working_folder(pid)
}

/// Sends a signal to a process and to no other. `false`: it is gone.
pub fn signal(process: Identity, signal: i32) -> io::Result<bool> {
    imp::signal(process, signal)
}

pub use imp::Handle;
#[cfg(target_os = "linux")]
pub(super) use imp::{STAT_BYTES_MAX, start_in};

#[cfg(target_os = "linux")]
mod imp {
    use super::super::time_namespace;
    use super::super::uninterrupted::{open, openat};
    use super::{Identity, LiveUsage, Process, io};
    use rustix::fs::{Dir, Mode, OFlags};
    use rustix::io::{Errno, retry_on_intr};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

    /// So many fields there are behind the name.
    const FIELDS: usize = 50;

    /// Longer than what the kernel says of a process, which it gives in one piece (`proc_pid_stat(5)`).
    pub const STAT_BYTES_MAX: usize = 4_096;

    pub fn look(pid: i32) -> io::Result<Option<Process>> {
        look_in(rustix::fs::CWD, pid, &format!("/proc/{pid}/stat"))
    }

    fn look_in(folder: BorrowedFd<'_>, pid: i32, path: &str) -> io::Result<Option<Process>> {
        let mut stat = [0; STAT_BYTES_MAX];
        let read = openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| retry_on_intr(|| rustix::io::read(&file, &mut stat)));
        match read {
            Ok(length) => {
                parse_stat(pid, &stat[..length]).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
            // A process that ends between open and read gives ESRCH (`proc(5)`).
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// `proc_pid_stat(5)`: the name is in parentheses and may contain anything, so fields count from the last one.
    pub fn parse_stat(pid: i32, stat: &[u8]) -> Option<Process> {
        let open = stat.iter().position(|byte| *byte == b'(')?;
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        // The first of these is field 3.
        let mut fields = [""; FIELDS];
        for (place, field) in fields.iter_mut().zip(rest.split_ascii_whitespace()) {
            *place = field;
        }
        let field = |number: usize| fields.get(number - 3).filter(|text| !text.is_empty());
        let began_ticks = field(22)?.parse().ok()?;
        let began_ticks =
            time_namespace::boottime_ticks(began_ticks, rustix::param::clock_ticks_per_second());
        Some(Process {
            identity: Identity { pid, start: began_ticks },
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            // A process whose first thread has left shows as a zombie while its other threads run: field 20 counts them.
            terminal: field(7)?.parse().ok()?,
            stopped: matches!(*field(3)?, "T" | "t"),
            usage: LiveUsage {
                cpu_ms: milliseconds(field(14)?) + milliseconds(field(15)?),
                reaped_cpu_ms: milliseconds(field(16)?) + milliseconds(field(17)?),
                resident_kib: field(24)?.parse::<u64>().unwrap_or(0)
                    * (rustix::param::page_size() as u64 / 1_024),
            },
            zombie: matches!(*field(3)?, "Z" | "X" | "x") && matches!(*field(20)?, "0" | "1"),
            wait_status: field(52).and_then(|text| text.parse().ok()),
            name,
        })
    }

    /// The 22nd field of the same text, when the process was started: found without memory of its own.
    pub fn start_in(stat: &[u8]) -> Option<u64> {
        let close = stat.iter().rposition(|byte| *byte == b')')?;
        let field = stat.get(close + 2..)?.split(|byte| *byte == b' ').nth(22 - 3)?;
        field.iter().try_fold(0_u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }

    /// Clock ticks in milliseconds.
    fn milliseconds(ticks: &str) -> u64 {
        ticks.parse::<u64>().unwrap_or(0) * 1_000 / rustix::param::clock_ticks_per_second()
    }

    pub fn age(process: Identity) -> Option<std::time::Duration> {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let started_seconds = process.start / ticks_per_second;
        let now_seconds = u64::try_from(now.tv_sec).ok()?;
        let now_seconds = time_namespace::boottime(std::time::Duration::from_secs(now_seconds)).as_secs();
        Some(std::time::Duration::from_secs(now_seconds.saturating_sub(started_seconds)))
    }

    pub fn all() -> io::Result<Vec<Process>> {
        let mut found = Vec::new();
        let folder = open("/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            match look_in(folder.as_fd(), pid, &format!("{pid}/stat")) {
                Ok(process) => found.extend(process),
                // Other users' processes may be hidden (`hidepid`, `proc(5)`).
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn split_at_nul(bytes: &[u8]) -> Vec<Vec<u8>> {
        bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
    }

    pub fn environment(pid: i32) -> Option<Vec<Vec<u8>>> {
        Some(split_at_nul(&std::fs::read(format!("/proc/{pid}/environ")).ok()?))
    }

    pub fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
        Some(split_at_nul(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?))
    }

    /// `proc_pid_exe(5)`: the link leads to the very file, whatever stands at its path.
    pub fn runs_replaced_program(pid: i32) -> Option<bool> {
        use std::os::unix::fs::MetadataExt;
        let link = format!("/proc/{pid}/exe");
        let path = std::fs::read_link(&link).ok()?;
        let runs = std::fs::metadata(&link).ok()?;
        let is_same = |there: std::fs::Metadata| (there.dev(), there.ino()) == (runs.dev(), runs.ino());
        Some(!std::fs::metadata(path).is_ok_and(is_same))
    }

    pub fn working_folder(pid: i32) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStringExt;
        Some(std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?.into_os_string().into_vec())
    }

    pub fn signal(process: Identity, signal: i32) -> io::Result<bool> {
        match Handle::open(process)? {
            Some(handle) => handle.signal(signal),
            None => Ok(false),
        }
    }

    /// A hold on one process that no reuse of its pid can mislead (`pidfd_open(2)`). Readable once it has ended.
    #[derive(Debug)]
    pub struct Handle(OwnedFd);

    impl Handle {
        /// Takes hold of a process; `None` if it is gone.
        pub fn open(process: Identity) -> io::Result<Option<Self>> {
            let Some(pid) = Pid::from_raw(process.pid) else { return Ok(None) };
            let handle = match pidfd_open(pid, PidfdFlags::empty()) {
                Ok(fd) => Self(fd),
                Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            // Held first, compared second: from here on the pid cannot become another's unnoticed.
            Ok(process.look()?.map(|_| handle))
        }

        /// Sends a signal. `false`: it is gone.
        pub fn signal(&self, signal: i32) -> io::Result<bool> {
            let signal = Signal::from_named_raw(signal)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such signal"))?;
            match pidfd_send_signal(&self.0, signal) {
                Ok(()) => Ok(true),
                Err(Errno::SRCH) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        /// The descriptor: readable once the process has ended.
        pub fn into_fd(self) -> Option<OwnedFd> {
            Some(self.0)
        }

        /// How it ended, as `wait(2)` would give it, after it was reaped by whoever; Linux 6.15 and newer.
        pub fn wait_status(&self) -> Option<i32> {
            exit_info(self.0.as_raw_fd())
        }
    }

    impl AsFd for Handle {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    /// The first version of the kernel's `struct pidfd_info` (`linux/pidfd.h`), 64 bytes.
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup_id: u64,
        ids_and_credentials: [u32; 11],
        exit_code: i32,
    }

    /// `_IOWR(0xFF, 11, struct pidfd_info)`.
    const PIDFD_GET_INFO: u64 = (3 << 30) | (0x40 << 16) | (0xFF << 8) | 0x0B;
    const PIDFD_INFO_EXIT: u64 = 1 << 3;

    #[expect(unsafe_code, reason = "this ioctl is in no safe library")]
    fn exit_info(pidfd: i32) -> Option<i32> {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
        // SAFETY: the descriptor is open, and the kernel writes at most the 64 bytes that the request's number names.
        let result = unsafe { libc::ioctl(pidfd, PIDFD_GET_INFO as libc::Ioctl, &raw mut info) };
        (result == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::{Identity, LiveUsage, Process, io};
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::ffi::OsStrExt;
    use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

    fn refreshed(which: ProcessesToUpdate<'_>) -> System {
        let mut system = System::new();
        let kind = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .with_cmd(UpdateKind::Always)
            .with_environ(UpdateKind::Always);
        system.refresh_processes_specifics(which, true, kind);
        system
    }

    fn convert(process: &sysinfo::Process) -> Option<Process> {
        let number = |pid: sysinfo::Pid| i32::try_from(pid.as_u32()).ok();
        Some(Process {
            identity: Identity { pid: number(process.pid())?, start: process.start_time() },
            parent: process.parent().and_then(number).unwrap_or(0),
            session: process.session_id().and_then(number).unwrap_or(0),
            terminal: 0,
            stopped: process.status() == ProcessStatus::Stop,
            usage: LiveUsage {
                cpu_ms: process.accumulated_cpu_time(),
                reaped_cpu_ms: 0,
                resident_kib: process.memory() / 1_024,
            },
            zombie: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
            wait_status: None,
            name: process.name().to_string_lossy().into_owned(),
        })
    }

    pub fn look(pid: i32) -> io::Result<Option<Process>> {
        let Ok(pid) = u32::try_from(pid) else { return Ok(None) };
        let pid = sysinfo::Pid::from_u32(pid);
        Ok(refreshed(ProcessesToUpdate::Some(&[pid])).process(pid).and_then(convert))
    }

    pub fn age(process: Identity) -> Option<std::time::Duration> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(now.saturating_sub(std::time::Duration::from_secs(process.start)))
    }

    pub fn all() -> io::Result<Vec<Process>> {
        Ok(refreshed(ProcessesToUpdate::All).processes().values().filter_map(convert).collect())
    }

    fn strings(pid: i32, of: impl Fn(&sysinfo::Process) -> &[std::ffi::OsString]) -> Option<Vec<Vec<u8>>> {
        let pid = sysinfo::Pid::from_u32(u32::try_from(pid).ok()?);
        let system = refreshed(ProcessesToUpdate::Some(&[pid]));
        Some(of(system.process(pid)?).iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    pub fn environment(pid: i32) -> Option<Vec<Vec<u8>>> {
        strings(pid, sysinfo::Process::environ)
    }

    pub fn arguments(pid: i32) -> Option<Vec<Vec<u8>>> {
        strings(pid, sysinfo::Process::cmd)
    }

    /// Not known here.
    pub fn runs_replaced_program(_pid: i32) -> Option<bool> {
        None
    }

    /// Not known here.
    pub fn working_folder(_pid: i32) -> Option<Vec<u8>> {
        None
    }

    pub fn signal(process: Identity, signal: i32) -> io::Result<bool> {
        Handle(process).signal(signal)
    }

    /// A process by its identity; without pidfds there is a moment between looking and signalling.
    #[derive(Debug)]
    pub struct Handle(Identity);

    impl Handle {
        /// Takes note of a process; `None` if it is gone.
        pub fn open(process: Identity) -> io::Result<Option<Self>> {
            Ok(process.look()?.map(|_| Self(process)))
        }

        /// Sends a signal. `false`: it is gone.
        pub fn signal(&self, signal: i32) -> io::Result<bool> {
            let (Some(_), Some(pid)) = (self.0.look()?, Pid::from_raw(self.0.pid)) else { return Ok(false) };
            let signal = Signal::from_named_raw(signal)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such signal"))?;
            match kill_process(pid, signal) {
                Ok(()) => Ok(true),
                Err(rustix::io::Errno::SRCH) => Ok(false),
                Err(error) => Err(error.into()),
            }
        }

        /// There is none here.
        pub fn into_fd(self) -> Option<std::os::fd::OwnedFd> {
            None
        }

        /// Not known here.
        pub fn wait_status(&self) -> Option<i32> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_a_zombie_is_dead() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap().unwrap();
        assert!(identity.is_alive());
        assert!(
            !Identity { start: identity.start + 1, ..identity }.is_alive(),
            "another start is another process"
        );
        drop(child.stdin.take());
        while identity.is_alive() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(identity.look().unwrap().is_none());
    }

    #[test]
    fn a_process_that_is_there_is_found_and_one_that_is_gone_is_not_an_error() {
        let own = std::process::id().cast_signed();
        assert_eq!(look(own).unwrap().map(|process| process.identity.pid), Some(own));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().cast_signed();
        child.wait().unwrap();
        assert!(look(pid).unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let fields = (3..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let stat = format!("7 (a) b (c) {}", fields.replacen('3', "S", 1));
        let process = imp::parse_stat(7, stat.as_bytes()).unwrap();
        assert_eq!((process.parent, process.session, process.identity.start), (4, 6, 22));
        assert_eq!(
            (process.name.as_str(), process.wait_status, process.zombie),
            ("a) b (c", Some(52), false)
        );
    }
}
