//! The columns of a list: what each says to people, and to programs.

use super::human::words::{age, exit_words, run_time, seconds_between, status_words};
use super::safe;
use crate::model::{Timestamp, limit::format_bytes};
use crate::ops::list::Entry;
use crate::plan::pick::group_of;
use chrono::{Local, SecondsFormat};

/// A column of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The job's id.
    Id,
    /// Its name.
    Name,
    /// Its state, and what is special about it.
    Status,
    /// How long ago it was submitted.
    Age,
    /// How long it runs or ran.
    Time,
    /// The share of a processor that it uses now.
    Cpu,
    /// The memory that it uses now.
    Memory,
    /// Its exit code or signal.
    Exit,
    /// Its command.
    Command,
    /// Its labels.
    Labels,
    /// The group whose slots it takes.
    Group,
    /// Its place in the queue.
    Place,
    /// How many processes it has now.
    Processes,
    /// Whether it is a service.
    Service,
    /// When it was submitted.
    Created,
    /// When it began to run.
    Started,
    /// When it ended.
    Ended,
    /// Its attempt's number.
    Attempt,
    /// Its limit of run time.
    Timeout,
    /// The job from inside which it was submitted.
    Parent,
    /// Its working directory.
    Cwd,
    /// The sentence about its end.
    Summary,
}

impl Column {
    /// All of them, with their words and what they say, in the order of the help.
    pub const ALL: [(&'static str, Self, &'static str); 22] = [
        ("id", Self::Id, "the id"),
        ("name", Self::Name, "the name, if it has one"),
        ("status", Self::Status, "the state; for a queued job its place, #1 is next"),
        ("age", Self::Age, "time since it was submitted"),
        ("time", Self::Time, "how long the last attempt has taken, pauses included"),
        ("cpu", Self::Cpu, "processor use of a running job: its processor time in percent of that time"),
        ("memory", Self::Memory, "resident memory of a running job"),
        ("exit", Self::Exit, "exit code or signal"),
        ("command", Self::Command, "the command"),
        ("labels", Self::Labels, "the labels"),
        ("group", Self::Group, "the group whose slots it takes"),
        ("place", Self::Place, "place in the queue"),
        ("processes", Self::Processes, "number of living processes"),
        ("service", Self::Service, "whether it is a service"),
        ("created", Self::Created, "when it was submitted"),
        ("started", Self::Started, "when it began to run"),
        ("ended", Self::Ended, "when it ended"),
        ("attempt", Self::Attempt, "number of the attempt"),
        ("timeout", Self::Timeout, "limit of run time"),
        ("parent", Self::Parent, "the job from inside which it was submitted"),
        ("cwd", Self::Cwd, "working directory"),
        ("summary", Self::Summary, "the sentence about its end"),
    ];

    /// The column of that name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, ..)| *name == word).map(|(_, column, _)| column)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, column, _)| *column == self).map_or("", |(name, ..)| name)
    }

    /// What stands above it.
    pub fn header(self) -> String {
        match self {
            Self::Processes => "PROCS".to_owned(),
            other => other.name().to_uppercase(),
        }
    }

    /// Whether running jobs have to be looked at for it.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Processes)
    }

    /// Whether its texts stand at the right, as amounts do.
    pub fn is_amount(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory | Self::Processes | Self::Place)
    }

    /// What it says of a job to people, in one line; `-` where there is nothing to say.
    pub fn words(self, entry: &Entry, now: Timestamp) -> String {
        let job = &entry.row.job;
        let said = match self {
            Self::Id => Some(job.id.to_string()),
            Self::Name => job.spec.name.as_deref().map(safe::line),
            Self::Status => Some(status_words(&entry.row, entry.place, now)),
            Self::Age => Some(age(job.created_at, now)),
            Self::Time => Some(run_time(job, now)),
            Self::Cpu => entry.live.map(|live| format!("{:.1}%", live.cpu_percent)),
            Self::Memory => entry.live.map(|live| format_bytes(live.sum.memory_kib * 1_024)),
            Self::Exit => Some(exit_words(job)),
            Self::Labels => Some(safe::line(&job.spec.labels.join(","))),
            // The default group is where a job is unless somebody said otherwise.
            Self::Group => job.spec.group.clone(),
            Self::Place => entry.place.map(|place| format!("#{place}")),
            Self::Service => job.spec.service.then(|| "yes".to_owned()),
            Self::Created => Some(local(job.created_at)),
            Self::Started => job.started_at().map(local),
            Self::Ended => job.ended_at().map(local),
            Self::Timeout => Some(job.spec.limits.timeout.to_string()),
            Self::Command | Self::Processes | Self::Attempt | Self::Parent | Self::Cwd | Self::Summary => {
                self.value(entry, now)
            }
        };
        said.filter(|said| !said.is_empty()).unwrap_or_else(|| "-".to_owned())
    }

    /// What it says of a job to programs, in one line: whole seconds, percent, KiB, UTC; `None` where there is
    /// nothing to say.
    pub fn value(self, entry: &Entry, now: Timestamp) -> Option<String> {
        let job = &entry.row.job;
        let at = |at: Timestamp| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let said = match self {
            Self::Id => job.id.to_string(),
            Self::Name => safe::line(job.spec.name.as_deref()?),
            Self::Status => job.status().to_string(),
            Self::Age => seconds_between(job.created_at, now).to_string(),
            Self::Time => job.run_time(now)?.num_seconds().max(0).to_string(),
            Self::Cpu => format!("{:.1}", entry.live?.cpu_percent),
            Self::Memory => entry.live?.sum.memory_kib.to_string(),
            Self::Exit => Some(exit_words(job)).filter(|words| words != "-")?,
            Self::Command => safe::line(&job.spec.display),
            Self::Labels => safe::line(&job.spec.labels.join(",")),
            Self::Group => group_of(job.spec.group.as_deref()).to_owned(),
            Self::Place => entry.place?.to_string(),
            Self::Processes => entry.live?.sum.processes.to_string(),
            Self::Service => job.spec.service.to_string(),
            Self::Created => at(job.created_at),
            Self::Started => at(job.started_at()?),
            Self::Ended => at(job.ended_at()?),
            Self::Attempt => job.attempt.to_string(),
            Self::Timeout => job.spec.limits.timeout.seconds?.to_string(),
            Self::Parent => job.spec.parent.as_ref()?.to_string(),
            Self::Cwd => safe::line(&job.spec.cwd.to_text()),
            Self::Summary => safe::line(job.summary()?),
        };
        Some(said)
    }
}

/// An instant in local time, to the second.
fn local(at: Timestamp) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}
