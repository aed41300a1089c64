//! Standing still: the whole tree of a paused job, its clock, and what comes after a watcher's death.

use super::Lair;
use crate::support::{User, kill, until};
use bgctl::model::event::Event;
use bgctl::model::{facts::Draft, group::GroupChange, id::JobId, state::Change};
use bgctl::os::clock::{Clock, SystemClock};
use bgctl::os::process::look;
use bgctl::store::{Store, file::FileStore, root::Root};
use rustix::process::Signal;

/// The letter of a process's state (`proc_pid_stat(5)`) says that it is stopped.
fn is_stopped(pid: i32) -> bool {
    look(pid).unwrap().is_some_and(|process| process.stopped)
}

/// Commits what a command would, and tells nobody: the watcher finds it with its next sign of life, or a pass tells it.
fn commit(user: &User, id: &str, change: Change) {
    let root = Root::open_or_create(&user.root()).unwrap();
    let id = JobId::parse(id).unwrap();
    let event = Event::Changed { id, change };
    FileStore::new(&root)
        .transact(SystemClock.now(), &mut |draft| draft.push(event.clone()).map(|_| ()))
        .unwrap();
}

/// A job whose three processes stay: the shell, one in the background and one that left its session.
fn job_of_three(lair: &Lair<'_>, flags: &[&str]) -> (String, Vec<i32>) {
    let script = format!("{0} & setsid {0} & {0}", lair.stay);
    let id = lair.user.start(flags.iter().copied().chain(["--", "sh", "-c", &script]));
    let pids = lair.inhabitants(3);
    (id, pids)
}

/// A tick gives it another watcher, once the system has noticed that the one before is gone.
fn adopted(user: &User, id: &str, watchers: usize) {
    until("it is adopted", || {
        user.ok(["tick"]);
        user.record(id).iter().filter(|line| line["line"] == "watcher").count() == watchers
    });
}

fn all_stopped(pids: &[i32]) -> bool {
    pids.iter().all(|pid| is_stopped(*pid))
}

fn none_stopped(pids: &[i32]) -> bool {
    !pids.iter().any(|pid| is_stopped(*pid))
}

#[test]
fn a_paused_job_stands_still_as_a_whole_and_goes_on_when_it_is_resumed() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &[]);
    user.ok(["pause", &id]);
    assert!(all_stopped(&pids), "the command returns once all stand still");
    assert_eq!(user.status(&id), "running");
    user.ok(["resume", &id]);
    until("they go on", || none_stopped(&pids));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_paused_job_is_ended_by_a_cancel() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &["--grace", "30s"]);
    user.ok(["pause", &id]);
    assert!(all_stopped(&pids));
    user.ok(["cancel", &id]);
    assert_eq!(user.status(&id), "cancelled");
    user.all_gone();
}

#[test]
fn the_clock_of_a_paused_job_stands() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &["--timeout", "3s"]);
    user.ok(["pause", &id]);
    assert!(all_stopped(&pids));
    // Far beyond its time; a job that does nothing is waited for by another that ends.
    let other = user.start_sh("sleep 4");
    assert_eq!(user.wait(&other), 0);
    assert_eq!(user.status(&id), "running", "its time did not run");
    user.ok(["resume", &id]);
    assert_eq!(user.wait(&id), 124, "now it does");
    user.all_gone();
}

#[test]
fn a_pause_survives_the_watcher() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &[]);
    user.ok(["pause", &id]);
    kill(user.recorded_pid(&id, "watcher"), Signal::KILL);
    adopted(&user, &id, 2);
    assert!(all_stopped(&pids));
    user.ok(["resume", &id]);
    until("they go on", || none_stopped(&pids));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn what_was_decided_while_nobody_watched_is_done_by_the_adopter() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &[]);
    let orphan = || kill(user.recorded_pid(&id, "watcher"), Signal::KILL);
    orphan();
    commit(&user, &id, Change::Pause { at: SystemClock.now() });
    assert!(none_stopped(&pids));
    adopted(&user, &id, 2);
    until("the adopter stops them", || all_stopped(&pids));
    until("and says so", || user.record(&id).iter().any(|line| line["line"] == "paused"));
    kill(user.recorded_pid(&id, "watcher"), Signal::KILL);
    commit(&user, &id, Change::Resume);
    adopted(&user, &id, 3);
    until("the next one lets them go on", || none_stopped(&pids));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn a_group_whose_pause_was_written_down_and_told_to_nobody_comes_to_stand_still() {
    let user = User::new();
    let lair = Lair::new(&user);
    user.ok(["group", "add", "gpu", "--slots", "2"]);
    // Its watcher gives a sign of life every second, and looks into the index then.
    let (id, pids) = job_of_three(&lair, &["--stale-after", "3s", "--group", "gpu"]);
    let root = Root::open_or_create(&user.root()).unwrap();
    let at = SystemClock.now();
    let events = [
        Event::Grouped { group: "gpu".to_owned(), change: GroupChange::Pause { at } },
        Event::Changed { id: JobId::parse(&id).unwrap(), change: Change::Pause { at } },
    ];
    let decide = &mut |draft: &mut Draft| {
        for event in &events {
            draft.push(event.clone())?;
        }
        Ok(())
    };
    FileStore::new(&root).transact(at, decide).unwrap();
    until("all stand still", || all_stopped(&pids));
    assert_eq!(user.ok(["pause", "--group", "gpu"]), "group gpu was paused already\n");
    let queued = user.start(["--quiet", "--group", "gpu", "--", "true"]);
    user.ok(["tick"]);
    assert_eq!(user.status(&queued), "queued");
    assert_eq!(user.ok(["resume", "--group", "gpu"]), format!("group gpu resumed\n{id} resumed\n"));
    until("they go on", || none_stopped(&pids));
    assert_eq!(user.wait(&queued), 0);
    user.ok(["cancel", &id]);
}

#[test]
fn a_tree_that_forks_all_the_time_is_stopped_as_a_whole() {
    let user = User::new();
    // Each generation leaves a child behind and ends, so that no list of processes is true for long.
    let script = user.script("hop", "#!/bin/sh\necho x >> hops\n[ -e stop ] || \"$0\" &\n");
    let id = user.start([
        "--",
        "sh",
        "-c",
        &format!("'{}'; read word < '{}'", script, user.fifo("never").display()),
    ]);
    let hops = || std::fs::metadata(user.path("hops")).map_or(0, |data| data.len());
    until("it hops", || hops() > 20);
    user.ok(["pause", &id]);
    let before = hops();
    let other = user.start_sh("sleep 1");
    assert_eq!(user.wait(&other), 0);
    assert_eq!(hops(), before, "nothing of it runs");
    user.ok(["resume", &id]);
    until("it hops again", || hops() > before);
    std::fs::write(user.path("stop"), "").unwrap();
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn what_a_watcher_had_begun_to_stop_when_it_died_goes_on_when_it_is_resumed() {
    let user = User::new();
    let lair = Lair::new(&user);
    let (id, pids) = job_of_three(&lair, &[]);
    kill(user.recorded_pid(&id, "watcher"), Signal::KILL);
    // It had written down what it was about to do, and stopped some.
    let record = user.root().join(format!("runs/{id}.lock"));
    let mut record = std::fs::OpenOptions::new().append(true).open(record).unwrap();
    std::io::Write::write_all(&mut record, b"{\"line\":\"pausing\"}\n").unwrap();
    kill(pids[0], Signal::STOP);
    until("one stands still", || is_stopped(pids[0]));
    let ran = user.run(["resume", &id]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    adopted(&user, &id, 2);
    until("it goes on", || none_stopped(&pids));
    user.ok(["cancel", &id]);
    user.all_gone();
}

#[test]
fn what_is_left_of_a_paused_job_is_not_left_frozen() {
    let user = User::new();
    let lair = Lair::new(&user);
    let script = format!("{0} & {0}", lair.stay);
    let id = user.start(["--leftovers", "leave", "--", "sh", "-c", &script]);
    let pids = lair.inhabitants(2);
    user.ok(["pause", &id]);
    assert!(all_stopped(&pids));
    kill(user.recorded_pid(&id, "process"), Signal::KILL);
    until("it has ended", || user.status(&id) == "failed");
    assert!(none_stopped(&pids));
    for pid in pids {
        kill(pid, Signal::KILL);
    }
    user.all_gone();
}

#[test]
fn a_job_that_ended_before_it_stood_still_is_not_called_paused() {
    let user = User::new();
    let lair = Lair::new(&user);
    // Its main process is gone; its leftover has time to end.
    let id = user.start([
        "--grace",
        "30s",
        "--",
        "sh",
        "-c",
        &format!("{} & read word < '{}'", lair.deaf, user.fifo("gate").display()),
    ]);
    let pids = lair.inhabitants(1);
    std::fs::write(user.path("gate"), "go\n").unwrap();
    until("its main process is gone", || !crate::support::is_alive(user.recorded_pid(&id, "process")));
    let killer = std::thread::spawn(move || {
        until("the pause has been asked for", || true);
        kill(pids[0], Signal::KILL);
    });
    let ran = user.run(["pause", &id]);
    killer.join().unwrap();
    assert_ne!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(user.wait(&id), 0);
    user.all_gone();
}
