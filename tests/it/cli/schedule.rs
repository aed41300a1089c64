//! Recurring jobs: added, listed, shown, run, held back and taken away; by hand and by the settings file.

use super::screen::{on_terminal, without_colours};
use super::{Held, configure, has_started};
use crate::support::{BGCTL, Ran, User, until};
use serde_json::{Value, json};

/// How a schedule stands, by JSON.
#[track_caller]
fn standing(user: &User, name: &str) -> Value {
    let ran = user.run(["schedule", "show", name, "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran.json()["schedules"][0].clone()
}

/// Its runs, the latest first.
#[track_caller]
fn runs(user: &User, name: &str) -> Vec<Value> {
    let listed = user.run(["list", "--all", "--sort", "created", "--schedule", name, "--json"]).json();
    listed["jobs"].as_array().unwrap().clone()
}

/// `schedule run`, which must succeed; gives the id of the run.
#[track_caller]
fn run(user: &User, name: &str) -> String {
    let out = user.ok(["schedule", "run", name]);
    assert_eq!(out.lines().count(), 1, "the id alone: {out}");
    out.trim_end().to_owned()
}

/// The files of captured environments.
fn environments(user: &User) -> usize {
    std::fs::read_dir(user.root().join("env")).map_or(0, Iterator::count)
}

/// A schedule of the next year, so that nothing of it is due while a test looks.
const NEVER_NOW: [&str; 2] = ["--every", "365d"];

#[track_caller]
fn add(user: &User, name: &str, more: &[&str]) -> Ran {
    user.run([&["schedule", "add", name], more].concat())
}

/// A schedule whose run goes on until its test lets it go.
#[track_caller]
fn add_held(user: &User, name: &str, flags: &[&str]) -> std::path::PathBuf {
    let gate = user.fifo(&format!("{name}.gate"));
    let script = format!("read code < '{}'; exit $code", gate.display());
    let ran = add(user, name, &[&NEVER_NOW[..], flags, &["--", "sh", "-c", &script]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    gate
}

#[test]
fn what_was_added_is_listed_and_shown_with_its_times_and_what_each_run_is_like() {
    let user = User::new();
    let none = user.run(["schedule"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("bgctl schedule add"), "{}", none.err);
    let flags = ["--cron", "0 3 * * *", "--tz", "Europe/Berlin", "--jitter", "5m", "--overlap", "queue"];
    let more = [
        "--missed",
        "none",
        "--no-restart",
        "--label",
        "nightly",
        "--env",
        "WORD=secret",
        "--",
        "echo",
        "a b",
    ];
    let added = add(&user, "backup", &[&flags[..], &more].concat());
    assert!(
        added.out.starts_with("schedule backup added: 0 3 * * * (Europe/Berlin), next in "),
        "{}",
        added.out
    );
    let shown = user.ok(["schedule", "show", "backup"]);
    for said in [
        "backup",
        "0 3 * * * (Europe/Berlin)",
        "At ",
        "jitter included",
        "up to 5m later",
        "one run waits while",
        "times at which nobody looked pass",
        "a failure waits for the next time",
        "echo 'a b'",
        "nightly",
        "WORD (set by hand)",
        "none yet",
        "bgctl schedule add,",
    ] {
        assert!(shown.contains(said), "{said}:\n{shown}");
    }
    let one = standing(&user, "backup");
    let definition = &one["definition"];
    assert_eq!((&definition["cron"], &definition["tz"]), (&json!("0 3 * * *"), &json!("Europe/Berlin")));
    assert_eq!(
        (&definition["overlap"], &definition["missed"], &definition["restarts"]),
        (&json!("queue"), &json!("none"), &json!(false))
    );
    assert_eq!(
        (&definition["from"], &definition["job"]["argv"]),
        (&json!("command"), &json!(["echo", "a b"]))
    );
    assert_eq!(one["next_times"].as_array().unwrap().len(), 3);
    let listed = user.ok(["schedule", "list"]);
    assert!(
        listed.starts_with("NAME    ") && listed.contains("\nbackup  ") && listed.contains("  0 3 * * *"),
        "{listed}"
    );
    for text in [shown, listed, user.index().to_string()] {
        assert!(!text.contains("secret"), "values are shown nowhere: {text}");
    }
}

#[test]
fn adding_the_same_again_changes_nothing_and_something_else_keeps_its_past() {
    let user = User::new();
    let first = add(&user, "it", &[&NEVER_NOW[..], &["--", "sh", "-c", "exit 3"]].concat());
    assert!(first.out.starts_with("schedule it added: every 365d"), "{}", first.out);
    assert_eq!(user.run(["schedule", "run", "it", "--wait"]).code, 3);
    let before = standing(&user, "it");
    let again = add(&user, "it", &[&NEVER_NOW[..], &["--", "sh", "-c", "exit 3"]].concat());
    assert!(again.out.starts_with("schedule it was so already"), "{}", again.out);
    assert_eq!(standing(&user, "it"), before);
    let changed = add(&user, "it", &[&NEVER_NOW[..], &["--", "true"]].concat());
    assert!(changed.out.starts_with("schedule it changed"), "{}", changed.out);
    let after = standing(&user, "it");
    assert_eq!((&after["health"], &after["added_at"]), (&before["health"], &before["added_at"]));
    assert_eq!(after["health"]["failures_in_row"], 1);
    assert_eq!(user.run(["schedule", "run", "it", "--wait"]).code, 0);
    assert_eq!(standing(&user, "it")["health"]["failures_in_row"], 0);
    assert_eq!(standing(&user, "it")["health"]["runs"], 2);
}

#[test]
fn a_run_is_an_ordinary_job_with_folder_environment_limits_and_labels_of_its_schedule() {
    let user = User::new();
    std::fs::create_dir(user.path("there")).unwrap();
    let script = "pwd; echo $WORD; umask";
    let flags = [
        "--cwd",
        "there",
        "--env",
        "WORD=kept",
        "--timeout",
        "7m",
        "--label",
        "l",
        "--priority",
        "high",
        "--attempts",
        "2",
    ];
    let mut command = user.command("sh");
    command.args(["-c", "umask 027; exec \"$@\"", "sh", BGCTL, "schedule", "add", "it"]);
    command.args(NEVER_NOW).args(flags).args(["--", "sh", "-c", script]);
    assert!(command.status().unwrap().success());
    let id = run(&user, "it");
    assert_eq!(user.wait(&id), 0);
    let there = user.path("there").canonicalize().unwrap();
    assert_eq!(user.ok(["logs", &id]), format!("{}\nkept\n0027\n", there.display()));
    let job = user.job(&id);
    assert_eq!((&job["schedule"], &job["name"], &job["on_end"]), (&json!("it"), &json!("it"), &Value::Null));
    assert_eq!((&job["timeout_seconds"], &job["labels"]), (&json!(420), &json!(["l"])));
    assert_eq!((&job["priority"], &job["max_attempts"]), (&json!("high"), &json!(2)));
    assert_eq!((&job["parent"], &job["session"]), (&Value::Null, &Value::Null));
    assert!(user.ok(["status", &id]).contains("schedule  it: this is one of its runs"));
    assert_eq!(runs(&user, "it").len(), 1);
    assert_eq!(user.ok(["list", "--schedule", "it", "--format", "{schedule} {id}"]), format!("it {id}\n"));
    assert!(runs(&user, "other").is_empty());
    let mine = user.start(["--", "true"]);
    assert_eq!(user.job(&mine)["schedule"], Value::Null);
}

#[test]
fn a_run_by_hand_can_be_waited_for_and_followed() {
    let user = User::new();
    add(&user, "it", &[&NEVER_NOW[..], &["--", "sh", "-c", "echo said; exit 5"]].concat());
    let waited = user.run(["schedule", "run", "it", "--wait"]);
    assert_eq!((waited.code, waited.out.lines().count()), (5, 1), "{}", waited.err);
    let followed = user.run(["schedule", "run", "it", "-f"]);
    assert_eq!((followed.code, followed.out.as_str()), (5, "said\n"), "{}", followed.err);
    let object = user.run(["schedule", "run", "it", "--wait", "--json"]);
    let object = (object.code, object.json());
    assert_eq!((object.0, &object.1["exit_code"], &object.1["command"]), (5, &json!(5), &json!("schedule")));
    let object = user.run(["schedule", "run", "--json", "it"]).json();
    assert_eq!((&object["result"], object["id"].is_string()), (&json!("started"), true));
    assert_eq!(user.run(["schedule", "run", "it", "--within", "3"]).code, 2);
}

#[test]
fn a_run_by_hand_while_the_one_before_it_goes_on_is_refused_unless_it_may_wait() {
    let user = User::new();
    let gate = add_held(&user, "it", &[]);
    let first = Held { id: run(&user, "it"), gate };
    until("it runs", || has_started(&user, &first.id));
    let refused = user.run(["schedule", "run", "it"]);
    assert_eq!((refused.code, refused.out.as_str()), (4, ""));
    assert!(refused.err.contains(&first.id) && refused.err.contains("has not ended"), "{}", refused.err);
    assert_eq!(standing(&user, "it")["active"], json!([first.id]));
    let changed = add(&user, "it", &[&NEVER_NOW[..], &["--overlap", "queue", "--", "true"]].concat());
    assert_eq!(changed.code, 0, "{}", changed.err);
    let second = run(&user, "it");
    assert_eq!(user.status(&second), "queued");
    first.let_go(0);
    assert_eq!(user.wait(&second), 0);
}

#[test]
fn replace_ends_the_run_before_it() {
    let user = User::new();
    let _gate = add_held(&user, "it", &["--overlap", "replace"]);
    let first = run(&user, "it");
    until("it runs", || has_started(&user, &first));
    let second = run(&user, "it");
    assert_eq!(user.wait(&first), 125);
    assert!(user.ok(["status", &first]).contains("a newer run took its place"));
    until("it runs", || has_started(&user, &second));
    user.ok(["cancel", &second]);
    assert_eq!(standing(&user, "it")["health"]["failures_in_row"], 0);
}

#[test]
fn what_is_due_within_seconds_runs_by_itself() {
    let user = User::new();
    add(&user, "often", &["--every", "1s", "--", "true"]);
    until("two runs have ended", || standing(&user, "often")["health"]["runs"].as_u64() >= Some(2));
    user.ok(["schedule", "pause", "often"]);
    let health = standing(&user, "often")["health"].clone();
    assert_eq!((&health["failed"], &health["last"]["result"]), (&json!(0), &json!("succeeded")));
    let made = runs(&user, "often");
    assert!(made.iter().all(|job| job["schedule"] == "often"));
    user.ok(["schedule", "remove", "often"]);
    assert!(runs(&user, "often").len() >= 2, "its runs stay");
}

#[test]
fn a_run_that_failed_is_followed_by_another_long_before_its_time() {
    let user = User::new();
    configure(&user, "[recurring]\nrestart_delay = \"1s\"\nrestart_max_delay = \"1s\"\n");
    let script = format!("test -e '{0}' || {{ touch '{0}'; exit 1; }}", user.path("tried").display());
    add(&user, "it", &[&NEVER_NOW[..], &["--", "sh", "-c", &script]].concat());
    let first = run(&user, "it");
    assert_eq!(user.wait(&first), 1);
    until("another run has succeeded", || standing(&user, "it")["health"]["last"]["result"] == "succeeded");
    assert_eq!(runs(&user, "it").len(), 2);
    assert_eq!(standing(&user, "it")["restart_at"], Value::Null);
}

#[test]
fn a_paused_schedule_says_so_and_goes_on_after_resume() {
    let user = User::new();
    add(&user, "it", &[&NEVER_NOW[..], &["--", "true"]].concat());
    assert_eq!(user.ok(["schedule", "pause", "it"]), "schedule it paused\n");
    assert_eq!(user.ok(["schedule", "pause", "it"]), "schedule it was paused already\n");
    assert!(user.ok(["schedule"]).contains("  paused  "));
    assert!(user.ok(["schedule", "show", "it"]).contains("bgctl schedule resume it lets it go on"));
    let paused = standing(&user, "it");
    assert_eq!((&paused["due_at"], &paused["next_times"]), (&Value::Null, &json!([])));
    let id = run(&user, "it");
    assert_eq!(user.wait(&id), 0, "by hand it runs all the same");
    let resumed = user.ok(["schedule", "resume", "it"]);
    assert!(resumed.starts_with("schedule it resumed: next in "), "{resumed}");
    assert_eq!(user.ok(["schedule", "resume", "it"]), "schedule it was not paused\n");
    assert!(standing(&user, "it")["due_at"].is_string());
}

#[test]
fn a_removed_schedule_takes_the_values_of_its_environment_along_and_leaves_its_runs() {
    let user = User::new();
    add(&user, "it", &[&NEVER_NOW[..], &["--env", "TOKEN=abc", "--", "true"]].concat());
    let id = run(&user, "it");
    assert_eq!(user.wait(&id), 0);
    assert_eq!(environments(&user), 1, "the next run needs it");
    assert_eq!(user.ok(["schedule", "remove", "it"]), "schedule it removed\n");
    assert_eq!(environments(&user), 0);
    let gone = user.run(["schedule", "show", "it"]);
    assert_eq!(gone.code, 3, "{}", gone.err);
    assert_eq!(runs(&user, "it").len(), 1);
}

#[test]
fn a_run_that_goes_on_is_told_of_when_its_schedule_is_removed() {
    let user = User::new();
    let gate = add_held(&user, "it", &[]);
    let held = Held { id: run(&user, "it"), gate };
    assert_eq!(user.ok(["schedule", "remove", "it"]), "schedule it removed; 1 run goes on\n");
    held.let_go(0);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn who_adds_one_while_nobody_ticks_is_told_what_keeps_it_going() {
    let user = User::new();
    let first = add(&user, "it", &["--every", "90m", "--", "true"]);
    assert!(first.err.contains("nobody ticks") && first.err.contains("bgctl init cron"), "{}", first.err);
    let doctor = user.run(["doctor"]).out;
    assert!(doctor.contains("and 1 schedule needs it"), "{doctor}");
    user.ok(["start", "--wait", "--", "true"]);
    user.ok(["tick"]);
    assert_eq!(add(&user, "other", &["--every", "90m", "--", "true"]).err, "");
}

#[test]
fn a_distance_is_as_far_as_it_was_asked_for() {
    let user = User::new();
    let ran = add(&user, "it", &["--every", "9m", "--", "true"]);
    assert!(
        ["9m", "8m59s", "8m58s"].iter().any(|left| ran.out.ends_with(&format!("next in {left}\n"))),
        "{}",
        ran.out
    );
}

#[test]
fn how_urgent_its_runs_are_is_shown() {
    let user = User::new();
    add(&user, "it", &[&NEVER_NOW[..], &["--priority", "high", "--", "true"]].concat());
    let shown = user.ok(["schedule", "show", "it"]);
    assert!(shown.contains("priority  high\n"), "{shown}");
}

#[test]
fn a_section_without_a_command_is_told_the_keys_that_there_are() {
    let user = User::new();
    configure(&user, "[schedules.it]\nevery = \"1h\"\n");
    let ran = user.run(["config", "check"]);
    assert!(ran.err.contains("argv is a list of words, shell a line for a shell"), "{}", ran.err);
}

#[test]
fn what_is_wrong_is_refused_with_its_reason_and_nothing_is_added() {
    let user = User::new();
    let refused = |code: i32, arguments: &[&str], said: &str| {
        let ran = add(&user, "it", arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    };
    refused(2, &["--cron", "61 * * * *", "--", "true"], "no cron expression");
    refused(2, &["--cron", "0 0 30 2 *", "--", "true"], "never comes");
    refused(2, &["--cron", "@daily", "--tz", "Mars/Olympus", "--", "true"], "no time zone \"Mars/Olympus\"");
    refused(2, &["--every", "1m", "--tz", "UTC", "--", "true"], "belongs to a cron expression");
    refused(2, &["--every", "1m", "--cron", "@daily", "--", "true"], "one of both");
    refused(2, &["--every", "0", "--", "true"], "at least every 1s");
    refused(2, &["--every", "1m", "--jitter", "1m", "--", "true"], "reaches into the next run");
    refused(2, &["--", "true"], "nothing says when");
    refused(2, &["--every", "1m"], "there is no command to run");
    refused(2, &["--every", "1m", "true"], "the command stands behind --");
    refused(2, &["--every", "1m", "--stdin", "pipe", "--", "cat"], "nobody who sends it input");
    refused(2, &["--every", "1m", "--stdin", "-", "--", "cat"], "cannot read the input of here");
    refused(2, &["--every", "1m", "--overlap", "skipp", "--", "true"], "did you mean skip?");
    refused(2, &["--every", "1m", "--key-ttl", "1m", "--", "true"], "--key-ttl needs --key");
    refused(2, &["--every", "1m", "--wait", "--", "true"], "has no option --wait");
    refused(3, &["--every", "1m", "--group", "nope", "--", "true"], "no group");
    refused(127, &["--every", "1m", "--", "no-such-program"], "not found");
    for (name, said) in
        [("retention", "built-in"), ("a b", "is made of letters"), ("session_refresh.x", "built-in")]
    {
        let ran = add(&user, name, &["--every", "1m", "--", "true"]);
        assert_eq!(ran.code, 2, "{name}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    let listed = user.run(["schedule", "list", "--json"]).json();
    let schedules = listed["schedules"].as_array().unwrap();
    assert!(schedules.iter().all(|one| one["definition"]["from"] == "built_in"), "{listed}");
    assert_eq!(environments(&user), 0);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    let user = User::new();
    assert_eq!(user.run(["schedule", "show", "backup"]).code, 3, "where there is nothing at all");
    add(&user, "backup", &[&NEVER_NOW[..], &["--", "true"]].concat());
    for verb in ["list", "show", "run", "pause", "resume", "remove"] {
        let ran = user.run(["schedule", verb, "bakcup"]);
        assert_eq!(ran.code, 3, "{verb}: {}", ran.err);
        assert!(ran.err.contains("did you mean backup?"), "{verb}: {}", ran.err);
    }
    let verb = user.run(["schedule", "lst"]);
    assert_eq!(verb.code, 2);
    assert!(verb.err.contains("did you mean list?"), "{}", verb.err);
    let which = user.run(["schedule", "show"]);
    assert!(which.code == 2 && which.err.contains("which schedule?"), "{}", which.err);
}

#[test]
fn what_is_built_in_is_listed_last_and_can_be_run_and_paused_but_not_removed() {
    let user = User::new();
    let id = user.start(["--key", "k", "--", "true"]);
    assert_eq!(user.wait(&id), 0);
    add(&user, "zzz", &[&NEVER_NOW[..], &["--", "true"]].concat());
    user.ok(["tick"]);
    let listed = user.ok(["schedule"]);
    let names: Vec<&str> = listed.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["zzz", "idempotency_cleanup", "retention"]);
    let ran = user.ok(["schedule", "run", "idempotency_cleanup"]);
    assert_eq!(ran, "idempotency_cleanup: 0 expired keys deleted, 0 live keys kept\n");
    assert_eq!(user.ok(["schedule", "run", "retention"]), "retention: 0 ended jobs removed\n");
    assert_eq!(user.run(["schedule", "run", "retention", "--json"]).json()["result"], "done");
    let refused = user.run(["schedule", "remove", "retention"]);
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("bgctl schedule pause retention"), "{}", refused.err);
    assert_eq!(user.ok(["schedule", "pause", "retention"]), "schedule retention paused\n");
    assert_eq!(user.ok(["schedule", "resume", "retention"]).lines().count(), 1);
}

const NIGHTLY: &str = "[schedules.nightly]\nevery = \"365d\"\nargv = [\"sh\", \"-c\", \"pwd; echo $WORD $PATH\"]\n\
    cwd = \"there\"\nlabels = [\"l\"]\ntimeout = \"5m\"\nenv = { WORD = \"kept\" }\n";

#[test]
fn a_section_of_the_settings_file_is_taken_over_by_a_tick_and_goes_with_it() {
    let user = User::new();
    std::fs::create_dir(user.path("home/there")).unwrap();
    configure(&user, NIGHTLY);
    let pending = user.ok(["schedule"]);
    assert!(pending.contains("next tick") && pending.contains("config.toml"), "{pending}");
    assert_eq!(standing(&user, "nightly")["in_index"], false);
    user.ok(["tick"]);
    let one = standing(&user, "nightly");
    assert_eq!((&one["in_index"], &one["definition"]["from"]), (&json!(true), &json!("file")));
    let id = run(&user, "nightly");
    assert_eq!(user.wait(&id), 0);
    let there = user.path("home/there").canonicalize().unwrap();
    assert_eq!(user.ok(["logs", &id]), format!("{}\nkept /usr/local/bin:/usr/bin:/bin\n", there.display()));
    let job = user.job(&id);
    assert_eq!((&job["labels"], &job["timeout_seconds"]), (&json!(["l"]), &json!(300)));
    for (verb, more) in [("add", &["--every", "1m", "--", "true"][..]), ("remove", &[])] {
        let refused = user.run([&["schedule", verb, "nightly"], more].concat());
        assert_eq!(refused.code, 4, "{}", refused.err);
        assert!(refused.err.contains("[schedules.nightly]"), "{}", refused.err);
    }
    configure(&user, "");
    user.ok(["tick"]);
    assert_eq!(user.run(["schedule", "show", "nightly"]).code, 3);
    assert_eq!(environments(&user), 0);
}

#[test]
fn the_times_of_a_section_do_not_depend_on_the_zone_of_whoever_ticks() {
    let user = User::new();
    configure(&user, "[schedules.nightly]\ncron = \"0 4 * * *\"\nargv = [\"true\"]\n");
    let zones: Vec<Value> = ["Asia/Tokyo", "America/New_York"]
        .into_iter()
        .map(|zone| {
            let mut tick = user.bgctl(["tick"]);
            assert!(tick.env("TZ", zone).status().unwrap().success());
            user.index()["schedules"]["nightly"]["rhythm"]["cron"]["zone"].clone()
        })
        .collect();
    assert!(zones[0].is_string() && zones[0] == zones[1], "{zones:?}");
}

#[test]
fn a_section_that_no_tick_has_seen_can_be_run_and_paused_at_once() {
    let user = User::new();
    std::fs::create_dir(user.path("home/there")).unwrap();
    configure(&user, NIGHTLY);
    let id = run(&user, "nightly");
    assert_eq!(user.wait(&id), 0);
    configure(&user, &NIGHTLY.replace("kept", "other"));
    let id = run(&user, "nightly");
    assert_eq!(user.wait(&id), 0);
    assert!(user.ok(["logs", &id]).contains("\nother "), "what the file says now is what runs");
    configure(&user, &format!("{NIGHTLY}{}", NIGHTLY.replace("nightly", "weekly")));
    assert_eq!(user.ok(["schedule", "pause", "weekly"]), "schedule weekly paused\n");
    assert!(standing(&user, "weekly")["paused_at"].is_string());
}

#[test]
fn that_the_file_takes_the_place_of_what_was_added_by_hand_is_said_once() {
    let user = User::new();
    std::fs::create_dir(user.path("home/there")).unwrap();
    add(&user, "nightly", &[&NEVER_NOW[..], &["--", "sh", "-c", "exit 3"]].concat());
    assert_eq!(user.run(["schedule", "run", "nightly", "--wait"]).code, 3);
    configure(&user, NIGHTLY);
    let first = user.run(["tick"]);
    assert!(first.err.contains("the schedule nightly, which was added by hand, is now as"), "{}", first.err);
    let again = user.run(["tick"]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
    let one = standing(&user, "nightly");
    assert_eq!((&one["definition"]["from"], &one["health"]["failed"]), (&json!("file"), &json!(1)));
}

#[test]
fn a_mistake_in_a_section_is_that_ones_alone_and_is_named_wherever_somebody_looks() {
    let user = User::new();
    std::fs::create_dir(user.path("home/there")).unwrap();
    configure(&user, &format!("{NIGHTLY}\n[schedules.bad]\ncron = \"99 * * * *\"\nshell = \"true\"\n"));
    let listed = user.ok(["schedule"]);
    assert!(
        listed.contains("mistake") && listed.contains("\nconfig.toml:10:1: schedules.bad.cron: "),
        "{listed}"
    );
    assert!(user.ok(["schedule", "show", "bad"]).contains("schedules.bad.cron"));
    assert_eq!(standing(&user, "bad")["mistake"]["line"], 10);
    let checked = user.run(["config", "check"]);
    assert_eq!(checked.code, 78);
    assert!(checked.err.contains("config.toml:10:1: schedules.bad.cron: "), "{}", checked.err);
    let checked = user.run(["config", "check", "--json"]).json();
    assert_eq!(checked["mistakes"][0]["key"], "schedules.bad.cron");
    let shown = user.ok(["config", "show"]);
    assert!(shown.contains("\n# [schedules.nightly]: every 365d, config.toml line 1\n"), "{shown}");
    assert!(shown.contains("\n# [schedules.bad]: wrong, schedules.bad.cron: "), "{shown}");
    let shown = user.run(["config", "show", "--json", "schedules.bad"]).json();
    assert_eq!((&shown["settings"], &shown["defined"][0]["line"]), (&json!([]), &json!(9)));
    for verb in ["run", "pause"] {
        let refused = user.run(["schedule", verb, "bad"]);
        assert_eq!(refused.code, 78, "{}", refused.err);
        assert!(refused.err.contains("schedules.bad.cron"), "{}", refused.err);
    }
    let ticked = user.run(["tick"]);
    assert!(ticked.code == 0 && ticked.err.contains("schedules.bad.cron"), "{}", ticked.err);
    assert_eq!(standing(&user, "nightly")["in_index"], true, "the other one is kept going");
    assert_eq!(user.wait(&user.start(["--", "true"])), 0, "and jobs start");
}

#[test]
fn every_mistake_of_a_section_names_its_key() {
    let user = User::new();
    for (line, key) in [
        ("every = \"soon\"", "every"),
        ("cron = 5", "cron"),
        ("every = \"1m\"\njitter = \"2m\"", "jitter"),
        ("every = \"1m\"\noverlap = \"never\"", "overlap"),
        ("every = \"1m\"\nmissed = \"all\"", "missed"),
        ("every = \"1m\"\nrestart = \"no\"", "restart"),
        ("every = \"1m\"\nenv = { A = 1 }", "env"),
        ("every = \"1m\"\nstdin = \"pipe\"", "stdin"),
        ("every = \"1m\"\nafter = [\"other\"]", "after"),
    ] {
        configure(&user, &format!("[schedules.it]\nshell = \"true\"\n{line}\n"));
        let mistakes = user.run(["config", "check", "--json"]).json()["mistakes"].clone();
        assert_eq!(mistakes[0]["key"], format!("schedules.it.{key}"), "{line}: {mistakes}");
        assert_eq!(mistakes[0]["line"], 2 + line.lines().count(), "{line}");
    }
    configure(&user, "[schedules.it]\nevery = \"1m\"\nargvv = [\"true\"]\n");
    let checked = user.run(["config", "check"]);
    assert!(checked.code == 78 && checked.err.contains("did you mean argv?"), "{}", checked.err);
    configure(&user, "[schedules.it]\nevery = \"1m\"\nshell = \"true\"\n");
    assert_eq!(user.run(["config", "check"]).code, 0);
}

#[test]
fn a_dry_run_tells_the_next_times_and_changes_nothing() {
    let user = User::new();
    let ran = add(&user, "it", &["--cron", "0 3 * * *", "--tz", "UTC", "--dry-run", "--", "true"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("would add it: 0 3 * * * (UTC)\n"), "{}", ran.out);
    assert_eq!(ran.out.matches(" 03:00:00 +00:00 (in ").count(), 3, "{}", ran.out);
    let object = add(&user, "it", &["--every", "1m", "--json", "--dry-run", "--", "true"]).json();
    assert_eq!((&object["dry_run"], object["next_times"].as_array().unwrap().len()), (&json!(true), 3));
    assert!(!user.root().join("jobs.json").exists() && environments(&user) == 0);
}

#[test]
fn every_verb_tells_programs_what_became_of_it() {
    let user = User::new();
    let result = |arguments: &[&str]| {
        let ran = user.run([&["schedule"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        let object = ran.json();
        assert_eq!(object["schedules"][0]["name"], "it");
        object["result"].clone()
    };
    let adding = [&["add", "--json", "it"], &NEVER_NOW[..], &["--", "true"]].concat();
    assert_eq!((result(&adding), result(&adding)), (json!("added"), json!("unchanged")));
    let other = [&["add", "--json", "it"], &NEVER_NOW[..], &["--", "echo"]].concat();
    assert_eq!(result(&other), "changed");
    for (verb, first, second) in [("pause", "paused", "unchanged"), ("resume", "resumed", "unchanged")] {
        assert_eq!(result(&[verb, "it", "--json"]), first);
        assert_eq!(result(&[verb, "it", "--json"]), second);
    }
    assert_eq!((result(&["list", "--json"]), result(&["--json"])), (Value::Null, Value::Null));
    assert_eq!(result(&["list", "it", "--json"]), Value::Null);
    let before = user.run(["--json", "schedule", "show", "it"]).json();
    assert_eq!(before["schedules"][0]["name"], "it", "the flags may stand in front");
    assert_eq!(result(&["remove", "it", "--json"]), "removed");
    let events = user.run(["schedule", "add", "--verbose", "it", "--every", "365d", "--", "true"]).err;
    assert!(events.contains("\"change\":\"put\""), "{events}");
    crate::schema::check_events(&user.root());
}

#[test]
fn the_table_fits_the_screen_and_keeps_what_matters_most() {
    let user = User::new();
    for name in ["a", "a-schedule-with-a-long-name"] {
        let flags = ["--cron", "*/5 9-17 * * 1-5", "--tz", "America/Argentina/Buenos_Aires", "--", "false"];
        add(&user, name, &flags);
        assert_eq!(user.run(["schedule", "run", name, "--wait"]).code, 1);
    }
    user.ok(["tick"]);
    for columns in [200, 80, 60, 40, 20] {
        let mut command = user.command(BGCTL);
        command.arg("schedule");
        let text = on_terminal(command, columns);
        assert!(text.contains('\x1b'), "a terminal has colours");
        let plain = without_colours(&text);
        let widest = plain.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap();
        assert!(widest <= usize::from(columns), "{widest} of {columns}:\n{plain}");
        assert!(plain.contains("NAME"), "{plain}");
        if columns >= 60 {
            assert!(plain.contains("failed ") && plain.contains("(restart)"), "{columns}:\n{plain}");
        }
    }
}

#[test]
fn schedules_are_kept_by_an_older_program_that_must_not_ignore_them() {
    let user = User::new();
    add(&user, "it", &[&NEVER_NOW[..], &["--", "true"]].concat());
    let requires = user.index()["requires"].clone();
    assert!(requires.as_array().is_some_and(|all| all.contains(&json!("schedules"))), "{requires}");
}
