//! What must be true after a crash or a fault, whatever was hit.
//!
//! The checker only reports; a test of its own (`checker`) shows that it reports each damage it is there for.

use crate::support::User;
use bgctl::model::{facts::Facts, id::JobId, stream::Line};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is known of the run whose aftermath is looked at.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The ids that were printed.
    pub printed: Vec<String>,
    /// After a refused submission: how many jobs the index had before it, and has to have still.
    pub jobs_before: Option<usize>,
    /// Whether a job may have ended otherwise than by itself.
    pub may_fail: bool,
    /// Whether the same befell all jobs.
    pub hits_all: bool,
    /// Whether a file may stay that was to be removed, until the job is: its removal was hit.
    pub may_leave: bool,
    /// How jobs may have ended, beside `completed`.
    pub ends: &'static [&'static str],
    /// What the user does so that all comes to rest.
    pub then: Option<fn(&User) -> Vec<String>>,
    /// What is wrong in the very end.
    pub at_last: Option<fn(&User) -> Vec<String>>,
}

/// How many jobs may run at once, where the settings say nothing.
const SLOTS: usize = 2;

/// What may be left in the root.
const ROOT_FILES: [&str; 10] = [
    "jobs.json",
    "jobs.json.tmp",
    "jobs.lock",
    "alarm.lock",
    "config.toml",
    "events.jsonl",
    "last_tick",
    "last_health",
    "env",
    "runs",
];

/// How many jobs the index has.
pub fn jobs(user: &User) -> usize {
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap_or_default();
    Facts::parse(text).map_or(0, |facts| facts.heads().count())
}

/// Looks at an aftermath and brings it to rest.
pub struct Aftermath<'a> {
    user: &'a User,
    known: Known,
    /// How long is waited for what must come.
    patience: Duration,
    complaints: Vec<String>,
}

impl<'a> Aftermath<'a> {
    /// Of this user's last run. `patience` is how long is waited for what must come.
    pub fn new(user: &'a User, known: Known, patience: Duration) -> Self {
        Self { user, known, patience, complaints: Vec::new() }
    }

    /// Everything, in order. Gives what is wrong; nothing if all is well.
    pub fn complaints(mut self) -> Vec<String> {
        self.index();
        // What is submitted from now on is nobody's leftover.
        self.known.jobs_before = None;
        self.tick();
        let then = self.known.then.map(|then| then(self.user));
        self.complaints.extend(then.into_iter().flatten());
        self.at_rest();
        self.index();
        self.executions();
        self.goes_on();
        let at_last = self.known.at_last.map(|at_last| at_last(self.user));
        self.complaints.extend(at_last.into_iter().flatten());
        self.stream();
        self.files();
        self.complaints
    }

    fn complain(&mut self, text: impl Into<String>) {
        self.complaints.push(text.into());
    }

    fn comes(&self, mut is_so: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + self.patience;
        loop {
            if is_so() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The index parses and follows its rules; a printed id is in it, a refused job is not.
    fn index(&mut self) {
        let path = self.user.root().join("jobs.json");
        let facts = match std::fs::read_to_string(path) {
            Ok(text) => match Facts::parse(text) {
                Ok(facts) => facts,
                Err(error) => return self.complain(format!("the index does not parse: {error}")),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Facts::default(),
            Err(error) => return self.complain(format!("the index cannot be read: {error}")),
        };
        if let Err(damage) = facts.check() {
            self.complain(format!("the index breaks its rules: {damage}"));
        }
        for printed in self.known.printed.clone() {
            if !JobId::parse(&printed).is_ok_and(|id| facts.heads().any(|head| head.id == id)) {
                self.complain(format!("{printed} was printed and is not in the index"));
            }
        }
        if self.known.jobs_before.is_some_and(|count| facts.heads().count() != count) {
            self.complain("a submission was refused, and its job is in the index");
        }
    }

    /// One tick succeeds, and after it no job is said to run that does not.
    fn tick(&mut self) {
        // What a killed watcher was about to start holds the record until it executes or leaves. A tick in that instant
        // takes the job for watched and leaves it to the next.
        let at_gate = [crate::support::BGCTL, "__watch"].join("\0");
        self.comes(|| {
            let lines =
                self.user.processes().into_iter().map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")));
            !lines.flatten().any(|line| line.starts_with(at_gate.as_bytes()))
        });
        let ran = self.user.run(["tick"]);
        if ran.code != 0 {
            self.complain(format!("tick exits {}: {}", ran.code, ran.err));
        }
        self.running();
    }

    /// Every running job has a living watcher, or one that is about to begin.
    pub fn running(&mut self) {
        let mut false_ones = Vec::new();
        let all_true = self.comes(|| {
            false_ones = self
                .list()
                .into_iter()
                .filter(|job| job["status"] == "running")
                .filter(|job| job["observed"] != "alive" && job["observed"] != "starting")
                .map(|job| format!("{} is running and {}", job["id"], job["observed"]))
                .collect();
            false_ones.is_empty()
        });
        if !all_true {
            self.complaints.append(&mut false_ones);
        }
    }

    /// All jobs end, and with them all processes, though nobody does anything but look: `wait` would make passes of its own.
    fn at_rest(&mut self) {
        let index = self.user.root().join("jobs.json");
        self.comes(|| {
            let Ok(text) = std::fs::read_to_string(&index) else { return true };
            Facts::parse(text).is_ok_and(|facts| facts.heads().all(|head| head.status.has_ended()))
        });
        for job in self.list() {
            if ["queued", "running", "waiting_approval"].contains(&job["status"].as_str().unwrap_or_default())
            {
                self.complain(format!("{} is {} and does not end", job["id"], job["status"]));
            }
        }
        if !self.comes(|| self.user.processes().is_empty()) {
            let left: Vec<String> = self
                .user
                .processes()
                .iter()
                .map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default())
                .map(|line| line.replace('\0', " "))
                .collect();
            self.complain(format!("processes are left: {left:?}"));
        }
    }

    /// Each command ran at most once per attempt, and what the index says of it is what happened.
    fn executions(&mut self) {
        let ran = std::fs::read_to_string(self.user.path("ran")).unwrap_or_default();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for line in ran.lines() {
            *times.entry(line).or_insert(0) += 1;
        }
        for (attempt, times) in times.iter().filter(|(_, times)| **times > 1) {
            self.complain(format!("attempt {attempt:?} ran {times} times"));
        }
        let jobs = self.list();
        for attempt in times.keys() {
            let id = attempt.split(' ').next().unwrap_or_default();
            if !jobs.iter().any(|job| job["id"] == id) {
                self.complain(format!("{id} ran and is not in the index"));
            }
        }
        let failed = jobs.iter().filter(|job| job["status"] == "failed").count();
        if failed > 1 && !self.known.hits_all && !self.known.ends.contains(&"failed") {
            self.complain(format!("{failed} jobs failed, and one thing was hit"));
        }
        for job in &jobs {
            let id = job["id"].as_str().unwrap_or_default();
            let attempt = job["attempt"].as_u64().unwrap_or(0);
            let beyond = times.keys().filter_map(|key| key.strip_prefix(id)?.trim().parse::<u64>().ok());
            if beyond.max().is_some_and(|last| last > attempt) {
                self.complain(format!("{id} ran more often than its {attempt} attempts say: {ran}"));
            }
            let is_witness = job["command"].as_str().is_some_and(|line| line.contains(">> ran"));
            let executed = ran.lines().any(|line| line.starts_with(id));
            let last_executed = ran.lines().any(|line| line == format!("{id} {attempt}"));
            let said = job["summary"].as_str().unwrap_or_default();
            let never_began = job["exit"].get("not_started").is_some();
            match job["status"].as_str().unwrap_or_default() {
                "completed" if is_witness && !last_executed => {
                    self.complain(format!("{id} is completed and never ran"));
                }
                "completed" | "queued" | "running" => {}
                status if self.known.ends.contains(&status) => {}
                _ if !self.known.may_fail => {
                    self.complain(format!("{id} is {}, for no fault of its own: {said}", job["status"]));
                }
                _ if said.is_empty() => self.complain(format!("{id} failed without a reason")),
                _ if never_began && executed => {
                    self.complain(format!("{id} is said to have never begun, and ran: {said}"));
                }
                _ => {}
            }
        }
    }

    /// No slot is leaked: as many jobs as there are slots run at once.
    fn goes_on(&mut self) {
        // Somebody may have looked before.
        let gate = |number: usize| {
            let _ = std::fs::remove_file(self.user.path(format!("slot-{number}")));
            self.user.fifo(&format!("slot-{number}"))
        };
        let gates: Vec<_> = (0..SLOTS).map(gate).collect();
        let mut ids = Vec::new();
        for gate in &gates {
            let script = format!("read word < '{}'", gate.display());
            let ran = self.user.run(["start", "--json", "--", "sh", "-c", &script]);
            let value: Value = serde_json::from_str(&ran.out).unwrap_or_default();
            if ran.code != 0 || value["status"] != "running" || !ran.err.is_empty() {
                self.complain(format!("a further job does not start: {}{}", ran.out, ran.err));
                return;
            }
            ids.push(value["id"].as_str().unwrap_or_default().to_owned());
        }
        for (gate, id) in gates.iter().zip(ids) {
            if !self.comes(|| super::scenes::told_to_go(gate)) {
                self.complain("a further job does not begin");
                return;
            }
            if self.user.run(["wait", &id]).code != 0 {
                self.complain("a further job does not succeed");
            }
        }
        if !self.comes(|| self.user.processes().is_empty()) {
            self.complain("a further job left processes");
        }
    }

    /// The numbers of the stream only grow, none is beyond what the index counts, and the last events are told.
    fn stream(&mut self) {
        let Ok(text) = std::fs::read_to_string(self.user.root().join("events.jsonl")) else {
            return self.complain("there is no stream of events");
        };
        let lines = text.lines().filter_map(|line| Line::parse(line.as_bytes()));
        let numbers: Vec<u64> = lines.map(|line| line.seq).collect();
        if !numbers.is_sorted_by(|one, next| one < next) {
            self.complain(format!("the events are not in order: {numbers:?}"));
        }
        let index = std::fs::read_to_string(self.user.root().join("jobs.json")).unwrap_or_default();
        let index: Value = serde_json::from_str(&index).unwrap_or_default();
        let counted = index["last_event"].as_u64();
        if numbers.last().copied() != counted {
            self.complain(format!("the index counts {counted:?}, and the events are {numbers:?}"));
        }
    }

    /// Only files that the documentation names are left, and only those of jobs that are there.
    fn files(&mut self) {
        let ids: Vec<String> =
            self.list().iter().filter_map(|job| job["id"].as_str().map(str::to_owned)).collect();
        let names = |folder: &str| -> Vec<String> {
            let entries = std::fs::read_dir(self.user.root().join(folder)).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        let mut strange: Vec<String> =
            names("").into_iter().filter(|name| !ROOT_FILES.contains(&name.as_str())).collect();
        strange.extend(
            names("env").into_iter().filter(|name| {
                !name.strip_suffix(".json").is_some_and(bgctl::model::wire::is_environment_name)
            }),
        );
        strange.extend(names("runs").into_iter().filter(|name| {
            !name.split_once('.').is_some_and(|(id, kind)| {
                let is_left = self.known.may_leave && ["log.tmp", "meta.json.tmp"].contains(&kind);
                ids.iter().any(|known| known == id)
                    && (is_left || ["log", "cut", "lock", "meta.json"].contains(&kind))
            })
        }));
        for name in strange {
            self.complain(format!("the file {name} is left"));
        }
    }

    /// The jobs as `list` shows them, with those that ended.
    fn list(&self) -> Vec<Value> {
        let ran = self.user.run(["list", "--all", "--json"]);
        let value: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        value["jobs"].as_array().cloned().unwrap_or_default()
    }
}
