//! Putting the supervision in its place, and taking it away: a line of the crontab, or a unit of systemd's user manager.
//! Doing it again changes nothing.

use super::{crontab, unit};
use crate::ops::{
    fault::{Code, Fault},
    home::root_path,
};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Who is to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Cron, every minute.
    Cron,
    /// systemd, once.
    Systemd,
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// That it is there.
    Installed,
    /// That it is not.
    Uninstalled,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there, and is now.
    Added,
    /// Another one was there.
    Replaced,
    /// It had been so.
    Unchanged,
    /// It was there, and is no more.
    Removed,
    /// It had not been there.
    WasNotThere,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// What came of it.
    pub outcome: Outcome,
    /// Where it is, or was: a file; none for the crontab.
    pub path: Option<PathBuf>,
    /// What is there, or was.
    pub text: String,
    /// The commands that were run besides, or would be.
    pub commands: Vec<String>,
    /// What the user should be told.
    pub notes: Vec<String>,
}

/// Does it, or says with `dry_run` what would be done.
pub fn install(caller: Caller, wanted: Wanted, dry_run: bool) -> Result<Installed, Fault> {
    let (program, root) = (std::env::current_exe()?, root_path()?);
    match caller {
        Caller::Cron => cron(&program, &root, wanted, dry_run),
        Caller::Systemd => systemd(&program, &root, wanted, dry_run),
    }
}

fn cron(program: &Path, root: &Path, wanted: Wanted, dry_run: bool) -> Result<Installed, Fault> {
    let line = crontab::line(program, root)?;
    let before = read_crontab()?;
    let had = crontab::ours(&before, root)?;
    let after = crontab::with(&before, root, (wanted == Wanted::Installed).then_some(line.as_str()))?;
    let outcome = match (wanted, had.is_empty()) {
        (Wanted::Installed, _) if before == after => Outcome::Unchanged,
        (Wanted::Installed, true) => Outcome::Added,
        (Wanted::Installed, false) => Outcome::Replaced,
        (Wanted::Uninstalled, true) => Outcome::WasNotThere,
        (Wanted::Uninstalled, false) => Outcome::Removed,
    };
    if before != after && !dry_run {
        write_crontab(&after)?;
        // Nobody else is kept from writing it at the same time.
        if read_crontab()? != after {
            return Err(Fault::new(Code::Failed, "the crontab is not what was written")
                .hint("somebody may have changed it at the same time; crontab -l shows it; try again"));
        }
    }
    let text = if wanted == Wanted::Installed { line } else { had.join("\n") };
    Ok(Installed { outcome, path: None, text, commands: Vec::new(), notes: Vec::new() })
}

/// The crontab of this user, as it stands; empty where there is none. Any other trouble stops: a crontab that was not read
/// must not be written.
fn read_crontab() -> Result<Vec<u8>, Fault> {
    let output = run("crontab", ["-l"], &[])?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // cronie and Debian's cron; busybox.
    if said.contains("no crontab for") || said.contains("No such file or directory") {
        return Ok(Vec::new());
    }
    Err(failed("crontab -l", &output).hint("nothing was changed"))
}

fn write_crontab(crontab: &[u8]) -> Result<(), Fault> {
    let output = run("crontab", ["-"], crontab)?;
    if output.status.success() { Ok(()) } else { Err(failed("crontab -", &output)) }
}

fn systemd(program: &Path, root: &Path, wanted: Wanted, dry_run: bool) -> Result<Installed, Fault> {
    let name = unit::name(root);
    let folder = unit_folder()?;
    let path = folder.join(&name);
    let text = unit::text_of(program, root)?;
    let before = match std::fs::read_to_string(&path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(trouble("read", &path, &error)),
    };
    if before.as_ref().is_some_and(|before| !before.starts_with(unit::MARK)) {
        return Err(Fault::new(
            Code::Failed,
            format!("{} was not made by bgctl; it is left as it is", path.display()),
        )
        .hint("move it away, and try again"));
    }
    let outcome = match (wanted, &before) {
        (Wanted::Installed, None) => Outcome::Added,
        (Wanted::Installed, Some(before)) if *before == text => Outcome::Unchanged,
        (Wanted::Installed, Some(_)) => Outcome::Replaced,
        (Wanted::Uninstalled, Some(_)) => Outcome::Removed,
        (Wanted::Uninstalled, None) => Outcome::WasNotThere,
    };
    let name = name.as_str();
    let (first, then): (Vec<Vec<&str>>, Vec<Vec<&str>>) = match outcome {
        Outcome::Added | Outcome::Unchanged => {
            (vec![], vec![vec!["daemon-reload"], vec!["enable", "--now", name]])
        }
        // One that runs is started anew, with what it is now.
        Outcome::Replaced => {
            (vec![], vec![vec!["daemon-reload"], vec!["enable", name], vec!["restart", name]])
        }
        Outcome::Removed => (vec![vec!["disable", "--now", name]], vec![vec!["daemon-reload"]]),
        Outcome::WasNotThere => (vec![], vec![]),
    };
    let mut installed = Installed {
        outcome,
        path: Some(path.clone()),
        text: if wanted == Wanted::Installed { text.clone() } else { before.unwrap_or_default() },
        commands: first
            .iter()
            .chain(&then)
            .map(|words| format!("systemctl --user {}", words.join(" ")))
            .collect(),
        notes: Vec::new(),
    };
    if dry_run {
        return Ok(installed);
    }
    if wanted == Wanted::Installed || !first.is_empty() {
        // Before anything is written: without systemd, nobody would start it.
        systemctl(&["--version"])?;
    }
    for words in &first {
        systemctl(words)?;
    }
    match outcome {
        Outcome::Added | Outcome::Replaced => write_unit(&folder, &path, &text)?,
        Outcome::Removed => std::fs::remove_file(&path).map_err(|error| trouble("remove", &path, &error))?,
        Outcome::Unchanged | Outcome::WasNotThere => {}
    }
    for words in &then {
        systemctl(words).map_err(|fault| {
            let done = if wanted == Wanted::Installed { "is written" } else { "is removed" };
            Fault::new(fault.code, format!("{} {done}, but {}", path.display(), fault.message))
                .hint("in a session of systemd's (XDG_RUNTIME_DIR set), the same command again does the rest; without one, bgctl init cron --install")
        })?;
    }
    if wanted == Wanted::Installed {
        installed.notes.extend(lingering());
    }
    Ok(installed)
}

fn unit_folder() -> Result<PathBuf, Fault> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = path("XDG_CONFIG_HOME").or_else(|| Some(path("HOME")?.join(".config")));
    let none = || Fault::new(Code::Failed, "neither XDG_CONFIG_HOME nor HOME says where units are kept");
    Ok(config.ok_or_else(none)?.join("systemd/user"))
}

fn write_unit(folder: &Path, path: &Path, text: &str) -> Result<(), Fault> {
    // systemd reads no file of that name.
    let temporary = path.with_extension("service.tmp");
    std::fs::create_dir_all(folder).map_err(|error| trouble("make", folder, &error))?;
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|error| trouble("write", path, &error))
}

/// What becomes of it when the user's last session ends (`loginctl(1)`).
fn lingering() -> Option<String> {
    let own = rustix::process::geteuid().as_raw().to_string();
    let shown = run("loginctl", ["show-user", own.as_str(), "--property=Linger", "--value"], &[]).ok();
    let said = shown.filter(|output| output.status.success()).map(|output| output.stdout);
    match said.as_deref().map(<[u8]>::trim_ascii) {
        Some(b"yes") => None,
        Some(b"no") => Some(
            "it starts when you log in and ends with your last session, and so may your jobs; loginctl enable-linger lets both stay"
                .to_owned(),
        ),
        _ => Some(
            "whether it stays after your last session could not be told; loginctl enable-linger sees to it".to_owned(),
        ),
    }
}

fn systemctl(words: &[&str]) -> Result<(), Fault> {
    let output = run("systemctl", ["--user"].iter().chain(words), &[])?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(&format!("systemctl --user {}", words.join(" ")), &output))
}

/// Runs a program of the system to its end, with messages that can be told apart.
fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Result<Output, Fault> {
    let could_not =
        |error: std::io::Error| {
            let fault = if error.kind() == std::io::ErrorKind::NotFound {
                Fault::new(Code::Failed, format!("{program} was not found; nothing was changed"))
            } else {
                Fault::new(Code::Failed, format!("could not run {program}: {error}"))
            };
            match program {
                "crontab" => fault
                    .hint("without cron: bgctl init systemd --install, or bgctl tick --loop in a container"),
                "systemctl" => fault
                    .hint("without systemd: bgctl init cron --install, or bgctl tick --loop in a container"),
                _ => fault,
            }
        };
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(could_not)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing says by its exit what it thinks of that.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().map_err(could_not)
}

fn failed(called: &str, output: &Output) -> Fault {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let why = if said.is_empty() { output.status.to_string() } else { said };
    Fault::new(Code::Failed, format!("{called} failed: {why}"))
}

fn trouble(doing: &str, path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::Failed, format!("could not {doing} {}: {error}", path.display()))
}
