//! What a person types: `bg` at the prompt and in the scripts of the four shells, and cron's line.

mod completion;
mod cron;
mod function;
mod prompt;
mod terminal;
mod waiting;

use crate::support::{BGCTL, Ran, User};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How one shell differs from the others.
#[derive(Clone, Copy)]
struct Shell {
    /// The program.
    name: &'static str,
    /// The word after `bgctl init`.
    target: &'static str,
    /// What loads the function from the program that `BGCTL` names: the line of `bgctl init --help`.
    load: &'static str,
    /// The exit code of the last command.
    code: &'static str,
    /// The script's arguments.
    arguments: &'static str,
}

const BASH: Shell = Shell {
    name: "bash",
    target: "bash",
    load: r#"eval "$("$BGCTL" init bash)""#,
    code: "$?",
    arguments: r#""$@""#,
};
const ZSH: Shell = Shell { name: "zsh", target: "zsh", load: r#"eval "$("$BGCTL" init zsh)""#, ..BASH };
const DASH: Shell = Shell { name: "dash", target: "posix", load: r#"eval "$("$BGCTL" init posix)""#, ..BASH };
const FISH: Shell = Shell {
    name: "fish",
    target: "fish",
    load: r#""$BGCTL" init fish | source"#,
    code: "$status",
    arguments: "$argv",
};

/// The shells that are here. The others are named, so that a green run does not say more than it saw.
fn shells() -> Vec<Shell> {
    let (here, missing): (Vec<Shell>, Vec<Shell>) =
        [BASH, ZSH, DASH, FISH].into_iter().partition(|shell| is_installed(shell.name));
    for shell in missing {
        crate::support::skipped(&format!("{} is not installed", shell.name));
    }
    here
}

/// Whether a user of these tests finds the program.
fn is_installed(program: &str) -> bool {
    ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

impl Shell {
    /// A script that begins with the function loaded, as somebody would write it.
    fn script(self, user: &User, text: &str) -> Command {
        self.bare_script(user, &format!("{}\n{text}", self.load))
    }

    /// A script as it stands. The variable `BGCTL` names the program.
    fn bare_script(self, user: &User, text: &str) -> Command {
        let mut command = user.command(self.name);
        command.env("BGCTL", BGCTL).arg("-c").arg(text);
        if self.name != "fish" {
            // The others call the first argument after the script `$0`.
            command.arg("script");
        }
        command
    }
}

/// Runs a command to its end.
fn run(command: &mut Command) -> Ran {
    Ran::of(&command.output().unwrap())
}

/// Runs a script with the function loaded to its end.
fn run_script(shell: Shell, user: &User, text: &str) -> Ran {
    run(&mut shell.script(user, text))
}

/// A copy of the program under that name in the test's folder. `cp` writes it, because a file that this process has
/// open for writing while another test forks cannot be executed.
fn copied_program(user: &User, folder: impl AsRef<OsStr>) -> PathBuf {
    let folder = user.path(Path::new(folder.as_ref()));
    std::fs::create_dir_all(&folder).unwrap();
    let program = folder.join("bgctl");
    let copied = user.command("cp").arg(BGCTL).arg(&program).status().unwrap();
    assert!(copied.success());
    program
}
