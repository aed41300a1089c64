//! How the whole is, as metrics in the text format of Prometheus, version 0.0.4.
//!
//! Base units: seconds, bytes, ratios; times as seconds since 1970. What nobody knows has no sample. A label's values are
//! those of the settings and of jobs' names, of which at most a hundred are kept, so that metrics do not grow without end.

use crate::model::{
    Timestamp,
    health::{Health, HealthStatus},
};
use crate::ops::health::Answer;
use crate::plan::health::Going;
use crate::render::safe;
use std::fmt::Write;

/// The word where nobody can tell.
const UNKNOWN: &str = "unknown";

/// All figures.
pub fn health(answer: &Answer) -> String {
    let report = &answer.report;
    let mut text = Text::default();
    text.status(answer.verdict.status.as_str());
    let queue = &report.queue;
    text.family("bgctl_health_reasons", GAUGE, "Reasons why the status is not ok.");
    text.sample(&[], count(answer.verdict.reasons.len()));
    text.family("bgctl_jobs", GAUGE, "Jobs in the index, by state.");
    for (status, many) in &report.counts {
        text.sample(&[("status", status.as_str())], count(*many));
    }
    text.single("bgctl_queue_waiting", GAUGE, "Entries that wait; a batch is one.", count(queue.waiting));
    text.single("bgctl_queue_max_size", GAUGE, "The size of the queue.", count(queue.jobs_max));
    text.single(
        "bgctl_queue_utilisation_ratio",
        GAUGE,
        "The part of the queue that is taken.",
        queue.utilisation(),
    );
    text.single(
        "bgctl_queue_backpressure",
        GAUGE,
        "1 while submissions are refused.",
        flag(queue.has_backpressure),
    );
    let oldest = queue.oldest.as_ref().map(|oldest| seconds(oldest.since));
    text.optional(
        "bgctl_queue_oldest_waiting_timestamp_seconds",
        "Since when the job that waits for longest could run.",
        oldest,
    );
    text.single("bgctl_dead_letters", GAUGE, "Jobs whose attempts are used up.", count(queue.dead_letters));
    let totals = &report.totals;
    text.family("bgctl_jobs_processed_total", COUNTER, "Jobs that ended, by how.");
    for (result, many) in
        [("succeeded", totals.succeeded), ("failed", totals.failed), ("cancelled", totals.cancelled)]
    {
        text.sample(&[("result", result)], number(many));
    }
    text.single(
        "bgctl_jobs_unknown_outcome_total",
        COUNTER,
        "Jobs that ended, and nobody knows how.",
        number(totals.unknown_outcome),
    );
    text.optional(
        "bgctl_jobs_processed_since_timestamp_seconds",
        "Since when ended jobs are counted.",
        totals.since.map(seconds),
    );
    text.single(
        "bgctl_watchers_lost",
        GAUGE,
        "Running jobs without a watcher.",
        count(report.amiss.lost.len()),
    );
    text.single(
        "bgctl_jobs_unwritten",
        GAUGE,
        "Jobs that are over, and whose end cannot be written down.",
        count(report.amiss.unwritten.len()),
    );
    let disk = answer.disk;
    text.single("bgctl_runs_bytes", GAUGE, "Space of all run files.", number(disk.runs_bytes));
    text.single("bgctl_logs_bytes", GAUGE, "Space of all logs.", number(disk.logs_bytes));
    text.optional("bgctl_logs_max_bytes", "Space that logs may take.", disk.logs_bytes_max.map(number));
    text.optional("bgctl_disk_free_bytes", "Space that is left.", disk.free_bytes.map(number));
    text.optional(
        "bgctl_last_tick_timestamp_seconds",
        "When somebody ticked last.",
        report.last_tick.map(seconds),
    );
    text.single("bgctl_schedules", GAUGE, "Schedules.", count(report.schedules));
    text.single("bgctl_schedules_late", GAUGE, "Schedules that are due for long.", count(report.late.len()));
    text.sessions(answer);
    text.going(&report.going);
    text.0.text
}

/// The only metric where nobody can tell.
pub fn unknown() -> String {
    let mut text = Text::default();
    text.status(UNKNOWN);
    text.0.text
}

const GAUGE: &str = "gauge";
const COUNTER: &str = "counter";

/// What is written, and of which metric it is just now.
#[derive(Default)]
struct Written {
    text: String,
    name: &'static str,
}

#[derive(Default)]
struct Text(Written);

impl Text {
    /// Begins a metric.
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.0.name = name;
        let _ = write!(self.0.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// A sample of the metric that was begun last.
    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0.text, "{}{labels} {value}", self.0.name);
    }

    fn single(&mut self, name: &'static str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    fn optional(&mut self, name: &'static str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.single(name, GAUGE, help, value);
        }
    }

    fn status(&mut self, is: &str) {
        self.family("bgctl_health_status", GAUGE, "1 for the status that holds, 0 for the others.");
        for word in HealthStatus::ALL.map(HealthStatus::as_str).into_iter().chain([UNKNOWN]) {
            self.sample(&[("status", word)], flag(word == is));
        }
    }

    fn sessions(&mut self, answer: &Answer) {
        let sessions = &answer.report.sessions;
        let known = || sessions.iter().filter_map(|one| Some((one.name.as_str(), one.valid_until?)));
        if known().next().is_some() {
            self.family(
                "bgctl_session_valid_until_timestamp_seconds",
                GAUGE,
                "Until when a session is valid.",
            );
            for (name, at) in known() {
                self.sample(&[("session", name)], seconds(at));
            }
        }
        if !sessions.is_empty() {
            self.family(
                "bgctl_session_failures_in_row",
                GAUGE,
                "Renewals that failed since the last success.",
            );
            for one in sessions {
                self.sample(&[("session", &one.name)], number(one.health.failures_in_row));
            }
        }
    }

    /// A metric of each schedule and name that has a value.
    fn each(
        &mut self,
        going: &[Going],
        (name, kind, help): (&'static str, &str, &str),
        value: impl Fn(&Going) -> Option<f64>,
    ) {
        let mut known = going.iter().filter_map(|one| Some((one, value(one)?))).peekable();
        if known.peek().is_none() {
            return;
        }
        self.family(name, kind, help);
        for (one, value) in known {
            self.sample(&[("kind", one.kind.as_str()), ("name", &one.name)], value);
        }
    }

    fn going(&mut self, going: &[Going]) {
        let of = |value: fn(&Health) -> Option<f64>| move |one: &Going| value(&one.health);
        self.each(
            going,
            ("bgctl_run_last_timestamp_seconds", GAUGE, "When the last run ended."),
            of(|health| health.last.as_ref().map(|last| seconds(last.at))),
        );
        self.each(
            going,
            ("bgctl_run_last_success_timestamp_seconds", GAUGE, "When a run last succeeded."),
            of(|health| health.last_success_at.map(seconds)),
        );
        self.each(
            going,
            ("bgctl_run_failures_in_row", GAUGE, "Runs that failed since the last success."),
            of(|health| Some(number(health.failures_in_row))),
        );
        self.each(going, ("bgctl_run_next_timestamp_seconds", GAUGE, "When the next run is due."), |one| {
            one.next_at.map(seconds)
        });
        self.each(
            going,
            ("bgctl_run_duration_mean_seconds", GAUGE, "How long the latest runs took on average."),
            of(|health| health.mean_ms().map(from_ms)),
        );
        self.each(
            going,
            ("bgctl_run_duration_p95_seconds", GAUGE, "What 95 of 100 of the latest runs did not exceed."),
            of(|health| health.p95_ms().map(from_ms)),
        );
        self.each(
            going,
            ("bgctl_runs_total", COUNTER, "Runs that ended."),
            of(|health| Some(number(health.runs))),
        );
        self.each(
            going,
            ("bgctl_runs_failed_total", COUNTER, "Runs that failed."),
            of(|health| Some(number(health.failed))),
        );
        self.each(
            going,
            ("bgctl_runs_missed_total", COUNTER, "Times that passed without a run, as nobody looked."),
            of(|health| Some(number(health.missed))),
        );
        self.each(
            going,
            ("bgctl_runs_overlapped_total", COUNTER, "Times that passed while the run before went on."),
            of(|health| Some(number(health.overlapped))),
        );
    }
}

/// A label's value: backslash, quote and newline have to be escaped. Other control characters would be taken as they are, by
/// a terminal too.
fn escaped(value: &str) -> String {
    safe::lines(value).replace('\\', r"\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn flag(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

fn count(many: usize) -> f64 {
    number(many as u64)
}

/// Samples are floating-point numbers; up to 2^53 they are exact.
#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
fn number(many: u64) -> f64 {
    many as f64
}

fn from_ms(milliseconds: u64) -> f64 {
    number(milliseconds) / 1_000.0
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
fn seconds(at: Timestamp) -> f64 {
    at.timestamp_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }

    #[test]
    fn numbers_are_written_without_exponents() {
        let mut text = Text::default();
        text.single("m", GAUGE, "h.", 1_772_000_000.125);
        text.single("n", GAUGE, "h.", number(2_000_000_000_000));
        assert!(text.0.text.contains("\nm 1772000000.125\n"), "{}", text.0.text);
        assert!(text.0.text.contains("\nn 2000000000000\n"), "{}", text.0.text);
    }
}
