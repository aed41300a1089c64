//! Processes are stopped at random and go on later: nothing happens twice, nothing is lost, nobody is told an untruth.

use super::{
    draws::Draws,
    history::{self, History},
    ours, rest,
    turmoil::{ASKED, Disturber, Turmoil},
    witness::Witness,
};
use crate::proof::{self, Proof};
use crate::support::{User, ended, is_alive, kill, until};
use rustix::process::Signal;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// So many stand still at once at the most.
const STOPPED_MAX: usize = 6;
/// After so many further events they go on, or after so many milliseconds: while who holds the lock stands still, no event
/// comes.
const EVENTS_MAX: usize = 60;
const STOP_MS_MAX: usize = 1_500;
const HOLDER_STOP_MS_MAX: usize = 400;
/// So many starts are tried until one is met while it holds the lock.
const STARTS_MAX: usize = 200;
/// Longest pause between two stops, in milliseconds.
const PAUSE_MS_MAX: usize = 30;

#[test]
fn whoever_stands_still_for_a_while_nothing_happens_twice_and_nothing_is_lost() {
    let jobs = proof::cases(120, 1000);
    let seed = proof::seed();
    let user = User::new();
    let turmoil = Turmoil::new(&user, seed, jobs);
    turmoil.rage(&mut Stopper::default());
    let mut told = turmoil.into_told();
    let mut complaints = std::mem::take(&mut told.complaints);
    complaints.extend(told.unreached());
    complaints.extend(rest::settles(&user));
    let witness = Witness::of(&user);
    complaints.extend(told.against(&user, &witness));
    let history = History::parse(&history::told(&user), &ASKED);
    complaints.extend(history.complaints().iter().cloned());
    complaints.extend(history.differs(&user.index()));
    if history.missing > 0 {
        complaints.push(format!(
            "{} events are missing: the order and the slots were not looked at",
            history.missing
        ));
    }
    let at_once = (history.most_at_once, witness.most_at_once());
    if at_once != (ASKED.slots, ASKED.slots) {
        complaints.push(format!("so many ran at once by the events, and by the jobs: {at_once:?}"));
    }
    complaints.extend(rest::goes_on(&user, &ASKED));
    complaints.extend(rest::files(&user));
    let refused = told.submissions.iter().filter(|one| one.code == 75).count();
    Proof {
        name: "stop.random",
        cases: history.courses.len(),
        failures: complaints.len(),
        remark: format!(
            "seed {seed}; {} stops, {} of them of whoever held the lock and {} of watchers; {refused} of {} submissions gave up on the lock and said so",
            told.hits,
            told.holders_hit,
            told.watchers_hit,
            told.submissions.len(),
        ),
    }
    .tell();
    assert!(complaints.is_empty(), "seed {seed}; {}", rest::shown(&complaints));
}

#[test]
fn who_meets_a_holder_of_the_lock_that_stands_still_names_it_gives_up_and_leaves_nothing() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[store]\nlock_timeout = 1\n").unwrap();
    let first = user.start(["--", "true"]);
    assert_eq!(user.wait(&first), 0);
    // A start holds the lock for some milliseconds: one of many is met.
    let met = (0..STARTS_MAX).find_map(|_| {
        let mut start = user.bgctl(["start", "--", "true"]);
        let mut start = start.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(start.id()).unwrap();
        while start.try_wait().unwrap().is_none() && ours::lock_holder(&user) != Some(pid) {}
        kill(pid, Signal::STOP);
        until("it stands still or has left", || is_stopped(pid) || !is_alive(pid));
        if ours::lock_holder(&user) == Some(pid) {
            return Some(start);
        }
        kill(pid, Signal::CONT);
        ended(&mut start);
        None
    });
    let mut held = met.expect(ours::NEVER_A_HOLDER);
    let pid = i32::try_from(held.id()).unwrap();
    let jobs = || user.index()["jobs"].as_array().unwrap().len();
    let before = jobs();
    let ran = user.run(["start", "--name", "late", "--", "true"]);
    assert_eq!((ran.code, ran.out.as_str()), (75, ""), "{}", ran.err);
    assert!(ran.err.contains(&format!("has been locked for 1 s by process {pid} (bgctl)")), "{}", ran.err);
    // Whoever only looks is not held up.
    assert_eq!((user.run(["list", "--all", "--json"]).code, jobs()), (0, before));
    kill(pid, Signal::CONT);
    assert_eq!(ended(&mut held), 0);
    let mut id = String::new();
    std::io::Read::read_to_string(held.stdout.as_mut().unwrap(), &mut id).unwrap();
    assert_eq!(user.wait(id.trim_end()), 0);
    let index = user.index();
    assert!(!index["jobs"].as_array().unwrap().iter().any(|job| job["name"] == "late"), "{index}");
    user.all_gone();
}

/// Who stops somebody of the program's processes, and lets them go on later.
#[derive(Default)]
struct Stopper {
    stopped: Vec<Stopped>,
}

/// A process that stands still.
struct Stopped {
    pid: i32,
    since: Instant,
    longest: Duration,
    /// How many events there are when it goes on.
    until: usize,
}

impl Disturber for Stopper {
    fn disturb(&mut self, turmoil: &Turmoil<'_>, draws: &mut Draws) {
        if self.stopped.len() < STOPPED_MAX {
            self.stopped.extend(stop_one(turmoil, draws));
        }
        std::thread::sleep(Duration::from_millis(draws.below(PAUSE_MS_MAX) as u64));
        let now = events(turmoil.user);
        self.go_on(|one| now >= one.until || one.since.elapsed() >= one.longest);
    }

    fn leave(&mut self, _: &Turmoil<'_>) {
        self.go_on(|_| true);
    }
}

impl Stopper {
    fn go_on(&mut self, goes_on: impl Fn(&Stopped) -> bool) {
        for one in self.stopped.extract_if(.., |one| goes_on(one)) {
            kill(one.pid, Signal::CONT);
        }
    }
}

fn stop_one(turmoil: &Turmoil<'_>, draws: &mut Draws) -> Option<Stopped> {
    let user = turmoil.user;
    let pid = ours::victim(user, draws, ours::ours)?;
    kill(pid, Signal::STOP);
    let holds = ours::lock_holder(user) == Some(pid);
    turmoil.told().hits(pid, holds);
    let longest = draws.below(if holds { HOLDER_STOP_MS_MAX } else { STOP_MS_MAX });
    let until = events(user) + draws.below(EVENTS_MAX);
    Some(Stopped { pid, since: Instant::now(), longest: Duration::from_millis(longest as u64), until })
}

/// How many events were told.
fn events(user: &User) -> usize {
    let text = std::fs::read(user.root().join("events.jsonl")).unwrap_or_default();
    text.split(|byte| *byte == b'\n').count()
}

/// Whether a process stands still.
fn is_stopped(pid: i32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit(") ").next().is_some_and(|fields| fields.starts_with('T'))
}
