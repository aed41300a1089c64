//! Whether `bg` reaches this program at a prompt: it is a builtin of most shells.
//!
//! The shell itself cannot be asked from outside, so that its start-up files are read for the line that `bgctl init` is
//! made for.

use super::{Finding, Grade, Ground};
use crate::os::process;
use std::path::{Path, PathBuf};

const CHECK: &str = "shell";

/// Largest start-up file that is read.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Programs behind which the shell stands that was typed into.
const WRAPPERS: [&str; 7] = ["sudo", "doas", "env", "time", "timeout", "nice", "strace"];

/// Shells of which something is known.
const SHELLS: [&str; 9] = ["bash", "zsh", "fish", "dash", "sh", "ash", "ksh", "elvish", "pwsh"];

/// Looks for the shell, and into its files.
pub fn check(_ground: &Ground) -> Vec<Finding> {
    let Some(shell) = parent_shell().or_else(login_shell) else {
        let text = "no shell was found of which it is known whether bg is a builtin; bgctl is the program everywhere";
        return vec![Finding::new(CHECK, Grade::Note, text)];
    };
    let (word, line) = match shell.as_str() {
        "bash" => ("bash", "eval \"$(bgctl init bash)\""),
        "zsh" => ("zsh", "eval \"$(bgctl init zsh)\""),
        "fish" => ("fish", "bgctl init fish | source"),
        "elvish" | "pwsh" => {
            return vec![Finding::new(CHECK, Grade::Fine, format!("{shell} has no builtin of the name bg"))];
        }
        _ => ("posix", "eval \"$(bgctl init posix)\""),
    };
    let files = startup_files(word);
    if let Some(file) = files.iter().find(|file| has_line(file, word)) {
        let text = format!("bg reaches bgctl in {shell}: {} has the line", file.display());
        return vec![Finding::new(CHECK, Grade::Fine, text)];
    }
    let text = format!("bg is the builtin of {shell}, not this program; bgctl is the program everywhere");
    let file = files.first().map_or_else(String::new, |file| format!(" to {}", file.display()));
    vec![Finding::new(CHECK, Grade::Note, text).mend(format!("add this line{file}: {line}"))]
}

/// The shell from which this program was called.
fn parent_shell() -> Option<String> {
    let mut pid = process::look(std::process::id().cast_signed()).ok()??.parent;
    loop {
        let parent = process::look(pid).ok()??;
        let name = parent.name.trim_start_matches('-');
        if SHELLS.contains(&name) {
            return Some(name.to_owned());
        }
        if !WRAPPERS.contains(&name) {
            return None;
        }
        pid = parent.parent;
    }
}

fn login_shell() -> Option<String> {
    let shell = std::env::var("SHELL").ok()?;
    let name = Path::new(&shell).file_name()?.to_str()?;
    SHELLS.contains(&name).then(|| name.to_owned())
}

/// The files that a shell reads, the one for such a line first.
fn startup_files(word: &str) -> Vec<PathBuf> {
    let Some(home) = std::env::home_dir() else { return Vec::new() };
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let at_home = |names: &[&str]| names.iter().map(|name| home.join(name)).collect::<Vec<_>>();
    match word {
        "bash" => at_home(&[".bashrc", ".bash_aliases", ".bash_profile", ".bash_login", ".profile"]),
        "zsh" => {
            let folder = variable("ZDOTDIR").unwrap_or_else(|| home.clone());
            [".zshrc", ".zprofile", ".zshenv", ".zlogin"].map(|name| folder.join(name)).to_vec()
        }
        "fish" => {
            let folder = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("fish");
            let more = std::fs::read_dir(folder.join("conf.d")).into_iter().flatten().flatten();
            std::iter::once(folder.join("config.fish")).chain(more.map(|entry| entry.path())).collect()
        }
        _ => at_home(&[".profile"]).into_iter().chain(variable("ENV")).collect(),
    }
}

/// Whether a file evaluates what `bgctl init` prints, or has it.
fn has_line(file: &Path, word: &str) -> bool {
    if file.metadata().map_or(true, |data| !data.is_file() || data.len() > BYTES_MAX) {
        return false;
    }
    let text = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let (pasted, called) = (format!("# bgctl init {word}:"), format!("init {word}"));
    text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with(&pasted) || (!line.starts_with('#') && line.contains("bg") && line.contains(&called))
    })
}
