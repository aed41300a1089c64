//! A minute of everybody at once, whom nobody disturbs.

use super::{
    draws::Draws,
    history::{Asked, CHAINED, Course, History, has_ended},
    rest,
    witness::{self, Witness},
};
use crate::proof::{self, Proof};
use crate::support::{Ran, User, ended, kill, pids, until};
use bgctl::store::{lock::locked, root::Root};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, Ordering},
};
use std::time::{Duration, Instant};

/// How many of each there are.
const SUBMITTERS: usize = 64;
const CANCELLERS: usize = 8;
const PRUNERS: usize = 4;
const TICKERS: usize = 4;
const WAITERS: usize = 8;
const LISTERS: usize = 2;
/// Competitors for the lock that do nothing with it, and say how long they waited.
const SAMPLERS: usize = 2;

const ASKED: Asked = Asked { slots: 3 };
/// No wait for the lock is to be longer, on a machine on which nothing else runs: held against it with `BG_TEST_LOCK_WAIT=1`.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait of the waiters, which must never come to its end.
const WITHIN: &str = "300";

#[test]
fn of_many_that_submit_cancel_prune_tick_wait_and_list_none_sees_or_leaves_anything_wrong() {
    // Here a case is a second.
    let seconds = proof::cases(12, 60);
    let seed = proof::seed();
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), format!("[queue]\nmax_concurrent = {}\n", ASKED.slots))
        .unwrap();
    witness::install(&user, ASKED.slots);
    let first = user.start(["--name", "normal", "--", "sh", "job.sh", "0", "0"]);
    let mut follower = follow(&user);
    let told = Mutex::new(Told { printed: vec![first], ..Told::default() });
    let crowd = Crowd { user: &user, seed, is_over: AtomicBool::new(false), told };
    crowd.quarrel(Duration::from_secs(seconds as u64));
    let mut told = crowd.told.into_inner().unwrap();

    told.complaints.extend(rest::settles(&user));
    let text = followed(&user, &mut follower);
    let history = History::parse(&text, &ASKED);
    let witness = Witness::of(&user);
    told.complaints.extend(history.complaints().iter().cloned());
    told.complaints.extend(history.differs(&user.index()));
    told.complaints.extend(witness.complaints(&ASKED));
    told.complaints.extend(told.against(&history, &witness));
    told.complaints.extend(rest::goes_on(&user, &ASKED));
    told.complaints.extend(rest::files(&user));
    if history.missing > 0 {
        told.complaints.push(format!("{} events were never told", history.missing));
    }
    told.complaints.extend(told.unreached(&history, &witness));
    // What else runs on a machine makes this measure worthless: it is always told, and counts where somebody says so.
    let counts = std::env::var_os("BG_TEST_LOCK_WAIT").is_some_and(|value| value == "1");
    let is_slow = counts && (told.gave_up > 0 || told.lock_waits.iter().any(|wait| *wait > LOCK_WAIT_MAX));
    let proof = Proof {
        name: "crowd.minute",
        cases: told.commands.values().map(|(count, _)| count).sum(),
        failures: told.complaints.len() + usize::from(is_slow),
        remark: told.remark(seconds, seed, &history, &witness),
    };
    proof.tell();
    assert!(told.complaints.is_empty(), "{}; {}", rest::shown(&told.complaints), proof.remark);
    assert!(!is_slow, "the lock was waited for too long: {}", proof.remark);
}

/// `bgctl events -f` from the beginning, into a file.
fn follow(user: &User) -> Child {
    let file = std::fs::File::create(user.path("followed")).unwrap();
    user.bgctl(["events", "-f", "--json-lines", "--since", "0"]).stdout(file).spawn().unwrap()
}

/// All that it gave, once it has given all that the index counts.
fn followed(user: &User, follower: &mut Child) -> String {
    let counted = user.index()["last_event"].as_u64().unwrap();
    let text = || std::fs::read_to_string(user.path("followed")).unwrap();
    until("the last event is told", || {
        let text = text();
        let last = text.lines().next_back().and_then(|line| serde_json::from_str::<Value>(line).ok());
        text.ends_with('\n') && last.is_some_and(|last| last["seq"].as_u64() >= Some(counted))
    });
    kill(i32::try_from(follower.id()).unwrap(), Signal::TERM);
    ended(follower);
    text()
}

/// Everybody, at work on one root.
struct Crowd<'u> {
    user: &'u User,
    seed: u64,
    is_over: AtomicBool,
    told: Mutex<Told>,
}

/// What they saw.
#[derive(Default)]
struct Told {
    complaints: Vec<String>,
    /// How many there were of each, and how long the longest took.
    commands: BTreeMap<String, (usize, Duration)>,
    lock_waits: Vec<Duration>,
    /// The ids in the order in which they were printed.
    printed: Vec<String>,
    refused: usize,
    /// How many commands waited for the lock in vain.
    gave_up: usize,
    /// Jobs that were said not to be there.
    missed: BTreeSet<String>,
    pruned: Vec<String>,
    /// What waits came to: the job, the exit code, and its state right after it.
    waits: Vec<(String, i32, Option<String>)>,
}

impl Crowd<'_> {
    fn quarrel(&self, time: Duration) {
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            let mut part = 0;
            let mut crew = |count: usize, work: fn(&Self, &mut Draws, u64)| {
                for _ in 0..count {
                    part += 1;
                    let own = part;
                    threads.push(scope.spawn(move || {
                        let mut draws = Draws::new(self.seed, own);
                        while !self.is_over.load(Ordering::SeqCst) {
                            work(self, &mut draws, own);
                        }
                    }));
                }
            };
            crew(SUBMITTERS, Self::submit);
            crew(CANCELLERS, Self::cancel);
            crew(PRUNERS, Self::prune);
            crew(TICKERS, Self::tick);
            crew(WAITERS, Self::wait);
            crew(LISTERS, Self::list);
            crew(SAMPLERS, Self::take_lock);
            std::thread::sleep(time);
            self.is_over.store(true, Ordering::SeqCst);
            for thread in threads {
                if let Err(panic) = thread.join() {
                    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    self.told().complaints.push(format!("a command printed something wrong: {text}"));
                }
            }
        });
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn complain(&self, what: &str, ran: &Ran) {
        self.told().complaints.push(format!("{what} exits {}: {}{}", ran.code, ran.out, ran.err));
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let began = Instant::now();
        let ran = self.user.run(arguments);
        let took = began.elapsed();
        let mut told = self.told();
        let entry = told.commands.entry(arguments[0].to_owned()).or_default();
        *entry = (entry.0 + 1, entry.1.max(took));
        ran
    }

    /// Whether a command gave up on the lock, and said so.
    fn gave_up(&self, ran: &Ran) -> bool {
        let gave_up = ran.code == 75 && ran.err.contains("jobs.lock has been locked for 10 s");
        self.told().gave_up += usize::from(gave_up);
        gave_up
    }

    fn one_of(&self, draws: &mut Draws, most: usize) -> Option<String> {
        draws.recent(&self.told().printed, most).cloned()
    }

    fn submit(&self, draws: &mut Draws, part: u64) {
        let priority = *draws.one(&["critical", "high", "normal", "normal", "normal", "low"]).unwrap();
        let code = *draws.one(&["0", "0", "3"]).unwrap();
        let pause = *draws.one(&["0", "0.01", "0.03", "0.3"]).unwrap();
        let other = self.one_of(draws, 100);
        let command = ["--", "sh", "job.sh", code, pause];
        let mut arguments = vec!["start", "--priority", priority];
        match draws.below(20) {
            0 => {
                let file = self.user.path(format!("batch-{part}"));
                std::fs::write(&file, format!("sh job.sh {code} {pause}\n").repeat(4)).unwrap();
                let file = file.to_string_lossy().into_owned();
                self.submitted(
                    &self.run(&["start", "--priority", priority, "--name", priority, "--batch", &file]),
                    4,
                );
                return;
            }
            1 if other.is_some() => {
                let other = other.unwrap();
                arguments.extend(["--name", CHAINED, "--after", &other]);
                arguments.extend(command);
                let ran = self.run(&arguments);
                if ran.code == 3 {
                    self.told().missed.insert(other);
                } else {
                    self.submitted(&ran, 1);
                }
                return;
            }
            2 => arguments.extend(["--when-full", "wait", "--within", "20"]),
            3 => {
                arguments.extend(["--name", priority, "--wait", "--within", WITHIN]);
                arguments.extend(command);
                let ran = self.run(&arguments);
                if ran.code == 75 {
                    self.submitted(&ran, 1);
                } else if let Some(id) = ran.out.lines().next() {
                    self.told().printed.push(id.to_owned());
                    self.waited(id, &ran);
                } else {
                    self.complain("start --wait", &ran);
                }
                return;
            }
            _ => {}
        }
        arguments.extend(["--name", priority]);
        arguments.extend(command);
        self.submitted(&self.run(&arguments), 1);
    }

    /// A submission prints its ids, or there was no room and it prints nothing.
    fn submitted(&self, ran: &Ran, count: usize) {
        match ran.code {
            0 if ran.out.lines().count() == count => {
                self.told().printed.extend(ran.out.lines().map(str::to_owned));
            }
            75 if ran.out.is_empty() && ran.err.contains("the queue is full") => self.told().refused += 1,
            _ if ran.out.is_empty() && self.gave_up(ran) => {}
            _ => self.complain("start", ran),
        }
    }

    fn cancel(&self, draws: &mut Draws, _: u64) {
        let Some(id) = self.one_of(draws, 60) else { return };
        let how = *draws.one(&["--quiet", "--quiet", "--no-wait", "--signal=KILL"]).unwrap();
        let ran = self.run(&["cancel", how, &id]);
        match ran.code {
            3 => drop(self.told().missed.insert(id)),
            0 if how == "--no-wait" => {}
            0 => {
                let mark = format!("BG_JOB_ID={id}").into_bytes();
                let lives = |pid: &i32| {
                    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                    environment.split(|byte| *byte == 0).any(|variable| variable == mark)
                };
                if pids().iter().any(lives) {
                    self.complain(&format!("{id} was cancelled, and a process of it lives: cancel"), &ran);
                }
                if let Some(status) = status(&self.user.index(), &id)
                    && !has_ended(&status)
                {
                    self.complain(&format!("{id} is {status} after it was cancelled: cancel"), &ran);
                }
            }
            _ if self.gave_up(&ran) => {}
            _ => self.complain("cancel", &ran),
        }
    }

    fn prune(&self, draws: &mut Draws, _: u64) {
        let what: &[&str] = if draws.is_one_in(4) { &["--all"] } else { &["--older-than", "1s"] };
        let ran = self.run(&[&["prune", "--json"], what].concat());
        if ran.code != 0 {
            if !self.gave_up(&ran) {
                self.complain("prune", &ran);
            }
            return;
        }
        let ids = ran.json()["jobs"].as_array().into_iter().flatten().map(id_of).collect::<Vec<_>>();
        self.told().pruned.extend(ids);
        std::thread::sleep(Duration::from_millis(draws.below(300) as u64));
    }

    fn tick(&self, draws: &mut Draws, _: u64) {
        let ran = self.run(&["tick"]);
        if ran.code != 0 && !self.gave_up(&ran) {
            self.complain("tick", &ran);
        }
        std::thread::sleep(Duration::from_millis(draws.below(100) as u64));
    }

    fn wait(&self, draws: &mut Draws, _: u64) {
        let Some(id) = self.one_of(draws, 100) else { return };
        let ran = self.run(&["wait", "--quiet", "--within", WITHIN, &id]);
        self.waited(&id, &ran);
    }

    fn waited(&self, id: &str, ran: &Ran) {
        let now = status(&self.user.index(), id);
        self.told().waits.push((id.to_owned(), ran.code, now));
    }

    fn list(&self, draws: &mut Draws, _: u64) {
        let how = *draws.one(&["--json", "--json", "--json-lines"]).unwrap();
        let ran = self.run(&["list", "--all", how]);
        let jobs: Option<Vec<Value>> = match how {
            "--json" => {
                serde_json::from_str::<Value>(&ran.out).ok().and_then(|all| all["jobs"].as_array().cloned())
            }
            _ => ran.out.lines().map(|line| serde_json::from_str(line).ok()).collect(),
        };
        let running = jobs.as_ref().map(|jobs| jobs.iter().filter(|job| job["status"] == "running").count());
        if ran.code != 0 || running.is_none_or(|running| running > ASKED.slots) {
            self.complain("list", &ran);
        }
        std::thread::sleep(Duration::from_millis(draws.below(50) as u64));
    }

    fn take_lock(&self, draws: &mut Draws, _: u64) {
        let root = Root::open(&self.user.root()).unwrap().unwrap();
        let began = Instant::now();
        let waited = locked(root.folder(), Duration::from_mins(5), || began.elapsed()).unwrap();
        self.told().lock_waits.push(waited);
        std::thread::sleep(Duration::from_millis(draws.below(20) as u64));
    }
}

impl Told {
    /// What the commands said otherwise than the stream and the jobs.
    fn against(&self, history: &History, witness: &Witness) -> Vec<String> {
        let mut complaints = Vec::new();
        let printed: BTreeSet<&str> = self.printed.iter().map(String::as_str).collect();
        let strange = history.courses.keys().filter(|id| !printed.contains(id.as_str()));
        complaints.extend(strange.map(|id| format!("{id} was submitted, and nobody was told")));
        let lost = printed.iter().filter(|id| !history.courses.contains_key(**id));
        complaints.extend(lost.map(|id| format!("{id} was printed, and never submitted")));
        let is_removed = |id: &str| history.courses.get(id).is_some_and(|course| course.removed);
        let missed = self.missed.iter().filter(|id| !is_removed(id));
        complaints.extend(missed.map(|id| format!("{id} was said not to be there, and was never removed")));
        let pruned: BTreeSet<&str> = self.pruned.iter().map(String::as_str).collect();
        let kept = pruned.iter().filter(|id| !is_removed(id));
        complaints.extend(kept.map(|id| format!("{id} was said to be removed, and was not")));
        for (id, course) in &history.courses {
            complaints.extend(at_the_end(id, course, witness));
            if course.removed && !pruned.contains(id.as_str()) {
                complaints.push(format!("{id} was removed, and nobody was told"));
            }
        }
        for (id, code, now) in &self.waits {
            let course = history.courses.get(id).cloned().unwrap_or_default();
            complaints.extend(not_as_waited(id, *code, now.as_deref(), &course));
        }
        complaints
    }

    /// What should have been reached and was not: a crowd in which nobody met anybody must not pass for a proof.
    fn unreached(&self, history: &History, witness: &Witness) -> Vec<String> {
        let of = |verb: &str| self.commands.get(verb).map_or(0, |(count, _)| *count);
        let courses = || history.courses.values();
        let floors = [
            (of("start"), "nobody submitted"),
            (of("cancel"), "nobody cancelled"),
            (of("prune"), "nobody pruned"),
            (of("tick"), "nobody ticked"),
            (of("list"), "nobody listed"),
            (self.waits.len(), "nobody waited to an end"),
            (self.lock_waits.len(), "nobody measured the wait for the lock"),
            (self.pruned.len(), "no prune removed a job"),
            (courses().filter(|course| course.removed).count(), "no job was removed"),
            (courses().filter(|course| course.status == "cancelled").count(), "no job was cancelled"),
        ];
        let mut unreached: Vec<String> =
            floors.iter().filter(|(count, _)| *count == 0).map(|(_, text)| (*text).to_owned()).collect();
        let at_once = (history.most_at_once, witness.most_at_once());
        if at_once != (ASKED.slots, ASKED.slots) {
            unreached.push(format!("so many ran at once by the events, and by the jobs: {at_once:?}"));
        }
        unreached
    }

    fn remark(&self, seconds: usize, seed: u64, history: &History, witness: &Witness) -> String {
        let mut waits = self.lock_waits.clone();
        waits.sort_unstable();
        let at =
            |part: usize| waits.get(waits.len() * part / 100).or(waits.last()).copied().unwrap_or_default();
        let of = |verb: &str| self.commands.get(verb).copied().unwrap_or_default();
        let verbs: Vec<String> = self
            .commands
            .iter()
            .map(|(verb, (count, longest))| format!("{count} {verb} (longest {} ms)", longest.as_millis()))
            .collect();
        // A debug build checks each index that it writes, under the lock, by reading it twice.
        let build = if cfg!(debug_assertions) { "a debug" } else { "an optimised" };
        format!(
            "{seconds} s of {build} build, seed {seed}; {} jobs, {} submissions of {} refused for lack of room, {} removed; at most {} at once by \
             the index and {} by the jobs, of {} slots; longest of {} waits for the lock {} ms, half below {} ms, 99 of 100 below {} ms, {} \
             commands gave up on it; {}",
            history.courses.len(),
            self.refused,
            of("start").0,
            history.courses.values().filter(|course| course.removed).count(),
            history.most_at_once,
            witness.most_at_once(),
            ASKED.slots,
            waits.len(),
            waits.last().copied().unwrap_or_default().as_millis(),
            at(50).as_millis(),
            at(99).as_millis(),
            self.gave_up,
            verbs.join(", "),
        )
    }
}

/// What is wrong with how a job, which has one attempt, went.
pub fn at_the_end(id: &str, course: &Course, witness: &Witness) -> Option<String> {
    let (times, came_to_its_end) = (witness.times(id, 1), witness.ended(id, 1));
    let has_code = course.outcome["exit"].get("code").is_some();
    let is_right = match course.status.as_str() {
        "completed" | "failed" => course.claims == 1 && times == 1 && came_to_its_end && has_code,
        "cancelled" if course.claims == 0 => times == 0,
        "cancelled" => course.claims == 1 && times <= 1,
        _ => false,
    };
    let others = witness.attempts(id).iter().any(|attempt| *attempt != 1);
    (!is_right || others).then(|| {
        format!(
            "{id} is {}, was claimed {} times, and ran {times} times (to its end: {came_to_its_end}): {}",
            course.status, course.claims, course.outcome
        )
    })
}

/// What is wrong with how a wait for a job ended. `now` is the job's state right after it.
pub fn not_as_waited(id: &str, code: i32, now: Option<&str>, course: &Course) -> Option<String> {
    let own = course.outcome["exit"]["code"].as_i64();
    let is_right = match course.status.as_str() {
        // It went before the waiter had looked.
        _ if code == 122 => course.removed,
        "completed" => code == 0,
        "failed" => own == Some(i64::from(code)),
        "cancelled" => code == 125,
        _ => false,
    };
    let is_early = now.is_some_and(|now| !has_ended(now));
    (!is_right || is_early)
        .then(|| format!("a wait for {id} gave {code} when it was {now:?}; it ended as {course:?}"))
}

fn status(index: &Value, id: &str) -> Option<String> {
    let job = index["jobs"].as_array()?.iter().find(|job| job["id"] == id)?;
    Some(job["status"].as_str()?.to_owned())
}

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap_or_default().to_owned()
}
