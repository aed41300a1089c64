//! How a job is named: ids, prefixes, names, `@`, `-`.

use super::{
    DAY, Held, ago, completed, entry, index_of, shell,
    terminal::{Talk, in_terminal, without_terminal},
};
use crate::support::User;
use serde_json::json;

#[test]
fn the_newest_job_and_those_before_it_are_counted_with_an_at_sign() {
    let user = User::new();
    user.write_index(&index_of(&[
        completed("aaaaaa", DAY),
        completed("bbbbbb", DAY),
        completed("cccccc", DAY),
    ]));
    for (text, random) in [("@", "cccccc"), ("@1", "cccccc"), ("@2", "bbbbbb"), ("@3", "aaaaaa")] {
        assert_eq!(user.job(text)["id"], format!("bg_20260213_{random}"), "{text}");
    }
    let ran = user.run(["status", "@4"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.err,
        "bgctl: there is no job \"@4\": there are only 3\n  bgctl list --all shows the jobs there are\n"
    );
    assert_eq!(user.run(["status", "@0"]).code, 3);
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest_one() {
    let user = User::new();
    user.write_index(&index_of(&[entry(
        "aaaaaa",
        "cancelled",
        &json!({ "name": "build", "ended_at": ago(DAY) }),
    )]));
    for command in ["status", "logs", "cancel", "pause", "resume", "send", "signal"] {
        let last = match command {
            "send" => Some("text"),
            "signal" => Some("HUP"),
            _ => None,
        };
        let ran = user.run([command, "biuld"].into_iter().chain(last));
        assert_eq!(ran.code, 3);
        assert!(ran.err.contains("\n  did you mean build? "), "{command}: {}", ran.err);
    }
}

#[test]
fn candidates_come_with_state_age_name_and_command() {
    let user = User::new();
    let named = |random: &str, name: &str| {
        entry(
            random,
            "queued",
            &json!({ "name": name, "created_at": ago(7200), "command": "make\u{1b}[2J -j4" }),
        )
    };
    user.write_index(&index_of(&[completed("abcdef", DAY), named("abcxyz", "build")]));
    let ran = user.run(["cancel", "--json", "abc"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        ran.err,
        "bgctl: \"abc\" could be any of 2 jobs:\n  \
         bg_20260213_abcxyz  queued     2h  build  make\\u{1b}[2J -j4\n  \
         bg_20260213_abcdef  completed  1d         true\n  give more of the id\n"
    );
    let candidates = &ran.json()["error"]["candidates"];
    assert_eq!(candidates[0]["name"], "build");
    assert_eq!(candidates[1]["status"], "completed");
}

#[test]
fn a_terminal_changes_jobs_of_its_own_by_name_and_looks_at_all() {
    let user = User::new();
    let script = "$BGCTL start --name it -- sleep 1000";
    let other = in_terminal(&user, script, "", Talk::Kept).out.trim_end().to_owned();
    let ran = in_terminal(&user, "$BGCTL cancel it", "", Talk::Kept);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    assert_eq!(
        ran.err,
        format!(
            "bgctl: no job of this terminal is called \"it\", only 1 elsewhere\n  its id names it from anywhere: {other}\n"
        )
    );
    let ran = in_terminal(&user, "$BGCTL status --json it; $BGCTL cancel @", "", Talk::Kept);
    assert!(ran.out.contains(&other), "it can be looked at from everywhere: {}", ran.out);
    assert_eq!(ran.code, 3, "there is nothing of this terminal");
    assert!(ran.err.contains("there is none of this terminal"), "{}", ran.err);
    assert_eq!(user.status(&other), "running");
    let own = in_terminal(&user, "$BGCTL start --name it -- sleep 1000; $BGCTL cancel it", "", Talk::Kept);
    assert_eq!(own.code, 0, "{}", own.err);
    assert_eq!(user.status(&other), "running", "the one of the other terminal goes on");
    let random = other.rsplit('_').next().unwrap();
    assert_eq!(in_terminal(&user, &format!("$BGCTL cancel {random}"), "", Talk::Kept).code, 0);
    assert_eq!(user.status(&other), "cancelled");
}

#[test]
fn the_newest_job_of_a_terminal_is_not_the_newest_of_all() {
    let user = User::new();
    let script = "$BGCTL start -- sleep 1000; setsid $BGCTL start -- sleep 1000; $BGCTL cancel @";
    let ran = in_terminal(&user, script, "", Talk::Kept);
    let ids: Vec<&str> = ran.out.lines().collect();
    assert_eq!((ran.code, ids[2]), (0, format!("{} cancelled", ids[0]).as_str()));
    assert_eq!(user.status(ids[1]), "running");
    assert_eq!(user.job("@")["id"], ids[1], "who looks sees the newest of all");
    user.ok(["cancel", ids[1]]);
}

#[test]
fn without_a_terminal_names_are_those_given_without_one() {
    let user = User::new();
    let id = without_terminal(&user, &["start", "--name", "it", "--", "sleep", "1000"]).out;
    let own = in_terminal(&user, "$BGCTL start --name it -- sleep 1000", "", Talk::Kept).out;
    assert_eq!(without_terminal(&user, &["cancel", "it"]).out, format!("{} cancelled\n", id.trim_end()));
    assert_eq!(user.status(own.trim_end()), "running");
    let refused = without_terminal(&user, &["cancel", "@2"]);
    assert!(refused.err.contains("only one started without a terminal"), "{}", refused.err);
    user.ok(["cancel", own.trim_end()]);
}

#[test]
fn a_dash_is_replaced_by_what_standard_input_names() {
    let user = User::new();
    let held = [Held::start(&user, "one"), Held::start(&user, "two")];
    let queued = user.start(["true"]);
    let script = format!("printf '%s\\n%s' {} {queued} | $BGCTL cancel -", held[1].id);
    let ran = shell(&user, &script);
    assert_eq!((ran.code, ran.out), (0, format!("{} cancelled\n{queued} cancelled\n", held[1].id)));
    assert_eq!(user.status(&held[0].id), "running");
    held[0].let_go(7);
    let ran = shell(&user, &format!("echo {} | $BGCTL wait -q {queued} -", held[0].id));
    assert_eq!(ran.code, 125, "in the order given");
    let ran = shell(&user, &format!("echo {} | $BGCTL wait -q -", held[0].id));
    assert_eq!(ran.code, 7);
    let ran = shell(&user, &format!("echo {} | $BGCTL status --json -", held[0].id));
    assert_eq!(ran.json()["jobs"][0]["exit_code"], 7);
}

#[test]
fn a_standard_input_that_names_nobody_is_nothing_to_do() {
    let user = User::new();
    let commands =
        ["cancel", "wait", "wait --any", "status", "pause", "resume", "set --name x", "cancel --json"];
    for command in commands {
        let ran = shell(&user, &format!("$BGCTL {command} - < /dev/null"));
        // Who waits for nobody has not seen that all went well.
        let code = if command.starts_with("wait") { 122 } else { 0 };
        assert_eq!((ran.code, ran.err.as_str()), (code, "no job was named\n"), "{command}");
    }
    let held = Held::start(&user, "it");
    assert_eq!(shell(&user, "$BGCTL cancel - < /dev/null").code, 0);
    assert_eq!(user.status(&held.id), "running", "nobody is not everybody");
    let ran = shell(&user, "printf '\\377' | $BGCTL cancel -");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("it is not text"), "{}", ran.err);
}

#[test]
fn a_name_that_stands_for_something_else_is_refused() {
    let user = User::new();
    for name in ["-", "@", "@2"] {
        let ran = user.run(["start", &format!("--name={name}"), "--", "true"]);
        assert_eq!(ran.code, 2, "{name}");
        assert!(ran.err.contains("a job cannot be called"), "{}", ran.err);
    }
    user.start(["--name=@home", "--", "true"]);
    assert_eq!(user.job("@home")["name"], "@home");
}
