//! What shells and cron need to reach this program: `bg` is a builtin of every shell.

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
    /// A line for `crontab -e`.
    Cron,
}

/// The text to evaluate, or to put into the crontab. `subcommands` are the words that reach the program.
pub fn init(target: Target, subcommands: &[&str]) -> Result<String, Fault> {
    let program = std::env::current_exe()?;
    Ok(match target {
        Target::Bash => shell(include_str!("init/bash.txt"), &subcommands.join("|"), &posix_quote(&program)?),
        // Each word is quoted: zsh replaces its global aliases even in patterns.
        Target::Zsh => shell(include_str!("init/zsh.txt"), &subcommands.join("'|'"), &posix_quote(&program)?),
        Target::Posix => {
            shell(include_str!("init/posix.txt"), &subcommands.join("|"), &posix_quote(&program)?)
        }
        Target::Fish => shell(include_str!("init/fish.txt"), &subcommands.join(" "), &fish_quote(&program)?),
        Target::Cron => cron(&program, &root_path()?)?,
    })
}

/// The program comes last: its path may contain anything, a placeholder too.
fn shell(template: &str, subcommands: &str, program: &str) -> String {
    template.replace("{subcommands}", subcommands).replace("{program}", program)
}

/// Cron knows neither `XDG_CONFIG_HOME` nor what the shell's start-up files set, so everything is written out.
fn cron(program: &Path, root: &Path) -> Result<String, Fault> {
    Ok(format!("* * * * * BG_HOME={} {} tick\n", cron_quote(root)?, cron_quote(program)?))
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

/// For `sh`, through cron: a percent sign ends the command unless it is escaped (`crontab(5)`). Some crons also take
/// two backslashes for one, others do not; a closed and reopened quote after each backslash keeps it away from what
/// follows, so that all read the same.
fn cron_quote(path: &Path) -> Result<String, Fault> {
    let quoted = text(path)?.chars().map(|one| match one {
        '\'' => r"'\''".to_owned(),
        '\\' => r"\''".to_owned(),
        '%' => r"\%".to_owned(),
        other => other.to_string(),
    });
    Ok(format!("'{}'", quoted.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted_for_their_shell() {
        let path = Path::new("/a b/it's 100%/$x");
        assert_eq!(posix_quote(path).unwrap(), r"'/a b/it'\''s 100%/$x'");
        assert_eq!(fish_quote(path).unwrap(), r"'/a b/it\'s 100%/$x'");
        assert_eq!(
            cron(path, Path::new("/h")).unwrap(),
            "* * * * * BG_HOME='/h' '/a b/it'\\''s 100\\%/$x' tick\n"
        );
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
