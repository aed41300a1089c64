//! `bgctl` alone and `bgctl status` without a job: how things stand.

use crate::ops::{fault::Fault, overview};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, human::screen::Screen, json};

/// What its object is called, whichever way it was asked for.
pub const NAME: &str = "overview";

/// `bgctl`
pub fn run(voice: Voice) -> Result<i32, Fault> {
    let overview = overview::overview()?;
    let now = SystemClock.now();
    let text = human::overview(&overview, now, Screen::of(voice));
    voice.result(NAME, &text, || json::overview(&overview, now), &[])?;
    Ok(0)
}
