//! What a command shows on a terminal.

use crate::support::{ended, until};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::process::{Command, Stdio};

/// What a command prints on a terminal that is so wide.
#[track_caller]
pub fn on_terminal(command: Command, columns: u16) -> String {
    on_screen(command, columns, 24)
}

/// The same on one that is so high too.
#[track_caller]
pub fn on_screen(mut command: Command, columns: u16, rows: u16) -> String {
    let control = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&control).unwrap();
    unlockpt(&control).unwrap();
    tcsetwinsize(&control, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    rustix::io::ioctl_fionbio(&control, true).unwrap();
    let name = ptsname(&control, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
    let mut child = command.stdout(Stdio::from(end.try_clone().unwrap())).spawn().unwrap();
    let mut shown = Vec::new();
    let mut take = || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = rustix::io::read(&control, &mut buffer) {
            shown.extend_from_slice(&buffer[..count]);
        }
    };
    until("the command ends", || {
        take();
        child.try_wait().unwrap().is_some()
    });
    take();
    assert_eq!(ended(&mut child), 0);
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

/// A text without its escape sequences for colours.
pub fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect::<String>()
}
