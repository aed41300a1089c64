//! `bgctl health`

use super::{Held, ago, configure, contents, entry, index_of, with_mounts};
use crate::support::{Ran, User, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

#[track_caller]
fn health(user: &User) -> Value {
    user.run(["health", "--json"]).json()
}

/// The kinds of the reasons.
fn kinds(object: &Value) -> Vec<String> {
    object["reasons"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

/// Runs so many jobs of that name, one after the other, which all fail.
#[track_caller]
fn fail(user: &User, name: &str, times: usize) {
    for _ in 0..times {
        assert_eq!(user.run(["start", "--quiet", "--wait", "--name", name, "--", "false"]).code, 1);
    }
}

/// The lines of the stream that tell how the whole is.
fn told(user: &User) -> Vec<Value> {
    let text = std::fs::read_to_string(user.root().join("events.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == "health").collect()
}

fn steps(user: &User) -> Vec<String> {
    let words =
        |line: &Value| format!("{} to {}", line["was"].as_str().unwrap(), line["status"].as_str().unwrap());
    told(user).iter().map(words).collect()
}

#[test]
fn a_root_that_is_not_there_is_well_and_is_not_made() {
    let user = User::new();
    for arguments in
        [&["health"][..], &["health", "--jobs"], &["health", "--prometheus"], &["health", "--json"]]
    {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
    }
    assert!(user.ok(["health"]).starts_with("ok\n"));
    assert_eq!(health(&user)["status"], "ok");
    assert!(!user.root().exists());
}

#[test]
fn the_verdict_comes_first_and_then_the_figures() {
    let user = User::new();
    let held = Held::start(&user, "it");
    user.start(["--name", "done", "--wait", "--", "true"]);
    let ran = user.run(["health"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!((lines[0], lines[1]), ("ok", ""), "{}", ran.out);
    for begins in [
        "jobs       1 running, 1 completed",
        "queue      0 of 100 wait (0%); 0 dead letters",
        "worker     1 processed in ",
        "watchers   none lost",
        "schedules  none",
        "disk       run files ",
        "last tick  never",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(begins)), "{begins:?}: {}", ran.out);
    }
    let object = health(&user);
    assert_eq!((&object["counts"]["running"], &object["worker"]["succeeded"]), (&json!(1), &json!(1)));
    assert!(
        object["disk"]["runs_bytes"].as_u64().unwrap() > 0
            && object["disk"]["free_bytes"].as_u64().unwrap() > 0
    );
    user.ok(["tick"]);
    assert!(health(&user)["last_tick_at"].is_string());
    held.let_go(0);
}

#[test]
fn looking_changes_nothing() {
    let user = User::new();
    fail(&user, "bad", 3);
    user.write_index(&std::fs::read_to_string(user.root().join("jobs.json")).unwrap());
    user.all_gone();
    let before = contents(&user.root());
    for arguments in
        [&["health"][..], &["health", "--jobs"], &["health", "--json"], &["health", "--prometheus"]]
    {
        assert_eq!(user.run(arguments).code, 1, "{arguments:?}");
    }
    assert!(contents(&user.root()) == before);
}

#[test]
fn three_failures_of_a_name_are_degraded_until_it_succeeds() {
    let user = User::new();
    fail(&user, "bad", 2);
    assert_eq!(user.run(["health"]).code, 0);
    fail(&user, "bad", 1);
    let ran = user.run(["health"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.starts_with("degraded: 1 reason\n- 3 jobs called bad failed in a row; bgctl logs bg_"),
        "{}",
        ran.out
    );
    let object = health(&user);
    assert_eq!(kinds(&object), ["failures_in_row"]);
    assert_eq!(object["reasons"][0]["name"], "bad");
    assert_eq!(user.run(["start", "--wait", "--name", "bad", "--", "true"]).code, 0);
    assert_eq!(user.run(["health"]).code, 0);
}

#[test]
fn three_failures_of_a_schedule_are_degraded_and_shown_with_their_runs() {
    let user = User::new();
    configure(&user, "[schedules.bad]\nevery = \"1s\"\nargv = [\"false\"]\nrestart = false\n");
    until("it failed three times", || {
        user.ok(["tick"]);
        health(&user)["status"] == "degraded"
    });
    let object = health(&user);
    assert_eq!(kinds(&object), ["failures_in_row"]);
    let ran = user.run(["health", "--jobs", "bad", "--json"]);
    assert_eq!(ran.code, 1);
    let going = ran.json()["histories"].clone();
    assert_eq!(going.as_array().unwrap().len(), 1);
    assert_eq!((&going[0]["kind"], &going[0]["last_status"]), (&json!("schedule"), &json!("failed")));
    assert!(going[0]["failures_in_row"].as_u64().unwrap() >= 3 && going[0]["next_at"].is_string(), "{going}");
    assert_eq!(user.run(["start", "--wait", "--name", "good", "--", "true"]).code, 0);
    assert_eq!(user.run(["health", "good"]).code, 0, "the verdict is on this one alone");
}

#[test]
fn a_watcher_that_was_killed_is_degraded_until_a_tick_sees_to_another() {
    let user = User::new();
    let held = Held::start(&user, "it");
    assert_eq!(user.run(["health"]).code, 0);
    kill(user.recorded_pid(&held.id, "watcher"), Signal::KILL);
    until("it is seen", || user.run(["health"]).code == 1);
    let object = health(&user);
    assert_eq!(
        (kinds(&object), &object["watchers"]["lost"]),
        (vec!["watchers_lost".to_owned()], &json!([held.id]))
    );
    user.ok(["tick"]);
    until("it has another", || user.run(["health"]).code == 0);
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn something_that_is_due_while_nothing_ticks_is_failing_until_somebody_does() {
    let user = User::new();
    user.write_index(&index_of(&[entry("queued", "queued", &json!({ "created_at": ago(600) }))]));
    let ran = user.run(["health"]);
    assert_eq!(ran.code, 2);
    let said = "- nothing ticks: bg_20260213_queued is due since 10m, and there never was a tick; bgctl tick looks once";
    assert!(ran.out.contains(said), "{}", ran.out);
    assert_eq!(kinds(&health(&user)), ["nothing_ticks"]);
    user.ok(["tick"]);
    assert_eq!(user.wait("queued"), 0);
    assert_eq!(user.run(["health"]).code, 0);
}

#[test]
fn an_index_that_cannot_be_read_is_told_apart_from_a_verdict() {
    let user = User::new();
    for text in ["{", "{\"version\":9,\"jobs\":[]}", "{\"version\":1,\"jobs\":[{}]}"] {
        user.write_index(text);
        for arguments in [&["health"][..], &["health", "--jobs"], &["health", "bad"]] {
            let ran = user.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{text} {arguments:?}");
            assert!(ran.err.contains("jobs.json"), "{}", ran.err);
        }
        let ran = user.run(["health", "--json"]);
        assert_eq!((ran.code, &ran.json()["error"]["exit_code"]), (3, &json!(3)), "{text}");
        let ran = user.run(["health", "--prometheus"]);
        assert_eq!(ran.code, 3);
        assert!(ran.out.ends_with("bgctl_health_status{status=\"unknown\"} 1\n"), "{}", ran.out);
        assert_eq!(ran.out.lines().count(), 6, "{}", ran.out);
        check_metrics(&ran);
    }
}

#[test]
fn a_mistake_in_its_own_line_is_no_verdict() {
    let user = User::new();
    for arguments in [&["health", "--odd"][..], &["health", "a", "b"], &["health", "--prometheus", "--jobs"]]
    {
        assert_eq!(user.run(arguments).code, 3, "{arguments:?}");
    }
    fail(&user, "nightly", 1);
    let ran = user.run(["health", "nigthly"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("did you mean nightly?"), "{}", ran.err);
}

#[test]
fn what_is_wrong_with_the_settings_is_degraded() {
    let user = User::new();
    configure(&user, "[queue]\nmax_concurent = 3\n");
    let ran = user.run(["health"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("max_concurent"), "{}", ran.out);
    assert_eq!(kinds(&health(&user)), ["settings"]);
    configure(&user, "[schedules.s]\nevery = \"often\"\nargv = [\"true\"]\n");
    let ran = user.run(["health"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("- config.toml:2:1: schedules.s.every: "), "{}", ran.out);
    let object = user.run(["health", "--jobs", "--json"]).json();
    assert_eq!(
        (kinds(&object), &object["histories"][0]["name"]),
        (vec!["schedule_mistake".to_owned()], &json!("s"))
    );
    assert!(object["histories"][0]["mistake"].is_string());
    configure(&user, "");
    assert_eq!(user.run(["health"]).code, 0);
}

#[test]
fn numbers_of_the_settings_decide() {
    let user = User::new();
    configure(&user, "[health]\nfailures_in_row = 1\n");
    fail(&user, "bad", 1);
    assert_eq!(user.run(["health"]).code, 1);
    configure(&user, "[health]\nfailures_in_row = 2\n");
    assert_eq!(user.run(["health"]).code, 0);
}

#[test]
fn how_names_have_gone_is_a_line_each() {
    let user = User::new();
    assert_eq!(user.ok(["health", "--jobs"]), "there is no schedule, and no job with a name has ended\n");
    fail(&user, "bad", 1);
    user.start(["--wait", "--name", "a good one", "--", "true"]);
    let text = user.ok(["health", "--jobs"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("NAME        KIND  LAST       RUN"), "{text}");
    assert!(lines[1].starts_with("a good one  name  succeeded  "), "{text}");
    assert!(lines[2].starts_with("bad         name  failed     ") && lines[2].contains("  -  "), "{text}");
    let object = user.run(["health", "--json", "a good one"]).json();
    let one = &object["histories"][0];
    assert_eq!((&one["runs"], &one["failed"], &one["next_at"]), (&json!(1), &json!(0), &Value::Null));
    assert_eq!((&one["last_at"], one["mean_ms"].is_u64()), (&one["last_success_at"], true));
}

// The overview.

#[test]
fn the_overview_says_in_one_line_that_not_all_is_well() {
    let user = User::new();
    fail(&user, "bad", 3);
    let text = user.ok([] as [&str; 0]);
    assert!(
        text.ends_with("ATTENTION\nhealth  degraded (bgctl health): 3 jobs called bad failed in a row\n"),
        "{text}"
    );
    let object = user.run(["--json"]).json();
    assert_eq!(object["attention"][0]["kind"], "health");
    user.start(["--wait", "--name", "bad", "--", "true"]);
    assert!(!user.ok([] as [&str; 0]).contains("ATTENTION"));
}

#[test]
fn a_job_whose_end_cannot_be_written_for_a_full_disk_is_failing_and_the_overview_names_the_disk() {
    // A disk of its own, in a mount namespace that ends with the script.
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=512k,mode=0700 none "$BG_HOME" 2>/dev/null || { echo cannot mount; exit 0; }
        mkfifo gate
        "$BGCTL" start -- sh -c 'read word < gate' > held
        record="$BG_HOME/runs/$(cat held).lock"
        until grep -q started "$record"; do :; done
        "$BGCTL" health > out; echo "$? $(head -n 1 out)"
        # Room for the line of the outcome, none for another index.
        dd if=/dev/zero of="$BG_HOME/fill" bs=4k > /dev/null 2>&1
        echo go > gate
        until grep -q outcome "$record"; do :; done
        "$BGCTL" health > out; echo "$? $(head -n 1 out)"
        grep -c 'the disk is full: the end of .* cannot be written down, and it holds a slot' out
        "$BGCTL" | grep -c 'health  failing (bgctl health): the disk is full'
        "$BGCTL" tick 2>&1 | grep -c 'No space left'
        rm "$BG_HOME/fill"
        "$BGCTL" wait "$(cat held)"
        "$BGCTL" health > out; echo "$? $(head -n 1 out)"
    "#;
    let user = User::new();
    user.make_root();
    let Some(ran) = with_mounts(&user, SCRIPT) else { return };
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines, ["0 ok", "2 failing: 2 reasons", "1", "1", "1", "0 ok"], "{}", ran.err);
}

// The stream.

#[test]
fn a_tick_tells_each_change_of_the_verdict_once() {
    let user = User::new();
    user.start(["--wait", "--", "true"]);
    user.ok(["tick"]);
    assert_eq!(steps(&user), Vec::<String>::new(), "that all is well is no news");
    assert!(!user.root().join("last_health").exists());
    fail(&user, "bad", 3);
    user.ok(["tick"]);
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded"]);
    let line = told(&user).remove(0);
    let names: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["seq", "at", "event", "was", "status", "reasons"]);
    assert_eq!(line["reasons"], json!(["3 jobs called bad failed in a row"]));
    user.start(["--wait", "--name", "bad", "--", "true"]);
    user.ok(["tick"]);
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded", "degraded to ok"]);
    assert_eq!(told(&user)[1]["reasons"], json!([]));
}

#[test]
fn another_reason_is_told_and_one_that_goes_or_grows_is_not() {
    let user = User::new();
    fail(&user, "one", 3);
    user.ok(["tick"]);
    fail(&user, "one", 1);
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded"], "four failures are the same reason as three");
    fail(&user, "two", 3);
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded", "degraded to degraded"]);
    assert_eq!(told(&user)[1]["reasons"].as_array().unwrap().len(), 2);
    user.start(["--wait", "--name", "two", "--", "true"]);
    user.ok(["tick"]);
    assert_eq!(steps(&user).len(), 2, "it is no news that a reason has gone");
    fail(&user, "two", 3);
    user.ok(["tick"]);
    assert_eq!(steps(&user).len(), 3, "and it is when it comes back");
}

#[test]
fn ticks_at_the_same_time_tell_once() {
    let user = User::new();
    fail(&user, "bad", 3);
    let mut ticks: Vec<_> = (0..8).map(|_| user.bgctl(["tick"]).spawn().unwrap()).collect();
    for tick in &mut ticks {
        assert_eq!(crate::support::ended(tick), 0);
    }
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded"]);
}

#[test]
fn what_could_not_be_told_is_told_by_the_next_tick_and_a_crash_tells_twice_rather_than_never() {
    let user = User::new();
    fail(&user, "bad", 3);
    let events = user.root().join("events.jsonl");
    std::fs::remove_file(&events).unwrap();
    std::fs::create_dir(&events).unwrap();
    let ran = user.run(["tick"]);
    assert!(ran.err.contains("events.jsonl"), "{}", ran.err);
    std::fs::remove_dir(&events).unwrap();
    user.ok(["tick"]);
    assert_eq!(steps(&user), ["ok to degraded"]);
    // As if it had been killed behind the line; and as if a longer content had been there.
    std::fs::write(user.root().join("last_health"), "").unwrap();
    user.ok(["tick"]);
    assert_eq!(steps(&user).len(), 2);
    let text = std::fs::read_to_string(user.root().join("last_health")).unwrap();
    std::fs::write(user.root().join("last_health"), format!("{text}rest\n")).unwrap();
    user.ok(["tick"]);
    assert_eq!(steps(&user).len(), 2);
}

#[test]
fn a_dry_run_tells_nothing() {
    let user = User::new();
    fail(&user, "bad", 3);
    user.all_gone();
    let before = contents(&user.root());
    user.ok(["tick", "--dry-run"]);
    assert!(contents(&user.root()) == before);
}

// Metrics.

/// Holds what was printed against the checker of Prometheus, where that is installed.
#[track_caller]
fn check_metrics(ran: &Ran) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut checker) = promtool.stderr(Stdio::piped()).spawn() else {
        crate::support::skipped("needs promtool");
        return;
    };
    checker.stdin.take().unwrap().write_all(ran.out.as_bytes()).unwrap();
    let said = Ran::of(&checker.wait_with_output().unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{}", ran.out);
}

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    let user = User::new();
    check_metrics(&user.run(["health", "--prometheus"]));
    fail(&user, r#"b"a\d ü"#, 3);
    user.start(["--wait", "--name", "good", "--", "true"]);
    configure(&user, "[schedules.hourly]\nevery = \"1h\"\nargv = [\"true\"]\n");
    user.ok(["tick"]);
    user.start(["--delay", "1h", "--", "true"]);
    let ran = user.run(["health", "--prometheus"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    check_metrics(&ran);
    let value = |name: &str| sample(&ran.out, name);
    for (name, wanted) in [
        (r#"bgctl_health_status{status="degraded"}"#, 1.0),
        (r#"bgctl_health_status{status="ok"}"#, 0.0),
        (r#"bgctl_jobs{status="failed"}"#, 3.0),
        ("bgctl_queue_waiting", 1.0),
        ("bgctl_queue_utilisation_ratio", 0.01),
        (r#"bgctl_jobs_processed_total{result="failed"}"#, 3.0),
        (r#"bgctl_run_failures_in_row{kind="name",name="b\"a\\d ü"}"#, 3.0),
        (r#"bgctl_runs_total{kind="name",name="good"}"#, 1.0),
        (r#"bgctl_runs_missed_total{kind="schedule",name="hourly"}"#, 0.0),
    ] {
        assert_eq!(value(name), Some(wanted), "{name}: {}", ran.out);
    }
    let success = value(r#"bgctl_run_last_success_timestamp_seconds{kind="name",name="good"}"#).unwrap();
    let next = value(r#"bgctl_run_next_timestamp_seconds{kind="schedule",name="hourly"}"#).unwrap();
    // The schedule was added a moment after that success.
    assert!((3_600.0..3_660.0).contains(&(next - success)), "{next} after {success}");
    let began =
        user.job("good")["ended_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(
        success.to_string(),
        (began.timestamp_millis().to_string().parse::<f64>().unwrap() / 1_000.0).to_string()
    );
    assert!(
        value(r#"bgctl_run_last_timestamp_seconds{kind="schedule",name="hourly"}"#).is_none(),
        "it never ran"
    );
}
