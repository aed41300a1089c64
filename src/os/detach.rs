//! Starting this very program again, detached from everything: its own session, no terminal, hardly any
//! environment, default signals, nothing inherited.

use super::inherited::raise_limits;
use std::ffi::CString;
use std::io;
use std::path::PathBuf;

/// Starts this program with these arguments (after its name) and forgets it. Gives its pid.
///
/// Of the environment only [`KEPT_VARIABLES`] and those of `more` go with it, so that no submitter's secrets live on in a
/// watcher; standard input and output are `/dev/null`. The new process still has to call [`settle`].
pub fn spawn(arguments: &[CString], more: &[&str]) -> io::Result<i32> {
    imp::spawn(&program()?, arguments, &kept_environment(more))
}

/// Like [`spawn`], through a child that ends at once, so that the new process is nobody's child here.
pub fn spawn_as_orphan(arguments: &[CString], more: &[&str]) -> io::Result<()> {
    imp::spawn_as_orphan(&program()?, arguments, &kept_environment(more))
}

/// Starts a command as our child, in a session of its own and with this umask. It is killed should this process be, where
/// the system has that. Gives its pid; whoever starts it lets it go.
pub fn spawn_apart(command: &mut std::process::Command, umask: rustix::fs::RawMode) -> io::Result<i32> {
    imp::spawn_apart(command, umask)
}

/// The variables that a watcher keeps: what every program expects, for jobs of which no environment was captured.
pub const KEPT_VARIABLES: [&str; 8] = ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"];

/// What asking GitHub needs beside them: tokens and where `gh` keeps its own (`gh help environment`), proxies (`curl(1)`),
/// and the certificates that are trusted (`openssl-env(7)`).
pub const NETWORK_VARIABLES: [&str; 14] = [
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "GH_CONFIG_DIR",
    "XDG_CONFIG_HOME",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

fn kept_environment(more: &[&str]) -> Vec<CString> {
    KEPT_VARIABLES
        .iter()
        .chain(more)
        .filter_map(|name| {
            let value = std::env::var_os(name)?;
            CString::new(
                [name.as_bytes(), b"=", std::os::unix::ffi::OsStrExt::as_bytes(value.as_os_str())].concat(),
            )
            .ok()
        })
        .collect()
}

/// What a detached process does first: leave its session and folder, close what was left open.
pub fn settle() {
    // Refused if the spawn made the session already.
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    imp::close_inherited();
    // What bound whoever started this process must not bind it, nor the jobs of others that it goes on with.
    raise_limits();
}

/// The path of this program. On Linux the file that runs, even after an upgrade put another in its place: whoever executes
/// it from a process of this program means that.
pub fn program_path() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

fn program() -> io::Result<CString> {
    let path = program_path()?;
    CString::new(std::os::unix::ffi::OsStringExt::into_vec(path.into_os_string())).map_err(io::Error::other)
}

#[expect(unsafe_code, reason = "posix_spawn and fork are in no safe library")]
mod imp {
    use super::{CString, io};
    use std::mem::MaybeUninit;
    use std::ptr;

    /// The name under which watchers show in `ps`.
    const NAME: &std::ffi::CStr = c"bgctl";
    const NULL_DEVICE: &std::ffi::CStr = c"/dev/null";

    #[cfg(target_os = "linux")]
    const NEW_SESSION: libc::c_int = libc::POSIX_SPAWN_SETSID as libc::c_int;
    #[cfg(not(target_os = "linux"))]
    const NEW_SESSION: libc::c_int = 0;

    /// One call that gives an error number.
    fn checked(result: libc::c_int) -> io::Result<()> {
        if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
    }

    pub fn spawn(program: &CString, arguments: &[CString], environment: &[CString]) -> io::Result<i32> {
        let mut argv: Vec<*mut libc::c_char> = vec![NAME.as_ptr().cast_mut()];
        argv.extend(arguments.iter().map(|argument| argument.as_ptr().cast_mut()));
        argv.push(ptr::null_mut());
        let mut envp: Vec<*mut libc::c_char> =
            environment.iter().map(|entry| entry.as_ptr().cast_mut()).collect();
        envp.push(ptr::null_mut());
        let mut attributes = MaybeUninit::uninit();
        let mut actions = MaybeUninit::uninit();
        let mut pid = 0;
        // SAFETY: attributes and actions are initialised by their init functions before use and destroyed after it;
        // argv and envp are null-terminated arrays of pointers to strings that outlive the call.
        unsafe {
            checked(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            checked(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            let result = prepare(attributes.as_mut_ptr(), actions.as_mut_ptr()).and_then(|()| {
                checked(libc::posix_spawn(
                    &raw mut pid,
                    program.as_ptr(),
                    actions.as_ptr(),
                    attributes.as_ptr(),
                    argv.as_ptr(),
                    envp.as_ptr(),
                ))
            });
            libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
            libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
            result?;
        }
        Ok(pid)
    }

    /// SAFETY: both must be initialised.
    unsafe fn prepare(
        attributes: *mut libc::posix_spawnattr_t,
        actions: *mut libc::posix_spawn_file_actions_t,
    ) -> io::Result<()> {
        // SAFETY: by the caller's promise; the signal sets are initialised before they are read.
        unsafe {
            let mut signals = MaybeUninit::uninit();
            libc::sigfillset(signals.as_mut_ptr());
            checked(libc::posix_spawnattr_setsigdefault(attributes, signals.as_ptr()))?;
            libc::sigemptyset(signals.as_mut_ptr());
            checked(libc::posix_spawnattr_setsigmask(attributes, signals.as_ptr()))?;
            let flags = libc::POSIX_SPAWN_SETSIGDEF as libc::c_int
                | libc::POSIX_SPAWN_SETSIGMASK as libc::c_int
                | NEW_SESSION;
            checked(libc::posix_spawnattr_setflags(attributes, flags as libc::c_short))?;
            for fd in 0..=2 {
                let null = NULL_DEVICE.as_ptr();
                checked(libc::posix_spawn_file_actions_addopen(actions, fd, null, libc::O_RDWR, 0))?;
            }
        }
        Ok(())
    }

    pub fn spawn_as_orphan(
        program: &CString,
        arguments: &[CString],
        environment: &[CString],
    ) -> io::Result<()> {
        // SAFETY: the child only closes and spawns, from memory that was prepared, and leaves without running destructors.
        let child = unsafe { libc::fork() };
        if child < 0 {
            return Err(io::Error::last_os_error());
        }
        if child == 0 {
            // A lock of the one that forked it is not to outlive that one here.
            close_inherited();
            let code = spawn(program, arguments, environment)
                .err()
                .map_or(0, |error| error.raw_os_error().unwrap_or(libc::EIO));
            // SAFETY: leaving has no precondition.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: the pointer is to a live value.
        while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        if libc::WIFEXITED(status) {
            checked(libc::WEXITSTATUS(status))
        } else {
            Err(io::ErrorKind::Other.into())
        }
    }

    pub fn spawn_apart(command: &mut std::process::Command, umask: rustix::fs::RawMode) -> io::Result<i32> {
        use std::os::unix::process::CommandExt;
        // SAFETY: between fork and exec, only system calls are made.
        unsafe {
            command.pre_exec(move || {
                rustix::process::setsid()?;
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
                #[cfg(target_os = "linux")]
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
                Ok(())
            });
        }
        command.spawn().map(|child| child.id().cast_signed())
    }

    #[cfg(target_os = "linux")]
    pub fn close_inherited() {
        // SAFETY: called first of all, before this process opened anything above 2 that it still needs.
        unsafe {
            if libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) != 0 {
                close_each();
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn close_inherited() {
        // SAFETY: as above.
        unsafe { close_each() };
    }

    /// For kernels before 5.9. SAFETY: nothing above 2 may be in use.
    unsafe fn close_each() {
        const HIGHEST: libc::c_int = 65_536;
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let most = most.and_then(|most| libc::c_int::try_from(most).ok()).unwrap_or(HIGHEST).min(HIGHEST);
        for fd in 3..most {
            // SAFETY: by the caller's promise.
            unsafe { libc::close(fd) };
        }
    }
}
