//! Processes are killed at random while jobs are submitted and run. One tick after the last kill, all comes to rest.

use super::{
    draws::Draws,
    history::{self, History},
    ours, rest,
    turmoil::{ASKED, Disturber, Told, Turmoil},
    witness::Witness,
};
use crate::proof::{self, Proof};
use crate::support::{User, kill};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest pause between two kills, in milliseconds.
const PAUSE_MS_MAX: usize = 80;

#[test]
fn whoever_is_killed_at_random_one_tick_later_all_is_right() {
    let jobs = proof::cases(90, 1000);
    let seed = proof::seed();
    let (mut complaints, mut remarks, mut cases) = (Vec::new(), Vec::new(), 0);
    // First only processes of the program, then also those of its jobs.
    for jobs_too in [false, true] {
        let user = User::new();
        let turmoil = Turmoil::new(&user, seed, jobs);
        turmoil.rage(&mut Killer { jobs_too });
        let mut told = turmoil.into_told();
        let mut wrong = std::mem::take(&mut told.complaints);
        wrong.extend(told.unreached());
        wrong.extend(comes_to_rest(&user));
        let witness = Witness::of(&user);
        wrong.extend(told.against(&user, &witness));
        let history = whole_history(&user);
        // What comes behind an event that was never told is not judged.
        wrong.extend(history.complaints().iter().cloned());
        if history.missing == 0 {
            wrong.extend(history.differs(&user.index()));
        }
        wrong.extend(rest::goes_on(&user, &ASKED));
        wrong.extend(rest::files(&user));
        if witness.most_at_once() < ASKED.slots {
            wrong.push(format!("only {} jobs ever ran at once", witness.most_at_once()));
        }
        let there = user.index()["jobs"].as_array().unwrap().len();
        cases += there;
        remarks.push(remark(&told, jobs_too, there, &history));
        let whom = if jobs_too { "with those of jobs: " } else { "" };
        complaints.extend(wrong.into_iter().map(|text| format!("{whom}{text}")));
    }
    let remark = format!("seed {seed}; {}", remarks.join("; "));
    Proof { name: "kill.random", cases, failures: complaints.len(), remark }.tell();
    assert!(complaints.is_empty(), "seed {seed}; {}", rest::shown(&complaints));
}

/// Who kills somebody.
struct Killer {
    /// Whether processes of jobs are among them.
    jobs_too: bool,
}

impl Disturber for Killer {
    fn disturb(&mut self, turmoil: &Turmoil<'_>, draws: &mut Draws) {
        let user = turmoil.user;
        let any = if self.jobs_too { User::processes } else { ours::ours };
        let victim = ours::victim(user, draws, any);
        if let Some(pid) = victim {
            let mut told = turmoil.told();
            told.victims.insert(pid);
            told.hits(pid, ours::lock_holder(user) == Some(pid));
            kill(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(draws.below(PAUSE_MS_MAX) as u64));
    }

    fn leave(&mut self, turmoil: &Turmoil<'_>) {
        // Nobody is to look after what is left.
        for pid in ours::called_for(turmoil.user, "wait") {
            turmoil.told().victims.insert(pid);
            kill(pid, Signal::KILL);
        }
    }
}

/// One tick, and then nobody looks after what is left.
fn comes_to_rest(user: &User) -> Vec<String> {
    // What a killed watcher was about to start holds the record until it executes or leaves. A tick in that instant takes
    // the job for watched and leaves it to the next. So each process of a watcher is one that says who it is.
    let all_say = rest::comes(|| {
        let recorded: BTreeSet<i32> = rest::active(&user.index())
            .iter()
            .flat_map(|job| user.record(job["id"].as_str().unwrap_or_default()))
            .filter(|line| line["line"] == "watcher")
            .filter_map(|line| i32::try_from(line["pid"].as_i64()?).ok())
            .collect();
        ours::called_for(user, "__watch").iter().all(|pid| recorded.contains(pid))
    });
    let mut complaints = Vec::new();
    if !all_say {
        complaints.push("a process of a watcher does not say who it is".to_owned());
    }
    let ran = user.run(["tick"]);
    if ran.code != 0 {
        complaints.push(format!("the last tick exits {}: {}", ran.code, ran.err));
    }
    complaints.extend(rest::settles(user));
    complaints
}

/// The stream, without what was cut short.
fn whole_history(user: &User) -> History {
    let whole: String = history::told(user)
        .split_inclusive('\n')
        .filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        .collect();
    History::parse(&whole, &ASKED)
}

fn remark(told: &Told, jobs_too: bool, there: usize, history: &History) -> String {
    let (submissions, killed) = told.counts();
    format!(
        "{there} jobs, {} kills of {}, {} of them of whoever held the lock and {} of watchers; {killed} of {submissions} submissions killed, {} events untold",
        told.hits,
        if jobs_too { "the program's and the jobs' processes" } else { "the program's processes" },
        told.holders_hit,
        told.watchers_hit,
        history.missing,
    )
}
