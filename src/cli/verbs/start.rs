//! `bgctl start`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{
    job, many,
    ready::readied,
    wait::{Manner, still_goes_on, waited},
};
use crate::cli::args::start::{StartArgs, WhenFullArg};
use crate::cli::usage;
use crate::cli::verbs::logs::{self, copied, manner, sink};
use crate::model::id::JobId;
use crate::ops::{
    attend::Attendance,
    fault::{Code, Fault},
    find::ARGUMENTS_FROM_INPUT,
    home::{BrokenConfig, Home},
    logs::Wanted,
    ready::Pattern,
    start::{self, Many, WhenFull},
    wait::{self, OWN_FAILURE},
};
use crate::os::{
    clock::{Clock, SystemClock},
    closed,
};
use crate::render::{Voice, human, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// `bgctl start`
pub fn run(args: &StartArgs, voice: Voice) -> Result<i32, Fault> {
    let request = request(args);
    let waits_for_room = args.when_full == WhenFullArg::Wait;
    if args.within.is_some() && !(waits_for_room || args.wait || args.ready.is_some()) {
        return Err(usage::refused("start", "--within needs --wait, --ready or --when-full wait"));
    }
    job::check("start", &args.job, args.batch.is_some())?;
    // A line of a batch may say that it is none.
    if args.job.service && args.batch.is_none() && waits_for_room {
        return Err(job::useless_with_service("start", "--when-full wait"));
    }
    let when_full = if waits_for_room {
        WhenFull::Wait { within: args.within.map(Duration::from_secs) }
    } else {
        WhenFull::Refuse
    };
    if args.dry_run
        && let Some(many) = &request.many
    {
        return many::foresee(&request, many, when_full, voice);
    }
    if args.dry_run {
        let foreseen = start::foresee(&request, when_full)?;
        let own_input = args.job.stdin.as_deref() == Some(Path::new(ARGUMENTS_FROM_INPUT));
        let text = human::foreseen_one(&foreseen, own_input, SystemClock.now());
        voice.result("start", &text, || json::foreseen(&foreseen), &[])?;
        return Ok(0);
    }
    if closed::standard_output() {
        let fault = Fault::new(
            Code::Failed,
            "standard output is closed, so that the id would be lost; nothing was started",
        );
        return Err(fault.hint("who does not want the id sends it away: > /dev/null"));
    }
    let pattern = args.ready.as_deref().map(Pattern::parse).transpose()?;
    let began = Instant::now();
    if let Some(many) = &request.many {
        return many::start(&request, many, when_full, args, voice);
    }
    let mut told = false;
    let submitted = start::start(&request, when_full, &mut |full| {
        if !told {
            voice.say(&human::full(full));
        }
        told = true;
    })?;
    // What is left of the time for the waiting that comes.
    let within = args.within.map(|within| within.saturating_sub(began.elapsed().as_secs()));
    voice.events(&submitted.decided.events);
    voice.warn(&submitted.warnings);
    let id = submitted.job.id.clone();
    // With --follow, standard output is the job's; with --wait --json or --ready --json, it is the end's.
    let printed = if args.follow {
        voice.say(&id.to_string());
        Ok(())
    } else if (args.wait || pattern.is_some()) && voice.json {
        Ok(())
    } else {
        voice.result("start", &format!("{id}\n"), || json::submitted(&submitted), &submitted.warnings)
    };
    if let Err(error) = printed {
        return Err(Fault::new(
            Code::Failed,
            format!("{id} is submitted, but its id could not be printed: {error}"),
        )
        .of(&id));
    }
    // Of a job that ended at once, the wait for its end tells.
    let is_told_later = submitted.created
        && submitted.job.status().has_ended()
        && (args.wait || args.follow || pattern.is_some());
    if !is_told_later && let Some(place) = human::place(&submitted, SystemClock.now()) {
        voice.say(&place);
    }
    let code = if args.follow {
        copied(follow(&id, voice))
    } else if args.wait {
        wait_for_one("start", &id, within, voice)
    } else if let Some(pattern) = &pattern {
        wait_for_ready(&id, pattern, within, voice)
    } else {
        Ok(0)
    };
    // The job stands, and its codes are what is answered with from here on.
    Ok(code.unwrap_or_else(|fault| {
        voice.fault("start", &fault.of(&id), OWN_FAILURE);
        OWN_FAILURE
    }))
}

/// What the flags ask for.
fn request(args: &StartArgs) -> start::Request {
    start::Request {
        after: args.after.clone(),
        after_end: args.after_end.clone(),
        delay_seconds: args.delay,
        at: args.at,
        many: args.batch.clone().map(Many::Batch).or_else(|| args.array.clone().map(Many::Array)),
        ..job::request(&args.command, &args.job)
    }
}

/// Waits for the end of a job that a command started, and exits with its code.
pub fn wait_for_one(command: &str, id: &JobId, within: Option<u64>, voice: Voice) -> Result<i32, Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let waited =
        waited(&home, attendance, std::slice::from_ref(id), Manner { within, ..Manner::default() }, voice)?;
    voice.warn(&waited.warnings);
    if waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    if voice.json {
        voice.result(command, "", || json::started(id, json::waited(&waited)), &waited.warnings)?;
    }
    Ok(waited.code)
}

fn wait_for_ready(id: &JobId, pattern: &Pattern, within: Option<u64>, voice: Voice) -> Result<i32, Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let manner = Manner { within, ..Manner::default() };
    let readied = readied(&home, attendance, std::slice::from_ref(id), pattern, manner, voice)?;
    if voice.json {
        voice.result("start", "", || json::started(id, json::readied(&readied)), &readied.warnings)?;
    }
    Ok(readied.code)
}

/// Prints the output of a job that a command started as it comes, and exits with its code.
pub fn follow(id: &JobId, voice: Voice) -> Result<i32, Fault> {
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let ids = std::slice::from_ref(id);
    let mut sink = sink(&[], manner(false, voice));
    let ended = logs::follow(&home, attendance, ids, Wanted::default(), sink.as_mut(), voice)?;
    let Some(job) = ended.first() else { return Ok(0) };
    let code = wait::exit_code(job).unwrap_or(0);
    if code != 0 {
        voice.say(&human::end(job));
    }
    Ok(code)
}
