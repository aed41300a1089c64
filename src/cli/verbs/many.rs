//! `bgctl start --batch` and `--array`: many jobs, from their use case to words and an exit code.

use super::wait::{Manner, still_goes_on, waited};
use crate::cli::args::start::StartArgs;
use crate::model::id::JobId;
use crate::ops::{
    attend::Attendance,
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
    start::{
        Many, Request, WhenFull,
        many::{self, Stage},
    },
    wait::OWN_FAILURE,
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, json, progress::Progress};
use std::time::Instant;

/// Submits them, and waits for their ends if it is asked to.
pub fn start(
    request: &Request,
    many: &Many,
    when_full: WhenFull,
    args: &StartArgs,
    voice: Voice,
) -> Result<i32, Fault> {
    let began = Instant::now();
    let mut line = Line::begin(voice);
    let started = many::start(request, many, when_full, &mut |stage| line.show(stage));
    drop(line);
    let started = started?;
    voice.events(&started.decided.events);
    voice.warn(&started.warnings);
    let ids = started.ids();
    let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
    // With --wait --json, standard output is the ends'.
    if !(args.wait && voice.json) {
        voice.result("start", &text, || json::started_many(&started), &started.warnings).map_err(
            |error| {
                let fault =
                    format!("{} jobs are submitted, but their ids could not be printed: {error}", ids.len());
                Fault::new(Code::Failed, fault).hint("bgctl list shows them")
            },
        )?;
    }
    voice.say(&human::started_many(&started));
    if !args.wait {
        return Ok(0);
    }
    let within = args.within.map(|within| within.saturating_sub(began.elapsed().as_secs()));
    // The jobs stand, and their codes are what is answered with from here on.
    Ok(wait_for_all(&ids, within, voice).unwrap_or_else(|fault| {
        voice.fault("start", &fault, OWN_FAILURE);
        OWN_FAILURE
    }))
}

/// Says what would be submitted.
pub fn foresee(request: &Request, many: &Many, when_full: WhenFull, voice: Voice) -> Result<i32, Fault> {
    let mut line = Line::begin(voice);
    let foreseen = many::foresee(request, many, when_full, &mut |stage| line.show(stage));
    drop(line);
    let foreseen = foreseen?;
    let text = human::foreseen_many(&foreseen, SystemClock.now());
    voice.result("start", &text, || json::foreseen_many(&foreseen), &[])?;
    Ok(0)
}

fn wait_for_all(ids: &[JobId], within: Option<u64>, voice: Voice) -> Result<i32, Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let waited = waited(&home, attendance, ids, Manner { within, ..Manner::default() }, voice)?;
    voice.warn(&waited.warnings);
    if waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    if voice.json {
        voice.result("start", "", || json::waited_many(json::waited(&waited)), &waited.warnings)?;
    }
    Ok(waited.code)
}

/// What is shown while it goes on.
struct Line {
    voice: Voice,
    progress: Option<Progress<Stage>>,
    told: bool,
}

impl Line {
    fn begin(voice: Voice) -> Self {
        let stage = Stage::Read { lines: 0, bytes: 0, of: None };
        Self { voice, progress: Progress::begin(voice, stage, human::stage), told: false }
    }

    fn show(&mut self, stage: Stage) {
        if let Stage::Wait(full) = &stage {
            // That is said once, and stays.
            self.progress = None;
            if !self.told {
                self.voice.say(&human::full(full));
            }
            self.told = true;
        } else if let Some(progress) = &self.progress {
            progress.set(stage);
        }
    }
}
