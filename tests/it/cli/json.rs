//! `--json`: one versioned object on standard output, with names that stay.

use super::{DAY, Held, completed, entry, hears_interrupts, hold_both_slots, index_of, interruptible};
use crate::support::{Ran, User, until};
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs a command with `--json`: standard output is exactly one object, on one line, with version and command.
#[track_caller]
fn object(user: &User, code: i32, arguments: &[&str]) -> Value {
    let mut with = vec![arguments[0], "--json"];
    with.extend(&arguments[1..]);
    let ran = user.run(with);
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let object = ran.json();
    assert_eq!((&object["version"], &object["command"]), (&json!(1), &json!(arguments[0])));
    object
}

/// The names of an object's fields, sorted.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The fields that every job has, everywhere.
const JOB: [&str; 14] = [
    "id",
    "status",
    "command",
    "argv",
    "cwd",
    "created_at",
    "started_at",
    "ended_at",
    "exit_code",
    "timeout_seconds",
    "stale_after_seconds",
    "labels",
    "summary",
    "attempt",
];

#[track_caller]
fn assert_job(job: &Value) {
    for name in JOB {
        assert!(job.get(name).is_some(), "{name} in {job}");
    }
}

#[test]
fn start() {
    let user = User::new();
    let started = object(&user, 0, &["start", "--", "true"]);
    assert_eq!(
        names(&started),
        ["command", "created", "dry_run", "id", "place", "status", "version", "waits", "warnings"]
    );
    assert_eq!((&started["status"], &started["created"]), (&json!("running"), &json!(true)));
    assert_eq!(user.wait(started["id"].as_str().unwrap()), 0);
    let _held = hold_both_slots(&user);
    user.start(["true"]);
    let queued = object(&user, 0, &["start", "--", "true"]);
    assert_eq!((&queued["status"], &queued["place"]), (&json!("queued"), &json!(2)));
    assert_eq!(queued["waits"]["for"], "slot");
}

#[test]
fn start_dry_run() {
    let user = User::new();
    let foreseen = object(&user, 0, &["start", "--dry-run", "--name", "n", "--", "echo", "a"]);
    assert_eq!(
        names(&foreseen),
        ["command", "dry_run", "existing", "job", "version", "waits_for_room", "warnings"]
    );
    assert_eq!((&foreseen["dry_run"], &foreseen["job"]["id"]), (&json!(true), &Value::Null));
    assert_eq!(foreseen["job"]["argv"], json!(["echo", "a"]));
    assert_eq!(foreseen["job"]["name"], "n");
}

#[test]
fn start_wait_gives_the_end_as_wait_does() {
    let user = User::new();
    let ran = user.run(["start", "--json", "--wait", "--", "sh", "-c", "exit 6"]);
    assert_eq!(ran.code, 6);
    let object = ran.json();
    assert_eq!((&object["command"], &object["exit_code"]), (&json!("start"), &json!(6)));
    assert_eq!((&object["jobs"][0]["status"], &object["jobs"][0]["id"]), (&json!("failed"), &object["id"]));
    let follow = user.run(["start", "--json", "--follow", "--", "true"]);
    assert_eq!(follow.code, 2, "the output is the job's: there is no room for an object");
}

#[test]
fn a_start_whose_wait_fails_still_tells_the_id() {
    for how in [&["--wait"][..], &["--ready", "never"]] {
        let user = User::new();
        let gate = user.fifo("gate");
        let script = format!("read x < '{}'", gate.display());
        let arguments = [&["start", "--json"][..], how, &["--", "sh", "-c", &script]].concat();
        let child =
            interruptible(&user, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until("it waits", || hears_interrupts(child.id()));
        let id = user.index()["jobs"][0]["id"].clone();
        // As every writer does it, so that the wait notices.
        std::fs::write(user.path("broken"), "no index").unwrap();
        std::fs::rename(user.path("broken"), user.root().join("jobs.json")).unwrap();
        let ran = Ran::of(&child.wait_with_output().unwrap());
        crate::schema::check(&user.root(), &arguments, &ran.out);
        let object = ran.json();
        assert_eq!((ran.code, &object["command"]), (122, &json!("start")), "{how:?}: {}", ran.out);
        assert_eq!((&object["error"]["id"], &object["error"]["exit_code"]), (&id, &json!(122)));
    }
}

#[test]
fn list() {
    let user = User::new();
    let empty = object(&user, 0, &["list"]);
    assert_eq!(
        (names(&empty), &empty["jobs"]),
        (vec!["command", "jobs", "left_out", "version", "warnings"], &json!([]))
    );
    let held = Held::start(&user, "it");
    let listed = object(&user, 0, &["list"]);
    let job = &listed["jobs"][0];
    assert_job(job);
    assert_eq!(
        (&job["id"], &job["status"], &job["observed"]),
        (&json!(held.id), &json!("running"), &json!("alive"))
    );
    held.let_go(4);
    user.wait(&held.id);
    let job = object(&user, 0, &["list"])["jobs"][0].clone();
    assert_eq!(
        (&job["status"], &job["exit_code"], &job["observed"]),
        (&json!("failed"), &json!(4), &Value::Null)
    );
    assert!(job["usage"]["memory_peak_kib"].as_u64().unwrap() > 0);
}

/// The fields that `status` shows beside these, whether or not they say something.
const STATUS: [&str; 27] = [
    "attempts",
    "children",
    "ending",
    "env_names",
    "issue_url",
    "limits",
    "live",
    "log",
    "max_attempts",
    "mentioned",
    "meta",
    "name",
    "observed",
    "on_leftovers",
    "parent",
    "paused_at",
    "place",
    "processes",
    "relation",
    "run_seconds",
    "service",
    "stdin",
    "stdin_closed_at",
    "stdin_pipe",
    "stuck",
    "usage",
    "waits",
];

#[test]
fn status() {
    let user = User::new();
    let id = user.start_sh("echo 1234");
    user.wait(&id);
    let shown = object(&user, 0, &["status", &id]);
    assert_eq!(names(&shown), ["command", "jobs", "version", "warnings"]);
    let job = &shown["jobs"][0];
    assert_job(job);
    assert_eq!(job["log"]["bytes"], 5);
    assert_eq!(job["log"]["path"], json!(user.root().join("runs").join(format!("{id}.log"))));
    assert_eq!((&job["place"], &job["still_running"]), (&Value::Null, &json!([])));
    for name in STATUS {
        assert!(job.get(name).is_some(), "{name} in {job}");
    }
    let meta = &job["meta"];
    let wanted = [
        "argv",
        "attempts",
        "command",
        "cwd",
        "grace_seconds",
        "host",
        "id",
        "timeout_seconds",
        "umask",
        "version",
    ];
    assert_eq!(names(meta), wanted);
    let attempt = &meta["attempts"][0];
    assert_eq!(
        (&attempt["attempt"], &attempt["log_from"], &attempt["log_to"], &attempt["outcome"]["exit"]),
        (&json!(1), &json!(0), &json!(5), &json!({ "code": 0 }))
    );
}

#[test]
fn an_argument_that_is_not_text_is_told_as_base64() {
    use std::os::unix::ffi::OsStrExt;
    let user = User::new();
    let id = user.start(["--".as_ref(), "echo".as_ref(), std::ffi::OsStr::from_bytes(b"\xff")]);
    user.wait(&id);
    assert_eq!(user.job(&id)["argv"], json!(["echo", { "b64": "/w==" }]));
}

#[test]
fn logs() {
    let user = User::new();
    let id = user.start_sh("echo a; echo b");
    user.wait(&id);
    let said = object(&user, 0, &["logs", "-n", "1", &id]);
    assert_eq!(names(&said), ["command", "jobs", "version", "warnings"]);
    let shown = json!({ "id": id, "status": "completed", "output": "b\n", "left_out_bytes": 0 });
    assert_eq!(said["jobs"], json!([shown]));
    let raw = user.start_sh("printf '\\377'");
    user.wait(&raw);
    assert_eq!(object(&user, 0, &["logs", &raw])["jobs"][0]["output"], json!({ "b64": "/w==" }));
}

#[test]
fn logs_with_a_nul_byte_loses_nothing() {
    let user = User::new();
    let id = user.start_sh("printf '\\377\\000'");
    user.wait(&id);
    assert_eq!(object(&user, 0, &["logs", &id])["jobs"][0]["output"], json!({ "b64": "/wA=" }));
}

#[test]
fn wait() {
    let user = User::new();
    let ids = [0, 3].map(|code| user.start_sh(&format!("exit {code}")));
    let waited = object(&user, 3, &["wait", &ids[0], &ids[1]]);
    assert_eq!(
        names(&waited),
        ["command", "exit_code", "jobs", "ready", "time_is_over", "version", "warnings"]
    );
    assert_eq!((&waited["exit_code"], &waited["time_is_over"]), (&json!(3), &json!(false)));
    let codes: Vec<&Value> = waited["jobs"].as_array().unwrap().iter().map(|job| &job["wait_code"]).collect();
    assert_eq!(codes, [&json!(0), &json!(3)]);
    waited["jobs"].as_array().unwrap().iter().for_each(assert_job);
    let held = Held::start(&user, "it");
    let late = object(&user, 121, &["wait", "--within", "0", &held.id]);
    assert_eq!((&late["time_is_over"], &late["jobs"][0]["wait_code"]), (&json!(true), &Value::Null));
}

#[test]
fn cancel() {
    let user = User::new();
    let [one, two] = hold_both_slots(&user);
    let asked = object(&user, 0, &["cancel", &one.id]);
    assert_eq!(names(&asked), ["command", "dependants", "jobs", "removed", "version", "warnings"]);
    assert_eq!(
        asked["jobs"],
        json!([{ "id": one.id, "status": "cancelled", "result": "cancelled", "stuck": [] }])
    );
    assert_eq!(object(&user, 0, &["cancel", &one.id])["jobs"][0]["result"], "had_ended");
    assert_eq!(user.status(&two.id), "running");
    let deaf = Held::start_with(&user, "deaf", "trap '' TERM", &["--grace", "none"]);
    let told = object(&user, 0, &["cancel", "--no-wait", &deaf.id]);
    assert_eq!(
        (&told["jobs"][0]["result"], &told["jobs"][0]["status"]),
        (&json!("asked"), &json!("running"))
    );
}

#[test]
fn pause_and_resume() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for (verb, result) in
        [("pause", "paused"), ("pause", "was_paused"), ("resume", "resumed"), ("resume", "was_not_paused")]
    {
        let told = object(&user, 0, &[verb, &held.id]);
        assert_eq!(told["jobs"], json!([{ "id": held.id, "status": "running", "result": result }]));
    }
    user.ok(["cancel", &held.id]);
    assert_eq!(object(&user, 4, &["pause", &held.id])["jobs"][0]["result"], "had_ended");
}

#[test]
fn prune() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaaa", 15 * DAY)]));
    for dry_run in [true, false] {
        let arguments: &[&str] = if dry_run { &["prune", "--dry-run"] } else { &["prune"] };
        let pruned = object(&user, 0, arguments);
        assert_eq!(
            names(&pruned),
            ["command", "dry_run", "freed_bytes", "jobs", "kept", "version", "warnings"]
        );
        assert_eq!(
            (&pruned["dry_run"], &pruned["jobs"][0]["id"]),
            (&json!(dry_run), &json!("bg_20260213_aaaaaa"))
        );
    }
}

#[test]
fn tick() {
    let user = User::new();
    user.write_index(&index_of(&[entry("queued", "queued", &json!({})), completed("aaaaaa", 15 * DAY)]));
    for dry_run in [true, false] {
        let arguments: &[&str] = if dry_run { &["tick", "--dry-run"] } else { &["tick"] };
        let decided = object(&user, 0, arguments);
        assert_eq!(
            names(&decided),
            ["actions", "command", "dry_run", "emptied_logs", "events", "version", "warnings"]
        );
        let kinds: Vec<&Value> = decided["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["event"])
            .filter(|kind| **kind != "scheduled")
            .collect();
        assert_eq!(kinds, [&json!("changed"), &json!("removed")]);
        let launch = json!({ "action": "launch", "id": "bg_20260213_queued" });
        assert_eq!(decided["actions"], json!([{ "action": "retain" }, launch]));
    }
    assert_eq!(user.wait("queued"), 0);
}

#[test]
fn init() {
    let user = User::new();
    let told = object(&user, 0, &["init", "posix"]);
    assert_eq!(names(&told), ["command", "text", "version", "warnings"]);
    assert_eq!(told["text"], json!(user.ok(["init", "posix"])));
}

#[test]
fn an_error_is_an_object_too_with_the_code_it_exits_with() {
    let user = User::new();
    std::fs::write(user.path("plain"), "").unwrap();
    let id = user.start(["true"]);
    user.wait(&id);
    for (arguments, name, code) in [
        (vec!["status", "nobody"], "not_found", 3),
        (vec!["logs", "nobody"], "not_found", 3),
        (vec!["cancel", "nobody"], "not_found", 3),
        (vec!["wait", "nobody"], "not_found", 122),
        (vec!["start", "--", "no-such-program"], "command_not_found", 127),
        (vec!["start", "--", "./plain"], "not_executable", 126),
        (vec!["start", "--cwd", "nowhere", "--", "true"], "failed", 1),
        (vec!["start", "--name", "", "--", "true"], "usage", 2),
        (vec!["list", "--status", "odd"], "usage", 2),
    ] {
        let object = object(&user, code, &arguments);
        let error = &object["error"];
        assert_eq!(names(error), ["candidates", "code", "exit_code", "hint", "id", "message", "reason"]);
        assert_eq!((&error["code"], &error["exit_code"]), (&json!(name), &json!(code)), "{arguments:?}");
        let said = user.run(arguments.iter().copied()).err;
        assert!(said.contains(error["message"].as_str().unwrap()), "people are told the same: {said}");
    }
    user.write_index("{}");
    assert_eq!(object(&user, 5, &["list"])["error"]["code"], "index");
    std::fs::write(user.root().join("config.toml"), "odd = 1").unwrap();
    assert_eq!(object(&user, 78, &["start", "--", "true"])["error"]["code"], "config");
}

#[test]
fn a_usage_error_is_an_object_too() {
    let user = User::new();
    for arguments in [
        vec!["start", "--nope", "--", "true"],
        vec!["status", "--nope"],
        vec!["wait", "--within", "-5", "ab"],
    ] {
        let error = object(&user, 2, &arguments)["error"].clone();
        assert_eq!((&error["code"], &error["exit_code"]), (&json!("usage"), &json!(2)));
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    let of_the_job = user.run(["start", "--nope", "--", "echo", "--json"]);
    assert_eq!((of_the_job.code, of_the_job.out.as_str()), (2, ""), "a flag of the command is none of ours");
}
