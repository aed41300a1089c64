//! The runner's process: runs the hooks that lines of the stream are for, one after the other in the order of the lines, and
//! leaves when none is left.
//!
//! Before a hook begins, the cursor names it durably: so each begins at most once, whatever is killed. What became of it
//! is told in the stream.

use super::{
    home::{BrokenConfig, Home},
    schedule::file::surroundings,
};
use crate::exec::local::{
    hook::{self, EVENT_MARK, Ran, Task},
    runner,
};
use crate::model::{
    bytes::Bytes,
    hook::{Cursor, Hook, HookResult, HookRun},
    id::JobId,
    job::Job,
    limit::format_seconds,
    outcome::{Exit, exit_code},
    stream::{Line, Note},
};
use crate::os::{clock::Clock, detach, reap, signal::Inbox};
use crate::store::{Store, StoreError, hooked, root::log_name, stream::told_with};
use chrono::SecondsFormat;
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is tried to tell what became of a hook; each time waits for the lock.
const TELLS_MAX: usize = 30;

/// Runs the hooks of a root. Nobody hears this process; what it cannot do, the next tick starts anew.
pub fn run(root: &Path) {
    detach::settle();
    // A root that was removed is not made again.
    if !root.is_dir() {
        return;
    }
    let Ok(inbox) = Inbox::open() else { return };
    if reap::adopt_orphans(true).is_err() {
        return;
    }
    let Ok(mut home) = Home::open_at(root, BrokenConfig::Warns) else { return };
    // Which hooks are set is unknown: once the file is mended, the next tick sees to what waits.
    if !home.has_sound_config() {
        return;
    }
    loop {
        let Ok(Some(held)) = runner::acquire(&home.root) else { return };
        let done = say_of_the_last(&home).and_then(|()| run_all(&mut home, &inbox));
        drop(held);
        // Who committed something in between found the lock taken.
        if done.is_none() || !waits(&home) {
            return;
        }
    }
}

/// Sees to it that somebody runs the hooks that wait, and says of the last one what became of it: those whose runner was killed,
/// or was never launched. Gives what the user should be told.
pub fn see_to(home: &Home) -> Option<String> {
    if !waits(home) && !matches!(untold(home), Ok(Some(Untold { line: Some(_), .. }))) {
        return None;
    }
    runner::launch(&home.root, false).err().map(|error| error.to_string())
}

/// Whether a line is for a hook that has not begun.
fn waits(home: &Home) -> bool {
    let cursor = hooked::read(&home.root).ok().flatten().unwrap_or_default();
    waiting(home, cursor).is_ok_and(|waiting| !waiting.is_empty())
}

/// The lines that are for hooks which have not begun, and these hooks.
fn waiting(home: &Home, cursor: Cursor) -> Result<Vec<(Line, Vec<Hook>)>, StoreError> {
    let lines = told_with(&home.root, cursor.seq.saturating_sub(1), Line::HOOKS_MARK)?;
    let left = |line: Line| {
        let left = cursor.left_of(line.seq, &line.hooks());
        (line, left)
    };
    Ok(lines.into_iter().map(left).filter(|(_, left)| !left.is_empty()).collect())
}

/// A hook that has begun, and of which nothing is told: it runs, or what ran it was killed.
struct Untold {
    seq: u64,
    hook: Hook,
    /// What it is for. `None`: the line is not kept any more, and then what was told of the hook may have gone with it.
    line: Option<Line>,
}

fn untold(home: &Home) -> io::Result<Option<Untold>> {
    let Some(Cursor { seq, hook: Some(hook) }) = hooked::read(&home.root)? else { return Ok(None) };
    let mark = format!("\"of\":{seq},\"hook\":\"{}\"", hook.as_str());
    let lines = told_with(&home.root, seq.saturating_sub(1), "").map_err(io::Error::other)?;
    if lines.iter().any(|line| line.text.contains(&mark)) {
        return Ok(None);
    }
    let line = lines.into_iter().find(|line| line.seq == seq);
    Ok(Some(Untold { seq, hook, line }))
}

/// What is left of a hook whose runner was killed is ended, and what became of it is told.
fn say_of_the_last(home: &Home) -> Option<()> {
    let Some(Untold { seq, hook, line }) = untold(home).ok()? else { return Some(()) };
    let _ = hook::end_orphans(&home.root, seq);
    if let Some(line) = line {
        let note = "what ran it was killed; it is not run again".to_owned();
        let run = Event::of(&line).run(seq, hook, HookResult::Unknown);
        tell(home, HookRun { note: Some(note), ..run });
    }
    Some(())
}

/// Runs all that wait, and those that come meanwhile. `None`: it could not go on.
fn run_all(home: &mut Home, inbox: &Inbox) -> Option<()> {
    loop {
        let all = waiting(home, hooked::read(&home.root).ok()??).ok()?;
        if all.is_empty() {
            return Some(());
        }
        for (line, hooks) in all {
            for hook in hooks {
                if home.root.folder().is_removed() {
                    return None;
                }
                home.go_on_with(home.current_config());
                hooked::write(&home.root, Cursor { seq: line.seq, hook: Some(hook) }).ok()?;
                run_one(home, inbox, &line, hook);
            }
        }
    }
}

fn run_one(home: &Home, inbox: &Inbox, line: &Line, hook: Hook) {
    let event = Event::of(line);
    let job = event.id.as_ref().and_then(|id| home.store().read().ok()?.job(id).ok().flatten());
    let run = match task(home, &event, job.as_ref(), line, hook) {
        Ok(task) => {
            let ran = hook::run(&task, &home.root, &home.clock, inbox);
            let run = HookRun { ..event.run(line.seq, hook, HookResult::Failed) };
            match ran {
                Ok(ran) => {
                    let run = came_of(&ran, &task, run);
                    let _ = hooked::log(&home.root, &heading(home, &run, &ran));
                    run
                }
                Err(error) => HookRun { note: Some(error.to_string()), ..run },
            }
        }
        Err(why) => HookRun { note: Some(why.to_owned()), ..event.run(line.seq, hook, HookResult::Skipped) },
    };
    tell(home, run);
}

/// Tells what became of a hook. Where the index is locked for long, it is tried again: what is not told is not known.
fn tell(home: &Home, run: HookRun) {
    let note = if run.result == HookResult::Succeeded { Note::Hook(run) } else { Note::HookFailed(run) };
    let store = home.store();
    let _ = (0..TELLS_MAX).find(|_| store.note(home.clock.now(), &note).is_ok());
}

fn came_of(ran: &Ran, task: &Task, run: HookRun) -> HookRun {
    let mut notes = Vec::new();
    let result = if ran.timed_out {
        notes.push(format!("its time of {} was over", format_seconds(task.timeout.as_secs())));
        HookResult::TimedOut
    } else if ran.exit == Exit::Code(0) {
        HookResult::Succeeded
    } else {
        HookResult::Failed
    };
    if ran.stuck > 0 {
        notes.push(format!("{} of its processes could not be ended", ran.stuck));
    }
    HookRun {
        result,
        exit: Some(ran.exit.clone()),
        took_ms: Some(ran.took.as_millis().try_into().unwrap_or(u64::MAX)),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
        ..run
    }
}

/// What it printed, below a line that says whose it is.
fn heading(home: &Home, run: &HookRun, ran: &Ran) -> Vec<u8> {
    let at = home.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let id = run.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    let head = format!("== {at} {} of {}{id}: {}\n", run.hook.as_str(), run.of, run.result.as_str());
    let mut text = head.into_bytes();
    text.extend_from_slice(&ran.output);
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

/// What a line tells.
#[derive(Debug, Default)]
struct Event {
    fields: Map<String, Value>,
    id: Option<JobId>,
}

impl Event {
    fn of(line: &Line) -> Self {
        let fields: Map<String, Value> = serde_json::from_str(&line.text).unwrap_or_default();
        let id = fields.get("id").and_then(Value::as_str).and_then(|id| JobId::parse(id).ok());
        Self { fields, id }
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    fn run(&self, of: u64, hook: Hook, result: HookResult) -> HookRun {
        let name = self.text("name").map(str::to_owned);
        HookRun { of, hook, id: self.id.clone(), name, result, exit: None, took_ms: None, note: None }
    }
}

/// What is to be run, or why nothing is.
fn task(
    home: &Home,
    event: &Event,
    job: Option<&Job>,
    line: &Line,
    hook: Hook,
) -> Result<Task, &'static str> {
    const GONE: &str = "its job was removed before, and what was to run with it";
    let argv = if hook == Hook::Job {
        job.ok_or(GONE)?.spec.on_end.clone().ok_or("its job has none any more")?
    } else {
        let argv = home.config.hooks.command(hook).ok_or("the settings have none any more")?;
        argv.iter().filter_map(|word| Bytes::try_from(word.as_str()).ok()).collect()
    };
    let (inherited, _) = surroundings(&Map::new()).map_err(|_| "its environment could not be made")?;
    let variables = inherited.variables.into_iter();
    let mut variables: Vec<(OsString, OsString)> =
        variables.map(|(name, value)| (name.as_os_str().to_owned(), value.as_os_str().to_owned())).collect();
    let folder = variables.iter().find(|(name, _)| name == "HOME").map(|(_, value)| PathBuf::from(value));
    variables.extend(described(home, event, job, line, hook));
    let own = job.filter(|_| hook == Hook::Job).map(|job| PathBuf::from(job.spec.cwd.as_os_str()));
    Ok(Task {
        argv,
        cwd: own.or(folder).unwrap_or_else(|| PathBuf::from("/")),
        variables,
        input: format!("{}\n", line.text),
        timeout: Duration::from_secs(home.config.hooks.timeout_seconds),
    })
}

/// The event as variables. What says nothing is not set.
fn described(
    home: &Home,
    event: &Event,
    job: Option<&Job>,
    line: &Line,
    hook: Hook,
) -> Vec<(OsString, OsString)> {
    let text = |field: &str| event.text(field).map(str::to_owned);
    let log = event.id.as_ref().map(|id| home.root.run_file_path(&log_name(id)));
    let summary = job.and_then(Job::summary).map(str::to_owned).or_else(|| text("summary"));
    let reasons = event.fields.get("reasons").and_then(Value::as_array).map(|reasons| {
        let words: Vec<String> =
            reasons.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        words.join("; ")
    });
    let words = [
        (EVENT_MARK, Some(line.seq.to_string())),
        ("BG_EVENT_KIND", Some(hook.kind().to_owned())),
        ("BG_EVENT_AT", text("at")),
        ("BG_EVENT_JOB_ID", text("id")),
        ("BG_EVENT_NAME", text("name")),
        ("BG_EVENT_STATUS", text("status")),
        ("BG_EVENT_WAS", text("was")),
        ("BG_EVENT_EXIT_CODE", job.and_then(code_of).map(|code| code.to_string())),
        ("BG_EVENT_SUMMARY", summary),
        ("BG_EVENT_COMMAND", job.map(|job| job.spec.display.clone())),
        ("BG_EVENT_SCHEDULE", text("schedule")),
        ("BG_EVENT_REASONS", reasons),
    ];
    let words = words.into_iter().filter_map(|(name, value)| Some((name, OsString::from(value?))));
    let paths = [
        ("BG_EVENT_LOG", log.map(PathBuf::into_os_string)),
        ("BG_HOME", Some(home.root.path().as_os_str().to_owned())),
    ];
    let paths = paths.into_iter().filter_map(|(name, value)| Some((name, value?)));
    words.chain(paths).map(|(name, value)| (OsString::from(name), without_nul(value))).collect()
}

/// The code of an ended job, as `wait` gives it.
fn code_of(job: &Job) -> Option<i32> {
    let end = job.end()?;
    let told = end.ending.as_ref().map(|ending| ending.why);
    let unseen = Exit::Unknown { reason: String::new() };
    Some(exit_code(end.outcome.as_ref().map_or(&unseen, |outcome| &outcome.exit), told))
}

/// No variable can carry a NUL byte.
fn without_nul(value: OsString) -> OsString {
    let mut bytes = value.into_vec();
    bytes.retain(|byte| *byte != 0);
    OsString::from_vec(bytes)
}
