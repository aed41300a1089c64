//! Whether standard output was closed when this program began.
//!
//! Before `main`, Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, so that no other
//! file gets its number; what is then printed is lost, and nobody hears of it. Afterwards that cannot be told from a
//! `/dev/null` that somebody handed over on purpose, so it is looked at earlier, by what the system calls first.

/// Whether it was.
pub fn standard_output() -> bool {
    imp::standard_output()
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[expect(unsafe_code, reason = "what runs before main is in no safe library")]
mod imp {
    use std::sync::atomic::{AtomicBool, Ordering};

    static CLOSED: AtomicBool = AtomicBool::new(false);

    extern "C" fn look() {
        // SAFETY: a system call on a number, whatever it stands for; nothing here needs Rust's runtime.
        let there = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } != -1;
        CLOSED.store(!there, Ordering::Relaxed);
    }

    // SAFETY: the section holds pointers to functions of this type, which are called once before `main`.
    #[used]
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
    #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
    static LOOK: extern "C" fn() = look;

    pub fn standard_output() -> bool {
        CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
mod imp {
    pub fn standard_output() -> bool {
        false
    }
}
