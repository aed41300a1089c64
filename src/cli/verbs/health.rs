//! `bgctl health`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::health::HealthArgs;
use crate::ops::{fault::Fault, health};
use crate::render::{Voice, human, human::screen::Screen, json, print, prometheus};

/// `bgctl health`
pub fn run(args: &HealthArgs, voice: Voice) -> Result<i32, Fault> {
    if args.prometheus {
        return expose(voice);
    }
    let screen = Screen::of(voice);
    let status = if args.jobs || args.name.is_some() {
        let (answer, going) = health::going(args.name.as_deref())?;
        voice.warn(&answer.warnings);
        let text = human::going(&answer, &going, screen);
        voice.result("health", &text, || json::going(&answer, &going), &answer.warnings)?;
        answer.verdict.status
    } else {
        let answer = health::health()?;
        // Among the reasons, people are told already.
        let text = human::health(&answer, screen);
        voice.result("health", &text, || json::health(&answer), &answer.warnings)?;
        answer.verdict.status
    };
    Ok(health::exit_code(status))
}

fn expose(voice: Voice) -> Result<i32, Fault> {
    let told = health::health();
    let text = match &told {
        Ok(answer) => prometheus::health(answer),
        Err(_) => prometheus::unknown(),
    };
    print(&text)?;
    let answer = told?;
    voice.warn(&answer.warnings);
    Ok(health::exit_code(answer.verdict.status))
}
