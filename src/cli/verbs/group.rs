//! `bgctl group`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::group::{GroupAction, GroupArgs};
use crate::model::config::{Kind, SLOTS};
use crate::ops::{
    fault::{Code, Fault},
    group::{self, GroupResult, Standing},
};
use crate::os::clock::{Clock, SystemClock};
use crate::pass::Decided;
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl group`
pub fn run(args: &GroupArgs, voice: Voice) -> Result<i32, Fault> {
    if args.slots.is_some() && args.action != GroupAction::Add {
        return Err(usage("only add takes --slots"));
    }
    let name = || args.group.as_deref().ok_or_else(|| usage("which group?"));
    match args.action {
        GroupAction::List => {
            let (standings, warnings) = group::list(args.group.as_deref())?;
            voice.warn(&warnings);
            let text = human::groups(&standings, SystemClock.now(), Screen::of(voice));
            voice.result("group", &text, || json::groups(&standings, None), &warnings)?;
        }
        GroupAction::Add => tell(&group::add(name()?, slots(args.slots)?)?, voice)?,
        GroupAction::Remove => tell(&group::remove(name()?)?, voice)?,
    }
    Ok(0)
}

fn tell((standing, result, decided): &(Standing, GroupResult, Decided), voice: Voice) -> Result<(), Fault> {
    voice.events(&decided.events);
    voice.warn(&decided.warnings);
    let text = format!("{}\n", human::group_changed(standing, *result));
    let left: &[Standing] = match result {
        GroupResult::Removed => &[],
        _ => std::slice::from_ref(standing),
    };
    voice.result("group", &text, || json::groups(left, Some(*result)), &decided.warnings)?;
    Ok(())
}

/// As many as the settings could say.
fn slots(given: Option<u32>) -> Result<usize, Fault> {
    let given = given.unwrap_or(1);
    match SLOTS.kind {
        Kind::Count { most, .. } if u64::from(given) > most => {
            Err(usage(&format!("--slots: expected a whole number from 1 to {most}")))
        }
        _ => Ok(given as usize),
    }
}

fn usage(what: &str) -> Fault {
    Fault::new(Code::Usage, format!("bgctl group: {what}")).hint("bgctl group --help says what it takes")
}
