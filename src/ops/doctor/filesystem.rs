//! What the file system of the root can be relied on for, and how full it is.

use super::{Finding, Grade, Ground};
use crate::os::volume::{self, Holes, Kind};

const CHECK: &str = "filesystem";

/// With less room than this a log or an index soon finds none.
const FREE_BYTES_MIN: u64 = 100 * 1024 * 1024;
/// The same of files.
const FREE_FILES_MIN: u64 = 1_000;

/// Looks at it.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let Some(home) = &ground.home else { return Vec::new() };
    let volume = match volume::of(home.root.folder()) {
        Ok(volume) => volume,
        Err(error) => {
            return vec![Finding::new(CHECK, Grade::Note, format!("it cannot be looked at: {error}"))];
        }
    };
    let mut findings: Vec<Finding> = kind(volume.kind).into_iter().collect();
    if volume.is_read_only {
        let text = "nothing can be written to it: no job can start or end";
        findings.push(
            Finding::new(CHECK, Grade::Problem, text)
                .mend("mount it for writing, or set BG_HOME to a folder elsewhere"),
        );
    } else if volume.free_bytes < FREE_BYTES_MIN {
        let text = format!("only {} MiB are free", volume.free_bytes / 1024 / 1024);
        findings.push(
            Finding::new(CHECK, Grade::Warning, text)
                .mend("free some space: bgctl prune removes ended jobs with their logs"),
        );
    } else if volume.free_files.is_some_and(|files| files < FREE_FILES_MIN) {
        let text = format!("only {} more files can be made", volume.free_files.unwrap_or(0));
        findings.push(
            Finding::new(CHECK, Grade::Warning, text)
                .mend("remove files: bgctl prune removes ended jobs with theirs"),
        );
    }
    let holes = if volume.is_read_only { Ok(None) } else { volume::holes(home.root.folder()) };
    match holes {
        Ok(Some(Holes::None)) => {
            let text = "nothing can be taken out of a file, so that logs have no limit here";
            findings.push(
                Finding::new(CHECK, Grade::Warning, text)
                    .mend("set BG_HOME to a folder on another file system"),
            );
        }
        Ok(Some(Holes::Punches)) => {
            let text = "a log beyond its limit has a hole, which reads as NULs, until its job has ended";
            findings.push(Finding::new(CHECK, Grade::Note, text));
        }
        Ok(Some(Holes::Collapses) | None) => {}
        Err(error) => {
            let text = format!("whether logs can be kept within their limit could not be tried: {error}");
            findings.push(Finding::new(CHECK, Grade::Note, text));
        }
    }
    if findings.is_empty() {
        let text = format!(
            "{} GiB are free, and logs keep within their limits",
            volume.free_bytes / 1024 / 1024 / 1024
        );
        findings.push(Finding::new(CHECK, Grade::Fine, text));
    }
    findings
}

fn kind(kind: Kind) -> Option<Finding> {
    let elsewhere = "set BG_HOME to a folder on a disk of this machine";
    match kind {
        Kind::Local => None,
        Kind::Network(name) => {
            let text = format!(
                "it is of another machine ({name}): locks may not hold between machines, and a lost connection holds everything up"
            );
            Some(Finding::new(CHECK, Grade::Warning, text).mend(elsewhere))
        }
        Kind::Program => {
            let text =
                "a program provides it (FUSE): whether locks and renames hold there is up to that program";
            Some(Finding::new(CHECK, Grade::Warning, text).mend(elsewhere))
        }
        Kind::Overlay => Some(Finding::new(
            CHECK,
            Grade::Note,
            "it is a layer of a container (overlayfs): what is written goes with the container",
        )),
        Kind::Memory => Some(Finding::new(
            CHECK,
            Grade::Note,
            "it is in memory (tmpfs): jobs, logs and schedules are gone after a restart of the machine",
        )),
    }
}
