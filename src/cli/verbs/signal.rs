//! `bgctl signal`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::signal::SignalArgs;
use crate::exec::Whom;
use crate::ops::{
    fault::{Code, Fault},
    find::given,
    signal::{self, Request, SignalResult},
};
use crate::render::{Voice, human, json};

/// `bgctl signal`
pub fn run(args: &SignalArgs, voice: Voice) -> Result<i32, Fault> {
    let request = Request {
        jobs: given(&args.jobs)?,
        signal: args.signal,
        whom: if args.main { Whom::Main } else { Whom::All },
    };
    if request.jobs.is_empty() {
        voice.say(human::NONE_NAMED);
    }
    let (told, warnings) = signal::signal(&request)?;
    voice.warn(&warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &told {
        let line = human::signalled(one, request.signal);
        let own = match &one.result {
            SignalResult::Sent(sent) if sent.refused.is_empty() => 0,
            SignalResult::Sent(_) | SignalResult::OutOfReach(_) | SignalResult::Unclear => {
                Code::Failed as i32
            }
            SignalResult::Gone | SignalResult::NotRunning | SignalResult::Paused => Code::WrongState as i32,
            SignalResult::Starting => Code::NotNow as i32,
        };
        if own == 0 {
            text.push_str(&format!("{line}\n"));
        } else {
            voice.fail(&line);
        }
        if let Some(advice) = human::signal_advice(one, request.signal) {
            voice.say(&advice);
        }
        // The first that is not 0, in the order asked.
        code = if code == 0 { own } else { code };
    }
    voice.result("signal", &text, || json::signalled(&told, request.signal), &warnings)?;
    Ok(code)
}
