//! A clock that was set by a day, forward or back, while jobs run and wait.
//!
//! The machine's clock is not set for it. What a program would find after that is made instead: every time that the root has
//! on record is moved the other way (the index, the run records, the snapshots, the stream, the times of files), with real
//! watchers and jobs at work. And a pass is made with the clock of another day over the same jobs.

use super::place::observed;
use super::{
    Cases, attempts, bounded, broken_rules, differs, entry, is_let_go, let_go, missing, running, state,
    witness,
};
use crate::support::{User, until};
use bgctl::exec::local::Local;
use bgctl::model::{Timestamp, config::Config};
use bgctl::os::clock::{Clock, SystemClock};
use bgctl::pass::Pass;
use bgctl::plan::Scope;
use bgctl::store::{
    file::FileStore,
    lock::{WAIT_MAX, locked},
    root::Root,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const DAY: i64 = 24 * 3_600;

/// Moves every time in a value.
fn moved(value: &mut Value, by: TimeDelta) {
    match value {
        Value::String(text) => {
            // What has a `T` in it is a whole instant, as all of ours are.
            let at = text.contains('T').then(|| text.parse::<DateTime<Utc>>().ok()).flatten();
            if let Some(at) = at {
                *value = serde_json::to_value(at + by).unwrap();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| moved(item, by)),
        Value::Object(fields) => fields.values_mut().for_each(|field| moved(field, by)),
        _ => {}
    }
}

/// Writes a file of JSON lines, or of one object, with all times moved, in its place: who has it open goes on with it.
fn move_file(path: &Path, by: TimeDelta) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let lines: Vec<String> = text
        .lines()
        .map(|line| match serde_json::from_str::<Value>(line) {
            Ok(mut value) => {
                moved(&mut value, by);
                value.to_string()
            }
            Err(_) => line.to_owned(),
        })
        .collect();
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
    touch(path, by);
}

fn touch(path: &Path, by: TimeDelta) {
    let then = std::time::SystemTime::from(Utc::now() + by);
    std::fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// All that the root has on record of times.
fn move_root(user: &User, by: TimeDelta) {
    super::edit(user, |index| moved(index, by));
    let root = Root::open(&user.root()).unwrap().unwrap();
    locked(root.folder(), WAIT_MAX, || {
        move_file(&user.root().join("events.jsonl"), by);
        touch(&user.root().join("last_tick"), by);
    })
    .unwrap();
    for file in std::fs::read_dir(user.root().join("runs")).unwrap().flatten() {
        if file.path().extension().is_some_and(|end| end == "lock" || end == "json") {
            move_file(&file.path(), by);
        }
    }
}

/// Jobs in all states, and their commands let go one by one.
struct World {
    user: User,
    runs: String,
    unwatched: String,
    waits: [String; 2],
    put_off: String,
    again: String,
    asks: String,
    ended: String,
    dead: String,
}

impl World {
    fn new() -> Self {
        let user = User::new();
        user.configure("[queue]\nmax_concurrent = 3\n[groups.narrow]\nslots = 1\n");
        let start = |flags: &[&str], rest: &str| {
            let script = witness(rest);
            user.start([&["--quiet"], flags, &["--", "sh", "-c", &script]].concat())
        };
        for name in ["go", "go-unwatched"] {
            user.fifo(name);
        }
        let runs = start(&["--group", "narrow", "--timeout", "1h", "--stale-after", "1h"], "cat go; exit 5");
        let unwatched = start(&["--timeout", "1h"], "cat go-unwatched; exit 6");
        let waits = ["true", "true"].map(|rest| start(&["--group", "narrow"], rest));
        let put_off = start(&["--delay", "1h"], "true");
        let again = start(&["--attempts", "2", "--retry-delay", "30m"], "exit 1");
        let asks = start(&["--approval", "local", "--approval-ttl", "7d"], "true");
        let ended = start(&["--name", "done", "--key", "once", "--key-ttl", "1d"], "exit 0");
        let dead = start(&["--attempts", "2", "--retry-delay", "0"], "exit 1");
        user.ok(["schedule", "add", "hourly", "--every", "1h", "--", "sh", "-c", &witness("true")]);
        running(&user, &runs);
        let (watcher, _) = running(&user, &unwatched);
        until("these have ended", || {
            state(&user, &ended) == "completed"
                && state(&user, &dead) == "failed"
                && state(&user, &again) == "queued"
        });
        user.ok(["tick"]);
        super::end_by_force(watcher);
        Self { user, runs, unwatched, waits, put_off, again, asks, ended, dead }
    }
}

/// What people and programs ask.
const ASKED: [&[&str]; 14] = [
    &["list"],
    &["status"],
    &["health"],
    &["health", "--jobs"],
    &["logs", "done"],
    &["events"],
    &["doctor"],
    &["dead"],
    &["approval"],
    &["schedule", "list"],
    &["schedule", "show", "hourly"],
    &["prune", "--older-than", "1h", "--dry-run"],
    &["tick", "--dry-run"],
    &["store", "check"],
];

/// Complains of what is no sane answer: a panic, a broken index, a time span that is negative.
fn insane(user: &User, arguments: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for json in [false, true] {
        let mut all = arguments.to_vec();
        if json {
            all.push("--json");
        }
        let ran = bounded(user.bgctl(&all));
        let panicked = ran.code > 100 || ran.code < 0 || ran.err.contains("panicked") || ran.code == 5;
        wrong.extend(panicked.then(|| format!("exit code {}: {}", ran.code, ran.err)));
        if json {
            if let Ok(value) = serde_json::from_str(&ran.out) {
                negative(&value, "", &mut wrong);
            }
        } else {
            let is_negative = |word: &str| {
                let rest = word.strip_prefix('-').unwrap_or_default();
                rest.starts_with(|first: char| first.is_ascii_digit()) && rest.ends_with(['s', 'm', 'h', 'd'])
            };
            let found = ran.out.split_whitespace().find(|word| is_negative(word));
            wrong.extend(found.map(|word| format!("says {word}: {}", ran.out)));
        }
    }
    wrong
}

fn negative(value: &Value, place: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|number| number < 0.0) => {
            wrong.push(format!("{place} is {number}"));
        }
        Value::Array(items) => items.iter().for_each(|item| negative(item, place, wrong)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| negative(field, &format!("{place}.{name}"), wrong));
        }
        _ => {}
    }
}

/// Makes the world, sets the clock by so many days, and looks at everything.
fn a_clock_set_by(days: i64, cases: &mut Cases) {
    let world = World::new();
    let user = &world.user;
    let name = |what: &str| format!("{days:+} days: {what}");
    let answers = || [&world.runs, &world.unwatched, &world.ended].map(|id| state(user, id));
    let before = answers();
    let count = |user: &User| user.index()["jobs"].as_array().unwrap().len();
    let jobs = count(user);
    // A clock that went forward finds times that are further back.
    move_root(user, TimeDelta::seconds(-days * DAY));
    for asked in ASKED {
        cases.tried(&name(&asked.join(" ")), insane(user, asked));
    }
    cases.tried(
        &name("what looking changed"),
        differs("jobs", count(user), jobs).into_iter().chain(differs("states", answers(), before)),
    );

    user.ok(["tick"]);
    let mut wrong: Vec<String> =
        differs("it", state(user, &world.runs).as_str(), "running").into_iter().collect();
    wrong.extend(differs("its intent", &entry(user, &world.runs)["ending"], &Value::Null));
    wrong.extend(differs("what is seen", observed(user, &world.runs).as_str(), "alive"));
    cases.tried(&name("a job that runs"), wrong);
    let adopted = missing("it is adopted", || observed(user, &world.unwatched) == "alive");
    cases.tried(&name("a job without a watcher"), adopted);
    cases.tried(
        &name("those that wait for its slot"),
        world.waits.iter().filter_map(|id| differs("it", state(user, id).as_str(), "queued")),
    );
    let still = |id: &str, status: &str| differs("it", state(user, id).as_str(), status);
    cases.tried(&name("one that waits for a person"), still(&world.asks, "waiting_approval"));
    cases.tried(&name("one that ended"), still(&world.ended, "completed"));
    cases.tried(
        &name("a dead letter"),
        differs("it", user.job(&world.dead)["dead_letter"].clone(), true.into()),
    );
    // A day on, what was put off has come due; a day back, its time of the clock has not come, and is said.
    let due = if days > 0 { ["completed", "failed"] } else { ["queued", "queued"] };
    let came = [(&world.put_off, due[0]), (&world.again, due[1])]
        .map(|(id, status)| missing(status, || state(user, id) == status));
    cases.tried(&name("what was put off"), came.into_iter().flatten());
    let runs =
        || user.index()["jobs"].as_array().unwrap().iter().filter(|job| job["schedule"] == "hourly").count();
    let next_at: DateTime<Utc> =
        user.index()["schedules"]["hourly"]["next_at"].as_str().unwrap().parse().unwrap();
    let soon = (next_at - Utc::now()).num_seconds();
    let near = (!(-60..=3_660).contains(&soon)).then(|| format!("its next time is in {soon} s"));
    cases.tried(&name("a schedule"), differs("runs", runs(), usize::from(days > 0)).into_iter().chain(near));

    // A key stands for a day after the end.
    let keyed = user.start(["--quiet", "--key", "once", "--", "sh", "-c", &witness("true")]);
    let is_new = keyed != world.ended;
    cases.tried(&name("a key"), differs("a new job", is_new, days > 0));
    let late = user.start(["--quiet", "--group", "narrow", "--", "sh", "-c", &witness("true")]);
    let mut wrong: Vec<String> = Vec::new();
    for gate in ["go", "go-unwatched"] {
        wrong.extend(missing(gate, || is_let_go(&user.path(gate))));
    }
    for (id, status) in [
        (&world.runs, "failed"),
        (&world.waits[0], "completed"),
        (&world.waits[1], "completed"),
        (&late, "completed"),
    ] {
        wrong.extend(missing(status, || state(user, id) == status));
    }
    wrong.extend(differs("its exit code", entry(user, &world.runs)["exit_code"].clone(), 5.into()));
    wrong.extend(missing("the adopted one ends", || state(user, &world.unwatched) == "failed"));
    let unwatched = entry(user, &world.unwatched);
    let is_true = unwatched["exit_code"] == 6 || unwatched["exit"]["unknown"].is_object();
    wrong.extend((!is_true).then(|| format!("the adopted one ended as {unwatched}")));
    cases.tried(&name("the ends"), wrong);
    let ran = std::fs::read_to_string(user.path("ran")).unwrap();
    let at = |id: &String| ran.lines().position(|line| line.starts_with(id.as_str()));
    let order = [&world.waits[0], &world.waits[1], &late].map(at);
    cases.tried(
        &name("the order"),
        (!order.is_sorted() || order.contains(&None)).then(|| format!("{order:?} in {ran}")),
    );
    for asked in ASKED {
        cases.tried(&name(&format!("{} after it", asked.join(" "))), insane(user, asked));
    }
    cases.tried(&name("the index, and what ran twice"), broken_rules(user));
    if days < 0 {
        let waits = user.ok(["status", &world.again]);
        cases.tried(&name("a retry that waits too long is told"), (!waits.contains("1d")).then_some(waits));
        user.ok(["set", "--delay", "0", &world.again]);
        cases.tried(
            &name("and can be started"),
            missing("it runs", || attempts(user, &world.again) == [1, 2]),
        );
    }
    user.ok(["prune", "--all"]);
    let left =
        user.index()["jobs"].as_array().unwrap().iter().filter(|job| job["status"] == "completed").count();
    cases.tried(&name("prune --all"), (left > 1).then(|| format!("{left} are left")));
    user.ok(["cancel", "--all", "--yes"]);
    user.ok(["schedule", "remove", "hourly"]);
    cases.tried(&name("no process is left"), missing("none", || user.processes().is_empty()));
}

#[test]
fn a_clock_that_is_set_by_a_day_loses_nothing_ends_nothing_and_no_span_is_negative() {
    let mut cases = Cases::new("adoption.clock");
    for days in [1, -1] {
        a_clock_set_by(days, &mut cases);
    }
    cases.tell("a day forward and a day back");
}

/// The system's clock, and a day more or less on the wall.
struct Set(i64);

impl Clock for Set {
    fn now(&self) -> Timestamp {
        SystemClock.now() + TimeDelta::seconds(self.0 * DAY)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

#[test]
fn a_pass_whose_clock_is_a_day_away_judges_no_living_job() {
    let user = User::new();
    let go = user.fifo("go");
    let limits = ["--timeout", "1h", "--stale-after", "10m"];
    let script = witness(&format!("cat {}; exit 5", go.display()));
    let id = user.start([&limits[..], &["--", "sh", "-c", &script]].concat());
    running(&user, &id);
    for days in [1, -1, 30, -30] {
        let (root, site) = (Root::open(&user.root()).unwrap().unwrap(), bgctl::os::site::here().unwrap());
        let clock = Set(days);
        let executor = Local { root: &root, site: &site, clock: &clock, orphan_watchers: true };
        let (store, config) = (FileStore::new(&root), Config::default());
        let pass = Pass {
            store: &store,
            executor: &executor,
            clock: &clock,
            config: &config,
            definitions: None,
            polled_at: None,
        };
        let decided = pass.decide(Scope::Tick, &mut |_| Ok(())).unwrap();
        assert!(decided.events.is_empty() && decided.actions.is_empty(), "{days} days: {decided:?}");
    }
    let_go(go);
    assert_eq!(user.wait(&id), 5);
    user.all_gone();
}
