//! The scenes, by what is hit in them.

pub mod changing;
pub mod submitting;
pub mod watching;
pub mod working;

use crate::support::User;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Runs a command again, as its user does when it was refused or killed; it has to succeed.
fn again(user: &User, arguments: &[&str]) -> Vec<String> {
    let ran = user.run(arguments);
    if ran.code == 0 {
        return Vec::new();
    }
    vec![format!("{arguments:?} again exits {}: {}", ran.code, ran.err)]
}

/// The words for the states of all jobs, by id, in the order of submission.
fn states(user: &User) -> Vec<(String, String)> {
    let index = user.index();
    let word = |job: &serde_json::Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
    index["jobs"].as_array().unwrap().iter().map(|job| (word(job, "id"), word(job, "status"))).collect()
}

/// The id of the only job, or of the first.
fn first(user: &User) -> String {
    states(user)[0].0.clone()
}

/// Writes a word to whoever waits at the other end of a named pipe. Gives whether somebody did.
pub fn told_to_go(gate: &Path) -> bool {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(gate);
    opened.is_ok_and(|mut file| file.write_all(b"go\n").is_ok())
}

/// Whether the program that ran is one that a job runs, by its name.
fn runs(user: &User, name: &str) -> bool {
    let line = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    user.processes().into_iter().any(|pid| line(pid).starts_with(format!("{name}\0").as_bytes()))
}
