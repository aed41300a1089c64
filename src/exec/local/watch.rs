//! Watching: the life of a watcher, from taking the record to knowing the outcome.

use super::family::{Family, Main};
use super::input;
use super::log::Log;
use super::pause::Pause;
use super::record::{Attempt, Line, Record};
use super::start::{self, NotStarted, Started};
use super::tree::Tree;
use super::{ExecError, failed, meta};
use crate::model::{
    claim::{ExecutorName, Relation, Site},
    event::Event,
    id::JobId,
    job::Job,
    limit::Seconds,
    outcome::{Ending, Exit, Outcome, Why},
    state::Change,
};
use crate::os::{
    clock::Clock,
    doorbell::wait_readable,
    memory,
    process::{Handle, Identity},
    reap::{self, Peek},
    signal::{Arrived, Inbox},
};
use crate::plan::expire::seconds_left;
use crate::store::{Store, root::Root};
use rustix::fs::RawMode;
use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Longest wait for a record that another watcher is about to leave.
const TAKE_MAX: Duration = Duration::from_secs(2);
/// How often a busy record is looked at meanwhile.
const TAKE_INTERVAL: Duration = Duration::from_millis(10);
/// How often a watcher gives a sign of life, and looks whether the index tells it to end the job: a poke may be lost
/// with the process that should have sent it.
const BEAT_INTERVAL: Duration = Duration::from_mins(1);

/// How long a watcher keeps what it knows of the index while its job runs, and the memory that it took to begin: what comes after a
/// short job is claimed from that.
const KEEP_MAX: Duration = Duration::from_secs(1);

/// How often a log that could not be opened is tried again.
const OPEN_INTERVAL: Duration = Duration::from_secs(1);

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
    if super::has_lost_its_record(context.root.runs()?, id, Some(&record))? {
        return Ok(None);
    }
    let Some(claimed) = claimed_job(context, id)? else { return Ok(None) };
    let before = |execution| {
        if record.was_empty() {
            return Ok(Attempt { number: execution, ..Attempt::default() });
        }
        record.attempt(execution).map_err(|error| failed("read the record", id, error))
    };
    let attempt = before(claimed.execution())?;
    let is_copied = super::is_copied(&attempt, &record, context.site)
        .map_err(|error| failed("look at the record", id, error))?;
    if is_copied || super::is_held_elsewhere(&attempt, context.site) {
        return Ok(None);
    }
    // Before anybody can see that there is a watcher again: who waits for that may then let go of the pipe.
    let pipe = input::reopen(context.root.runs()?, &claimed);
    let append = |line: &Line| record.append(line).map_err(|error| failed("write the record", id, error));
    // Written before the index is read: whoever commits an intent from now on finds whom to poke, and whoever
    // committed one before is read.
    append(&Line::Watcher {
        attempt: claimed.execution(),
        identity: Identity::own().map_err(|error| failed("find the watcher", id, error))?,
        boot: context.site.boot.clone(),
        at: context.clock.now(),
        monotonic_ms: milliseconds(context.clock.monotonic()),
        file: Some(record.place().map_err(|error| failed("look at the record", id, error))?),
    })?;
    let Some(job) = claimed_job(context, id)?.filter(|job| job.execution() == claimed.execution()) else {
        return Ok(None);
    };
    note_entry(&record, &job);
    let history = before(job.execution())?;
    let watch = Watch::new(context, &record, job);
    watch.pipe.replace(pipe);
    let (outcome, ending) = watch.to_the_end(&history)?;
    let attempt = watch.job.execution();
    Ok(Some(Watched { outcome, ending, record, attempt }))
}

/// Ends the leftovers of a job that were left running, because it was told to end before that stood in the index: what
/// is cancelled has no process left.
pub fn end_left<C: Clock>(
    context: &Context<'_, C>,
    id: &JobId,
    watched: &mut Watched,
) -> Result<(), ExecError> {
    let Some(job) = claimed_job(context, id)? else { return Ok(()) };
    let Some(ending) = job.run().and_then(|run| run.ending.clone()) else { return Ok(()) };
    let attempt =
        watched.record.attempt(watched.attempt).map_err(|error| failed("read the record", id, error))?;
    let main = match attempt.process {
        Some(identity) if !watched.outcome.best_effort => Main::Child(identity),
        identity => Main::Adopted { identity, handle: None },
    };
    let _ = reap::adopt_orphans(true);
    let watch = Watch::new(context, &watched.record, job);
    watch.end(&watch.family(main)?, Turn::Told(ending.clone()));
    let _ = reap::adopt_orphans(false);
    watch.close_log(false);
    let outcome = Outcome { leftovers_left: false, ..watched.outcome.clone() };
    (watched.outcome, watched.ending) = watch.conclude(outcome, Some(ending));
    Ok(())
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

/// Writes down what the index says of the job, so that it can be made anew should it be lost. A disk that takes no line is no
/// reason not to watch.
fn note_entry(record: &Record, job: &Job) {
    let _ = record.append(&Line::Entry { entry: Box::new(job.clone()) });
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
pub(super) enum Turn {
    /// The main process ended by itself.
    Ended,
    /// The job is to be ended.
    Told(Ending),
}

/// One watcher at work on one attempt.
pub(super) struct Watch<'a, C> {
    pub(super) context: &'a Context<'a, C>,
    pub(super) record: &'a Record,
    pub(super) job: Job,
    /// The job as the index had it last: its limits may change.
    current: RefCell<Job>,
    /// Whether processes of it may still stand still because it is paused.
    pub(super) held: Cell<bool>,
    /// The end of the job's pipe that keeps it open.
    pipe: RefCell<Option<OwnedFd>>,
    let_go_of_input: Cell<bool>,
    log: RefCell<Option<Log<'a>>>,
    next_open: Cell<Duration>,
    log_fault: RefCell<String>,
}

impl<'a, C: Clock> Watch<'a, C> {
    fn new(context: &'a Context<'a, C>, record: &'a Record, job: Job) -> Self {
        Self {
            context,
            record,
            current: RefCell::new(job.clone()),
            job,
            held: Cell::default(),
            pipe: RefCell::default(),
            let_go_of_input: Cell::default(),
            log: RefCell::default(),
            next_open: Cell::default(),
            log_fault: RefCell::default(),
        }
    }

    fn to_the_end(&self, history: &Attempt) -> Result<(Outcome, Option<Ending>), ExecError> {
        if let Some(outcome) = &history.outcome {
            return Ok((outcome.clone(), history.ending.clone()));
        }
        if history.started {
            return self.adopt(history);
        }
        if let Some(ending) = self.job.run().and_then(|run| run.ending.clone()) {
            let exit = Exit::NotStarted { reason: "it was told to end before it began".to_owned(), code: 1 };
            return Ok(self.conclude(Outcome::bare(exit, self.context.clock.now()), Some(ending)));
        }
        self.start()
    }

    fn family(&self, main: Main) -> Result<Family<'_>, ExecError> {
        let tree = Tree { id: Some(&self.job.id), runs: self.context.root.runs()? };
        Ok(Family::new(main, tree, self.context.inbox))
    }

    /// The usual case: the job starts here, as our child.
    fn start(&self) -> Result<(Outcome, Option<Ending>), ExecError> {
        reap::adopt_orphans(true).map_err(|error| failed("adopt the orphans", &self.job.id, error))?;
        let started = start::start(self.context.root, self.record, &self.job, self.context.clock);
        let result = match started {
            Ok(started) => self.supervise(started),
            Err(NotStarted { pid, exit }) => {
                if let Some(pid) = pid {
                    self.let_go(pid);
                }
                Ok(self.conclude(Outcome::bare(exit, self.context.clock.now()), None))
            }
        };
        let _ = reap::adopt_orphans(false);
        result
    }

    /// Waits for a process that is about to leave, and lets it go.
    fn let_go(&self, pid: i32) {
        while !reap::has_ended(pid) && reap::peek() != Peek::Childless {
            let _ = wait_readable(self.context.inbox, Some(TAKE_MAX));
            self.context.inbox.drain();
        }
        reap::reap(pid);
    }

    fn supervise(&self, mut started: Started) -> Result<(Outcome, Option<Ending>), ExecError> {
        self.pipe.replace(started.pipe.take());
        let family = self.family(Main::Child(started.identity))?;
        let turn = self.wait_for_turn(&family, self.context.clock.monotonic(), &Attempt::default());
        let ended = self.end(&family, turn);
        let exit = family.let_main_go().map_or_else(
            || Exit::Unknown { reason: "the system did not say how it ended".to_owned() },
            reap::exit_of,
        );
        let outcome = Outcome {
            exit,
            at: self.context.clock.now(),
            usage: Some(family.usage.get()),
            leftovers: ended.leftovers,
            leftovers_left: ended.left,
            best_effort: false,
            notes: started.notes,
        };
        let (outcome, ending) = self.conclude(outcome, ended.ending);
        self.write_meta(&outcome, started.log_from, Some(started.umask), ending.as_ref());
        Ok((outcome, ending))
    }

    /// The job's watcher died, the job may live: this one goes on, as nobody's parent.
    fn adopt(&self, history: &Attempt) -> Result<(Outcome, Option<Ending>), ExecError> {
        let handle = history.process.and_then(|identity| Handle::open(identity).ok().flatten());
        let family = self.family(Main::Adopted { identity: history.process, handle })?;
        let began = history
            .started_monotonic_ms
            .map_or_else(|| self.context.clock.monotonic(), Duration::from_millis);
        // The index may have sharpened what the record says.
        let told = self.job.run().and_then(|run| run.ending.clone()).or_else(|| history.ending.clone());
        let turn = match told {
            Some(ending) => Turn::Told(ending),
            None => self.wait_for_turn(&family, began, history),
        };
        // Whoever is the parent of the main process may let it go while its leftovers are ended.
        let status = family.adopted_status();
        let ended = self.end(&family, turn);
        let exit = status.or_else(|| family.let_main_go()).map_or_else(
            || Exit::Unknown { reason: "its watcher had died, and nobody saw its end".to_owned() },
            reap::exit_of,
        );
        let outcome = Outcome {
            leftovers: ended.leftovers,
            leftovers_left: ended.left,
            best_effort: true,
            ..Outcome::bare(exit, self.context.clock.now())
        };
        let (outcome, ending) = self.conclude(outcome, ended.ending);
        self.write_meta(&outcome, history.log_from, None, ending.as_ref());
        Ok((outcome, ending))
    }

    /// Waits until the main process ends or is to be ended.
    fn wait_for_turn(&self, family: &Family<'_>, began: Duration, history: &Attempt) -> Turn {
        let clock = self.context.clock;
        let mut job = self.job.clone();
        self.follow_input(&job);
        let mut pause = Pause::of(history);
        let mut last_beat = clock.monotonic();
        let mut arrived = Arrived::default();
        let mut give_back_at = Some(clock.monotonic() + KEEP_MAX);
        while !family.main_has_ended() {
            let now = clock.monotonic();
            pause.follow(job.paused_at().is_some(), arrived.child, family, self.record, now);
            self.look_at_log();
            // What is to stand still has time, also while it cannot be stopped as a whole.
            let limit = job.spec.limits.timeout.seconds.filter(|_| job.paused_at().is_none());
            let deadline = limit.map(|limit| began + Duration::from_secs(limit) + pause.stood(now));
            let next_beat = last_beat + beat_interval(&job);
            if self.context.root.has_kept() {
                // A look at the index since has kept it again.
                give_back_at.get_or_insert(now);
            }
            let wake = [deadline, give_back_at, pause.next_look(), self.next_look()]
                .into_iter()
                .flatten()
                .fold(next_beat, Duration::min);
            arrived = family.wait(wake.saturating_sub(clock.monotonic()));
            let now = clock.monotonic();
            if give_back_at.take_if(|at| now >= *at).is_some() {
                self.context.root.let_go_of_kept();
                memory::give_back();
            }
            let over = deadline.is_some_and(|deadline| now >= deadline);
            let beat = now >= next_beat;
            if beat {
                self.beat();
                last_beat = now;
            }
            if !(arrived.poke || beat || over) {
                continue;
            }
            // The index as it is now decides: somebody may have changed the limits, or told the job to end. Where it
            // cannot be read, what was last known holds.
            if let Ok(Some(current)) = claimed_job(self.context, &job.id)
                && current.execution() == job.execution()
            {
                if let Some(ending) = current.run().and_then(|run| run.ending.clone()) {
                    return if family.main_has_ended() { Turn::Ended } else { Turn::Told(ending) };
                }
                self.follow_input(&current);
                if current != job {
                    note_entry(self.record, &current);
                }
                self.current.replace(current.clone());
                job = current;
            }
            let ran_seconds = now.saturating_sub(began + pause.stood(now)).as_secs();
            let is_over = over && seconds_left(&job.spec.limits, ran_seconds) == Some(0);
            if is_over && job.paused_at().is_none() && !family.main_has_ended() {
                return Turn::Told(self.commit_timeout());
            }
        }
        self.held.set(pause.holds());
        Turn::Ended
    }

    /// Lets go of the job's pipe once nothing more is to come through it, and says so.
    fn follow_input(&self, job: &Job) {
        if input::is_closed(job) && !self.let_go_of_input.replace(true) {
            self.pipe.take();
            let _ = self.record.append(&Line::InputClosed);
        }
    }

    /// Keeps the log within its limit. What stands in the way is written down once.
    pub(super) fn look_at_log(&self) {
        let now = self.context.clock.monotonic();
        let bytes_max = self.current.borrow().spec.limits.log.bytes;
        if self.log.borrow().is_none() && (bytes_max.is_none() || now < self.next_open.get()) {
            return;
        }
        let looked = || -> io::Result<()> {
            let mut log = self.log.borrow_mut();
            if log.is_none() {
                self.next_open.set(now + OPEN_INTERVAL);
                *log = Some(Log::open(self.context.root.runs().map_err(io::Error::other)?, &self.job.id)?);
            }
            log.as_mut().map_or(Ok(()), |log| log.look(bytes_max, now))
        };
        self.note_fault(looked());
    }

    fn note_fault(&self, result: io::Result<()>) {
        let Err(error) = result else { return };
        let text = format!("could not keep the log within its limit: {error}");
        if self.log_fault.replace(text.clone()) != text {
            let _ = self.record.append(&Line::Note { text });
        }
    }

    /// When the log wants to be looked at next.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let bounded = self.current.borrow().spec.limits.log.bytes.is_some();
        match self.log.borrow().as_ref() {
            Some(log) => log.next_look(),
            None => bounded.then(|| self.next_open.get()),
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

    /// The intent to end the job as the index has it now.
    pub(super) fn standing_intent(&self) -> Option<Ending> {
        let job = claimed_job(self.context, &self.job.id).ok().flatten();
        job.and_then(|job| job.run().and_then(|run| run.ending.clone()))
    }

    /// The time to end as the index has it now; where it cannot be read, what was last known holds.
    pub(super) fn grace(&self) -> Seconds {
        let job = claimed_job(self.context, &self.job.id).ok().flatten();
        job.as_ref().unwrap_or(&self.job).spec.limits.grace.seconds
    }

    /// A sign of life. A full disk takes the line; then the record's time of change is the sign.
    pub(super) fn beat(&self) {
        let line = Line::Beat {
            at: self.context.clock.now(),
            monotonic_ms: milliseconds(self.context.clock.monotonic()),
        };
        if self.record.append(&line).is_err() {
            let _ = self.record.touch();
        }
    }

    /// Once nobody writes to it any more, the log becomes an ordinary file. Gives how much was written to it.
    fn close_log(&self, others_write: bool) -> Option<u64> {
        self.look_at_log();
        let mut log = self.log.borrow_mut();
        if log.is_none() {
            *log = Log::open(self.context.root.runs().ok()?, &self.job.id).ok();
        }
        let log = log.as_mut()?;
        if !others_write {
            let mut bytes_max = self.current.borrow().spec.limits.log.bytes;
            // Nothing goes by a limit that was lifted a moment ago.
            if log.is_beyond(bytes_max).unwrap_or(false)
                && let Ok(Some(job)) = claimed_job(self.context, &self.job.id)
            {
                bytes_max = job.spec.limits.log.bytes;
            }
            self.note_fault(log.finish(bytes_max));
        }
        log.written().ok()
    }

    fn write_meta(&self, outcome: &Outcome, log_from: u64, umask: Option<RawMode>, ending: Option<&Ending>) {
        let Ok(runs) = self.context.root.runs() else { return };
        let log_to = self.close_log(outcome.leftovers_left).unwrap_or(log_from);
        let mut job = self.current.borrow().clone();
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
        // What was left running sees the end of its input.
        self.pipe.take();
        if let Ok(runs) = self.context.root.runs() {
            input::remove(runs, &self.job);
        }
        // An allocated block takes an append where a full disk takes no new file; if even that fails, this process
        // still holds outcome and lock, and goes on trying to commit.
        let _ = self.record.append(&Line::Outcome { outcome: outcome.clone() });
        (outcome, ending)
    }
}

/// A sign of life at least three times within the stale guard's limit.
fn beat_interval(job: &Job) -> Duration {
    let limit = job.spec.limits.stale_after.seconds;
    let guard = limit.map_or(BEAT_INTERVAL, |seconds| Duration::from_secs(seconds) / 3);
    guard.clamp(Duration::from_millis(300), BEAT_INTERVAL)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
