//! The alarm's lock: held, it proves that a process waits for what comes due.
//!
//! Whoever commits something that is due soon looks at the lock, never taking it, and launches an alarm if it is free. An
//! alarm that leaves lets the lock go, looks at the index once more, and takes it again if something came in between: so
//! what was committed while the lock was held is seen by its holder, and what was committed later finds it free.

use super::{
    failed_to_arm,
    present::{self, Held},
};
use crate::exec::ExecError;
use crate::os::{
    detach::NETWORK_VARIABLES,
    folder::Folder,
    process::{self, Handle, Identity},
};
use crate::store::root::{ALARM_LOCK, Root};
use std::io;
use std::time::{Duration, Instant};

/// The hidden subcommand that an alarm runs as: `bgctl __alarm ROOT`.
pub const ALARM_COMMAND: &str = "__alarm";

/// Takes the lock, and writes down who has it. `None`: another alarm has it.
pub fn acquire(root: &Root) -> io::Result<Option<Held>> {
    let own = Identity::own()?;
    present::take_as(root.folder(), ALARM_LOCK, Some(own))
}

/// Takes the lock in the place of an alarm, so that none is launched. Nobody is written down: whoever does that is no alarm,
/// and when he is part of a job, its end is his.
pub fn stand_in(root: &Root) -> io::Result<Option<Held>> {
    present::take_as(root.folder(), ALARM_LOCK, None)
}

/// Ends the alarm that is there, if there is one. One that is killed does no harm: what it had begun, the next pass goes on
/// with. Gives whether it is gone; one of another machine or container cannot be ended.
pub fn end(root: &Root, limit: Duration) -> io::Result<bool> {
    let Some(present) = recorded(root.folder())?.filter(|who| is_alarm(*who)) else {
        return Ok(!is_there(root.folder())?);
    };
    let Some(handle) = Handle::open(present)? else { return Ok(true) };
    handle.signal(libc::SIGTERM)?;
    if !wait_for_end(present, limit) {
        // Stopped, as by a debugger: it holds up all others.
        handle.signal(libc::SIGKILL)?;
        return Ok(wait_for_end(present, limit));
    }
    Ok(true)
}

/// Whether a recorded process is still that alarm: a record may be of another boot.
fn is_alarm(who: Identity) -> bool {
    let is_one = |words: Vec<Vec<u8>>| words.get(1).is_some_and(|word| word == ALARM_COMMAND.as_bytes());
    who.is_alive() && process::arguments(who.pid).is_some_and(is_one)
}

fn wait_for_end(who: Identity, limit: Duration) -> bool {
    const INTERVAL: Duration = Duration::from_millis(2);
    let deadline = Instant::now() + limit;
    while who.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(INTERVAL);
    }
    true
}

/// Whether an alarm is there.
pub fn is_there(folder: &Folder) -> io::Result<bool> {
    present::is_held(folder, ALARM_LOCK)
}

/// Who wrote himself down as the alarm last.
pub fn recorded(folder: &Folder) -> io::Result<Option<Identity>> {
    present::recorded(folder, ALARM_LOCK)
}

/// Launches an alarm, unless one is there. It passes on what asking GitHub needs.
pub fn arm(root: &Root, as_orphan: bool) -> Result<(), ExecError> {
    present::launch(root, ALARM_LOCK, ALARM_COMMAND, as_orphan, &NETWORK_VARIABLES).map_err(failed_to_arm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_did_not_say_who_it_is_cannot_be_ended_and_where_there_is_none_all_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open_or_create(&dir.path().join("root")).unwrap();
        assert!(end(&root, Duration::ZERO).unwrap());
        let held = stand_in(&root).unwrap();
        assert!(!end(&root, Duration::ZERO).unwrap());
        drop(held);
        assert!(end(&root, Duration::ZERO).unwrap());
    }
}
