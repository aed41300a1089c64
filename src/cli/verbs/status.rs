//! `bgctl status`: from its arguments to a use case, from the outcome to words and an exit code.

use super::overview;
use crate::cli::args::status::StatusArgs;
use crate::ops::{
    fault::Fault,
    find::{self, given},
    status,
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl status`
pub fn run(args: &StatusArgs, voice: Voice) -> Result<i32, Fault> {
    if args.jobs.is_empty() && args.key.is_none() {
        return overview::run(voice);
    }
    let jobs = match &args.key {
        Some(key) => vec![find::of_key(key)?.to_string()],
        None => given(&args.jobs)?,
    };
    if jobs.is_empty() {
        voice.say(human::NONE_NAMED);
        voice.result("status", "", || json::status(&[]), &[])?;
        return Ok(0);
    }
    let (reports, warnings) = status::status(&jobs)?;
    voice.warn(&warnings);
    let (now, screen) = (SystemClock.now(), Screen::of(voice));
    let texts: Vec<String> = reports.iter().map(|report| human::status(report, now, screen)).collect();
    // One empty line parts the groups of a job, two part the jobs.
    voice.result("status", &texts.join("\n\n"), || json::status(&reports), &warnings)?;
    Ok(0)
}
