//! A command with a terminal of its own, which shows all it prints; and what in that a terminal would obey.

use crate::support::{User, terminal::Terminal, until};
use std::process::{Command, Stdio};

/// What a command showed on its terminal, which is all it printed, and how it ended.
pub struct Shown {
    pub code: i32,
    pub text: String,
}

/// Runs a command on a new terminal with these keys typed ahead.
#[track_caller]
pub fn on_terminal(user: &User, command: &Command, keys: &str) -> Shown {
    let mut terminal = Terminal::new(keys);
    let mut apart = user.command("setsid");
    apart.arg("--ctty").arg(command.get_program()).args(command.get_args()).env("TERM", "xterm");
    for (name, value) in command.get_envs() {
        apart.env(name, value.unwrap_or_default());
    }
    let io = || Stdio::from(terminal.end());
    let mut child = apart.stdin(io()).stdout(io()).stderr(io()).spawn().unwrap();
    let mut text = Vec::new();
    until("the command ends", || {
        text.extend(terminal.shown());
        child.try_wait().unwrap().is_some()
    });
    text.extend(terminal.shown());
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Shown { code, text: String::from_utf8_lossy(&text).into_owned() }
}

/// What a terminal would obey in a text, beside the colours, the erasing of a line and the hiding of the cursor that we
/// use ourselves; and whether a line of ours begins with `forged`, which stands behind line ends in what others chose.
pub fn harm(text: &str, forged: &str) -> Option<String> {
    let mut rest = text;
    let mut line = String::new();
    while let Some(first) = rest.chars().next() {
        if let Some(length) = own_sequence(rest) {
            rest = &rest[length..];
            continue;
        }
        rest = &rest[first.len_utf8()..];
        let is_obeyed = first.is_control() && !matches!(first, '\n' | '\t')
            // A terminal makes both of a line end, and the line of a wait is drawn over itself.
            && !(first == '\r' && (rest.starts_with('\n') || own_sequence(rest).is_some()));
        let turns = matches!(first, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_obeyed || turns {
            let around: String = rest.chars().take(40).collect();
            return Some(format!("{first:?} before {around:?} in line {line:?}"));
        }
        if first == '\n' {
            line.clear();
        } else {
            line.push(first);
        }
        if !forged.is_empty() && line == forged {
            return Some(format!("a line that begins with {forged}"));
        }
    }
    None
}

/// The length of a sequence of ours at the beginning.
fn own_sequence(text: &str) -> Option<usize> {
    if let Some(known) =
        ["\x1b[2K", "\x1b[?25l", "\x1b[?25h", "\x1b[1A"].iter().find(|one| text.starts_with(**one))
    {
        return Some(known.len());
    }
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|one: char| !one.is_ascii_digit() && one != ';')?;
    parameters[end..].starts_with('m').then_some(2 + end + 1)
}

#[test]
fn what_a_terminal_would_obey_is_found() {
    for text in [
        "a\x1b]0;t\x07",
        "a\x1b[2Jb",
        "a\u{9b}31m",
        "a\rb",
        "a\u{8}b",
        "\u{202e}abc",
        "x\u{2066}",
        "\u{7f}",
        "name\r\nFORGED",
        "\x1b[31mred\x1b[0m\x1b[3",
    ] {
        assert!(harm(text, "FORGED").is_some(), "{text:?}");
    }
    for text in ["a\r\nb\tc", "\x1b[1;31mred\x1b[0m", r"a\u{1b}[2J\nFORGED", "\r\x1b[2Kwaits"] {
        assert_eq!(harm(text, "FORGED"), None, "{text:?}");
    }
}
