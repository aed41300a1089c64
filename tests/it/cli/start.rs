//! `bgctl start`

use super::{
    Held, bounded, configure, contents, has_started, hears_interrupts, hold_both_slots, interruptible,
    make_program, shell,
};
use crate::support::{Ran, User, ended, is_alive, kill, until};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Stdio;

#[test]
fn the_id_alone_is_printed_and_the_job_runs() {
    let user = User::new();
    let ran = user.run(["start", "--", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let id = ran.out.trim_end();
    assert!(bgctl::model::id::JobId::parse(id).is_ok(), "{id}");
    assert_eq!(user.wait(id), 0);
    assert_eq!(user.ok(["logs", id]), "out\nerr\n");
}

// The command, byte for byte.

fn words(words: &[&[u8]]) -> Vec<OsString> {
    words.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// Runs a job to its end; gives its output.
#[track_caller]
fn output_of(user: &User, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Vec<u8> {
    let id = user.start(arguments);
    assert_eq!(user.wait(&id), 0, "{}", user.job(&id)["summary"]);
    std::fs::read(user.root().join("runs").join(format!("{id}.log"))).unwrap()
}

#[test]
fn the_arguments_reach_the_job_byte_for_byte() {
    let user = User::new();
    let long = vec![b'x'; 100_000];
    let given: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"a  b",
        b"new\nline\n",
        b"'",
        b"\"",
        b"\\",
        b"$HOME",
        b"`id`",
        b"*",
        b"--",
        b"--json",
        b"-n",
        b"\xff\xfe",
        "größe\u{202e}".as_bytes(),
        b"\x1b[2J",
        b"\t",
        &long,
        b"",
    ];
    let mut arguments = words(&[b"--", b"sh", b"-c", b"printf '%s\\0' \"$@\" > argv", b"sh"]);
    arguments.extend(words(&given));
    output_of(&user, arguments);
    let got = std::fs::read(user.path("argv")).unwrap();
    let mut wanted = given.join(&0);
    wanted.push(0);
    assert!(got == wanted, "{:?}", String::from_utf8_lossy(&got));
}

#[test]
fn a_program_may_have_a_name_that_is_not_text() {
    let user = User::new();
    let program = user.path(OsStr::from_bytes(b"odd \xff\nname"));
    make_program("/bin/true", &program);
    let id = user.start([program]);
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn the_separator_may_be_left_out_and_a_later_one_belongs_to_the_command() {
    let user = User::new();
    assert_eq!(output_of(&user, ["printf", "%s|", "a"]), b"a|");
    assert_eq!(output_of(&user, ["--", "printf", "%s|", "a", "--", "b"]), b"a|--|b|");
    assert_eq!(output_of(&user, ["printf", "%s|", "a", "--", "b"]), b"a|--|b|");
    assert_eq!(output_of(&user, ["--", "printf", "%s|", "--", "--"]), b"--|--|");
}

#[test]
fn flags_after_the_command_belong_to_it() {
    let user = User::new();
    assert_eq!(
        output_of(&user, ["printf", "%s|", "--json", "-q", "--name", "x", "--nope"]),
        b"--json|-q|--name|x|--nope|"
    );
}

#[test]
fn an_unknown_flag_before_the_command_is_refused_and_nothing_is_queued() {
    let user = User::new();
    for arguments in [["start", "--nope", "--", "true"], ["start", "--nope", "true", "x"]] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains("--nope"), "{}", ran.err);
    }
    assert!(!user.root().exists());
}

#[test]
fn a_script_without_an_interpreter_line_runs_as_in_a_shell() {
    let user = User::new();
    let script = user.path("script");
    std::fs::write(user.path("text"), "echo \"$0|$1\"\n").unwrap();
    make_program(user.path("text"), &script);
    let wanted = format!("{}|a  b\n", script.display());
    assert_eq!(output_of(&user, [script.as_os_str(), OsStr::new("a  b")]), wanted.as_bytes());
}

#[test]
fn a_line_for_a_shell_is_run_and_shown_as_it_was_typed() {
    let user = User::new();
    let id = user.start(["--shell", "echo a b | tr 'a-z ' 'A-Z_'"]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", &id]), "A_B\n");
    assert_eq!(user.job(&id)["command"], "echo a b | tr 'a-z ' 'A-Z_'");
    let both = user.run(["start", "--shell", "true", "--", "false"]);
    assert_eq!(both.code, 2, "{}", both.err);
}

// What the job gets from whoever submitted it.

/// A script that prints its surroundings, and one that submits it from odd ones. What follows `$*` are flags.
const SURROUNDINGS: &str =
    "umask; ulimit -Sn; ulimit -Hn; ulimit -Sc; nice; pwd; touch made; stat -c %a made";
const SUBMIT: &str = "mkdir -p deep && cd deep && umask 027 && ulimit -c 0 && ulimit -n 123 && \
    exec nice -n 3 \"$BGCTL\" start -- sh -c \"$0\"";

#[track_caller]
fn submit_from_odd_surroundings(user: &User) -> String {
    let mut command = user.command("sh");
    command.args(["-c", SUBMIT, SURROUNDINGS]).env("BGCTL", crate::support::BGCTL);
    let ran = bounded(command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out.trim_end().to_owned()
}

#[track_caller]
fn assert_odd_surroundings(user: &User, id: &str) {
    assert_eq!(user.wait(id), 0);
    let nice = rustix::process::getpriority_process(None).unwrap() + 3;
    let deep = std::fs::canonicalize(user.path("deep")).unwrap();
    let wanted = format!("0027\n123\n123\n0\n{nice}\n{}\n640\n", deep.display());
    assert_eq!(user.ok(["logs", id]), wanted);
    assert_eq!(user.job(id)["summary"], Value::Null, "nothing was noted as not possible");
}

#[test]
fn umask_limits_nice_value_and_directory_are_the_submitters() {
    let user = User::new();
    let id = submit_from_odd_surroundings(&user);
    assert_odd_surroundings(&user, &id);
}

#[test]
fn umask_limits_nice_value_and_directory_are_the_submitters_whoever_launches_the_job() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let id = submit_from_odd_surroundings(&user);
    assert_eq!(user.status(&id), "queued");
    for one in &held {
        one.let_go(0);
    }
    assert_odd_surroundings(&user, &id);
}

#[test]
fn a_watcher_is_not_bound_by_its_submitters_limit_and_the_next_job_has_its_own_submitters() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\n");
    user.fifo("gate");
    let first =
        shell(&user, "ulimit -S -n 32; exec \"$BGCTL\" start -- sh -c 'ulimit -Sn; read line < gate'");
    let first = first.out.trim_end();
    until("the first job runs", || has_started(&user, first));
    let watcher = user.recorded_pid(first, "watcher");
    let limits = std::fs::read_to_string(format!("/proc/{watcher}/limits")).unwrap();
    let files: Vec<&str> = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap()
        .split_ascii_whitespace()
        .collect();
    assert_eq!(files[0], files[1], "soft and hard");
    let next = shell(&user, "ulimit -S -n 123; exec \"$BGCTL\" start -- sh -c 'ulimit -Sn'");
    let next = next.out.trim_end();
    assert_eq!(user.status(next), "queued");
    std::fs::write(user.path("gate"), "go\n").unwrap();
    assert_eq!((user.wait(first), user.wait(next)), (0, 0));
    assert_eq!((user.ok(["logs", first]), user.ok(["logs", next])), ("32\n".into(), "123\n".into()));
    assert_eq!(user.recorded_pid(next, "watcher"), watcher, "the same watcher went on with it");
    assert_eq!(user.job(next)["summary"], Value::Null, "nothing was noted as not possible");
}

#[test]
fn the_working_directory_can_be_given() {
    let user = User::new();
    std::fs::create_dir_all(user.path("a/b c")).unwrap();
    let wanted = format!("{}\n", std::fs::canonicalize(user.path("a/b c")).unwrap().display());
    assert_eq!(output_of(&user, ["--cwd", "a/b c", "--", "pwd", "-P"]), wanted.as_bytes());
    let absolute = user.path("a/b c");
    let arguments: [&OsStr; 5] =
        ["--cwd".as_ref(), absolute.as_ref(), "--".as_ref(), "pwd".as_ref(), "-P".as_ref()];
    assert_eq!(output_of(&user, arguments), wanted.as_bytes());
}

#[test]
fn a_relative_program_counts_from_the_jobs_directory() {
    let user = User::new();
    std::fs::create_dir(user.path("a")).unwrap();
    make_program("/bin/echo", user.path("a/say"));
    assert_eq!(output_of(&user, ["--cwd", "a", "--", "./say", "it"]), b"it\n");
    assert_eq!(user.run(["start", "--", "./say", "it"]).code, 127);
}

#[test]
fn a_job_reads_nothing_unless_it_is_given_something() {
    let user = User::new();
    // The submitter's own input stays open and silent: a job that had it would wait for ever.
    let mut child = user
        .bgctl(["start", "--wait", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let input = child.stdin.take();
    assert_eq!(ended(&mut child), 0);
    drop(input);
}

#[test]
fn a_job_reads_the_file_it_is_given() {
    let user = User::new();
    std::fs::write(user.path("in put"), b"\xff\0text").unwrap();
    assert_eq!(output_of(&user, ["--stdin", "in put", "--", "cat"]), b"\xff\0text");
}

#[test]
fn a_job_reads_what_its_submitter_was_given_on_standard_input() {
    let user = User::new();
    let text: Vec<u8> = (0_u32..300_000).flat_map(u32::to_le_bytes).collect();
    let mut child = user
        .bgctl(["start", "--stdin", "-", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0);
    let id = ran.out.trim_end();
    assert_eq!(user.wait(id), 0);
    assert!(std::fs::read(user.root().join("runs").join(format!("{id}.log"))).unwrap() == text);
}

#[test]
fn an_input_file_that_is_not_there_is_refused_and_nothing_is_queued() {
    let user = User::new();
    let ran = user.run(["start", "--stdin", "nowhere", "--", "cat"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("nowhere"), "{}", ran.err);
    assert_nothing_queued(&user);
}

#[test]
fn a_pipe_as_input_file_is_refused_with_the_mend_and_nothing_is_queued() {
    let user = User::new();
    user.fifo("fifo");
    let ran = bounded(user.bgctl(["start", "--stdin", "./fifo", "--", "cat"]));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("--stdin -"), "{}", ran.err);
    assert_nothing_queued(&user);
}

#[test]
fn a_job_reads_the_null_device_where_that_is_its_input() {
    let user = User::new();
    assert_eq!(output_of(&user, ["--stdin", "/dev/null", "--", "cat"]), b"");
}

#[test]
fn an_input_that_was_kept_for_a_job_that_is_refused_goes_with_it() {
    let user = User::new();
    user.write_index("{");
    let mut start = user.bgctl(["start", "--stdin", "-", "--", "cat"]);
    let (read, mut write) = std::io::pipe().unwrap();
    write.write_all(b"given").unwrap();
    drop(write);
    start.stdin(read);
    let ran = bounded(start);
    assert_ne!(ran.code, 0);
    let kept: Vec<_> = contents(&user.root().join("runs")).into_keys().collect();
    assert_eq!(kept, [] as [PathBuf; 0], "{}", ran.err);
}

#[test]
fn a_submitters_descriptors_stay_with_the_submitter() {
    let user = User::new();
    let fifo = user.fifo("leak");
    let mut reader =
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
    let ran = shell(
        &user,
        "exec 9>leak; id=$(\"$BGCTL\" start -- sh -c 'ls /proc/self/fd; sleep 1000'); echo \"$id\"",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = ran.out.trim_end();
    until("the job runs", || has_started(&user, id));
    // Only when nobody at all has it open for writing, a FIFO is at its end.
    until("nobody holds descriptor 9", || matches!(reader.read(&mut [0]), Ok(0)));
    assert_eq!(user.status(id), "running");
    until("the job said what it has", || user.ok(["logs", id]).lines().count() >= 4);
    // The fourth is the folder that `ls` itself opened.
    assert_eq!(user.ok(["logs", id]), "0\n1\n2\n3\n");
}

#[test]
fn signals_that_the_submitter_ignores_reach_the_job() {
    let user = User::new();
    let ran = shell(
        &user,
        "trap '' INT TERM HUP PIPE; exec \"$BGCTL\" start --wait -- sh -c 'kill -TERM $$; echo survived'",
    );
    assert_eq!(ran.code, 128 + 15, "{}", ran.err);
}

// Names, labels, limits.

#[test]
fn a_name_and_labels_are_kept_and_found() {
    let user = User::new();
    let id = user.start(["--name", "build it", "--label", "nightly", "--label", "größe", "--", "true"]);
    user.wait(&id);
    let job = user.job("build it");
    assert_eq!((&job["id"], &job["labels"]), (&json!(id), &json!(["nightly", "größe"])));
}

#[test]
fn names_and_labels_have_bounds() {
    let user = User::new();
    let long = "x".repeat(201);
    for arguments in [["--name", ""], ["--name", &long], ["--label", ""], ["--label", &long]] {
        let ran = user.run(["start"].into_iter().chain(arguments).chain(["--", "true"]));
        assert_eq!(ran.code, 2, "{}", ran.err);
    }
    let many = (0..65).flat_map(|_| ["--label", "x"]);
    assert_eq!(user.run(["start"].into_iter().chain(many).chain(["--", "true"])).code, 2);
    assert_nothing_queued(&user);
}

#[track_caller]
fn limits_of(user: &User, flags: &[&str]) -> Value {
    let ran = user.run(["start", "--dry-run", "--json"].iter().chain(flags).chain(&["--", "true"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let job = ran.json()["job"].clone();
    json!([job["timeout_seconds"], job["stale_after_seconds"], job["grace_seconds"]])
}

#[test]
fn limits_come_from_flags_before_settings_before_built_in_values() {
    let user = User::new();
    assert_eq!(limits_of(&user, &[]), json!([1800, 3600, 10]));
    let flags = ["--timeout", "1h30m", "--stale-after", "2d", "--grace", "3"];
    assert_eq!(limits_of(&user, &flags), json!([5400, 172_800, 3]));
    configure(&user, "[worker]\ntimeout = \"2h\"\nstale_after = \"none\"\ngrace = 4\n");
    assert_eq!(limits_of(&user, &[]), json!([7200, null, 4]));
    assert_eq!(limits_of(&user, &flags), json!([5400, 172_800, 3]));
    assert_eq!(limits_of(&user, &["--timeout", "none"]), json!([null, null, 4]));
}

#[test]
fn a_limit_that_is_switched_off_is_switched_off_in_the_index_too() {
    let user = User::new();
    let id = user.start(["--timeout", "none", "--stale-after", "none", "--grace", "none", "--", "true"]);
    user.wait(&id);
    let job = user.index()["jobs"][0].clone();
    let limits =
        ["timeout_seconds", "stale_after_seconds", "grace_seconds"].map(|name| job.get(name).cloned());
    assert_eq!(limits, [const { Some(Value::Null) }; 3], "there, and null");
    let text = user.ok(["status", &id]);
    for limit in ["timeout      none ", "stale after  none ", "grace        none "] {
        assert!(text.contains(limit), "{text}");
    }
}

#[test]
fn the_limit_of_a_log_comes_from_its_flag_before_the_settings() {
    let user = User::new();
    let shown = |flags: &[&str]| user.ok(["start", "--dry-run"].iter().chain(flags).chain(&["true"]));
    assert!(shown(&[]).contains("log at most 64 MiB"));
    configure(&user, "[log]\nmax_bytes = \"1MiB\"\n");
    assert!(shown(&[]).contains("log at most 1 MiB"));
    assert!(shown(&["--log-max", "2MiB"]).contains("log at most 2 MiB"));
    assert!(shown(&["--log-max", "none"]).contains("log at most none"));
    for (text, why) in [("much", "expected a size"), ("1KiB", "at least 64 KiB"), ("-1", "expected a size")] {
        let ran = user.run(["start", "--log-max", text, "--", "true"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
}

// Services.

#[test]
fn a_service_needs_no_slot_and_holds_none() {
    let user = User::new();
    let _held = hold_both_slots(&user);
    let service = user.run(["start", "--service", "--", "sleep", "1000"]);
    assert_eq!((service.code, service.err.as_str()), (0, ""), "it does not wait");
    let id = service.out.trim_end();
    until("the service runs", || has_started(&user, id));
    user.ok(["cancel", id]);

    let user = User::new();
    user.start(["--service", "--", "sleep", "1000"]);
    user.start(["--service", "--", "sleep", "1000"]);
    let ran = user.run(["start", "--wait", "--", "true"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "both slots are free");
}

#[test]
fn a_service_has_no_time_limit_unless_it_is_given_one() {
    let user = User::new();
    configure(&user, "[worker]\ntimeout = \"2h\"\n");
    assert_eq!(limits_of(&user, &["--service"])[0], Value::Null);
    assert_eq!(limits_of(&user, &["--service", "--timeout", "5m"])[0], 300);
    let shown = user.ok(["start", "--dry-run", "--service", "--", "true"]);
    assert!(shown.contains("timeout none") && shown.contains("a service: outside the slots"), "{shown}");
}

#[test]
fn a_timeout_ends_the_job_and_names_who_set_it() {
    let user = User::new();
    let id = user.start(["--timeout", "1", "--", "sleep", "1000"]);
    assert_eq!(user.wait(&id), 124);
    let job = user.job(&id);
    assert_eq!((&job["status"], &job["signal"]), (&json!("failed"), &json!(15)));
    assert_eq!(job["summary"], "timed out after 1s; killed by SIGTERM");
}

#[test]
fn what_outlives_the_command_is_ended_and_counted() {
    let user = User::new();
    let id = user.start_sh("sleep 1000 & echo $! > pid");
    assert_eq!(user.wait(&id), 0);
    assert!(!is_alive(user.line_in("pid").trim().parse().unwrap()));
    assert_eq!(user.job(&id)["summary"], "1 process ended after it");
}

#[test]
fn leftovers_can_be_left_and_status_lists_them() {
    let user = User::new();
    // Its end waits until the leftover is what it will be, since the status names it as it was then.
    let script = "sleep 1000 & echo $! > pid; until grep -q sleep /proc/$!/comm; do :; done";
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", script]);
    assert_eq!(user.wait(&id), 0);
    let pid: i32 = user.line_in("pid").trim().parse().unwrap();
    assert!(is_alive(pid));
    let text = user.ok(["status", &id]);
    assert!(text.contains("1 process was left running"), "{text}");
    assert!(text.contains(&format!("process {pid} (sleep): left running, still running")), "{text}");
    let ran = user.run(["prune", "--all"]);
    assert!(ran.err.contains("stays: processes that it left running live"), "{}", ran.err);
    assert_eq!(user.status(&id), "completed");
    kill(pid, rustix::process::Signal::KILL);
    until("it is gone", || !is_alive(pid));
    let text = user.ok(["status", &id]);
    assert!(text.contains(&format!("process {pid} (sleep): left running, gone since")), "{text}");
}

// Staying with the job.

#[test]
fn start_wait_prints_the_id_and_gives_the_jobs_code() {
    let user = User::new();
    let ran = user.run(["start", "--wait", "--", "sh", "-c", "echo said; exit 7"]);
    assert_eq!(ran.code, 7);
    assert!(ran.out.starts_with("bg_") && ran.out.lines().count() == 1, "{}", ran.out);
    assert!(ran.err.contains("exit code 7") && ran.err.contains("said"), "{}", ran.err);
}

#[test]
fn start_wait_that_is_interrupted_leaves_the_job_running_and_says_so() {
    let user = User::new();
    for (flag, name) in [("--wait", "first"), ("--follow", "second")] {
        let arguments = ["start", flag, "--name", name, "--", "sh", "-c", "echo said; exec sleep 1000"];
        let mut child =
            interruptible(&user, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // What comes first on standard output comes when it begins to wait, or after.
        let mut first = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
        until("it waits", || hears_interrupts(child.id()));
        kill(child.id().cast_signed(), rustix::process::Signal::INT);
        let ran = Ran::of(&child.wait_with_output().unwrap());
        let id = user.job(name)["id"].as_str().unwrap().to_owned();
        assert_eq!(ran.code, 130);
        assert!(ran.err.contains(&format!("{id} goes on; bgctl wait {id} waits again")), "{}", ran.err);
        assert_eq!(user.status(&id), "running");
    }
}

#[test]
fn start_follow_prints_the_output_and_gives_the_jobs_code() {
    let user = User::new();
    let ran = user.run(["start", "--follow", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "out\nerr\n"));
    assert!(ran.err.starts_with("bg_"), "the id is told beside the output: {}", ran.err);
    assert!(ran.err.contains("exit code 3"), "{}", ran.err);
}

#[test]
fn start_follow_whose_reader_goes_away_leaves_the_job_running() {
    let user = User::new();
    let script = "{ \"$BGCTL\" start --follow --name it -- sh -c 'while :; do echo line; sleep 0.01; done'; echo $? > code; } | head -n 1";
    let ran = shell(&user, script);
    assert_eq!((ran.out.as_str(), user.line_in("code").as_str()), ("line\n", "0\n"), "{}", ran.err);
    assert!(!ran.err.contains("Broken pipe"), "{}", ran.err);
    assert_eq!(user.status("it"), "running");
}

#[test]
fn our_own_failure_after_the_start_is_122() {
    let user = User::new();
    let ran = shell(&user, "\"$BGCTL\" start --follow --name it -- sh -c 'echo said; exit 3' > /dev/full");
    assert_eq!(ran.code, 122, "{}", ran.err);
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
    assert_eq!(user.wait("it"), 3, "the job is not touched by it");
}

#[test]
fn start_wait_whose_index_is_damaged_meanwhile_is_122() {
    let user = User::new();
    user.fifo("gate");
    let mut start = user
        .bgctl(["start", "--wait", "--name", "it", "--", "sh", "-c", "read line < gate; exit 3"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it runs", || {
        user.root().join("jobs.json").exists() && user.index()["jobs"][0]["status"] == "running"
    });
    let id = user.index()["jobs"][0]["id"].as_str().unwrap().to_owned();
    until("its command runs", || has_started(&user, &id));
    let index = std::fs::read(user.root().join("jobs.json")).unwrap();
    std::fs::write(user.root().join("jobs.tmp"), "{").unwrap();
    std::fs::rename(user.root().join("jobs.tmp"), user.root().join("jobs.json")).unwrap();
    assert_eq!(ended(&mut start), 122);
    std::fs::write(user.root().join("jobs.json"), index).unwrap();
    std::fs::write(user.path("gate"), "go\n").unwrap();
    assert_eq!(user.wait("it"), 3, "the job is not touched by it");
}

#[test]
fn a_start_whose_output_is_closed_starts_nothing_and_one_into_the_null_device_does() {
    let user = User::new();
    for flags in ["", "--wait", "--follow", "--json"] {
        let ran = shell(&user, &format!("\"$BGCTL\" start {flags} -- touch made >&-"));
        assert_eq!(ran.code, 1, "{flags}: {}", ran.err);
        assert!(ran.err.contains("standard output is closed"), "{}", ran.err);
    }
    assert_nothing_queued(&user);
    assert!(!user.path("made").exists());
    for null in [">/dev/null", "1<>/dev/null", "1</dev/null 1<>/dev/null", ">/dev/null 2>&- <&-"] {
        let ran = shell(&user, &format!("\"$BGCTL\" start --wait -- touch made {null}"));
        assert_eq!(ran.code, 0, "{null}: {}", ran.err);
        std::fs::remove_file(user.path("made")).unwrap();
    }
}

// A dry run.

#[test]
fn a_dry_run_tells_what_would_start_and_changes_nothing() {
    let user = User::new();
    let ran = user.run(["start", "--dry-run", "--timeout", "5m", "--", "echo", "a  b"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("would start: echo 'a  b'\n"), "{}", ran.out);
    assert!(ran.out.contains("timeout 5m"), "{}", ran.out);
    assert!(!user.root().exists());
    let id = user.start(["true"]);
    user.wait(&id);
    user.all_gone();
    let before = contents(&user.root());
    user.ok(["start", "--dry-run", "--env", "NEW=1", "--", "true"]);
    assert!(contents(&user.root()) == before);
    assert_eq!(user.run(["start", "--dry-run", "--", "no-such-program"]).code, 127, "all is checked");
}

#[test]
fn a_dry_run_shows_all_that_was_asked() {
    let user = User::new();
    std::fs::write(user.path("in"), "").unwrap();
    let flags =
        ["--name", "n", "--label", "a", "--label", "b", "--stdin", "in", "--leftovers", "leave", "--service"];
    let shown = user.ok(["start", "--dry-run", "--env", "X=1"].iter().chain(&flags).chain(&["--", "true"]));
    for line in [
        "  named n",
        "  labelled a, b",
        &format!("  reading {}", user.path("in").display()),
        "  processes that outlive it are left running",
        "  a service: outside the slots, until it is cancelled",
        "  with X set",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
    }
    let shown = user.ok(["start", "--dry-run", "--stdin", "-", "--", "true"]);
    assert!(shown.contains("  reading what it is given on standard input"), "{shown}");
    assert!(!user.root().exists());
}

// What cannot run is refused, and nothing is queued.

#[test]
fn an_empty_line_for_a_shell_is_no_command() {
    let user = User::new();
    for line in ["", " \t"] {
        let ran = user.run(["start", "--shell", line]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.starts_with("bgctl: there is no command to run\n"), "{}", ran.err);
    }
    assert!(!user.root().join("jobs.json").exists());
}

#[track_caller]
fn assert_nothing_queued(user: &User) {
    assert!(!user.root().join("jobs.json").exists());
    assert_eq!(user.processes(), Vec::<i32>::new());
}

#[test]
fn a_command_that_is_not_found_exits_with_127() {
    let user = User::new();
    for program in ["no-such-program", "./no-such-program", "/no/such/program", "/etc/passwd/x"] {
        let ran = user.run(["start", "--", program]);
        assert_eq!((ran.code, ran.out.as_str()), (127, ""));
        assert_eq!(ran.err.lines().next().unwrap(), format!("bgctl: {program}: command not found"));
    }
    assert_nothing_queued(&user);
}

#[test]
fn one_word_with_spaces_that_is_not_found_suggests_a_shell() {
    let user = User::new();
    let ran = user.run(["start", "--", "ls | wc -l"]);
    assert_eq!(ran.code, 127);
    assert!(ran.err.contains("--shell"), "{}", ran.err);
}

#[test]
fn a_file_that_is_not_executable_exits_with_126_and_the_mend() {
    let user = User::new();
    std::fs::write(user.path("script"), "echo\n").unwrap();
    let ran = user.run(["start", "--", "./script"]);
    assert_eq!((ran.code, ran.out.as_str()), (126, ""));
    assert!(ran.err.contains("chmod +x ./script"), "{}", ran.err);
    assert_nothing_queued(&user);
}

#[test]
fn a_directory_exits_with_126() {
    let user = User::new();
    let ran = user.run(["start", "--", "./home"]);
    assert_eq!((ran.code, ran.out.as_str()), (126, ""));
    assert!(ran.err.contains("is a directory"), "{}", ran.err);
    assert_nothing_queued(&user);
}

#[test]
fn a_working_directory_that_is_not_there_exits_with_1() {
    let user = User::new();
    std::fs::write(user.path("file"), "").unwrap();
    for folder in ["nowhere", "file"] {
        let ran = user.run(["start", "--cwd", folder, "--", "true"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.contains(folder), "{}", ran.err);
    }
    let gone = shell(&user, "mkdir gone && cd gone && rmdir ../gone && \"$BGCTL\" start -- true");
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("--cwd"), "{}", gone.err);
    assert_nothing_queued(&user);
}

/// What becomes of a job whose surroundings change while it is queued.
#[track_caller]
fn end_of_a_queued_job(prepare: impl Fn(&User) -> Vec<OsString>, spoil: impl Fn(&User)) -> (i32, Value) {
    let user = User::new();
    let arguments = prepare(&user);
    let held = hold_both_slots(&user);
    let id = user.start(arguments);
    assert_eq!(user.status(&id), "queued");
    spoil(&user);
    held[0].let_go(0);
    (user.wait(&id), user.job(&id))
}

#[test]
fn a_program_that_is_gone_when_its_turn_comes_fails_with_that_reason() {
    let prepare = |user: &User| {
        make_program("/bin/true", user.path("program"));
        words(&[b"--", b"./program"])
    };
    let (code, job) =
        end_of_a_queued_job(prepare, |user| std::fs::remove_file(user.path("program")).unwrap());
    assert_eq!((code, &job["status"]), (127, &json!("failed")));
    assert_eq!(job["summary"], "could not start: ./program: command not found");
    assert_eq!(job["exit_code"], Value::Null, "no exit code is made up");
}

#[test]
fn a_program_that_may_no_longer_be_executed_fails_with_that_reason() {
    let prepare = |user: &User| {
        make_program("/bin/true", user.path("program"));
        words(&[b"--", b"./program"])
    };
    let spoil = |user: &User| {
        std::fs::set_permissions(user.path("program"), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (code, job) = end_of_a_queued_job(prepare, spoil);
    assert_eq!(code, 126);
    assert_eq!(job["summary"], "could not start: ./program: Permission denied");
}

#[test]
fn a_directory_that_is_gone_when_its_turn_comes_fails_with_that_reason() {
    let prepare = |user: &User| {
        std::fs::create_dir(user.path("deep")).unwrap();
        words(&[b"--cwd", b"deep", b"--", b"true"])
    };
    let (code, job) = end_of_a_queued_job(prepare, |user| std::fs::remove_dir(user.path("deep")).unwrap());
    assert_eq!((code, &job["status"]), (1, &json!("failed")));
    let summary = job["summary"].as_str().unwrap();
    assert!(summary.starts_with("could not start: its working directory"), "{summary}");
    assert!(summary.ends_with("deep: No such file or directory"), "{summary}");
}

#[test]
fn an_input_that_is_gone_when_its_turn_comes_fails_with_that_reason() {
    let prepare = |user: &User| {
        std::fs::write(user.path("input"), "").unwrap();
        words(&[b"--stdin", b"input", b"--", b"cat"])
    };
    let (code, job) = end_of_a_queued_job(prepare, |user| std::fs::remove_file(user.path("input")).unwrap());
    assert_eq!(code, 1);
    let summary = job["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("could not start: its input") && summary.contains("No such file"),
        "{summary}"
    );
}

// The queue.

/// Whether this is the beginning of a job's random part that a sentence calls it by.
fn calls(short: &str, id: &str) -> bool {
    short.len() >= 3 && id.rsplit('_').next().unwrap().starts_with(short)
}

/// The words of a message, with what holds the slots taken out of the brackets.
#[track_caller]
fn holders_in(message: &str) -> (String, Vec<String>) {
    let (before, rest) = message.split_once(" (").expect("a bracket");
    let (names, after) = rest.split_once(')').expect("its end");
    (format!("{before}{after}"), names.split(", ").map(str::to_owned).collect())
}

#[test]
fn a_third_job_waits_and_says_why_and_its_place() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let third = user.run(["start", "--", "true"]);
    assert_eq!(third.code, 0);
    let (words, names) = holders_in(&third.err);
    assert_eq!(words, "queued: 2 jobs hold the slots, it is next\n");
    assert_eq!(names.len(), 2);
    assert!(names.iter().zip(&held).all(|(short, held)| calls(short, &held.id)), "{names:?}");
    let fourth = user.run(["start", "--", "true"]);
    assert_eq!(holders_in(&fourth.err).0, "queued: 2 jobs hold the slots, 1 job is ahead of it\n");
    let fifth = user.run(["start", "--quiet", "--", "true"]);
    assert_eq!(fifth.err, "");
    let id = third.out.trim_end();
    assert_eq!(user.status(id), "queued");
    held[0].let_go(0);
    assert_eq!(user.wait(id), 0, "its turn comes without anybody's doing");
}

#[test]
fn what_holds_the_slots_is_called_by_name_and_the_beginning_of_its_id() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\n");
    let held = Held::start_with(&user, "it", "", &["--name", "the\tbuild"]);
    let second = user.run(["start", "--", "true"]);
    let named = second.err.strip_prefix("queued: the\\tbuild ").expect(&second.err);
    let (short, rest) = named.split_once(' ').unwrap();
    assert!(calls(short, &held.id), "{short}");
    assert_eq!(rest, "holds the slot, it is next\n");
}

#[test]
fn of_many_that_hold_the_slots_some_are_named() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 6\n");
    let _held = ["a", "b", "c", "d", "e", "f"].map(|name| Held::start(&user, name));
    let ran = user.run(["start", "--", "true"]);
    let (words, names) = holders_in(&ran.err);
    assert_eq!(words, "queued: 6 jobs hold the slots, it is next\n");
    assert_eq!((names.len(), names[3].as_str()), (4, "and 3 more"));
}

#[test]
fn the_settings_say_how_many_run_at_the_same_time() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    let held = ["one", "two", "three"].map(|name| Held::start(&user, name));
    let fourth = user.run(["start", "--", "true"]);
    assert!(fourth.err.starts_with("queued: 3 jobs hold the slots"), "{}", fourth.err);
    held[1].let_go(0);
    assert_eq!(user.wait(fourth.out.trim_end()), 0);
}

#[test]
fn queued_jobs_start_in_the_order_of_their_submission() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurrent = 1\n");
    let held = Held::start(&user, "first");
    let ids: Vec<String> = (0..6).map(|n| user.start_sh(&format!("echo {n} >> order"))).collect();
    held.let_go(0);
    for id in &ids {
        assert_eq!(user.wait(id), 0);
    }
    assert_eq!(user.line_in("order"), "0\n1\n2\n3\n4\n5\n");
}

// What it does not hold on to.

#[test]
fn a_command_substitution_returns_at_once_though_the_job_runs_on() {
    let user = User::new();
    let ran = shell(&user, "id=$(\"$BGCTL\" start -- sleep 1000 2>&1); echo \"$id\"");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = ran.out.trim_end();
    until("the job runs", || has_started(&user, id));
    assert_eq!(user.status(id), "running");
}

#[test]
fn a_job_survives_the_session_that_submitted_it() {
    let user = User::new();
    let gate = user.fifo("it.gate");
    // A session of its own, whose leader dies with everything that is in it.
    let script = format!(
        "setsid sh -c '\"$BGCTL\" start -- sh -c \"read line < {}; echo went on\" > id; kill -HUP 0'",
        gate.display()
    );
    shell(&user, &script);
    let id = user.line_in("id").trim_end().to_owned();
    Held { id: id.clone(), gate: PathBuf::from(&gate) }.let_go(0);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", &id]), "went on\n");
}

#[test]
fn the_events_of_a_submission_can_be_seen() {
    let user = User::new();
    let ran = user.run(["start", "--verbose", "--", "true"]);
    let events: Vec<Value> = ran
        .err
        .lines()
        .map(|line| serde_json::from_str(line.strip_prefix("event: ").unwrap()).unwrap())
        .collect();
    assert_eq!(events.len(), 2, "{}", ran.err);
    assert_eq!((&events[0]["event"], &events[1]["change"]), (&json!("submitted"), &json!("claim")));
}

#[test]
fn a_folder_on_the_path_is_no_command() {
    let user = User::new();
    std::fs::create_dir_all(user.path("bin/zork")).unwrap();
    let path = format!("{}:/usr/bin:/bin", user.path("bin").display());
    let ran = Ran::of(&user.bgctl(["start", "--", "zork"]).env("PATH", path).output().unwrap());
    assert_eq!((ran.code, ran.err.lines().next()), (127, Some("bgctl: zork: command not found")));
}

#[test]
fn a_script_without_its_interpreter_is_refused_with_the_interpreters_name() {
    let user = User::new();
    let script = user.script("bad", "#!/no/such\n");
    let ran = user.run(["start", "--", &script]);
    assert_eq!(ran.code, 126);
    assert!(ran.err.contains("bad: its interpreter /no/such is not there"), "{}", ran.err);
}
