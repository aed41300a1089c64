//! Others on the same machine: their files in our root, our root open to them, and a folder above it in which they may write.

use super::victim::Victim;
use crate::support::{BGCTL, Ran, User, until};
use rustix::fs::XattrFlags;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

const NOBODY: u32 = 65_534;

/// Whether this test can make somebody else's files; says it where not.
fn can_give_away() -> bool {
    let can = rustix::process::geteuid().is_root();
    if !can {
        crate::support::skipped("only the superuser can give a file away");
    }
    can
}

/// A user with a root in which one job is ended.
fn user() -> User {
    let user = User::new();
    let now = chrono::Utc::now().to_rfc3339();
    user.write_index(&format!(
        "{{\"version\":1,\"jobs\":[{{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"completed\",\"command\":\"true\",\"exit_code\":0,\
         \"created_at\":\"{now}\",\"ended_at\":\"{now}\",\"attempt\":1}}]}}"
    ));
    std::fs::create_dir(user.root().join("runs")).unwrap();
    std::fs::write(user.root().join("runs/bg_20260213_aaaaaa.log"), "output\n").unwrap();
    user
}

/// Gives a file of the root to somebody else, as if he had put it there while the root was open to him.
fn give_away(user: &User, name: &str) {
    chown(user.root().join(name), Some(NOBODY), Some(NOBODY)).unwrap();
}

#[test]
fn settings_of_somebody_else_are_not_used() {
    if !can_give_away() {
        return;
    }
    let user = user();
    let settings = format!("[hooks]\non_end = [\"touch\", \"{}\"]\n", user.path("ran").display());
    std::fs::write(user.root().join("config.toml"), settings).unwrap();
    give_away(&user, "config.toml");
    let refused = user.run(["start", "--", "true"]);
    assert_eq!((refused.code, refused.out.as_str()), (78, ""), "{}", refused.err);
    assert!(refused.err.contains("config.toml: belongs to user 65534, not to you"), "{}", refused.err);
    for arguments in [["tick"].as_slice(), &["prune", "--all"], &["doctor", "--fix"]] {
        let ran = user.run(arguments);
        assert!(
            ran.err.contains("belongs to user 65534") || arguments[0] == "doctor",
            "{arguments:?} {}",
            ran.err
        );
    }
    user.all_gone();
    assert!(!user.path("ran").exists());
}

#[test]
fn an_index_of_somebody_else_starts_nothing() {
    if !can_give_away() {
        return;
    }
    let user = user();
    user.write_index(&format!(
        "{{\"version\":1,\"jobs\":[{{\"id\":\"bg_20260213_aaaaaa\",\"status\":\"queued\",\"command\":\"touch {}\",\
         \"created_at\":\"2026-02-13T10:00:00Z\"}}]}}",
        user.path("ran").display()
    ));
    give_away(&user, "jobs.json");
    for arguments in [["tick"].as_slice(), &["list"], &["start", "--", "true"], &["store", "rebuild"]] {
        let ran = user.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("belongs to user 65534, not to you"), "{arguments:?}: {}", ran.err);
    }
    user.all_gone();
    assert!(!user.path("ran").exists());
    let owner = user.root().join("jobs.json").metadata().unwrap().uid();
    assert_eq!(owner, NOBODY, "it is left as it is");
}

#[test]
fn files_of_somebody_else_in_the_root_are_neither_read_nor_written() {
    if !can_give_away() {
        return;
    }
    for name in [
        "jobs.lock",
        "events.jsonl",
        "hooks.lock",
        "alarm.lock",
        "runs/bg_20260213_aaaaaa.log",
        "runs/bg_20260213_aaaaaa.meta.json",
        "runs/bg_20260213_aaaaaa.lock",
    ] {
        let user = user();
        let path = user.root().join(name);
        std::fs::write(&path, "VICTIM\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        give_away(&user, name);
        for arguments in [
            ["list", "--all"].as_slice(),
            &["status", "aaaaaa"],
            &["logs", "aaaaaa"],
            &["events"],
            &["tick"],
            &["start", "--", "true"],
        ] {
            let ran = user.run(arguments);
            assert!(super::is_an_answer(arguments, ran.code), "{name}: {arguments:?}: {}", ran.err);
            assert!(!format!("{}{}", ran.out, ran.err).contains("VICTIM"), "{name}: {arguments:?}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "VICTIM\n", "{name}");
        let said = user.run(["doctor"]);
        assert!(said.out.contains("belong to somebody else"), "{name}: {}", said.out);
    }
}

#[test]
fn a_folder_of_somebody_else_in_the_root_is_not_used() {
    if !can_give_away() {
        return;
    }
    for name in ["runs", "env"] {
        let user = user();
        let _ = std::fs::create_dir(user.root().join(name));
        give_away(&user, name);
        let before: Vec<_> =
            std::fs::read_dir(user.root().join(name)).unwrap().map(|one| one.unwrap().path()).collect();
        let ran = user.run(["start", "--", "true"]);
        assert_eq!(ran.code, 5, "{name}: {}", ran.err);
        assert!(ran.err.contains("belongs to user 65534"), "{name}: {}", ran.err);
        let after: Vec<_> =
            std::fs::read_dir(user.root().join(name)).unwrap().map(|one| one.unwrap().path()).collect();
        assert_eq!(before, after, "{name}");
        assert_eq!(user.run(["list"]).code, 0, "{name}: looking needs no such folder");
    }
}

/// What the superuser wrote is believed: he can do anything anyway.
#[test]
fn settings_of_the_superuser_hold_for_everybody() {
    if !can_give_away() {
        return;
    }
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 7\n").unwrap();
    chown(user.root(), Some(NOBODY), Some(NOBODY)).unwrap();
    let ran = Ran::of(&as_nobody(&user, &["config", "show", "queue.max_concurrent"]).output().unwrap());
    assert!(ran.code == 0 && ran.out.contains('7'), "{}{}", ran.out, ran.err);
}

#[test]
fn a_root_that_an_access_list_opens_to_somebody_is_refused() {
    let user = user();
    // `acl(5)`, as the kernel has it: version 2, then tag, rights and number of each entry.
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, NOBODY), (4, 0, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, number) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(number.to_le_bytes());
    }
    let set = rustix::fs::setxattr(user.root(), "system.posix_acl_access", &list, XattrFlags::empty());
    if let Err(error) = set {
        crate::support::skipped(&format!("this file system has no access lists ({error})"));
        return;
    }
    let ran = user.run(["list"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("is open to others (mode 770)"), "{}", ran.err);
}

/// Who may write in the folder above can put something else in the root's place; what he puts there is not used.
#[test]
fn what_others_put_in_the_place_of_the_root_is_refused() {
    if !can_give_away() {
        return;
    }
    let user = user();
    let above = user.path("anybody's");
    std::fs::create_dir(&above).unwrap();
    std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o777)).unwrap();
    let root = above.join("bg");
    std::fs::rename(user.root(), &root).unwrap();
    let list = || Ran::of(&user.bgctl(["list", "--all"]).env("BG_HOME", &root).output().unwrap());
    assert!(list().out.contains("aaaaaa"), "the folder above may be open");
    std::fs::set_permissions(user.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
    let swap = "mv bg aside && mkdir -m 700 bg && printf '%s' '{\"version\":1,\"jobs\":[]}' > bg/jobs.json";
    let mut attack = user.command("setpriv");
    attack.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", swap]);
    assert!(attack.current_dir(&above).status().unwrap().success());
    let ran = list();
    assert_eq!((ran.code, ran.out.as_str()), (5, ""));
    assert!(ran.err.contains("belongs to user 65534, not to you"), "{}", ran.err);
}

/// As with `sudo` without `-H`.
#[test]
fn the_superuser_with_the_home_of_somebody_else_does_not_touch_his_root() {
    if !can_give_away() {
        return;
    }
    let user = User::new();
    let home = Victim::with(user.path("ann"), |folder| {
        std::fs::create_dir_all(folder.join(".config/bg/runs")).unwrap();
        std::fs::set_permissions(folder.join(".config/bg"), std::fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["", ".config", ".config/bg", ".config/bg/runs"] {
            chown(folder.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    });
    for arguments in
        [["start", "--", "true"].as_slice(), &["tick"], &["list"], &["prune"], &["store", "rebuild"]]
    {
        let mut command = user.bgctl(arguments);
        command.env("HOME", &home.folder).env_remove("BG_HOME");
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("belongs to user 65534, not to you (user 0)"), "{}", ran.err);
    }
    assert_eq!(home.changes(), Vec::<String>::new());
}

#[test]
fn doctor_fix_closes_what_is_ours_and_follows_no_link() {
    let user = user();
    let victim = Victim::new(user.path("victim"));
    symlink(victim.file(), user.root().join("runs/link")).unwrap();
    let log = user.root().join("runs/bg_20260213_aaaaaa.log");
    std::fs::set_permissions(&log, std::fs::Permissions::from_mode(0o666)).unwrap();
    user.run(["doctor", "--fix"]);
    assert_eq!(log.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(victim.changes(), Vec::<String>::new());
}

#[test]
fn what_is_made_is_for_its_owner_alone_under_any_umask() {
    let user = User::new();
    let script = "umask 0; \"$BGCTL\" start --quiet --wait --stdin - --on-end true -- cat < /dev/null; \"$BGCTL\" tick";
    let mut shell = user.command("sh");
    assert!(shell.args(["-c", script]).env("BGCTL", BGCTL).output().unwrap().status.success());
    user.all_gone();
    until("there are files", || user.root().join("runs").exists());
    let mut open = vec![user.root()];
    while let Some(path) = open.pop() {
        let data = path.symlink_metadata().unwrap();
        assert_eq!(data.mode() & 0o077, 0, "{}", path.display());
        if data.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|one| one.unwrap().path()));
        }
    }
}

/// The program as somebody else, who can reach this test's folder.
fn as_nobody(user: &User, arguments: &[&str]) -> Command {
    let program = user.path("bgctl");
    if !program.exists() {
        // Copied by another process: no descriptor of ours keeps it from being executed.
        let copied = Command::new("cp").arg(Path::new(BGCTL)).arg(&program).status().unwrap();
        assert!(copied.success());
    }
    std::fs::set_permissions(user.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = user.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program).args(arguments);
    command
}
