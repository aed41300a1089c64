//! `bgctl retry`

use super::dead::{dead_letter, environments, letter};
use super::{HOUR, Held, ago, configure, contents, entry, has_started, hold_both_slots, index_of};
use crate::faces::help::write_program;
use crate::support::{Ran, User, until};
use serde_json::{Value, json};
use std::process::Command;

/// The one id on standard output.
#[track_caller]
fn new_id(ran: &Ran) -> String {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    ran.out.trim_end().to_owned()
}

/// How many jobs there are.
fn count(user: &User) -> usize {
    user.index()["jobs"].as_array().unwrap().len()
}

/// `bgctl retry --edit` with that script as the editor; `$1` is the file.
fn edited(user: &User, id: &str, script: &str) -> Ran {
    write_program(&user.path("editor"), script);
    let mut command: Command = user.bgctl(["retry", "--edit", id]);
    command.env("EDITOR", user.path("editor")).env("TMPDIR", tmp(user));
    Ran::of(&command.output().unwrap())
}

/// A folder for temporary files.
fn tmp(user: &User) -> std::path::PathBuf {
    let path = user.path("tmp");
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn a_dead_letter_runs_again_with_the_environment_that_it_had() {
    let user = User::new();
    let script = "printf %s \"$TOKEN$HERE\" > said; test -e good";
    let original = dead_letter(&user, &["--env", "TOKEN=swordfish"], script);
    std::fs::write(user.path("good"), "").unwrap();
    let ran = Ran::of(&user.bgctl(["retry", &original]).env("HERE", "not-this").output().unwrap());
    let id = new_id(&ran);
    assert_eq!(ran.err, "");
    assert_eq!(user.wait(&id), 0);
    assert_eq!(std::fs::read_to_string(user.path("said")).unwrap(), "swordfish");
    let (old, new) = (user.job(&original), user.job(&id));
    assert_eq!((&new["retry_of"], &new["env_names"]), (&json!(original), &json!(["TOKEN"])));
    assert_eq!((&old["dead_letter"], &old["retries"]), (&json!(false), &json!([id])));
    assert!(user.ok(["status", &id]).contains(&format!("{original} (failed)")));
    assert!(user.ok(["status", &original]).contains(&format!("retried by  {id} (completed)")));
    until("the values go with the last job that had them", || environments(&user) == 0);
    for shown in [user.ok(["status", "--json", &original, &id]), user.ok(["list", "--all", "--json"])] {
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}

#[test]
fn a_retry_has_every_setting_of_its_original() {
    let user = User::new();
    configure(&user, "[groups.gpu]\nslots = 1\n");
    std::fs::create_dir(user.path("there")).unwrap();
    let flags = [
        "--name",
        "it",
        "--label",
        "a",
        "--label",
        "b",
        "--timeout",
        "2h",
        "--grace",
        "3",
        "--stale-after",
        "none",
        "--log-max",
        "1MiB",
        "--priority",
        "high",
        "--group",
        "gpu",
        "--leftovers",
        "leave",
        "--cwd",
        "there",
        "--retry-on",
        "1-9",
        "--retry-max-delay",
        "7",
        "--key",
        "k",
        "--key-ttl",
        "1h",
    ];
    let original = dead_letter(&user, &flags, "exit 3");
    let id = new_id(&user.run(["retry", &original]));
    assert_eq!(user.wait(&id), 3);
    let (old, new) = (user.job(&original), user.job(&id));
    for field in [
        "argv",
        "command",
        "cwd",
        "name",
        "labels",
        "timeout_seconds",
        "grace_seconds",
        "stale_after_seconds",
        "log_max_bytes",
        "limits_from",
        "priority",
        "group",
        "on_leftovers",
        "max_attempts",
        "retry_delay_seconds",
        "retry_max_delay_seconds",
        "retry_on",
        "key",
        "key_ttl_seconds",
        "env",
    ] {
        assert_eq!(old[field], new[field], "{field}");
    }
    assert_eq!(new["dead_letter"], true, "it failed as its original did, and takes its place");
    assert_eq!(user.run(["dead", "--json"]).json()["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_kept_to_be_read_is_read_again_and_what_was_waited_for_is_not() {
    let user = User::new();
    let first = user.start(["true"]);
    user.wait(&first);
    let mut command = user.bgctl([
        "start",
        "--stdin",
        "-",
        "--after",
        &first,
        "--attempts",
        "2",
        "--retry-delay",
        "0",
        "--",
        "sh",
        "-c",
        "cat > read; exit 1",
    ]);
    std::fs::write(user.path("given"), "kept words\n").unwrap();
    command.stdin(std::fs::File::open(user.path("given")).unwrap());
    let original = new_id(&Ran::of(&command.output().unwrap()));
    assert_eq!(user.wait(&original), 1);
    std::fs::remove_file(user.path("read")).unwrap();
    let id = new_id(&user.run(["retry", &original]));
    assert_eq!(user.wait(&id), 1);
    assert_eq!(std::fs::read_to_string(user.path("read")).unwrap(), "kept words\n");
    let new = user.job(&id);
    assert_eq!(new["after"], json!([]));
    assert!(new["stdin"].as_str().unwrap().ends_with(&format!("{id}.in")), "a copy of its own: {new}");
    user.ok(["dead", "clear", &id]);
    user.ok(["prune", "--all"]);
    assert!(contents(&user.root().join("runs")).is_empty());
}

#[test]
fn any_other_ended_job_runs_with_the_environment_of_here_and_that_is_said() {
    let user = User::new();
    let original =
        user.start(["--env", "TOKEN=old", "--", "sh", "-c", "printf %s \"$TOKEN\" > said; exit 5"]);
    assert_eq!(user.wait(&original), 5);
    let ran = Ran::of(&user.bgctl(["retry", &original]).env("TOKEN", "new").output().unwrap());
    let id = new_id(&ran);
    assert_eq!(
        ran.err,
        format!(
            "{original} is no dead letter, so that its environment is not kept: {id} runs with the one of here\n"
        )
    );
    assert_eq!(user.wait(&id), 5);
    assert_eq!(std::fs::read_to_string(user.path("said")).unwrap(), "new");
    let new = user.job(&id);
    assert_eq!((&new["retry_of"], &new["env_names"]), (&json!(original), &json!([])));
    for ended in ["completed", "cancelled"] {
        let one = if ended == "completed" { user.start(["true"]) } else { user.start(["sleep", "1000"]) };
        if ended == "cancelled" {
            user.ok(["cancel", &one]);
        }
        user.wait(&one);
        assert_eq!(user.status(&one), ended);
        let again = new_id(&user.run(["retry", "--quiet", &one]));
        user.ok(["cancel", &again]);
    }
}

#[test]
fn a_job_that_has_not_ended_is_not_repeated() {
    let user = User::new();
    let held = hold_both_slots(&user);
    let queued = user.start(["true"]);
    for (id, said) in [
        (&held[0].id, format!("{} is running; only what has ended can be retried", held[0].id)),
        (&queued, format!("{queued} is queued and has not run yet; only what has ended can be retried")),
    ] {
        let ran = user.run(["retry", id]);
        assert_eq!((ran.code, ran.out.as_str()), (4, ""));
        assert!(ran.err.contains(&said) && ran.err.contains(&format!("bgctl cancel {id}")), "{}", ran.err);
    }
    assert_eq!(count(&user), 3);
}

#[test]
fn a_second_retry_while_the_first_goes_on_is_another_one_and_that_is_said() {
    let user = User::new();
    let gate = user.fifo("gate");
    let original =
        user.start(["--", "sh", "-c", &format!("test -e slow || exit 1; read x < '{}'", gate.display())]);
    assert_eq!(user.wait(&original), 1);
    std::fs::write(user.path("slow"), "").unwrap();
    let first = new_id(&user.run(["retry", &original]));
    until("it runs", || has_started(&user, &first));
    let second = user.run(["retry", &original]);
    assert!(
        second.err.starts_with(&format!("{original} is being retried already, by {first} (running)\n")),
        "{}",
        second.err
    );
    user.ok(["cancel", &first, &new_id(&second)]);
}

#[test]
fn a_retry_takes_its_originals_key_over_unless_another_job_has_it() {
    let user = User::new();
    let original = dead_letter(&user, &["--key", "k", "--key-ttl", "1h"], "exit 1");
    let held = Held::start_with(&user, "it", "", &["--key", "other"]);
    let id = new_id(&user.run(["retry", &original]));
    assert_ne!(user.wait(&id), 0);
    let repeated = user.run(["start", "--key", "k", "--", "true"]);
    assert_eq!(repeated.out.trim_end(), id, "the key is the newest one's: {}", repeated.err);
    held.let_go(1);
    user.wait(&held.id);
    let now = user.start(["--key", "other", "--", "sleep", "1000"]);
    let ran = user.run(["retry", &held.id]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains(&format!("{now} has the key of {}", held.id)), "{}", ran.err);
    user.ok(["cancel", &now]);
}

#[test]
fn all_dead_letters_are_repeated_in_order_and_one_of_each_key() {
    let user = User::new();
    let env = json!({ "cwd": user.path("").to_str().unwrap() });
    let keyed = json!({ "key": "k", "cwd": env["cwd"], "labels": ["nightly"] });
    user.write_index(&index_of(&[
        letter("first2", 3 * HOUR, &env),
        letter("older2", 2 * HOUR, &keyed),
        letter("newer2", HOUR, &keyed),
        entry("failed", "failed", &json!({ "ended_at": ago(60), "exit_code": 1 })),
    ]));
    let foreseen = user.run(["retry", "--dead", "--dry-run", "--json"]).json();
    assert_eq!(foreseen["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(count(&user), 4, "a dry run changes nothing");
    let retried = user.run(["retry", "--dead", "--json"]).json();
    let originals: Vec<&Value> =
        retried["retries"].as_array().unwrap().iter().map(|one| &one["retry_of"]).collect();
    assert_eq!(originals, [&json!("bg_20260213_first2"), &json!("bg_20260213_newer2")]);
    assert_eq!(retried["left"], json!([{ "id": "bg_20260213_older2", "key_held_by": "bg_20260213_newer2" }]));
    for one in retried["retries"].as_array().unwrap() {
        assert_eq!(user.wait(one["id"].as_str().unwrap()), 0);
    }
    let rest = user.run(["retry", "--dead", "--label", "other"]);
    assert_eq!((rest.code, rest.err.as_str()), (0, "no dead letter is like that\n"));
    let last = user.run(["retry", "--dead", "--wait", "--label", "nightly"]);
    assert_eq!((last.code, last.out.lines().count()), (0, 1), "{}", last.err);
    assert_eq!(user.run(["dead"]).err, "there are no dead letters\n");
}

#[test]
fn several_are_repeated_all_or_none() {
    let user = User::new();
    let good = dead_letter(&user, &[], "exit 1");
    write_program(&user.path("gone"), "exit 1");
    let bad = user.start(["./gone"]);
    user.wait(&bad);
    std::fs::remove_file(user.path("gone")).unwrap();
    let ran = user.run(["retry", &good, &bad]);
    assert_eq!((ran.code, ran.out.as_str()), (127, ""), "{}", ran.err);
    assert!(
        ran.err.starts_with(&format!("bgctl: could not retry {bad}: ./gone: command not found")),
        "{}",
        ran.err
    );
    std::fs::create_dir(user.path("gone-too")).unwrap();
    let moved = user.start(["--cwd", "gone-too", "--", "true"]);
    user.wait(&moved);
    std::fs::remove_dir(user.path("gone-too")).unwrap();
    assert_eq!(user.run(["retry", &good, &moved]).code, 1);
    assert_eq!(user.run(["retry", &good, "nobody"]).code, 3);
    assert_eq!(count(&user), 3);
    assert_eq!(user.job(&good)["dead_letter"], true, "and it is one still");
}

#[test]
fn a_retry_waits_in_the_queue_like_everything_else_and_many_count_as_one() {
    let user = User::new();
    configure(&user, "[queue]\nmax_size = 2\nthreshold_percent = 50\n");
    let cwd = json!({ "cwd": user.path("").to_str().unwrap() });
    user.write_index(&index_of(&[
        letter("aaaaa2", HOUR, &cwd),
        letter("bbbbb2", HOUR, &cwd),
        letter("ccccc2", HOUR, &cwd),
        letter("ddddd2", HOUR, &cwd),
    ]));
    let held = hold_both_slots(&user);
    let many = user.run(["retry", "aaaaa2", "bbbbb2", "ccccc2"]);
    assert_eq!((many.code, many.out.lines().count()), (0, 3), "{}", many.err);
    assert!(many.err.ends_with("3 jobs started again, 3 of them queued\n"), "{}", many.err);
    let queued = user.start(["true"]);
    let full = user.run(["retry", "ddddd2"]);
    assert_eq!((full.code, full.out.as_str()), (75, ""), "{}", full.err);
    assert!(full.err.contains("2 wait") && full.err.contains("--when-full wait"), "{}", full.err);
    assert!(!full.err.contains("--batch"), "{}", full.err);
    assert_eq!(user.job("ddddd2")["dead_letter"], true);
    let late = user.run(["retry", "--when-full", "wait", "--within", "0", "ddddd2"]);
    assert_eq!(late.code, 75, "{}", late.err);
    let mut waiting = user.bgctl(["retry", "--when-full", "wait", "--wait", "ddddd2"]).spawn().unwrap();
    for one in &held {
        one.let_go(0);
    }
    assert_eq!(crate::support::ended(&mut waiting), 0);
    assert_eq!(user.wait(&queued), 0);
}

#[test]
fn a_queued_retry_says_why_it_waits() {
    let user = User::new();
    let id = dead_letter(&user, &[], "exit 1");
    let _held = hold_both_slots(&user);
    let ran = user.run(["retry", &id]);
    assert!(ran.err.starts_with("queued: 2 jobs hold the slots"), "{}", ran.err);
}

#[test]
fn a_waited_for_retry_gives_the_codes_of_wait() {
    let user = User::new();
    let ends = |code: &str| {
        let id = user.start(["--", "sh", "-c", code]);
        user.wait(&id);
        id
    };
    let (fine, six, nine) = (ends("true"), ends("exit 6"), ends("exit 9"));
    let folded = user.run(["retry", "--wait", &fine, &six, &nine]);
    assert_eq!((folded.code, folded.out.lines().count()), (6, 3), "{}", folded.err);
    assert!(folded.err.contains("failed: exit code 9"), "{}", folded.err);
    let ran = user.run(["retry", "--wait", "--json", &six, &fine]);
    let object = ran.json();
    assert_eq!((ran.code, &object["exit_code"]), (6, &json!(6)));
    assert_eq!(object["retries"][1]["id"], object["jobs"][1]["id"]);
    let slow = ends("test -e slow || exit 1; exec sleep 1000");
    std::fs::write(user.path("slow"), "").unwrap();
    let late = user.run(["retry", "--wait", "--within", "0", &slow]);
    assert_eq!(late.code, 121, "{}", late.err);
    user.ok(["cancel", late.out.trim_end()]);
}

#[test]
fn the_same_dead_letter_is_not_started_twice_at_the_same_time() {
    let user = User::new();
    let id = dead_letter(&user, &[], "echo ran >> ran; test -e good");
    std::fs::write(user.path("good"), "").unwrap();
    std::fs::write(user.path("ran"), "").unwrap();
    let children: Vec<_> =
        (0..8).map(|_| user.bgctl(["retry", "--dead", "--wait", "--quiet"]).spawn().unwrap()).collect();
    for mut child in children {
        let code = crate::support::ended(&mut child);
        assert!(code == 0 || code == 75, "{code}");
    }
    assert_eq!(std::fs::read_to_string(user.path("ran")).unwrap(), "ran\n");
    assert_eq!(user.job(&id)["retries"].as_array().unwrap().len(), 1);
}

#[test]
fn a_command_can_be_edited_before_it_runs_again() {
    let user = User::new();
    let original = user.start(["--unique", "--", "sh", "-c", "echo one two > said; exit 1"]);
    user.wait(&original);
    let ran =
        edited(&user, &original, "cp \"$1\" seen; stat -c %a \"$1\" > mode; sed -i s/exit.1/true/ \"$1\"");
    let id = new_id(&ran);
    assert_eq!(user.wait(&id), 0);
    assert_eq!(std::fs::read_to_string(user.path("seen")).unwrap(), "sh -c 'echo one two > said; exit 1'\n");
    assert_eq!(std::fs::read_to_string(user.path("mode")).unwrap(), "600\n");
    let new = user.job(&id);
    assert_eq!(new["argv"], json!(["sh", "-c", "echo one two > said; true"]));
    assert_eq!(new["command"], "sh -c 'echo one two > said; true'");
    assert_ne!(new["key"], user.job(&original)["key"], "a key that was made of the command is made anew");
    let same = edited(&user, &original, "true");
    assert_eq!(user.wait(&new_id(&same)), 1, "what is left as it was runs as it was");
    let line = user.start(["--shell", "false | false"]);
    user.wait(&line);
    let shell = new_id(&edited(
        &user,
        &line,
        "test \"$(cat \"$1\")\" = 'false | false' && echo 'true | true' > \"$1\"",
    ));
    assert_eq!(user.wait(&shell), 0);
    assert_eq!(user.job(&shell)["command"], "true | true");
    assert!(contents(&tmp(&user)).is_empty(), "nothing is left of the files");
}

#[test]
fn an_edit_that_comes_to_nothing_starts_nothing() {
    let user = User::new();
    let original = user.start(["false"]);
    user.wait(&original);
    for (script, said) in [
        (": > \"$1\"", "there is no command in the file; nothing was started"),
        ("rm \"$1\"", "could not read the command's file"),
        ("exit 3", "failed with exit code 3; nothing was started"),
        ("kill -9 $$", "; nothing was started"),
        ("echo \"make 'all\" > \"$1\"", "a quote in the command is not closed; nothing was started"),
    ] {
        let ran = edited(&user, &original, script);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{script}: {}", ran.err);
        assert!(ran.err.contains(said), "{script}: {}", ran.err);
    }
    assert!(edited(&user, &original, "echo \"make 'all\" > \"$1\"").err.contains("\n  make 'all\n"));
    let unknown = edited(&user, &original, "echo no-such-program > \"$1\"");
    assert_eq!(unknown.code, 127, "{}", unknown.err);
    let nobody = user.run(["retry", "--edit", &original]);
    assert_eq!(nobody.code, 2);
    assert!(nobody.err.contains("needs a terminal") && nobody.err.contains("EDITOR"), "{}", nobody.err);
    assert_eq!(user.run(["retry", "--edit", &original, &original[..]]).code, 2);
    let mut lost = user.bgctl(["retry", "--edit", &original]);
    lost.env("VISUAL", "no-such-editor --wait");
    let lost = Ran::of(&lost.output().unwrap());
    assert!(lost.err.contains("the editor (no-such-editor --wait) is not found"), "{}", lost.err);
    let held = Held::start(&user, "it");
    assert_eq!(edited(&user, &held.id, "touch opened").code, 4);
    assert!(!user.path("opened").exists(), "what cannot be repeated is not edited");
    assert_eq!(count(&user), 2);
    assert!(contents(&tmp(&user)).is_empty());
}

#[test]
fn an_interrupt_in_the_editor_is_the_editors() {
    let user = User::new();
    let original = user.start(["false"]);
    user.wait(&original);
    write_program(&user.path("editor"), "trap 'echo true > \"$1\"; exit 0' INT; kill -INT 0; exit 4");
    let mut command = user.command("setsid");
    command.args([
        "--wait",
        "env",
        "--default-signal=INT",
        crate::support::BGCTL,
        "retry",
        "--edit",
        &original,
    ]);
    command.env("EDITOR", user.path("editor")).env("TMPDIR", tmp(&user));
    let id = new_id(&super::bounded(command));
    assert_eq!(user.wait(&id), 0);
    assert!(contents(&tmp(&user)).is_empty());
}

#[test]
fn a_dry_run_of_a_retry_tells_the_command_and_whose_environment() {
    let user = User::new();
    let dead = dead_letter(&user, &["--name", "it"], "exit 1");
    let plain = user.start(["false"]);
    user.wait(&plain);
    let ran = user.run(["retry", "--dry-run", &dead, &plain]);
    assert!(ran.out.starts_with("would start: sh -c 'exit 1'\n  named it\n"), "{}", ran.out);
    assert!(ran.out.contains(&format!("  as a retry of {dead}, with its environment\n")), "{}", ran.out);
    assert!(
        ran.out.ends_with(&format!("  as a retry of {plain}, with the environment of here\n")),
        "{}",
        ran.out
    );
    assert_eq!(count(&user), 2);
    assert_eq!(user.job(&dead)["dead_letter"], true);
}

#[test]
fn a_retry_says_which_jobs() {
    let user = User::new();
    for arguments in [
        &["retry"][..],
        &["retry", "ab", "--dead"],
        &["retry", "ab", "--label", "x"],
        &["retry", "--dead", "--edit"],
        &["retry", "--dead", "--within", "5"],
        &["retry", "--dead", "--dry-run", "--wait"],
    ] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(user.run(["retry", "ab"]).code, 3);
    assert!(!user.root().exists());
}
