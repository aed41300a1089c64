//! `bgctl init`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::{
    init::{InitArgs, TargetArg},
    subcommand_words,
};
use crate::ops::{
    fault::{Code, Fault},
    init::{
        self,
        install::{Caller, Wanted, install},
    },
};
use crate::render::{Voice, human, json, print};
use serde_json::json;

/// `bgctl init`
pub fn run(args: &InitArgs, voice: Voice) -> Result<i32, Fault> {
    let wanted = match (args.install, args.uninstall) {
        (false, false) => return show(args.target, voice),
        (true, _) => Wanted::Installed,
        (false, true) => Wanted::Uninstalled,
    };
    let caller = match args.target {
        TargetArg::Cron => Caller::Cron,
        TargetArg::Systemd => Caller::Systemd,
        _ => {
            let fault = Fault::new(Code::Usage, "bgctl writes into no start file of a shell");
            return Err(fault.hint("put the line that bgctl init --help shows into it yourself"));
        }
    };
    let installed = install(caller, wanted, args.dry_run)?;
    let text = human::installed(&installed, args.dry_run);
    voice.warn(&installed.notes);
    voice.result("init", &text, || json::installed(&installed, args.dry_run), &installed.notes)?;
    Ok(0)
}

fn show(target: TargetArg, voice: Voice) -> Result<i32, Fault> {
    let target = match target {
        TargetArg::Bash => init::Target::Bash,
        TargetArg::Zsh => init::Target::Zsh,
        TargetArg::Fish => init::Target::Fish,
        TargetArg::Posix => init::Target::Posix,
        TargetArg::Elvish => init::Target::Elvish,
        TargetArg::Powershell => init::Target::Powershell,
        TargetArg::Cron => init::Target::Cron,
        TargetArg::Systemd => init::Target::Systemd,
    };
    let text = init::init(target, &subcommand_words().collect::<Vec<_>>())?;
    if voice.json {
        voice.result("init", "", || json!({ "text": text }), &[])?;
    } else {
        print(&text)?;
    }
    Ok(0)
}
