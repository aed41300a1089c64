//! `bgctl start --batch` and `--array`: many jobs in one step, all or none.

use super::{Held, bounded, configure, has_started, hold_both_slots};
use crate::support::{Ran, User, ended, is_alive, kill, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

fn write(user: &User, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(user.path(name), text).unwrap();
}

/// `bgctl` with something on its standard input.
#[track_caller]
fn with_input(user: &User, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = user
        .bgctl(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who is refused need not have read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ran::of(&child.wait_with_output().unwrap())
}

fn ids(ran: &Ran) -> Vec<String> {
    ran.out.lines().map(str::to_owned).collect()
}

/// The jobs of the index, none where there is no index.
fn jobs(user: &User) -> Vec<Value> {
    if !user.root().join("jobs.json").exists() {
        return Vec::new();
    }
    user.index()["jobs"].as_array().unwrap().clone()
}

fn environments(user: &User) -> usize {
    std::fs::read_dir(user.root().join("env")).map_or(0, Iterator::count)
}

/// Refused with this code, and nothing is there.
#[track_caller]
fn refused(user: &User, arguments: &[&str], code: i32) -> String {
    let ran = user.run(arguments);
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
    assert!(jobs(user).is_empty());
    assert_eq!(environments(user), 0);
    ran.err
}

// Lines.

#[test]
fn each_line_is_a_job_and_the_ids_come_in_the_order_of_the_lines() {
    let user = User::new();
    write(&user, "batch", "echo one\n\n# a comment\necho two | tr o 0\nexit 3\n");
    let ran = user.run(["start", "--batch", "batch"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "3 jobs: 2 started, 1 queued\n");
    let ids = ids(&ran);
    assert_eq!(ids.len(), 3);
    assert_eq!([0, 1, 2].map(|place| user.wait(&ids[place])), [0, 0, 3]);
    assert_eq!(user.ok(["logs", &ids[0]]), "one\n");
    assert_eq!(user.ok(["logs", &ids[1]]), "tw0\n");
    let listed: Vec<String> = jobs(&user).iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids);
    assert!(jobs(&user).iter().all(|job| job["batch"] == ids[0].as_str()));
    assert!(user.ok(["status", &ids[1]]).contains(&ids[0]));
}

#[test]
fn a_line_that_begins_with_a_brace_is_an_object_over_the_flags() {
    let user = User::new();
    std::fs::create_dir(user.path("there")).unwrap();
    let lines = [
        r#"{"argv":["printf","%s|","a b","c"],"cwd":"there","name":"own","labels":["x"],"timeout":"1h"}"#
            .to_owned(),
        r#"  {"shell":"exit 7","grace_seconds":1,"priority":"low","key":"k"}"#.to_owned(),
        "true".to_owned(),
    ];
    write(&user, "batch", lines.join("\n"));
    let ran = user.run(["start", "--name", "all", "--timeout", "5m", "--batch", "batch"]);
    let ids = ids(&ran);
    let found = [0, 1, 2].map(|place| user.job(&ids[place]));
    assert_eq!((&found[0]["name"], &found[0]["timeout_seconds"]), (&json!("own"), &json!(3_600)));
    assert_eq!(found[0]["cwd"], user.path("there").to_str().unwrap());
    assert_eq!(found[0]["labels"], json!(["x"]));
    assert_eq!((&found[1]["name"], &found[1]["timeout_seconds"]), (&json!("all"), &json!(300)));
    assert_eq!((&found[1]["grace_seconds"], &found[1]["priority"]), (&json!(1), &json!("low")));
    assert_eq!((&found[1]["key"], &found[2]["name"]), (&json!("k"), &json!("all")));
    assert_eq!([0, 1, 2].map(|place| user.wait(&ids[place])), [0, 7, 0]);
    assert_eq!(user.ok(["logs", &ids[0]]), "a b|c|");
}

#[test]
fn what_a_job_was_shown_as_is_a_line_for_another_one() {
    let user = User::new();
    let first = user.start(["--name", "n", "--", "printf", "%s|", "a b"]);
    user.wait(&first);
    let job = user.job(&first);
    let fields =
        ["argv", "command", "cwd", "name", "labels", "timeout_seconds", "stale_after_seconds", "key"];
    let line: serde_json::Map<String, Value> =
        fields.map(|field| (field.to_owned(), job[field].clone())).into_iter().collect();
    write(&user, "batch", Value::from(line).to_string());
    let again = user.start(["--batch", "batch"]);
    assert_eq!(user.wait(&again), 0);
    assert_eq!(user.ok(["logs", &again]), "a b|");
    assert_eq!(user.job(&again)["name"], "n");
}

#[test]
fn lines_come_from_standard_input_byte_for_byte() {
    let user = User::new();
    let ran = with_input(&user, &["start", "--batch", "-"], b"printf '\xff\\n'\r\nprintf b");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ids = ids(&ran);
    assert_eq!(ids.iter().map(|id| user.wait(id)).collect::<Vec<_>>(), [0, 0]);
    let log = user.root().join("runs").join(format!("{}.log", ids[0]));
    assert_eq!(std::fs::read(log).unwrap(), b"\xff\n");
}

#[test]
fn one_environment_is_kept_for_all() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let before = environments(&user);
    write(&user, "batch", "echo $COLOUR\n".repeat(50));
    let ran = user.run(["start", "--env", "COLOUR=green", "--batch", "batch"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(environments(&user), before + 1);
    let names: BTreeSet<String> = jobs(&user).iter().skip(2).map(|job| job["env"].to_string()).collect();
    assert_eq!(names.len(), 1);
    for held in held {
        held.let_go(0);
    }
    let ids = ids(&ran);
    assert_eq!(user.wait(&ids[49]), 0);
    assert_eq!(user.ok(["logs", &ids[49]]), "green\n");
}

#[test]
fn the_help_names_every_field() {
    let help = User::new().ok(["start", "--help"]);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, help) = help.split_once("an object says what is").unwrap();
    let words: BTreeSet<&str> = help.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let fields = bgctl::ops::start::fields::FIELDS;
    let missing: Vec<&str> =
        fields.iter().map(|(_, flag)| *flag).filter(|flag| !words.contains(flag)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

// What is wrong with a line, and nothing is queued.

#[test]
fn a_malformed_line_of_many_is_named_and_nothing_is_queued() {
    let user = User::new();
    let mut lines = vec!["true"; 10_000];
    lines[7_311] = r#"{"argv":["true"],"timout":5}"#;
    write(&user, "batch", lines.join("\n"));
    let said = refused(&user, &["start", "--batch", "batch"], 2);
    assert!(
        said.starts_with("bgctl: batch, line 7312: there is no field \"timout\"; did you mean timeout?; nothing was queued\n"),
        "{said}"
    );
    lines[7_311] = r#"{"argv":["true""#;
    write(&user, "batch", lines.join("\n"));
    let said = refused(&user, &["start", "--batch", "batch"], 2);
    assert!(said.starts_with("bgctl: batch, line 7312: column 15: EOF"), "{said}");
}

#[test]
fn whatever_is_wrong_with_a_line_says_which_line_it_is() {
    let user = User::new();
    for (line, code, said) in [
        (r#"{"argv":["nowhere-to-be-found"]}"#, 127, "nowhere-to-be-found: command not found"),
        (r#"{"argv":["true"],"cwd":"nowhere"}"#, 1, "could not use the directory"),
        (r#"{"argv":["true"],"after":["bg_20260101_aaaaaa"]}"#, 3, "there is no job"),
        (r#"{"argv":["true"],"stdin":"nowhere"}"#, 1, "could not read nowhere"),
        (r#"{"argv":["true"],"stdin":"-"}"#, 2, "--stdin - is kept for a single job"),
        (r#"{"argv":["true"],"name":"@"}"#, 2, "a job cannot be called"),
        (r#"{"argv":["true"],"retry_delay":5}"#, 2, "there is nothing to retry"),
        (r#"{"argv":["true"],"attempts":1000000000}"#, 2, "expected a whole number from 1"),
        (r#"{"argv":["true"],"priority":"hihg"}"#, 2, "did you mean high?"),
        (r#"{"argv":["true"],"env":{"A":"b"}}"#, 2, "a batch has one environment"),
        ("true \0", 2, "contains a NUL byte"),
        (&"x".repeat(1024 * 1024), 2, "longer than 1 MiB"),
    ] {
        write(&user, "batch", format!("true\n\n{line}\ntrue\n"));
        let err = refused(&user, &["start", "--batch", "batch"], code);
        assert!(err.starts_with("bgctl: batch, line 3: ") && err.contains(said), "{err}");
        assert!(err.contains("nothing was queued"), "{err}");
    }
}

#[test]
fn a_group_that_is_not_there_refuses_the_batch_and_can_be_made() {
    let user = User::new();
    write(&user, "batch", "true\n{\"argv\":[\"true\"],\"group\":\"gpu\"}\n");
    let said = "there is no group \"gpu\"; nothing was queued";
    let err = refused(&user, &["start", "--batch", "batch"], 3);
    assert!(err.starts_with(&format!("bgctl: batch, line 2: {said}\n")), "{err}");
    let err = refused(&user, &["start", "--group", "gpu", "--array", "4-6", "--", "true"], 3);
    assert!(err.starts_with(&format!("bgctl: array index 4: {said}\n")), "{err}");
    let ran = user.run(["start", "--group", "gpu", "--create-group", "--batch", "batch"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "2 jobs: 1 started, 1 queued\n");
}

#[test]
fn two_lines_of_one_key_are_refused_with_both_numbers() {
    let user = User::new();
    write(
        &user,
        "batch",
        "true\n{\"argv\":[\"true\"],\"key\":\"k\"}\n\n{\"argv\":[\"false\"],\"key\":\"k\"}\n",
    );
    let said = refused(&user, &["start", "--batch", "batch"], 2);
    assert!(
        said.starts_with("bgctl: batch, line 4: \"k\" is the key of line 2, too; nothing was queued\n"),
        "{said}"
    );
    write(&user, "batch", "make\nmake\n");
    assert!(refused(&user, &["start", "--unique", "--batch", "batch"], 2).contains("of line 1, too"));
    assert!(
        refused(&user, &["start", "--key", "k", "--array", "3,5", "true"], 2)
            .contains("array index 5: \"k\" is the key of array index 3")
    );
}

#[test]
fn a_line_whose_key_is_taken_gives_the_job_that_has_it() {
    let user = User::new();
    let held = Held::start_with(&user, "holder", "", &["--key", "k1"]);
    let line = |key: &str| format!("{{\"argv\":[\"true\"],\"key\":\"{key}\"}}\n");
    write(&user, "batch", [line("k1"), line("k2"), line("k3")].concat());
    let ran = user.run(["start", "--json", "--batch", "batch"]);
    let object = ran.json();
    let told: Vec<(u64, bool)> = object["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["line"].as_u64().unwrap(), job["created"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [(1, false), (2, true), (3, true)]);
    assert_eq!(object["jobs"][0]["id"], held.id.as_str());
    assert!(ran.err.ends_with("1 there already, by key\n"), "{}", ran.err);
    assert_eq!(jobs(&user).len(), 3);
    // The batch is named after the first job that is its own.
    let second = object["jobs"][1]["id"].clone();
    assert!(jobs(&user)[1..].iter().all(|job| job["batch"] == second));
    assert_eq!(jobs(&user)[0].get("batch"), None);
    held.let_go(0);
}

#[test]
fn what_cannot_be_read_or_has_no_command_is_refused() {
    let user = User::new();
    assert!(
        refused(&user, &["start", "--batch", "nowhere"], 1).contains("could not read nowhere: No such file")
    );
    assert!(refused(&user, &["start", "--batch", "."], 1).contains("could not read .: Is a directory"));
    write(&user, "batch", "# nothing\n\n");
    assert!(refused(&user, &["start", "--batch", "batch"], 2).contains("batch has no line with a command"));
    let ran = with_input(&user, &["start", "--batch", "-"], b"");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("standard input has no line with a command"), "{}", ran.err);
}

#[test]
fn what_cannot_go_together_is_refused() {
    let user = User::new();
    write(&user, "batch", "true\n");
    for arguments in [
        &["start", "--batch", "batch", "--", "true"][..],
        &["start", "--batch", "batch", "--shell", "true"],
        &["start", "--batch", "batch", "--array", "1-3"],
        &["start", "--batch", "batch", "--follow"],
        &["start", "--batch", "batch", "--ready", "x"],
        &["start", "--array", "1-3", "--follow", "--", "true"],
        &["start", "--array", "1-3", "--ready", "x", "--", "true"],
        &["start", "--array", "1-3"],
        &["start", "--array", "3-1", "--", "true"],
        &["start", "--array", "1-3", "--stdin", "-", "--", "true"],
        &["start", "--batch", "batch", "--stdin", "-"],
        &["start", "--batch", "-", "--stdin", "-"],
        &["start", "--batch", "-", "--env-file", "-"],
    ] {
        refused(&user, arguments, 2);
    }
}

#[test]
fn more_jobs_than_the_settings_allow_are_refused_before_all_are_read() {
    let user = User::new();
    configure(&user, "[queue]\nbatch_max = 3\n");
    write(&user, "batch", "true\n".repeat(3));
    assert_eq!(user.run(["start", "--quiet", "--batch", "batch"]).code, 0);
    let count = jobs(&user).len();
    // This one would never end.
    let script = "yes | \"$BGCTL\" start --batch -";
    let mut command = user.command("sh");
    command.args(["-c", script]).env("BGCTL", crate::support::BGCTL);
    let ran = bounded(command);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("more than 3 jobs at once; nothing was queued"), "{}", ran.err);
    assert!(ran.err.contains("queue.batch_max"), "{}", ran.err);
    assert_eq!(user.run(["start", "--array", "1-1000000000", "--", "true"]).code, 2);
    assert_eq!(jobs(&user).len(), count);
}

// Arrays.

#[test]
fn an_array_is_one_job_a_number_each_with_its_own() {
    let user = User::new();
    let script = "echo $BG_ARRAY_INDEX {} $0";
    let ran = user.run(["start", "--name", "part-{}", "--array", "1-5:2,9", "sh", "-c", script, "x{}y{}"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ids = ids(&ran);
    assert_eq!(ids.len(), 4);
    for (id, number) in ids.iter().zip([1, 3, 5, 9]) {
        assert_eq!(user.wait(id), 0);
        assert_eq!(user.ok(["logs", id]), format!("{number} {number} x{number}y{number}\n"));
        let job = user.job(id);
        assert_eq!((&job["array_index"], &job["name"]), (&json!(number), &json!(format!("part-{number}"))));
        assert_eq!(job["batch"], ids[0].as_str());
    }
    assert!(user.ok(["status", &ids[3]]).contains("array index  9"), "{}", user.ok(["status", &ids[3]]));
}

#[test]
fn a_shell_line_of_an_array_can_have_braces_of_its_own() {
    let user = User::new();
    let id = user.start(["--array", "7", "--shell", "echo {} '{''}'"]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.ok(["logs", &id]), "7 {}\n");
}

#[test]
fn a_job_in_an_array_does_not_hand_its_number_down() {
    let user = User::new();
    let script = "\"$0\" start --wait --quiet -- sh -c 'echo \"[$BG_ARRAY_INDEX]\" > inner'";
    let id = user.start(["--array", "4", "--", "sh", "-c", script, crate::support::BGCTL]);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(user.line_in("inner"), "[]\n");
}

// What all of them are together.

#[test]
fn a_batch_is_one_entry_of_the_queue() {
    let user = User::new();
    configure(&user, "[queue]\nmax_size = 2\nthreshold_percent = 50\n");
    let held = hold_both_slots(&user);
    write(&user, "batch", "true\n".repeat(20));
    for _ in 0..2 {
        let ran = user.run(["start", "--batch", "batch"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, "20 jobs: 20 queued\n"));
    }
    let ran = user.run(["start", "--batch", "batch"]);
    assert_eq!((ran.code, ran.out.as_str()), (75, ""), "{}", ran.err);
    assert_eq!(jobs(&user).len(), 42);
    // Room comes when the first batch is gone.
    let mut waiting = user.bgctl(["start", "--when-full", "wait", "--batch", "batch"]);
    let mut waiting = waiting.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for held in held {
        held.let_go(0);
    }
    assert_eq!(ended(&mut waiting), 0);
    assert_eq!(jobs(&user).len(), 62);
}

#[test]
fn waiting_for_a_batch_folds_the_codes_of_its_jobs() {
    let user = User::new();
    write(&user, "batch", "true\nexit 4\nexit 5\n");
    let ran = user.run(["start", "--wait", "--quiet", "--batch", "batch"]);
    assert_eq!((ran.code, ids(&ran).len()), (4, 3), "{}", ran.err);
    let ran = user.run(["start", "--wait", "--json", "--quiet", "--batch", "batch"]);
    let codes: Vec<i64> =
        ran.json()["jobs"].as_array().unwrap().iter().map(|job| job["wait_code"].as_i64().unwrap()).collect();
    assert_eq!((ran.code, codes), (4, vec![0, 4, 5]));
}

#[test]
fn a_dry_run_checks_all_lines_and_starts_none() {
    let user = User::new();
    write(&user, "batch", "echo one\necho two\n");
    let ran = user.run(["start", "--dry-run", "--batch", "batch"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "would start 2 jobs:\n  echo one\n  echo two\n"));
    let ran = user.run(["start", "--dry-run", "--array", "1-12", "--", "echo", "{}"]);
    assert!(ran.out.starts_with("would start 12 jobs:\n  echo 1\n"), "{}", ran.out);
    assert!(ran.out.ends_with("  echo 10\n  and 2 more\n"), "{}", ran.out);
    let object = user.run(["start", "--dry-run", "--json", "--array", "1-2", "--", "echo", "{}"]).json();
    assert_eq!(object["jobs"][1]["array_index"], 2);
    write(&user, "batch", "echo one\n{\"argv\":[\"nowhere-to-be-found\"]}\n");
    let ran = user.run(["start", "--dry-run", "--batch", "batch"]);
    assert_eq!(ran.code, 127);
    assert!(ran.err.contains("line 2"), "{}", ran.err);
    assert!(!user.root().exists());
}

#[test]
fn ten_thousand_jobs_are_queued_and_cancelled_and_leave_nothing() {
    let user = User::new();
    write(&user, "batch", "exec sleep 1000\n".repeat(10_000));
    let ran = user.run(["start", "--batch", "batch"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "10000 jobs: 2 started, 9998 queued\n"));
    let ids = ids(&ran);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 10_000);
    until("the first one runs", || has_started(&user, &ids[0]));
    let ran = user.run(["cancel", "--all", "--yes", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(jobs(&user).iter().all(|job| job["status"] == "cancelled"));
    user.all_gone();
    assert_eq!(environments(&user), 0);
}

/// The rename decides: whenever the submitter dies, all of its jobs are there, or none.
#[test]
fn a_submitter_that_is_killed_leaves_all_jobs_or_none() {
    let user = User::new();
    let held = hold_both_slots(&user);
    write(&user, "batch", "true\n".repeat(2_000));
    for step in 0..12_u64 {
        let mut command = user.bgctl(["start", "--batch", "batch"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(step * 40));
        let pid = i32::try_from(child.id()).unwrap();
        if is_alive(pid) {
            kill(pid, rustix::process::Signal::KILL);
        }
        child.wait().unwrap();
        assert_eq!((jobs(&user).len() - 2) % 2_000, 0, "after {step} steps");
    }
    let ran = user.run(["cancel", "--all", "--yes", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    drop(held);
    user.all_gone();
}
