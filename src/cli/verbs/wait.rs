//! `bgctl wait`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::wait::WaitArgs;
use crate::model::job::Job;
use crate::ops::{
    fault::Fault,
    find::{given, home_of},
    home::Home,
    logs,
    wait::{self, STILL_GOING_ON, Waited},
};
use crate::os::signal::leave_on_interrupt;
use crate::render::{Voice, human, json, safe};
use std::time::Duration;

/// How many lines of a failed job's output a wait shows.
const LAST_LINES: u64 = 10;

/// `bgctl wait`
pub fn run(args: &WaitArgs, voice: Voice) -> Result<i32, Fault> {
    let jobs = given(&args.jobs)?;
    if jobs.is_empty() {
        voice.say(human::NONE_NAMED);
        let nothing = Waited { jobs: Vec::new(), time_is_over: false, code: 0, warnings: Vec::new() };
        voice.result("wait", "", &json::waited(&nothing))?;
        return Ok(nothing.code);
    }
    leave_on_interrupt(goes_on(&jobs));
    let home = home_of(&jobs)?;
    let request = wait::Request { jobs, within: args.within.map(Duration::from_secs), any: args.any };
    let waited = wait::wait(&request, &mut |job| tell_end(&home, job, voice))?;
    voice.warn(&waited.warnings);
    if waited.code == STILL_GOING_ON && waited.time_is_over {
        let going: Vec<String> =
            waited.jobs.iter().filter(|job| job.end().is_none()).map(|job| job.id.to_string()).collect();
        voice.say(&format!("the time is over, and it still goes on: {}", going.join(" ")));
    }
    let text = if args.any {
        waited.jobs.iter().filter(|job| job.end().is_some()).map(|job| format!("{}\n", job.id)).collect()
    } else {
        String::new()
    };
    voice.result("wait", &text, &json::waited(&waited))?;
    Ok(waited.code)
}

/// What an interrupted wait says.
pub fn goes_on(jobs: &[String]) -> String {
    let jobs = jobs.join(" ");
    format!("\nbgctl: {jobs} goes on; bgctl wait {jobs} waits again, bgctl cancel {jobs} ends it\n")
}

/// On a failure, its reason and the last lines of its output; and that nothing was executed, where that is so.
pub fn tell_end(home: &Home, job: &Job, voice: Voice) {
    let failed = wait::exit_code(job).unwrap_or(0) != 0;
    if voice.quiet || !(failed || human::nothing_was_executed(job)) {
        return;
    }
    voice.say(&human::end(job));
    let lines = logs::last_lines(home, &job.id, LAST_LINES);
    if !lines.is_empty() {
        voice.say(&format!("the last lines of its output (bgctl logs {}):", job.id));
        voice.say(safe::lines(&String::from_utf8_lossy(&lines)).trim_end_matches('\n'));
    }
}
