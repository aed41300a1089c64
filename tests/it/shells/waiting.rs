//! A wait in a terminal: the line that shows what is waited for.

use super::{BASH, is_installed, terminal::Terminal};
use crate::support::{User, until};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use unicode_width::UnicodeWidthStr;

/// What hides the cursor, and what clears a line (`console_codes(4)`).
const HIDE_CURSOR: &str = "\x1b[?25l";
const CLEAR_LINE: &str = "\x1b[2K";

/// A user in a terminal, with a job that runs until it is let go.
fn terminal_with_job() -> Option<(User, Terminal)> {
    if !is_installed("bash") {
        crate::support::skipped("bash is not installed");
        return None;
    }
    let user = User::new();
    start_held(&user, "it");
    let terminal = Terminal::open(&user, BASH);
    Some((user, terminal))
}

/// Starts a job of this name that ends with the code that it reads.
fn start_held(user: &User, name: &str) -> String {
    let gate = user.fifo(&format!("{name}.gate"));
    let script = format!("read code < '{}'; exit $code", gate.display());
    user.start(["--name", name, "--", "sh", "-c", &script])
}

fn let_go(user: &User, name: &str, code: i32) {
    let gate = user.path(format!("{name}.gate"));
    let open = || OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&gate);
    until("the job reads its gate", || open().is_ok_and(|mut gate| writeln!(gate, "{code}").is_ok()));
}

/// Types a command, and waits for what it must show.
#[track_caller]
fn enter_and_see(terminal: &Terminal, command: &str, text: &str) {
    terminal.enter(&format!("{command}; echo \"ended with\" $?"));
    sees(terminal, text);
}

#[track_caller]
fn sees(terminal: &Terminal, text: &str) {
    terminal.until(text, || terminal.shown().contains(text));
}

/// What was shown after the line was shown for the last time.
fn after_the_line(terminal: &Terminal) -> String {
    let shown = terminal.shown();
    let from = shown.rfind("waiting for ").expect("the line");
    shown[from..].to_owned()
}

#[test]
fn a_wait_shows_what_it_waits_for_and_for_how_long_and_clears_it_in_the_end() {
    for command in ["\"$BGCTL\" wait it", "\"$BGCTL\" wait --json it"] {
        let Some((user, terminal)) = terminal_with_job() else { return };
        enter_and_see(&terminal, command, "waiting for it, running ");
        sees(&terminal, "waiting for it, running 1s");
        let_go(&user, "it", 0);
        sees(&terminal, "ended with 0");
        let after = after_the_line(&terminal);
        assert!(after.contains(CLEAR_LINE), "{}", after.escape_debug());
        assert!(!terminal.shown().contains(HIDE_CURSOR));
    }
}

#[test]
fn a_start_that_waits_shows_why_it_is_queued() {
    let Some((user, terminal)) = terminal_with_job() else { return };
    start_held(&user, "second");
    let command = "\"$BGCTL\" start --name third --wait -- true";
    enter_and_see(&terminal, command, "waiting for third, queued ");
    sees(&terminal, "s, next");
    let_go(&user, "second", 0);
    sees(&terminal, "ended with 0");
    assert!(after_the_line(&terminal).contains(CLEAR_LINE));
    let_go(&user, "it", 0);
}

#[test]
fn of_several_the_line_counts_what_is_left_and_makes_room_for_what_is_told() {
    let Some((user, terminal)) = terminal_with_job() else { return };
    let second = start_held(&user, "second");
    enter_and_see(&terminal, "\"$BGCTL\" wait it second", "waiting for 2 of 2 jobs: it, running ");
    let_go(&user, "second", 3);
    sees(&terminal, "waiting for 1 of 2 jobs: it, running ");
    let told = format!("\r{CLEAR_LINE}{second} failed: exit code 3\r\n");
    assert!(terminal.shown().contains(&told), "{}", terminal.shown().escape_debug());
    let_go(&user, "it", 0);
    sees(&terminal, "ended with 3");
}

#[test]
fn an_interrupted_wait_leaves_no_line_and_no_hidden_cursor() {
    let Some((user, terminal)) = terminal_with_job() else { return };
    enter_and_see(&terminal, "\"$BGCTL\" wait it", "waiting for it, running ");
    terminal.interrupt();
    sees(&terminal, " goes on; bgctl wait bg_");
    terminal.until("a prompt", || terminal.is_at_prompt());
    let after = after_the_line(&terminal);
    let id = user.job("it")["id"].as_str().unwrap().to_owned();
    assert!(after.contains(&format!("{CLEAR_LINE}bgctl: {id} goes on")), "{}", after.escape_debug());
    assert!(!terminal.shown().contains(HIDE_CURSOR));
    assert_eq!(user.status("it"), "running");
    let_go(&user, "it", 0);
}

#[test]
fn a_wait_for_a_line_shows_what_it_waits_for_and_clears_it_in_the_end() {
    let Some((user, terminal)) = terminal_with_job() else { return };
    let gate = user.fifo("line.gate");
    let line = format!("read x < '{}'; echo ready; sleep 1000", gate.display());
    user.start(["--name", "line", "--", "sh", "-c", &line]);
    enter_and_see(&terminal, "\"$BGCTL\" wait --ready ready line", "waiting for line, running ");
    sees(&terminal, "waiting for line, running 1s, its log has not shown the line yet");
    std::fs::write(gate, "\n").unwrap();
    sees(&terminal, "ended with 0");
    assert!(after_the_line(&terminal).contains(CLEAR_LINE));
    user.ok(["cancel", "--all", "--yes"]);
    let busy = "\"$BGCTL\" start --name busy --ready never -- sh -c 'while :; do echo busy; done'";
    enter_and_see(&terminal, busy, "waiting for busy, ");
    terminal.interrupt();
    sees(&terminal, "ended with 130");
    let_none_run(&user);
}

/// Ends all jobs of a user, from whatever terminal they were started.
fn let_none_run(user: &User) {
    user.ok(["cancel", "--all", "--yes"]);
}

#[test]
fn no_frame_of_the_line_is_wider_than_the_terminal_whatever_the_name() {
    let Some((user, terminal)) = terminal_with_job() else { return };
    let_none_run(&user);
    start_held(&user, "日本語日本語日本語日本語");
    terminal.resize(30);
    let begun = terminal.shown().len();
    enter_and_see(&terminal, "\"$BGCTL\" wait --quiet nobody; \"$BGCTL\" wait @", "waiting for 日本語");
    // Some more frames.
    terminal.until("it is drawn again", || terminal.shown()[begun..].matches("waiting for").count() > 10);
    let shown = terminal.shown()[begun..].to_owned();
    let frames: Vec<&str> = shown.split("waiting for").skip(1).collect();
    for frame in &frames[..frames.len() - 1] {
        assert!(!frame.contains('\n'), "a frame leaves a line behind: {}", frame.escape_debug());
        let text = frame.split(['\r', '\x1b']).next().unwrap();
        let columns = "| waiting for".len() + text.width();
        assert!(columns <= 30, "{columns} columns: {}", frame.escape_debug());
    }
    terminal.interrupt();
    sees(&terminal, "ended with 130");
    let_none_run(&user);
}

#[test]
fn who_wants_quiet_or_has_a_terminal_that_cannot_clear_a_line_sees_none() {
    for command in ["\"$BGCTL\" wait -q it", "TERM=dumb \"$BGCTL\" wait it", "TERM= \"$BGCTL\" wait it"] {
        let Some((user, terminal)) = terminal_with_job() else { return };
        terminal.enter(&format!("{command}; echo \"ended with\" $?"));
        terminal.until("it waits", || {
            std::fs::read_to_string(format!("/proc/{}/comm", terminal.foreground()))
                .is_ok_and(|name| name == "bgctl\n")
        });
        let_go(&user, "it", 7);
        sees(&terminal, "ended with 7");
        assert!(!terminal.shown().contains("waiting for"), "{}", terminal.shown().escape_debug());
    }
}
