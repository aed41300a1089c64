//! `bgctl list`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::list::ListArgs;
use crate::ops::{fault::Fault, list};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, column::Column, human, json, print, safe, template::Template};
use std::io::{self, IsTerminal};

/// Width of a terminal that does not tell its own, as many serial lines.
const WIDTH_UNKNOWN: usize = 80;

/// `bgctl list`
pub fn run(args: &ListArgs, voice: Voice) -> Result<i32, Fault> {
    let statuses = list::parse_statuses(&args.status, |_| true, list::no_such_state)?;
    let request = list::Request {
        all: args.all,
        dead: args.dead,
        statuses,
        labels: args.label.clone(),
        names: args.name.clone(),
        group: args.group.clone(),
        schedule: args.schedule.clone(),
        since: args.since,
        limit: args.limit.map(|limit| limit as usize),
        sort: args.sort,
        reverse: args.reverse,
        live: wants_live(args),
    };
    let listed = list::list(&request)?;
    voice.warn(&listed.warnings);
    if voice.json {
        voice.object("list", &json::list(&listed), &listed.warnings)?;
        return Ok(0);
    }
    let now = SystemClock.now();
    let entries = listed.entries.iter();
    let text: String = if let Some(template) = &args.format {
        entries.map(|entry| template.line(entry, now)).collect()
    } else if args.json_lines {
        entries.map(|entry| safe::json(format!("{}\n", json::entry(entry)))).collect()
    } else {
        let look = human::Look { columns: args.columns.clone(), width: width(), colours: voice.colours() };
        human::list(&listed, now, &look)
    };
    print(&text)?;
    if listed.entries.is_empty() {
        voice.say(human::no_jobs(&request));
    }
    if let Some(left_out) = human::left_out(&listed, &request) {
        voice.say(&left_out);
    }
    Ok(0)
}

/// Whether what is printed says what running jobs use: to look at them takes time.
fn wants_live(args: &ListArgs) -> bool {
    let by_template = args.format.as_ref().map(Template::is_live);
    let by_columns =
        args.columns.as_ref().map(|columns| columns.iter().any(|column| Column::is_live(*column)));
    by_template.or(by_columns).unwrap_or(true)
}

/// Columns of the terminal on standard output; `None` where it is none.
fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let told = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
    Some(told.filter(|width| *width > 0).unwrap_or(WIDTH_UNKNOWN))
}
