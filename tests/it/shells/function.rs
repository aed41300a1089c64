//! The function that `bgctl init SHELL` prints, in scripts of the real shells.

use super::{FISH, Shell, copied_program, is_installed, run, run_script, shells};
use crate::support::{BGCTL, User};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

/// A folder's name with everything that a shell could take for its own.
const ODD_FOLDER: &str = r#"it's  100% $HOME "q" \ \\ 'x' `id` {subcommands} {program} * ; é"#;

#[test]
fn bg_start_prints_the_id_and_the_job_runs() {
    for shell in shells() {
        let user = User::new();
        let ran = run_script(shell, &user, "bg start -- sh -c 'echo out; echo err >&2'");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", shell.name);
        let id = ran.out.trim_end();
        assert!(bgctl::model::id::JobId::parse(id).is_ok(), "{}: {id}", shell.name);
        assert_eq!(user.wait(id), 0, "{}", shell.name);
        assert_eq!(user.ok(["logs", id]), "out\nerr\n", "{}", shell.name);
    }
}

#[test]
fn bg_list_shows_the_job() {
    for shell in shells() {
        let user = User::new();
        let id = user.start(["--name", "a name", "--", "true"]);
        user.wait(&id);
        let ran = run_script(shell, &user, "bg list --all");
        assert_eq!((ran.code, ran.out.contains("a name")), (0, true), "{}: {}", shell.name, ran.out);
    }
}

#[test]
fn every_subcommand_reaches_the_program() {
    for shell in shells() {
        let user = User::new();
        for (name, ..) in bgctl::cli::args::SUBCOMMANDS {
            let ran = run_script(shell, &user, &format!("bg {name} --help"));
            let usage = format!("Usage: bgctl {name}");
            assert!(ran.code == 0 && ran.out.contains(&usage), "{} bg {name}: {}", shell.name, ran.err);
        }
    }
}

#[test]
fn exit_codes_pass_through() {
    for shell in shells() {
        let user = User::new();
        let id = user.start_sh("exit 7");
        let code = |text: &str| run_script(shell, &user, text).code;
        assert_eq!(code(&format!("bg wait --quiet {id}")), 7, "{}", shell.name);
        assert_eq!(code("bg start -- /no/such/program"), 127, "{}", shell.name);
        assert_eq!(code("bg start --no-such-flag"), 2, "{}", shell.name);
        assert_eq!(code("bg status zzzzzz"), 3, "{}", shell.name);
        assert_eq!(code(&format!("bg wait --quiet {id}; test {} = 7", shell.code)), 0, "{}", shell.name);
    }
}

#[test]
fn arguments_arrive_byte_for_byte() {
    let arguments: [&[u8]; 14] = [
        b"a  b",
        b"",
        b"*",
        b"[a-z]?",
        b"~",
        b"$HOME `id` $(id)",
        b"line\nbreak\n",
        b"'\"\\",
        b"--",
        b"-n",
        b"{a,b}",
        b"!!",
        b"\xff\xfe not UTF-8",
        b"",
    ];
    let wanted: Vec<u8> = arguments.iter().flat_map(|one| [*one, b"\0"].concat()).collect();
    for shell in shells() {
        let user = User::new();
        let text =
            format!(r#"bg start --wait --quiet -- sh -c 'printf "%s\0" "$@" > got' sh {}"#, shell.arguments);
        let ran = run(shell.script(&user, &text).args(arguments.map(OsStr::from_bytes)));
        assert_eq!(ran.code, 0, "{}: {}", shell.name, ran.err);
        assert_eq!(std::fs::read(user.path("got")).unwrap(), wanted, "{}", shell.name);
    }
}

#[test]
fn standard_input_reaches_the_program() {
    for shell in shells() {
        let user = User::new();
        let ran = run_script(
            shell,
            &user,
            "printf 'a\\nb\\n' | bg start --wait --quiet --stdin - -- sh -c 'cat > got'",
        );
        assert_eq!(ran.code, 0, "{}: {}", shell.name, ran.err);
        assert_eq!(user.line_in("got"), "a\nb\n", "{}", shell.name);
    }
}

#[test]
fn a_variable_before_bg_start_reaches_the_job() {
    for shell in shells() {
        let user = User::new();
        let text = "WORD='a  b' bg start --wait --quiet -- sh -c 'echo \"$WORD\" > got'";
        let ran = run_script(shell, &user, text);
        assert_eq!(ran.code, 0, "{}: {}", shell.name, ran.err);
        assert_eq!(user.line_in("got"), "a  b\n", "{}", shell.name);
    }
}

#[test]
fn an_alias_of_that_name_gives_way() {
    for shell in shells() {
        let user = User::new();
        let alias = match shell.name {
            "bash" => "shopt -s expand_aliases\nalias bg='echo alias'",
            "fish" => "alias bg 'echo alias'",
            _ => "alias bg='echo alias'",
        };
        // A file is read line by line, so that an alias counts from the next line on.
        let out = |load: &str| {
            std::fs::write(user.path("script"), format!("{alias}\n{load}\nbg list --quiet\n")).unwrap();
            let ran = run(user.command(shell.name).arg("script").env("BGCTL", BGCTL));
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", shell.name);
            ran.out
        };
        assert_eq!(out(""), "alias list --quiet\n", "{}: without init, the alias counts", shell.name);
        assert_eq!(out(shell.load), "", "{}", shell.name);
    }
}

#[test]
fn global_aliases_of_zsh_do_not_break_it() {
    let user = User::new();
    for shell in shells().into_iter().filter(|shell| shell.name == "zsh") {
        let text = format!("alias -g list='| cat'\n{}\nbg 'list' --quiet", shell.load);
        let ran = run(&mut shell.bare_script(&user, &text));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    }
}

#[test]
fn loading_it_twice_is_the_same_as_once() {
    for shell in shells() {
        let user = User::new();
        let ran = run_script(shell, &user, &format!("{}\nbg list --quiet", shell.load));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{}", shell.name);
    }
}

#[test]
fn a_program_at_an_odd_path_is_reached() {
    for shell in shells() {
        let user = User::new();
        let program = copied_program(&user, ODD_FOLDER);
        let ran =
            run(shell.script(&user, "bg start --wait -- sh -c 'echo ran > got'").env("BGCTL", &program));
        assert_eq!(ran.code, 0, "{}: {}", shell.name, ran.err);
        assert_eq!(user.line_in("got"), "ran\n", "{}", shell.name);
    }
}

#[test]
fn the_text_needs_nothing_but_the_program() {
    for shell in shells() {
        let user = User::new();
        std::fs::write(user.path("text"), user.ok(["init", shell.target])).unwrap();
        let no_path = if shell.name == "fish" { "set -x PATH /nowhere" } else { "PATH=/nowhere" };
        let ran = run(shell
            .bare_script(&user, &format!("{no_path}\n. ./text\nbg list --quiet"))
            .env_remove("BGCTL"));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{}", shell.name);
    }
}

#[test]
fn without_the_program_bg_is_the_shells_own() {
    for shell in shells() {
        let user = User::new();
        let program = copied_program(&user, "gone");
        let text = user.command(&program).args(["init", shell.target]).output().unwrap().stdout;
        std::fs::write(user.path("text"), text).unwrap();
        let there = run(&mut shell.bare_script(&user, ". ./text\nbg list --quiet"));
        assert_eq!((there.code, there.err.as_str()), (0, ""), "{}", shell.name);
        std::fs::remove_file(&program).unwrap();
        let gone = run(&mut shell.bare_script(&user, ". ./text\nbg list --quiet"));
        assert!(gone.code != 0 && gone.err.contains("job"), "{}: {}", shell.name, gone.err);
        assert!(!gone.err.contains("gone"), "{} does not try the program: {}", shell.name, gone.err);
    }
}

#[test]
fn strict_scripts_run_through() {
    for shell in shells() {
        // fish has no such modes.
        let strict = match shell.name {
            "bash" => "set -euo pipefail\nshopt -s nullglob failglob inherit_errexit\nIFS=\n",
            "zsh" => {
                "setopt err_exit no_unset pipe_fail warn_create_global ksh_arrays sh_word_split glob_subst\n\
                 setopt rc_quotes extended_glob ignore_braces csh_null_glob posix_builtins posix_aliases\n"
            }
            "dash" => "set -euf\nIFS=\n",
            _ => continue,
        };
        let user = User::new();
        let program = copied_program(&user, ODD_FOLDER);
        let text = format!(
            "{strict}{}\nid=$(bg start -- sh -c 'exit 3')\nbg wait --quiet \"$id\" || code=$?\nbg 2>/dev/null || true\n\
             bg list --quiet > /dev/null\necho \"to the end $code\"",
            shell.load
        );
        let ran = run(shell.bare_script(&user, &text).env("BGCTL", &program));
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (0, "to the end 3\n", ""),
            "{}",
            shell.name
        );
    }
}

#[test]
fn a_failure_ends_a_strict_script() {
    for shell in shells().into_iter().filter(|shell| shell.name != FISH.name) {
        let user = User::new();
        let ran = run_script(shell, &user, "set -e\nbg status zzzzzz\necho not reached");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", shell.name);
    }
}

#[test]
fn the_posix_text_works_in_every_posix_shell() {
    for name in ["sh", "bash", "zsh", "ksh", "mksh", "busybox", "yash"] {
        if !is_installed(name) {
            crate::support::skipped(&format!("{name} is not installed"));
            continue;
        }
        let user = User::new();
        let posix = Shell { name, ..super::DASH };
        let text = format!("{}\nbg list --quiet", posix.load);
        let mut command = user.command(name);
        if name == "busybox" {
            command.arg("sh");
        }
        let ran = run(command.arg("-c").arg(text).env("BGCTL", BGCTL));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if !is_installed("shellcheck") {
        crate::support::skipped("shellcheck is not installed");
        return;
    }
    let user = User::new();
    for (target, dialect) in [("bash", "bash"), ("posix", "sh"), ("posix", "dash")] {
        std::fs::write(user.path("text"), user.ok(["init", target])).unwrap();
        let ran = run(user.command("shellcheck").args(["--norc", "--shell", dialect, "text"]));
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{target} as {dialect}");
    }
}

#[test]
fn an_unknown_shell_is_a_usage_error() {
    let user = User::new();
    let ran = run(user.bgctl(["init", "tcsh"]).stdout(Stdio::piped()));
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("bash") && ran.err.contains("posix"), "{}", ran.err);
}

#[test]
fn a_path_with_a_line_break_is_refused_with_its_reason() {
    let user = User::new();
    let program = copied_program(&user, "line\nbreak");
    let ran = run(user.command(&program).args(["init", "bash"]));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("line break"), "{}", ran.err);
}
