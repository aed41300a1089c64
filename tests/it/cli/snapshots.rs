//! What people read, as it looks: one committed file a situation, below `snapshots/`.
//!
//! `SNAPSHOTS=overwrite cargo test --test it cli::snapshots` writes them anew; then read the difference. The jobs are made
//! by hand with the same ids each time, and whatever has to differ (places, times, numbers of processes) is redacted.

use super::screen::on_terminal;
use super::{DAY, HOUR, Held, configure, elsewhere, entry, index_of};
use crate::support::{BGCTL, User, until};
use regex::Regex;
use serde_json::{Value, json};
use snapbox::{Assert, Data, data::DataFormat};
use std::path::Path;

const MINUTE: i64 = 60;

/// An instant so long ago that the words for it stay the same while a slow machine looks.
fn ago(seconds: i64) -> String {
    let at = chrono::Utc::now() - chrono::TimeDelta::seconds(seconds + 25);
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Begun so long ago, and ended so many seconds later.
#[expect(clippy::needless_pass_by_value, reason = "every caller writes the value where it calls")]
fn ran(began: i64, took: i64, more: Value) -> Value {
    let began = chrono::Utc::now() - chrono::TimeDelta::seconds(began + 25);
    let at = |seconds| {
        (began + chrono::TimeDelta::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    let mut fields = json!({ "created_at": at(-3), "started_at": at(0), "ended_at": at(took), "attempt": 1 });
    fields.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    fields
}

/// Jobs in every state, with names and commands of several lengths.
pub fn mixed() -> Vec<Value> {
    let claim = elsewhere();
    vec![
        entry(
            "bakup2",
            "running",
            &json!({ "created_at": ago(3 * HOUR + 5 * MINUTE), "started_at": ago(3 * HOUR + 4 * MINUTE),
            "attempt": 1, "claim": claim, "name": "backup", "labels": ["nightly"],
            "command": "rsync --archive --delete --partial /home/ann/ storage:/backup/ann/", "cwd": "/home/ann" }),
        ),
        entry(
            "devsrv",
            "running",
            &json!({ "created_at": ago(2 * DAY), "started_at": ago(2 * DAY),
            "attempt": 1, "claim": claim, "name": "dev-server", "service": true, "timeout_seconds": null,
            "limits_from": { "timeout": "service" }, "command": "npm run dev" }),
        ),
        entry(
            "cnvrt7",
            "running",
            &json!({ "created_at": ago(40 * MINUTE), "started_at": ago(40 * MINUTE), "paused_at": ago(12 * MINUTE),
            "attempt": 1, "claim": claim, "command": "ffmpeg -i 'holiday in the mountains.mov' -c:v libx265 out.mkv" }),
        ),
        entry(
            "endng2",
            "running",
            &json!({ "created_at": ago(50 * MINUTE), "started_at": ago(50 * MINUTE), "attempt": 1, "claim": claim,
            "ending": { "why": "cancel", "at": ago(MINUTE) }, "command": "sleep 1h" }),
        ),
        entry(
            "next22",
            "queued",
            &json!({ "created_at": ago(20 * MINUTE), "command": "make -j4", "name": "build" }),
        ),
        entry(
            "secnd2",
            "queued",
            &json!({ "created_at": ago(15 * MINUTE), "command": "make test", "name": "日本語の名前" }),
        ),
        entry(
            "pausd2",
            "queued",
            &json!({ "created_at": ago(14 * MINUTE), "paused_at": ago(13 * MINUTE), "command": "true" }),
        ),
        entry(
            "apprv2",
            "waiting_approval",
            &json!({ "created_at": ago(30 * MINUTE), "command": "terraform apply" }),
        ),
        entry(
            "cmpltd",
            "completed",
            &ran(5 * HOUR, 45, json!({ "exit_code": 0, "name": "lint", "command": "cargo clippy" })),
        ),
        entry(
            "faaled",
            "failed",
            &ran(
                6 * HOUR,
                5_400,
                json!({ "exit_code": 2, "summary": "exit code 2", "labels": ["nightly", "big"], "command": "make check" }),
            ),
        ),
        entry(
            "kaaled",
            "failed",
            &ran(
                7 * HOUR,
                600,
                json!({ "signal": 9, "summary": "killed by SIGKILL", "command": "python3 train.py" }),
            ),
        ),
        entry(
            "tmdout",
            "failed",
            &ran(
                9 * HOUR,
                1_800,
                json!({ "signal": 15, "command": "sleep inf",
            "ending": { "why": "timeout", "at": ago(8 * HOUR) },
            "summary": "timed out after 30m, the default; --timeout sets another; killed by SIGTERM" }),
            ),
        ),
        entry(
            "canced",
            "cancelled",
            &ran(
                DAY,
                30,
                json!({ "signal": 15, "command": "./deploy.sh",
            "ending": { "why": "cancel", "at": ago(DAY) }, "summary": "cancelled; killed by SIGTERM" }),
            ),
        ),
        entry(
            "drynn2",
            "completed",
            &ran(
                2 * DAY,
                1,
                json!({ "exit": "not_executed", "summary": "nothing was executed", "command": "rm -r build" }),
            ),
        ),
    ]
}

fn user_of(entries: &[Value]) -> User {
    let user = User::new();
    user.write_index(&index_of(entries));
    user
}

/// What was typed, and what is read then: standard output, standard error, and the code where it is not 0.
fn typed(user: &User, arguments: &[&str]) -> String {
    let ran = user.run(arguments);
    let command: Vec<_> = arguments.iter().map(|word| shlex::try_quote(word).unwrap()).collect();
    let mut text = format!("$ bgctl {}\n{}", command.join(" "), ran.out);
    if !ran.err.is_empty() {
        text.push_str(&format!("[standard error]\n{}", ran.err));
    }
    if ran.code != 0 {
        text.push_str(&format!("[exit code {}]\n", ran.code));
    }
    text
}

/// The same for several commands.
fn session(user: &User, commands: &[&[&str]]) -> String {
    let texts: Vec<String> = commands.iter().map(|arguments| typed(user, arguments)).collect();
    texts.join("\n")
}

/// The same on a terminal that is so wide, with its colours; no line of it may be wider than that.
#[track_caller]
fn on_screen(user: &User, columns: u16, arguments: &[&str]) -> String {
    let mut command = user.command("sh");
    command.args(["-c", "\"$@\" 2>&1; exit 0", "sh", BGCTL]).args(arguments);
    let text = on_terminal(command, columns);
    let plain = super::screen::without_colours(&text);
    let widest = plain.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0);
    assert!(widest <= usize::from(columns), "{widest} columns of {columns}:\n{plain}");
    format!("$ bgctl {}   [{columns} columns]\n{text}", arguments.join(" "))
}

/// Holds a text against its file.
#[track_caller]
fn snapshot(user: &User, name: &str, text: &str) {
    let root = user.root().display().to_string();
    let mut text = text
        .replace(&root, "ROOT")
        .replace(user.root().parent().unwrap().to_str().unwrap(), "HERE")
        .replace('\x1b', "␛");
    for (pattern, instead) in [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+00:00", "2026-02-13 10:00:00 +00:00"),
        (r"damaged-\d{8}-\d{6}", "damaged-20260213-100000"),
        (r"\(\ds ago\)", "(1s ago)"),
        (r"process \d+", "process 12345"),
        (r"no sign of life for \w+", "no sign of life for 3h4m5s"),
        (r"\(1m\d+s ago\)", "(1m30s ago)"),
        (r"\(first \w+, second \w+\)", "(first ab2, second cd3)"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
    }
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli/snapshots").join(format!("{name}.txt"));
    let committed = Data::read_from(&path, Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").normalize_paths(false).eq(text, committed);
}

#[test]
fn list_without_jobs() {
    let user = User::new();
    snapshot(&user, "list_empty", &session(&user, &[&["list"], &["list", "--status", "failed"]]));
}

#[test]
fn list_in_a_pipe() {
    let user = user_of(&mixed());
    let commands: [&[&str]; 4] = [
        &["list"],
        &["list", "--limit", "2"],
        &["list", "--columns", "id,created,labels,timeout,place"],
        &["list", "--all", "--format", "{id} {status} {exit} {command}"],
    ];
    let text = session(&user, &commands);
    let text =
        Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap().replace_all(&text, "2026-02-13 10:00:00");
    snapshot(&user, "list", &text);
}

#[test]
fn list_on_terminals() {
    let user = user_of(&mixed());
    let texts = [120, 80, 40].map(|columns| on_screen(&user, columns, &["list"]));
    snapshot(&user, "list_terminals", &texts.join("\n"));
}

#[test]
fn list_with_more_than_is_shown() {
    let entries: Vec<Value> = (0..14)
        .map(|number| {
            entry(
                &format!("aaaa{}{}", number / 7 + 2, number % 7 + 2),
                "completed",
                &ran(DAY - number * HOUR, 5, json!({ "exit_code": 0 })),
            )
        })
        .collect();
    let user = user_of(&entries);
    snapshot(&user, "list_more", &typed(&user, &["list"]));
}

/// Schedules of each kind: one that goes well, one that fails, one that is held back, one of the program's own.
fn scheduled() -> Value {
    let at = |seconds: i64| ago(-seconds - 80);
    let one = |rhythm: Value, more: Value| {
        let run = json!({ "command": "./backup.sh --full", "argv": ["./backup.sh", "--full"], "cwd": "/home/ann",
            "timeout_seconds": 7200, "limits_from": { "timeout": "flag" }, "stale_after_seconds": 3600,
            "labels": ["nightly"], "env_names": ["TARGET"] });
        let mut fields = json!({ "rhythm": rhythm, "task": { "run": run }, "added_at": ago(9 * DAY) });
        fields.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        fields
    };
    let every = |seconds: i64| json!({ "every": { "seconds": seconds } });
    let nightly = json!({ "cron": { "expression": "30 2 * * 1-5", "zone": "Europe/Berlin" } });
    let last = |result: &str, id: &str, seconds: i64, note: Value| json!({ "id": format!("bg_20260213_{id}"), "at": ago(seconds), "result": result, "note": note });
    json!({
        "backup": one(nightly.clone(), json!({ "next_at": at(9 * HOUR), "source": "file", "health": {
            "last": last("succeeded", "bakup2", 15 * HOUR, Value::Null), "last_success_at": ago(15 * HOUR), "runs": 6,
            "missed": 1, "recent_ms": [61_000, 75_000, 3_200_000] } })),
        "mirror": one(every(6 * HOUR), json!({ "next_at": at(5 * HOUR), "restart_at": at(2 * HOUR), "overlap": "replace", "jitter_seconds": 300,
            "health": { "last": last("failed", "mirrr2", 20 * MINUTE, "exit code 7".into()), "runs": 40, "failed": 3,
            "failures_in_row": 3, "last_success_at": ago(DAY), "overlapped": 2, "recent_ms": [900, 1_100] } })),
        "news": one(every(15 * MINUTE), json!({ "paused_at": ago(2 * DAY), "restarts": false, "missed": "none", "health": {} })),
        "retention": { "rhythm": every(HOUR), "task": "retention", "source": "built_in", "added_at": ago(9 * DAY),
            "next_at": at(HOUR), "health": { "last": { "at": ago(40 * MINUTE), "result": "succeeded",
            "note": "3 ended jobs removed" }, "last_success_at": ago(40 * MINUTE), "runs": 200, "recent_ms": [4, 5] } },
    })
}

#[test]
fn schedules() {
    let user = User::new();
    let mut text = session(&user, &[&["schedule"], &["schedule", "show", "backup"]]);
    let index = index_of(&[]).replacen("\"jobs\":", &format!("\"schedules\":{},\"jobs\":", scheduled()), 1);
    user.write_index(&index);
    let shown = session(
        &user,
        &[
            &["schedule"],
            &["schedule", "list", "news"],
            &["schedule", "show", "backup"],
            &["schedule", "show", "mirror"],
            &["schedule", "show", "news"],
            &["schedule", "show", "retention"],
            &["schedule", "show", "nwes"],
        ],
    );
    text.push_str(&format!("\n{shown}"));
    for columns in [100, 80, 60, 40] {
        text.push_str(&format!("\n{}", on_screen(&user, columns, &["schedule"])));
    }
    // What is left until each night changes from day to day.
    let text = Regex::new(r"\(in \w+\)").unwrap().replace_all(&text, "(in 9h)");
    snapshot(&user, "schedules", &text);
}

#[test]
fn overview() {
    let user = User::new();
    let mut text = typed(&user, &[]);
    user.write_index(&index_of(&mixed()));
    text.push_str(&format!("\n{}", typed(&user, &[])));
    snapshot(&user, "overview", &text);
}

#[test]
fn overview_on_terminals() {
    let user = user_of(&mixed());
    // Where it is without a variable that says so, which leaves the place out.
    let config = user.path("home/.config");
    std::fs::create_dir(&config).unwrap();
    std::fs::rename(user.root(), config.join("bg")).unwrap();
    let plain = |columns| {
        let mut command = user.bgctl([] as [&str; 0]);
        command.env_remove("BG_HOME");
        on_terminal(command, columns)
    };
    let texts = [80, 40].map(|columns| format!("$ bgctl   [{columns} columns]\n{}", plain(columns)));
    snapshot(&user, "overview_terminals", &texts.join("\n"));
}

#[test]
fn status_of_each_state() {
    let user = user_of(&mixed());
    for random in [
        "bakup2", "devsrv", "cnvrt7", "endng2", "next22", "secnd2", "pausd2", "apprv2", "cmpltd", "faaled",
        "kaaled", "tmdout", "canced", "drynn2",
    ] {
        let status = entry_status(random);
        snapshot(&user, &format!("status_{status}_{random}"), &typed(&user, &["status", random]));
    }
}

fn entry_status(random: &str) -> String {
    let entries = mixed();
    let entry = entries.iter().find(|entry| entry["id"].as_str().unwrap().ends_with(random)).unwrap();
    entry["status"].as_str().unwrap().to_owned()
}

#[test]
fn status_of_an_end_with_everything() {
    let usage = json!({ "memory_peak_kib": 2_048, "cpu_user_ms": 61_500, "cpu_system_ms": 250 });
    let left =
        json!([{ "pid": 77, "start": 5, "name": "agent" }, { "pid": 78, "start": 6, "name": "logger" }]);
    let changes = json!({ "exit_code": 3, "usage": usage, "leftovers": left, "claim": elsewhere(), "labels": ["nightly", "big"],
        "name": "everything", "parent": "bg_20260213_cmpltd", "stdin": "/dev/zero", "env_names": ["TOKEN", "MODE"],
        "grace_seconds": 3, "limits_from": { "grace": "flag", "timeout": "config" },
        "summary": "exit code 3; 2 processes ended after it", "command": "make all" });
    let mut entries = mixed();
    entries.push(entry("evrthn", "failed", &ran(HOUR, 125, changes)));
    let user = user_of(&entries);
    snapshot(&user, "status_everything", &typed(&user, &["status", "everything"]));
    let text = on_screen(&user, 80, &["status", "everything"]);
    snapshot(&user, "status_everything_terminal", &text);
}

#[test]
fn status_of_a_running_job_and_what_start_and_wait_say() {
    let user = User::new();
    let one = Held::start_with(&user, "one", "", &["--name", "first"]);
    let two = Held::start_with(
        &user,
        "two",
        "echo 'checking…'; echo 'no such file: data.csv' >&2",
        &["--name", "second"],
    );
    let mut ids = vec![one.id.clone(), two.id.clone()];
    let mut named = |ran: crate::support::Ran, text: &mut String, line: &str| {
        ids.push(ran.out.trim().to_owned());
        text.push_str(&format!("$ bgctl {line}\n{}[standard error]\n{}\n", ran.out, ran.err));
    };
    let mut text = String::new();
    named(user.run(["start", "--name", "third", "--", "true"]), &mut text, "start --name third -- true");
    named(user.run(["start", "--", "true"]), &mut text, "start -- true");
    text.push_str(&typed(
        &user,
        &["start", "--dry-run", "--service", "--env", "A=1", "--", "npm", "run", "dev"],
    ));
    text.push_str(&format!("\n{}", typed(&user, &["wait", "--within", "0", "third"])));
    until("it wrote", || {
        std::fs::read_to_string(user.root().join(format!("runs/{}.log", two.id)))
            .unwrap()
            .contains("data.csv")
    });
    let status = typed(&user, &["status", &one.id]);
    two.let_go(3);
    user.wait(&two.id);
    text.push_str(&format!("\n{}", typed(&user, &["wait", "second"])));
    let others = ids.split_off(2);
    for id in &others {
        user.wait(id);
    }
    text.push_str(&format!("\n{}", typed(&user, &["wait", &others[0], &others[1]])));
    let same = |text: &str| {
        let mut text = text.to_owned();
        for (id, random) in [&one.id, &two.id, &others[0], &others[1]]
            .into_iter()
            .zip(["first2", "secnd2", "third2", "forth2"])
        {
            text = text.replace(id.as_str(), &format!("bg_20260213_{random}"));
            text = text.replace(id.rsplit('_').next().unwrap(), random);
        }
        text
    };
    snapshot(&user, "start_and_wait", &same(&text));
    let mut status = same(&status);
    for (pattern, instead) in [
        (r"\(\d+s ago\)", "(1s ago)"),
        (r"run time  \d+s", "run time  1s"),
        (r"host  \S+", "host  HOST"),
        (r"uses  .*", "uses  0.01 s of processor time so far, 2 MiB of memory, 1 process"),
        (r"(?m)^ *PID .*", "  PID  CPU TIME  MEMORY  PROCESS"),
        (r"(?m)^ *\d+ +\d+\.\d\d s  +[0-9.]+ [MK]iB", "12345    0.01 s   2 MiB"),
    ] {
        status = Regex::new(pattern).unwrap().replace_all(&status, instead).into_owned();
    }
    snapshot(&user, "status_running", &status);
    one.let_go(0);
}

#[test]
fn send_and_signal() {
    let mut entries = mixed();
    for entry in &mut entries {
        if entry["status"] != "completed" {
            entry["stdin_pipe"] = true.into();
        }
        // So that no pass starts it.
        if entry["status"] == "queued" {
            entry["not_before"] = "2126-01-01T00:00:00Z".into();
        }
    }
    let user = user_of(&entries);
    let commands: [&[&str]; 13] = [
        &["send", "next22", "x"],
        &["send", "apprv2", "x"],
        &["send", "cmpltd", "x"],
        &["send", "secnd2", "x"],
        &["send", "bakup2", "--eof"],
        &["send", "next22"],
        &["send"],
        &["signal", "next22", "apprv2", "cmpltd", "bakup2", "HUP"],
        &["signal", "bakup2", "HPU"],
        &["signal", "bakup2", "0"],
        &["signal", "bakup2"],
        &["signal", "HUP"],
        &["signal"],
    ];
    snapshot(&user, "send_signal", &session(&user, &commands));
}

#[test]
fn cancel_set_pause_and_resume() {
    let mut entries = mixed();
    for entry in &mut entries {
        // So that no pass starts it.
        if entry["status"] == "queued" {
            entry["not_before"] = "2126-01-01T00:00:00Z".into();
        }
    }
    let user = user_of(&entries);
    let commands: [&[&str]; 12] = [
        &["pause", "next22", "pausd2", "cmpltd", "apprv2", "endng2"],
        &["resume", "next22", "secnd2", "faaled"],
        &["set", "next22", "--name", "release", "--label", "big", "--timeout", "2h", "--grace", "none"],
        &["set", "next22", "--name", "release"],
        &["set", "cmpltd", "--name", "x"],
        &["cancel", "next22"],
        &["cancel", "next22"],
        &["cancel", "secnd2", "pausd2", "cmpltd"],
        &["cancel", "--label", "nobody"],
        &["cancel", "bakup2", "--no-wait"],
        &["cancel", "--all"],
        &["pause", "--label", "nobody"],
    ];
    snapshot(&user, "cancel_set_pause_resume", &session(&user, &commands));
}

#[test]
fn prune_and_tick() {
    let user = user_of(&mixed());
    let commands: [&[&str]; 5] = [
        &["tick", "--dry-run"],
        &["prune"],
        &["prune", "--older-than", "6h", "--dry-run"],
        &["prune", "--all"],
        &["prune", "--status", "running"],
    ];
    snapshot(&user, "prune_and_tick", &session(&user, &commands));
}

#[test]
fn faults_say_what_to_do_next() {
    let mut entries = mixed();
    entries.push(entry(
        "bakup3",
        "completed",
        &ran(4 * HOUR, 5, json!({ "exit_code": 0, "command": "true", "name": "old backup" })),
    ));
    let user = user_of(&entries);
    let commands: [&[&str]; 16] = [
        &["status", "bakcup"],
        &["status", "zz"],
        &["status", "ba"],
        &["status", "b"],
        &["logs", "cmpltd"],
        &["logs", "--attempt", "4", "cmpltd"],
        &["list", "--al"],
        &["list", "--status", "runing"],
        &["list", "--format", "{staus}"],
        &["lst"],
        &["start"],
        &["start", "--timeout", "5 parsecs", "--", "true"],
        &["start", "--", "no-such-program"],
        &["start", "make -j4 && make check"],
        &["wait", "nobody"],
        &["cancel"],
    ];
    snapshot(&user, "faults", &session(&user, &commands));
}

#[test]
fn faults_of_the_files() {
    let user = user_of(&mixed());
    configure(&user, "[queue]\nmax_concurent = 4\n");
    let mut text = session(&user, &[&["start", "--", "true"], &["list", "--limit", "1"]]);
    std::fs::remove_file(user.root().join("config.toml")).unwrap();
    for index in [
        "{\"version\":1,\"jobs\":[{]}",
        "{\"version\":9,\"jobs\":[]}",
        "{\"version\":1,\"requires\":[\"teleport\"],\"jobs\":[]}",
        "{\"version\":1,\"jobs\":[{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"odd\"}]}",
    ] {
        user.write_index(index);
        text.push_str(&format!(
            "\n[the index is {index}]\n{}",
            session(&user, &[&["list"], &["start", "--", "true"]])
        ));
    }
    snapshot(&user, "faults_of_files", &text);
}

#[test]
fn a_damaged_index_and_its_rebuild() {
    let user = user_of(&mixed());
    let commands: [&[&str]; 2] = [&["store"], &["store", "check"]];
    let mut text = session(&user, &commands);
    let index = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let torn = index.replacen("\"id\":\"bg_20260213_cmpltd\"", "\"id\":\"bg_20260213_cmpltd", 1);
    user.write_index(&torn);
    let commands: [&[&str]; 6] = [
        &["list"],
        &["store", "check"],
        &["store", "rebuild", "--dry-run"],
        &["store", "rebuild"],
        &["store", "rebuild"],
        &["store", "check"],
    ];
    text.push_str(&format!("\n[a byte of the index is lost]\n{}", session(&user, &commands)));
    snapshot(&user, "store", &text);
}
