//! `bgctl schedule`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{job, logs::copied, start};
use crate::cli::args::schedule::{AddArgs, MissedArg, OverlapArg, RunArgs, ScheduleAction, ScheduleArgs};
use crate::model::{
    event::Event,
    schedule::{Fate, Missed, Overlap},
};
use crate::ops::{
    fault::{Code, Fault},
    schedule::{self, Asked, Wanted},
    wait::OWN_FAILURE,
};
use crate::os::{
    clock::{Clock, SystemClock},
    closed,
};
use crate::render::{Voice, human, human::screen::Screen, json};

const NAME: &str = "schedule";

/// `bgctl schedule`
pub fn run(args: &ScheduleArgs, voice: Voice) -> Result<i32, Fault> {
    match &args.action {
        None => list(None, voice),
        Some(ScheduleAction::List(args)) => list(args.name.as_deref(), voice),
        Some(ScheduleAction::Show(args)) => show(&args.name, voice),
        Some(ScheduleAction::Add(args)) => add(args, voice),
        Some(ScheduleAction::Run(args)) => run_now(args, voice),
        Some(ScheduleAction::Pause(args)) => change(&args.name, Wanted::Paused, voice),
        Some(ScheduleAction::Resume(args)) => change(&args.name, Wanted::Resumed, voice),
        Some(ScheduleAction::Remove(args)) => change(&args.name, Wanted::Removed, voice),
    }
}

fn list(name: Option<&str>, voice: Voice) -> Result<i32, Fault> {
    let listed = schedule::list(name)?;
    voice.warn(&listed.warnings);
    let now = SystemClock.now();
    let text = human::schedules(&listed.standings, now, Screen::of(voice));
    voice.result(NAME, &text, || json::schedules(&listed, now), &listed.warnings)?;
    if listed.standings.is_empty() {
        voice.say(human::NO_SCHEDULES);
    }
    Ok(0)
}

fn show(name: &str, voice: Voice) -> Result<i32, Fault> {
    let listed = schedule::list(Some(name))?;
    voice.warn(&listed.warnings);
    let (now, screen) = (SystemClock.now(), Screen::of(voice));
    let text: String = listed.standings.iter().map(|one| human::schedule(one, now, screen)).collect();
    voice.result(NAME, &text, || json::schedules(&listed, now), &listed.warnings)?;
    Ok(0)
}

fn add(args: &AddArgs, voice: Voice) -> Result<i32, Fault> {
    job::check("schedule add", &args.job, false)?;
    let asked = Asked {
        name: args.schedule.clone(),
        every_seconds: args.every,
        cron: args.cron.clone(),
        zone: args.tz.clone(),
        overlap: match args.overlap {
            OverlapArg::Skip => Overlap::Skip,
            OverlapArg::Queue => Overlap::Queue,
            OverlapArg::Replace => Overlap::Replace,
        },
        missed: match args.missed {
            MissedArg::None => Missed::None,
            MissedArg::Once => Missed::Once,
        },
        jitter_seconds: args.jitter.unwrap_or(0),
        no_restart: args.no_restart,
        job: job::request(&args.command, &args.job),
    };
    if args.dry_run {
        let foreseen = schedule::foresee(&asked)?;
        let now = SystemClock.now();
        voice.warn(&foreseen.warnings);
        let text = human::schedule_foreseen(&asked.name, &foreseen, now);
        voice.result(NAME, &text, || json::schedule_foreseen(&asked.name, &foreseen), &foreseen.warnings)?;
        return Ok(0);
    }
    let added = schedule::add(&asked)?;
    // As it is told now, so that a distance of 2s is not 3s away.
    let now = SystemClock.now();
    voice.events(&added.decided.events);
    voice.warn(&added.decided.warnings);
    let text = human::schedule_added(&added.standing, added.is_new, added.changed, now);
    let result = match (added.is_new, added.changed) {
        (true, _) => "added",
        (false, true) => "changed",
        (false, false) => "unchanged",
    };
    let object = json::schedule_changed(&added.standing, result, now);
    voice.result(NAME, &format!("{text}\n"), || object, &added.decided.warnings)?;
    if added.changed && added.nobody_ticks {
        voice.say(human::NOBODY_TICKS);
    }
    Ok(0)
}

fn change(name: &str, wanted: Wanted, voice: Voice) -> Result<i32, Fault> {
    let changed = schedule::change(name, wanted)?;
    voice.events(&changed.decided.events);
    voice.warn(&changed.decided.warnings);
    let now = SystemClock.now();
    let verb = match wanted {
        Wanted::Paused => "paused",
        Wanted::Resumed => "resumed",
        Wanted::Removed => "removed",
    };
    let text = human::schedule_changed(&changed.standing, verb, changed.changed, now);
    let result = if changed.changed { verb } else { "unchanged" };
    let object = json::schedule_changed(&changed.standing, result, now);
    voice.result(NAME, &format!("{text}\n"), || object, &changed.decided.warnings)?;
    Ok(0)
}

fn run_now(args: &RunArgs, voice: Voice) -> Result<i32, Fault> {
    if closed::standard_output() {
        let fault = Fault::new(
            Code::Failed,
            "standard output is closed, so that the id would be lost; nothing was started",
        );
        return Err(fault.hint("who does not want the id sends it away: > /dev/null"));
    }
    let ran = schedule::run(&args.name)?;
    voice.events(&ran.decided.events);
    voice.warn(&ran.decided.warnings);
    let now = SystemClock.now();
    let Fate::Submitted { id } = &ran.fate else {
        let health = ran.standing.schedule.as_ref().map(|schedule| &schedule.health);
        let note = health.and_then(|health| health.last.as_ref()?.note.as_deref());
        let text = format!("{}: {}\n", args.name, note.unwrap_or("done"));
        voice.result(NAME, &text, || json::schedule_ran(&ran, now), &ran.decided.warnings)?;
        return Ok(0);
    };
    // With --follow, standard output is the job's; with --wait --json, it is the end's.
    if args.follow {
        voice.say(id.as_str());
    } else if !(args.wait && voice.json) {
        voice
            .result(NAME, &format!("{id}\n"), || json::schedule_ran(&ran, now), &ran.decided.warnings)
            .map_err(|error| {
                let message = format!("{id} is submitted, but its id could not be printed: {error}");
                Fault::new(Code::Failed, message).of(id)
            })?;
    }
    let waits = ran.decided.events.iter().find_map(|event| match event {
        Event::Submitted { job } if job.id == *id => Some(human::waits_for(job.waiting()?, id)),
        _ => None,
    });
    if let Some(waits) = waits {
        voice.say(&format!("waits {waits}"));
    }
    let code = if args.follow {
        copied(start::follow(id, voice))
    } else if args.wait {
        start::wait_for_one(NAME, id, args.within, voice)
    } else {
        Ok(0)
    };
    // The run stands, and its codes are what is answered with from here on.
    Ok(code.unwrap_or_else(|fault| {
        voice.fault(NAME, &fault.of(id), OWN_FAILURE);
        OWN_FAILURE
    }))
}
