//! Signals that a program waits for as it waits for files.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;

/// Tells a watcher to look at the index.
pub const POKE: i32 = libc::SIGUSR1;

/// The signals a watcher hears, as something to poll. All others, but KILL and STOP, are kept from it.
#[derive(Debug)]
pub struct Inbox(imp::Inbox);

impl Inbox {
    /// From now on, the end of children and [`POKE`] arrive here, and no signal interrupts this process.
    pub fn open() -> io::Result<Self> {
        imp::Inbox::open(&[libc::SIGCHLD, POKE], Others::KeptAway).map(Self)
    }

    /// Takes what has arrived.
    pub fn drain(&self) -> Arrived {
        let arrived = self.0.drain();
        Arrived { child: has(arrived, libc::SIGCHLD), poke: has(arrived, POKE) }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What arrived since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// A child ended, or may have.
    pub child: bool,
    /// Somebody poked.
    pub poke: bool,
}

/// The signals that a supervisor in the foreground hears, as something to poll. All others do what they always do.
#[derive(Debug)]
pub struct Orders(imp::Inbox);

impl Orders {
    /// From now on, TERM, INT, HUP and the end of children arrive here. A process that was started with INT ignored, as
    /// shells do it behind `&`, goes on ignoring it.
    pub fn open() -> io::Result<Self> {
        let mut heard = vec![libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD];
        if !imp::is_ignored(libc::SIGINT) {
            heard.push(libc::SIGINT);
        }
        imp::Inbox::open(&heard, Others::AsTheyWere).map(Self)
    }

    /// Takes what has arrived.
    pub fn drain(&self) -> Ordered {
        let arrived = self.0.drain();
        Ordered {
            stop: has(arrived, libc::SIGTERM) || has(arrived, libc::SIGINT),
            look: has(arrived, libc::SIGHUP),
            child: has(arrived, libc::SIGCHLD),
        }
    }
}

impl AsFd for Orders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What a supervisor was told since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// To leave.
    pub stop: bool,
    /// To look at everything now.
    pub look: bool,
    /// A child ended, or may have.
    pub child: bool,
}

/// What becomes of signals that are not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    /// They do nothing.
    KeptAway,
    /// They do what they did.
    AsTheyWere,
}

fn has(arrived: u64, signal: i32) -> bool {
    arrived & bit(signal) != 0
}

fn bit(signal: i32) -> u64 {
    u32::try_from(signal).ok().and_then(|signal| 1_u64.checked_shl(signal)).unwrap_or(0)
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "signalfd and signal masks are in no safe library")]
mod imp {
    use super::{AsFd, BorrowedFd, Others, bit, io};
    use std::os::fd::{FromRawFd, OwnedFd};

    pub use super::disposition::is_ignored;

    #[derive(Debug)]
    pub struct Inbox(OwnedFd);

    impl Inbox {
        pub fn open(signals: &[i32], others: Others) -> io::Result<Self> {
            // SAFETY: the sets are live and initialised by sigfillset and sigemptyset before they are read; signalfd
            // gives a new descriptor that nobody else owns.
            unsafe {
                let mut heard: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&raw mut heard);
                for signal in signals {
                    libc::sigaddset(&raw mut heard, *signal);
                }
                let mut blocked = heard;
                if others == Others::KeptAway {
                    libc::sigfillset(&raw mut blocked);
                }
                let result = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
                if result != 0 {
                    return Err(io::Error::from_raw_os_error(result));
                }
                let fd = libc::signalfd(-1, &raw const heard, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
                if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(OwnedFd::from_raw_fd(fd))) }
            }
        }

        /// A bit for each signal.
        pub fn drain(&self) -> u64 {
            const SIZE: usize = size_of::<libc::signalfd_siginfo>();
            let mut arrived = 0;
            let mut buffer = [0_u8; SIZE];
            while let Ok(SIZE) = rustix::io::read(&self.0, &mut buffer) {
                // ssi_signo is the first field.
                let number = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
                arrived |= bit(number.cast_signed());
            }
            arrived
        }
    }

    impl AsFd for Inbox {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "signal handlers are in no safe library")]
mod imp {
    use super::{AsFd, BorrowedFd, Others, bit, io};
    use crate::os::pipe::pipe_without_waiting;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

    pub use super::disposition::is_ignored;

    static ARRIVED: AtomicU64 = AtomicU64::new(0);
    static BELL: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn note(signal: libc::c_int) {
        ARRIVED.fetch_or(bit(signal), Ordering::SeqCst);
        // SAFETY: write(2) is async-signal-safe; a full pipe or a closed one is as good as rung.
        unsafe { libc::write(BELL.load(Ordering::SeqCst), [0_u8].as_ptr().cast(), 1) };
    }

    #[derive(Debug)]
    pub struct Inbox {
        read: OwnedFd,
        _write: OwnedFd,
    }

    impl Inbox {
        pub fn open(signals: &[i32], others: Others) -> io::Result<Self> {
            let (read, write) = pipe_without_waiting()?;
            BELL.store(write.as_raw_fd(), Ordering::SeqCst);
            let handler: extern "C" fn(libc::c_int) = note;
            if others == Others::KeptAway {
                for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGPIPE] {
                    // SAFETY: ignoring a signal has no precondition.
                    unsafe { libc::signal(signal, libc::SIG_IGN) };
                }
            }
            for signal in signals {
                // SAFETY: the handler only changes an atomic and writes to a pipe.
                unsafe { libc::signal(*signal, handler as libc::sighandler_t) };
            }
            Ok(Self { read, _write: write })
        }

        /// A bit for each signal.
        pub fn drain(&self) -> u64 {
            let mut buffer = [0_u8; 64];
            while rustix::io::read(&self.read, &mut buffer).is_ok_and(|count| count > 0) {}
            ARRIVED.swap(0, Ordering::SeqCst)
        }
    }

    impl AsFd for Inbox {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.read.as_fd()
        }
    }
}

#[expect(unsafe_code, reason = "signal dispositions are in no safe library")]
mod disposition {
    /// Whether a signal does nothing to this process.
    pub fn is_ignored(signal: i32) -> bool {
        // SAFETY: all-zero is a valid struct, which the kernel fills in; nothing is changed.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction == libc::SIG_IGN
        }
    }
}

/// Runs a command of the terminal to its end, which alone is meant by what a person types to interrupt: SIGINT and SIGQUIT
/// are ignored here meanwhile, as `system(3)` does it.
#[expect(unsafe_code, reason = "signal dispositions are in no safe library")]
pub fn left_to_the_child(command: &mut std::process::Command) -> io::Result<std::process::ExitStatus> {
    const INTERRUPTS: [i32; 2] = [libc::SIGINT, libc::SIGQUIT];
    // SAFETY: ignoring a signal has no precondition, and what was there before is put back.
    let before = INTERRUPTS.map(|signal| unsafe { libc::signal(signal, libc::SIG_IGN) });
    let put_back = move || {
        for (signal, before) in INTERRUPTS.into_iter().zip(before) {
            // SAFETY: as above; signal(2) is async-signal-safe.
            unsafe { libc::signal(signal, before) };
        }
    };
    // What is ignored would be inherited ignored.
    // SAFETY: between fork and exec, only signal(2) is called.
    unsafe {
        command.pre_exec(move || {
            put_back();
            Ok(())
        });
    }
    let status = command.status();
    put_back();
    status
}

/// On SIGINT, writes `message` to standard error and leaves with 130, as a shell reports an interrupted command. Called
/// again, it is the new message that is written.
///
/// For commands that only look on: there is nothing to undo, so the handler itself leaves (`write(2)` and `_exit(2)`
/// are async-signal-safe). A process that was started with SIGINT ignored goes on ignoring it.
#[expect(unsafe_code, reason = "signal handlers are in no safe library")]
pub fn leave_on_interrupt(message: String) {
    use std::sync::atomic::{AtomicPtr, Ordering};

    // Text and length behind one pointer: a signal between two stores would find one of each.
    static MESSAGE: AtomicPtr<String> = AtomicPtr::new(std::ptr::null_mut());

    extern "C" fn leave(_signal: libc::c_int) {
        // SAFETY: the message was leaked before the handler was set, and nobody changes it.
        unsafe {
            let message = &*MESSAGE.load(Ordering::SeqCst);
            libc::write(2, message.as_ptr().cast(), message.len());
            libc::_exit(130);
        }
    }

    MESSAGE.store(Box::leak(Box::new(message)), Ordering::SeqCst);
    let handler: extern "C" fn(libc::c_int) = leave;
    // SAFETY: the handler makes async-signal-safe calls only.
    unsafe {
        if libc::signal(libc::SIGINT, handler as libc::sighandler_t) == libc::SIG_IGN {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
        }
    }
}
