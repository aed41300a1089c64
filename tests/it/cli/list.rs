//! `bgctl list`

use super::{DAY, HOUR, Held, ago, completed, entry, hold_both_slots, index_of};
use crate::support::User;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

/// A job in each state, made by hand.
fn one_of_each() -> Vec<Value> {
    let ran = |seconds: i64, changes: Value| {
        let mut fields = json!({
            "created_at": ago(3 * DAY + 12 * HOUR),
            "started_at": ago(3 * DAY + 11 * HOUR),
            "ended_at": ago(3 * DAY + 11 * HOUR - seconds),
        });
        fields.as_object_mut().unwrap().extend(changes.as_object().cloned().unwrap());
        fields
    };
    vec![
        entry(
            "cmpltd",
            "completed",
            &ran(45, json!({ "exit_code": 0, "name": "build", "command": "make -j4" })),
        ),
        entry("faaled", "failed", &ran(5_400, json!({ "exit_code": 2, "labels": ["nightly"] }))),
        entry("kaaled", "failed", &ran(600, json!({ "signal": 9, "labels": ["nightly", "big"] }))),
        entry("canced", "cancelled", &json!({ "ended_at": ago(2 * DAY) })),
        entry("queued", "queued", &json!({ "labels": ["nightly"] })),
        entry("runnng", "running", &json!({ "started_at": ago(2 * DAY + HOUR) })),
        entry("waatng", "waiting_approval", &json!({})),
    ]
}

fn user_with_one_of_each() -> User {
    let user = User::new();
    user.write_index(&index_of(&one_of_each()));
    user
}

/// The random parts of the ids that a list shows.
#[track_caller]
fn shown(user: &User, arguments: &[&str]) -> Vec<String> {
    let text = user.ok(["list"].iter().chain(arguments));
    text.lines()
        .skip(1)
        .map(|line| line.split_whitespace().next().unwrap().rsplit('_').next().unwrap().to_owned())
        .collect()
}

#[test]
fn active_jobs_come_first_then_ended_ones_with_the_latest_end_first() {
    let user = user_with_one_of_each();
    let ran = user.run(["list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_data_eq!(
        ran.out,
        str![[r"
ID                  STATUS               AGE  TIME   EXIT     COMMAND
bg_20260213_runnng  running (elsewhere)  3d   2d     -        true
bg_20260213_queued  queued               3d   -      -        true
bg_20260213_waatng  waiting_approval     3d   -      -        true
bg_20260213_canced  cancelled            3d   -      -        true
bg_20260213_faaled  failed               3d   1h30m  2        true
bg_20260213_kaaled  failed               3d   10m    SIGKILL  true
bg_20260213_cmpltd  completed            3d   45s    0        build: make -j4

"]]
    );
}

#[test]
fn states_can_be_chosen_by_word_and_synonym() {
    let user = user_with_one_of_each();
    for (word, wanted) in [
        ("queued", vec!["queued"]),
        ("running", vec!["runnng"]),
        ("completed", vec!["cmpltd"]),
        ("succeeded", vec!["cmpltd"]),
        ("failed", vec!["faaled", "kaaled"]),
        ("cancelled", vec!["canced"]),
        ("canceled", vec!["canced"]),
        ("waiting_approval", vec!["waatng"]),
        ("waiting", vec!["waatng"]),
        ("active", vec!["runnng", "queued", "waatng"]),
        ("ended", vec!["canced", "faaled", "kaaled", "cmpltd"]),
        ("failed,queued", vec!["queued", "faaled", "kaaled"]),
    ] {
        assert_eq!(shown(&user, &["--status", word]), wanted, "{word}");
    }
    assert_eq!(shown(&user, &["--status", "queued", "--status", "canceled"]), ["queued", "canced"]);
}

#[test]
fn labels_can_be_chosen_and_all_of_them_must_be_there() {
    let user = user_with_one_of_each();
    assert_eq!(shown(&user, &["--label", "nightly"]), ["queued", "faaled", "kaaled"]);
    assert_eq!(shown(&user, &["--label", "nightly", "--label", "big"]), ["kaaled"]);
    assert_eq!(shown(&user, &["--label", "nightly", "--status", "ended"]), ["faaled", "kaaled"]);
    assert!(shown(&user, &["--label", "night"]).is_empty());
}

#[test]
fn an_unknown_state_gets_the_nearest_one_or_all() {
    let user = user_with_one_of_each();
    let near = user.run(["list", "--status", "complete"]);
    assert_eq!((near.code, near.out.as_str()), (2, ""));
    assert_eq!(near.err, "bgctl: there is no state \"complete\"\n  did you mean completed?\n");
    let far = user.run(["list", "--status", "zzz"]);
    assert_eq!(far.code, 2);
    assert!(far.err.contains("queued, running, waiting_approval"), "{}", far.err);
}

#[test]
fn only_the_latest_ended_jobs_are_shown_unless_all_are_asked_for() {
    let user = User::new();
    let jobs: Vec<Value> =
        (0..12_i64).map(|n| completed(&format!("aaaa{}{}", n / 10, n % 10), DAY - n * 60)).collect();
    user.write_index(&index_of(&jobs));
    let ran = user.run(["list"]);
    assert_eq!(ran.out.lines().count(), 11);
    assert!(ran.out.lines().nth(1).unwrap().starts_with("bg_20260213_aaaa11"), "{}", ran.out);
    assert_eq!(ran.err, "2 more ended; bgctl list --all shows them\n");
    assert_eq!(shown(&user, &["--all"]).len(), 12);
    assert_eq!(shown(&user, &["--status", "completed"]).len(), 12, "who asks for a state wants all of it");
}

#[test]
fn an_empty_list_says_what_next_and_makes_nothing() {
    let user = User::new();
    let ran = user.run(["list"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(ran.err, "no jobs; bgctl start -- COMMAND starts one\n");
    assert!(!user.root().exists());
}

#[test]
fn real_jobs_are_shown_as_they_are() {
    let user = User::new();
    let [one, _two] = hold_both_slots(&user);
    let third = user.start(["true"]);
    assert_eq!(shown(&user, &["--status", "running"]).len(), 2);
    let text = user.ok(["list", "--status", "queued"]);
    assert!(text.lines().nth(1).unwrap().starts_with(&format!("{third}  queued  ")), "{text}");
    one.let_go(4);
    user.wait(&one.id);
    user.wait(&third);
    let text = user.ok(["list", "--status", "ended"]);
    assert!(text.contains(" failed ") && text.contains(" completed "), "{text}");
}

#[test]
fn a_job_that_is_being_ended_says_so() {
    let user = User::new();
    let held = Held::start_with(&user, "it", "trap '' TERM", &["--grace", "none"]);
    user.ok(["cancel", "--no-wait", &held.id]);
    assert!(user.ok(["list"]).contains("running (being ended)"));
    assert!(user.ok(["status", &held.id]).contains("running (being ended)"));
}

#[test]
fn colours_stay_away_from_pipes() {
    let user = user_with_one_of_each();
    assert!(!user.ok(["list"]).contains('\x1b'));
}

/// A list as a terminal of this width shows it.
#[track_caller]
fn on_a_terminal(user: &User, columns: u16, variables: &[(&str, &str)]) -> Option<String> {
    if !std::path::Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: needs script(1) for a terminal");
        return None;
    }
    let line = format!("stty cols {columns}; {} list", crate::support::BGCTL);
    let mut command = user.command("/usr/bin/script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color").envs(variables.iter().copied());
    let ran = super::bounded(command);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    Some(ran.out.replace('\r', ""))
}

#[test]
fn a_terminal_gets_colours_unless_somebody_objects() {
    let user = user_with_one_of_each();
    let Some(text) = on_a_terminal(&user, 200, &[]) else { return };
    assert!(text.contains("\x1b["), "{text:?}");
    let plain = on_a_terminal(&user, 200, &[("NO_COLOR", "1")]).unwrap();
    assert_eq!(plain, user.ok(["list"]));
}

#[test]
fn a_narrow_terminal_gets_shortened_commands() {
    let user = User::new();
    let long = format!("make {}", "all ".repeat(100));
    user.write_index(&index_of(&[entry("queued", "queued", &json!({ "command": long.trim_end() }))]));
    let Some(text) = on_a_terminal(&user, 80, &[("NO_COLOR", "1")]) else { return };
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(text.contains("make all") && text.contains('…') && widest <= 80, "{widest}: {text}");
    assert!(user.ok(["list"]).contains(long.trim_end()), "a program gets it whole");
}
