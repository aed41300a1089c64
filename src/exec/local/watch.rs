//! Watching: the life of a watcher, from taking the record to knowing the outcome.

use super::record::{Attempt, Line, Record};
use super::start::{self, NotStarted, Started};
use super::{ExecError, failed, meta, tree};
use crate::model::{
    claim::{ExecutorName, Relation, Site},
    event::Event,
    id::JobId,
    job::Job,
    outcome::{Ending, Exit, Leftover, Outcome, Usage, Why},
    spec::LeftoverPolicy,
    state::Change,
};
use crate::os::{
    clock::Clock,
    doorbell::{poll_for, wait_readable},
    process::{Handle, Identity, Process},
    reap::{self, Peek},
    signal::Inbox,
};
use crate::plan::expire::seconds_left;
use crate::store::{
    Store,
    root::{Root, log_name},
};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::RawMode;
use std::time::Duration;

/// Longest wait for a record that another watcher is about to leave.
const TAKE_MAX: Duration = Duration::from_secs(2);
/// How often a busy record is looked at meanwhile.
const TAKE_INTERVAL: Duration = Duration::from_millis(10);
/// How often a watcher gives a sign of life, and looks whether the index tells it to end the job: a poke may be lost
/// with the process that should have sent it.
const BEAT_INTERVAL: Duration = Duration::from_mins(1);
/// How often it gives one while it ends a tree, so that nobody takes it for silent.
const ENDING_BEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long is waited for killed processes before they are looked at again: at first, and at most.
const KILL_INTERVAL_MIN: Duration = Duration::from_millis(2);
const KILL_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// After so long, what does not die is named in the record.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// How often an adopter looks for processes that it is not told about.
const ADOPTED_INTERVAL: Duration = Duration::from_millis(50);
/// The signals of an end.
const TERM: i32 = libc::SIGTERM;
const KILL: i32 = libc::SIGKILL;

/// What a watcher works with.
pub struct Context<'a, C> {
    /// Where the files are.
    pub root: &'a Root,
    /// The index.
    pub store: &'a dyn Store,
    /// The clocks.
    pub clock: &'a C,
    /// This machine, boot and namespace.
    pub site: &'a Site,
    /// Where the ends of children and pokes arrive.
    pub inbox: &'a Inbox,
}

/// A job that is over, and the record whose lock is still held: the outcome has yet to be committed.
#[derive(Debug)]
pub struct Watched {
    /// How it ended.
    pub outcome: Outcome,
    /// The intent under which it was ended, in case the index does not have it.
    pub ending: Option<Ending>,
    /// The record.
    pub record: Record,
    /// The attempt that is over.
    pub attempt: u32,
}

/// Watches a claimed job to its end: starts it, adopts it, or finds that its record has the outcome already.
///
/// `None`: the claim does not stand, or somebody else watches the job. The calling process must be single-threaded
/// and must have opened `inbox` before, so that a poke that comes early is not lost.
pub fn watch<C: Clock>(context: &Context<'_, C>, id: &JobId) -> Result<Option<Watched>, ExecError> {
    let Some(record) = take_record(context, id)? else { return Ok(None) };
    let Some(claimed) = claimed_job(context, id)? else { return Ok(None) };
    let append = |line: &Line| record.append(line).map_err(|error| failed("write the record", id, error));
    // Written before the index is read: whoever commits an intent from now on finds whom to poke, and whoever
    // committed one before is read.
    append(&Line::Watcher {
        attempt: claimed.attempt,
        identity: Identity::own().unwrap_or(Identity { pid: std::process::id().cast_signed(), start: 0 }),
        boot: context.site.boot.clone(),
        at: context.clock.now(),
        monotonic_ms: milliseconds(context.clock.monotonic()),
    })?;
    let Some(job) = claimed_job(context, id)?.filter(|job| job.attempt == claimed.attempt) else {
        return Ok(None);
    };
    let history = record.attempt(job.attempt).map_err(|error| failed("read the record", id, error))?;
    let watch = Watch::new(context, &record, job);
    let (outcome, ending) = watch.to_the_end(&history);
    let attempt = watch.job.attempt;
    Ok(Some(Watched { outcome, ending, record, attempt }))
}

/// Takes the record; waits a little for one that is about to be free.
fn take_record<C: Clock>(context: &Context<'_, C>, id: &JobId) -> Result<Option<Record>, ExecError> {
    let deadline = context.clock.monotonic() + TAKE_MAX;
    let runs = context.root.runs()?;
    loop {
        if let Some(record) =
            Record::acquire(runs, id).map_err(|error| failed("take the record", id, error))?
        {
            return Ok(Some(record));
        }
        if context.clock.monotonic() >= deadline || claimed_job(context, id)?.is_none() {
            return Ok(None);
        }
        let _ = wait_readable(context.inbox, Some(TAKE_INTERVAL));
        context.inbox.drain();
    }
}

/// The job, if it is claimed for this site and executor.
fn claimed_job<C: Clock>(context: &Context<'_, C>, id: &JobId) -> Result<Option<Job>, ExecError> {
    let job = context.store.read()?.job(id).ok().flatten();
    Ok(job.filter(|job| {
        job.run().and_then(|run| run.claim.as_ref()).is_some_and(|claim| {
            claim.executor == ExecutorName::Local && context.site.relation(&claim.site) == Relation::Same
        })
    }))
}

/// Why the main loop ended.
enum Turn {
    /// The main process ended by itself.
    Ended,
    /// The job is to be ended.
    Told(Ending),
}

/// Whose child the main process is.
enum Main {
    /// Ours: the kernel tells us everything.
    Child(Identity),
    /// Nobody's here: its watcher died, and this one adopted it.
    Adopted {
        /// Who it is.
        identity: Identity,
        /// A hold on it, unless it is gone.
        handle: Option<Handle>,
    },
}

struct Watch<'a, C> {
    context: &'a Context<'a, C>,
    record: &'a Record,
    job: Job,
    usage: std::cell::Cell<Usage>,
}

impl<'a, C: Clock> Watch<'a, C> {
    fn new(context: &'a Context<'a, C>, record: &'a Record, job: Job) -> Self {
        Self { context, record, job, usage: std::cell::Cell::default() }
    }

    fn to_the_end(&self, history: &Attempt) -> (Outcome, Option<Ending>) {
        if let Some(outcome) = &history.outcome {
            return (outcome.clone(), history.ending.clone());
        }
        if history.started {
            return self.adopt(history);
        }
        if let Some(ending) = self.job.run().and_then(|run| run.ending.clone()) {
            let exit = Exit::NotStarted { reason: "it was told to end before it began".to_owned(), code: 1 };
            return self.conclude(Outcome::bare(exit, self.context.clock.now()), Some(ending));
        }
        self.start()
    }

    /// The usual case: the job starts here, as our child.
    fn start(&self) -> (Outcome, Option<Ending>) {
        let _ = reap::adopt_orphans(true);
        let started = start::start(self.context.root, self.record, &self.job, self.context.clock);
        let result = match started {
            Ok(started) => self.supervise(started),
            Err(NotStarted { pid, exit }) => {
                if let Some(pid) = pid {
                    self.let_go(pid);
                }
                self.conclude(Outcome::bare(exit, self.context.clock.now()), None)
            }
        };
        let _ = reap::adopt_orphans(false);
        result
    }

    /// Waits for a process that is about to leave, and lets it go.
    fn let_go(&self, pid: i32) {
        while !reap::has_ended(pid) && reap::peek() != Peek::Childless {
            let _ = wait_readable(self.context.inbox, Some(KILL_INTERVAL_MAX));
            self.context.inbox.drain();
        }
        reap::reap(pid);
    }

    fn supervise(&self, started: Started) -> (Outcome, Option<Ending>) {
        let main = Main::Child(started.identity);
        let began = self.context.clock.monotonic();
        let turn = self.wait_for_turn(&main, began);
        let (leftovers, left, ending) = self.end(&main, turn);
        let pid = started.identity.pid;
        let exit = match reap::reap(pid) {
            Some((exit, usage)) => {
                self.count(usage);
                exit
            }
            None => Exit::Unknown { reason: "the system did not say how it ended".to_owned() },
        };
        let outcome = Outcome {
            exit,
            at: self.context.clock.now(),
            usage: Some(self.usage.get()),
            leftovers,
            leftovers_left: left,
            best_effort: false,
            notes: started.notes,
        };
        let (outcome, ending) = self.conclude(outcome, ending);
        self.write_meta(&outcome, started.log_from, Some(started.umask), ending.as_ref());
        (outcome, ending)
    }

    /// The job's watcher died, the job may live: this one goes on, as nobody's parent.
    fn adopt(&self, history: &Attempt) -> (Outcome, Option<Ending>) {
        let identity = history.process.unwrap_or(Identity { pid: 0, start: 0 });
        let handle = Handle::open(identity).ok().flatten();
        let main = Main::Adopted { identity, handle };
        let began = history
            .started_monotonic_ms
            .map_or_else(|| self.context.clock.monotonic(), Duration::from_millis);
        let told = history.ending.clone().or_else(|| self.job.run().and_then(|run| run.ending.clone()));
        let turn = match told {
            Some(ending) => Turn::Told(ending),
            None => self.wait_for_turn(&main, began),
        };
        let status = adopted_status(&main);
        let (leftovers, left, ending) = self.end(&main, turn);
        let exit = status.or_else(|| adopted_status(&main)).map_or_else(
            || Exit::Unknown { reason: "its watcher had died, and nobody saw its end".to_owned() },
            reap::exit_of,
        );
        let outcome = Outcome {
            exit,
            at: self.context.clock.now(),
            usage: None,
            leftovers,
            leftovers_left: left,
            best_effort: true,
            notes: Vec::new(),
        };
        let (outcome, ending) = self.conclude(outcome, ending);
        self.write_meta(&outcome, history.log_from, None, ending.as_ref());
        (outcome, ending)
    }

    /// Waits until the main process ends or is to be ended.
    fn wait_for_turn(&self, main: &Main, began: Duration) -> Turn {
        let mut limits = self.job.spec.limits;
        let beat_interval = beat_interval(limits.stale_after.seconds);
        let mut next_beat = self.context.clock.monotonic() + beat_interval;
        loop {
            if has_ended(main) {
                return Turn::Ended;
            }
            let now = self.context.clock.monotonic();
            let ran = now.saturating_sub(began);
            let deadline = limits.timeout.seconds.map(|limit| began + Duration::from_secs(limit));
            let wake = deadline.map_or(next_beat, |deadline| deadline.min(next_beat));
            let (poked, _) = self.wait(main, Some(wake.saturating_sub(now)));
            let now = self.context.clock.monotonic();
            let over = deadline.is_some_and(|deadline| now >= deadline);
            let beat = now >= next_beat;
            if beat {
                self.beat();
                next_beat = now + beat_interval;
            }
            if !(poked || beat || over) {
                continue;
            }
            // The index as it is now decides: somebody may have changed the limits, or told the job to end. Where it
            // cannot be read, what was last known holds.
            if let Ok(Some(job)) = claimed_job(self.context, &self.job.id) {
                if let Some(ending) = job.run().and_then(|run| run.ending.clone()) {
                    return if has_ended(main) { Turn::Ended } else { Turn::Told(ending) };
                }
                limits = job.spec.limits;
            }
            let ran = ran.max(now.saturating_sub(began)).as_secs();
            if over && seconds_left(&limits, ran) == Some(0) && !has_ended(main) {
                return Turn::Told(self.commit_timeout());
            }
        }
    }

    /// Commits the intent to end the job for time. If the index cannot be written now, the intent goes to the record,
    /// and into the index together with the end.
    fn commit_timeout(&self) -> Ending {
        let ending = Ending { why: Why::Timeout, at: self.context.clock.now(), signal: None, note: None };
        let change = Change::Decide { ending: ending.clone() };
        let event = Event::Changed { id: self.job.id.clone(), change };
        let mut standing = None;
        let _ = self.context.store.transact(ending.at, &mut |draft| {
            draft.push(event.clone())?;
            standing =
                draft.facts().job(&self.job.id)?.and_then(|job| job.run().and_then(|run| run.ending.clone()));
            Ok(())
        });
        standing.unwrap_or(ending)
    }

    /// Ends what is to be ended. Gives the leftovers, whether they were left, and the intent.
    fn end(&self, main: &Main, turn: Turn) -> (Vec<Leftover>, bool, Option<Ending>) {
        match turn {
            Turn::Told(ending) => {
                let _ = self.record.append(&Line::Ending { ending: ending.clone() });
                self.end_tree(main, ending.signal.unwrap_or(TERM));
                (Vec::new(), false, Some(ending))
            }
            Turn::Ended => {
                let mut members = self.members(main);
                if members.is_empty() && !is_last_child(main) {
                    // As below: one list may miss a process, two do not.
                    members = self.members(main);
                }
                let leftovers: Vec<Leftover> = members.iter().map(tree::leftover).collect();
                if leftovers.is_empty() && self.is_empty(main) != Some(false) {
                    return (leftovers, false, None);
                }
                // Nothing is left of a job that has been told to end meanwhile.
                if self.job.spec.leftovers == LeftoverPolicy::Leave && self.standing_intent().is_none() {
                    let left = !leftovers.is_empty();
                    return (leftovers, left, None);
                }
                self.end_tree(main, TERM);
                (leftovers, false, None)
            }
        }
    }

    /// Asks all processes of the job to end, kills those that have not after the grace, and returns when none is left.
    ///
    /// What cannot be ended (another user's, or stuck in the kernel) keeps this waiting, and so the job running.
    fn end_tree(&self, main: &Main, signal: i32) {
        let asked = self.context.clock.monotonic();
        let grace = self.job.spec.limits.grace.seconds.map(Duration::from_secs);
        let mut next_beat = asked + ENDING_BEAT_INTERVAL;
        let mut killing = signal == KILL;
        let mut interval = KILL_INTERVAL_MIN;
        let mut stuck_said = false;
        if !killing {
            let members = self.members(main);
            tree::signal_all(&members, signal);
            // A stopped process hears TERM only once it continues.
            tree::signal_all(&members, libc::SIGCONT);
        }
        let mut looked_clean = false;
        loop {
            let members = self.members(main);
            if members.is_empty() {
                match self.is_empty(main) {
                    Some(true) => return,
                    // Something is left that this look missed.
                    Some(false) => {}
                    // A process that was forked while its like were listed is seldom missing from two lists.
                    None if looked_clean => return,
                    None => {
                        looked_clean = true;
                        continue;
                    }
                }
            }
            looked_clean = false;
            let now = self.context.clock.monotonic();
            killing = killing || grace.is_some_and(|grace| now >= asked + grace);
            if killing {
                let refused = tree::signal_all(&members, KILL);
                if !stuck_said && now >= asked + grace.unwrap_or_default() + STUCK_AFTER {
                    let named = if refused.is_empty() { &members } else { &refused };
                    let processes = named.iter().map(tree::leftover).collect();
                    stuck_said = self.record.append(&Line::Stuck { processes }).is_ok();
                }
            }
            if now >= next_beat {
                self.beat();
                next_beat = now + ENDING_BEAT_INTERVAL;
            }
            let until_kill = grace.map_or(ENDING_BEAT_INTERVAL, |grace| (asked + grace).saturating_sub(now));
            let limit = if killing { interval } else { until_kill.min(next_beat.saturating_sub(now)) };
            let (poked, _) = self.wait(main, Some(limit));
            interval = (interval * 2).min(KILL_INTERVAL_MAX);
            if poked && self.is_told_to_kill() {
                killing = true;
            }
        }
    }

    /// Whether the intent was sharpened since.
    fn is_told_to_kill(&self) -> bool {
        self.standing_intent().is_some_and(|ending| ending.signal == Some(KILL))
    }

    /// The intent to end the job as the index has it now.
    fn standing_intent(&self) -> Option<Ending> {
        let job = claimed_job(self.context, &self.job.id).ok().flatten();
        job.and_then(|job| job.run().and_then(|run| run.ending.clone()))
    }

    /// The living processes of the job.
    fn members(&self, main: &Main) -> Vec<Process> {
        match main {
            Main::Child(identity) => {
                self.reap_orphans(identity.pid);
                if is_last_child(main) {
                    return Vec::new();
                }
                let mut found = tree::members_below(std::process::id().cast_signed(), &self.job.id);
                if found.is_empty() {
                    // What forks its like and ends is gone before a list of all processes is read to its end.
                    found = tree::members_among(&reap::children().unwrap_or_default(), &self.job.id);
                }
                found
            }
            Main::Adopted { identity, .. } => tree::members_by_mark(&self.job.id, Some(*identity)),
        }
    }

    /// Whether the kernel says that nothing of the job is left: every process of it is a child of ours or below one,
    /// and of these nobody but us lets ended ones go. `None`: it does not say.
    fn is_empty(&self, main: &Main) -> Option<bool> {
        let Main::Child(identity) = main else { return None };
        let is_other = |pid: &i32| *pid == identity.pid || tree::lives_for_another_job(*pid, &self.job.id);
        Some(reap::has_ended(identity.pid) && reap::children()?.iter().all(is_other))
    }

    /// Lets ended orphans go. The main process stays, so that its pid cannot become another's while we signal.
    fn reap_orphans(&self, main: i32) {
        loop {
            match reap::peek() {
                Peek::Ended(pid) if pid != main => self.reap(pid),
                // The ended main process hides the others from this question: ask for each by name.
                Peek::Ended(_) => {
                    for pid in reap::children().unwrap_or_default() {
                        if pid != main && reap::has_ended(pid) {
                            self.reap(pid);
                        }
                    }
                    return;
                }
                Peek::Running | Peek::Childless => return,
            }
        }
    }

    fn reap(&self, pid: i32) {
        if let Some((_, usage)) = reap::reap(pid) {
            self.count(usage);
        }
    }

    fn count(&self, one: Usage) {
        let sum = self.usage.get();
        self.usage.set(Usage {
            memory_peak_kib: sum.memory_peak_kib.max(one.memory_peak_kib),
            cpu_user_ms: sum.cpu_user_ms + one.cpu_user_ms,
            cpu_system_ms: sum.cpu_system_ms + one.cpu_system_ms,
        });
    }

    /// Waits for something to happen. Gives whether somebody poked, and whether a child ended.
    fn wait(&self, main: &Main, limit: Option<Duration>) -> (bool, bool) {
        let mut fds = vec![PollFd::new(self.context.inbox, PollFlags::IN)];
        let mut limit = limit;
        match main {
            Main::Adopted { handle: Some(handle), identity } if identity.is_alive() => {
                add_handle(&mut fds, handle);
            }
            Main::Adopted { .. } => {
                limit = Some(limit.map_or(ADOPTED_INTERVAL, |limit| limit.min(ADOPTED_INTERVAL)));
            }
            Main::Child(_) => {}
        }
        let _ = poll_for(&mut fds, limit);
        let arrived = self.context.inbox.drain();
        if let (true, Main::Child(identity)) = (arrived.child, main) {
            self.reap_orphans(identity.pid);
        }
        (arrived.poke, arrived.child)
    }

    /// A sign of life. A full disk takes the sign, not the watcher.
    fn beat(&self) {
        let line = Line::Beat {
            at: self.context.clock.now(),
            monotonic_ms: milliseconds(self.context.clock.monotonic()),
        };
        let _ = self.record.append(&line);
    }

    fn write_meta(&self, outcome: &Outcome, log_from: u64, umask: Option<RawMode>, ending: Option<&Ending>) {
        let Ok(runs) = self.context.root.runs() else { return };
        let size = |name: &str| runs.open_file(name).ok().flatten().and_then(|file| file.metadata().ok());
        let log_to = size(&log_name(&self.job.id)).map_or(log_from, |data| data.len());
        let mut job = self.job.clone();
        if let Some(ending) = ending {
            job.change(&Change::Decide { ending: ending.clone() });
        }
        let facts = meta::Facts { host: &self.context.site.host, umask, log: log_from..log_to, outcome };
        if let Err(error) = meta::write(runs, &job, &facts) {
            let _ =
                self.record.append(&Line::Note { text: format!("could not write the snapshot: {error}") });
        }
    }

    /// The outcome goes to the record first: should this process die before the index has it, the next pass finds it.
    fn conclude(&self, outcome: Outcome, ending: Option<Ending>) -> (Outcome, Option<Ending>) {
        // An allocated block takes an append where a full disk takes no new file; if even that fails, this process
        // still holds outcome and lock, and goes on trying to commit.
        let _ = self.record.append(&Line::Outcome { outcome: outcome.clone() });
        (outcome, ending)
    }
}

/// How an adopted process ended, as far as the system tells a process that is not its parent.
fn adopted_status(main: &Main) -> Option<i32> {
    let Main::Adopted { identity, handle } = main else { return None };
    let zombie = identity.look().filter(|process| process.zombie).and_then(|process| process.wait_status);
    zombie.or_else(|| handle.as_ref().and_then(Handle::wait_status))
}

/// The usual end: the kernel lists the ended main process as our child, and no other.
fn is_last_child(main: &Main) -> bool {
    let Main::Child(identity) = main else { return false };
    reap::has_ended(identity.pid) && reap::children().is_some_and(|pids| pids == [identity.pid])
}

fn has_ended(main: &Main) -> bool {
    match main {
        Main::Child(identity) => reap::has_ended(identity.pid),
        Main::Adopted { identity, .. } => !identity.is_alive(),
    }
}

fn add_handle<'f>(fds: &mut Vec<PollFd<'f>>, handle: &'f Handle) {
    #[cfg(target_os = "linux")]
    fds.push(PollFd::new(handle, PollFlags::IN));
    #[cfg(not(target_os = "linux"))]
    let _ = (fds, handle);
}

/// A sign of life at least three times within the stale guard's limit.
fn beat_interval(stale_after_seconds: Option<u64>) -> Duration {
    let guard = stale_after_seconds.map_or(BEAT_INTERVAL, |seconds| Duration::from_secs(seconds) / 3);
    guard.clamp(Duration::from_millis(300), BEAT_INTERVAL)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
