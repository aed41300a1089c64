//! `bgctl retry`: from its arguments to a use case, from the outcome to words and an exit code.

use super::{
    editor::edited,
    wait::{Manner, still_goes_on, waited},
};
use crate::cli::args::{retry::RetryArgs, start::WhenFullArg};
use crate::model::id::JobId;
use crate::ops::{
    attend::Attendance,
    fault::{Code, Fault},
    find::given,
    home::{BrokenConfig, Home},
    retry::{self, Request, Retried, Which, edit},
    start::WhenFull,
    wait::OWN_FAILURE,
};
use crate::os::{
    clock::{Clock, SystemClock},
    closed,
};
use crate::render::{Voice, human, json};
use std::time::{Duration, Instant};

/// `bgctl retry`
pub fn run(args: &RetryArgs, voice: Voice) -> Result<i32, Fault> {
    let waits_for_room = args.when_full == WhenFullArg::Wait;
    let lacks = [
        (
            args.within.is_some() && !(waits_for_room || args.wait),
            "--within needs --wait or --when-full wait",
        ),
        (!args.label.is_empty() && !args.dead, "--label needs --dead"),
    ];
    if let Some((_, message)) = lacks.into_iter().find(|(lacks, _)| *lacks) {
        return Err(Fault::new(Code::Usage, message).hint("bgctl retry --help says what it takes"));
    }
    let mut request = Request { which: which(args)?, edited: None, when_full: WhenFull::Refuse };
    if request.which == Which::Named(Vec::new()) {
        voice.say(human::NONE_NAMED);
    }
    if waits_for_room {
        request.when_full = WhenFull::Wait { within: args.within.map(Duration::from_secs) };
    }
    if !args.dry_run && closed::standard_output() {
        let message = "standard output is closed, so that the ids would be lost; nothing was started";
        let fault = Fault::new(Code::Failed, message);
        return Err(fault.hint("who does not want the ids sends them away: > /dev/null"));
    }
    if args.edit {
        edit_first(&mut request)?;
    }
    if args.dry_run {
        let foreseen = retry::foresee(&request)?;
        let text = human::retry_foreseen(&foreseen, SystemClock.now());
        voice.result("retry", &text, || json::retry_foreseen(&foreseen), &[])?;
        tell_left(&foreseen.left, voice);
        tell_none(foreseen.jobs.is_empty() && foreseen.left.is_empty(), args, voice);
        return Ok(0);
    }
    let began = Instant::now();
    let mut told = false;
    let retried = retry::retry(&request, &mut |full| {
        if !told {
            voice.say(&human::full(full));
        }
        told = true;
    })?;
    let within = args.within.map(|within| within.saturating_sub(began.elapsed().as_secs()));
    tell(args, &retried, voice)?;
    if !args.wait || retried.jobs.is_empty() {
        return Ok(0);
    }
    // The jobs stand, and their codes are what is answered with from here on.
    Ok(wait(&retried, within, voice).unwrap_or_else(|fault| {
        let ids: Vec<&str> = retried.jobs.iter().map(|one| one.submitted.job.id.as_str()).collect();
        let message =
            format!("{}, which this started, cannot be waited for: {}", ids.join(" "), fault.message);
        voice.fault("retry", &Fault { message, ..fault }, OWN_FAILURE);
        OWN_FAILURE
    }))
}

fn which(args: &RetryArgs) -> Result<Which, Fault> {
    if args.dead {
        return Ok(Which::Dead { labels: args.label.clone() });
    }
    given(&args.jobs).map(Which::Named)
}

/// Lets a person change the command. The job is the one that was edited, whatever is called so by then.
fn edit_first(request: &mut Request) -> Result<(), Fault> {
    let Which::Named(texts) = &request.which else { return Ok(()) };
    let [text] = &texts[..] else {
        return Err(Fault::new(Code::Usage, "--edit is for one job")
            .hint("bgctl retry --edit JOB, once for each of them"));
    };
    let job = retry::to_edit(text)?;
    let text = edited(&edit::text(&job.spec)?, job.id.random_part())?;
    request.edited = Some(edit::read(&job.spec, &text)?);
    request.which = Which::Named(vec![job.id.to_string()]);
    Ok(())
}

/// The ids on standard output, and on standard error what else there is to say.
fn tell(args: &RetryArgs, retried: &Retried, voice: Voice) -> Result<(), Fault> {
    voice.events(&retried.decided.events);
    voice.warn(&retried.warnings);
    let ids: Vec<&JobId> = retried.jobs.iter().map(|one| &one.submitted.job.id).collect();
    // With --wait --json, the object tells the ends, too.
    if !(voice.json && args.wait && !ids.is_empty()) {
        let text: String = ids.iter().map(|id| format!("{id}\n")).collect();
        voice.result("retry", &text, || json::retried(retried), &retried.warnings).map_err(|error| {
            let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
            let message = format!("{} submitted, but could not be printed: {error}", ids.join(" "));
            Fault::new(Code::Failed, message)
        })?;
    }
    for line in human::retried(retried, SystemClock.now()) {
        voice.say(&line);
    }
    tell_left(&retried.left, voice);
    tell_none(ids.is_empty() && retried.left.is_empty(), args, voice);
    Ok(())
}

fn tell_left(left: &[retry::Left], voice: Voice) {
    for one in left {
        voice.say(&human::retry_left(one));
    }
}

fn tell_none(is_none: bool, args: &RetryArgs, voice: Voice) {
    if is_none && args.dead {
        voice.say(if args.label.is_empty() {
            "there are no dead letters"
        } else {
            "no dead letter is like that"
        });
    }
}

fn wait(retried: &Retried, within: Option<u64>, voice: Voice) -> Result<i32, Fault> {
    let ids: Vec<JobId> = retried.jobs.iter().map(|one| one.submitted.job.id.clone()).collect();
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let waited = waited(&home, attendance, &ids, Manner { within, ..Manner::default() }, voice)?;
    voice.warn(&waited.warnings);
    if waited.time_is_over {
        voice.say(&still_goes_on(&waited));
    }
    if voice.json {
        let object = json::retried_to_the_end(retried, json::waited(&waited));
        voice.result("retry", "", || object, &waited.warnings)?;
    }
    Ok(waited.code)
}
