//! Retention by hand: what may go, goes; and what is asked for.

use super::{
    fault::Fault,
    home::{BrokenConfig, Home},
};
use crate::model::{
    event::Event,
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    state::Status,
};
use crate::os::{clock::Clock, folder::Folder};
use crate::plan::retain::{Gone, Kept, Wish, by_hand};
use crate::store::{Store, root::run_file_names};
use std::collections::HashSet;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What goes that the settings would keep, or stays that they would let go.
    pub wish: Wish,
    /// Only jobs that have all these labels.
    pub labels: Vec<String>,
    /// Only jobs in these states; empty is every state that is an end.
    pub statuses: Vec<Status>,
    /// Whether nothing is removed.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Default)]
pub struct Pruned {
    /// The jobs, as they were, and the bytes of their files; the oldest end first.
    pub jobs: Vec<(Job, u64)>,
    /// Jobs that stay although their time is over, and why.
    pub kept: Vec<(JobId, Kept)>,
    /// What was decided, for those who want to see it.
    pub decided: crate::pass::Decided,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

impl Pruned {
    /// The bytes of all their files.
    pub fn bytes(&self) -> u64 {
        self.jobs.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// Removes what may go, or says what it would remove.
pub fn prune(request: &Request) -> Result<Pruned, Fault> {
    // Where there is no root, there is nothing to remove.
    let Some(home) = Home::open_existing(BrokenConfig::Warns)? else { return Ok(Pruned::default()) };
    let store = home.store();
    let executor = home.local();
    let facts = store.read()?;
    let pass = home.pass(&store, &executor);
    let Gone { ids, kept } = going(&home, &facts, request)?;
    let (ids, living) = pass.without_living(&facts, ids);
    let runs = home.root.existing_runs()?;
    let mut jobs = Vec::new();
    for id in &ids {
        if let Some(job) = facts.job(id)? {
            jobs.push((job, runs.map_or(0, |runs| bytes_of(runs, id))));
        }
    }
    let decided =
        if request.dry_run { crate::pass::Decided::default() } else { pass.remove(&home.root, &ids)? };
    if !request.dry_run {
        // Others may have removed some meanwhile, or begun to wait for them.
        let gone: HashSet<&JobId> = decided.events.iter().filter_map(Event::job).collect();
        jobs.retain(|(job, _)| gone.contains(&job.id));
    }
    let mut warnings = home.warnings.clone();
    warnings.extend(
        living.iter().map(|id| {
            format!("{id} stays: processes that it left running live; bgctl status {id} names them")
        }),
    );
    warnings.extend(decided.warnings.iter().cloned());
    Ok(Pruned { jobs, kept, decided, warnings })
}

/// The jobs that go. Where only some kind is asked for, it is counted by itself.
fn going(home: &Home, facts: &Facts, request: &Request) -> Result<Gone, Fault> {
    let is_asked = |head: &Head| {
        head.status.has_ended() && (request.statuses.is_empty() || request.statuses.contains(&head.status))
    };
    let mut labelled = None;
    if !request.labels.is_empty() {
        let mut jobs = facts.jobs(is_asked)?;
        jobs.retain(|job| request.labels.iter().all(|label| job.spec.labels.contains(label)));
        labelled = Some(jobs.into_iter().map(|job| job.id).collect::<HashSet<JobId>>());
    }
    let is_meant =
        |head: &Head| is_asked(head) && labelled.as_ref().is_none_or(|labelled| labelled.contains(&head.id));
    Ok(by_hand(facts, home.clock.now(), &home.config, &request.wish, is_meant))
}

/// The bytes of a job's files. What cannot be looked at is not counted.
fn bytes_of(runs: &Folder, id: &JobId) -> u64 {
    let size = |name: String| Some(runs.open_file(&name).ok()??.metadata().ok()?.len());
    run_file_names(id).into_iter().filter_map(size).sum()
}
