//! The line that `bgctl init cron` prints, run as cron would.

use super::{copied_program, run};
use crate::support::{BGCTL, User};
use std::path::Path;

/// Names with everything that cron or its shell could take for its own.
const ODD_NAMES: [&str; 6] = [
    "bg plain",
    r#"bg it's 100% $HOME "q" `id`"#,
    r"bg back\slash",
    r"bg \% %% \\ \\% end\",
    r"bg '\''\'",
    "bg # ; & é",
];

/// An index as somebody wrote it by hand, with one job waiting.
const ONE_QUEUED: &str = r#"{"version": 1, "updated_at": "2026-02-13T00:00:00Z", "jobs": [
{"id": "bg_20260213_abc234", "command": "echo ran > got", "cwd": "CWD", "created_at": "2026-02-13T00:00:00Z",
"started_at": null, "ended_at": null, "status": "queued", "exit_code": null, "timeout_seconds": 1800,
"stale_after_seconds": 3600, "labels": [], "summary": null}]}"#;

/// What cron gives to its shell for a command in the crontab. Up to a percent sign it is the command, unless that is
/// escaped; some crons take two backslashes for one, others leave them.
fn as_cron_reads(command: &str, halves_backslashes: bool) -> String {
    let mut read = String::new();
    let mut chars = command.chars();
    while let Some(one) = chars.next() {
        match one {
            '%' => break,
            '\\' => match chars.next() {
                Some('%') => read.push('%'),
                Some('\\') if halves_backslashes => read.push('\\'),
                Some(next) => read.extend(['\\', next]),
                None => read.push('\\'),
            },
            other => read.push(other),
        }
    }
    read
}

/// Runs the printed line's command in cron's bare environment, for this root and program; the queued job must run
/// there, and cron must have nothing to send by mail.
fn ticks(user: &User, root: &Path, program: &Path, halves_backslashes: bool) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(root).unwrap();
    let cwd = user.path("home");
    std::fs::write(root.join("jobs.json"), ONE_QUEUED.replace("CWD", cwd.to_str().unwrap())).unwrap();

    let printed = run(user.command(program).args(["init", "cron"]).env("BG_HOME", root));
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    let line = printed.out.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    let command = as_cron_reads(line.strip_prefix("* * * * * ").unwrap(), halves_backslashes);

    let mut cron = user.command("/bin/sh");
    cron.env_clear()
        .env("HOME", user.path("home"))
        .env("LOGNAME", "somebody")
        .env("SHELL", "/bin/sh")
        .env("PATH", "/usr/bin:/bin")
        .args(["-c", &command]);
    let ran = run(&mut cron);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{command}");
    assert_eq!(user.line_in("home/got"), "ran\n", "{command}");

    let waited = run(user.bgctl(["wait", "--within", "60s", "bg_20260213_abc234"]).env("BG_HOME", root));
    assert_eq!(waited.code, 0, "{}", waited.err);
    assert!(
        !user.root().exists() && !user.path("home/.config").exists(),
        "no other root came to be: {command}"
    );
}

#[test]
fn the_printed_line_makes_a_tick_that_starts_a_queued_job() {
    let user = User::new();
    ticks(&user, &user.path("bg root"), Path::new(BGCTL), false);
}

#[test]
fn roots_with_odd_names_are_found_again() {
    for halves_backslashes in [false, true] {
        for name in ODD_NAMES {
            let user = User::new();
            ticks(&user, &user.path(name), Path::new(BGCTL), halves_backslashes);
        }
    }
}

#[test]
fn programs_at_odd_paths_are_found_again() {
    for halves_backslashes in [false, true] {
        for name in ODD_NAMES {
            let user = User::new();
            let program = copied_program(&user, name);
            ticks(&user, &user.path("bg root"), &program, halves_backslashes);
        }
    }
}

#[test]
fn the_line_names_the_root_that_the_shell_was_told_by_other_means() {
    let user = User::new();
    let ran =
        run(user.bgctl(["init", "cron"]).env_remove("BG_HOME").env("XDG_CONFIG_HOME", user.path("xdg")));
    assert!(ran.out.contains(&format!("BG_HOME='{}/bg'", user.path("xdg").display())), "{}", ran.out);
    let ran = run(user.bgctl(["init", "cron"]).env_remove("BG_HOME"));
    assert!(
        ran.out.contains(&format!("BG_HOME='{}/.config/bg'", user.path("home").display())),
        "{}",
        ran.out
    );
}
