//! Processes of the program below one root: who they are, and who of them holds the lock.

use super::draws::Draws;
use crate::support::{BGCTL, User};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What to say where nobody was ever seen to hold the lock.
pub const NEVER_A_HOLDER: &str = "nobody was ever seen to hold the lock: perhaps /proc/locks names another device than stat(2) does, \
    as on btrfs and overlayfs; TMPDIR can name a folder elsewhere";

/// How often it is looked who holds the lock, until somebody does.
const LOOKS_MAX: usize = 500;

/// The living processes of the program below this user's root: what it was called for, and its watchers and alarm. A
/// process that is about to begin is one of them; once it executes its command it is none any more.
pub fn ours(user: &User) -> Vec<i32> {
    let is_program = |pid: &i32| {
        std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program == Path::new(BGCTL))
    };
    user.processes().into_iter().filter(is_program).collect()
}

/// Those of them that were called for this.
pub fn called_for(user: &User, verb: &str) -> Vec<i32> {
    ours(user).into_iter().filter(|pid| is_called_for(*pid, verb)).collect()
}

/// Whether this process of the program was called for this.
pub fn is_called_for(pid: i32, verb: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1) == Some(verb.as_bytes())
}

/// Somebody to hit: whoever holds the lock, a watcher, or anybody of `any`. Most of those that are there were called by a
/// test and wait, so that chance alone would hardly ever hit the others.
pub fn victim(user: &User, draws: &mut Draws, any: fn(&User) -> Vec<i32>) -> Option<i32> {
    let own = std::process::id().cast_signed();
    let aimed = match draws.below(3) {
        0 => (0..LOOKS_MAX).find_map(|_| lock_holder(user)).filter(|pid| *pid != own),
        1 => draws.one(&called_for(user, "__watch")).copied(),
        _ => None,
    };
    aimed.or_else(|| draws.one(&any(user)).copied())
}

/// Who holds the index's lock (`proc_locks(5)`).
pub fn lock_holder(user: &User) -> Option<i32> {
    let data = std::fs::metadata(user.root().join("jobs.lock")).ok()?;
    let (major, minor) = (rustix::fs::major(data.dev()), rustix::fs::minor(data.dev()));
    let wanted = format!("{major:02x}:{minor:02x}:{}", data.ino());
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = fields[..] else { return None };
        if place == wanted { pid.parse().ok() } else { None }
    })
}
