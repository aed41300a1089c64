//! One sweep: a scene, a blow, and all the points where it falls.

use super::aftermath::{Aftermath, Known};
use super::scene::{Role, Scene};
use super::strace::{self, Blow, Point, Traced};
use crate::proof::{Proof, is_long};
use crate::support::EVENT_MAX;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many points are tried at a time: most of the time of each is waiting for the disk and for processes.
const WORKERS: usize = 4;

/// How many points of one system call's name the quick form and the long one try at most, spread over all: a watcher that
/// looks for what a job left behind reads as many files as the machine has processes. Those behind the last are beyond it.
const LANE_POINTS_MAX: (usize, usize) = (16, 100);

/// What the quick form lets fail at every ordinal: what is kept, and what is started, hangs on these.
const DECISIVE: [&str; 13] = [
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "renameat",
    "renameat2",
    "ftruncate",
    "fallocate",
    "clone",
    "clone3",
    "fork",
    "vfork",
];

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs.
    pub points: usize,
    /// Runs that were hit, as strace itself says.
    pub hits: usize,
    /// By the name of the system call, how many calls were hit.
    pub calls: BTreeMap<String, usize>,
    /// What was wrong, by point.
    pub complaints: Vec<String>,
    /// The point that took longest.
    pub slowest: Option<(Duration, String)>,
}

/// Sweeps a scene with blows at these system calls; `None` is every call that the scene makes.
///
/// `stride` is how many ordinals of a call's name the quick form goes on by.
pub fn sweep(scene: &Scene, blows: &[(&str, Blow)], stride: usize) -> Tally {
    let began = Instant::now();
    let calls = strace::counts(&undisturbed(scene).log);
    let offset = offset();
    let mut lanes = Vec::new();
    for (wanted, blow) in blows {
        let names = calls.keys().filter(|name| *wanted == EVERY_CALL || name == wanted);
        // One lane a worker: some calls are made thousands of times, most a few.
        lanes.extend(names.flat_map(|name| (0..WORKERS).map(move |part| (name.clone(), *blow, part))));
    }
    lanes.sort_by_key(|(name, ..)| std::cmp::Reverse(calls[name]));
    let lanes = Mutex::new(lanes.into_iter().enumerate());
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let lane = lanes.lock().unwrap().next();
                    let Some((number, (call, blow, part))) = lane else { return };
                    let count = calls[&call];
                    let is_decisive =
                        blow != Blow::Kill && blow != Blow::Stop && DECISIVE.contains(&call.as_str());
                    let (stride, most) = match (is_long(), is_decisive) {
                        (true, _) => (1, LANE_POINTS_MAX.1),
                        (false, true) => (1, LANE_POINTS_MAX.0),
                        (false, false) => (stride, LANE_POINTS_MAX.0),
                    };
                    let stride = stride.max(count.div_ceil(most));
                    // Each name begins elsewhere: most are called too seldom to be met by one offset for all.
                    let first = 1 + (offset + number / WORKERS) % stride + part * stride;
                    let mut hit_at = |nth| hit(scene, &Point { call: call.clone(), nth, blow }, &tally);
                    // Not all runs make as many calls; where one ends unhit, those behind it would, too.
                    let mut in_reach = (first..=count).step_by(stride * WORKERS);
                    in_reach.all(&mut hit_at);
                    // The long form goes on until nothing more is hit.
                    if is_long() && part == 0 {
                        (count + 1..2 * count + 100).all(hit_at);
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let slowest = tally
        .slowest
        .as_ref()
        .map_or_else(String::new, |(took, point)| format!("; slowest {:.1} s, {point}", took.as_secs_f32()));
    let proof = Proof {
        name: &format!("{}: {}", described(blows), scene.name),
        cases: tally.hits,
        failures: tally.complaints.len(),
        remark: format!(
            "hits in {} runs, of {} calls; {}, BG_TEST_OFFSET={offset}, {:.1} s{slowest}",
            tally.points,
            calls.values().sum::<usize>(),
            if is_long() {
                format!("all, but at most {} of a name", LANE_POINTS_MAX.1)
            } else {
                format!("stride {stride} or more")
            },
            began.elapsed().as_secs_f32(),
        ),
    };
    proof.tell();
    tally
}

/// Hits a scene at these points, one after the other.
pub fn at_points(scene: &Scene, points: &[Point]) -> Tally {
    let tally = Mutex::new(Tally::default());
    for point in points {
        hit(scene, point, &tally);
    }
    let tally = tally.into_inner().unwrap();
    let call = &points[0].call;
    Proof {
        name: &format!("{}: {} ({call})", described(&[(call, points[0].blow)]), scene.name),
        cases: tally.hits,
        failures: tally.complaints.len(),
        remark: format!("hits in {} runs", tally.points),
    }
    .tell();
    tally
}

/// Stands for every system call that a scene makes.
pub const EVERY_CALL: &str = "*";

impl Tally {
    /// Fails with everything that was found, and if nothing was hit.
    #[track_caller]
    pub fn assert_well(&self) {
        assert!(self.hits > 0, "nothing was hit: {self:?}");
        assert!(self.complaints.is_empty(), "{}", self.complaints.join("\n\n"));
    }
}

/// Runs the scene with one point hit. Gives whether it was.
fn hit(scene: &Scene, point: &Point, tally: &Mutex<Tally>) -> bool {
    let began = Instant::now();
    let set = (scene.set)();
    let jobs_before = super::aftermath::jobs(&set.user);
    let traced = strace::run(&set.user, &set.arguments, Some(point));
    let was_met = point.was_met(&traced);
    let mut complaints = answer_complaints(scene, point, &traced);
    if let Some(tick) = traced.tick.as_ref().filter(|tick| tick.code != 0) {
        complaints.push(format!("a tick beside the stopped process exits {}: {}", tick.code, tick.err));
    }
    complaints.extend((scene.answered)(&set.user, &traced));
    // What a process executes is hit in all that it starts, too.
    let known = Known {
        hits_all: point.call == "execve",
        may_leave: point.call == "unlinkat",
        may_fail: scene.may_fail() && !point.is_harmless(),
        ..known(scene, &traced, jobs_before)
    };
    complaints.extend(Aftermath::new(&set.user, known, EVENT_MAX).complaints());
    let mut tally = tally.lock().unwrap();
    tally.points += 1;
    if was_met {
        tally.hits += 1;
        *tally.calls.entry(point.call.clone()).or_insert(0) += 1;
    }
    let took = began.elapsed();
    if tally.slowest.as_ref().is_none_or(|(slowest, _)| *slowest < took) {
        tally.slowest = Some((took, point.to_string()));
    }
    if !complaints.is_empty() {
        let index = std::fs::read_to_string(set.user.root().join("jobs.json")).unwrap_or_default();
        let complaints = complaints.join("\n- ");
        // Past the runner, which tells of the others only once all have ended.
        let _ = writeln!(std::io::stderr(), "{}, {point}:\n- {complaints}", scene.name);
        tally.complaints.push(format!(
            "{}, {point}:\n- {complaints}\nit said: {:?} {:?}\n{}\n{index}",
            scene.name,
            traced.ran.out,
            traced.ran.err,
            strace::tail(&traced.log)
        ));
    }
    was_met
}

/// What is known after a run.
fn known(scene: &Scene, traced: &Traced, jobs_before: usize) -> Known {
    let printed = if scene.role == Role::Submitter {
        traced.ran.out.lines().map(str::to_owned).collect()
    } else {
        Vec::new()
    };
    let said = &traced.ran.err;
    // A submission that stands although its id could not be printed names it, and says so.
    let refused = scene.role == Role::Submitter
        && !traced.killed
        && traced.ran.code != 0
        && !SUBMITTED.iter().any(|words| said.contains(words));
    Known {
        jobs_before: refused.then_some(jobs_before),
        printed,
        may_fail: scene.may_fail(),
        hits_all: false,
        may_leave: false,
        ends: scene.ends,
        then: Some(scene.then),
        at_last: Some(scene.at_last),
    }
}

/// What a submitter says whose jobs stand although it could not print their ids.
const SUBMITTED: [&str; 3] = [
    "is submitted, but its id could not be printed",
    "submitted, but could not be printed",
    "are submitted, but their ids could not be printed",
];

/// Who was not killed answers with a documented code, and the reason where it could not do what it was told.
fn answer_complaints(scene: &Scene, point: &Point, traced: &Traced) -> Vec<String> {
    let is_heard = matches!(scene.role, Role::Submitter | Role::Changer);
    if !is_heard || point.blow == Blow::Kill {
        return Vec::new();
    }
    let (code, out, err) = (traced.ran.code, &traced.ran.out, &traced.ran.err);
    let submits = scene.role == Role::Submitter;
    let documented = [0, 1, 5, 75, 78].contains(&code);
    let untrue = [
        (point.is_harmless() && code != 0, "although nothing was in its way"),
        (!documented, "is not in the table of exit codes for a fault of the system"),
        (submits && code == 0 && out.is_empty(), "and no id was printed"),
        (code != 0 && err.is_empty(), "and no word why"),
        (submits && code != 0 && !out.is_empty(), "and something was printed as a result"),
    ];
    untrue.iter().filter(|(so, _)| *so).map(|(_, what)| format!("exit code {code} {what}")).collect()
}

/// An undisturbed run of a scene, which must be all well.
pub fn undisturbed(scene: &Scene) -> Traced {
    let set = (scene.set)();
    let jobs_before = super::aftermath::jobs(&set.user);
    let traced = strace::run(&set.user, &set.arguments, None);
    let mut known = known(scene, &traced, jobs_before);
    known.may_fail = false;
    let mut complaints = (scene.answered)(&set.user, &traced);
    if traced.ran.code != 0 {
        complaints.push(format!("it exits {}: {}", traced.ran.code, traced.ran.err));
    }
    complaints.extend(Aftermath::new(&set.user, known, EVENT_MAX).complaints());
    assert!(complaints.is_empty(), "{}, undisturbed: {complaints:?}", scene.name);
    traced
}

/// What these blows are, in a word.
fn described(blows: &[(&str, Blow)]) -> &'static str {
    match blows[0].1 {
        Blow::Kill => "kill",
        Blow::Stop => "stop",
        Blow::Fail(_) => "fault",
    }
}

/// Where the quick form begins: another place each minute, unless it is given.
fn offset() -> usize {
    let given = std::env::var("BG_TEST_OFFSET").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| usize::try_from(chrono::Utc::now().timestamp() / 60 % 1_000).unwrap_or(0))
}
