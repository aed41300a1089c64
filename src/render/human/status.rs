//! Everything about a job.

use super::words::{bytes, exit_words, moment, named, run_time, status_words, waiting};
use crate::model::Timestamp;
use crate::ops::status::Report;
use crate::render::safe;

/// A job in full.
pub fn status(report: &Report, now: Timestamp) -> String {
    let job = &report.row.job;
    let mut lines: Vec<(&str, String)> = vec![("id", job.id.to_string())];
    let mut add = |name: &'static str, value: String| lines.push((name, value));
    add("status", status_words(&report.row));
    if let Some(summary) = job.summary() {
        add("summary", safe::line(summary));
    }
    if let Some(name) = &job.spec.name {
        add("name", safe::line(name));
    }
    if !job.spec.labels.is_empty() {
        add("labels", safe::line(&job.spec.labels.join(", ")));
    }
    add("command", safe::line(&job.spec.display));
    add("cwd", safe::line(&job.spec.cwd.to_text()));
    add("created", moment(job.created_at, now));
    if let Some(at) = job.started_at() {
        add("started", moment(at, now));
    }
    if let Some(at) = job.ended_at() {
        add("ended", moment(at, now));
    }
    if job.started_at().is_some() {
        add("run time", run_time(job, now));
    }
    if job.end().is_some() {
        add("exit", exit_words(job));
    }
    if let Some(waits) = &report.waits {
        add("waits", waiting(waits, now));
    }
    let limits = job.spec.limits;
    add(
        "limits",
        format!("timeout {}, stale after {}, grace {}", limits.timeout, limits.stale_after, limits.grace),
    );
    if let Some(usage) = job.end().and_then(|end| end.outcome.as_ref()).and_then(|outcome| outcome.usage) {
        let cpu_ms = usage.cpu_user_ms + usage.cpu_system_ms;
        let cpu = format!("{}.{:02} s", cpu_ms / 1_000, cpu_ms % 1_000 / 10);
        add("used", format!("{cpu} of processor time, {} KiB at most", usage.memory_peak_kib));
    }
    if !report.still_running.is_empty() {
        add("left running", named(&report.still_running));
    }
    if let Some(parent) = &job.spec.parent {
        add("parent", parent.to_string());
    }
    add(
        "log",
        format!("{} ({})", report.log.display(), report.log_bytes.map_or("none yet".to_owned(), bytes)),
    );
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, value)| format!("{name:>width$}  {value}\n")).collect()
}
