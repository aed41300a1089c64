//! `bgctl logs`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{attended::Attended, chosen::chosen};
use crate::cli::args::logs::LogsArgs;
use crate::model::{bytes, id::JobId, job::Job};
use crate::ops::{
    attend::Attendance,
    fault::Fault,
    home::Home,
    logs::{self, Sink, Wanted},
    select::Selection,
};
use crate::os::pipe::reader_gone;
use crate::render::{
    Voice, human,
    logs::{Kept, Manner, Plain, Prefixed},
};
use serde_json::{Value, json};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// `bgctl logs`
pub fn run(args: &LogsArgs, voice: Voice) -> Result<i32, Fault> {
    let selection = chosen(&args.chosen, voice)?;
    let Some(home) = selection.home()? else { return nobody(&selection, voice) };
    voice.warn(&home.warnings);
    let wanted = Wanted { head: args.head, lines: args.lines, attempt: args.attempt };
    // A wait begins before the first look, so that no change is missed.
    let attendance = args.follow.then(|| Attendance::new(&home)).transpose()?;
    let jobs = logs::find_jobs(&home, &selection, args.follow)?;
    if jobs.is_empty() {
        return nobody(&selection, voice);
    }
    if args.path {
        return print_paths(&home, &jobs, voice);
    }
    if voice.json {
        return print_object(&home, &jobs, wanted, voice);
    }
    let mut sink = sink(&jobs, manner(args.raw, voice));
    copied(match attendance {
        Some(attendance) => {
            let ids: Vec<JobId> = jobs.into_iter().map(|job| job.id).collect();
            follow(&home, attendance, &ids, wanted, sink.as_mut(), voice).map(|_| 0)
        }
        None => logs::show(&home, &jobs, wanted, sink.as_mut()).map(|()| 0),
    })
}

/// There is nobody to show the output of.
fn nobody(selection: &Selection, voice: Voice) -> Result<i32, Fault> {
    if matches!(selection, Selection::Active(_)) {
        voice.say(human::NONE_ACTIVE);
    }
    voice.result("logs", "", || json!({ "jobs": [] }), &[])?;
    Ok(0)
}

/// Follows jobs on standard output until they have ended. Gives them as they were then.
pub fn follow(
    home: &Home,
    mut attendance: Attendance<'_>,
    ids: &[JobId],
    wanted: Wanted,
    sink: &mut dyn Sink,
    voice: Voice,
) -> Result<Vec<Job>, Fault> {
    let _attended = Attended::begin_with_output(home, &attendance, ids, voice)?;
    let out = io::stdout();
    let ended = logs::follow(home, &mut attendance, ids, wanted, reader_gone(out.as_fd()), sink);
    voice.warn(attendance.warnings());
    ended
}

/// How output is treated: safe on a terminal, as it is elsewhere.
pub fn manner(raw: bool, voice: Voice) -> Manner {
    Manner { safe: !raw && io::stdout().is_terminal(), colours: voice.colours() }
}

/// What prints the output of these jobs.
pub fn sink(jobs: &[Job], manner: Manner) -> Box<dyn Sink> {
    let out = BufWriter::with_capacity(logs::BLOCK_BYTES, io::stdout());
    if jobs.len() > 1 {
        Box::new(Prefixed::new(out, jobs, manner))
    } else {
        Box::new(Plain::new(out, manner))
    }
}

fn print_paths(home: &Home, jobs: &[Job], voice: Voice) -> Result<i32, Fault> {
    let paths = logs::paths(home, jobs)?;
    if voice.json {
        let object = |(job, path): (&Job, &std::path::PathBuf)| json!({ "id": job.id, "path": path.to_string_lossy() });
        let objects: Vec<Value> = jobs.iter().zip(&paths).map(object).collect();
        voice.result("logs", "", || json!({ "jobs": objects }), &home.warnings)?;
        return Ok(0);
    }
    let mut text = Vec::new();
    for path in paths {
        text.extend_from_slice(path.as_os_str().as_bytes());
        text.push(b'\n');
    }
    let mut out = io::stdout();
    copied(out.write_all(&text).and_then(|()| out.flush()).map(|()| 0).map_err(Fault::from))
}

fn print_object(home: &Home, jobs: &[Job], wanted: Wanted, voice: Voice) -> Result<i32, Fault> {
    let mut kept = Kept::new(jobs.len());
    logs::show(home, jobs, wanted, &mut kept)?;
    let object = |(job, (output, left_out)): (&Job, (&Vec<u8>, &u64))| {
        let output = bytes::to_json(output);
        json!({ "id": job.id, "status": job.status(), "output": output, "left_out_bytes": left_out })
    };
    let objects: Vec<Value> = jobs.iter().zip(kept.output.iter().zip(&kept.left_out)).map(object).collect();
    voice.result("logs", "", || json!({ "jobs": objects }), &home.warnings)?;
    Ok(0)
}

/// A reader that has gone away has what it wanted.
pub fn copied(result: Result<i32, Fault>) -> Result<i32, Fault> {
    match result {
        Err(fault) if fault.cause == Some(io::ErrorKind::BrokenPipe) => Ok(0),
        other => other,
    }
}
