//! What is wrong with a command line, in the words of every other error.

use super::screen::on_terminal;
use super::shell;
use super::terminal::{Talk, in_terminal};
use crate::support::{Ran, User};

/// What each wrong line is answered with, up to the line that says where help is.
#[test]
fn every_usage_error_says_what_is_wrong_and_what_can_be_done() {
    const JOB: &str = "a job is named by its id, its name, or @ for the newest; bgctl list shows them";
    let user = User::new();
    for (line, said) in [
        ("lst", "there is no command \"lst\"\n  did you mean list?"),
        ("frobnicate", "there is no command \"frobnicate\""),
        ("-x", "bgctl has no option -x"),
        ("list --srt", "bgctl list has no option --srt\n  did you mean --sort?"),
        ("list foo", "bgctl list takes no argument \"foo\""),
        (
            "list --sort colour",
            "--sort \"colour\": there is no such value\n  one of: created, started, ended, name, status, time, cpu, memory",
        ),
        ("list --sort nmae", "--sort \"nmae\": there is no such value\n  did you mean name?"),
        ("set --timeout", "--timeout needs a value"),
        (
            "wait",
            &format!(
                "bgctl wait: which jobs?\n  {JOB}\n  or choose with --label LABEL, --status STATE, --group NAME or --all"
            ),
        ),
        (
            "cancel",
            &format!(
                "bgctl cancel: which jobs?\n  {JOB}\n  or choose with --label LABEL, --status STATE, --group NAME or --all"
            ),
        ),
        ("cancel --all ab", "--all cannot be used with JOB"),
        ("list --limit 1 --limit 2", "--limit can be given only once"),
        (
            "set ab",
            "bgctl set: there is nothing to change\n  one of: --name, --no-name, --label, --no-label, --timeout, --stale-after, --grace, --log-max, --priority, --group, --after, --after-end, --no-after, --delay, --at",
        ),
        ("start", "there is no command to run\n  bgctl start -- make -j4"),
        ("start --within 3 true", "--within needs --wait, --ready or --when-full wait"),
        (
            "init",
            "bgctl init: for whom?\n  one of: bash, zsh, fish, posix, elvish, powershell, cron, systemd",
        ),
        ("wait --within soon ab", "--within \"soon\": expected a duration such as 90, 30s, 15m, 1h30m"),
    ] {
        let ran = user.run(line.split(' '));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {}", ran.err);
        let (before, help) = ran.err.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(before, format!("bgctl: {said}"), "{line}");
        assert!(help.starts_with("  bgctl ") && help.contains(" --help says "), "{line}: {help}");
    }
}

#[test]
fn every_number_that_is_none_is_refused_in_the_same_words() {
    let user = User::new();
    for flag in [
        ["prune", "--keep"],
        ["list", "--limit"],
        ["logs", "--lines"],
        ["logs", "--head"],
        ["logs", "--attempt"],
    ] {
        for value in ["none", "-1", "1.5", "99999999999999999999999"] {
            let ran = user.run(flag.iter().chain(&[value]));
            assert_eq!(ran.code, 2, "{flag:?} {value}");
            let said = format!("bgctl: {} {value:?}: expected a whole number", flag[1]);
            assert!(ran.err.starts_with(&said), "{}", ran.err);
        }
    }
}

#[test]
fn programs_are_told_what_was_perhaps_meant() {
    let user = User::new();
    for (line, hint) in [("lst --json", "did you mean list?"), ("list --json --srt", "did you mean --sort?")]
    {
        let ran = user.run(line.split(' '));
        assert!(ran.json()["error"]["hint"].as_str().unwrap().starts_with(hint), "{}", ran.out);
    }
}

#[test]
fn flags_of_every_subcommand_may_stand_before_it() {
    let user = User::new();
    assert_eq!(user.run(["--json", "list"]).json()["command"], "list");
    assert_eq!(user.run(["-q", "--json", "tick"]).json()["command"], "tick");
    let ran = user.run(["-q", "list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = user.run(["--json", "logs", "--follow", "ab"]);
    assert_eq!(ran.code, 2);
    assert_eq!(ran.json()["error"]["message"], "--json cannot be used with --follow");
}

#[test]
fn help_is_a_command_too() {
    let user = User::new();
    assert_eq!(user.ok(["help"]), user.ok(["--help"]));
    assert_eq!(user.ok(["help", "list"]), user.ok(["list", "--help"]));
    assert_eq!(user.run(["help", "nope"]).code, 2);
}

#[test]
fn no_argument_commands_the_terminal() {
    let user = User::new();
    let evil = r"$(printf 'a\033]0;EVIL\007')";
    for line in [
        format!("list --sort \"{evil}\""),
        format!("list \"--{evil}\""),
        format!("\"{evil}\""),
        format!("prune \"{evil}\""),
        format!("list --since \"{evil}\""),
        format!("list --format \"{{{evil}}}\""),
        format!("wait --within \"{evil}\" ab"),
        format!("start --leftovers \"{evil}\" true"),
    ] {
        let ran = in_terminal(&user, &format!("\"$BGCTL\" {line}"), "", Talk::Shown);
        assert_eq!(ran.code, 2, "{line}");
        assert!(!ran.err.contains(['\x1b', '\x07']), "{line}: {:?}", ran.err);
        assert!(ran.err.starts_with("bgctl: "), "{line}: {}", ran.err);
    }
}

#[test]
fn only_a_terminal_that_has_colours_gets_some() {
    let user = User::new();
    for arguments in [&["list", "-h"][..], &["--help"], &[]] {
        let mut forced = user.bgctl(arguments.iter().copied());
        let piped = Ran::of(&forced.env("CLICOLOR_FORCE", "1").output().unwrap());
        assert!(!piped.out.contains('\x1b'), "{arguments:?}: {}", piped.out);
        for (name, value, wanted) in
            [("TERM", "xterm", true), ("TERM", "dumb", false), ("NO_COLOR", "1", false)]
        {
            let mut command = user.bgctl(arguments.iter().copied());
            command.env(name, value);
            let shown = on_terminal(command, 80);
            assert_eq!(shown.contains('\x1b'), wanted, "{arguments:?} {name}={value}: {shown:?}");
        }
    }
}

#[test]
fn help_that_cannot_be_printed_is_a_failure() {
    let user = User::new();
    for line in ["--help", "-h", "--version", "list --help", "list --json"] {
        let ran = shell(&user, &format!("\"$BGCTL\" {line} > /dev/full"));
        assert_eq!(ran.code, 1, "{line}");
        assert_eq!(ran.err, "bgctl: could not write the result: No space left on device\n", "{line}");
    }
}
