//! Text that others chose, on a real terminal: names, labels, commands, notes, logs, paths, what GitHub says, what settings
//! and damaged files hold. Every command shows it, and the terminal obeys none of it.
//!
//! To a pipe, `logs` gives the output of jobs byte for byte, and to a terminal with `--raw`; nothing else does.

use super::terminal::{harm, on_terminal};
use crate::proof::Proof;
use crate::support::{BGCTL, Ran, User};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// A title, a cleared screen, a line of its own, C1, text turned around, and what overwrites what was there.
const EVIL: &str = "\x1b]0;owned\x07\x1b[2J\r\nFORGED \u{9b}31m\u{202e}\u{2066}\x08\x7f";
const FORGED: &str = "FORGED";
/// The forms of its beginning that do no harm: as people are shown it, and in JSON.
const HARMLESS: [&str; 2] = [r"\u{1b}]", r"\u001b]"];

/// An id of the hand-made index.
fn id(random: &str) -> String {
    format!("bg_20260213_{random}")
}

fn entry(random: &str, status: &str, more: &Value) -> Value {
    let mut entry = json!({
        "id": id(random), "status": status, "name": EVIL, "labels": [EVIL], "command": EVIL,
        "argv": ["printf", EVIL], "cwd": format!("/{EVIL}"), "created_at": "2026-02-13T10:00:00Z",
        "summary": EVIL, "notes": [EVIL], "key": EVIL, "env_names": [EVIL], "session": EVIL, "schedule": EVIL,
        "on_end": ["sh", "-c", EVIL], "stdin": format!("/{EVIL}"), "unheard": EVIL,
    });
    entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

/// Jobs in every state, with evil in every field that is a text.
fn jobs() -> Vec<Value> {
    let claim = json!({ "host": EVIL, "machine": EVIL, "boot": EVIL, "pid_namespace": 1 });
    let begun = "2026-02-13T10:00:01Z";
    let over =
        json!({ "started_at": begun, "ended_at": "2026-02-13T10:00:02Z", "attempt": 1, "claim": claim });
    let with = |more: Value| {
        let mut all = over.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let asks = |on: &str, more: Value| {
        let mut approval = json!({ "on": on, "at": begun, "ttl_seconds": null, "reason": EVIL, "hash": EVIL,
            "since": begun, "trouble": EVIL });
        approval.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        approval
    };
    let answers = json!([{ "verdict": "approved", "on": "github:acme/infra#3", "at": begun, "by": EVIL, "note": EVIL }]);
    let leftovers = json!([{ "pid": 4, "start": 4, "name": EVIL }]);
    let issue = json!({ "step": "on", "number": 3, "asked_at": begun, "asked_by": EVIL, "content": EVIL });
    vec![
        entry(
            "cmpltd",
            "completed",
            &with(json!({ "exit_code": 0, "leftovers": leftovers, "answers": answers })),
        ),
        entry("faaled", "failed", &with(json!({ "exit_code": 1, "dead_letter": true }))),
        entry(
            "notrun",
            "failed",
            &with(json!({ "exit": { "not_started": { "reason": EVIL, "code": 127 } } })),
        ),
        entry("unknwn", "failed", &with(json!({ "exit": { "unknown": { "reason": EVIL } } }))),
        entry(
            "cancld",
            "cancelled",
            &with(json!({ "ending": { "why": "cancel", "at": begun, "note": EVIL } })),
        ),
        entry(
            "runnng",
            "running",
            &json!({ "started_at": begun, "attempt": 1, "claim": claim,
            "ending": { "why": "cancel", "at": begun, "note": EVIL } }),
        ),
        entry(
            "queued",
            "queued",
            &json!({ "not_before": "2999-01-01T00:00:00Z", "after_end": [id("runnng")] }),
        ),
        entry(
            "asklcl",
            "waiting_approval",
            &json!({ "approval": asks("local", json!({})),
            "gate": { "on": "local", "ttl_seconds": null, "hash": EVIL } }),
        ),
        entry(
            "askgit",
            "waiting_approval",
            &json!({ "approval": asks("github:acme/infra", json!({ "issue": issue })) }),
        ),
    ]
}

fn index(jobs: &[Value], more: &str) -> String {
    let lines: Vec<String> = jobs.iter().map(Value::to_string).collect();
    format!(
        "{{\"version\":1,\"updated_at\":\"2026-02-13T10:00:00Z\"{more},\"jobs\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

/// A root with evil in every file.
fn user() -> User {
    let user = User::new();
    user.ok(["schedule", "add", "--every", "1h", "--name", EVIL, "nightly", "--", "printf", EVIL]);
    let mut schedules = user.index()["schedules"].clone();
    let mut nightly = schedules["nightly"].take();
    nightly["health"] = json!({ "runs": 1, "failed": 1, "failures_in_row": 1,
        "last": { "at": "2026-02-13T10:00:00Z", "result": "failed", "note": EVIL } });
    let tables = format!(
        ",\"schedules\":{},\"names\":{},\"groups\":{}",
        json!({ EVIL: nightly }),
        json!({ EVIL: { "runs": 1, "last": { "at": "2026-02-13T10:00:00Z", "result": "succeeded", "note": EVIL } } }),
        json!({ EVIL: { "slots": 1 } })
    );
    user.write_index(&index(&jobs(), &tables));
    let root = user.root();
    std::fs::create_dir_all(root.join("runs")).unwrap();
    let run_file = |random: &str, end: &str, text: &str| {
        std::fs::write(root.join(format!("runs/{}.{end}", id(random))), text).unwrap();
    };
    for random in ["cmpltd", "faaled", "runnng", "unknwn"] {
        run_file(random, "log", &format!("output {EVIL}\nlast {EVIL}"));
    }
    let at = "2026-02-13T10:00:01Z";
    run_file("runnng", "lock", &[
        json!({ "line": "watcher", "attempt": 1, "pid": 1, "start": 1, "boot": EVIL, "at": at, "monotonic_ms": 1 }),
        json!({ "line": "process", "pid": 2, "start": 1, "log_from": 0, "monotonic_ms": 1 }),
        json!({ "line": "stuck", "processes": [{ "pid": 4, "start": 4, "name": EVIL }] }),
        json!({ "line": "note", "text": EVIL }),
    ].map(|line| format!("{line}\n")).concat());
    let outcome =
        json!({ "exit": { "not_started": { "reason": EVIL, "code": 1 } }, "at": at, "notes": [EVIL] });
    run_file("faaled", "meta.json", &json!({
        "version": 1, "id": EVIL, "command": EVIL, "argv": [EVIL], "cwd": EVIL, "host": EVIL, "umask": 18,
        "timeout_seconds": 1, "grace_seconds": 1, "attempts": [{ "attempt": 1, "started_at": at, "ended_at": at,
            "log_from": 0, "log_to": 3, "ending": { "why": "cancel", "at": at, "note": EVIL }, "outcome": outcome }],
    }).to_string());
    std::fs::write(root.join(format!("runs/{}", EVIL.replace('/', "_"))), "").unwrap();
    let line = |seq: u64, more: Value| {
        let mut line = json!({ "seq": seq, "at": at, "id": id("cmpltd"), "name": EVIL, "labels": [EVIL] });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("{line}\n")
    };
    let lines = [
        json!({ "event": "submitted", "status": "queued", "schedule": EVIL, "group": EVIL, "batch": EVIL }),
        json!({ "event": "changed", "was": "running", "status": "completed", "change": "end", "outcome": outcome }),
        json!({ "event": "changed", "status": "waiting_approval", "change": "approve", "by": EVIL, "note": EVIL }),
        json!({ "event": "changed", "status": "waiting_approval", "change": "hinder", "trouble": EVIL }),
        json!({ "event": "refused", "reason": EVIL, "waiting": 1, "threshold": 1, "max_size": 1 }),
        json!({ "event": "health", "was": "ok", "status": "failing", "reasons": [EVIL] }),
        json!({ "event": "hook_failed", "hook": "on_end", "note": EVIL, "took_ms": 1, "result": EVIL }),
        json!({ "event": EVIL, "change": EVIL, "status": EVIL, "was": EVIL }),
    ];
    let text: String = lines.into_iter().zip(1..).map(|(more, seq)| line(seq, more)).collect();
    std::fs::write(root.join("events.jsonl"), text).unwrap();
    std::fs::write(root.join("last_health"), json!({ "status": "failing", "reasons": [EVIL] }).to_string())
        .unwrap();
    std::fs::write(root.join("alarm.lock"), EVIL).unwrap();
    std::fs::write(root.join("reported"), EVIL).unwrap();
    user
}

/// All surfaces that show jobs; `ID` stands for each job in turn.
const SURFACES: &[&[&str]] = &[
    &[],
    &["list", "--all"],
    &["list", "--all", "--columns", "id,status,name,labels,command,cwd,summary,schedule,group"],
    &[
        "list",
        "--all",
        "--format",
        "{id} {name} {labels} {command} {argv} {cwd} {session} {answers} {approval} {notes}",
    ],
    &["list", "--all", "--json"],
    &["list", "--all", "--json-lines"],
    &["list", "--name", EVIL],
    &["status", "ID"],
    &["status", "--json", "ID"],
    &["status", EVIL],
    &["status", "--key", EVIL],
    &["logs", "ID"],
    &["logs", "--json", "ID"],
    &["logs", "--path", "ID"],
    &["logs", "cmpltd", "faaled"],
    &["logs", "-n", "1", "--head", "1", "cmpltd"],
    &["wait", "cmpltd", "faaled", "notrun", "unknwn", "cancld"],
    &["wait", "--within", "0", "ID"],
    &["wait", "--json-lines", "faaled", "cancld"],
    &["events"],
    &["events", "--json"],
    &["events", "--json-lines"],
    &["events", EVIL],
    &["health"],
    &["health", "--jobs"],
    &["health", "--json"],
    &["health", "--prometheus"],
    &["health", EVIL],
    &["doctor"],
    &["doctor", "--json"],
    &["approval"],
    &["approval", "--json"],
    &["approve", "asklcl"],
    &["decline", "asklcl"],
    &["approve", "askgit"],
    &["dead"],
    &["dead", "show", "faaled"],
    &["dead", "list", "--json"],
    &["schedule", "list"],
    &["schedule", "list", "--json"],
    &["schedule", "show", EVIL],
    &["schedule", "run", EVIL, "--within", EVIL],
    &["schedule", "show", "no\x1b]0;owned\x07"],
    &["group", "list"],
    &["group", "add", EVIL],
    &["config"],
    &["config", "show", EVIL],
    &["store"],
    &["store", "check"],
    &["store", "rebuild", "--dry-run"],
    &["tick", "--dry-run", "--verbose"],
    &["prune", "--dry-run", "--all", "--verbose"],
    &["cancel", EVIL],
    &["cancel", "ID", "--dry-run"],
    &["pause", "queued", "--verbose"],
    &["resume", "queued", "--verbose"],
    &["set", "queued", "--name", EVIL, "--verbose"],
    &["send", "runnng", EVIL],
    &["signal", "runnng", EVIL],
    &["signal", EVIL, "TERM"],
    &["retry", EVIL],
    &["start", "--name", EVIL, "--label", EVIL, "--dry-run", "--verbose", "--", "printf", EVIL],
    &["start", "--after", EVIL, "--", "true"],
    &["start", "--cwd", EVIL, "--", "true"],
    &["start", "--stdin", EVIL, "--", "true"],
    &["start", "--env-file", EVIL, "--", "true"],
    &["start", "--group", EVIL, "--", "true"],
    &["start", "--approval", EVIL, "--", "true"],
    &["start", "--batch", EVIL],
    &["start", "--", EVIL],
    &["start", "--delay", "1h", "--verbose", "--name", EVIL, "--", "printf", EVIL],
    &["start", "--wait", "--follow", "--name", EVIL, "--", "printf", EVIL],
    &["start", "--wait", "--name", EVIL, "--", "sh", "-c", "printf \"$1\"; exit 3", "sh", EVIL],
    &["start", "--ready", EVIL, "--", "true"],
    &["cancel", "queued", "runnng", "--verbose"],
    &["dead", "clear", "faaled"],
    &["retry", "notrun", "--verbose"],
    &[EVIL],
    &["list", EVIL],
    &["list", "--columns", EVIL],
    &["list", "--status", EVIL],
    &["list", "--since", EVIL],
    &["start", EVIL, "--no-such-option", EVIL],
    &["events", "--event", EVIL],
    &["init", EVIL],
];

/// Whose state matters for how a job is shown.
const JOBS: [&str; 9] =
    ["cmpltd", "faaled", "notrun", "unknwn", "cancld", "runnng", "queued", "asklcl", "askgit"];

/// Surfaces that show nothing of what others chose, or not its beginning.
const SILENT: &[&[&str]] = &[
    &["list", "--all", "--columns", "id,status,name,labels,command,cwd,summary,schedule,group"],
    &["logs", "--path", "ID"],
    &["approve", "asklcl"],
    &["approve", "askgit"],
    &["group", "add", EVIL],
    &["config"],
    &["store"],
    &["store", "check"],
    &["store", "rebuild", "--dry-run"],
    &["cancel", "ID", "--dry-run"],
    &["pause", "queued", "--verbose"],
    &["resume", "queued", "--verbose"],
    &["set", "queued", "--name", EVIL, "--verbose"],
    &["send", "runnng", EVIL],
    &["start", "--group", EVIL, "--", "true"],
    &["start", "--approval", EVIL, "--", "true"],
    &["cancel", "queued", "runnng", "--verbose"],
    &["dead", "clear", "faaled"],
    &["retry", "notrun", "--verbose"],
];

struct Tried {
    cases: usize,
    /// How many of them showed the text, in a form that does no harm.
    shown: usize,
    troubles: Vec<String>,
}

impl Tried {
    /// Complains where a terminal would obey something; tells whether the text was shown in a form that does no harm.
    fn look(&mut self, user: &User, arguments: &[&str], variables: &[(&str, &str)]) -> bool {
        let mut command = user.bgctl(arguments);
        command.envs(variables.iter().copied());
        let shown = on_terminal(user, &command, "n\n");
        self.cases += 1;
        // The output of a job has lines of its own, and stands apart.
        let has_output = matches!(arguments, ["logs" | "wait", ..] | ["dead", "show", ..])
            || (arguments.contains(&"--wait") && arguments[0] == "start");
        let raw = harm(&shown.text, if has_output { "" } else { FORGED });
        let broken = (!super::is_an_answer(arguments, shown.code)).then(|| format!("code {}", shown.code));
        if let Some(trouble) = raw.or(broken) {
            self.troubles.push(format!("{arguments:?} {variables:?}: {trouble}"));
        }
        let is_shown = HARMLESS.iter().any(|form| shown.text.contains(form));
        self.shown += usize::from(is_shown);
        is_shown
    }
}

#[test]
fn what_others_chose_is_shown_on_a_terminal_and_not_obeyed() {
    let mut tried = Tried { cases: 0, shown: 0, troubles: Vec::new() };
    let user = user();
    // All of them can be read: none of the surfaces is an error about the index.
    let all = Ran::of(&user.bgctl(["list", "--all", "--json"]).output().unwrap());
    assert_eq!((all.code, all.json()["jobs"].as_array().map(Vec::len)), (0, Some(JOBS.len())), "{}", all.err);
    for surface in SURFACES {
        let each = surface.contains(&"ID");
        let mut is_shown = false;
        for job in &JOBS[..(if each { JOBS.len() } else { 1 })] {
            let arguments: Vec<&str> =
                surface.iter().map(|word| if *word == "ID" { *job } else { *word }).collect();
            is_shown |= tried.look(&user, &arguments, &[]);
        }
        // What prints nothing obeys nothing.
        if is_shown == SILENT.contains(surface) {
            let what = if is_shown { "shows it, and is said not to" } else { "shows nothing of it" };
            tried.troubles.push(format!("{surface:?}: {what}"));
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        for words in [
            ["status", ""],
            ["cancel", ""],
            ["list", "--label="],
            ["list", "--name="],
            ["status", "--key="],
            ["schedule", ""],
            ["health", ""],
            ["start", "--group="],
        ] {
            let line = ["2", "bgctl", words[0], words[1]];
            tried.look(&user, &line, &[("BGCTL_COMPLETE", shell)]);
        }
    }
    damaged(&mut tried);
    places(&mut tried);
    let remark =
        format!("each on a pseudo-terminal of its own; {} of them show the text, escaped", tried.shown);
    let (cases, failures) = (tried.cases, tried.troubles.len());
    Proof { name: "security.escapes", cases, failures, remark }.tell();
    assert!(tried.troubles.is_empty(), "{}", tried.troubles.join("\n"));
    assert!(tried.shown >= 100, "only {} show it", tried.shown);
}

/// Files that cannot be read, with evil at the damage.
fn damaged(tried: &mut Tried) {
    let evil = json!(EVIL);
    let texts = [
        format!("{{\"version\":1,\"jobs\":[{{\"id\":{evil},\"status\":\"queued\"}}]}}"),
        index(&[json!({ "id": id("aaaaaa"), "status": EVIL, "created_at": "2026-02-13T10:00:00Z" })], ""),
        index(&[json!({ "id": id("aaaaaa"), "status": "queued", "command": "x", "created_at": EVIL })], ""),
        index(
            &[json!({ "id": id("aaaaaa"), "status": "queued", "command": "x", "env": EVIL,
            "created_at": "2026-02-13T10:00:00Z" })],
            "",
        ),
        index(
            &[json!({ "id": id("aaaaaa"), "status": "running", "command": "x", "group": EVIL,
            "created_at": "2026-02-13T10:00:00Z" })],
            "",
        ),
        format!("{{\"version\":1,\"requires\":[{evil}],\"jobs\":[]}}"),
        format!("{{\"version\":{evil},\"jobs\":[]}}"),
        format!("{{\"version\":1,{evil}:{{\"a\":1}},\"jobs\":[]}} {EVIL}"),
        EVIL.to_owned(),
    ];
    for text in texts {
        let user = User::new();
        user.write_index(&text);
        for arguments in [
            ["list", "--all"].as_slice(),
            &["status", "aaaaaa"],
            &["tick"],
            &["start", "--", "true"],
            &["store"],
            &["doctor"],
            &["doctor", "--json"],
            &["store", "rebuild"],
        ] {
            tried.look(&user, arguments, &[]);
        }
    }
    let settings = [
        format!("{evil} = 3\n"),
        format!("[{evil}]\n"),
        format!("[queue]\n{evil} = 3\n"),
        format!("[worker]\ntimeout = {evil}\n"),
        format!("[hooks]\non_end = [{evil}]\ntimeout = {evil}\n"),
        format!("[groups.{evil}]\nslots = 1\n"),
        format!("[schedules.{evil}]\nevery = \"1h\"\ncommand = [\"true\"]\n"),
        format!("[sessions.{evil}]\nrefresh = [\"true\"]\nttl = \"1h\"\n"),
        format!("[approval.github]\napi_url = {evil}\ntoken_file = {evil}\n"),
        EVIL.to_owned(),
    ];
    for text in settings {
        // A control character has another form in a basic string of TOML.
        let text = text.replace("\\b", "\\u0008");
        let user = User::new();
        user.make_root();
        std::fs::write(user.root().join("config.toml"), &text).unwrap();
        for arguments in [
            ["config"].as_slice(),
            &["config", "check"],
            &["config", "--json"],
            &["list"],
            &["tick"],
            &["schedule", "list"],
            &["group", "list"],
            &["doctor"],
            &["start", "--", "true"],
        ] {
            tried.look(&user, arguments, &[]);
        }
    }
}

/// Folders with evil names.
fn places(tried: &mut Tried) {
    let user = User::new();
    let root = user.path(EVIL.replace('/', "_"));
    std::fs::create_dir(&root).unwrap();
    let text = root.to_str().unwrap().to_owned();
    let mut looks = |user: &User| {
        for arguments in [
            ["list"].as_slice(),
            &["start", "--dry-run", "--", "true"],
            &["start", "--delay", "1h", "--", "true"],
            &["store"],
            &["doctor"],
            &["doctor", "--json"],
            &["config"],
            &["health"],
            &["tick"],
            &["store", "rebuild", "--dry-run"],
            &["init", "cron", "--install", "--dry-run"],
            &["init", "systemd", "--install", "--dry-run"],
            &["init", "bash"],
        ] {
            tried.look(user, arguments, &[("BG_HOME", &text)]);
        }
    };
    // Open to others, and then closed.
    looks(&user);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700)).unwrap();
    looks(&user);
    let mut command = user.command("sh");
    command.args([
        "-c",
        "cd \"$1\" && \"$2\" start --quiet --delay 1h -- true && \"$2\" status @",
        "sh",
        &text,
        BGCTL,
    ]);
    let shown = on_terminal(&user, &command, "");
    tried.cases += 1;
    tried
        .troubles
        .extend(harm(&shown.text, FORGED).map(|trouble| format!("status in an evil folder: {trouble}")));
}

#[test]
fn json_on_a_terminal_still_means_what_it_meant() {
    let user = User::new();
    let name = "a\u{9b}\u{202e}\u{7f}é";
    user.write_index(&index(
        &[json!({ "id": id("aaaaaa"), "status": "completed", "command": "x", "name": name,
        "created_at": "2026-02-13T10:00:00Z" })],
        "",
    ));
    let ran = user.run(["status", "--json", "aaaaaa"]);
    assert_eq!(ran.json()["jobs"][0]["name"], name);
    assert!(ran.out.contains(r"a\u009b\u202e\u007fé"), "{}", ran.out);
}

#[test]
fn the_log_of_a_job_is_raw_only_where_that_was_asked_for() {
    let user = User::new();
    let job = user.start(["--", "printf", "\\033]0;owned\\007x"]);
    user.wait(&job);
    let shown = |arguments: &[&str]| on_terminal(&user, &user.bgctl(arguments), "").text;
    assert_eq!(harm(&shown(&["logs", &job]), ""), None);
    assert!(shown(&["logs", "--raw", &job]).contains("\x1b]0;owned\x07x"));
    assert_eq!(user.ok(["logs", &job]), "\x1b]0;owned\x07x", "to a pipe as it is");
}
