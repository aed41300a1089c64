//! The program itself goes on with what a power cut left: a tick, and everything comes to an end, once.

use super::disk::Tree;
use super::judge::materialise;
use super::truth::{Promise, Truth};
use crate::support::{EVENT_MAX, Ran, User};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The file into which the jobs of all scenes write: a line `ID ATTEMPT` each time one runs.
pub const RAN: &str = "ran";

/// What is wrong. The state takes the place of the user's root.
pub fn complaints(user: &User, truth: &Truth, promise: &Promise, tree: &Tree) -> Vec<String> {
    user.all_gone();
    let _ = std::fs::remove_dir_all(user.root());
    let _ = std::fs::remove_file(user.path(RAN));
    materialise(tree, &user.path(""));
    let run = |arguments: &[&str]| -> Result<Ran, String> {
        let root = user.path(&truth.root);
        let ran = Ran::of(&user.bgctl(arguments).env("BG_HOME", root).output().unwrap());
        if ran.code == 0 { Ok(ran) } else { Err(format!("{arguments:?} exits {}: {}", ran.code, ran.err)) }
    };
    let go_on = || -> Result<Vec<String>, String> {
        run(&["list", "--json"])?;
        run(&["tick"])?;
        let deadline = Instant::now() + EVENT_MAX;
        let jobs = loop {
            let jobs = run(&["list", "--json", "--all"])?.json()["jobs"].as_array().unwrap().clone();
            if jobs.iter().all(|job| !job["ended_at"].is_null()) {
                break jobs;
            }
            if Instant::now() > deadline {
                return Err(format!("jobs do not end: {jobs:?}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        user.all_gone();
        for id in jobs.iter().filter_map(|job| job["id"].as_str()) {
            run(&["status", "--json", id])?;
        }
        let ran = std::fs::read_to_string(user.path(RAN)).unwrap_or_default();
        Ok(executions(truth, promise, &ran, &jobs))
    };
    go_on().unwrap_or_else(|error| vec![error])
}

fn executions(truth: &Truth, promise: &Promise, ran: &str, jobs: &[Value]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut runs: Vec<(String, u32)> = Vec::new();
    for line in ran.lines() {
        let (id, attempt) = line.split_once(' ').unwrap();
        let run = (id.to_owned(), attempt.parse().unwrap());
        if promise.started.contains(&run) || runs.contains(&run) {
            complaints.push(format!("attempt {attempt} of {id} ran a second time"));
        }
        runs.push(run);
    }
    for job in jobs.iter().filter(|job| job["status"] == "completed") {
        let id = job["id"].as_str().unwrap();
        let before = truth.exits.keys().any(|run| run.0 == id && promise.over.contains(run));
        if !before
            && !runs.iter().any(|run| run.0 == id)
            && truth.versions[0].jobs.iter().all(|one| one.id.as_str() != id)
        {
            complaints.push(format!("{id} is completed, and nobody saw it end"));
        }
    }
    complaints
}
