//! `bgctl start`: the environment of a job.

use super::{contents, hold_both_slots, shell};
use crate::support::{Ran, User, until};
use serde_json::json;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// The variables in the form of `/proc/PID/environ`, sorted.
fn variables(text: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> =
        text.split(|byte| *byte == 0).filter(|one| !one.is_empty()).map(<[u8]>::to_vec).collect();
    found.sort();
    found
}

#[test]
fn the_environment_reaches_the_job_byte_for_byte_and_the_jobs_own_variables_are_set_afresh() {
    let user = User::new();
    let mut command = user.bgctl(["start", "--wait", "--env", "GIVEN=a=b  c", "--env", "EMPTY="]);
    command
        .env("BG_JOB_ID", "bg_20260213_outer2")
        .env("BG_ATTEMPT", "7")
        .env("BG_APPROVED", "1")
        .env("BG_ARRAY_INDEX", "3")
        .env("GIVEN", "overridden")
        .env("ODD", OsStr::from_bytes(b"\xff\n\xfe"))
        .env(OsStr::from_bytes(b"N\xffME"), "value")
        .args(["--", "cat", "/proc/self/environ"]);
    let ran = Ran::of(&command.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let id = ran.out.trim_end();
    let mut wanted = vec![
        b"PATH=/usr/local/bin:/usr/bin:/bin".to_vec(),
        [b"HOME=", user.path("home").as_os_str().as_bytes()].concat(),
        [b"BG_HOME=", user.root().as_os_str().as_bytes()].concat(),
        b"LANG=C.UTF-8".to_vec(),
        b"TZ=UTC".to_vec(),
        b"GIVEN=a=b  c".to_vec(),
        b"EMPTY=".to_vec(),
        b"ODD=\xff\n\xfe".to_vec(),
        b"N\xffME=value".to_vec(),
        format!("BG_JOB_ID={id}").into_bytes(),
        b"BG_ATTEMPT=1".to_vec(),
    ];
    wanted.sort();
    let got = variables(&std::fs::read(user.root().join("runs").join(format!("{id}.log"))).unwrap());
    assert_eq!(got, wanted);
    assert_eq!(user.job(id)["parent"], "bg_20260213_outer2", "whose child it is stays known");
}

#[test]
fn a_clean_environment_has_only_what_every_program_expects() {
    let user = User::new();
    let mut command = user.bgctl([
        "start",
        "--wait",
        "--clean-env",
        "--env",
        "WANTED=1",
        "--",
        "cat",
        "/proc/self/environ",
    ]);
    let ran = Ran::of(&command.env("SECRET", "x").env("USER", "ann").output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let log = std::fs::read(user.root().join("runs").join(format!("{}.log", ran.out.trim_end()))).unwrap();
    let names: Vec<String> = variables(&log)
        .iter()
        .map(|one| String::from_utf8_lossy(one).split('=').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["BG_ATTEMPT", "BG_JOB_ID", "HOME", "LANG", "PATH", "TZ", "USER", "WANTED"]);
}

#[test]
fn a_hand_made_job_has_a_path_even_where_who_starts_it_has_none() {
    let user = User::new();
    let id = "bg_20260213_aaaaaa";
    let job = json!({"id": id, "command": "printenv PATH", "argv": ["printenv", "PATH"], "cwd": "/",
        "created_at": "2026-02-13T10:00:00Z", "status": "queued"});
    user.write_index(&json!({"version": 1, "updated_at": null, "jobs": [job]}).to_string());
    let output = user.bgctl(["tick"]).env_remove("PATH").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(user.wait(id), 0);
    assert_eq!(user.ok(["logs", id]), "/usr/local/bin:/usr/bin:/bin\n");
    user.all_gone();
}

#[test]
fn a_captured_environment_is_readable_by_its_user_only() {
    let user = User::new();
    let id = user.start(["true"]);
    user.wait(&id);
    let mut checked = 0;
    for (path, (mode, _)) in contents(&user.root()) {
        checked += 1;
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    assert!(checked >= 6, "index, lock, environment, log, record, meta: {checked}");
}

/// Runs a job with this start command to its end; gives what it finds in its environment beyond its user's.
#[track_caller]
fn set_in_a_job(user: &User, mut start: Command) -> Vec<String> {
    start.args(["--", "cat", "/proc/self/environ"]);
    let ran = Ran::of(&start.output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let log = std::fs::read(user.root().join("runs").join(format!("{}.log", ran.out.trim_end()))).unwrap();
    let usual = ["PATH=", "HOME=", "BG_HOME=", "LANG=", "TZ=", "BG_JOB_ID=", "BG_ATTEMPT="];
    variables(&log)
        .iter()
        .map(|one| String::from_utf8_lossy(one).into_owned())
        .filter(|one| !usual.iter().any(|usual| one.starts_with(usual)))
        .collect()
}

/// The flags of a start that waits.
fn start_wait(user: &User, flags: &[&str]) -> Command {
    user.bgctl(["start", "--wait"].iter().chain(flags))
}

#[test]
fn a_name_alone_takes_the_present_value_over() {
    let user = User::new();
    let mut start = start_wait(&user, &["--clean-env", "--env", "TAKEN"]);
    start.env("TAKEN", "a=b  c").env("LEFT", "1");
    assert_eq!(set_in_a_job(&user, start), ["TAKEN=a=b  c"]);
}

#[test]
fn a_file_of_variables_is_read_as_other_tools_read_it() {
    let user = User::new();
    let text = "# a comment\n\nPLAIN=one # and why\nexport EXPORTED=two\nSINGLE='$PLAIN  \\n'\n\
                DOUBLE=\"${PLAIN}\\n\\$\"\nLINES='a\nb'\nEMPTY=\nLAST=end";
    std::fs::write(user.path(".env"), text).unwrap();
    let got = set_in_a_job(&user, start_wait(&user, &["--env-file", ".env"]));
    let wanted = [
        "DOUBLE=one\n$",
        "EMPTY=",
        "EXPORTED=two",
        "LAST=end",
        "LINES=a\nb",
        "PLAIN=one",
        "SINGLE=$PLAIN  \\n",
    ];
    assert_eq!(got, wanted);
}

#[test]
fn later_files_count_before_earlier_ones_flags_before_files_and_unset_before_all() {
    let user = User::new();
    std::fs::write(user.path("one"), "A=one\nB=one\nC=one\nD=one\n").unwrap();
    std::fs::write(user.path("two"), "B=two\nC=two\nD=two\n").unwrap();
    let flags = ["--env", "C=flag", "--env-file", "one", "--env-file", "two", "--env", "D=flag"];
    let mut start = start_wait(&user, &flags);
    start.args(["--unset", "D", "--unset", "INHERITED", "--unset", "NEVER_SET", "--name", "it"]);
    start.env("INHERITED", "1").env("A", "inherited").env("E", "inherited");
    assert_eq!(set_in_a_job(&user, start), ["A=one", "B=two", "C=flag", "E=inherited"]);
    assert_eq!(user.job("it")["env_names"], json!(["A", "B", "C"]), "the names of what was set");
}

#[test]
fn variables_can_come_from_standard_input_or_a_pipe() {
    let user = User::new();
    let ran = shell(
        &user,
        "printf 'A=1\n' | \"$BGCTL\" start --wait --env-file - -- sh -c 'echo $A; cat' > id && \
         mkfifo pipe && { printf 'A=2\n' > pipe & } && \
         \"$BGCTL\" start --wait --env-file pipe -- sh -c 'echo $A' >> id",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ids = user.line_in("id");
    let logs: Vec<String> = ids.lines().map(|id| user.ok(["logs", id])).collect();
    assert_eq!(logs, ["1\n", "2\n"]);
}

#[test]
fn standard_input_is_read_once_only() {
    let user = User::new();
    for flags in [["--env-file", "-", "--env-file", "-"], ["--env-file", "-", "--stdin", "-"]] {
        let ran = user.run(["start"].iter().chain(&flags).chain(&["--", "true"]));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{flags:?}");
        assert!(ran.err.contains("only once"), "{}", ran.err);
    }
    assert_nothing_queued(&user);
}

/// Nothing was submitted, and no environment kept.
#[track_caller]
fn assert_nothing_queued(user: &User) {
    assert!(!user.root().join("jobs.json").exists());
    assert!(contents(&user.root().join("env")).is_empty());
}

#[test]
fn what_is_no_variable_is_refused_without_its_text() {
    let user = User::new();
    for (flag, given) in [
        ("--env", "=s3cret"),
        ("--env", ""),
        ("--env", "s3cret value"),
        ("--env", "NOT_SET"),
        ("--env", "BG_JOB_ID=s3cret"),
        ("--env", "BG_ATTEMPT"),
        ("--unset", "A=s3cret"),
        ("--unset", ""),
        ("--unset", "BG_JOB_ID"),
    ] {
        for json in [&["--json"][..], &[]] {
            let ran = user.run(["start", flag, given].iter().chain(json).chain(&["--", "true"]));
            assert_eq!(ran.code, 2, "{flag} {given:?}: {}", ran.err);
            assert!(ran.err.contains(flag), "{}", ran.err);
            assert!(!format!("{}{}", ran.out, ran.err).contains("s3cret"), "{flag}: {}{}", ran.out, ran.err);
        }
    }
    let ran = user.run(["start", "--env", "A=1", "--env", "NOT_SET", "--", "true"]);
    assert!(ran.err.starts_with("bgctl: --env (number 2 of 2): NOT_SET is not set here"), "{}", ran.err);
    assert_nothing_queued(&user);
}

#[test]
fn a_variable_in_the_wrong_place_is_refused_without_its_value() {
    let user = User::new();
    for (line, code, said) in [
        (
            "start FOO=s3cret make",
            127,
            "FOO=…: command not found\n  a variable is set with: bgctl start --env FOO=VALUE",
        ),
        ("start FOO=s3cret", 127, "FOO=…: command not found"),
        ("start --env A=1 B=s3cret -- make", 127, "B=…: command not found"),
        ("start --clean-env=TOK=s3cret -- true", 2, "--clean-env takes no value"),
        ("start --service=K=s3cret -- true", 2, "--service takes no value"),
        ("start --leftovers=s3cret -- true", 2, "--leftovers: there is no such value"),
        ("start --timeout=s3cret -- true", 2, "--timeout: expected a duration"),
        ("start --log-max=A=s3cret -- true", 2, "--log-max: expected a size"),
        ("start --envv=A=s3cret -- true", 2, "bgctl start has no option --envv\n  did you mean --env?"),
        ("start -eA=s3cret -- true", 2, "bgctl start has no option -e"),
        ("FOO=s3cret start true", 2, "there is no command \"FOO\""),
        ("--env=FOO=s3cret start true", 2, "bgctl has no option --env"),
        ("strat --env FOO=s3cret true", 2, "there is no command \"strat\"\n  did you mean start?"),
    ] {
        for json in [&["--json"][..], &[]] {
            let ran = user.run(json.iter().copied().chain(line.split(' ')));
            assert_eq!(ran.code, code, "{line}: {}", ran.err);
            assert!(json.len() == 1 || ran.err.starts_with(&format!("bgctl: {said}")), "{line}: {}", ran.err);
            assert!(!format!("{}{}", ran.out, ran.err).contains("s3cret"), "{line}: {}{}", ran.out, ran.err);
        }
    }
    assert_nothing_queued(&user);
}

#[test]
fn a_bad_file_of_variables_is_refused_by_its_line_without_its_text() {
    let user = User::new();
    for (text, line) in [
        (&b"A=1\ns3cret\n"[..], 2),
        (b"A=s3 cret\n", 1),
        (b"\n\nA='s3cret\nB=1\n", 3),
        (b"A=1\nB=s3cret\xff\n", 2),
        (b"A=1\nB=s3\0cret\n", 2),
        (b"A=1\n\nBG_JOB_ID=s3cret\n", 3),
    ] {
        std::fs::write(user.path("file"), text).unwrap();
        let ran = user.run(["start", "--json", "--env-file", "file", "--", "true"]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.starts_with(&format!("bgctl: file, line {line}: ")), "{}", ran.err);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(!said.contains("s3") && !said.contains("cret"), "{said}");
    }
    for missing in ["missing", "."] {
        let ran = user.run(["start", "--env-file", missing, "--", "true"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("could not read variables from"), "{}", ran.err);
    }
    assert_nothing_queued(&user);
}

#[test]
fn no_value_is_in_any_output_nor_in_the_index() {
    let user = User::new();
    std::fs::write(user.path("file"), "FROM_FILE=s3cret-file\n").unwrap();
    let _held = hold_both_slots(&user);
    let mut said = String::new();
    for how in [&[][..], &["--json"], &["--dry-run"], &["--dry-run", "--json"], &["--verbose"]] {
        let mut start = user.bgctl(["start", "--name", "it"]);
        start.args(["--env", "GIVEN=s3cret-flag", "--env", "TAKEN", "--env-file", "file"]).args(how);
        start.env("TAKEN", "s3cret-taken").env("INHERITED", "s3cret-inherited").args(["--", "true"]);
        let ran = Ran::of(&start.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        said.push_str(&(ran.out + &ran.err));
    }
    for what in [["status", "it"], ["status", "--json"], ["list", "--json"], ["tick", "--json"]] {
        let ran = user.run(what.iter().chain((what[1] == "--json" && what[0] == "status").then_some(&"it")));
        said.push_str(&(ran.out + &ran.err));
    }
    for (path, (_, content)) in contents(&user.root()) {
        if !path.starts_with(user.root().join("env")) {
            said.push_str(&String::from_utf8_lossy(&content));
        }
    }
    assert!(!said.contains("s3cret"), "{said}");
    assert!(said.contains("with FROM_FILE, GIVEN, TAKEN set"), "{said}");
    assert_eq!(user.job("it")["env_names"], json!(["FROM_FILE", "GIVEN", "TAKEN"]));
}

#[test]
fn the_values_of_a_submission_that_failed_are_not_kept() {
    let user = User::new();
    user.make_root();
    user.write_index("{ this is no index");
    assert_eq!(user.run(["start", "--env", "TOKEN=s3cret", "--", "true"]).code, 5);
    assert_eq!(std::fs::read_dir(user.root().join("env")).unwrap().count(), 0);
}

#[test]
fn the_values_are_gone_once_no_job_that_can_run_has_them() {
    let user = User::new();
    let id = user.start(["--env", "TOKEN=s3cret", "--", "true"]);
    assert_eq!(user.wait(&id), 0);
    until("they are gone", || std::fs::read_dir(user.root().join("env")).unwrap().count() == 0);
    assert!(user.job(&id)["env_names"].to_string().contains("TOKEN"), "its name is still told");
}

#[test]
fn a_waiting_job_whose_environment_is_gone_fails_by_itself_and_hinders_no_other() {
    let user = User::new();
    user.make_root();
    let env = "0".repeat(64);
    user.write_index(&format!(
        "{{\"version\":1,\"jobs\":[{{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"queued\",\"command\":\"true\",\"cwd\":\"/\",\
         \"created_at\":\"2026-02-13T10:00:00Z\",\"max_attempts\":3,\"env\":\"{env}\"}}]}}"
    ));
    let other = user.start(["true"]);
    assert_eq!(user.wait(&other), 0);
    user.run(["wait", "bg_20260213_aaaaaa"]);
    assert_eq!(user.status("bg_20260213_aaaaaa"), "failed");
    assert!(user.job("bg_20260213_aaaaaa")["summary"].as_str().unwrap().contains("its environment"));
}
