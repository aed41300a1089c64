//! Whether the root and what is in it belong to this user alone.

use super::{Finding, Grade, Ground, count, refusal};
use crate::os::folder::{Folder, Look, close_folder_to_others};
use crate::store::root::CONFIG;
use std::path::Path;

const CHECK: &str = "permissions";

/// Looks at the root itself, before anybody opens it.
pub fn of_root(path: &Path, fixes: bool) -> Vec<Finding> {
    let Some((found, mend, can_be_closed)) = refusal(path) else { return Vec::new() };
    let mut finding = Finding::new(CHECK, Grade::Problem, found);
    finding.mend = mend;
    if fixes && can_be_closed {
        let closed = close_folder_to_others(path).map_err(|error| error.to_string());
        finding = finding.tried(closed.map(|()| format!("{} has mode 700 now", path.display())));
    }
    vec![finding]
}

/// Looks at what is in it.
pub fn inside(ground: &Ground) -> Vec<Finding> {
    let Some(home) = &ground.home else {
        let nothing = ground.refused.is_none();
        let text = format!("{} is not there yet; the first start makes it", ground.path.display());
        return nothing.then(|| Finding::new(CHECK, Grade::Fine, text)).into_iter().collect();
    };
    let mut seen = Seen::default();
    seen.look(home.root.folder(), "", ground.fixes);
    for name in ["runs", "env"] {
        if let Ok(Some(folder)) = home.root.folder().subfolder(name, false) {
            seen.look(&folder, &format!("{name}/"), ground.fixes);
        }
    }
    let mut findings = Vec::new();
    if !seen.open.is_empty() {
        // Nobody gets to them as long as the folder is closed.
        let found = format!(
            "{} in {} would be open to others if the folder were",
            files(&seen.open),
            ground.path.display()
        );
        let mut finding =
            Finding::new(CHECK, Grade::Note, found).mend("bgctl doctor --fix takes that from them");
        if ground.fixes {
            let failed = seen.failed.first().cloned();
            finding = finding.tried(failed.map_or_else(|| Ok("only you can now".to_owned()), Err));
        }
        findings.push(finding.details(seen.open));
    }
    if !seen.foreign.is_empty() {
        let found = format!("{} in {} belong to somebody else", files(&seen.foreign), ground.path.display());
        let mend = format!("as the superuser: chown -R --no-dereference USER {}", ground.path.display());
        findings.push(Finding::new(CHECK, Grade::Problem, found).mend(mend).details(seen.foreign));
    }
    if !seen.links.is_empty() {
        let found = format!(
            "{} in {} are symbolic links, which are not followed",
            files(&seen.links),
            ground.path.display()
        );
        let mend = "put the file itself there, or set BG_HOME to the folder in which it is";
        findings.push(Finding::new(CHECK, Grade::Warning, found).mend(mend).details(seen.links));
    }
    if findings.is_empty() {
        findings.push(Finding::new(CHECK, Grade::Fine, format!("{} is yours alone", ground.path.display())));
    }
    findings
}

fn files(names: &[String]) -> String {
    count(names.len(), "file")
}

/// What is not as it should be. The settings are written by hand, with the bits that an editor gives.
#[derive(Default)]
struct Seen {
    open: Vec<String>,
    foreign: Vec<String>,
    links: Vec<String>,
    failed: Vec<String>,
}

impl Seen {
    fn look(&mut self, folder: &Folder, prefix: &str, fixes: bool) {
        for look in folder.looks().unwrap_or_default() {
            let name = format!("{prefix}{}", look.name.to_string_lossy());
            if look.is_link() {
                self.links.push(name);
            } else if !look.is_ours() {
                self.foreign.push(name);
            } else if look.is_open_to_others() && name != CONFIG {
                self.close(folder, &look, &name, fixes);
            }
        }
    }

    fn close(&mut self, folder: &Folder, look: &Look, name: &str, fixes: bool) {
        self.open.push(format!("{name} (mode {:03o})", look.mode));
        if fixes && let Err(error) = folder.close_to_others(look) {
            self.failed.push(format!("{name}: {error}"));
        }
    }
}
