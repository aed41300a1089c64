//! What is beside every wait: an interrupt ends the wait and no job, and says so; a wait that may never end by itself is
//! warned of; and at a terminal a line shows what is waited for.

use crate::model::id::JobId;
use crate::ops::{attend::Attendance, fault::Fault, home::Home, inside, wait::Left};
use crate::os::{
    clock::{Clock, SystemClock},
    signal::leave_on_interrupt,
};
use crate::render::{
    Voice,
    human::{self, Awaited, Standing},
    spinner::Spinner,
};
use std::collections::HashSet;

/// Back to the first column, and nothing in the line (`console_codes(4)`).
const CLEARED_LINE: &str = "\r\x1b[2K";

/// A wait as people see it.
pub struct Attended {
    voice: Voice,
    spinner: Option<Spinner>,
    going: Vec<JobId>,
}

impl Attended {
    /// Begins a wait that prints nothing but its end.
    pub fn begin(
        home: &Home,
        attendance: &Attendance<'_>,
        ids: &[JobId],
        voice: Voice,
    ) -> Result<Self, Fault> {
        Self::new(home, attendance, ids, voice, Spinner::open(voice))
    }

    /// Begins a wait whose output comes meanwhile, so that there is no line for anything else.
    pub fn begin_with_output(
        home: &Home,
        attendance: &Attendance<'_>,
        ids: &[JobId],
        voice: Voice,
    ) -> Result<Self, Fault> {
        Self::new(home, attendance, ids, voice, None)
    }

    fn new(
        home: &Home,
        attendance: &Attendance<'_>,
        ids: &[JobId],
        voice: Voice,
        spinner: Option<Spinner>,
    ) -> Result<Self, Fault> {
        let facts = attendance.read()?;
        let ended = facts.heads().filter(|head| head.status.has_ended());
        let ended: HashSet<&JobId> = ended.map(|head| &head.id).collect();
        let going: Vec<JobId> = ids.iter().filter(|id| !ended.contains(id)).cloned().collect();
        let attended = Self { voice, spinner, going };
        attended.answer_interrupts();
        if let Some(circle) = inside::circle(home, attendance, ids)? {
            voice.warn(&[human::circle(&circle)]);
        }
        Ok(attended)
    }

    /// Shows what is left to wait for.
    pub fn show(&mut self, left: &Left<'_>, awaited: Awaited) {
        let going: HashSet<&JobId> = left.jobs.iter().map(|job| &job.id).collect();
        let before = self.going.len();
        self.going.retain(|id| going.contains(id));
        if self.going.len() != before {
            self.answer_interrupts();
        }
        if let Some(spinner) = &self.spinner {
            let standing = Standing::new(left, awaited);
            spinner.show(move || standing.text(SystemClock.now()));
        }
    }

    /// Says something else than the line.
    pub fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        Spinner::aside(self.spinner.as_ref(), say)
    }

    fn answer_interrupts(&self) {
        let words = human::goes_on(&self.going);
        leave_on_interrupt(match &self.spinner {
            _ if self.voice.quiet || words.is_empty() => String::new(),
            // In the place of the line that shows what is waited for.
            Some(_) => format!("{CLEARED_LINE}{words}"),
            // Below the ^C that a terminal shows.
            None => format!("\n{words}"),
        });
    }
}
