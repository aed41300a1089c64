//! `bgctl list`

use super::{DAY, HOUR, Held, ago, completed, entry, hold_both_slots, index_of};
use crate::support::{User, until};
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
ID                  NAME   STATUS               AGE  TIME   EXIT     COMMAND
bg_20260213_runnng  -      running (elsewhere)  3d   2d     -        true
bg_20260213_queued  -      queued #1            3d   -      -        true
bg_20260213_waatng  -      waiting_approval     3d   -      -        true
bg_20260213_canced  -      cancelled            3d   -      -        true
bg_20260213_faaled  -      failed               3d   1h30m  2        true
bg_20260213_kaaled  -      failed               3d   10m    SIGKILL  true
bg_20260213_cmpltd  build  completed            3d   45s    0        make -j4

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
    assert!(text.lines().nth(1).unwrap().starts_with(&format!("{third}  queued #1  ")), "{text}");
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
fn on_a_terminal(user: &User, columns: u16, arguments: &str, variables: &[(&str, &str)]) -> Option<String> {
    if !std::path::Path::new("/usr/bin/script").exists() {
        crate::support::skipped("needs script(1) for a terminal");
        return None;
    }
    let line = format!("stty cols {columns}; {} list --quiet {arguments}", crate::support::BGCTL);
    let mut command = user.command("/usr/bin/script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color").envs(variables.iter().copied());
    let ran = super::bounded(command);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    Some(ran.out.replace('\r', ""))
}

/// How much room the widest line takes.
fn widest(text: &str) -> usize {
    text.lines().map(unicode_width::UnicodeWidthStr::width).max().unwrap()
}

/// The words of the first line.
fn header(text: &str) -> Vec<&str> {
    text.lines().next().unwrap().split_whitespace().collect()
}

const NO_COLOR: (&str, &str) = ("NO_COLOR", "1");

#[test]
fn a_terminal_gets_colours_unless_somebody_objects() {
    let user = user_with_one_of_each();
    let Some(text) = on_a_terminal(&user, 200, "", &[]) else { return };
    for coloured in ["\x1b[32mcompleted\x1b[0m", "\x1b[31mfailed\x1b[0m", "\x1b[33mwaiting_approval\x1b[0m"] {
        assert!(text.contains(coloured), "{text:?}");
    }
    let plain = on_a_terminal(&user, 200, "", &[NO_COLOR]).unwrap();
    assert_eq!(plain, user.ok(["list"]));
    let mut uncoloured = text;
    for code in ["\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[35m"] {
        uncoloured = uncoloured.replace(code, "");
    }
    assert_eq!(uncoloured, plain, "colours move nothing");
}

#[test]
fn a_narrow_terminal_gets_shortened_commands_and_a_program_the_whole() {
    let user = User::new();
    let long = format!("make {}", "all ".repeat(100));
    user.write_index(&index_of(&[entry("queued", "queued", &json!({ "command": long.trim_end() }))]));
    let Some(text) = on_a_terminal(&user, 80, "", &[NO_COLOR]) else { return };
    assert!(text.contains("make all") && text.contains('…') && widest(&text) == 80, "{text}");
    assert!(user.ok(["list"]).contains(long.trim_end()), "a program gets it whole");
}

#[test]
fn the_table_fits_every_terminal_and_is_never_wrapped() {
    let user = User::new();
    let mut jobs = one_of_each();
    for (random, name) in [
        ("waades", "構築サーバー".repeat(10)),
        ("harmfl", "\x1b]0;mine\x07\x1b[2J\r\n\u{202e}".to_owned()),
        ("lengty", "n".repeat(200)),
        ("cmbnng", "e\u{301}".repeat(60)),
        ("emjjjj", "👩‍👩‍👧‍👦🏳️‍🌈".repeat(8)),
    ] {
        let changes =
            json!({ "name": name, "command": format!("echo {name} and more"), "ended_at": ago(HOUR) });
        jobs.push(entry(random, "failed", &changes));
    }
    let live = json!({ "started_at": ago(HOUR), "name": "served", "service": true });
    jobs.push(entry("served", "running", &live));
    user.write_index(&index_of(&jobs));
    for columns in [1, 10, 19, 20, 30, 40, 60, 80, 120, 200] {
        for arguments in ["", "--columns id,name,command,cwd,status,labels,created,summary"] {
            let Some(text) = on_a_terminal(&user, columns, arguments, &[NO_COLOR]) else { return };
            assert_eq!(text.lines().count(), 1 + jobs.len(), "{columns}: {text}");
            assert!(widest(&text) <= usize::from(columns), "{columns}: {text}");
            let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(harmful), "{columns}: {text:?}");
        }
    }
}

#[test]
fn columns_leave_in_a_sensible_order() {
    let user = user_with_one_of_each();
    for (columns, wanted) in [
        (120, vec!["ID", "NAME", "STATUS", "AGE", "TIME", "EXIT", "COMMAND"]),
        (80, vec!["ID", "NAME", "STATUS", "AGE", "TIME", "EXIT", "COMMAND"]),
        (75, vec!["ID", "NAME", "STATUS", "TIME", "EXIT", "COMMAND"]),
        (70, vec!["ID", "NAME", "STATUS", "TIME", "COMMAND"]),
        (60, vec!["ID", "NAME", "STATUS", "COMMAND"]),
        (40, vec!["ID", "STATUS", "COMMAND"]),
        (30, vec!["ID", "STATUS", "COMMAND"]),
        (20, vec!["ID", "STATUS"]),
    ] {
        let Some(text) = on_a_terminal(&user, columns, "", &[NO_COLOR]) else { return };
        assert_eq!(header(&text), wanted, "{columns}: {text}");
    }
}

#[test]
fn names_have_a_column_where_a_job_has_one() {
    let user = user_with_one_of_each();
    assert!(header(&user.ok(["list"])).contains(&"NAME"));
    assert!(!header(&user.ok(["list", "--status", "active"])).contains(&"NAME"));
    assert!(!header(&user.ok(["list", "--status", "active"])).contains(&"EXIT"), "none has ended");
}

#[test]
fn jobs_are_chosen_by_name_or_pattern() {
    let user = User::new();
    let jobs: Vec<Value> =
        [("bldaaa", "build"), ("bldbbb", "build-docs"), ("tstaaa", "test"), ("brckts", "b[1]")]
            .map(|(random, name)| entry(random, "queued", &json!({ "name": name })))
            .into_iter()
            .chain([entry("nameds", "queued", &json!({}))])
            .collect();
    user.write_index(&index_of(&jobs));
    for (arguments, wanted) in [
        (vec!["--name", "build"], vec!["bldaaa"]),
        (vec!["--name", "build*"], vec!["bldaaa", "bldbbb"]),
        (vec!["--name", "build", "--name", "t?st"], vec!["bldaaa", "tstaaa"]),
        (vec!["--name", "b[1]"], vec!["brckts"]),
        (vec!["--name", "*"], vec!["bldaaa", "bldbbb", "tstaaa", "brckts"]),
        (vec!["--name", "Build"], vec![]),
        (vec!["--name", "*", "--status", "running"], vec![]),
    ] {
        assert_eq!(shown(&user, &arguments), wanted, "{arguments:?}");
    }
    let bad = user.run(["list", "--name", "a["]);
    assert_eq!((bad.code, bad.out.as_str()), (2, ""));
    assert!(bad.err.contains("at character 2"), "{}", bad.err);
    let none = user.run(["list", "--name", "nobody"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(none.err, "no job is like that; bgctl list --all shows all there are\n");
}

#[test]
fn jobs_are_chosen_by_when_they_were_submitted() {
    let user = User::new();
    let at = |random, created: &str| entry(random, "queued", &json!({ "created_at": created }));
    user.write_index(&index_of(&[
        at("aaaaaa", "2026-02-13T10:00:00Z"),
        at("bbbbbb", "2026-02-14T00:00:00Z"),
        at("cccccc", &ago(3 * HOUR)),
        at("dddddd", &ago(60)),
    ]));
    for (since, wanted) in [
        ("2h", vec!["dddddd"]),
        ("4h", vec!["cccccc", "dddddd"]),
        ("2026-02-14", vec!["bbbbbb", "cccccc", "dddddd"]),
        ("2026-02-13 10:00", vec!["aaaaaa", "bbbbbb", "cccccc", "dddddd"]),
        ("2026-02-13T10:00:01", vec!["bbbbbb", "cccccc", "dddddd"]),
        ("2026-02-13T12:00:01+02:00", vec!["bbbbbb", "cccccc", "dddddd"]),
        ("2999-01-01", vec![]),
    ] {
        assert_eq!(shown(&user, &["--since", since]), wanted, "{since}");
    }
    let elsewhere = user.bgctl(["list", "--since", "2026-02-14"]).env("TZ", "Asia/Tokyo").output().unwrap();
    let elsewhere = crate::support::Ran::of(&elsewhere).out;
    assert!(elsewhere.contains("bbbbbb") && !elsewhere.contains("aaaaaa"), "{elsewhere}");
    for (bad, said) in [("soon", "expected a duration such as 2h"), ("-2h", "cannot be negative")] {
        let ran = user.run(["list", "--since", bad]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn who_chooses_gets_all_that_is_chosen() {
    let user = User::new();
    let jobs: Vec<Value> = (0..12_i64)
        .map(|n| {
            let changes =
                json!({ "name": "n", "labels": ["l"], "ended_at": ago(n * 60), "created_at": ago(DAY) });
            entry(&format!("aaaa{}{}", n / 10, n % 10), "failed", &changes)
        })
        .collect();
    user.write_index(&index_of(&jobs));
    for arguments in
        [["--status", "failed"], ["--name", "n"], ["--label", "l"], ["--since", "2d"], ["--limit", "50"]]
    {
        assert_eq!(shown(&user, &arguments).len(), 12, "{arguments:?}");
    }
    assert_eq!(shown(&user, &["--sort", "created"]).len(), 10, "an order is no choice");
}

#[test]
fn a_limit_counts_all_rows_and_what_is_left_out_is_said() {
    let user = user_with_one_of_each();
    assert_eq!(shown(&user, &["--limit", "2"]), ["runnng", "queued"]);
    assert_eq!(user.run(["list", "--limit", "2"]).err, "5 more; a larger --limit shows them\n");
    assert_eq!(user.run(["list", "--limit", "2", "--quiet"]).err, "");
    let object = user.run(["list", "--limit", "2", "--json"]).json();
    assert_eq!((&object["left_out"], object["jobs"].as_array().unwrap().len()), (&json!(5), 2));
    assert_eq!(user.run(["list", "--limit", "7"]).err, "");
    assert_eq!(shown(&user, &["--limit", "1", "--status", "failed"]), ["faaled"]);
    assert_eq!(user.run(["list", "--limit", "0"]).code, 2);
}

#[test]
fn jobs_are_sorted_by_every_key_and_the_other_way_round() {
    let user = User::new();
    let job = |random, status: &str, times: [i64; 3], name: &str| {
        let changes = json!({
            "created_at": ago(times[0]), "started_at": ago(times[1]), "ended_at": ago(times[2]), "name": name,
        });
        entry(random, status, &changes)
    };
    user.write_index(&index_of(&[
        job("aaaaaa", "failed", [900, 400, 300], "m"),
        job("bbbbbb", "completed", [800, 700, 200], "z"),
        job("cccccc", "cancelled", [700, 600, 350], "a"),
        entry("dddddd", "queued", &json!({ "created_at": ago(850) })),
    ]));
    for (key, wanted, turned) in [
        ("created", ["cccccc", "bbbbbb", "dddddd", "aaaaaa"], ["aaaaaa", "dddddd", "bbbbbb", "cccccc"]),
        ("started", ["aaaaaa", "cccccc", "bbbbbb", "dddddd"], ["bbbbbb", "cccccc", "aaaaaa", "dddddd"]),
        ("ended", ["bbbbbb", "aaaaaa", "cccccc", "dddddd"], ["cccccc", "aaaaaa", "bbbbbb", "dddddd"]),
        ("name", ["cccccc", "aaaaaa", "bbbbbb", "dddddd"], ["bbbbbb", "aaaaaa", "cccccc", "dddddd"]),
        ("status", ["dddddd", "bbbbbb", "aaaaaa", "cccccc"], ["cccccc", "aaaaaa", "bbbbbb", "dddddd"]),
        ("time", ["bbbbbb", "cccccc", "aaaaaa", "dddddd"], ["aaaaaa", "cccccc", "bbbbbb", "dddddd"]),
    ] {
        assert_eq!(shown(&user, &["--sort", key]), wanted, "{key}");
        assert_eq!(shown(&user, &["--sort", key, "--reverse"]), turned, "{key} turned");
    }
    assert_eq!(shown(&user, &[]), ["dddddd", "bbbbbb", "aaaaaa", "cccccc"]);
    assert_eq!(shown(&user, &["--reverse"]), ["cccccc", "aaaaaa", "bbbbbb", "dddddd"]);
    assert_eq!(shown(&user, &["--sort", "time", "--limit", "1"]), ["bbbbbb"]);
    let near = user.run(["list", "--sort", "mem"]);
    assert_eq!(near.code, 2);
    assert!(near.err.contains("did you mean memory?"), "{}", near.err);
}

#[test]
fn columns_are_chosen_by_name_and_every_one_says_something() {
    let user = user_with_one_of_each();
    let text = user.ok(["list", "--columns", "status,id,labels", "--status", "failed"]);
    assert_data_eq!(
        text,
        str![[r"
STATUS  ID                  LABELS
failed  bg_20260213_faaled  nightly
failed  bg_20260213_kaaled  nightly,big

"]]
    );
    let help = user.ok(["list", "--help"]);
    for (name, ..) in bgctl::render::column::Column::ALL {
        let text = user.ok(["list", "--columns", name]);
        assert_eq!((text.lines().count(), header(&text).len()), (8, 1), "{text}");
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name} in {help}"
        );
    }
    let near = user.run(["list", "--columns", "id,stauts"]);
    assert_eq!((near.code, near.out.as_str()), (2, ""));
    assert!(near.err.contains("did you mean status?"), "{}", near.err);
}

#[test]
fn a_line_a_job_in_a_form_of_ones_own() {
    let user = user_with_one_of_each();
    let chosen = |template| user.ok(["list", "--name", "build", "--format", template]);
    assert_eq!(chosen(r"{id}\t{name}\t{status}"), "bg_20260213_cmpltd\tbuild\tcompleted\n");
    assert_eq!(chosen("{{{exit}}}"), "{0}\n");
    assert_eq!(chosen("{time} {labels} {live} {cpu}."), "45   .\n", "nothing where there is nothing to say");
    assert_eq!(chosen("{exit_code} {observed} {stale_after_seconds}"), "0  3600\n");
    assert_eq!(chosen("{created}"), format!("{}\n", ago(3 * DAY + 12 * HOUR)));
    assert_eq!(
        user.ok(["list", "--label", "nightly", "--format", "{id}:{labels}:{exit}"]),
        "bg_20260213_queued:nightly:\nbg_20260213_faaled:nightly:2\nbg_20260213_kaaled:nightly,big:SIGKILL\n"
    );
    let unknown = user.run(["list", "--format", "{staus}"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains("did you mean {status}?"), "{}", unknown.err);
    assert_eq!(user.run(["list", "--format", "{id"]).code, 2);
}

#[test]
fn a_line_of_ones_own_stays_one_line_whatever_a_job_is_called() {
    let user = User::new();
    let changes =
        json!({ "name": "a\nb\x1b[2J", "labels": ["x\ty"], "command": "printf '\n'", "session": "\x07" });
    user.write_index(&index_of(&[entry("queued", "queued", &changes)]));
    assert_eq!(
        user.ok(["list", "--format", "{name}|{labels}|{command}|{session}|{argv}"]),
        "a\\nb\\u{1b}[2J|x\\ty|printf '\\n'|\\u{7}|\n"
    );
}

#[test]
fn every_field_of_a_job_in_json_is_a_placeholder() {
    use bgctl::render::{column::Column, template::FIELDS};
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model/wire/mod.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let wire = source.split("struct Wire {").nth(1).unwrap().split("\n}").next().unwrap();
    let of_the_index = wire
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with(['#', '/']) && *name != "unknown");
    let mut json: Vec<&str> = of_the_index.chain(["observed", "live", "place"]).collect();
    json.retain(|name| Column::parse(name).is_none());
    json.sort_unstable();
    assert_eq!(json, FIELDS, "a field of a job is missing among the placeholders, or is there no more");
    let user = user_with_one_of_each();
    let printed = user.run(["list", "--json", "--status", "failed"]).json();
    for name in printed["jobs"].as_array().unwrap().iter().flat_map(|job| job.as_object().unwrap().keys()) {
        let known = FIELDS.contains(&name.as_str()) || Column::parse(name).is_some();
        assert!(known, "{name}");
    }
}

#[test]
fn json_lines_are_the_jobs_of_the_object() {
    let user = user_with_one_of_each();
    let object = user.run(["list", "--json"]).json();
    let lines = user.ok(["list", "--json-lines"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&json!(lines), &object["jobs"]);
    assert_eq!(lines[1]["place"], 1);
    let limited = user.run(["list", "--json-lines", "--limit", "1"]);
    assert_eq!(
        (limited.out.lines().count(), limited.err.as_str()),
        (1, "6 more; a larger --limit shows them\n")
    );
    let none = user.run(["list", "--json-lines", "--name", "nobody"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
}

#[test]
fn forms_of_output_exclude_each_other() {
    let user = User::new();
    let forms = [["--json", ""], ["--json-lines", ""], ["--format", "{id}"], ["--columns", "id"]];
    for (number, one) in forms.iter().enumerate() {
        for other in &forms[number + 1..] {
            let words = one.iter().chain(other).filter(|word| !word.is_empty());
            let ran = user.run(["list"].iter().chain(words));
            assert_eq!(ran.code, 2, "{one:?} {other:?}");
            assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
        }
    }
}

#[test]
fn running_jobs_show_what_they_use() {
    let user = User::new();
    // Two processes besides the shell; one of them has used processor time when it says so.
    let busy = "sleep 60 & (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 60) &";
    let held = Held::start_with(&user, "busy", busy, &[]);
    let job = || user.run(["list", "--json"]).json()["jobs"][0].clone();
    until("its processor time is seen", || {
        job()["live"]["cpu_ms"].as_u64().is_some_and(|cpu_ms| cpu_ms > 0) && job()["live"]["processes"] == 3
    });
    let live = job()["live"].clone();
    assert!(
        live["memory_kib"].as_u64().unwrap() > 0 && live["cpu_percent"].as_f64().unwrap() > 0.0,
        "{live}"
    );
    let text = user.ok(["list"]);
    assert_eq!(header(&text), ["ID", "STATUS", "AGE", "TIME", "CPU", "MEMORY", "COMMAND"]);
    assert!(text.contains("% ") && text.contains("iB "), "{text}");
    let said = user.ok(["list", "--format", "{processes} {memory} {cpu}"]);
    let said: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(said[0] >= 3.0 && said[1] > 0.0, "{said:?}");
    held.let_go(0);
    user.wait(&held.id);
    assert_eq!(job()["live"], Value::Null);
    assert!(!header(&user.ok(["list"])).contains(&"CPU"), "nothing runs");
}

#[test]
fn what_a_job_uses_is_seen_although_its_watcher_died() {
    let user = User::new();
    let held = Held::start(&user, "it");
    let watcher = user.recorded_pid(&held.id, "watcher");
    crate::support::kill(watcher, rustix::process::Signal::KILL);
    until("its watcher is gone", || !crate::support::is_alive(watcher));
    let job = user.run(["list", "--json"]).json()["jobs"][0].clone();
    assert_eq!((&job["observed"], &job["live"]["processes"]), (&json!("unwatched"), &json!(1)));
    assert!(user.ok(["list"]).contains("running (unwatched)"));
}

#[test]
fn only_those_processes_are_looked_at_that_a_watcher_has_below_it_and_only_where_that_is_shown() {
    if !crate::sweeps::can_trace() {
        return;
    }
    let user = User::new();
    let looks = |arguments: &[&str]| {
        let log = user.path("strace.log");
        let mut command = user.command("strace");
        command
            .arg("-o")
            .arg(&log)
            .args(["-e", "trace=open,openat", crate::support::BGCTL, "list"])
            .args(arguments);
        let ran = super::bounded(command);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.matches("\"/proc\", ").count(), 0, "all processes");
        log.matches("/children\", ").count() > 0
    };
    user.write_index(&index_of(&[entry("queued", "queued", &json!({ "paused_at": ago(60) }))]));
    assert!(!looks(&[]), "nothing runs");
    let _held = hold_both_slots(&user);
    for (arguments, wanted) in [
        (&[][..], true),
        (&["--json"], true),
        (&["--sort", "cpu"], true),
        (&["--format", "{id} {status} {observed}"], false),
        (&["--columns", "id,status"], false),
        (&["--columns", "id,processes"], true),
        (&["--status", "queued"], false),
    ] {
        assert_eq!(looks(arguments), wanted, "{arguments:?}");
    }
}

#[test]
fn jobs_are_sorted_by_what_they_use() {
    let user = User::new();
    let idle = Held::start(&user, "idle");
    // Memory that the shell holds itself: a long text in a variable.
    let large = Held::start_with(&user, "large", "x=$(head -c 8000000 /dev/zero | tr '\\0' x)", &[]);
    let end = user.start(["true"]);
    let wanted = [&large.id, &idle.id, &end];
    until("its memory is seen", || {
        user.ok(["list", "--sort", "memory", "--format", "{id}"]).lines().eq(wanted)
    });
    let turned = user.ok(["list", "--sort", "memory", "--reverse", "--format", "{id}"]);
    assert_eq!(turned.lines().collect::<Vec<_>>(), [&idle.id, &large.id, &end], "a queued job uses nothing");
    assert_eq!(user.run(["list", "--sort", "cpu"]).code, 0);
    assert_eq!(shown(&user, &["--sort", "memory", "--limit", "1"]).len(), 1);
}

#[test]
fn a_job_of_another_machine_is_not_looked_at() {
    let user = user_with_one_of_each();
    let object = user.run(["list", "--json", "--status", "running"]).json();
    assert_eq!(object["jobs"][0]["live"], Value::Null);
}

#[test]
fn what_is_special_about_a_job_stands_beside_its_state() {
    let user = User::new();
    let later = (chrono::Utc::now() + chrono::TimeDelta::minutes(90)).to_rfc3339();
    let running = json!({ "started_at": ago(3 * HOUR), "paused_at": ago(2 * HOUR), "service": true });
    user.write_index(&index_of(&[
        entry("paused", "queued", &json!({ "paused_at": ago(2 * HOUR) })),
        entry("laterr", "queued", &json!({ "not_before": later })),
        entry("serves", "queued", &json!({ "service": true })),
        entry("frstaa", "queued", &json!({})),
        entry("secnda", "queued", &json!({})),
        entry("runnng", "running", &running),
    ]));
    let text = user.ok(["list", "--columns", "id,status"]);
    for (random, status) in [
        ("paused", "queued (paused 2h)"),
        ("serves", "queued (service)"),
        ("frstaa", "queued #1"),
        ("secnda", "queued #2"),
        ("runnng", "running (elsewhere, paused 2h, service)"),
    ] {
        assert!(text.contains(&format!("{random}  {status}\n")), "{random}: {text}");
        let alone = user.ok(["status", random]);
        assert!(alone.contains(&format!("status  {status}\n")), "the same word for word: {alone}");
    }
    assert!(text.contains("laterr  queued (in 1h"), "{text}");
    let alone = user.ok(["status", "runnng"]);
    assert!(alone.contains("run time  3h, the last 2h paused\n"), "{alone}");
    let all = user.ok(["status"]);
    assert!(all.contains("(elsewhere, paused 2h, service) true\n"), "{all}");
    assert_eq!(
        user.ok(["list", "--format", "{place} {service}", "--status", "queued"]),
        " false\n false\n true\n1 false\n2 false\n",
    );
}

#[test]
fn a_thousand_jobs_are_listed() {
    let user = User::new();
    let jobs: Vec<Value> = (0..1_000)
        .map(|n: u32| {
            let random: String =
                format!("{n:06}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            entry(&random, "queued", &json!({ "name": format!("n{n}") }))
        })
        .collect();
    user.write_index(&index_of(&jobs));
    let text = user.ok(["list"]);
    assert_eq!(text.lines().count(), 1_001);
    assert!(text.lines().last().unwrap().contains(" queued #1000 "), "{text}");
    assert_eq!(shown(&user, &["--limit", "3", "--sort", "created"]).len(), 3);
    assert_eq!(user.ok(["list", "--json-lines"]).lines().count(), 1_000);
}

#[test]
fn an_entry_that_is_damaged_inside_hinders_only_a_list_that_has_to_read_it() {
    let user = User::new();
    let ended =
        |random: &str, at: i64| entry(random, "completed", &json!({ "ended_at": ago(at), "exit_code": 0 }));
    let mut entries =
        vec![entry("damagd", "completed", &json!({ "ended_at": ago(DAY), "exit_code": "zero" }))];
    entries.extend((0..10).map(|number| ended(&format!("sound{number}"), HOUR - number)));
    user.write_index(&index_of(&entries));
    let shown = user.ok(["list"]);
    assert!(shown.contains("sound9") && !shown.contains("damagd"), "{shown}");
    assert!(user.ok(["list", "--limit", "3"]).contains("sound9"));
    for arguments in [&["list", "--all"][..], &["list", "--sort", "created"], &["list", "--limit", "11"]] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.err.contains("line 2")), (5, true), "{arguments:?}: {}", ran.err);
    }
}
