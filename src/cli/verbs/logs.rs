//! `bgctl logs`: from its arguments to a use case, from the outcome to words and an exit code.

use super::wait::goes_on;
use crate::cli::args::logs::LogsArgs;
use crate::model::bytes;
use crate::ops::{fault::Fault, logs};
use crate::os::signal::leave_on_interrupt;
use crate::render::Voice;
use serde_json::json;
use std::io;

/// `bgctl logs`
pub fn run(args: &LogsArgs, voice: Voice) -> Result<i32, Fault> {
    if args.follow {
        leave_on_interrupt(goes_on(std::slice::from_ref(&args.job)));
    }
    let request = logs::Request { job: args.job.clone(), lines: args.lines, follow: args.follow };
    if voice.json {
        return logs_as_json(&request, voice);
    }
    copied(logs::logs(&request, &mut io::stdout().lock()).map(|_| 0))
}

fn logs_as_json(request: &logs::Request, voice: Voice) -> Result<i32, Fault> {
    let mut bytes = Vec::new();
    let job = logs::logs(request, &mut bytes)?;
    let output = bytes::to_json(&bytes);
    voice.result("logs", "", &json!({ "id": job.id, "status": job.status(), "output": output }))?;
    Ok(0)
}

/// A reader that has gone away has what it wanted.
pub fn copied(result: Result<i32, Fault>) -> Result<i32, Fault> {
    match result {
        Err(fault) if fault.cause == Some(io::ErrorKind::BrokenPipe) => Ok(0),
        other => other,
    }
}
