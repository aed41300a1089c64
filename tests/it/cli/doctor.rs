//! `bgctl doctor`: each finding is planted and found, and what `--fix` mends is mended and nothing else is touched.

use super::{
    Held, as_nobody, completed, configure, contents, elsewhere, entry, index_of, is_root, make_program,
};
use crate::support::{BGCTL, Ran, User, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// `bgctl doctor` of a user whose system answers as the test wants: `loginctl`, `crontab` and the like are those of the test.
fn doctor(user: &User, arguments: &[&str]) -> Command {
    let programs = user.path("programs");
    if !programs.exists() {
        std::fs::create_dir(&programs).unwrap();
        answer(user, "crontab", "exit 1");
        answer(user, "loginctl", "echo KillUserProcesses=no");
    }
    let mut command = user.bgctl([&["doctor"], arguments].concat());
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display())).env("SHELL", "/bin/bash");
    command
}

/// Makes a program that is found before the system's.
fn answer(user: &User, name: &str, script: &str) {
    std::fs::write(user.path("script"), format!("#!/bin/sh\n{script}\n")).unwrap();
    make_program(user.path("script"), user.path("programs").join(name));
}

#[track_caller]
fn object(command: &mut Command, root: &Path) -> Value {
    let ran = Ran::of(&command.arg("--json").output().unwrap());
    crate::schema::check(root, &["doctor", "--json"], &ran.out);
    let object = ran.json();
    assert_eq!(ran.code, i32::from(object["verdict"] != "well"), "{object}");
    object
}

/// The findings of a check, as result and text.
#[track_caller]
fn found(user: &User, arguments: &[&str], check: &str) -> Vec<(String, Value)> {
    let object = object(&mut doctor(user, arguments), &user.root());
    of_check(&object, check)
}

fn of_check(object: &Value, check: &str) -> Vec<(String, Value)> {
    let findings = object["findings"].as_array().unwrap().iter();
    findings
        .filter(|one| one["check"] == check)
        .map(|one| (one["result"].as_str().unwrap().to_owned(), one.clone()))
        .collect()
}

/// The only finding of a check.
#[track_caller]
fn only(user: &User, arguments: &[&str], check: &str) -> (String, Value) {
    let mut found = found(user, arguments, check);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[track_caller]
fn assert_found(user: &User, check: &str, result: &str, text: &str) {
    let (found, finding) = only(user, &[], check);
    assert!(found == result && finding.to_string().contains(text), "{finding}");
}

/// Makes the index by hand, closed to others.
fn write_private(user: &User, text: &str) {
    user.write_index(text);
    std::fs::set_permissions(user.root().join("jobs.json"), Permissions::from_mode(0o600)).unwrap();
}

/// Makes a file as old as what nobody writes any more.
fn age(path: &Path) {
    File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(SystemTime::now() - Duration::from_hours(1))
        .unwrap();
}

#[test]
fn where_there_is_nothing_nothing_is_wrong_and_nothing_is_made() {
    let user = User::new();
    for arguments in [&[][..], &["--fix"]] {
        let object = object(&mut doctor(&user, arguments), &user.root());
        assert_eq!(object["verdict"], "well", "{object}");
        assert!(!user.root().exists());
    }
}

#[test]
fn looking_changes_nothing_and_a_sound_root_is_well_with_fix_too() {
    let user = User::new();
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    user.ok(["tick"]);
    let before = contents(&user.root());
    for arguments in [&[][..], &["--fix"]] {
        let object = object(&mut doctor(&user, arguments), &user.root());
        assert_eq!(object["verdict"], "well", "{object}");
        assert!(contents(&user.root()) == before);
    }
}

#[test]
fn people_get_a_line_a_finding_the_mend_below_and_a_verdict() {
    let user = User::new();
    let ran = Ran::of(&doctor(&user, &[]).output().unwrap());
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("ok       permissions"), "{}", ran.out);
    assert!(
        ran.out.contains("note     shell") && ran.out.contains("  mend: add this line to "),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().last().unwrap().starts_with("all is well, "), "{}", ran.out);
    user.write_index("{\"version\":1,");
    let ran = Ran::of(&doctor(&user, &[]).output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("problem  index") && ran.out.contains("mend: bgctl store rebuild"),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().last().unwrap().starts_with("1 problem"), "{}", ran.out);
}

#[test]
fn whether_bg_reaches_the_program_is_read_in_the_files_of_the_shell() {
    let user = User::new();
    assert_found(&user, "shell", "note", "eval \\\"$(bgctl init bash)\\\"");
    std::fs::write(user.path("home/.bashrc"), "# eval \"$(bgctl init bash)\"\n").unwrap();
    assert_found(&user, "shell", "note", "is the builtin of bash");
    std::fs::write(user.path("home/.bashrc"), "alias x=y\neval \"$(bgctl init bash)\"\n").unwrap();
    assert_found(&user, "shell", "ok", ".bashrc has the line");
    let told = |shell: &str| {
        let object = object(doctor(&user, &[]).env("SHELL", shell), &user.root());
        of_check(&object, "shell")[0].1["found"].to_string()
    };
    assert!(told("/usr/bin/fish").contains("the builtin of fish"));
    std::fs::create_dir_all(user.path("home/.config/fish/conf.d")).unwrap();
    std::fs::write(user.path("home/.config/fish/conf.d/bg.fish"), user.ok(["init", "fish"])).unwrap();
    assert!(told("/usr/bin/fish").contains("bg.fish has the line"));
    assert!(told("/usr/bin/elvish").contains("elvish has no builtin"));
    assert!(told("/bin/nothing").contains("no shell was found"));
}

#[test]
fn the_shell_that_calls_counts_before_that_of_the_login() {
    let user = User::new();
    doctor(&user, &[]);
    let mut command = user.command("dash");
    command.args(["-c", "\"$0\" doctor --json; true", BGCTL]).env("SHELL", "/bin/bash");
    let Ok(output) = command.output() else {
        crate::support::skipped("needs dash");
        return;
    };
    let object = Ran::of(&output).json();
    assert!(of_check(&object, "shell")[0].1["found"].to_string().contains("the builtin of dash"), "{object}");
}

#[test]
fn whether_something_ticks_is_told_by_its_trace_and_by_who_would() {
    let user = User::new();
    user.write_index(&index_of(&[]));
    assert_found(&user, "ticking", "note", "nothing has ticked yet");
    user.ok(["tick"]);
    assert_found(&user, "ticking", "ok", "the last tick was");
    age(&user.root().join("last_tick"));
    assert_found(&user, "ticking", "note", "the last tick was 1h ago");
    answer(&user, "crontab", "echo '* * * * * BG_HOME=/x /usr/bin/bgctl tick'");
    assert_found(&user, "ticking", "warning", "your crontab has a line for it, but the last tick was 1h ago");
    answer(&user, "crontab", "echo '# * * * * * /usr/bin/bgctl tick'");
    assert_found(&user, "ticking", "note", "the last tick");
    std::fs::create_dir_all(user.path("home/.config/systemd/user")).unwrap();
    let unit = "[Service]\nExecStart=/usr/bin/bgctl tick\n";
    std::fs::write(user.path("home/.config/systemd/user/bgctl.service"), unit).unwrap();
    assert_found(&user, "ticking", "warning", "bgctl.service calls it, but");
    user.ok(["tick"]);
    assert_found(&user, "ticking", "ok", "bgctl.service calls it");
}

#[test]
fn a_schedule_that_nothing_ticks_for_is_a_problem_and_a_loop_is_something_that_ticks() {
    let user = User::new();
    configure(&user, "[schedules.it]\nevery = \"1h\"\ncommand = \"true\"\n");
    user.ok(["tick"]);
    age(&user.root().join("last_tick"));
    assert_found(&user, "ticking", "problem", "1 schedule");
    let lock = File::create(user.root().join("loop.lock")).unwrap();
    assert!(bgctl::os::record_lock::try_lock(&lock).unwrap());
    std::fs::set_permissions(user.root().join("loop.lock"), Permissions::from_mode(0o600)).unwrap();
    assert_found(&user, "ticking", "ok", "--loop runs");
}

#[test]
fn what_others_can_read_is_found_and_closed_to_them() {
    let user = User::new();
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    let (index, log) = (user.root().join("jobs.json"), user.root().join(format!("runs/{id}.log")));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for path in [&index, &log] {
        std::fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::set_permissions(user.root().join("runs"), Permissions::from_mode(0o755)).unwrap();
    let (result, finding) = only(&user, &[], "permissions");
    assert_eq!((result.as_str(), finding["details"].as_array().unwrap().len()), ("note", 3), "{finding}");
    assert_eq!(mode(&index), 0o644);
    let content = std::fs::read(&index).unwrap();
    let (_, mended) = only(&user, &["--fix"], "permissions");
    assert_eq!(mended["mended"], "only you can now", "{mended}");
    assert_eq!((mode(&index), mode(&log), mode(&user.root().join("runs"))), (0o600, 0o600, 0o700));
    assert_eq!(std::fs::read(&index).unwrap(), content);
    assert_found(&user, "permissions", "ok", "is yours alone");
}

#[test]
fn a_root_that_is_open_to_others_is_closed_and_then_looked_into() {
    let user = User::new();
    user.write_index("{");
    std::fs::set_permissions(user.root(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(user.run(["list"]).code, 5);
    assert_found(&user, "permissions", "problem", "chmod 700");
    assert!(found(&user, &[], "index").is_empty(), "it cannot be looked into");
    let object = object(&mut doctor(&user, &["--fix"]), &user.root());
    assert!(of_check(&object, "permissions")[0].1["mended"].is_string(), "{object}");
    assert_eq!(of_check(&object, "index")[0].0, "problem");
    assert_eq!(user.root().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn links_are_found_and_left_alone() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.path("settings"), "").unwrap();
    std::fs::set_permissions(user.path("settings"), Permissions::from_mode(0o644)).unwrap();
    symlink(user.path("settings"), user.root().join("config.toml")).unwrap();
    let (result, finding) = only(&user, &["--fix"], "permissions");
    assert_eq!((result.as_str(), &finding["details"]), ("warning", &json!(["config.toml"])), "{finding}");
    assert_eq!(user.path("settings").metadata().unwrap().permissions().mode() & 0o777, 0o644);
    let user = User::new();
    std::fs::create_dir(user.path("real")).unwrap();
    symlink(user.path("real"), user.root()).unwrap();
    let (result, finding) = only(&user, &["--fix"], "permissions");
    assert!(result == "problem" && finding["found"].to_string().contains("symbolic link"), "{finding}");
}

#[test]
fn somebody_elses_root_is_a_problem_that_is_told_and_not_touched() {
    if !is_root() {
        crate::support::skipped("needs the superuser, to become somebody else");
        return;
    }
    let user = User::new();
    write_private(&user, &index_of(&[]));
    let before = contents(&user.root());
    for arguments in [&["doctor", "--json"][..], &["doctor", "--fix", "--json"]] {
        let Some(mut command) = as_nobody(&user, arguments) else { return };
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, 1, "{}", ran.err);
        let finding = of_check(&ran.json(), "permissions").remove(0);
        assert!(
            finding.0 == "problem" && finding.1["found"].to_string().contains("belongs to user 0"),
            "{}",
            ran.out
        );
    }
    assert!(contents(&user.root()) == before);
}

#[test]
fn files_of_somebody_else_are_a_problem() {
    if !is_root() {
        crate::support::skipped("needs the superuser, to give a file away");
        return;
    }
    let user = User::new();
    user.write_index(&index_of(&[]));
    std::os::unix::fs::chown(user.root().join("jobs.json"), Some(65_534), None).unwrap();
    let found = found(&user, &["--fix"], "permissions");
    let foreign = found.iter().find(|(_, one)| one["found"].to_string().contains("somebody else")).unwrap();
    assert_eq!((foreign.0.as_str(), &foreign.1["details"]), ("problem", &json!(["jobs.json"])));
}

#[test]
fn a_root_in_which_nothing_can_be_written_is_looked_at_all_the_same() {
    let user = User::new();
    user.write_index(&index_of(&[completed("aaaaa2", 60)]));
    let Some(_) = as_nobody(&user, &["list"]) else { return };
    if is_root() {
        for path in [user.root(), user.root().join("jobs.json")] {
            std::os::unix::fs::chown(path, Some(65_534), Some(65_534)).unwrap();
        }
    }
    std::fs::set_permissions(user.root(), Permissions::from_mode(0o500)).unwrap();
    for arguments in [&["doctor", "--json"][..], &["doctor", "--fix", "--json"]] {
        let ran = Ran::of(&as_nobody(&user, arguments).unwrap().output().unwrap());
        assert_eq!(of_check(&ran.json(), "index")[0].0, "ok", "{}{}", ran.out, ran.err);
    }
    std::fs::set_permissions(user.root(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn jobs_that_a_logout_would_end_are_warned_of() {
    let user = User::new();
    assert_found(&user, "logout", "ok", "go on after you log out");
    let manager = |lingers: &str| {
        format!("case \"$*\" in *Linger*) echo Linger={lingers};; *) echo KillUserProcesses=yes;; esac")
    };
    answer(&user, "loginctl", &manager("no"));
    assert_found(&user, "logout", "warning", "loginctl enable-linger");
    answer(&user, "loginctl", &manager("yes"));
    assert_found(&user, "logout", "ok", "lingers");
    answer(&user, "loginctl", "exec sleep 60");
    assert_found(&user, "logout", "ok", "no login manager");
}

#[test]
fn lost_watchers_are_found_and_a_pass_gives_their_jobs_others() {
    let user = User::new();
    let held = Held::start(&user, "it");
    assert_found(&user, "watchers", "ok", "is watched");
    let watcher = user.recorded_pid(&held.id, "watcher");
    kill(watcher, Signal::KILL);
    until("it is gone", || !is_alive(watcher));
    assert_found(&user, "watchers", "problem", "its processes live");
    let (_, finding) = only(&user, &["--fix"], "watchers");
    assert!(finding["mended"].to_string().contains("a pass was made"), "{finding}");
    until("another watches", || user.job(&held.id)["observed"] == "alive");
    held.let_go(0);
    user.wait(&held.id);
    let claim = elsewhere();
    user.write_index(&index_of(&[entry(
        "aaaaa2",
        "running",
        &json!({ "started_at": super::ago(60), "claim": claim }),
    )]));
    assert_found(&user, "watchers", "note", "another machine");
}

#[test]
fn an_end_that_cannot_be_written_is_told() {
    let user = User::new();
    let held = Held::start(&user, "it");
    // The index says otherwise than the test's clock: its attempt began long ago.
    let index = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let began = user.index()["jobs"][0]["started_at"].as_str().unwrap().to_owned();
    std::fs::write(user.path("index"), index.replace(&began, &super::ago(60))).unwrap();
    std::fs::rename(user.path("index"), user.root().join("jobs.json")).unwrap();
    let lock = File::open(user.root().join("jobs.lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    held.let_go(0);
    until("its record has the end", || user.record(&held.id).iter().any(|line| line["line"] == "outcome"));
    assert_found(&user, "watchers", "problem", "cannot write that into the index");
    drop(lock);
    assert_eq!(user.wait(&held.id), 0);
}

#[test]
fn what_was_interrupted_is_found_and_removed_and_nothing_else_is() {
    let user = User::new();
    let removed = user.start(["--", "true"]);
    assert_eq!(user.wait(&removed), 0);
    user.all_gone();
    let record = std::fs::read(user.root().join(format!("runs/{removed}.lock"))).unwrap();
    user.ok(["prune", "--all"]);
    let kept = user.start(["--", "sh", "-c", "echo kept"]);
    assert_eq!(user.wait(&kept), 0);
    user.start(["--delay", "1h", "--", "true"]);
    user.all_gone();
    let hash = "a".repeat(64);
    let before = contents(&user.root());
    let left = [
        format!("env/{hash}.json"),
        format!("env/{hash}.999999999.tmp"),
        format!("runs/{kept}.meta.json.tmp"),
        format!("runs/{removed}.lock"),
    ];
    for name in &left {
        std::fs::write(user.root().join(name), &record).unwrap();
        std::fs::set_permissions(user.root().join(name), Permissions::from_mode(0o600)).unwrap();
    }
    assert_found(&user, "files", "ok", "nothing was left");
    for name in &left {
        age(&user.root().join(name));
    }
    let (result, finding) = only(&user, &[], "files");
    assert_eq!(result, "note");
    let mut details: Vec<&str> =
        finding["details"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    details.sort_unstable();
    let mut wanted: Vec<&str> = left.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    assert_eq!(details, wanted);
    let (_, finding) = only(&user, &["--fix"], "files");
    assert_eq!(finding["mended"], "4 files removed", "{finding}");
    assert!(contents(&user.root()) == before);
}

#[test]
fn files_of_jobs_that_nobody_knows_are_told_and_never_removed() {
    let user = User::new();
    let id = user.start(["--", "true"]);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
    // The index was moved away to begin a new one.
    std::fs::rename(user.root().join("jobs.json"), user.path("moved")).unwrap();
    for name in std::fs::read_dir(user.root().join("runs")).unwrap().flatten() {
        age(&name.path());
    }
    assert_found(&user, "index", "problem", "there are run files of 1 job");
    write_private(&user, &index_of(&[]));
    let before = contents(&user.root());
    let (result, finding) = only(&user, &["--fix"], "files");
    assert!(result == "note" && finding["found"].to_string().contains("belong to no job"), "{finding}");
    assert!(contents(&user.root()) == before);
}

#[test]
fn what_the_index_names_and_is_not_there_is_found() {
    let user = User::new();
    let waiting = user.start(["--delay", "1h", "--", "true"]);
    assert_found(&user, "references", "ok", "is there");
    let env = user.index()["jobs"][0]["env"].as_str().unwrap().to_owned();
    std::fs::write(user.root().join(format!("env/{env}.json")), "{}").unwrap();
    let (result, finding) = only(&user, &[], "references");
    assert!(result == "problem" && finding["details"].to_string().contains(&waiting), "{finding}");
    std::fs::remove_dir_all(user.root().join("env")).unwrap();
    assert_eq!(only(&user, &[], "references").0, "problem");
    user.write_index(&index_of(&[entry(
        "aaaaa2",
        "queued",
        &json!({ "after": ["bg_20260213_zzzzzz"], "not_before": "2126-01-01T00:00:00Z" }),
    )]));
    assert_found(&user, "references", "note", "bg_20260213_zzzzzz");
}

#[test]
fn a_damaged_a_doubled_and_a_newer_index_are_problems_with_their_mends() {
    let user = User::new();
    let twice = index_of(&[completed("aaaaa2", 60), completed("aaaaa2", 60)]);
    let inside = index_of(&[entry("aaaaa2", "completed", &json!({ "labels": 7 }))]);
    for (text, said) in [
        ("", "bgctl store rebuild"),
        (twice.as_str(), "is there twice"),
        (inside.as_str(), "labels"),
        ("{\"version\":1,\"requires\":[\"wings\"],\"jobs\":[]}", "use the newer program"),
    ] {
        write_private(&user, text);
        let before = contents(&user.root());
        let (result, finding) = only(&user, &["--fix"], "index");
        assert!(result == "problem" && finding.to_string().contains(said), "{finding}");
        assert!(contents(&user.root()) == before);
    }
    std::fs::remove_file(user.root().join("jobs.json")).unwrap();
    symlink("/etc/passwd", user.root().join("jobs.json")).unwrap();
    assert_found(&user, "index", "problem", "symbolic link");
}

#[test]
fn mistakes_of_the_settings_are_named() {
    let user = User::new();
    configure(&user, "odd = 1\n");
    assert_found(&user, "settings", "problem", "odd");
    configure(&user, "[schedules.it]\nevery = \"often\"\ncommand = \"true\"\n");
    assert_found(&user, "settings", "problem", "schedules.it.every");
    configure(&user, "[queue]\nmax_concurrent = 3\n");
    assert_found(&user, "settings", "ok", "config.toml is right");
}

#[test]
fn watchers_of_a_program_that_was_replaced_are_noted_and_do_no_harm() {
    let user = User::new();
    let program = user.path("bgctl");
    make_program(BGCTL, &program);
    let gate = user.fifo("gate");
    let mut command = user.command(&program);
    command.args(["start", "--", "sh", "-c", &format!("read code < '{}'; exit $code", gate.display())]);
    let id = Ran::of(&command.output().unwrap()).out.trim_end().to_owned();
    until("it runs", || super::has_started(&user, &id));
    assert!(found(&user, &[], "upgrade").is_empty());
    make_program(BGCTL, user.path("newer"));
    std::fs::rename(user.path("newer"), &program).unwrap();
    assert_found(&user, "upgrade", "note", &id);
    std::fs::write(gate, "7\n").unwrap();
    assert_eq!(user.wait(&id), 7);
    user.all_gone();
    assert!(found(&user, &[], "upgrade").is_empty());
}

#[test]
fn other_programs_of_the_name_in_the_path_are_noted() {
    let user = User::new();
    assert_found(&user, "program", "note", "no folder of PATH has bgctl");
    make_program(BGCTL, user.path("programs/bgctl"));
    assert_found(&user, "program", "ok", "programs/bgctl");
    std::fs::create_dir(user.path("others")).unwrap();
    std::fs::write(user.path("script"), "#!/bin/sh\necho bgctl 9.9.9\n").unwrap();
    make_program(user.path("script"), user.path("others/bgctl"));
    let path = |first: &str, second: &str| {
        format!("{}:{}:/usr/bin:/bin", user.path(first).display(), user.path(second).display())
    };
    let found =
        |path: String| of_check(&object(doctor(&user, &[]).env("PATH", path), &user.root()), "program");
    let later = found(path("programs", "others"));
    assert!(later.len() == 2 && later[1].1["details"].to_string().contains("(9.9.9)"), "{later:?}");
    let first = found(path("others", "programs"));
    assert!(first[0].0 == "note" && first[0].1["found"].to_string().contains("9.9.9"), "{first:?}");
}

#[test]
fn the_file_system_and_the_kernel_are_told_of() {
    let user = User::new();
    user.make_root();
    let before = contents(&user.root());
    assert!(!found(&user, &[], "filesystem").is_empty());
    assert!(contents(&user.root()) == before, "trying leaves no trace");
    let (result, finding) = only(&user, &[], "system");
    assert!(["ok", "warning"].contains(&result.as_str()), "{finding}");
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() {
        crate::support::skipped("needs a file system in memory");
        return;
    }
    let user = User::on(memory);
    user.make_root();
    let told = format!("{:?}", found(&user, &[], "filesystem"));
    assert!(told.contains("tmpfs") && told.contains("reads as NULs"), "{told}");
}

/// What is found where a script has changed the world around the root; `None` where it cannot be changed.
fn in_changed_world(user: &User, script: &str, check: &str) -> Option<Vec<(String, Value)>> {
    let mut command = user.command("unshare");
    let script = format!("{script} || exit 77; exec \"$0\" doctor --json");
    let output = command.args(["-rm", "sh", "-c", &script, BGCTL]).output().ok()?;
    let ran = Ran::of(&output);
    if ran.code == 77 || ran.err.starts_with("unshare") {
        crate::support::skipped(&format!("needs a namespace of its own: {}", ran.err));
        return None;
    }
    Some(of_check(&ran.json(), check))
}

#[test]
fn a_file_system_that_is_full_or_cannot_be_written_is_found() {
    let user = User::new();
    user.make_root();
    let root = user.root().display().to_string();
    for (script, result, said) in [
        (format!("mount -t tmpfs -o mode=700,size=1m none '{root}'"), "warning", "only 1 MiB are free"),
        (
            format!("mount -t tmpfs -o mode=700,nr_inodes=9 none '{root}'"),
            "warning",
            "more files can be made",
        ),
        (format!("mount -t tmpfs -o mode=700,ro none '{root}'"), "problem", "nothing can be written"),
    ] {
        let Some(found) = in_changed_world(&user, &script, "filesystem") else { return };
        let of = |(grade, one): &&(String, Value)| grade == result && one.to_string().contains(said);
        assert_eq!(found.iter().filter(of).count(), 1, "{script}: {found:?}");
    }
}

#[test]
fn inotify_instances_that_have_run_out_are_found() {
    let user = User::new();
    user.make_root();
    let script = "echo 0 > /proc/sys/user/max_inotify_instances";
    let Some(found) = in_changed_world(&user, script, "system") else { return };
    assert!(found[0].0 == "warning" && found[0].1.to_string().contains("max_user_instances"), "{found:?}");
}

#[test]
fn a_hook_that_failed_is_a_warning_for_a_day() {
    let user = User::new();
    user.ok(["start", "--wait", "--", "true"]);
    assert!(found(&user, &[], "hooks").is_empty());
    let stream = user.root().join("events.jsonl");
    let told = std::fs::read_to_string(&stream).unwrap();
    let failed = |seq: u32, at: chrono::DateTime<chrono::Utc>| {
        let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        json!({ "seq": seq, "at": at, "event": "hook_failed", "of": 1, "hook": "on_end", "result": "failed" })
    };
    let past = chrono::Utc::now() - chrono::TimeDelta::days(2);
    std::fs::write(&stream, format!("{told}{}\n", failed(90, past))).unwrap();
    assert!(found(&user, &[], "hooks").is_empty(), "that is past");
    std::fs::write(&stream, format!("{told}{}\n", failed(91, chrono::Utc::now()))).unwrap();
    let (result, finding) = only(&user, &[], "hooks");
    assert_eq!((result.as_str(), &finding["found"]), ("warning", &json!("1 hook failed within a day")));
}
