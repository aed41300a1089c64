//! How an attempt ended, and why a running one was told to end.

use super::{Timestamp, limit::format_seconds};
use serde::{Deserialize, Serialize};

/// How the main process of an attempt ended. Never guessed: what is not known is `Unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// This signal ended it (`signal(7)` numbers).
    Signal(i32),
    /// It never began, for this reason.
    NotStarted {
        /// What could not be done, and why.
        reason: String,
        /// The code a shell would give: 127 not found, 126 cannot be executed, 1 otherwise.
        code: i32,
    },
    /// It ended unseen, for this reason.
    Unknown {
        /// Why nobody saw it.
        reason: String,
    },
    /// The dry-run executor: nothing was executed.
    NotExecuted,
}

/// What a job's processes used, as the kernel accounted it at their end (`getrusage(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Largest resident set of any one reaped process, KiB.
    pub memory_peak_kib: u64,
    /// Time in user mode, milliseconds, summed over reaped processes.
    pub cpu_user_ms: u64,
    /// Time in the kernel, milliseconds, summed over reaped processes.
    pub cpu_system_ms: u64,
}

/// A process of a job that outlived its main process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// Process id.
    pub pid: i32,
    /// Start time in clock ticks since boot, which makes the pid unambiguous.
    pub start: u64,
    /// The program's name (`/proc/PID/comm`).
    pub name: String,
}

/// The end of one attempt, as its watcher or a judge saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How the main process ended.
    pub exit: Exit,
    /// When the last process of the attempt was gone; for unseen ends, when that was found.
    pub at: Timestamp,
    /// What it used, where that could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Processes that outlived the main process: ended before this outcome, or left where the job asked for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
    /// Whether the leftovers were left running.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leftovers_left: bool,
    /// Whether the tree was ended without a parent's certainty (its watcher had died).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub best_effort: bool,
    /// What could not be done as asked, such as raising a resource limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Outcome {
    /// An outcome of which nothing but the exit is known.
    pub fn bare(exit: Exit, at: Timestamp) -> Self {
        Self {
            exit,
            at,
            usage: None,
            leftovers: Vec::new(),
            leftovers_left: false,
            best_effort: false,
            notes: Vec::new(),
        }
    }
}

/// The code that stands for a job that timed out (`timeout(1)`).
pub const TIMED_OUT: i32 = 124;
/// The code that stands for a job that was cancelled or expired, or whose outcome is unknown.
pub const NO_CODE: i32 = 125;

/// The code that stands for an end, as a wait for the job gives it: the job's own; 128 + N for signal N; 127 or 126 where
/// it could not start for lack of its program; see the constants for the rest. What no process ends with, as a file that somebody
/// edited may say, is no code (`wait(2)`: 0 to 255; `signal(7)`: from 1).
pub fn exit_code(exit: &Exit, told: Option<Why>) -> i32 {
    match (told, exit) {
        (Some(Why::Timeout), _) => TIMED_OUT,
        (Some(Why::Cancel | Why::Stale | Why::Replace | Why::Dependency), _) => NO_CODE,
        (None, Exit::Code(code @ 0..=255) | Exit::NotStarted { code: code @ 1..=255, .. }) => *code,
        (None, Exit::Signal(signal @ 1..=127)) => 128 + *signal,
        (None, Exit::NotExecuted) => 0,
        (None, _) => NO_CODE,
    }
}

/// Why a job is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody asked.
    Cancel,
    /// Its run time was over.
    Timeout,
    /// Its watcher was silent for too long.
    Stale,
    /// A newer run took its place.
    Replace,
    /// A job it waited for failed or was cancelled.
    Dependency,
}

/// The committed intent to end a job, which decides its state however its command then exits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Why.
    pub why: Why,
    /// When it was committed.
    pub at: Timestamp,
    /// The signal that asks the tree to end; TERM unless chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The name of a signal, such as `SIGTERM`; `signal 35` for one without a name here.
pub fn signal_name(signal: i32) -> String {
    // Linux numbers where systems differ (10, 12, 17 to 20); the program's own platform decides what it sends.
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
        "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
        "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let name = usize::try_from(signal).ok().and_then(|n| n.checked_sub(1)).and_then(|n| NAMES.get(n));
    name.map_or_else(|| format!("signal {signal}"), |name| format!("SIG{name}"))
}

/// The names of all signals without the `SIG`, in the order of their numbers.
pub fn signal_names() -> Vec<String> {
    (1..=31).map(|number| signal_name(number).split_off(3)).collect()
}

/// The number of a signal from `TERM`, `sigterm` or `15`.
pub fn signal_number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=31).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let wanted = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    (1..=31).find(|number| signal_name(*number) == wanted)
}

/// The sentence about an end that a person reads beside the state, or nothing when all is as expected.
///
/// `timeout` is the limit in force and whether it was nobody's choice.
pub fn summarize(outcome: &Outcome, ending: Option<&Ending>, timeout: (Option<u64>, bool)) -> Option<String> {
    let mut parts = Vec::new();
    match ending {
        Some(ending) => parts.push(describe_ending(ending, timeout)),
        None => parts.extend(describe_exit(&outcome.exit)),
    }
    if ending.is_some() {
        parts.extend(match &outcome.exit {
            Exit::Code(code) => Some(format!("exit code {code}")),
            Exit::NotStarted { .. } => Some("it had not started".to_owned()),
            other => describe_exit(other),
        });
    }
    if !outcome.leftovers.is_empty() {
        let count = outcome.leftovers.len();
        let processes = if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
        let fate = match outcome.leftovers_left {
            true if count == 1 => "was left running",
            true => "were left running",
            false => "ended after it",
        };
        parts.push(format!("{processes} {fate}"));
    }
    if outcome.best_effort {
        parts.push(
            "its watcher had died: its processes were looked for as well as can be (best effort)".to_owned(),
        );
    }
    parts.extend(outcome.notes.iter().cloned());
    if parts.is_empty() { None } else { Some(parts.join("; ")) }
}

fn describe_ending(ending: &Ending, (timeout, by_default): (Option<u64>, bool)) -> String {
    if let Some(note) = &ending.note {
        return note.clone();
    }
    match ending.why {
        Why::Cancel => "cancelled".to_owned(),
        Why::Timeout => match timeout {
            Some(seconds) if by_default => {
                format!("timed out after {}, the default; --timeout sets another", format_seconds(seconds))
            }
            Some(seconds) => format!("timed out after {}", format_seconds(seconds)),
            None => "timed out".to_owned(),
        },
        Why::Stale => "stale: its watcher was silent for too long".to_owned(),
        Why::Replace => "replaced by a newer run".to_owned(),
        Why::Dependency => "a job it waited for did not complete".to_owned(),
    }
}

fn describe_exit(exit: &Exit) -> Option<String> {
    match exit {
        Exit::Code(0) => None,
        Exit::Code(code) => Some(format!("exit code {code}")),
        Exit::Signal(signal) => Some(format!("killed by {}", signal_name(*signal))),
        Exit::NotStarted { reason, .. } => Some(format!("could not start: {reason}")),
        Exit::Unknown { reason } => Some(format!("outcome unknown: {reason}")),
        Exit::NotExecuted => Some("nothing was executed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-02-13T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_plain_success_needs_no_words() {
        assert_eq!(summarize(&Outcome::bare(Exit::Code(0), at()), None, (None, false)), None);
    }

    #[test]
    fn a_default_that_bites_says_so() {
        let ending = Ending { why: Why::Timeout, at: at(), signal: None, note: None };
        let text =
            summarize(&Outcome::bare(Exit::Signal(15), at()), Some(&ending), (Some(1_800), true)).unwrap();
        assert_eq!(text, "timed out after 30m, the default; --timeout sets another; killed by SIGTERM");
    }

    #[test]
    fn a_limit_that_is_gone_by_the_end_is_left_out_of_the_words() {
        let ending = Ending { why: Why::Timeout, at: at(), signal: None, note: None };
        let text = summarize(&Outcome::bare(Exit::Code(1), at()), Some(&ending), (None, false));
        assert_eq!(text.unwrap(), "timed out; exit code 1");
    }

    #[test]
    fn signals_are_read_by_name_and_number() {
        assert_eq!(signal_number("TERM"), Some(15));
        assert_eq!(signal_number("sigint"), Some(2));
        assert_eq!(signal_number("9"), Some(9));
        assert_eq!(signal_number("0"), None);
        assert_eq!(signal_number("NOPE"), None);
        assert_eq!(signal_name(40), "signal 40");
    }

    #[test]
    fn what_no_process_ends_with_is_no_code() {
        let code = |exit| exit_code(&exit, None);
        assert_eq!([0, 3, 255].map(|own| code(Exit::Code(own))), [0, 3, 255]);
        assert_eq!([1, 9, 64].map(|signal| code(Exit::Signal(signal))), [129, 137, 192]);
        let odd = [-1, 256, i32::MIN, i32::MAX].map(|own| code(Exit::Code(own)));
        assert_eq!(odd, [NO_CODE; 4]);
        assert_eq!([-128, 0, 128, i32::MAX].map(|signal| code(Exit::Signal(signal))), [NO_CODE; 4]);
    }
}
