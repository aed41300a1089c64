//! `config`: what holds and who says so, and what is wrong with the file.

use super::{bounded, configure};
use crate::support::User;
use serde_json::{Value, json};

#[test]
fn what_holds_is_shown_as_a_settings_file_that_says_the_same() {
    let user = User::new();
    configure(
        &user,
        "[queue]\nmax_concurrent = 4\n\n[worker]\ntimeout = 90\n[groups.gpu]\nslots = 3\n[groups.\"a.b\"]\nslots = 2\n",
    );
    let shown = user.run(["config", "show"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    for line in [
        "[queue]\nmax_concurrent = 4",
        "# config.toml line 2\n",
        "timeout = \"1m30s\"",
        "# config.toml line 5\n",
        "retry_delay = \"5s\"",
        "[groups.gpu]\nslots = 3",
        "[groups.\"a.b\"]\nslots = 2",
    ] {
        assert!(shown.out.contains(line), "{line}\n{}", shown.out);
    }
    assert!(shown.out.starts_with(&format!("# {}/config.toml; ", user.root().display())), "{}", shown.out);
    assert!(shown.out.lines().next().unwrap().ends_with("its folder comes from BG_HOME"), "{}", shown.out);
    // What it prints can be the file: then every value is the file's, and is what it was.
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap().trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    };
    configure(&user, &shown.out);
    let again = user.run(["config"]);
    assert_eq!(values(&again.out), values(&shown.out));
    assert!(!again.out.contains("# default"), "{}", again.out);
}

#[test]
fn without_a_file_and_a_root_the_built_in_values_hold_and_nothing_is_made() {
    let user = User::new();
    let shown = user.run(["config", "show"]);
    assert!(shown.out.contains("config.toml, which is not there;"), "{}", shown.out);
    for line in [
        "type = \"json\"",
        "lock_timeout = \"10s\"",
        "max_concurrent = 2",
        "max_size = 100",
        "threshold_percent = 80",
        "batch_max = 100000",
        "timeout = \"30m\"",
        "stale_after = \"1h\"",
        "grace = \"10s\"",
        "retry_attempts = 3",
        "retry_delay = \"5s\"",
        "retry_max_delay = \"15m\"",
        "poll_interval = \"1s\"",
        "poll_interval = \"30s\"",
        "default_ttl = \"1d\"",
        "expiry_warning = \"1h\"",
        "max_jobs = 1000",
        "max_age = \"30d\"",
        "max_age = \"14d\"",
        "max_jobs = 200",
        "min_age = \"1h\"",
        "max_bytes = \"64MiB\"",
        "total_bytes_max = \"2GiB\"",
    ] {
        assert!(shown.out.lines().any(|shown| shown.split('#').next().unwrap().trim() == line), "{line}");
    }
    let path = user.root().join("config.toml").display().to_string();
    assert_eq!(user.run(["config", "path"]).out, format!("{path}\n"));
    let checked = user.run(["config", "check"]);
    assert_eq!((checked.code, checked.out), (0, format!("{path} is not there: the built-in values hold\n")));
    assert!(!user.root().exists());
}

#[test]
fn one_setting_is_its_bare_value_and_a_section_is_what_stands_in_it() {
    let user = User::new();
    configure(&user, "[worker]\ntimeout = \"none\"\n[groups.gpu]\nslots = 3\n");
    let show = |setting: &str| user.run(["config", "show", setting]);
    for (setting, value) in [
        ("worker.timeout", "none\n"),
        ("worker.grace", "10s\n"),
        ("queue.max_concurrent", "2\n"),
        ("groups.gpu.slots", "3\n"),
        ("log.max_bytes", "64MiB\n"),
    ] {
        assert_eq!((show(setting).code, show(setting).out.as_str()), (0, value), "{setting}");
    }
    let section = show("queue").out;
    assert!(section.contains("\n[queue]\nmax_concurrent = 2") && !section.contains("[worker]"), "{section}");
    assert!(show("groups").out.contains("[groups.gpu]\nslots = 3"));
    for (typed, meant) in [
        ("worker.timout", "did you mean worker.timeout?"),
        ("timeout", "did you mean worker.timeout or hooks.timeout?"),
        ("max_age", "did you mean dead_letters.max_age or retention.max_age?"),
        ("retry_dely", "did you mean worker.retry_delay?"),
        ("quue", "did you mean queue?"),
        ("nothing.like.it", "bgctl config show prints all"),
    ] {
        let ran = show(typed);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{typed}");
        assert!(
            ran.err.contains(&format!("there is no setting {typed:?}")) && ran.err.contains(meant),
            "{}",
            ran.err
        );
    }
    let ran = user.run(["config", "check", "queue"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("only show takes a setting"), "{}", ran.err);
}

#[test]
fn programs_get_values_with_who_says_so() {
    let user = User::new();
    configure(&user, "[worker]\ntimeout = \"1h\"\nstale_after = \"none\"\n");
    let object = user.run(["config", "--json"]).json();
    assert_eq!((&object["root_from"], &object["exists"]), (&json!("BG_HOME"), &json!(true)));
    let of = |key: &str| {
        object["settings"].as_array().unwrap().iter().find(|one| one["key"] == key).cloned().unwrap()
    };
    let told = |key: &str| {
        let one = of(key);
        json!([one["value"], one["text"], one["from"], one["line"]])
    };
    assert_eq!(told("worker.timeout"), json!([3600, "1h", "config", 2]));
    assert_eq!(told("worker.stale_after"), json!([null, "none", "config", 3]));
    assert_eq!(told("worker.grace"), json!([10, "10s", "default", null]));
    assert_eq!(told("store.type"), json!(["json", "json", "default", null]));
    assert_eq!(told("log.max_bytes"), json!([64 << 20, "64MiB", "default", null]));
    assert_eq!(
        (of("approval.default_ttl")["used"].clone(), of("queue.max_size")["used"].clone()),
        (json!(true), json!(true))
    );
    let one = user.run(["config", "show", "worker.timeout", "--json"]).json();
    assert_eq!(one["settings"].as_array().map(Vec::len), Some(1));
    assert_eq!(user.run(["config", "path", "--json"]).json()["file"], object["file"]);
    assert_eq!(user.run(["config", "check", "--json"]).json()["mistakes"], json!([]));
}

#[test]
fn check_names_every_mistake_by_line_and_column_and_exits_with_78() {
    let user = User::new();
    let path = user.root().join("config.toml").display().to_string();
    configure(&user, "[queue]\nmax_concurent = 3\n\n[worker]\ntimeout = \"soon\"\n");
    let ran = user.run(["config", "check"]);
    assert_eq!((ran.code, ran.out.as_str()), (78, ""));
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(
        lines,
        [
            format!(
                "bgctl: {path}:2:1: there is no setting queue.max_concurent; did you mean queue.max_concurrent?"
            ),
            format!("bgctl: {path}:5:11: worker.timeout: expected a duration such as 90, 30s, 15m, 1h30m"),
        ]
    );
    let ran = user.run(["config", "check", "--json"]);
    let mistakes = ran.json()["mistakes"].clone();
    assert_eq!(
        (ran.code, mistakes[0]["line"].clone(), mistakes[1]["column"].clone()),
        (78, json!(2), json!(11))
    );
    assert_eq!(mistakes[1]["key"], "worker.timeout");
    // Nothing is shown as if it held; a start says the first, and how to see the rest.
    for arguments in [vec!["config", "show"], vec!["start", "--", "true"]] {
        let ran = user.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{arguments:?}");
        assert!(
            ran.err.contains(&format!("{path}:2:1: there is no setting queue.max_concurent")),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("(and another mistake; bgctl config check names both)"), "{}", ran.err);
    }
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    assert_eq!(user.run(["config", "check"]).out, format!("{path}: no mistakes\n"));
}

#[test]
fn whatever_is_wrong_with_the_file_is_said_with_its_place() {
    let user = User::new();
    for (text, said) in [
        ("[queue]\nmax_size = 3\nmax_size = 4\n", ":3:1: duplicate key"),
        ("[queue]\n[log]\n[queue]\n", ":3:2: duplicate key"),
        ("[queue\n", ":1:7: "),
        ("[queue]\nmax_size = -3\n", ":2:12: queue.max_size: expected a whole number from 1 to 1000000"),
        (
            "[queue]\nmax_size = 99999999999999999999999999999999999999999999\n",
            ":2:12: queue.max_size: expected",
        ),
        ("[queue]\nmax_size = [1]\n", ":2:12: queue.max_size: expected a whole number"),
        ("[worker]\ngrace = -1\n", ":2:9: worker.grace: a duration cannot be negative"),
        ("[store]\ntype = \"sqlite\"\n", ":2:8: store.type: expected one of: json, jsonl"),
        ("[aproval]\n", ":1:2: there is no setting aproval; did you mean approval?"),
        ("[approval]\npoll_intervall = 3\n", "did you mean approval.poll_interval?"),
        (
            "[groups.default]\nslots = 3\n",
            ":1:9: groups.default: the slots of the default group are queue.max",
        ),
        ("[groups.\"a b\"]\nslots = 3\n", ":1:9: groups.a b: a group's name is made of letters"),
        ("\u{1b}[31m = 1\n", ":1:"),
    ] {
        configure(&user, text);
        let ran = user.run(["config", "check"]);
        assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{text:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{text:?}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    }
    let file = user.root().join("config.toml");
    std::fs::write(&file, b"[queue]\nmax_size = 3 # \xff\n").unwrap();
    let ran = user.run(["config", "check"]);
    assert!(ran.code == 78 && ran.err.contains(":2:16: is not UTF-8"), "{}", ran.err);
    std::fs::write(&file, "#".repeat(1024 * 1024 + 1)).unwrap();
    let ran = user.run(["config", "check"]);
    assert!(ran.code == 78 && ran.err.contains("more than the 1048576 that are read"), "{}", ran.err);
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    for arguments in [vec!["config", "check"], vec!["config", "show"], vec!["start", "true"]] {
        let ran = user.run(&arguments);
        assert!(ran.code == 78 && ran.err.contains("is not a regular file"), "{}", ran.err);
        assert!(!ran.err.contains("os error"), "{}", ran.err);
    }
}

#[test]
fn the_variable_that_says_where_the_folder_is_is_named() {
    let user = User::new();
    let from = |set: &[(&str, &str)]| -> Value {
        let mut command = user.bgctl(["config", "path", "--json"]);
        command.env_remove("BG_HOME").env_remove("XDG_CONFIG_HOME").envs(set.iter().copied());
        bounded(command).json()["root_from"].clone()
    };
    let elsewhere = user.path("cfg").display().to_string();
    assert_eq!(from(&[]), "HOME");
    assert_eq!(from(&[("XDG_CONFIG_HOME", &elsewhere)]), "XDG_CONFIG_HOME");
    assert_eq!(from(&[("XDG_CONFIG_HOME", "relative")]), "HOME");
}

#[test]
fn a_change_gives_up_on_the_lock_after_the_time_that_the_settings_say() {
    let user = User::new();
    configure(&user, "[store]\nlock_timeout = 1\n");
    std::fs::File::create(user.root().join("jobs.lock")).unwrap();
    let lock = std::fs::File::open(user.root().join("jobs.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let ran = user.run(["start", "--", "true"]);
    assert_eq!((ran.code, ran.out.as_str()), (75, ""), "{}", ran.err);
    assert!(ran.err.contains("has been locked for 1 s"), "{}", ran.err);
}
