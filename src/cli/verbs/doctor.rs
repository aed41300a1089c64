//! `bgctl doctor`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::doctor::DoctorArgs;
use crate::ops::{
    doctor::{Examined, Grade, examine},
    fault::{Code, Fault},
};
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl doctor`
pub fn run(args: &DoctorArgs, voice: Voice) -> Result<i32, Fault> {
    let examined = examine(args.fix)?;
    voice.result(
        "doctor",
        &human::examined(&examined, Screen::of(voice)),
        || json::examined(&examined),
        &[],
    )?;
    Ok(code(&examined))
}

/// Warnings and problems that are left are a failure.
pub fn code(examined: &Examined) -> i32 {
    if examined.worst() >= Grade::Warning { Code::Failed as i32 } else { 0 }
}
