//! What a person sees on a real terminal: tmux is one, and can be asked what its screen shows.

use super::{Held, ago, entry, index_of};
use crate::support::{BGCTL, User, until};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

/// A terminal with a shell in it. Each has a tmux of its own, which ends with it.
struct Terminal<'a> {
    user: &'a User,
    socket: std::path::PathBuf,
}

impl<'a> Terminal<'a> {
    /// So many columns and lines. `None`: there is no tmux.
    fn open(user: &'a User, columns: u16, lines: u16) -> Option<Self> {
        if user.command("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            crate::support::skipped("tmux is not installed");
            return None;
        }
        let terminal = Self { user, socket: user.path(format!("tmux{columns}")) };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // A login's settings must not decide what is tested.
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &lines,
            "env",
            "PS1=> ",
            "sh",
        ]);
        terminal.tmux(&["set-option", "-g", "status", "off"]);
        terminal.tmux(&["resize-window", "-x", &columns, "-y", &lines]);
        until("the shell is there", || terminal.shows().contains('>'));
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command: Command = self.user.command("tmux");
        command.env("TERM", "xterm-256color").env("BGCTL", BGCTL).arg("-u").arg("-S").arg(&self.socket);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a line.
    fn types(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// The lines of the screen, without what is empty at its end.
    fn shows(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).trim_end().to_owned()
    }

    /// The same with its colours.
    fn shows_with_colours(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).trim_end().to_owned()
    }

    /// Clears the screen, runs a command, and gives what is there once it has ended.
    #[track_caller]
    fn shows_of(&self, arguments: &str) -> Vec<String> {
        self.types(&format!("clear; \"$BGCTL\" {arguments}; echo =$?="));
        let has_ended = |line: &str| line.starts_with('=') && !line.contains('$');
        until(arguments, || self.shows().lines().any(has_ended));
        self.shows().lines().take_while(|line| !has_ended(line)).map(str::to_owned).collect()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = self.user.command("tmux");
        let _ = command.arg("-S").arg(&self.socket).arg("kill-server").stderr(Stdio::null()).status();
    }
}

/// A user with a job in each of some states, and long names.
fn user_with_jobs() -> User {
    let user = User::new();
    let command = "rsync --archive --delete /home/ann/ storage:/backup/ann/ --exclude cache";
    user.write_index(&index_of(&[
        entry("faaled", "failed", &json!({ "started_at": ago(200), "ended_at": ago(100), "exit_code": 2, "command": command,
            "summary": "exit code 2; 1 process ended after it; raising the limit of open files was refused", "name": "a-name-that-is-rather-long" })),
        entry("cmpltd", "completed", &json!({ "started_at": ago(200), "ended_at": ago(150), "exit_code": 0, "command": "日本語 日本語 日本語 日本語 日本語" })),
        entry("runnng", "running", &json!({ "started_at": ago(400), "command": command })),
    ]));
    user
}

#[test]
fn a_list_has_a_line_a_job_on_screens_of_80_and_of_40_columns() {
    let user = user_with_jobs();
    for (columns, lines) in [(80, 24), (40, 12)] {
        let Some(terminal) = Terminal::open(&user, columns, lines) else { return };
        let shown = terminal.shows_of("list");
        assert_eq!(shown.len(), 4, "{shown:#?}");
        assert!(shown[0].starts_with("ID ") && shown[0].ends_with(" COMMAND"), "{shown:#?}");
        let command = shown[0].find("COMMAND").unwrap();
        for (line, random) in shown[1..].iter().zip(["runnng", "faaled", "cmpltd"]) {
            assert!(line.split_whitespace().next().unwrap().ends_with(random), "{shown:#?}");
            let begins: String = line.chars().skip(command).take(3).collect();
            assert!(["rsy", "日本語"].contains(&begins.as_str()), "{shown:#?}");
        }
        assert!(
            terminal.shows_with_colours().contains("\x1b[31mfailed\x1b["),
            "{}",
            terminal.shows_with_colours()
        );
    }
}

#[test]
fn the_overview_is_on_one_screen() {
    let user = user_with_jobs();
    for (columns, lines) in [(80, 24), (40, 24)] {
        let Some(terminal) = Terminal::open(&user, columns, lines) else { return };
        let shown = terminal.shows_of("");
        for begins in
            ["jobs in ", "1 running, 1 completed, 1 failed", "RUNNING ", "runnng ", "FAILED ", "faaled "]
        {
            assert_eq!(
                shown.iter().filter(|line| line.starts_with(begins)).count(),
                1,
                "{begins:?}: {shown:#?}"
            );
        }
        let row = shown.iter().find(|line| line.starts_with("runnng")).unwrap();
        assert!(row.contains("rsync"), "{shown:#?}");
    }
}

#[test]
fn a_status_breaks_its_sentences_below_each_other() {
    let user = user_with_jobs();
    let Some(terminal) = Terminal::open(&user, 60, 24) else { return };
    let shown = terminal.shows_of("status faaled");
    let summary = shown.iter().position(|line| line.contains("summary  exit code 2;")).expect("a summary");
    let column = shown[summary].find("exit code").unwrap();
    let next = &shown[summary + 1];
    assert_eq!(next.len() - next.trim_start().len(), column, "{shown:#?}");
    assert!(next.ends_with("refused"), "{shown:#?}");
}

#[test]
fn a_wait_shows_one_line_that_turns_and_leaves_nothing_of_it() {
    let user = User::new();
    for (columns, lines) in [(80, 24), (40, 12)] {
        let held = Held::start_with(
            &user,
            &format!("held{columns}"),
            "echo 'no such file: data.csv'",
            &["--name", "a-rather-long-name-of-a-job"],
        );
        let Some(terminal) = Terminal::open(&user, columns, lines) else {
            held.let_go(0);
            return;
        };
        terminal.types(&format!("clear; \"$BGCTL\" wait {}; echo =$?=", held.id));
        let mut seen = std::collections::BTreeSet::new();
        until("the line turns", || {
            let shown = terminal.shows();
            let mark = shown.split_once(" waiting for ").map(|(before, _)| before.to_owned());
            // Before its first, the screen may still show what was typed.
            assert!(mark.is_none() || shown.lines().count() == 1, "{shown}");
            seen.extend(mark.filter(|mark| ["|", "/", "-", "\\"].contains(&mark.as_str())));
            seen.len() > 1
        });
        assert!(terminal.shows().contains(" waiting for a-rather-long-name-of-a"), "{}", terminal.shows());
        held.let_go(3);
        until("it has ended", || terminal.shows().contains("=3="));
        let shown = terminal.shows().lines().collect::<Vec<_>>().join("\n");
        assert!(!shown.contains("waiting for"), "{shown}");
        // A terminal of 40 columns breaks what is longer.
        let joined = shown.replace('\n', "");
        assert!(joined.starts_with(&format!("{} failed: exit code 3", held.id)), "{shown}");
        assert!(shown.contains("\nno such file: data.csv\n=3=\n>"), "{shown}");
    }
}

#[test]
fn a_log_colours_the_screen_and_does_nothing_else_to_it() {
    let user = User::new();
    let id = user
        .start_sh(r"printf 'one\n\033[31mred\033[0m plain\n\033[2J\033[H\033]0;mine\007two\nthree\rfour\n'");
    user.wait(&id);
    let Some(terminal) = Terminal::open(&user, 80, 24) else { return };
    let shown = terminal.shows_of(&format!("logs {id}"));
    assert_eq!(shown[..2], ["one", "red plain"], "{shown:#?}");
    assert!(shown[2].contains("two") && shown[2].contains("u{1b}"), "{shown:#?}");
    assert!(
        terminal.shows_with_colours().contains("\x1b[31mred\x1b[39m plain"),
        "{}",
        terminal.shows_with_colours()
    );
    let title = terminal.tmux(&["display-message", "-p", "#{pane_title}"]);
    assert_ne!(title.trim(), "mine");
}

#[test]
fn who_waits_for_the_lines_of_a_batch_sees_how_many_have_come() {
    let user = User::new();
    let lines = user.fifo("lines");
    let Some(terminal) = Terminal::open(&user, 80, 24) else { return };
    terminal.types("\"$BGCTL\" start --batch lines > ids; echo =$?=");
    let mut lines = std::fs::OpenOptions::new().write(true).open(lines).unwrap();
    lines.write_all(b"true\n").unwrap();
    until("it shows the line", || terminal.shows().contains("1 line read"));
    lines.write_all(b"true\n").unwrap();
    until("it shows the lines", || terminal.shows().contains("2 lines read"));
    drop(lines);
    until("it ends", || terminal.shows().contains("=0="));
    let shown = terminal.shows();
    assert!(shown.contains("\n2 jobs: 2 started\n=0="), "{shown}");
    assert!(!shown.contains("read"), "{shown}");
}
