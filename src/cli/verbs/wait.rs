//! `bgctl wait`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{
    attended::Attended,
    ready::{Manner, readied},
};
use crate::cli::args::wait::WaitArgs;
use crate::model::{id::JobId, job::Job};
use crate::ops::{
    attend::Attendance,
    fault::Fault,
    find::{Among, find_all, given, home_of},
    home::Home,
    logs,
    ready::Pattern,
    wait::{self, News, OWN_FAILURE, STILL_GOING_ON, Waited},
};
use crate::render::{
    Voice,
    human::{self, Awaited},
    json, safe,
};
use std::time::Duration;

/// How many lines of a failed job's output a wait shows.
const LAST_LINES: u64 = 10;

/// `bgctl wait`
pub fn run(args: &WaitArgs, voice: Voice) -> Result<i32, Fault> {
    let jobs = given(&args.jobs)?;
    if jobs.is_empty() {
        voice.say(human::NONE_NAMED);
        let nothing = Waited {
            jobs: Vec::new(),
            first: None,
            time_is_over: false,
            code: OWN_FAILURE,
            warnings: Vec::new(),
        };
        voice.result("wait", "", &json::waited(&nothing), &[])?;
        return Ok(nothing.code);
    }
    let pattern = args.ready.as_deref().map(Pattern::parse).transpose()?;
    let home = home_of(&jobs)?;
    let attendance = Attendance::new(&home)?;
    let ids = find_all(&attendance.read()?, &jobs, Among::All)?;
    if let Some(pattern) = &pattern {
        let manner = Manner { pattern, within: args.within, any: args.any };
        return wait_for_ready(&home, attendance, &ids, manner, voice);
    }
    let waited = waited(&home, attendance, &ids, args.within, args.any, voice)?;
    voice.warn(&waited.warnings);
    if waited.code == STILL_GOING_ON && waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    let text = waited.first.as_ref().map(|id| format!("{id}\n")).unwrap_or_default();
    voice.result("wait", &text, &json::waited(&waited), &waited.warnings)?;
    Ok(waited.code)
}

/// Waits for jobs to end while it tells what comes, and, at a terminal, what it waits for.
pub fn waited(
    home: &Home,
    attendance: Attendance<'_>,
    ids: &[JobId],
    within: Option<u64>,
    any: bool,
    voice: Voice,
) -> Result<Waited, Fault> {
    let mut attended = Attended::begin(home, &attendance, ids, voice)?;
    // With --any the one that ended first is named on standard output.
    let successes = ids.len() > 1 && !any;
    let within = within.map(Duration::from_secs);
    wait::wait_for(home, attendance, ids, within, any, &mut |news| match news {
        News::Ended(job) => attended.aside(|| tell_end(home, job, successes, voice)),
        News::Left(left) => attended.show(&left, Awaited::End),
    })
}

/// What a wait says whose time is over.
pub fn still_goes_on(waited: &Waited) -> String {
    let going: Vec<String> =
        waited.jobs.iter().filter(|job| job.end().is_none()).map(|job| job.id.to_string()).collect();
    format!("the time is over, and it still goes on: {}", going.join(" "))
}

fn wait_for_ready(
    home: &Home,
    attendance: Attendance<'_>,
    ids: &[JobId],
    manner: Manner<'_>,
    voice: Voice,
) -> Result<i32, Fault> {
    let readied = readied(home, attendance, ids, manner, voice)?;
    let decided = readied.jobs.iter().filter(|one| one.ready.is_some() && manner.any);
    let text: String = decided.map(|one| format!("{}\n", one.job.id)).collect();
    voice.result("wait", &text, &json::readied(&readied), &readied.warnings)?;
    Ok(readied.code)
}

/// On a failure, its reason and the last lines of its output; and that nothing was executed, where that is so. A
/// success is worth words among several.
pub fn tell_end(home: &Home, job: &Job, successes: bool, voice: Voice) {
    let failed = wait::exit_code(job).unwrap_or(0) != 0;
    if voice.quiet || !(failed || successes || human::nothing_was_executed(job)) {
        return;
    }
    voice.say(&human::end(job));
    let lines = if failed { logs::last_lines(home, &job.id, LAST_LINES) } else { Vec::new() };
    if !lines.is_empty() {
        voice.say(&format!("the last lines of its output (bgctl logs {}):", job.id));
        voice.say(safe::lines(&String::from_utf8_lossy(&lines)).trim_end_matches('\n'));
    }
}
