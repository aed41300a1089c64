//! The single-writer lock: waiting happens in the kernel, not by polling, and has an end.

use super::{StoreError, root};
use crate::os::{folder::Folder, interrupt};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Longest wait for the lock.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// Does `critical` while this process is the index's only writer.
pub fn locked<T>(folder: &Folder, wait_max: Duration, critical: impl FnOnce() -> T) -> Result<T, StoreError> {
    let path = folder.path().join(root::LOCK);
    let failed = |error| StoreError::System { doing: "lock", path: path.clone(), error };
    let file = folder.open_or_create_file(root::LOCK, false).map_err(failed)?;
    let take = |how| retry_on_intr(|| flock(&file, how));
    match take(FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) if wait_for(&file, wait_max).map_err(failed)? => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(StoreError::Locked { path, waited: wait_max, holder: holder(&file) });
        }
        Err(error) => return Err(failed(error.into())),
    }
    let _held = Held(&file);
    Ok(critical())
}

/// The lock, which goes with this: closing is not enough where a process that was just forked has the open file, too.
struct Held<'a>(&'a File);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// Waits for the lock; `false`: for so long in vain. `flock(2)` takes no time limit and is interrupted instead.
fn wait_for(file: &File, wait_max: Duration) -> io::Result<bool> {
    let began = Instant::now();
    interrupt::within(wait_max, || {
        loop {
            match flock(file, FlockOperation::LockExclusive) {
                Ok(()) => break Ok(true),
                Err(Errno::INTR) if began.elapsed() < wait_max => {}
                Err(Errno::INTR) => break Ok(false),
                Err(error) => break Err(error.into()),
            }
        }
    })?
}

/// Who holds the lock. The kernel tells its table in pieces, and passes over entries where others went between two of them: who
/// was passed over is looked for again.
fn holder(file: &File) -> Option<String> {
    const LOOKS_MAX: usize = 10;
    let data = file.metadata().ok()?;
    let place =
        format!("{:02x}:{:02x}:{}", rustix::fs::major(data.dev()), rustix::fs::minor(data.dev()), data.ino());
    let pid = (0..LOOKS_MAX).find_map(|_| holder_at(&place))?;
    // A number that is gone by now names nobody.
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("process {pid} ({})", name.trim()))
}

/// The pid for that device and inode in `/proc/locks` (`proc_locks(5)`), which is read in as few pieces as the kernel allows.
fn holder_at(place: &str) -> Option<String> {
    const ROOM: usize = 64 * 1024;
    let mut table = Vec::with_capacity(ROOM);
    File::open("/proc/locks").ok()?.read_to_end(&mut table).ok()?;
    String::from_utf8_lossy(&table).lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, _, pid, at, ..] = fields[..] else { return None };
        (at == place).then(|| pid.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_lock_that_is_never_released_ends_the_wait_and_its_holder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("root")).unwrap();
        locked(&folder, WAIT_MAX, || {
            let second = locked(&folder, Duration::from_millis(50), || ());
            let message = second.unwrap_err().to_string();
            assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        })
        .unwrap();
        locked(&folder, WAIT_MAX, || ()).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_holder_is_named_while_others_lock_and_unlock_other_files() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open_or_create(&dir.path().join("root")).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let others: Vec<File> = (0..50).map(|_| tempfile::tempfile().unwrap()).collect();
                    while !over.load(Ordering::SeqCst) {
                        for how in [FlockOperation::LockExclusive, FlockOperation::Unlock] {
                            for other in &others {
                                flock(other, how).unwrap();
                            }
                        }
                    }
                });
            }
            let own = format!("process {} (", std::process::id());
            let unnamed = locked(&folder, WAIT_MAX, || {
                let lock = folder.open_or_create_file(root::LOCK, false).unwrap();
                let named = |_: &i32| holder(&lock).is_some_and(|name| name.starts_with(&own));
                (0..300).filter(|look| !named(look)).count()
            });
            over.store(true, Ordering::SeqCst);
            assert_eq!(unnamed.unwrap(), 0, "of 300 looks");
        });
    }

    #[test]
    fn waiting_writers_come_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        Folder::open_or_create(&path).unwrap();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let done = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let folder = Folder::open(&path).unwrap().unwrap();
                    for _ in 0..50 {
                        locked(&folder, WAIT_MAX, || {
                            use std::sync::atomic::Ordering::SeqCst;
                            assert_eq!(inside.fetch_add(1, SeqCst), 0);
                            std::thread::yield_now();
                            inside.fetch_sub(1, SeqCst);
                            done.fetch_add(1, SeqCst);
                        })
                        .unwrap();
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 400);
    }
}
