//! `bgctl config`: from its arguments to a use case, from the outcome to words and an exit code.

use crate::cli::args::config::{ConfigAction, ConfigArgs};
use crate::ops::{
    config,
    fault::{Code, Fault},
};
use crate::render::{Voice, human, json};

/// `bgctl config`
pub fn run(args: &ConfigArgs, voice: Voice) -> Result<i32, Fault> {
    if let Some(setting) = args.setting.as_ref().filter(|_| args.action != ConfigAction::Show) {
        return Err(Fault::new(Code::Usage, format!("only show takes a setting, not this: {setting:?}"))
            .hint("bgctl config --help says what it takes"));
    }
    match args.action {
        ConfigAction::Show => {
            let shown = config::show(args.setting.as_deref())?;
            voice.result("config", &human::settings(&shown), || json::settings(&shown), &[])?;
            Ok(0)
        }
        ConfigAction::Path => {
            let file = config::path()?;
            voice.result(
                "config",
                &format!("{}\n", file.path.display()),
                || json::settings_file(&file),
                &[],
            )?;
            Ok(0)
        }
        ConfigAction::Check => {
            let checked = config::check()?;
            for mistake in &checked.mistakes {
                voice.fail(&human::mistake(&checked.file, mistake));
            }
            for note in &checked.notes {
                voice.say(&human::note(&checked.file, note));
            }
            let is_fine = checked.mistakes.is_empty();
            let text = if is_fine { human::no_mistakes(&checked.file) } else { String::new() };
            voice.result("config", &text, || json::checked_settings(&checked), &[])?;
            Ok(if is_fine { 0 } else { Code::Config as i32 })
        }
    }
}
