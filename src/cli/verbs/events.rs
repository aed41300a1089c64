//! `bgctl events`: from its arguments to a use case, from the outcome to words and an exit code.

use super::logs::copied;
use crate::cli::args::events::EventsArgs;
use crate::ops::{
    events::{self, Kept, Request, Told},
    fault::Fault,
};
use crate::os::{pipe::reader_gone, signal::leave_on_interrupt};
use crate::render::{Voice, human, human::screen::Screen, json};
use std::io::{self, Write};
use std::os::fd::AsFd;

/// How many people see who do not say from where on.
const LAST: usize = 100;

/// `bgctl events`
pub fn run(args: &EventsArgs, voice: Voice) -> Result<i32, Fault> {
    let is_for_people = !(voice.json || args.json_lines);
    let asked = args.lines.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX));
    let request = Request {
        since: args.since,
        jobs: args.jobs.clone(),
        schedules: args.schedule.clone(),
        kinds: args.event.clone(),
        last: asked.or_else(|| (is_for_people && args.since.is_none()).then_some(LAST)),
    };
    if voice.json {
        let kept = events::kept(&request)?;
        voice.warn(&kept.warnings);
        voice.result("events", "", || json::events(&kept), &kept.warnings)?;
        return Ok(0);
    }
    let screen = Screen::of(voice);
    let mut give = |kept: Kept| {
        voice.warn(&kept.warnings);
        if kept.left_out > 0 && asked.is_none() {
            voice.say(&format!("{} before these; --since 0 shows all", human::events_count(kept.left_out)));
        }
        print(
            &kept.told,
            |told| if is_for_people { human::event(told, screen) } else { json::event_line(told) },
        )
    };
    if !args.follow {
        let kept = events::kept(&request)?;
        let is_empty = kept.told.is_empty() && kept.left_out == 0;
        copied(give(kept).map(|()| 0))?;
        if is_empty && is_for_people {
            let asks_for_all = request.since.is_none()
                && request.jobs.is_empty()
                && request.schedules.is_empty()
                && request.kinds.is_empty();
            voice.say(if asks_for_all {
                "nothing has happened yet"
            } else {
                "nothing of that kind has happened"
            });
        }
        return Ok(0);
    }
    leave_on_interrupt(String::new());
    let out = io::stdout();
    copied(events::follow(&request, reader_gone(out.as_fd()), &mut give).map(|()| 0))
}

fn print(told: &[Told], line: impl Fn(&Told) -> String) -> Result<(), Fault> {
    let text: String = told.iter().map(|one| line(one) + "\n").collect();
    let mut out = io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}
