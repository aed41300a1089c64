//! What a user, a disk or another program does wrong: the answer, the exit code, and that nothing was harmed.

use super::{
    DAY, Held, as_nobody, completed, configure, contents, entry, index_of, is_root, shell, with_mounts,
};
use crate::support::{Ran, User, ended, until};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;
use std::time::{Duration, Instant};

// Names of jobs.

/// A user whose index has jobs of these random parts.
fn user_with(randoms: &[&str]) -> User {
    let user = User::new();
    let jobs: Vec<Value> = randoms.iter().map(|random| completed(random, DAY)).collect();
    user.write_index(&index_of(&jobs));
    user
}

#[test]
fn an_unknown_job_is_3_and_the_message_says_what_next() {
    let user = user_with(&["abcdef"]);
    let hostile = "../../etc/passwd";
    for name in [
        "zz",
        "",
        "a",
        "bg_",
        "bg_20260213_zzzzzz",
        hostile,
        "bg_20260213_../x",
        "\x1b[2J",
        "bg_20260213_abcdefg",
    ] {
        for command in ["status", "logs", "cancel"] {
            let ran = user.run([command, name]);
            assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command} {name:?}");
            assert!(ran.err.contains("there is no job"), "{}", ran.err);
            assert!(!ran.err.contains('\x1b'), "{}", ran.err);
        }
        assert_eq!(user.run(["wait", name]).code, 122);
    }
    assert!(user.run(["status", "zz"]).err.contains("bgctl list --all"));
}

#[test]
fn an_ambiguous_job_is_3_and_the_candidates_are_named() {
    let user = user_with(&["abcdef", "abcxyz", "qqqqqq"]);
    for command in ["status", "logs", "cancel"] {
        let ran = user.run([command, "abc"]);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{command}");
        let line = |random: &str| format!("  bg_20260213_{random}  completed  1d  true\n");
        let wanted = format!(
            "bgctl: \"abc\" could be any of 2 jobs:\n{}{}  give more of the id\n",
            line("abcxyz"),
            line("abcdef")
        );
        assert_eq!(ran.err, wanted, "{command}");
    }
    assert_eq!(user.run(["wait", "abc"]).code, 122);
    assert_eq!(user.run(["status", "abcd"]).code, 0);
    assert_eq!(user.run(["status", "bg_20260213_abcx"]).code, 0);
}

#[test]
fn a_name_before_a_prefix_and_the_newest_of_a_name() {
    let user = User::new();
    let named = |random: &str, name: &str| {
        entry(random, "cancelled", &json!({ "name": name, "ended_at": super::ago(DAY) }))
    };
    user.write_index(&index_of(&[named("aaaaaa", "build"), named("bbbbbb", "build"), named("cccccc", "aa")]));
    assert_eq!(user.job("build")["id"], "bg_20260213_bbbbbb");
    assert_eq!(user.job("aa")["id"], "bg_20260213_cccccc");
    assert_eq!(user.job("aaa")["id"], "bg_20260213_aaaaaa");
}

// The command line.

#[test]
fn an_empty_command_is_usage() {
    let user = User::new();
    for arguments in [vec!["start"], vec!["start", "--"], vec!["start", "--", ""], vec!["start", ""]] {
        let ran = user.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.err.is_empty());
    }
    assert!(!user.root().join("jobs.json").exists());
}

#[test]
fn unknown_commands_and_arguments_are_usage() {
    let user = User::new();
    for arguments in [vec!["nope"], vec!["--nope"], vec!["list", "extra"]] {
        assert_eq!(user.run(&arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(user.run(["--version"]).code, 0);
    assert_eq!(user.run(["--help"]).code, 0);
    assert_eq!(user.run(["start", "--help"]).code, 0);
    assert!(!user.root().exists());
}

#[test]
fn negative_and_absurd_durations_are_usage_and_say_why() {
    let user = User::new();
    for (text, why) in [
        ("-5", "cannot be negative"),
        ("-1h", "cannot be negative"),
        ("", "expected a duration"),
        ("soon", "expected a duration"),
        ("1e9", "expected a duration"),
        ("5 parsecs", "expected a duration"),
        ("1.5", "expected a duration"),
        ("15M", "expected a duration"),
        ("500ms", "whole seconds"),
        ("11y", "longer than ten years"),
        ("99999999999999999999999999", "longer than ten years"),
        ("18446744073709551616s", "longer than ten years"),
    ] {
        for flag in ["--timeout", "--stale-after", "--grace"] {
            let ran = user.run(["start", flag, text, "--", "true"]);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{flag} {text:?}");
            assert!(ran.err.contains(why), "{flag} {text:?}: {}", ran.err);
        }
        let ran = user.run(["wait", "--within", text, "ab"]);
        assert_eq!(ran.code, 2, "{text:?}");
        assert!(ran.err.contains(why), "{text:?}: {}", ran.err);
    }
    assert_eq!(user.run(["wait", "--within", "none", "ab"]).code, 2);
    assert!(!user.root().join("jobs.json").exists());
}

#[test]
fn a_limit_of_no_time_at_all_is_usage() {
    let user = User::new();
    for arguments in
        [["--timeout", "0"], ["--timeout", "0s"], ["--stale-after", "0"], ["--stale-after", "0m"]]
    {
        let ran = user.run(["start", arguments[0], arguments[1], "--", "true"]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
    }
    assert!(!user.root().join("jobs.json").exists());
    assert_eq!(user.run(["start", "--wait", "--grace", "0", "--", "true"]).code, 0, "no grace is a grace");
}

#[test]
fn a_root_that_is_made_under_an_odd_umask_can_be_used() {
    let user = User::new();
    std::fs::create_dir(user.path("anybody's")).unwrap();
    std::fs::set_permissions(user.path("anybody's"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let root = user.path("anybody's").join("bg");
    let Some(start) = as_nobody(&user, &["start", "--", "true"]) else { return };
    let line: Vec<_> = std::iter::once(start.get_program()).chain(start.get_args()).collect();
    // The second finds what the first has made.
    for count in 1..=2 {
        // This mask takes the owner's own rights from all that is made under it.
        let mut shell = user.command("sh");
        shell.args(["-c", "umask 0677; exec \"$@\"", "sh"]).args(&line).env("BG_HOME", &root);
        let ran = Ran::of(&shell.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        until("the job is completed", || {
            let index: Value =
                serde_json::from_slice(&std::fs::read(root.join("jobs.json")).unwrap()).unwrap();
            index["jobs"].as_array().unwrap().iter().filter(|job| job["status"] == "completed").count()
                == count
        });
    }
    assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
}

// The settings.

#[test]
fn broken_settings_stop_start_and_the_nearest_key_is_named() {
    let user = User::new();
    for (text, said) in [
        ("[queue]\nmax_concurent = 3\n", "did you mean queue.max_concurrent?"),
        ("[worker]\ntimout = 3\n", "did you mean worker.timeout?"),
        ("[quene]\n", "did you mean queue?"),
        ("[limits]\n", "there are the sections [store], [queue], [worker], "),
        ("[queue]\nmax_concurrent = -1\n", "queue.max_concurrent: expected a whole number"),
        ("[queue]\nmax_concurrent = \"two\"\n", "queue.max_concurrent: expected a whole number"),
        ("[worker]\ntimeout = \"soon\"\n", "worker.timeout: expected a duration"),
        ("queue = 3\n", "queue: expected a section"),
        ("[queue\n", ".toml:1:7: unclosed table"),
    ] {
        configure(&user, text);
        for arguments in [["start", "--", "true"], ["start", "--dry-run", "true"]] {
            let ran = user.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{text:?}");
            assert!(ran.err.contains(said) && ran.err.contains("config.toml"), "{text:?}: {}", ran.err);
        }
    }
    std::fs::write(user.root().join("config.toml"), b"\xff").unwrap();
    assert_eq!(user.run(["start", "--", "true"]).code, 78);
    assert!(!user.root().join("jobs.json").exists());
}

#[test]
fn broken_settings_are_said_and_everything_else_goes_on() {
    let user = User::new();
    let held = Held::start(&user, "it");
    for text in ["[queue]\nmax_concurent = 3\n", "[queue\n"] {
        configure(&user, text);
        for arguments in
            [vec!["list"], vec!["status", &held.id], vec!["tick"], vec!["tick", "--dry-run"], vec!["prune"]]
        {
            let ran = user.run(&arguments);
            assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
            assert_eq!(ran.err.matches("bgctl: warning: ").count(), 1, "{arguments:?}: {}", ran.err);
            assert!(ran.err.contains("the built-in settings hold"), "{arguments:?}: {}", ran.err);
        }
    }
    let waited = user.run(["wait", "--within", "0", &held.id]);
    assert_eq!(waited.code, 121);
    assert!(waited.err.contains("the built-in settings hold"), "{}", waited.err);
    let cancelled = user.run(["cancel", &held.id]);
    assert_eq!((cancelled.code, cancelled.out), (0, format!("{} cancelled\n", held.id)));
    assert!(cancelled.err.contains("the built-in settings hold"), "{}", cancelled.err);
    let logs = user.run(["logs", &held.id]);
    assert_eq!(logs.code, 0);
}

// The root.

/// Every command that needs the root, and what it exits with when the root cannot be trusted.
const COMMANDS: [(&[&str], i32); 10] = [
    (&["start", "--", "true"], 5),
    (&["start", "--dry-run", "--", "true"], 5),
    (&["list"], 5),
    (&["status", "ab"], 5),
    (&["status"], 5),
    (&["logs", "ab"], 5),
    (&["cancel", "ab"], 5),
    (&["prune"], 5),
    (&["tick"], 5),
    (&["wait", "ab"], 122),
];

/// Every command refuses the root with that reason, and leaves it as it was.
#[track_caller]
fn assert_refused(user: &User, said: &[&str]) {
    let before = contents(&user.root());
    for (arguments, code) in COMMANDS {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        for words in said {
            assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        }
    }
    assert!(contents(&user.root()) == before);
}

#[test]
fn a_root_that_is_a_link_is_refused_with_the_mend() {
    let user = User::new();
    std::fs::create_dir(user.path("elsewhere")).unwrap();
    std::fs::set_permissions(user.path("elsewhere"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink(user.path("elsewhere"), user.root()).unwrap();
    assert_refused(&user, &["is a symbolic link", "set BG_HOME to where it points"]);
    assert!(contents(&user.path("elsewhere")).is_empty());
}

#[test]
fn a_root_that_is_a_link_to_nowhere_is_refused() {
    let user = User::new();
    symlink(user.path("nowhere"), user.root()).unwrap();
    assert_refused(&user, &["is a symbolic link"]);
    assert!(!user.path("nowhere").exists());
}

#[test]
fn a_root_that_others_can_use_is_refused_with_the_mend() {
    for mode in [0o755, 0o770, 0o707, 0o720, 0o702] {
        let user = user_with(&["abcdef"]);
        std::fs::set_permissions(user.root(), std::fs::Permissions::from_mode(mode)).unwrap();
        assert_refused(&user, &["is open to others", &format!("mode {mode:o}"), "chmod 700"]);
    }
}

#[test]
fn a_root_that_is_no_folder_is_refused() {
    let user = User::new();
    std::fs::write(user.root(), "a file").unwrap();
    assert_refused(&user, &["is not a folder"]);
    assert_eq!(std::fs::read(user.root()).unwrap(), b"a file");
}

#[test]
fn somebody_elses_root_is_refused_with_the_mend() {
    let user = user_with(&["abcdef"]);
    if is_root() {
        std::os::unix::fs::chown(user.root(), Some(NOBODY), None).unwrap();
        assert_refused(&user, &["belongs to user 65534", "set BG_HOME to a folder of yours"]);
    } else {
        // Whoever is not the superuser has somebody else's folder at hand.
        let ran = Ran::of(&user.bgctl(["list"]).env("BG_HOME", "/usr").output().unwrap());
        assert_eq!(ran.code, 5);
        assert!(ran.err.contains("belongs to user 0"), "{}", ran.err);
    }
}

const NOBODY: u32 = 65_534;

#[test]
fn somebody_elses_root_that_cannot_even_be_opened_is_refused_with_the_mend() {
    if !is_root() {
        crate::support::skipped("needs the superuser, to become somebody else");
        return;
    }
    let user = user_with(&["abcdef"]);
    for (arguments, code) in COMMANDS {
        let Some(mut command) = as_nobody(&user, arguments) else { return };
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("belongs to user 0, not to you (user 65534)"), "{}", ran.err);
    }
}

#[test]
fn no_home_at_all_is_a_matter_of_configuration() {
    let user = User::new();
    let mut command = user.bgctl(["list"]);
    let ran = Ran::of(&command.env_remove("BG_HOME").env_remove("HOME").output().unwrap());
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("set BG_HOME"), "{}", ran.err);
}

#[test]
fn a_read_only_home_refuses_a_start_and_shows_an_empty_list() {
    let user = User::new();
    std::fs::set_permissions(user.path("home"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let run = |arguments: &[&str]| {
        as_nobody(&user, arguments)
            .map(|mut command| Ran::of(&command.env_remove("BG_HOME").output().unwrap()))
    };
    let Some(start) = run(&["start", "--", "true"]) else { return };
    assert_eq!((start.code, start.out.as_str()), (1, ""));
    assert!(
        start.err.contains("could not create") && start.err.contains("ermission denied"),
        "{}",
        start.err
    );
    for (arguments, code) in [
        (["list"].as_slice(), 0),
        (&["status", "ab"], 3),
        (&["logs", "ab"], 3),
        (&["cancel", "ab"], 3),
        (&["wait", "ab"], 122),
    ] {
        let ran = run(arguments).unwrap();
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains("could not"), "{arguments:?}: {}", ran.err);
    }
    assert!(contents(&user.path("home")).is_empty());
    std::fs::set_permissions(user.path("home"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn looking_for_what_is_not_there_makes_no_root() {
    let user = User::new();
    for (arguments, code) in [
        (["status", "ab"].as_slice(), 3),
        (&["logs", "ab"], 3),
        (&["cancel", "ab"], 3),
        (&["wait", "ab"], 122),
        (&["list"], 0),
        (&["tick"], 0),
        (&["prune"], 0),
    ] {
        assert_eq!(user.run(arguments).code, code, "{arguments:?}");
        assert!(!user.root().exists(), "{arguments:?}");
    }
}

#[test]
fn looking_at_a_hand_made_index_makes_nothing_beside_it() {
    let user = User::new();
    let running = json!({ "started_at": super::ago(60) });
    user.write_index(&index_of(&[completed("aaaaaa", DAY), entry("bbbbbb", "running", &running)]));
    let before = contents(&user.root());
    for arguments in
        [["list"].as_slice(), &["status", "aa", "bb"], &["tick", "--dry-run"], &["prune", "--dry-run"]]
    {
        user.ok(arguments);
        assert!(contents(&user.root()) == before, "{arguments:?}");
    }
    user.run(["logs", "bb"]);
    assert!(contents(&user.root()) == before, "logs");
}

#[test]
fn a_read_only_root_refuses_a_start_and_can_still_be_read() {
    let user = User::new();
    let Some(mut first) = as_nobody(&user, &["start", "--wait", "--name", "it", "--", "echo", "said"]) else {
        return;
    };
    if is_root() {
        user.make_root();
        std::os::unix::fs::chown(user.root(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let first = Ran::of(&first.output().unwrap());
    assert_eq!(first.code, 0, "{}", first.err);
    user.all_gone();
    let folders = [user.root(), user.root().join("runs"), user.root().join("env")];
    let set = |mode| {
        for folder in &folders {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    set(0o500);
    let before = contents(&user.root());
    let run = |arguments: &[&str]| Ran::of(&as_nobody(&user, arguments).unwrap().output().unwrap());
    for arguments in [["start", "--", "true"].as_slice(), &["start", "--env", "NEW=1", "--", "true"]] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
        assert!(ran.err.contains("could not write"), "{}", ran.err);
    }
    assert_eq!(run(&["logs", "it"]).out, "said\n");
    assert_eq!(run(&["wait", "it"]).code, 0);
    assert_eq!(run(&["list"]).code, 0);
    assert!(contents(&user.root()) == before);
    set(0o700);
}

#[test]
fn a_full_disk_refuses_a_start_and_leaves_the_index_as_it_was() {
    // A disk of its own, in a mount namespace that ends with the script.
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=512k,mode=0700 none "$BG_HOME" 2>/dev/null || { echo cannot mount; exit 0; }
        quiet() { "$@" >/dev/null 2>&1; }
        fill() { quiet dd if=/dev/zero of="$BG_HOME/fill" bs=4k; }
        names() { (cd "$BG_HOME" && find . ! -name fill | sort); }
        id=$("$BGCTL" start -- true) && "$BGCTL" wait "$id" || exit 1
        # One that runs on, so that its environment stays.
        mkfifo gate
        "$BGCTL" start -- sh -c 'read word < gate' > held
        until grep -q started "$BG_HOME/runs/$(cat held).lock"; do :; done
        fill
        cp "$BG_HOME/jobs.json" before
        names > names.before
        try() { "$@" > out 2> err; echo "$? $(cat out) $(head -n 1 err | sed "s|$BG_HOME|ROOT|g")"; }
        try "$BGCTL" start -- true
        try "$BGCTL" start --env NEW=1 -- true
        head -c 100000 /dev/zero | try "$BGCTL" start --stdin - -- cat
        names | diff names.before - && cmp before "$BG_HOME/jobs.json" && echo as before
        try "$BGCTL" wait "$id"
        rm "$BG_HOME/fill"
        echo go > gate
        "$BGCTL" wait "$(cat held)"
        "$BGCTL" start --wait -- true > out && echo works again
    "#;
    let user = User::new();
    user.make_root();
    let Some(ran) = with_mounts(&user, SCRIPT) else { return };
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 6, "{}{}", ran.out, ran.err);
    for (line, file) in lines.iter().zip(["ROOT/jobs.json", "ROOT/env/", "ROOT/runs/"]) {
        assert!(line.starts_with("1  bgctl: could not ") && line.contains(file), "{line}");
        assert!(line.contains("No space left on device"), "{line}");
    }
    assert_eq!(lines[3..], ["as before", "0  ", "works again"], "{}", ran.err);
}

#[test]
fn on_a_full_disk_a_job_ends_in_the_room_that_the_index_has() {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=512k,mode=0700 none "$BG_HOME" 2>/dev/null || { echo cannot mount; exit 0; }
        first=$("$BGCTL" start --delay 1h -- true) && second=$("$BGCTL" start --delay 1h -- true) || exit 1
        dd if=/dev/zero of="$BG_HOME/fill" bs=4k >/dev/null 2>&1
        for id in $first $second; do "$BGCTL" cancel "$id" | sed "s/$id //"; done
        "$BGCTL" start --delay 1h -- true 2> err || echo "refused $?"
        rm "$BG_HOME/fill"
        "$BGCTL" start --wait -- true > out && echo works again
    "#;
    let user = User::new();
    user.make_root();
    let Some(ran) = with_mounts(&user, SCRIPT) else { return };
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines, ["cancelled", "cancelled", "refused 1", "works again"], "{}", ran.err);
}

// The index.

/// Nobody reads or writes this index: exit 5 with these words, and the file stays as it is.
#[track_caller]
fn assert_unusable(text: &[u8], said: &[&str]) {
    let user = User::new();
    user.make_root();
    let path = user.root().join("jobs.json");
    std::fs::write(&path, text).unwrap();
    for (arguments, code) in COMMANDS.into_iter().filter(|(arguments, _)| !arguments.contains(&"--dry-run")) {
        let ran = user.run(arguments);
        let shown = String::from_utf8_lossy(text);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{arguments:?} {shown}: {}", ran.err);
        for words in said {
            assert!(ran.err.contains(words), "{arguments:?} {shown}: {}", ran.err);
        }
        assert!(ran.err.contains(path.to_str().unwrap()), "{}", ran.err);
    }
    assert_eq!(std::fs::read(&path).unwrap(), text, "untouched");
    assert!(!user.root().join("jobs.json.tmp").exists(), "nothing was written beside it");
    assert_eq!(user.processes(), Vec::<i32>::new());
}

fn sound_index() -> String {
    index_of(&[
        completed("aaaaaa", DAY),
        entry("bbbbbb", "cancelled", &json!({ "ended_at": super::ago(DAY) })),
    ])
}

#[test]
fn a_sound_index_is_read() {
    let user = User::new();
    user.write_index(&sound_index());
    assert_eq!(user.ok(["list"]).lines().count(), 3);
}

#[test]
fn a_truncated_index_is_refused_with_line_and_column() {
    let text = sound_index();
    // In the middle of the third line.
    let cut = text.match_indices('\n').nth(1).unwrap().0 + 40;
    assert_unusable(&text.as_bytes()[..cut], &["line 3, column 39"]);
    assert_unusable(&text.as_bytes()[..text.len() - 3], &["line 4, column 1"]);
    assert_unusable(b"", &["line 1, column"]);
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [&b"not json"[..], b"[]", b"null", b"7", b"\"jobs\"", b"{}", b"\0\0\0\0"] {
        assert_unusable(text, &["line 1, column"]);
    }
    assert_unusable(b"{\"version\":1,\n\"jobs\":[]}\nmore", &["line 3, column 1"]);
    assert_unusable(b"{\"version\":1,\n \"jobs\":[\"\xff\"]}", &["line 2, column 11", "not UTF-8"]);
    assert_unusable("[".repeat(100_000).as_bytes(), &["line 1, column"]);
    assert_unusable(
        format!("{{\"version\":1,\"jobs\":{}", "[".repeat(100_000)).as_bytes(),
        &["line 1, column"],
    );
}

#[test]
fn fields_that_are_missing_or_there_twice_are_refused() {
    assert_unusable(b"{\"version\":1}", &["line 1, column", "missing field `jobs`"]);
    assert_unusable(b"{\"jobs\":[]}", &["missing field `version`"]);
    assert_unusable(b"{\"version\":1,\"jobs\":[],\"jobs\":[]}", &["jobs is there twice"]);
    assert_unusable(b"{\"version\":1,\"version\":1,\"jobs\":[]}", &["version is there twice"]);
}

#[test]
fn an_id_that_is_there_twice_is_refused() {
    let text = sound_index().replace("bbbbbb", "aaaaaa");
    assert_unusable(text.as_bytes(), &["line 3, column 1", "bg_20260213_aaaaaa is there twice"]);
}

#[test]
fn wrong_types_are_refused_with_line_and_column() {
    for (from, to) in [
        ("\"status\":\"cancelled\"", "\"status\":7"),
        ("\"status\":\"cancelled\"", "\"status\":\"done\""),
        ("\"status\":\"cancelled\",", ""),
        ("\"id\":\"bg_20260213_bbbbbb\"", "\"id\":7"),
        ("\"id\":\"bg_20260213_bbbbbb\",", ""),
    ] {
        let text = sound_index();
        assert!(text.contains(from), "{from} in {text}");
        assert_unusable(text.replace(from, to).as_bytes(), &["line 3, column"]);
    }
    assert_unusable(b"{\"version\":\"1\",\"jobs\":[]}", &["line 1, column"]);
    assert_unusable(b"{\"version\":1,\"jobs\":{}}", &["line 1, column"]);
    assert_unusable(b"{\"version\":1,\"jobs\":[7]}", &["line 1, column"]);
    assert_unusable(b"{\"version\":1,\"jobs\":[],\"requires\":7}", &["requires: expected a list"]);
}

#[test]
fn hostile_ids_are_refused() {
    for id in [
        "../../../etc/passwd",
        "bg_20260213_../../x",
        "bg_20260213_aaaa/a",
        "/etc/passwd",
        "bg_20260213_aaa.aa",
        "",
        ".",
        "bg_20260213_AAAAAA",
        "bg_20260213_aa\\u0000aa",
        "bg_20260213_a\\nbcd",
    ] {
        let text = sound_index().replace("bg_20260213_bbbbbb", id);
        assert_unusable(text.as_bytes(), &["line 3, column", "is not a job id"]);
    }
}

#[test]
fn a_wrong_field_of_a_job_stops_whoever_needs_that_job() {
    // Only jobs that a command needs are read whole: a running one always.
    for (field, value) in [
        ("argv", json!([])),
        ("timeout_seconds", json!(-1)),
        ("env", json!("../../x")),
        ("cwd", json!(7)),
        ("created_at", json!("soon")),
    ] {
        let user = User::new();
        let text = index_of(&[entry("bbbbbb", "queued", &json!({ field: value }))]);
        user.write_index(&text);
        for arguments in [["status", "bb"].as_slice(), &["list"], &["cancel", "bb"]] {
            let ran = user.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{arguments:?} {field}: {}", ran.err);
            assert!(ran.err.contains("line 2, column"), "{arguments:?} {field}: {}", ran.err);
        }
        // It would be next, but does not stand in the way of others.
        for arguments in [["tick"].as_slice(), &["start", "--wait", "--", "true"]] {
            assert_eq!(std::fs::read_to_string(user.root().join("jobs.json")).unwrap(), text);
            let ran = user.run(arguments);
            assert_eq!(ran.code, 0, "{arguments:?} {field}: {}", ran.err);
            let said = "bbbbbb is not started, as its entry of the index is damaged at line 2, column";
            assert!(ran.err.contains(said), "{arguments:?} {field}: {}", ran.err);
        }
        assert!(std::fs::read_to_string(user.root().join("jobs.json")).unwrap().contains("bbbbbb"));
    }
}

#[test]
fn an_index_from_the_future_is_refused() {
    let text = sound_index().replace("\"version\":1", "\"version\":2");
    assert_unusable(text.as_bytes(), &["version 2", "use the newer program"]);
}

#[test]
fn an_index_that_requires_what_is_unknown_is_shown_and_not_changed() {
    let user = User::new();
    let text = sound_index().replace("\"version\":1", "\"version\":1,\"requires\":[\"moons\"]");
    user.write_index(&text);
    let log = user.root().join("runs/bg_20260213_aaaaaa.log");
    std::fs::create_dir(user.root().join("runs")).unwrap();
    std::fs::write(&log, "kept\n").unwrap();
    assert!(user.ok(["list", "--all"]).contains("bg_20260213_aaaaaa"));
    for arguments in [["start", "--", "true"].as_slice(), &["cancel", "aa"], &["prune"], &["tick"]] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("requires moons"), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("use the newer program"), "{arguments:?}: {}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(user.root().join("jobs.json")).unwrap(), text);
    assert!(log.exists(), "no file goes for an entry that must stay");
}

#[test]
fn an_index_that_is_no_file_of_ours_is_refused() {
    let user = User::new();
    user.make_root();
    let index = user.root().join("jobs.json");
    let text = sound_index();
    std::fs::write(user.path("target"), &text).unwrap();
    symlink(user.path("target"), &index).unwrap();
    for kind in ["link", "fifo", "folder"] {
        for arguments in [["list"].as_slice(), &["start", "--", "true"], &["tick"]] {
            let ran = user.run(arguments);
            assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{kind} {arguments:?}: {}", ran.err);
        }
        assert!(index.symlink_metadata().is_ok(), "{kind} is untouched");
        match kind {
            "link" => {
                std::fs::remove_file(&index).unwrap();
                user.fifo("bg/jobs.json");
            }
            "fifo" => {
                std::fs::remove_file(&index).unwrap();
                std::fs::create_dir(&index).unwrap();
            }
            _ => {}
        }
    }
    assert_eq!(std::fs::read_to_string(user.path("target")).unwrap(), text);
}

// The lock.

#[test]
fn a_lock_that_is_held_for_ever_is_75_after_ten_seconds_with_its_holder_named() {
    let user = user_with(&["abcdef"]);
    let lock = std::fs::File::create(user.root().join("jobs.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let index = std::fs::read(user.root().join("jobs.json")).unwrap();
    let began = Instant::now();
    let mut waiting: Vec<_> = [["start", "true"], ["cancel", "ab"], ["tick", "-q"], ["tick", "--json"]]
        .into_iter()
        .map(|arguments| {
            let child = user.bgctl(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (arguments, child)
        })
        .collect();
    // Whoever only looks takes no lock.
    assert_eq!(user.ok(["list"]).lines().count(), 2);
    assert_eq!(user.job("ab")["status"], "completed");
    for (arguments, child) in &mut waiting {
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?} waits for the lock");
    }
    for (arguments, child) in waiting {
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!(ran.code, 75, "{arguments:?}: {}", ran.err);
        if arguments.contains(&"--json") {
            crate::schema::check(&user.root(), &arguments, &ran.out);
            assert_eq!(ran.json()["error"]["code"], "not_now");
        } else {
            assert_eq!(ran.out, "", "{arguments:?}");
        }
        let holder = format!("process {}", std::process::id());
        assert!(ran.err.contains(&holder) && ran.err.contains("nothing was changed"), "{}", ran.err);
    }
    assert!(began.elapsed() >= Duration::from_secs(9), "not before the ten seconds are over");
    assert_eq!(std::fs::read(user.root().join("jobs.json")).unwrap(), index);
    flock(&lock, FlockOperation::Unlock).unwrap();
    assert_eq!(user.wait(&user.start(["true"])), 0);
}

#[test]
fn a_lock_that_is_let_go_in_time_is_worth_waiting_for() {
    let user = user_with(&["abcdef"]);
    let lock = std::fs::File::create(user.root().join("jobs.lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let mut child = user.bgctl(["start", "--", "true"]).stdout(Stdio::null()).spawn().unwrap();
    // It waits in the kernel: blocked in flock.
    until("it waits for the lock", || waits_for_a_lock(child.id()));
    flock(&lock, FlockOperation::Unlock).unwrap();
    assert_eq!(ended(&mut child), 0);
}

/// Whether a process waits for a lock that is held (`proc_locks(5)`: a waiter's line has an arrow).
fn waits_for_a_lock(pid: u32) -> bool {
    let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    table.lines().any(|line| line.contains("-> FLOCK") && line.contains(&format!(" {pid} ")))
}

// Standard output.

/// The one job that was submitted, and that it ran.
#[track_caller]
fn assert_submitted(user: &User) -> String {
    let jobs = user.index()["jobs"].as_array().cloned().unwrap();
    assert_eq!(jobs.len(), 1);
    let id = jobs[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(user.wait(&id), 0);
    id
}

/// Runs a command whose standard output is a pipe that nobody reads any more.
fn to_nobody(user: &User, arguments: &[&str]) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Ran::of(&user.bgctl(arguments).stdout(writer).output().unwrap())
}

#[test]
fn an_id_that_cannot_be_printed_is_told_on_standard_error() {
    for flags in ["", "--json"] {
        let user = User::new();
        let ran = shell(&user, &format!("\"$BGCTL\" start {flags} -- true > /dev/full"));
        let id = assert_submitted(&user);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains(&format!("{id} is submitted")), "{}", ran.err);
    }
}

#[test]
fn a_reader_of_the_id_that_goes_away_changes_nothing() {
    let user = User::new();
    let ran = to_nobody(&user, &["start", "--", "true"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_submitted(&user);
}

#[test]
fn a_closed_standard_output_changes_nothing() {
    let user = User::new();
    let ran = shell(&user, "\"$BGCTL\" start -- sh -c 'echo said' >&- 2>&- <&-");
    assert_eq!(ran.code, 1, "nobody would get the id");
    assert!(!user.root().join("jobs.json").exists());
    let ran = shell(&user, "\"$BGCTL\" start -- sh -c 'echo said' > id 2>&- <&-");
    assert_eq!(ran.code, 0);
    let id = assert_submitted(&user);
    assert_eq!(user.ok(["logs", &id]), "said\n", "no file of ours became the job's output");
    for command in ["list", "list --json", "tick", "prune"] {
        assert_eq!(shell(&user, &format!("\"$BGCTL\" {command} >&-")).code, 0, "{command}");
    }
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let user = User::new();
    let _held = super::hold_both_slots(&user);
    let ran = shell(&user, "\"$BGCTL\" start -v -- true 2>&-");
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("bg_"), "{}", ran.out);
    assert_eq!(shell(&user, "\"$BGCTL\" status nobody 2> /dev/full").code, 3);
}

#[test]
fn results_that_cannot_be_printed_are_a_failure() {
    let user = user_with(&["abcdef"]);
    std::fs::create_dir(user.root().join("runs")).unwrap();
    std::fs::write(user.root().join("runs/bg_20260213_abcdef.log"), "said").unwrap();
    for command in ["list", "list --json", "status ab", "logs ab", "logs --json ab", "cancel ab"] {
        let ran = shell(&user, &format!("\"$BGCTL\" {command} > /dev/full"));
        assert_eq!(ran.code, 1, "{command}");
        assert!(ran.err.contains("No space left on device"), "{command}: {}", ran.err);
        let words: Vec<&str> = command.split(' ').collect();
        let gone = to_nobody(&user, &words);
        assert_eq!((gone.code, gone.err.as_str()), (0, ""), "{command}");
    }
}
