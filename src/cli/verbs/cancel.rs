//! `bgctl cancel`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::cancel::CancelArgs;
use crate::ops::{
    cancel::{self, CancelResult},
    fault::{Code, Fault},
};
use crate::render::{Voice, human, json};

/// `bgctl cancel`
pub fn run(args: &CancelArgs, voice: Voice) -> Result<i32, Fault> {
    let request = cancel::Request { jobs: args.jobs.clone(), no_wait: args.no_wait, signal: args.signal };
    let (results, told) = cancel::cancel(&request)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &results {
        if matches!(one.result, CancelResult::Stuck(_) | CancelResult::OutOfReach(_)) {
            code = Code::Failed as i32;
            voice.say(&format!("bgctl: {}", human::cancelled(one)));
        } else {
            text.push_str(&human::cancelled(one));
            text.push('\n');
        }
    }
    voice.result("cancel", &text, &json::cancelled(&results))?;
    Ok(code)
}
