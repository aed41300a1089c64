//! The execution snapshot: what ran, where, under which limits, and how each attempt went.
//!
//! For people and programs that look at one job without the index. Not authoritative, and so not fsynced.

use crate::model::{
    Timestamp,
    bytes::Bytes,
    id::JobId,
    job::Job,
    limit::Seconds,
    outcome::{Ending, Outcome},
};
use crate::os::folder::Folder;
use crate::store::root::{log_temporary_name, meta_name, meta_temporary_name};
use rustix::fs::RawMode;
use serde::{Deserialize, Serialize};
use std::io;

const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The snapshot's file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Meta {
    /// The form of this file.
    pub version: u32,
    /// The job.
    pub id: String,
    /// Its command as a person would type it.
    pub command: String,
    /// What was executed.
    pub argv: Vec<Bytes>,
    /// Where.
    pub cwd: Bytes,
    /// The machine.
    pub host: String,
    /// The bits that its new files did not get, where its watcher knew.
    pub umask: Option<RawMode>,
    /// Seconds; null where switched off.
    pub timeout_seconds: Seconds,
    /// Seconds; null where switched off.
    pub grace_seconds: Seconds,
    /// In their order.
    pub attempts: Vec<AttemptMeta>,
}

/// One attempt.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttemptMeta {
    /// Which, from 1. One that was interrupted, to ask for approval, is there once for each of its parts.
    pub attempt: u32,
    /// Which execution of the job it was, from 1, where that is another number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<u32>,
    /// When it got its slot.
    pub started_at: Option<Timestamp>,
    /// When its last process was gone.
    pub ended_at: Timestamp,
    /// Where its output begins in the log, in bytes.
    pub log_from: u64,
    /// Where it ends.
    pub log_to: u64,
    /// Why it was told to end.
    pub ending: Option<Ending>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a watcher knows at the end beside the job.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The machine's name.
    pub host: &'a str,
    /// The bits that its new files did not get, where its watcher knows.
    pub umask: Option<RawMode>,
    /// The attempt's bytes in the log.
    pub log: std::ops::Range<u64>,
    /// How it ended.
    pub outcome: &'a Outcome,
}

impl AttemptMeta {
    /// Which execution of the job it was, from 1.
    pub fn execution(&self) -> u32 {
        self.execution.unwrap_or(self.attempt)
    }
}

/// A job's snapshot; `None` where there is none, or none that can be read.
pub fn read(runs: &Folder, id: &JobId) -> Option<Meta> {
    let text = runs.read(&meta_name(id), BYTES_MAX).ok().flatten()?;
    serde_json::from_slice(&text).ok()
}

/// Adds an attempt to a job's snapshot. A snapshot that cannot be read is made anew.
pub fn write(runs: &Folder, job: &Job, facts: &Facts<'_>) -> io::Result<()> {
    let name = meta_name(&job.id);
    let earlier = read(runs, &job.id).map(|meta| meta.attempts).unwrap_or_default();
    let mut attempts: Vec<AttemptMeta> =
        earlier.into_iter().filter(|one| one.execution() != job.execution()).collect();
    attempts.push(AttemptMeta {
        attempt: job.attempt,
        execution: (job.interruptions > 0).then(|| job.execution()),
        started_at: job.started_at(),
        ended_at: facts.outcome.at,
        log_from: facts.log.start,
        log_to: facts.log.end,
        ending: job.run().and_then(|run| run.ending.clone()),
        outcome: facts.outcome.clone(),
    });
    let meta = Meta {
        version: 1,
        id: job.id.to_string(),
        command: job.spec.display.clone(),
        argv: job.spec.command.to_argv(),
        cwd: job.spec.cwd.clone(),
        host: facts.host.to_owned(),
        umask: facts.umask,
        timeout_seconds: job.spec.limits.timeout.seconds,
        grace_seconds: job.spec.limits.grace.seconds,
        attempts,
    };
    let mut text = serde_json::to_vec_pretty(&meta)?;
    text.push(b'\n');
    runs.replace(&name, &meta_temporary_name(&job.id), &text, false)
}

/// Removes what a watcher left that died while it wrote. Only for the holder of the job's record.
pub fn sweep(runs: &Folder, id: &JobId) {
    let _ = runs.remove(&meta_temporary_name(id));
    let _ = runs.remove(&log_temporary_name(id));
}
