//! Several who submit in several ways, tick and wait, while somebody disturbs them; and what must be true afterwards.

use super::{
    draws::Draws,
    history::{Asked, CHAINED, has_ended},
    ours, rest,
    witness::Witness,
};
use crate::support::{Ran, User};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

const SUBMITTERS: usize = 6;
const WAITERS: usize = 2;
/// How many jobs a batch has.
const BATCH: usize = 5;
/// Whoever disturbs leaves once no more than this part of the jobs goes on.
const LEFT_DIVISOR: usize = 5;

pub const ASKED: Asked = Asked { slots: 3 };

/// All at work on one root.
pub struct Turmoil<'u> {
    pub user: &'u User,
    seed: u64,
    jobs: usize,
    submitted: AtomicUsize,
    is_over: AtomicBool,
    told: Mutex<Told>,
}

/// What they saw.
#[derive(Default)]
pub struct Told {
    pub complaints: Vec<String>,
    pub submissions: Vec<Submission>,
    /// What waits came to: the job, the exit code, and its state right after it.
    waits: Vec<(String, i32, String)>,
    /// Processes that were killed.
    pub victims: BTreeSet<i32>,
    /// How often somebody was hit, and how often he held the lock, or was a watcher.
    pub hits: usize,
    pub holders_hit: usize,
    pub watchers_hit: usize,
}

/// What was asked once, under a name of its own.
pub struct Submission {
    pub name: String,
    pub count: usize,
    pub printed: Vec<String>,
    /// The exit code; -1 after a signal.
    pub code: i32,
    pub err: String,
    /// Whether it waited for its job and gave that one's code.
    pub waits: bool,
}

/// Who disturbs.
pub trait Disturber {
    /// Disturbs once.
    fn disturb(&mut self, turmoil: &Turmoil<'_>, draws: &mut Draws);

    /// Disturbs for the last time: who still waits or ticks is waited for afterwards.
    fn leave(&mut self, turmoil: &Turmoil<'_>);
}

impl<'u> Turmoil<'u> {
    /// Prepares a root for so many jobs.
    pub fn new(user: &'u User, seed: u64, jobs: usize) -> Self {
        user.make_root();
        let settings = format!("[queue]\nmax_concurrent = {}\nmax_size = 10000\n", ASKED.slots);
        std::fs::write(user.root().join("config.toml"), settings).unwrap();
        super::witness::install(user, ASKED.slots);
        let (submitted, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { user, seed, jobs, submitted, is_over, told: Mutex::default() }
    }

    /// Submits all jobs while somebody disturbs, again and again, until most have ended.
    pub fn rage(&self, disturber: &mut dyn Disturber) {
        std::thread::scope(|scope| {
            let mut submitters = Vec::new();
            for part in 0..SUBMITTERS as u64 {
                submitters.push(scope.spawn(move || {
                    let mut draws = Draws::new(self.seed, part);
                    while self.submitted.load(Ordering::SeqCst) < self.jobs {
                        self.submit(&mut draws, part);
                    }
                }));
            }
            for part in 0..WAITERS as u64 {
                scope.spawn(move || {
                    let mut draws = Draws::new(self.seed, 100 + part);
                    while !self.is_over.load(Ordering::SeqCst) {
                        self.wait(&mut draws);
                    }
                });
            }
            scope.spawn(|| {
                let mut draws = Draws::new(self.seed, 200);
                while !self.is_over.load(Ordering::SeqCst) {
                    let ran = self.user.run(["tick"]);
                    if ![0, -1].contains(&ran.code) && !is_lock_wait(&ran) {
                        self.told().complaints.push(format!("tick exits {}: {}", ran.code, ran.err));
                    }
                    std::thread::sleep(Duration::from_millis(draws.below(100) as u64));
                }
            });
            let mut draws = Draws::new(self.seed, 300);
            let left = || rest::active(&self.user.index()).len() > self.jobs / LEFT_DIVISOR;
            while !submitters.iter().all(std::thread::ScopedJoinHandle::is_finished)
                || (self.user.root().join("jobs.json").exists() && left())
            {
                disturber.disturb(self, &mut draws);
            }
            self.is_over.store(true, Ordering::SeqCst);
            disturber.leave(self);
        });
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn into_told(self) -> Told {
        self.told.into_inner().unwrap()
    }

    fn submit(&self, draws: &mut Draws, part: u64) {
        let code = *draws.one(&["0", "0", "3"]).unwrap();
        let pause = *draws.one(&["0", "0.01", "0.1", "0.3"]).unwrap();
        let number = self.submitted.fetch_add(1, Ordering::SeqCst);
        let other = {
            let told = self.told();
            let printed: Vec<&String> = told.submissions.iter().flat_map(|one| &one.printed).collect();
            draws.recent(&printed, 20).map(|id| (*id).clone())
        };
        let kind = draws.below(10);
        let kind = if kind == 0 && other.is_none() { 9 } else { kind };
        let (word, count) = match kind {
            0 => (CHAINED, 1),
            1 => ("batch", BATCH),
            2 | 3 => ("retried", 1),
            4 => ("waited", 1),
            _ => ("once", 1),
        };
        self.submitted.fetch_add(count - 1, Ordering::SeqCst);
        let name = format!("{word}-{number}");
        let other = other.unwrap_or_default();
        let mut arguments = vec!["start", "--name", &name];
        let file = self.user.path(format!("batch-{part}"));
        let file = file.to_string_lossy();
        match kind {
            0 => arguments.extend(["--after", &other]),
            1 => {
                // In one process: of two, the outer one would tell the inner one's end as its own.
                std::fs::write(&*file, format!("exec sh job.sh {code} {pause}\n").repeat(BATCH)).unwrap();
                arguments.extend(["--batch", &file]);
            }
            2 | 3 => arguments.extend(["--attempts", "5", "--retry-delay", "1"]),
            4 => arguments.push("--wait"),
            _ => {}
        }
        if word != "batch" {
            arguments.extend(["--", "sh", "job.sh", code, pause]);
        }
        if word == "retried" {
            arguments.push("1");
        }
        let ran = self.user.run(&arguments);
        if word == "waited" && ran.code != -1 {
            for id in ran.out.lines() {
                self.waited(id.to_owned(), ran.code);
            }
        }
        let printed = ran.out.lines().map(str::to_owned).collect();
        let waits = word == "waited";
        self.told().submissions.push(Submission {
            name,
            count,
            printed,
            code: ran.code,
            err: ran.err,
            waits,
        });
    }

    fn wait(&self, draws: &mut Draws) {
        let id = {
            let told = self.told();
            let printed: Vec<&String> = told.submissions.iter().flat_map(|one| &one.printed).collect();
            draws.recent(&printed, 30).map(|id| (*id).clone())
        };
        let Some(id) = id else { return std::thread::sleep(Duration::from_millis(5)) };
        let ran = self.user.run(["wait", "--quiet", "--within", "300", &id]);
        if ran.code != -1 {
            self.waited(id, ran.code);
        }
    }

    fn waited(&self, id: String, code: i32) {
        let index = self.user.index();
        let now = entry(&index, &id).and_then(|job| job["status"].as_str()).unwrap_or("gone").to_owned();
        self.told().waits.push((id, code, now));
    }
}

impl Told {
    /// What is wrong with the submissions, the jobs and the waits, once all is at rest.
    pub fn against(&self, user: &User, witness: &Witness) -> Vec<String> {
        let index = user.index();
        let mut complaints = witness.complaints(&ASKED);
        complaints.extend(self.submissions.iter().flat_map(|one| one.complaints(&index)));
        for job in index["jobs"].as_array().into_iter().flatten() {
            let record = user.record(job["id"].as_str().unwrap_or_default());
            let other = job["after"][0].as_str().and_then(|other| entry(&index, other));
            let is_submission = |one: &&Submission| job["name"] == *one.name;
            let submitter_hit = self.submissions.iter().find(is_submission).is_some_and(|one| one.code == -1);
            let looked =
                Looked { job, record: &record, other, witness, victims: &self.victims, submitter_hit };
            complaints.extend(looked.complaints());
        }
        let strange = witness.ids().into_iter().filter(|id| entry(&index, id).is_none());
        complaints.extend(strange.map(|id| format!("{id} ran and is not in the index")));
        for (id, code, now) in &self.waits {
            let is_right = entry(&index, id).is_some_and(|job| is_code_of(job, *code));
            if !is_right || !has_ended(now) {
                complaints
                    .push(format!("a wait for {id} gave {code} when it was {now}: {:?}", entry(&index, id)));
            }
        }
        complaints
    }

    /// What should have been reached and was not: who disturbs nobody must not pass for a proof.
    pub fn unreached(&self) -> Vec<String> {
        let floors = [
            (self.hits, "nobody was hit"),
            (self.holders_hit, ours::NEVER_A_HOLDER),
            (self.watchers_hit, "no watcher was hit"),
            (self.submissions.iter().filter(|one| one.code == 0).count(), "no submission went well"),
            (self.waits.len(), "no wait came to its end"),
        ];
        floors.iter().filter(|(count, _)| *count == 0).map(|(_, text)| (*text).to_owned()).collect()
    }

    /// Somebody is about to be hit.
    pub fn hits(&mut self, pid: i32, holds_lock: bool) {
        self.hits += 1;
        self.holders_hit += usize::from(holds_lock);
        self.watchers_hit += usize::from(ours::is_called_for(pid, "__watch"));
    }

    /// How many submissions there were, and how many of them were killed.
    pub fn counts(&self) -> (usize, usize) {
        (self.submissions.len(), self.submissions.iter().filter(|one| one.code == -1).count())
    }
}

impl Submission {
    /// What is wrong with what became of it.
    pub fn complaints(&self, index: &Value) -> Vec<String> {
        let mut complaints = Vec::new();
        let jobs = index["jobs"].as_array().into_iter().flatten();
        let there: Vec<&str> =
            jobs.filter(|job| job["name"] == *self.name).filter_map(|job| job["id"].as_str()).collect();
        for id in self.printed.iter().filter(|id| !there.contains(&id.as_str())) {
            complaints.push(format!("{id} was printed for {} and is not in the index", self.name));
        }
        if ![0, self.count].contains(&there.len()) {
            complaints.push(format!(
                "of {}, which are {} jobs, {} are there",
                self.name,
                self.count,
                there.len()
            ));
        }
        let is_right = match self.code {
            -1 => true,
            0 => self.printed.len() == self.count,
            _ if self.waits => self.printed.len() == self.count,
            75 => self.printed.is_empty() && there.is_empty() && self.err.contains("locked"),
            _ => false,
        };
        if !is_right {
            complaints.push(format!(
                "the start of {} exits {}, printed {:?}, and {there:?} are there: {}",
                self.name, self.code, self.printed, self.err
            ));
        }
        complaints
    }
}

/// A job at rest, and what there is to hold it against.
pub struct Looked<'a> {
    pub job: &'a Value,
    pub record: &'a [Value],
    /// The one it waited for.
    pub other: Option<&'a Value>,
    pub witness: &'a Witness,
    pub victims: &'a BTreeSet<i32>,
    /// Whether whoever submitted it was killed.
    pub submitter_hit: bool,
}

/// What the record says of an attempt.
#[derive(Default)]
struct Attempt {
    watchers: Vec<i32>,
    process: Option<i32>,
    started: bool,
}

impl Looked<'_> {
    /// What is wrong with how it went: each command ran as often as its attempts say, and an end that is not its own
    /// had somebody who was killed.
    pub fn complaints(&self) -> Vec<String> {
        let id = self.job["id"].as_str().unwrap_or_default();
        let last = u32::try_from(self.job["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
        let attempts = self.attempts();
        let mut complaints = Vec::new();
        for number in self.witness.attempts(id) {
            if number == 0 || number > last {
                complaints.push(format!("{id} ran in attempt {number}, and had {last}"));
            }
            if !attempts.get(&number).is_some_and(|attempt| attempt.started) {
                complaints.push(format!("{id} ran in attempt {number} without being let through"));
            }
        }
        for (number, attempt) in attempts.iter().filter(|(_, attempt)| attempt.started) {
            if self.witness.times(id, *number) == 0 && !self.is_hit(attempt.process) {
                complaints.push(format!("{id} was let through in attempt {number} and did not run"));
            }
        }
        let none = Attempt::default();
        if !self.ended_rightly(id, last, attempts.get(&last).unwrap_or(&none)) {
            complaints.push(format!(
                "{id} ended for no reason that is known: it ran {} times in its last attempt (to its end: {}): {}; its record: {:?}",
                self.witness.times(id, last),
                self.witness.ended(id, last),
                self.job,
                self.record,
            ));
        }
        complaints
    }

    fn ended_rightly(&self, id: &str, last: u32, attempt: &Attempt) -> bool {
        let job = self.job;
        let ran = self.witness.times(id, last) == 1;
        let to_its_end = ran && self.witness.ended(id, last);
        let is_tried_again = job["attempt"].as_u64() < Some(job["max_attempts"].as_u64().unwrap_or(1));
        match job["status"].as_str().unwrap_or_default() {
            "completed" => to_its_end && self.planned(last) == 0,
            "failed" if is_tried_again || job["summary"].as_str().is_none_or(str::is_empty) => false,
            "failed" => match (job["exit_code"].as_i64(), job["signal"].as_i64(), &job["exit"]) {
                (Some(code), ..) => to_its_end && self.planned(last) == code,
                (_, Some(signal), _) => signal == 9 && self.is_hit(attempt.process),
                (.., exit) if exit.get("not_started").is_some() => {
                    let starter_hit = self.is_one_hit(&attempt.watchers) || self.submitter_hit;
                    // Its process, which nobody wrote down, but who says what became of it.
                    let reason = exit["not_started"]["reason"].as_str().unwrap_or_default();
                    let is_said = |pid: &i32| reason.contains(&format!("(pid {pid})"));
                    let unknown_hit = self.victims.iter().any(is_said);
                    !ran && match attempt.process {
                        Some(_) => self.is_hit(attempt.process),
                        None => starter_hit || unknown_hit,
                    }
                }
                (.., exit) if exit.get("unknown").is_some() => self.is_one_hit(&attempt.watchers),
                _ => false,
            },
            "cancelled" => self.other.is_some_and(|other| other["status"] != "completed") && last == 0,
            _ => false,
        }
    }

    /// The exit code of an attempt.
    fn planned(&self, attempt: u32) -> i64 {
        let line = self.job["command"].as_str().unwrap_or_default();
        let mut words = line.split(' ').skip_while(|word| *word != "job.sh").skip(1);
        let mut number = || words.next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
        let (code, _pause, fails) = (number(), number(), number());
        if f64::from(attempt) <= fails { 9 } else { code as i64 }
    }

    fn is_hit(&self, pid: Option<i32>) -> bool {
        pid.is_some_and(|pid| self.victims.contains(&pid))
    }

    fn is_one_hit(&self, pids: &[i32]) -> bool {
        pids.iter().any(|pid| self.is_hit(Some(*pid)))
    }

    fn attempts(&self) -> BTreeMap<u32, Attempt> {
        let mut attempts: BTreeMap<u32, Attempt> = BTreeMap::new();
        let mut number = 0;
        let pid = |line: &Value| i32::try_from(line["pid"].as_i64().unwrap_or(0)).unwrap_or(0);
        for line in self.record {
            match line["line"].as_str().unwrap_or_default() {
                "watcher" => {
                    number = u32::try_from(line["attempt"].as_u64().unwrap_or(0)).unwrap_or(0);
                    attempts.entry(number).or_default().watchers.push(pid(line));
                }
                "process" => attempts.entry(number).or_default().process = Some(pid(line)),
                "started" => attempts.entry(number).or_default().started = true,
                _ => {}
            }
        }
        attempts
    }
}

/// Whether a wait for an ended job gives that code.
fn is_code_of(job: &Value, code: i32) -> bool {
    match job["status"].as_str().unwrap_or_default() {
        "completed" => code == 0,
        "failed" => match job["exit_code"].as_i64() {
            Some(own) => own == i64::from(code),
            None => job["signal"].as_i64().map_or(code > 0, |signal| i64::from(code) == 128 + signal),
        },
        "cancelled" => code == 125,
        _ => false,
    }
}

/// Whether a command gave up because somebody held the lock, and said so.
fn is_lock_wait(ran: &Ran) -> bool {
    ran.code == 75 && ran.err.contains("locked")
}

fn entry<'v>(index: &'v Value, id: &str) -> Option<&'v Value> {
    index["jobs"].as_array()?.iter().find(|job| job["id"] == id)
}
