//! A job's processes as its watcher sees them: who is there, who has ended, and what they used.

use super::tree::Tree;
use crate::model::outcome::Usage;
use crate::os::{
    doorbell::poll_for,
    process::{Handle, Identity, Process},
    reap::{self, Peek},
    signal::{Arrived, Inbox},
};
use rustix::event::{PollFd, PollFlags};
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// How often an adopter looks for processes that it is not told about.
const ADOPTED_INTERVAL: Duration = Duration::from_millis(50);

/// Whose child the main process is.
#[derive(Debug)]
pub enum Main {
    /// Ours: the kernel tells us everything.
    Child(Identity),
    /// Nobody's here: its watcher died, and this one adopted it.
    Adopted {
        /// Who it is, where the record says so.
        identity: Option<Identity>,
        /// A hold on it, unless it is gone.
        handle: Option<Handle>,
    },
}

/// A job's processes.
#[derive(Debug)]
pub struct Family<'a> {
    /// The main process.
    pub main: Main,
    /// Who belongs to the job.
    pub tree: Tree<'a>,
    /// Where the ends of children and pokes arrive.
    pub inbox: &'a Inbox,
    /// What those that were let go have used.
    pub usage: Cell<Usage>,
}

impl<'a> Family<'a> {
    /// The family of a main process.
    pub fn new(main: Main, tree: Tree<'a>, inbox: &'a Inbox) -> Self {
        Self { main, tree, inbox, usage: Cell::default() }
    }

    /// Whether the main process has ended.
    pub fn main_has_ended(&self) -> bool {
        match &self.main {
            Main::Child(identity) => reap::has_ended(identity.pid),
            Main::Adopted { identity, .. } => !identity.is_some_and(Identity::is_alive),
        }
    }

    /// The living processes of the job. Ended orphans are let go on the way.
    pub fn members(&self) -> io::Result<Vec<Process>> {
        let Main::Child(main) = &self.main else {
            let Main::Adopted { identity, .. } = &self.main else { return Ok(Vec::new()) };
            return self.tree.members_by_mark(*identity);
        };
        self.reap_orphans();
        let children = reap::children()?;
        // The usual end: the kernel lists the ended main process as our child, and no other.
        if children.as_deref() == Some(&[main.pid]) && self.main_has_ended() {
            return Ok(Vec::new());
        }
        let found = self.tree.members_below(std::process::id().cast_signed())?;
        if !found.is_empty() {
            return Ok(found);
        }
        // What forks its like and ends is gone before a list of all processes is read to its end.
        self.tree.members_among(&children.unwrap_or_default())
    }

    /// The living processes of the job that are our own children: a small part, and quickly told. What forks its like and
    /// ends is always among them.
    pub fn near(&self) -> io::Result<Vec<Process>> {
        if let Main::Adopted { .. } = self.main {
            return Ok(Vec::new());
        }
        self.reap_orphans();
        self.tree.members_among(&reap::children()?.unwrap_or_default())
    }

    /// Whether nothing of the job is left, for certain: every process of it is our child or below one, and nobody but us
    /// lets ended children go, so the kernel's list of our children decides. An adopter has no such list, and where the
    /// kernel keeps none, two looks that find nobody have to do.
    pub fn is_gone(&self) -> io::Result<bool> {
        let children = if let Main::Child(_) = &self.main { reap::children()? } else { None };
        let (Main::Child(main), Some(children)) = (&self.main, children) else {
            let nobody = || Ok::<bool, io::Error>(self.members()?.is_empty());
            return Ok(self.main_has_ended() && nobody()? && nobody()?);
        };
        if !self.main_has_ended() {
            return Ok(false);
        }
        for pid in children.into_iter().filter(|pid| *pid != main.pid) {
            let process = crate::os::process::look(pid)?;
            if process.is_some_and(|process| process.zombie || !self.tree.is_of_another_job(&process)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for something to happen: the end of a child or of the adopted process, a poke, or the end of the time.
    pub fn wait(&self, limit: Duration) -> Arrived {
        let mut fds = vec![PollFd::new(self.inbox, PollFlags::IN)];
        let mut limit = limit;
        match &self.main {
            Main::Adopted { handle: Some(handle), .. } if !self.main_has_ended() => {
                add_handle(&mut fds, handle);
            }
            Main::Adopted { .. } => limit = limit.min(ADOPTED_INTERVAL),
            Main::Child(_) => {}
        }
        let _ = poll_for(&mut fds, Some(limit));
        let arrived = self.inbox.drain();
        // With the main process the rest is looked at, too.
        if arrived.child && !self.main_has_ended() {
            self.reap_orphans();
        }
        arrived
    }

    /// Lets the main process go, once it has ended. Gives its status as `wait(2)` does, or as far as the system tells a
    /// process that is not its parent.
    pub fn let_main_go(&self) -> Option<i32> {
        match &self.main {
            Main::Child(identity) => {
                let (status, usage) = reap::reap(identity.pid)?;
                self.count(usage);
                Some(status)
            }
            Main::Adopted { .. } => self.adopted_status(),
        }
    }

    /// How an adopted process ended. The kernel's own word comes first; a zombie's entry may show 0 to those that may
    /// not look into it (`proc_pid_stat(5)`, field 52), so a 0 there says nothing.
    pub fn adopted_status(&self) -> Option<i32> {
        let Main::Adopted { identity, handle } = &self.main else { return None };
        let own_word = || {
            let zombie = identity.as_ref()?.look().ok()??;
            zombie.wait_status.filter(|status| zombie.zombie && (*status != 0 || owns(zombie.identity.pid)))
        };
        handle.as_ref().and_then(Handle::wait_status).or_else(own_word)
    }

    /// Lets ended orphans go. The main process stays, so that its pid cannot become another's while we signal.
    fn reap_orphans(&self) {
        let Main::Child(main) = &self.main else { return };
        loop {
            match reap::peek() {
                Peek::Ended(pid) if pid != main.pid => self.reap(pid),
                // The ended main process hides the others from this question: ask for each by name.
                Peek::Ended(_) => {
                    let children = reap::children().ok().flatten().unwrap_or_default();
                    for pid in children.into_iter().filter(|pid| *pid != main.pid) {
                        self.reap(pid);
                    }
                    return;
                }
                Peek::Running | Peek::Childless => return,
            }
        }
    }

    /// No effect on a child that runs.
    fn reap(&self, pid: i32) {
        if let Some((_, usage)) = reap::reap(pid) {
            self.count(usage);
        }
    }

    fn count(&self, one: Usage) {
        let sum = self.usage.get();
        self.usage.set(Usage {
            memory_peak_kib: sum.memory_peak_kib.max(one.memory_peak_kib),
            cpu_user_ms: sum.cpu_user_ms.saturating_add(one.cpu_user_ms),
            cpu_system_ms: sum.cpu_system_ms.saturating_add(one.cpu_system_ms),
        });
    }
}

/// Whether this user owns a process, and so sees all of its entry.
fn owns(pid: i32) -> bool {
    use std::os::unix::fs::MetadataExt;
    let you = rustix::process::geteuid();
    you.is_root() || std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|data| data.uid() == you.as_raw())
}

fn add_handle<'f>(fds: &mut Vec<PollFd<'f>>, handle: &'f Handle) {
    #[cfg(target_os = "linux")]
    fds.push(PollFd::new(handle, PollFlags::IN));
    #[cfg(not(target_os = "linux"))]
    let _ = (fds, handle);
}
