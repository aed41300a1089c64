//! The terminal session of this process: what a person sees as one window.

/// A name of the terminal session that this process belongs to; none where it has no controlling terminal.
///
/// The session's number, when its leader was started, and the boot tell it apart from all others; the leader may be
/// gone (`setsid(2)`, `credentials(7)`).
pub fn terminal() -> Option<String> {
    imp::has_terminal().then(|| {
        let session = rustix::process::getsid(None).map_or(0, |pid| pid.as_raw_nonzero().get());
        let start = super::process::look(session).ok().flatten().map_or(0, |leader| leader.identity.start);
        format!("{session}-{start}")
    })
}

#[cfg(target_os = "linux")]
mod imp {
    use crate::os::uninterrupted::open;
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    /// Whoever has no controlling terminal is told so at once when he opens its name (`tty(4)`); whoever has one, or has not that
    /// name, finds the terminal's number in `proc_pid_stat(5)`, field 7, 0 for none.
    pub fn has_terminal() -> bool {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        if open("/dev/tty", flags, Mode::empty()).is_err_and(|error| error == Errno::NXIO) {
            return false;
        }
        let own = crate::os::process::look(std::process::id().cast_signed());
        own.ok().flatten().is_some_and(|own| own.terminal != 0)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    /// Only a process with a controlling terminal can open this name for it (`tty(4)`).
    pub fn has_terminal() -> bool {
        std::fs::File::open("/dev/tty").is_ok()
    }
}
