//! Sessions of the settings file: kept alive by ordinary jobs, and what is said where they cannot be.

use crate::support::{Ran, User, until};
use bgctl::ops::home::{BrokenConfig, Home};
use bgctl::ops::schedule::sessions::{self, Standing};
use bgctl::store::Store;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// Waits after failures are short, so that a test sees some of them.
const QUICK: &str =
    "[recurring]\nrestart_delay = \"1s\"\nrestart_max_delay = \"4s\"\nrestart_jitter_percent = 0\n";

impl User {
    /// Writes the settings. `@` stands for the test's own folder.
    fn sessions(&self, text: &str) {
        self.make_root();
        let text = text.replace('@', self.path("").to_str().unwrap().trim_end_matches('/'));
        std::fs::write(self.root().join("config.toml"), format!("{QUICK}{text}")).unwrap();
    }

    /// A program of that name in the test's own folder.
    fn program(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\ncd {}\n{text}\n", self.path("").display())).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// The schedule of a session, as the index has it; null where it has none.
    fn session(&self, name: &str) -> Value {
        self.index()["schedules"][format!("session_refresh.{name}")].clone()
    }

    /// The runs of a session, the oldest first.
    fn refreshes(&self, name: &str) -> Vec<Value> {
        let listed = self.ok(["list", "--all", "--json", "--label", &format!("session:{name}")]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let mut jobs = listed["jobs"].as_array().unwrap().clone();
        jobs.sort_by_key(|job| job["created_at"].as_str().unwrap().to_owned());
        jobs
    }

    /// The last run, once there are so many that have ended.
    #[track_caller]
    fn refreshed(&self, name: &str, times: usize) -> Value {
        let ended = |user: &Self| {
            let mut runs = user.refreshes(name);
            runs.retain(|job| !job["ended_at"].is_null());
            runs
        };
        until("it is refreshed", || ended(self).len() >= times);
        ended(self)[times - 1].clone()
    }

    /// How a session stands, as a program of this user is told.
    fn standing(&self, name: &str) -> Standing {
        let home = Home::open_at(&self.root(), BrokenConfig::Stops).unwrap();
        let facts = home.store().read().unwrap();
        sessions::list(&home, &facts).into_iter().find(|one| one.name == name).unwrap()
    }

    /// The log of a job.
    fn said_by(&self, job: &Value) -> String {
        self.ok(["logs", job["id"].as_str().unwrap()])
    }
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A session that is a file with the time at which it runs out; renewing it adds some seconds to now.
fn file_session(user: &User, seconds: u32, rest: &str) {
    user.program("renew", &format!("echo $(($(date +%s) + {seconds})) > valid; echo renewed >> times"));
    user.sessions(&format!(
        "[sessions.file]\nrefresh = [\"@/renew\"]\nexpires = [\"cat\", \"@/valid\"]\n{rest}"
    ));
}

#[test]
fn a_session_is_renewed_before_it_runs_out_by_the_alarm_alone_after_one_tick() {
    let user = User::new();
    file_session(&user, 6, "refresh_before = \"3s\"\n");
    user.ok(["tick"]);
    let mut ends: Vec<DateTime<Utc>> = Vec::new();
    for run in 1..=3 {
        let job = user.refreshed("file", run);
        assert_eq!(job["status"], "completed", "{}", user.said_by(&job));
        if let Some(end) = ends.last() {
            assert!(time(&job["started_at"]) < *end, "before it ran out at {end}: {job}");
        }
        until("the new time is known", || {
            let end = time(&user.session("file")["valid_until"]);
            ends.last().is_none_or(|last| end > *last) && {
                ends.push(end);
                true
            }
        });
    }
    let job = user.refreshed("file", 1);
    assert_eq!((&job["name"], &job["labels"]), (&json!("session_refresh.file"), &json!(["session:file"])));
    assert!(user.said_by(&job).contains("session file: renewed, valid until 20"), "{}", user.said_by(&job));
    assert!(job["command"].as_str().unwrap().ends_with("/renew"), "people see the user's command: {job}");
    let standing = user.standing("file");
    assert!(standing.is_renewable && standing.problem.is_none() && standing.failures_in_row == 0);
    assert!(standing.valid_until.is_some() && standing.last_refresh_at.is_some());
}

#[test]
fn a_session_with_a_ttl_is_valid_for_that_long_after_its_refresh() {
    let user = User::new();
    user.sessions("[sessions.cli]\nrefresh = \"echo hello | tr a-z A-Z\"\nttl = \"8h\"\n");
    user.ok(["tick"]);
    let job = user.refreshed("cli", 1);
    assert!(
        user.said_by(&job).starts_with("HELLO\nsession cli: renewed, valid until "),
        "{}",
        user.said_by(&job)
    );
    let session = user.session("cli");
    let valid = (time(&session["valid_until"]) - time(&job["started_at"])).num_seconds();
    assert!((8 * 3_600 - 1..8 * 3_600 + 30).contains(&valid), "{valid}");
    let before = (time(&session["valid_until"]) - time(&session["next_at"])).num_seconds();
    assert_eq!(before, 600, "ten minutes before it runs out, where nothing else is said");
    user.ok(["tick"]);
    assert_eq!(user.refreshes("cli").len(), 1);
}

#[test]
fn what_somebody_renewed_by_hand_is_written_down_and_not_renewed_again() {
    let user = User::new();
    file_session(&user, 60, "refresh_before = \"1m\"\n");
    let until = Utc::now().timestamp() + 3_600;
    std::fs::write(user.path("valid"), format!("{until}\n")).unwrap();
    user.ok(["tick"]);
    let job = user.refreshed("file", 1);
    assert_eq!(job["status"], "completed");
    assert!(user.said_by(&job).contains("nothing to do yet"), "{}", user.said_by(&job));
    assert!(!user.path("times").exists());
    assert_eq!(time(&user.session("file")["valid_until"]).timestamp(), until);
    assert_eq!(time(&user.session("file")["next_at"]).timestamp(), until - 60);
}

#[test]
fn a_session_without_a_refresh_is_left_out_and_that_is_said() {
    let user = User::new();
    user.sessions("[sessions.byhand]\nttl = \"8h\"\n");
    let ran = user.run(["config", "check"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("config.toml:5: note: sessions.byhand has no refresh"), "{}", ran.err);
    let notes = user.run(["config", "check", "--json"]).json()["notes"].clone();
    assert_eq!((&notes[0]["line"], &notes[0]["key"]), (&json!(5), &json!("sessions.byhand")));
    let ran = user.run(["tick"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(!user.standing("byhand").is_renewable);
    user.start(["--", "true"]);
    assert!(user.session("byhand").is_null());
}

#[test]
fn a_refresh_that_fails_is_tried_again_after_growing_waits_and_counted() {
    let user = User::new();
    user.program("renew", "echo no >&2; exit 7");
    user.sessions("[sessions.bad]\nrefresh = [\"@/renew\"]\nttl = \"1h\"\n");
    user.ok(["tick"]);
    let runs: Vec<Value> = (1..=4).map(|run| user.refreshed("bad", run)).collect();
    let waits: Vec<i64> = runs
        .windows(2)
        .map(|two| (time(&two[1]["created_at"]) - time(&two[0]["ended_at"])).num_milliseconds())
        .collect();
    for (wait, least) in waits.iter().zip([1_000, 2_000, 4_000]) {
        assert!((least - 50..least + 1_500).contains(wait), "{waits:?}");
    }
    assert_eq!((&runs[3]["status"], &runs[3]["exit_code"]), (&json!("failed"), &json!(7)));
    assert_eq!(user.said_by(&runs[3]), "no\nsession bad: refresh ended with exit code 7\n");
    let standing = user.standing("bad");
    assert!(standing.failures_in_row >= 4 && standing.last_refresh_at.is_none());
    assert!(standing.next_refresh_at.is_some() || standing.active.is_some());
    let problem = standing.problem.unwrap();
    assert!(problem.contains("refresh ended with exit code 7"), "{problem}");
}

#[test]
fn a_refresh_that_ends_well_and_renews_nothing_has_failed() {
    let user = User::new();
    file_session(&user, 0, "refresh_before = \"1m\"\n");
    user.program("renew", "true");
    let until = Utc::now().timestamp() + 30;
    std::fs::write(user.path("valid"), until.to_string()).unwrap();
    user.ok(["tick"]);
    let job = user.refreshed("file", 1);
    assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &json!(1)));
    assert!(user.said_by(&job).contains("renewed nothing: still valid until 20"), "{}", user.said_by(&job));
    assert_eq!(time(&user.session("file")["valid_until"]).timestamp(), until, "what is known is known");
    assert_eq!(user.session("file")["health"]["overlapped"], Value::Null);
    let problem = user.standing("file").problem.unwrap();
    assert!(problem.contains("renewed nothing"), "{problem}");
}

#[test]
fn a_session_that_is_shorter_than_the_time_in_which_it_is_renewed_says_what_to_change() {
    let user = User::new();
    file_session(&user, 120, "");
    user.ok(["tick"]);
    let job = user.refreshed("file", 1);
    assert_eq!(job["status"], "failed");
    assert!(user.said_by(&job).contains("it needs another refresh_before"), "{}", user.said_by(&job));
}

#[test]
fn what_expires_prints_has_to_be_a_time_and_is_shown_where_it_is_none() {
    let user = User::new();
    user.sessions(
        "[sessions.long]\nrefresh = [\"true\"]\nexpires = \"echo 'tomorrow, \\u001b[31mperhaps, at some time or other, who knows'\"\n\
         [sessions.silent]\nrefresh = [\"true\"]\nexpires = [\"true\"]\n\
         [sessions.none]\nrefresh = [\"true\"]\nexpires = [\"@/none\"]\n\
         [sessions.false]\nrefresh = [\"true\"]\nexpires = \"exit 3\"\n",
    );
    user.ok(["tick"]);
    for (name, said) in [
        ("long", "expires printed what is no time: \"tomorrow, \\u{1b}[31mperhaps, at some time or …\""),
        ("silent", "expires printed nothing: true"),
        ("none", "/none: command not found"),
        ("false", "expires ended with exit code 3: exit 3"),
    ] {
        let job = user.refreshed(name, 1);
        assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &json!(1)), "{name}");
        assert!(user.said_by(&job).contains(said), "{name}: {}", user.said_by(&job));
    }
}

#[test]
fn a_refresh_that_hangs_is_ended_in_its_time_and_delays_nobody() {
    let user = User::new();
    user.sessions(
        "[queue]\nmax_concurrent = 1\n\
         [sessions.hangs]\nrefresh = \"sleep 1000 & sleep 1000\"\nttl = \"1h\"\ntimeout = \"2s\"\n\
         [sessions.mute]\nrefresh = [\"true\"]\nexpires = \"sleep 1000 | cat\"\ntimeout = \"2s\"\n\
         [sessions.good]\nrefresh = [\"true\"]\nttl = \"1h\"\n",
    );
    let gate = user.fifo("gate");
    let long = user.start(["--", "cat", gate.to_str().unwrap()]);
    until("the only slot is taken", || user.status(&long) == "running");
    user.ok(["tick"]);
    let good = user.refreshed("good", 1);
    assert_eq!(good["status"], "completed");
    let hanging = user.refreshed("hangs", 1);
    assert!(time(&good["ended_at"]) < time(&hanging["ended_at"]), "nobody waited for it");
    assert!(hanging["summary"].as_str().unwrap().contains("timed out after 2s"), "{hanging}");
    assert!(user.standing("hangs").problem.unwrap().contains("timed out"));
    assert_eq!(user.refreshed("mute", 1)["status"], "failed");
    assert_eq!(user.status(&long), "running");
    user.ok(["cancel", &long]);
}

#[test]
fn a_section_that_is_gone_takes_its_schedule_with_it_and_one_that_changed_is_looked_after_at_once() {
    let user = User::new();
    user.sessions("[sessions.one]\nrefresh = [\"false\"]\nttl = \"1h\"\nrefresh_before = \"10m\"\n");
    user.ok(["tick"]);
    user.refreshed("one", 1);
    // Only the time for which it is valid: neither the command nor when it is renewed.
    user.sessions("[sessions.one]\nrefresh = [\"true\"]\nttl = \"2h\"\nrefresh_before = \"10m\"\n");
    user.ok(["tick"]);
    until("the mended one succeeds", || user.standing("one").last_refresh_at.is_some());
    user.sessions("[sessions.one]\nrefresh = [\"true\"]\nttl = \"3h\"\nrefresh_before = \"10m\"\n");
    let before = time(&user.session("one")["valid_until"]);
    user.ok(["tick"]);
    until("the new ttl holds", || {
        let session = user.session("one");
        session["valid_until"].is_string() && (time(&session["valid_until"]) - before).num_minutes() >= 59
    });
    user.sessions("");
    user.ok(["tick"]);
    assert!(user.session("one").is_null());
    assert!(!user.refreshes("one").is_empty(), "its runs stay");
}

#[test]
fn a_mistake_in_a_section_is_named_with_its_line_and_is_that_sessions_alone() {
    let user = User::new();
    user.sessions(
        "[sessions.good]\nrefresh = [\"true\"]\nttl = \"1h\"\n\
         [sessions.bad]\nrefresh = [\"true\"]\nttl = \"soon\"\n",
    );
    let ran = user.run(["tick"]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("config.toml:10:1: sessions.bad.ttl: expected a duration"), "{}", ran.err);
    assert_eq!(user.refreshed("good", 1)["status"], "completed");
    assert!(user.standing("bad").problem.unwrap().contains("expected a duration"));
    for (section, said) in [
        ("refresh = [\"true\"]", "nothing says how long it is valid"),
        ("refresh = [\"true\"]\nttl = \"1h\"\nexpires = [\"date\"]", "one of both"),
        ("refresh = []\nttl = \"1h\"", "sessions.bad.refresh: there is no command in it"),
        ("refresh = 7\nttl = \"1h\"", "sessions.bad.refresh: expected a list of words"),
        ("refresh = [\"true\"]\nttl = 0", "sessions.bad.ttl: at least 1 second"),
        ("refresh = [\"true\"]\nttl = \"1h\"\nrefresh_before = \"2h\"", "renewed all the time"),
        (
            "refresh = [\"true\"]\nttl = \"1h\"\ntimeout = \"none\"",
            "sessions.bad.timeout: expected a duration",
        ),
        ("refresh = [\"true\"]\nttl = \"1h\"\nenv = \"A=1\"", "expected a table"),
        ("refresh = [\"true\"]\nttl = \"1h\"\npriority = \"huge\"", "expected one of: critical"),
        ("refresh = [\"true\"]\nttl = \"1h\"\nlabels = \"x\"", "expected a list of strings"),
        (
            "refresh = [\"true\"]\nttl = \"1h\"\nrefrsh_before = \"2m\"",
            ":8:1: sessions.bad.refrsh_before: there is no such key; did you mean refresh_before?",
        ),
    ] {
        user.sessions(&format!("[sessions.bad]\n{section}\n"));
        let ran = user.run(["config", "check"]);
        assert_eq!(ran.code, 78, "{section}");
        assert!(ran.err.contains(said), "{section}: {}", ran.err);
    }
    user.sessions("[sessions.\"a b\"]\nrefresh = [\"true\"]\nttl = \"1h\"\n");
    assert!(user.run(["config", "check"]).err.contains("a session's name is made of"));
}

/// Holds the index's lock as long as a sleep takes, and lets the refresh go on once it has it.
fn locks_for(user: &User, seconds: u32) -> Value {
    let script = format!(
        "flock bg/jobs.lock sh -c 'echo > held; exec sleep {seconds}' & until test -s held; do sleep 0.05; done"
    );
    user.program("renew", &script);
    let seconds = "[store]\nlock_timeout = \"1s\"\n";
    user.sessions(&format!("{seconds}[sessions.one]\nrefresh = [\"@/renew\"]\nttl = \"1h\"\n"));
    user.ok(["tick"]);
    user.refreshed("one", 1)
}

#[test]
fn what_was_renewed_is_written_down_also_when_the_index_is_busy_for_a_while() {
    let user = User::new();
    let job = locks_for(&user, 3);
    assert_eq!(job["status"], "completed", "{}", user.said_by(&job));
    assert!(user.session("one")["valid_until"].is_string());
}

#[test]
fn a_refresh_that_cannot_be_written_down_has_failed() {
    let user = User::new();
    let job = locks_for(&user, 1_000);
    assert_eq!((&job["status"], &job["exit_code"]), (&json!("failed"), &json!(1)));
    assert!(user.said_by(&job).contains("that could not be written down: "), "{}", user.said_by(&job));
    assert!(user.session("one")["valid_until"].is_null());
}

#[test]
fn a_cancelled_refresh_ends_its_command_and_is_followed_by_another() {
    let user = User::new();
    user.program("renew", "test -e again && exit 0; echo $$ > pid; exec sleep 1000");
    user.sessions("[sessions.one]\nrefresh = [\"@/renew\"]\nttl = \"1h\"\n");
    user.ok(["tick"]);
    let pid: i32 = user.line_in("pid").trim().parse().unwrap();
    std::fs::write(user.path("again"), "").unwrap();
    let job = user.refreshes("one")[0]["id"].as_str().unwrap().to_owned();
    user.ok(["cancel", &job]);
    assert!(!crate::support::is_alive(pid));
    assert_eq!(user.status(&job), "cancelled");
    assert_eq!(user.refreshed("one", 2)["status"], "completed");
}

#[test]
fn the_values_of_a_sections_variables_appear_nowhere_but_in_the_environment_that_is_kept_for_its_runs() {
    let user = User::new();
    let secret = "hunter2-and-more";
    user.program("renew", "test \"$PASSWORD\" = hunter2-and-more && echo fine");
    user.sessions(&format!(
        "[sessions.one]\nrefresh = [\"@/renew\"]\nexpires = [\"echo\", \"no time\"]\ntimeout = \"30s\"\nenv = {{ PASSWORD = \"{secret}\" }}\n"
    ));
    let mut seen = Vec::new();
    let mut look = |ran: Ran| seen.push(ran.out + &ran.err);
    look(user.run(["tick", "--verbose"]));
    let job = user.refreshed("one", 1);
    let id = job["id"].as_str().unwrap();
    assert!(
        user.said_by(&job).starts_with("session one: expires printed what is no time"),
        "{}",
        user.said_by(&job)
    );
    assert!(user.said_by(&job).contains("\nfine\n"), "the command has it: {}", user.said_by(&job));
    for arguments in [
        vec!["status", id],
        vec!["status", "--json", id],
        vec!["list", "--all", "--json"],
        vec!["logs", id],
        vec!["config", "show"],
        vec!["config", "check"],
    ] {
        look(user.run(arguments));
    }
    look(Ran::of(&user.bgctl(["tick", "--dry-run", "--json"]).output().unwrap()));
    seen.push(user.standing("one").problem.unwrap_or_default());
    for file in [
        "jobs.json",
        "events.jsonl",
        &format!("runs/{id}.log"),
        &format!("runs/{id}.meta.json"),
        &format!("runs/{id}.lock"),
    ] {
        seen.push(std::fs::read_to_string(user.root().join(file)).unwrap());
    }
    for text in seen {
        assert!(!text.contains(secret), "{text}");
    }
    user.sessions(&format!(
        "[sessions.one]\nrefresh = [\"true\"]\nttl = \"1h\"\nenv = {{ PASSWORD = [\"{secret}\"] }}\n"
    ));
    let ran = user.run(["config", "check"]);
    assert!(ran.err.contains("PASSWORD: expected a string") && !ran.err.contains(secret), "{}", ran.err);
}

#[test]
fn what_a_schedule_can_do_a_session_can() {
    let user = User::new();
    user.sessions("[sessions.one]\nrefresh = [\"true\"]\nttl = \"1h\"\ngroup = \"own\"\npriority = \"high\"\nlabels = [\"a:b\"]\ncwd = \"@\"\n[groups.own]\nslots = 1\n");
    user.ok(["tick"]);
    let job = user.refreshed("one", 1);
    assert_eq!(job["labels"], json!(["session:one", "a:b"]));
    assert_eq!((&job["group"], &job["priority"]), (&json!("own"), &json!("high")));
    assert_eq!(
        job["cwd"].as_str().unwrap().trim_end_matches('/'),
        user.path("").to_str().unwrap().trim_end_matches('/')
    );
    assert_eq!(user.session("one")["source"], "file");
    // The group that is built in is there with the sessions; who wants more slots says so.
    let groups = user.run(["group", "list", "--json"]).json()["groups"].clone();
    let built_in = groups.as_array().unwrap().iter().find(|one| one["name"] == "session_refresh").unwrap();
    assert_eq!((&built_in["slots"], &built_in["slots_from"]), (&json!(1), &json!("config")));
    assert_eq!(
        user.run(["group", "remove", "session_refresh"]).code,
        user.run(["group", "remove", "own"]).code
    );
    user.ok(["group", "add", "session_refresh", "--slots", "3"]);
    user.ok(["group", "remove", "session_refresh"]);
}
