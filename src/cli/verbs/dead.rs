//! `bgctl dead`: from its arguments to a use case, from the outcome to words and an exit code.

use super::ask::is_wanted;
use crate::cli::args::dead::{DeadAction, DeadArgs};
use crate::model::id::JobId;
use crate::ops::{
    called::Called,
    dead::{self, ClearResult, Which},
    fault::{Code, Fault},
    find::given,
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, human::screen::Screen, json, print};

const NONE: &str = "there are no dead letters";

/// `bgctl dead`
pub fn run(args: &DeadArgs, voice: Voice) -> Result<i32, Fault> {
    let action = args.action.unwrap_or(DeadAction::List);
    check(args, action)?;
    match action {
        DeadAction::List => list(args, voice),
        DeadAction::Show => show(args, voice),
        DeadAction::Clear => clear(args, voice),
    }
}

/// What goes with each action.
fn check(args: &DeadArgs, action: DeadAction) -> Result<(), Fault> {
    use DeadAction::{Clear, List, Show};
    let name = action.as_str();
    let given = [
        ("a job", !args.jobs.is_empty(), &[Show, Clear][..]),
        ("--label", !args.label.is_empty(), &[List, Clear]),
        ("--limit", args.limit.is_some(), &[List]),
        ("--all", args.all, &[Clear]),
        ("--yes", args.yes, &[Clear]),
    ];
    if let Some((what, ..)) = given.iter().find(|(_, is_given, with)| *is_given && !with.contains(&action)) {
        return Err(refused(&format!("bgctl dead {name} takes no {}", what.trim_start_matches("a "))));
    }
    if action == Show && args.jobs.is_empty() {
        return Err(refused("bgctl dead show: which job?"));
    }
    let ways = [!args.jobs.is_empty(), !args.label.is_empty(), args.all];
    if action == Clear && ways.iter().filter(|way| **way).count() > 1 {
        return Err(refused("bgctl dead clear: jobs, --label or --all, one of them"));
    }
    Ok(())
}

fn refused(message: &str) -> Fault {
    Fault::new(Code::Usage, message)
        .hint("bgctl dead lists dead letters; bgctl dead --help says what it takes")
}

fn list(args: &DeadArgs, voice: Voice) -> Result<i32, Fault> {
    let listed = dead::list(&args.label, args.limit.map(|limit| limit as usize))?;
    voice.warn(&listed.warnings);
    if voice.json {
        voice.result("dead", "", || json::dead_list(&listed), &listed.warnings)?;
        return Ok(0);
    }
    print(&human::dead_list(&listed, SystemClock.now(), Screen::of(voice)))?;
    if listed.entries.is_empty() {
        voice.say(if args.label.is_empty() { NONE } else { "no dead letter is like that" });
    }
    if listed.left_out > 0 {
        voice.say(&format!("{} more; a larger --limit shows them", listed.left_out));
    }
    Ok(0)
}

fn show(args: &DeadArgs, voice: Voice) -> Result<i32, Fault> {
    let jobs = given(&args.jobs)?;
    if jobs.is_empty() {
        voice.say(human::NONE_NAMED);
        voice.result("dead", "", || json::dead_shown(&[]), &[])?;
        return Ok(0);
    }
    let (shown, warnings) = dead::show(&jobs)?;
    voice.warn(&warnings);
    let (now, screen) = (SystemClock.now(), Screen::of(voice));
    let texts: Vec<String> = shown.iter().map(|one| human::dead_shown(one, now, screen)).collect();
    voice.result("dead", &texts.join("\n\n"), || json::dead_shown(&shown), &warnings)?;
    Ok(0)
}

fn clear(args: &DeadArgs, voice: Voice) -> Result<i32, Fault> {
    let mut which = if args.jobs.is_empty() {
        Which::Labelled(args.label.clone())
    } else {
        Which::Named(given(&args.jobs)?)
    };
    if which == Which::Named(Vec::new()) {
        voice.say(human::NONE_NAMED);
    }
    let is_sweeping = args.jobs.is_empty() && args.label.is_empty();
    if is_sweeping {
        let (ids, names): (Vec<JobId>, Vec<Called>) = dead::foresee(&which)?.into_iter().unzip();
        if !(ids.is_empty() || args.all) {
            return Err(Fault::new(Code::Usage, "bgctl dead clear: which jobs?")
                .hint("bgctl dead lists them; --label LABEL or --all clears many"));
        }
        if !(ids.is_empty() || args.yes || is_wanted("clear", ids.len(), &human::to_cancel(&names))?) {
            return Err(Fault::new(Code::Failed, "nothing was cleared"));
        }
        // Those that were counted, whatever has failed since.
        which = Which::Named(ids.iter().map(ToString::to_string).collect());
    }
    let (results, told) = dead::clear(&which)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &results {
        if one.result == ClearResult::HasNotEnded {
            code = Code::WrongState as i32;
            voice.fail(&human::dead_cleared(one));
        } else {
            text.push_str(&format!("{}\n", human::dead_cleared(one)));
        }
    }
    voice.result("dead", &text, || json::dead_cleared(&results), &told.warnings)?;
    if results.is_empty() && args.jobs.is_empty() {
        voice.say(if args.label.is_empty() { NONE } else { "no dead letter is like that" });
    }
    Ok(code)
}
