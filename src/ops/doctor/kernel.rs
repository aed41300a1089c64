//! What this program needs of the system.

use super::{Finding, Grade, Ground};
use crate::os::kernel::trials;

const CHECK: &str = "system";

/// `EMFILE`: the limit of open files, or of inotify instances of the user (`inotify_init(2)`).
const TOO_MANY: i32 = 24;

/// Tries it.
pub fn check(_ground: &Ground) -> Vec<Finding> {
    if !cfg!(target_os = "linux") {
        let text = "on this system the end of a whole process tree, adoption after a watcher's death and the limit of logs are best effort";
        return vec![Finding::new(CHECK, Grade::Note, text)];
    }
    let own = std::env::current_exe().unwrap_or_default();
    let mut findings = Vec::new();
    for (what, result) in trials(&own) {
        let Err(error) = result else { continue };
        findings.push(if error.raw_os_error() == Some(TOO_MANY) {
            let text = "no inotify instance is left for this user: whoever waits looks once a second instead";
            Finding::new(CHECK, Grade::Warning, text)
                .mend("as the superuser: sysctl fs.inotify.max_user_instances=512")
        } else {
            Finding::new(CHECK, Grade::Problem, format!("the kernel cannot {what}: {error}"))
                .mend("a newer kernel, or a container that lets this through")
        });
    }
    if findings.is_empty() {
        findings.push(Finding::new(CHECK, Grade::Fine, "the kernel has what is needed"));
    }
    findings
}
