//! A shell in a terminal, with a person before it.

use super::Shell;
use crate::support::{BGCTL, User, ended, until};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

/// Ctrl-C.
const INTERRUPT: &[u8] = b"\x03";

/// Ctrl-Z.
const SUSPEND: &[u8] = b"\x1a";

/// A question that newer shells ask their terminal, waiting for the answer: which one are you?
const WHO_ARE_YOU: &[u8] = b"\x1b[c";
const A_PLAIN_ONE: &[u8] = b"\x1b[?62c";

/// An interactive shell whose start-up file loads the function.
pub struct Terminal {
    shell: Child,
    edits_lines: bool,
    control: Option<OwnedFd>,
    shown: RefCell<Vec<u8>>,
}

impl Terminal {
    /// Opens a terminal with this shell, for a user who did what the help of `bgctl init` says.
    pub fn open(user: &User, shell: Shell) -> Self {
        Self::open_with(user, shell, shell.load)
    }

    /// Opens a terminal with this shell and this start-up file.
    pub fn open_with(user: &User, shell: Shell, text: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let control = openpt(flags).unwrap();
        grantpt(&control).unwrap();
        unlockpt(&control).unwrap();
        tcsetwinsize(&control, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        rustix::io::ioctl_fionbio(&control, true).unwrap();
        let name = ptsname(&control, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let end = || Stdio::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap());

        let start_up = user.path("home").join(match shell.name {
            "bash" => ".bashrc",
            "zsh" => ".zshrc",
            "fish" => ".config/fish/config.fish",
            "elvish" => ".config/elvish/rc.elv",
            _ => ".dashrc",
        });
        std::fs::create_dir_all(start_up.parent().unwrap()).unwrap();
        std::fs::write(&start_up, format!("{text}\n")).unwrap();

        // `setsid --ctty` opens a session of its own with this as its terminal, and becomes the shell. Whoever runs the tests in the
        // background has Ctrl-C ignored, and so would this.
        let mut command = user.command("setsid");
        command
            .args(["--ctty", "env", "--default-signal", shell.name, "-i"])
            .env("BGCTL", BGCTL)
            .env("TERM", "xterm")
            .env("ENV", &start_up);
        let process = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let shown = RefCell::default();
        Self { shell: process, edits_lines: shell.name != "dash", control: Some(control), shown }
    }

    /// Types a line, once the shell is ready for it.
    #[track_caller]
    pub fn enter(&self, line: &str) {
        self.until(&format!("a prompt for: {line}"), || self.is_at_prompt());
        self.press(format!("{line}\r").as_bytes());
    }

    /// Makes the terminal so wide.
    pub fn resize(&self, columns: u16) {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.control(), size).unwrap();
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.press(INTERRUPT);
    }

    /// What the terminal was sent so far.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.borrow()).into_owned()
    }

    /// Presses Ctrl-Z.
    pub fn suspend(&self) {
        self.press(SUSPEND);
    }

    /// The process group in the foreground, which is a job's or the shell's own.
    pub fn foreground(&self) -> i32 {
        tcgetpgrp(self.control()).map_or(0, |group| group.as_raw_nonzero().get())
    }

    /// Waits for the foreground to be this program with these arguments; gives its pid.
    #[track_caller]
    pub fn foreground_is(&self, command_line: &str) -> i32 {
        let wanted = command_line.replace(' ', "\0") + "\0";
        self.until(command_line, || {
            std::fs::read(format!("/proc/{}/cmdline", self.foreground()))
                .is_ok_and(|text| text == wanted.as_bytes())
        });
        self.foreground()
    }

    /// Whether the shell waits for a line. Shells that edit lines themselves switch the terminal's own editing off
    /// for as long as they do, and may throw away what was typed before.
    pub fn is_at_prompt(&self) -> bool {
        let editing =
            || tcgetattr(self.control()).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON));
        self.foreground() == self.pid() && (!self.edits_lines || editing())
    }

    /// Waits for something that must come, while the terminal shows what the shell writes.
    #[track_caller]
    pub fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        until(what, || {
            self.show();
            is_so()
        });
    }

    /// Closes the window: the kernel hangs up, and the shell ends.
    pub fn close(mut self) {
        self.control = None;
        ended(&mut self.shell);
    }

    fn control(&self) -> &OwnedFd {
        self.control.as_ref().expect("the terminal is open")
    }

    fn pid(&self) -> i32 {
        self.shell.id().cast_signed()
    }

    /// Takes what the shell has written, and answers its question.
    fn show(&self) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(self.control(), &mut buffer) {
            let mut shown = self.shown.borrow_mut();
            let before = shown.len().saturating_sub(WHO_ARE_YOU.len() - 1);
            shown.extend_from_slice(&buffer[..count]);
            if shown[before..].windows(WHO_ARE_YOU.len()).any(|part| part == WHO_ARE_YOU) {
                self.press(A_PLAIN_ONE);
            }
        }
    }

    /// A few bytes fit into a terminal's buffer at once.
    fn press(&self, keys: &[u8]) {
        assert_eq!(rustix::io::write(self.control(), keys), Ok(keys.len()));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the terminal showed: {}", self.shown.borrow().escape_ascii());
        }
        self.control = None;
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
