//! Whether what the index refers to is there.

use super::{Finding, Grade, Ground};
use crate::model::{facts::Facts, state::Status};
use crate::ops::home::Home;
use crate::store::environments;
use std::collections::BTreeMap;

const CHECK: &str = "references";

/// Looks for each.
pub fn check(ground: &Ground) -> Vec<Finding> {
    let (Some(home), Some(facts)) = (&ground.home, ground.facts()) else { return Vec::new() };
    let environments = lost_environments(home, facts);
    let dependencies = lost_dependencies(facts);
    let mut findings = Vec::new();
    if !environments.is_empty() {
        let text = "captured environments are gone or damaged: what needs one cannot start";
        findings.push(
            Finding::new(CHECK, Grade::Problem, text)
                .mend("submit these jobs and schedules again; bgctl retry takes the environment of whoever calls it")
                .details(environments),
        );
    }
    if !dependencies.is_empty() {
        let text = "jobs wait for others that are not in the index";
        findings.push(
            Finding::new(CHECK, Grade::Note, text)
                .mend("bgctl tick decides: after the end of such a job they start, after its completion they do not")
                .details(dependencies),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::new(
            CHECK,
            Grade::Fine,
            "everything that jobs and schedules refer to is there",
        ));
    }
    findings
}

fn lost_environments(home: &Home, facts: &Facts) -> Vec<String> {
    let active = facts.heads().filter(|head| head.status == Status::Queued || head.dead_letter);
    let of_jobs = active.filter_map(|head| Some((head.belongs.env.as_deref()?, format!("job {}", head.id))));
    let of_schedules = facts.schedules().iter();
    let of_schedules = of_schedules.filter_map(|(name, one)| Some((one.env()?, format!("schedule {name}"))));
    let mut known: BTreeMap<&str, Option<String>> = BTreeMap::new();
    let mut lost = Vec::new();
    for (env, whose) in of_jobs.chain(of_schedules) {
        let why = known.entry(env).or_insert_with(|| {
            if !home.root.folder().has("env").unwrap_or(false) {
                return Some("there are none".to_owned());
            }
            environments::load(&home.root, env).err().map(|error| error.to_string())
        });
        if let Some(why) = why {
            lost.push(format!("{whose}: {why}"));
        }
    }
    lost
}

fn lost_dependencies(facts: &Facts) -> Vec<String> {
    let mut lost = Vec::new();
    for head in facts.heads().filter(|head| head.status == Status::Queued) {
        for one in head.after.iter().filter(|one| facts.head(&one.id).is_none()) {
            lost.push(format!("{} waits for {}", head.id, one.id));
        }
    }
    lost
}
