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
        imp::Inbox::open().map(Self)
    }

    /// Takes what has arrived.
    pub fn drain(&self) -> Arrived {
        self.0.drain()
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

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "signalfd and signal masks are in no safe library")]
mod imp {
    use super::{Arrived, AsFd, BorrowedFd, POKE, io};
    use std::os::fd::{FromRawFd, OwnedFd};

    #[derive(Debug)]
    pub struct Inbox(OwnedFd);

    impl Inbox {
        pub fn open() -> io::Result<Self> {
            // SAFETY: the sets are live and initialised by sigfillset and sigemptyset before they are read; signalfd
            // gives a new descriptor that nobody else owns.
            unsafe {
                let mut everything: libc::sigset_t = std::mem::zeroed();
                libc::sigfillset(&raw mut everything);
                let blocked =
                    libc::pthread_sigmask(libc::SIG_BLOCK, &raw const everything, std::ptr::null_mut());
                if blocked != 0 {
                    return Err(io::Error::from_raw_os_error(blocked));
                }
                let mut heard: libc::sigset_t = std::mem::zeroed();
                libc::sigemptyset(&raw mut heard);
                libc::sigaddset(&raw mut heard, libc::SIGCHLD);
                libc::sigaddset(&raw mut heard, POKE);
                let fd = libc::signalfd(-1, &raw const heard, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
                if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(OwnedFd::from_raw_fd(fd))) }
            }
        }

        pub fn drain(&self) -> Arrived {
            const SIZE: usize = size_of::<libc::signalfd_siginfo>();
            let mut arrived = Arrived::default();
            let mut buffer = [0_u8; SIZE];
            while let Ok(SIZE) = rustix::io::read(&self.0, &mut buffer) {
                // ssi_signo is the first field.
                match u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]).cast_signed() {
                    libc::SIGCHLD => arrived.child = true,
                    POKE => arrived.poke = true,
                    _ => {}
                }
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
    use super::{Arrived, AsFd, BorrowedFd, POKE, io};
    use crate::os::pipe::pipe_without_waiting;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

    static CHILD: AtomicBool = AtomicBool::new(false);
    static POKED: AtomicBool = AtomicBool::new(false);
    static BELL: AtomicI32 = AtomicI32::new(-1);

    extern "C" fn note(signal: libc::c_int) {
        let flag = if signal == POKE { &POKED } else { &CHILD };
        flag.store(true, Ordering::SeqCst);
        // SAFETY: write(2) is async-signal-safe; a full pipe or a closed one is as good as rung.
        unsafe { libc::write(BELL.load(Ordering::SeqCst), [0_u8].as_ptr().cast(), 1) };
    }

    #[derive(Debug)]
    pub struct Inbox {
        read: OwnedFd,
        _write: OwnedFd,
    }

    impl Inbox {
        pub fn open() -> io::Result<Self> {
            let (read, write) = pipe_without_waiting()?;
            BELL.store(write.as_raw_fd(), Ordering::SeqCst);
            let handler: extern "C" fn(libc::c_int) = note;
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGPIPE] {
                // SAFETY: ignoring a signal has no precondition.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
            for signal in [libc::SIGCHLD, POKE] {
                // SAFETY: the handler only stores to atomics and writes to a pipe.
                unsafe { libc::signal(signal, handler as libc::sighandler_t) };
            }
            Ok(Self { read, _write: write })
        }

        pub fn drain(&self) -> Arrived {
            let mut buffer = [0_u8; 64];
            while rustix::io::read(&self.read, &mut buffer).is_ok_and(|count| count > 0) {}
            Arrived { child: CHILD.swap(false, Ordering::SeqCst), poke: POKED.swap(false, Ordering::SeqCst) }
        }
    }

    impl AsFd for Inbox {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.read.as_fd()
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
