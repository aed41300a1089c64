//! The machine was started again: what ran then is over, what waited still waits, and all of it goes on once.

use super::place::{Place, observed};
use super::{
    Cases, Drawn, attempts, broken_rules, differs, edit, edit_job, entry, executions, let_go, missing,
    power_cut, running, state, witness,
};
use crate::proof;
use crate::support::{User, kill, until};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::{Command, Stdio};

/// Slots for everything that is to run at once.
const SETTINGS: &str = "[queue]\nmax_concurrent = 50\n[groups.narrow]\nslots = 1\n";

/// It runs until it is ended.
const STAY: &str = "exec sleep 1000";
/// The same, and it does not end when it is asked to.
const DEAF: &str = "trap '' TERM; while :; do sleep 1000; done";

/// What is in the index when the power fails.
struct World {
    user: User,
    plain: String,
    twice: String,
    last: String,
    told: String,
    late: String,
    paused: String,
    paused_again: String,
    after: String,
    after_end: String,
    put_off: String,
    soon: String,
    asks: String,
    holder: String,
    second: String,
    ended: String,
    waits_again: String,
    unseen: String,
    claimed: String,
}

impl World {
    fn new() -> Self {
        let user = User::new();
        user.configure(SETTINGS);
        let start = |flags: &[&str], rest: &str| {
            let script = witness(rest);
            user.start([&["--quiet"], flags, &["--", "sh", "-c", &script]].concat())
        };
        let plain = start(&[], STAY);
        let twice =
            start(&["--attempts", "3", "--retry-delay", "0"], "test $BG_ATTEMPT = 2 || exec sleep 1000");
        let last = start(
            &["--attempts", "2", "--retry-delay", "0"],
            "test $BG_ATTEMPT = 1 && exit 1; exec sleep 1000",
        );
        let told = start(&["--grace", "1h"], DEAF);
        let late = start(&["--timeout", "1s", "--grace", "1h"], DEAF);
        let paused = start(&[], STAY);
        let paused_again = start(&["--attempts", "2", "--retry-delay", "0"], STAY);
        let after = start(&["--after", &plain], "true");
        let after_end = start(&["--after-end", &plain], "true");
        let put_off = start(&["--delay", "1h"], "true");
        let soon = start(&["--delay", "60s"], "true");
        let asks = start(&["--approval", "local"], "true");
        let holder = start(&["--group", "narrow"], STAY);
        let second = start(&["--group", "narrow", "--env", "SECRET=kept"], "echo $SECRET > secret");
        let waits_again = start(&["--attempts", "2", "--retry-delay", "1h"], "exit 1");
        user.fifo("go");
        user.fifo("go2");
        let ended = start(&[], "cat go; exit 7");
        let unseen =
            start(&["--attempts", "2", "--retry-delay", "0"], "test $BG_ATTEMPT = 2 || cat go2; exit 0");
        user.ok(["schedule", "add", "once", "--every", "1h", "--", "sh", "-c", &witness("true")]);
        user.ok([
            "schedule",
            "add",
            "none",
            "--every",
            "1h",
            "--missed",
            "none",
            "--",
            "sh",
            "-c",
            &witness("true"),
        ]);
        let claimed = start(&["--delay", "2h"], "true");
        for id in [&plain, &twice, &told, &late, &paused, &paused_again, &holder, &ended, &unseen] {
            running(&user, id);
        }
        until("the last attempt runs", || attempts(&user, &last) == [1, 2]);
        until("it waits for its next attempt", || state(&user, &waits_again) == "queued");
        user.ok(["pause", &paused, &paused_again]);
        user.ok(["cancel", "--no-wait", &told]);
        until("its time is over", || entry(&user, &late)["ending"]["why"] == "timeout");
        Self {
            user,
            plain,
            twice,
            last,
            told,
            late,
            paused,
            paused_again,
            after,
            after_end,
            put_off,
            soon,
            asks,
            holder,
            second,
            ended,
            waits_again,
            unseen,
            claimed,
        }
    }

    /// The machine goes down, and is down for three hours and a half.
    fn goes_down(&self) {
        let user = &self.user;
        // A job whose end is on record alone: its watcher could not write the index any more.
        let lock = std::fs::File::open(user.root().join("jobs.lock")).unwrap();
        let mut lock = fd_lock::RwLock::new(lock);
        let held = lock.write().unwrap();
        let_go(user.path("go"));
        until("its end is on record", || {
            user.record(&self.ended).iter().any(|line| line["line"] == "outcome")
        });
        power_cut(user);
        drop(held);
        edit(user, |index| {
            for name in ["once", "none"] {
                for field in ["next_at", "added_at"] {
                    let at = &mut index["schedules"][name][field];
                    let then: chrono::DateTime<chrono::Utc> = at.as_str().unwrap().parse().unwrap();
                    *at = json!(then - chrono::TimeDelta::minutes(210));
                }
            }
        });
        // A job that had got its slot, and whose watcher had not come to begin.
        let claim = entry(user, &self.plain)["claim"].clone();
        edit_job(user, &self.claimed, |job| {
            job["status"] = "running".into();
            job["started_at"] = job["created_at"].clone();
            job["attempt"] = 1.into();
            job["claim"] = claim;
        });
    }
}

/// What should be in the index of a job: its state, its exit code, and a part of the sentence about its end.
fn is(user: &User, id: &str, status: &str, exit_code: Value, summary: &str) -> Vec<String> {
    let came = missing(status, || state(user, id) == status);
    let job = entry(user, id);
    let said = job["summary"].as_str().unwrap_or_default();
    let unsaid = (!said.contains(summary)).then(|| format!("it says {said:?} and not {summary:?}"));
    came.into_iter()
        .chain(differs("its exit code", job["exit_code"].clone(), exit_code))
        .chain(unsaid)
        .collect()
}

const AGAIN: &str = "the machine was started again meanwhile";

#[test]
fn after_a_reboot_each_job_is_what_it_was_or_has_failed_as_unknown_and_nothing_runs_twice() {
    let next = Place::boot(1);
    let probe = User::new();
    if !next.is_open(&probe) {
        return;
    }
    let world = World::new();
    let user = &world.user;
    let (not_before, asked) =
        (entry(user, &world.put_off)["not_before"].clone(), entry(user, &world.asks)["approval"].clone());
    world.goes_down();
    let seen = next.observed(user, &world.plain);
    let ended = next.observed(user, &world.ended);
    next.ok(user, ["tick"]);
    next.ok(user, ["tick"]);

    let mut cases = Cases::new("adoption.reboot");
    let none = Value::Null;
    let ran = |id: &str, is: &[u32]| differs("its attempts", attempts(user, id), is.to_vec());
    cases.tried(
        "what was seen before a tick",
        differs("it", seen.as_str(), "rebooted").into_iter().chain(differs("it", ended.as_str(), "ended")),
    );
    cases.tried(
        "a job with one attempt",
        is(user, &world.plain, "failed", none.clone(), AGAIN).into_iter().chain(ran(&world.plain, &[1])),
    );
    cases.tried(
        "one with attempts left",
        is(user, &world.twice, "completed", 0.into(), "").into_iter().chain(ran(&world.twice, &[1, 2])),
    );
    let dead = differs("a dead letter", user.job(&world.last)["dead_letter"].clone(), true.into());
    cases.tried(
        "one in its last attempt",
        is(user, &world.last, "failed", none.clone(), "that was the last of 2 attempts")
            .into_iter()
            .chain(ran(&world.last, &[1, 2]))
            .chain(dead),
    );
    cases.tried("one that had been cancelled", is(user, &world.told, "cancelled", none.clone(), AGAIN));
    let code = next.run(user, ["wait", "--quiet", &world.late]).code;
    cases.tried(
        "one whose time was over",
        is(user, &world.late, "failed", none.clone(), AGAIN).into_iter().chain(differs("wait", code, 124)),
    );
    cases.tried("a paused one", is(user, &world.paused, "failed", none.clone(), AGAIN));
    let still = differs("paused", entry(user, &world.paused_again)["paused_at"].is_null(), false);
    cases.tried(
        "a paused one with attempts left",
        is(user, &world.paused_again, "queued", none.clone(), "")
            .into_iter()
            .chain(still)
            .chain(ran(&world.paused_again, &[1])),
    );
    cases.tried(
        "one that waited for its completion",
        is(user, &world.after, "cancelled", none.clone(), "").into_iter().chain(ran(&world.after, &[])),
    );
    cases.tried(
        "one that waited for its end",
        is(user, &world.after_end, "completed", 0.into(), "").into_iter().chain(ran(&world.after_end, &[1])),
    );
    let time = differs("its time", entry(user, &world.put_off)["not_before"].clone(), not_before);
    cases.tried(
        "one that was put off",
        is(user, &world.put_off, "queued", none.clone(), "").into_iter().chain(time),
    );
    cases.tried(
        "the alarm, for one that is due soon",
        differs("there", user.alarm().is_some(), true).into_iter().chain(differs(
            "it",
            state(user, &world.soon).as_str(),
            "queued",
        )),
    );
    let question = differs("its question", entry(user, &world.asks)["approval"].clone(), asked);
    cases.tried(
        "one that waits for a person",
        is(user, &world.asks, "waiting_approval", none.clone(), "").into_iter().chain(question),
    );
    cases.tried("the holder of the only slot", is(user, &world.holder, "failed", none.clone(), AGAIN));
    cases.tried(
        "one that waited for it, with its environment",
        is(user, &world.second, "completed", 0.into(), "").into_iter().chain(differs(
            "it",
            user.path("secret").exists().then(|| user.line_in("secret")),
            Some("kept\n".to_owned()),
        )),
    );
    cases.tried("one whose end was on record", is(user, &world.ended, "failed", 7.into(), "exit code 7"));
    cases.tried(
        "one that waits for its next attempt",
        is(user, &world.waits_again, "queued", none.clone(), "")
            .into_iter()
            .chain(ran(&world.waits_again, &[1])),
    );
    cases.tried(
        "one that is tried again",
        is(user, &world.unseen, "completed", 0.into(), "").into_iter().chain(ran(&world.unseen, &[1, 2])),
    );
    cases.tried(
        "one with a slot that had not begun",
        is(user, &world.claimed, "failed", none, AGAIN).into_iter().chain(ran(&world.claimed, &[])),
    );
    for (name, fate, runs) in [("once", "submitted", 1), ("none", "missed", 0)] {
        let runs_are =
            || user.index()["jobs"].as_array().unwrap().iter().filter(|job| job["schedule"] == name).count();
        let health = user.index()["schedules"][name]["health"]["missed"].clone();
        let next_at: chrono::DateTime<chrono::Utc> =
            user.index()["schedules"][name]["next_at"].as_str().unwrap().parse().unwrap();
        let soon = (next_at - chrono::Utc::now()).num_minutes();
        let wrong = differs("runs", runs_are(), runs);
        let coming = (!(0..=60).contains(&soon)).then(|| format!("its next time is in {soon} minutes"));
        let missed = differs("missed", health, (if runs == 1 { 2 } else { 3 }).into());
        cases.tried(&format!("a schedule: {fate}"), wrong.into_iter().chain(coming).chain(missed));
    }
    cases.tried("the index, and what ran twice", broken_rules(user));
    // The next boot is like the first: what runs now ends in the third.
    let again = next.ok(user, ["start", "--", "sh", "-c", &witness("exec sleep 1000")]);
    running(user, again.trim_end());
    power_cut(user);
    let third = Place::boot(2);
    third.ok(user, ["tick"]);
    cases.tried(
        "a job of the second boot, in the third",
        is(user, again.trim_end(), "failed", Value::Null, AGAIN),
    );
    user.ok(["cancel", "--all", "--yes"]);
    user.ok(["schedule", "remove", "once"]);
    user.ok(["schedule", "remove", "none"]);
    cases.tell("");
}

#[test]
fn an_alarm_and_a_supervisor_of_an_earlier_boot_stand_in_nobodys_way() {
    let next = Place::boot(1);
    let user = User::new();
    if !next.is_open(&user) {
        return;
    }
    user.start(["--delay", "80", "--", "true"]);
    until("an alarm is there", || user.alarm().is_some());
    power_cut(&user);
    next.ok(&user, ["tick"]);
    let alarm = user.alarm().expect("the first tick launches another");
    let mut supervisor = next.bgctl(&user, ["tick", "--loop"]).stderr(Stdio::null()).spawn().unwrap();
    until("it has made room", || !crate::support::is_alive(alarm));
    power_cut(&user);
    supervisor.wait().unwrap();
    let mut supervisor =
        Place::boot(2).bgctl(&user, ["tick", "--loop"]).stderr(Stdio::null()).spawn().unwrap();
    let recorded = || {
        let text = std::fs::read_to_string(user.root().join("loop.lock")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).ok().map(|who| who["pid"].clone())
    };
    until("another supervisor is there", || recorded() == Some(supervisor.id().into()));
    kill(supervisor.id().cast_signed(), Signal::TERM);
    assert_eq!(crate::support::ended(&mut supervisor), 0);
}

#[test]
fn a_watcher_that_begins_after_the_reboot_for_a_claim_of_before_leaves_it_alone() {
    let next = Place::boot(1);
    let user = User::new();
    if !next.is_open(&user) {
        return;
    }
    let id = user.start(["--delay", "1h", "--", "sh", "-c", &witness("true")]);
    let claim = serde_json::to_value(bgctl::os::site::here().unwrap()).unwrap();
    edit_job(&user, &id, |job| {
        job["status"] = "running".into();
        job["started_at"] = job["created_at"].clone();
        job["attempt"] = 1.into();
        job["claim"] = claim;
    });
    let root = user.root().display().to_string();
    next.ok(&user, ["__watch", &root, &id]);
    assert_eq!((state(&user, &id).as_str(), attempts(&user, &id)), ("running", vec![]));
    assert_eq!(observed(&user, &id), "starting", "in its own boot it may still begin");
}

/// How many boots.
const BOOTS: (usize, usize) = (10, 200);

#[test]
fn power_cuts_at_any_instant_lose_nothing_and_run_no_attempt_twice() {
    let user = User::new();
    if !Place::boot(1).is_open(&user) {
        return;
    }
    user.configure("[queue]\nmax_concurrent = 3\nmax_size = 10000\n");
    let seed = proof::seed();
    let mut random = Drawn(seed);
    let mut printed: Vec<String> = Vec::new();
    let mut cases = Cases::new("adoption.boots");
    let boots = proof::cases(BOOTS.0, BOOTS.1);
    for number in 0..boots {
        let boot = Place::boot(number);
        let ticked = boot.run(&user, ["tick"]);
        let mut wrong: Vec<String> = broken_rules(&user);
        wrong.extend((ticked.code != 0).then(|| format!("tick exits {}: {}", ticked.code, ticked.err)));
        wrong.extend(falsely_running(&user, &boot));
        // Some are submitted before the power fails, and one just then.
        let mut submit = || {
            let (code, milliseconds) = (random.below(2), random.below(60));
            let script = witness(&format!("sleep 0.{milliseconds:03}; exit {code}"));
            boot.bgctl(&user, ["start", "--attempts", "4", "--retry-delay", "0", "--", "sh", "-c", &script])
        };
        for _ in 0..2 {
            printed.extend(id_of(&mut submit()));
        }
        let last = submit().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(random.below(120)));
        power_cut(&user);
        let said = last.wait_with_output().unwrap().stdout;
        printed
            .extend(String::from_utf8(said).ok().and_then(|text| Some(text.strip_suffix('\n')?.to_owned())));
        cases.tried(&format!("boot {number}"), wrong);
    }
    let boot = Place::boot(boots);
    boot.ok(&user, ["tick"]);
    let mut wrong = falsely_running(&user, &boot);
    boot.run(&user, ["wait", "--all", "--quiet", "--within", "60"]);
    for job in user.index()["jobs"].as_array().unwrap() {
        let id = job["id"].as_str().unwrap();
        let ran = attempts(&user, id);
        let most = job["attempt"].as_u64().unwrap();
        if !["completed", "failed"].contains(&job["status"].as_str().unwrap()) {
            wrong.push(format!("{id} is {}", job["status"]));
        }
        if ran.iter().any(|attempt| u64::from(*attempt) > most) || most > 4 {
            wrong.push(format!("{id} says attempt {most} and ran {ran:?}"));
        }
        if job["status"] == "completed" && ran.last().copied().map(u64::from) != Some(most) {
            wrong.push(format!("{id} completed in attempt {most} and ran {ran:?}"));
        }
        if job["status"] == "failed" && most < 4 {
            wrong.push(format!("{id} failed in attempt {most} of 4"));
        }
    }
    wrong.extend(broken_rules(&user));
    wrong.extend(
        printed
            .iter()
            .filter(|id| entry(&user, id).is_null())
            .map(|id| format!("{id} was printed and is lost")),
    );
    wrong.extend(missing("no process is left", || user.processes().is_empty()));
    cases.tried("the end", wrong);
    cases.tell(&format!(
        "seed {seed}, {} jobs, {} executions",
        user.index()["jobs"].as_array().unwrap().len(),
        executions(&user).len()
    ));
}

/// The id that a submission printed.
fn id_of(command: &mut Command) -> Option<String> {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).ok().map(|text| text.trim_end().to_owned()).filter(|id| !id.is_empty())
}

/// After a tick, what is said to run has a watcher, or gets one in a moment.
fn falsely_running(user: &User, boot: &Place) -> Vec<String> {
    let mut wrong = Vec::new();
    let _ = missing("each running job is watched", || {
        let list = boot.run(user, ["list", "--json"]).json();
        let jobs = list["jobs"].as_array().cloned().unwrap_or_default();
        let is_false = |job: &&Value| {
            let observed = job["observed"].as_str().unwrap_or_default();
            job["status"] == "running" && !["alive", "starting", "ended"].contains(&observed)
        };
        let found = jobs.iter().filter(is_false);
        wrong = found.map(|job| format!("{} is running and {}", job["id"], job["observed"])).collect();
        wrong.is_empty()
    });
    wrong
}
