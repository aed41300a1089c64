//! `bgctl send`

use super::{Held, ago, elsewhere, entry, hold_both_slots, index_of};
use crate::support::{BGCTL, User, ended, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

/// More than a pipe holds.
const TOO_MUCH: usize = 100_000;

/// Whether a path is that of the pipe of a job.
fn is_pipe(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, kind)| kind == "stdin")
}

/// A job that prints what it reads.
#[track_caller]
fn echo(user: &User) -> String {
    user.start(["--stdin", "pipe", "--", "cat"])
}

/// A running job that has a pipe and does not read it.
#[track_caller]
fn deaf(user: &User) -> Held {
    Held::start_with(user, "deaf", "", &["--stdin", "pipe"])
}

#[track_caller]
fn until_logged(user: &User, id: &str, text: &str) {
    let path = user.root().join("runs").join(format!("{id}.log"));
    until(text, || std::fs::read_to_string(&path).is_ok_and(|log| log == text));
}

/// `bgctl send` with something on its standard input, to its end.
#[track_caller]
fn send_input(user: &User, arguments: &[&str], input: &[u8]) -> (i32, String) {
    let mut command = user.bgctl(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_input_of_a_job_stays_open_between_two_that_send_until_one_closes_it() {
    let user = User::new();
    let id = echo(&user);
    assert_eq!(user.ok(["send", &id, "hello"]), format!("6 bytes sent to {id}\n"));
    until_logged(&user, &id, "hello\n");
    user.ok(["send", &id, "--no-newline", "wor"]);
    user.ok(["send", &id, "ld"]);
    until_logged(&user, &id, "hello\nworld\n");
    assert!(user.job(&id)["stdin_closed_at"].is_null());
    assert_eq!(user.ok(["send", &id, "--eof"]), format!("the input of {id} is closed\n"));
    assert_eq!(user.wait(&id), 0, "cat saw the end of its input");
    user.all_gone();
}

#[test]
fn what_is_sent_right_after_the_start_arrives_whole() {
    let user = User::new();
    for _ in 0..5 {
        let id = echo(&user);
        assert_eq!(
            user.ok(["send", &id, "only", "--eof"]),
            format!("5 bytes sent to {id}, and its input is closed\n")
        );
        assert_eq!(user.wait(&id), 0);
        assert_eq!(user.ok(["logs", &id]), "only\n");
    }
}

#[test]
fn an_input_that_is_closed_before_the_command_runs_is_at_its_end_for_it() {
    let user = User::new();
    for _ in 0..5 {
        let id = echo(&user);
        user.ok(["send", &id, "--eof"]);
        assert_eq!(user.wait(&id), 0);
        assert_eq!(user.ok(["logs", &id]), "");
    }
}

#[test]
fn standard_input_is_copied_as_it_is() {
    let user = User::new();
    let id = echo(&user);
    let text: Vec<u8> = (0..TOO_MUCH).map(|n| (n % 251) as u8).collect();
    let (code, err) = send_input(&user, &["send", &id, "-", "--eof"], &text);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(user.wait(&id), 0);
    assert_eq!(std::fs::read(user.root().join("runs").join(format!("{id}.log"))).unwrap(), text);
}

#[test]
fn lines_of_several_that_send_at_once_arrive_whole() {
    let user = User::new();
    let id = echo(&user);
    let lines: BTreeSet<String> =
        (b'a'..=b'p').map(|letter| char::from(letter).to_string().repeat(4_095)).collect();
    let senders: Vec<_> = lines
        .iter()
        .map(|line| user.bgctl(["send", "--quiet", &id, line]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut sender in senders {
        assert_eq!(ended(&mut sender), 0);
    }
    user.ok(["send", &id, "--eof"]);
    assert_eq!(user.wait(&id), 0);
    let log = user.ok(["logs", &id]);
    assert_eq!(log.lines().count(), lines.len());
    assert_eq!(log.lines().map(str::to_owned).collect::<BTreeSet<_>>(), lines);
}

#[test]
fn the_pipe_is_private_and_goes_with_the_attempt() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let user = User::new();
    let held = deaf(&user);
    let path = user.root().join("runs").join(format!("{}.stdin", held.id));
    let data = std::fs::metadata(&path).unwrap();
    assert!(data.file_type().is_fifo());
    assert_eq!(data.permissions().mode() & 0o777, 0o600);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    assert!(!path.exists());
}

#[test]
fn the_job_has_the_reading_end_and_nothing_else_of_the_pipe() {
    let user = User::new();
    let script = "for fd in /proc/$$/fd/*; do echo \"${fd##*/} $(readlink \"$fd\")\"; done > fds.part; mv fds.part fds";
    let held = Held::start_with(&user, "held", script, &["--stdin", "pipe"]);
    let fds = user.line_in("fds");
    let pipes: Vec<&str> = fds.lines().filter(|line| is_pipe(line)).collect();
    assert_eq!(pipes.len(), 1, "{fds}");
    assert!(pipes[0].starts_with("0 "), "{fds}");
    held.let_go(0);
}

#[test]
fn a_closed_input_takes_nothing_more_and_closing_it_again_succeeds() {
    let user = User::new();
    let held = deaf(&user);
    user.ok(["send", &held.id, "--eof"]);
    let since = user.job(&held.id)["stdin_closed_at"].clone();
    assert!(since.is_string());
    assert!(user.ok(["status", &held.id]).contains("a pipe, closed "));
    let ran = user.run(["send", &held.id, "more"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("was closed, so that nothing more can be sent"), "{}", ran.err);
    user.ok(["send", &held.id, "--eof"]);
    assert_eq!(user.job(&held.id)["stdin_closed_at"], since);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
    assert!(user.job(&held.id)["stdin_closed_at"].is_null());
}

#[test]
fn a_job_without_a_pipe_takes_nothing_and_it_is_said_how_one_is_started() {
    let user = User::new();
    let held = Held::start(&user, "held");
    for arguments in [["send", &held.id, "x"].as_slice(), &["send", &held.id, "--eof"]] {
        let ran = user.run(arguments);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains("was started without a pipe"), "{}", ran.err);
        assert!(ran.err.contains("bgctl start --stdin pipe -- COMMAND"), "{}", ran.err);
    }
    held.let_go(0);
}

#[test]
fn a_job_that_is_queued_or_has_ended_takes_nothing() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let id = echo(&user);
    for arguments in [["send", &id, "x"].as_slice(), &["send", &id, "--eof"]] {
        let ran = user.run(arguments);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains("is queued and does not run yet"), "{}", ran.err);
    }
    user.ok(["cancel", &id]);
    for arguments in [["send", &id, "x"].as_slice(), &["send", &id, "--eof"]] {
        let ran = user.run(arguments);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains("has ended (cancelled"), "{}", ran.err);
    }
    for held in &held {
        held.let_go(0);
    }
}

#[test]
fn a_job_of_another_machine_takes_nothing_from_here() {
    let user = User::new();
    let running = json!({ "started_at": ago(60), "claim": elsewhere(), "stdin_pipe": true });
    user.write_index(&index_of(&[entry("aaaaaa", "running", &running)]));
    for arguments in [["send", "aa", "x"], ["send", "aa", "--eof"]] {
        let ran = user.run(arguments);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("runs on there, and takes input only there"), "{}", ran.err);
    }
    assert!(user.job("aa")["stdin_closed_at"].is_null());
}

#[test]
fn a_job_that_closed_its_input_is_a_failure_in_words() {
    let user = User::new();
    let held = Held::start_with(&user, "held", "exec 0<&-; echo > closed", &["--stdin", "pipe"]);
    user.line_in("closed");
    let ran = user.run(["send", &held.id, "x"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("runs, but has closed its input; nothing was sent"), "{}", ran.err);
    held.let_go(0);
}

#[test]
fn a_full_pipe_is_waited_for_with_a_bound_and_it_is_said_how_much_was_sent() {
    let user = User::new();
    let held = deaf(&user);
    let text = "x".repeat(TOO_MUCH);
    let ran = user.run(["send", "--within", "0", &held.id, &text]);
    assert_eq!((ran.code, ran.out.as_str()), (75, ""));
    assert!(
        ran.err.contains(&format!("is full, and it read nothing for 0s; 65536 of {} bytes", TOO_MUCH + 1)),
        "{}",
        ran.err
    );
    user.ok(["pause", &held.id]);
    let (code, err) = send_input(&user, &["send", "--within", "0", &held.id, "-"], b"x");
    assert_eq!(code, 75);
    assert!(err.contains(&format!("it is paused: bgctl resume {}", held.id)), "{err}");
    user.ok(["resume", &held.id]);
    held.let_go(0);
}

/// Waits until there is no room in a job's pipe.
#[track_caller]
fn until_full(user: &User, id: &str) {
    use rustix::fs::{Mode, OFlags};
    let path = user.root().join("runs").join(format!("{id}.stdin"));
    let open = || rustix::fs::open(&path, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
    until("the pipe is full", || {
        open().is_ok_and(|pipe| rustix::io::ioctl_fionread(&pipe).is_ok_and(|count| count >= 65_536))
    });
}

/// The exit code and the words of a `send` that waits until `end` ends its job.
#[track_caller]
fn ended_while_it_waits(user: &User, command: &mut Command, end: impl FnOnce()) -> (i32, String) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    // It waits in poll(2) with the pipe open.
    let has_pipe = || {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        fds.flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|path| is_pipe(&path.to_string_lossy())))
    };
    until("it has opened the pipe", has_pipe);
    end();
    let code = ended(&mut child);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut text).unwrap();
    user.all_gone();
    (code, text)
}

#[test]
fn the_end_of_the_job_ends_the_wait_for_room() {
    let user = User::new();
    let held = deaf(&user);
    let text = "x".repeat(TOO_MUCH);
    let mut command = user.bgctl(["send", "--within", "1h", &held.id, &text]);
    let (code, err) = ended_while_it_waits(&user, &mut command, || {
        until_full(&user, &held.id);
        held.let_go(0);
    });
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("has ended, and reads nothing more; only 65536 bytes were sent"), "{err}");
}

#[test]
fn the_end_of_the_job_ends_the_wait_for_more_to_send() {
    let user = User::new();
    let held = deaf(&user);
    let (read, write) = rustix::pipe::pipe().unwrap();
    let mut command = user.bgctl(["send", &held.id, "-"]);
    command.stdin(read);
    let (code, err) = ended_while_it_waits(&user, &mut command, || held.let_go(0));
    drop(write);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("has ended"), "{err}");
}

#[test]
fn a_file_called_pipe_is_still_read() {
    let user = User::new();
    std::fs::write(user.path("pipe"), "in a file\n").unwrap();
    let id = user.start(["--stdin", "./pipe", "--", "cat"]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", &id]), "in a file\n");
    let ran = user.run(["start", "--dry-run", "--stdin", "pipe", "--", "cat"]);
    assert!(ran.out.contains("reading a pipe, into which bgctl send writes"), "{}", ran.out);
}

#[test]
fn what_is_sent_and_how_the_input_is_left_is_told_to_programs() {
    let user = User::new();
    let held = deaf(&user);
    let sent = user.run(["send", "--json", &held.id, "x"]).json();
    assert_eq!((&sent["id"], &sent["bytes"], &sent["input"]), (&json!(held.id), &json!(2), &json!("open")));
    let sent = user.run(["send", "--json", &held.id, "--eof"]).json();
    assert_eq!((&sent["bytes"], &sent["input"]), (&json!(0), &json!("closed")));
    let refused = user.run(["send", "--json", &held.id, "x"]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (4, &json!("wrong_state")));
    held.let_go(0);
}

#[test]
fn send_wants_to_be_told_what() {
    let user = User::new();
    let ran = user.run(["send", "build"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("bgctl: bgctl send: what?\n"), "{}", ran.err);
    let ran = user.run(["send"]);
    assert!(ran.err.starts_with("bgctl: bgctl send: which job?\n"), "{}", ran.err);
    let ran = user.run(["send", "nope", "x"]);
    assert_eq!(ran.code, 3);
}

/// A job that reads its pipe once it is let go, and whose watcher died before.
fn orphan(user: &User) -> (String, std::path::PathBuf) {
    let gate = user.fifo("gate");
    let script =
        format!("echo > runs; read go < '{}'; while read line; do echo \"got $line\"; done", gate.display());
    let id = user.start(["--stdin", "pipe", "--", "sh", "-c", &script]);
    user.line_in("runs");
    let watcher = user.recorded_pid(&id, "watcher");
    kill(watcher, Signal::KILL);
    until("the watcher is gone", || !is_alive(watcher));
    (id, gate)
}

#[test]
fn a_job_whose_watcher_died_gets_another_that_keeps_its_input_open() {
    let user = User::new();
    let (id, gate) = orphan(&user);
    user.ok(["send", &id, "one"]);
    std::fs::write(gate, "go\n").unwrap();
    until_logged(&user, &id, "got one\n");
    user.ok(["send", &id, "two"]);
    until_logged(&user, &id, "got one\ngot two\n");
    user.ok(["send", &id, "--eof"]);
    user.wait(&id);
    user.all_gone();
}

#[test]
fn the_end_of_the_input_is_told_although_the_watcher_died() {
    let user = User::new();
    let (id, gate) = orphan(&user);
    user.ok(["send", &id, "one", "--eof"]);
    std::fs::write(gate, "go\n").unwrap();
    user.wait(&id);
    assert_eq!(user.ok(["logs", &id]), "got one\n");
    user.all_gone();
}

#[test]
fn a_job_that_waits_for_input_sees_its_end_when_its_watcher_dies() {
    let user = User::new();
    let id = echo(&user);
    user.ok(["send", &id, "one"]);
    until_logged(&user, &id, "one\n");
    let watcher = user.recorded_pid(&id, "watcher");
    let main = user.recorded_pid(&id, "process");
    kill(watcher, Signal::KILL);
    until("cat has left", || !is_alive(main));
    user.wait(&id);
    let ran = user.run(["send", &id, "two"]);
    assert_eq!(ran.code, 4, "{}", ran.err);
}

#[test]
fn a_write_to_nobody_is_said_and_does_not_kill_silently() {
    let user = User::new();
    let held = deaf(&user);
    // As a shell starts programs: a broken pipe would end them.
    let script =
        format!("head -c {TOO_MUCH} /dev/zero | '{BGCTL}' send --within 1h {} -; echo \"exit $?\"", held.id);
    let mut shell = user.command("env");
    shell.args(["--default-signal=PIPE", "sh", "-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = shell.spawn().unwrap();
    until_full(&user, &held.id);
    held.let_go(0);
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(out, "exit 4\n", "{err}");
    assert!(err.contains("only 65536 bytes were sent"), "{err}");
}
