//! `bgctl list`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::list::ListArgs;
use crate::ops::{fault::Fault, list};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, json};
use std::io::{self, IsTerminal};

/// `bgctl list`
pub fn run(args: &ListArgs, voice: Voice) -> Result<i32, Fault> {
    let mut statuses = Vec::new();
    for word in args.status.iter().flat_map(|words| words.split(',')) {
        statuses.extend(list::parse_status(word)?);
    }
    let request = list::Request { all: args.all, statuses, labels: args.label.clone() };
    let listed = list::list(&request)?;
    voice.warn(&listed.warnings);
    let width =
        io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
    let width = width.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
    let text = human::list(&listed, SystemClock.now(), width, voice.colours());
    voice.result("list", &text, &json::list(&listed))?;
    if !voice.json {
        if listed.rows.is_empty() {
            voice.say("no jobs; bgctl start -- COMMAND starts one");
        }
        if let Some(left_out) = human::left_out(listed.left_out) {
            voice.say(&left_out);
        }
    }
    Ok(0)
}
