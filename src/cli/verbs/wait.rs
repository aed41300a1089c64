//! `bgctl wait`: from its arguments to a use case, from the outcome to words and an exit code.

use super::ready::Manner;
use crate::cli::args::wait::WaitArgs;
use crate::model::{id::JobId, job::Job};
use crate::ops::{
    attend::Attendance,
    fault::Fault,
    find::{given, home_of},
    home::Home,
    logs,
    ready::Pattern,
    wait::{self, News, STILL_GOING_ON, Waited},
};
use crate::os::{
    clock::{Clock, SystemClock},
    signal::leave_on_interrupt,
};
use crate::render::{Voice, human, json, safe, spinner::Spinner};
use std::time::Duration;

/// How many lines of a failed job's output a wait shows.
const LAST_LINES: u64 = 10;

/// Back to the first column, and nothing in the line (`console_codes(4)`).
const CLEARED_LINE: &str = "\r\x1b[2K";

/// `bgctl wait`
pub fn run(args: &WaitArgs, voice: Voice) -> Result<i32, Fault> {
    let jobs = given(&args.jobs)?;
    if jobs.is_empty() {
        voice.say(human::NONE_NAMED);
        let nothing = Waited { jobs: Vec::new(), time_is_over: false, code: 0, warnings: Vec::new() };
        voice.result("wait", "", &json::waited(&nothing), &[])?;
        return Ok(nothing.code);
    }
    if let Some(pattern) = &args.ready {
        return wait_for_ready(args, &jobs, &Pattern::parse(pattern)?, voice);
    }
    let home = home_of(&jobs)?;
    // With --any the one that ended first is named on standard output.
    let successes = jobs.len() > 1 && !args.any;
    let within = args.within.map(Duration::from_secs);
    let request = wait::Request { jobs: jobs.clone(), within, any: args.any };
    let waited = attended(&home, &jobs, voice, successes, |tell| wait::wait(&request, tell))?;
    voice.warn(&waited.warnings);
    if waited.code == STILL_GOING_ON && waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    let text = if args.any {
        waited.jobs.iter().filter(|job| job.end().is_some()).map(|job| format!("{}\n", job.id)).collect()
    } else {
        String::new()
    };
    voice.result("wait", &text, &json::waited(&waited), &waited.warnings)?;
    Ok(waited.code)
}

/// Waits while it tells what comes, and, at a terminal, what it waits for.
pub fn attended(
    home: &Home,
    jobs: &[String],
    voice: Voice,
    successes: bool,
    wait: impl FnOnce(&mut dyn FnMut(News<'_>)) -> Result<Waited, Fault>,
) -> Result<Waited, Fault> {
    let spinner = Spinner::open(voice);
    let interrupted = goes_on(jobs);
    leave_on_interrupt(match &spinner {
        // In the place of the line that shows what is waited for.
        Some(_) => format!("{CLEARED_LINE}{}", interrupted.trim_start()),
        None => interrupted,
    });
    wait(&mut |news| match news {
        News::Circle(circle) => voice.warn(&[human::circle(&circle)]),
        News::Ended(job) => {
            Spinner::aside(spinner.as_ref(), || tell_end(home, job, successes, voice));
        }
        News::Left(left) => {
            if let Some(spinner) = &spinner {
                let standing = human::Standing::new(&left);
                spinner.show(move || standing.text(SystemClock.now()));
            }
        }
    })
}

/// What a wait says whose time is over.
pub fn still_goes_on(waited: &Waited) -> String {
    let going: Vec<String> =
        waited.jobs.iter().filter(|job| job.end().is_none()).map(|job| job.id.to_string()).collect();
    format!("the time is over, and it still goes on: {}", going.join(" "))
}

fn wait_for_ready(args: &WaitArgs, jobs: &[String], pattern: &Pattern, voice: Voice) -> Result<i32, Fault> {
    leave_on_interrupt(goes_on(jobs));
    let home = home_of(jobs)?;
    let attendance = Attendance::new(&home)?;
    let ids: Vec<JobId> = logs::find_jobs(&home, jobs)?.into_iter().map(|job| job.id).collect();
    let manner = Manner { pattern, within: args.within, any: args.any };
    super::ready::wait_for(&home, attendance, &ids, manner, voice)
}

/// What an interrupted wait says.
pub fn goes_on(jobs: &[String]) -> String {
    let jobs = jobs.join(" ");
    format!("\nbgctl: {jobs} goes on; bgctl wait {jobs} waits again, bgctl cancel {jobs} ends it\n")
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
