//! `bgctl approve`, `bgctl decline`, `bgctl approval list`, and what jobs that wait for a person look like everywhere else.

use super::terminal::{Talk, in_terminal, without_terminal};
use super::{Held, ago, bounded, configure, elsewhere, entry, index_of, shell};
use crate::support::{BGCTL, Ran, User, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// Settings under which scripts may answer, and nothing real is asked for answers.
pub const ANYONE: &str =
    "[approval]\nlocal = \"anyone\"\n[approval.github]\napi_url = \"http://127.0.0.1:9\"\n";
/// The same with a person who has to be asked.
const TERMINAL: &str = "[approval.github]\napi_url = \"http://127.0.0.1:9\"\n";

/// A user with these settings.
pub fn user_with(settings: &str) -> User {
    let user = User::new();
    configure(&user, settings);
    user
}

/// A job that waits for approval here.
#[track_caller]
fn waiting(user: &User) -> String {
    user.start(["--quiet", "--approval", "local", "--name", "deploy", "--", "echo", "deployed"])
}

/// An entry made by hand that waits since `since` seconds ago for an answer within `ttl` seconds.
fn entry_waiting(random: &str, on: &str, since: i64, ttl: i64, changes: &Value) -> Value {
    let mut approval =
        json!({ "on": on, "at": ago(since), "ttl_seconds": ttl, "hash": "", "since": ago(since) });
    approval.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap_or_default());
    entry(random, "waiting_approval", &json!({ "created_at": ago(since), "approval": approval }))
}

/// What the last command of a script in a terminal said, without the carriage returns of a terminal.
fn shown(ran: &Ran) -> String {
    ran.err.replace('\r', "")
}

#[test]
fn what_waits_for_approval_starts_nothing_and_says_how_it_is_approved() {
    let user = user_with(TERMINAL);
    let ran = user.run(["start", "--approval", "local", "--name", "deploy", "--", "true"]);
    let id = ran.out.trim_end();
    assert_eq!((ran.code, ran.err), (0, format!("waits for approval: bgctl approve {id}\n")));
    let job = user.job(id);
    assert_eq!((&job["status"], &job["attempt"]), (&json!("waiting_approval"), &json!(0)));
    assert_eq!((&job["waits"]["for"], &job["waits"]["on"]), (&json!("approval"), &json!("local")));
    assert_eq!(job["approval"]["ttl_seconds"], 24 * 3_600);
    assert_eq!((&job["gate"]["hash"], &job["answers"]), (&job["approval"]["hash"], &json!([])));
    let status = user.ok(["status", id]);
    for line in [
        format!("     waits  for approval: bgctl approve {id}\n"),
        format!("      hash  {}\n", job["gate"]["hash"].as_str().unwrap()),
    ] {
        assert!(status.contains(&line), "{line} in {status}");
    }
    assert!(user.ok(["list"]).contains("waiting_approval"));
    assert!(user.ok::<&str>([]).contains("waiting for a person's approval"));
    user.all_gone();
}

#[test]
fn the_list_has_whom_each_waits_for_since_when_until_when_and_what_is_in_the_way() {
    let user = user_with(TERMINAL);
    let trouble = json!({ "trouble": "there is no token for GitHub" });
    user.write_index(&index_of(&[
        entry_waiting("later2", "local", 60, 3_600, &json!({ "ttl_seconds": null })),
        entry_waiting("first2", "github:acme/infra", 7_200, 86_400, &trouble),
        entry_waiting("other2", "github:acme/infra#17", 300, 600, &trouble),
        entry("queued", "queued", &json!({ "not_before": ago(-3_600) })),
    ]));
    let text = user.ok(["approval"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "ON", "SINCE", "LEFT", "COMMAND"]);
    assert_eq!(lines[1], ["bg_20260213_first2", "github:acme/infra", "2h", "22h", "true"]);
    assert_eq!(lines[2], ["bg_20260213_other2", "github:acme/infra#17", "5m", "5m", "true"]);
    assert_eq!(lines[3], ["bg_20260213_later2", "local", "1m", "for", "ever", "true"]);
    assert_eq!(text.lines().nth(4), Some("first2, other2: there is no token for GitHub"));
    assert_eq!(user.ok(["approval", "list"]).lines().count(), 5);
}

#[test]
fn nothing_that_waits_is_said() {
    let user = User::new();
    let ran = user.run(["approval"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", "nothing waits for approval\n"));
    assert!(!user.root().exists(), "looking makes nothing");
}

#[test]
fn the_question_is_asked_at_the_terminal_whatever_the_streams_are() {
    let user = user_with(TERMINAL);
    let id = waiting(&user);
    let script = format!("\"$BGCTL\" approve {id} --note 'seen' < /dev/null 2> err; echo $?");
    let ran = in_terminal(&user, &script, "y\n", Talk::Shown);
    let begins = format!("{id} approved (");
    assert!(ran.out.starts_with(&begins) && ran.out.ends_with(")\n0\n"), "{}", ran.out);
    let said = shown(&ran);
    let hash = user.job(&id)["gate"]["hash"].as_str().unwrap().to_owned();
    for line in [
        format!("job      {id} (deploy)\n"),
        "command  echo deployed\n".to_owned(),
        format!("hash     {hash}\n"),
        "Let it run? [y/N] ".to_owned(),
    ] {
        assert!(said.contains(&line), "{line} in {said}");
    }
    assert_eq!(user.wait(&id), 0);
    let answer = &user.job(&id)["answers"][0];
    assert_eq!((&answer["verdict"], &answer["note"]), (&json!("approved"), &json!("seen")));
    assert_eq!(user.ok(["logs", &id]), "deployed\n");
}

#[test]
fn whoever_does_not_say_yes_leaves_it_as_it_is() {
    let user = user_with(TERMINAL);
    let id = waiting(&user);
    for (verb, keys) in [("approve", "n\n"), ("approve", "\n"), ("approve", "\u{4}"), ("decline", "no\n")] {
        let script = format!("\"$BGCTL\" {verb} {id} --json; echo $?");
        let ran = in_terminal(&user, &script, keys, Talk::Shown);
        let (object, code) = ran.out.split_once('\n').unwrap();
        crate::schema::check(&user.root(), &[verb, "--json"], object);
        let object: Value = serde_json::from_str(object).unwrap();
        assert_eq!((code, &object["jobs"][0]["result"]), ("1\n", &json!("left")), "{keys:?}");
        assert!(shown(&ran).contains(&format!("{id} waits as before")));
        assert_eq!(user.status(&id), "waiting_approval");
    }
}

#[test]
fn each_job_is_asked_about_on_its_own() {
    let user = user_with(TERMINAL);
    let ids = [waiting(&user), waiting(&user), waiting(&user)];
    let script = format!("\"$BGCTL\" decline {} 2> err; echo $?; cat err", ids.join(" "));
    let ran = in_terminal(&user, &script, "y\nn\nyes\n", Talk::Shown);
    let [one, two, three] = &ids;
    let wanted = format!(
        "{one} declined (cancelled)\n{three} declined (cancelled)\n1\nbgctl: {two} waits as before\n"
    );
    assert_eq!(ran.out, wanted);
    assert_eq!(ids.map(|id| user.status(&id)), ["cancelled", "waiting_approval", "cancelled"]);
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_changes() {
    let user = user_with(TERMINAL);
    let id = waiting(&user);
    for verb in ["approve", "decline"] {
        let ran = without_terminal(&user, &[verb, &id]);
        let message =
            format!("bgctl: bgctl {verb} asks at the terminal, and there is none; {id} waits as before\n");
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.starts_with(&message) && ran.err.contains("bgctl cancel ends"), "{}", ran.err);
        assert_eq!(user.status(&id), "waiting_approval");
    }
}

#[test]
fn a_job_that_does_not_wait_is_refused_with_who_answered() {
    let user = user_with(ANYONE);
    let id = waiting(&user);
    let approved = user.run(["approve", "--json", &id, "--note", "fine"]).json();
    let one = &approved["jobs"][0];
    assert_eq!((&one["id"], &one["result"], &one["message"]), (&json!(id), &json!("approved"), &Value::Null));
    user.wait(&id);
    let by = user.job(&id)["answers"][0]["by"].as_str().unwrap().to_owned();
    for verb in ["approve", "decline"] {
        let ran = user.run([verb, &id]);
        let message = format!(
            "bgctl: {id} does not wait for approval: it has ended (completed); it was approved by {by}\n"
        );
        assert_eq!(ran.code, 4);
        assert!(ran.err.starts_with(&message), "{}", ran.err);
    }
    let declined = waiting(&user);
    assert_eq!(
        user.ok(["decline", &declined, "--note", "not on a Friday"]),
        format!("{declined} declined (cancelled)\n")
    );
    let ran = user.run(["approve", "--json", &declined]);
    assert_eq!((ran.code, &ran.json()["error"]["code"]), (4, &json!("wrong_state")));
    assert!(ran.out.contains("it was declined by"), "{}", ran.out);
    assert_eq!(user.job(&declined)["summary"], json!(format!("declined by {by}: not on a Friday")));
    assert_eq!(user.wait(&declined), 125);
}

#[test]
fn of_several_jobs_of_which_one_does_not_wait_none_is_answered() {
    let user = user_with(ANYONE);
    let held = Held::start(&user, "it");
    let id = waiting(&user);
    assert_eq!(user.run(["approve", &id, &held.id]).code, 4);
    assert_eq!(user.run(["approve", &id, "nobody"]).code, 3);
    assert_eq!(user.status(&id), "waiting_approval");
}

#[test]
fn what_nobody_approved_in_time_fails_and_cannot_be_answered_any_more() {
    let user = user_with(ANYONE);
    let sleeper = json!({ "argv": ["sleep", "1000"] });
    let mut late = entry_waiting("later2", "local", 3_600, 600, &json!({}));
    late.as_object_mut().unwrap().extend(sleeper.as_object().unwrap().clone());
    user.write_index(&index_of(&[late]));
    let status = user.ok(["status", "later2"]);
    assert!(status.contains("which is over; the next bgctl tick fails it"), "{status}");
    assert!(user.ok(["approval"]).contains("over"));
    let foreseen = user.ok(["tick", "--dry-run"]);
    assert!(
        foreseen.contains("would fail bg_20260213_later2, as nobody has approved it in time\n"),
        "{foreseen}"
    );
    user.run(["tick", "--json", "--dry-run"]);
    user.ok(["tick"]);
    let job = user.job("later2");
    assert_eq!((&job["status"], &job["answers"][0]["verdict"]), (&json!("failed"), &json!("expired")));
    assert_eq!(job["summary"], "nobody approved it within 10m");
    for verb in ["approve", "decline"] {
        let ran = user.run([verb, "later2"]);
        assert_eq!(ran.code, 4);
        assert!(ran.err.contains("it has ended (failed); nobody answered in time"), "{}", ran.err);
    }
    assert_eq!(user.wait("later2"), 125);
}

#[test]
fn that_the_time_is_nearly_over_is_said_once() {
    let user = user_with(TERMINAL);
    user.write_index(&index_of(&[entry_waiting("later2", "local", 4_000, 7_200, &json!({}))]));
    let foreseen = user.ok(["tick", "--dry-run"]);
    assert!(
        foreseen.contains("would warn that the time to approve bg_20260213_later2 is nearly over\n"),
        "{foreseen}"
    );
    user.run(["tick", "--json", "--dry-run"]);
    user.ok(["tick"]);
    user.ok(["tick"]);
    crate::schema::check_events(&user.root());
    let events = user.ok(["events"]);
    let warned = events.lines().filter(|line| line.contains("nobody has answered yet; it fails at")).count();
    assert_eq!(warned, 1, "{events}");
}

#[test]
fn inside_a_job_nobody_answers_whatever_the_environment_says() {
    let user = user_with(ANYONE);
    let id = waiting(&user);
    let ways = [
        vec!["sh", "-c", "\"$0\" approve \"$1\"; echo $?", BGCTL, &id],
        vec!["sh", "-c", "unset BG_JOB_ID; \"$0\" approve \"$1\"; echo $?", BGCTL, &id],
        vec!["sh", "-c", "env -i \"BG_HOME=$BG_HOME\" \"$0\" decline \"$1\"; echo $?", BGCTL, &id],
        vec!["env", "-u", "BG_JOB_ID", BGCTL, "approve", &id],
        // Nobody above this one carries the mark. While its job runs, the watcher is above it.
        vec![
            "sh",
            "-c",
            "env -u BG_JOB_ID setsid -f sh -c '\"$0\" approve \"$1\"; echo > gate' \"$0\" \"$1\"; read x < gate",
            BGCTL,
            &id,
        ],
    ];
    user.fifo("gate");
    for way in ways {
        let inside = user.start(["--quiet", "--"].into_iter().chain(way.iter().copied()));
        user.wait(&inside);
        let said = user.ok(["logs", &inside]);
        assert!(said.contains(" is for people, and this runs inside "), "{way:?}: {said}");
        assert_eq!(user.status(&id), "waiting_approval");
    }
}

#[test]
fn the_settings_can_let_nobody_answer_here() {
    let user = user_with(TERMINAL);
    let id = waiting(&user);
    configure(&user, "[approval]\nlocal = \"off\"\n");
    for verb in ["approve", "decline"] {
        let ran = user.run([verb, &id]);
        assert_eq!(ran.code, 78);
        assert!(
            ran.err.contains(&format!("nobody may {verb} at this machine: approval.local is off")),
            "{}",
            ran.err
        );
    }
    assert_eq!(user.run(["start", "--approval", "local", "--", "true"]).code, 78);
    assert_eq!(user.ok(["cancel", &id]), format!("{id} cancelled\n"));
}

#[test]
fn what_waits_for_github_is_approved_there_and_can_be_declined_here() {
    let user = user_with(ANYONE);
    let ran = user.run(["start", "--approval", "github:acme/infra#17", "--", "true"]);
    let id = ran.out.trim_end();
    let line = format!(
        "waits for an answer on github:acme/infra#17, where the question is yet to be put; bgctl status {id} says how far that is\n"
    );
    assert_eq!((ran.code, ran.err), (0, line));
    let ran = user.run(["approve", id]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("cannot be approved here") && ran.err.contains("the label bg:approved"),
        "{}",
        ran.err
    );
    assert_eq!(user.status(id), "waiting_approval");
    assert_eq!(user.ok(["decline", id]), format!("{id} declined (cancelled)\n"));
    user.all_gone();
}

#[test]
fn what_is_not_what_was_asked_about_is_not_approved() {
    let user = user_with(ANYONE);
    let id = waiting(&user);
    let index = user.index().to_string();
    user.write_index(&index.replace("\"deployed\"", "\"everything\""));
    let ran = user.run(["approve", &id]);
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains("is not what was asked about: its command, folder or variables changed"),
        "{}",
        ran.err
    );
    assert_eq!(user.ok(["decline", &id]), format!("{id} declined (cancelled)\n"));
}

#[test]
fn verbs_for_other_jobs_say_that_it_waits_for_approval() {
    let user = user_with(TERMINAL);
    let id = waiting(&user);
    let without_slot = format!("{id} waits for approval; nothing of it runs");
    for (arguments, code, said) in [
        (vec!["pause", &id], 4, format!("{id} waits for approval and cannot be paused; nothing of it runs")),
        (vec!["signal", &id, "HUP"], 4, without_slot),
        (vec!["retry", &id], 4, format!("{id} waits for approval; only what has ended can be retried")),
        (vec!["set", &id, "--delay", "5m"], 4, format!("{id} waits for approval and stays as it is")),
        (vec!["logs", &id], 0, String::new()),
        (vec!["wait", "--within", "0", &id], 121, format!("{id} waits for approval: bgctl approve {id}")),
    ] {
        let ran = user.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(&said) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(
        user.run(["set", "--json", &id, "--delay", "5m"]).json()["jobs"][0]["result"],
        "waits_for_approval"
    );
    assert_eq!(user.ok(["set", &id, "--priority", "high"]), format!("{id} priority normal → high\n"));
    assert_eq!(user.ok(["cancel", &id]), format!("{id} cancelled\n"));
    assert_eq!(user.job(&id)["summary"], "cancelled while it waited for approval");
}

#[test]
fn a_dry_run_names_whose_approval_would_be_waited_for() {
    let user = user_with(TERMINAL);
    let said = |arguments: &[&str]| user.ok([&["start", "--dry-run"], arguments, &["--", "true"]].concat());
    assert!(said(&["--approval", "local"]).contains("\n  once it is approved by bgctl approve, within 1d\n"));
    let on_github = ["--approval", "github:acme/infra", "--approval-ttl", "none"];
    assert!(said(&on_github).contains("\n  once it is approved on github:acme/infra\n"));
    let object = user.run(["start", "--json", "--dry-run", "--approval", "local", "--", "true"]).json();
    assert_eq!((&object["job"]["gate"]["on"], &object["job"]["id"]), (&json!("local"), &Value::Null));
    assert!(!user.root().join("jobs.json").exists());
}

#[test]
fn what_only_an_approval_can_bear_needs_one() {
    let user = User::new();
    for flags in [&["--approval-ttl", "2h"][..], &["--keep-token"]] {
        let ran = user.run([&["start"], flags, &["--", "true"]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("--approval-ttl and --keep-token need --approval"), "{}", ran.err);
    }
    for place in ["nobody", "github:acme", "github:acme/infra#0", "github:a b/c"] {
        let ran = user.run(["start", "--approval", place, "--", "true"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{place}");
        assert!(ran.err.starts_with("bgctl: --approval: "), "{}", ran.err);
    }
}

#[test]
fn a_line_of_a_batch_can_wait_and_the_others_run() {
    let user = user_with(TERMINAL);
    let lines = "{\"argv\":[\"true\"],\"approval\":\"local\",\"approval_ttl\":\"2h\"}\ntrue\n";
    std::fs::write(user.path("lines"), lines).unwrap();
    let ran = user.run(["start", "--batch", "lines"]);
    let ids: Vec<&str> = ran.out.lines().collect();
    assert_eq!((ran.code, ran.err.as_str()), (0, "2 jobs: 1 started, 1 waits for approval\n"));
    assert_eq!(user.wait(ids[1]), 0);
    assert_eq!(user.job(ids[0])["approval"]["ttl_seconds"], 7_200);
    let ran = user.run(["start", "--array", "1-3", "--approval", "local", "--", "echo", "{}"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, "3 jobs: 3 wait for approval\n"));
    std::fs::write(user.path("lines"), "{\"argv\":[\"true\"],\"approval\":\"me\"}\n").unwrap();
    let ran = user.run(["start", "--batch", "lines"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("lines, line 1: approval: expected local, github:OWNER/REPO"), "{}", ran.err);
}

#[test]
fn each_run_of_a_gated_schedule_waits() {
    let user = user_with(&format!(
        "{ANYONE}[schedules.weekly]\nevery = \"7d\"\nargv = [\"true\"]\napproval = \"local\"\n"
    ));
    user.ok(["schedule", "add", "--quiet", "nightly", "--every", "1h", "--approval", "local", "--", "true"]);
    user.ok(["tick"]);
    for name in ["nightly", "weekly"] {
        let shown = user.ok(["schedule", "show", name]);
        assert!(shown.contains("approval  each run waits for it, by bgctl approve, within 1d\n"), "{shown}");
        user.run(["schedule", "show", "--json", name]);
        let ran = user.run(["schedule", "run", name]);
        let id = ran.out.trim_end();
        assert_eq!((ran.code, ran.err), (0, format!("waits for approval: bgctl approve {id}\n")));
        user.ok(["approve", id]);
        assert_eq!(user.wait(id), 0);
    }
    configure(&user, "[schedules.weekly]\nevery = \"7d\"\nargv = [\"true\"]\napproval = \"me\"\n");
    let ran = user.run(["config", "check"]);
    assert_eq!(ran.code, 78);
    assert!(format!("{}{}", ran.out, ran.err).contains("approval: expected local"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_retry_of_a_gated_job_waits_again() {
    let user = user_with(ANYONE);
    let id = waiting(&user);
    user.ok(["approve", &id]);
    user.wait(&id);
    let ran = user.run(["retry", &id]);
    let again = ran.out.trim_end();
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains(&format!("waits for approval: bgctl approve {again}")), "{}", ran.err);
    let job = user.job(again);
    assert_eq!((&job["status"], &job["answers"]), (&json!("waiting_approval"), &json!([])));
}

#[test]
fn an_approved_job_takes_its_place_in_the_queue() {
    let user = user_with(&format!("{ANYONE}[queue]\nmax_concurrent = 1\n"));
    let held = Held::start(&user, "it");
    let id = waiting(&user);
    assert_eq!(user.ok(["approve", &id]), format!("{id} approved (queued)\n"));
    held.let_go(0);
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn what_stands_in_the_way_of_an_answer_degrades_the_health() {
    let user = user_with(TERMINAL);
    let trouble = |text: &str| json!({ "trouble": text });
    user.write_index(&index_of(&[
        entry_waiting("first2", "github:acme/infra", 60, 600, &trouble("GitHub has no acme/infra")),
        entry_waiting("other2", "github:acme/infra", 50, 600, &trouble("GitHub does not accept the token")),
        entry_waiting("fine22", "local", 60, 600, &json!({})),
    ]));
    let ran = user.run(["health", "--json"]);
    let object = ran.json();
    assert_eq!((ran.code, &object["status"]), (1, &json!("degraded")));
    let reasons = object["reasons"].as_array().unwrap();
    let reason = reasons.iter().find(|one| one["kind"] == "approval_hindered").unwrap();
    assert_eq!(reason["jobs"], json!(["bg_20260213_first2", "bg_20260213_other2"]));
    assert_eq!(
        reason["message"],
        "first2 waits for an answer that cannot be seen or does not count: GitHub has no acme/infra, \
         and 1 other job for another reason"
    );
    assert_eq!(object["counts"]["waiting_approval"], 3);
    let metrics = user.run(["health", "--prometheus"]).out;
    assert!(metrics.contains("bgctl_jobs{status=\"waiting_approval\"} 3\n"), "{metrics}");
    assert!(user.run(["health"]).out.contains("bgctl approval list shows what waits"));
}

#[test]
fn the_doctor_looks_for_the_token_that_cron_would_find_where_github_is_waited_for() {
    let user = user_with(TERMINAL);
    let finding = |token: Option<&str>| {
        let mut command = user.bgctl(["doctor", "--json"]);
        let ran = Ran::of(&command.envs(token.map(|token| ("GH_TOKEN", token))).output().unwrap());
        crate::schema::check(&user.root(), &["doctor", "--json"], &ran.out);
        let object = ran.json();
        object["findings"].as_array().unwrap().iter().find(|one| one["check"] == "github").cloned()
    };
    user.write_index(&index_of(&[entry_waiting("here22", "local", 60, 600, &json!({}))]));
    assert_eq!(finding(None), None, "nobody needs one");
    user.write_index(&index_of(&[entry_waiting("there2", "github:acme/infra", 60, 600, &json!({}))]));
    for (token, said) in [
        (None, "1 job waits for GitHub, and there is no token here: without one no answer can be seen"),
        (
            Some("ghp_x"),
            "1 job waits for GitHub, and a token comes from GH_TOKEN of this shell, which cron has not",
        ),
    ] {
        let found = finding(token).unwrap();
        assert_eq!((&found["result"], &found["found"]), (&json!("warning"), &json!(said)));
        assert!(found["mend"].as_str().unwrap().contains("token_file"), "{found}");
    }
    let file = user.path("token");
    std::fs::write(&file, "ghp_y\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    configure(&user, &format!("{TERMINAL}token_file = \"{}\"\n", file.display()));
    let found = finding(None).unwrap();
    assert_eq!((&found["result"], &found["found"]), (&json!("ok"), &json!("a token comes from token_file")));
    assert!(!found.to_string().contains("ghp_"));
}

#[test]
fn a_job_of_another_machine_can_be_answered_here() {
    let user = user_with(ANYONE);
    let mut there = entry_waiting("there2", "local", 60, 600, &json!({}));
    there["claim"] = elsewhere();
    user.write_index(&index_of(&[there]));
    assert_eq!(user.ok(["decline", "there2"]), "bg_20260213_there2 declined (cancelled)\n");
}

#[test]
fn the_stream_tells_what_was_asked_and_answered() {
    let user = user_with(ANYONE);
    let approved = waiting(&user);
    user.ok(["approve", &approved, "--note", "seen"]);
    user.wait(&approved);
    let declined = waiting(&user);
    user.ok(["decline", &declined, "--note", "no"]);
    let on_github = user.start(["--quiet", "--approval", "github:acme/infra", "--", "true"]);
    until("somebody asks GitHub in vain", || user.job(&on_github)["approval"]["trouble"].is_string());
    user.ok(["cancel", &on_github]);
    let by = user.job(&approved)["answers"][0]["by"].as_str().unwrap().to_owned();
    let events = user.ok(["events"]);
    for text in [
        "submitted, waits for approval".to_owned(),
        format!("approved by {by}: seen"),
        format!("cancelled: declined by {by}: no"),
        "no answer counts yet: ".to_owned(),
    ] {
        assert!(events.contains(&text), "{text} in {events}");
    }
    crate::schema::check_events(&user.root());
    user.all_gone();
}

#[test]
fn what_waits_is_offered_to_answer_for_and_places_to_ask() {
    let user = user_with(ANYONE);
    let offered = |line: &[&str]| {
        let place = (line.len() - 1).to_string();
        let mut command = user.bgctl([&place]);
        command.args(line).env("BGCTL_COMPLETE", "bash");
        bounded(command).out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let held = Held::start(&user, "it");
    let here = waiting(&user);
    let there = user.start(["--quiet", "--approval", "github:acme/infra#3", "--", "true"]);
    assert_eq!(offered(&["bgctl", "approve", ""]), ["deploy", &here]);
    assert_eq!(offered(&["bgctl", "decline", ""]), [&there, "deploy", &here]);
    assert_eq!(offered(&["bgctl", "start", "--approval", ""]), ["local", "github:acme/infra", "github:"]);
    assert_eq!(offered(&["bgctl", "approval", "request", "--on", "l"]), ["local"]);
    assert_eq!(offered(&["bgctl", "approval", ""]), ["list", "request"]);
    held.let_go(0);
}

#[test]
fn a_script_can_start_what_waits_and_wait_for_it() {
    let user = user_with(ANYONE);
    let ran = shell(
        &user,
        "\"$BGCTL\" start --quiet --wait --approval local --name deploy -- true & waiter=$!
        until \"$BGCTL\" approve deploy 2> err; do :; done
        wait $waiter; echo $?",
    );
    assert!(ran.out.ends_with("\n0\n"), "{}{}", ran.out, ran.err);
}

#[test]
fn a_submission_that_waits_for_what_nobody_approved_in_time_is_told_so_at_once() {
    let user = User::new();
    user.write_index(&index_of(&[entry_waiting("overdu", "local", 7_200, 3_600, &json!({}))]));
    let id = user.start(["--quiet", "--after", "overdu", "--", "true"]);
    assert_eq!((user.status("overdu"), user.status(&id)), ("failed".to_owned(), "cancelled".to_owned()));
}
