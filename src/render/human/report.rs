//! What failed for good, and what a supervisor says of itself.

use super::measure::local;
use crate::model::Timestamp;
use crate::ops::report::{FailedJob, Told};
use crate::render::safe;
use std::path::Path;

/// What failed for good, a paragraph each; nothing where nothing did.
pub fn reported(told: &[Told], now: Timestamp) -> String {
    told.iter().map(|one| paragraph(one, now)).collect::<Vec<_>>().join("\n")
}

fn paragraph(told: &Told, now: Timestamp) -> String {
    match told {
        Told::Job(job) => {
            let name = job.name.as_deref().map(|name| format!(" ({})", safe::line(name))).unwrap_or_default();
            let mut text = format!("{}{name} failed{}\n", job.id, because(job.summary.as_deref()));
            text.push_str(&details(job));
            let note = if job.dead_letter { " (it is a dead letter)" } else { "" };
            text.push_str(&format!("  start it again: bgctl retry {}{note}\n", job.id));
            text
        }
        Told::Schedule { name, failures_in_row, next_at, run, note } => {
            let times = if *failures_in_row == 1 {
                "failed".to_owned()
            } else {
                format!("failed {failures_in_row} times in a row")
            };
            let why = run.as_ref().and_then(|run| run.summary.as_deref()).or(note.as_deref());
            let mut text = format!("the schedule {} {times}{}\n", safe::line(name), because(why));
            if let Some(run) = run {
                text.push_str(&format!("  last run: {}\n", run.id));
                text.push_str(&details(run));
            }
            text.push_str(&match next_at {
                Some(at) if *at > now => format!("  next run: {}\n", local(*at)),
                Some(_) => "  next run: now\n".to_owned(),
                None => "  next run: none, until somebody sees to it\n".to_owned(),
            });
            text.push_str("  it is told again when it has recovered\n");
            text
        }
        Told::Recovered { name } => format!("the schedule {} has recovered\n", safe::line(name)),
    }
}

fn because(summary: Option<&str>) -> String {
    summary.map(|text| format!(": {}", safe::line(text))).unwrap_or_default()
}

fn details(job: &FailedJob) -> String {
    let mut text = String::new();
    if let Some(command) = &job.command {
        text.push_str(&format!("  command: {}\n", safe::line(command)));
    }
    text.push_str(&format!("  ended: {}\n", local(job.at)));
    if !job.last_lines.is_empty() {
        text.push_str(&format!("  the last lines of its output (bgctl logs {}):\n", job.id));
        let lines = safe::lines(&String::from_utf8_lossy(&job.last_lines));
        for line in lines.trim_end_matches('\n').lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// What a supervisor says when it begins.
pub fn supervisor_is_here(root: &Path, pid: u32) -> String {
    format!("bgctl: looking after {} (process {pid})", safe::line(&root.display().to_string()))
}

/// What a supervisor says when it leaves.
pub const SUPERVISOR_LEAVES: &str = "bgctl: leaving, as I was told; jobs go on";
