//! `tick --loop`: the supervisor in the foreground, alone, at once, and gone without a trace.

use super::end_by_force;
use crate::support::{BGCTL, Ran, User, ended, is_alive, kill, until};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A supervisor of a user's root; ended by force when the test is over.
pub struct Loop {
    pub child: Child,
}

impl Loop {
    /// One that has made its first tick.
    #[track_caller]
    pub fn start(user: &User) -> Self {
        Self::start_with(user, &[], |command| command)
    }

    #[track_caller]
    fn start_with(user: &User, flags: &[&str], with: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let output = |name: &str| {
            let path = user.path(name);
            std::fs::File::options().create(true).append(true).open(path).unwrap()
        };
        let ticked = user.root().join("last_tick");
        let before = std::fs::metadata(&ticked).and_then(|data| data.modified()).ok();
        let mut command = user.bgctl(["tick", "--loop"]);
        command.args(flags).stdout(output("loop.out")).stderr(output("loop.err"));
        let one = Self { child: with(&mut command).spawn().unwrap() };
        until("it has made its first tick", || {
            std::fs::metadata(&ticked).and_then(|data| data.modified()).ok() != before
        });
        one
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Ends it as a user would; gives its exit code.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        kill(self.pid(), Signal::TERM);
        ended(&mut self.child)
    }

    fn end_by_force(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.end_by_force();
    }
}

impl User {
    pub fn configure(&self, text: &str) {
        self.make_root();
        std::fs::write(self.root().join("config.toml"), text).unwrap();
    }

    /// The lines of the stream that tell what became of a schedule's times.
    pub fn due_events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root().join("events.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["change"] == "due" && line["schedule"] == "beat").collect()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("loop.err")).unwrap_or_default()
    }
}

pub fn instant(value: &Value) -> chrono::DateTime<chrono::Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_second_supervisor_is_refused_and_told_who_is_there() {
    let user = User::new();
    let mut first = Loop::start(&user);
    let second = user.run(["tick", "--loop"]);
    assert_eq!((second.code, second.out.as_str()), (75, ""));
    assert!(second.err.contains(&format!("already, process {}", first.pid())), "{}", second.err);
    user.ok(["tick"]);
    assert_eq!(first.end(), 0);
    let mut next = Loop::start(&user);
    assert_eq!(next.end(), 0);
}

#[test]
fn a_term_ends_it_and_no_job_and_an_alarm_takes_over() {
    let user = User::new();
    let mut supervisor = Loop::start(&user);
    let gate = user.fifo("gate");
    let job = user.start_sh(&format!("read line < '{}'", gate.display()));
    until("its command runs", || user.record(&job).iter().any(|line| line["line"] == "started"));
    let late = user.start(["--delay", "3", "--", "true"]);
    assert!(user.alarm().is_none(), "the supervisor is enough");
    assert_eq!(supervisor.end(), 0);
    assert!(user.alarm().is_some(), "what is due soon is an alarm's now");
    assert_eq!((user.status(&job).as_str(), user.observed(&job).as_str()), ("running", "alive"));
    until("what was due has run", || user.status(&late) == "completed");
    std::fs::write(gate, "go\n").unwrap();
    assert_eq!(user.wait(&job), 0);
    let said = user.said();
    assert_eq!(said.lines().count(), 2, "a line at the start, and one at the end: {said}");
    user.all_gone();
}

#[test]
fn one_that_leaves_when_nothing_is_due_leaves_nobody() {
    let user = User::new();
    let mut supervisor = Loop::start(&user);
    kill(supervisor.pid(), Signal::INT);
    // Whoever runs the tests may have ignored it.
    std::thread::sleep(Duration::from_millis(100));
    if supervisor.child.try_wait().unwrap().is_none() {
        supervisor.end();
    }
    user.all_gone();
}

#[test]
fn an_alarm_that_is_there_makes_room() {
    let user = User::new();
    let far = user.start(["--delay", "80", "--", "true"]);
    until("an alarm is there", || user.alarm().is_some());
    let alarm = user.alarm().unwrap();
    let supervisor = Loop::start(&user);
    until("it has left", || !is_alive(alarm));
    let soon = user.start(["--delay", "1", "--", "true"]);
    until("what is due soon has run", || user.status(&soon) == "completed");
    assert!(user.alarm().is_none(), "and no alarm was needed for it");
    assert_eq!(user.status(&far), "queued");
    drop(supervisor);
    user.ok(["cancel", &far]);
}

#[test]
fn a_stopped_alarm_makes_room_too() {
    let user = User::new();
    let far = user.start(["--delay", "80", "--", "true"]);
    until("an alarm is there", || user.alarm().is_some());
    let alarm = user.alarm().unwrap();
    super::stop(alarm);
    let _supervisor = Loop::start(&user);
    assert!(!is_alive(alarm));
    user.ok(["cancel", &far]);
}

#[test]
fn a_job_whose_watcher_dies_gets_another_at_once() {
    let user = User::new();
    let _supervisor = Loop::start(&user);
    let gate = user.fifo("gate");
    let id = user.start_sh(&format!("read line < '{}'", gate.display()));
    until("its command runs", || user.record(&id).iter().any(|line| line["line"] == "started"));
    // It has to know the watcher: it looks a moment after the index has changed.
    let began = Instant::now();
    let first = user.lose_watcher(&id);
    until("another watches", || user.recorded_pid(&id, "watcher") != first);
    assert!(began.elapsed() < Duration::from_secs(20), "that was the tick of the minute");
    std::fs::write(gate, "go\n").unwrap();
    assert_eq!(user.wait(&id), 0);
}

#[test]
fn a_hup_makes_it_look_at_once_and_the_settings_are_read_again() {
    let user = User::new();
    let supervisor = Loop::start(&user);
    user.configure("[schedules.beat]\nevery = \"1s\"\ncommand = \"true\"\n");
    kill(supervisor.pid(), Signal::HUP);
    until("it runs what the settings define now", || !user.due_events().is_empty());
    user.configure("[schedules.beat]\nevery = \"1s\"\n");
    kill(supervisor.pid(), Signal::HUP);
    until("it says what is wrong with them", || user.said().contains("config.toml"));
    let count = user.due_events().len();
    until("and goes on with what the index has", || user.due_events().len() > count + 1);
    assert_eq!(user.said().matches("warning").count(), 1, "said once: {}", user.said());
}

#[test]
fn an_error_is_told_once_and_it_goes_on_when_that_is_mended() {
    let user = User::new();
    user.wait(&user.start(["--", "true"]));
    let supervisor = Loop::start(&user);
    let index = user.root().join("jobs.json");
    let sound = std::fs::read_to_string(&index).unwrap();
    let put = |text: &str| {
        std::fs::write(user.path("new"), text).unwrap();
        std::fs::rename(user.path("new"), &index).unwrap();
    };
    put("{");
    for _ in 0..3 {
        kill(supervisor.pid(), Signal::HUP);
        until("it says that the index is damaged", || user.said().contains("was not touched"));
    }
    let job = "{\"id\":\"bg_20260213_queued\",\"command\":\"true\",\"cwd\":\"/\",\"status\":\"queued\",\"created_at\":\"2026-02-13T00:00:00Z\"}";
    put(&sound.replacen("\"jobs\":[\n", &format!("\"jobs\":[\n{job},\n"), 1));
    until("it goes on", || user.status("queued") == "completed");
    assert_eq!(user.said().matches("was not touched").count(), 1, "{}", user.said());
}

#[test]
fn a_root_that_was_removed_ends_it() {
    let user = User::new();
    let mut supervisor = Loop::start(&user);
    std::fs::remove_dir_all(user.root()).unwrap();
    // It would find that out within a minute.
    kill(supervisor.pid(), Signal::HUP);
    assert_eq!(ended(&mut supervisor.child), 1);
    assert!(user.said().contains("was removed"), "{}", user.said());
    assert!(!user.root().exists());
}

#[test]
fn systemd_is_told_that_it_is_ready_how_it_stands_that_it_lives_and_that_it_stops() {
    let user = User::new();
    user.make_root();
    let path = user.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::support::EVENT_MAX)).unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 4_096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let is_last = text.contains("STOPPING=1");
            if tell.send((Instant::now(), text)).is_err() || is_last {
                break;
            }
        }
    });
    let mut supervisor = Loop::start_with(&user, &[], |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000")
    });
    let mut signs = Vec::new();
    let mut ready = None;
    let mut statuses = Vec::new();
    while signs.len() < 5 {
        let (at, text) = told.recv_timeout(crate::support::EVENT_MAX).unwrap();
        for line in text.lines() {
            match line {
                "READY=1" => assert!(ready.replace(at).is_none(), "told once"),
                "WATCHDOG=1" => signs.push(at),
                status => statuses.push(status.to_owned()),
            }
        }
    }
    assert!(ready.is_some());
    assert_eq!(statuses, ["STATUS=0 running, 0 queued, 0 schedules"]);
    // Half a second apart; systemd would give up after a whole one.
    let longest = signs.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    eprintln!("the longest time between two signs of life: {longest:?}");
    assert!(longest < Duration::from_millis(950), "{longest:?}");
    user.start(["--delay", "60", "--", "true"]);
    let status = loop {
        let (_, text) = told.recv_timeout(crate::support::EVENT_MAX).unwrap();
        if text.contains("STATUS=") {
            break text;
        }
    };
    assert_eq!(status.trim(), "STATUS=0 running, 1 queued, 0 schedules");
    assert_eq!(supervisor.end(), 0);
    let stopping = told.iter().any(|(_, text)| text.contains("STOPPING=1"));
    assert!(stopping);
    user.ok(["cancel", "--all", "--yes"]);
}

#[test]
fn what_failed_for_good_is_printed_where_that_is_wanted() {
    let user = User::new();
    let mut supervisor = Loop::start_with(&user, &["--report", "failures"], |command| command);
    let failed = user.start(["--name", "dump", "--", "sh", "-c", "echo no space; exit 3"]);
    let good = user.start(["--", "true"]);
    user.wait(&failed);
    user.wait(&good);
    kill(supervisor.pid(), Signal::HUP);
    let out = || std::fs::read_to_string(user.path("loop.out")).unwrap();
    until("it is printed", || out().contains("bgctl retry"));
    assert!(out().starts_with(&format!("{failed} (dump) failed: exit code 3\n")), "{}", out());
    assert!(out().contains("no space") && !out().contains(&good), "{}", out());
    kill(supervisor.pid(), Signal::HUP);
    supervisor.end();
    assert_eq!(out().matches("(dump) failed").count(), 1);
}

/// The program as process 1 of a pid namespace of its own. `None`, and a word, where this may not be.
fn as_first_process(user: &User) -> Option<(Child, i32)> {
    let unshare = |arguments: &[&str]| {
        let mut command = user.command("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).args(arguments);
        command
    };
    if unshare(&["true"]).output().map_or(true, |output| !output.status.success()) {
        crate::support::skipped("no pid namespace can be made here");
        return None;
    }
    let child = unshare(&[BGCTL, "tick", "--loop"]).spawn().unwrap();
    until("it has made its first tick", || user.root().join("last_tick").exists());
    let parent = child.id();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    Some((child, children.trim().parse().unwrap()))
}

#[test]
fn as_the_first_process_of_a_container_it_lets_the_dead_go_but_those_whose_end_is_still_to_be_read() {
    let user = User::new();
    let Some((mut child, supervisor)) = as_first_process(&user) else { return };
    let inside = |script: &str| {
        let mut command = user.command("nsenter");
        command.args(["-t", &supervisor.to_string(), "-p", "-m", "sh", "-c", script]).env("BGCTL", BGCTL);
        let ran = Ran::of(&command.output().unwrap());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out.trim().to_owned()
    };
    let zombies = || {
        let all = inside("cat /proc/[0-9]*/stat 2>/dev/null || :");
        let is_one = |line: &&str| line.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with("Z 1 "));
        all.lines().filter(is_one).count()
    };
    // Orphans, those of a job's watcher among them.
    inside("sh -c '(exit 0) & (exit 3) &'; id=$($BGCTL start -- true); $BGCTL wait --quiet $id");
    until("the dead are let go", || zombies() == 0);
    let gate = user.fifo("gate");
    let id = inside(&format!("$BGCTL start -- sh -c \"read line < '{}'; exit 7\"", gate.display()));
    until("its command runs", || user.record(&id).iter().any(|line| line["line"] == "started"));
    let first = user.recorded_pid(&id, "watcher");
    inside(&format!("kill -9 {first}"));
    until("another watches", || user.recorded_pid(&id, "watcher") != first);
    let second = user.recorded_pid(&id, "watcher");
    inside(&format!("kill -STOP {second}"));
    std::fs::write(&gate, "go\n").unwrap();
    until("the command has ended", || zombies() == 1);
    let ticked = || std::fs::metadata(user.root().join("last_tick")).unwrap().modified().unwrap();
    let before = ticked();
    inside("kill -HUP 1");
    until("it has looked again", || ticked() != before);
    inside("sh -c '(exit 0) &'");
    until("others are let go, and this one is kept", || zombies() == 1);
    inside(&format!("kill -CONT {second}"));
    user.until_indexed_as(&id, "failed");
    assert_eq!(user.indexed(&id)["exit_code"], 7, "{}", user.indexed(&id));
    until("it is let go too", || zombies() == 0);
    kill(supervisor, Signal::TERM);
    assert_eq!(ended(&mut child), 0);
    user.all_gone();
}

/// How often it is killed.
const KILLS: u64 = 20;

#[test]
fn killed_again_and_again_it_loses_no_due_time_and_makes_none_twice() {
    let user = User::new();
    let ran = user.path("ran");
    user.configure(&format!(
        "[schedules.beat]\nevery = \"1s\"\ncommand = \"echo $BG_JOB_ID >> '{}'\"\n",
        ran.display()
    ));
    let mut seen = 0;
    for round in 0..KILLS {
        let mut supervisor = Loop::start(&user);
        until("a time has come", || user.due_events().len() > seen);
        // At another instant of its work each time: right after the write, while it launches, while it sleeps.
        std::thread::sleep(Duration::from_millis(round * 7 % 40));
        supervisor.end_by_force();
        seen = user.due_events().len();
        // Now and then nobody is there for a while.
        if round % 5 == 4 {
            std::thread::sleep(Duration::from_millis(1_500));
        }
    }
    let mut last = Loop::start(&user);
    until("it has made up for the last pause", || user.due_events().len() > seen + 1);
    kill(last.pid(), Signal::STOP);
    let due = user.due_events();
    kill(last.pid(), Signal::CONT);
    user.configure("");
    kill(last.pid(), Signal::HUP);
    until("the schedule is gone", || user.index()["schedules"].get("beat").is_none());
    assert_eq!(last.end(), 0);

    let times: Vec<_> = due.iter().map(|line| instant(&line["due_at"])).collect();
    let distinct: BTreeSet<_> = times.iter().collect();
    assert_eq!(distinct.len(), times.len(), "none came twice");
    for (two, line) in times.windows(2).zip(&due[1..]) {
        let missed = line["missed"].as_i64().unwrap_or(0);
        assert_eq!((two[1] - two[0]).num_milliseconds(), 1_000 * (missed + 1), "none was lost: {line}");
    }
    let wanted: BTreeSet<String> = due
        .iter()
        .filter(|line| line["fate"] == "submitted")
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    let lines = || std::fs::read_to_string(&ran).unwrap_or_default();
    until("each has run", || {
        user.ok(["tick"]);
        let ran: BTreeSet<String> = lines().lines().map(str::to_owned).collect();
        wanted.is_subset(&ran)
    });
    let all: Vec<String> = lines().lines().map(str::to_owned).collect();
    let once: BTreeSet<&String> = all.iter().collect();
    assert_eq!(once.len(), all.len(), "none ran twice");
    eprintln!("{} times came, {} ran", due.len(), wanted.len());
}

#[test]
fn killed_by_force_it_is_followed_by_an_alarm_once_somebody_looks() {
    let user = User::new();
    let mut supervisor = Loop::start(&user);
    let id = user.start(["--delay", "2", "--", "true"]);
    end_by_force(supervisor.pid());
    supervisor.end_by_force();
    assert!(user.alarm().is_none());
    user.ok(["tick"]);
    until("an alarm is there", || user.alarm().is_some() || user.status(&id) == "completed");
    until("it has run", || user.status(&id) == "completed");
}
