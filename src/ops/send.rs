//! Sending: text into the pipe that a running job reads, and its end.
//!
//! The text is written here and not by the watcher, which never waits for its job. The pipe is opened first and the index
//! read once more afterwards: while this end is open, the job sees no end of its input, so that nothing comes behind one.

use super::{
    cancel::elsewhere,
    fault::{Code, Fault},
    find::{find_to_change, home_of},
    home::Home,
};
use crate::exec::{
    Executor,
    local::{input, record::Record},
};
use crate::model::{
    event::{Applied, Event},
    id::JobId,
    job::Job,
    limit::format_seconds,
    spec::Input,
    state::{Change, Status},
};
use crate::os::{clock::Clock, doorbell::poll_for, process::Identity, session};
use crate::pass::Decided;
use crate::plan::{Scope, census::Sighting};
use crate::store::Store;
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long is waited for the job to make room, or to begin to run, unless something else is asked.
pub const WITHIN_SECONDS: u64 = 10;
/// How often the job is looked at while it is about to run, or its watcher about to let go of the pipe.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Longest wait for the watcher to let go of the pipe, and for another where it had died.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// A watcher that has not made the pipe for so long may not be there: a pass is made.
const STARTS_WITHIN: Duration = Duration::from_secs(1);
/// How long after its files a process that ends is gone.
const ENDS_WITHIN: Duration = Duration::from_millis(200);
/// Bytes of our own input that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The job.
    pub job: String,
    /// What is written.
    pub text: Option<Text>,
    /// Whether nothing more comes after it.
    pub eof: bool,
    /// How long is waited at a time for the job to make room, seconds.
    pub within_seconds: u64,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// These bytes.
    Given(Vec<u8>),
    /// Our own standard input, to its end.
    OwnInput,
}

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    /// To which job.
    pub id: JobId,
    /// How much was written.
    pub bytes: u64,
    /// What became of its input.
    pub input: InputState,
    /// What was decided, for those who want to see it, with what the user should be told.
    pub decided: Decided,
}

/// Whether more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputState {
    /// It can.
    Open,
    /// It cannot: the job sees the end.
    Closed,
    /// It cannot; but the watcher still keeps the pipe open.
    Closing,
}

/// Sends.
pub fn send(request: &Request) -> Result<Sent, Fault> {
    let home = home_of(std::slice::from_ref(&request.job))?;
    let session = session::terminal();
    let id = find_to_change(&*home.store().read()?, &request.job, session.as_deref())?;
    let mut decided = Decided { warnings: home.warnings.clone(), ..Decided::default() };
    let mut bytes = 0;
    if let Some(text) = &request.text {
        let within = Duration::from_secs(request.within_seconds);
        bytes = Sending { home: &home, id: &id, within, written: 0 }.send(text)?;
    }
    let input = if request.eof { close(&home, &id, &mut decided)? } else { InputState::Open };
    Ok(Sent { id, bytes, input, decided })
}

/// The job, if something can be sent to it: it runs here, and reads a pipe.
fn receiver(home: &Home, id: &JobId) -> Result<Job, Fault> {
    let Some(job) = home.store().read()?.job(id)? else {
        return Err(Fault::new(Code::NotFound, format!("{id} is no longer there")));
    };
    if let Some(fault) = unfit(home, &job) { Err(fault) } else { Ok(job) }
}

/// Why nothing can be sent to a job.
fn unfit(home: &Home, job: &Job) -> Option<Fault> {
    let id = &job.id;
    let wrong = |message: String| Fault::new(Code::WrongState, message);
    if job.end().is_some() {
        return Some(wrong(format!("{id} has ended ({}), and reads nothing more", job.status())));
    }
    if job.spec.stdin != Input::Pipe {
        let fault = wrong(format!("{id} was started without a pipe, so that nothing can be sent to it"));
        return Some(
            fault.hint("a job that takes input is started with bgctl start --stdin pipe -- COMMAND"),
        );
    }
    match job.status() {
        Status::Queued => {
            let fault =
                wrong(format!("{id} is queued and does not run yet, so that nothing can be sent to it"));
            Some(fault.hint(format!("bgctl status {id} says why it waits")))
        }
        Status::WaitingApproval => Some(wrong(format!("{id} waits for approval; nothing of it runs"))),
        _ => elsewhere(home, job).map(|host| {
            let fault = Fault::new(Code::Failed, format!("{id} runs on {host}, and takes input only there"));
            fault.hint("call bgctl send on that machine")
        }),
    }
}

/// One text on its way.
struct Sending<'a> {
    home: &'a Home,
    id: &'a JobId,
    within: Duration,
    written: u64,
}

impl Sending<'_> {
    /// Sends it whole, or says how much of it was written. Gives how much that is.
    fn send(mut self, text: &Text) -> Result<u64, Fault> {
        let pipe = self.open()?;
        let sent = match text {
            Text::Given(bytes) => self.write(&pipe, bytes, Some(bytes.len())),
            Text::OwnInput => self.copy(&pipe),
        };
        self.see_to_a_watcher()?;
        sent.map(|()| self.written)
    }

    /// Opens the pipe; waits for a job that is about to run.
    fn open(&self) -> Result<OwnedFd, Fault> {
        let began = Instant::now();
        let mut looked_after = false;
        loop {
            let job = receiver(self.home, self.id)?;
            if input::is_closed(&job) {
                let message =
                    format!("the input of {} was closed, so that nothing more can be sent", self.id);
                return Err(Fault::new(Code::WrongState, message));
            }
            let pipe =
                self.home.root.existing_runs()?.map_or(Ok(None), |runs| input::open_to_write(runs, self.id));
            match pipe {
                // Since the pipe is open the job cannot see its end: if nobody had closed it by now, nobody has before.
                Ok(Some(pipe)) => {
                    let now = receiver(self.home, self.id)?;
                    if now.execution() == job.execution() && !input::is_closed(&now) {
                        return Ok(pipe);
                    }
                    continue;
                }
                Ok(None) => {}
                // It may be the pipe of an attempt that is just being made ready, or judged.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    if self.has_started(&job)? {
                        return Err(self.nobody_reads());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if began.elapsed() >= self.within {
                let message = format!("{} has made no pipe yet, so that nothing was sent", self.id);
                return Err(Fault::new(Code::NotNow, message).hint("try again, or wait longer with --within"));
            }
            if began.elapsed() >= STARTS_WITHIN && !looked_after {
                looked_after = true;
                self.look_after()?;
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    }

    /// Whether the command of the present attempt was executed.
    fn has_started(&self, job: &Job) -> Result<bool, Fault> {
        let Some(runs) = self.home.root.existing_runs()? else { return Ok(false) };
        let Some(record) = Record::open(runs, self.id)? else { return Ok(false) };
        Ok(record.attempt(job.execution())?.started)
    }

    /// Copies our own input, as it comes. The job's end ends the wait for more.
    fn copy(&mut self, pipe: &OwnedFd) -> Result<(), Fault> {
        let own = io::stdin();
        let mut buffer = vec![0_u8; CHUNK_BYTES];
        loop {
            // Asked for nothing, the pipe still tells that nobody reads it (`poll(2)`, POLLERR).
            let mut fds = [PollFd::new(&own, PollFlags::IN), PollFd::new(pipe, PollFlags::empty())];
            poll_for(&mut fds, None)?;
            if !fds[1].revents().is_empty() {
                return Err(self.nobody_reads());
            }
            if fds[0].revents().is_empty() {
                continue;
            }
            match rustix::io::read(own.as_fd(), &mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.write(pipe, &buffer[..count], None)?,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(error) => {
                    let error = Fault::from(io::Error::from(error));
                    let message = format!("could not read standard input: {error}; {}", self.so_far(None));
                    return Err(Fault::new(Code::Failed, message));
                }
            }
        }
    }

    /// Writes bytes; waits for room as long as there is some within the bound. At most `PIPE_BUF` of them are whole or not
    /// there (`pipe(7)`).
    fn write(&mut self, pipe: &OwnedFd, mut bytes: &[u8], of: Option<usize>) -> Result<(), Fault> {
        let mut deadline = Instant::now() + self.within;
        while !bytes.is_empty() {
            match rustix::io::write(pipe, bytes) {
                Ok(count) => {
                    self.written += count as u64;
                    bytes = &bytes[count..];
                    deadline = Instant::now() + self.within;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(self.full(of));
                    }
                    let mut fds = [PollFd::new(pipe, PollFlags::OUT)];
                    poll_for(&mut fds, Some(left))?;
                    if fds[0].revents() == PollFlags::OUT {
                        // Some room is not always enough for what is to be whole.
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                Err(rustix::io::Errno::PIPE) => return Err(self.nobody_reads()),
                Err(error) => {
                    let error = Fault::from(io::Error::from(error));
                    let message = format!("could not write to {}: {error}; {}", self.id, self.so_far(of));
                    return Err(Fault::new(Code::Failed, message));
                }
            }
        }
        Ok(())
    }

    fn so_far(&self, of: Option<usize>) -> String {
        match of {
            Some(all) => format!("{} of {all} bytes were sent", self.written),
            None => format!("{} bytes were sent", self.written),
        }
    }

    fn full(&self, of: Option<usize>) -> Fault {
        let id = self.id;
        let how_long = format_seconds(self.within.as_secs());
        let message =
            format!("the pipe of {id} is full, and it read nothing for {how_long}; {}", self.so_far(of));
        let is_paused = receiver(self.home, id).is_ok_and(|job| job.paused_at().is_some());
        Fault::new(Code::NotNow, message).hint(if is_paused {
            format!("it is paused: bgctl resume {id}")
        } else {
            "send the rest later, or wait longer with --within".to_owned()
        })
    }

    /// Nobody has the pipe open to read: the job has ended, or closed its input.
    fn nobody_reads(&self) -> Fault {
        let id = self.id;
        let job = self.home.store().read().ok().and_then(|facts| facts.job(id).ok().flatten());
        let so_far = match self.written {
            0 => "nothing was sent".to_owned(),
            _ => format!("only {}, and it may not have read all of them", self.so_far(None)),
        };
        if job.is_none_or(|job| self.has_left(&job)) {
            return Fault::new(Code::WrongState, format!("{id} has ended, and reads nothing more; {so_far}"));
        }
        let message = format!("{id} runs, but has closed its input; {so_far}");
        Fault::new(Code::Failed, message)
    }

    /// Whether the job's main process is gone, which the index may not know yet. A process that ends closes its files
    /// before it counts as ended.
    fn has_left(&self, job: &Job) -> bool {
        let main = || -> Option<Identity> {
            let runs = self.home.root.existing_runs().ok()??;
            Record::open(runs, self.id).ok()??.attempt(job.execution()).ok()?.process
        };
        let Some(main) = main().filter(|_| job.run().is_some()) else { return true };
        let deadline = Instant::now() + ENDS_WITHIN;
        while main.is_alive() && Instant::now() < deadline {
            std::thread::sleep(LOOK_INTERVAL);
        }
        !main.is_alive()
    }

    /// A job whose watcher died would see the end of its input once this process lets go of the pipe: it gets another
    /// watcher first, which keeps it open.
    fn see_to_a_watcher(&self) -> Result<(), Fault> {
        let local = self.home.local();
        let lost = |job: &Job| local.look(job).is_ok_and(|sighting| matches!(sighting, Sighting::Orphaned));
        if receiver(self.home, self.id).is_ok_and(|job| lost(&job)) {
            self.look_after()?;
            let deadline = Instant::now() + SETTLE_MAX;
            while !local.poke(self.id).unwrap_or(true) && Instant::now() < deadline {
                std::thread::sleep(LOOK_INTERVAL);
            }
        }
        Ok(())
    }

    fn look_after(&self) -> Result<(), Fault> {
        look_after(self.home).map(drop)
    }
}

fn look_after(home: &Home) -> Result<Decided, Fault> {
    let store = home.store();
    let executor = home.local();
    Ok(home.pass(&store, &executor).advance(Scope::Whole, &mut |_| Ok(()))?)
}

/// Commits that nothing more comes, and waits until the watcher has let go of the pipe.
fn close(home: &Home, id: &JobId, decided: &mut Decided) -> Result<InputState, Fault> {
    let now = home.clock.now();
    let mut told = Ok(());
    let commit = home.store().transact(now, &mut |draft| {
        told = Ok(());
        let Some(job) = draft.facts().job(id)? else { return Ok(()) };
        if let Some(fault) = unfit(home, &job) {
            told = Err(fault);
        } else if let Applied::Refused(why) =
            draft.push(Event::Changed { id: id.clone(), change: Change::CloseInput { at: now } })?
        {
            told = Err(Fault::new(Code::WrongState, format!("the input of {id} cannot be closed: {why}")));
        }
        Ok(())
    })?;
    decided.events.extend(commit.events);
    decided.warnings.extend(commit.warning);
    told?;
    // It stands: from here on, whatever goes wrong is a warning.
    let poked = home.local().poke(id).map_err(Fault::from);
    let looked_after = match poked {
        Ok(true) => Ok(Vec::new()),
        // Its watcher died, and its end of the pipe with it; the next one keeps none.
        Ok(false) => look_after(home).map(|decided| decided.warnings),
        Err(fault) => Err(fault),
    };
    decided.warnings.extend(looked_after.unwrap_or_else(|fault| vec![fault.message]));
    let deadline = Instant::now() + SETTLE_MAX;
    while Instant::now() < deadline {
        let job = home.store().read()?.job(id)?;
        let Some(job) = job.filter(|job| job.run().is_some()) else { return Ok(InputState::Closed) };
        let record = home.root.existing_runs()?.map_or(Ok(None), |runs| Record::open(runs, id))?;
        if record
            .map_or(Ok(false), |record| record.attempt(job.execution()).map(|attempt| attempt.input_closed))?
        {
            return Ok(InputState::Closed);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(InputState::Closing)
}
