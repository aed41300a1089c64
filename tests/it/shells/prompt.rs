//! `bg` at the prompt of a real shell: our subcommands and the shell's own job control, side by side.

use super::{Shell, shells, terminal::Terminal};
use crate::support::{User, kill, until};
use rustix::fs::OFlags;
use rustix::process::Signal;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// For opening a FIFO without waiting for the other side.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();

/// The state letter of a process (`proc_pid_stat(5)`): `T` is stopped, `S` sleeps.
pub fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('?')
}

/// A terminal in which a command was suspended; gives the command's pid.
fn with_a_suspended_sleep(user: &User, shell: Shell) -> (Terminal, i32) {
    let terminal = Terminal::open(user, shell);
    terminal.enter("sleep 1000");
    let sleep = terminal.foreground_is("sleep 1000");
    terminal.suspend();
    terminal.until("the sleep is stopped", || state(sleep) == 'T');
    (terminal, sleep)
}

/// The command goes on, and the shell has the terminal.
fn goes_on_in_the_background(terminal: &Terminal, sleep: i32) {
    terminal.until("the sleep goes on", || state(sleep) == 'S');
    terminal.until("a prompt", || terminal.is_at_prompt());
    assert_eq!(state(sleep), 'S');
    kill(sleep, Signal::KILL);
}

#[test]
fn after_ctrl_z_bg_percent_one_resumes_the_job() {
    for shell in shells() {
        let user = User::new();
        let (terminal, sleep) = with_a_suspended_sleep(&user, shell);
        terminal.enter("bg %1");
        goes_on_in_the_background(&terminal, sleep);
    }
}

#[test]
fn after_ctrl_z_bg_alone_resumes_the_job() {
    for shell in shells() {
        let user = User::new();
        let (terminal, sleep) = with_a_suspended_sleep(&user, shell);
        terminal.enter("bg");
        goes_on_in_the_background(&terminal, sleep);
    }
}

#[test]
fn bg_start_and_the_shells_jobs_live_in_one_session() {
    for shell in shells() {
        let user = User::new();
        let (terminal, sleep) = with_a_suspended_sleep(&user, shell);
        terminal.enter("bg start -- sh -c 'echo started' > id");
        let id = user.line_in("id");
        assert_eq!(user.wait(id.trim_end()), 0, "{}", shell.name);
        assert_eq!(user.ok(["logs", id.trim_end()]), "started\n", "{}", shell.name);
        assert_eq!(state(sleep), 'T', "{}: bg start does not touch the shell's job", shell.name);
        terminal.enter("bg %1");
        goes_on_in_the_background(&terminal, sleep);
    }
}

#[test]
fn bg_of_a_job_that_is_not_there_resumes_none() {
    for shell in shells() {
        let user = User::new();
        let (terminal, sleep) = with_a_suspended_sleep(&user, shell);
        terminal.enter(&format!("bg %7; echo {} > code", shell.code));
        assert_ne!(user.line_in("code"), "0\n", "{}", shell.name);
        assert_eq!(state(sleep), 'T', "{}", shell.name);
        kill(sleep, Signal::KILL);
    }
}

#[test]
fn a_job_outlives_the_terminal_it_was_started_in() {
    for shell in shells() {
        let user = User::new();
        let go_on = user.fifo("go_on");
        let terminal = Terminal::open(&user, shell);
        terminal.enter("bg start -- sh -c 'read word < go_on; echo \"$word\"' > id");
        let id = user.line_in("id");
        let id = id.trim_end();
        terminal.until("a prompt", || terminal.is_at_prompt());
        terminal.close();
        assert_eq!(user.status(id), "running", "{}", shell.name);
        let mut word = None;
        // Opened so, a FIFO that nobody reads is an error instead of a wait for ever.
        until("the job reads", || {
            word = OpenOptions::new().write(true).custom_flags(NONBLOCK).open(&go_on).ok();
            word.is_some()
        });
        word.unwrap().write_all(b"afterwards\n").unwrap();
        assert_eq!(user.wait(id), 0, "{}", shell.name);
        assert_eq!(user.ok(["logs", id]), "afterwards\n", "{}", shell.name);
    }
}
