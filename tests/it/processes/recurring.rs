//! What recurs with real processes: one that fails, hangs, floods or cannot be read stands in nobody's way.

use crate::support::{User, until};
use serde_json::Value;

/// The lines of the stream that are about a schedule's due times.
fn due_times(user: &User, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["event"] == "scheduled" && line["schedule"] == name && line["change"] == "due")
        .collect()
}

fn settings(user: &User, text: &str) {
    user.make_root();
    std::fs::write(user.root().join("config.toml"), text).unwrap();
}

/// What recurs goes with its settings, and so does the alarm.
fn calm(user: &User) {
    settings(user, "");
    user.ok(["tick"]);
    user.run(["cancel", "--all", "--signal", "KILL"]);
    user.all_gone();
}

const NEIGHBOURS: &str = r#"
[queue]
max_concurrent = 4
[recurring]
restart_delay = 1
[schedules.fails]
every = 1
argv = ["false"]
[schedules.hangs]
every = 1
argv = ["sleep", "1000"]
timeout = 2
grace = 0
[schedules.floods]
every = 1
shell = "yes"
timeout = 2
grace = 0
log_max = "64KiB"
[schedules.missing]
every = 1
argv = ["no-such-program-anywhere"]
[schedules.broken]
every = "soon"
argv = ["true"]
[schedules.good]
every = 1
argv = ["true"]
"#;

#[test]
fn one_that_fails_hangs_floods_or_cannot_be_read_delays_no_other() {
    let user = User::new();
    settings(&user, NEIGHBOURS);
    let ran = user.run(["tick"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("schedules.broken.every: expected a duration"), "{}", ran.err);
    until("the good one has run eight times", || due_times(&user, "good").len() >= 8);
    until("each of the bad ones has failed twice", || {
        ["fails", "hangs", "floods", "missing"]
            .iter()
            .all(|name| user.index()["schedules"][name]["health"]["failed"].as_u64() >= Some(2))
    });
    let good = due_times(&user, "good");
    assert!(good.iter().all(|line| line["fate"] == "submitted"), "{good:?}");
    let health = &user.index()["schedules"]["good"]["health"];
    assert_eq!((&health["failed"], &health["overlapped"]), (&Value::Null, &Value::Null), "{health}");
    for job in user.index()["jobs"].as_array().unwrap() {
        let log = user.root().join(format!("runs/{}.log", job["id"].as_str().unwrap()));
        let bytes = std::fs::metadata(log).map_or(0, |data| data.len());
        assert!(job["status"] == "running" || bytes <= 2 * 64 * 1024, "{bytes} bytes of {}", job["schedule"]);
    }
    calm(&user);
}

#[test]
fn a_schedule_of_the_settings_runs_at_home_with_few_variables_and_those_that_it_sets() {
    let user = User::new();
    settings(
        &user,
        "[schedules.it]\nevery = 1\nshell = 'pwd; env'\nenv = { COLOUR = \"b l u e\" }\nlabels = [\"x\"]\n\
        timeout = \"5m\"\nname = \"called\"\n",
    );
    let mut tick = user.bgctl(["tick"]);
    tick.env("SECRET_OF_WHOEVER_TICKS", "1");
    assert!(tick.status().unwrap().success());
    until("it has run", || user.index()["schedules"]["it"]["health"]["runs"].as_u64() >= Some(1));
    let index = user.index();
    let job = index["jobs"].as_array().unwrap().first().unwrap().clone();
    assert_eq!((job["schedule"].as_str(), job["name"].as_str()), (Some("it"), Some("called")));
    assert_eq!((&job["labels"][0], &job["timeout_seconds"]), (&Value::from("x"), &Value::from(300)));
    let log = user.ok(["logs", job["id"].as_str().unwrap()]);
    let home = user.path("home").display().to_string();
    assert!(log.starts_with(&home), "{log}");
    assert!(log.contains("COLOUR=b l u e\n") && log.contains("BG_JOB_ID="), "{log}");
    assert!(!log.contains("SECRET_OF_WHOEVER_TICKS") && !log.contains("BG_HOME="), "{log}");
    assert!(!std::fs::read_to_string(user.root().join("jobs.json")).unwrap().contains("b l u e"));
    calm(&user);
    let kept = std::fs::read_dir(user.root().join("env")).unwrap().count();
    assert_eq!(kept, 0, "its values go with it");
}

#[test]
fn a_settings_file_that_cannot_be_read_stops_nothing_that_recurs() {
    let user = User::new();
    settings(&user, "[schedules.it]\nevery = 1\nargv = [\"true\"]\n");
    user.ok(["tick"]);
    let runs = || user.index()["schedules"]["it"]["health"]["runs"].as_u64().unwrap_or(0);
    until("it has run", || runs() >= 1);
    settings(&user, "[schedules.it\nevery");
    let ran = user.run(["tick"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("the built-in settings hold until this is mended"), "{}", ran.err);
    let before = runs();
    until("it runs on", || runs() > before + 1);
    calm(&user);
}
