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
        Target::Bash => shell(include_str!("init/bash.txt"), &posix_quote(&program)?, &subcommands.join("|")),
        Target::Zsh => shell(include_str!("init/zsh.txt"), &posix_quote(&program)?, &subcommands.join("|")),
        Target::Posix => {
            shell(include_str!("init/posix.txt"), &posix_quote(&program)?, &subcommands.join("|"))
        }
        Target::Fish => shell(include_str!("init/fish.txt"), &fish_quote(&program)?, &subcommands.join(" ")),
        Target::Cron => cron(&program, &root_path()?)?,
    })
}

fn shell(template: &str, program: &str, subcommands: &str) -> String {
    template.replace("{program}", program).replace("{subcommands}", subcommands)
}

/// Cron knows neither `XDG_CONFIG_HOME` nor what the shell's start-up files set, so everything is written out. In a
/// crontab a percent sign ends the command unless it is escaped (`crontab(5)`).
fn cron(program: &Path, root: &Path) -> Result<String, Fault> {
    let line = format!("BG_HOME={} {} tick", posix_quote(root)?, posix_quote(program)?);
    Ok(format!("* * * * * {}\n", line.replace('%', "\\%")))
}

fn text(path: &Path) -> Result<&str, Fault> {
    let fault =
        || Fault::new(Code::Failed, format!("{} is not UTF-8; put the program elsewhere", path.display()));
    path.to_str().filter(|text| !text.contains('\n')).ok_or_else(fault)
}

fn posix_quote(path: &Path) -> Result<String, Fault> {
    Ok(format!("'{}'", text(path)?.replace('\'', r"'\''")))
}

/// In fish's single quotes, backslash and quote are escaped (fish documentation, "Quotes").
fn fish_quote(path: &Path) -> Result<String, Fault> {
    Ok(format!("'{}'", text(path)?.replace('\\', r"\\").replace('\'', r"\'")))
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
}
