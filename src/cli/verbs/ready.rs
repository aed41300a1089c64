//! `--ready` of `start` and `wait`: waiting until a log shows a line, in words.

use super::{
    attended::Attended,
    wait::{Manner, line, tell_end},
};
use crate::model::id::JobId;
use crate::ops::{
    attend::Attendance,
    fault::Fault,
    home::Home,
    ready::{self, Looked, News, Pattern, Readied, Request},
};
use crate::os::pipe::reader_gone;
use crate::render::{
    Voice,
    human::{self, Awaited},
    json, print,
};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Waits for the logs of jobs to show a line while it tells what comes, and, at a terminal, what it waits for.
pub fn readied(
    home: &Home,
    mut attendance: Attendance<'_>,
    ids: &[JobId],
    pattern: &Pattern,
    manner: Manner,
    voice: Voice,
) -> Result<Readied, Fault> {
    let mut attended = Attended::begin(home, &attendance, ids, voice)?;
    let Manner { within, any, json_lines } = manner;
    let within = within.map(Duration::from_secs);
    let out = io::stdout();
    let reader_gone = if json_lines { reader_gone(out.as_fd()) } else { None };
    let request = Request { ids, pattern, within, any, reader_gone };
    let readied = ready::wait_for(home, &mut attendance, request, &mut |news| match news {
        News::Decided(one) => attended.aside(|| {
            tell(home, one, voice);
            if json_lines { Ok(print(&line(&json::readied_job(one)))?) } else { Ok(()) }
        }),
        News::Left(left) => {
            attended.show(&left, Awaited::Line);
            Ok(())
        }
    })?;
    // Its line is cleared before anything else is said.
    drop(attended);
    voice.warn(&readied.warnings);
    if readied.time_is_over {
        let open = readied.jobs.iter().filter(|one| one.ready.is_none());
        let open: Vec<&JobId> = open.map(|one| &one.job.id).collect();
        voice.say(&format!("the time is over, and its log has not shown the line: {}", human::late(&open)));
    }
    Ok(readied)
}

/// Says what is not as was hoped: that a job ended without the line, or after it.
fn tell(home: &Home, looked: &Looked, voice: Voice) {
    let job = &looked.job;
    if looked.ready == Some(false) {
        voice.say(&format!("{} ended before its log showed the line", job.id));
        tell_end(home, job, false, voice);
    } else if job.end().is_some() {
        voice.say(&format!("its log showed the line, and then it ended: {}", human::end(job)));
    }
}
