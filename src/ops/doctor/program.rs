//! Whether the shell finds this program, and no other of its name.

use super::{Finding, Grade, Ground};
use crate::os::answer::said;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const CHECK: &str = "program";
const NAME: &str = "bgctl";

/// Looks for it as a shell does.
pub fn check(_ground: &Ground) -> Vec<Finding> {
    let own = std::env::current_exe().ok();
    let found = in_path();
    let version = env!("CARGO_PKG_VERSION");
    let Some(first) = found.first() else {
        let at = own.as_deref().map_or_else(|| NAME.to_owned(), |path| path.display().to_string());
        let text = format!("no folder of PATH has bgctl; this one ({version}) is {at}");
        return vec![
            Finding::new(CHECK, Grade::Note, text)
                .mend("add its folder to PATH, or copy it to one that is there"),
        ];
    };
    let mut findings = vec![match own.as_deref() {
        Some(own) if is_same_program(own, first) => {
            Finding::new(CHECK, Grade::Fine, format!("bgctl {version} is {}", first.display()))
        }
        own => {
            let own = own.map_or_else(String::new, |own| format!(" ({}, {version})", own.display()));
            let text = format!(
                "bgctl is {} for a shell ({}), and not this program{own}",
                first.display(),
                version_of(first)
            );
            Finding::new(CHECK, Grade::Note, text)
        }
    }];
    let others: Vec<String> = found[1..]
        .iter()
        .filter(|other| !is_same_program(first, other))
        .map(|other| format!("{} ({})", other.display(), version_of(other)))
        .collect();
    if !others.is_empty() {
        let text =
            "another bgctl comes later in PATH; it can be reached where PATH has another order, as in cron";
        findings.push(
            Finding::new(CHECK, Grade::Note, text).mend("remove the one that you do not use").details(others),
        );
    }
    findings
}

fn in_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    for candidate in std::env::split_paths(&path).map(|folder| folder.join(NAME)) {
        let is_program =
            candidate.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
        if is_program && !found.iter().any(|other| is_same_file(other, &candidate)) {
            found.push(candidate);
        }
    }
    found
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.metadata().map(|data| (data.dev(), data.ino())).ok();
    place(one).is_some() && place(one) == place(other)
}

fn is_same_program(one: &Path, other: &Path) -> bool {
    is_same_file(one, other) || version_of(one) == version_of(other) && bytes_of(one) == bytes_of(other)
}

fn bytes_of(path: &Path) -> Option<u64> {
    path.metadata().map(|data| data.len()).ok()
}

fn version_of(path: &Path) -> String {
    let text = said(path, &["--version"]);
    let version = text.as_deref().and_then(|text| text.split_whitespace().nth(1));
    version.map_or_else(|| "it does not say its version".to_owned(), str::to_owned)
}
