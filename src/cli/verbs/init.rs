//! `bgctl init`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::{
    init::{InitArgs, TargetArg},
    subcommand_words,
};
use crate::ops::{fault::Fault, init};
use crate::render::{Voice, print};
use serde_json::json;

/// `bgctl init`
pub fn run(args: &InitArgs, voice: Voice) -> Result<i32, Fault> {
    let target = match args.target {
        TargetArg::Bash => init::Target::Bash,
        TargetArg::Zsh => init::Target::Zsh,
        TargetArg::Fish => init::Target::Fish,
        TargetArg::Posix => init::Target::Posix,
        TargetArg::Elvish => init::Target::Elvish,
        TargetArg::Powershell => init::Target::Powershell,
        TargetArg::Cron => init::Target::Cron,
    };
    let text = init::init(target, &subcommand_words().collect::<Vec<_>>())?;
    if voice.json {
        voice.result("init", "", &json!({ "text": text }), &[])?;
    } else {
        print(&text)?;
    }
    Ok(0)
}
