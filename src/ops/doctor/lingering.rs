//! Whether the end of a login ends the jobs that it started.

use super::{Finding, Grade, Ground};
use crate::os::answer::said;

const CHECK: &str = "logout";

/// Asks the login manager.
pub fn check(_ground: &Ground) -> Vec<Finding> {
    let kills = said("loginctl", &["show-user", "--property=KillUserProcesses"]);
    let Some(kills) = kills else {
        return vec![Finding::new(CHECK, Grade::Fine, "no login manager ends processes here")];
    };
    if !is_yes(&kills) {
        return vec![Finding::new(CHECK, Grade::Fine, "jobs go on after you log out")];
    }
    let uid = rustix::process::getuid().as_raw().to_string();
    if said("loginctl", &["show-user", &uid, "--property=Linger"]).is_some_and(|lingers| is_yes(&lingers)) {
        return vec![Finding::new(CHECK, Grade::Fine, "jobs go on after you log out: your user lingers")];
    }
    let text = "systemd ends all of your processes when you log out (KillUserProcesses), jobs and their watchers too";
    vec![Finding::new(CHECK, Grade::Warning, text).mend("loginctl enable-linger")]
}

fn is_yes(answer: &str) -> bool {
    answer.trim().ends_with("=yes")
}
