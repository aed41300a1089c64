//! `bgctl pause` and `bgctl resume`: from their arguments to a use case, from the outcome to words and an exit code.

use super::chosen::chosen;
use crate::cli::args::{
    ChosenArgs,
    pause::{PauseArgs, ResumeArgs},
};
use crate::ops::{
    fault::{Code, Fault},
    pause::{self, Outcome, PauseResult, Wanted},
};
use crate::render::{Voice, human, json};

/// `bgctl pause`
pub fn pause(args: &PauseArgs, voice: Voice) -> Result<i32, Fault> {
    run("pause", &args.chosen, Wanted::Paused, voice)
}

/// `bgctl resume`
pub fn resume(args: &ResumeArgs, voice: Voice) -> Result<i32, Fault> {
    run("resume", &args.chosen, Wanted::Resumed, voice)
}

fn run(command: &str, args: &ChosenArgs, wanted: Wanted, voice: Voice) -> Result<i32, Fault> {
    if args.group.is_some() && !(args.label.is_empty() && args.status.is_empty()) {
        let message = "--group is for the whole group here, and cannot be used with --label or --status";
        return Err(
            Fault::new(Code::Usage, message).hint(format!("bgctl {command} --help says what it takes"))
        );
    }
    let Outcome { group, jobs: results, decided: told } = pause::pause(&chosen(args, voice)?, wanted)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    if let Some(group) = &group {
        text.push_str(&format!("{}\n", human::group_paused(group, wanted)));
    }
    let mut code = 0;
    for one in &results {
        let line = human::paused(one, wanted);
        let own = match one.result {
            PauseResult::Done | PauseResult::WasSo => 0,
            PauseResult::HadEnded | PauseResult::BeingEnded | PauseResult::WaitsForApproval => {
                Code::WrongState as i32
            }
            PauseResult::Asked | PauseResult::OutOfReach(_) => Code::Failed as i32,
        };
        if own == 0 {
            text.push_str(&format!("{line}\n"));
        } else {
            voice.fail(&line);
        }
        // The first that is not 0, in the order asked.
        code = if code == 0 { own } else { code };
    }
    voice.result(command, &text, || json::paused(group.as_ref(), &results, wanted), &told.warnings)?;
    if results.is_empty() && args.jobs.is_empty() && group.is_none() {
        voice.say(&format!("there is no job to {command}"));
    }
    Ok(code)
}
