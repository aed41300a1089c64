//! `bgctl send`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::send::SendArgs;
use crate::ops::{
    fault::{Code, Fault},
    find::ARGUMENTS_FROM_INPUT,
    send::{self, InputState, Text, WITHIN_SECONDS},
};
use crate::render::{Voice, human, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// `bgctl send`
pub fn run(args: &SendArgs, voice: Voice) -> Result<i32, Fault> {
    let sent = send::send(&send::Request {
        job: args.job.clone(),
        text: args.text.as_deref().map(|text| given(text, !args.no_newline)),
        eof: args.eof,
        within_seconds: args.within.unwrap_or(WITHIN_SECONDS),
    })?;
    voice.events(&sent.decided.events);
    voice.warn(&sent.decided.warnings);
    let line = human::sent(&sent);
    let is_done = sent.input != InputState::Closing;
    let text = if is_done { format!("{line}\n") } else { String::new() };
    voice.result("send", &text, || json::sent(&sent), &sent.decided.warnings)?;
    if is_done {
        return Ok(0);
    }
    voice.fail(&line);
    Ok(Code::Failed as i32)
}

fn given(text: &OsStr, newline: bool) -> Text {
    if text == ARGUMENTS_FROM_INPUT {
        return Text::OwnInput;
    }
    let mut bytes = text.as_bytes().to_vec();
    if newline {
        bytes.push(b'\n');
    }
    Text::Given(bytes)
}
