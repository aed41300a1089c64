//! `bgctl store`: from its arguments to a use case, from the outcome to words and an exit code.

use super::doctor::code;
use crate::cli::args::store::{FormArg, StoreAction, StoreArgs};
use crate::model::config::StoreType;
use crate::ops::{
    doctor::examine_store,
    fault::{Code, Fault},
    store::{migrate::migrate, rebuild::rebuild, show},
};
use crate::os::clock::{Clock, SystemClock};
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl store`
pub fn run(args: &StoreArgs, voice: Voice) -> Result<i32, Fault> {
    if args.dry_run && args.action != StoreAction::Rebuild {
        return Err(Fault::new(Code::Usage, "only rebuild takes --dry-run")
            .hint("bgctl store --help says what it takes"));
    }
    if args.form.is_some() && args.action != StoreAction::Migrate {
        return Err(Fault::new(Code::Usage, "only migrate takes a form")
            .hint("bgctl store migrate jsonl, or bgctl store migrate json"));
    }
    match args.action {
        StoreAction::Show => {
            let shown = show()?;
            voice.warn(&shown.warnings);
            let text = human::store_shown(&shown, SystemClock.now());
            voice.result("store", &text, || json::store_shown(&shown), &shown.warnings)?;
            Ok(0)
        }
        StoreAction::Check => {
            let examined = examine_store()?;
            let mut object = json::examined(&examined);
            object["action"] = "check".into();
            voice.result("store", &human::examined(&examined, Screen::of(voice)), || object, &[])?;
            Ok(code(&examined))
        }
        StoreAction::Migrate => {
            let to = match args.form {
                Some(FormArg::Json) => StoreType::Json,
                Some(FormArg::Jsonl) => StoreType::Lines,
                None => {
                    return Err(Fault::new(Code::Usage, "migrate needs the form that the index is to have")
                        .hint("bgctl store migrate jsonl, or bgctl store migrate json"));
                }
            };
            let migrated = migrate(to)?;
            voice.warn(&migrated.warnings);
            let text = human::migrated(&migrated);
            voice.result("store", &text, || json::migrated(&migrated), &migrated.warnings)?;
            Ok(0)
        }
        StoreAction::Rebuild => {
            let rebuilt = rebuild(args.dry_run)?;
            voice.warn(&rebuilt.warnings);
            let text = human::rebuilt(&rebuilt);
            voice.result("store", &text, || json::rebuilt(&rebuilt), &rebuilt.warnings)?;
            if !args.dry_run {
                voice.say("bgctl list --all shows what there is; bgctl tick looks after what nobody watches");
            }
            Ok(0)
        }
    }
}
