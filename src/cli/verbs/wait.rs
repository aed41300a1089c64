//! `bgctl wait`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{attended::Attended, chosen::chosen, ready::readied};
use crate::cli::args::wait::WaitArgs;
use crate::model::{facts::Facts, id::JobId, job::Job};
use crate::ops::{
    attend::Attendance,
    called::called,
    fault::Fault,
    find::Among,
    home::Home,
    inside, logs,
    ready::Pattern,
    select::Selection,
    wait::{self, News, OWN_FAILURE, Waited},
};
use crate::os::pipe::reader_gone;
use crate::render::{
    Voice,
    human::{self, Awaited},
    json, print, safe,
};
use serde_json::Value;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// How many lines of a failed job's output a wait shows.
const LAST_LINES: u64 = 10;

/// How to wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Longest wait in seconds.
    pub within: Option<u64>,
    /// Whether the first is enough; it is named then.
    pub any: bool,
    /// Whether each is told as a line of JSON on standard output, as it comes.
    pub json_lines: bool,
}

/// `bgctl wait`
pub fn run(args: &WaitArgs, voice: Voice) -> Result<i32, Fault> {
    let pattern = args.ready.as_deref().map(Pattern::parse).transpose()?;
    let selection = chosen(&args.chosen, voice)?;
    let Some(home) = selection.home()? else { return nobody(args, &selection, voice) };
    let attendance = Attendance::new(&home)?;
    let facts = attendance.read()?;
    // A wait inside a job, for that very job, would never end; who asked for all did not mean it.
    let around = inside::running_around(&facts)?;
    let ids = selection.ids(&facts, Among::All, |job| !around.contains(&job.id))?;
    if ids.is_empty() {
        return nobody(args, &selection, voice);
    }
    let manner = Manner { within: args.within, any: args.any, json_lines: args.json_lines };
    if let Some(pattern) = &pattern {
        return wait_for_ready(&home, attendance, &ids, pattern, manner, voice);
    }
    if matches!(selection, Selection::Active(_)) && manner.within.is_none() && !manner.any {
        warn_of_services(&facts, &ids, voice);
    }
    let waited = waited(&home, attendance, &ids, manner, voice)?;
    voice.warn(&waited.warnings);
    if waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    let first = waited.first.as_ref().and_then(|id| waited.jobs.iter().find(|job| job.id == *id));
    if manner.json_lines {
        print(&first.map(|job| line(&json::waited_job(job))).unwrap_or_default())?;
        return Ok(waited.code);
    }
    let text = first.map(|job| format!("{}\n", job.id)).unwrap_or_default();
    voice.result("wait", &text, || json::waited(&waited), &waited.warnings)?;
    Ok(waited.code)
}

/// There is nobody to wait for. That all of nobody have ended is true; that one has, or has shown a line, is not, and
/// that standard input named nobody may come from a command before it that failed.
fn nobody(args: &WaitArgs, selection: &Selection, voice: Voice) -> Result<i32, Fault> {
    let is_kind = matches!(selection, Selection::Active(_));
    let code = if is_kind && !args.any && args.ready.is_none() { 0 } else { OWN_FAILURE };
    if is_kind {
        voice.say(&format!("{} to wait for", human::NONE_ACTIVE));
    }
    if !args.json_lines {
        let mut object = json::waited(&Waited { code, ..Waited::default() });
        object["ready"] = args.ready.is_some().then_some(false).into();
        voice.result("wait", "", || object, &[])?;
    }
    Ok(code)
}

/// Who waits for all may have forgotten what goes on for good.
fn warn_of_services(facts: &Facts, ids: &[JobId], voice: Voice) {
    let services = facts
        .heads()
        .filter(|head| head.belongs.service && !head.status.has_ended() && ids.contains(&head.id));
    let services: Vec<JobId> = services.map(|head| head.id.clone()).collect();
    if !services.is_empty() {
        voice.warn(&[human::services(&called(facts, &services))]);
    }
}

/// Waits for jobs to end while it tells what comes, and, at a terminal, what it waits for.
pub fn waited(
    home: &Home,
    attendance: Attendance<'_>,
    ids: &[JobId],
    manner: Manner,
    voice: Voice,
) -> Result<Waited, Fault> {
    let Manner { any, json_lines, .. } = manner;
    let mut attended = Attended::begin(home, &attendance, ids, voice)?;
    // With --any the one that ended first is named on standard output, and with lines every one is.
    let successes = ids.len() > 1 && !any && !json_lines;
    let within = manner.within.map(Duration::from_secs);
    let out = io::stdout();
    let reader_gone = if json_lines { reader_gone(out.as_fd()) } else { None };
    let request = wait::Request { ids, within, any, reader_gone };
    wait::wait_for(home, attendance, request, &mut |news| match news {
        News::Ended(job) => attended.aside(|| {
            tell_end(home, job, successes, voice);
            if json_lines && !any { Ok(print(&line(&json::waited_job(job)))?) } else { Ok(()) }
        }),
        News::Left(left) => {
            attended.show(&left, Awaited::End);
            Ok(())
        }
    })
}

/// An object as a line.
pub fn line(object: &Value) -> String {
    safe::json(format!("{object}\n"))
}

/// What a wait says whose time is over.
pub fn still_goes_on(waited: &Waited) -> String {
    let going: Vec<&JobId> =
        waited.jobs.iter().filter(|job| job.end().is_none()).map(|job| &job.id).collect();
    let mut text = format!("the time is over, and it still goes on: {}", human::late(&going));
    let mut waiting = waited.jobs.iter().filter_map(|job| Some((job, job.waiting()?)));
    if let Some((job, of)) = waiting.next() {
        let more = match waiting.count() {
            0 => String::new(),
            _ => "; bgctl approval list shows all that do".to_owned(),
        };
        text.push_str(&format!("\n{} waits {}{more}", job.id, human::waits_for(of, &job.id)));
    }
    text
}

fn wait_for_ready(
    home: &Home,
    attendance: Attendance<'_>,
    ids: &[JobId],
    pattern: &Pattern,
    manner: Manner,
    voice: Voice,
) -> Result<i32, Fault> {
    let readied = readied(home, attendance, ids, pattern, manner, voice)?;
    if manner.json_lines {
        return Ok(readied.code);
    }
    let decided = readied.jobs.iter().filter(|one| one.ready.is_some() && manner.any);
    let text: String = decided.map(|one| format!("{}\n", one.job.id)).collect();
    voice.result("wait", &text, || json::readied(&readied), &readied.warnings)?;
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
