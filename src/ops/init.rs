//! What shells, cron and systemd need to reach this program: `bg` is a builtin of every shell.

mod crontab;
pub mod install;
mod unit;

use super::{
    fault::{Code, Fault},
    home::root_path,
};
use std::path::Path;

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The Bourne-again shell.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
    /// dash and every other shell of the POSIX kind.
    Posix,
    /// elvish, which has no builtin of that name.
    Elvish,
    /// PowerShell, which has none either.
    Powershell,
    /// A line for `crontab -e`.
    Cron,
    /// A unit for systemd's user manager.
    Systemd,
}

/// The text to evaluate, or to put into the crontab. `subcommands` are the words that reach the program.
pub fn init(target: Target, subcommands: &[&str]) -> Result<String, Fault> {
    let program = std::env::current_exe()?;
    Ok(match target {
        Target::Bash => {
            let text = concat!(
                include_str!("init/bash.txt"),
                include_str!("init/complete/bash.txt"),
                include_str!("init/complete/bash_bg.txt")
            );
            shell(text, &subcommands.join("|"), &posix_quote(&program)?)
        }
        // Each word is quoted: zsh replaces its global aliases even in patterns.
        Target::Zsh => {
            let text = concat!(
                include_str!("init/zsh.txt"),
                include_str!("init/complete/zsh.txt"),
                include_str!("init/complete/zsh_bg.txt")
            );
            shell(text, &subcommands.join("'|'"), &posix_quote(&program)?)
        }
        Target::Posix => {
            shell(include_str!("init/posix.txt"), &subcommands.join("|"), &posix_quote(&program)?)
        }
        Target::Fish => {
            let text = concat!(
                include_str!("init/fish.txt"),
                include_str!("init/complete/fish.txt"),
                include_str!("init/complete/fish_bg.txt")
            );
            shell(text, &subcommands.join(" "), &fish_quote(&program)?)
        }
        Target::Elvish => shell(include_str!("init/complete/elvish.txt"), "", &doubling_quote(&program)?),
        Target::Powershell => {
            shell(include_str!("init/complete/powershell.txt"), "", &doubling_quote(&program)?)
        }
        Target::Cron => crontab::line(&program, &root_path()?)? + "\n",
        Target::Systemd => unit::text_of(&program, &root_path()?)?,
    })
}

/// The files for the folders in which shells look for completions: name and text. They complete `bgctl`, as found on the
/// `PATH`; where `bg` is a builtin, it is completed by those who have it made a function, with what [`init`] gives.
pub fn completion_files() -> [(&'static str, String); 5] {
    let file = |text: &str| shell(text, "", "bgctl");
    // zsh loads a file as the body of the function, on its first use.
    let zsh = concat!("#compdef bgctl\n", include_str!("init/complete/zsh.txt"), "_bgctl \"$@\"\n");
    [
        ("bgctl.bash", file(include_str!("init/complete/bash.txt"))),
        ("_bgctl", file(zsh)),
        ("bgctl.fish", file(include_str!("init/complete/fish.txt"))),
        ("bgctl.elv", file(include_str!("init/complete/elvish.txt"))),
        ("_bgctl.ps1", file(include_str!("init/complete/powershell.txt"))),
    ]
}

/// The program comes last: its path may contain anything, a placeholder too.
fn shell(template: &str, subcommands: &str, program: &str) -> String {
    template.replace("{subcommands}", subcommands).replace("{program}", program)
}

fn text(path: &Path) -> Result<&str, Fault> {
    let fault = || {
        let path = path.to_string_lossy();
        let path = path.escape_debug();
        Fault::new(
            Code::Failed,
            format!("{path} has a line break or is not UTF-8; neither can be written here"),
        )
    };
    path.to_str().filter(|text| !text.contains(['\n', '\r'])).ok_or_else(fault)
}

fn posix_quote(path: &Path) -> Result<String, Fault> {
    Ok(format!("'{}'", text(path)?.replace('\'', r"'\''")))
}

/// In fish's single quotes, backslash and quote are escaped (fish documentation, "Quotes").
fn fish_quote(path: &Path) -> Result<String, Fault> {
    Ok(format!("'{}'", text(path)?.replace('\\', r"\\").replace('\'', r"\'")))
}

/// In the single quotes of elvish and PowerShell, a quote is written twice and nothing else is special.
fn doubling_quote(path: &Path) -> Result<String, Fault> {
    Ok(format!("'{}'", text(path)?.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted_for_their_shell() {
        let path = Path::new("/a b/it's 100%/$x");
        assert_eq!(posix_quote(path).unwrap(), r"'/a b/it'\''s 100%/$x'");
        assert_eq!(fish_quote(path).unwrap(), r"'/a b/it\'s 100%/$x'");
    }

    #[test]
    fn a_path_that_looks_like_a_placeholder_stays_itself() {
        assert_eq!(shell("{subcommands} {program}", "start", "'/{subcommands}'"), "start '/{subcommands}'");
    }

    #[test]
    fn a_path_with_a_line_break_is_refused() {
        assert!(posix_quote(Path::new("/a\nb")).is_err());
    }
}
