//! A person's editor on a text.

use crate::ops::fault::{Code, Fault, without_number};
use crate::os::signal::left_to_the_child;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// What opens a text where nobody says what should.
const USUAL: &str = "vi";

/// Longest text that is read back.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The text as it was left. Its file can be read by nobody else, and is gone afterwards.
pub fn edited(text: &str, called: &str) -> Result<String, Fault> {
    let editor = editor()?;
    let draft = Draft::write(text, called).map_err(|error| could_not("write", &error))?;
    let shown = editor.to_string_lossy().into_owned();
    // As git and crontab run it: a line for a shell, so that it may have options, with the file behind it. An interrupt is
    // the editor's; the shell that waits for it must not end of it.
    let line = ["trap : INT QUIT; ".as_ref(), editor.as_os_str(), " \"$@\"".as_ref()].join("".as_ref());
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).arg(&editor).arg(&draft.file);
    let status = left_to_the_child(&mut command).map_err(|error| could_not("edit", &error))?;
    if !status.success() {
        return Err(Fault::new(
            Code::Failed,
            format!("the editor ({shown}) {}; nothing was started", fate(status)),
        )
        .hint("VISUAL or EDITOR names another one"));
    }
    draft.read().map_err(|error| could_not("read", &error))
}

fn could_not(what: &str, error: &io::Error) -> Fault {
    let why = without_number(&error.to_string());
    Fault::new(Code::Failed, format!("could not {what} the command's file: {why}; nothing was started"))
}

fn fate(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(127), _) => "is not found (exit code 127)".to_owned(),
        (Some(code), _) => format!("failed with exit code {code}"),
        (None, Some(signal)) => format!("was ended by {}", crate::model::outcome::signal_name(signal)),
        (None, None) => "failed".to_owned(),
    }
}

/// `VISUAL`, else `EDITOR`; else the usual one, which needs a terminal.
fn editor() -> Result<OsString, Fault> {
    let named = ["VISUAL", "EDITOR"].into_iter().filter_map(std::env::var_os).find(|word| !word.is_empty());
    if let Some(editor) = named {
        return Ok(editor);
    }
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return Err(Fault::new(Code::Usage, "--edit needs a terminal, or an editor that does without one")
            .hint("VISUAL or EDITOR names it"));
    }
    Ok(USUAL.into())
}

/// A file in a folder of its own, which is removed with all that the editor left in it.
struct Draft {
    folder: PathBuf,
    file: PathBuf,
}

impl Draft {
    fn write(text: &str, called: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("bgctl-{called}-{}", std::process::id()));
        // Whoever knows the name in advance can only make this fail.
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let draft = Self { file: folder.join("command.sh"), folder };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.file)?;
        writeln!(file, "{text}")?;
        Ok(draft)
    }

    fn read(&self) -> io::Result<String> {
        read(&self.file)
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
