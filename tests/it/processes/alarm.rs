//! The alarm: what is due starts in time without cron, nobody is left behind, and no wake-up is lost.

use crate::support::{User, is_alive, kill, until};
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;

impl User {
    /// The alarm of this root, while there is one.
    pub fn alarm(&self) -> Option<i32> {
        let root = self.root().display().to_string();
        self.processes().into_iter().find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words.get(1) == Some(&&b"__alarm"[..]) && words.get(2) == Some(&root.as_bytes())
        })
    }

    /// When a job's present or last attempt got its slot, and since when it was due, in milliseconds between them.
    fn lateness(&self, id: &str, wanted_ms: i64) -> i64 {
        let job = self.job(id);
        let at = |name: &str| job[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        (at("started_at") - at("created_at")).num_milliseconds() - wanted_ms
    }
}

/// How late a start may be on a busy machine; an idle one needs a hundredth of it.
const LATE_MS_MAX: i64 = 1_500;
/// A delay counts from the command, which writes the job down a moment later.
const EARLY_MS_MAX: i64 = 500;

#[test]
fn a_retry_of_two_seconds_comes_after_two_seconds_without_cron_and_nobody_stays() {
    let user = User::new();
    let id = user.start(["--attempts", "2", "--retry-delay", "2s", "--", "sh", "-c", "test $BG_ATTEMPT = 2"]);
    until("it waits for its second attempt", || user.status(&id) == "queued");
    until("somebody waits for that", || user.alarm().is_some());
    until("it has completed", || user.status(&id) == "completed");
    // Two seconds, moved by a tenth at most.
    let late = user.lateness(&id, 2_000);
    assert!((-200..=200 + LATE_MS_MAX).contains(&late), "{late} ms");
    until("the alarm leaves", || user.alarm().is_none());
    user.all_gone();
}

#[test]
fn there_is_one_alarm_for_many_jobs_and_each_starts_in_its_time() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 20\n").unwrap();
    let ids: Vec<(i64, String)> = (0..10)
        .map(|n| (1 + n % 3, user.start(["--delay", &(1 + n % 3).to_string(), "--", "true"])))
        .collect();
    let alarm = user.alarm();
    assert!(alarm.is_some());
    for (seconds, id) in &ids {
        until("it has completed", || user.status(id) == "completed");
        let late = user.lateness(id, seconds * 1_000);
        assert!((-EARLY_MS_MAX..=LATE_MS_MAX).contains(&late), "{late} ms");
    }
    until("the alarm leaves", || user.alarm().is_none());
}

#[test]
fn an_earlier_time_that_comes_in_while_the_alarm_sleeps_is_kept() {
    let user = User::new();
    let late = user.start(["--delay", "80", "--", "true"]);
    until("the alarm sleeps", || user.alarm().is_some());
    let soon = user.start(["--delay", "1", "--", "true"]);
    until("the sooner one has completed", || user.status(&soon) == "completed");
    assert!((-EARLY_MS_MAX..=LATE_MS_MAX).contains(&user.lateness(&soon, 1_000)));
    assert_eq!(user.status(&late), "queued");
    user.ok(["cancel", &late]);
    until("nothing is due any more, and the alarm leaves", || user.alarm().is_none());
}

#[test]
fn an_alarm_that_was_killed_is_replaced_by_the_next_pass() {
    let user = User::new();
    let id = user.start(["--delay", "3", "--", "true"]);
    until("the alarm sleeps", || user.alarm().is_some());
    let first = user.alarm().unwrap();
    kill(first, Signal::KILL);
    until("it is gone", || !is_alive(first));
    user.ok(["tick"]);
    until("another is there", || user.alarm().is_some_and(|pid| pid != first));
    until("it has completed", || user.status(&id) == "completed");
}

#[test]
fn a_wait_does_without_an_alarm() {
    let user = User::new();
    let id = user.start(["--delay", "2", "--", "true"]);
    until("the alarm sleeps", || user.alarm().is_some());
    kill(user.alarm().unwrap(), Signal::KILL);
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn a_wait_sees_without_an_alarm_that_nobody_answered_in_time() {
    let user = User::new();
    let id = user.start(["--approval", "local", "--approval-ttl", "2s", "--", "true"]);
    until("the alarm sleeps", || user.alarm().is_some());
    kill(user.alarm().unwrap(), Signal::KILL);
    assert_eq!(user.wait(&id), 125);
    assert_eq!(user.job(&id)["summary"], "nobody approved it within 2s");
}

#[test]
fn an_alarm_that_was_made_inside_a_job_is_not_part_of_it() {
    let user = User::new();
    let script = format!("'{}' start --quiet --delay 60 -- true > inner", crate::support::BGCTL);
    let outer = user.start(["--cwd", user.path("").to_str().unwrap(), "--", "sh", "-c", &script]);
    assert_eq!(user.wait(&outer), 0);
    assert_eq!(
        user.job(&outer)["leftovers"],
        serde_json::json!([]),
        "the end of the job is not held up by it"
    );
    assert!(user.alarm().is_some(), "nor was it ended with the job");
    let inner = std::fs::read_to_string(user.path("inner")).unwrap();
    user.ok(["cancel", inner.trim()]);
    until("the alarm leaves", || user.alarm().is_none());
}

/// The wake-ups that could be lost are those that come in while an alarm leaves: jobs are put off by so little that alarms
/// come and go all the time, from several processes at once.
#[test]
fn no_wake_up_is_lost_while_alarms_come_and_go() {
    let user = User::new();
    user.make_root();
    std::fs::write(user.root().join("config.toml"), "[queue]\nmax_concurrent = 50\nmax_size = 100000\n")
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let user = &user;
            scope.spawn(move || {
                for round in 0..12_u64 {
                    let start = [
                        "start",
                        "--attempts",
                        "2",
                        "--retry-delay",
                        "0",
                        "--",
                        "sh",
                        "-c",
                        "test $BG_ATTEMPT = 2",
                    ];
                    let delayed = ["start", "--delay", "1", "--", "true"];
                    let arguments: &[&str] = if round % 3 == 0 { &delayed } else { &start };
                    let status = user.bgctl(arguments).stdout(Stdio::null()).status().unwrap();
                    assert!(status.success());
                    // So that the starts fall onto each other in ever new ways.
                    std::thread::sleep(Duration::from_millis((thread * 37 + round * 61) % 150));
                }
            });
        }
    });
    until("everything has completed", || {
        let index = user.index();
        index["jobs"].as_array().unwrap().iter().all(|job| job["status"] == "completed")
    });
    until("no alarm is left", || user.alarm().is_none());
    user.all_gone();
}

#[test]
fn an_alarm_whose_index_needs_a_newer_program_leaves() {
    let user = User::new();
    let id = user.start(["--delay", "2", "--", "true"]);
    until("the alarm sleeps", || user.alarm().is_some());
    let text = std::fs::read_to_string(user.root().join("jobs.json")).unwrap();
    let (before, after) = text.split_once(",\n\"").unwrap();
    user.write_index(&format!("{before},\n\"requires\":[\"moons\"],\n\"{after}"));
    until("it leaves", || user.alarm().is_none());
    assert_eq!(user.status(&id), "queued");
}
