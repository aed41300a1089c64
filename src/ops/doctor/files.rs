//! Files that crashes left. Only what is provably nobody's is removed.

use super::{Finding, Grade, Ground, count};
use crate::model::{facts::Facts, id::JobId};
use crate::ops::{
    home::Home,
    store::{damaged_ones, remake, told},
};
use crate::os::{clock::Clock, folder::Folder};
use crate::store::{
    Store, StoreError, environments,
    file::index,
    lock,
    root::{Root, log_temporary_name, meta_temporary_name, run_file_names},
};
use std::time::Duration;

const CHECK: &str = "files";

/// Whoever writes a file is done with it by then.
const MOMENT_SECONDS: i64 = 60;

/// How long the lock is waited for.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Looks for them. Beside an index that cannot be read everything may be needed.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(facts)) = (&ground.home, ground.facts()) else { return Vec::new() };
    let mut findings = Vec::new();
    let left = Left::of(home, facts);
    let names = left.names();
    if !names.is_empty() {
        let text = format!("{} that nobody needs, left by what was interrupted", count(names.len(), "file"));
        let mut finding =
            Finding::new(CHECK, Grade::Note, text).mend("bgctl doctor --fix removes them").details(names);
        if ground.fixes {
            let removed = remove(home).map_err(|error| error.to_string());
            finding = finding.tried(removed.map(|removed| format!("{} removed", count(removed, "file"))));
        }
        findings.push(finding);
    }
    if !left.unknown.is_empty() {
        let text = format!("{} in runs/ belong to no job of the index", count(left.unknown.len(), "file"));
        findings.push(
            Finding::new(CHECK, Grade::Note, text)
                .mend("if the index was moved away, they belong to that; else remove them")
                .details(left.unknown),
        );
    }
    let kept = damaged_ones(&home.root);
    if !kept.is_empty() {
        let text = format!(
            "{} kept since a rebuild",
            if kept.len() == 1 {
                "a damaged index is".to_owned()
            } else {
                format!("{} damaged indexes are", kept.len())
            }
        );
        findings.push(
            Finding::new(CHECK, Grade::Note, text).mend("remove it once you miss nothing").details(kept),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::new(CHECK, Grade::Fine, "nothing was left behind"));
    }
    findings
}

/// What is left.
#[derive(Default)]
struct Left {
    environments: Vec<String>,
    /// In `runs/`: provably nobody's.
    runs: Vec<String>,
    /// In `runs/`: of no job that is known, nor known to be gone.
    unknown: Vec<String>,
}

impl Left {
    fn of(home: &Home, facts: &Facts) -> Self {
        let mut left = Self::default();
        if home.root.folder().has("env").unwrap_or(false) {
            left.environments = environments::unneeded(&home.root, facts).unwrap_or_default();
            // One that is new may be about to be named.
            let folder = home.root.environments();
            let fresh = folder.map(|folder| fresh(home, folder)).unwrap_or_default();
            left.environments.retain(|name| !fresh.contains(name));
        }
        let Some(runs) = home.root.existing_runs().ok().flatten() else { return left };
        let removed = told::of(&home.store().told(0).unwrap_or_default()).removed;
        let fresh = fresh(home, runs);
        for name in runs.names().unwrap_or_default().into_iter().filter_map(|name| name.into_string().ok()) {
            if fresh.contains(&name) {
                continue;
            }
            let id = name.split('.').next().and_then(|id| JobId::parse(id).ok());
            let Some(id) = id.filter(|id| run_file_names(id).contains(&name)) else {
                left.unknown.push(format!("runs/{name}"));
                continue;
            };
            if remake::is_watched(runs, &id) {
                continue;
            }
            let is_temporary = [log_temporary_name(&id), meta_temporary_name(&id)].contains(&name);
            match facts.head(&id) {
                // While it runs, whoever judges it sees to them.
                Some(head) if is_temporary && head.status.has_ended() => left.runs.push(name),
                Some(_) => {}
                None if removed.contains(&id) => left.runs.push(name),
                None => left.unknown.push(format!("runs/{name}")),
            }
        }
        left.runs.sort_unstable();
        left.unknown.sort_unstable();
        left
    }

    fn names(&self) -> Vec<String> {
        let environments = self.environments.iter().map(|name| format!("env/{name}"));
        let runs = self.runs.iter().map(|name| format!("runs/{name}"));
        environments.chain(runs).collect()
    }
}

/// The files that may still be written.
fn fresh(home: &Home, folder: &Folder) -> Vec<String> {
    let now = home.clock.now().timestamp();
    let looks = folder.looks().unwrap_or_default().into_iter();
    looks
        .filter(|look| now - look.modified_seconds < MOMENT_SECONDS)
        .filter_map(|look| look.name.into_string().ok())
        .collect()
}

/// Removes what is provably nobody's, looked for anew under the index's lock.
fn remove(home: &Home) -> Result<usize, StoreError> {
    lock::locked(home.root.folder(), WAIT_MAX, || {
        let facts = home.store().read()?;
        let left = Left::of(home, &facts);
        let mut removed = 0;
        // After a power cut, an index that still names one must find it.
        let _ = index::make_durable(&home.root);
        for name in &left.environments {
            removed += usize::from(gone(&home.root, home.root.environments()?, name)?);
        }
        for name in &left.runs {
            removed += usize::from(gone(&home.root, home.root.runs()?, name)?);
        }
        Ok(removed)
    })?
}

fn gone(root: &Root, folder: &Folder, name: &str) -> Result<bool, StoreError> {
    let failed = |error| StoreError::System { doing: "remove", path: root.path().join(name), error };
    folder.remove(name).map_err(failed)
}
