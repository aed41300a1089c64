//! Waiting for a file or a folder to change, without polling where the system can tell.

use super::folder::Folder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

/// How often a file that is read as it grows is looked at where the system cannot tell: too few inotify instances, or
/// another system.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Rings when something changed, or may have.
#[derive(Debug)]
pub struct Doorbell {
    inotify: Option<OwnedFd>,
    /// How often it rings by itself where the system cannot tell.
    poll_interval: Duration,
    /// A file that may be replaced by another one.
    growing: Option<PathBuf>,
}

impl Doorbell {
    /// Rings when a file is renamed into the folder, and when the one of that name grows, be it there already or not.
    pub fn on_renames_and(folder: &Folder, growing: &str, poll_interval: Duration) -> Self {
        let path = folder.lasting_path();
        let growing = path.join(growing);
        let bell =
            Self { inotify: imp::watch_all(&[(path, imp::RENAMES)]), poll_interval, growing: Some(growing) };
        bell.watch_growing();
        bell
    }

    /// Another file may have come to that name.
    fn watch_growing(&self) {
        if let (Some(inotify), Some(path)) = (&self.inotify, &self.growing) {
            imp::watch_if_there(inotify, path);
        }
    }

    /// Rings when one of these files of the folder grows, and, if asked, when a file comes into the folder.
    pub fn on_growth_in(folder: &Folder, names: &[String], and_new_files: bool) -> Self {
        let path = folder.lasting_path();
        let mut watched: Vec<_> = names.iter().map(|name| (path.join(name), imp::WRITES)).collect();
        if and_new_files {
            watched.push((path, imp::ARRIVALS));
        }
        Self { inotify: imp::watch_all(&watched), poll_interval: POLL_INTERVAL, growing: None }
    }

    /// Rings when a file of the folder grows, or comes into it.
    pub fn on_changes_in(folder: &Folder) -> Self {
        let what = imp::everything();
        Self {
            inotify: imp::watch_all(&[(folder.lasting_path(), what)]),
            poll_interval: POLL_INTERVAL,
            growing: None,
        }
    }

    /// Something to poll, where the system can tell; [`Doorbell::take_rings`] afterwards.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Waits until it rings, one of `others` is readable, or the time is over. `None` waits without end.
    ///
    /// Gives, for each of `others`, whether it is readable. A ring is taken off the bell.
    pub fn wait(&self, others: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
        let limit = match &self.inotify {
            Some(_) => limit,
            None => Some(limit.map_or(self.poll_interval, |limit| limit.min(self.poll_interval))),
        };
        let mut fds: Vec<PollFd<'_>> =
            others.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::new(inotify, PollFlags::IN));
        }
        poll_for(&mut fds, limit)?;
        let rung = fds.split_off(others.len());
        if rung.iter().any(|fd| !fd.revents().is_empty()) {
            self.take_rings();
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    /// Takes all rings off the bell.
    pub fn take_rings(&self) {
        let mut buffer = [0_u8; 4_096];
        if let Some(inotify) = &self.inotify {
            while rustix::io::read(inotify, &mut buffer).is_ok_and(|count| count > 0) {}
            self.watch_growing();
        }
    }
}

/// Polls; an interruption by a signal ends the wait early, as if time were over.
pub fn poll_for(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: limit.subsec_nanos().into(),
    });
    match poll(fds, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits for one descriptor. `false`: time is over.
pub fn wait_readable(fd: impl AsFd, limit: Option<Duration>) -> io::Result<bool> {
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    poll_for(&mut fds, limit)?;
    Ok(!fds[0].revents().is_empty())
}

#[cfg(target_os = "linux")]
mod imp {
    use super::OwnedFd;
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    use std::path::{Path, PathBuf};

    pub const RENAMES: WatchFlags =
        WatchFlags::MOVED_TO.union(WatchFlags::DELETE_SELF).union(WatchFlags::MOVE_SELF);
    pub const WRITES: WatchFlags = WatchFlags::MODIFY;
    pub const ARRIVALS: WatchFlags = WatchFlags::CREATE.union(WatchFlags::MOVED_TO);

    pub fn everything() -> WatchFlags {
        WRITES | ARRIVALS | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF
    }

    pub fn watch_all(paths: &[(PathBuf, WatchFlags)]) -> Option<OwnedFd> {
        let fd = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        for (path, what) in paths {
            add_watch(&fd, path, *what).ok()?;
        }
        Some(fd)
    }

    pub fn watch_if_there(fd: &OwnedFd, path: &Path) {
        let _ = add_watch(fd, path, WRITES);
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::OwnedFd;
    use std::path::{Path, PathBuf};

    pub const RENAMES: () = ();
    pub const WRITES: () = ();
    pub const ARRIVALS: () = ();

    pub fn everything() {}

    pub fn watch_all(_paths: &[(PathBuf, ())]) -> Option<OwnedFd> {
        None
    }

    pub fn watch_if_there(_: &OwnedFd, _: &Path) {}
}
